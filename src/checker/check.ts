/** Trying schedules of one scenario, and what came of it. */
import { type Finding, NAMED_FRAMES } from '../machine/index.ts';
import type { ConditionCount } from './conditions.ts';
import { ENDLESS_AFTER, Endless } from './endless.ts';
import { Execution } from './execution.ts';
import { type OutcomeSeen, Outcomes } from './outcomes.ts';
import type { Returned, Scenario, SetupOptions } from './scenario.ts';
import { digestOf } from './search/digest.ts';
import type { Round } from './search/rounds.ts';
import { Replay, type Run } from './search/schedule.ts';
import { type Choice, fails, STOP, type Strategy, taskOf } from './search/strategy.ts';
import { titleOf } from './title.ts';
import type { CoverageData } from './watch/coverage.ts';
import type { LockPair } from './watch/lock-order.ts';

export interface CheckOptions extends SetupOptions {
  strategy: (tasks: number) => Strategy;
  /** Schedules at most. */
  schedules?: number;
  /** Milliseconds at most. */
  time?: number;
  /** Steps in which no operation ends, after which a schedule is looked at whether it goes in a circle. */
  maxSteps?: number;
  /** Different findings after which the search ends, without `table`. Default 1. */
  findings?: number;
  /** Schedules without a new finding, after which a search ends that has one. Default: it goes on. */
  beyond?: number;
  /** Schedules since the last finding, before this search. */
  since?: number;
  /** Remember how schedules end, to count the different ways. */
  outcomes?: boolean;
  /** Keep what the operations of schedules came to, and the shortest schedule of each; tries all there is. */
  table?: boolean;
  /** Is asked before each schedule whether to go on. */
  goOn?: (soFar: Readonly<CheckResult>) => boolean;
  /** Where an earlier search stood. */
  from?: unknown;
  /** Titles of what it found: they count, but are not found again. */
  known?: readonly string[];
}

/** A finding and the schedule that led there. */
export interface Found {
  /** What broke, and where: the same for every schedule that breaks the same thing. */
  title: string;
  finding: Finding;
  choices: Choice[];
  preemptions: number;
  /** Of a schedule without end: the choices that come again and again, to the end. */
  round?: Round | null;
}

/** An order of locks, and the first schedule that showed it. */
export type LockOrderSeen = LockPair & { readonly choices: Choice[] };

export interface CheckResult {
  found: Found[];
  orders: LockOrderSeen[];
  schedules: number;
  steps: number;
  /** Steps of the longest schedule. */
  longest: number;
  /** Digests of the ways in which schedules ended. */
  outcomes: Set<string>;
  /** What their operations came to, where that was asked for; and whether there was more than is kept. */
  table: OutcomeSeen[];
  overflow: boolean;
  /** Schedules that broke something before they came to their end. */
  broken: number;
  /** By condition of the scenario: at the end of how many schedules it held, and did not. */
  conditions: ConditionCount[];
  /** Whether everything that the strategy has was tried. */
  complete: boolean;
  /** Schedules that were left because they only repeat others. */
  redundant: number;
  /** Schedules that went on for long: those without end, and those that were given up. */
  long: number;
  /** Schedules since the last finding. */
  since: number;
  /** Where the search stands. */
  at?: unknown;
  bounds: string[];
  /** Operations that failed in every schedule, and what they returned in one; null: they did not fail in some. */
  failed: Map<string, Returned | null>;
  /** What in the scenario's own code should be looked at, though nothing broke. */
  warnings: string[];
  /** What was come across, where that was asked for. */
  coverage?: CoverageData;
}

/** Of a search that nobody watched. */
export const NO_COVERAGE: CoverageData = {
  ran: [],
  pairs: [],
  entries: [],
  meets: 0,
  reasons: [],
};

/**
 * Schedules that go on for long, after which a search ends: each takes as many steps as a hundred others, and
 * shows what the ones before it have shown.
 */
export const MOST_LONG = 20;

/** Whether a finding is an order of locks: nobody waits for ever in this schedule, or has to stop. */
export const isOrder = (finding: Finding | null): boolean => finding?.invariant === 'lock order';

/** How a schedule went. */
export interface Ran {
  choices: Choice[];
  preemptions: number;
  /** Whether it came to an end of its own: all tasks ended, or none could go on, or something broke. */
  complete: boolean;
  /** Whether it went on for long and was given up. */
  givenUp: boolean;
  /** Of one without end: what comes again and again. */
  round: Round | null;
}

