/**
 * The outcomes that the model allows a concurrent program, to be compared with those of a real kernel. Nobody watches: what
 * Linux gets wrong is an outcome as any other.
 */
import { runToEnd } from '../machine/index.ts';
import { lruAddDrainAll } from '../mm/internal.ts';
import { type ConcurrentProgram, type Op, perform } from '../program/index.ts';
import { type CheckResult, check } from './check.ts';
import { joinOutcomes, type OutcomeSeen } from './outcomes.ts';
import { programScenario } from './program.ts';
import type { Scenario } from './scenario.ts';
import { Exhaustive } from './search/exhaustive.ts';
import { Pct } from './search/pct.ts';
import type { Strategy } from './search/strategy.ts';
import { UniformWalk } from './search/uniform-walk.ts';

export interface AllowedOptions {
  /** Schedules of each search, at most. */
  schedules: number;
  /** Milliseconds of all of them, at most. */
  time: number;
  /** Locks that may be let go in the middle in a schedule. */
  breaks: number;
  /** Allocations that may fail in a schedule. */
  faults?: number;
  seed?: number;
  /**
   * Of outcomes that are looked for: which one an outcome of the model's is, null for none of them. It ends when it has
   * `count`. Without: when it has everything.
   */
  wanted?: (outcome: string) => string | null;
  count?: number;
  /** Everything is tried first, within its part of the time, whatever is wanted. */
  everything?: boolean;
  /** Is called now and then. */
  onProgress?: (schedules: number, outcomes: number) => void;
}

export interface Allowed {
  outcomes: OutcomeSeen[];
  schedules: number;
  /** Schedules in which the model broke, and which came to no outcome. */
  broken: number;
  /** Whether all schedules were tried. */
  complete: boolean;
  /** What bounded it, where they were not. */
  bounds: string[];
}

/** Schedules between two looks at the clock and at what is wanted. */
const SLICE = 200;
/** Steps in which no operation ends: a huge page, one by one, takes many. */
const MAX_STEPS = 400_000;

const bare = ({ expect: _, ...op }: Op): Op => op as Op;

/**
 * What somebody else's allocations and system calls do at any time: the batches of all CPUs go to the LRU lists, without
 * which nobody can isolate their pages.
 */
const OTHERS = 'the rest of the system';

/** A program as a scenario whose ends are looked at by nobody. */
function unjudged(program: ConcurrentProgram, others: boolean): Scenario {
  const { exists: _, forall: __, never: ___, ...rest } = program;
  const tasks = Object.entries(program.tasks).map(([name, ops]) => [name, ops.map(bare)]);
  const after = program.after.map(bare);
  const scenario = programScenario({ ...rest, tasks: Object.fromEntries(tasks), after });
  const own: typeof scenario = {
    ...scenario,
    tasks: {
      ...scenario.tasks,
      ...(others ? { [OTHERS]: ({ system }) => lruAddDrainAll(system.kernel) } : {}),
    },
    check(state) {
      const { system } = state;
      for (const op of after) state.after.push(runToEnd(system.kernel, perform(system, op)));
      return [];
    },
    // behind a flaw of the driver's a device may read memory that was freed
    results(state) {
      const text = scenario.results?.(state) ?? '{}';
      const flaws = scenario.flaws?.(state) ?? [];
      return flaws.length === 0 ? text : JSON.stringify({ ...JSON.parse(text), flaws });
    },
    shutdown: () => [],
    flaws: () => [],
  };
  return own as unknown as Scenario;
}

interface Part {
  strategy: (tasks: number) => Strategy;
  /** Of the time. */
  share: number;
  /** Schedules at most, if not as many as of any. */
  schedules?: number;
  /** When it comes to its end there is nothing else. */
  whole?: true;
}

/** The searches, in their order: what few preemptions do, everything, and, if that is too much, some at random. */
function searches({ breaks, faults = 0, seed = 1 }: AllowedOptions): Part[] {
  const few = (preemptions: number) => (n: number) =>
    new Exhaustive(n, { preemptions, breaks, faults });
  return [
    { strategy: few(1), share: 0.15, schedules: 1000 },
    { strategy: (n) => new Exhaustive(n, { breaks, faults }), share: 0.4, whole: true },
    { strategy: few(2), share: 0.15 },
    { strategy: () => new Pct({ seed, breaks, faults }), share: 0.1 },
    { strategy: () => new UniformWalk({ seed, breaks, faults }), share: 0.1 },
    { strategy: few(3), share: 0.1 },
  ];
}

/**
 * What a program's tasks may come to. Where that lacks something that is wanted, the rest of the system does something
 * as well.
 * @param program with the machine that it is to run on
 * @throws ProgramError for a mistake in it
 */
export function allowedOutcomes(program: ConcurrentProgram, options: AllowedOptions): Allowed {
  const alone = search(unjudged(program, false), options, []);
  const { wanted } = options;
  if (wanted === undefined || hasAll(alone.outcomes, options)) return alone;
  const all = search(unjudged(program, true), { ...options, everything: false }, alone.outcomes);
  // what is found there is allowed, but what is never seen of it is no news
  const known = new Set(alone.outcomes.map(({ outcome }) => outcome));
  return {
    outcomes: all.outcomes.filter(({ outcome }) => known.has(outcome) || wanted(outcome) !== null),
    schedules: alone.schedules + all.schedules,
    broken: alone.broken + all.broken,
    // a search that ended as it had what was wanted has not tried everything
    complete: alone.complete && (all.complete || hasAll(all.outcomes, options)),
    bounds: [...new Set([...alone.bounds, ...all.bounds])],
  };
}

/** Whether all that is wanted is there. */
function hasAll(outcomes: readonly OutcomeSeen[], { wanted, count }: AllowedOptions): boolean {
  if (wanted === undefined || count === undefined) return false;
  const found = new Set(outcomes.map(({ outcome }) => wanted(outcome)));
  found.delete(null);
  return found.size >= count;
}

function search(
  scenario: Scenario,
  options: AllowedOptions,
  known: readonly OutcomeSeen[],
): Allowed {
  const { schedules, time, onProgress } = options;
  const all: Allowed = {
    outcomes: [...known],
    schedules: 0,
    broken: 0,
    complete: false,
    bounds: [],
  };
  let until = Date.now();
  let first = options.everything ?? false;
  for (const { strategy, share, schedules: own = schedules, whole = false } of searches(options)) {
    until += time * share;
    let last: CheckResult | null = null;
    let left = Math.min(own, schedules);
    const enough = (): boolean => !first && hasAll(all.outcomes, options);
    while (left > 0 && Date.now() < until && !last?.complete && !enough()) {
      const from: unknown = last?.at;
      last = check(scenario, {
        strategy,
        watch: false,
        fields: false,
        table: true,
        maxSteps: MAX_STEPS,
        schedules: Math.min(SLICE, left),
        time: until - Date.now(),
        ...(from === undefined ? {} : { from }),
      });
      left -= last.schedules;
      all.schedules += last.schedules;
      all.broken += last.broken;
      all.outcomes = joinOutcomes([{ table: all.outcomes, overflow: false }, last]).table;
      onProgress?.(all.schedules, all.outcomes.length);
    }
    all.complete = whole && (last?.complete ?? false);
    if (whole) first = false;
    if (all.complete || enough()) break;
  }
  if (!all.complete) all.bounds.push(`${all.schedules} schedules`);
  return all;
}
