/** Strategies: who goes next. */
import type { Execution } from '../execution.ts';

/** A choice: a task's index, plus FAIL when the allocation that it is about to make fails. */
export type Choice = number;
export const FAIL = 32;
export const taskOf = (choice: Choice): number => choice & (FAIL - 1);
export const fails = (choice: Choice): boolean => (choice & FAIL) !== 0;

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
  /** Between two schedules: where the search stands, as JSON; `load` goes on from there. */
  save?(): unknown;
  load?(saved: unknown): void;
}

/** The lowest task of a set. */
export function lowest(mask: number): number {
  return 31 - Math.clz32(mask & -mask);
}

/** How many tasks a set has. */
export function size(mask: number): number {
  let n = 0;
  for (let rest = mask; rest !== 0; rest &= rest - 1) n++;
  return n;
}

/** Steps that a task takes in a row while others wait, at most: no task is left out for ever. */
export const FAIR = 600;
/** A task's share differs from time to time, so that no two tasks always meet at the same place. */
const share = (turn: number): number => FAIR / 2 + ((turn * turn * 31 + turn * 7) % (FAIR / 2));

/**
 * Whom to let go on where nothing else decides: the task that ran last, as long as it can and has not
 * run for too long; else the next one after it.
 */
export class InARow {
  last = -1;
  private row = 0;
  private turns = 0;

  begin(): void {
    this.last = -1;
    this.row = 0;
    this.turns = 0;
  }

  pick(candidates: number): number {
    if (this.last >= 0 && candidates & (1 << this.last) && !this.tired) return this.last;
    const others = this.last < 0 ? candidates : candidates & ~(1 << this.last);
    if (others === 0) return lowest(candidates);
    const above = others & ~((1 << (this.last + 1)) - 1);
    return lowest(above === 0 ? others : above);
  }

  /** Whether the last task has had its share, and another should go on. */
  get tired(): boolean {
    return this.row >= share(this.turns);
  }

  took(task: number): void {
    if (task === this.last) this.row++;
    else {
      this.row = 1;
      this.turns++;
    }
    this.last = task;
  }
}
