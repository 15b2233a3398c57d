/**
 * Huge mappings of anonymous memory: one PMD entry for a whole folio. Faults, zapping, copying,
 * protecting, moving, advising, migration entries. Splitting is in huge-split.ts.
 *
 * Models: mm/huge_memory.c
 */
import type { Lock } from '../machine/lock.ts';
import { flagsOf } from '../machine/objects.ts';
import { PG_DIRTY, PG_RESERVED, PG_UPTODATE } from '../machine/page.ts';
import {
  mkPte,
  PTE_ACCESSED,
  PTE_DIRTY,
  PTE_HUGE,
  PTE_PRESENT,
  PTE_SOFT_DIRTY,
  PTE_SPECIAL,
  PTE_UFFD,
  PTE_WRITE,
  pteDirty,
  pteMkdirty,
  pteModify,
  ptePfn,
  pteWrite,
  pteYoung,
} from '../machine/pte.ts';
import { type Kernel$, ObjectKind, Role } from '../machine/step.ts';
import type { Folio, Pte, Ptep, Vpn } from '../machine/units.ts';
import { anonVmaPrepare } from './anon-vma.ts';
import {
  canChangePteWritable,
  FAULT_FLAG_UNSHARE,
  FAULT_FLAG_WRITE,
  maybeMkwrite,
  VM_FAULT_FALLBACK,
  type VmFault,
  vmNormalPage,
} from './fault.ts';
import {
  clearPage,
  folioAddLru,
  folioAlloc,
  folioClear,
  folioEntireMapcount,
  folioFree,
  folioGet,
  folioHandOver,
  folioIsDevicePrivate,
  folioIsZoneDevice,
  folioPages,
  folioPut,
  folioPutFresh,
  folioPutTestzero,
  folioRefCount,
  folioSet,
  folioTest,
  folioTestAnon,
  folioUnlockPut,
  pageAnonExclusive,
  pageFolio,
  setPageAnonExclusive,
} from './folio.ts';
import { lockSource, unlockSource } from './fork.ts';
import { splitFolio, splitHugePmd } from './huge-split.ts';
import type { Kernel } from './kernel.ts';
import {
  isDevicePrivate,
  isDevicePrivateWrite,
  isMigration,
  isMigrationDirty,
  isMigrationRead,
  isMigrationWrite,
  isMigrationYoung,
  makeReadableDevicePrivateEntry,
  makeReadableMigrationEntry,
  makeWritableDevicePrivateEntry,
  migrationAge,
  SWP_SOFT_DIRTY,
  SWP_UFFD,
  softleafToPfn,
} from './leafops.ts';
import { Holder } from './look/ledger.ts';
import { type AdviceWalk, adviseWholeFolio } from './madvise.ts';
import { pagePgmap } from './memremap.ts';
import { pmdMigrationEntryWait } from './migrate.ts';
import {
  MmuNotify,
  mmuNotifierInvalidateRangeEnd,
  mmuNotifierInvalidateRangeStart,
  notifierRange,
} from './mmu-notifier.ts';
import { changedSoftleaf } from './mprotect.ts';
import { checkStableAddressSpace } from './oom.ts';
import { clearedSoftDirty } from './pagemap.ts';
import {
  hugeStart,
  pgtableDeposit,
  pgtableWithdraw,
  pmdIsHuge,
  pmdMkinvalid,
  pmdPresent,
  pmdTransHuge,
  ptepGet,
  ptepGetAndClear,
  ptlOf,
  setPte,
} from './pgtable.ts';
import {
  deferredSplitFolio,
  folioAddAnonRmapPmd,
  folioAddNewAnonRmap,
  folioMaybeMappedShared,
  folioMoveAnonRmap,
  folioRemoveRmapPmd,
  folioTryDupAnonRmapPmd,
  folioTryShareAnonRmap,
  migrationPte,
} from './rmap.ts';
import { handleUserfault } from './userfaultfd.ts';
import { userfaultfdMissing, VM_HUGEPAGE, VM_NOHUGEPAGE, type Vma, vmaIsAnonymous } from './vma.ts';
import type { MmuGather } from './zap.ts';

export {
  folioSplitUnmapped,
  splitFolio,
  splitHugePmd,
  splitHugePmdAddress,
  splitHugePmdLocked,
  vmaAdjustTransHuge,
} from './huge-split.ts';

// ---- which areas ----

/**
 * Whether the whole huge page that holds `vpn` lies in the area.
 *
 * Mirrors: include/linux/huge_mm.h thp_vma_suitable_order()
 * simplified: of the order of a huge page; files have no huge pages
 */
export function thpVmaSuitableOrder(k: Kernel, vma: Vma, vpn: Vpn): boolean {
  const haddr = hugeStart(k, vpn);
  return haddr >= vma.start && haddr + k.geometry.ptrsPerPte <= vma.end;
}

/**
 * Whether a fault may map a huge page in the area: huge pages are for those who ask for them
 * (`transparent_hugepage=madvise`).
 *
 * Mirrors: include/linux/huge_mm.h thp_vma_allowable_order(), for TVA_PAGEFAULT
 * simplified: the setting is fixed; files have no huge pages
 */
