/**
 * The strategies by name. Whoever offers, reads or makes one goes by this table: a strategy is a file and
 * a row.
 */
import type { RandomOptions } from './at-random.ts';
import { Exhaustive } from './exhaustive.ts';
import { Pct } from './pct.ts';
import { RandomWalk } from './random-walk.ts';
import type { Strategy } from './strategy.ts';
import { Turns } from './turns.ts';
import { UniformWalk } from './uniform-walk.ts';

/** What a strategy may be told. */
export interface StrategyOptions {
  seed: number;
  /** Allocations that may fail in a schedule. */
  faults: number;
  /** Preemptions in a schedule at most; none: as many as there are. */
  preemptions?: number;
  /** Of a random one: the number of the first schedule. Default 0. */
  first?: number;
}

interface StrategyRow {
  /** What it does, for those who choose. */
  what: string;
  /** Whether it ends when every schedule was tried; the others go on for ever. */
  exhaustive: boolean;
  make(tasks: number, options: StrategyOptions): Strategy;
}

const atRandom = ({ seed, faults, first = 0 }: StrategyOptions): RandomOptions => ({
  seed,
  faults,
  first,
});

const ROWS = {
  exhaustive: {
    what: 'every schedule that can end differently',
    exhaustive: true,
    make: (tasks, { faults, preemptions }) =>
      new Exhaustive(tasks, { faults, ...(preemptions === undefined ? {} : { preemptions }) }),
  },
  pct: {
    what: 'random priorities, changed at a few random points',
    exhaustive: false,
    make: (_, options) => new Pct(atRandom(options)),
  },
  uniform: {
    what: "every order of the tasks' steps about as likely as any other",
    exhaustive: false,
    make: (_, options) => new UniformWalk(atRandom(options)),
  },
  random: {
    what: 'at every step any task that can go on',
    exhaustive: false,
    make: (_, options) => new RandomWalk(atRandom(options)),
  },
  turns: {
    what: 'so many steps of each task, in a pattern that repeats: shows what never ends',
    exhaustive: false,
    make: (_, options) => new Turns(atRandom(options)),
  },
} satisfies Record<string, StrategyRow>;

export type StrategyName = keyof typeof ROWS;

/** The strategies by name, in the order in which they are offered. */
export const STRATEGY_ROWS: Readonly<Record<StrategyName, StrategyRow>> = ROWS;

/** The names of the strategies. */
export const STRATEGIES = Object.keys(ROWS) as readonly StrategyName[];

/**
 * A new strategy.
 * @param tasks how many a schedule has
 */
export function strategyOf(name: StrategyName, tasks: number, options: StrategyOptions): Strategy {
  return STRATEGY_ROWS[name].make(tasks, options);
}
