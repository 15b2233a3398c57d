/**
 * Missing pages that a monitor gives: a fault where nothing is mapped waits until somebody in user
 * space has put a page there.
 *
 * Models: mm/userfaultfd.c (in older kernels also fs/userfaultfd.c)
 */
import { EAGAIN, EBUSY, EEXIST, EINVAL, ENOENT, ENOMEM } from '../machine/errno.ts';
import { userfaultfdOf } from '../machine/objects.ts';
import { PG_UPTODATE } from '../machine/page.ts';
import { mkPte, PTE_WRITE, pteMkdirty } from '../machine/pte.ts';
import { type Kernel$, ObjectKind, Role, type Step, StepKind } from '../machine/step.ts';
import type { Folio, Ptep, Vpn } from '../machine/units.ts';
import { anonVmaPrepare } from './anon-vma.ts';
import { FAULT_FLAG_ALLOW_RETRY, VM_FAULT_RETRY, VM_FAULT_SIGBUS, type VmFault } from './fault.ts';
import { folioAddLru, folioAlloc, folioHandOver, folioPut, folioSet } from './folio.ts';
import { vmaAdjustTransHuge } from './huge-memory.ts';
import { isHugeAligned, maySplit } from './hugetlb.ts';
import type { Kernel } from './kernel.ts';
import { placeOf } from './look/leaves.ts';
import { Holder } from './look/ledger.ts';
import type { Mm } from './mm.ts';
import {
  allocatedStep,
  pmdAlloc,
  pmdIsTable,
  pmdPresent,
  pmdTransHuge,
  pteAlloc,
  pteOffsetMap,
  ptepGet,
  ptlOf,
  setPte,
} from './pgtable.ts';
import { folioAddFileRmapPte, folioAddNewAnonRmap } from './rmap.ts';
import { newFolio, shmemMfillFilemapAdd, shmemMfillFilemapRemove } from './shmem.ts';
import {
  isVmHugetlbPage,
  linearPageIndex,
  userfaultfdMissing,
  VM_SHARED,
  VM_SPECIAL,
  VM_UFFD_MISSING,
  VM_WRITE,
  type Vma,
} from './vma.ts';
import { vmaModifyFlags } from './vma-merge.ts';

/** A fault that waits for the monitor (struct userfaultfd_wait_queue). */
interface WaitingFault {
  readonly vpn: Vpn;
  woken: boolean;
}

/** struct userfaultfd_ctx, with the features that UFFDIO_API gives when none is asked for. */
export class UserfaultfdCtx {
  /** Faults that the monitor has not read yet (fault_pending_wqh), the oldest first. */
  pending: WaitingFault[] = [];
  /** Those that it has read (fault_wqh). */
  delivered: WaitingFault[] = [];
  /** It was closed. */
  released = false;

  constructor(
    readonly mm: Mm,
    /** By which steps name it. */
    readonly id: number,
  ) {}
}

/**
 * Makes a userfaultfd for a process.
 *
 * Mirrors: mm/userfaultfd.c new_userfaultfd(), userfaultfd_api()
 * simplified: no features, and of the modes only UFFDIO_REGISTER_MODE_MISSING
 */
export function userfaultfd(_k: Kernel, mm: Mm): UserfaultfdCtx {
  const ctx = new UserfaultfdCtx(mm, userfaultfdOf(mm, mm.userfaultfds.length));
  mm.userfaultfds.push(ctx);
  return ctx;
}

/** The step before the faults that wait are looked at or changed; the kernel has a spinlock for them. */
export function userfaultStep(k: Kernel, ctx: UserfaultfdCtx): Step {
  return k.step(StepKind.Shared, ObjectKind.Userfault, ctx.id, Role.Write);
}

// ---- a fault ----

/**
 * Whether the page is still missing, after the monitor could have learnt of the fault.
 *
 * Mirrors: mm/userfaultfd.c userfaultfd_must_wait(), userfaultfd_huge_must_wait()
 * simplified: missing faults, no markers
 */
