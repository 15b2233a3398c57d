/**
 * Private mappings of huge pages from the pool: mmap() with MAP_HUGETLB. One entry of the PMD level maps
 * a huge page, and no table stands by for it; such a page is never split, migrated or reclaimed.
 *
 * Models: mm/hugetlb.c
 */
import { EINVAL, ENOMEM } from '../machine/errno.ts';
import type { Lock } from '../machine/lock.ts';
import { PG_DIRTY, PG_RESTORE_RESERVE, PG_UPTODATE } from '../machine/page.ts';
import {
  PTE_ACCESSED,
  PTE_WRITE,
  pteDirty,
  pteMkdirty,
  pteModify,
  ptePfn,
  ptePresent,
  pteWrite,
} from '../machine/pte.ts';
import { type Kernel$, ObjectKind, Role, type Step } from '../machine/step.ts';
import type { Folio, Pgoff, Pte, Ptep, Vpn } from '../machine/units.ts';
import { anonVmaPrepare } from './anon-vma.ts';
import { FAULT_FLAG_UNSHARE, FAULT_FLAG_WRITE, VM_FAULT_SIGBUS } from './fault.ts';
import {
  clearPage,
  copyPage,
  folioGet,
  folioHandOver,
  folioMapcount,
  folioPut,
  folioSet,
  folioTest,
  folioTestAnon,
  pageAnonExclusive,
  pageFolio,
  setPageAnonExclusive,
} from './folio.ts';
import { lockSource, unlockSource } from './fork.ts';
import { mkHugePmd, touchPmd } from './huge-memory.ts';
import { ReserveMap } from './hugetlb-pool.ts';
import type { Kernel } from './kernel.ts';
import { Holder } from './look/ledger.ts';
import type { Mm } from './mm.ts';
import { mmapRegion } from './mmap.ts';
import {
  MmuNotify,
  mmuNotifierInvalidateRangeEnd,
  mmuNotifierInvalidateRangeStart,
  notifierRange,
} from './mmu-notifier.ts';
import {
  allocatedStep,
  hugeStart,
  lackStep,
  lacksTable,
  pmdAlloc,
  pmdpOf,
  ptepGet,
  ptepGetAndClear,
  ptlOf,
  setPte,
} from './pgtable.ts';
import {
  folioMoveAnonRmap,
  hugetlbAddNewAnonRmap,
  hugetlbRemoveRmap,
  hugetlbTryDupAnonRmap,
} from './rmap.ts';
import { AddressSpace, evictFile } from './shmem.ts';
import { handleUserfault } from './userfaultfd.ts';
import {
  isVmHugetlbPage,
  linearPageIndex,
  userfaultfdMissing,
  VM_DONTEXPAND,
  VM_HUGETLB,
  VM_WRITE,
  type Vma,
} from './vma.ts';
import { MmuGather, tlbFinishMmu, tlbFlushOnly } from './zap.ts';

// ---- areas ----

/** Mirrors: include/linux/hugetlb.h is_file_hugepages(); faithful */
export function isFileHugepages(file: AddressSpace): boolean {
  return file.faultMutexes.length > 0;
}

/** A page number that is a multiple of the huge page's pages, from below or from above. */
export function alignHuge(k: Kernel, vpn: Vpn): Vpn {
  return hugeStart(k, vpn + k.geometry.ptrsPerPte - 1);
}
export function isHugeAligned(k: Kernel, vpn: Vpn): boolean {
  return hugeStart(k, vpn) === vpn;
}

/**
 * Whether an area can be split at a page, where its ends are not.
 *
 * Mirrors: mm/hugetlb.c hugetlb_vm_op_split()
 * faithful
 * @returns 0 or -EINVAL
 */
export function maySplit(k: Kernel, vma: Vma, at: Vpn): number {
  if (!isVmHugetlbPage(vma) || at <= vma.start || at >= vma.end) return 0;
  return isHugeAligned(k, at) ? 0 : -EINVAL;
}

/** The number of a huge page in its file (vma_hugecache_offset()). */
function hugecacheOffset(k: Kernel, vma: Vma, address: Vpn): Pgoff {
  return linearPageIndex(vma, address) / k.geometry.ptrsPerPte;
}

/** Huge pages of an area that are promised to it. */
export function reservedIn(k: Kernel, vma: Vma): number {
  if (vma.resv === null) return 0;
  const start = hugecacheOffset(k, vma, vma.start);
  const end = hugecacheOffset(k, vma, vma.end);
  let used = 0;
  for (const index of vma.resv.used) if (index >= start && index < end) used++;
  return end - start - used;
}

