/**
 * Collapsing small pages into a huge one, when a program asks for it (MADV_COLLAPSE).
 *
 * Models: mm/khugepaged.c
 */
import { EAGAIN, EBUSY, EINVAL, ENOMEM } from '../machine/errno.ts';
import type { Lock } from '../machine/lock.ts';
import { PG_LRU, PG_UPTODATE } from '../machine/page.ts';
import {
  PTE_ACCESSED,
  PTE_DIRTY,
  PTE_SOFT_DIRTY,
  PTE_WRITE,
  ptePfn,
  ptePresent,
  pteTable,
} from '../machine/pte.ts';
import type { Kernel$ } from '../machine/step.ts';
import type { Folio, Pte, Ptep, Vpn } from '../machine/units.ts';
import { anonVmaStep } from './anon-vma.ts';
import { doSwapPage, VM_FAULT_ERROR, type VmFault, vmNormalPage } from './fault.ts';
import {
  clearPage,
  copyPage,
  folioAlloc,
  folioFree,
  folioIsLarge,
  folioIsolateLru,
  folioIsZoneDevice,
  folioPutbackLru,
  folioPutFresh,
  folioPutTestzero,
  folioRefCount,
  folioSet,
  folioTest,
  folioTestAnon,
  lruAddDrain,
  lruAddDrainAll,
  pageFolio,
} from './folio.ts';
import { mapAnonFolioPmd, thpVmaSuitableOrder } from './huge-memory.ts';
import type { Kernel } from './kernel.ts';
import { isMigration } from './leafops.ts';
import { Holder } from './look/ledger.ts';
import { folioExpectedRefCount } from './migrate.ts';
import type { Mm } from './mm.ts';
import {
  MmuNotify,
  mmuNotifierInvalidateRangeEnd,
  mmuNotifierInvalidateRangeStart,
  notifierRange,
} from './mmu-notifier.ts';
import {
  hugeStart,
  lackStep,
  lacksTable,
  pgtableDeposit,
  pmdIsTable,
  pmdPopulate,
  pmdPresent,
  pmdpOf,
  pmdTransHuge,
  pteOffsetMap,
  ptepGet,
  ptepGetAndClear,
  ptlOf,
} from './pgtable.ts';
import { folioPteBatch, folioRemoveRmapPte } from './rmap.ts';
import { userfaultfdMissing, VM_NOHUGEPAGE, type Vma, vmaIsAnonymous } from './vma.ts';

/** How a collapse of one huge page ended (enum scan_result). */
const Scan = {
  Fail: 'fail',
  Succeed: 'succeed',
  NoPteTable: 'no table',
  PmdMapped: 'mapped huge already',
  ExceedNonePte: 'a page is missing that a monitor gives',
  NonPresent: 'an entry is not present',
  PageNull: 'a page cannot be collapsed',
  PageCount: 'a page is held by somebody else',
  PageLock: 'a page is locked',
  PageLru: 'a page is on no LRU list',
  DelPageLru: 'a page could not be isolated',
  PageAnon: 'not anonymous',
  VmaNull: 'no area',
  AddressRange: 'the area does not hold the whole huge page',
  VmaCheck: 'the area may not have huge pages',
  AllocFail: 'no huge page to be had',
} as const;
type Scan = (typeof Scan)[keyof typeof Scan];

/** In what entries of one folio may differ that are cleared together (folio_pte_batch()). */
const BATCH_IGNORES = PTE_ACCESSED | PTE_DIRTY | PTE_SOFT_DIRTY | PTE_WRITE;

/** After these a collapse goes on with the next huge page. */
const GO_ON = new Set<Scan>([
  Scan.NoPteTable,
  Scan.NonPresent,
  Scan.PageNull,
  Scan.PageCount,
  Scan.PageLock,
  Scan.PageLru,
  Scan.DelPageLru,
]);

