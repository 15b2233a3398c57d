/**
 * Page faults.
 *
 * Models: mm/memory.c
 */
import { EFAULT, ENOMEM } from '../machine/errno.ts';
import type { Lock } from '../machine/lock.ts';
import { flagsOf } from '../machine/objects.ts';
import { PG_DIRTY, PG_LRU, PG_UPTODATE } from '../machine/page.ts';
import {
  mkPte,
  PTE_ACCESSED,
  PTE_PRESENT,
  PTE_SOFT_DIRTY,
  PTE_SPECIAL,
  PTE_UFFD,
  PTE_WRITE,
  pteDirty,
  pteMkdirty,
  ptePfn,
  ptePresent,
  pteWrite,
} from '../machine/pte.ts';
import { type Kernel$, ObjectKind, Role, StepKind } from '../machine/step.ts';
import type { Folio, Pfn, Pte, Ptep, Vpn } from '../machine/units.ts';
import { anonVmaPrepare } from './anon-vma.ts';
import {
  clearPage,
  copyPage,
  folioAddLru,
  folioAlloc,
  folioGet,
  folioHandOver,
  folioIsLarge,
  folioPut,
  folioPutFresh,
  folioRefCount,
  folioSet,
  folioTest,
  folioTestAnon,
  folioTryGet,
  folioUnlockPut,
  lruAddDrain,
  pageAnonExclusive,
  pageFolio,
  setPageAnonExclusive,
} from './folio.ts';
import { handleHugePmdFault, wpCanReuseLargeAnonFolio } from './huge-memory.ts';
import { hugetlbFault } from './hugetlb.ts';
import type { Kernel } from './kernel.ts';
import {
  isDeviceExclusive,
  isDevicePrivate,
  isMigration,
  SWP_SOFT_DIRTY,
  SWP_UFFD,
  softleafFromPte,
  softleafToPfn,
} from './leafops.ts';
import { Holder } from './look/ledger.ts';
import { pagePgmap } from './memremap.ts';
import { migrationEntryWait, softleafEntryWaitOnLocked } from './migrate.ts';
import {
  MmuNotify,
  mmHasNotifiers,
  mmuNotifierInvalidateRangeEnd,
  mmuNotifierInvalidateRangeStart,
  notifierRange,
} from './mmu-notifier.ts';
import { checkStableAddressSpace } from './oom.ts';
import {
  allocatedStep,
  pmdAlloc,
  pteAlloc,
  pteOffsetMap,
  ptepGet,
  ptepGetAndClear,
  ptlOf,
  setPte,
} from './pgtable.ts';
import {
  folioAddFileRmapPte,
  folioAddNewAnonRmap,
  folioMoveAnonRmap,
  folioRemoveRmapPte,
} from './rmap.ts';
import { cachedFolio, SHMEM_MISSING, shmemFault } from './shmem.ts';
import { handleUserfault } from './userfaultfd.ts';
import {
  linearPageIndex,
  userfaultfdMissing,
  VM_HUGETLB,
  VM_MIXEDMAP,
  VM_SHARED,
  VM_WRITE,
  type Vma,
  vmaIsAnonymous,
  vmaIsCowMapping,
  vmaSoftDirtyEnabled,
} from './vma.ts';

export const FAULT_FLAG_WRITE = 1 << 0;
/** On behalf of somebody who is not the process. */
export const FAULT_FLAG_REMOTE = 1 << 1;
/** mmap_lock may be given up to wait for a folio's lock or a monitor; the caller tries again then. */
export const FAULT_FLAG_ALLOW_RETRY = 1 << 2;
/** mmap_lock was given up once. */
export const FAULT_FLAG_TRIED = 1 << 3;
/** A private page that is mapped read-only is to become the process's own, as if it were written. */
export const FAULT_FLAG_UNSHARE = 1 << 4;

export const VM_FAULT_OOM = 1 << 0;
export const VM_FAULT_SIGBUS = 1 << 1;
export const VM_FAULT_SIGSEGV = 1 << 6;
export const VM_FAULT_NOPAGE = 1 << 8;
/** mmap_lock was given up: the fault has to be made again. */
export const VM_FAULT_RETRY = 1 << 10;
export const VM_FAULT_FALLBACK = 1 << 11;
export const VM_FAULT_ERROR = VM_FAULT_OOM | VM_FAULT_SIGBUS | VM_FAULT_SIGSEGV;

/** Pages that a read fault of a file maps at once (fault_around_bytes). */
const FAULT_AROUND = 16;