export function thpVmaAllowable(vma: Vma): boolean {
  return vmaIsAnonymous(vma) && (vma.flags & (VM_HUGEPAGE | VM_NOHUGEPAGE)) === VM_HUGEPAGE;
}

/** A present huge entry (folio_mk_pmd()). */
export function mkHugePmd(folio: Folio, prot: number): Pte {
  return mkPte(folio, prot) | PTE_HUGE;
}

/**
 * The huge zero page, made when it is first needed; -1 when there is no memory.
 *
 * Mirrors: mm/huge_memory.c mm_get_huge_zero_folio(), get_huge_zero_folio()
 * simplified: never freed again
 */
export function getHugeZeroFolio(k: Kernel): Folio {
  if (k.hugeZeroPfn >= 0) return k.hugeZeroPfn;
  k.mightAlloc();
  if (k.mayFail()) return -1;
  const { pmdOrder, ptrsPerPte } = k.geometry;
  const folio = k.pages.takeRam(pmdOrder, k.ramLimit, k.current.cpu);
  if (folio < 0) return -1;
  if (k.monitor !== null) k.monitor.onUse(folio, 1 << pmdOrder);
  k.pages.initFolio(folio, pmdOrder);
  folioSet(k, folio, PG_RESERVED | PG_UPTODATE);
  k.frames.ensure(folio + ptrsPerPte);
  for (let page = folio; page < folio + ptrsPerPte; page++) k.frames.clear(page);
  k.hugeZeroPfn = folio;
  return folio;
}

// ---- faults ----

/**
 * The lock of a PMD entry that is a leaf, taken; null when it is none (any more).
 *
 * Mirrors: mm/huge_memory.c __pmd_trans_huge_lock()
 * faithful
 */
export function* pmdTransHugeLock(k: Kernel, pmdp: Ptep): Kernel$<Lock | null> {
  const ptl = ptlOf(k, pmdp);
  if (k.stepping) yield k.acquire(ptl);
  k.lock(ptl);
  if (pmdIsHuge(ptepGet(k, pmdp))) return ptl;
  if (k.stepping) yield k.release(ptl);
  k.unlock(ptl);
  return null;
}

/**
 * Mirrors: mm/huge_memory.c vma_alloc_anon_folio_pmd()
 * simplified: no control groups
 * @returns a huge folio of zeros, or -1
 */
function* allocAnonFolioPmd(k: Kernel): Kernel$<number> {
  if (k.stepping) yield k.allocateStep(k.geometry.pmdOrder);
  const folio = folioAlloc(k, k.geometry.pmdOrder);
  if (folio < 0) return -1;
  for (let page = folio; page < folio + k.geometry.ptrsPerPte; page++) clearPage(k, page);
  folioSet(k, folio, PG_UPTODATE);
  return folio;
}

/**
 * Maps a new huge folio; the PMD is locked and holds nothing, its table is deposited. The folio's
 * reference becomes the mapping's.
 *
 * Mirrors: mm/huge_memory.c map_anon_folio_pmd_nopf()
 * faithful
 */
export function* mapAnonFolioPmd(
  k: Kernel,
  folio: Folio,
  pmdp: Ptep,
  vma: Vma,
  haddr: Vpn,
): Kernel$<void> {
  folioHandOver(k, folio, Holder.Alloc, Holder.Mapping);
  folioAddNewAnonRmap(k, folio, vma, haddr);
  yield* folioAddLru(k, folio);
  if (k.stepping) yield k.writeEntry(pmdp);
  setPte(k, pmdp, maybeMkwrite(pteMkdirty(mkHugePmd(folio, vma.pageProt)), vma));
  deferredSplitFolio(k, folio, false);
}

/**
 * A write where nothing is mapped.
 *
 * Mirrors: mm/huge_memory.c __do_huge_pmd_anonymous_page()
 * simplified: tables can always be allocated
 */
function* mapNewHugePage(k: Kernel, vmf: VmFault, haddr: Vpn): Kernel$<number> {
  const { vma } = vmf;
  const folio = yield* allocAnonFolioPmd(k);
  if (folio < 0) return VM_FAULT_FALLBACK;
  const table = k.tables.alloc(k.current.cpu);
  const ptl = ptlOf(k, vmf.pmd);
  if (k.stepping) yield k.acquire(ptl).and(ObjectKind.Mm, flagsOf(vma.mm), Role.Read);
  k.lock(ptl);
  const none = ptepGet(k, vmf.pmd) === 0;
  const unstable = none ? checkStableAddressSpace(vma.mm) : 0;
  const missing = none && !unstable && userfaultfdMissing(vma);
  const free = none && !unstable && !missing;
  if (free) {
    pgtableDeposit(k, vmf.pmd, table);
    yield* mapAnonFolioPmd(k, folio, vmf.pmd, vma, haddr);
    vma.mm.anonPages += k.geometry.ptrsPerPte;
    vma.mm.pteTables++;
  }
  if (k.stepping) yield k.release(ptl);
  k.unlock(ptl);
  if (!free) {
    k.tables.release(table, k.current.cpu);
    yield* folioPutFresh(k, folio);
  }
  return missing ? yield* handleUserfault(k, vmf) : unstable;
}

