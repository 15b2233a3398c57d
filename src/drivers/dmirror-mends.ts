/**
 * What the test driver does that lib/test_hmm.c does not, so that its page table is right at any time: it notes what
 * is invalidated while it walks or migrates, and what its own migrations move.
 */

import { ptePresent } from '../machine/pte.ts';
import { type Kernel$, ObjectKind, Role, type Step } from '../machine/step.ts';
import type { Kernel } from '../mm/kernel.ts';
import { isDeviceExclusive, softleafToPfn } from '../mm/leafops.ts';
import type { Mm } from '../mm/mm.ts';
import {
  mmuIntervalInvalidating,
  mmuIntervalReadBegin,
  type NotifierSubscriptions,
} from '../mm/mmu-notifier.ts';
import { ptepGet, ptepOf } from '../mm/pgtable.ts';
import type { Dmirror } from './dmirror.ts';
import { evictChunks, evictFile, removeChunks } from './dmirror-chunks.ts';
import { deviceTableStep } from './driver.ts';
import { InvalidationLog, MOVED } from './invalidation-log.ts';
import type { Mends } from './mends.ts';

/**
 * Begins to note what is invalidated.
 *
 * Mirrors: lib/test_hmm.c dmirror_range_fault()
 * differs: stock compares the notifier's sequence alone
 */
function* beginLog(k: Kernel, dmirror: Dmirror, log: InvalidationLog): Kernel$<InvalidationLog> {
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
function leaveToMigration(
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
function* beginMigration(k: Kernel, dmirror: Dmirror): Kernel$<InvalidationLog> {
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
function* endLog(k: Kernel, dmirror: Dmirror, log: InvalidationLog): Kernel$<void> {
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
function* leaveOthers(
  k: Kernel,
  dmirror: Dmirror,
  mm: Mm,
  first: number,
  last: number,
): Kernel$<void> {
  for (const other of dmirror.device.opened) {
    if (!other || other === dmirror || other.mm !== mm) continue;
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
function* leaveRam(
  k: Kernel,
  dmirror: Dmirror,
  start: number,
  pages: number,
  migrates: (at: number) => boolean,
  own: InvalidationLog | null,
): Kernel$<Int32Array> {
  const entries = new Int32Array(pages);
  yield* leaveOthers(k, dmirror, dmirror.mm, start, start + pages - 1);
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
 * Pages of an address space leave the device. Whose they are, who has them noted, may have another one: a child's page is
 * its parent's.
 *
 * Mirrors: lib/test_hmm.c dmirror_devmem_fault_alloc_and_copy(), its xa_erase()
 * differs: under the mutex, and range faults under way learn of it
 */
function* leaveDevice(
  k: Kernel,
  dmirror: Dmirror,
  mm: Mm,
  vpn: number,
  pages: number,
): Kernel$<void> {
  if (k.stepping) yield k.acquire(dmirror.mutex);
  k.lock(dmirror.mutex);
  if (k.stepping) yield deviceTableStep(k, dmirror, Role.Write);
  leaveToMigration(dmirror, vpn, vpn + pages - 1, null);
  if (k.stepping) yield k.release(dmirror.mutex);
  k.unlock(dmirror.mutex);
  yield* leaveOthers(k, dmirror, mm, vpn, vpn + pages - 1);
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
function lookStep(k: Kernel, dmirror: Dmirror, vpn: number): Step {
  const { mm, mutex } = dmirror;
  const step = k.acquire(mutex).and(ObjectKind.Sequence, sequenceOf(dmirror), Role.Read);
  const ptep = ptepOf(k, mm, vpn);
  return ptep < 0 ? step : step.and(ObjectKind.Entry, ptep, Role.Read);
}

/** The driver of which the page table is right at any time. */
export const MENDED: Mends = {
  driver: 'mended',
  beginLog,
  beginMigration,
  endLog,
  isMoved: (_dmirror, log, vpn) => log.isStale(vpn),
  isLate: (_dmirror, log, vpn) => log.isStale(vpn),
  // what is stale is left out
  mustFaultAgain: () => false,
  isLeftOut: (log, vpn, prepared) => log.isStale(vpn, prepared),
  arrived(dmirror, first, last, own) {
    // a range fault may have found the zero page before a hole was populated
    if (dmirror.logs.size > 0) leaveToMigration(dmirror, first, last, own);
  },
  leaveRam,
  leftRam() {},
  leaveDevice,
  leaveOthers,
  wrote() {},
  claimStep: lookStep,
  isClaimed: isStillExclusive,
  evictAll: evictChunks,
  evictLeft: evictFile,
  removeChunks,
};
