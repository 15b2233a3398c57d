/** What goes round and round without end: of a livelock one round says all. */
import { roundOf } from '../search/rounds.ts';
import type { TracedStep } from './trace.ts';

/** A task that goes round and round. */
export interface TaskRound {
  task: number;
  /** The numbers of the first round's steps. */
  steps: number[];
  /** How often it went round. */
  times: number;
}

/**
 * Of a schedule without end: the steps up to the end of each task's first round, and who goes round.
 * Steps are told apart by what they do and where, not by the numbers of what they touch: a round may
 * take another page each time.
 */
export function firstRounds(
  steps: readonly TracedStep[],
  tasks: number,
): { kept: Set<number>; rounds: TaskRound[] } {
  const kept = new Set<number>();
  const rounds: TaskRound[] = [];
  for (let task = 0; task < tasks; task++) {
    const own = steps.flatMap((step, at) => (step.task === task ? [at] : []));
    const keys = own.map((at) => {
      const { kind, objects, stack } = steps[at];
      return `${kind} ${objects[0]?.[0]} ${stack.join(' ')}`;
    });
    const round = roundOf(keys);
    const end = round ? round.start + round.length : own.length;
    for (const at of own.slice(0, end)) kept.add(at);
    if (!round) continue;
    const times = Math.floor((own.length - round.start) / round.length);
    rounds.push({ task, steps: own.slice(round.start, end), times });
  }
  return { kept, rounds };
}
