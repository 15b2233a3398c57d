/**
 * A recording: one schedule of a program, step by step, made to be looked at. What every step was is
 * kept. The state after a step is not: it is reached by running the same choices again, which is cheap,
 * as no stack is noted then.
 */

import { MAX_STEPS as ENDLESS } from '../checker/check.ts';
import {
  decodeSchedule,
  Execution,
  encodeSchedule,
  FAIL,
  fingerprint,
  Replay,
  runsOf,
} from '../checker/index.ts';
import { FAIR, InARow } from '../checker/strategy.ts';
import {
  type Counters,
  type Finding,
  ptePresent,
  Role,
  Space,
  Step,
  type StepKind,
} from '../machine/index.ts';
import { isMigration } from '../mm/leafops.ts';
import { isConcurrent, type Op, type Walk } from '../program/index.ts';
import { type Change, itemChanges, whatChanged } from './changes.ts';
import { isScenario, operationsOf, type Recordable, recordable, systemOf } from './subject.ts';
import { folioLockWords, type Item, itemOf, lockWords, type StateView, viewOf } from './view.ts';

export interface RecordOptions {
  /** How a migration is prepared; else what the program's `machine` says, else `unified`. */
  walk?: Walk;
  /** `1.DIGEST.CHOICES`, as a check prints it. Default: the tasks in turn. */
  schedule?: string;
  /** The hardware fills and drops translations on its own. Default: no. */
  hardware?: boolean;
  /** Steps at most. Default 200,000. */
  maxSteps?: number;
}

const MAX_STEPS = 200_000;

/** What a step did with one object. */
export interface Touched {
  readonly space: Space;
  readonly id: number;
  readonly role: Role;
}

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
export interface History {
  readonly at: number;
  readonly task: number;
  /** The modelled functions of the step, innermost first. */
  readonly stack: readonly string[];
  readonly changes: readonly Change[];
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
  /** Space, id and role of each, one after the other. */
  readonly touched: Int32Array;
}

/** Views that are kept at most, and how many are made at once on the way back. */
const KEPT = 256;
const WINDOW = 48;

/** Runs the choices of a recording again, and stops where one likes. */
class Cursor {
  private at = -1;

  constructor(
    private readonly x: Execution,
    private readonly choices: Uint8Array,
  ) {}

  /** Goes to a moment: on from where it stands if it can, else from the beginning. */
  seek(step: number): void {
    if (this.at < 0 || step < this.at) {
      this.x.reset();
      this.at = 0;
    }
    while (this.at < step) {
      const choice = this.choices[this.at++];
      this.x.take(choice & (FAIL - 1), (choice & FAIL) !== 0);
    }
  }

  /** One item of the state in which it stands. */
  item(key: string): Item | undefined {
    const { x } = this;
    return itemOf({ system: systemOf(x), tasks: x.running.map(({ task }) => task) }, key);
  }

  /** The moment in which it stands. */
  moment(): Moment {
    const { x } = this;
    const tasks = x.running.map(({ task }) => task);
    return {
      step: this.at,
      state: viewOf({ system: systemOf(x), tasks }),
      tasks: x.running.map((_, i) => taskView(x, i)),
      counters: x.kernel.counters.snapshot(),
    };
  }
}

/** How many operations a task has come to the end of. */
function operationOf({ state }: Execution, name: string): number {
  const { results } = state as { results?: Record<string, unknown[]> };
  return results?.[name]?.length ?? 0;
}

/** What somebody waits for at a userfaultfd: the monitor that reads from it, or whoever faulted. */
function userfaultWords(role: Role): string {
  return role === Role.Read ? 'the monitor of a userfaultfd' : 'a missing fault';
}

