/** Runs one schedule of a program and notes every step of it. */
import {
  decodeSchedule,
  Endless,
  Execution,
  encodeSchedule,
  FAIL,
  fingerprint,
  InARow,
  Replay,
  type Run,
  runsOf,
} from '../checker/index.ts';
import {
  type Lock,
  ObjectKind,
  OWN_LOCKS,
  ptePresent,
  Role,
  Step,
  StepKind,
} from '../machine/index.ts';
import { isMigration } from '../mm/internal.ts';
import { isConcurrent, type Walk } from '../program/index.ts';
import { folioLockWords, lockWords, systemOf } from '../program/internal.ts';
import {
  EVENTS,
  type EventKind,
  MIGRATION_ENTRIES,
  type RecordedEvent,
  type RecordedSteps,
  type Span,
} from './recorded.ts';
import { Cursor, Recording } from './recording.ts';
import { isScenario, operationsOf, type Recordable, recordable } from './subject.ts';
import { operationOf, taskView } from './task-view.ts';

export interface RecordOptions {
  /** How a migration is prepared; else what the program's `machine` says, else `unified`. */
  walk?: Walk;
  /** `2.DIGEST.CHOICES.SEAL`, as a check prints it. Default: the tasks in turn. */
  schedule?: string;
  /** The hardware fills and drops translations on its own. Default: no. */
  hardware?: boolean;
  /** Steps at most. Default 200,000. */
  maxSteps?: number;
}

/** Steps of a recording, unless its options say otherwise. */
const RECORD_AT_MOST = 200_000;

/** The locks that a task holds. */
interface Holds {
  /** By a lock's name, or a folio's first page. */
  readonly spans: Map<Lock | number, Span>;
  /** Which depths they take up. */
  readonly depths: boolean[];
}

/** Notes a schedule while it runs. */
class Recorder {
  readonly choices: number[] = [];
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
  /** By task: what it holds, and what it waits for. */
  private readonly holds: Holds[];
  private readonly waits: (Span | null)[];
  private readonly lastOp: number[];
  private readonly counters: Record<string, number>;
  readonly counted = new Map<string, { start: number; at: number[]; value: number[] }>();
  /** Folios' locks that the last step took. */
  private folioLocks = 0;