/** struct vm_fault: a fault being handled. Entries are indices into the table pool, -1 for none. */
export interface VmFault {
  readonly vma: Vma;
  readonly vpn: Vpn;
  readonly flags: number;
  pmd: Ptep;
  /** The PMD entry as it was read without its lock. */
  origPmd: Pte;
  pte: Ptep;
  /** The entry as it was read without its lock. */
  origPte: Pte;
  ptl: Lock | null;
  /** The page that the fault is about, -1 for none. */
  page: Pfn;
}

/** Mirrors: include/linux/mm.h vm_fault_to_errno(); faithful */
export function vmFaultToErrno(fault: number): number {
  if (fault & VM_FAULT_OOM) return -ENOMEM;
  if (fault & (VM_FAULT_SIGBUS | VM_FAULT_SIGSEGV)) return -EFAULT;
  return 0;
}

/** The page behind an entry, or -1 for the zero page (vm_normal_page()). */
export function vmNormalPage(pte: Pte): Pfn {
  return pte & PTE_SPECIAL ? -1 : ptePfn(pte);
}

/** Writable if the area is (maybe_mkwrite()). */
export function maybeMkwrite(pte: Pte, vma: Vma): Pte {
  return vma.flags & VM_WRITE ? pte | PTE_WRITE : pte;
}

/** Takes the lock of the table below `vmf.pmd` (pte_offset_map_lock()); false: it is gone. */
function* mapLock(k: Kernel, vmf: VmFault): Kernel$<boolean> {
  for (;;) {
    const ptep = pteOffsetMap(k, vmf.pmd, vmf.vpn);
    vmf.pte = ptep;
    if (ptep < 0) {
      vmf.ptl = null;
      return false;
    }
    const ptl = ptlOf(k, ptep);
    const look = Role.Read;
    const flags = flagsOf(vmf.vma.mm);
    if (k.stepping)
      yield k.acquire(ptl).and(ObjectKind.Entry, ptep, look).and(ObjectKind.Mm, flags, look);
    k.lock(ptl);
    vmf.ptl = ptl;
    if (pteOffsetMap(k, vmf.pmd, vmf.vpn) === ptep) return true;
    if (k.stepping) yield k.release(ptl);
    k.unlock(ptl);
  }
}

function* unmapUnlock(k: Kernel, vmf: VmFault): Kernel$<void> {
  const ptl = k.present(vmf.ptl, 'the lock of a fault’s page table');
  if (k.stepping) yield k.release(ptl);
  k.unlock(ptl);
  vmf.ptl = null;
}

/** A page for a private mapping, zeroed or not; -1: no memory (folio_prealloc()). */
function* folioPrealloc(k: Kernel, zero: boolean): Kernel$<number> {
  if (k.stepping) yield k.allocateStep();
  const folio = folioAlloc(k, 0);
  if (folio < 0) return -1;
  if (zero) clearPage(k, folio);
  folioSet(k, folio, PG_UPTODATE);
  return folio;
}

/**
 * Mirrors: mm/memory.c do_anonymous_page()
 * simplified: base pages
 */
function* doAnonymousPage(k: Kernel, vmf: VmFault): Kernel$<number> {
  const { vma } = vmf;
  const { mm } = vma;
  yield* pteAlloc(k, mm, vmf.pmd);
  if (!(vmf.flags & FAULT_FLAG_WRITE)) {
    if (!(yield* mapLock(k, vmf))) return 0;
    let ret = 0;
    if (ptepGet(k, vmf.pte) === vmf.origPte) {
      ret = checkStableAddressSpace(mm);
      if (!ret && userfaultfdMissing(vma)) {
        yield* unmapUnlock(k, vmf);
        return yield* handleUserfault(k, vmf);
      }
      if (k.stepping && !ret) yield k.writeEntry(vmf.pte);
      if (!ret) setPte(k, vmf.pte, mkPte(k.zeroPfn, vma.pageProt) | PTE_SPECIAL);
    }
    yield* unmapUnlock(k, vmf);
    return ret;
  }
  yield* anonVmaPrepare(k, vma);
  const folio = yield* folioPrealloc(k, true);
  if (folio < 0) return VM_FAULT_OOM;
  const mapped = yield* mapLock(k, vmf);
  const same = mapped && ptepGet(k, vmf.pte) === vmf.origPte;
  const unstable = same ? checkStableAddressSpace(mm) : 0;
  if (!same || unstable) {
    yield* folioPutFresh(k, folio);
    if (mapped) yield* unmapUnlock(k, vmf);
    return unstable;
  }
  if (userfaultfdMissing(vma)) {
    yield* unmapUnlock(k, vmf);
    yield* folioPutFresh(k, folio);
    return yield* handleUserfault(k, vmf);
  }
  mm.anonPages++;
  folioHandOver(k, folio, Holder.Alloc, Holder.Mapping);
  folioAddNewAnonRmap(k, folio, vma, vmf.vpn);
  yield* folioAddLru(k, folio);
  let entry = mkPte(folio, vma.pageProt);
  if (vma.flags & VM_WRITE) entry = pteMkdirty(entry) | PTE_WRITE;
  if (k.stepping) yield k.writeEntry(vmf.pte);
  setPte(k, vmf.pte, entry);
  yield* unmapUnlock(k, vmf);
  return 0;
}