function* mustWait(k: Kernel, vmf: VmFault): Kernel$<boolean> {
  for (;;) {
    if (k.stepping) yield k.readEntry(vmf.pmd);
    const pmd = ptepGet(k, vmf.pmd);
    if (pmd === 0) return true;
    if (isVmHugetlbPage(vmf.vma)) return false;
    if (!pmdPresent(pmd) || pmdTransHuge(pmd)) return false;
    const ptep = pteOffsetMap(k, vmf.pmd, vmf.vpn);
    if (ptep < 0) continue;
    if (k.stepping) yield k.readEntry(ptep);
    return ptepGet(k, ptep) === 0;
  }
}

/** The step before mmap_lock is given up; a fault that need not wait is none any more. */
function leaveStep(k: Kernel, ctx: UserfaultfdCtx, missing: boolean): Step {
  const step = k.release(ctx.mm.mmapLock);
  return missing ? step : step.and(ObjectKind.Userfault, ctx.id, Role.Write);
}

function forgetFault(ctx: UserfaultfdCtx, fault: WaitingFault): void {
  ctx.pending = ctx.pending.filter((other) => other !== fault);
  ctx.delivered = ctx.delivered.filter((other) => other !== fault);
}

/**
 * Delivers a missing fault to the monitor and waits for its answer, without mmap_lock.
 *
 * Mirrors: mm/userfaultfd.c handle_userfault()
 * simplified: missing faults, without UFFD_FEATURE_SIGBUS; nobody is killed or interrupted
 * @returns VM_FAULT_RETRY: mmap_lock is not held any more; VM_FAULT_SIGBUS where it must be kept
 */
export function* handleUserfault(k: Kernel, vmf: VmFault): Kernel$<number> {
  const { mm, uffd } = vmf.vma;
  const ctx = k.present(uffd, 'the userfaultfd of an area');
  if (!(vmf.flags & FAULT_FLAG_ALLOW_RETRY)) return VM_FAULT_SIGBUS;
  if (k.stepping) yield userfaultStep(k, ctx);
  const fault = { vpn: vmf.vpn, woken: false };
  // whoever closes it waits for mmap_lock, so that the fault must be made again without
  const waits = !ctx.released;
  if (waits) ctx.pending.push(fault);
  const missing = waits && (yield* mustWait(k, vmf));
  if (k.stepping) yield leaveStep(k, ctx, missing);
  k.unlockShared(mm.mmapLock);
  if (missing) {
    const ready = () => fault.woken || ctx.released;
    if (k.stepping) yield k.waitFor(ObjectKind.Userfault, ctx.id, ready);
    k.waited(ready(), `the monitor to give ${placeOf(k, vmf.vpn)}`);
  } else forgetFault(ctx, fault);
  return VM_FAULT_RETRY;
}

// ---- the monitor ----

/**
 * The oldest fault that was not read yet, for which it waits.
 *
 * Mirrors: mm/userfaultfd.c userfaultfd_poll(), userfaultfd_ctx_read()
 * simplified: missing faults, one at a time; poll(2) and read(2) are one
 * @param stopped whether the monitor is to stop instead; whoever changes it says so by a step of this
 *   userfaultfd
 * @returns the page that is missing, or -1 when the monitor is to stop
 */
export function* uffdRead(k: Kernel, ctx: UserfaultfdCtx, stopped: () => boolean): Kernel$<number> {
  const ready = () => ctx.pending.length > 0 || stopped();
  if (k.stepping) yield k.waitFor(ObjectKind.Userfault, ctx.id, ready, Role.Write);
  k.waited(ready(), 'a missing fault');
  if (stopped()) return -1;
  const fault = k.present(ctx.pending.shift(), 'the fault that a monitor waits for');
  ctx.delivered.push(fault);
  return fault.vpn;
}

/**
 * Lets those faults go on that wait for pages `start` to `end` (exclusive).
 *
 * Mirrors: mm/userfaultfd.c userfaultfd_wake(), wake_userfault(), userfaultfd_wake_function()
 * faithful
 */
export function* uffdWake(k: Kernel, ctx: UserfaultfdCtx, start: Vpn, end: Vpn): Kernel$<void> {
  if (k.stepping) yield userfaultStep(k, ctx);
  for (const fault of [...ctx.pending, ...ctx.delivered]) {
    if (fault.vpn < start || fault.vpn >= end) continue;
    fault.woken = true;
    forgetFault(ctx, fault);
  }
}

/**
 * The PMD entry above a page, with a table below it.
 *
 * Mirrors: mm/userfaultfd.c mfill_establish_pmd()
 * simplified: tables can always be allocated
 * @returns the entry's index, or -EEXIST when something huge is there
 */
