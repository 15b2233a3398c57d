/** Making the schedules of outcomes short: a reader runs them again. */
import { runSchedule } from './check.ts';
import { Execution } from './execution.ts';
import { fingerprint } from './fingerprint.ts';
import type { OutcomeSeen } from './outcomes.ts';
import type { Scenario, SetupOptions } from './scenario.ts';
import { ScenarioError } from './scenario-error.ts';
import { decodeRuns, encodeSchedule, Replay, type Run } from './search/schedule.ts';
import { type Attempt, fewerNumbers, fewerRuns } from './shrink.ts';

/** An outcome as it is told: with a schedule that `--replay` takes. */
export interface ToldOutcome {
  /** As in {@link OutcomeSeen}. */
  outcome: string;
  /** Schedules that came to it. */
  schedules: number;
  /** Runs the shortest of them again. */
  schedule: string;
  preemptions: number;
  /** Steps of all tasks. */
  steps: number;
}

/** Schedules that are run again to shorten all outcomes of a scenario, at most: a count, as the same has to come of it everywhere. */
export const REPLAYS = 4000;

/** One schedule, and what its operations came to. */
function attempt(x: Execution, runs: readonly Run[]): Attempt {
  const strategy = new Replay(runs);
  strategy.begin(x);
  const { choices, preemptions, complete } = runSchedule(x, strategy);
  let title: string | null = null;
  if (complete && x.finding === null && x.ended) {
    const end = x.endKey();
    x.finish();
    if (x.finding === null || x.held !== null) title = x.outcomeText(end);
  }
  return { title, choices, preemptions, round: null };
}

/**
 * Outcomes with schedules that are as short as may be: no turn that can be left out, no number that says what
 * happens anyway.
 * @param replays schedules that are run again for it, at most
 * @throws ScenarioError where a schedule does not come to the same again
 */
export function shortenOutcomes(
  scenario: Scenario,
  options: SetupOptions,
  table: readonly OutcomeSeen[],
  replays: number = REPLAYS,
): ToldOutcome[] {
  const x = new Execution(scenario, options);
  const digest = fingerprint(scenario, options);
  const share = Math.floor(replays / Math.max(1, table.length));
  return table.map(({ outcome, schedules, choices }) => {
    let left = share;
    const again = (runs: readonly Run[]): Attempt =>
      left-- > 0 ? attempt(x, runs) : { title: null, choices: [], preemptions: 0, round: null };
    const runs = decodeRuns(choices, x.names.length);
    const first = attempt(x, runs);
    if (first.title !== outcome) {
      throw new ScenarioError(
        "a schedule does not come to the same twice: everything that tasks change must be reached through the scenario's state, and nothing may be left to chance",
      );
    }
    const best = fewerRuns(again, outcome, first);
    const shortest = fewerNumbers(again, best);
    return {
      outcome,
      schedules,
      schedule: encodeSchedule(shortest, digest),
      preemptions: best.preemptions,
      steps: best.choices.length,
    };
  });
}
