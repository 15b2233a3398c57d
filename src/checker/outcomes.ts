/**
 * Outcomes: what the operations of a schedule came to, how many schedules came to the same, and the shortest of
 * them. A schedule's end has more to it (every entry, every reference): two ends may have one outcome.
 */
import type { Result } from '../program/index.ts';
import { encodeRuns, runsOf } from './search/schedule.ts';
import type { Choice } from './search/strategy.ts';

/** An outcome that was seen. It is JSON, and so is what it is made of. */
export interface OutcomeSeen {
  /** What it is, as JSON: {@link OutcomeOf}. */
  outcome: string;
  /** Schedules that came to it. */
  schedules: number;
  /** The shortest of them: its choices, the preemptions and steps in it. */
  choices: string;
  preemptions: number;
  steps: number;
}

/** What an outcome is: results, of a scenario of one's own its text, or else a digest of the state. */
export type OutcomeOf =
  | { results: Record<string, Result[]>; after: Result[] }
  | { outcome: string }
  | { state: string };

/** Different outcomes that are kept at most. */
export const MOST_OUTCOMES = 4096;

/** Fewer preemptions, then fewer steps; then either, but always the same one. */
function isShorter(a: OutcomeSeen, b: OutcomeSeen): boolean {
  if (a.preemptions !== b.preemptions) return a.preemptions < b.preemptions;
  if (a.steps !== b.steps) return a.steps < b.steps;
  return a.choices < b.choices;
}

const byText = (a: OutcomeSeen, b: OutcomeSeen): number =>
  a.outcome < b.outcome ? -1 : a.outcome > b.outcome ? 1 : 0;

/** The outcomes of a search. What it comes to does not depend on the order in which they come. */
export class Outcomes {
  private readonly seen = new Map<string, OutcomeSeen>();
  /** Whether there were more than are kept. */
  overflow = false;

  constructor(private readonly most = MOST_OUTCOMES) {}

  /** Notes a schedule that came to an outcome. */
  add(outcome: string, choices: readonly Choice[], preemptions: number): void {
    const known = this.seen.get(outcome);
    if (known) {
      known.schedules++;
      const { length: steps } = choices;
      const isLonger =
        preemptions > known.preemptions ||
        (preemptions === known.preemptions && steps > known.steps);
      if (isLonger) return;
    }
    const text = encodeRuns(runsOf(choices));
    const here = { outcome, schedules: 1, choices: text, preemptions, steps: choices.length };
    if (!known) this.keep(here);
    else if (isShorter(here, known)) Object.assign(known, here, { schedules: known.schedules });
  }

  /** Takes over what another search has seen. */
  join(others: readonly OutcomeSeen[]): void {
    for (const other of others) {
      const known = this.seen.get(other.outcome);
      if (!known) {
        this.keep({ ...other });
        continue;
      }
      const schedules = known.schedules + other.schedules;
      if (isShorter(other, known)) Object.assign(known, other);
      known.schedules = schedules;
    }
  }

  private keep(outcome: OutcomeSeen): void {
    if (this.seen.size < this.most) this.seen.set(outcome.outcome, outcome);
    else this.overflow = true;
  }

  /** All of them, by their text. */
  list(): OutcomeSeen[] {
    return [...this.seen.values()].sort(byText);
  }
}

/** The outcomes of several searches of the same as those of one. */
export function joinOutcomes(
  searches: readonly { table: readonly OutcomeSeen[]; overflow: boolean }[],
): { table: OutcomeSeen[]; overflow: boolean } {
  const all = new Outcomes();
  for (const { table } of searches) all.join(table);
  const overflow = all.overflow || searches.some((search) => search.overflow);
  return { table: all.list(), overflow };
}