/**
 * Takes the area's lock, which keeps its entries from being taken away; only the maker of a private
 * mapping has one.
 *
 * Mirrors: mm/hugetlb.c hugetlb_vma_lock_read()
 * simplified: private mappings
 */
export function* hugetlbVmaLockRead(k: Kernel, vma: Vma): Kernel$<void> {
  if (vma.resv === null) return;
  if (k.stepping) yield k.acquire(vma.resv.lock, true);
  k.lockShared(vma.resv.lock);
}

/** Mirrors: mm/hugetlb.c hugetlb_vma_unlock_read(); simplified: private mappings */
export function* hugetlbVmaUnlockRead(k: Kernel, vma: Vma): Kernel$<void> {
  if (vma.resv === null) return;
  if (k.stepping) yield k.release(vma.resv.lock);
  k.unlockShared(vma.resv.lock);
}

/**
 * Takes the locks under which entries of an area may be taken away: its own, and its file's.
 *
 * Mirrors: mm/hugetlb.c __hugetlb_zap_begin()
 * simplified: tables are not shared
 */
export function* hugetlbZapBegin(k: Kernel, vma: Vma): Kernel$<void> {
  const file = k.present(vma.file, 'the file of an area');
  if (vma.resv) {
    if (k.stepping) yield k.acquire(vma.resv.lock);
    k.lock(vma.resv.lock);
  }
  if (k.stepping) yield k.acquire(file.lock);
  k.lock(file.lock);
}

/** Mirrors: mm/hugetlb.c __hugetlb_zap_end(); faithful */
export function* hugetlbZapEnd(k: Kernel, vma: Vma): Kernel$<void> {
  const file = k.present(vma.file, 'the file of an area');
  if (vma.resv) {
    if (k.stepping) yield k.release(vma.resv.lock);
    k.unlock(vma.resv.lock);
  }
  if (k.stepping) yield k.release(file.lock);
  k.unlock(file.lock);
}

/**
 * A file for `pages` pages of huge pages, a whole number of those.
 *
 * Mirrors: fs/hugetlbfs/inode.c hugetlb_file_setup()
 * simplified: without quota and limits
 */
export function hugetlbFileSetup(k: Kernel, pages: number): AddressSpace {
  const file = new AddressSpace(k.newLock('i_mmap_rwsem', 'rwsem'), pages);
  file.number = k.addMapping(file);
  for (let at = 0; at < pages; at += k.geometry.ptrsPerPte) {
    file.faultMutexes.push(k.newLock('hugetlb_fault_mutex', 'mutex'));
  }
  return file;
}

/**
 * Makes an area one of huge pages, and reserves all of them: the maker of a private mapping is to get
 * every page that he will ask for.
 *
 * Mirrors: fs/hugetlbfs/inode.c hugetlbfs_file_mmap(), mm/hugetlb.c hugetlb_reserve_pages()
 * simplified: private mappings, no control groups
 * @returns 0, or -ENOMEM when the pool has not got so many
 */
function* hugetlbfsFileMmap(k: Kernel, vma: Vma): Kernel$<number> {
  vma.flags |= VM_HUGETLB | VM_DONTEXPAND;
  if (k.stepping) yield k.poolStep();
  if (!k.hugetlb.account(vma.pages / k.geometry.ptrsPerPte)) return -ENOMEM;
  vma.resv = new ReserveMap(k.newLock('hugetlb reservations', 'rwsem'));
  return 0;
}

/**
 * mmap(2) with MAP_PRIVATE, MAP_ANONYMOUS, MAP_HUGETLB and MAP_FIXED_NOREPLACE; the length is rounded up
 * to huge pages.
 *
 * Mirrors: mm/mmap.c ksys_mmap_pgoff(), fs/hugetlbfs/inode.c hugetlb_get_unmapped_area()
 * simplified: huge pages of the PMD's size
 * @param flags VM_READ, VM_WRITE
 * @returns 0; -EINVAL when the start is not that of a huge page; -EEXIST; -ENOMEM when the pool is short
 */
export function* mmapHugetlb(
  k: Kernel,
  mm: Mm,
  start: Vpn,
  end: Vpn,
  flags: number,
): Kernel$<number> {
  const pages = alignHuge(k, end - start);
  const file = hugetlbFileSetup(k, pages);
  const ret = isHugeAligned(k, start)
    ? yield* mmapRegion(k, mm, start, start + pages, flags, file, hugetlbfsFileMmap)
    : -EINVAL;
  if (ret) yield* evictFile(k, file);
  return ret;
}

/**
 * Two areas have what one had (hugetlb_vm_op_open()). The maker's reservations stay the maker's: the area
 * of a child is a new one without any (hugetlb_dup_vma_private()).
 */