// ---- files ----

/**
 * Sets one entry of a file mapping.
 *
 * Mirrors: mm/memory.c set_pte_range()
 * simplified: base pages
 */
function* setFilePte(k: Kernel, vmf: VmFault, ptep: Ptep, page: Pfn, vpn: Vpn): Kernel$<void> {
  const { vma } = vmf;
  const write = (vmf.flags & FAULT_FLAG_WRITE) !== 0;
  let entry = mkPte(page, vma.pageProt);
  if (write) entry = maybeMkwrite(pteMkdirty(entry), vma);
  else if (pteWrite(entry) && folioTest(k, page, PG_DIRTY)) entry = pteMkdirty(entry);
  if (write && !(vma.flags & VM_SHARED)) {
    folioAddNewAnonRmap(k, page, vma, vpn);
    yield* folioAddLru(k, page);
    vma.mm.anonPages++;
  } else {
    folioAddFileRmapPte(k, page);
    vma.mm.filePages++;
  }
  if (k.stepping) yield k.writeEntry(ptep);
  setPte(k, ptep, entry);
}

/**
 * Maps a file's page, or the private copy of it. On success the mapping has the caller's reference.
 *
 * Mirrors: mm/memory.c finish_fault()
 * simplified: base pages
 * @param holder whose reference the caller holds
 */
function* finishFault(k: Kernel, vmf: VmFault, page: Pfn, holder: Holder): Kernel$<number> {
  const { vma } = vmf;
  if (!(vma.flags & VM_SHARED)) {
    if (k.stepping) yield k.step(StepKind.Shared, ObjectKind.Mm, flagsOf(vma.mm), Role.Read);
    const unstable = checkStableAddressSpace(vma.mm);
    if (unstable) return unstable;
  }
  yield* pteAlloc(k, vmf.vma.mm, vmf.pmd);
  if (!(yield* mapLock(k, vmf))) return VM_FAULT_NOPAGE;
  let ret = VM_FAULT_NOPAGE;
  if (ptepGet(k, vmf.pte) === vmf.origPte) {
    if (k.stepping) yield k.writeFolio(page);
    // whoever sees the entry may take the page away again
    folioHandOver(k, page, holder, Holder.Mapping);
    yield* setFilePte(k, vmf, vmf.pte, page, vmf.vpn);
    ret = 0;
  }
  yield* unmapUnlock(k, vmf);
  return ret;
}

/** The file's page, locked and referenced in `vmf.page` (__do_fault()); or VM_FAULT_*. */
function* doFileFault(k: Kernel, vmf: VmFault): Kernel$<number> {
  const file = k.present(vmf.vma.file, 'the file of an area');
  const index = linearPageIndex(vmf.vma, vmf.vpn);
  const folio = yield* shmemFault(k, file, index, userfaultfdMissing(vmf.vma));
  if (folio === SHMEM_MISSING) return yield* handleUserfault(k, vmf);
  if (folio === -1) return VM_FAULT_OOM;
  if (folio < 0) return VM_FAULT_SIGBUS;
  vmf.page = folio;
  return 0;
}

/**
 * Maps the pages around the fault that the page cache has.
 *
 * Mirrors: mm/memory.c do_fault_around(), mm/filemap.c filemap_map_pages()
 * faithful
 * @returns VM_FAULT_NOPAGE when the faulting page is among them
 */
