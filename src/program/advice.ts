/** What whoever wrote a program might not know. */
import { Geometry } from '../machine/geometry.ts';
import type { Op } from './ops.ts';
import type { ConcurrentProgram } from './schema.ts';

/** The machine that the shipped scenarios have. */
const SMALL = { pmdOrder: 2, pageBytes: 16 } as const;
/** Above it a huge page, a page table and all that goes through them page by page is large. */
const SMALL_ENOUGH = 4;

/**
 * For a program whose tasks are tried on a machine with large huge pages although what it does would fit on a
 * small one: that this is slow, and how it is mended.
 * @returns null where there is nothing to say
 */
export function slowGeometry({ machine, setup, tasks, after }: ConcurrentProgram): string | null {
  const { pmdOrder } = new Geometry(machine);
  if (pmdOrder <= SMALL_ENOUGH) return null;
  const { bufferPages } = new Geometry(SMALL);
  const fits = (op: Op): boolean => {
    const end = 'page' in op ? op.page + ('pages' in op ? op.pages : 1) : 0;
    const toEnd = 'toPage' in op ? op.toPage + op.pages : 0;
    return Math.max(end, toEnd) <= bufferPages;
  };
  if (![...setup, ...Object.values(tasks).flat(), ...after].every(fits)) return null;
  return (
    `a huge page is ${2 ** pmdOrder} pages here: with "machine": ${JSON.stringify(SMALL)} the same code ` +
    'is tried many times faster'
  );
}
