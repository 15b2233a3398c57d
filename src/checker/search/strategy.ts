/** Strategies: who goes next. */
import { type Step, StepKind } from '../../machine/index.ts';
import type { Execution } from '../execution.ts';
import { lowest, MAX_TASKS } from '../task-set.ts';

/**
 * A choice: a task's index, plus FAIL when its step goes the other way: the allocation that it is about to make fails,
 * or the lock is let go that it may let go.
 */
export type Choice = number;
export const FAIL = 32;
export const taskOf = (choice: Choice): number => choice & (FAIL - 1);
export const fails = (choice: Choice): boolean => (choice & FAIL) !== 0;

/** How often the steps of a schedule may go the other way, by what that is. */
export interface OtherWays {
  /** Allocations that may fail. */
  faults: number;
  /** Locks that may be let go in the middle. */
  breaks: number;
}

/** What it is that a step may do other than what it says; null: nothing. */
export function otherWay(step: Step): keyof OtherWays | null {
  if (step.mayLetGo) return 'breaks';
  return step.kind === StepKind.Allocate ? 'faults' : null;
}

/**
 * A set of choices: bit `t` stands for task `t` whose allocation, if it makes one, succeeds, and bit
 * `t + MAX_TASKS` for the same task whose allocation fails.
 */
export type ChoiceSet = number;
/** The choices without a failing allocation: their bits are a set of tasks. */
export const TASKS_MASK = (1 << MAX_TASKS) - 1;
/** The choices with a failing allocation. */
export const FAILING_MASK = ~TASKS_MASK;
/** The choice of a task whose allocation fails, as a set. */
export const failing = (task: number): ChoiceSet => 1 << (task + MAX_TASKS);
/** The lowest choice of a set that is not empty. */
export function lowestChoice(choices: ChoiceSet): Choice {
  const bit = lowest(choices);
  return bit < MAX_TASKS ? bit : bit - MAX_TASKS + FAIL;
}
/** A choice as a set. */
export const onlyChoice = (choice: Choice): ChoiceSet =>
  fails(choice) ? failing(taskOf(choice)) : 1 << choice;

/** The choice to end the schedule here: what follows was tried already, or lies out of bounds. */
export const STOP = -1;

export interface Strategy {
  /** Before each schedule. False: there is none left. */
  begin(x: Execution): boolean;
  /**
   * Chooses at a point where some task can go on.
   * @param enabled the tasks that can, as bits
   * @returns a choice, or STOP
   */
  choose(x: Execution, enabled: number): Choice;
  /**
   * After each schedule.
   * @param complete whether it came to an end of its own: all tasks ended, or none could go on, or
   *   something broke
   */
  end(x: Execution, complete: boolean): void;
  /** What bounded the search, in words; empty for a search of everything. */
  bounds(): string[];
  /** Whether it is known that there is no schedule left. */
  readonly exhausted?: boolean;
  /** Between two schedules: where the search stands, as JSON; `load` goes on from there. */
  save?(): unknown;
  load?(saved: unknown): void;
}