/** Mirrors: mm/khugepaged.c madvise_collapse_errno(); faithful */
function collapseErrno(result: Scan): number {
  switch (result) {
    case Scan.AllocFail:
      return -ENOMEM;
    case Scan.ExceedNonePte:
      return -EBUSY;
    case Scan.PageCount:
    case Scan.PageLock:
    case Scan.PageLru:
    case Scan.DelPageLru:
      return -EAGAIN;
    default:
      return -EINVAL;
  }
}

/**
 * Whether huge pages may be made in the area when a program insists.
 *
 * Mirrors: mm/khugepaged.c collapse_possible(), for TVA_FORCED_COLLAPSE
 * simplified: files have no huge pages
 */
function collapsePossible(k: Kernel, vma: Vma): boolean {
  if (!vmaIsAnonymous(vma) || vma.flags & VM_NOHUGEPAGE) return false;
  return thpVmaSuitableOrder(k, vma, vma.end - k.geometry.ptrsPerPte) && vma.anonVma !== null;
}

/**
 * Looks at the area again after mmap_lock was dropped.
 *
 * Mirrors: mm/khugepaged.c hugepage_vma_revalidate()
 * faithful
 */
function revalidate(k: Kernel, mm: Mm, haddr: Vpn): { result: Scan; vma: Vma | null } {
  const vma = mm.findVma(haddr);
  if (!vma) return { result: Scan.VmaNull, vma: null };
  if (!thpVmaSuitableOrder(k, vma, haddr)) return { result: Scan.AddressRange, vma };
  return { result: collapsePossible(k, vma) ? Scan.Succeed : Scan.VmaCheck, vma };
}

/** Mirrors: mm/khugepaged.c find_pmd_or_thp_or_none(), check_pmd_state(); faithful */
function checkPmd(k: Kernel, pmdp: Ptep): Scan {
  const pmd = pmdp < 0 ? 0 : ptepGet(k, pmdp);
  if (pmd === 0) return Scan.NoPteTable;
  // a migration ends with a huge page again
  if (!pmdPresent(pmd)) return isMigration(pmd) ? Scan.PmdMapped : Scan.NoPteTable;
  return pmdTransHuge(pmd) ? Scan.PmdMapped : Scan.Succeed;
}

/**
 * Whether an entry that maps nothing, or the zero page, may become part of a huge page: not where a
 * monitor is to give what is missing.
 *
 * Mirrors: mm/khugepaged.c collapse_max_ptes_none()
 * simplified: MADV_COLLAPSE, which has no other limit
 */
function mayFillNone(vma: Vma): boolean {
  return !userfaultfdMissing(vma);
}

function noneOrZero(k: Kernel, pte: Pte): boolean {
  return pte === 0 || (ptePresent(pte) && k.isZero(ptePfn(pte)));
}

/**
 * Whether a page may be collapsed, at a first look.
 *
 * Mirrors: mm/khugepaged.c collapse_scan_pmd()
 * simplified: MADV_COLLAPSE, which has no limits
 */
function* scanPte(k: Kernel, pte: Pte): Kernel$<Scan> {
  const page = vmNormalPage(pte);
  if (page < 0) return Scan.PageNull;
  const folio = pageFolio(k, page);
  if (k.stepping) yield k.readFolio(folio);
  if (folioIsZoneDevice(k, folio)) return Scan.PageNull;
  if (!folioTestAnon(k, folio)) return Scan.PageAnon;
  if (!folioTest(k, folio, PG_LRU)) return Scan.PageLru;
  if (k.folioLocked(folio)) return Scan.PageLock;
  if (folioExpectedRefCount(k, folio) !== folioRefCount(k, folio)) return Scan.PageCount;
  return Scan.Succeed;
}

/**
 * Faults in what is not present: what lies on a device comes back.
 *
 * Mirrors: mm/khugepaged.c __collapse_huge_page_swapin()
 * simplified: never drops mmap_lock
 */