function* doFaultAround(k: Kernel, vmf: VmFault): Kernel$<number> {
  const { vma } = vmf;
  const { ptrsPerPte } = k.geometry;
  const around = Math.min(FAULT_AROUND, ptrsPerPte);
  const pteOff = vmf.vpn & (ptrsPerPte - 1);
  const vmaOff = vmf.vpn - vma.start;
  const from = Math.max(pteOff - (pteOff % around), pteOff - Math.min(pteOff, vmaOff));
  const to = Math.min(from + around, ptrsPerPte, pteOff + vma.pages - vmaOff) - 1;
  const file = k.present(vma.file, 'the file of an area');
  yield* pteAlloc(k, vma.mm, vmf.pmd);
  if (!(yield* mapLock(k, vmf))) return 0;
  let ret = 0;
  for (let off = from; off <= to; off++) {
    const vpn = vmf.vpn + (off - pteOff);
    const folio = yield* cachedFolio(k, file, linearPageIndex(vma, vpn));
    const ptep = vmf.pte + (off - pteOff);
    if (folio < 0) continue;
    if (ptepGet(k, ptep) !== 0) {
      yield* folioUnlockPut(k, folio, Holder.Fault);
      continue;
    }
    if (k.stepping) yield k.writeFolio(folio);
    folioGet(k, folio, Holder.Mapping);
    yield* setFilePte(k, vmf, ptep, folio, vpn);
    yield* folioUnlockPut(k, folio, Holder.Fault);
    if (vpn === vmf.vpn) ret = VM_FAULT_NOPAGE;
  }
  yield* unmapUnlock(k, vmf);
  return ret;
}

/** Mirrors: mm/memory.c do_read_fault(); faithful */
function* doReadFault(k: Kernel, vmf: VmFault): Kernel$<number> {
  let ret = yield* doFaultAround(k, vmf);
  if (ret) return ret;
  ret = yield* doFileFault(k, vmf);
  if (ret) return ret;
  const folio = vmf.page;
  ret = yield* finishFault(k, vmf, folio, Holder.Fault);
  if (k.stepping) yield k.releaseFolio(folio);
  k.folioUnlock(folio);
  if (ret & (VM_FAULT_ERROR | VM_FAULT_NOPAGE)) yield* folioPut(k, folio, Holder.Fault);
  return ret;
}

/** Mirrors: mm/memory.c do_cow_fault(); faithful */
function* doCowFault(k: Kernel, vmf: VmFault): Kernel$<number> {
  yield* anonVmaPrepare(k, vmf.vma);
  const copy = yield* folioPrealloc(k, false);
  if (copy < 0) return VM_FAULT_OOM;
  let ret = yield* doFileFault(k, vmf);
  if (!ret) {
    if (k.stepping) yield k.copyStep(copy, vmf.page);
    copyPage(k, copy, vmf.page);
    ret = yield* finishFault(k, vmf, copy, Holder.Alloc);
    if (k.stepping) yield k.releaseFolio(vmf.page);
    k.folioUnlock(vmf.page);
    yield* folioPut(k, vmf.page, Holder.Fault);
  }
  if (ret & (VM_FAULT_ERROR | VM_FAULT_NOPAGE | VM_FAULT_RETRY)) {
    yield* folioPutFresh(k, copy);
  }
  return ret;
}

/** Mirrors: mm/memory.c do_shared_fault(), fault_dirty_shared_page(); faithful */
function* doSharedFault(k: Kernel, vmf: VmFault): Kernel$<number> {
  let ret = yield* doFileFault(k, vmf);
  if (ret) return ret;
  const folio = vmf.page;
  ret = yield* finishFault(k, vmf, folio, Holder.Fault);
  if (!ret) {
    if (k.stepping) yield k.writeFolio(folio);
    folioSet(k, folio, PG_DIRTY);
  }
  if (k.stepping) yield k.releaseFolio(folio);
  k.folioUnlock(folio);
  if (ret) yield* folioPut(k, folio, Holder.Fault);
  return ret;
}

/**
 * A fault where a driver mapped all that there is when it made the area.
 *
 * Mirrors: mm/memory.c do_fault(), without vm_ops->fault
 * faithful
 */
function* doFaultWithoutOps(k: Kernel, vmf: VmFault): Kernel$<number> {
  if (!(yield* mapLock(k, vmf))) return VM_FAULT_SIGBUS;
  // somebody may have had it cleared for a moment
  const ret = ptepGet(k, vmf.pte) === 0 ? VM_FAULT_SIGBUS : VM_FAULT_NOPAGE;
  yield* unmapUnlock(k, vmf);
  return ret;
}

