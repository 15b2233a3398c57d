/**
 * MMU interval notifiers: how a driver learns that a mapping it mirrors is about to change, and
 * how it notices that one changed while it was looking.
 *
 * Models: mm/mmu_notifier.c
 */
import { EAGAIN } from '../machine/errno.ts';
import type { Lock } from '../machine/lock.ts';
import { notifierOf } from '../machine/objects.ts';
import { type Kernel$, ObjectKind, Role, StepKind } from '../machine/step.ts';
import type { Vpn } from '../machine/units.ts';
import type { Kernel } from './kernel.ts';
import type { Mm } from './mm.ts';

/** Why a range is invalidated (enum mmu_notifier_event). */
export const MmuNotify = {
  Unmap: 'unmap',
  Clear: 'clear',
  ProtectionVma: 'protection of an area',
  ProtectionPage: 'protection of pages',
  SoftDirty: 'soft-dirty',
  Release: 'release',
  Migrate: 'migrate',
  Exclusive: 'exclusive',
} as const;
export type MmuNotify = (typeof MmuNotify)[keyof typeof MmuNotify];

/** struct mmu_notifier_range; `start` and `end` (exclusive) in pages. */
export interface NotifierRange {
  mm: Mm;
  start: Vpn;
  end: Vpn;
  event: MmuNotify;
  /** For Migrate and Exclusive: whose doing it is, so that a driver can skip its own. */
  owner: object | null;
  blockable: boolean;
}

export interface IntervalNotifierOps {
  /** @returns false only when it would have to wait and must not */
  invalidate(
    k: Kernel,
    notifier: IntervalNotifier,
    range: NotifierRange,
    sequence: number,
  ): Kernel$<boolean>;
}

/** struct mmu_interval_notifier */
export class IntervalNotifier {
  /** Names it in steps; 0 until it is subscribed. */
  id = 0;
  invalidateSeq = 0;
  /** Waiting on the deferred list; whether it is in the tree says for what. */
  deferred = false;
  inTree = false;
  /** It was removed: its memory may be something else. */
  givenBack = false;
  mm: Mm | null = null;
  /** Pages; `last` is inclusive. */
  start: Vpn = 0;
  last: Vpn = 0;

  constructor(readonly ops: IntervalNotifierOps) {}
}

/** Of a notifier that was removed: what says so, and what its owner gave it. */
const NOTIFIER_KEEPS = ['id', 'givenBack', 'deferred', 'inTree', 'ops', 'dmirror'];

/** struct mmu_notifier_subscriptions */
export class NotifierSubscriptions {
  /** Whether anything ever subscribed. */
  registered = false;
  invalidateSeq = 2;
  activeInvalidateRanges = 0;
  /** By start, then by time of insertion. */
  tree: IntervalNotifier[] = [];
  /** Newest first. */
  deferred: IntervalNotifier[] = [];
  /** How many ever subscribed. */
  count = 0;

  constructor(readonly lock: Lock) {}

  get isInvalidating(): boolean {
    return (this.invalidateSeq & 1) !== 0;
  }

  treeInsert(notifier: IntervalNotifier): void {
    let at = this.tree.length;
    while (at > 0 && this.tree[at - 1].start > notifier.start) at--;
    this.tree.splice(at, 0, notifier);
    notifier.inTree = true;
  }

  treeRemove(notifier: IntervalNotifier): void {
    const at = this.tree.indexOf(notifier);
    if (at >= 0) this.tree.splice(at, 1);
    notifier.inTree = false;
  }

  overlapping(range: NotifierRange, after: IntervalNotifier | null): IntervalNotifier | null {
    let from = 0;
    if (after) from = this.tree.indexOf(after) + 1;
    for (let i = from; i < this.tree.length; i++) {
      const notifier = this.tree[i];
      if (notifier.start <= range.end - 1 && notifier.last >= range.start) return notifier;
    }
    return null;
  }
}

/** Whether anyone may want to hear of changes in `mm` (mm_has_notifiers()). */
export function mmHasNotifiers(mm: Mm): boolean {
  return mm.subscriptions.registered;
}

export function notifierRange(
  event: MmuNotify,
  mm: Mm,
  start: Vpn,
  end: Vpn,
  owner: object | null = null,
): NotifierRange {
  return { mm, start, end, event, owner, blockable: true };
}

/**
 * Mirrors: mm/mmu_notifier.c mn_itree_inv_start_range()
 * faithful
 */
function* mnItreeInvStartRange(
  k: Kernel,
  subs: NotifierSubscriptions,
  range: NotifierRange,
): Kernel$<{ first: IntervalNotifier | null; sequence: number }> {
  if (k.stepping) yield k.acquire(subs.lock);
  k.lock(subs.lock);
  subs.activeInvalidateRanges++;
  const first = subs.overlapping(range, null);
  if (first) subs.invalidateSeq |= 1;
  const sequence = subs.invalidateSeq;
  if (k.stepping) yield k.release(subs.lock);
  k.unlock(subs.lock);
  return { first, sequence };
}