function* swapIn(k: Kernel, vma: Vma, pmdp: Ptep, haddr: Vpn): Kernel$<Scan> {
  let count = 0;
  for (let vpn = haddr; vpn < haddr + k.geometry.ptrsPerPte; vpn++) {
    const ptep = pteOffsetMap(k, pmdp, vpn);
    if (ptep < 0) return Scan.NoPteTable;
    if (k.stepping) yield k.readEntry(ptep);
    const pte = ptepGet(k, ptep);
    if (pte === 0 || ptePresent(pte)) continue;
    const vmf: VmFault = {
      vma,
      vpn,
      flags: 0,
      pmd: pmdp,
      origPmd: 0,
      pte: ptep,
      origPte: pte,
      ptl: null,
      page: -1,
    };
    if ((yield* doSwapPage(k, vmf)) & VM_FAULT_ERROR) return Scan.Fail;
    count++;
  }
  if (count > 0) yield* lruAddDrain(k);
  return Scan.Succeed;
}

/** A page is not collapsed after all (release_pte_folio()). */
function* releasePteFolio(k: Kernel, folio: Folio): Kernel$<void> {
  if (k.stepping) yield k.releaseFolio(folio);
  k.folioUnlock(folio);
  yield* folioPutbackLru(k, folio);
}

/**
 * Locks and isolates every folio that the table's entries map; the table is out of the page table
 * and locked.
 *
 * Mirrors: mm/khugepaged.c __collapse_huge_page_isolate()
 * simplified: MADV_COLLAPSE, which has no limits
 * @param folios gets the folios; empty after a failure
 */
function* isolate(k: Kernel, vma: Vma, first: Ptep, folios: Folio[]): Kernel$<Scan> {
  const seen = new Set<number>();
  let result: Scan = Scan.Succeed;
  for (let ptep = first; ptep < first + k.geometry.ptrsPerPte; ptep++) {
    const pte = ptepGet(k, ptep);
    if (noneOrZero(k, pte)) {
      if (mayFillNone(vma)) continue;
      result = Scan.ExceedNonePte;
      break;
    }
    if (!ptePresent(pte)) {
      result = Scan.NonPresent;
      break;
    }
    const page = vmNormalPage(pte);
    if (page < 0 || folioIsZoneDevice(k, pageFolio(k, page))) {
      result = Scan.PageNull;
      break;
    }
    const folio = pageFolio(k, page);
    if (seen.has(folio)) continue;
    if (k.stepping) yield k.tryAcquireFolio(folio);
    if (!k.folioTryLock(folio)) {
      result = Scan.PageLock;
      break;
    }
    const alone = folioExpectedRefCount(k, folio) === folioRefCount(k, folio);
    if (!alone || !folioIsolateLru(k, folio)) {
      if (k.stepping) yield k.releaseFolio(folio);
      k.folioUnlock(folio);
      result = alone ? Scan.DelPageLru : Scan.PageCount;
      break;
    }
    seen.add(folio);
    folios.push(folio);
  }
  if (result !== Scan.Succeed) {
    for (const folio of folios.splice(0)) yield* releasePteFolio(k, folio);
  }
  return result;
}

/**
 * Clears entries of the table that is out of the page table, under its lock all the same.
 *
 * Mirrors: mm/khugepaged.c __collapse_huge_page_copy_succeeded()
 * faithful
 * @param page what the first of them maps; -1: the zero page
 */
function* clearCopied(k: Kernel, vma: Vma, ptep: Ptep, nr: number, page: number): Kernel$<void> {
  const ptl = ptlOf(k, ptep);
  if (k.stepping) yield k.acquire(ptl);
  k.lock(ptl);
  for (let i = 0; i < nr; i++) {
    if (k.stepping) yield k.writeEntry(ptep + i);
    ptepGetAndClear(k, ptep + i);
  }
  if (page >= 0) {
    const folio = pageFolio(k, page);
    if (k.stepping) yield k.writeFolio(folio);
    for (let i = 0; i < nr; i++) folioRemoveRmapPte(k, folio, page + i, vma);
  }
  if (k.stepping) yield k.release(ptl);
  k.unlock(ptl);
}

