/** Taking pages of buffer 0 of process 0, in each way that there is. */
import { expect } from 'vitest';
import type { GupHold, GupHow } from '../../src/drivers/index.ts';
import { pageFolio } from '../../src/mm/folio.ts';
import { part } from './huge.ts';
import { Bench, type LooseOp } from './system.ts';

export const HOWS: GupHow[] = [
  'get',
  'get_fast',
  'pin',
  'pin_fast',
  'pin_longterm',
  'pin_fast_longterm',
];
export const PINS = HOWS.filter((how) => how.startsWith('pin'));

export const mapped = (kind: 'anon' | 'file-private' | 'file-shared' = 'anon'): LooseOp => ({
  op: 'mmap',
  ...part(0, 8),
  prot: 'rw',
  kind,
});

/** Eight pages of memory in buffer 0, and four devices. */
export function gupBench(...ops: LooseOp[]): Bench {
  const b = new Bench({ cpus: 2, pmdOrder: 2, pageBytes: 16, devices: 4 });
  b.all(...ops);
  return b;
}

/** The operation that takes pages. */
export const taking = (how: GupHow, page = 0, pages = 1, write: 0 | 1 = 0, id = 0): LooseOp => ({
  op: 'gup',
  id,
  ...part(page, pages),
  how,
  write,
});

/** What is held under an id. */
export function held(b: Bench, id = 0): GupHold {
  const hold = b.system.process(0).pins.get(id);
  expect(hold).toHaveProperty('pinned');
  return hold as GupHold;
}

export const refsOf = (b: Bench, page: number): number => b.k.pages.refcount[pageFolio(b.k, page)];
/** Of a large folio: how often it is pinned. */
export const pinsOf = (b: Bench, page: number): number =>
  b.k.pages.pinCount.get(pageFolio(b.k, page)) ?? 0;
