/** One task after the other, each for as long as it is fair. */
import { lowest } from '../task-set.ts';

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