/** Mirrors: mm/memory.c do_fault(); faithful */
function doFault(k: Kernel, vmf: VmFault): Kernel$<number> {
  if (vmf.vma.flags & VM_MIXEDMAP) return doFaultWithoutOps(k, vmf);
  if (!(vmf.flags & FAULT_FLAG_WRITE)) return doReadFault(k, vmf);
  if (!(vmf.vma.flags & VM_SHARED)) return doCowFault(k, vmf);
  return doSharedFault(k, vmf);
}

// ---- entries that are not present ----

/**
 * The entry that gives a page back from a device's exclusive use. The folio and the table are
 * locked.
 *
 * Mirrors: mm/memory.c restore_exclusive_pte()
 * faithful
 */
export function restoreExclusivePte(
  k: Kernel,
  vma: Vma,
  folio: Folio,
  page: Pfn,
  origPte: Pte,
): number {
  k.warn(!k.folioLocked(folio), 'an exclusive entry is restored without the folio lock');
  let pte = mkPte(page, vma.pageProt) & ~PTE_ACCESSED;
  if (origPte & SWP_SOFT_DIRTY) pte |= PTE_SOFT_DIRTY;
  if (origPte & SWP_UFFD) pte |= PTE_UFFD;
  if (vma.flags & VM_WRITE && canChangePteWritable(k, vma, pte)) {
    if (folioTest(k, folio, PG_DIRTY)) pte = pteMkdirty(pte);
    pte |= PTE_WRITE;
  }
  return pte;
}

/**
 * Whether an entry may become writable without a fault.
 *
 * Mirrors: mm/mprotect.c can_change_pte_writable()
 * simplified: no userfaultfd-wp
 */
export function canChangePteWritable(k: Kernel, vma: Vma, pte: Pte): boolean {
  if (!(pte & PTE_PRESENT)) return false;
  if (vmaSoftDirtyEnabled(vma) && !(pte & PTE_SOFT_DIRTY)) return false;
  if (vma.flags & VM_SHARED) return pteDirty(pte);
  const page = vmNormalPage(pte);
  return page >= 0 && folioTestAnon(k, pageFolio(k, page)) && pageAnonExclusive(k, page);
}

/**
 * Locks a folio that the caller holds a reference on; rather than wait with mmap_lock it may give that
 * up.
 *
 * Mirrors: include/linux/pagemap.h folio_lock_or_retry(), mm/filemap.c __folio_lock_or_retry()
 * simplified: nobody is killed
 * @returns 0 when it is locked, else VM_FAULT_RETRY
 */
function* folioLockOrRetry(k: Kernel, folio: Folio, vmf: VmFault): Kernel$<number> {
  const { mmapLock } = vmf.vma.mm;
  if ((vmf.flags & (FAULT_FLAG_ALLOW_RETRY | FAULT_FLAG_TRIED)) !== FAULT_FLAG_ALLOW_RETRY) {
    if (k.stepping) yield k.acquireFolio(folio);
    k.folioLock(folio);
    return 0;
  }
  if (k.stepping) yield k.tryAcquireFolio(folio);
  if (k.folioTryLock(folio)) return 0;
  if (k.stepping) yield k.release(mmapLock);
  k.unlockShared(mmapLock);
  const ready = () => !k.folioLocked(folio);
  if (k.stepping) yield k.waitFor(ObjectKind.FolioLock, folio, ready, Role.AcquireShared);
  k.waited(ready(), `the lock of folio ${folio}`);
  return VM_FAULT_RETRY;
}

/**
 * Mirrors: mm/memory.c remove_device_exclusive_entry()
 * faithful
 */
function* removeDeviceExclusiveEntry(k: Kernel, vmf: VmFault): Kernel$<number> {
  const { vma } = vmf;
  const folio = pageFolio(k, vmf.page);
  if (k.stepping) yield k.writeFolio(folio);
  if (!folioTryGet(k, folio, Holder.Fault)) return 0;
  const retry = yield* folioLockOrRetry(k, folio, vmf);
  if (retry) {
    yield* folioPut(k, folio, Holder.Fault);
    return retry;
  }
  const range = notifierRange(MmuNotify.Clear, vma.mm, vmf.vpn, vmf.vpn + 1);
  yield* mmuNotifierInvalidateRangeStart(k, range);
  if (yield* mapLock(k, vmf)) {
    if (ptepGet(k, vmf.pte) === vmf.origPte) {
      if (k.stepping) yield k.writeEntry(vmf.pte);
      setPte(k, vmf.pte, restoreExclusivePte(k, vma, folio, vmf.page, vmf.origPte));
    }
    yield* unmapUnlock(k, vmf);
  }
  if (k.stepping) yield k.releaseFolio(folio);
  k.folioUnlock(folio);
  yield* folioPut(k, folio, Holder.Fault);
  yield* mmuNotifierInvalidateRangeEnd(k, range);
  return 0;
}