function* mfillEstablishPmd(k: Kernel, mm: Mm, vpn: Vpn): Kernel$<number> {
  const pmdp = yield* pmdAlloc(k, mm, vpn);
  if (k.stepping) yield allocatedStep(k, mm, vpn, pmdp);
  yield* pteAlloc(k, mm, pmdp);
  if (k.stepping) yield k.readEntry(pmdp);
  return pmdIsTable(ptepGet(k, pmdp)) ? pmdp : -EEXIST;
}

/**
 * Maps a page where nothing is, whatever the OOM reaper has taken away; the mapping gets the caller's
 * reference.
 *
 * Mirrors: mm/userfaultfd.c mfill_atomic_install_pte()
 * simplified: no areas beyond the end of a file
 * @param cached the folio is the file's, and locked: unlocked on success
 * @returns 0; -EEXIST where something is; -EAGAIN when the table is gone
 */
function* mfillAtomicInstallPte(
  k: Kernel,
  pmdp: Ptep,
  vma: Vma,
  vpn: Vpn,
  folio: Folio,
  cached: boolean,
): Kernel$<number> {
  const { mm } = vma;
  const ptep = pteOffsetMap(k, pmdp, vpn);
  if (ptep < 0) return -EAGAIN;
  const ptl = ptlOf(k, ptep);
  if (k.stepping) yield k.acquire(ptl).and(ObjectKind.Entry, ptep, Role.Read);
  k.lock(ptl);
  let ret = 0;
  // a collapse took the table
  if (pteOffsetMap(k, pmdp, vpn) !== ptep) ret = -EAGAIN;
  else if (ptepGet(k, ptep) !== 0) ret = -EEXIST;
  else {
    folioHandOver(k, folio, Holder.Alloc, Holder.Mapping);
    if (cached) {
      folioAddFileRmapPte(k, folio);
      mm.filePages++;
    } else {
      folioAddNewAnonRmap(k, folio, vma, vpn);
      yield* folioAddLru(k, folio);
      mm.anonPages++;
    }
    const entry = pteMkdirty(mkPte(folio, vma.pageProt));
    if (k.stepping) yield k.writeEntry(ptep);
    setPte(k, ptep, vma.flags & VM_WRITE ? entry | PTE_WRITE : entry);
    if (k.monitor !== null) k.monitor.onFill(mm.id, vpn, k.frames.readWord(folio));
    if (k.stepping && cached) yield k.releaseFolio(folio);
    if (cached) k.folioUnlock(folio);
  }
  if (k.stepping) yield k.release(ptl);
  k.unlock(ptl);
  return ret;
}

/**
 * A new folio for a page: the file's where it is shared, the process's own where it is private, also of
 * a file.
 */
function mfillAllocFolio(k: Kernel, vma: Vma, vpn: Vpn): Folio {
  const { file } = vma;
  const folio =
    vma.flags & VM_SHARED && file ? newFolio(k, file, linearPageIndex(vma, vpn)) : folioAlloc(k, 0);
  if (folio >= 0) folioSet(k, folio, PG_UPTODATE);
  return folio;
}

/** The part under mmap_lock. */
function* mfillAtomic(k: Kernel, ctx: UserfaultfdCtx, vpn: Vpn, page: Uint8Array): Kernel$<number> {
  const { mm } = ctx;
  const vma = mm.lookupVma(vpn);
  if (!vma) return -ENOENT;
  // a fork sees that, whether or not the copy is refused
  if (!(vma.flags & VM_SHARED)) yield* anonVmaPrepare(k, vma);
  if (!vma.uffd) return -ENOENT;
  // a huge page of the pool is given whole, not a page of it (mfill_atomic_hugetlb())
  if (isVmHugetlbPage(vma)) return -EINVAL;
  const pmdp = yield* mfillEstablishPmd(k, mm, vpn);
  if (pmdp < 0) return pmdp;
  if (k.stepping) yield k.allocateStep();
  const folio = mfillAllocFolio(k, vma, vpn);
  if (folio < 0) return -ENOMEM;
  k.frames.write(folio, page);
  const cache = vma.flags & VM_SHARED ? vma.file : null;
  let ret = 0;
  if (cache && !(yield* shmemMfillFilemapAdd(k, cache, folio))) ret = -EEXIST;
  else {
    ret = yield* mfillAtomicInstallPte(k, pmdp, vma, vpn, folio, cache !== null);
    if (ret && cache) yield* shmemMfillFilemapRemove(k, cache, folio);
  }
  if (ret) yield* folioPut(k, folio, Holder.Alloc);
  return ret;
}