/**
 * A read where nothing is mapped: the huge zero page.
 *
 * Mirrors: mm/huge_memory.c set_huge_zero_folio(), in do_huge_pmd_anonymous_page()
 * simplified: tables can always be allocated
 */
function* mapHugeZeroPage(k: Kernel, vmf: VmFault): Kernel$<number> {
  const { vma } = vmf;
  if (k.stepping) yield k.allocateStep();
  const zero = getHugeZeroFolio(k);
  if (zero < 0) return VM_FAULT_FALLBACK;
  const ptl = ptlOf(k, vmf.pmd);
  if (k.stepping) yield k.acquire(ptl).and(ObjectKind.Mm, flagsOf(vma.mm), Role.Read);
  k.lock(ptl);
  const none = ptepGet(k, vmf.pmd) === 0;
  const unstable = none ? checkStableAddressSpace(vma.mm) : 0;
  const missing = none && !unstable && userfaultfdMissing(vma);
  if (none && !unstable && !missing) {
    pgtableDeposit(k, vmf.pmd, k.tables.alloc(k.current.cpu));
    if (k.stepping) yield k.writeEntry(vmf.pmd);
    setPte(k, vmf.pmd, mkHugePmd(zero, vma.pageProt) | PTE_SPECIAL);
    vma.mm.pteTables++;
  }
  if (k.stepping) yield k.release(ptl);
  k.unlock(ptl);
  return missing ? yield* handleUserfault(k, vmf) : unstable;
}

/** Mirrors: mm/huge_memory.c do_huge_pmd_anonymous_page(); faithful */
function* doHugePmdAnonymousPage(k: Kernel, vmf: VmFault): Kernel$<number> {
  const { vma, vpn } = vmf;
  if (!thpVmaSuitableOrder(k, vma, vpn)) return VM_FAULT_FALLBACK;
  yield* anonVmaPrepare(k, vma);
  if (!(vmf.flags & FAULT_FLAG_WRITE)) return yield* mapHugeZeroPage(k, vmf);
  return yield* mapNewHugePage(k, vmf, hugeStart(k, vpn));
}

/**
 * A CPU touched a huge page that is in a device's memory: its driver brings it back.
 *
 * Mirrors: mm/huge_memory.c do_huge_pmd_device_private()
 * faithful
 */
function* doHugePmdDevicePrivate(k: Kernel, vmf: VmFault): Kernel$<number> {
  const ptl = ptlOf(k, vmf.pmd);
  if (k.stepping) yield k.acquire(ptl);
  k.lock(ptl);
  if (ptepGet(k, vmf.pmd) !== vmf.origPmd) {
    if (k.stepping) yield k.release(ptl);
    k.unlock(ptl);
    return 0;
  }
  const page = softleafToPfn(vmf.origPmd);
  const folio = pageFolio(k, page);
  vmf.page = page;
  vmf.pte = -1;
  if (k.stepping) yield k.tryAcquireFolio(folio);
  const locked = k.folioTryLock(folio);
  if (locked) folioGet(k, folio, Holder.Fault);
  if (k.stepping) yield k.release(ptl);
  k.unlock(ptl);
  if (!locked) return 0;
  const ret = yield* pagePgmap(k, page).ops.migrateToRam(k, vmf);
  yield* folioUnlockPut(k, folio, Holder.Fault);
  return ret;
}

/**
 * Makes an entry more permissive after a fault; for a read the hardware does it itself.
 *
 * Mirrors: arch/x86/mm/pgtable.c pmdp_set_access_flags()
 * faithful
 */
function* setAccessFlags(k: Kernel, pmdp: Ptep, entry: Pte, write: boolean): Kernel$<boolean> {
  const changed = ptepGet(k, pmdp) !== entry;
  if (changed && write) {
    if (k.stepping) yield k.writeEntry(pmdp);
    setPte(k, pmdp, entry);
  }
  return changed;
}

/**
 * Notes an access to a huge page; the PMD is locked.
 *
 * Mirrors: mm/huge_memory.c touch_pmd()
 * faithful
 */
export function touchPmd(k: Kernel, pmdp: Ptep, write: boolean): Kernel$<boolean> {
  const young = ptepGet(k, pmdp) | PTE_ACCESSED;
  return setAccessFlags(k, pmdp, write ? pteMkdirty(young) : young, write);
}

/** Mirrors: mm/huge_memory.c huge_pmd_set_accessed(), mm/memory.c fix_spurious_fault(); faithful */
function* hugePmdSetAccessed(k: Kernel, vmf: VmFault): Kernel$<void> {
  const ptl = ptlOf(k, vmf.pmd);
  const write = (vmf.flags & FAULT_FLAG_WRITE) !== 0;
  if (k.stepping) yield k.acquire(ptl);
  k.lock(ptl);
  const same = ptepGet(k, vmf.pmd) === vmf.origPmd;
  const changed = same && (yield* touchPmd(k, vmf.pmd, write));
  if (!changed && write) {
    if (k.stepping) yield k.flushStep(vmf.vma.mm.id);
    k.flushTlbPage(vmf.vma.mm.id, vmf.vpn);
  }
  if (k.stepping) yield k.release(ptl);
  k.unlock(ptl);
}

/**
 * A write to the huge zero page.
 *
 * Mirrors: mm/huge_memory.c do_huge_zero_wp_pmd()
 * faithful
 */