export function hugetlbVmOpOpen(vma: Vma, from: Vma): void {
  vma.resv = from.resv;
  vma.resvUnmapped = from.resvUnmapped;
  if (vma.resv) vma.resv.refs++;
}

/**
 * The area is gone: what it had reserved and has not used is given back.
 *
 * Mirrors: mm/hugetlb.c hugetlb_vm_op_close()
 * faithful
 */
export function* hugetlbVmOpClose(k: Kernel, vma: Vma): Kernel$<void> {
  if (vma.resv === null) return;
  const reserve = reservedIn(k, vma);
  if (k.stepping && reserve) yield k.poolStep();
  k.hugetlb.account(-reserve);
  vma.resv.refs--;
  vma.resv = null;
}

/**
 * What an area has reserved has moved with its copy. All of it: when a part of the area moves, the rest
 * is not the maker's any more. What it had promised stays promised to nobody.
 *
 * Mirrors: mm/hugetlb.c fixup_hugetlb_reservations(), clear_vma_resv_huge_pages()
 * faithful
 * @param copy the area at the new place
 */
export function* fixupHugetlbReservations(k: Kernel, vma: Vma, copy: Vma): Kernel$<void> {
  if (!isVmHugetlbPage(vma) || vma.resv === null) return;
  const file = k.present(vma.file, 'the file of an area');
  if (k.stepping) yield k.acquire(file.lock);
  k.lock(file.lock);
  k.hugetlb.lost += reservedIn(k, vma) - reservedIn(k, copy);
  vma.resv.refs--;
  vma.resv = null;
  vma.resvUnmapped = false;
  if (k.stepping) yield k.release(file.lock);
  k.unlock(file.lock);
}

// ---- taking from the pool ----

/** The step before a huge page is taken: which one it is shows. */
function takeStep(k: Kernel): Step {
  const { next } = k.hugetlb;
  return k.poolStep(next >= 0 ? next : k.pages.nextFree(k.geometry.pmdOrder, k.current.cpu));
}

/** Whether the area's process must do without a promise for a huge page (vma_needs_reservation()). */
function needsReservation(k: Kernel, vma: Vma, address: Vpn): boolean {
  return vma.resv === null || vma.resv.used.has(hugecacheOffset(k, vma, address));
}

/**
 * Takes a huge page: a promised one, or one that is promised to nobody.
 *
 * Mirrors: mm/hugetlb.c alloc_hugetlb_folio(), hugetlb_alloc_folio()
 * simplified: the pool does not grow; no subpools, control groups and memory policies
 * @param cowFromOwner a copy of a page for which the promise was kept already
 * @returns the folio with one reference (holder Alloc), or -1
 */
function* allocHugetlbFolio(
  k: Kernel,
  vma: Vma,
  address: Vpn,
  cowFromOwner: boolean,
): Kernel$<number> {
  const pool = k.hugetlb;
  const promised = !cowFromOwner && !needsReservation(k, vma, address);
  if (k.stepping) yield takeStep(k);
  if (!promised && pool.free - pool.reserved <= 0) return -1;
  const folio = pool.take(k);
  if (folio < 0) return -1;
  k.ledger?.get(folio, Holder.Alloc);
  if (promised) {
    folioSet(k, folio, PG_RESTORE_RESERVE);
    pool.reserved--;
  }
  if (!cowFromOwner) vma.resv?.used.add(hugecacheOffset(k, vma, address));
  return folio;
}

/**
 * A huge page that was taken is not used after all: the promise stands again.
 *
 * Mirrors: mm/hugetlb.c restore_reserve_on_error()
 * simplified: private mappings; nothing has to be allocated
 */
function restoreReserveOnError(k: Kernel, vma: Vma, address: Vpn, folio: Folio): void {
  if (!folioTest(k, folio, PG_RESTORE_RESERVE)) return;
  vma.resv?.used.delete(hugecacheOffset(k, vma, address));
}

/** The entry of a huge page of the pool (make_huge_pte()). */
function makeHugePte(vma: Vma, folio: Folio, tryMkwrite: boolean): Pte {
  const entry = mkHugePmd(folio, vma.pageProt) | PTE_ACCESSED;
  return tryMkwrite && vma.flags & VM_WRITE ? pteMkdirty(entry) | PTE_WRITE : entry & ~PTE_WRITE;
}

function* copyHugePage(k: Kernel, to: Folio, from: Folio): Kernel$<void> {
  for (let i = 0; i < k.geometry.ptrsPerPte; i++) {
    if (k.stepping) yield k.copyStep(to + i, from + i);
    copyPage(k, to + i, from + i);
  }
  folioSet(k, to, PG_UPTODATE);
}

