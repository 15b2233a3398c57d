/**
 * Paging out, as far as it goes without swap space: pages that were given up (MADV_FREE) are
 * discarded, files in memory are unmapped, large folios are split for want of a place to write
 * them.
 *
 * Models: mm/vmscan.c, mm/rmap.c try_to_unmap()
 */
import { PG_ACTIVE, PG_DIRTY, PG_SWAPBACKED } from '../machine/page.ts';
import {
  mkPte,
  PTE_ACCESSED,
  PTE_DIRTY,
  PTE_FLAGS_MASK,
  PTE_SOFT_DIRTY,
  PTE_WRITE,
  pteDirty,
  ptePfn,
  ptePresent,
} from '../machine/pte.ts';
import { type Kernel$, ObjectKind, Role } from '../machine/step.ts';
import type { Folio, Pfn, Pte, Vpn } from '../machine/units.ts';
import {
  folioClear,
  folioFree,
  folioIndex,
  folioIsLarge,
  folioMapcount,
  folioPages,
  folioPutbackLru,
  folioPutTestzero,
  folioRefCount,
  folioSet,
  folioTest,
  folioTestAnon,
} from './folio.ts';
import { splitFolio, splitHugePmdLocked } from './huge-split.ts';
import type { Kernel } from './kernel.ts';
import { softleafToPfn } from './leafops.ts';
import { Holder } from './look/ledger.ts';
import { folioExpectedRefCount, folioMapping } from './migrate.ts';
import {
  MmuNotify,
  mmHasNotifiers,
  mmuNotifierInvalidateRangeEnd,
  mmuNotifierInvalidateRangeStart,
  notifierRange,
} from './mmu-notifier.ts';
import { MappedWalk, PVMW_SYNC, pageVmaMappedWalk } from './page-vma-mapped.ts';
import { pmdAddrEnd, ptepGet, ptepGetAndClear, setPte } from './pgtable.ts';
import { folioMaybeDmaPinned, folioRemoveRmapPte, rmapWalk } from './rmap.ts';
import { cacheStep } from './shmem.ts';
import type { Vma } from './vma.ts';

/**
 * How many entries from the one found are unmapped together.
 *
 * Mirrors: mm/rmap.c folio_unmap_pte_batch()
 * faithful
 */
function unmapBatch(k: Kernel, folio: Folio, pvmw: MappedWalk): number {
  if (!folioIsLarge(k, folio)) return 1;
  const first = ptepGet(k, pvmw.pte);
  const same = PTE_WRITE | PTE_SOFT_DIRTY;
  const end = pmdAddrEnd(k, pvmw.vpn, pvmw.vma.end);
  const most = Math.min(end - pvmw.vpn, folio + folioPages(k, folio) - ptePfn(first));
  let nr = 1;
  while (nr < most) {
    const pte = ptepGet(k, pvmw.pte + nr);
    if (!ptePresent(pte) || ptePfn(pte) !== ptePfn(first) + nr || (pte ^ first) & same) break;
    nr++;
  }
  return nr;
}

/**
 * Whether a folio that was given up may be discarded: not written since, and held by nobody else.
 *
 * Mirrors: mm/rmap.c ttu_anon_lazyfree_folio()
 * faithful
 */
function mayDiscard(k: Kernel, folio: Folio): boolean {
  if (folioTest(k, folio, PG_DIRTY)) {
    folioSet(k, folio, PG_SWAPBACKED);
    return false;
  }
  return folioRefCount(k, folio) === 1 + folioMapcount(k, folio);
}

/**
 * Mirrors: mm/rmap.c try_to_unmap_one()
 * simplified: no swap, so only files and anonymous folios that were given up are unmapped
 */
