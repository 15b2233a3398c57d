/** The sequence protocol of MMU interval notifiers, with two tasks stepped by hand. */
import { describe, expect, it } from 'vitest';
import { type Kernel$, ObjectKind, Role, runToEnd, StepKind } from '../../src/machine/index.ts';
import {
  IntervalNotifier,
  Kernel,
  type Mm,
  MmuNotify,
  mmuIntervalNotifierInsert,
  mmuIntervalNotifierRemove,
  mmuIntervalReadBegin,
  mmuIntervalReadRetry,
  mmuIntervalSetSeq,
  type NotifierRange,
} from '../../src/mm/index.ts';
import {
  mmHasNotifiers,
  mmuNotifierInvalidateRangeEnd,
  mmuNotifierInvalidateRangeStart,
  notifierRange,
} from '../../src/mm/mmu-notifier.ts';
import { Thread } from '../support/thread.ts';

/** A notifier that notes what it is told. */
class Told extends IntervalNotifier {
  readonly log: [start: number, end: number, sequence: number][] = [];
  refuses = false;

  constructor() {
    super({
      *invalidate(k, notifier, range, sequence): Kernel$<boolean> {
        if (k.stepping) yield k.step(StepKind.Shared, ObjectKind.None, 0, Role.Write);
        const told = notifier as Told;
        if (told.refuses && !range.blockable) return false;
        mmuIntervalSetSeq(notifier, sequence);
        told.log.push([range.start, range.end, sequence]);
        return true;
      },
    });
  }
}

class World {
  readonly k = new Kernel({ pmdOrder: 2, pageBytes: 16, cpus: 2 });
  readonly mm: Mm = this.k.newMm();
  readonly subs = this.mm.subscriptions;

  run<T>(body: Kernel$<T>): T {
    return runToEnd(this.k, body);
  }
  thread<T>(name: string, body: () => Kernel$<T>): Thread<T> {
    return new Thread(this.k, name, body);
  }
  insert(start: number, last: number): Told {
    const told = new Told();
    this.run(mmuIntervalNotifierInsert(this.k, told, this.mm, start, last));
    return told;
  }
  remove(told: Told): void {
    this.run(mmuIntervalNotifierRemove(this.k, told));
  }
  range(start: number, end: number): NotifierRange {
    return notifierRange(MmuNotify.Clear, this.mm, start, end);
  }
  /** Starts an invalidation; the result ends it. */
  invalidate(start: number, end: number): () => void {
    const range = this.range(start, end);
    expect(this.run(mmuNotifierInvalidateRangeStart(this.k, range))).toBe(0);
    return () => this.run(mmuNotifierInvalidateRangeEnd(this.k, range));
  }
  read(told: Told): number {
    return this.run(mmuIntervalReadBegin(this.k, told));
  }
}