/** One schedule from beginning to end. What broke is in `x.finding`. */
export function runSchedule(
  x: Execution,
  strategy: Strategy,
  { maxSteps }: { maxSteps?: number } = {},
): Ran {
  const choices: Choice[] = [];
  /** Before which choices a task was interrupted. */
  const preempted: number[] = [];
  let last = -1;
  const endless = new Endless(x, maxSteps);
  const cut = (givenUp: boolean): Ran => {
    endless.stop();
    const preemptions = preempted.length;
    return { choices, preemptions, complete: false, givenUp, round: null };
  };
  x.reset();
  while (x.finding === null) {
    const enabled = x.enabled();
    // all have ended, or nobody can go on: finish() says which
    if (enabled === 0) break;
    const choice = strategy.choose(x, enabled);
    if (choice === STOP) return cut(false);
    choices.push(choice);
    const task = taskOf(choice);
    if (last >= 0 && last !== task && enabled & (1 << last)) preempted.push(choices.length - 1);
    last = task;
    const { watches } = endless;
    if (watches) endless.note(choice, enabled);
    x.take(task, fails(choice));
    if (!watches || x.finding !== null) continue;
    const ending = endless.end(choices);
    if (ending === 'unfair' || ending === 'given up') return cut(ending === 'given up');
    if (ending === 'endless') x.endless(endless.loops);
  }
  endless.stop();
  const { round } = endless;
  // of what comes again and again the first round says all
  const said = round === null ? choices.length : round.start + round.length;
  const preemptions = preempted.filter((at) => at < said).length;
  return { choices, preemptions, complete: true, givenUp: false, round };
}

/** Notes what an operation returned. */
function noteReturn(failed: CheckResult['failed'], one: Returned): void {
  const key = JSON.stringify(one.where ?? one.place);
  if (one.ret === 'ok') failed.set(key, null);
  else if (!failed.has(key)) failed.set(key, one);
}

/** What is remembered of an end at which nothing was wrong. */
interface End {
  /** What the operations came to, where that is asked for. */
  came: string | null;
  /** Which conditions held. */
  held: readonly boolean[] | null;
}

