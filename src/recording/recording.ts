/**
 * A recording: one schedule of a program, step by step, made to be looked at. What every step was is
 * kept. The state after a step is not: it is reached by running the same choices again, which is cheap,
 * as no stack is noted then.
 */
import { type Execution, FAIL } from '../checker/index.ts';
import type { Finding, ObjectKind, Role, StepKind } from '../machine/index.ts';
import type { Op, Walk } from '../program/index.ts';
import {
  type Item,
  itemOf,
  systemOf,
  type Touched,
  viewOf,
  withoutPerformers,
} from '../program/internal.ts';
import { type ItemChange, itemChanges, whatChanged } from './changes.ts';
import type {
  Counted,
  ItemHistory,
  Moment,
  RecordedEvent,
  RecordedStep,
  RecordedSteps,
  Span,
} from './recorded.ts';
import type { Recordable } from './subject.ts';
import { taskView } from './task-view.ts';

/** Views that are kept at most, and how many are made at once on the way back. */
const KEPT = 256;
const WINDOW = 48;

/** The states that a recording went through. */
export interface States {
  /** The moment after so many steps. */
  moment(step: number): Moment;
  /** One item of the state after so many steps; undefined: it is not there. */
  item(step: number, key: string): Item | undefined;
}

/** Runs the choices of a recording again, and stops where one likes. */
export class Cursor implements States {
  private at = -1;

  constructor(
    private readonly x: Execution,
    private readonly choices: Uint8Array,
  ) {}

  /** Goes to a moment: on from where it stands if it can, else from the beginning. */
  private seek(step: number): void {
    if (this.at < 0 || step < this.at) {
      this.x.reset();
      this.at = 0;
    }
    while (this.at < step) {
      const choice = this.choices[this.at++];
      this.x.take(choice & (FAIL - 1), (choice & FAIL) !== 0);
    }
  }

  item(step: number, key: string): Item | undefined {
    this.seek(step);
    const { x } = this;
    return itemOf({ system: systemOf(x), tasks: x.running.map(({ task }) => task) }, key);
  }

  moment(step: number): Moment {
    this.seek(step);
    const { x } = this;
    const tasks = x.running.map(({ task }) => task);
    return {
      step,
      state: viewOf({ system: systemOf(x), tasks }),
      tasks: x.running.map((_, i) => taskView(x, i)),
      counters: x.kernel.counters.snapshot(),
    };
  }
}

/**
 * A schedule that ran: its events, and the state at any step, which is reached by running it again.
 */
export class Recording {
  readonly events: RecordedEvent[];
  /** Who holds which lock when, folios' locks among them. */
  readonly held: Span[];
  /** Who has to wait when; `name` is what for. */
  readonly waited: Span[];
  /** What locks that anybody took are called, by number. */
  readonly lockNames: ReadonlyMap<number, string>;
  /** By name: every counter of the machine, and `MIGRATION_ENTRIES`. */
  readonly counted: ReadonlyMap<string, Counted>;
  private readonly cache = new Map<number, Moment>();
  private readonly histories = new Map<string, ItemHistory[]>();

  constructor(
    readonly program: Recordable,
    readonly walk: Walk,
    /** The tasks by name. */
    readonly tasks: readonly string[],
    /** By task: the operations that it performs. */
    readonly operations: readonly (readonly Op[])[],
    readonly steps: RecordedSteps,
    /** The schedule as a string: `record` with it gives this recording again. */
    readonly schedule: string,
    /** With the hardware's own events. */
    readonly hardware: boolean,
    /** What broke in the last step, or after it. */
    readonly finding: Finding | null,
    /** There is more, but not in this recording. */
    readonly truncated: boolean,
    noted: Pick<Recording, 'events' | 'held' | 'waited' | 'lockNames' | 'counted'>,
    private readonly states: States,
  ) {
    this.events = noted.events;
    this.held = noted.held;
    this.waited = noted.waited;
    this.lockNames = noted.lockNames;
    this.counted = noted.counted;
  }

  /** How many steps there are; there is one moment more. */
  get length(): number {
    return this.steps.choices.length;
  }