  constructor(private readonly x: Execution) {
    this.holds = x.running.map(() => ({ spans: new Map(), depths: [] }));
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
      this.touched.push(step.objects[i], step.ids[i], step.roles[i]);
    }
    this.firstTouched.push(this.touched.length);
    if (op !== this.lastOp[task]) this.event(at, task, 'operation', 1);
    this.lastOp[task] = op;
    if (fail && step.kind === StepKind.Allocate) this.event(at, task, 'failed allocation', 1);
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
      if (space === ObjectKind.Entry && role === Role.Write) ids.push(id);
    }
    return ids;
  }

  /** How many of them are migration entries. */
  private migrating(written: readonly number[]): number {
    const { entries } = this.x.kernel.tables;
    return written.filter((id) => !ptePresent(entries[id]) && isMigration(entries[id])).length;
  }

  private lockName(lock: Lock): string {
    let name = this.lockNames.get(lock.id);
    if (name === undefined) {
      name = lockWords(lock, systemOf(this.x));
      // a page table is another one's tomorrow
      if (lock.id >= OWN_LOCKS) this.lockNames.set(lock.id, name);
    }
    return name;
  }

  /** What a task holds from moment `at` on. */
  private locks(at: number, index: number, folioLocks: number): void {
    const { task } = this.x.running[index];
    const { spans, depths } = this.holds[index];
    const now = new Set<Lock | number>(task.held);
    const looks = task.folioLocks !== folioLocks || this.folioLocks > 0;
    if (looks) {
      const { lockOwner } = this.x.kernel.pages;
      let pfn = lockOwner.indexOf(task.id);
      for (; pfn >= 0; pfn = lockOwner.indexOf(task.id, pfn + 1)) now.add(pfn);
    }
    for (const [lock, span] of spans) {
      if (now.has(lock) || (!looks && typeof lock === 'number')) continue;
      span.to = at;
      depths[span.depth] = false;
      spans.delete(lock);
    }
    for (const lock of now) {
      if (spans.has(lock)) continue;
      const free = depths.indexOf(false);
      const depth = free < 0 ? depths.length : free;
      const name = typeof lock === 'number' ? folioLockWords(lock) : this.lockName(lock);
      const span = { task: index, from: at - 1, to: at, name, depth };
      depths[depth] = true;
      spans.set(lock, span);
      this.held.push(span);
    }
  }

  /** What lasts to the end ends there. */
  end(): void {
    const at = this.length;
    for (const { spans } of this.holds) for (const span of spans.values()) span.to = at;
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
  /** Looks whether it has an end, as a check does. */
  private readonly endless: Endless | null;
  private truncated = false;
  private ended = false;

  constructor(
    private readonly program: Recordable,
    private readonly options: RecordOptions,
    /** Whether it goes on past orders of locks. */
    private readonly pastOrders = false,
  ) {
    const { schedule, hardware = false } = options;
    this.walk = options.walk ?? ownWalk(program);
    const setup = { walk: this.walk, hardware, ...(pastOrders ? { sought: '' } : {}) };
    const scenario = recordable(program, schedule);
    this.x = new Execution(scenario, setup);
    this.digest = fingerprint(scenario, setup);
    const runs =
      schedule === undefined ? [] : decodeSchedule(schedule, this.digest, this.x.names.length);
    this.strategy = new Replay(runs);
    this.strategy.begin();
    this.x.reset();
    this.endless = isScenario(program) || isConcurrent(program) ? new Endless(this.x) : null;
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
    this.truncated = recorder.length >= (this.options.maxSteps ?? RECORD_AT_MOST);
    if (this.truncated) return false;
    const choice = this.strategy.choose(x, enabled);
    const task = choice & (FAIL - 1);
    if (choice !== row.pick(enabled)) this.said = recorder.length + 1;
    row.took(task);
    const watching = this.endless?.watches ? this.endless : null;
    watching?.note(choice, enabled);
    recorder.take(task, (choice & FAIL) !== 0);
    if (watching && x.finding === null) return this.goesOn(watching);
    return true;
  }

  /** Whether it may have an end. */
  private goesOn(endless: Endless): boolean {
    const ending = endless.end(this.recorder.choices);
    if (ending === 'endless') {
      this.x.endless(endless.loops);
      return false;
    }
    this.truncated = ending !== 'goes on';
    return !this.truncated;
  }

  /** The choices that have to be said. */
  private runs(choices: Uint8Array): Run[] {
    const round = this.endless?.round ?? null;
    return runsOf([...(round === null ? choices.subarray(0, this.said) : choices)], round);
  }

  private finish(): void {
    const { x, truncated } = this;
    this.recorder.end();
    if (!truncated && x.finding === null) x.finish();
    if (!truncated && x.finding === null) x.shutdown();
    if (x.finding) this.recorder.broken();
  }

  /** Whether something broke. */
  get broke(): boolean {
    return this.x.finding !== null;
  }

  /** Of one that shows an order of locks: the same schedule past that, as `replaySchedule()` takes it. */
  beyond(): Session | null {
    if (this.pastOrders || this.x.finding?.invariant !== 'lock order') return null;
    return new Session(this.program, this.options, true);
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
      encodeSchedule(this.runs(steps.choices), this.digest),
      this.options.hardware ?? false,
      x.finding,
      this.truncated,
      recorder,
      new Cursor(x, steps.choices),
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
  let session = new Session(program, options);
  session.goOn();
  const beyond = session.beyond();
  beyond?.goOn();
  if (beyond?.broke) session = beyond;
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
  const beyond = session.beyond();
  while (beyond?.goOn(slice)) if (!(await pause(beyond.length))) return null;
  return (beyond?.broke ? beyond : session).recording();
}