/**
 * Copies the pages into the new folio and takes them out of the table.
 *
 * Mirrors: mm/khugepaged.c __collapse_huge_page_copy(), __collapse_huge_page_copy_succeeded()
 * simplified: memory does not fail
 */
function* copyPages(
  k: Kernel,
  vma: Vma,
  first: Ptep,
  to: Folio,
  folios: readonly Folio[],
): Kernel$<void> {
  const { ptrsPerPte } = k.geometry;
  for (let i = 0; i < ptrsPerPte; i++) {
    const pte = ptepGet(k, first + i);
    if (noneOrZero(k, pte)) clearPage(k, to + i);
    else {
      if (k.stepping) yield k.copyStep(to + i, ptePfn(pte));
      if (k.monitor !== null) k.monitor.onMove(ptePfn(pte));
      copyPage(k, to + i, ptePfn(pte));
    }
  }
  let nr = 1;
  for (let ptep = first; ptep < first + ptrsPerPte; ptep += nr) {
    const pte = ptepGet(k, ptep);
    nr = 1;
    if (noneOrZero(k, pte)) {
      vma.mm.anonPages++;
      if (pte !== 0) yield* clearCopied(k, vma, ptep, 1, -1);
      continue;
    }
    const page = ptePfn(pte);
    const folio = pageFolio(k, page);
    const most = first + ptrsPerPte - ptep;
    if (folioIsLarge(k, folio)) nr = folioPteBatch(k, folio, ptep, pte, most, BATCH_IGNORES);
    else yield* releasePteFolio(k, folio);
    yield* clearCopied(k, vma, ptep, nr, page);
    if (k.stepping) yield k.writeFolio(folio);
    if (folioPutTestzero(k, folio, Holder.Mapping, nr)) yield* folioFree(k, folio);
  }
  for (const folio of folios) {
    if (folioIsLarge(k, folio)) yield* releasePteFolio(k, folio);
  }
}

/** Takes the table out of the page table, and flushes (pmdp_collapse_flush()). */
function* takeTable(k: Kernel, vma: Vma, pmdp: Ptep, haddr: Vpn): Kernel$<number> {
  const end = haddr + k.geometry.ptrsPerPte;
  const range = notifierRange(MmuNotify.Clear, vma.mm, haddr, end);
  yield* mmuNotifierInvalidateRangeStart(k, range);
  const ptl = ptlOf(k, pmdp);
  if (k.stepping) yield k.acquire(ptl);
  k.lock(ptl);
  if (k.stepping) yield k.writeEntry(pmdp);
  const pmd = ptepGetAndClear(k, pmdp);
  if (k.stepping) yield k.flushStep(vma.mm.id);
  k.flushTlbRange(vma.mm.id, haddr, end);
  if (k.stepping) yield k.release(ptl);
  k.unlock(ptl);
  yield* mmuNotifierInvalidateRangeEnd(k, range);
  return pmd;
}

