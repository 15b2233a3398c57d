/**
 * The twin of the kernel's HMM test driver: a device that mirrors a process's address space.
 *
 * Models: lib/test_hmm.c
 */

import {
  HMM_PFN_ERROR,
  HMM_PFN_REQ_FAULT,
  HMM_PFN_REQ_WRITE,
  HMM_PFN_VALID,
  HMM_PFN_WRITE,
  hmmPfnToMapOrder,
  hmmPfnToPfn,
} from '../hmm/pfn.ts';
import { hmmRangeFault, hmmRangeFaultUnlockedTimeout } from '../hmm/range.ts';
import type { HmmRange } from '../hmm/walk-state.ts';
import type { DeviceMemory } from '../machine/device-memory.ts';
import { EBUSY, EFAULT, ENOENT, EPERM } from '../machine/errno.ts';
import type { Lock } from '../machine/lock.ts';
import { ptePresent } from '../machine/pte.ts';
import { type Kernel$, Role, Space, type Step, StepKind } from '../machine/step.ts';
import type { Task } from '../machine/task.ts';
import {
  folioIsDeviceCoherent,
  folioIsDevicePrivate,
  folioIsZoneDevice,
  folioMapcount,
  folioPages,
  folioUnlockPut,
  pageFolio,
} from '../mm/folio.ts';
import type { Kernel } from '../mm/kernel.ts';
import { isDeviceExclusive, softleafToPfn } from '../mm/leafops.ts';
import { Holder } from '../mm/look/ledger.ts';
import { type DevPagemap, pagePgmap } from '../mm/memremap.ts';
import type { Mm } from '../mm/mm.ts';
import {
  IntervalNotifier,
  type IntervalNotifierOps,
  MmuNotify,
  mmuIntervalInvalidating,
  mmuIntervalNotifierInsert,
  mmuIntervalNotifierRemove,
  mmuIntervalReadBegin,
  mmuIntervalReadRetry,
  mmuIntervalSetSeq,
  type NotifierRange,
  type NotifierSubscriptions,
  setSeqStep,
} from '../mm/mmu-notifier.ts';
import { ptepGet, ptepOf } from '../mm/pgtable.ts';
import { makeDeviceExclusive } from '../mm/rmap.ts';
import type { AddressSpace } from '../mm/shmem.ts';
import { DeviceTable, DPT_ATOMIC, DPT_READ, DPT_WRITE, pfnOf, tagOf } from './device-table.ts';
import type { DmirrorDevice } from './dmirror-device.ts';
import { evictChunk, evictPages } from './dmirror-migrate.ts';

/** Pages that one range fault or snapshot covers. */
export const BATCH = 32;

/** Bytes of a snapshot (lib/test_hmm_uapi.h HMM_DMIRROR_PROT_*). */
export const PROT_ERROR = 0xff;
export const PROT_NONE = 0x00;
export const PROT_READ = 0x01;
export const PROT_WRITE = 0x02;
export const PROT_PMD = 0x04;
export const PROT_ZERO = 0x10;
export const PROT_DEV_PRIVATE_LOCAL = 0x20;
export const PROT_DEV_COHERENT_LOCAL = 0x40;
export const PROT_DEV_COHERENT_REMOTE = 0x50;

/** What a device operation came to. */
export interface DeviceResult {
  /** 0 or a negative errno. */
  ret: number;
  cpages: number;
  faults: number;
  /** What was read, a page after the other. */
  data: Uint8Array | null;
}

/** Pages `first` to `last`, both inclusive, were invalidated. */
interface Invalidated {
  readonly first: number;
  readonly last: number;
  readonly sequence: number;
  /** By the task whose invalidations do not count. */
  readonly own: boolean;
  /** By the walk that is watched: it split a huge page. */
  readonly split: boolean;
  /** By another task than the one that walks or migrates. */
  readonly others: boolean;
}

/** A walk or a migration that will map what it finds, and what was invalidated since it began. */
export class Watch {
  private readonly invalidated: Invalidated[] = [];
  private read = 0;
  /** Who walks or migrates. */
  task: Task | null = null;

  /**
   * @param own the task whose own invalidations do not count, if any
   * @param range the walk, if it is one: what came before its sequence does not count
   */
  constructor(
    private readonly own: Task | null = null,
    private readonly range: HmmRange | null = null,
  ) {}

  /** Whether the current task's invalidations do not count. */
  isOf(k: Kernel): boolean {
    return this.own === k.current;
  }

  get isQuiet(): boolean {
    return this.invalidated.length === 0;
  }

  note(k: Kernel, first: number, last: number, sequence: number): void {
    const own = this.own === k.current;
    const split = this.range?.walker === k.current;
    const others = this.task !== k.current;
    this.invalidated.push({ first, last, sequence, own, split, others });
  }

