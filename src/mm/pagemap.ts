/**
 * What a process can see of its page tables: /proc/self/pagemap, PAGEMAP_SCAN, clear_refs.
 *
 * Models: fs/proc/task_mmu.c
 */
import {
  PTE_SOFT_DIRTY,
  PTE_WRITE,
  ptePfn,
  ptePresent,
  pteSoftDirty,
  pteWrite,
} from '../machine/pte.ts';
import type { Kernel$ } from '../machine/step.ts';
import type { Pfn, Pte, Vpn } from '../machine/units.ts';
import { vmNormalPage } from './fault.ts';
import {
  folioEntireMapcount,
  folioOrder,
  folioTestAnon,
  pageFolio,
  pageMapcount,
} from './folio.ts';
import { clearSoftDirtyPmd, pmdTransHugeLock } from './huge-memory.ts';
import type { Kernel } from './kernel.ts';
import { SWP_SOFT_DIRTY, softleafToPfn } from './leafops.ts';
import type { Mm } from './mm.ts';
import {
  MmuNotify,
  mmuNotifierInvalidateRangeEnd,
  mmuNotifierInvalidateRangeStart,
  notifierRange,
} from './mmu-notifier.ts';
import { type MmWalk, type MmWalkOps, walkPageRange } from './pagewalk.ts';
import { pteOffsetMap, ptepGet, ptepGetAndClear, ptlOf, setPte } from './pgtable.ts';
import { folioMaybeDmaPinned, folioMaybeMappedShared } from './rmap.ts';
import { VM_SOFTDIRTY, type Vma, vmaIsCowMapping, vmaSetPageProt } from './vma.ts';

/** Bits of a page in `pagemap`, numbered as programs see them. */
export const PM_PRESENT = 1;
export const PM_SWAP = 2;
export const PM_FILE = 4;
export const PM_SOFT_DIRTY = 8;
export const PM_MMAP_EXCLUSIVE = 16;

/** Bits of a page in `scan`. */
export const PAGE_IS_PRESENT = 1;
export const PAGE_IS_SWAPPED = 2;
export const PAGE_IS_PFNZERO = 4;
export const PAGE_IS_HUGE = 8;

interface Observation {
  readonly start: Vpn;
  readonly bits: number[];
}

function isZeroOrHugeZero(k: Kernel, pfn: Pfn): boolean {
  return k.isZero(pfn) || k.isHugeZero(pfn);
}

/** Mirrors: fs/proc/task_mmu.c pte_to_pagemap_entry(); simplified: no frame numbers */
function pagemapBits(k: Kernel, vma: Vma, pte: Pte, huge: boolean): number {
  let bits = vma.flags & VM_SOFTDIRTY ? PM_SOFT_DIRTY : 0;
  if (pte === 0) return bits;
  let page: Pfn;
  if (ptePresent(pte)) {
    bits |= PM_PRESENT;
    page = huge && k.isHugeZero(ptePfn(pte)) ? -1 : vmNormalPage(pte);
    if (pteSoftDirty(pte)) bits |= PM_SOFT_DIRTY;
  } else {
    bits |= PM_SWAP;
    page = softleafToPfn(pte);
    if (pte & SWP_SOFT_DIRTY) bits |= PM_SOFT_DIRTY;
  }
  if (page < 0) return bits;
  const folio = pageFolio(k, page);
  if (!folioTestAnon(k, folio)) bits |= PM_FILE;
  if (bits & PM_PRESENT) {
    const order = folioOrder(k, folio);
    const count = pageMapcount(k, page) + (order > 0 ? folioEntireMapcount(k, folio) : 0);
    if (count === 1) bits |= PM_MMAP_EXCLUSIVE;
  }
  return bits;
}

function scanBits(k: Kernel, pte: Pte, huge: boolean): number {
  if (pte === 0) return 0;
  if (!ptePresent(pte)) return PAGE_IS_SWAPPED | (huge ? PAGE_IS_HUGE : 0);
  const zero = isZeroOrHugeZero(k, ptePfn(pte));
  return PAGE_IS_PRESENT | (zero ? PAGE_IS_PFNZERO : 0) | (huge ? PAGE_IS_HUGE : 0);
}

