/** Makes the strategies: one is a file, a row in strategy-rows.ts and a maker here. */
import type { RandomOptions } from './at-random.ts';
import { Exhaustive } from './exhaustive.ts';
import { Pct } from './pct.ts';
import { RandomWalk } from './random-walk.ts';
import type { Strategy } from './strategy.ts';
import type { StrategyName } from './strategy-rows.ts';
import { Turns } from './turns.ts';
import { UniformWalk } from './uniform-walk.ts';

/** What a strategy may be told. */
export interface StrategyOptions {
  seed: number;
  /** Allocations that may fail in a schedule. */
  faults: number;
  /** Locks that may be let go in the middle in a schedule. */
  breaks: number;
  /** Preemptions in a schedule at most; none: as many as there are. */
  preemptions?: number;
  /** Of a random one: the number of the first schedule. Default 0. */
  first?: number;
}

const atRandom = ({ seed, faults, breaks, first = 0 }: StrategyOptions): RandomOptions => ({
  seed,
  faults,
  breaks,
  first,
});

const MAKERS: Record<StrategyName, (tasks: number, options: StrategyOptions) => Strategy> = {
  exhaustive: (tasks, { faults, breaks, preemptions }) =>
    new Exhaustive(tasks, {
      faults,
      breaks,
      ...(preemptions === undefined ? {} : { preemptions }),
    }),
  pct: (_, options) => new Pct(atRandom(options)),
  uniform: (_, options) => new UniformWalk(atRandom(options)),
  random: (_, options) => new RandomWalk(atRandom(options)),
  turns: (_, options) => new Turns(atRandom(options)),
};

/**
 * A new strategy.
 * @param tasks how many a schedule has
 */
export function strategyOf(name: StrategyName, tasks: number, options: StrategyOptions): Strategy {
  return MAKERS[name](tasks, options);
}