  /**
   * Whether a page was invalidated, or moved by the device's own migration, since the walk looked at it;
   * or invalidated by the walk's own splits: two passes of a driver map a page before any is split.
   * @param prepared the walk has prepared the page: it does not look at it again, though it begins anew
   */
  isStale(vpn: number, prepared = false): boolean {
    const since = this.range?.notifierSeq ?? 0;
    return this.invalidated.some(
      ({ first, last, sequence, own, split, others }) =>
        !own && (split || sequence > since || (prepared && others)) && first <= vpn && vpn <= last,
    );
  }

  /** The device's entries were read. */
  mark(): void {
    this.read = this.invalidated.length;
  }

  /** Whether the device's entry of a page was taken away since it was read, by whomever. */
  wasErased(vpn: number): boolean {
    for (let i = this.read; i < this.invalidated.length; i++) {
      const { first, last } = this.invalidated[i];
      if (first <= vpn && vpn <= last) return true;
    }
    return false;
  }
}

/** The sequence of what the device's own migrations move: no notifier counts those. */
const MOVED = Number.POSITIVE_INFINITY;

/** An open device file: the mirror of one address space (struct dmirror). */
export class Dmirror {
  readonly pt = new DeviceTable();
  /** The page table, for those who look whether it is right. */
  get table(): DeviceTable {
    return this.pt;
  }
  /** The device's own memory, where it is not in the reach of CPUs. */
  get memory(): DeviceMemory {
    return this.device.memory as DeviceMemory;
  }
  readonly mutex: Lock;
  readonly notifier: IntervalNotifier;
  /** The next allocation of a page, here or in RAM, fails (HMM_DMIRROR_FLAG_FAIL_ALLOC). */
  failAlloc = false;
  /** Walks and migrations under way that will map what they find. */
  readonly watches = new Set<Watch>();
  readonly number: number;
  /** Mappings of the open file, those that are gone among them. */
  readonly mapped = new Set<AddressSpace>();

  constructor(
    readonly k: Kernel,
    readonly device: DmirrorDevice,
    readonly mm: Mm,
  ) {
    this.mutex = k.newLock(`mirror of device ${device.id}`, 'mutex');
    this.number = device.opened.length;
    device.opened.push(this);
    this.notifier = new MirrorNotifier(this, MIRROR_OPS);
  }

  /** Fills `count` entries of the device's page table; the mutex is held. */
  map(vpn: number, pfn: number, tag: number, count = 1): void {
    this.pt.storeRun(vpn, pfn, count, tag);
    const { monitor } = this.k;
    if (monitor === null) return;
    for (let i = 0; i < count; i++) {
      monitor.onDeviceMap(this.mm.id, vpn + i, pfn + i, tag !== DPT_READ, this.device);
    }
  }
}

/**
 * Stock has a race here, as the device's own migration does not change the notifier's sequence:
 * - A, a fault of the device: `hmm_range_fault()` finds a page in RAM;
 * - B, through the same open file: migrates that page to the device, from the beginning to the end;
 * - A: takes the mutex, `mmu_interval_read_retry()` sees the old sequence, `dmirror_do_fault()` stores
 *   the page of RAM over the device page that B stored.
 * The device's page table names a page of RAM that is free.
 *
 * Mirrors: lib/test_hmm.c dmirror_interval_invalidate(), dmirror_do_update()
 * faithful, with the update's range taken one page too far
 */
const MIRROR_OPS: IntervalNotifierOps = {
  *invalidate(
    k: Kernel,
    notifier: IntervalNotifier,
    range: NotifierRange,
    sequence: number,
  ): Kernel$<boolean> {
    const { dmirror } = notifier as MirrorNotifier;
    const { mutex } = dmirror;
    // one's own migration takes care of the device's page table itself
    if (range.event === MmuNotify.Migrate && range.owner === dmirror.device) return true;
    if (range.blockable) {
      if (k.stepping) yield k.acquire(dmirror.mutex);
      k.lock(dmirror.mutex);
    } else {
      if (k.stepping) yield k.tryAcquire(dmirror.mutex);
      if (!k.tryLock(dmirror.mutex)) return false;
    }
    if (k.stepping) yield setSeqStep(k, notifier).and(Space.DeviceEntry, mutex.id, Role.Write);
    mmuIntervalSetSeq(notifier, sequence);
    dmirror.pt.eraseRange(range.start, range.end);
    for (const watch of dmirror.watches) watch.note(k, range.start, range.end, sequence);
    if (k.stepping) yield k.release(dmirror.mutex);
    k.unlock(dmirror.mutex);
    return true;
  },
};

/** A notifier for a mirror, by which the callback finds it (container_of()). */
class MirrorNotifier extends IntervalNotifier {
  constructor(
    readonly dmirror: Dmirror,
    ops: IntervalNotifierOps,
  ) {
    super(ops);
  }
}