/**
 * A fault on an entry that is not present.
 *
 * Mirrors: mm/memory.c do_swap_page()
 * simplified: no swap
 */
export function* doSwapPage(k: Kernel, vmf: VmFault): Kernel$<number> {
  const entry = softleafFromPte(vmf.origPte);
  if (isMigration(entry)) {
    yield* migrationEntryWait(k, vmf.pmd, vmf.vpn);
    return 0;
  }
  if (isDeviceExclusive(entry)) {
    vmf.page = softleafToPfn(entry);
    return yield* removeDeviceExclusiveEntry(k, vmf);
  }
  if (!isDevicePrivate(entry)) {
    k.report('bad entry', 'a page-table entry of an unknown kind');
    return VM_FAULT_SIGBUS;
  }
  vmf.page = softleafToPfn(entry);
  if (!(yield* mapLock(k, vmf))) return 0;
  if (ptepGet(k, vmf.pte) !== vmf.origPte) {
    yield* unmapUnlock(k, vmf);
    return 0;
  }
  const folio = pageFolio(k, vmf.page);
  if (k.stepping) yield k.tryAcquireFolio(folio);
  if (!k.folioTryLock(folio)) {
    const ptl = k.present(vmf.ptl, 'the lock of a fault’s page table');
    vmf.ptl = null;
    yield* softleafEntryWaitOnLocked(k, entry, ptl);
    return 0;
  }
  folioGet(k, folio, Holder.Fault);
  yield* unmapUnlock(k, vmf);
  const ret = yield* pagePgmap(k, vmf.page).ops.migrateToRam(k, vmf);
  // the folio may have been split meanwhile: the page is what we locked and hold
  const now = pageFolio(k, vmf.page);
  if (k.stepping) yield k.releaseFolio(now);
  k.folioUnlock(now);
  yield* folioPut(k, now, Holder.Fault);
  return ret;
}

// ---- write protection ----

/**
 * Lets the faulting process write to the page that it has.
 *
 * Mirrors: mm/memory.c wp_page_reuse()
 * faithful
 */
function* wpPageReuse(k: Kernel, vmf: VmFault): Kernel$<void> {
  const entry = maybeMkwrite(pteMkdirty(vmf.origPte | PTE_ACCESSED), vmf.vma);
  if (k.stepping) yield k.writeEntry(vmf.pte);
  // the hardware may have set bits since: they are all set here
  setPte(k, vmf.pte, entry);
  yield* unmapUnlock(k, vmf);
}

/** Mirrors: mm/memory.c wp_page_shared(); simplified: files in memory do not want to know */
function* wpPageShared(k: Kernel, vmf: VmFault, folio: Folio): Kernel$<number> {
  if (k.stepping) yield k.writeFolio(folio);
  folioGet(k, folio, Holder.Fault);
  yield* wpPageReuse(k, vmf);
  if (k.stepping) yield k.acquireFolio(folio);
  k.folioLock(folio);
  if (k.stepping) yield k.writeFolio(folio);
  folioSet(k, folio, PG_DIRTY);
  if (k.stepping) yield k.releaseFolio(folio);
  k.folioUnlock(folio);
  yield* folioPut(k, folio, Holder.Fault);
  return 0;
}

/**
 * Whether an anonymous folio that is not exclusive belongs to the faulting process alone by now.
 *
 * Mirrors: mm/memory.c wp_can_reuse_anon_folio()
 * simplified: no KSM, no swap cache
 */
function* wpCanReuseAnonFolio(k: Kernel, folio: Folio, vma: Vma): Kernel$<boolean> {
  if (k.stepping) yield k.readFolio(folio);
  if (folioIsLarge(k, folio)) return wpCanReuseLargeAnonFolio(k, folio, vma);
  const maybeInBatch = !folioTest(k, folio, PG_LRU);
  if (folioRefCount(k, folio) > 1 + (maybeInBatch ? 1 : 0)) return false;
  if (maybeInBatch) {
    yield* lruAddDrain(k);
    if (k.stepping) yield k.readFolio(folio);
  }
  if (folioRefCount(k, folio) > 1) return false;
  if (k.stepping) yield k.tryAcquireFolio(folio);
  if (!k.folioTryLock(folio)) return false;
  if (k.stepping) yield k.writeFolio(folio);
  const alone = folioRefCount(k, folio) === 1;
  if (alone) folioMoveAnonRmap(k, folio, vma);
  if (k.stepping) yield k.releaseFolio(folio);
  k.folioUnlock(folio);
  return alone;
}