// ---- faults ----

/** A fault in an area of huge pages. */
interface HugeFault {
  readonly vma: Vma;
  /** First page of the huge page. */
  readonly address: Vpn;
  readonly write: boolean;
  /** The page is to become the process's own. */
  readonly unshare: boolean;
  readonly pmdp: Ptep;
  /** The entry as it was read without its lock. */
  readonly orig: Pte;
  readonly ptl: Lock;
  readonly mutex: Lock;
}

function* lockFault(k: Kernel, { vma, mutex }: HugeFault): Kernel$<void> {
  if (k.stepping) yield k.acquire(mutex);
  k.lock(mutex);
  yield* hugetlbVmaLockRead(k, vma);
}

function* unlockFault(k: Kernel, { vma, mutex }: HugeFault): Kernel$<void> {
  yield* hugetlbVmaUnlockRead(k, vma);
  if (k.stepping) yield k.release(mutex);
  k.unlock(mutex);
}

/**
 * A page that the maker of the mapping needs is taken away from the others that have it, who have no
 * right to one. If they come there again, they die.
 *
 * Mirrors: mm/hugetlb.c unmap_ref_private()
 * faithful
 */
function* unmapRefPrivate(k: Kernel, vma: Vma, folio: Folio, address: Vpn): Kernel$<void> {
  const file = k.present(vma.file, 'the file of an area');
  const index = linearPageIndex(vma, address);
  k.warn(!folioTestAnon(k, folio), 'a huge page is taken from others that is not anonymous');
  if (k.stepping) yield k.acquire(file.lock);
  k.lock(file.lock);
  for (const other of [...file.vmas]) {
    if (other === vma || other.resv !== null) continue;
    const at = other.start + (index - other.pgoff);
    if (at >= other.start && at < other.end) yield* unmapHugepageRange(k, other, at, folio);
  }
  if (k.stepping) yield k.release(file.lock);
  k.unlock(file.lock);
}

/**
 * A write to a huge page that is mapped read-only, or one that is to become the process's own. Called and
 * left with the table and the old folio locked.
 *
 * Mirrors: mm/hugetlb.c hugetlb_wp()
 * simplified: private mappings, no userfaultfd
 * @returns 0 or VM_FAULT_SIGBUS
 */
function* hugetlbWp(k: Kernel, fault: HugeFault): Kernel$<number> {
  const { vma, address, pmdp, ptl } = fault;
  const { mm } = vma;
  const pte = ptepGet(k, pmdp);
  const old = pageFolio(k, ptePfn(pte));
  let fresh: Folio;
  for (;;) {
    if (k.stepping) yield k.writeFolio(old);
    // unlike elsewhere it does not matter who else holds a reference
    if (folioMapcount(k, old) === 1 && folioTestAnon(k, old)) {
      if (!pageAnonExclusive(k, old)) {
        folioMoveAnonRmap(k, old, vma);
        setPageAnonExclusive(k, old);
      }
      if (fault.unshare || !(vma.flags & VM_WRITE)) return 0;
      if (k.stepping) yield k.writeEntry(pmdp);
      setPte(k, pmdp, pteMkdirty(ptepGet(k, pmdp)) | PTE_WRITE);
      return 0;
    }
    k.warn(pageAnonExclusive(k, old), 'an exclusive huge page is mapped twice');
    const cowFromOwner = vma.resv !== null && folioTestAnon(k, old);
    folioGet(k, old, Holder.Fault);
    if (k.stepping) yield k.release(ptl);
    k.unlock(ptl);
    fresh = yield* allocHugetlbFolio(k, vma, address, cowFromOwner);
    if (fresh >= 0) break;
    yield* folioPut(k, old, Holder.Fault);
    if (!cowFromOwner) {
      if (k.stepping) yield k.acquire(ptl);
      k.lock(ptl);
      return VM_FAULT_SIGBUS;
    }
    yield* unlockFault(k, fault);
    yield* unmapRefPrivate(k, vma, old, address);
    yield* lockFault(k, fault);
    if (k.stepping) yield k.acquire(ptl);
    k.lock(ptl);
    if (ptepGet(k, pmdp) !== pte) return 0;
  }
  yield* anonVmaPrepare(k, vma);
  yield* copyHugePage(k, fresh, old);
  const end = address + k.geometry.ptrsPerPte;
  const range = notifierRange(MmuNotify.Clear, mm, address, end);
  yield* mmuNotifierInvalidateRangeStart(k, range);
  if (k.stepping) yield k.acquire(ptl);
  k.lock(ptl);
  const same = ptepGet(k, pmdp) === pte;
  if (same) {
    if (k.stepping) yield k.writeEntry(pmdp);
    ptepGetAndClear(k, pmdp);
    if (k.stepping) yield k.flushStep(mm.id).and(ObjectKind.Folio, old, Role.Write);
    k.flushTlbRange(mm.id, address, end);
    hugetlbRemoveRmap(k, old);
    folioHandOver(k, fresh, Holder.Alloc, Holder.Mapping);
    hugetlbAddNewAnonRmap(k, fresh, vma, address);
    if (k.stepping) yield k.writeEntry(pmdp);
    setPte(k, pmdp, makeHugePte(vma, fresh, !fault.unshare));
  }
  if (k.stepping) yield k.release(ptl);
  k.unlock(ptl);
  yield* mmuNotifierInvalidateRangeEnd(k, range);
  if (same) yield* folioPut(k, old, Holder.Mapping);
  else {
    restoreReserveOnError(k, vma, address, fresh);
    yield* folioPut(k, fresh, Holder.Alloc);
  }
  yield* folioPut(k, old, Holder.Fault);
  if (k.stepping) yield k.acquire(ptl);
  k.lock(ptl);
  return 0;
}

