/** That a reduced search comes to every end that other searches come to. */
import {
  type CheckResult,
  check,
  Exhaustive,
  Pct,
  type Scenario,
  type Strategy,
} from '../../src/checker/index.ts';
import type { Walk } from '../../src/program/index.ts';

export const EVERY = { findings: Number.POSITIVE_INFINITY, outcomes: true };

/** What `b` came to and `a` did not: ends, and findings. */
export function missed(a: CheckResult, b: CheckResult): string[] {
  const titles = new Set(a.found.map(({ title }) => title));
  return [
    ...[...b.outcomes].filter((outcome) => !a.outcomes.has(outcome)),
    ...b.found.map(({ title }) => title).filter((title) => !titles.has(title)),
  ];
}

/**
 * What a search of everything loses that every schedule with one preemption, and some at random, come to.
 * @param most schedules of the search of everything
 * @returns null where those are too few for it
 */
export function lostEnds(scenario: Scenario, walk: Walk, most: number): string[] | null {
  const search = (strategy: (tasks: number) => Strategy, schedules: number): CheckResult =>
    check(scenario, { ...EVERY, walk, strategy, schedules });
  const reduced = search((n) => new Exhaustive(n), most);
  if (!reduced.complete) return null;
  const bounded = search((n) => new Exhaustive(n, { reduce: false, preemptions: 1 }), 1000);
  const changes = search(() => new Pct({ seed: 2, schedules: 100 }), 100);
  return [bounded, changes].flatMap((other) => missed(reduced, other));
}
