/**
 * Suites: scenarios, each with a walk and a plan of how to search, as jobs that can be done anywhere
 * and in any order with the same result.
 */
import type { ConcurrentProgram, Walk } from '../program/index.ts';
import { type CheckResult, check, type Found, NO_COVERAGE } from './check.ts';
import type { CoverageData } from './coverage.ts';
import { Exhaustive } from './exhaustive.ts';
import { fingerprint } from './fingerprint.ts';
import { programScenario } from './program.ts';
import { Pct, RandomWalk, UniformWalk } from './random.ts';
import { type Report, report } from './report.ts';
import type { Scenario, SetupOptions } from './scenario.ts';
import { encodeSchedule } from './schedule.ts';
import { EFFORT, type Effort, shortestRuns, shrinkProgram, shrinkSchedule } from './shrink.ts';
import type { StrategyName } from './strategies.ts';
import type { Strategy } from './strategy.ts';

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
  /** Preemptions in a schedule at most. */
  preemptions?: number;
  /** Different findings after which the search ends. */
  findings: number;
  /** The hardware fills and drops translations on its own. */
  hardware?: boolean;
}

export const DEFAULT_PLAN: Plan = {
  strategy: 'exhaustive',
  schedules: 100_000,
  seed: 1,
  faults: 0,
  findings: 3,
};

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
  complete: boolean;
  bounds: string[];
  findings: ReportedFinding[];
  coverage: CoverageData;
  /** Where the search stands, where it is not complete. */
  at?: unknown;
}

/** A strategy by its name. */
export function strategyOf(plan: Plan, tasks: number): Strategy {
  const { faults, seed, preemptions } = plan;
  switch (plan.strategy) {
    case 'exhaustive':
      return new Exhaustive(tasks, {
        faults,
        ...(preemptions === undefined ? {} : { preemptions }),
      });
    case 'pct':
      return new Pct({ seed, faults });
    case 'uniform':
      return new UniformWalk({ seed, faults });
    case 'random':
      return new RandomWalk({ seed, faults });
  }
}

export interface JobOptions {
  goOn?: () => boolean;
  from?: unknown;
  /** Titles of findings that are known already. */
  known?: readonly string[];
  effort?: Effort;
}

/** The scenario's part of a job: a program, or a scenario of one's own. */
export type Subject = { program: ConcurrentProgram } | { scenario: Scenario };

export function scenarioOf(subject: Subject): Scenario {
  return 'program' in subject ? programScenario(subject.program) : subject.scenario;
}

/** Shrinks a finding and reports it. */
function reported(
  subject: Subject,
  options: SetupOptions & { walk: Walk },
  found: Found,
  effort: Effort,
): ReportedFinding {
  const scenario = scenarioOf(subject);
  const small = shrinkSchedule(scenario, options, found, { ...effort, time: effort.time / 3 });
  const runs = shortestRuns(scenario, options, small);
  const finding: ReportedFinding = {
    title: found.title,
    invariant: found.finding.invariant,
    function: found.finding.function,
    scenario: scenario.name,
    walk: options.walk,
    ...(options.hardware ? { hardware: true } : {}),
    schedule: encodeSchedule(runs, fingerprint(scenario, options)),
    preemptions: small.preemptions,
    steps: 0,
    length: 0,
    report: report(scenario, options, runs),
  };
  // what a smaller program must return is not what this one must
  if ('program' in subject && found.finding.invariant !== 'expectation') {
    const { program } = subject;
    const shrunk = shrinkProgram(
      program,
      options,
      { ...found, ...small, title: found.title },
      effort,
    );
    const smallest = programScenario(shrunk.program);
    const fewest = shortestRuns(smallest, options, shrunk);
    finding.shrunk = {
      program: shrunk.program,
      schedule: encodeSchedule(fewest, fingerprint(smallest, options)),
    };
    finding.preemptions = shrunk.preemptions;
    finding.report = report(smallest, options, fewest);
  }
  finding.steps = finding.report.steps.length;
  finding.length = finding.report.total;
  return finding;
}

/** Searches one scenario with one walk, and shrinks what it finds. */
export function runJob(
  subject: Subject,
  walk: Walk,
  plan: Plan,
  { goOn, from, known, effort = EFFORT }: JobOptions = {},
): JobResult {
  const scenario = scenarioOf(subject);
  const options = { walk, ...(plan.hardware ? { hardware: true } : {}) };
  const result: CheckResult = check(scenario, {
    ...options,
    strategy: (tasks) => strategyOf(plan, tasks),
    schedules: plan.schedules,
    findings: plan.findings,
    outcomes: true,
    coverage: true,
    ...(plan.time === undefined ? {} : { time: plan.time }),
    ...(goOn ? { goOn } : {}),
    ...(from === undefined ? {} : { from }),
    ...(known ? { known } : {}),
  });
  return {
    scenario: scenario.name,
    walk,
    strategy: plan.strategy,
    schedules: result.schedules,
    steps: result.steps,
    redundant: result.redundant,
    outcomes: [...result.outcomes],
    complete: result.complete,
    bounds: result.bounds,
    coverage: result.coverage ?? NO_COVERAGE,
    findings: result.found.map((found) => reported(subject, options, found, effort)),
    ...(result.at === undefined ? {} : { at: result.at }),
  };
}
