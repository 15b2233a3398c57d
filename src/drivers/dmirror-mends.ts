/**
 * What the test driver does that lib/test_hmm.c does not, so that its page table is right at any time: it notes what
 * is invalidated while it walks or migrates, and what its own migrations move.
 */

import { ptePresent } from '../machine/pte.ts';
import { type Kernel$, ObjectKind, Role, type Step, StepKind } from '../machine/step.ts';
import type { Kernel } from '../mm/kernel.ts';
import { isDeviceExclusive, softleafToPfn } from '../mm/leafops.ts';
import {
  mmuIntervalInvalidating,
  mmuIntervalReadBegin,
  type NotifierSubscriptions,
} from '../mm/mmu-notifier.ts';
import { ptepGet, ptepOf } from '../mm/pgtable.ts';
import type { Dmirror } from './dmirror.ts';
import { deviceTableStep } from './driver.ts';
import { InvalidationLog, MOVED } from './invalidation-log.ts';

/** How the driver goes on where others are in its way. (An object, so that a test can put back what has no end.) */
export const PATIENCE = {
  /**
   * Tries after which an operation gives a page up that is taken away each time, with -EBUSY. It stands for the time
   * that the kernel's driver allows (HMM_RANGE_DEFAULT_TIMEOUT): the model has no clock.
   */
  tries: 16,
  /** The most steps that `backOff` waits. */
  longestWait: 4096,
};

/**
 * Begins to note what is invalidated.
 *
 * Mirrors: lib/test_hmm.c dmirror_range_fault()
 * differs: stock compares the notifier's sequence alone
 */
export function* beginLog(
  k: Kernel,
  dmirror: Dmirror,
  log: InvalidationLog,
): Kernel$<InvalidationLog> {
  if (k.stepping) yield k.acquire(dmirror.mutex);
  k.lock(dmirror.mutex);
  log.task = k.current;
  dmirror.logs.add(log);
  if (k.stepping) yield k.release(dmirror.mutex);
  k.unlock(dmirror.mutex);
  return log;
}

/**
 * The device's own migration is about to copy pages, which no process can reach now: the device must
 * not either, and a range fault under way that has looked at them must look again. The mutex is held.
 *
 * differs: stock leaves the entries of pages that come to the device as they are, so that the device may
 * write to what was copied already, and a range fault may map it afterwards
 * @param own a log of the migration itself
 */
export function leaveToMigration(
  dmirror: Dmirror,
  first: number,
  last: number,
  own: InvalidationLog | null,
): void {
  dmirror.pt.eraseRange(first, last);
  for (const log of dmirror.logs) {
    if (log !== own && !log.isOf(dmirror.k)) log.note(dmirror.k, first, last, MOVED);
  }
}

/**
 * Before the device's own migration looks at any page: begins to note what others invalidate, when
 * nothing is being invalidated. What they take away the migration must not map.
 *
 * Mirrors: lib/test_hmm.c dmirror_migrate_to_device()
 * differs: stock maps what was taken away meanwhile
 */
export function* beginMigration(k: Kernel, dmirror: Dmirror): Kernel$<InvalidationLog> {
  const since = yield* beginLog(k, dmirror, new InvalidationLog(k.current));
  yield* mmuIntervalReadBegin(k, dmirror.notifier);
  return since;
}

/**
 * Ends what `beginLog` or `beginMigration` began.
 *
 * Mirrors: lib/test_hmm.c dmirror_migrate_to_device()
 * differs: see there
 */
export function* endLog(k: Kernel, dmirror: Dmirror, log: InvalidationLog): Kernel$<void> {
  if (k.stepping) yield k.acquire(dmirror.mutex);
  k.lock(dmirror.mutex);
  dmirror.logs.delete(log);
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
 * @param own a log of the same migration
 * @returns the device's entries so far, 0 for none
 */
export function* leaveRam(
  k: Kernel,
  dmirror: Dmirror,
  start: number,
  pages: number,
  migrates: (at: number) => boolean,
  own: InvalidationLog | null,
): Kernel$<Int32Array> {
  const entries = new Int32Array(pages);
  yield* leaveOthers(k, dmirror, start, start + pages - 1);
  if (k.stepping) yield k.acquire(dmirror.mutex);
  k.lock(dmirror.mutex);
  for (const log of dmirror.logs) if (log.isOf(k)) log.mark();
  if (k.stepping) yield deviceTableStep(k, dmirror, Role.Write);
  for (let i = 0; i < pages; i++) {
    if (!migrates(i)) continue;
    entries[i] = dmirror.pt.load(start + i);
    if (entries[i] !== 0 || dmirror.logs.size > 1) {
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

/**
 * Waits before something is tried again that failed as others were at it, twice as long each time, so that they get on.
 *
 * Mirrors: lib/test_hmm.c dmirror_device_evict_chunk()
 * differs: stock evicts once, and leaves what somebody is at
 * @param failed how often it has failed
 */
export function* backOff(k: Kernel, failed: number): Kernel$<void> {
  const steps = Math.min(2 ** failed, PATIENCE.longestWait);
  for (let i = 0; i < steps; i++) {
    if (k.stepping) yield k.step(StepKind.Wait, ObjectKind.None, 0, Role.Read);
  }
}

/**
 * Whether an entry is still what a page was made exclusive with, and nobody is about to take it away;
 * the mutex is held.
 */
export function isStillExclusive(k: Kernel, dmirror: Dmirror, vpn: number, page: number): boolean {
  if (mmuIntervalInvalidating(dmirror.notifier)) return false;
  const ptep = ptepOf(k, dmirror.mm, vpn);
  const pte = ptep < 0 ? 0 : ptepGet(k, ptep);
  return !ptePresent(pte) && isDeviceExclusive(pte) && softleafToPfn(pte) === page;
}

/** The step before the mutex is taken to look at an entry and at the notifier. */
export function lookStep(k: Kernel, dmirror: Dmirror, vpn: number): Step {
  const { mm, mutex } = dmirror;
  const step = k.acquire(mutex).and(ObjectKind.Sequence, sequenceOf(dmirror), Role.Read);
  const ptep = ptepOf(k, mm, vpn);
  return ptep < 0 ? step : step.and(ObjectKind.Entry, ptep, Role.Read);
}
