/** What a program may take of the host's memory, and what it gets where the machine has no RAM left. */
import { describe, expect, it } from 'vitest';
import { ProgramError } from '../../src/program/error.ts';
import { runProgram } from '../../src/program/run-program.ts';
import { parseProgram } from '../../src/program/schema.ts';

const mmap = (kind: string, pages: number) => ({
  op: 'mmap',
  buf: 0,
  page: 0,
  pages,
  prot: 'rw',
  kind,
});
const write = (page: number, pages: number) => ({
  op: 'cpu_write',
  buf: 0,
  page,
  pages,
  tag: 1,
});
const run = (ops: unknown[], machine: Record<string, number> = {}) =>
  runProgram(parseProgram({ name: 'p', machine, ops }));

/** Bytes of array buffers that there are more of after a program ran; it is still there. */
function bytesOf(ops: unknown[]): number {
  const before = process.memoryUsage().arrayBuffers;
  const outcome = run(ops);
  const after = process.memoryUsage().arrayBuffers;
  expect(outcome.findings).toEqual([]);
  expect(outcome.results.map(({ ret }) => ret)).toEqual(ops.map(() => 'ok'));
  return after - before;
}

describe('the bytes of pages', () => {
  const PAGES = 2 ** 14;
  const writes = Array.from({ length: PAGES / 4096 }, (_, i) => write(i * 4096, 4096));
  it.each([
    ['a file', [mmap('file-shared', PAGES)]],
    ["a driver's mapping", [mmap('driver', PAGES)]],
    ['pages that are written', [mmap('anon', PAGES), ...writes]],
  ])('take a tenth of what the pages of %s hold', (_, ops) => {
    expect(bytesOf(ops)).toBeLessThan((PAGES * 4096) / 10);
  });
});

describe('a machine without RAM', () => {
  const SMALL = { ramPages: 256 };

  it.each(['file-shared', 'driver'])('gives ENOMEM to an mmap of kind %s, and goes on', (kind) => {
    const { results, findings } = run([mmap(kind, 1000), mmap('anon', 8), write(0, 8)], SMALL);
    expect(findings).toEqual([]);
    expect(results.map(({ ret }) => ret)).toEqual(['ENOMEM', 'ok', 'ok']);
  });

  it('ends a program whose access would wait for ever, with the place', () => {
    const more = { ...mmap('anon', 200), page: 200 };
    const wrong = () => run([mmap('anon', 200), more, write(0, 100), write(0, 400)], SMALL);
    expect(wrong).toThrow(ProgramError);
    expect(wrong).toThrow('program "p", op 3 (cpu_write): all 256 pages of RAM are in use');
  });

  it('promises nobody more than it has, one mapping at a time', () => {
    const area = (kind: string, prot: string, buf: number) => ({ ...mmap(kind, 257), prot, buf });
    const ops = [
      area('anon', 'rw', 1),
      area('anon-shared', 'r', 1),
      area('file-private', 'rw', 1),
      area('anon', 'r', 1),
      { op: 'mprotect', buf: 1, page: 0, pages: 257, prot: 'rw' },
      { op: 'mprotect', buf: 1, page: 0, pages: 256, prot: 'rw' },
      { op: 'mprotect', buf: 1, page: 256, pages: 1, prot: 'rw' },
      { ...mmap('anon', 1), buf: 2 },
      { op: 'mremap_dontunmap', buf: 1, page: 0, pages: 257, toBuf: 2, toPage: 0 },
      // what was at the new place is gone all the same
      { op: 'cpu_read', buf: 2, page: 0, pages: 1 },
      { op: 'mremap', buf: 1, page: 0, pages: 257, toBuf: 2, toPage: 0 },
      { op: 'fork', child: 1 },
    ];
    const { results, findings } = run(ops, SMALL);
    expect(findings).toEqual([]);
    const refused = 'ENOMEM';
    expect(results.map(({ ret }) => ret)).toEqual([
      ...[refused, refused, refused, 'ok'],
      ...[refused, 'ok', 'ok', 'ok', refused, 'SEGV', 'ok', refused],
    ]);
  });
});
