/**
 * Suites: scenarios, each with a walk and a plan of how to search, as jobs that can be done anywhere
 * and in any order with the same result.
 */
import type { ConcurrentProgram, Walk } from '../program/index.ts';
import {
  type CheckOptions,
  type CheckResult,
  check,
  type Found,
  type LockOrderSeen,
  MOST_LONG,
  NO_COVERAGE,
} from './check.ts';
import { addConditions, type ConditionCount, type ConditionWords } from './conditions.ts';
import { fingerprint } from './fingerprint.ts';
import { type OutcomeSeen, Outcomes } from './outcomes.ts';
import { beyondOf, type Plan, setupOf } from './plan.ts';
import { programScenario } from './program.ts';
import { type Report, report, unsteadyReport } from './report/report.ts';
import type { Returned, Scenario, SetupOptions } from './scenario.ts';
import { ScenarioError } from './scenario-error.ts';
import { encodeSchedule, runsOf } from './search/schedule.ts';
import {
  type PartEnd,
  RandomParts,
  type SearchPart,
  type SearchParts,
  SearchTree,
} from './search/split.ts';
import { strategyOf } from './search/strategies.ts';
import { STRATEGY_ROWS, type StrategyName } from './search/strategy-rows.ts';
import { shortenOutcomes, type ToldOutcome } from './shorten.ts';
import {
  EFFORT,
  type Effort,
  sameAgain,
  shortestRuns,
  shrinkProgram,
  shrinkSchedule,
  takesSeveral,
} from './shrink.ts';
import { titleOf } from './title.ts';
import { type CoverageData, distinctCoverage } from './watch/coverage.ts';
import { OrderGraph } from './watch/lock-order.ts';

/** A finding as it is reported. */
export interface ReportedFinding {
  title: string;
  invariant: string;
  /** The modelled function in which it showed. */
  function: string;
  scenario: string;
  walk: Walk;
  /** With the hardware's own events. */
  hardware?: boolean;
  /** Replays it with the scenario as it was given. */
  schedule: string;
  /** Steps that matter, in the shrunk program. */
  steps: number;
  /** Steps of the whole schedule, in the shrunk program. */
  length: number;
  preemptions: number;
  /** The shrunk program, where the scenario is one, and the schedule that replays it. */
  shrunk?: { program: ConcurrentProgram; schedule: string };
  report: Report;
}

/** What a search has seen that says whether it is worth anything. */
export interface Seen {
  /** The scenario's tasks. */
  readonly tasks: readonly string[];
  /** Operations of theirs that failed, and whether they did in every schedule. */
  readonly failed: readonly [operation: string, failed: Returned | null][];
  /** What in the scenario's own code should be looked at. */
  readonly warnings: readonly string[];
}

/** What two searches have seen. */
export function seenByBoth(one: Seen, other: Seen): Seen {
  const failed = new Map(one.failed);
  for (const [operation, how] of other.failed) {
    if (how === null || !failed.has(operation)) failed.set(operation, how);
  }
  return {
    tasks: one.tasks.length > 0 ? one.tasks : other.tasks,
    failed: [...failed],
    warnings: [...new Set([...one.warnings, ...other.warnings])],
  };
}

/** What came of one search. */
export interface JobResult {
  scenario: string;
  walk: Walk;
  strategy: StrategyName;
  schedules: number;
  steps: number;
  redundant: number;
  /** Different states in which schedules ended. */
  outcomes: string[];
  /** What the operations came to, where the plan asks for it; and whether there was more than is kept. */
  table: OutcomeSeen[];
  overflow: boolean;
  /** Schedules that broke something before they came to their end. */
  broken: number;
  /** The conditions of the scenario: at the end of how many schedules each held, and did not. */
  asked: readonly ConditionWords[];
  conditions: ConditionCount[];
  complete: boolean;
  bounds: string[];
  findings: ReportedFinding[];
  coverage: CoverageData;
  /** Schedules since the last finding, of this search or of another of the same. */
  since: number;
  /** What was found, but not shrunk and reported yet. */
  found?: readonly Found[];
  seen: Seen;
  /** Where the search stands, where it is not complete; and the orders of locks that it has seen. */
  at?: unknown;
  orders?: readonly LockOrderSeen[];
}

export interface JobOptions {
  goOn?: () => boolean;
  from?: unknown;
  /** Titles of findings that are known already. */
  known?: readonly string[];
  /** Schedules since the last of them. */
  since?: number;
  orders?: readonly LockOrderSeen[];
  effort?: Effort;
}

/** The scenario's part of a job: a program, or a scenario of one's own. */
export type Subject = { program: ConcurrentProgram } | { scenario: Scenario };

