/** That a search that tried everything has found all that schedules at random find. */
import type { CheckResult, Scenario, Strategy } from '../../src/checker/index.ts';
import type { Walk } from '../../src/program/index.ts';

/** The checker: that of the source, or the built one, which modules need that have the package. */
type Checker = Pick<
  typeof import('../../src/checker/index.ts'),
  'check' | 'Exhaustive' | 'Pct' | 'UniformWalk' | 'RandomWalk'
>;

export interface Agreement {
  /** What the search of everything found. */
  found: string[];
  /** What only schedules at random found. */
  missed: string[];
  /** Whether every schedule was tried. */
  complete: boolean;
  schedules: number;
}

/**
 * @param most schedules of the search of everything
 * @param random schedules of each strategy at random
 */
export function agreement(
  checker: Checker,
  scenario: Scenario,
  walk: Walk,
  most: number,
  random: number,
): Agreement {
  const { check, Exhaustive, Pct, UniformWalk, RandomWalk } = checker;
  const search = (strategy: (tasks: number) => Strategy, schedules: number): CheckResult =>
    check(scenario, { walk, strategy, schedules, findings: Number.POSITIVE_INFINITY });
  const all = search((n) => new Exhaustive(n), most);
  const found = all.found.map(({ title }) => title);
  const { complete, schedules } = all;
  if (!complete) return { found, missed: [], complete, schedules };
  const options = { seed: 5, schedules: random };
  const others = [new Pct(options), new UniformWalk(options), new RandomWalk(options)].flatMap(
    (strategy) => search(() => strategy, random).found.map(({ title }) => title),
  );
  const missed = [...new Set(others)].filter((title) => !found.includes(title));
  return { found, missed, complete, schedules };
}