/** Under the write lock: replaces the table's pages by `folio`. */
function* replaceTable(k: Kernel, vma: Vma, pmdp: Ptep, haddr: Vpn, folio: Folio): Kernel$<Scan> {
  const anonVma = k.present(vma.anonVma, 'the anon_vma of an area');
  const { lock } = anonVma;
  if (k.stepping) yield k.acquire(lock);
  k.lock(lock);
  const pmd = yield* takeTable(k, vma, pmdp, haddr);
  const table = pteTable(pmd);
  const first = table << k.tables.strideShift;
  const pteLock = k.tables.locks[table];
  const folios: Folio[] = [];
  let result: Scan = Scan.NoPteTable;
  if (pmdIsTable(pmd)) {
    if (k.stepping) yield k.acquire(pteLock);
    k.lock(pteLock);
    result = yield* isolate(k, vma, first, folios);
    if (k.stepping) yield k.release(pteLock);
    k.unlock(pteLock);
  }
  // all pages are locked by now: no walk of the reverse map can get at the table
  if (result === Scan.Succeed) {
    if (k.stepping) yield k.release(lock);
    k.unlock(lock);
    yield* copyPages(k, vma, first, folio, folios);
    folioSet(k, folio, PG_UPTODATE);
  }
  const ptl: Lock = ptlOf(k, pmdp);
  if (k.stepping) yield k.acquire(ptl);
  k.lock(ptl);
  k.warn(ptepGet(k, pmdp) !== 0, 'a table appeared where one is being collapsed');
  if (result === Scan.Succeed) {
    pgtableDeposit(k, pmdp, table);
    yield* mapAnonFolioPmd(k, folio, pmdp, vma, haddr);
  } else if (pmdIsTable(pmd)) {
    if (k.stepping) yield k.writeEntry(pmdp);
    pmdPopulate(k, pmdp, table);
  }
  if (k.stepping) yield k.release(ptl);
  k.unlock(ptl);
  if (result !== Scan.Succeed) {
    if (k.stepping) yield k.release(lock);
    k.unlock(lock);
  }
  return result;
}

/**
 * Enters and leaves without mmap_lock.
 *
 * Mirrors: mm/khugepaged.c collapse_huge_page()
 * simplified: of the order of a huge page
 * @param unmapped entries that are not present
 */
function* collapseHugePage(k: Kernel, mm: Mm, haddr: Vpn, unmapped: number): Kernel$<Scan> {
  if (k.stepping) yield k.allocateStep(k.geometry.pmdOrder);
  const folio = folioAlloc(k, k.geometry.pmdOrder);
  if (folio < 0) return Scan.AllocFail;
  if (k.stepping) yield k.acquire(mm.mmapLock, true);
  k.lockShared(mm.mmapLock);
  if (k.stepping) yield anonVmaStep(k, mm);
  let { result, vma } = revalidate(k, mm, haddr);
  if (k.stepping && lacksTable(k, mm, haddr)) yield lackStep(k, mm, haddr);
  const pmdp = pmdpOf(k, mm, haddr);
  if (k.stepping && pmdp >= 0) yield k.readEntry(pmdp);
  if (result === Scan.Succeed) result = checkPmd(k, pmdp);
  if (result === Scan.Succeed && unmapped > 0) {
    result = yield* swapIn(k, k.present(vma, 'the area of an address'), pmdp, haddr);
  }
  if (k.stepping) yield k.release(mm.mmapLock);
  k.unlockShared(mm.mmapLock);
  if (result === Scan.Succeed) {
    if (k.stepping) yield k.acquire(mm.mmapLock);
    k.lock(mm.mmapLock);
    ({ result, vma } = revalidate(k, mm, haddr));
    if (k.stepping && pmdp >= 0) yield k.readEntry(pmdp);
    if (result === Scan.Succeed) result = checkPmd(k, pmdpOf(k, mm, haddr));
    if (result === Scan.Succeed && pmdpOf(k, mm, haddr) !== pmdp) result = Scan.Fail;
    if (result === Scan.Succeed) {
      result = yield* replaceTable(k, k.present(vma, 'the area of an address'), pmdp, haddr, folio);
    }
    if (k.stepping) yield k.release(mm.mmapLock);
    k.unlock(mm.mmapLock);
  }
  if (result !== Scan.Succeed) yield* folioPutFresh(k, folio);
  return result;
}

/**
 * One huge page; mmap_lock is held for reading, and dropped when it comes to a collapse.
 *
 * Mirrors: mm/khugepaged.c collapse_scan_pmd()
 * simplified: MADV_COLLAPSE, which has no limits
 * @returns the result, and whether mmap_lock was dropped
 */
