/** A process with memory that asks for huge pages, of 4 base pages each. */
import type { Walk } from '../../src/mm/index.ts';
import { leafPfn } from '../../src/mm/look/leaves.ts';
import { pmdpOf } from '../../src/mm/pgtable.ts';
import { Bench, type LooseOp } from './system.ts';

export const HUGE = 4;

export const part = (page: number, pages: number) => ({ buf: 0, page, pages });
export const written = (page: number, pages: number): LooseOp => ({
  op: 'cpu_write',
  ...part(page, pages),
  tag: 1,
});

/** Two huge pages of private memory in buffer 0, untouched. */
export function hugeBench(walk: Walk = 'unified', ...ops: LooseOp[]): Bench {
  const b = new Bench({ walk, cpus: 2, pmdOrder: 2, pageBytes: 16 });
  b.all(
    { op: 'mmap', ...part(0, 2 * HUGE), prot: 'rw', kind: 'anon' },
    { op: 'madvise', ...part(0, 2 * HUGE), advice: 'hugepage' },
    ...ops,
  );
  return b;
}

/** The PMD entry of a page of buffer 0 of process 0. */
export function pmd(
  b: Bench,
  page = 0,
): { readonly at: number; get(): number; set(v: number): void } {
  const at = pmdpOf(b.k, b.system.process(0).mm, b.vpn(0, page));
  return {
    at,
    get: () => b.k.tables.entries[at],
    set: (value) => {
      b.k.tables.entries[at] = value;
    },
  };
}

/** The first frame of the huge page that a PMD entry names. */
export function hugeFolio(b: Bench, page = 0): number {
  return leafPfn(pmd(b, page).get());
}
