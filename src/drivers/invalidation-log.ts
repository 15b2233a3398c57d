/**
 * What was invalidated since a walk or a migration of the test driver began. lib/test_hmm.c has nothing like it: it
 * compares the notifier's sequence alone. The stock driver has it to tell its flaws, and does not act on it.
 */

import type { HmmRange } from '../hmm/walk-state.ts';
import type { Task } from '../machine/task.ts';
import type { Kernel } from '../mm/kernel.ts';

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
export class InvalidationLog {
  private readonly invalidated: Invalidated[] = [];
  private read = 0;
  /** Something was being taken away already when it began. */
  isLate = false;
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
    return this.invalidated.length === 0 && !this.isLate;
  }

  note(k: Kernel, first: number, last: number, sequence: number): void {
    const own = this.own === k.current;
    const split = this.range?.walker === k.current;
    const others = this.task !== k.current;
    const noted = { first, last, sequence, own, split, others };
    const { invalidated } = this;
    // what comes again and again is noted once, with the last sequence
    for (let i = this.read; i < invalidated.length; i++) {
      const was = invalidated[i];
      if (was.first !== first || was.last !== last) continue;
      if (was.own !== own || was.split !== split || was.others !== others) continue;
      invalidated[i] = { ...noted, sequence: Math.max(was.sequence, sequence) };
      return;
    }
    invalidated.push(noted);
  }

  /**
   * Whether a page was invalidated, or moved by the device's own migration, since the walk looked at it;
   * or invalidated by the walk's own splits: two passes of a driver map a page before any is split.
   * @param prepared the walk has prepared the page: it does not look at it again, though it begins anew
   */
  isStale(vpn: number, prepared = false): boolean {
    if (this.isLate) return true;
    const since = this.range?.notifierSeq ?? 0;
    return this.invalidated.some(
      ({ first, last, sequence, own, split, others }) =>
        !own && (split || sequence > since || (prepared && others)) && first <= vpn && vpn <= last,
    );
  }

  /** Whether the notifier was told of anything by others since the walk's sequence. */
  wasTold(): boolean {
    const since = this.range?.notifierSeq ?? 0;
    return this.invalidated.some(
      ({ sequence, others }) => others && sequence !== MOVED && sequence > since,
    );
  }

  /** Whether the walk itself took a page away, as it split a huge one. */
  wasSplit(vpn: number): boolean {
    return this.invalidated.some(({ first, last, split }) => split && first <= vpn && vpn <= last);
  }

  /** Whether the device's own migration has moved a page. */
  wasMoved(vpn: number): boolean {
    return this.invalidated.some(
      ({ first, last, sequence }) => sequence === MOVED && first <= vpn && vpn <= last,
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
export const MOVED = Number.POSITIVE_INFINITY;
