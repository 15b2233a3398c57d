/**
 * Schedules at random, each given by the seed and its own number alone, so that any of them can be
 * made again without the others.
 */
import { generator, StepKind } from '../../machine/index.ts';
import type { Execution } from '../execution.ts';
import { type Choice, FAIL, InARow, lowest, type Strategy, size } from './strategy.ts';

/** A seed for each schedule. */
function seedOf(seed: number, schedule: number): number {
  return Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(schedule + 1, 0xc2b2ae35);
}

export interface RandomOptions {
  seed: number;
  /** The first schedule's number, and how many there are; none: no end. */
  first?: number;
  schedules?: number;
  /** From one schedule's number to the next: how many share the numbers. */
  stride?: number;
  /** Allocations that may fail in a schedule. */
  faults?: number;
}

/** What is common to the random strategies: numbers, seeds, failing allocations. */
abstract class AtRandom implements Strategy {
  protected random: () => number = () => 0;
  /** The number of the schedule under way. */
  schedule: number;
  private readonly options: RandomOptions;
  private failures = 0;
  /** Steps and allocations of the schedule under way and of the longest. */
  private steps = 0;
  private allocations = 0;
  protected longest = 100;
  private mostAllocations = 4;
  private started = false;

  constructor(options: RandomOptions) {
    this.options = options;
    this.schedule = options.first ?? 0;
  }

  begin(x: Execution): boolean {
    const { seed, schedules, stride = 1 } = this.options;
    if (this.started) this.schedule += stride;
    this.started = true;
    if (schedules !== undefined && this.schedule >= schedules) return false;
    this.random = generator(seedOf(seed, this.schedule));
    this.failures = 0;
    this.steps = 0;
    this.allocations = 0;
    this.prepare(x);
    return true;
  }

  choose(x: Execution, enabled: number): Choice {
    const task = enabled & (enabled - 1) ? this.pick(x, enabled) : lowest(enabled);
    this.took(task);
    this.steps++;
    const { faults = 0 } = this.options;
    if (faults > this.failures && x.pending(task).kind === StepKind.Allocate) {
      this.allocations++;
      // about one failure in two schedules, wherever it may come
      if (this.random() < 0.7 / this.mostAllocations) {
        this.failures++;
        return task + FAIL;
      }
    }
    return task;
  }

  end(): void {
    if (this.steps > this.longest) this.longest = this.steps;
    if (this.allocations > this.mostAllocations) this.mostAllocations = this.allocations;
  }

  bounds(): string[] {
    return ['schedules at random'];
  }

  save(): unknown {
    const { schedule, started, longest, mostAllocations } = this;
    return { schedule, started, longest, mostAllocations };
  }

  load(saved: unknown): void {
    Object.assign(this, saved);
  }

  /** Before each schedule. */
  protected prepare(_x: Execution): void {}
  /** One of several tasks. */
  protected abstract pick(x: Execution, enabled: number): number;
  protected took(_task: number): void {}
}

/** The `n`th task of a set. */
function nth(mask: number, n: number): number {
  let rest = mask;
  for (let i = 0; i < n; i++) rest &= rest - 1;
  return lowest(rest);
}

/** Every task that can go on is as likely as any other, at every step. */
export class RandomWalk extends AtRandom {
  protected pick(_x: Execution, enabled: number): number {
    return nth(enabled, Math.floor(this.random() * size(enabled)));
  }
}

/**
 * Every order of the tasks' steps is about as likely as any other: a task is chosen in proportion to
 * the steps that it has left, by what it had in the schedules before.
 *
 * After H. Zhao, D. Wolff, U. Mathur, A. Roychoudhury: Selectively Uniform Concurrency Testing,
 * ASPLOS 2025.
 */
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

/**
 * Random priorities with a few random points at which the running task falls behind all others: finds
 * a bug that needs `depth` orderings with a probability that is known beforehand.
 *
 * After S. Burckhardt, P. Kothari, M. Musuvathi, S. Nagarakatte: A Randomized Scheduler with
 * Probabilistic Guarantees of Finding Bugs, ASPLOS 2010.
 */
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

/**
 * Tasks take turns in a pattern that repeats: so many steps of this one, so many of that one, for ever.
 * Every task gets on, and a state that comes back comes back for ever: this shows what never ends.
 */
export class Turns extends AtRandom {
  private order: number[] = [];
  private lengths: number[] = [];
  private at = 0;
  private left = 0;

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
  }

  protected pick(_x: Execution, enabled: number): number {
    for (let i = 0; i <= this.order.length; i++) {
      const task = this.order[this.at];
      if (this.left > 0 && enabled & (1 << task)) return task;
      this.at = (this.at + 1) % this.order.length;
      this.left = this.lengths[this.at];
    }
    return lowest(enabled);
  }

  protected override took(_task: number): void {
    this.left--;
  }
}
