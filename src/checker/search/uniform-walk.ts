/**
 * Every order of the tasks' steps is about as likely as any other: a task is chosen in proportion to
 * the steps that it has left, by what it had in the schedules before.
 *
 * After H. Zhao, D. Wolff, U. Mathur, A. Roychoudhury: Selectively Uniform Concurrency Testing,
 * ASPLOS 2025.
 */
import type { Execution } from '../execution.ts';
import { lowest } from '../task-set.ts';
import { AtRandom } from './at-random.ts';

export class UniformWalk extends AtRandom {
  private expected: number[] = [];
  private taken: number[] = [];

  override save(): unknown {
    const { expected, taken } = this;
    return { ...(super.save() as object), expected, taken };
  }

  protected override prepare(x: Execution): void {
    this.taken.forEach((n, i) => {
      this.expected[i] = Math.max(this.expected[i] ?? 0, n);
    });
    this.taken = x.names.map(() => 0);
  }

  protected pick(_x: Execution, enabled: number): number {
    let sum = 0;
    const left = (t: number): number => Math.max(1, (this.expected[t] ?? 100) - this.taken[t]);
    for (let rest = enabled; rest !== 0; rest &= rest - 1) sum += left(lowest(rest));
    let at = this.random() * sum;
    for (let rest = enabled; rest !== 0; rest &= rest - 1) {
      at -= left(lowest(rest));
      if (at < 0) return lowest(rest);
    }
    return lowest(enabled);
  }

  protected override took(task: number): void {
    this.taken[task]++;
  }
}