function taskView(x: Execution, index: number): TaskView {
  const { task, done } = x.running[index];
  const { pages } = x.kernel;
  const step = task.pending;
  const waiting = !done && step.enabled !== null && !step.enabled();
  let waits: TaskView['waits'] = null;
  if (waiting) {
    const on = { space: step.space, id: step.id, role: step.roles[0] };
    const others = x.running.map((running) => running.task);
    let what = 'a condition';
    let holders: string[] = [];
    if (on.space === Space.Lock) {
      const lock = others.flatMap(({ held }) => held).find(({ id }) => id === on.id);
      what = lock ? lockWords(lock) : `lock ${on.id}`;
      holders = others.filter(({ held }) => held.some(({ id }) => id === on.id)).map((t) => t.name);
    } else if (on.space === Space.FolioLock) {
      what = folioLockWords(on.id);
      holders = others.filter(({ id }) => id === pages.lockOwner[on.id]).map((t) => t.name);
    } else if (on.space === Space.Sequence) what = 'an invalidation to end';
    else if (on.space === Space.Userfault) what = userfaultWords(on.role);
    else if (on.space === Space.Pagemap) what = 'the last page of a range of device memory';
    waits = { on, what, holders };
  }
  const holds = task.held.map(lockWords);
  for (let pfn = 0; task.folioLocks > 0 && pfn < pages.size; pfn++) {
    if (pages.lockOwner[pfn] === task.id && pages.head[pfn] === pfn)
      holds.push(folioLockWords(pfn));
  }
  const op = operationOf(x, task.name);
  return { name: task.name, cpu: task.cpu, op, done, waits, holds: [...new Set(holds)] };
}

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
  private readonly cursor: Cursor;
  private readonly cache = new Map<number, Moment>();
  private readonly histories = new Map<string, History[]>();

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
    x: Execution,
  ) {
    this.events = noted.events;
    this.held = noted.held;
    this.waited = noted.waited;
    this.lockNames = noted.lockNames;
    this.counted = noted.counted;
    this.cursor = new Cursor(x, steps.choices);
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
      objects.push({ space: space as Space, id, role: role as Role });
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
    this.cursor.seek(step);
    const moment = this.cursor.moment();
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
  changes(at: number): Change[] {
    return whatChanged(this.moment(at).state, this.moment(at + 1).state);
  }

  /** Every step that changed an item, by its key: found by running all of it once more. */
  history(key: string): readonly History[] {
    let history = this.histories.get(key);
    if (history) return history;
    history = [];
    this.cursor.seek(0);
    let before = this.cursor.item(key);
    for (let at = 0; at < this.length; at++) {
      this.cursor.seek(at + 1);
      const after = this.cursor.item(key);
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
  writerOf(key: string, step: number): History | null {
    return this.history(key).findLast(({ at }) => at < step) ?? null;
  }
}

/** Notes a schedule while it runs. */
class Recorder {
  private readonly choices: number[] = [];
  private readonly kinds: number[] = [];
  private readonly ops: number[] = [];
  private readonly stackOf: number[] = [];
  private readonly stacks: (readonly string[])[] = [];
  private readonly stackNumbers = new Map<string, number>();
  private readonly firstTouched: number[] = [0];
  private readonly touched: number[] = [];
  readonly events: RecordedEvent[] = [];
  readonly held: Span[] = [];
  readonly waited: Span[] = [];
  readonly lockNames = new Map<number, string>();
  /** By task: what it holds by name, and what it waits for. */
  private readonly holds: Map<string, Span>[];
  private readonly waits: (Span | null)[];
  private readonly lastOp: number[];
  private readonly counters: Record<string, number>;
  readonly counted = new Map<string, { start: number; at: number[]; value: number[] }>();
  /** Folios' locks that the last step took. */
  private folioLocks = 0;

  constructor(private readonly x: Execution) {
    this.holds = x.running.map(() => new Map());
    this.waits = x.running.map(() => null);
    this.lastOp = x.running.map(() => -1);
    this.counters = x.kernel.counters.snapshot();
    for (const [name, start] of [...Object.entries(this.counters), [MIGRATION_ENTRIES, 0] as const])
      this.counted.set(name, { start, at: [], value: [] });
  }

  get length(): number {
    return this.choices.length;
  }

  private opOf(task: number): number {
    return operationOf(this.x, this.x.names[task]);
  }

  private numberOf(stack: readonly string[]): number {
    const text = stack.join();
    let number = this.stackNumbers.get(text);
    if (number === undefined) {
      number = this.stacks.length;
      this.stacks.push(stack);
      this.stackNumbers.set(text, number);
    }
    return number;
  }

  /** Notes who has to wait now. */
  blocked(enabled: number): void {
    const at = this.length;
    this.x.running.forEach(({ done }, task) => {
      const wait = this.waits[task];
      if (done || enabled & (1 << task)) {
        if (wait) wait.to = at;
        this.waits[task] = null;
      } else if (!wait) {
        const name = taskView(this.x, task).waits?.what ?? 'a condition';
        const span = { task, from: at, to: at, name, depth: 0 };
        this.waits[task] = span;
        this.waited.push(span);
      }
    });
  }

  /** Takes a step and notes it. */
  take(task: number, fail: boolean): void {
    const { x } = this;
    const step = x.pending(task);
    const at = this.length;
    const op = this.opOf(task);
    this.choices.push(task + (fail ? FAIL : 0));
    this.kinds.push(step.kind);
    this.ops.push(op);
    this.stackOf.push(this.numberOf(step.stack));
    for (let i = 0; i < step.count; i++) {
      this.touched.push(step.spaces[i], step.ids[i], step.roles[i]);
    }
    this.firstTouched.push(this.touched.length);
    if (op !== this.lastOp[task]) this.event(at, task, 'operation', 1);
    this.lastOp[task] = op;
    if (fail) this.event(at, task, 'failed allocation', 1);
    const { folioLocks } = x.running[task].task;
    const written = this.written();
    const before = this.migrating(written);
    x.take(task, fail);
    this.count(at, task);
    const more = this.migrating(written) - before;
    if (more > 0) {
      this.event(at, task, 'migration entry', more);
      this.raised(MIGRATION_ENTRIES, at, more);
    }
    this.locks(at + 1, task, folioLocks);
    if (x.finding) this.event(at, task, 'finding', 1);
  }

  private event(at: number, task: number, kind: EventKind, count: number): void {
    this.events.push({ at, task, kind, count });
  }

  private count(at: number, task: number): void {
    const now = this.x.kernel.counters;
    this.folioLocks = now.folioLocks - this.counters.folioLocks;
    for (const name of Object.keys(this.counters) as (keyof typeof EVENTS)[]) {
      const more = now[name] - this.counters[name];
      if (more === 0) continue;
      if (name in EVENTS) this.event(at, task, EVENTS[name], more);
      this.raised(name, at, more);
      this.counters[name] = now[name];
    }
  }

  private raised(name: string, at: number, more: number): void {
    const counted = this.counted.get(name);
    counted?.at.push(at);
    counted?.value.push((counted.value.at(-1) ?? counted.start) + more);
  }

  /** The entries that the step that was noted last writes. */
  private written(): number[] {
    const ids: number[] = [];
    for (let i = this.firstTouched.at(-2) ?? 0; i < this.touched.length; i += 3) {
      const [space, id, role] = this.touched.slice(i, i + 3);
      if (space === Space.Entry && role === Role.Write) ids.push(id);
    }
    return ids;
  }

  /** How many of them are migration entries. */
  private migrating(written: readonly number[]): number {
    const { entries } = this.x.kernel.tables;
    return written.filter((id) => !ptePresent(entries[id]) && isMigration(entries[id])).length;
  }

  /** What a task holds from moment `at` on. */
  private locks(at: number, index: number, folioLocks: number): void {
    const { task } = this.x.running[index];
    const spans = this.holds[index];
    const now = new Set(task.held.map(lockWords));
    for (const lock of task.held) this.lockNames.set(lock.id, lockWords(lock));
    if (task.folioLocks !== folioLocks || this.folioLocks > 0) {
      const { lockOwner } = this.x.kernel.pages;
      let pfn = lockOwner.indexOf(task.id);
      for (; pfn >= 0; pfn = lockOwner.indexOf(task.id, pfn + 1)) now.add(folioLockWords(pfn));
    } else for (const name of spans.keys()) if (name.startsWith(FOLIO)) now.add(name);
    for (const [name, span] of spans) {
      if (now.has(name)) continue;
      span.to = at;
      spans.delete(name);
    }
    for (const name of now) {
      if (spans.has(name)) continue;
      const taken = new Set([...spans.values()].map(({ depth }) => depth));
      let depth = 0;
      while (taken.has(depth)) depth++;
      const span = { task: index, from: at - 1, to: at, name, depth };
      spans.set(name, span);
      this.held.push(span);
    }
  }

  /** What lasts to the end ends there. */
  end(): void {
    const at = this.length;
    for (const spans of this.holds) for (const span of spans.values()) span.to = at;
    for (const span of this.waits) if (span) span.to = at;
  }

  /** What broke when every task had ended, or none could go on. */
  broken(): void {
    const last = this.events.at(-1);
    const at = Math.max(0, this.length - 1);
    if (last?.kind !== 'finding') this.event(at, this.choices[at] & (FAIL - 1), 'finding', 1);
  }

  done(): RecordedSteps {
    return {
      choices: Uint8Array.from(this.choices),
      kinds: Uint8Array.from(this.kinds),
      ops: Int32Array.from(this.ops),
      stackOf: Int32Array.from(this.stackOf),
      stacks: this.stacks,
      firstTouched: Int32Array.from(this.firstTouched),
      touched: Int32Array.from(this.touched),
    };
  }
}

/** How the names of folios' locks begin. */
const FOLIO = 'the lock of folio ';

/** A recording that is being made. */
class Session {
  private readonly walk: Walk;
  private readonly x: Execution;
  private readonly digest: string;
  private readonly strategy: Replay;
  private readonly recorder: Recorder;
  /** Whom a schedule that says nothing more lets go on. */
  private readonly row = new InARow();
  /** So many choices have to be said; what follows them comes by itself. */
  private said = 0;
  /** For how many steps a task has been before others who could go on, and whether any was for too long. */
  private before = 0;
  private fair = true;
  private truncated = false;
  private ended = false;

  constructor(
    private readonly program: Recordable,
    private readonly options: RecordOptions,
  ) {
    const { schedule, hardware = false } = options;
    this.walk = options.walk ?? ownWalk(program);
    const setup = { walk: this.walk, hardware };
    const scenario = recordable(program, schedule);
    this.x = new Execution(scenario, setup);
    this.digest = fingerprint(scenario, setup);
    const runs =
      schedule === undefined ? [] : decodeSchedule(schedule, this.digest, this.x.names.length);
    this.strategy = new Replay(runs);
    this.strategy.begin();
    this.x.reset();
    this.recorder = this.traced(() => new Recorder(this.x));
  }

  /** Steps so far. */
  get length(): number {
    return this.recorder.length;
  }

  /** While it does something the functions of steps are noted. */
  private traced<T>(body: () => T): T {
    Step.traced = true;
    try {
      return body();
    } finally {
      Step.traced = false;
    }
  }

  /**
   * Goes on for some time.
   * @returns whether there is more to do
   */
  goOn(milliseconds = Number.POSITIVE_INFINITY): boolean {
    const until = Date.now() + milliseconds;
    this.traced(() => {
      for (let n = 1; !this.ended; n++) {
        if ((n & 31) === 0 && Date.now() >= until) break;
        this.ended = !this.next();
      }
      if (this.ended) this.finish();
    });
    return !this.ended;
  }

  /** Takes a step, if there is one. */
  private next(): boolean {
    const { x, recorder, row } = this;
    if (x.finding !== null) return false;
    const enabled = x.enabled();
    recorder.blocked(enabled);
    if (enabled === 0) return false;
    // the checker's rule: who has come so far, and kept nobody waiting, will never end
    const endless = isScenario(this.program) || isConcurrent(this.program);
    if (endless && recorder.length >= ENDLESS && this.fair) {
      x.endless();
      return false;
    }
    this.truncated = recorder.length >= (this.options.maxSteps ?? MAX_STEPS);
    if (this.truncated) return false;
    const choice = this.strategy.choose(x, enabled);
    const task = choice & (FAIL - 1);
    if (choice !== row.pick(enabled)) this.said = recorder.length + 1;
    if (task !== row.last) this.before = 0;
    else if (enabled !== 1 << task) this.before++;
    if (this.before > FAIR) this.fair = false;
    row.took(task);
    recorder.take(task, (choice & FAIL) !== 0);
    return true;
  }

  private finish(): void {
    const { x, truncated } = this;
    this.recorder.end();
    if (!truncated && x.finding === null) x.finish();
    if (!truncated && x.finding === null) x.shutdown();
    if (x.finding) this.recorder.broken();
  }

  /** The recording, when there is no more to do. */
  recording(): Recording {
    const { program, x, recorder } = this;
    const steps = recorder.done();
    const operations = operationsOf(program);
    return new Recording(
      program,
      this.walk,
      x.names,
      x.names.map((name) => operations[name] ?? []),
      steps,
      encodeSchedule(runsOf([...steps.choices.subarray(0, this.said)]), this.digest),
      this.options.hardware ?? false,
      x.finding,
      this.truncated,
      recorder,
      x,
    );
  }
}

function ownWalk(program: Recordable): Walk {
  return (isScenario(program) ? undefined : program.machine?.walk) ?? 'unified';
}

/**
 * Records a schedule of a program or scenario. Noting the functions of a step takes 30 to 60 µs.
 * @throws ProgramError for a mistake in the program
 * @throws ScheduleError when the schedule is not one, or one of another program, walk or model
 */
export function record(program: Recordable, options: RecordOptions = {}): Recording {
  const session = new Session(program, options);
  session.goOn();
  return session.recording();
}

export interface SliceOptions extends RecordOptions {
  /** Milliseconds at a time. Default 12. */
  slice?: number;
  /** Is called between two slices, with the steps so far; false: nobody wants it any more. */
  pause(steps: number): Promise<boolean>;
}

/**
 * Records as `record` does, a little at a time, so that others get their turn in between.
 * @returns null where it was given up
 */
export async function recordInSlices(
  program: Recordable,
  { slice = 12, pause, ...options }: SliceOptions,
): Promise<Recording | null> {
  const session = new Session(program, options);
  while (session.goOn(slice)) if (!(await pause(session.length))) return null;
  return session.recording();
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
    const stack = steps.stacks[steps.stackOf[at]].filter((name) => !OUTER.has(name));
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

/** What performs operations: not modelled. */
const OUTER = new Set(['act', 'perform', 'performWatched', 'taskBody', 'inTurn']);