/**
 * Opens a device for an address space.
 *
 * Mirrors: lib/test_hmm.c dmirror_fops_open()
 * faithful
 */
export function* openDmirror(k: Kernel, device: DmirrorDevice, mm: Mm): Kernel$<Dmirror> {
  const dmirror = new Dmirror(k, device, mm);
  yield* mmuIntervalNotifierInsert(k, dmirror.notifier, mm, 0, k.geometry.addressPages - 2);
  k.deviceViews.push(dmirror);
  return dmirror;
}

/** The step that waits until nobody is about to bring a folio back. */
function idleStep(k: Kernel, folio: number): Step {
  const idle = () => k.pages.refcount[folio] <= folioMapcount(k, folio);
  const ready = () => k.pages.isFree(folio) || (!k.folioLocked(folio) && idle());
  const step = k.waitFor(Space.FolioLock, folio, ready, Role.AcquireShared);
  return step.and(Space.Folio, folio, Role.Read);
}

/** Evictions after which a page counts as one that will never leave. */
const MAX_ROUNDS = 1000;

/** A page of the device that still belongs to an open file; -1: none. */
function pageLeft(k: Kernel, { device, number }: Dmirror): number {
  for (const { start, count } of device.chunks) {
    for (let pfn = start; pfn < start + count; pfn++) {
      if (!k.pages.isFree(pfn) && k.pages.private[pageFolio(k, pfn)] === number) return pfn;
    }
  }
  return -1;
}

/**
 * Closes a device: its memory is evicted, whoever it belongs to.
 *
 * Mirrors: lib/test_hmm.c dmirror_fops_release()
 * differs: waits for each page that is left, because somebody was about to bring it back, and evicts it
 * then; stock evicts once, and that fault then uses the closed file
 */
export function* closeDmirror(k: Kernel, dmirror: Dmirror): Kernel$<void> {
  k.deviceViews.splice(k.deviceViews.indexOf(dmirror), 1);
  yield* mmuIntervalNotifierRemove(k, dmirror.notifier);
  for (const chunk of dmirror.device.chunks) yield* evictChunk(k, dmirror.device, chunk);
  yield* evictLeft(k, dmirror.device, () => pageLeft(k, dmirror));
  dmirror.pt.clear();
  dmirror.device.opened[dmirror.number] = undefined;
}

/** Evicts pages that somebody was about to bring back, until none is left. */
function* evictLeft(k: Kernel, device: DmirrorDevice, next: () => number): Kernel$<void> {
  let rounds = 0;
  for (let left = next(); left >= 0; left = next()) {
    if (++rounds > MAX_ROUNDS) k.throwBug('livelock', 'a device page cannot be evicted');
    if (k.stepping) yield idleStep(k, pageFolio(k, left));
    if (k.pages.isFree(left)) continue;
    const folio = pageFolio(k, left);
    yield* evictPages(k, device, folio, folioPages(k, folio), true);
  }
}

/**
 * Takes all of a device's memory away, evicting what is in it (HMM_DMIRROR_RELEASE). The device makes new
 * memory when it needs some.
 *
 * Mirrors: lib/test_hmm.c dmirror_device_remove_chunks()
 * differs: see closeDmirror() and retireChunk()
 */
export function* removeChunks(k: Kernel, device: DmirrorDevice): Kernel$<void> {
  if (k.stepping) yield k.acquire(device.devmemLock);
  k.lock(device.devmemLock);
  for (const chunk of [...device.chunks]) {
    yield* device.retireChunk(chunk);
    yield* evictChunk(k, device, chunk);
    yield* evictLeft(k, device, () => inUse(k, chunk));
    yield* device.removeChunk(chunk);
  }
  if (k.stepping) yield k.release(device.devmemLock);
  k.unlock(device.devmemLock);
}

/** A page of a range of device memory that is in use; -1: none. */
function inUse(k: Kernel, { start, count, refs }: DevPagemap): number {
  for (let pfn = start; refs > 0 && pfn < start + count; pfn++)
    if (!k.pages.isFree(pfn)) return pfn;
  return -1;
}

// ---- own migrations ----

/**
 * Begins to note what is invalidated.
 *
 * Mirrors: lib/test_hmm.c dmirror_range_fault()
 * differs: stock compares the notifier's sequence alone
 */
export function* beginWatch(k: Kernel, dmirror: Dmirror, watch: Watch): Kernel$<Watch> {
  if (k.stepping) yield k.acquire(dmirror.mutex);
  k.lock(dmirror.mutex);
  watch.task = k.current;
  dmirror.watches.add(watch);
  if (k.stepping) yield k.release(dmirror.mutex);
  k.unlock(dmirror.mutex);
  return watch;
}

