/**
 * One search in parts, so that several threads can share it. Which parts there are depends on what is
 * searched alone, and not on who does them or when: the same search comes to the same, whatever the
 * number of threads.
 *
 * A part of an exhaustive search is a subtree of the tree of choices. What leads to it is fixed; where
 * the part finds that something else has to be tried on that way (a race with one of its events), it says
 * so, and another part is made of it.
 */
import type { ExhaustiveState, Node, Share } from './exhaustive.ts';
import { FAIL, lowest, taskOf } from './strategy.ts';

/** Schedules of a part at most. */
export const PART = 1000;
/** Parts that are done at the same time at most. */
const ROUND = 16;
/** Subtrees that a part gives away when it is cut, at least, where it has them. */
const GIVE = 8;

/** What a thread is to do. */
export interface Part {
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

/** A search as parts. What it holds is JSON. */
export interface Parts {
  /** The next parts; none: nothing is left, or nothing that `schedules` suffice for. */
  next(schedules: number): Part[];
  /** In the order of `next`: what came of each; null for one that was not begun. */
  ended(ends: readonly (PartEnd | null)[]): void;
  /** Whether nothing is left. */
  readonly complete: boolean;
  save(): unknown;
}

// ---- random searches ----

interface RandomState {
  /** The first schedule that is in no part. */
  next: number;
  /** Parts that were cut, or not begun. */
  left: Part[];
}

/** Schedules at random: so many a part, each with its own number. */
export class RandomParts implements Parts {
  private state: RandomState = { next: 0, left: [] };
  private given: Part[] = [];
  readonly complete = false;

  constructor(
    saved?: unknown,
    private readonly part = PART,
  ) {
    if (saved !== undefined) this.state = structuredClone(saved as RandomState);
  }

  next(schedules: number): Part[] {
    const { state } = this;
    this.given = [];
    for (let left = schedules; left > 0 && this.given.length < ROUND; ) {
      const open = state.left.shift();
      const most = Math.min(left, open?.schedules ?? this.part);
      if (open && open.schedules > most) {
        // only a part that was not begun can be cut again
        state.left.unshift({ ...open, schedules: open.schedules - most });
      }
      this.given.push(open ? { ...open, schedules: most } : { first: state.next, schedules: most });
      if (!open) state.next += most;
      left -= most;
    }
    return this.given;
  }

  ended(ends: readonly (PartEnd | null)[]): void {
    ends.forEach((end, i) => {
      const part = this.given[i];
      if (end === null) this.state.left.push(part);
      else if (end.schedules < part.schedules) {
        this.state.left.push({ schedules: part.schedules - end.schedules, from: end.at });
      }
    });
  }

  save(): RandomState {
    return this.state;
  }
}

// ---- exhaustive searches ----

/** A point at which several parts choose. */
interface Fork {
  enabled: number;
  before: number;
  preemptions: number;
  failures: number;
  /** Choices to be tried: tasks, and from bit 16 on tasks whose allocation fails. */
  backtrack: number;
  /** Those that a part has, or that need not be tried. */
  taken: number;
}

/** A choice on the way to a part. */
interface Turn {
  /** The number of its fork. */
  fork: number;
  choice: number;
  /** Tasks that need not be tried from here on. */
  sleep: number;
}

/** A subtree: the way to it, and what of it is under way. */
interface Subtree {
  path: Turn[];
  stack: Node[];
}

interface TreeState {
  forks: Fork[];
  subtrees: Subtree[];
}

const bitOf = (choice: number): number =>
  choice >= FAIL ? (1 << taskOf(choice)) | (1 << (taskOf(choice) + 16)) : 1 << choice;

export class SearchTree implements Parts {
  private readonly forks: Fork[] = [];
  private subtrees: Subtree[] = [{ path: [], stack: [] }];
  private given: Subtree[] = [];

  /** @param part schedules of a part at most */
  constructor(
    saved?: unknown,
    private readonly part = PART,
  ) {
    if (saved === undefined) return;
    const { forks, subtrees } = structuredClone(saved as TreeState);
    this.forks = forks;
    this.subtrees = subtrees;
  }

  get complete(): boolean {
    return this.subtrees.length === 0;
  }

  next(schedules: number): Part[] {
    this.given = [];
    const parts: Part[] = [];
    for (let left = schedules; left > 0 && parts.length < ROUND; ) {
      const subtree = this.subtrees.pop();
      if (!subtree) break;
      const most = Math.min(this.part, left);
      this.given.push(subtree);
      parts.push({ schedules: most, from: this.share(subtree) });
      left -= most;
    }
    return parts;
  }

  private share({ path, stack }: Subtree): Share {
    return {
      path: path.map(({ fork, choice, sleep }): Node => {
        const { taken, ...node } = this.forks[fork];
        return { ...node, backtrack: node.backtrack | (taken & 0xffff), choice, sleep };
      }),
      stack,
    };
  }

  ended(ends: readonly (PartEnd | null)[]): void {
    ends.forEach((end, i) => {
      const subtree = this.given[i];
      if (end === null) {
        this.subtrees.push(subtree);
        return;
      }
      const { escaped, stack } = end.at as ExhaustiveState;
      if (stack.length > 0) this.cut(subtree.path, stack);
      for (const [at, bits] of escaped) {
        const { fork } = subtree.path[at];
        this.forks[fork].backtrack |= bits;
        this.offer(subtree.path.slice(0, at), fork);
      }
    });
  }

  /** Choices of a fork that no part has. */
  private open({ enabled, backtrack, taken }: Fork): number {
    return backtrack & ~taken & (enabled | 0xffff0000);
  }

  /** Makes parts of what has to be tried at a fork and is in none. */
  private offer(path: Turn[], number: number): void {
    const fork = this.forks[number];
    for (let rest = this.open(fork); rest !== 0; rest &= rest - 1) {
      const bit = lowest(rest);
      const task = bit & 15;
      const choice = bit >= 16 ? task + FAIL : task;
      const sleep = fork.taken & 0xffff & ~(bit >= 16 ? 1 << task : 0);
      this.subtrees.push({ path: [...path, { fork: number, choice, sleep }], stack: [] });
      fork.taken |= 1 << bit;
    }
  }

  /** A part was cut: others get the branches nearest to its root, it goes on below. */
  private cut(path: Turn[], stack: Node[]): void {
    const way = [...path];
    const forks: { path: Turn[]; fork: number }[] = [];
    let given = 0;
    let depth = 0;
    // a search that is not to be cut goes on as it is
    const give = Number.isFinite(this.part) ? GIVE : 0;
    for (; depth < stack.length && given < give; depth++) {
      const { choice, sleep, ...node } = stack[depth];
      const fork: Fork = { ...node, taken: sleep | bitOf(choice) };
      const number = this.forks.push(fork) - 1;
      forks.push({ path: [...way], fork: number });
      for (let rest = this.open(fork); rest !== 0; rest &= rest - 1) given++;
      way.push({ fork: number, choice, sleep });
    }
    for (const { path: before, fork } of forks) this.offer(before, fork);
    this.subtrees.push({ path: way, stack: stack.slice(depth) });
  }

  save(): TreeState {
    return { forks: this.forks, subtrees: this.subtrees };
  }
}