/** The scenario of a job. */
export function scenarioOf(subject: Subject): Scenario {
  return 'program' in subject ? programScenario(subject.program) : subject.scenario;
}

/** What is said of a finding before its schedule is run again. */
function foundOnly(
  scenario: Scenario,
  { walk, hardware }: SetupOptions & { walk: Walk },
  { title, finding: { invariant, function: at }, preemptions }: Found,
): Omit<ReportedFinding, 'schedule' | 'report'> {
  return {
    title,
    invariant,
    function: at,
    scenario: scenario.name,
    walk,
    ...(hardware ? { hardware } : {}),
    preemptions,
    steps: 0,
    length: 0,
  };
}

/** Shrinks a finding and reports it. One whose schedule does not break the same again is reported as it was found. */
function reported(
  subject: Subject,
  options: SetupOptions & { walk: Walk },
  found: Found,
  effort: Effort,
): ReportedFinding {
  const scenario = scenarioOf(subject);
  try {
    return shrunkAndReported(subject, { ...options, sought: found.title }, found, effort);
  } catch (error) {
    if (!(error instanceof ScenarioError)) throw error;
    const { finding, choices, round } = found;
    return {
      ...foundOnly(scenario, options, found),
      schedule: encodeSchedule(runsOf(choices, round), fingerprintIfAny(scenario, options)),
      length: choices.length,
      report: unsteadyReport(scenario, finding, choices.length, error.message),
    };
  }
}

/** The digest of a scenario; of one that cannot be run any more, none. */
function fingerprintIfAny(scenario: Scenario, options: SetupOptions): string {
  try {
    return fingerprint(scenario, options);
  } catch (error) {
    if (error instanceof ScenarioError) return 'unsteady';
    throw error;
  }
}

/** @throws ScenarioError where its schedule does not break the same again */
function shrunkAndReported(
  subject: Subject,
  options: SetupOptions & { walk: Walk },
  found: Found,
  effort: Effort,
): ReportedFinding {
  const until = Date.now() + effort.time;
  const scenario = scenarioOf(subject);
  const several = takesSeveral(scenario, options, found);
  const small = several
    ? found
    : shrinkSchedule(scenario, options, found, { ...effort, time: effort.time / 3 });
  const runs = several
    ? runsOf(found.choices, found.round)
    : shortestRuns(scenario, options, small, until);
  const finding: ReportedFinding = {
    ...foundOnly(scenario, options, found),
    schedule: encodeSchedule(runs, fingerprint(scenario, options)),
    preemptions: small.preemptions,
    report: report(scenario, options, runs, several ? found.finding : null),
  };
  if (!several) sameAgain(titleOf(finding.report.finding), found.title);
  if ('program' in subject && !several) {
    const { program } = subject;
    // what a smaller program must return is not what this one must
    const asGiven = found.finding.invariant === 'expectation';
    const from = { ...found, ...small, title: found.title };
    const left = { ...effort, time: Math.max(0, until - Date.now()) };
    const shrunk = asGiven ? { ...from, program } : shrinkProgram(program, options, from, left);
    const smallest = programScenario(shrunk.program);
    const fewest = shortestRuns(smallest, options, shrunk, until);
    finding.shrunk = {
      program: shrunk.program,
      schedule: encodeSchedule(fewest, fingerprint(smallest, options)),
    };
    finding.preemptions = shrunk.preemptions;
    finding.report = report(smallest, options, fewest);
    sameAgain(titleOf(finding.report.finding), found.title);
  }
  finding.steps = finding.report.steps.length;
  finding.length = finding.report.total;
  return finding;
}

/** What came of a part of a search. */
export interface PartResult extends PartEnd {
  steps: number;
  redundant: number;
  outcomes: string[];
  table: OutcomeSeen[];
  overflow: boolean;
  broken: number;
  asked: readonly ConditionWords[];
  conditions: ConditionCount[];
  bounds: string[];
  seen: Seen;
  found: Found[];
  /** Schedules that went on for long. */
  long: number;
  /** Schedules since the last finding. */
  since: number;
  /** Orders of locks: only several parts together may show that they do not go together. */
  orders: LockOrderSeen[];
  coverage: CoverageData;
  /** Milliseconds that it took. */
  time: number;
  /** Whether it was told not to go on: there is more of it. */
  interrupted?: boolean;
}

/** A part, with what is to be known for it. */
export interface PartRequest extends SearchPart {
  /** Titles of findings that are known already. */
  known: string[];
  /** Schedules since the last of them. */
  since: number;
  /** Milliseconds at most. */
  time?: number;
}