  /** A step. @throws RangeError when there is none */
  step(at: number): RecordedStep {
    if (!(at >= 0 && at < this.length)) throw new RangeError(`no step ${at}: ${this.length}`);
    const { choices, kinds, ops, stackOf, stacks, firstTouched, touched } = this.steps;
    const objects: Touched[] = [];
    for (let i = firstTouched[at]; i < firstTouched[at + 1]; i += 3) {
      const [space, id, role] = touched.subarray(i, i + 3);
      objects.push({ object: space as ObjectKind, id, role: role as Role });
    }
    return {
      at,
      task: choices[at] & (FAIL - 1),
      kind: kinds[at] as StepKind,
      objects,
      stack: stacks[stackOf[at]],
      failed: (choices[at] & FAIL) !== 0,
      op: ops[at],
    };
  }

  /** The task that takes a step. */
  taskAt(at: number): number {
    return this.steps.choices[at] & (FAIL - 1);
  }

  /**
   * The state after `step` steps. On the way back the moments before it are kept too, so that the next
   * steps back cost nothing. Measured with 136,000 steps over 4,000 pages: 0.2 s to get anywhere, 0.8 s
   * for the first step back from the end, 12 ms for a step on, which is the view of so many pages.
   * Keeping them all would take 136,000 times a megabyte.
   * @throws RangeError when there are not so many
   */
  moment(step: number): Moment {
    if (!(step >= 0 && step <= this.length)) throw new RangeError(`no moment ${step}`);
    const known = this.cache.get(step);
    if (known) {
      // the one that was used last goes last
      this.cache.delete(step);
      this.cache.set(step, known);
      return known;
    }
    const back = this.cache.has(step + 1);
    for (let at = back ? Math.max(0, step - WINDOW) : step; at < step; at++) {
      if (!this.cache.has(at)) this.keep(at);
    }
    return this.keep(step);
  }

  private keep(step: number): Moment {
    const moment = this.states.moment(step);
    this.cache.set(step, moment);
    for (const oldest of this.cache.keys()) {
      if (this.cache.size <= KEPT) break;
      this.cache.delete(oldest);
    }
    return moment;
  }

  /** What was counted in the first `step` steps, and before them; found without their state. */
  count(name: string, step: number): number {
    const counted = this.counted.get(name);
    if (!counted) throw new RangeError(`nobody counts ${name}`);
    const { at, value, start } = counted;
    let [low, high] = [0, at.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (at[middle] < step) low = middle + 1;
      else high = middle;
    }
    return low === 0 ? start : value[low - 1];
  }

  /** What a step changed. */
  changes(at: number): ItemChange[] {
    return whatChanged(this.moment(at).state, this.moment(at + 1).state);
  }

  /** Every step that changed an item, by its key: found by running all of it once more. */
  history(key: string): readonly ItemHistory[] {
    let history = this.histories.get(key);
    if (history) return history;
    history = [];
    let before = this.states.item(0, key);
    for (let at = 0; at < this.length; at++) {
      const after = this.states.item(at + 1, key);
      const changes = itemChanges(before, after);
      if (changes.length > 0) {
        const { task, stack } = this.step(at);
        history.push({ at, task, stack, changes });
      }
      before = after;
    }
    this.histories.set(key, history);
    return history;
  }

  /** The last step before a moment that wrote an item; null: nobody has since the beginning. */
  writerOf(key: string, step: number): ItemHistory | null {
    return this.history(key).findLast(({ at }) => at < step) ?? null;
  }
}

/**
 * The functions that a task is in, as nested spans: consecutive steps of the task with the same outer
 * functions. A function that is called again at once is one span, as its steps do not tell.
 */
export function functionSpans(recording: Recording, task: number): Span[] {
  const { steps, length } = recording;
  const spans: Span[] = [];
  const open: Span[] = [];
  let op = -1;
  let last = 0;
  const close = (depth: number): void => {
    while (open.length > depth) (open.pop() as Span).to = last + 1;
  };
  for (let at = 0; at < length; at++) {
    if (recording.taskAt(at) !== task) continue;
    const stack = withoutPerformers(steps.stacks[steps.stackOf[at]]);
    if (steps.ops[at] !== op) close(0);
    op = steps.ops[at];
    let same = 0;
    const outer = (depth: number): string => stack[stack.length - 1 - depth];
    while (same < open.length && same < stack.length && open[same].name === outer(same)) same++;
    close(same);
    for (let depth = same; depth < stack.length; depth++) {
      const span = { task, from: at, to: at + 1, name: outer(depth), depth };
      open.push(span);
      spans.push(span);
    }
    last = at;
  }
  close(0);
  return spans;
}