/**
 * A fault where nothing is mapped.
 *
 * Mirrors: mm/hugetlb.c hugetlb_no_page()
 * simplified: private mappings of files without pages, which are never truncated
 * @returns 0 or VM_FAULT_SIGBUS
 */
function* hugetlbNoPage(k: Kernel, fault: HugeFault): Kernel$<number> {
  const { vma, address, pmdp, ptl, orig } = fault;
  if (vma.resvUnmapped) return VM_FAULT_SIGBUS;
  yield* anonVmaPrepare(k, vma);
  const folio = yield* allocHugetlbFolio(k, vma, address, false);
  if (folio < 0) {
    if (k.stepping) yield k.acquire(ptl);
    k.lock(ptl);
    const stable = ptepGet(k, pmdp) === orig;
    if (k.stepping) yield k.release(ptl);
    k.unlock(ptl);
    return stable ? VM_FAULT_SIGBUS : 0;
  }
  for (let page = folio; page < folio + k.geometry.ptrsPerPte; page++) clearPage(k, page);
  folioSet(k, folio, PG_UPTODATE);
  k.folioSetLocked(folio);
  if (k.stepping) yield k.acquire(ptl).and(ObjectKind.Entry, pmdp, Role.Read);
  k.lock(ptl);
  let ret = 0;
  const same = ptepGet(k, pmdp) === orig;
  if (same) {
    folioHandOver(k, folio, Holder.Alloc, Holder.Mapping);
    hugetlbAddNewAnonRmap(k, folio, vma, address);
    if (k.stepping) yield k.writeEntry(pmdp);
    setPte(k, pmdp, makeHugePte(vma, folio, false));
    vma.mm.hugetlbPages += k.geometry.ptrsPerPte;
    if (fault.write) ret = yield* hugetlbWp(k, fault);
  } else restoreReserveOnError(k, vma, address, folio);
  if (k.stepping) yield k.releaseFolio(folio);
  k.folioUnlock(folio);
  if (k.stepping) yield k.release(ptl);
  k.unlock(ptl);
  if (!same) yield* folioPut(k, folio, Holder.Alloc);
  return ret;
}

/**
 * A fault where nothing is mapped and a monitor is to give the page. The fault's locks are given up.
 *
 * Mirrors: mm/hugetlb.c hugetlb_no_page(), hugetlb_pte_stable(), hugetlb_handle_userfault()
 * faithful
 * @returns as `handleUserfault`; 0 where something is mapped by now
 */
function* hugetlbHandleUserfault(k: Kernel, fault: HugeFault, flags: number): Kernel$<number> {
  const { vma, address, pmdp, ptl, orig } = fault;
  if (k.stepping) yield k.acquire(ptl).and(ObjectKind.Entry, pmdp, Role.Read);
  k.lock(ptl);
  const stable = ptepGet(k, pmdp) === orig;
  if (k.stepping) yield k.release(ptl);
  k.unlock(ptl);
  yield* unlockFault(k, fault);
  if (!stable) return 0;
  return yield* handleUserfault(k, {
    vma,
    vpn: address,
    flags,
    pmd: pmdp,
    origPmd: orig,
    pte: -1,
    origPte: 0,
    ptl: null,
    page: -1,
  });
}

/**
 * A fault where a huge page is mapped.
 *
 * Mirrors: mm/hugetlb.c hugetlb_fault()
 * simplified: no userfaultfd
 * @returns 0 or VM_FAULT_SIGBUS; a folio whose lock is to be waited for, or -1
 */
