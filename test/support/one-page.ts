/** Concurrent programs over one page that is there, small enough to try every schedule of. */
import { parseConcurrentProgram } from '../../src/program/index.ts';

/** The page, in operations. */
export const PAGE = { buf: 0, page: 0, pages: 1 };

/** A program's text: the page has been written once. */
export function onePage(name: string, tasks: Record<string, object[]>) {
  return {
    name,
    machine: { pmdOrder: 2, pageBytes: 16 },
    setup: [
      { op: 'mmap', ...PAGE, prot: 'rw', kind: 'anon' },
      { op: 'cpu_write', ...PAGE, tag: 1 },
    ],
    tasks,
    after: [],
  };
}

export const onePageProgram = (...args: Parameters<typeof onePage>) =>
  parseConcurrentProgram(onePage(...args));

/** A page that is written while it is read, by a reader who wants to see what was there before. */
export const race = (reader = 'reader', extra: object[] = []) =>
  onePage('race', {
    writer: [{ op: 'cpu_write', ...PAGE, tag: 2 }, ...extra],
    [reader]: [{ op: 'cpu_read', ...PAGE, expect: { tags: [[65536, 1, 0]] } }],
  });
