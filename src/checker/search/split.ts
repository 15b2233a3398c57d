/**
 * One search in parts, so that several threads can share it. Which parts there are depends on what is
 * searched alone, and not on who does them or when: the same search comes to the same, whatever the
 * number of threads.
 *
 * A part of an exhaustive search is a subtree of the tree of choices. What leads to it is fixed; where
 * the part finds that something else has to be tried on that way (a race with one of its events), it says
 * so, and another part is made of it.
 */
import type { Looked } from '../footprint.ts';
import type { Node, SubtreeState } from './exhaustive.ts';
import {
  type Choice,
  type ChoiceSet,
  FAILING_MASK,
  fails,
  lowestChoice,
  type OtherWays,
  onlyChoice,
  TASKS_MASK,
  taskOf,
} from './strategy.ts';

/** Schedules of a part at most. */
export const PART = 1000;
/** Parts that are done at the same time at most. */
const ROUND = 16;
/** Subtrees that a part gives away when it is cut, at least, where it has them. */
const GIVE = 8;

/** What a thread is to do. */
export interface SearchPart {
  schedules: number;
  /** Of a random search: the number of the first schedule. */
  first?: number;
  /** Where the search goes on. */
  from?: unknown;
}

/** What came of it, as far as what else there is to do depends on it. */
export interface PartEnd {
  schedules: number;
  complete: boolean;
  /** What the strategy saved. */
  at?: unknown;
}

/** A part of the round under way. */
interface Open {
  /** Schedules until it is cut. */
  left: number;
  first?: number;
  /** Where it goes on. */
  from?: unknown;
  complete: boolean;
}

interface RoundState {
  round: Open[];
  rest: unknown;
}

/**
 * A search as parts, in rounds: what a round came to is looked at when all its parts have ended, and so
 * in the same way wherever the search was interrupted. What it holds is JSON.
 */
export abstract class SearchParts {
  private round: Open[] = [];
  private given: Open[] = [];

  /** @param part schedules of a part at most */
  constructor(protected readonly part: number) {}

  /** The parts of the next round. */
  protected abstract begin(): { first?: number; from?: unknown }[];
  /** All parts of the round have ended: where each stands. */
  protected abstract end(ends: readonly unknown[]): void;
  protected abstract get rest(): unknown;
  /** Whether no more parts will come. */
  protected abstract get exhausted(): boolean;

  /** Takes over what another one saved. */
  protected take(saved: unknown): unknown {
    const { round, rest } = structuredClone(saved as RoundState);
    this.round = round;
    return rest;
  }

  /** The next parts; none: nothing is left, or nothing that `schedules` suffice for. */
  next(schedules: number): SearchPart[] {
    this.given = [];
    if (this.round.length === 0) {
      this.round = this.begin().map((how) => ({ ...how, left: this.part, complete: false }));
    }
    const parts: SearchPart[] = [];
    let budget = schedules;
    for (const open of this.round) {
      if (budget <= 0 || isOver(open)) continue;
      const { left, first, from } = open;
      this.given.push(open);
      parts.push({
        schedules: Math.min(left, budget),
        ...(first === undefined ? {} : { first }),
        ...(from === undefined ? {} : { from }),
      });
      budget -= left;
    }
    return parts;
  }

  /** In the order of `next`: what came of each; null for one that was not begun. */
  ended(ends: readonly (PartEnd | null)[]): void {
    ends.forEach((end, i) => {
      if (end === null) return;
      const open = this.given[i];
      open.left -= end.schedules;
      open.from = end.at;
      open.complete = end.complete;
    });
    if (!this.round.every(isOver)) return;
    const round = this.round;
    this.round = [];
    this.end(round.map(({ from }) => from));
  }

  /** Whether nothing is left. */
  get complete(): boolean {
    return this.round.length === 0 && this.exhausted;
  }

  save(): RoundState {
    return { round: this.round, rest: this.rest };
  }
}

const isOver = ({ complete, left }: Open): boolean => complete || left <= 0;

// ---- random searches ----

/** Schedules at random: so many a part, each with its own number. */
export class RandomParts extends SearchParts {
  /** The first schedule that is in no part. */
  private first = 0;

  constructor(saved?: unknown, part = PART) {
    super(part);
    if (saved !== undefined) this.first = this.take(saved) as number;
  }

  protected begin(): { first: number }[] {
    return Array.from({ length: ROUND }, () => {
      const { first } = this;
      this.first += this.part;
      return { first };
    });
  }

  protected end(): void {}

  protected get rest(): number {
    return this.first;
  }

  protected get exhausted(): boolean {
    return false;
  }
}

// ---- exhaustive searches ----

