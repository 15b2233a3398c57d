/** Trying schedules of one scenario, and what came of it. */
import type { Finding } from '../machine/index.ts';
import { Execution, plain } from './execution.ts';
import type { Scenario, SetupOptions } from './scenario.ts';
import { digestOf } from './schedule.ts';
import { type Choice, fails, STOP, type Strategy, taskOf } from './strategy.ts';

export interface CheckOptions extends SetupOptions {
  strategy: (tasks: number) => Strategy;
  /** Schedules at most. */
  schedules?: number;
  /** Milliseconds at most. */
  time?: number;
  /** Steps after which a schedule that is fair to all tasks counts as one without end. */
  maxSteps?: number;
  /** Different findings after which the search ends. Default 1. */
  findings?: number;
  /** Remember how schedules end, to count the different ways. */
  outcomes?: boolean;
}

/** A finding and the schedule that led there. */
export interface Found {
  /** What broke, and where: the same for every schedule that breaks the same thing. */
  title: string;
  finding: Finding;
  choices: Choice[];
  preemptions: number;
}

export interface CheckResult {
  found: Found[];
  schedules: number;
  steps: number;
  /** Digests of the ways in which schedules ended. */
  outcomes: Set<string>;
  /** Whether everything that the strategy has was tried. */
  complete: boolean;
  bounds: string[];
}

/** The name of a finding. */
export function titleOf(finding: Finding): string {
  const where = finding.function === '' ? '' : ` in ${finding.function}`;
  return `${plain(finding.title)}${where}`;
}

/** Whether a fair schedule that has come so far will never end. */
export const MAX_STEPS = 20_000;

/** One schedule from beginning to end. What broke is in `x.finding`. */
export function runSchedule(
  x: Execution,
  strategy: Strategy,
  { maxSteps = MAX_STEPS }: { maxSteps?: number } = {},
): { choices: Choice[]; preemptions: number; complete: boolean } {
  const choices: Choice[] = [];
  let preemptions = 0;
  let last = -1;
  x.reset();
  while (x.finding === null) {
    const enabled = x.enabled();
    if (enabled === 0) {
      if (!x.ended) x.deadlock();
      break;
    }
    const choice = strategy.choose(x, enabled);
    if (choice === STOP) return { choices, preemptions, complete: false };
    choices.push(choice);
    const task = taskOf(choice);
    if (last >= 0 && last !== task && enabled & (1 << last)) preemptions++;
    last = task;
    x.take(task, fails(choice));
    if (choices.length >= maxSteps && x.finding === null) x.endless();
  }
  return { choices, preemptions, complete: true };
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
    outcomes: new Set(),
    complete: false,
    bounds: [],
  };
  const titles = new Set<string>();
  const until = Date.now() + time;
  for (;;) {
    if (result.schedules >= schedules) break;
    if ((result.schedules & 15) === 0 && Date.now() > until) break;
    if (!strategy.begin(x)) {
      result.complete = true;
      break;
    }
    const { choices, preemptions, complete } = runSchedule(x, strategy, options);
    strategy.end(x, complete);
    result.schedules++;
    result.steps += x.steps;
    if (complete && x.finding === null) {
      x.finish();
      if (x.finding === null && options.outcomes) {
        result.outcomes.add(digestOf(scenario.outcome?.(x.state) ?? ''));
      }
      if (x.finding === null) x.shutdown();
    }
    if (x.finding !== null) {
      const finding: Finding = x.finding;
      const title = titleOf(finding);
      if (!titles.has(title)) {
        titles.add(title);
        result.found.push({ title, finding, choices, preemptions });
        if (titles.size >= (options.findings ?? 1)) break;
      }
    }
  }
  result.bounds = strategy.bounds();
  return result;
}