function* doHugeZeroWpPmd(k: Kernel, vmf: VmFault): Kernel$<number> {
  const { vma } = vmf;
  const { mm } = vma;
  const haddr = hugeStart(k, vmf.vpn);
  const end = haddr + k.geometry.ptrsPerPte;
  const folio = yield* allocAnonFolioPmd(k);
  if (folio < 0) return VM_FAULT_FALLBACK;
  const range = notifierRange(MmuNotify.Clear, mm, haddr, end);
  yield* mmuNotifierInvalidateRangeStart(k, range);
  const ptl = ptlOf(k, vmf.pmd);
  if (k.stepping) yield k.acquire(ptl).and(ObjectKind.Mm, flagsOf(vma.mm), Role.Read);
  k.lock(ptl);
  const same = ptepGet(k, vmf.pmd) === vmf.origPmd;
  const unstable = same ? checkStableAddressSpace(mm) : 0;
  if (same && !unstable) {
    if (k.stepping) yield k.writeEntry(vmf.pmd);
    ptepGetAndClear(k, vmf.pmd);
    if (k.stepping) yield k.flushStep(mm.id);
    k.flushTlbRange(mm.id, haddr, end);
    yield* mapAnonFolioPmd(k, folio, vmf.pmd, vma, haddr);
    mm.anonPages += k.geometry.ptrsPerPte;
  } else yield* folioPutFresh(k, folio);
  if (k.stepping) yield k.release(ptl);
  k.unlock(ptl);
  yield* mmuNotifierInvalidateRangeEnd(k, range);
  return unstable;
}

/**
 * The huge page is the faulting process's alone: lets it write to it, unless the fault only asks for
 * that; unlocks the PMD.
 */
function* wpReuseHugePage(k: Kernel, vmf: VmFault, ptl: Lock): Kernel$<number> {
  if (!(vmf.flags & FAULT_FLAG_UNSHARE)) {
    const entry = maybeMkwrite(pteMkdirty(vmf.origPmd | PTE_ACCESSED), vmf.vma);
    yield* setAccessFlags(k, vmf.pmd, entry, true);
  }
  if (k.stepping) yield k.release(ptl);
  k.unlock(ptl);
  return 0;
}

/**
 * A write to a huge page that is mapped read-only, or one that is to become the process's own. What
 * cannot be reused is split, and copied a page at a time.
 *
 * Mirrors: mm/huge_memory.c do_huge_pmd_wp_page()
 * simplified: no swap cache, no userfaultfd-wp
 */
function* doHugePmdWpPage(k: Kernel, vmf: VmFault): Kernel$<number> {
  const { vma, origPmd } = vmf;
  k.bug(!vma.anonVma, 'a write to a huge page in an area without anon_vma');
  if (k.isHugeZero(ptePfn(origPmd))) {
    const ret = yield* doHugeZeroWpPmd(k, vmf);
    if (!(ret & VM_FAULT_FALLBACK)) return ret;
    yield* splitHugePmd(k, vma, vmf.pmd, vmf.vpn);
    return VM_FAULT_FALLBACK;
  }
  const ptl = ptlOf(k, vmf.pmd);
  if (k.stepping) yield k.acquire(ptl);
  k.lock(ptl);
  if (ptepGet(k, vmf.pmd) !== origPmd) {
    if (k.stepping) yield k.release(ptl);
    k.unlock(ptl);
    return 0;
  }
  const page = ptePfn(origPmd);
  const folio = pageFolio(k, page);
  if (pageAnonExclusive(k, page)) return yield* wpReuseHugePage(k, vmf, ptl);
  if (k.stepping) yield k.tryAcquireFolio(folio);
  if (!k.folioTryLock(folio)) {
    folioGet(k, folio, Holder.Fault);
    if (k.stepping) yield k.release(ptl);
    k.unlock(ptl);
    if (k.stepping) yield k.acquireFolio(folio);
    k.folioLock(folio);
    if (k.stepping) yield k.acquire(ptl);
    k.lock(ptl);
    if (ptepGet(k, vmf.pmd) !== origPmd) {
      if (k.stepping) yield k.release(ptl);
      k.unlock(ptl);
      yield* folioUnlockPut(k, folio, Holder.Fault);
      return 0;
    }
    yield* folioPut(k, folio, Holder.Fault);
  }
  if (k.stepping) yield k.readFolio(folio);
  const exclusive = pageAnonExclusive(k, page);
  const reuse = exclusive || folioRefCount(k, folio) === 1;
  if (reuse && !exclusive) {
    folioMoveAnonRmap(k, folio, vma);
    setPageAnonExclusive(k, page);
  }
  if (k.stepping) yield k.releaseFolio(folio);
  k.folioUnlock(folio);
  if (reuse) return yield* wpReuseHugePage(k, vmf, ptl);
  if (k.stepping) yield k.release(ptl);
  k.unlock(ptl);
  yield* splitHugePmd(k, vma, vmf.pmd, vmf.vpn);
  return VM_FAULT_FALLBACK;
}