/**
 * Mirrors: mm/mmu_notifier.c mn_itree_inv_end()
 * faithful
 */
function* mnItreeInvEnd(k: Kernel, subs: NotifierSubscriptions): Kernel$<void> {
  if (k.stepping) yield k.acquire(subs.lock).and(ObjectKind.Sequence, subs.lock.id, Role.Write);
  k.lock(subs.lock);
  subs.activeInvalidateRanges--;
  if (subs.activeInvalidateRanges === 0 && subs.isInvalidating) {
    subs.invalidateSeq++;
    for (const notifier of subs.deferred.splice(0)) {
      // whoever looks at the sequence without the lock may see it before the list is done
      if (k.stepping) yield k.step(StepKind.Shared, ObjectKind.Sequence, subs.lock.id, Role.Write);
      if (notifier.givenBack) k.report('use after free', 'a notifier that was freed is used');
      if (notifier.inTree) subs.treeRemove(notifier);
      else subs.treeInsert(notifier);
      notifier.deferred = false;
    }
  }
  if (k.stepping) yield k.release(subs.lock).and(ObjectKind.Sequence, subs.lock.id, Role.Write);
  k.unlock(subs.lock);
}

/**
 * Starts an invalidation: every notifier that overlaps the range is told.
 *
 * Mirrors: mm/mmu_notifier.c mn_itree_invalidate(), __mmu_notifier_invalidate_range_start()
 * simplified: interval notifiers only
 * @returns 0, or -EAGAIN when it may not block and had to
 */
export function* mmuNotifierInvalidateRangeStart(k: Kernel, range: NotifierRange): Kernel$<number> {
  const subs = range.mm.subscriptions;
  if (!subs.registered) return 0;
  k.counters.invalidations++;
  if (range.blockable) k.mightSleep('an invalidation');
  let err = 0;
  const { first, sequence } = yield* mnItreeInvStartRange(k, subs, range);
  if (k.monitor !== null) k.monitor.onNotify();
  for (let notifier = first; notifier; notifier = subs.overlapping(range, notifier)) {
    const done = yield* notifier.ops.invalidate(k, notifier, range, sequence);
    if (!done) {
      if (k.warn(range.blockable, 'a notifier refuses an invalidation that may block')) continue;
      err = -EAGAIN;
      break;
    }
  }
  if (k.monitor !== null) k.monitor.onNotified();
  if (err) yield* mnItreeInvEnd(k, subs);
  else if (k.monitor !== null) {
    k.monitor.onInvalidate(range.mm.id, range.start, range.end, range, range.owner);
  }
  return err;
}

/**
 * Ends an invalidation.
 *
 * Mirrors: mm/mmu_notifier.c __mmu_notifier_invalidate_range_end()
 * simplified: interval notifiers only
 */
export function* mmuNotifierInvalidateRangeEnd(k: Kernel, range: NotifierRange): Kernel$<void> {
  const subs = range.mm.subscriptions;
  if (!subs.registered) return;
  if (k.monitor !== null) k.monitor.onInvalidateEnd(range);
  yield* mnItreeInvEnd(k, subs);
}

/** The step before `mmuIntervalSetSeq`: a reader may not have the driver's lock. */
export function setSeqStep(k: Kernel, notifier: IntervalNotifier) {
  return k.step(StepKind.Shared, ObjectKind.Sequence, notifier.id, Role.Write);
}

/** For a driver's `invalidate`: notes the sequence, under the driver's own lock. */
export function mmuIntervalSetSeq(notifier: IntervalNotifier, sequence: number): void {
  notifier.invalidateSeq = sequence;
}

/**
 * Begins a read side: waits until no invalidation of the notifier is under way.
 *
 * Mirrors: mm/mmu_notifier.c mmu_interval_read_begin()
 * faithful
 * @returns the sequence to give to `mmuIntervalReadRetry`
 */
export function* mmuIntervalReadBegin(k: Kernel, notifier: IntervalNotifier): Kernel$<number> {
  const subs = k.present(notifier.mm, 'the address space of a notifier').subscriptions;
  if (k.stepping) yield k.acquire(subs.lock).and(ObjectKind.Sequence, notifier.id, Role.Read);
  k.lock(subs.lock);
  const seq = notifier.invalidateSeq;
  const isInvalidating = seq === subs.invalidateSeq;
  if (k.stepping) yield k.release(subs.lock);
  k.unlock(subs.lock);
  if (isInvalidating) {
    k.mightSleep('an invalidation to end');
    if (k.monitor !== null) k.monitor.onWait('invalidation');
    const ready = () => subs.invalidateSeq !== seq;
    if (k.stepping) yield k.waitFor(ObjectKind.Sequence, subs.lock.id, ready);
    k.waited(ready(), 'an invalidation to end');
  }
  return seq;
}

