/**
 * Every schedule that can end differently: depth first, with dynamic partial-order reduction by source
 * sets and sleep sets.
 *
 * After P. Abdulla, S. Aronsson, B. Jonsson, K. Sagonas: Source Sets: A Foundation for Optimal Dynamic
 * Partial Order Reduction, J. ACM 64 (2017).
 */
import { dependent } from '../conflict.ts';
import type { Execution } from '../execution.ts';
import { Footprint, type Looked } from '../footprint.ts';
import { lowest } from '../task-set.ts';
import { HappensBefore } from './happens-before.ts';
import { InARow } from './in-a-row.ts';
import {
  type Choice,
  type ChoiceSet,
  FAIL,
  failing,
  fails,
  type OtherWays,
  otherWay,
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
  /** Choices to be tried here, tried or not: a step that goes the other way is a choice of its own. */
  backtrack: ChoiceSet;
  /** Tasks that need not be tried: whatever they would begin was tried. */
  sleep: number;
  /**
   * By such a task: what was looked at while it took its step, beside what the step names; it would be the same now.
   * Of one that somebody else tries at this time nobody knows.
   */
  looks: Record<number, Looked>;
  /** The same of `choice`; null: it was not taken yet. */
  looked: Looked | null;
  /** The task that went before, and so the one whose interruption is a preemption; -1 for none. */
  before: number;
  /** Preemptions so far, before this choice. */
  preemptions: number;
  /** What of `choice` goes the other way if it does; null: nothing can. */
  other: keyof OtherWays | null;
  /** How often steps went the other way so far, before this choice. */
  went: OtherWays;
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
  /** Locks that may be let go in the middle in a schedule. */
  breaks?: number;
  /** Preemptions in a schedule at most; none: as many as there are. */
  preemptions?: number;
  /** Try every order of every pair of steps. For the test that reducing loses nothing. */
  reduce?: boolean;
}

const NEVER: OtherWays = { faults: 0, breaks: 0 };

/** Tries every schedule that can end differently, depth first; of steps that commute one order. */
export class Exhaustive implements Strategy {
  private nodes: Node[] = [];
  /** The points up to here are fixed: what leads to the subtree that is searched. */
  private base = 0;
  private readonly escaped = new Map<number, ChoiceSet>();
  private readonly happened: HappensBefore;
  private readonly row = new InARow();
  private readonly most: OtherWays;
  private readonly limit: number;
  /** Whether preemptions are bounded. */
  private readonly bounded: boolean;
  private readonly reduce: boolean;
  /** Choices given by `nodes`; what comes after is new. */
  private given = 0;
  private depth = 0;
  /** Choices whose steps were taken, and are seen to. */
  private seen = 0;
  private sleep = 0;
  private looks: Record<number, Looked> = {};
  private readonly waiting = new Footprint();
  private finished = false;
  /** Schedules that were left because they only repeat others. */
  redundant = 0;

  constructor(tasks: number, options: ExhaustiveOptions = {}) {
    this.happened = new HappensBefore(tasks);
    this.most = { faults: options.faults ?? 0, breaks: options.breaks ?? 0 };
    this.limit = options.preemptions ?? Number.POSITIVE_INFINITY;
    this.bounded = options.preemptions !== undefined;
    this.reduce = options.reduce ?? true;
  }

  begin(_x?: Execution): boolean {
    if (this.finished) return false;
    this.happened.clear();
    this.row.begin();
    this.depth = 0;
    this.seen = 0;
    this.sleep = 0;
    this.looks = {};
    return true;
  }

  choose(x: Execution, enabled: number): Choice {
    this.see(x);
    const { nodes, depth } = this;
    let node: Node;
    if (depth < this.given) {
      node = nodes[depth];
      this.sleep = node.sleep;
      this.looks = node.looks;
    } else {
      const found = this.open(enabled);
      if (!found) return STOP;
      node = found;
      nodes[depth] = node;
    }
    const task = taskOf(node.choice);
    const other = otherWay(x.pending(task));
    node.other = other;
    if (
      other !== null &&
      node.went[other] < this.most[other] &&
      depth + 1 >= this.given &&
      !fails(node.choice)
    ) {
      this.add(depth, failing(task));
    }
    this.row.took(task);
    this.depth++;
    return node.choice;
  }