function* collapseScanPmd(
  k: Kernel,
  mm: Mm,
  vma: Vma,
  haddr: Vpn,
): Kernel$<{ result: Scan; dropped: boolean }> {
  if (k.stepping && lacksTable(k, mm, haddr)) yield lackStep(k, mm, haddr);
  const pmdp = pmdpOf(k, mm, haddr);
  if (k.stepping && pmdp >= 0) yield k.readEntry(pmdp);
  let result = checkPmd(k, pmdp);
  if (result !== Scan.Succeed) return { result, dropped: false };
  const first = pteOffsetMap(k, pmdp, haddr);
  const ptl = ptlOf(k, first);
  if (k.stepping) yield k.acquire(ptl);
  k.lock(ptl);
  let unmapped = 0;
  if (pteOffsetMap(k, pmdp, haddr) !== first) result = Scan.NoPteTable;
  for (let i = 0; i < k.geometry.ptrsPerPte && result === Scan.Succeed; i++) {
    const pte = ptepGet(k, first + i);
    if (noneOrZero(k, pte)) {
      if (!mayFillNone(vma)) result = Scan.ExceedNonePte;
    } else if (ptePresent(pte)) result = yield* scanPte(k, pte);
    else unmapped++;
  }
  if (k.stepping) yield k.release(ptl);
  k.unlock(ptl);
  if (result !== Scan.Succeed) return { result, dropped: false };
  if (k.stepping) yield k.release(mm.mmapLock);
  k.unlockShared(mm.mmapLock);
  return { result: yield* collapseHugePage(k, mm, haddr, unmapped), dropped: true };
}

/**
 * Makes huge pages of all whole ones in `start` to `end` of an area. mmap_lock is held for reading,
 * and dropped between; the areas may be others afterwards.
 *
 * Mirrors: mm/khugepaged.c madvise_collapse()
 * simplified: anonymous memory
 * @returns 0 when all are huge; -EINVAL, -ENOMEM, -EBUSY where a monitor is to give what is missing, or
 *   -EAGAIN when another try may succeed
 */
export function* madviseCollapse(k: Kernel, vma: Vma, start: Vpn, end: Vpn): Kernel$<number> {
  const { ptrsPerPte } = k.geometry;
  const { mm } = vma;
  if (k.stepping) yield anonVmaStep(k, mm);
  if (!collapsePossible(k, vma)) return -EINVAL;
  const first = hugeStart(k, start + ptrsPerPte - 1);
  let last = hugeStart(k, end);
  if (first >= last) return 0;
  yield* lruAddDrainAll(k);
  let area = vma;
  let made = 0;
  let failure: Scan = Scan.Fail;
  let dropped = false;
  for (let haddr = first; haddr < last; haddr += ptrsPerPte) {
    if (dropped) {
      if (k.stepping) yield k.acquire(mm.mmapLock, true);
      k.lockShared(mm.mmapLock);
      dropped = false;
      if (k.stepping) yield anonVmaStep(k, mm);
      const again = revalidate(k, mm, haddr);
      if (again.result !== Scan.Succeed) {
        failure = again.result;
        break;
      }
      area = k.present(again.vma, 'the area of an address');
      last = Math.min(last, hugeStart(k, area.end));
    }
    const scanned = yield* collapseScanPmd(k, mm, area, haddr);
    dropped = scanned.dropped;
    if (scanned.result === Scan.Succeed || scanned.result === Scan.PmdMapped) made++;
    else {
      failure = scanned.result;
      if (!GO_ON.has(failure)) break;
    }
  }
  if (dropped) {
    if (k.stepping) yield k.acquire(mm.mmapLock, true);
    k.lockShared(mm.mmapLock);
  }
  return made === (last - first) / ptrsPerPte ? 0 : collapseErrno(failure);
}