function* hugetlbPresent(k: Kernel, fault: HugeFault): Kernel$<{ ret: number; waitFor: Folio }> {
  const { pmdp, ptl, orig, write, unshare } = fault;
  let ret = 0;
  let waitFor = -1;
  if (k.stepping) yield k.acquire(ptl).and(ObjectKind.Entry, pmdp, Role.Read);
  k.lock(ptl);
  if (ptepGet(k, pmdp) === orig) {
    if ((write || unshare) && !pteWrite(orig)) {
      const folio = pageFolio(k, ptePfn(orig));
      if (k.stepping) yield k.tryAcquireFolio(folio);
      if (k.folioTryLock(folio)) {
        folioGet(k, folio, Holder.Fault);
        ret = yield* hugetlbWp(k, fault);
        if (k.stepping) yield k.releaseFolio(folio);
        k.folioUnlock(folio);
        yield* folioPut(k, folio, Holder.Fault);
      } else waitFor = folio;
    } else yield* touchPmd(k, pmdp, write);
  }
  if (k.stepping) yield k.release(ptl);
  k.unlock(ptl);
  return { ret, waitFor };
}

/**
 * A fault in an area of huge pages; mmap_lock is held for reading.
 *
 * Mirrors: mm/hugetlb.c hugetlb_fault()
 * simplified: a mutex for each huge page of a file instead of a table of them by hash
 * @returns 0 or VM_FAULT_SIGBUS; VM_FAULT_RETRY when a monitor was asked: mmap_lock is not held any more
 */
export function* hugetlbFault(k: Kernel, vma: Vma, vpn: Vpn, flags: number): Kernel$<number> {
  const { mm } = vma;
  const address = hugeStart(k, vpn);
  const file = k.present(vma.file, 'the file of an area');
  const mutex = file.faultMutexes[hugecacheOffset(k, vma, address)];
  if (k.stepping) yield k.acquire(mutex);
  k.lock(mutex);
  yield* hugetlbVmaLockRead(k, vma);
  const pmdp = yield* pmdAlloc(k, mm, address);
  if (k.stepping) yield allocatedStep(k, mm, address, pmdp);
  const orig = ptepGet(k, pmdp);
  const write = (flags & FAULT_FLAG_WRITE) !== 0;
  const unshare = (flags & FAULT_FLAG_UNSHARE) !== 0;
  const fault: HugeFault = { vma, address, write, unshare, pmdp, orig, ptl: ptlOf(k, pmdp), mutex };
  let ret = 0;
  let waitFor = -1;
  if (orig === 0 && !vma.resvUnmapped && userfaultfdMissing(vma)) {
    return yield* hugetlbHandleUserfault(k, fault, flags);
  }
  if (orig === 0) ret = yield* hugetlbNoPage(k, fault);
  else if (ptePresent(orig)) ({ ret, waitFor } = yield* hugetlbPresent(k, fault));
  else k.report('bad entry', 'an entry of an unknown kind in an area of huge pages');
  yield* unlockFault(k, fault);
  if (waitFor >= 0) {
    // without a reference: it need only be unlocked, whatever it is by then
    const ready = () => !k.folioLocked(waitFor);
    if (k.stepping) yield k.waitFor(ObjectKind.FolioLock, waitFor, ready, Role.AcquireShared);
    k.waited(ready(), `the lock of folio ${waitFor}`);
  }
  return ret;
}

// ---- taking mappings away ----

/**
 * Takes the mappings of a range of huge pages away. The locks of hugetlbZapBegin() are held.
 *
 * Mirrors: mm/hugetlb.c __unmap_hugepage_range()
 * simplified: no markers, no surplus pages
 * @param only this folio alone; -1: all
 */