/**
 * The device's own migration is about to copy pages, which no process can reach now: the device must
 * not either, and a range fault under way that has looked at them must look again. The mutex is held.
 *
 * differs: stock leaves the entries of pages that come to the device as they are, so that the device may
 * write to what was copied already, and a range fault may map it afterwards
 * @param own a watch of the migration itself
 */
export function leaveToMigration(
  dmirror: Dmirror,
  first: number,
  last: number,
  own: Watch | null,
): void {
  dmirror.pt.eraseRange(first, last);
  for (const watch of dmirror.watches) {
    if (watch !== own && !watch.isOf(dmirror.k)) watch.note(dmirror.k, first, last, MOVED);
  }
}

/**
 * Before the device's own migration looks at any page: begins to note what others invalidate, when
 * nothing is being invalidated. What they take away the migration must not map.
 *
 * Mirrors: lib/test_hmm.c dmirror_migrate_to_device()
 * differs: stock maps what was taken away meanwhile
 */
export function* beginMigration(k: Kernel, dmirror: Dmirror): Kernel$<Watch> {
  const since = yield* beginWatch(k, dmirror, new Watch(k.current));
  yield* mmuIntervalReadBegin(k, dmirror.notifier);
  return since;
}

/**
 * Ends what `beginWatch` or `beginMigration` began.
 *
 * Mirrors: lib/test_hmm.c dmirror_migrate_to_device()
 * differs: see there
 */
export function* endWatch(k: Kernel, dmirror: Dmirror, watch: Watch): Kernel$<void> {
  if (k.stepping) yield k.acquire(dmirror.mutex);
  k.lock(dmirror.mutex);
  dmirror.watches.delete(watch);
  if (k.stepping) yield k.release(dmirror.mutex);
  k.unlock(dmirror.mutex);
}

/** The object that a step names when it looks at the notifiers' sequence. */
function sequenceOf({ mm }: Dmirror): number {
  return (mm.subscriptions as NotifierSubscriptions).lock.id;
}

/**
 * Other open files of the device for the same address space lose their entries of what migrates: the
 * notifier tells none of them, as the migration is in the device's name.
 *
 * Mirrors: lib/test_hmm.c dmirror_interval_invalidate()
 * differs: stock forgets them, and they reach pages that have gone elsewhere
 * @param last the last page, inclusive
 */
export function* leaveOthers(
  k: Kernel,
  dmirror: Dmirror,
  first: number,
  last: number,
): Kernel$<void> {
  for (const other of dmirror.device.opened) {
    if (!other || other === dmirror || other.mm !== dmirror.mm) continue;
    if (k.stepping) yield k.acquire(other.mutex);
    k.lock(other.mutex);
    if (k.stepping) yield deviceTableStep(k, other, Role.Write);
    leaveToMigration(other, first, last, null);
    if (k.stepping) yield k.release(other.mutex);
    k.unlock(other.mutex);
  }
}

/**
 * Pages of a range come to the device.
 *
 * Mirrors: lib/test_hmm.c dmirror_migrate_alloc_and_copy()
 * differs: stock leaves the device's entries as they are until the pages have migrated
 * @param migrates which ones
 * @param own a watch of the same migration
 * @returns the device's entries so far, 0 for none
 */
export function* leaveRam(
  k: Kernel,
  dmirror: Dmirror,
  start: number,
  pages: number,
  migrates: (at: number) => boolean,
  own: Watch | null,
): Kernel$<Int32Array> {
  const entries = new Int32Array(pages);
  yield* leaveOthers(k, dmirror, start, start + pages - 1);
  if (k.stepping) yield k.acquire(dmirror.mutex);
  k.lock(dmirror.mutex);
  for (const watch of dmirror.watches) if (watch.isOf(k)) watch.mark();
  if (k.stepping) yield deviceTableStep(k, dmirror, Role.Write);
  for (let i = 0; i < pages; i++) {
    if (!migrates(i)) continue;
    entries[i] = dmirror.pt.load(start + i);
    if (entries[i] !== 0 || dmirror.watches.size > 1) {
      leaveToMigration(dmirror, start + i, start + i, own);
    }
  }
  if (k.stepping) yield k.release(dmirror.mutex);
  k.unlock(dmirror.mutex);
  return entries;
}

/**
 * Pages leave the device.
 *
 * Mirrors: lib/test_hmm.c dmirror_devmem_fault_alloc_and_copy(), its xa_erase()
 * differs: under the mutex, and range faults under way learn of it
 */