/**
 * Gives the faulting process its own copy.
 *
 * Mirrors: mm/memory.c wp_page_copy()
 * faithful
 */
function* wpPageCopy(k: Kernel, vmf: VmFault): Kernel$<number> {
  const { vma } = vmf;
  const { mm } = vma;
  const old = vmf.page < 0 ? -1 : pageFolio(k, vmf.page);
  yield* anonVmaPrepare(k, vma);
  const fresh = yield* folioPrealloc(k, vmf.page < 0);
  if (fresh < 0) {
    if (old >= 0) yield* folioPut(k, old, Holder.Fault);
    return VM_FAULT_OOM;
  }
  if (vmf.page >= 0) {
    if (k.stepping) yield k.copyStep(fresh, vmf.page);
    copyPage(k, fresh, vmf.page);
  }
  const range = notifierRange(MmuNotify.Clear, mm, vmf.vpn, vmf.vpn + 1);
  const notify = mmHasNotifiers(mm);
  if (notify) yield* mmuNotifierInvalidateRangeStart(k, range);
  const mapped = yield* mapLock(k, vmf);
  let copied = false;
  if (mapped && ptepGet(k, vmf.pte) === vmf.origPte) {
    if (old < 0) mm.anonPages++;
    else if (!folioTestAnon(k, old)) {
      mm.filePages--;
      mm.anonPages++;
    }
    let entry = mkPte(fresh, vma.pageProt);
    if (vmf.flags & FAULT_FLAG_UNSHARE) entry |= vmf.origPte & (PTE_SOFT_DIRTY | PTE_UFFD);
    else entry = maybeMkwrite(pteMkdirty(entry), vma);
    if (k.stepping) yield k.writeEntry(vmf.pte);
    ptepGetAndClear(k, vmf.pte);
    if (k.stepping) yield k.flushStep(mm.id);
    k.flushTlbPage(mm.id, vmf.vpn);
    folioHandOver(k, fresh, Holder.Alloc, Holder.Mapping);
    folioAddNewAnonRmap(k, fresh, vma, vmf.vpn);
    yield* folioAddLru(k, fresh);
    if (k.stepping) yield k.writeEntry(vmf.pte);
    setPte(k, vmf.pte, entry);
    if (old >= 0) {
      if (k.stepping) yield k.writeFolio(old);
      folioRemoveRmapPte(k, old, vmf.page, vma);
    }
    copied = true;
  }
  if (mapped) yield* unmapUnlock(k, vmf);
  if (notify) yield* mmuNotifierInvalidateRangeEnd(k, range);
  if (!copied) {
    yield* folioPutFresh(k, fresh);
  } else if (old >= 0) yield* folioPut(k, old, Holder.Mapping);
  if (old >= 0) yield* folioPut(k, old, Holder.Fault);
  return 0;
}

/**
 * A write to a page that is mapped read-only, or one that is to become the process's own. The table is
 * locked; unlocks it.
 *
 * Mirrors: mm/memory.c do_wp_page()
 * simplified: no userfaultfd-wp
 */
function* doWpPage(k: Kernel, vmf: VmFault): Kernel$<number> {
  const { vma } = vmf;
  vmf.page = vmNormalPage(vmf.origPte);
  const folio = vmf.page < 0 ? -1 : pageFolio(k, vmf.page);
  if (vma.flags & VM_SHARED) {
    if (folio < 0) {
      yield* wpPageReuse(k, vmf);
      return 0;
    }
    return yield* wpPageShared(k, vmf, folio);
  }
  if (folio >= 0 && folioTestAnon(k, folio)) {
    if (pageAnonExclusive(k, vmf.page) || (yield* wpCanReuseAnonFolio(k, folio, vma))) {
      setPageAnonExclusive(k, vmf.page);
      yield* vmf.flags & FAULT_FLAG_UNSHARE ? unmapUnlock(k, vmf) : wpPageReuse(k, vmf);
      return 0;
    }
  }
  if (folio >= 0) {
    if (k.stepping) yield k.writeFolio(folio);
    folioGet(k, folio, Holder.Fault);
  }
  yield* unmapUnlock(k, vmf);
  return yield* wpPageCopy(k, vmf);
}

