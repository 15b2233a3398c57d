/** What only two schedules together show: locks that are taken in one order here, in the other there. */
import { describe, expect, it } from 'vitest';
import { DEFAULT_PLAN, reportText, runJob, type Scenario } from '../../src/checker/index.ts';
import { type Kernel$, type Lock, Role, Space, StepKind } from '../../src/machine/index.ts';
import { Kernel } from '../../src/mm/index.ts';

interface State {
  k: Kernel;
  first: number;
  locks: [Lock, Lock];
}

/** Whoever is first takes both locks, in an order of its own. */
function* take(state: State, me: number): Kernel$<void> {
  const { k, locks } = state;
  if (k.stepping) yield k.step(StepKind.Shared, Space.Program, 1, Role.Write);
  if (state.first >= 0) return;
  state.first = me;
  for (const lock of me === 0 ? locks : [locks[1], locks[0]]) {
    if (k.stepping) yield k.acquire(lock);
    k.lock(lock);
  }
  for (const lock of locks) {
    if (k.stepping) yield k.release(lock);
    k.unlock(lock);
  }
}

const scenario: Scenario<State> = {
  name: 'whoever is first',
  kernel: ({ k }) => k,
  setup() {
    const k = new Kernel({ cpus: 2 });
    return {
      k,
      first: -1,
      locks: [k.newLock('red lock', 'mutex'), k.newLock('blue lock', 'mutex')],
    };
  },
  tasks: { one: (state) => take(state, 0), two: (state) => take(state, 1) },
};

describe('an order of locks that two schedules show', () => {
  const { findings } = runJob(
    { scenario: scenario as unknown as Scenario },
    'unified',
    DEFAULT_PLAN,
  );

  it('is found, and reported with the schedule that closed the circle', () => {
    expect(findings.map(({ title }) => title)).toEqual([
      'locks are taken in a circle: blue lock, red lock, blue lock in take',
    ]);
    const [{ report }] = findings;
    expect(reportText(report)).toContain('several schedules');
    expect(report.finding.detail).toContain('red lock while holding blue lock in take');
    expect(report.finding.detail).toContain('blue lock while holding red lock in take');
  });
});