export function* leaveDevice(
  k: Kernel,
  dmirror: Dmirror,
  vpn: number,
  pages: number,
): Kernel$<void> {
  if (k.stepping) yield k.acquire(dmirror.mutex);
  k.lock(dmirror.mutex);
  if (k.stepping) yield deviceTableStep(k, dmirror, Role.Write);
  leaveToMigration(dmirror, vpn, vpn + pages - 1, null);
  if (k.stepping) yield k.release(dmirror.mutex);
  k.unlock(dmirror.mutex);
  yield* leaveOthers(k, dmirror, vpn, vpn + pages - 1);
}

// ---- faults ----

/**
 * Maps what a range fault found into the device's page table; the mutex is held.
 *
 * Mirrors: lib/test_hmm.c dmirror_do_fault()
 * differs: a device-private page is mapped as the memory behind it (the mend of the recorded
 * driver); that a page is not writable although asked for is no finding, 7.3.4 does so for the
 * device's own read-only pages
 * @param from first page to map
 * @returns 0 or -EFAULT
 */
export function dmirrorDoFault(
  k: Kernel,
  dmirror: Dmirror,
  range: HmmRange,
  from = range.start,
): number {
  for (let vpn = from; vpn < range.end; vpn++) {
    const entry = range.hmmPfns[vpn - range.start];
    k.warn((entry & HMM_PFN_ERROR) !== 0, 'a range fault succeeds with an error entry');
    k.warn(!(entry & HMM_PFN_VALID), 'a range fault succeeds with a page missing');
    if (!(entry & HMM_PFN_WRITE) && range.defaultFlags & HMM_PFN_REQ_WRITE) return -EFAULT;
    const tag = entry & HMM_PFN_WRITE ? DPT_WRITE : DPT_READ;
    dmirror.map(vpn, hmmPfnToPfn(entry), tag);
  }
  return 0;
}

/** A range of at most `pages` pages for this device. */
export function deviceRange(dmirror: Dmirror, pages: number, flags: number): HmmRange {
  return {
    notifier: dmirror.notifier,
    notifierSeq: 0,
    start: 0,
    end: 0,
    hmmPfns: new Int32Array(pages),
    defaultFlags: flags,
    pfnFlagsMask: 0,
    devPrivateOwner: dmirror.device,
    migrate: null,
  };
}

/**
 * Looks at one range.
 *
 * Mirrors: lib/test_hmm.c dmirror_range_fault(), dmirror_range_fault_unlocked(), their fault
 * faithful
 * @param unlocked a fault may give mmap_lock up
 */
function* faultOnce(k: Kernel, range: HmmRange, unlocked: boolean): Kernel$<number> {
  if (unlocked) return yield* hmmRangeFaultUnlockedTimeout(k, range);
  const notifier = range.notifier as IntervalNotifier;
  const { mmapLock } = notifier.mm as Mm;
  range.notifierSeq = yield* mmuIntervalReadBegin(k, notifier);
  if (k.stepping) yield k.acquire(mmapLock, true);
  k.lockShared(mmapLock);
  const ret = yield* hmmRangeFault(k, range);
  if (k.stepping) yield k.release(mmapLock);
  k.unlockShared(mmapLock);
  return ret;
}

/**
 * Faults one range and maps it, as often as it is invalidated meanwhile.
 *
 * Mirrors: lib/test_hmm.c dmirror_range_fault(), dmirror_range_fault_unlocked()
 * differs: looks again when the device's own migration moved a page, of which the notifier does not
 * tell; there is no clock to give up by
 */
function* rangeFault(
  k: Kernel,
  dmirror: Dmirror,
  range: HmmRange,
  unlocked: boolean,
): Kernel$<number> {
  const { mutex, notifier } = dmirror;
  for (;;) {
    const watch = yield* beginWatch(k, dmirror, new Watch(null, range));
    const ret = yield* faultOnce(k, range, unlocked);
    if (k.stepping) yield k.acquire(mutex);
    k.lock(mutex);
    dmirror.watches.delete(watch);
    let stale = ret === -EBUSY || mmuIntervalReadRetry(notifier, range.notifierSeq);
    for (let vpn = range.start; vpn < range.end && !stale; vpn++) {
      stale = watch.isStale(vpn);
    }
    if (ret && ret !== -EBUSY) {
      if (k.stepping) yield k.release(mutex);
      k.unlock(mutex);
      return ret;
    }
    if (k.stepping && !stale) yield deviceTableStep(k, dmirror, Role.Write);
    const mapped = stale ? 0 : dmirrorDoFault(k, dmirror, range);
    if (k.stepping) yield k.release(mutex);
    k.unlock(mutex);
    if (!stale) return mapped;
  }
}

