/**
 * Tasks take turns in a pattern that repeats: so many steps of this one, so many of that one, for ever.
 * Every task gets on, and a state that comes back comes back for ever: this shows what never ends.
 */
import type { Execution } from '../execution.ts';
import { lowest } from '../task-set.ts';
import { AtRandom } from './at-random.ts';

/** Turns that a task misses as it has to wait, after which it goes next as soon as it can: locks are fair. */
const MISSED = 3;

export class Turns extends AtRandom {
  private order: number[] = [];
  private lengths: number[] = [];
  private at = 0;
  private left = 0;
  /** By task: turns that it missed one after the other. */
  private missed: number[] = [];

  protected override prepare(x: Execution): void {
    const { random } = this;
    const turns = x.names.length * (1 + Math.floor(random() * 2));
    this.order = [];
    this.lengths = [];
    // most livelocks need short turns of about the same length
    const most = 1 + Math.floor(random() * 2 ** (1 + Math.floor(random() * 6)));
    const first = Math.floor(random() * x.names.length);
    for (let i = 0; i < turns; i++) {
      this.order.push((first + i) % x.names.length);
      this.lengths.push(random() < 0.5 ? most : 1 + Math.floor(random() * most));
    }
    this.at = 0;
    this.left = this.lengths[0];
    this.missed = x.names.map(() => 0);
  }

  protected pick(_x: Execution, enabled: number): number {
    const owed = this.missed.findIndex((n, task) => n >= MISSED && enabled & (1 << task));
    if (owed >= 0) return owed;
    for (let i = 0; i <= this.order.length; i++) {
      const task = this.order[this.at];
      if (this.left > 0 && enabled & (1 << task)) return task;
      if (this.left > 0) this.missed[task]++;
      this.at = (this.at + 1) % this.order.length;
      this.left = this.lengths[this.at];
    }
    return lowest(enabled);
  }

  protected override took(task: number): void {
    if (task === this.order[this.at]) this.left--;
    this.missed[task] = 0;
  }
}
