/**
 * Random priorities with a few random points at which the running task falls behind all others: finds
 * a bug that needs `depth` orderings with a probability that is known beforehand.
 *
 * After S. Burckhardt, P. Kothari, M. Musuvathi, S. Nagarakatte: A Randomized Scheduler with
 * Probabilistic Guarantees of Finding Bugs, ASPLOS 2010.
 */
import type { Execution } from '../execution.ts';
import { lowest } from '../task-set.ts';
import { AtRandom, type RandomOptions } from './at-random.ts';
import { InARow } from './in-a-row.ts';

export class Pct extends AtRandom {
  private priorities: number[] = [];
  private changes: number[] = [];
  private at = 0;
  private lowestYet = 0;
  private readonly row = new InARow();

  constructor(
    options: RandomOptions,
    readonly depth = 3,
  ) {
    super(options);
  }

  protected override prepare(x: Execution): void {
    const order = x.names.map((_, i) => i);
    for (let i = order.length - 1; i > 0; i--) {
      const j = Math.floor(this.random() * (i + 1));
      [order[i], order[j]] = [order[j], order[i]];
    }
    this.priorities = [];
    order.forEach((task, rank) => {
      this.priorities[task] = rank + 1;
    });
    this.lowestYet = 0;
    this.at = 0;
    // the depth is not known: it varies from schedule to schedule
    const depth = 1 + Math.floor(this.random() * this.depth);
    this.changes = [];
    for (let i = 1; i < depth; i++) this.changes.push(Math.floor(this.random() * this.longest));
    this.row.begin();
  }

  private best(enabled: number): number {
    let best = lowest(enabled);
    for (let rest = enabled; rest !== 0; rest &= rest - 1) {
      const task = lowest(rest);
      if (this.priorities[task] > this.priorities[best]) best = task;
    }
    return best;
  }

  protected pick(_x: Execution, enabled: number): number {
    let best = this.best(enabled);
    if (this.changes.includes(this.at) || (this.row.last === best && this.row.tired)) {
      this.priorities[best] = --this.lowestYet;
      best = this.best(enabled);
    }
    return best;
  }

  protected override took(task: number): void {
    this.at++;
    this.row.took(task);
  }
}