/**
 * Puts a copy of a page where one is missing, and wakes whoever waits for it.
 *
 * Mirrors: mm/userfaultfd.c userfaultfd_copy(), mfill_atomic(), mfill_get_vma(), __mfill_atomic_pte()
 * simplified: one page, whose source is at hand; mmap_lock instead of per-area
 * locks, and so no -EAGAIN when the area is being changed
 * @param page its bytes
 * @returns 0; -EEXIST where something is; -ENOENT where nothing is registered any more; -ENOMEM; -EINVAL
 *   for a page of a huge page of the pool;
 *   -EAGAIN when it is to be tried again. Where it fails nobody is woken
 */
export function* uffdCopy(
  k: Kernel,
  ctx: UserfaultfdCtx,
  vpn: Vpn,
  page: Uint8Array,
): Kernel$<number> {
  const { mmapLock } = ctx.mm;
  if (k.stepping) yield k.acquire(mmapLock, true);
  k.lockShared(mmapLock);
  const ret = yield* mfillAtomic(k, ctx, vpn, page);
  if (k.stepping) yield k.release(mmapLock);
  k.unlockShared(mmapLock);
  if (!ret) yield* uffdWake(k, ctx, vpn, vpn + 1);
  return ret;
}

// ---- registering ----

/** Mirrors: mm/userfaultfd.c vma_can_userfault(); simplified: missing faults */
function vmaCanUserfault(vma: Vma): boolean {
  return isVmHugetlbPage(vma) || (vma.flags & VM_SPECIAL) === 0;
}

/**
 * Whether a page is in the middle of a huge page of the pool, so that a range cannot end or begin there in
 * an area.
 */
function isWithinHuge(k: Kernel, vma: Vma, at: Vpn): boolean {
  return isVmHugetlbPage(vma) && !isHugeAligned(k, at);
}

/** The areas of a range, whole. */
function areasIn(mm: Mm, start: Vpn, end: Vpn): Vma[] {
  return mm.vmas.filter((vma) => vma.start < end && vma.end > start);
}

/** Gives part of an area a userfaultfd, or takes it away (userfaultfd_set_ctx()). */
function* setCtx(
  k: Kernel,
  vma: Vma,
  start: Vpn,
  end: Vpn,
  ctx: UserfaultfdCtx | null,
): Kernel$<Vma> {
  const flags = (vma.flags & ~VM_UFFD_MISSING) | (ctx ? VM_UFFD_MISSING : 0);
  yield* vmaAdjustTransHuge(k, vma, start);
  yield* vmaAdjustTransHuge(k, vma, end);
  const part = yield* vmaModifyFlags(k, vma, start, end, flags, ctx);
  part.uffd = ctx;
  part.flags = (part.flags & ~VM_UFFD_MISSING) | (flags & VM_UFFD_MISSING);
  return part;
}

/**
 * Every area of a range that is not so yet gets a userfaultfd, or loses it.
 *
 * Mirrors: mm/userfaultfd.c userfaultfd_register_range(), userfaultfd_clear_vma()
 * simplified: missing faults
 * @returns 0, or -EINVAL where a huge page of the pool would have to be parted: what comes before is changed
 */
function* setRange(
  k: Kernel,
  mm: Mm,
  start: Vpn,
  end: Vpn,
  ctx: UserfaultfdCtx | null,
): Kernel$<number> {
  for (let vpn = start; vpn < end; ) {
    const vma = mm.findVma(vpn);
    if (!vma || vma.start >= end) break;
    const from = Math.max(vma.start, vpn);
    const to = Math.min(vma.end, end);
    if (!ctx && vma.uffd) yield* uffdWake(k, vma.uffd, from, to);
    if (vma.uffd !== ctx && maySplit(k, vma, to)) return -EINVAL;
    vpn = vma.uffd === ctx ? vma.end : (yield* setCtx(k, vma, from, to, ctx)).end;
  }
  return 0;
}

