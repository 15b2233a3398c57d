/**
 * Schedules at random, each given by the seed and its own number alone, so that any of them can be
 * made again without the others.
 */
import { generator } from '../../machine/index.ts';
import type { Execution } from '../execution.ts';
import { lowest } from '../task-set.ts';
import { type Choice, FAIL, type OtherWays, otherWay, type Strategy } from './strategy.ts';

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
  /** Locks that may be let go in the middle in a schedule. */
  breaks?: number;
}

/** What is common to the random strategies: numbers, seeds, steps that go the other way. */
export abstract class AtRandom implements Strategy {
  protected random: () => number = () => 0;
  /** The number of the schedule under way. */
  schedule: number;
  private readonly options: RandomOptions;
  /** How often steps went the other way, and how often they might have, in the schedule under way. */
  private went: OtherWays = { faults: 0, breaks: 0 };
  private might: OtherWays = { faults: 0, breaks: 0 };
  /** Steps of the schedule under way and of the longest. */
  private steps = 0;
  protected longest = 100;
  /** How often they might have, at most. */
  private mostMight: OtherWays = { faults: 4, breaks: 4 };
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
    this.went = { faults: 0, breaks: 0 };
    this.might = { faults: 0, breaks: 0 };
    this.steps = 0;
    this.prepare(x);
    return true;
  }

  choose(x: Execution, enabled: number): Choice {
    const task = enabled & (enabled - 1) ? this.pick(x, enabled) : lowest(enabled);
    this.took(task);
    this.steps++;
    const other = otherWay(x.pending(task));
    if (other !== null && (this.options[other] ?? 0) > this.went[other]) {
      this.might[other]++;
      // about one in two schedules, wherever it may come
      if (this.random() < 0.7 / this.mostMight[other]) {
        this.went[other]++;
        return task + FAIL;
      }
    }
    return task;
  }

  end(): void {
    if (this.steps > this.longest) this.longest = this.steps;
    const { might, mostMight: most } = this;
    this.mostMight = {
      faults: Math.max(might.faults, most.faults),
      breaks: Math.max(might.breaks, most.breaks),
    };
  }

  bounds(): string[] {
    return ['schedules at random'];
  }

  save(): unknown {
    const { schedule, started, longest, mostMight } = this;
    return { schedule, started, longest, mostMight };
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
