/**
 * Numbers of different kinds do not pass for each other: swapped arguments do not compile. The type checker
 * is the test (`npm run typecheck`): an expected error that does not come is an error.
 */
import { describe, expect, it } from 'vitest';
import { hmmPfnToPfn, migratePfnToPfn } from '../../src/hmm/pfn.ts';
import {
  type HmmPfn,
  type MigratePfn,
  mkPte,
  mkTable,
  type Pfn,
  type Pgoff,
  type Pte,
  type Ptep,
  ptePfn,
  type SpaceId,
  type TableId,
  type Tlb,
  type Vpn,
} from '../../src/machine/index.ts';
import { pageFolio } from '../../src/mm/folio.ts';
import type { Kernel, Mm } from '../../src/mm/index.ts';
import { pmdpOf, pteOffsetMap, ptepGet, setPte } from '../../src/mm/pgtable.ts';
import { linearPageIndex, type Vma } from '../../src/mm/vma.ts';

/** Is compiled, not called: a refusal that does not come is an error. */
function refused(
  k: Kernel,
  mm: Mm,
  vma: Vma,
  tlb: Tlb,
  [vpn, pfn, ptep, pte]: [Vpn, Pfn, Ptep, Pte],
  [table, space, pgoff]: [TableId, SpaceId, Pgoff],
  [hmm, migrate]: [HmmPfn, MigratePfn],
): void {
  // @ts-expect-error a frame for a page of an address space
  pmdpOf(k, mm, pfn);
  // @ts-expect-error a page of an address space for a frame
  pageFolio(k, vpn);
  // @ts-expect-error place and value swapped
  setPte(k, pte, ptep);
  // @ts-expect-error an entry's value for its place
  ptepGet(k, pte);
  // @ts-expect-error place and address swapped
  pteOffsetMap(k, vpn, ptep);
  // @ts-expect-error a place where a value is expected
  ptePfn(ptep);
  // @ts-expect-error a table where a frame is expected
  mkPte(table, 0);
  // @ts-expect-error a frame where a table is expected
  mkTable(pfn);
  // @ts-expect-error address space and address swapped
  tlb.lookup(vpn, space);
  // @ts-expect-error an offset in a file for an address
  linearPageIndex(vma, pgoff);
  // @ts-expect-error the words of a migration and of a range walk swapped
  hmmPfnToPfn(migrate);
  // @ts-expect-error the words of a migration and of a range walk swapped
  migratePfnToPfn(hmm);
  // @ts-expect-error what is read from an entry is a frame
  const address: Vpn = ptePfn(ptepGet(k, ptep));
  // @ts-expect-error the number of an address space for one of its pages
  mm.lookupVma(mm.id);
  void address;
}

void refused;

describe('numbers of a kind', () => {
  it('are plain numbers: literals, sums and what is in typed arrays fit', () => {
    const entries = new Int32Array([mkPte(5, 1)]);
    const pfn: Pfn = ptePfn(entries[0]);
    const next: Vpn = pfn + 1;
    const offset: Pgoff = next;
    expect([pfn, next, offset]).toEqual([5, 6, 6]);
  });
});