/** Does a part of a search. */
export function runPart(
  subject: Subject,
  walk: Walk,
  plan: Plan,
  { schedules, first, from, known, since, time }: PartRequest,
  goOn?: CheckOptions['goOn'],
): PartResult {
  const began = Date.now();
  const scenario = scenarioOf(subject);
  let interrupted = false;
  const ask = (soFar: CheckResult): boolean => {
    if (goOn?.(soFar) === false) interrupted = true;
    return !interrupted;
  };
  const result: CheckResult = check(scenario, {
    ...setupOf(walk, plan),
    strategy: (tasks) =>
      strategyOf(plan.strategy, tasks, first === undefined ? plan : { ...plan, first }),
    schedules,
    findings: plan.findings,
    beyond: beyondOf(plan),
    known,
    since,
    outcomes: true,
    table: plan.outcomes ?? false,
    coverage: true,
    ...(time === undefined ? {} : { time }),
    goOn: ask,
    ...(from === undefined ? {} : { from }),
  });
  const { steps, redundant, complete, bounds, found, long, orders, at } = result;
  const { coverage = NO_COVERAGE } = result;
  return {
    schedules: result.schedules,
    steps,
    redundant,
    complete,
    bounds,
    found,
    long,
    since: result.since,
    orders,
    at,
    coverage,
    seen: {
      tasks: Object.keys(scenario.tasks),
      failed: [...result.failed],
      warnings: result.warnings,
    },
    outcomes: [...result.outcomes],
    table: result.table,
    overflow: result.overflow,
    broken: result.broken,
    asked: scenario.conditions ?? [],
    conditions: result.conditions,
    time: Date.now() - began,
    ...(interrupted ? { interrupted } : {}),
  };
}

/** Shrinks what a part found, and reports it. */
export function runReport(
  subject: Subject,
  walk: Walk,
  plan: Plan,
  found: Found,
  effort: Effort = EFFORT,
): ReportedFinding {
  return reported(subject, setupOf(walk, plan), found, effort);
}

/** Makes the schedules of outcomes short. */
export function runShorten(
  subject: Subject,
  walk: Walk,
  plan: Plan,
  table: readonly OutcomeSeen[],
  replays?: number,
): ToldOutcome[] {
  return shortenOutcomes(scenarioOf(subject), setupOf(walk, plan), table, replays);
}

/** A search in parts: who does them is the caller's affair. */
export class Search {
  readonly found: Found[] = [];
  private readonly parts: SearchParts;
  private readonly outcomes = new Set<string>();
  private readonly table = new Outcomes();
  private overflow = false;
  private broken = 0;
  private asked: readonly ConditionWords[] = [];
  private conditions: ConditionCount[] = [];
  private readonly ran = new Set<number>();
  private readonly coverage: CoverageData = {
    ran: [],
    pairs: [],
    entries: [],
    meets: 0,
    reasons: [],
  };
  private readonly bounds = new Set<string>();
  private seen: Seen = { tasks: [], failed: [], warnings: [] };
  private readonly orders = new OrderGraph<LockOrderSeen>();
  private schedules = 0;
  private steps = 0;
  private redundant = 0;
  private long = 0;
  /** Milliseconds that its parts took. */
  time = 0;
  private given = 0;

  constructor(
    readonly plan: Plan,
    from?: unknown,
    private readonly known: readonly string[] = [],
    orders: readonly LockOrderSeen[] = [],
    /** Schedules since the last of what is known. */
    private since = 0,
  ) {
    for (const order of orders) this.orders.add(order);
    // what a bound on preemptions leaves out depends on the order of the search: it is not cut
    const bounded = plan.preemptions !== undefined;
    this.parts = STRATEGY_ROWS[plan.strategy].exhaustive
      ? new SearchTree(from, bounded ? Number.MAX_SAFE_INTEGER : plan.part)
      : new RandomParts(from, plan.part);
  }

  /** Parts that can be done at the same time, in any order; none: the search has ended. */
  next(): PartRequest[] {
    const { plan, found } = this;
    const left = (plan.time ?? Number.POSITIVE_INFINITY) - this.time;
    const known = [...this.known, ...found.map(({ title }) => title)];
    const isFull = known.length >= plan.findings && !plan.outcomes;
    const beyond = known.length > 0 ? beyondOf(plan) - this.since : Number.POSITIVE_INFINITY;
    if (isFull || left <= 0 || beyond <= 0 || this.long >= MOST_LONG) return [];
    const parts = this.parts.next(Math.min(plan.schedules - this.schedules, beyond));
    this.given = parts.length;
    return parts.map((part) => ({
      ...part,
      known,
      since: this.since,
      ...(Number.isFinite(left) ? { time: Math.ceil(left / parts.length) } : {}),
    }));
  }

