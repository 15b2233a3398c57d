/**
 * Shrinking: from a schedule that breaks something to the simplest one found that breaks the same.
 * Fewest preemptions first, then fewest steps, then fewest operations and pages in the program.
 */
import type { ConcurrentProgram, Op } from '../program/index.ts';
import { type Found, runSchedule } from './check.ts';
import { Execution } from './execution.ts';
import { programScenario } from './program.ts';
import type { Scenario, SetupOptions } from './scenario.ts';
import { ScenarioError } from './scenario-error.ts';
import { Exhaustive } from './search/exhaustive.ts';
import type { Round } from './search/rounds.ts';
import { Replay, type Run, runsOf } from './search/schedule.ts';
import { type Choice, FAIL, type Strategy } from './search/strategy.ts';
import { titleOf } from './title.ts';

/** What came of one schedule. */
export interface Attempt {
  /** What broke; or, where that is asked for, what it came to. */
  title: string | null;
  choices: Choice[];
  preemptions: number;
  /** Of one without end: what comes again and again. */
  round?: Round | null;
}

/** One schedule with the checks at its end. */
function attempt(x: Execution, strategy: Strategy): Attempt {
  const { choices, preemptions, complete, round } = runSchedule(x, strategy);
  strategy.end(x, complete);
  if (complete && x.finding === null) x.finish();
  if (complete && x.finding === null) x.shutdown();
  return { title: x.finding === null ? null : titleOf(x.finding), choices, preemptions, round };
}

function replay(x: Execution, runs: readonly Run[]): Attempt {
  const strategy = new Replay(runs);
  strategy.begin(x);
  return attempt(x, strategy);
}

/** Steps of an attempt; of what comes again and again once. */
const lengthOf = ({ choices, round }: Attempt): number =>
  round ? round.start + round.length : choices.length;

/** Whether `a` is simpler than `b`. */
function simpler(a: Attempt, b: Attempt): boolean {
  if (a.preemptions !== b.preemptions) return a.preemptions < b.preemptions;
  return lengthOf(a) < lengthOf(b);
}

/** @throws ScenarioError where what a schedule breaks is not what it broke before */
export function sameAgain(again: string | null, title: string): void {
  if (again === title) return;
  throw new ScenarioError(
    `a schedule does not give the same twice (${title}): everything that tasks change must be reached through the scenario's state, and nothing may be left to chance`,
  );
}

/** How much may be tried. */
export interface Effort {
  /** Schedules for each bound on preemptions. */
  schedules: number;
  /** Milliseconds in all. */
  time: number;
}

export const EFFORT: Effort = { schedules: 2000, time: 15_000 };

/**
 * Leaves out or joins runs of a schedule as long as it breaks the same, or comes to the same.
 * @param run runs a schedule
 * @param until when to leave it at what it is by then, as `Date.now()` says it
 */
export function fewerRuns(
  run: (runs: readonly Run[]) => Attempt,
  title: string,
  from: Attempt,
  until: number = Number.POSITIVE_INFINITY,
): Attempt {
  let best = from;
  for (let again = true; again; ) {
    again = false;
    const runs = runsOf(best.choices, best.round);
    for (let i = runs.length - 1; i >= 0 && Date.now() < until; i--) {
      const less = runs.slice();
      less.splice(i, 1);
      const tried = run(less);
      if (tried.title === title && simpler(tried, best)) {
        best = tried;
        again = true;
        break;
      }
    }
  }
  return best;
}

/** Steps of each task in a round that is tried. */
const SIMPLE_ROUNDS = [1, 2, 3, 5, 8];

/** Of a schedule without end: one in which all tasks take as many steps, again and again, if that has none too. */
function simplestRound(x: Execution, title: string, from: Attempt, until: number): Attempt {
  for (const steps of SIMPLE_ROUNDS) {
    if (Date.now() > until) break;
    const tried = replay(x, roundRobin(x, steps));
    if (tried.title === title && tried.round && simpler(tried, from)) return tried;
  }
  return from;
}