  /** The last choice's step was taken: what it had to do with is known, and so what it races with. */
  private see(x: Execution): void {
    const step = x.noteFootprint();
    const { nodes, depth } = this;
    if (this.seen === depth) return;
    this.seen = depth;
    if (!this.reduce) {
      this.sleep = 0;
      return;
    }
    const node = nodes[depth - 1];
    const task = taskOf(node.choice);
    // before the last given choice everything is as it was in the schedule before
    if (depth >= this.given) {
      node.looked = step.looked();
      this.happened.races(task, step, (event, initials) => this.turn(event, initials, task));
    }
    this.happened.add(task, step);
    // whoever is asleep may not be interrupted as a bound allows it
    let rest = this.bounded ? 0 : this.sleep;
    let sleep = 0;
    const looks: Record<number, Looked> = {};
    for (; rest !== 0; rest &= rest - 1) {
      const q = lowest(rest);
      if (dependent(x.pending(q), step)) continue;
      const looked = this.looks[q];
      if (looked === undefined ? step.count > step.named : step.meets(looked)) continue;
      sleep |= 1 << q;
      if (looked !== undefined) looks[q] = looked;
    }
    this.sleep = sleep;
    this.looks = looks;
  }

  /** A new point. */
  private open(enabled: number): Node | null {
    const { row, nodes, depth } = this;
    // a task that turns in circles until others get on must let them
    const others = row.last < 0 ? enabled : enabled & ~(1 << row.last);
    if (this.bounded && row.tired && others !== 0) enabled = others;
    const awake = enabled & ~this.sleep;
    if (awake === 0) return null;
    const above = depth === 0 ? null : nodes[depth - 1];
    let preemptions = 0;
    let went: OtherWays = NEVER;
    if (above) {
      preemptions = above.preemptions + (this.preempts(above, taskOf(above.choice)) ? 1 : 0);
      went = above.went;
      const { other } = above;
      if (other !== null && fails(above.choice)) went = { ...went, [other]: went[other] + 1 };
    }
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
      looks: { ...this.looks },
      looked: null,
      before: row.last,
      preemptions,
      other: null,
      went,
    };
  }

  private preempts(node: Node, task: number): boolean {
    return node.before >= 0 && node.before !== task && (node.enabled & (1 << node.before)) !== 0;
  }

  /** One of `initials` has to be tried at an event's point; any that can go on, if none of them can. */
  private turn(event: number, initials: number, task: number): void {
    if (this.bounded) {
      this.turnBounded(event, task);
      return;
    }
    const node = this.nodes[event];
    if (initials & (node.backtrack | node.sleep) & TASKS_MASK) return;
    const possible = initials & node.enabled;
    if (possible !== 0) {
      this.add(event, 1 << (possible & (1 << task) ? task : lowest(possible)));
    } else this.add(event, node.enabled);
  }

  /**
   * A bounded search may not come to the event's point with another task: then it can change tasks where the event's
   * task began. After K. Coons, M. Musuvathi, K. McKinley: Bounded Partial-Order Reduction, OOPSLA 2013.
   */
  private turnBounded(event: number, task: number): void {
    const { nodes } = this;
    let start = event;
    while (start > 0 && taskOf(nodes[start - 1].choice) === taskOf(nodes[event].choice)) start--;
    for (const at of [event, start]) {
      const { enabled } = nodes[at];
      this.add(at, enabled & (1 << task) || enabled);
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
    this.see(x);
    if (!complete) this.redundant++;
    if (this.reduce) {
      // what could not be taken any more races too
      for (let t = 0; t < x.running.length; t++) {
        if (x.running[t].done) continue;
        const step = this.waiting.of(x.pending(t));
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
      // the other way it looks at other things: whoever is asleep stands for both
      if (node.looked !== null) node.looks[task] = [...(node.looks[task] ?? []), ...node.looked];
      node.looked = null;
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
    this.nodes = [...path, ...stack].map((node) => ({ ...node, looks: { ...node.looks } }));
    this.base = path.length;
    this.given = this.nodes.length;
  }

  bounds(): string[] {
    const { limit } = this;
    if (!this.bounded) return [];
    return [`at most ${limit} ${limit === 1 ? 'preemption' : 'preemptions'}`];
  }
}