/**
 * The PMD level of a fault. A step precedes it.
 *
 * Mirrors: mm/memory.c __handle_mm_fault(), create_huge_pmd(), wp_huge_pmd()
 * simplified: no NUMA balancing, no userfaultfd-wp
 * @returns VM_FAULT_FALLBACK when the fault goes on at the lowest level
 */
export function* handleHugePmdFault(k: Kernel, vmf: VmFault): Kernel$<number> {
  const pmd = ptepGet(k, vmf.pmd);
  if (pmd === 0) {
    if (!thpVmaAllowable(vmf.vma)) return VM_FAULT_FALLBACK;
    return yield* doHugePmdAnonymousPage(k, vmf);
  }
  vmf.origPmd = pmd;
  if (!pmdPresent(pmd)) {
    if (isDevicePrivate(pmd)) return yield* doHugePmdDevicePrivate(k, vmf);
    if (isMigration(pmd)) yield* pmdMigrationEntryWait(k, vmf.pmd);
    else k.report('bad entry', 'a PMD entry of an unknown kind');
    return 0;
  }
  if (!pmdTransHuge(pmd)) return VM_FAULT_FALLBACK;
  const own = vmf.flags & (FAULT_FLAG_WRITE | FAULT_FLAG_UNSHARE);
  if (own && !pteWrite(pmd)) return yield* doHugePmdWpPage(k, vmf);
  yield* hugePmdSetAccessed(k, vmf);
  return 0;
}

/**
 * Whether a large folio that is mapped by entries of the lowest level belongs to one process alone,
 * so that it may write to its pages.
 *
 * Mirrors: mm/memory.c __wp_can_reuse_large_anon_folio()
 * simplified: no swap cache
 */
export function wpCanReuseLargeAnonFolio(k: Kernel, folio: Folio, vma: Vma): boolean {
  const mapped = k.pages.largeMapcount[folio];
  // a folio of which one page is mapped is better freed
  if (mapped <= 1 || folioMaybeMappedShared(k, folio)) return false;
  if (mapped !== folioRefCount(k, folio)) return false;
  k.warn(mapped > folioPages(k, folio), 'a large folio of one process is mapped more than once');
  k.warn(folioEntireMapcount(k, folio) !== 0, 'a folio is mapped huge and by small entries');
  const { mmId } = k.pages;
  const { id } = vma.mm;
  k.warn(mmId[0][folio] !== id && mmId[1][folio] !== id, 'a folio of another process is reused');
  return true;
}

// ---- zapping ----

/** Frees the table that was kept for a huge entry; the PMD is locked (zap_deposited_table()). */
function zapDepositedTable(k: Kernel, vma: Vma, pmdp: Ptep): void {
  k.tables.release(pgtableWithdraw(k, pmdp), k.current.cpu);
  vma.mm.pteTables--;
}

/**
 * Takes a huge mapping away.
 *
 * Mirrors: mm/huge_memory.c zap_huge_pmd(), zap_huge_pmd_folio()
 * simplified: files have no huge pages
 * @returns false when the entry is no leaf any more
 */
export function* zapHugePmd(
  k: Kernel,
  tlb: MmuGather,
  vma: Vma,
  pmdp: Ptep,
  vpn: Vpn,
): Kernel$<boolean> {
  const ptl = yield* pmdTransHugeLock(k, pmdp);
  if (!ptl) return false;
  if (k.stepping) yield k.writeEntry(pmdp);
  const pmd = ptepGetAndClear(k, pmdp);
  tlb.track(vpn, k.geometry.ptrsPerPte);
  const present = pmdTransHuge(pmd);
  const page = present ? vmNormalPage(pmd) : softleafToPfn(pmd);
  if (page >= 0) {
    const folio = pageFolio(k, page);
    const device = folioIsDevicePrivate(k, folio);
    if (k.stepping) yield k.writeFolio(folio);
    if (present || (device && isDevicePrivate(pmd))) folioRemoveRmapPmd(k, folio, vma);
    k.warn(!folioTestAnon(k, folio), 'a huge mapping of what is not anonymous');
    vma.mm.anonPages -= k.geometry.ptrsPerPte;
    if (present) tlb.page(folio, 1);
    else if (isDevicePrivate(pmd) && folioPutTestzero(k, folio, Holder.Mapping)) {
      yield* folioFree(k, folio);
    }
  }
  zapDepositedTable(k, vma, pmdp);
  if (k.stepping) yield k.release(ptl);
  k.unlock(ptl);
  return true;
}

// ---- fork ----

/**
 * The entry for a child of one that is not present; the parent's is made read-only.
 *
 * Mirrors: mm/huge_memory.c copy_huge_non_present_pmd()
 * simplified: no userfaultfd-wp
 */
function* copyHugeNonPresentPmd(k: Kernel, dst: Vma, srcPmd: Ptep, pmd: Pte): Kernel$<number> {
  const kept = pmd & (SWP_SOFT_DIRTY | SWP_UFFD);
  const page = softleafToPfn(pmd);
  let shared = pmd;
  if (isMigration(pmd)) {
    if (!isMigrationRead(pmd)) {
      shared = makeReadableMigrationEntry(page) | migrationAge(pmd) | kept;
    }
  } else if (isDevicePrivateWrite(pmd)) {
    // unlike the small entry's, a huge one's soft-dirtiness is kept
    shared = makeReadableDevicePrivateEntry(page) | kept;
  }
  if (shared !== pmd) {
    if (k.stepping) yield k.writeEntry(srcPmd);
    setPte(k, srcPmd, shared);
  }
  if (isDevicePrivate(pmd)) {
    const folio = pageFolio(k, page);
    if (k.stepping) yield k.writeFolio(folio);
    folioGet(k, folio, Holder.Mapping);
    folioTryDupAnonRmapPmd(k, folio, dst);
  }
  return shared & ~SWP_UFFD;
}