/** Mirrors: fs/proc/task_mmu.c pagemap_hugetlb_range(); simplified: no frame numbers */
function hugetlbPagemapBits(k: Kernel, vma: Vma, pte: Pte): number {
  let bits = vma.flags & VM_SOFTDIRTY ? PM_SOFT_DIRTY : 0;
  if (!ptePresent(pte)) return bits;
  bits |= PM_PRESENT;
  const folio = pageFolio(k, ptePfn(pte));
  if (!folioTestAnon(k, folio)) bits |= PM_FILE;
  if (!folioMaybeMappedShared(k, folio)) bits |= PM_MMAP_EXCLUSIVE;
  return bits;
}

function observer(
  bitsOf: (k: Kernel, vma: Vma, pte: Pte, huge: boolean) => number,
  hugetlbBits: (k: Kernel, vma: Vma, pte: Pte) => number,
  holeBits: (k: Kernel, vma: Vma | null) => number,
): MmWalkOps<Observation> {
  return {
    *hugetlbEntry(k, pmdp, start, end, walk: MmWalk<Observation>): Kernel$<number> {
      const vma = k.present(walk.vma, 'the area under a walk');
      const { bits, start: base } = walk.private;
      const ptl = ptlOf(k, pmdp);
      if (k.stepping) yield k.acquire(ptl);
      k.lock(ptl);
      const pte = ptepGet(k, pmdp);
      if (k.stepping && ptePresent(pte)) yield k.readFolio(pageFolio(k, ptePfn(pte)));
      bits.fill(hugetlbBits(k, vma, pte), start - base, end - base);
      if (k.stepping) yield k.release(ptl);
      k.unlock(ptl);
      return 0;
    },
    *pmdEntry(k, pmdp, start, end, walk: MmWalk<Observation>): Kernel$<number> {
      const vma = k.present(walk.vma, 'the area under a walk');
      const { bits, start: base } = walk.private;
      const hugeLock = yield* pmdTransHugeLock(k, pmdp);
      const first = hugeLock ? pmdp : pteOffsetMap(k, pmdp, start);
      const ptl = hugeLock ?? (first < 0 ? null : ptlOf(k, first));
      if (!hugeLock && ptl) {
        if (k.stepping) yield k.acquire(ptl);
        k.lock(ptl);
      }
      // the entry changed under us: look at it again
      walk.again = !ptl || (!hugeLock && pteOffsetMap(k, pmdp, start) !== first);
      for (let vpn = start; vpn < end && !walk.again; vpn++) {
        const pte = ptepGet(k, hugeLock ? pmdp : first + (vpn - start));
        if (k.stepping && ptePresent(pte)) yield k.readFolio(pageFolio(k, ptePfn(pte)));
        bits[vpn - base] = bitsOf(k, vma, pte, hugeLock !== null);
      }
      if (!ptl) return 0;
      if (k.stepping) yield k.release(ptl);
      k.unlock(ptl);
      return 0;
    },
    pteHole(k, start, end, walk: MmWalk<Observation>): number {
      for (let vpn = start; vpn < end; vpn++) {
        walk.private.bits[vpn - walk.private.start] = holeBits(k, walk.vma);
      }
      return 0;
    },
  };
}

const PAGEMAP_OPS = observer(pagemapBits, hugetlbPagemapBits, (_k, vma) =>
  vma && vma.flags & VM_SOFTDIRTY ? PM_SOFT_DIRTY : 0,
);
const SCAN_OPS = observer(
  (k, _vma, pte, huge) => scanBits(k, pte, huge),
  // takes the entry's lock, which 7.3.4 does not need
  (k, _vma, pte) => scanBits(k, pte, true),
  () => 0,
);

function* observe(
  k: Kernel,
  mm: Mm,
  start: Vpn,
  end: Vpn,
  ops: MmWalkOps<Observation>,
): Kernel$<number[]> {
  const bits: number[] = new Array(end - start).fill(0);
  if (k.stepping) yield k.acquire(mm.mmapLock, true);
  k.lockShared(mm.mmapLock);
  yield* walkPageRange(k, mm, start, end, ops, { start, bits });
  if (k.stepping) yield k.release(mm.mmapLock);
  k.unlockShared(mm.mmapLock);
  return bits;
}

