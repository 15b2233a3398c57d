/**
 * Scenarios: what the checker tries. A scenario builds a state, and names the tasks that run on it at
 * the same time. A concurrent program is one; a driver or a changed kernel function of one's own is
 * another.
 */
import type { Kernel$ } from '../machine/index.ts';
import type { Broken, Kernel, Walk } from '../mm/index.ts';
import type { ConditionWords } from './conditions.ts';
import type { Translation } from './watch/hardware.ts';
import type { Rule } from './watch/watch.ts';

/** How a scenario is set up. */
export interface SetupOptions {
  /** How a migration is prepared, where the scenario leaves it open. */
  walk?: Walk;
  /** Keep a ledger that names the function that took each reference, and not one that counts. Slow. */
  ledger?: boolean;
  /** Look at what tasks do while they do it. Default: yes. */
  watch?: boolean;
  /** Look at the fields of the scenario's own objects, where its code tells of them. Default: yes. */
  fields?: boolean;
  /** Note what is come across. Default: no. */
  coverage?: boolean;
  /**
   * Title of what a schedule is known to break: of orders of locks, which may take several schedules to show, no other
   * is told, and none is remembered from one schedule to the next.
   */
  sought?: string;
  /** The hardware fills and drops translations on its own (`translations`). Default: no. */
  hardware?: boolean;
}

/** The operation that a task is in. */
export interface Operation {
  /** How many the task has come to the end of. */
  number: number;
  /** As a program has it: `munmap buf0:0`. */
  text: string;
  /** As the kernel is asked for it: `munmap: buf0:0`. */
  call: string;
}

/** An operation, or a call, and what it returned. */
export interface Returned {
  /** Where an operation is in its program: names and numbers. */
  readonly where?: readonly (string | number)[];
  /** Where a call is: file and line. */
  readonly place?: string;
  /** What it is called. */
  readonly op: string;
  /** `ok` or the name of an errno. */
  readonly ret: string;
}

/** What a task does. (A method, so that a scenario of any state is a scenario.) */
type TaskOf<S> = { body(state: S): Kernel$<unknown> }['body'];

/**
 * Tasks on a state of type `S`. The checker takes a snapshot of the state after `setup` and puts it
 * back before each schedule: everything that the tasks change must be reached through it.
 */
export interface Scenario<S extends object = object> {
  readonly name: string;
  readonly comment?: string | readonly string[];
  /** What it was made of: a schedule of one source is not one of another. */
  readonly source?: string;
  /** Builds the state, in a straight line. */
  setup(options: SetupOptions): S;
  /** The machine in it. */
  kernel(state: S): Kernel;
  /** By name: what each task does. Task `i` runs on CPU `i`, or on the last one. */
  readonly tasks: Readonly<Record<string, TaskOf<S>>>;
  /** Where the hardware may act on its own; of more than four the first ones. */
  translations?(state: S): Translation[];
  /** What a task is doing, for the title of a schedule without end. Default: the task's name. */
  doing?(state: S, task: string): string;
  /** The operation that a task is in, for a report; null: it has come to the end of all. */
  operation?(state: S, task: string): Operation | null;
  /**
   * Whether every operation that takes memory away or copies it is told to the watch's `data` when it
   * begins and when it ends, so that every read can be looked at.
   */
  readonly tellsData?: boolean;
  /** Rules that its driver keeps beside those that hold for all: they are looked at, too. */
  readonly rules?: readonly Rule[];
  /**
   * Is asked when every task has ended, in a straight line; it may change the state.
   * @returns what does not hold
   */
  check?(state: S): Broken[];
  /** What tells one end from another, by all that can be observed. */
  outcome?(state: S): string;
  /** What the operations came to, for the table of outcomes; as JSON. Default: its `outcome`. */
  results?(state: S): string;
  /** Why its results are right though no order of its operations gives them: by name; none where one does. */
  reasons?(state: S): readonly string[];
  /**
   * Known flaws of Linux that the tasks have come to, by name: what breaks behind one is counted under its name, and is
   * no finding.
   */
  flaws?(state: S): readonly string[];
  /** What is asked of all schedules, and, at the end of one, which of that holds; null: it is not asked of this one. */
  readonly conditions?: readonly ConditionWords[];
  hold?(state: S): readonly boolean[] | null;
  /** Where tasks are operations one after the other: what each of them returned, and those before and after them. */
  returned?(state: S): Returned[];
  /**
   * Is asked last: gives everything back.
   * @returns what is left
   */
  shutdown?(state: S): Broken[];
}