/**
 * Mirrors: mm/memory.c handle_pte_fault()
 * simplified: no NUMA balancing; a table that was taken out is free at once
 */
function* handlePteFault(k: Kernel, vmf: VmFault): Kernel$<number> {
  vmf.pte = -1;
  vmf.origPte = 0;
  if (k.stepping) yield k.readEntry(vmf.pmd);
  if (ptepGet(k, vmf.pmd) !== 0) {
    vmf.pte = pteOffsetMap(k, vmf.pmd, vmf.vpn);
    if (vmf.pte < 0) return 0;
    if (k.stepping) yield k.readEntry(vmf.pte).and(ObjectKind.Entry, vmf.pmd, Role.Read);
    // a table that was taken out is freed after a grace period, which waits for this look: its entries are empty
    const isThere = pteOffsetMap(k, vmf.pmd, vmf.vpn) === vmf.pte;
    vmf.origPte = isThere ? ptepGet(k, vmf.pte) : 0;
  }
  if (vmf.origPte === 0) {
    return vmaIsAnonymous(vmf.vma) ? yield* doAnonymousPage(k, vmf) : yield* doFault(k, vmf);
  }
  if (!ptePresent(vmf.origPte)) return yield* doSwapPage(k, vmf);
  if (!(yield* mapLock(k, vmf))) return 0;
  if (ptepGet(k, vmf.pte) !== vmf.origPte) {
    yield* unmapUnlock(k, vmf);
    return 0;
  }
  let entry = vmf.origPte;
  if (vmf.flags & (FAULT_FLAG_WRITE | FAULT_FLAG_UNSHARE)) {
    if (!pteWrite(entry)) return yield* doWpPage(k, vmf);
    if (vmf.flags & FAULT_FLAG_WRITE) entry = pteMkdirty(entry);
  }
  entry |= PTE_ACCESSED;
  if (entry !== vmf.origPte) {
    if (k.stepping) yield k.writeEntry(vmf.pte);
    setPte(k, vmf.pte, ptepGet(k, vmf.pte) | entry);
  } else if (vmf.flags & FAULT_FLAG_WRITE) {
    // somebody else resolved it: a stale entry of this CPU's TLB may be the reason
    if (k.stepping) yield k.flushStep(vmf.vma.mm.id);
    k.flushTlbPage(vmf.vma.mm.id, vmf.vpn);
  }
  yield* unmapUnlock(k, vmf);
  return 0;
}

/**
 * Handles a page fault; mmap_lock is held for reading.
 *
 * Mirrors: mm/memory.c handle_mm_fault(), __handle_mm_fault()
 * simplified: gives mmap_lock up at device-exclusive entries and for a monitor (userfaultfd) only
 * @param how FAULT_FLAG_*
 * @returns VM_FAULT_*, 0 when the access can be tried again
 */
export function* handleMmFault(k: Kernel, vma: Vma, vpn: Vpn, how: number): Kernel$<number> {
  // nobody has a page of his own in a shared area: that is an ordinary read
  const flags = vmaIsCowMapping(vma) ? how : how & ~FAULT_FLAG_UNSHARE;
  k.counters.faults++;
  if (vma.detached) k.report('use after free', 'a fault in an area that was taken out');
  if (flags & FAULT_FLAG_WRITE && !(vma.flags & VM_WRITE)) {
    if (k.warn(!vmaIsCowMapping(vma), 'a write fault in a shared area without write permission')) {
      return VM_FAULT_SIGSEGV;
    }
  }
  if (vma.flags & VM_HUGETLB) return yield* hugetlbFault(k, vma, vpn, flags);
  const vmf: VmFault = {
    vma,
    vpn,
    flags,
    pmd: yield* pmdAlloc(k, vma.mm, vpn),
    origPmd: 0,
    pte: -1,
    origPte: 0,
    ptl: null,
    page: -1,
  };
  if (k.stepping) yield allocatedStep(k, vma.mm, vpn, vmf.pmd);
  const huge = yield* handleHugePmdFault(k, vmf);
  if (!(huge & VM_FAULT_FALLBACK)) return huge;
  return yield* handlePteFault(k, vmf);
}

/** For a caller that drops the last reference of what it found. */
