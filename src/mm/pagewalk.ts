/**
 * The generic page-table walk.
 *
 * Models: mm/pagewalk.c
 */
import type { Kernel$ } from '../machine/step.ts';
import type { Ptep, Vpn } from '../machine/units.ts';
import { hugetlbVmaLockRead, hugetlbVmaUnlockRead } from './hugetlb.ts';
import type { Kernel } from './kernel.ts';
import type { Mm } from './mm.ts';
import { entryAt, entryEnd, lackStep, lacksTable, pmdAddrEnd, pmdpOf, pudpOf } from './pgtable.ts';
import { isVmHugetlbPage, type Vma } from './vma.ts';

/** struct mm_walk: where a walk is. */
export interface MmWalk<P> {
  readonly mm: Mm;
  /** The area under the walk; null in a hole between areas. */
  vma: Vma | null;
  /** A callback sets it to have the same PMD entry again. */
  again: boolean;
  readonly private: P;
}

/** struct mm_walk_ops. Addresses in pages, `end` exclusive. A result other than 0 ends the walk. */
export interface MmWalkOps<P> {
  /** A PMD entry that is not none. */
  pmdEntry(k: Kernel, pmdp: Ptep, start: Vpn, end: Vpn, walk: MmWalk<P>): Kernel$<number>;
  /** The entry of a huge page of the pool, empty or not; without it such areas are passed over. */
  hugetlbEntry?(k: Kernel, pmdp: Ptep, start: Vpn, end: Vpn, walk: MmWalk<P>): Kernel$<number>;
  /** Nothing is mapped. */
  pteHole?(k: Kernel, start: Vpn, end: Vpn, walk: MmWalk<P>): number;
  /** Before an area: 1 skips it. */
  testWalk?(k: Kernel, start: Vpn, end: Vpn, walk: MmWalk<P>): Kernel$<number>;
}

/**
 * Mirrors: mm/pagewalk.c walk_pgd_range(), walk_pud_range(), walk_pmd_range()
 * faithful
 */
function* walkTables<P>(
  k: Kernel,
  start: Vpn,
  end: Vpn,
  ops: MmWalkOps<P>,
  walk: MmWalk<P>,
): Kernel$<number> {
  const { pgdPages, pudPages, ptrsPerPte } = k.geometry;
  const { mm } = walk;
  let err = 0;
  for (let vpn = start; vpn < end; ) {
    if (k.stepping && lacksTable(k, mm, vpn)) yield lackStep(k, mm, vpn);
    const pudp = pudpOf(k, mm, vpn);
    if (pudp < 0 || entryAt(k, pudp) === 0) {
      const next = entryEnd(vpn, pudp < 0 ? pgdPages : pudPages, end);
      err = ops.pteHole ? ops.pteHole(k, vpn, next, walk) : 0;
      if (err) return err;
      vpn = next;
      continue;
    }
    const pudEnd = entryEnd(vpn, pudPages, end);
    while (vpn < pudEnd) {
      const next = entryEnd(vpn, ptrsPerPte, pudEnd);
      const pmdp = pmdpOf(k, mm, vpn);
      if (k.stepping) yield k.readEntry(pmdp);
      if (entryAt(k, pmdp) === 0) {
        err = ops.pteHole ? ops.pteHole(k, vpn, next, walk) : 0;
      } else {
        walk.again = false;
        err = yield* ops.pmdEntry(k, pmdp, vpn, next, walk);
        if (walk.again) continue;
      }
      if (err) return err;
      vpn = next;
    }
  }
  return 0;
}

/**
 * Mirrors: mm/pagewalk.c walk_hugetlb_range()
 * faithful
 */
function* walkHugetlbRange<P>(
  k: Kernel,
  start: Vpn,
  end: Vpn,
  ops: MmWalkOps<P>,
  walk: MmWalk<P>,
): Kernel$<number> {
  if (!ops.hugetlbEntry) return 0;
  const vma = k.present(walk.vma, 'the area under a walk');
  let err = 0;
  yield* hugetlbVmaLockRead(k, vma);
  for (let vpn = start; vpn < end && !err; ) {
    const next = pmdAddrEnd(k, vpn, end);
    if (k.stepping && lacksTable(k, walk.mm, vpn)) yield lackStep(k, walk.mm, vpn);
    const pmdp = pmdpOf(k, walk.mm, vpn);
    if (pmdp >= 0) err = yield* ops.hugetlbEntry(k, pmdp, vpn, next, walk);
    else if (ops.pteHole) err = ops.pteHole(k, vpn, next, walk);
    vpn = next;
  }
  yield* hugetlbVmaUnlockRead(k, vma);
  return err;
}

/** Mirrors: mm/pagewalk.c __walk_page_range(); faithful */
function walkArea<P>(
  k: Kernel,
  start: Vpn,
  end: Vpn,
  ops: MmWalkOps<P>,
  walk: MmWalk<P>,
): Kernel$<number> {
  const vma = k.present(walk.vma, 'the area under a walk');
  const huge = isVmHugetlbPage(vma);
  return huge ? walkHugetlbRange(k, start, end, ops, walk) : walkTables(k, start, end, ops, walk);
}

/**
 * Walks `start` to `end` (pages), area after area.
 *
 * Mirrors: mm/pagewalk.c walk_page_range()
 * faithful
 */
export function* walkPageRange<P>(
  k: Kernel,
  mm: Mm,
  start: Vpn,
  end: Vpn,
  ops: MmWalkOps<P>,
  priv: P,
): Kernel$<number> {
  k.assertHeld(mm.mmapLock);
  const walk: MmWalk<P> = { mm, vma: null, again: false, private: priv };
  let err = 0;
  for (let vpn = start; vpn < end; ) {
    const vma = mm.findVma(vpn);
    let next: number;
    if (!vma || vpn < vma.start) {
      walk.vma = null;
      next = vma ? Math.min(end, vma.start) : end;
      err = ops.pteHole ? ops.pteHole(k, vpn, next, walk) : 0;
    } else {
      walk.vma = vma;
      next = Math.min(end, vma.end);
      err = ops.testWalk ? yield* ops.testWalk(k, vpn, next, walk) : 0;
      if (err > 0) err = 0;
      else if (err === 0) err = yield* walkArea(k, vpn, next, ops, walk);
    }
    if (err) return err;
    vpn = next;
  }
  return 0;
}

/**
 * Walks a range of one area.
 *
 * Mirrors: mm/pagewalk.c walk_page_range_vma()
 * faithful
 */
export function walkPageRangeVma<P>(
  k: Kernel,
  vma: Vma,
  start: Vpn,
  end: Vpn,
  ops: MmWalkOps<P>,
  priv: P,
): Kernel$<number> {
  k.assertHeld(vma.mm.mmapLock);
  return walkArea(k, start, end, ops, { mm: vma.mm, vma, again: false, private: priv });
}
