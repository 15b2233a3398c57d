/**
 * The test driver faults, reads and writes.
 *
 * Models: lib/test_hmm.c
 */

import {
  HMM_PFN_ERROR,
  HMM_PFN_REQ_FAULT,
  HMM_PFN_REQ_WRITE,
  HMM_PFN_VALID,
  HMM_PFN_WRITE,
  hmmPfnToPfn,
} from '../hmm/pfn.ts';
import { hmmRangeFault, hmmRangeFaultUnlockedTimeout } from '../hmm/range.ts';
import type { HmmRange } from '../hmm/walk-state.ts';
import { EBUSY, EFAULT, ENOENT } from '../machine/errno.ts';
import { type Kernel$, ObjectKind, Role, type Step, StepKind } from '../machine/step.ts';
import { folioIsDevicePrivate } from '../mm/folio.ts';
import type { Kernel } from '../mm/kernel.ts';
import type { Mm } from '../mm/mm.ts';
import {
  type IntervalNotifier,
  mmuIntervalReadBegin,
  mmuIntervalReadRetry,
} from '../mm/mmu-notifier.ts';
import { DPT_READ, DPT_WRITE, pfnOf, tagOf } from './device-table.ts';
import { BATCH, type Dmirror } from './dmirror.ts';
import { deviceRange, deviceTableStep } from './driver.ts';
import { InvalidationLog } from './invalidation-log.ts';
import { PATIENCE } from './patience.ts';

/** What a device operation came to. */
export interface DeviceResult {
  /** 0 or a negative errno. */
  ret: number;
  cpages: number;
  faults: number;
  /** What was read, a page after the other. */
  data: Uint8Array | null;
}

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
 * differs: the mended driver looks again when the device's own migration moved a page, of which the notifier does not
 * tell; gives up after so many tries, not after so much time
 */
function* rangeFault(
  k: Kernel,
  dmirror: Dmirror,
  range: HmmRange,
  unlocked: boolean,
): Kernel$<number> {
  const { mutex, notifier } = dmirror;
  const { mends } = dmirror.device;
  for (let tries = 0; tries < PATIENCE.tries; tries++) {
    const log = yield* mends.beginLog(k, dmirror, new InvalidationLog(null, range));
    const ret = yield* faultOnce(k, range, unlocked);
    if (k.stepping) yield k.acquire(mutex);
    k.lock(mutex);
    dmirror.logs.delete(log);
    let stale = ret === -EBUSY || mmuIntervalReadRetry(notifier, range.notifierSeq);
    for (let vpn = range.start; vpn < range.end && !stale; vpn++) {
      stale = mends.isMoved(dmirror, log, vpn, hmmPfnToPfn(range.hmmPfns[vpn - range.start]));
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
  return -EBUSY;
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

/** The step before an access: to the device's entry, under its mutex, and to the page behind it. */
function deviceAccessStep(k: Kernel, dmirror: Dmirror, vpn: number, role: Role): Step {
  const step = k.step(StepKind.DeviceAccess, ObjectKind.DeviceEntry, dmirror.mutex.id, Role.Read);
  const entry = dmirror.pt.load(vpn);
  return entry === 0 ? step : step.and(ObjectKind.Frame, pfnOf(entry), role);
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
    } else k.frames.read(pfn, into);
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
    } else k.frames.write(pfn, from);
    if (k.monitor !== null) {
      k.monitor.onDeviceAccess(dmirror.mm.id, vpn, pfn, from, true, dmirror.device);
    }
    dmirror.device.mends.wrote(dmirror, vpn);
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
