/** That a search in parts is the search: it comes to the same ends, whoever does the parts and when. */
import { describe, expect, it } from 'vitest';
import {
  type CheckResult,
  check,
  DEFAULT_PLAN,
  Exhaustive,
  type JobResult,
  type Plan,
  programScenario,
  runPart,
  type Scenario,
  Search,
} from '../../src/checker/index.ts';
import { microScenario, microTasks, numbers } from '../support/micro.ts';
import { onePageProgram, PAGE } from '../support/one-page.ts';

interface How {
  /** The parts of a round are done in another order than they are given in. */
  backwards?: boolean;
  /** After each round the search is kept as JSON, and another one goes on with it. */
  kept?: boolean;
}

/** Everything that a search finds, with all its parts. */
function inParts(scenario: Scenario, plan: Plan, { backwards, kept }: How = {}): JobResult {
  let search = new Search(plan);
  const outcomes = new Set<string>();
  let schedules = 0;
  for (let parts = search.next(); parts.length > 0; parts = search.next()) {
    const order = parts.map((part, i) => ({ part, i }));
    if (backwards) order.reverse();
    const results = order.map(({ part, i }) => ({
      i,
      result: runPart({ scenario }, 'unified', plan, structuredClone(part)),
    }));
    results.sort((a, b) => a.i - b.i);
    search.ended(results.map(({ result }) => result));
    if (!kept) continue;
    const so = search.result('', 'unified', []);
    for (const outcome of so.outcomes) outcomes.add(outcome);
    schedules += so.schedules;
    if (so.complete) break;
    search = new Search(plan, JSON.parse(JSON.stringify(so.at)));
  }
  const end = search.result('', 'unified', []);
  if (!kept) return end;
  return { ...end, schedules, outcomes: [...outcomes] };
}

function whole(scenario: Scenario, plan: Plan): CheckResult {
  const { faults } = plan;
  return check(scenario, {
    strategy: (tasks) => new Exhaustive(tasks, { faults }),
    outcomes: true,
    findings: plan.findings,
  });
}

const PLAN: Plan = { ...DEFAULT_PLAN, findings: Number.POSITIVE_INFINITY, part: 3 };

describe('an exhaustive search in parts', () => {
  it.each([
    ['two tasks', 2, 6, {}],
    ['three tasks', 3, 3, {}],
    ['with a failing allocation', 2, 5, { faults: 1 }],
  ])('comes to the same ends, %s', (_name, tasks, steps, more) => {
    const random = numbers(11 * tasks + steps);
    const plan = { ...PLAN, ...more };
    let several = 0;
    for (let i = 0; i < 60; i++) {
      const micro = microTasks(random, tasks, steps);
      const scenario = microScenario(micro) as unknown as Scenario;
      const one = whole(scenario, plan);
      if (!one.complete || one.schedules > 800) continue;
      const parts = inParts(scenario, plan);
      const label = JSON.stringify(micro);
      expect(parts.complete, label).toBe(true);
      expect([...parts.outcomes].sort(), label).toEqual([...one.outcomes].sort());
      // what a part learns too late is tried once more, not more often
      expect(parts.schedules, label).toBeLessThanOrEqual(3 * one.schedules + 10);
      if (one.schedules > 10) several++;
    }
    expect(several).toBeGreaterThan(5);
  });

  const program = onePageProgram('parts', {
    gpu: [{ op: 'fault_migrate_to_dev', dev: 0, ...PAGE, write: 0 }],
    cpu: [{ op: 'cpu_write', ...PAGE, tag: 2 }],
  });
  const scenario = programScenario(program) as unknown as Scenario;

  it('comes to the same ends of a program', () => {
    const plan = { ...PLAN, part: 20 };
    const one = whole(scenario, plan);
    expect(one.complete).toBe(true);
    expect([...inParts(scenario, plan).outcomes].sort()).toEqual([...one.outcomes].sort());
  });

  it('does not depend on who is done first', () => {
    const plan = { ...PLAN, part: 10, schedules: 205 };
    const one = inParts(scenario, plan);
    expect(one.schedules).toBe(205);
    expect(inParts(scenario, plan, { backwards: true })).toEqual(one);
  });

  it('goes on from what was kept', () => {
    const plan = { ...PLAN, part: 10 };
    const one = inParts(scenario, plan);
    const kept = inParts(scenario, plan, { kept: true });
    expect(kept.complete).toBe(true);
    expect([...kept.outcomes].sort()).toEqual([...one.outcomes].sort());
    expect(kept.schedules).toBe(one.schedules);
  });

  it('goes on as if nothing had been, interrupted before each schedule', () => {
    const plan = { ...PLAN, part: 10 };
    const one = inParts(scenario, plan);
    let search = new Search(plan);
    let [schedules, steps] = [0, 0];
    for (let parts = search.next(); parts.length > 0; parts = search.next()) {
      const ends = parts.map((part) =>
        runPart({ scenario }, 'unified', plan, part, (soFar) => soFar.schedules < 1),
      );
      search.ended(ends);
      const so = search.result('', 'unified', []);
      [schedules, steps] = [schedules + so.schedules, steps + so.steps];
      if (so.complete) break;
      search = new Search(plan, JSON.parse(JSON.stringify(so.at)));
    }
    expect([schedules, steps]).toEqual([one.schedules, one.steps]);
  });

  it('is done in one part where preemptions are bounded', () => {
    const plan = { ...PLAN, part: 10, preemptions: 1 };
    const search = new Search(plan);
    const parts = search.next();
    expect(parts).toHaveLength(1);
    search.ended(parts.map((part) => runPart({ scenario }, 'unified', plan, part)));
    expect(search.next()).toEqual([]);
    const { complete, bounds } = search.result('', 'unified', []);
    expect([complete, bounds]).toEqual([true, ['at most 1 preemption']]);
  });

  it('is as many schedules as were asked for, at random', () => {
    const plan: Plan = { ...PLAN, strategy: 'pct', part: 7, schedules: 50 };
    const one = inParts(scenario, plan);
    expect(one.schedules).toBe(50);
    expect(one.complete).toBe(false);
    expect(inParts(scenario, plan, { backwards: true })).toEqual(one);
  });

  it.each(['pct', 'uniform', 'random'] as const)(
    'goes on from where its number of schedules ended as if it had not, %s',
    (strategy) => {
      const schedules = 60;
      const plan: Plan = { ...PLAN, strategy, part: 25, schedules };
      const one = inParts(scenario, plan);
      // ends in the middle of a part, of a part that was cut already, and before one is begun
      let at: unknown;
      let done = 0;
      const outcomes = new Set<string>();
      let steps = 0;
      for (const limit of [10, 17, 50, schedules]) {
        const search = new Search({ ...plan, schedules: limit - done }, at);
        for (let parts = search.next(); parts.length > 0; parts = search.next()) {
          const asked = limit === 50 ? parts.slice(0, 1) : parts;
          const results = asked.map((part) => runPart({ scenario }, 'unified', plan, part));
          search.ended(parts.map((_, i) => results[i] ?? null));
        }
        const so = search.result('', 'unified', []);
        for (const outcome of so.outcomes) outcomes.add(outcome);
        steps += so.steps;
        done += so.schedules;
        at = JSON.parse(JSON.stringify(so.at));
      }
      expect(done).toBe(one.schedules);
      expect(steps).toBe(one.steps);
      expect([...outcomes].sort()).toEqual([...one.outcomes].sort());
    },
  );
});