  /** In the order of `next`: what came of each part; null for one that was not begun. */
  ended(results: readonly (PartResult | null)[]): void {
    if (results.length !== this.given) throw new Error('a result for each part');
    this.parts.ended(results);
    for (const result of results) {
      if (!result) continue;
      this.schedules += result.schedules;
      this.steps += result.steps;
      this.redundant += result.redundant;
      this.long += result.long;
      this.time += result.time;
      for (const outcome of result.outcomes) this.outcomes.add(outcome);
      this.table.join(result.table);
      this.overflow ||= result.overflow;
      this.broken += result.broken;
      this.asked = result.asked;
      this.conditions = addConditions(this.conditions, result.conditions);
      for (const bound of result.bounds) this.bounds.add(bound);
      this.seen = seenByBoth(this.seen, result.seen);
      for (const place of result.coverage.ran) this.ran.add(place);
      this.coverage.pairs.push(...result.coverage.pairs);
      this.coverage.entries.push(...result.coverage.entries);
      this.coverage.meets |= result.coverage.meets;
      this.coverage.reasons.push(...result.coverage.reasons);
      this.since += result.schedules;
      for (const found of result.found) {
        if (this.find(found)) this.since = result.since;
      }
      for (const order of result.orders) {
        const found = this.see(order);
        if (found && this.find(found)) this.since = 0;
      }
    }
    if (this.long >= MOST_LONG) this.bounds.add(`${MOST_LONG} schedules that go on and on`);
  }

  /** What broke, unless it is known: as a circle of locks it may begin in another function. */
  private find(found: Found): boolean {
    const same = (title: string): boolean =>
      title === found.title || title.startsWith(`${found.finding.title} in `);
    if (this.known.length + this.found.length >= this.plan.findings) return false;
    if (this.found.some(({ title }) => same(title)) || this.known.some(same)) return false;
    this.found.push(found);
    return true;
  }

  /** An order of locks that a part has seen; the circle that it closes with others'. */
  private see(order: LockOrderSeen): Found | null {
    const circle = this.orders.add(order);
    if (!circle) return null;
    const { stack, choices } = order;
    const finding = {
      invariant: 'lock order',
      ...circle,
      function: stack[0] ?? '',
      stack: [...stack],
    };
    return { title: titleOf(finding), finding, choices, preemptions: 0 };
  }

  /** What came of it all. */
  result(scenario: string, walk: Walk, findings: ReportedFinding[]): JobResult {
    const { complete } = this.parts;
    return {
      scenario,
      walk,
      strategy: this.plan.strategy,
      schedules: this.schedules,
      steps: this.steps,
      redundant: this.redundant,
      outcomes: [...this.outcomes],
      table: this.table.list(),
      overflow: this.overflow || this.table.overflow,
      broken: this.broken,
      asked: this.asked,
      conditions: this.conditions,
      complete,
      bounds: [...this.bounds],
      coverage: { ...distinctCoverage(this.coverage), ran: [...this.ran] },
      seen: this.seen,
      since: this.since,
      findings,
      // one that was left as its schedules go on and on is not gone on with
      ...(complete || this.long >= MOST_LONG
        ? {}
        : { at: this.parts.save(), orders: this.orders.all }),
    };
  }
}

/** Whether a search that has found something ended as nothing new came in so many schedules. */
export function isBeyond(
  plan: Plan,
  { since }: Pick<JobResult, 'since'>,
  hasFound: boolean,
): boolean {
  return hasFound && since >= beyondOf(plan);
}

/** Whether a search left nothing out: a bound on preemptions does, and steps that do not name everything. */
export function triedEverything(
  { complete, bounds }: Pick<JobResult, 'complete' | 'bounds'>,
  { strategy }: Pick<Plan, 'strategy'>,
): boolean {
  return complete && STRATEGY_ROWS[strategy].exhaustive && bounds.length === 0;
}

/** Searches one scenario with one walk, and shrinks what it finds. */
export function runJob(
  subject: Subject,
  walk: Walk,
  plan: Plan,
  { goOn, from, known, since, orders, effort = EFFORT }: JobOptions = {},
): JobResult {
  const search = new Search(plan, from, known, orders, since);
  for (let parts = search.next(); parts.length > 0; parts = search.next()) {
    const stopped = (): boolean => goOn?.() === false;
    search.ended(
      parts.map((part) => (stopped() ? null : runPart(subject, walk, plan, part, goOn))),
    );
    if (stopped()) break;
  }
  const findings = search.found.map((found) => runReport(subject, walk, plan, found, effort));
  return search.result(scenarioOf(subject).name, walk, findings);
}