/** Under the driver's lock: whether the notifier was invalidated since (mmu_interval_read_retry()). */
export function mmuIntervalReadRetry(notifier: IntervalNotifier, sequence: number): boolean {
  // a number, or nobody may ask any more
  return notifier.invalidateSeq - sequence !== 0;
}

/** Under the driver's lock: whether an invalidation that the notifier was told of is under way. */
export function mmuIntervalInvalidating(notifier: IntervalNotifier): boolean {
  return notifier.invalidateSeq === notifier.mm?.subscriptions.invalidateSeq;
}

/** Without the driver's lock: a hint (mmu_interval_check_retry()). A step precedes it. */
export function mmuIntervalCheckRetry(notifier: IntervalNotifier, sequence: number): boolean {
  return notifier.invalidateSeq !== sequence;
}

/** The step before `mmuIntervalCheckRetry`. */
export function checkRetryStep(k: Kernel, notifier: IntervalNotifier) {
  return k.step(StepKind.Shared, ObjectKind.Sequence, notifier.id, Role.Read);
}

/**
 * Subscribes to changes of `start` to `last` (pages, inclusive).
 *
 * Mirrors: mm/mmu_notifier.c mmu_interval_notifier_insert()
 * faithful
 */
export function* mmuIntervalNotifierInsert(
  k: Kernel,
  notifier: IntervalNotifier,
  mm: Mm,
  start: Vpn,
  last: Vpn,
): Kernel$<void> {
  const subs = mm.subscriptions;
  if (!subs.registered) {
    // mmu_notifier_register(): nobody is between the start and the end of an invalidation
    if (k.stepping) yield k.acquire(mm.mmapLock);
    k.lock(mm.mmapLock);
    subs.registered = true;
    if (k.stepping) yield k.release(mm.mmapLock);
    k.unlock(mm.mmapLock);
  }
  notifier.id = notifierOf(subs.lock, ++subs.count);
  notifier.givenBack = false;
  notifier.mm = mm;
  notifier.start = start;
  notifier.last = last;
  if (k.stepping) yield k.acquire(subs.lock);
  k.lock(subs.lock);
  if (subs.activeInvalidateRanges > 0) {
    if (subs.isInvalidating) {
      subs.deferred.unshift(notifier);
      notifier.deferred = true;
    } else {
      subs.invalidateSeq |= 1;
      subs.treeInsert(notifier);
    }
    notifier.invalidateSeq = subs.invalidateSeq;
  } else {
    k.warn(subs.isInvalidating, 'a notifier sequence is odd without an invalidation');
    notifier.invalidateSeq = subs.invalidateSeq - 1;
    subs.treeInsert(notifier);
  }
  if (k.stepping) yield k.release(subs.lock);
  k.unlock(subs.lock);
}

/**
 * Unsubscribes; waits for an invalidation that may still use the notifier.
 *
 * Mirrors: mm/mmu_notifier.c mmu_interval_notifier_remove(), mmu_interval_seq_released()
 * faithful
 */
export function* mmuIntervalNotifierRemove(k: Kernel, notifier: IntervalNotifier): Kernel$<void> {
  const subs = k.present(notifier.mm, 'the address space of a notifier').subscriptions;
  let seq = 0;
  k.mightSleep('the end of an invalidation');
  if (k.stepping) yield k.acquire(subs.lock);
  k.lock(subs.lock);
  if (subs.isInvalidating) {
    if (!notifier.inTree) {
      subs.deferred.splice(subs.deferred.indexOf(notifier), 1);
      notifier.deferred = false;
    } else {
      subs.deferred.unshift(notifier);
      notifier.deferred = true;
      seq = subs.invalidateSeq;
    }
  } else {
    k.warn(!notifier.inTree, 'a notifier is removed that is not subscribed');
    subs.treeRemove(notifier);
  }
  if (k.stepping) yield k.release(subs.lock);
  k.unlock(subs.lock);
  if (seq !== 0) {
    if (k.monitor !== null) k.monitor.onWait('invalidation');
    // the sequence is read under the lock: mn_itree_inv_end() is over when it has changed
    const ready = () => subs.invalidateSeq !== seq && !subs.lock.held;
    if (k.stepping) yield k.waitFor(ObjectKind.Sequence, subs.lock.id, ready);
    k.waited(ready(), 'the end of an invalidation');
  }
  // the caller may free it
  notifier.givenBack = true;
  if (k.monitor !== null) k.monitor.onGone(notifier, 'a notifier', NOTIFIER_KEEPS);
}