function* tryToUnmapOne(k: Kernel, folio: Folio, vma: Vma, vpn: Vpn): Kernel$<boolean> {
  const { mm } = vma;
  const sync = folioIsLarge(k, folio) ? PVMW_SYNC : 0;
  let pvmw = new MappedWalk(k, folio, vma, vpn, sync);
  let ret = true;
  const range = notifierRange(MmuNotify.Clear, mm, vpn, pvmw.end);
  const notify = mmHasNotifiers(mm);
  if (notify) yield* mmuNotifierInvalidateRangeStart(k, range);
  while (yield* pageVmaMappedWalk(k, pvmw)) {
    if (pvmw.pte < 0) {
      yield* splitHugePmdLocked(k, vma, pvmw.vpn, pvmw.pmd, false);
      if (k.stepping && pvmw.ptl) yield k.release(pvmw.ptl);
      pvmw.done(k);
      pvmw = new MappedWalk(k, folio, vma, vpn, sync);
      continue;
    }
    const ptep = pvmw.pte;
    const present = ptePresent(ptepGet(k, ptep));
    const nr = present ? unmapBatch(k, folio, pvmw) : 1;
    if (k.stepping) yield k.writeEntry(ptep);
    let pte = ptepGetAndClear(k, ptep);
    for (let i = 1; i < nr; i++) {
      if (k.stepping) yield k.writeEntry(ptep + i);
      pte |= ptepGetAndClear(k, ptep + i) & (PTE_ACCESSED | PTE_DIRTY);
    }
    if (present) {
      if (k.stepping) yield k.flushStep(mm.id).and(ObjectKind.Folio, folio, Role.Write);
      k.flushTlbRange(mm.id, pvmw.vpn, pvmw.vpn + nr);
      if (pteDirty(pte)) folioSet(k, folio, PG_DIRTY);
    }
    if (k.stepping) yield k.writeFolio(folio);
    if (!folioTestAnon(k, folio)) mm.filePages -= nr;
    else if (mayDiscard(k, folio)) mm.anonPages -= nr;
    else {
      const pfn = present ? ptePfn(pte) : 0;
      for (let i = 0; i < nr; i++) {
        if (k.stepping) yield k.writeEntry(ptep + i);
        setPte(k, ptep + i, present ? withPfn(pte, pfn + i) : pte);
      }
      ret = false;
      if (k.stepping && pvmw.ptl) yield k.release(pvmw.ptl);
      pvmw.done(k);
      break;
    }
    const page = present ? ptePfn(pte) : softleafToPfn(pte);
    for (let i = 0; i < nr; i++) folioRemoveRmapPte(k, folio, page + i, vma);
    if (folioPutTestzero(k, folio, Holder.Mapping, nr)) yield* folioFree(k, folio);
    if (folioMapcount(k, folio) === 0) {
      if (k.stepping && pvmw.ptl) yield k.release(pvmw.ptl);
      pvmw.done(k);
      break;
    }
  }
  if (notify) yield* mmuNotifierInvalidateRangeEnd(k, range);
  return ret;
}

function withPfn(pte: Pte, pfn: Pfn): Pte {
  return mkPte(pfn, pte & PTE_FLAGS_MASK);
}

function folioNotMapped(k: Kernel, folio: Folio): boolean {
  return folioMapcount(k, folio) === 0;
}

/**
 * What is tried with one isolated folio, whose references are looked at under its lock.
 *
 * Mirrors: mm/vmscan.c shrink_folio_list(), pageout(), __remove_mapping()
 * simplified: no swap space; files are in memory only
 * @param list new folios of a split are appended, isolated
 * @returns whether the folio is still there
 */
function* shrinkFolio(k: Kernel, folio: Folio, list: number[]): Kernel$<boolean> {
  if (k.stepping) yield k.tryAcquireFolio(folio);
  if (!k.folioTryLock(folio)) return true;
  let active = false;
  if (folioTestAnon(k, folio) && folioTest(k, folio, PG_SWAPBACKED)) {
    // there is nowhere to write it; a large one is split to try its pages, in vain
    active = !folioMaybeDmaPinned(k, folio);
    const alone = folioRefCount(k, folio) === folioExpectedRefCount(k, folio) + 1;
    if (active && alone && folioIsLarge(k, folio)) yield* splitFolio(k, folio, folio, list);
  } else {
    if (folioMapcount(k, folio) > 0) {
      yield* rmapWalk(k, folio, tryToUnmapOne, null, folioNotMapped);
    }
    const file = folioMapping(k, folio);
    if (k.stepping) yield cacheStep(k, file, folio);
    const mapped = folioMapcount(k, folio) > 0;
    const alone = folioRefCount(k, folio) === (file ? 2 : 1);
    // a dirty page of a file would be written if there were a place; one that is held is not tried
    active = mapped || (folioTest(k, folio, PG_DIRTY) && (alone || !file));
    if (alone && !active) {
      if (file) {
        file.folios.delete(folioIndex(k, folio));
        folioPutTestzero(k, folio, Holder.PageCache);
        k.pages.mapping[folio] = 0;
      }
      if (k.stepping) yield k.releaseFolio(folio);
      k.folioUnlock(folio);
      if (folioPutTestzero(k, folio, Holder.Isolated)) yield* folioFree(k, folio);
      return false;
    }
  }
  if (active) folioSet(k, folio, PG_ACTIVE);
  if (k.stepping) yield k.releaseFolio(folio);
  k.folioUnlock(folio);
  return true;
}

/**
 * Pages out folios that are isolated from the LRU lists; what stays is put back.
 *
 * Mirrors: mm/vmscan.c reclaim_pages(), reclaim_folio_list()
 * faithful
 */
export function* reclaimPages(k: Kernel, isolated: readonly number[]): Kernel$<void> {
  const list = [...isolated];
  const kept: Folio[] = [];
  for (const folio of list) {
    if (k.stepping) yield k.writeFolio(folio);
    folioClear(k, folio, PG_ACTIVE);
  }
  for (let i = 0; i < list.length; i++) {
    if (yield* shrinkFolio(k, list[i], list)) kept.push(list[i]);
  }
  for (const folio of kept) yield* folioPutbackLru(k, folio);
}