/**
 * Copies a huge mapping to a child, which shares it read-only.
 *
 * Mirrors: mm/huge_memory.c copy_huge_pmd()
 * simplified: files have no huge pages, tables can always be allocated
 * @returns false when the entry is (now) a table, to be copied entry by entry
 */
export function* copyHugePmd(
  k: Kernel,
  dst: Vma,
  src: Vma,
  dstPmd: Ptep,
  srcPmd: Ptep,
  vpn: Vpn,
): Kernel$<boolean> {
  if (!vmaIsAnonymous(dst)) return true;
  const dstPtl = ptlOf(k, dstPmd);
  const srcPtl = ptlOf(k, srcPmd);
  if (k.stepping) yield k.acquire(dstPtl);
  k.lock(dstPtl);
  yield* lockSource(k, src, srcPtl);
  const pmd = ptepGet(k, srcPmd);
  let entry = 0;
  let pinned = false;
  if (pmdTransHuge(pmd)) {
    const page = vmNormalPage(pmd);
    if (page >= 0) {
      const folio = pageFolio(k, page);
      if (k.stepping) yield k.writeFolio(folio);
      folioGet(k, folio, Holder.Mapping);
      pinned = folioTryDupAnonRmapPmd(k, folio, dst) !== 0;
      if (pinned) folioPutTestzero(k, folio, Holder.Mapping);
      else dst.mm.anonPages += k.geometry.ptrsPerPte;
    }
    if (!pinned) {
      if (k.stepping) yield k.writeEntry(srcPmd);
      // the hardware may have set the dirty bit since it was read: the child does not hear of it
      setPte(k, srcPmd, ptepGet(k, srcPmd) & ~PTE_WRITE);
      entry = pmd & ~(PTE_WRITE | PTE_ACCESSED | PTE_UFFD);
    }
  } else if (pmdIsHuge(pmd)) {
    entry = yield* copyHugeNonPresentPmd(k, dst, srcPmd, pmd);
    dst.mm.anonPages += k.geometry.ptrsPerPte;
  }
  if (entry !== 0) {
    dst.mm.pteTables++;
    pgtableDeposit(k, dstPmd, k.tables.alloc(k.current.cpu));
    if (k.stepping) yield k.writeEntry(dstPmd);
    setPte(k, dstPmd, entry);
  }
  yield* unlockSource(k, src, srcPtl);
  if (k.stepping) yield k.release(dstPtl);
  k.unlock(dstPtl);
  if (pinned) yield* splitHugePmd(k, src, srcPmd, vpn);
  return entry !== 0;
}

// ---- protection, moving, soft-dirty ----

/** Takes the hardware's bits over while an entry changes (pmdp_invalidate_ad()). */
function* invalidateAd(k: Kernel, pmdp: Ptep): Kernel$<number> {
  if (k.stepping) yield k.writeEntry(pmdp);
  const old = ptepGet(k, pmdp);
  setPte(k, pmdp, pmdMkinvalid(old));
  return old;
}

/**
 * Brings a huge mapping in line with its area's protection.
 *
 * Mirrors: mm/huge_memory.c change_huge_pmd(), change_non_present_huge_pmd()
 * simplified: no NUMA hints, no userfaultfd-wp
 * @returns false when the entry is no leaf any more
 */
export function* changeHugePmd(
  k: Kernel,
  tlb: MmuGather,
  vma: Vma,
  pmdp: Ptep,
  vpn: Vpn,
  tryWritable: boolean,
): Kernel$<boolean> {
  const ptl = yield* pmdTransHugeLock(k, pmdp);
  if (!ptl) return false;
  const pmd = ptepGet(k, pmdp);
  if (!pmdPresent(pmd)) {
    const changed = changedSoftleaf(k, pmd);
    if (changed !== pmd) {
      if (k.stepping) yield k.writeEntry(pmdp);
      setPte(k, pmdp, changed);
    }
  } else {
    const old = yield* invalidateAd(k, pmdp);
    let entry = pteModify(old, vma.pageProt);
    if (tryWritable && !pteWrite(entry) && canChangePteWritable(k, vma, entry)) entry |= PTE_WRITE;
    if (k.stepping) yield k.writeEntry(pmdp);
    setPte(k, pmdp, entry);
    if (pmdNeedsFlush(old, entry)) tlb.track(vpn, k.geometry.ptrsPerPte);
  }
  if (k.stepping) yield k.release(ptl);
  k.unlock(ptl);
  return true;
}

/** Whether a right was taken away that a TLB may remember (huge_pmd_needs_flush()). */
function pmdNeedsFlush(old: Pte, entry: Pte): boolean {
  return (old & ~entry & (PTE_PRESENT | PTE_WRITE)) !== 0;
}

