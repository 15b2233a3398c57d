/** What whoever wrote a program might not know. */
import { Geometry } from '../machine/geometry.ts';
import type { Op } from './ops.ts';
import type { ConcurrentProgram } from './schema.ts';

/** The machine that the shipped scenarios have. */
const SMALL = { pmdOrder: 2, pageBytes: 16 } as const;
/** Above it what goes through a huge page page by page takes many steps. */
const SMALL_ENOUGH = 4;

/**
 * For a program whose operations take whole huge pages of a large machine: that it is slow to check, and how
 * it is mended. A program of few pages takes as many steps on any machine. Measured with a fault that migrates
 * one huge page against a write: 8800 steps a schedule with 512 pages, 510 with 4, and more different ends.
 * @returns null where there is nothing to say
 */
export function slowGeometry({ machine, setup, tasks, after }: ConcurrentProgram): string | null {
  const { pmdOrder, ptrsPerPte } = new Geometry(machine);
  if (pmdOrder <= SMALL_ENOUGH) return null;
  const isLarge = (op: Op): boolean =>
    ('pages' in op && op.pages >= ptrsPerPte) || (op.op === 'mmap' && op.kind === 'hugetlb');
  if (![...setup, ...Object.values(tasks).flat(), ...after].some(isLarge)) return null;
  return (
    `a huge page is ${ptrsPerPte} pages here: with "machine": ${JSON.stringify(SMALL)} it is 4, ` +
    'and the same code takes far fewer steps'
  );
}
