/**
 * Every schedule that can end differently: depth first, with dynamic partial-order reduction by source
 * sets and sleep sets.
 *
 * After P. Abdulla, S. Aronsson, B. Jonsson, K. Sagonas: Source Sets: A Foundation for Optimal Dynamic
 * Partial Order Reduction, J. ACM 64 (2017).
 */
import { StepKind } from '../../machine/index.ts';
import { dependent } from '../conflict.ts';
import type { Execution } from '../execution.ts';
import { lowest } from '../task-set.ts';
import { HappensBefore } from './happens-before.ts';
import { InARow } from './in-a-row.ts';
import {
  type Choice,
  type ChoiceSet,
  FAIL,
  failing,
  fails,
  STOP,
  type Strategy,
  TASKS_MASK,
  taskOf,
} from './strategy.ts';

/** A point of the schedule at which a choice was made. */
export interface Node {
  choice: Choice;
  /** Tasks that could go on. */
  enabled: number;
  /** Choices to be tried here, tried or not: a task's failing allocation is a choice of its own. */
  backtrack: ChoiceSet;
  /** Tasks that need not be tried: whatever they would begin was tried. */
  sleep: number;
  /** The task that went before, and so the one whose interruption is a preemption; -1 for none. */
  before: number;
  /** Preemptions and failed allocations so far, before this choice. */
  preemptions: number;
  failures: number;
}

/** A subtree of the search, and how far it is searched: what a search saves, as JSON. */
export interface SubtreeState {
  /** What leads to it, which is fixed. */
  path: Node[];
  /** What of it is under way; empty: nothing yet, or nothing any more. */
  stack: Node[];
  /** What was found to be tried on the way to it: at which point, and which choices. */
  escaped: [at: number, choices: ChoiceSet][];
}

export interface ExhaustiveOptions {
  /** Allocations that may fail in a schedule. */
  faults?: number;
  /** Preemptions in a schedule at most; none: as many as there are. */
  preemptions?: number;
  /** Try every order of every pair of steps. For the test that reducing loses nothing. */
  reduce?: boolean;
}

/** Tries every schedule that can end differently, depth first; of steps that commute one order. */
export class Exhaustive implements Strategy {
  private nodes: Node[] = [];
  /** The points up to here are fixed: what leads to the subtree that is searched. */
  private base = 0;
  private readonly escaped = new Map<number, ChoiceSet>();
  private readonly happened: HappensBefore;
  private readonly row = new InARow();
  private readonly faults: number;
  private readonly limit: number;
  private readonly reduce: boolean;
  /** Choices given by `nodes`; what comes after is new. */
  private given = 0;
  private depth = 0;
  private sleep = 0;
  private finished = false;
  /** Schedules that were left because they only repeat others. */
  redundant = 0;

  constructor(tasks: number, options: ExhaustiveOptions = {}) {
    this.happened = new HappensBefore(tasks);
    this.faults = options.faults ?? 0;
    this.limit = options.preemptions ?? Number.POSITIVE_INFINITY;
    this.reduce = options.reduce ?? true;
  }

  begin(_x?: Execution): boolean {
    if (this.finished) return false;
    this.happened.clear();
    this.row.begin();
    this.depth = 0;
    this.sleep = 0;
    return true;
  }

  choose(x: Execution, enabled: number): Choice {
    const { nodes, depth } = this;
    let node: Node;
    if (depth < this.given) {
      node = nodes[depth];
      this.sleep = node.sleep;
    } else {
      const found = this.open(enabled);
      if (!found) return STOP;
      node = found;
      nodes[depth] = node;
    }
    const task = taskOf(node.choice);
    const step = x.pending(task);
    // before the last given choice everything is as it was in the schedule before
    if (this.reduce && depth + 1 >= this.given) {
      this.happened.races(task, step, (event, initials) => this.turn(event, initials, task));
    }
    if (this.reduce) {
      this.happened.add(task, step);
      let sleep = 0;
      for (let rest = this.sleep; rest !== 0; rest &= rest - 1) {
        const q = lowest(rest);
        if (!dependent(x.pending(q), step)) sleep |= 1 << q;
      }
      this.sleep = sleep;
    } else this.sleep = 0;
    if (
      step.kind === StepKind.Allocate &&
      node.failures < this.faults &&
      depth + 1 >= this.given &&
      !fails(node.choice)
    ) {
      this.add(depth, failing(task));
    }
    this.row.took(task);
    this.depth++;
    return node.choice;
  }