const roundRobin = (x: Execution, steps: number): Run[] =>
  x.names.map((_, task) => ({ task, steps, fail: false, round: true }));

/** Searches for the fewest preemptions, and with those for the shortest schedule. */
function fewerPreemptions(
  x: Execution,
  title: string,
  from: Attempt,
  schedules: number,
  until: number,
): Attempt {
  let best = from;
  const other = from.choices.filter((choice) => choice >= FAIL).length;
  for (let bound = 0; bound <= best.preemptions; bound++) {
    const search = new Exhaustive(x.names.length, {
      preemptions: bound,
      faults: other,
      breaks: other,
    });
    for (let n = 0; n < schedules && Date.now() < until && search.begin(x); n++) {
      const tried = attempt(x, search);
      if (tried.title === title && simpler(tried, best)) best = tried;
    }
    if (best.preemptions <= bound) break;
  }
  return best;
}

/**
 * Whether a finding takes more than its own schedule: an order in which locks are taken, of which an
 * earlier schedule had a part.
 */
export function takesSeveral(scenario: Scenario, options: SetupOptions, found: Found): boolean {
  if (found.finding.invariant !== 'lock order') return false;
  const { title } = found;
  const x = new Execution(scenario, { ...options, sought: title });
  return replay(x, runsOf(found.choices, found.round)).title !== title;
}

/**
 * The simplest way found to break the same in the same scenario.
 * @throws ScenarioError where the schedule does not break the same again
 */
export function shrinkSchedule(
  scenario: Scenario,
  options: SetupOptions,
  found: Pick<Found, 'title' | 'choices' | 'preemptions' | 'round'>,
  effort: Effort = EFFORT,
): Attempt {
  const { title } = found;
  const x = new Execution(scenario, { ...options, sought: title });
  const until = Date.now() + effort.time;
  const first = replay(x, runsOf(found.choices, found.round));
  sameAgain(first.title, title);
  const run = (runs: readonly Run[]): Attempt => replay(x, runs);
  if (first.round) return fewerRuns(run, title, simplestRound(x, title, first, until), until);
  const fewer = fewerRuns(run, title, first, until);
  return fewerPreemptions(x, title, fewer, effort.schedules, until);
}

/**
 * The schedule as runs, without what happens anyway.
 * @param until when to leave it at what it is by then, as `Date.now()` says it
 */
export function shortestRuns(
  scenario: Scenario,
  options: SetupOptions,
  found: Attempt,
  until: number = Number.POSITIVE_INFINITY,
): Run[] {
  const sought = found.title === null ? {} : { sought: found.title };
  const x = new Execution(scenario, { ...options, ...sought });
  return fewerNumbers((runs) => replay(x, runs), found, until);
}

/** The same, with `run` to run a schedule. */
export function fewerNumbers(
  run: (runs: readonly Run[]) => Attempt,
  found: Attempt,
  until: number = Number.POSITIVE_INFINITY,
): Run[] {
  let runs = runsOf(found.choices, found.round);
  const holds = (tried: Run[]): boolean => {
    const got = run(tried);
    return got.title === found.title && got.preemptions <= found.preemptions;
  };
  for (let i = 0; i < runs.length; i++) {
    if (Date.now() > until) return runs;
    if (runs[i].fail || runs[i].round) continue;
    const tried = runs.map((run, j) =>
      j === i ? { ...run, steps: Number.POSITIVE_INFINITY } : run,
    );
    if (holds(tried)) runs = tried;
  }
  while (runs.length > 0 && Date.now() < until && holds(runs.slice(0, -1)))
    runs = runs.slice(0, -1);
  return runs;
}

// ---- programs ----