/** A point at which several parts choose. */
interface Fork {
  enabled: number;
  before: number;
  preemptions: number;
  went: OtherWays;
  /** Choices to be tried. */
  backtrack: ChoiceSet;
  /** Those that a part has, or that need not be tried. */
  taken: ChoiceSet;
  /** By task among them, where it is known: what was looked at while it took its step. */
  looks: Record<number, Looked>;
}

/** A choice on the way to a part. */
interface Turn {
  /** The number of its fork. */
  fork: number;
  choice: Choice;
  /** Tasks that need not be tried from here on. */
  sleep: number;
  looks: Record<number, Looked>;
}

/** A subtree: the way to it, and what of it is under way. */
interface Subtree {
  path: Turn[];
  stack: Node[];
}

interface TreeState {
  forks: Fork[];
  subtrees: Subtree[];
  trying: Subtree[];
}

/** What is taken with a choice: before a task's allocation fails, it was tried that it succeeds. */
const takenWith = (choice: Choice): ChoiceSet => (1 << taskOf(choice)) | onlyChoice(choice);

export class SearchTree extends SearchParts {
  private forks: Fork[] = [];
  private subtrees: Subtree[] = [{ path: [], stack: [] }];
  /** Those of the round under way. */
  private trying: Subtree[] = [];

  constructor(saved?: unknown, part = PART) {
    super(part);
    if (saved === undefined) return;
    const rest = this.take(saved) as TreeState;
    this.forks = rest.forks;
    this.subtrees = rest.subtrees;
    this.trying = rest.trying;
  }

  protected begin(): { from: SubtreeState }[] {
    this.trying = this.subtrees.splice(-ROUND).reverse();
    return this.trying.map((subtree) => ({ from: this.stateOf(subtree) }));
  }

  private stateOf({ path, stack }: Subtree): SubtreeState {
    return {
      path: path.map(({ fork, ...turn }): Node => {
        const { taken, ...node } = this.forks[fork];
        const backtrack = node.backtrack | (taken & TASKS_MASK);
        return { ...node, ...turn, backtrack, looked: null, other: null };
      }),
      stack,
      escaped: [],
    };
  }

  protected end(ends: readonly unknown[]): void {
    const { trying } = this;
    this.trying = [];
    ends.forEach((end, i) => {
      const { path } = trying[i];
      const { escaped, stack } = end as SubtreeState;
      if (stack.length > 0) this.cut(path, stack);
      for (const [at, choices] of escaped) {
        const { fork } = path[at];
        this.forks[fork].backtrack |= choices;
        this.offer(path.slice(0, at), fork);
      }
    });
  }

  protected get exhausted(): boolean {
    return this.subtrees.length === 0;
  }

  /** Choices of a fork that no part has. */
  private open({ enabled, backtrack, taken }: Fork): ChoiceSet {
    return backtrack & ~taken & (enabled | FAILING_MASK);
  }

  /** Makes parts of what has to be tried at a fork and is in none. */
  private offer(path: Turn[], number: number): void {
    const fork = this.forks[number];
    for (let rest = this.open(fork); rest !== 0; rest &= rest - 1) {
      const choice = lowestChoice(rest);
      // a task that was tried with its allocation is not asleep where it fails
      const sleep = fork.taken & TASKS_MASK & ~(fails(choice) ? 1 << taskOf(choice) : 0);
      const { looks } = fork;
      this.subtrees.push({ path: [...path, { fork: number, choice, sleep, looks }], stack: [] });
      fork.taken |= onlyChoice(choice);
    }
  }

  /** A part was cut: others get the branches nearest to its root, it goes on below. */
  private cut(path: Turn[], stack: Node[]): void {
    const way = [...path];
    const forks: { path: Turn[]; fork: number }[] = [];
    let given = 0;
    let depth = 0;
    for (; depth < stack.length && given < GIVE; depth++) {
      const { choice, sleep, looks, looked, other: _, ...node } = stack[depth];
      const task = taskOf(choice);
      const known =
        looked === null ? looks : { ...looks, [task]: [...(looks[task] ?? []), ...looked] };
      const fork: Fork = { ...node, taken: sleep | takenWith(choice), looks: known };
      const number = this.forks.push(fork) - 1;
      forks.push({ path: [...way], fork: number });
      for (let rest = this.open(fork); rest !== 0; rest &= rest - 1) given++;
      way.push({ fork: number, choice, sleep, looks });
    }
    for (const { path: before, fork } of forks) this.offer(before, fork);
    this.subtrees.push({ path: way, stack: stack.slice(depth) });
  }

  protected get rest(): TreeState {
    const { forks, subtrees, trying } = this;
    return { forks, subtrees, trying };
  }
}
