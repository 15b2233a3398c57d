/** `softleaf check --trace`, and `softleaf lab` with what it writes. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { labCommand } from '../../src/cli/lab.ts';
import { readTrace } from '../../src/recording/internal.ts';
import { root, softleaf } from '../support/cli.ts';
import { race } from '../support/one-page.ts';

const driver = join(root, 'examples/scenarios/check-without-lock.mjs');
let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'softleaf-trace-'));
  writeFileSync(join(dir, 'race.json'), JSON.stringify(race()));
  mkdirSync(join(dir, 'lab'));
  writeFileSync(join(dir, 'lab/index.html'), '<!doctype html><title>here</title>');
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const check = (...args: string[]) =>
  softleaf(['check', ...args, '--strategy', 'exhaustive', '--workers', '1'], dir);
const traceIn = (file: string) => readTrace(readFileSync(join(dir, file), 'utf8'));

describe('check --trace', () => {
  it('writes the first finding, of a module as of a program', () => {
    for (const [file, task] of [
      [driver, 'gpu'],
      ['race.json', 'writer'],
    ]) {
      const { code, out } = check(file, '--trace', 'found.json');
      expect(code).toBe(1);
      expect(out).toContain('\n  lab:     softleaf lab found.json\n');
      const trace = traceIn('found.json');
      expect(trace.tasks[0]).toBe(task);
      // it says more of the schedule, and of the same program
      const [, digest] = trace.schedule.split('.');
      expect(out).toContain(`--replay 2.${digest}.`);
      expect(out).toContain(`==>  ${trace.finding?.invariant}: `);
    }
  });

  it('writes what --replay shows, too', () => {
    const [{ schedule }] = JSON.parse(check(driver, '--json').out).findings;
    rmSync(join(dir, 'found.json'), { force: true });
    const args = ['check', driver, '--replay', schedule, '--trace', 'found.json'];
    expect(softleaf(args, dir).code).toBe(1);
    // it says more of the same choices
    const choices = schedule.split('.').slice(0, 3).join('.');
    expect(traceIn('found.json').schedule).toContain(choices);
  });

  it('is what a finding in a module asks for, as it has no link', () => {
    expect(check(driver).out).toContain(
      'lab:     check it with --trace FILE, then softleaf lab FILE\n',
    );
    expect(check('race.json').out).not.toContain('lab:');
  });

  it('has the finding as a mail, for softleaf explain', () => {
    const { out } = check(driver, '--trace', 'found.json');
    const [, schedule] = /--replay (\S+)/.exec(out) ?? [];
    const mail = softleaf(['explain', 'found.json'], dir);
    expect(mail.code).toBe(0);
    expect(mail.out).toMatch(/^Subject: a GPU that checks without its lock: /);
    expect(mail).toEqual(softleaf(['explain', driver, schedule], dir));
    const cut = readFileSync(join(dir, 'found.json'), 'utf8').slice(0, -9);
    writeFileSync(join(dir, 'cut.json'), cut);
    expect(softleaf(['explain', 'cut.json'], dir)).toMatchObject({ code: 2, out: '' });
  });

  it('writes nothing where nothing is found, and over no program', () => {
    const right = join(root, 'examples/scenarios/check-under-lock.mjs');
    expect(check(right, '--trace', 'none.json').code).toBe(0);
    expect(() => traceIn('none.json')).toThrow('ENOENT');
    const { code, err } = check('race.json', '--trace', 'race.json');
    expect(code).toBe(2);
    expect(err).toContain('--trace race.json: would write over race.json');
  });
});

describe('softleaf lab', () => {
  /** What it says and hands out at a path, until it is ended. */
  async function served(file: string, path: string, options = {}) {
    let out = '';
    const stream = { write: (text: string) => (out += text) };
    const terminal = { stdout: stream, stderr: stream, env: {} };
    let answer = '';
    const end = async (): Promise<void> => {
      const [address] = /http:[^\s#]+/.exec(out) ?? [''];
      answer = await (await fetch(new URL(path, address))).text();
    };
    const code = await labCommand(
      join(dir, file),
      { port: 0, ...options },
      terminal as never,
      join(dir, 'lab'),
      end,
    );
    return { code, out, answer };
  }

  it.each([
    [
      'a module',
      'driver.mjs',
      'export default 1;',
      /does not run in the lab: softleaf check \S+driver.mjs --trace/,
    ],
    [
      'a trace that is not whole',
      'cut.json',
      '{"softleaf":"trace","format":1',
      /cut.json: no JSON: /,
    ],
    [
      'one of another version',
      'old.json',
      '{"softleaf":"trace","format":9}',
      /a trace of format 9; this/,
    ],
  ])('refuses %s', async (_, name, text, why) => {
    writeFileSync(join(dir, name), text);
    await expect(served(name, '/')).rejects.toThrow(why);
  });

  it('refuses another walk or schedule of a trace', async () => {
    check(driver, '--trace', 'found.json');
    await expect(served('found.json', '/', { walk: 'collect' })).rejects.toThrow(
      /a trace has one walk and one schedule/,
    );
  });

  it('hands a trace out beside its page, to which it leads', async () => {
    check(driver, '--trace', 'found.json');
    const { code, out, answer } = await served('found.json', 'trace.json');
    expect(code).toBe(0);
    expect(out).toMatch(/The lab is at http:\/\/localhost:\d+\/#trace\n/);
    expect(answer).toBe(readFileSync(join(dir, 'found.json'), 'utf8'));
    // of a program there is none
    expect((await served('race.json', 'trace.json')).answer).toBe('');
  });
});
