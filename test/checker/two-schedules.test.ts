/** What only two schedules together show: locks that are taken in one order here, in the other there. */
import { describe, expect, it } from 'vitest';
import {
  DEFAULT_PLAN,
  type Plan,
  reportText,
  runJob,
  type Scenario,
} from '../../src/checker/index.ts';
import { type Kernel$, type Lock, ObjectKind, Role, StepKind } from '../../src/machine/index.ts';
import { Kernel } from '../../src/mm/index.ts';

interface State {
  k: Kernel;
  first: number;
  locks: [Lock, Lock];
}

/** Whoever is first takes both locks, in an order of its own. */
function* take(state: State, me: number): Kernel$<void> {
  const { k, locks } = state;
  if (k.stepping) yield k.step(StepKind.Shared, ObjectKind.Program, 1, Role.Write);
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

const subject = { scenario: scenario as unknown as Scenario };
const TITLE = 'locks are taken in a circle: blue lock, red lock, blue lock in take';
const titles = (found: { title: string }[]) => found.map(({ title }) => title);

describe('an order of locks that two schedules show', () => {
  const { findings } = runJob(subject, 'unified', DEFAULT_PLAN);

  it('is found, and reported with the schedule that closed the circle', () => {
    expect(titles(findings)).toEqual([TITLE]);
    const [{ report }] = findings;
    expect(reportText(report)).toContain('several schedules');
    expect(report.finding.detail).toContain('red lock while holding blue lock in take');
    expect(report.finding.detail).toContain('blue lock while holding red lock in take');
  });

  const PARTS: Plan[] = [
    { ...DEFAULT_PLAN, part: 1 },
    { ...DEFAULT_PLAN, strategy: 'random', schedules: 20, part: 1 },
  ];

  it.each(PARTS)('is found where no part of the search sees both, $strategy', (plan) => {
    expect(titles(runJob(subject, 'unified', plan).findings)).toEqual([TITLE]);
  });

  it.each(PARTS)('is found by a search that goes on from what was kept, $strategy', (plan) => {
    // random schedules: so many that both orders come up, but not in the first ones
    let most = 1;
    let begun = runJob(subject, 'unified', { ...plan, schedules: most });
    expect(titles(begun.findings)).toEqual([]);
    const found: string[] = [];
    while (begun.at !== undefined && most < 20) {
      const { at, orders } = JSON.parse(JSON.stringify(begun));
      begun = runJob(
        subject,
        'unified',
        { ...plan, schedules: 1 },
        { from: at, orders, known: found },
      );
      found.push(...titles(begun.findings));
      most++;
    }
    expect(found).toEqual([TITLE]);
  });
});