/** Tries schedules until the strategy has no more, or a limit is reached. */
export function check(scenario: Scenario, options: CheckOptions): CheckResult {
  const x = new Execution(scenario, options);
  const strategy = options.strategy(x.names.length);
  const { schedules = Number.POSITIVE_INFINITY, time = Number.POSITIVE_INFINITY } = options;
  const result: CheckResult = {
    found: [],
    schedules: 0,
    steps: 0,
    longest: 0,
    outcomes: new Set(),
    table: [],
    overflow: false,
    broken: 0,
    conditions: (scenario.conditions ?? []).map(() => [0, 0]),
    orders: [],
    complete: false,
    redundant: 0,
    long: 0,
    since: options.since ?? 0,
    bounds: [],
    failed: new Map(),
    warnings: [],
  };
  if (options.from !== undefined) strategy.load?.(options.from);
  const titles = new Set<string>(options.known);
  const { findings: most = 1, beyond = Number.POSITIVE_INFINITY } = options;
  /** States in which schedules ended, and nothing was wrong. */
  const ends = new Map<string, End>();
  const table = new Outcomes();
  const reasons = new Set<string>();
  const flaws = new Set<string>();
  const until = Date.now() + time;
  let gaveUp = false;
  for (;;) {
    if (strategy.exhausted) {
      result.complete = true;
      break;
    }
    if (result.schedules >= schedules) break;
    // whoever has too little time gets on all the same
    if (result.schedules > 0 && Date.now() > until) break;
    if (options.goOn?.(result) === false) break;
    if (!strategy.begin(x)) {
      result.complete = true;
      break;
    }
    const { choices, preemptions, complete, givenUp, round } = runSchedule(x, strategy, options);
    strategy.end(x, complete);
    for (const pair of x.watch?.locks.learnt() ?? []) result.orders.push({ ...pair, choices });
    result.schedules++;
    result.since++;
    result.steps += x.steps;
    result.longest = Math.max(result.longest, x.steps);
    if (!complete && !givenUp) result.redundant++;
    if (givenUp || round !== null) result.long++;
    if (givenUp) gaveUp = true;
    if (complete && x.finding === null) {
      // many schedules end in the same state: it is looked at once
      const key = x.ended ? x.endKey() : null;
      let end = key === null ? undefined : ends.get(key);
      if (end === undefined) {
        x.finish();
        for (const reason of scenario.reasons?.(x.state) ?? []) reasons.add(reason);
        if (x.finding === null && options.outcomes) {
          result.outcomes.add(digestOf(x.outcome()));
          for (const one of scenario.returned?.(x.state) ?? []) noteReturn(result.failed, one);
        }
        const isWhole = key !== null && (x.finding === null || x.held !== null);
        end = {
          came: isWhole && options.table ? x.outcomeText(key) : null,
          held: x.held,
        };
        if (x.finding === null) x.shutdown();
        if (x.finding === null && key !== null) ends.set(key, end);
      }
      if (end.came !== null) table.add(end.came, choices, preemptions);
      else if (x.finding !== null) result.broken++;
      end.held?.forEach((holds, i) => {
        result.conditions[i][holds ? 0 : 1]++;
      });
      if (x.finding === null) x.own.checkRun();
    } else if (x.finding !== null) result.broken++;
    for (const flaw of x.flaws) flaws.add(flaw);
    if (x.finding !== null) x.own.checkRunOf((task) => x.running[task].done);
    if (x.finding !== null && x.flaws.length === 0) {
      const finding: Finding = x.finding;
      const title = titleOf(finding);
      if (!titles.has(title) && titles.size < most) {
        titles.add(title);
        result.found.push({ title, finding, choices, preemptions, round });
        result.since = 0;
      }
      if (titles.size >= most && !options.table) break;
    }
    if (titles.size > 0 && result.since >= beyond) break;
    if (result.long >= MOST_LONG) break;
  }
  result.table = table.list();
  result.overflow = table.overflow;
  result.bounds = strategy.bounds();
  if (gaveUp) {
    const steps = options.maxSteps ?? ENDLESS_AFTER;
    result.bounds.push(`schedules given up in which nothing ended for ${steps} steps`);
  }
  if (result.long >= MOST_LONG) result.bounds.push(`${MOST_LONG} schedules that go on and on`);
  if (x.leavesOut) {
    result.bounds.push(`steps that name ${NAMED_FRAMES} pages of a folio at most (see pmdOrder)`);
  }
  for (const flaw of flaws) {
    reasons.add(flaw);
    result.bounds.push(`schedules end at a flaw of Linux: ${flaw}`);
  }
  result.warnings = [...x.own.warnings];
  for (const [place, one] of x.own.calls) {
    result.failed.set(place, one && { place, op: `${one.name}()`, ret: one.ret });
  }
  result.at = strategy.save?.();
  if (x.coverage) {
    const coverage = x.coverage.data();
    result.coverage = {
      ...coverage,
      meets: coverage.meets | x.own.meets,
      reasons: [...reasons],
    };
  }
  return result;
}

/**
 * One schedule again, with the checks at its end. Where it goes on to something that stops it, that is what it shows, and
 * not an order of locks on the way there.
 */
export function replaySchedule(
  scenario: Scenario,
  options: SetupOptions,
  runs: readonly Run[],
): {
  finding: Finding | null;
  steps: number;
  preemptions: number;
  outcome: string;
  /** What its operations came to, where it came to its end; and which of the scenario's conditions hold there. */
  came: string | null;
  held: readonly boolean[] | null;
  coverage: CoverageData;
} {
  const x = new Execution(scenario, { ...options, coverage: true });
  const strategy = new Replay(runs);
  strategy.begin(x);
  const { complete, preemptions } = runSchedule(x, strategy);
  const { steps } = x;
  let outcome = '';
  let came: string | null = null;
  if (complete && x.finding === null) {
    const end = x.ended ? x.endKey() : '';
    x.finish();
    if (x.finding === null || x.held !== null) came = x.outcomeText(end);
  }
  const { held } = x;
  if (complete && x.finding === null) outcome = x.outcome();
  if (complete && x.finding === null) x.shutdown();
  const coverage = x.coverage?.data() ?? NO_COVERAGE;
  if (isOrder(x.finding) && options.sought === undefined) {
    const beyond = replaySchedule(scenario, { ...options, sought: '' }, runs);
    if (beyond.finding !== null) return beyond;
  }
  return { finding: x.finding, steps, preemptions, outcome, came, held, coverage };
}