  /** A new point. */
  private open(enabled: number): Node | null {
    const { row, nodes, depth } = this;
    const awake = enabled & ~this.sleep;
    if (awake === 0) return null;
    const above = depth === 0 ? null : nodes[depth - 1];
    let preemptions = 0;
    let failures = 0;
    if (above) {
      preemptions = above.preemptions + (this.preempts(above, taskOf(above.choice)) ? 1 : 0);
      failures = above.failures + (fails(above.choice) ? 1 : 0);
    }
    // a task that turns in circles until others get on must let them
    const bound =
      preemptions >= this.limit && !row.tired && row.last >= 0 && enabled & (1 << row.last);
    if (bound && (awake & (1 << row.last)) === 0) return null;
    // a task that only turns in circles while those it waits for are asleep
    if (row.tired && !bound && (awake & ~(1 << row.last)) === 0 && awake !== enabled) return null;
    const task = bound ? row.last : row.pick(awake);
    return {
      choice: task,
      enabled,
      backtrack: this.reduce ? 1 << task : enabled,
      sleep: this.sleep,
      before: row.last,
      preemptions,
      failures,
    };
  }

  private preempts(node: Node, task: number): boolean {
    return node.before >= 0 && node.before !== task && (node.enabled & (1 << node.before)) !== 0;
  }

  /** One of `initials` has to be tried at an event's point; any that can go on, if none of them can. */
  private turn(event: number, initials: number, task: number): void {
    const node = this.nodes[event];
    if (initials & (node.backtrack | node.sleep) & TASKS_MASK) return;
    const possible = initials & node.enabled;
    if (possible !== 0) {
      this.add(event, 1 << (possible & (1 << task) ? task : lowest(possible)));
    } else this.add(event, node.enabled);
    // a bounded search could not come to that point as it is: let it change task where this one began
    if (this.limit !== Number.POSITIVE_INFINITY) {
      let at = event;
      while (at > 0 && this.nodes[at - 1].choice === node.choice) at--;
      if (this.nodes[at].enabled & (1 << task)) this.add(at, 1 << task);
    }
  }

  /** Something has to be tried at a point: here, or by whoever searches what lies above. */
  private add(at: number, choices: ChoiceSet): void {
    const node = this.nodes[at];
    if (at < this.base && choices & ~node.backtrack) {
      this.escaped.set(at, (this.escaped.get(at) ?? 0) | (choices & ~node.backtrack));
    }
    node.backtrack |= choices;
  }

  end(x: Execution, complete: boolean): void {
    const { nodes } = this;
    if (!complete) this.redundant++;
    if (this.reduce) {
      // what could not be taken any more races too
      for (let t = 0; t < x.running.length; t++) {
        if (x.running[t].done) continue;
        const step = x.pending(t);
        this.happened.races(t, step, (event, initials) => this.turn(event, initials, t));
      }
    }
    // what broke ends the schedule: what others would have done after it, they may do before it
    const { finding } = x;
    if (finding && finding.invariant !== 'livelock' && !x.ended && this.depth > 0) {
      this.add(this.depth - 1, nodes[this.depth - 1].enabled);
    }
    nodes.length = this.depth;
    while (nodes.length > this.base) {
      const node = nodes[nodes.length - 1];
      const task = taskOf(node.choice);
      if (!fails(node.choice) && node.backtrack & failing(task)) {
        node.choice = task + FAIL;
        break;
      }
      node.sleep |= 1 << task;
      let left = node.backtrack & node.enabled & ~node.sleep & TASKS_MASK;
      while (left !== 0) {
        const next = lowest(left);
        if (node.preemptions + (this.preempts(node, next) ? 1 : 0) <= this.limit) break;
        left &= left - 1;
      }
      if (left !== 0) {
        node.choice = lowest(left);
        break;
      }
      nodes.pop();
    }
    this.given = nodes.length;
    this.finished = nodes.length <= this.base;
  }

  /** What is saved says so no more: a subtree of which nothing is left looks like one that was not begun. */
  get exhausted(): boolean {
    return this.finished;
  }

  save(): SubtreeState {
    const { nodes, base } = this;
    const stack = this.finished ? [] : nodes.slice(base);
    return { path: nodes.slice(0, base), stack, escaped: [...this.escaped] };
  }

  /** @param saved the subtree to be searched; by default it is everything */
  load(saved: unknown): void {
    const { path, stack, escaped } = saved as SubtreeState;
    for (const [at, choices] of escaped) this.escaped.set(at, choices);
    this.nodes = [...path, ...stack].map((node) => ({ ...node }));
    this.base = path.length;
    this.given = this.nodes.length;
  }

  bounds(): string[] {
    const { limit } = this;
    if (limit === Number.POSITIVE_INFINITY) return [];
    return [`at most ${limit} ${limit === 1 ? 'preemption' : 'preemptions'}`];
  }
}