/**
 * Moves a huge mapping. One that moves counts as written, but not on a device.
 *
 * Mirrors: mm/huge_memory.c move_huge_pmd(), move_soft_dirty_pmd()
 * simplified: no userfaultfd-wp
 * @returns false when the entry is no leaf any more
 */
export function* moveHugePmd(
  k: Kernel,
  vma: Vma,
  from: Vpn,
  _to: Vpn,
  oldPmd: Ptep,
  newPmd: Ptep,
): Kernel$<boolean> {
  if (ptepGet(k, newPmd) !== 0) {
    k.bug(pmdTransHuge(ptepGet(k, newPmd)), 'a huge mapping is moved onto another');
    return false;
  }
  const oldPtl = yield* pmdTransHugeLock(k, oldPmd);
  if (!oldPtl) return false;
  const newPtl = ptlOf(k, newPmd);
  if (newPtl !== oldPtl) {
    if (k.stepping) yield k.acquire(newPtl);
    k.lock(newPtl);
  }
  if (k.stepping) yield k.writeEntry(oldPmd);
  let pmd = ptepGetAndClear(k, oldPmd);
  k.bug(ptepGet(k, newPmd) !== 0, 'a huge mapping is moved onto another');
  // a table is kept a PMD table, not an entry
  if (newPtl !== oldPtl) pgtableDeposit(k, newPmd, pgtableWithdraw(k, oldPmd));
  if (pmdPresent(pmd)) pmd |= PTE_SOFT_DIRTY;
  else if (isMigration(pmd)) pmd |= SWP_SOFT_DIRTY;
  if (k.stepping) yield k.writeEntry(newPmd);
  setPte(k, newPmd, pmd);
  if (pmdPresent(pmd)) {
    if (k.stepping) yield k.flushStep(vma.mm.id);
    k.flushTlbRange(vma.mm.id, from, from + k.geometry.ptrsPerPte);
  }
  if (newPtl !== oldPtl) {
    if (k.stepping) yield k.release(newPtl);
    k.unlock(newPtl);
  }
  if (k.stepping) yield k.release(oldPtl);
  k.unlock(oldPtl);
  return true;
}

/**
 * Forgets that a huge page was written. One on a device stays soft-dirty.
 *
 * Mirrors: fs/proc/task_mmu.c clear_soft_dirty_pmd()
 * faithful
 * @returns false when the entry is no leaf any more
 */
export function* clearSoftDirtyPmd(k: Kernel, vma: Vma, pmdp: Ptep, vpn: Vpn): Kernel$<boolean> {
  const ptl = yield* pmdTransHugeLock(k, pmdp);
  if (!ptl) return false;
  const pmd = ptepGet(k, pmdp);
  if (pmdPresent(pmd)) {
    const old = yield* invalidateAd(k, pmdp);
    const haddr = hugeStart(k, vpn);
    if (k.stepping) yield k.flushStep(vma.mm.id);
    k.flushTlbRange(vma.mm.id, haddr, haddr + k.geometry.ptrsPerPte);
    if (k.stepping) yield k.writeEntry(pmdp);
    setPte(k, pmdp, old & ~(PTE_WRITE | PTE_SOFT_DIRTY));
  } else if (isMigration(pmd)) {
    if (k.stepping) yield k.writeEntry(pmdp);
    setPte(k, pmdp, clearedSoftDirty(pmd));
  }
  if (k.stepping) yield k.release(ptl);
  k.unlock(ptl);
  return true;
}

// ---- advice ----

/**
 * `cold`, `pageout` and `free` for a huge mapping: of the whole it advises the folio; of a part it
 * splits it.
 *
 * Mirrors: mm/huge_memory.c madvise_free_huge_pmd(),
 *   mm/madvise.c madvise_cold_or_pageout_pte_range() (the huge half)
 * faithful
 * @returns whether nothing is left to do at the lowest level
 */
export function* adviseHugePmd(
  k: Kernel,
  walk: AdviceWalk,
  vma: Vma,
  pmdp: Ptep,
  start: Vpn,
  end: Vpn,
): Kernel$<boolean> {
  const free = walk.advice === 'free';
  const ptl = yield* pmdTransHugeLock(k, pmdp);
  if (!ptl) return !free;
  const pmd = ptepGet(k, pmdp);
  const page = pmdPresent(pmd) ? vmNormalPage(pmd) : -1;
  const folio = page < 0 ? -1 : pageFolio(k, page);
  const { ptrsPerPte } = k.geometry;
  const whole = end - start === ptrsPerPte;
  let ours = folio >= 0 && !folioIsZoneDevice(k, folio) && !folioMaybeMappedShared(k, folio);
  if (ours && (free || !whole)) {
    if (k.stepping) yield k.tryAcquireFolio(folio);
    ours = k.folioTryLock(folio);
  }
  if (ours && !whole) {
    folioGet(k, folio, Holder.Split);
    if (k.stepping) yield k.release(ptl);
    k.unlock(ptl);
    const err = yield* splitFolio(k, folio);
    yield* folioUnlockPut(k, folio, Holder.Split);
    // after a split both go on with the entries; `free` finds none there if it failed
    return err !== 0 && !free;
  }
  if (ours) {
    if (free) {
      folioClear(k, folio, PG_DIRTY);
      if (k.stepping) yield k.releaseFolio(folio);
      k.folioUnlock(folio);
      if (pteYoung(pmd) || pteDirty(pmd)) {
        const old = yield* invalidateAd(k, pmdp);
        if (k.stepping) yield k.flushStep(vma.mm.id);
        k.flushTlbRange(vma.mm.id, start, end);
        if (k.stepping) yield k.writeEntry(pmdp);
        setPte(k, pmdp, old & ~(PTE_ACCESSED | PTE_DIRTY));
        walk.tlb.track(start, ptrsPerPte);
      }
    } else if (walk.advice === 'cold' && pteYoung(pmd)) {
      if (k.stepping) yield k.writeEntry(pmdp);
      setPte(k, pmdp, ptepGet(k, pmdp) & ~PTE_ACCESSED);
      walk.tlb.track(start, ptrsPerPte);
    }
    yield* adviseWholeFolio(k, walk, folio);
  }
  if (k.stepping) yield k.release(ptl);
  k.unlock(ptl);
  return !free || ours;
}

