/** `softleaf explain`, as it is built: what it reads, and what it refuses. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sealedSchedule } from '../../src/checker/index.ts';
import { root, softleaf } from '../support/cli.ts';
import { race } from '../support/one-page.ts';

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'softleaf-explain-'));
  writeFileSync(join(dir, 'race.json'), JSON.stringify(race()));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const run = (...args: string[]) => softleaf(args, dir);
const EXHAUSTIVE = ['--strategy', 'exhaustive', '--workers', '1', '--json'];
/** Keeps what a check prints in a file. */
function checked(name: string, file: string, ...options: string[]) {
  const { out } = run('check', file, ...EXHAUSTIVE, ...options);
  writeFileSync(join(dir, name), out);
  return JSON.parse(out).findings[0];
}

describe('softleaf explain', () => {
  it('takes what check printed, and a file with a schedule: the same mail', () => {
    const { schedule } = checked('found.json', 'race.json');
    const { code, out, err } = run('explain', 'found.json');
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toMatch(/^Subject: race: cpu_read: tags must be /);
    expect(out).toContain('    mmap: buf0:0 rw anon\n    store: buf0:0 tag 1\n');
    expect(out).toMatch(/^CPU0: writer +CPU1: reader$/m);
    expect(out.replace(/\\\n +/g, '')).toContain(
      `softleaf check race.json --walk unified --replay ${schedule}\n`,
    );
    expect(run('explain', 'race.json', schedule)).toEqual({ code, out, err });
    // one finding of several
    writeFileSync(join(dir, 'one.json'), JSON.stringify({ file: 'race.json', schedule }));
    expect(run('explain', 'one.json').out).toBe(out);
  });

  it('tells of the program as it was shrunk, if it has that, and of the schedule of the file', () => {
    const { schedule, shrunk } = checked('verbose.json', 'race.json', '--verbose');
    rmSync(join(dir, 'race.json'));
    const { code, out } = run('explain', 'verbose.json');
    writeFileSync(join(dir, 'race.json'), JSON.stringify(race()));
    expect(code).toBe(0);
    expect(shrunk.program.name).toBe('race');
    expect(out.replace(/\\\n +/g, '')).toContain(`--replay ${schedule}\n`);
  });

  it('takes a finding in a module', () => {
    const driver = join(root, 'examples/scenarios/check-without-lock.mjs');
    const { schedule } = checked('module.json', driver);
    const { code, out } = run('explain', 'module.json');
    expect(code).toBe(0);
    expect(out).toContain('rangeFault()\n     mmap_read_lock(mm)\n     hmm_range_fault()\n');
    // the file has another one behind it
    const one = run('explain', driver, schedule).out;
    expect(out.slice(0, one.length)).toBe(one);
    expect(out.slice(one.length)).toMatch(/^\n+Subject: /);
  });

  it.each([
    [
      'a program without a schedule',
      ['race.json'],
      /race\.json: expected findings .* or a schedule after/,
    ],
    [
      'a schedule of another program',
      ['race.json', '2.000000000.a'],
      /of another program or model/,
    ],
    ['what is no schedule', ['race.json', 'x'], /not a schedule/],
    ['findings without a file', ['empty.json'], /empty\.json: expected findings, each with a file/],
    ['no file', ['nothing.json'], /cannot read nothing\.json/],
  ])('refuses %s', (_, args, why) => {
    writeFileSync(join(dir, 'empty.json'), '{"verdict":"found","findings":[{"title":"x"}]}');
    const { code, out, err } = run('explain', ...args);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toMatch(why);
    expect(err).toMatch(/^softleaf: [^\n]+\n$/);
  });

  it('refuses a schedule that breaks nothing', () => {
    const { schedule } = checked('found.json', 'race.json');
    const { code, err } = run('explain', 'race.json', sealedSchedule(schedule.split('.')[1], 'ba'));
    expect(code).toBe(2);
    expect(err).toContain('race.json: nothing breaks in this schedule');
  });

  it('says so where nothing was found', () => {
    writeFileSync(join(dir, 'clean.json'), '{"verdict":"proved","findings":[]}');
    const { code, out, err } = run('explain', 'clean.json');
    expect({ code, out }).toEqual({ code: 0, out: '' });
    expect(err).toContain('nothing was found');
  });
});
