/** What a recording keeps of each step, and what it tells of a moment: plain data. */
import type { Counters, StepKind } from '../machine/index.ts';
import type { StateView, Touched } from '../program/internal.ts';
import type { ItemChange } from './changes.ts';

/** One step. Step `i` leads from moment `i` to moment `i + 1`. */
export interface RecordedStep {
  readonly at: number;
  readonly task: number;
  readonly kind: StepKind;
  /** The first is what the step is about. */
  readonly objects: readonly Touched[];
  /** The modelled functions, innermost first. */
  readonly stack: readonly string[];
  /** The allocation was made to fail. */
  readonly failed: boolean;
  /** Index of the operation that the task performs, in its list. */
  readonly op: number;
}

/** A time during which a task holds or waits for something, or is in a function. */
export interface Span {
  readonly task: number;
  /** First step of it. */
  readonly from: number;
  /** First step after it. */
  to: number;
  readonly name: string;
  /** How many functions lie outwards, or locks were held before. */
  readonly depth: number;
}

/** What a counter tells of a step. */
export const EVENTS = {
  faults: 'page fault',
  tlbFlushes: 'TLB flush',
  bytesCopied: 'copy',
  bytesCleared: 'clear',
  invalidations: 'invalidation',
  splits: 'split',
  pagesAllocated: 'allocation',
  pagesMigrated: 'page migrated',
  walks: 'walk',
  folioLocks: 'folio locked',
} as const satisfies Partial<Record<keyof Counters, string>>;
export type EventKind =
  | (typeof EVENTS)[keyof typeof EVENTS]
  | 'operation'
  | 'migration entry'
  | 'failed allocation'
  | 'finding';

/** Something worth finding again. */
export interface RecordedEvent {
  /** The step that did it. */
  readonly at: number;
  readonly task: number;
  readonly kind: EventKind;
  /** How many (bytes of a copy). */
  readonly count: number;
}

/** How a counter rose: at each step that raised it, what it was afterwards. */
export interface Counted {
  /** What it was before the first step. */
  readonly start: number;
  readonly at: readonly number[];
  readonly value: readonly number[];
}

/** Counts what no counter of the machine does: entries that a step made migration entries. */
export const MIGRATION_ENTRIES = 'migrationEntries';

/** A task at a moment. */
export interface TaskView {
  readonly name: string;
  readonly cpu: number;
  /** Index of its operation; as many as there are: it has ended. */
  readonly op: number;
  readonly done: boolean;
  /** What it waits for, if it cannot go on: an object, and who has it. */
  readonly waits: {
    readonly on: Touched;
    readonly what: string;
    readonly holders: readonly string[];
  } | null;
  /** What it holds. */
  readonly holds: readonly string[];
}

/** Everything at one moment. */
export interface Moment {
  /** Steps taken. */
  readonly step: number;
  readonly state: StateView;
  readonly tasks: readonly TaskView[];
  readonly counters: Readonly<Record<string, number>>;
}

/** An item was changed by a step. */
export interface ItemHistory {
  readonly at: number;
  readonly task: number;
  /** The modelled functions of the step, innermost first. */
  readonly stack: readonly string[];
  readonly changes: readonly ItemChange[];
}

/** What is kept of the steps: plain data, a number a step in each array. */
export interface RecordedSteps {
  /** Task, plus FAIL where the allocation failed. */
  readonly choices: Uint8Array;
  readonly kinds: Uint8Array;
  readonly ops: Int32Array;
  /** Into `stacks`. */
  readonly stackOf: Int32Array;
  readonly stacks: readonly (readonly string[])[];
  /** Into `touched`: where a step's begin; one more than there are steps. */
  readonly firstTouched: Int32Array;
  /** Kind, id and role of each, one after the other. */
  readonly touched: Int32Array;
}