// ---- migration ----

/**
 * Replaces a huge mapping by a migration entry; the PMD is locked.
 *
 * Mirrors: mm/huge_memory.c set_pmd_migration_entry()
 * differs: a device-private entry stays until the migration entry takes its place; 7.3.4 clears it first,
 * and a zap that comes by meanwhile and looks without the lock (zap_pmd_range()) passes over the page,
 * whose contents come back with the migration (mend device-pmd-cleared)
 * @returns 0, or -EBUSY when the folio may be pinned
 */
export function* setPmdMigrationEntry(
  k: Kernel,
  vma: Vma,
  vpn: Vpn,
  pmdp: Ptep,
  folio: Folio,
): Kernel$<number> {
  const { ptrsPerPte } = k.geometry;
  if (k.stepping) yield k.writeEntry(pmdp);
  const pmd = ptepGet(k, pmdp);
  const present = pmdPresent(pmd);
  const writable = present ? pteWrite(pmd) : isDevicePrivateWrite(pmd);
  if (present) {
    setPte(k, pmdp, pmdMkinvalid(pmd));
    if (k.stepping) yield k.flushStep(vma.mm.id);
    k.flushTlbRange(vma.mm.id, vpn, vpn + ptrsPerPte);
  } else if (k.unmended['device-pmd-cleared']) setPte(k, pmdp, 0);
  const anonExclusive = folioTestAnon(k, folio) && pageAnonExclusive(k, folio);
  if (k.stepping) yield k.writeFolio(folio);
  const err = anonExclusive ? folioTryShareAnonRmap(k, folio, folio) : 0;
  if (err) {
    if (k.stepping) yield k.writeEntry(pmdp);
    setPte(k, pmdp, pmd);
    return err;
  }
  if (present && pteDirty(pmd)) folioSet(k, folio, PG_DIRTY);
  if (k.stepping) yield k.writeEntry(pmdp);
  setPte(k, pmdp, migrationPte(pmd, folio, writable, anonExclusive));
  if (k.stepping) yield k.writeFolio(folio);
  folioRemoveRmapPmd(k, folio, vma);
  if (folioPutTestzero(k, folio, Holder.Mapping)) yield* folioFree(k, folio);
  return 0;
}

/**
 * Replaces a huge migration entry by a mapping of `folio`; the PMD is locked.
 *
 * Mirrors: mm/huge_memory.c remove_migration_pmd()
 * simplified: anonymous memory
 */
export function* removeMigrationPmd(
  k: Kernel,
  vma: Vma,
  _vpn: Vpn,
  pmdp: Ptep,
  folio: Folio,
): Kernel$<void> {
  k.bug(folioPages(k, folio) !== k.geometry.ptrsPerPte, 'a huge entry gets a small folio');
  const entry = ptepGet(k, pmdp);
  if (k.stepping) yield k.writeFolio(folio);
  folioGet(k, folio, Holder.Mapping);
  let pmd = mkHugePmd(folio, vma.pageProt);
  if (entry & SWP_SOFT_DIRTY) pmd |= PTE_SOFT_DIRTY;
  if (isMigrationWrite(entry)) pmd |= PTE_WRITE;
  if (entry & SWP_UFFD) pmd |= PTE_UFFD;
  if (!isMigrationYoung(entry)) pmd &= ~PTE_ACCESSED;
  if (folioTest(k, folio, PG_DIRTY) && isMigrationDirty(entry)) pmd = pteMkdirty(pmd);
  if (folioIsDevicePrivate(k, folio)) {
    pmd = pteWrite(pmd)
      ? makeWritableDevicePrivateEntry(folio)
      : makeReadableDevicePrivateEntry(folio);
    pmd |= entry & (SWP_SOFT_DIRTY | SWP_UFFD);
  }
  folioAddAnonRmapPmd(k, folio, vma, !isMigrationRead(entry));
  k.warn(
    pmdPresent(pmd) && pteWrite(pmd) && !pageAnonExclusive(k, folio),
    'a writable huge page is not exclusive',
  );
  if (k.stepping) yield k.writeEntry(pmdp);
  setPte(k, pmdp, pmd);
}
