/**
 * Advice about memory.
 *
 * Models: mm/madvise.c
 */
import { EINVAL, ENOMEM } from '../machine/errno.ts';
import { PG_ACTIVE, PG_DIRTY, PG_LRU, PG_REFERENCED, PG_WORKINGSET } from '../machine/page.ts';
import { PTE_ACCESSED, PTE_DIRTY, ptePresent } from '../machine/pte.ts';
import type { Kernel$ } from '../machine/step.ts';
import type { Folio, Ptep, Vpn } from '../machine/units.ts';
import { madviseCollapse } from './collapse.ts';
import { vmNormalPage } from './fault.ts';
import {
  folioClear,
  folioDeactivate,
  folioGet,
  folioIsLarge,
  folioIsolateLru,
  folioIsZoneDevice,
  folioMapcount,
  folioMarkLazyfree,
  folioPages,
  folioSet,
  folioTest,
  folioUnlockPut,
  lruAddDrain,
  pageFolio,
} from './folio.ts';
import { populateRange } from './gup.ts';
import { adviseHugePmd, splitFolio, vmaAdjustTransHuge } from './huge-memory.ts';
import { isHugeAligned, maySplit } from './hugetlb.ts';
import type { Kernel } from './kernel.ts';
import { Holder } from './look/ledger.ts';
import type { Mm } from './mm.ts';
import {
  MmuNotify,
  mmuNotifierInvalidateRangeEnd,
  mmuNotifierInvalidateRangeStart,
  notifierRange,
} from './mmu-notifier.ts';
import { type MmWalk, type MmWalkOps, walkPageRangeVma } from './pagewalk.ts';
import {
  breakAfter,
  hugeStart,
  pmdTransHuge,
  pteOffsetMap,
  ptepGet,
  ptlOf,
  setPte,
} from './pgtable.ts';
import { reclaimPages } from './reclaim.ts';
import { folioMaybeMappedShared } from './rmap.ts';
import {
  isVmHugetlbPage,
  VM_DONTCOPY,
  VM_HUGEPAGE,
  VM_NOHUGEPAGE,
  VM_SPECIAL,
  VM_STICKY,
  type Vma,
  vmaIsAnonymous,
} from './vma.ts';
import { vmaModifyFlags } from './vma-merge.ts';
import { MmuGather, tlbFinishMmu, zapVmaRangeBatched } from './zap.ts';

export type Advice =
  | 'dontneed'
  | 'free'
  | 'cold'
  | 'pageout'
  | 'hugepage'
  | 'nohugepage'
  | 'populate_read'
  | 'populate_write'
  | 'collapse'
  | 'dontfork'
  | 'willneed';

/** What the walk of `cold`, `pageout` and `free` is for. */
export interface AdviceWalk {
  tlb: MmuGather;
  advice: 'cold' | 'pageout' | 'free';
  /** For `pageout`: folios taken off the LRU lists, to be reclaimed. */
  isolated: Folio[];
  /** Entries since the table's lock could be let go last. */
  batch: number;
}

/** Entries after which it can be (SWAP_CLUSTER_MAX). */
const BATCH = 32;

/**
 * Whether a large folio is mapped whole, by consecutive entries from `ptep` within the range
 * (madvise_folio_pte_batch()).
 */
function mappedWhole(k: Kernel, folio: Folio, ptep: Ptep, left: number): boolean {
  const pages = folioPages(k, folio);
  if (left < pages) return false;
  for (let i = 0; i < pages; i++) {
    const pte = ptepGet(k, ptep + i);
    if (!ptePresent(pte) || vmNormalPage(pte) !== folio + i) return false;
  }
  return true;
}

/**
 * What is done to a folio once its entries are advised.
 *
 * Mirrors: mm/madvise.c madvise_cold_or_pageout_pte_range(), madvise_free_pte_range() (their ends)
 * faithful
 */
export function* adviseWholeFolio(k: Kernel, walk: AdviceWalk, folio: Folio): Kernel$<void> {
  if (walk.advice === 'free') {
    yield* folioMarkLazyfree(k, folio);
    return;
  }
  if (k.stepping) yield k.writeFolio(folio);
  folioClear(k, folio, PG_REFERENCED);
  if (folioTest(k, folio, PG_ACTIVE)) folioSet(k, folio, PG_WORKINGSET);
  if (walk.advice === 'cold') yield* folioDeactivate(k, folio);
  else if (folioIsolateLru(k, folio)) walk.isolated.push(folio);
}

/**
 * What is done to one folio that is mapped by small entries; the table is locked.
 *
 * Mirrors: mm/madvise.c madvise_cold_or_pageout_pte_range(), madvise_free_pte_range()
 * faithful
 */