/**
 * Faults of `start` to `end` (pages, exclusive) where nothing is mapped go to the monitor from here on.
 *
 * Mirrors: mm/userfaultfd.c userfaultfd_register()
 * simplified: UFFDIO_REGISTER_MODE_MISSING
 * @returns 0; -EINVAL where nothing is mapped, or something of a driver, or for a part of a huge page of
 *   the pool; -EBUSY where another userfaultfd is registered
 */
export function* uffdRegister(
  k: Kernel,
  ctx: UserfaultfdCtx,
  start: Vpn,
  end: Vpn,
): Kernel$<number> {
  const { mm } = ctx;
  if (k.stepping) yield k.acquire(mm.mmapLock);
  k.lock(mm.mmapLock);
  const areas = areasIn(mm, start, end);
  let ret = areas.length > 0 && !isWithinHuge(k, areas[0], start) ? 0 : -EINVAL;
  for (const vma of areas) {
    if (!vmaCanUserfault(vma) || (end <= vma.end && isWithinHuge(k, vma, end))) ret ||= -EINVAL;
    else if (vma.uffd && vma.uffd !== ctx) ret ||= -EBUSY;
  }
  if (!ret) ret = yield* setRange(k, mm, start, end, ctx);
  if (k.stepping) yield k.release(mm.mmapLock);
  k.unlock(mm.mmapLock);
  return ret;
}

/**
 * Faults of `start` to `end` (pages, exclusive) are the kernel's again; who waits there goes on.
 *
 * Mirrors: mm/userfaultfd.c userfaultfd_unregister()
 * faithful
 * @returns 0; -EINVAL where nothing is mapped, something that cannot be registered, where another
 *   userfaultfd is registered, or for a part of a huge page of the pool
 */
export function* uffdUnregister(
  k: Kernel,
  ctx: UserfaultfdCtx,
  start: Vpn,
  end: Vpn,
): Kernel$<number> {
  const { mm } = ctx;
  if (k.stepping) yield k.acquire(mm.mmapLock);
  k.lock(mm.mmapLock);
  const areas = areasIn(mm, start, end);
  const wrong = areas.some((vma) => (vma.uffd && vma.uffd !== ctx) || !vmaCanUserfault(vma));
  const parted = areas.length > 0 && isWithinHuge(k, areas[0], start);
  let ret = areas.length > 0 && !wrong && !parted ? 0 : -EINVAL;
  if (!ret) ret = yield* setRange(k, mm, start, end, null);
  if (k.stepping) yield k.release(mm.mmapLock);
  k.unlock(mm.mmapLock);
  return ret;
}

/**
 * A userfaultfd is closed: its areas are as all others, and nobody waits for its monitor any more.
 *
 * Mirrors: mm/userfaultfd.c userfaultfd_release(), userfaultfd_release_all()
 * faithful
 */
export function* userfaultfdRelease(k: Kernel, ctx: UserfaultfdCtx): Kernel$<void> {
  if (ctx.released) return;
  const { mm } = ctx;
  if (k.stepping) yield userfaultStep(k, ctx);
  ctx.released = true;
  if (k.stepping) yield k.acquire(mm.mmapLock);
  k.lock(mm.mmapLock);
  for (const vma of [...mm.vmas]) {
    // a merge may have taken it up
    if (vma.uffd === ctx && !vma.detached) yield* setCtx(k, vma, vma.start, vma.end, null);
  }
  if (k.stepping) yield k.release(mm.mmapLock);
  k.unlock(mm.mmapLock);
  yield* uffdWake(k, ctx, 0, k.geometry.addressPages);
}

// ---- what becomes of it ----

/** The area has none any more (userfaultfd_reset_ctx()). */
function resetCtx(vma: Vma): void {
  vma.uffd = null;
  vma.flags &= ~VM_UFFD_MISSING;
}

/** Mirrors: mm/userfaultfd.c dup_userfaultfd(); simplified: without UFFD_FEATURE_EVENT_FORK */
export function dupUserfaultfd(child: Vma): void {
  if (userfaultfdMissing(child)) resetCtx(child);
}

/** Mirrors: mm/userfaultfd.c mremap_userfaultfd_prep(); simplified: without UFFD_FEATURE_EVENT_REMAP */
export function mremapUserfaultfdPrep(moved: Vma): void {
  if (userfaultfdMissing(moved)) resetCtx(moved);
}
