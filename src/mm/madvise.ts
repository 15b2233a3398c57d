/**
 * Advice about memory.
 *
 * Models: mm/madvise.c
 */
import { EINVAL, ENOMEM } from '../machine/errno.ts';
import { PG_ACTIVE, PG_DIRTY, PG_LRU, PG_REFERENCED, PG_SWAPBACKED } from '../machine/page.ts';
import { PTE_ACCESSED, PTE_DIRTY, ptePresent, pteYoung } from '../machine/pte.ts';
import type { Kernel$ } from '../machine/step.ts';
import { vmNormalPage } from './fault.ts';
import {
  folioClear,
  folioDeactivate,
  folioGet,
  folioIsLarge,
  folioIsZoneDevice,
  folioMapcount,
  folioPages,
  folioPut,
  folioTest,
  folioTestAnon,
  lruAddDrain,
  pageFolio,
} from './folio.ts';
import { populateRange } from './gup.ts';
import { adviseHugePmd, madviseCollapse, splitFolio, vmaAdjustTransHuge } from './huge-memory.ts';
import type { Kernel } from './kernel.ts';
import { Holder } from './ledger.ts';
import type { Mm } from './mm.ts';
import {
  MmuNotify,
  mmuNotifierInvalidateRangeEnd,
  mmuNotifierInvalidateRangeStart,
  notifierRange,
} from './mmu-notifier.ts';
import { type MmWalk, type MmWalkOps, walkPageRangeVma } from './pagewalk.ts';
import { pmdTransHuge, pteOffsetMap, ptepGet, ptlOf, setPte } from './pgtable.ts';
import { folioMaybeMappedShared } from './rmap.ts';
import {
  VM_DONTCOPY,
  VM_HUGEPAGE,
  VM_NOHUGEPAGE,
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
}

/**
 * Whether a large folio is mapped whole, by consecutive entries from `ptep` within the range
 * (madvise_folio_pte_batch()).
 */
function mappedWhole(k: Kernel, folio: number, ptep: number, left: number): boolean {
  const pages = folioPages(k, folio);
  if (left < pages) return false;
  for (let i = 0; i < pages; i++) {
    const pte = ptepGet(k, ptep + i);
    if (!ptePresent(pte) || vmNormalPage(pte) !== folio + i) return false;
  }
  return true;
}

/**
 * What is done to one mapped folio; the table is locked.
 *
 * Mirrors: mm/madvise.c madvise_cold_or_pageout_pte_range(), madvise_free_pte_range()
 * simplified: without swap nothing of ours can be paged out
 */
function adviseFolio(
  k: Kernel,
  walk: AdviceWalk,
  folio: number,
  ptep: number,
  vpn: number,
  pages: number,
): void {
  if (walk.advice === 'free') {
    if (folioTest(k, folio, PG_DIRTY)) {
      if (folioMapcount(k, folio) !== folioPages(k, folio) || !k.folioTryLock(folio)) return;
      folioClear(k, folio, PG_DIRTY);
      k.folioUnlock(folio);
    }
  } else if (!folioTest(k, folio, PG_LRU) || folioMapcount(k, folio) !== folioPages(k, folio)) {
    return;
  }
  const bits = walk.advice === 'free' ? PTE_ACCESSED | PTE_DIRTY : PTE_ACCESSED;
  if (walk.advice !== 'pageout') {
    let changed = false;
    for (let i = 0; i < pages; i++) {
      const pte = ptepGet(k, ptep + i);
      if ((pte & bits) === 0) continue;
      setPte(k, ptep + i, pte & ~bits);
      changed = true;
    }
    if (changed) walk.tlb.track(vpn, pages);
  }
  folioClear(k, folio, PG_REFERENCED);
  if (walk.advice === 'free') {
    if (folioTestAnon(k, folio) && folioTest(k, folio, PG_SWAPBACKED)) {
      folioClear(k, folio, PG_SWAPBACKED | PG_ACTIVE);
    }
  } else if (walk.advice === 'cold') folioDeactivate(k, folio);
}