/**
 * Reads /proc/self/pagemap.
 *
 * Mirrors: fs/proc/task_mmu.c pagemap_read()
 * faithful
 * @returns PM_* bits a page
 */
export function readPagemap(k: Kernel, mm: Mm, start: Vpn, end: Vpn): Kernel$<number[]> {
  return observe(k, mm, start, end, PAGEMAP_OPS);
}

/**
 * Scans a range, as PAGEMAP_SCAN for present and swapped pages does.
 *
 * Mirrors: fs/proc/task_mmu.c do_pagemap_scan()
 * faithful
 * @returns PAGE_IS_* bits a page
 */
export function pagemapScan(k: Kernel, mm: Mm, start: Vpn, end: Vpn): Kernel$<number[]> {
  return observe(k, mm, start, end, SCAN_OPS);
}

/**
 * The entry without its soft-dirty bit; a present one becomes read-only, so that the next write is
 * seen.
 */
export function clearedSoftDirty(pte: Pte): Pte {
  return ptePresent(pte) ? pte & ~(PTE_WRITE | PTE_SOFT_DIRTY) : pte & ~SWP_SOFT_DIRTY;
}

/**
 * Whether a page may be pinned: its writes come past the entry, which stays as it is.
 *
 * Mirrors: fs/proc/task_mmu.c pte_is_pinned()
 * simplified: asks without MMF_HAS_PINNED
 */
function pteIsPinned(k: Kernel, vma: Vma, pte: Pte): boolean {
  if (!ptePresent(pte) || !pteWrite(pte) || !vmaIsCowMapping(vma)) return false;
  const page = vmNormalPage(pte);
  return page >= 0 && folioMaybeDmaPinned(k, pageFolio(k, page));
}

const CLEAR_OPS: MmWalkOps<null> = {
  /** Mirrors: fs/proc/task_mmu.c clear_refs_pte_range(), clear_soft_dirty(); faithful */
  *pmdEntry(k, pmdp, start, end, walk): Kernel$<number> {
    const area = k.present(walk.vma, 'the area under a walk');
    if (yield* clearSoftDirtyPmd(k, area, pmdp, start)) return 0;
    const first = pteOffsetMap(k, pmdp, start);
    if (first < 0) {
      walk.again = true;
      return 0;
    }
    const ptl = ptlOf(k, first);
    if (k.stepping) yield k.acquire(ptl);
    k.lock(ptl);
    walk.again = pteOffsetMap(k, pmdp, start) !== first;
    for (let ptep = first; !walk.again && ptep < first + (end - start); ptep++) {
      const now = ptepGet(k, ptep);
      if (now === 0) continue;
      if (k.stepping && ptePresent(now)) yield k.readFolio(pageFolio(k, ptePfn(now)));
      if (pteIsPinned(k, area, now)) continue;
      if (k.stepping) yield k.writeEntry(ptep);
      const pte = ptepGetAndClear(k, ptep);
      if (k.stepping) yield k.writeEntry(ptep);
      setPte(k, ptep, clearedSoftDirty(pte));
    }
    if (k.stepping) yield k.release(ptl);
    k.unlock(ptl);
    return 0;
  },
};

/**
 * Forgets what was written so far: writes 4 to /proc/self/clear_refs.
 *
 * Mirrors: fs/proc/task_mmu.c clear_refs_write()
 * faithful
 */
export function* clearSoftDirty(k: Kernel, mm: Mm): Kernel$<void> {
  if (k.stepping) yield k.acquire(mm.mmapLock);
  k.lock(mm.mmapLock);
  for (const vma of mm.vmas) {
    if (!(vma.flags & VM_SOFTDIRTY)) continue;
    vma.flags &= ~VM_SOFTDIRTY;
    vmaSetPageProt(vma);
  }
  const all = k.geometry.addressPages;
  const range = notifierRange(MmuNotify.SoftDirty, mm, 0, all);
  yield* mmuNotifierInvalidateRangeStart(k, range);
  yield* walkPageRange(k, mm, 0, all, CLEAR_OPS, null);
  yield* mmuNotifierInvalidateRangeEnd(k, range);
  if (k.stepping) yield k.flushStep(mm.id);
  k.flushTlbSpace(mm.id);
  if (k.stepping) yield k.release(mm.mmapLock);
  k.unlock(mm.mmapLock);
}