function* adviseFolio(
  k: Kernel,
  walk: AdviceWalk,
  folio: Folio,
  ptep: Ptep,
  vpn: Vpn,
  pages: number,
): Kernel$<void> {
  if (walk.advice === 'free') {
    if (folioTest(k, folio, PG_DIRTY)) {
      if (k.stepping) yield k.tryAcquireFolio(folio);
      if (!k.folioTryLock(folio)) return;
      const ours = folioMapcount(k, folio) === folioPages(k, folio);
      if (ours) folioClear(k, folio, PG_DIRTY);
      if (k.stepping) yield k.releaseFolio(folio);
      k.folioUnlock(folio);
      if (!ours) return;
    }
  } else if (!folioTest(k, folio, PG_LRU) || folioMapcount(k, folio) !== folioPages(k, folio)) {
    return;
  }
  const bits = walk.advice === 'free' ? PTE_ACCESSED | PTE_DIRTY : PTE_ACCESSED;
  if (walk.advice !== 'pageout') {
    let changed = false;
    for (let i = 0; i < pages; i++) {
      if ((ptepGet(k, ptep + i) & bits) === 0) continue;
      if (k.stepping) yield k.writeEntry(ptep + i);
      // the hardware may have set a bit since it was read
      setPte(k, ptep + i, ptepGet(k, ptep + i) & ~bits);
      changed = true;
    }
    if (changed) walk.tlb.track(vpn, pages);
  }
  yield* adviseWholeFolio(k, walk, folio);
}

/**
 * The small entries of one table.
 * @returns when all are advised, where the table's lock was let go, or at a folio that is to be split: where, and
 *   that, locked and referenced (holder Split)
 */
function* advisePtes(
  k: Kernel,
  walk: AdviceWalk,
  pmdp: Ptep,
  start: Vpn,
  end: Vpn,
  tried: number,
): Kernel$<{ vpn: Vpn; split: number }> {
  const first = pteOffsetMap(k, pmdp, start);
  if (first < 0) return { vpn: end, split: -1 };
  const ptl = ptlOf(k, first);
  if (k.stepping) yield k.acquire(ptl);
  k.lock(ptl);
  let vpn = start;
  let split = -1;
  // the table may be gone: a collapse took it
  if (pteOffsetMap(k, pmdp, start) !== first) vpn = end;
  let mayLetGo = false;
  while (vpn < end) {
    const ptep = first + (vpn - start);
    const pte = ptepGet(k, ptep);
    if (walk.advice !== 'free' && ++walk.batch >= breakAfter(k, BATCH)) {
      walk.batch = 0;
      mayLetGo = vpn > start;
    }
    const page = ptePresent(pte) ? vmNormalPage(pte) : -1;
    const folio = page < 0 ? -1 : pageFolio(k, page);
    let pages = 1;
    if (folio >= 0 && !folioIsZoneDevice(k, folio)) {
      if (k.stepping) yield mayLetGo ? k.orLetGo(k.writeFolio(folio)) : k.writeFolio(folio);
      if (k.letsGo()) break;
      mayLetGo = false;
      const large = folioIsLarge(k, folio);
      if (large && mappedWhole(k, folio, ptep, end - vpn)) pages = folioPages(k, folio);
      if (!large || pages > 1) {
        if (k.stepping) yield k.writeEntry(ptep);
        yield* adviseFolio(k, walk, folio, ptep, vpn, pages);
      } else if (!folioMaybeMappedShared(k, folio) && tried !== vpn) {
        if (k.stepping) yield k.tryAcquireFolio(folio);
        if (k.folioTryLock(folio)) {
          folioGet(k, folio, Holder.Split);
          split = folio;
          break;
        }
      }
    }
    vpn += pages;
  }
  if (k.stepping) yield k.release(ptl);
  k.unlock(ptl);
  return { vpn, split };
}

/**
 * The PMD level of `cold`, `pageout` and `free`. A large folio that the range covers in part is
 * split; where that fails its entries are left alone.
 *
 * Mirrors: mm/madvise.c madvise_cold_or_pageout_pte_range(), madvise_free_pte_range()
 * faithful
 */
function* advicePmdEntry(
  k: Kernel,
  pmdp: Ptep,
  start: Vpn,
  end: Vpn,
  walk: MmWalk<AdviceWalk>,
): Kernel$<number> {
  const vma = k.present(walk.vma, 'the area under a walk');
  const { private: advice } = walk;
  let vpn = start;
  let tried = -1;
  if (pmdTransHuge(ptepGet(k, pmdp))) {
    if (yield* adviseHugePmd(k, advice, vma, pmdp, start, end)) vpn = end;
  }
  while (vpn < end) {
    const at = yield* advisePtes(k, advice, pmdp, vpn, end, tried);
    vpn = at.vpn;
    if (at.split < 0) continue;
    tried = vpn;
    yield* splitFolio(k, at.split);
    yield* folioUnlockPut(k, at.split, Holder.Split);
  }
  if (advice.isolated.length > 0) yield* reclaimPages(k, advice.isolated.splice(0));
  return 0;
}

const ADVICE_OPS: MmWalkOps<AdviceWalk> = { pmdEntry: advicePmdEntry };

