/**
 * Whether steps that do not depend on each other commute: the reduction relies on it. Two tasks come to a
 * pair of places, one after the other; there their next steps are taken in both orders, and what follows in
 * one order. The ends must be the same. A step that does not name all that it looks at shows here.
 */

import { dependent } from '../../src/checker/conflict.ts';
import { Execution, type Scenario } from '../../src/checker/index.ts';
import { lowest } from '../../src/checker/task-set.ts';
import { Role, Step } from '../../src/machine/index.ts';
import type { Walk } from '../../src/program/index.ts';

/** Steps of a schedule, at most. */
const MOST_STEPS = 1500;

export interface Commuting {
  /** Pairs of steps that were taken in both orders. */
  pairs: number;
  /** Those that do not commute, in words. */
  broken: string[];
}

class Pairs {
  private readonly x: Execution;
  private prefix: readonly (readonly [task: number, steps: number])[] = [];

  constructor(
    private readonly scenario: Scenario,
    walk: Walk,
  ) {
    this.x = new Execution(scenario, { walk });
  }

  get tasks(): number {
    return this.x.names.length;
  }

  private can(task: number): boolean {
    return (this.x.enabled() & (1 << task)) !== 0;
  }

  /** How many steps a task takes before it has to wait for others, or ends. */
  length(task: number): number {
    const { x } = this;
    x.reset();
    while (this.can(task) && x.finding === null && x.steps < MOST_STEPS) x.take(task, false);
    return x.steps;
  }

  /** @returns false where the tasks do not come so far */
  goTo(prefix: readonly (readonly [task: number, steps: number])[]): boolean {
    const { x } = this;
    this.prefix = prefix;
    x.reset();
    for (const [task, steps] of prefix) {
      for (let i = 0; i < steps; i++) {
        if (x.finding !== null || !this.can(task)) return false;
        x.take(task, false);
      }
    }
    return x.finding === null;
  }

  /** Whether both can take their steps now, and these do not depend on each other. */
  independent(a: number, b: number): boolean {
    if (!this.can(a) || !this.can(b)) return false;
    const [one, other] = [this.x.pending(a), this.x.pending(b)];
    // readers of a lock are listed in the order of their coming
    const shared = [one, other].every(({ roles }) => roles[0] === Role.AcquireShared);
    return !shared && !dependent(one, other);
  }

  /** What comes of it when two tasks take a step each, and then all go on, the same way always. */
  end(first: number, second: number, then: number): string {
    const { x } = this;
    this.goTo(this.prefix);
    x.take(first, false);
    if (x.finding === null && !this.can(second)) return `${x.names[second]} cannot go on`;
    if (x.finding === null) x.take(second, false);
    while (!x.ended && x.finding === null && x.steps < MOST_STEPS) {
      const enabled = x.enabled();
      if (enabled === 0) break;
      x.take(this.can(then) ? then : lowest(enabled), false);
    }
    if (x.finding === null) x.finish();
    return x.finding === null ? (this.scenario.outcome?.(x.state) ?? '') : x.finding.title;
  }

  /** The modelled function in which a task is about to take its step. */
  where(task: number): string {
    Step.traced = true;
    try {
      this.goTo(this.prefix);
      return `${this.x.names[task]} in ${this.x.pending(task).stack.slice(0, 3).join(' < ')}`;
    } finally {
      Step.traced = false;
    }
  }
}

/**
 * Tries the pairs of places of every two tasks.
 * @param most places, at most: of more every so many is tried
 */
export function commuting(scenario: Scenario, walk: Walk, most: number): Commuting {
  const pairs = new Pairs(scenario, walk);
  const tasks = Array.from({ length: pairs.tasks }, (_, task) => task);
  const lengths = tasks.map((task) => pairs.length(task));
  const orders = tasks.flatMap((a) => tasks.filter((b) => b !== a).map((b) => [a, b] as const));
  const places = orders.reduce((sum, [a, b]) => sum + lengths[a] * lengths[b], 0);
  const every = Math.max(1, Math.ceil(places / most));
  const result: Commuting = { pairs: 0, broken: [] };
  let place = 0;
  for (const [a, b] of orders) {
    for (let i = 0; i <= lengths[a]; i++) {
      for (let j = 0; j <= lengths[b]; j++) {
        if (place++ % every !== 0) continue;
        const before = [[a, i] as const, [b, j] as const];
        if (!pairs.goTo(before)) break;
        if (!pairs.independent(a, b)) continue;
        result.pairs++;
        if (pairs.end(a, b, a) === pairs.end(b, a, a)) continue;
        result.broken.push(`${pairs.where(a)} / ${pairs.where(b)}, after ${i} and ${j} steps`);
      }
    }
  }
  return result;
}