/** The PTE level of `cold`, `pageout` and `free`, see adviseFolio(). */
function* advicePmdEntry(
  k: Kernel,
  pmdp: number,
  start: number,
  end: number,
  walk: MmWalk<AdviceWalk>,
): Kernel$<number> {
  const vma = walk.vma as Vma;
  if (pmdTransHuge(ptepGet(k, pmdp))) {
    if (yield* adviseHugePmd(k, walk.private, vma, pmdp, start, end)) return 0;
  }
  let vpn = start;
  let tried = -1;
  while (vpn < end) {
    const first = pteOffsetMap(k, pmdp, vpn);
    if (first < 0) return 0;
    const ptl = ptlOf(k, first);
    if (k.stepping) yield k.acquire(ptl);
    k.lock(ptl);
    const from = vpn;
    let split = -1;
    while (vpn < end) {
      const ptep = first + (vpn - from);
      const pte = ptepGet(k, ptep);
      const page = ptePresent(pte) ? vmNormalPage(pte) : -1;
      const folio = page < 0 ? -1 : pageFolio(k, page);
      let pages = 1;
      if (folio >= 0 && !folioIsZoneDevice(k, folio)) {
        let skip = false;
        if (folioIsLarge(k, folio)) {
          if (mappedWhole(k, folio, ptep, end - vpn)) pages = folioPages(k, folio);
          else {
            skip = true;
            if (!folioMaybeMappedShared(k, folio) && tried !== vpn && k.folioTryLock(folio)) {
              split = folio;
              break;
            }
          }
        }
        if (!skip && (walk.private.advice !== 'pageout' || pteYoung(pte) || true)) {
          if (k.stepping) yield k.writeEntry(ptep);
          adviseFolio(k, walk.private, folio, ptep, vpn, pages);
        }
      }
      vpn += pages;
    }
    if (split >= 0) folioGet(k, split, Holder.Split);
    if (k.stepping) yield k.release(ptl);
    k.unlock(ptl);
    if (split >= 0) {
      tried = vpn;
      yield* splitFolio(k, split);
      if (k.stepping) yield k.writeFolio(split);
      k.folioUnlock(split);
      yield* folioPut(k, split, Holder.Split);
    }
  }
  return 0;
}

const ADVICE_OPS: MmWalkOps<AdviceWalk> = { pmdEntry: advicePmdEntry };

function* adviseRange(
  k: Kernel,
  vma: Vma,
  start: number,
  end: number,
  advice: AdviceWalk['advice'],
): Kernel$<number> {
  if (advice === 'free' && !vmaIsAnonymous(vma)) return -EINVAL;
  lruAddDrain(k);
  const tlb = new MmuGather(vma.mm);
  const range = notifierRange(MmuNotify.Clear, vma.mm, start, end);
  if (advice === 'free') yield* mmuNotifierInvalidateRangeStart(k, range);
  yield* walkPageRangeVma(k, vma, start, end, ADVICE_OPS, { tlb, advice });
  if (advice === 'free') yield* mmuNotifierInvalidateRangeEnd(k, range);
  yield* tlbFinishMmu(k, tlb);
  return 0;
}

/** Mirrors: mm/madvise.c madvise_update_vma(); faithful */
function* updateVma(
  k: Kernel,
  vma: Vma,
  start: number,
  end: number,
  flags: number,
): Kernel$<number> {
  if (vma.flags === flags) return 0;
  yield* vmaAdjustTransHuge(k, vma, start);
  yield* vmaAdjustTransHuge(k, vma, end);
  const part = vmaModifyFlags(k, vma, start, end, flags);
  part.flags = flags | (part.flags & VM_STICKY);
  return 0;
}

/** Mirrors: mm/madvise.c madvise_vma_behavior(); simplified: the advice that programs have */
function* adviseVma(
  k: Kernel,
  tlb: MmuGather,
  vma: Vma,
  start: number,
  end: number,
  advice: Advice,
): Kernel$<number> {
  switch (advice) {
    case 'dontneed':
      yield* zapVmaRangeBatched(k, tlb, vma, start, end, true);
      return 0;
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
      // nothing is swapped out
      lruAddDrain(k);
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
export function* madvise(
  k: Kernel,
  mm: Mm,
  start: number,
  end: number,
  advice: Advice,
): Kernel$<number> {
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