export function* unmapHugepages(
  k: Kernel,
  tlb: MmuGather,
  vma: Vma,
  start: Vpn,
  end: Vpn,
  only: Folio = -1,
): Kernel$<void> {
  const pages = k.geometry.ptrsPerPte;
  const { mm } = vma;
  k.assertHeld(k.present(vma.file, 'the file of an area').lock);
  k.bug(!isHugeAligned(k, start) || !isHugeAligned(k, end), 'a part of a huge page is unmapped');
  for (let address = start; address < end; address += pages) {
    if (k.stepping && lacksTable(k, mm, address)) yield lackStep(k, mm, address);
    const pmdp = pmdpOf(k, mm, address);
    if (pmdp < 0) continue;
    const ptl = ptlOf(k, pmdp);
    if (k.stepping) yield k.acquire(ptl).and(ObjectKind.Entry, pmdp, Role.Read);
    k.lock(ptl);
    const pmd = ptepGet(k, pmdp);
    const folio = pmd === 0 ? -1 : pageFolio(k, ptePfn(pmd));
    const take = folio >= 0 && (only < 0 || folio === only);
    if (take) {
      if (k.stepping) yield k.writeEntry(pmdp);
      // what was there at the fork is gone: a page of zeros would look like data that was lost
      if (only >= 0) vma.resvUnmapped = true;
      const old = ptepGetAndClear(k, pmdp);
      tlb.track(address, pages);
      if (k.stepping) yield k.writeFolio(folio);
      if (pteDirty(old)) folioSet(k, folio, PG_DIRTY);
      mm.hugetlbPages -= pages;
      hugetlbRemoveRmap(k, folio);
    }
    if (k.stepping) yield k.release(ptl);
    k.unlock(ptl);
    if (!take) continue;
    // the maker is promised a page again, once nobody has this one any more
    if (k.stepping) yield k.writeFolio(folio);
    if (vma.resv && folioMapcount(k, folio) === 0 && folioTestAnon(k, folio)) {
      folioSet(k, folio, PG_RESTORE_RESERVE);
      vma.resv.used.delete(hugecacheOffset(k, vma, address));
    }
    tlb.page(folio, 1);
  }
}

/** Mirrors: mm/hugetlb.c unmap_hugepage_range(), for one huge page; faithful */
function* unmapHugepageRange(k: Kernel, vma: Vma, address: Vpn, folio: Folio): Kernel$<void> {
  const end = address + k.geometry.ptrsPerPte;
  const range = notifierRange(MmuNotify.Clear, vma.mm, address, end);
  yield* mmuNotifierInvalidateRangeStart(k, range);
  const tlb = new MmuGather(vma.mm);
  yield* unmapHugepages(k, tlb, vma, address, end, folio);
  yield* mmuNotifierInvalidateRangeEnd(k, range);
  yield* tlbFinishMmu(k, tlb);
}

// ---- fork, protection, moving ----

/**
 * Copies the mappings of an area to the child's.
 *
 * Mirrors: mm/hugetlb.c copy_hugetlb_page_range(), hugetlb_install_folio()
 * simplified: private mappings; nothing migrates; no userfaultfd
 * @returns 0, or -ENOMEM when a pinned page would have to be copied and the pool is empty
 */
export function* copyHugetlbPageRange(k: Kernel, dst: Vma, src: Vma): Kernel$<number> {
  const pages = k.geometry.ptrsPerPte;
  const range = notifierRange(MmuNotify.Clear, src.mm, src.start, src.end);
  yield* mmuNotifierInvalidateRangeStart(k, range);
  let ret = 0;
  for (let address = src.start; address < src.end && !ret; address += pages) {
    const srcPmd = pmdpOf(k, src.mm, address);
    if (srcPmd < 0) continue;
    const dstPmd = yield* pmdAlloc(k, dst.mm, address);
    const dstPtl = ptlOf(k, dstPmd);
    const srcPtl = ptlOf(k, srcPmd);
    if (k.stepping) yield k.acquire(dstPtl);
    k.lock(dstPtl);
    yield* lockSource(k, src, srcPtl);
    const pmd = ptepGet(k, srcPmd);
    const folio = pmd === 0 ? -1 : pageFolio(k, ptePfn(pmd));
    let pinned = false;
    if (folio >= 0) {
      if (k.stepping) yield k.writeFolio(folio);
      folioGet(k, folio, Holder.Mapping);
      pinned = hugetlbTryDupAnonRmap(k, folio) !== 0;
      if (pinned) folioHandOver(k, folio, Holder.Mapping, Holder.Fault);
    }
    if (folio >= 0 && !pinned) {
      if (k.stepping) yield k.writeEntry(srcPmd);
      const entry = ptepGet(k, srcPmd) & ~PTE_WRITE;
      setPte(k, srcPmd, entry);
      if (k.stepping) yield k.writeEntry(dstPmd);
      setPte(k, dstPmd, entry);
      dst.mm.hugetlbPages += pages;
    }
    yield* unlockSource(k, src, srcPtl);
    if (k.stepping) yield k.release(dstPtl);
    k.unlock(dstPtl);
    if (pinned) ret = yield* copyPinned(k, dst, address, dstPmd, folio);
  }
  yield* mmuNotifierInvalidateRangeEnd(k, range);
  return ret;
}

/**
 * Gives a child its own copy of a huge page that its parent may have pinned.
 *
 * Mirrors: mm/hugetlb.c copy_hugetlb_page_range(), hugetlb_install_folio()
 * simplified: the parent's entry cannot change, as nothing migrates
 */