/** Mirrors: lib/test_hmm.c dmirror_fault(), dmirror_fault_unlocked(); faithful */
function* dmirrorFault(
  k: Kernel,
  dmirror: Dmirror,
  start: number,
  end: number,
  write: boolean,
  unlocked: boolean,
): Kernel$<number> {
  const flags = HMM_PFN_REQ_FAULT | (write ? HMM_PFN_REQ_WRITE : 0);
  const range = deviceRange(dmirror, BATCH, flags);
  for (let vpn = start; vpn < end; vpn = range.end) {
    range.start = vpn;
    range.end = Math.min(vpn + BATCH, end);
    const ret = yield* rangeFault(k, dmirror, range, unlocked);
    if (ret) return ret;
  }
  return 0;
}

// ---- access ----

/**
 * The step before the device's page table is changed or looked at: most who do hold the mutex, but not
 * all.
 */
export function deviceTableStep(k: Kernel, dmirror: Dmirror, role: Role): Step {
  return k.step(StepKind.Shared, Space.DeviceEntry, dmirror.mutex.id, role);
}

/** The step before the device's flags are looked at or changed. */
export function deviceFlagStep(k: Kernel, dmirror: Dmirror): Step {
  return k.step(StepKind.Shared, Space.Program, dmirror.mutex.id, Role.Write);
}

/** The step before an access: to the device's entry, under its mutex, and to the page behind it. */
function deviceAccessStep(k: Kernel, dmirror: Dmirror, vpn: number, role: Role): Step {
  const step = k.step(StepKind.DeviceAccess, Space.DeviceEntry, dmirror.mutex.id, Role.Read);
  const entry = dmirror.pt.load(vpn);
  return entry === 0 ? step : step.and(Space.Frame, pfnOf(entry), role);
}

/**
 * Reads pages through the device's page table, until one is missing.
 *
 * Mirrors: lib/test_hmm.c dmirror_do_read()
 * faithful
 * @returns 0, or -ENOENT at a page that is not mapped
 */
function* doRead(
  k: Kernel,
  dmirror: Dmirror,
  start: number,
  end: number,
  result: DeviceResult,
): Kernel$<number> {
  const size = k.geometry.pageBytes;
  const data = result.data as Uint8Array;
  for (let vpn = start; vpn < end; vpn++) {
    if (k.stepping) yield deviceAccessStep(k, dmirror, vpn, Role.Read);
    const entry = dmirror.pt.load(vpn);
    if (entry === 0) return -ENOENT;
    const pfn = pfnOf(entry);
    const into = data.subarray(result.cpages * size, (result.cpages + 1) * size);
    if (folioIsDevicePrivate(k, pfn)) {
      const pending = dmirror.memory.read(dmirror.device.devicePage(pfn), into);
      if (pending) yield k.deviceWait(pending);
    } else into.set(k.frames.view(pfn));
    if (k.monitor !== null) {
      k.monitor.onDeviceAccess(dmirror.mm.id, vpn, pfn, into, false, dmirror.device);
    }
    result.cpages++;
  }
  return 0;
}

/** Mirrors: lib/test_hmm.c dmirror_do_write(); faithful */
function* doWrite(
  k: Kernel,
  dmirror: Dmirror,
  start: number,
  end: number,
  result: DeviceResult,
): Kernel$<number> {
  const size = k.geometry.pageBytes;
  const data = result.data as Uint8Array;
  for (let vpn = start; vpn < end; vpn++) {
    if (k.stepping) yield deviceAccessStep(k, dmirror, vpn, Role.Write);
    const entry = dmirror.pt.load(vpn);
    if (entry === 0 || tagOf(entry) !== DPT_WRITE) return -ENOENT;
    const pfn = pfnOf(entry);
    const from = data.subarray(result.cpages * size, (result.cpages + 1) * size);
    if (folioIsDevicePrivate(k, pfn)) {
      const pending = dmirror.memory.write(dmirror.device.devicePage(pfn), from);
      if (pending) yield k.deviceWait(pending);
    } else k.frames.view(pfn).set(from);
    if (k.monitor !== null) {
      k.monitor.onDeviceAccess(dmirror.mm.id, vpn, pfn, from, true, dmirror.device);
    }
    result.cpages++;
  }
  return 0;
}

function* underMutex(
  k: Kernel,
  dmirror: Dmirror,
  body: (
    k: Kernel,
    dmirror: Dmirror,
    start: number,
    end: number,
    result: DeviceResult,
  ) => Kernel$<number>,
  start: number,
  end: number,
  result: DeviceResult,
): Kernel$<number> {
  if (k.stepping) yield k.acquire(dmirror.mutex);
  k.lock(dmirror.mutex);
  const ret = yield* body(k, dmirror, start, end, result);
  if (k.stepping) yield k.release(dmirror.mutex);
  k.unlock(dmirror.mutex);
  return ret;
}

/**
 * What a device operation returns at the end: the data of a range, read without faulting.
 *
 * Mirrors: lib/test_hmm.c dmirror_migrate_to_device() (its end), dmirror_exclusive()
 * faithful
 */
