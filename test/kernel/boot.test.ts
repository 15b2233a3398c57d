/**
 * On a real kernel: SOFTLEAF_KERNEL names it (a bzImage, or the folder in which it was built), and
 * SOFTLEAF_KERNEL_MODULE a module that it needs. Without it these tests are left out, and shown as such.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseProgram, runProgram } from '../../src/program/index.ts';
import { root, softleaf } from '../support/cli.ts';

const kernel = process.env.SOFTLEAF_KERNEL;
const module = process.env.SOFTLEAF_KERNEL_MODULE;
const name = kernel ? 'a kernel' : 'a kernel: left out, as SOFTLEAF_KERNEL names none';

describe.skipIf(!kernel)(name, () => {
  let dir: string;
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'softleaf-boot-'));
  });
  afterAll(() => rmSync(dir, { recursive: true, force: true }));
  const run = (action: string, ...args: string[]) => {
    const modules = module ? ['--module', module] : [];
    return softleaf(['kernel', action, kernel as string, ...args, ...modules], dir);
  };

  it('boots, and gives what the model gives for programs without a device', () => {
    const programs = [
      {
        name: 'plain',
        ops: [
          { op: 'mmap', buf: 0, page: 0, pages: 8, prot: 'rw', kind: 'anon' },
          { op: 'cpu_write', buf: 0, page: 0, pages: 4, tag: 1 },
          { op: 'fork', child: 1 },
          { op: 'cpu_write', proc: 1, buf: 0, page: 2, pages: 4, tag: 2 },
          { op: 'cpu_read', buf: 0, page: 0, pages: 9 },
          { op: 'exit' },
          { op: 'cpu_read', proc: 1, buf: 0, page: 0, pages: 8 },
        ],
      },
      // longer than what may be on its way over a serial line
      {
        name: 'long',
        ops: [
          { op: 'mmap', buf: 0, page: 0, pages: 8, prot: 'rw', kind: 'anon' },
          ...Array.from({ length: 1000 }, (_, tag) => ({
            op: 'cpu_write',
            buf: 0,
            page: 0,
            pages: 8,
            tag,
          })),
          { op: 'cpu_read', buf: 0, page: 0, pages: 8 },
        ],
      },
    ];
    const recorded = programs.map((value) => {
      const program = parseProgram(value);
      return JSON.stringify({ ...value, results: runProgram(program).results });
    });
    writeFileSync(join(dir, 'plain.jsonl'), `${recorded.join('\n')}\n`);
    const { code, out, err } = run('conform', 'plain.jsonl');
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toContain('2 programs: 2 as on 7.3.4, 0 differ, 0 did not end, 0 not run');
  });

  it('goes on behind a program that waits for ever', () => {
    const waits = { name: 'waits', ops: [{ op: 'uffd_serve', faults: 1, tag: 1 }] };
    const next = { name: 'next', ops: [{ op: 'fork', child: 1 }] };
    writeFileSync(join(dir, 'waits.jsonl'), `${JSON.stringify(waits)}\n${JSON.stringify(next)}\n`);
    const { out } = run('ask', 'waits.jsonl', '--json', '--timeout', '2');
    const [first, second] = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(first.stopped ?? first.skipped).toBeDefined();
    expect(second).toEqual({ name: 'next', results: [{ ret: 'ok' }] });
  });

  it('answers every program of a recorded file, one way or another', () => {
    const file = join(root, 'corpus/asked.jsonl');
    const { out } = run('conform', file, '--json');
    const { same, differing, stopped, notRun } = JSON.parse(out);
    const sum = (kinds: { count: number }[]) => kinds.reduce((n, { count }) => n + count, 0);
    const lines = readFileSync(file, 'utf8').trim().split('\n').length;
    expect(same + differing + sum(stopped) + sum(notRun)).toBe(lines);
  });
});
