/** Locks in one line are what is written by hand in two: the same steps, the same schedules, the same ends. */
import { expect, it } from 'vitest';
import byHand from '../../examples/scenarios/check-under-lock.mjs';
import {
  gpuReadAgainstUnmap,
  mapPage,
  newRange,
  rangeFault,
} from '../../examples/scenarios/lib/gpu.mjs';
import { DEFAULT_PLAN, runJob, type Scenario } from '../../src/checker/index.ts';
import type { HmmRange } from '../../src/hmm/index.ts';
import {
  EBUSY,
  type Kernel$,
  type Lock,
  lock,
  Machine,
  unlock,
  withLock,
} from '../../src/machine/index.ts';
import { type IntervalNotifier, type Kernel, mmuIntervalReadRetry } from '../../src/mm/index.ts';
import { Thread } from '../support/thread.ts';

interface Gpu {
  lock: Lock;
  notifier: IntervalNotifier;
}
type Body = (k: Kernel, gpu: Gpu, range: HmmRange) => Kernel$<boolean>;
const fault = (body: Body) =>
  function* (k: Kernel, gpu: Gpu, vpn: number): Kernel$<number> {
    for (;;) {
      const range = yield* newRange(k, gpu, vpn);
      const ret = yield* rangeFault(k, gpu, range);
      if (ret === -EBUSY) continue;
      if (ret) return ret;
      if (!(yield* body(k, gpu, range))) return 0;
    }
  };

/** What an exhaustive search comes to. */
function searched(scenario: Scenario) {
  const { schedules, steps, outcomes, findings, complete } = runJob(
    { scenario },
    'unified',
    DEFAULT_PLAN,
  );
  return { schedules, steps, outcomes: [...outcomes].sort(), findings: findings.length, complete };
}

it.each([
  [
    'withLock()',
    fault((k, gpu, range) =>
      withLock(k, gpu.lock, function* () {
        const stale = mmuIntervalReadRetry(gpu.notifier, range.notifierSeq);
        if (!stale) yield* mapPage(k, gpu, range);
        return stale;
      }),
    ),
  ],
  [
    'lock() and unlock()',
    fault(function* (k, gpu, range) {
      yield* lock(k, gpu.lock);
      const stale = mmuIntervalReadRetry(gpu.notifier, range.notifierSeq);
      if (!stale) yield* mapPage(k, gpu, range);
      yield* unlock(k, gpu.lock);
      return stale;
    }),
  ],
])('%s', (_, own) => {
  const hand = byHand as unknown as Scenario;
  const short = gpuReadAgainstUnmap(hand.name, own) as unknown as Scenario;
  const of = searched(hand);
  expect(of).toMatchObject({ findings: 0, complete: true });
  expect(searched(short)).toEqual(of);
});

it('readers share a lock, and a writer waits for them', () => {
  const k = new Machine();
  const rwsem = k.newLock('rwsem', 'rwsem');
  const order: string[] = [];
  const reader = (name: string) => () =>
    withLock(
      k,
      rwsem,
      function* () {
        yield k.copyStep(1, 2);
        order.push(name);
      },
      true,
    );
  const a = new Thread(k, 'a', reader('a'));
  const b = new Thread(k, 'b', reader('b'));
  const writer = new Thread(k, 'writer', () =>
    withLock(k, rwsem, function* () {
      yield k.copyStep(1, 2);
      order.push('writer');
      return 7;
    }),
  );
  a.take();
  b.take();
  expect(writer.blocked).toBe(true);
  a.finish();
  expect(writer.blocked).toBe(true);
  b.finish();
  expect(writer.finish()).toBe(7);
  expect(order).toEqual(['a', 'b', 'writer']);
  expect(rwsem.owner).toBeNull();
  expect(rwsem.readers).toEqual([]);
});
