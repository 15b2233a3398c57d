/** `softleaf check --link`: where the lab shows what was found. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseAnyProgram } from '../../src/program/index.ts';
import { decodeLink } from '../../src/recording/link.ts';
import { record } from '../../src/recording/recorder.ts';
import { executable, root, softleaf } from '../support/cli.ts';

const scenarios = join(root, 'scenarios');

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'softleaf-link-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

function check(args: string[], input = '') {
  if (input === '') return softleaf(['check', ...args], root);
  const { status, stdout, stderr } = spawnSync(process.execPath, [executable, 'check', ...args], {
    cwd: root,
    encoding: 'utf8',
    input,
  });
  return { code: status, out: stdout, err: stderr };
}

/** A page is read while it is written; the reader must see what was there before. */
const race = {
  name: 'race',
  machine: { pmdOrder: 2, pageBytes: 16, walk: 'collect' },
  setup: [
    { op: 'mmap', buf: 0, page: 0, pages: 1, prot: 'rw', kind: 'anon' },
    { op: 'cpu_write', buf: 0, page: 0, pages: 1, tag: 1 },
  ],
  tasks: {
    writer: [{ op: 'cpu_write', buf: 0, page: 0, pages: 1, tag: 2 }],
    reader: [{ op: 'cpu_read', buf: 0, page: 0, pages: 1, expect: { tags: [[65536, 1, 0]] } }],
  },
};

/** The recording that a link leads to, as the lab makes it. */
async function shownBy(link: string) {
  const decoded = await decodeLink(new URL(link).hash);
  if (decoded === null) throw new Error(`no link: ${link}`);
  const { program, walk, schedule, step } = decoded;
  const text =
    'text' in program
      ? program.text
      : readFileSync(join(scenarios, `${program.name}.json`), 'utf8');
  const recording = record(parseAnyProgram(JSON.parse(text)), { walk, schedule });
  return { recording, step, program };
}

describe('softleaf check --link', () => {
  it('names a scenario that ships, and leads to the step that breaks', async () => {
    const file = join('scenarios', 'device-fault-hole.json');
    const { code, out } = check([file, '--walk', 'as-posted', '--findings', '1', '--link']);
    expect(code).toBe(1);
    const [, link] = /^ {2}lab: {5}(\S+)$/m.exec(out) ?? [];
    expect(link).toMatch(/^http:\/\/localhost:7340\/#/);
    expect(link.length).toBeLessThan(200);
    const { recording, step, program } = await shownBy(link);
    expect(program).toEqual({ name: 'device-fault-hole' });
    expect(step).toBe(recording.length);
    expect(recording.finding?.title).toBe(
      'a range fault gives a hole that is to be populated as a page',
    );
  });

  it.each([
    ['of a file', (file: string) => ({ args: [file], input: '' })],
    ['from standard input', () => ({ args: ['-'], input: JSON.stringify(race) })],
  ])('carries a program %s, in JSON, in text and on the page', async (_, from) => {
    const file = join(dir, 'race.json');
    writeFileSync(file, JSON.stringify(race));
    const page = join(dir, 'race.html');
    const { args, input } = from(file);
    const at = 'https://example.org/lab/?a=1&b=2';
    const json = JSON.parse(
      check([...args, '--json', '--link', at, '--report', page], input).out,
    ) as { findings: { title: string; link: string; schedule: string }[] };
    const [{ link, title, schedule }] = json.findings;
    expect(link.startsWith(`${at}#`)).toBe(true);
    const { recording, program } = await shownBy(link);
    expect('text' in program).toBe(true);
    expect(recording.finding?.title).toBe(
      'cpu_read: tags must be [[65536,1,0]], is [[131072,1,0]]',
    );
    expect(title).toContain(recording.finding?.title);
    expect(schedule.split('.')[1]).toBe(recording.schedule.split('.')[1]);
    expect(readFileSync(page, 'utf8')).toContain(`<a href="${link.replaceAll('&', '&amp;')}">`);
  });

  it('has none for a scenario that is not a program, and says nothing unasked', () => {
    const module = join('examples', 'scenarios', 'check-without-lock.mjs');
    expect(check([module, '--link']).out).toMatch(/^ {2}lab: {5}check it with --trace FILE/m);
    expect(check(['-'], JSON.stringify(race)).out).not.toMatch(/^ {2}lab:/m);
    expect(check(['-', '--json'], JSON.stringify(race)).out).not.toContain('"link"');
  });

  it.each(['here', 'ftp://example.org/', 'javascript:alert(1)'])('refuses %s', (address) => {
    const { code, out, err } = check(['-', `--link=${address}`], JSON.stringify(race));
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toMatch(/expected the address of a lab/);
  });
});