describe('interval notifiers', () => {
  it('cost nothing until somebody subscribes', () => {
    const w = new World();
    expect(mmHasNotifiers(w.mm)).toBe(false);
    w.invalidate(0, 10)();
    expect(w.k.counters.invalidations).toBe(0);
    w.insert(0, 3);
    expect(mmHasNotifiers(w.mm)).toBe(true);
  });

  it('are told of what overlaps them, in the order of their starts', () => {
    const w = new World();
    const [b, a, c] = [w.insert(4, 7), w.insert(0, 3), w.insert(8, 11)];
    w.invalidate(3, 5)();
    expect([a.log.length, b.log.length, c.log.length]).toEqual([1, 1, 0]);
    w.invalidate(12, 20)();
    w.invalidate(11, 12)();
    expect([a.log.length, b.log.length, c.log.length]).toEqual([1, 1, 1]);
    expect(w.subs.tree).toEqual([a, b, c]);
    for (const told of [a, b, c]) w.remove(told);
    expect(w.subs.tree).toEqual([]);
  });

  it('a read between two invalidations need not be repeated, one that is overtaken must', () => {
    const w = new World();
    const told = w.insert(0, 3);
    const first = w.read(told);
    expect(mmuIntervalReadRetry(told, first)).toBe(false);
    w.invalidate(0, 1)();
    expect(mmuIntervalReadRetry(told, first)).toBe(true);
    const second = w.read(told);
    expect(mmuIntervalReadRetry(told, second)).toBe(false);
    w.invalidate(8, 9)();
    expect(mmuIntervalReadRetry(told, second)).toBe(false);
  });

  it('a read waits for the end of an invalidation of its range', () => {
    const w = new World();
    const told = w.insert(0, 3);
    const end = w.invalidate(0, 2);
    const reader = w.thread('reader', () => mmuIntervalReadBegin(w.k, told)).run();
    expect(reader.blocked).toBe(true);
    expect(reader.step?.kind).toBe(StepKind.Wait);
    end();
    expect(reader.blocked).toBe(false);
    const sequence = reader.finish();
    // what was read before the end is stale for who reads again
    expect(mmuIntervalReadRetry(told, sequence)).toBe(false);
  });

  it('a read does not wait for an invalidation elsewhere', () => {
    const w = new World();
    const told = w.insert(0, 3);
    w.insert(8, 9);
    const end = w.invalidate(8, 9);
    expect(w.subs.isInvalidating).toBe(true);
    expect(w.thread('reader', () => mmuIntervalReadBegin(w.k, told)).run().done).toBe(true);
    end();
    expect(w.subs.isInvalidating).toBe(false);
  });

  it('invalidations may overlap: the sequence moves on with the last', () => {
    const w = new World();
    const told = w.insert(0, 7);
    const [one, two] = [w.invalidate(0, 2), w.invalidate(4, 6)];
    const before = w.subs.invalidateSeq;
    one();
    expect(w.subs.invalidateSeq).toBe(before);
    const reader = w.thread('reader', () => mmuIntervalReadBegin(w.k, told)).run();
    expect(reader.blocked).toBe(true);
    two();
    expect(w.subs.invalidateSeq).toBe(before + 1);
    reader.finish();
  });

  it('one that comes during an invalidation of others is put off to its end', () => {
    const w = new World();
    w.insert(0, 3);
    const end = w.invalidate(0, 1);
    const late = w.insert(0, 3);
    expect(late.deferred).toBe(true);
    expect(late.inTree).toBe(false);
    // it must not read before it is in the tree
    const reader = w.thread('reader', () => mmuIntervalReadBegin(w.k, late)).run();
    expect(reader.blocked).toBe(true);
    // an invalidation that starts meanwhile does not tell it
    w.invalidate(2, 3)();
    expect(late.log).toEqual([]);
    end();
    expect(late.deferred).toBe(false);
    expect(w.subs.tree).toContain(late);
    reader.finish();
    w.invalidate(2, 3)();
    expect(late.log).toHaveLength(1);
  });

  it('one that comes while nobody else is told makes the invalidation one to be waited for', () => {
    const w = new World();
    w.remove(w.insert(0, 3));
    const end = w.invalidate(0, 1);
    expect(w.subs.isInvalidating).toBe(false);
    const late = w.insert(0, 3);
    expect(late.inTree).toBe(true);
    expect(w.subs.isInvalidating).toBe(true);
    const reader = w.thread('reader', () => mmuIntervalReadBegin(w.k, late)).run();
    expect(reader.blocked).toBe(true);
    end();
    reader.finish();
  });

  it('one that goes during an invalidation waits for its end', () => {
    const w = new World();
    const told = w.insert(0, 3);
    const end = w.invalidate(0, 1);
    const leaving = w.thread('leaving', () => mmuIntervalNotifierRemove(w.k, told)).run();
    expect(leaving.blocked).toBe(true);
    expect(told.deferred).toBe(true);
    expect(w.subs.tree).toContain(told);
    end();
    expect(w.subs.tree).toEqual([]);
    leaving.finish();
    expect(w.subs.deferred).toEqual([]);
  });

  it('one that comes and goes during an invalidation never was there', () => {
    const w = new World();
    w.insert(0, 3);
    const end = w.invalidate(0, 1);
    const brief = w.insert(0, 3);
    w.remove(brief);
    expect(brief.deferred).toBe(false);
    end();
    expect(w.subs.tree).not.toContain(brief);
    expect(brief.log).toEqual([]);
  });

  it('one that goes does not wait when it is told of nothing', () => {
    const w = new World();
    const told = w.insert(0, 3);
    const end = w.invalidate(8, 9);
    expect(w.thread('leaving', () => mmuIntervalNotifierRemove(w.k, told)).run().done).toBe(true);
    end();
    expect(w.k.findings).toEqual([]);
  });

  it('who may not wait is refused, and the invalidation is over', () => {
    const w = new World();
    const told = w.insert(0, 3);
    told.refuses = true;
    const range = { ...w.range(0, 1), blockable: false };
    expect(w.run(mmuNotifierInvalidateRangeStart(w.k, range))).toBeLessThan(0);
    expect(w.subs.activeInvalidateRanges).toBe(0);
    expect(w.subs.isInvalidating).toBe(false);
    expect(w.k.findings).toEqual([]);
  });

  it('a removal of what is not there, and a sequence left odd, are findings', () => {
    const w = new World();
    const told = w.insert(0, 3);
    w.remove(told);
    w.remove(told);
    w.subs.invalidateSeq |= 1;
    w.insert(0, 3);
    expect(w.k.findings.map(({ title }) => title)).toEqual([
      'a notifier is removed that is not subscribed',
      'a notifier sequence is odd without an invalidation',
    ]);
  });
});