function* copyPinned(
  k: Kernel,
  dst: Vma,
  address: Vpn,
  dstPmd: Ptep,
  folio: Folio,
): Kernel$<number> {
  const fresh = yield* allocHugetlbFolio(k, dst, address, false);
  if (fresh >= 0) yield* copyHugePage(k, fresh, folio);
  yield* folioPut(k, folio, Holder.Fault);
  if (fresh < 0) return -ENOMEM;
  const ptl = ptlOf(k, dstPmd);
  if (k.stepping) yield k.acquire(ptl);
  k.lock(ptl);
  folioHandOver(k, fresh, Holder.Alloc, Holder.Mapping);
  hugetlbAddNewAnonRmap(k, fresh, dst, address);
  if (k.stepping) yield k.writeEntry(dstPmd);
  setPte(k, dstPmd, makeHugePte(dst, fresh, true));
  dst.mm.hugetlbPages += k.geometry.ptrsPerPte;
  if (k.stepping) yield k.release(ptl);
  k.unlock(ptl);
  return 0;
}

/**
 * Brings the entries of a range in line with their area's protection. None becomes writable before a
 * write faults.
 *
 * Mirrors: mm/hugetlb.c hugetlb_change_protection()
 * simplified: nothing migrates; no userfaultfd
 */
export function* hugetlbChangeProtection(k: Kernel, vma: Vma, start: Vpn, end: Vpn): Kernel$<void> {
  const pages = k.geometry.ptrsPerPte;
  const tlb = new MmuGather(vma.mm);
  const range = notifierRange(MmuNotify.ProtectionVma, vma.mm, start, end);
  yield* mmuNotifierInvalidateRangeStart(k, range);
  yield* hugetlbZapBegin(k, vma);
  for (let address = start; address < end; address += pages) {
    const pmdp = pmdpOf(k, vma.mm, address);
    if (pmdp < 0) continue;
    const ptl = ptlOf(k, pmdp);
    if (k.stepping) yield k.acquire(ptl);
    k.lock(ptl);
    if (ptepGet(k, pmdp) !== 0) {
      if (k.stepping) yield k.writeEntry(pmdp);
      const old = ptepGetAndClear(k, pmdp);
      if (k.stepping) yield k.writeEntry(pmdp);
      setPte(k, pmdp, pteModify(old, vma.pageProt));
      tlb.track(address, pages);
    }
    if (k.stepping) yield k.release(ptl);
    k.unlock(ptl);
  }
  yield* tlbFlushOnly(k, tlb);
  yield* hugetlbZapEnd(k, vma);
  yield* mmuNotifierInvalidateRangeEnd(k, range);
}

/**
 * Moves the entries of `from` to `from + pages` to `to`; unlike others they do not become soft-dirty.
 *
 * Mirrors: mm/hugetlb.c move_hugetlb_page_tables(), move_huge_pte()
 * simplified: tables are not shared, no userfaultfd
 */
export function* moveHugetlbPageTables(
  k: Kernel,
  vma: Vma,
  from: Vpn,
  to: Vpn,
  pages: number,
): Kernel$<void> {
  const { mm } = vma;
  const tlb = new MmuGather(mm);
  const range = notifierRange(MmuNotify.Clear, mm, from, from + pages);
  yield* mmuNotifierInvalidateRangeStart(k, range);
  yield* hugetlbZapBegin(k, vma);
  for (let i = 0; i < pages; i += k.geometry.ptrsPerPte) {
    const oldPmd = pmdpOf(k, mm, from + i);
    if (oldPmd < 0) continue;
    if (k.stepping) yield k.readEntry(oldPmd);
    if (ptepGet(k, oldPmd) === 0) continue;
    const newPmd = yield* pmdAlloc(k, mm, to + i);
    const newPtl = ptlOf(k, newPmd);
    const oldPtl = ptlOf(k, oldPmd);
    if (k.stepping) yield k.acquire(newPtl);
    k.lock(newPtl);
    if (oldPtl !== newPtl) {
      if (k.stepping) yield k.acquire(oldPtl);
      k.lock(oldPtl);
    }
    if (k.stepping) yield k.writeEntry(oldPmd);
    const pmd = ptepGetAndClear(k, oldPmd);
    if (k.stepping) yield k.writeEntry(newPmd);
    setPte(k, newPmd, pmd);
    if (oldPtl !== newPtl) {
      if (k.stepping) yield k.release(oldPtl);
      k.unlock(oldPtl);
    }
    if (k.stepping) yield k.release(newPtl);
    k.unlock(newPtl);
    tlb.track(from + i, k.geometry.ptrsPerPte);
  }
  yield* tlbFlushOnly(k, tlb);
  yield* mmuNotifierInvalidateRangeEnd(k, range);
  yield* hugetlbZapEnd(k, vma);
}