export function* readBack(
  k: Kernel,
  dmirror: Dmirror,
  start: number,
  end: number,
): Kernel$<DeviceResult> {
  const data = new Uint8Array((end - start) * k.geometry.pageBytes);
  const result: DeviceResult = { ret: 0, cpages: 0, faults: 0, data };
  result.ret = yield* underMutex(k, dmirror, doRead, start, end, result);
  return result;
}

/**
 * The device reads or writes a range, faulting where its page table is not enough.
 *
 * Mirrors: lib/test_hmm.c dmirror_read(), dmirror_write()
 * faithful
 * @param data what to write; null to read
 * @param unlocked a fault may give mmap_lock up
 */
export function* deviceAccess(
  k: Kernel,
  dmirror: Dmirror,
  start: number,
  end: number,
  data: Uint8Array | null,
  unlocked = false,
): Kernel$<DeviceResult> {
  const write = data !== null;
  const result: DeviceResult = {
    ret: 0,
    cpages: 0,
    faults: 0,
    data: data ?? new Uint8Array((end - start) * k.geometry.pageBytes),
  };
  for (;;) {
    const from = start + result.cpages;
    const body = write ? doWrite : doRead;
    const ret = yield* underMutex(k, dmirror, body, from, end, result);
    if (ret !== -ENOENT) return result;
    result.ret = yield* dmirrorFault(k, dmirror, start + result.cpages, end, write, unlocked);
    if (result.ret) return result;
    result.faults++;
  }
}

/**
 * The device reads a range. What is missing may be given by a monitor: its faults can give mmap_lock
 * up.
 *
 * Mirrors: lib/test_hmm.c dmirror_read_unlocked()
 * faithful
 */
export function deviceReadUnlocked(
  k: Kernel,
  dmirror: Dmirror,
  start: number,
  end: number,
): Kernel$<DeviceResult> {
  return deviceAccess(k, dmirror, start, end, null, true);
}

/**
 * Whether an entry is still what a page was made exclusive with, and nobody is about to take it away;
 * the mutex is held.
 */
function isStillExclusive(k: Kernel, dmirror: Dmirror, vpn: number, page: number): boolean {
  if (mmuIntervalInvalidating(dmirror.notifier)) return false;
  const ptep = ptepOf(k, dmirror.mm, vpn);
  const pte = ptep < 0 ? 0 : ptepGet(k, ptep);
  return !ptePresent(pte) && isDeviceExclusive(pte) && softleafToPfn(pte) === page;
}

/** The step before the mutex is taken to look at an entry and at the notifier. */
function lookStep(k: Kernel, dmirror: Dmirror, vpn: number): Step {
  const { mm, mutex } = dmirror;
  const step = k.acquire(mutex).and(Space.Sequence, sequenceOf(dmirror), Role.Read);
  const ptep = ptepOf(k, mm, vpn);
  return ptep < 0 ? step : step.and(Space.Entry, ptep, Role.Read);
}

/**
 * Gives the device exclusive access to a range.
 *
 * Mirrors: lib/test_hmm.c dmirror_exclusive(), dmirror_atomic_map()
 * differs: looks whether the page was taken away again before it is mapped; stock does not, and may
 * map a page that the process has unmapped
 */
export function* deviceExclusive(
  k: Kernel,
  dmirror: Dmirror,
  start: number,
  end: number,
): Kernel$<DeviceResult> {
  const { mm, mutex } = dmirror;
  if (k.stepping) yield k.acquire(mm.mmapLock, true);
  k.lockShared(mm.mmapLock);
  let ret = 0;
  for (let vpn = start; vpn < end; ) {
    const page = yield* makeDeviceExclusive(k, mm, vpn, null);
    if (page < 0) {
      ret = page;
      break;
    }
    if (k.stepping) yield lookStep(k, dmirror, vpn);
    k.lock(mutex);
    const still = isStillExclusive(k, dmirror, vpn, page);
    if (k.stepping && still) yield deviceTableStep(k, dmirror, Role.Write);
    if (still) dmirror.map(vpn, page, DPT_ATOMIC);
    if (k.stepping) yield k.release(mutex);
    k.unlock(mutex);
    const folio = pageFolio(k, page);
    yield* folioUnlockPut(k, folio, Holder.Pin);
    if (still) vpn++;
    else yield* mmuIntervalReadBegin(k, dmirror.notifier);
  }
  if (k.stepping) yield k.release(mm.mmapLock);
  k.unlockShared(mm.mmapLock);
  if (ret) return { ret, cpages: 0, faults: 0, data: null };
  return yield* readBack(k, dmirror, start, end);
}

/**
 * -EPERM while the device has exclusive access to a page of the range.
 *
 * Mirrors: lib/test_hmm.c dmirror_check_atomic()
 * faithful
 */