function* adviseRange(
  k: Kernel,
  vma: Vma,
  start: Vpn,
  end: Vpn,
  advice: AdviceWalk['advice'],
): Kernel$<number> {
  if (isVmHugetlbPage(vma)) return -EINVAL;
  if (advice === 'free' && !vmaIsAnonymous(vma)) return -EINVAL;
  yield* lruAddDrain(k);
  const tlb = new MmuGather(vma.mm);
  const range = notifierRange(MmuNotify.Clear, vma.mm, start, end);
  if (advice === 'free') yield* mmuNotifierInvalidateRangeStart(k, range);
  yield* walkPageRangeVma(k, vma, start, end, ADVICE_OPS, { tlb, advice, isolated: [], batch: 0 });
  if (advice === 'free') yield* mmuNotifierInvalidateRangeEnd(k, range);
  yield* tlbFinishMmu(k, tlb);
  return 0;
}

/** Mirrors: mm/madvise.c madvise_update_vma(); faithful */
function* updateVma(k: Kernel, vma: Vma, start: Vpn, end: Vpn, flags: number): Kernel$<number> {
  if (vma.flags === flags) return 0;
  const err = maySplit(k, vma, start) || maySplit(k, vma, end);
  if (err) return err;
  yield* vmaAdjustTransHuge(k, vma, start);
  yield* vmaAdjustTransHuge(k, vma, end);
  const part = yield* vmaModifyFlags(k, vma, start, end, flags);
  part.flags = flags | (part.flags & VM_STICKY);
  return 0;
}

/**
 * Drops the pages of a range. Of huge pages of the pool it drops those that are whole in it.
 *
 * Mirrors: mm/madvise.c madvise_dontneed_free(), madvise_dontneed_free_valid_vma()
 * faithful
 * @returns 0, or -EINVAL when the range begins in the middle of a huge page of the pool
 */
function* dontneed(k: Kernel, tlb: MmuGather, vma: Vma, start: Vpn, end: Vpn): Kernel$<number> {
  let last = end;
  if (isVmHugetlbPage(vma)) {
    if (!isHugeAligned(k, start)) return -EINVAL;
    last = hugeStart(k, end);
  }
  if (start < last) yield* zapVmaRangeBatched(k, tlb, vma, start, last, true);
  return 0;
}

/** Mirrors: mm/madvise.c madvise_vma_behavior(); simplified: the advice that programs have */
function* adviseVma(
  k: Kernel,
  tlb: MmuGather,
  vma: Vma,
  start: Vpn,
  end: Vpn,
  advice: Advice,
): Kernel$<number> {
  switch (advice) {
    case 'dontneed':
      return yield* dontneed(k, tlb, vma, start, end);
    case 'cold':
    case 'pageout':
    case 'free':
      return yield* adviseRange(k, vma, start, end, advice);
    case 'hugepage':
      return yield* updateVma(k, vma, start, end, (vma.flags & ~VM_NOHUGEPAGE) | VM_HUGEPAGE);
    case 'nohugepage':
      return yield* updateVma(k, vma, start, end, (vma.flags & ~VM_HUGEPAGE) | VM_NOHUGEPAGE);
    case 'dontfork':
      return yield* updateVma(k, vma, start, end, vma.flags | VM_DONTCOPY);
    case 'collapse':
      return yield* madviseCollapse(k, vma, start, end);
    case 'willneed':
      // nothing is swapped out; other files have nothing to read
      if (!(vma.flags & VM_SPECIAL)) yield* lruAddDrain(k);
      return 0;
    default:
      return -EINVAL;
  }
}

const WRITE_LOCKED = new Set<Advice>(['hugepage', 'nohugepage', 'dontfork']);

/**
 * madvise(2)
 *
 * Mirrors: mm/madvise.c do_madvise(), madvise_walk_vmas()
 * simplified: per-area locks are not modelled
 * @returns 0; -ENOMEM when parts are not mapped (the others are advised); -EINVAL
 */
export function* madvise(k: Kernel, mm: Mm, start: Vpn, end: Vpn, advice: Advice): Kernel$<number> {
  const exclusive = WRITE_LOCKED.has(advice);
  if (k.stepping) yield k.acquire(mm.mmapLock, !exclusive);
  if (exclusive) k.lock(mm.mmapLock);
  else k.lockShared(mm.mmapLock);
  let err = 0;
  if (advice === 'populate_read' || advice === 'populate_write') {
    err = yield* populateRange(k, mm, start, end, advice === 'populate_write');
  } else {
    const tlb = new MmuGather(mm);
    let unmapped = 0;
    let vpn = start;
    while (vpn < end && !err) {
      const vma = mm.findVma(vpn);
      if (!vma) {
        err = -ENOMEM;
        break;
      }
      if (vpn < vma.start) {
        unmapped = -ENOMEM;
        vpn = vma.start;
        if (vpn >= end) break;
      }
      const next = Math.min(vma.end, end);
      err = yield* adviseVma(k, tlb, vma, vpn, next, advice);
      vpn = next;
    }
    if (!err) err = unmapped;
    yield* tlbFinishMmu(k, tlb);
  }
  if (k.stepping) yield k.release(mm.mmapLock);
  if (exclusive) k.unlock(mm.mmapLock);
  else k.unlockShared(mm.mmapLock);
  return err;
}