/** The lists of operations in a program, and putting one back changed. */
function lists(
  program: ConcurrentProgram,
): { ops: Op[]; with: (ops: Op[]) => ConcurrentProgram }[] {
  const tasks = Object.keys(program.tasks).map((name) => ({
    ops: program.tasks[name],
    with: (ops: Op[]) => ({ ...program, tasks: { ...program.tasks, [name]: ops } }),
  }));
  return [
    { ops: program.after, with: (after) => ({ ...program, after }) },
    ...tasks,
    { ops: program.setup, with: (setup) => ({ ...program, setup }) },
  ];
}

/** Whether every process that an operation names is there. */
function sound(program: ConcurrentProgram): boolean {
  const made = new Set([0]);
  const all = [...program.setup, ...Object.values(program.tasks).flat(), ...program.after];
  for (const op of all) if (op.op === 'fork') made.add(op.child);
  return all.every((op) => made.has(op.proc));
}

/** Programs that are a little smaller. */
function* smaller(program: ConcurrentProgram): Generator<ConcurrentProgram> {
  const names = Object.keys(program.tasks);
  if (names.length > 1) {
    for (const name of names) {
      const { [name]: _, ...tasks } = program.tasks;
      yield { ...program, tasks };
    }
  }
  for (const list of lists(program)) {
    for (let i = 0; i < list.ops.length; i++) {
      yield list.with([...list.ops.slice(0, i), ...list.ops.slice(i + 1)]);
    }
  }
  for (const list of lists(program)) {
    for (const [i, op] of list.ops.entries()) {
      if (!('pages' in op) || op.pages === 1) continue;
      for (const pages of new Set([1, op.pages >>> 1, op.pages - 1])) {
        yield list.with(list.ops.map((o, j) => (j === i ? ({ ...o, pages } as Op) : o)));
      }
    }
  }
}

/** A program and the simplest schedule found that breaks it. */
export interface Shrunk extends Attempt {
  title: string;
  program: ConcurrentProgram;
}

/** The title without where it showed: a smaller program may show it in another place. */
export function shrinkProgram(
  given: ConcurrentProgram,
  options: SetupOptions,
  found: Found,
  effort: Effort = EFFORT,
): Shrunk {
  const until = Date.now() + effort.time;
  // conditions name operations of the whole program
  const { exists: _, forall: __, never: ___, ...program } = given;
  const first = shrinkSchedule(programScenario(program), options, found, {
    ...effort,
    time: effort.time / 3,
  });
  let best: Shrunk = { ...first, title: found.title, program };
  for (let again = true; again && Date.now() < until; ) {
    again = false;
    for (const candidate of smaller(best.program)) {
      if (Date.now() > until) break;
      if (!sound(candidate)) continue;
      const tried = breaks(candidate, options, best, Math.min(effort.schedules, 500), until);
      if (tried && !simpler(best, tried)) {
        best = { ...tried, title: found.title, program: candidate };
        again = true;
        break;
      }
    }
  }
  return best;
}

/** Whether a program breaks in the same way with no more preemptions. */
function breaks(
  program: ConcurrentProgram,
  options: SetupOptions,
  like: Shrunk,
  schedules: number,
  until: number,
): Attempt | null {
  let x: Execution;
  try {
    x = new Execution(programScenario(program), { ...options, sought: like.title });
  } catch {
    // a setup that does not work
    return null;
  }
  const other = like.choices.filter((choice) => choice >= FAIL).length;
  const preemptions = like.preemptions;
  if (like.round) {
    const rounds = [
      runsOf(like.choices, like.round),
      ...SIMPLE_ROUNDS.map((n) => roundRobin(x, n)),
    ];
    for (const runs of rounds) {
      const tried = replay(x, runs);
      if (tried.title === like.title && tried.round && tried.preemptions <= preemptions)
        return tried;
    }
    return null;
  }
  const search = new Exhaustive(x.names.length, { preemptions, faults: other, breaks: other });
  for (let n = 0; n < schedules && Date.now() < until && search.begin(x); n++) {
    const tried = attempt(x, search);
    if (tried.title === like.title && tried.preemptions <= preemptions) return tried;
  }
  return null;
}