export function* checkExclusive(dmirror: Dmirror, start: number, end: number): Kernel$<number> {
  const { k } = dmirror;
  for (let vpn = start; vpn < end; vpn++) {
    if (k.stepping) yield deviceTableStep(k, dmirror, Role.Read);
    if (tagOf(dmirror.pt.load(vpn)) === DPT_ATOMIC) return -EPERM;
  }
  return 0;
}

// ---- snapshot ----

/** Mirrors: lib/test_hmm.c dmirror_mkentry(); simplified: no PUDs */
function snapshotByte(k: Kernel, dmirror: Dmirror, entry: number): number {
  if (entry & HMM_PFN_ERROR) return PROT_ERROR;
  if (!(entry & HMM_PFN_VALID)) return PROT_NONE;
  const pfn = hmmPfnToPfn(entry);
  let byte = PROT_NONE;
  if (folioIsZoneDevice(k, pfn)) {
    const local = pagePgmap(k, pfn).owner === dmirror.device;
    const coherent = folioIsDeviceCoherent(k, pfn);
    k.warn(!local && !coherent, "another device's page in a snapshot");
    if (coherent) byte = local ? PROT_DEV_COHERENT_LOCAL : PROT_DEV_COHERENT_REMOTE;
    else byte = PROT_DEV_PRIVATE_LOCAL;
  } else if (k.isZero(pfn)) byte = PROT_ZERO;
  byte |= entry & HMM_PFN_WRITE ? PROT_WRITE : PROT_READ;
  if (hmmPfnToMapOrder(entry, k.geometry.pmdOrder) > 0) byte |= PROT_PMD;
  return byte;
}

/** Mirrors: lib/test_hmm.c dmirror_snapshot_invalidate(); faithful */
const SNAPSHOT_OPS: IntervalNotifierOps = {
  *invalidate(k, notifier, range, sequence): Kernel$<boolean> {
    const { dmirror } = notifier as MirrorNotifier;
    if (range.blockable) {
      if (k.stepping) yield k.acquire(dmirror.mutex);
      k.lock(dmirror.mutex);
    } else {
      if (k.stepping) yield k.tryAcquire(dmirror.mutex);
      if (!k.tryLock(dmirror.mutex)) return false;
    }
    if (k.stepping) yield setSeqStep(k, notifier);
    mmuIntervalSetSeq(notifier, sequence);
    if (k.stepping) yield k.release(dmirror.mutex);
    k.unlock(dmirror.mutex);
    return true;
  },
};

/** Mirrors: lib/test_hmm.c dmirror_range_snapshot(); simplified: no clock */
function* rangeSnapshot(
  k: Kernel,
  dmirror: Dmirror,
  range: HmmRange,
  into: number[],
): Kernel$<number> {
  const { mm, mutex } = dmirror;
  const notifier = new MirrorNotifier(dmirror, SNAPSHOT_OPS);
  range.notifier = notifier;
  yield* mmuIntervalNotifierInsert(k, notifier, mm, range.start, range.end - 1);
  let ret: number;
  for (;;) {
    range.notifierSeq = yield* mmuIntervalReadBegin(k, notifier);
    if (k.stepping) yield k.acquire(mm.mmapLock, true);
    k.lockShared(mm.mmapLock);
    ret = yield* hmmRangeFault(k, range);
    if (k.stepping) yield k.release(mm.mmapLock);
    k.unlockShared(mm.mmapLock);
    if (ret === -EBUSY) continue;
    if (ret) break;
    if (k.stepping) yield k.acquire(mutex);
    k.lock(mutex);
    const stale = mmuIntervalReadRetry(notifier, range.notifierSeq);
    if (!stale) {
      for (let i = 0; i < range.end - range.start; i++) {
        into.push(snapshotByte(k, dmirror, range.hmmPfns[i]));
      }
    }
    if (k.stepping) yield k.release(mutex);
    k.unlock(mutex);
    if (!stale) break;
  }
  yield* mmuIntervalNotifierRemove(k, notifier);
  return ret;
}

/**
 * What the device would see of a range, without faulting: a byte a page.
 *
 * Mirrors: lib/test_hmm.c dmirror_snapshot()
 * faithful
 */
export function* deviceSnapshot(
  k: Kernel,
  dmirror: Dmirror,
  start: number,
  end: number,
): Kernel$<{ ret: number; prot: number[] }> {
  const range = deviceRange(dmirror, BATCH, 0);
  const prot: number[] = [];
  for (let vpn = start; vpn < end; vpn = range.end) {
    range.start = vpn;
    range.end = Math.min(vpn + BATCH, end);
    const ret = yield* rangeSnapshot(k, dmirror, range, prot);
    if (ret) return { ret, prot };
  }
  return { ret: 0, prot };
}
