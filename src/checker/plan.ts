/** How a scenario is to be searched. */
import type { Walk } from '../mm/index.ts';
import type { SetupOptions } from './scenario.ts';
import { STRATEGY_ROWS, type StrategyName } from './search/strategy-rows.ts';

/** How to search. */
export interface Plan {
  strategy: StrategyName;
  /** Schedules at most. */
  schedules: number;
  /** Milliseconds at most; none: as long as it takes. */
  time?: number;
  seed: number;
  /** Allocations that may fail in a schedule. */
  faults: number;
  /** Locks that may be let go in the middle in a schedule, where Linux lets them go as others wait. */
  breaks: number;
  /** Preemptions in a schedule at most. */
  preemptions?: number;
  /** Different findings after which the search ends; with `outcomes`, that are reported. */
  findings: number;
  /**
   * Schedules after the last finding in which nothing new breaks, after which an exhaustive search ends, without
   * `outcomes`; none: it goes on.
   */
  beyond?: number;
  /** Keep the outcomes, each with its shortest schedule; what is found does not end the search. */
  outcomes?: boolean;
  /** The hardware fills and drops translations on its own. */
  hardware?: boolean;
  /** Whether the fields of a module's own objects are looked at. Default: yes. */
  fields?: boolean;
  /** Schedules that one thread does at a time, at most. */
  part?: number;
}

export const DEFAULT_PLAN: Plan = {
  strategy: 'exhaustive',
  schedules: 100_000,
  seed: 1,
  faults: 0,
  breaks: 1,
  findings: 3,
};

/** `beyond` of a search of which nobody has said how many schedules it may take. */
export const BEYOND = 1000;

/** After how many schedules without a new finding a search that has one ends; `Infinity`: it does not. */
export function beyondOf({ strategy, outcomes, beyond }: Plan): number {
  const ends = STRATEGY_ROWS[strategy].exhaustive && !outcomes;
  return (ends ? beyond : undefined) ?? Number.POSITIVE_INFINITY;
}

/** How the scenario of a search is set up. */
export function setupOf(walk: Walk, plan: Plan): SetupOptions & { walk: Walk } {
  return {
    walk,
    ...(plan.hardware ? { hardware: true } : {}),
    ...(plan.fields === false ? { fields: false } : {}),
  };
}
