/**
 * Whether what the operations of a schedule returned can be explained: by some order of the tasks' operations,
 * run one after the other in a straight line, those of a range part by part where Linux does not promise that
 * a range is one thing; else by one in which some of the reasons of `reasons.ts` count.
 */
import {
  type Kernel$,
  KernelBug,
  restore,
  runToEnd,
  type Snapshot,
  snapshot,
  stateKey,
  Task,
} from '../machine/index.ts';
import { ran } from '../machine/internal.ts';
import {
  type ConcurrentProgram,
  equal,
  type Op,
  perform,
  type Result,
  resultWords,
  type System,
  type TagRun,
  tagRuns,
  valueRuns,
} from '../program/index.ts';
import { opWords, valuesOf } from '../program/internal.ts';
import {
  isParted,
  type OpStep,
  type Reason,
  reasonOfFailure,
  reasonToDiffer,
  reasonToLeave,
  stepsOf,
  WRITE_BACK,
} from './reasons.ts';

/** What the operations of a schedule returned: those of each task, and of `after`. */
export interface Came {
  readonly results: Readonly<Record<string, readonly Result[]>>;
  readonly after: readonly Result[];
}

/** What explains results: the names of the reasons that it takes; none where an order alone does. */
export interface Explained {
  readonly reasons: readonly string[];
}

/** Results that nothing explains. */
export interface Unexplained {
  /** The operation whose result no order gives, where those before it have theirs. */
  readonly op: Op;
  readonly detail: string;
}

/** Places in the tasks that are looked at for one outcome, at most. */
const MOST_PLACES = 3000;
/** Parts that a range is taken in, at most. */
const MOST_PARTS = 8;
/** Different outcomes whose explanation is remembered, at most. */
const MOST_KNOWN = 4096;

/** An operation, or a part of its range. */
interface Unit {
  readonly op: Op;
  /** What is performed. */
  readonly part: OpStep;
  /** The part of the range that it is about. */
  readonly of: Op;
  /** The number of its operation in the task. */
  readonly number: number;
  /** What it returns is no part of the operation's result. */
  readonly isFirst: boolean;
  /** Why it is apart. */
  readonly reason: Reason | null;
  readonly isLast: boolean;
}

/** A turn: the task whose next unit is performed, or left undone. */
type Turn = readonly [task: number, isLeft: boolean];

/** The units of one operation, of whose parts each is one step, or several. */
function unitsOf(op: Op, parts: readonly Op[], number: number, inSteps: boolean): Unit[] {
  const all = parts.flatMap((part): Pick<Unit, 'part' | 'of' | 'isFirst' | 'reason'>[] => {
    const several = inSteps ? stepsOf(part) : null;
    if (!several) return [{ part, of: part, isFirst: false, reason: null }];
    return several.steps.map((step, i) => ({
      part: step,
      of: part,
      isFirst: i < several.steps.length - 1,
      reason: several.reason,
    }));
  });
  return all.map((one, i) => ({ ...one, op, number, isLast: i === all.length - 1 }));
}

function wordsOf(runs: readonly TagRun[]): number[] {
  return runs.flatMap(([first, count, step]) =>
    Array.from({ length: count }, (_, i) => first + i * step),
  );
}

/** What an operation returns of which two parts returned this, the first one `a`. */
function joined(op: Op, a: Result | null, b: Result): Result {
  if (a === null) return b;
  // what is held stays
  if (op.op === 'gup' && a.ret === 'ok' && b.ret !== 'ok') return a;
  const done = a.done === undefined || b.done === undefined ? {} : { done: a.done + b.done };
  const ret = a.ret === 'ok' ? b.ret : a.ret;
  if (ret !== 'ok') return { ret, ...done, ...tagsOf(a, b) };
  return {
    ret,
    ...done,
    ...(a.cpages === undefined ? {} : { cpages: a.cpages + (b.cpages ?? 0) }),
    ...(a.faults === undefined ? {} : { faults: a.faults + (b.faults ?? 0) }),
    ...tagsOf(a, b),
    ...(a.prot && b.prot ? { prot: valueRuns([...valuesOf(a.prot), ...valuesOf(b.prot)]) } : {}),
    ...(a.bits && b.bits ? { bits: valueRuns([...valuesOf(a.bits), ...valuesOf(b.bits)]) } : {}),
  };
}
function tagsOf(a: Result, b: Result): Partial<Result> {
  return a.tags && b.tags ? { tags: tagRuns([...wordsOf(a.tags), ...wordsOf(b.tags)]) } : {};
}

/** The ids of what the parts of one `gup` hold are so far apart. */
const HELD_APART = 1000;

/** Operations that end at the first page that fails. */
const ENDS_AT_ERROR = new Set<Op['op']>(['cpu_read', 'cpu_write', 'uffd_copy', 'mprotect', 'gup']);

/** Where the ranges of a program's operations begin and end, by buffer; of short ones every page. */
function bordersOf(ops: readonly Op[]): Map<number, Set<number>> {
  const borders = new Map<number, Set<number>>();
  const add = (buf: number, page: number, pages: number): void => {
    const own = borders.get(buf) ?? new Set<number>();
    borders.set(buf, own);
    const step = pages <= 4 ? 1 : pages;
    for (let at = 0; at <= pages; at += step) own.add(page + at);
  };
  for (const op of ops) {
    if ('buf' in op) add(op.buf, op.page, 'pages' in op ? op.pages : 1);
    if ('toBuf' in op) add(op.toBuf, op.toPage, op.pages);
  }
  return borders;
}

/** An operation on the parts of its range, in their order. */
function partsOf(op: Op, borders: ReadonlyMap<number, ReadonlySet<number>>): Op[] {
  if (!isParted(op) || !('buf' in op) || !('pages' in op)) return [op];
  const { page, pages } = op;
  const cuts = [...(borders.get(op.buf) ?? [])]
    .filter((at) => at > page && at < page + pages)
    .sort((a, b) => a - b);
  if (cuts.length === 0 || cuts.length >= MOST_PARTS) return [op];
  return [page, ...cuts].map((first, i) => ({
    ...op,
    page: first,
    pages: (cuts[i] ?? page + pages) - first,
    // each part is held by itself
    ...('how' in op ? { id: op.id + i * HELD_APART } : {}),
    // page 0 of the part gets the word of its page in the whole range
    ...('tag' in op ? { tag: op.tag + (first - page) / 65536 } : {}),
  }));
}

/** Explains what the operations of one program's schedules returned, on one walk. */
export class Orders {
  private readonly names: readonly string[];
  private readonly known = new Map<string, Explained | Unexplained | null>();
  private begun: { system: System; saved: Snapshot<System>; tasks: Task[]; main: Task } | null =
    null;

  /** @param setup makes the system as it is when the tasks begin */
  constructor(
    private readonly program: ConcurrentProgram,
    private readonly setup: () => System,
    private readonly cpuOf: (system: System, task: number) => number,
  ) {
    this.names = Object.keys(program.tasks);
  }

  /**
   * What explains these results.
   * @returns null where that is not known: there are too many orders, or one waits for another task
   */
  explain(came: Came): Explained | Unexplained | null {
    const key = JSON.stringify([came.results, came.after]);
    let known = this.known.get(key);
    if (known === undefined) {
      // what runs here is no part of what was searched
      const covered = ran.slice();
      known = this.search(came);
      ran.set(covered);
      if (this.known.size < MOST_KNOWN) this.known.set(key, known);
    }
    return known;
  }

  /** The machine goes; what is known stays. */
  rest(): void {
    this.begun = null;
  }

  private search(came: Came): Explained | Unexplained | null {
    this.begun ??= this.begin();
    const { program, names } = this;
    const lists = names.map((name) => program.tasks[name]);
    const borders = bordersOf([...lists.flat(), ...program.after]);
    const parted = lists.flat().filter((op) => partsOf(op, borders).length > 1);
    const ways: Set<Op>[] = [new Set()];
    if (parted.length > 0) ways.push(new Set(parted));
    if (parted.length > 1 && parted.length <= 3) {
      for (let bits = 1; bits < (1 << parted.length) - 1; bits++)
        ways.push(new Set(parted.filter((_, i) => bits & (1 << i))));
    }
    let isOpen = false;
    let nearest: Unexplained | null = null;
    let depth = -1;
    const isTwo = lists.flat().some((op) => stepsOf(op) !== null);
    const searches = [false, true].flatMap((lenient) =>
      (lenient && isTwo ? [false, true] : [false]).flatMap((inSteps) =>
        ways.map((way) => ({ lenient, inSteps, way })),
      ),
    );
    for (const { lenient, inSteps, way } of searches) {
      const units = lists.map((ops) =>
        ops.flatMap((op, number) => {
          const parts = way.has(op) ? partsOf(op, borders) : [op];
          return unitsOf(op, parts, number, inSteps);
        }),
      );
      const one = new Orderly(this.begun, program, names, units, came, lenient);
      const reasons = one.find();
      if (reasons) return { reasons: [...reasons] };
      if (one.isOpen) isOpen = true;
      if (one.nearest && one.nearest.depth > depth) {
        depth = one.nearest.depth;
        nearest = one.unexplained();
      }
    }
    return isOpen ? null : nearest;
  }

  private begin() {
    const system = this.setup();
    const tasks = this.names.map((name, i) => new Task(2 + i, name, this.cpuOf(system, i)));
    const main = new Task(1, 'main', 0);
    return { system, saved: snapshot(system), tasks, main };
  }
}

interface Begun {
  readonly system: System;
  readonly saved: Snapshot<System>;
  readonly tasks: readonly Task[];
  readonly main: Task;
}

/** Looks for an order in which one list of units after the other gives what came. */
class Orderly {
  /** Whether something was not looked at. */
  isOpen = false;
  /** The operation that was reached by most units, and what else it returned there. */
  nearest: { depth: number; op: Op; where: string; got: Result; others: Set<string> } | null = null;
  private readonly at: number[];
  private readonly partial: (Result | null)[];
  /** What the last step of each task returned. */
  private readonly before: (Result | null)[] = [];
  private readonly path: Turn[] = [];
  private readonly dead = new Set<string>();
  private readonly reasons: string[] = [];
  private readonly isStock: boolean;
  /** By task: what the others do. */
  private readonly others: readonly (readonly Op[])[];
  private places = 0;

  constructor(
    private readonly begun: Begun,
    private readonly program: ConcurrentProgram,
    private readonly names: readonly string[],
    private readonly units: readonly (readonly Unit[])[],
    private readonly came: Came,
    /** Whether the reasons count. */
    private readonly lenient: boolean,
  ) {
    this.at = units.map(() => 0);
    this.partial = units.map(() => null);
    this.others = names.map((own) =>
      names.flatMap((name) => (name === own ? [] : program.tasks[name])),
    );
    const { mended, driver } = program.machine ?? {};
    this.isStock = lenient && (mended === false || driver === 'stock');
  }

  /** The reasons that an order takes; null: there is none. */
  find(): Set<string> | null {
    restore(this.begun.saved);
    return this.visit() ? new Set(this.reasons) : null;
  }

  unexplained(): Unexplained | null {
    if (!this.nearest) return null;
    const { op, where, got, others } = this.nearest;
    const words = [...others].slice(0, 4).join('; or: ');
    const detail = `${where} (${opWords(op)}) returned ${resultWords(got)}; in the orders that come nearest: ${words}`;
    return { op, detail };
  }

  private run<T>(task: Task, body: Kernel$<T>): T | null {
    const k = this.begun.system.kernel;
    k.current = task;
    try {
      const result = runToEnd(k, body);
      // what breaks in a straight line is for others to find
      k.findings.length = 0;
      return result;
    } catch (error) {
      k.findings.length = 0;
      // it waits for another task, in the middle of an operation
      if (!(error instanceof KernelBug)) throw error;
      this.isOpen = true;
      return null;
    }
  }

  private perform(task: number, { part, of }: Unit): Result | null {
    const { system, tasks } = this.begun;
    const by = (op: Op): Result | null => this.run(tasks[task], perform(system, op));
    if (part !== WRITE_BACK) {
      let result = by(part);
      if (part.op === 'unpin') {
        for (const id of [...system.process(part.proc).pins.keys()]) {
          if (id > part.id && id % HELD_APART === part.id) result = by({ ...part, id });
        }
      }
      this.before[task] = result;
      return result;
    }
    const words = wordsOf(this.before[task]?.tags ?? []);
    let result: Result | null = { ret: 'ok' };
    for (const [i, word] of words.entries()) {
      if (!('buf' in of && 'dev' in of) || result === null) break;
      const { buf, page, dev, proc } = of;
      result = by({ op: 'dev_write', dev, buf, page: page + i, pages: 1, proc, tag: word / 65536 });
    }
    return result;
  }

  private rewind(): void {
    const { saved } = this.begun;
    restore(saved);
    const at = this.units.map(() => 0);
    const partial: (Result | null)[] = this.units.map(() => null);
    for (const [task, isLeft] of this.path) {
      const unit = this.units[task][at[task]];
      const result = isLeft ? null : this.perform(task, unit);
      this.next(at, partial, task, unit, result);
    }
  }

  /** Goes on behind a unit; what its operation returned, if it has ended. */
  private next(
    at: number[],
    partial: (Result | null)[],
    task: number,
    unit: Unit,
    result: Result | null,
  ): Result | null | undefined {
    const counts = result !== null && !unit.isFirst;
    const all = counts ? joined(unit.op, partial[task], result) : partial[task];
    const fails = counts && result.ret !== 'ok' && ENDS_AT_ERROR.has(unit.op.op);
    at[task]++;
    partial[task] = all;
    if (!unit.isLast && !fails) return undefined;
    while (this.units[task][at[task]]?.number === unit.number) at[task]++;
    partial[task] = null;
    return all;
  }

  private key(): string {
    const { system } = this.begun;
    const k = system.kernel;
    const without: object[] = [k.counters, k.current];
    if (k.ledger) without.push(k.ledger);
    return `${this.at.join()} ${JSON.stringify([this.partial, this.before])} ${stateKey([system], without)}`;
  }

  private visit(): boolean {
    const { units, at, partial } = this;
    if (units.every((list, task) => at[task] === list.length)) return this.afterwards();
    if (++this.places > MOST_PLACES) {
      this.isOpen = true;
      return false;
    }
    const key = this.key();
    if (this.dead.has(key)) return false;
    let isHere = true;
    for (let task = 0; task < units.length; task++) {
      const unit = units[task][at[task]];
      if (!unit) continue;
      const want = this.came.results[this.names[task]][unit.number];
      const failure = this.lenient ? reasonOfFailure(unit.op, want) : null;
      const toLeave = failure ?? (this.lenient ? reasonToLeave(unit.op, want, this.isStock) : null);
      for (const isLeft of toLeave ? [false, true] : [false]) {
        if (!isHere) this.rewind();
        isHere = false;
        const result = isLeft ? null : this.perform(task, unit);
        if (result === null && !isLeft) continue;
        const [wasAt, wasPartial, reasons] = [at[task], partial[task], this.reasons.length];
        const ended = this.next(at, partial, task, unit, result);
        if (isLeft && toLeave) this.reasons.push(toLeave.name);
        if (failure) this.reasons.push(failure.name);
        if (unit.reason) this.reasons.push(unit.reason.name);
        if (failure?.leavesAnything) return true;
        this.path.push([task, isLeft]);
        const where = `${this.names[task]}[${unit.number}]`;
        const fits =
          ended === undefined ||
          failure !== null ||
          (isLeft && ended === null) ||
          this.matches(unit.op, want, ended, where, isLeft, task);
        if (fits && this.visit()) return true;
        this.path.pop();
        this.reasons.length = reasons;
        at[task] = wasAt;
        partial[task] = wasPartial;
      }
    }
    this.dead.add(key);
    return false;
  }

  private afterwards(): boolean {
    const { after } = this.program;
    for (const [i, op] of after.entries()) {
      const got = this.run(this.begun.main, perform(this.begun.system, op));
      if (
        got === null ||
        !this.matches(op, this.came.after[i], got, `after[${i}]`, false, -1, i + 1)
      )
        return false;
    }
    return true;
  }

  /**
   * Whether an operation that returned `want` may have returned `got`.
   * @param task who performs it; -1: nobody, when the tasks have ended
   */
  private matches(
    op: Op,
    want: Result,
    got: Result | null,
    where: string,
    isLeft: boolean,
    task: number,
    more = 0,
  ): boolean {
    if (got === null) return isLeft;
    const differ = (Object.keys({ ...want, ...got }) as (keyof Result)[]).filter(
      (field) => !equal(want[field], got[field]),
    );
    const reasons: Reason[] = [];
    for (const field of differ) {
      const reason = reasonToDiffer({
        op,
        field,
        seen: want,
        given: got,
        others: this.lenient && task >= 0 ? this.others[task] : null,
        isStock: this.isStock,
      });
      if (reason) reasons.push(reason);
    }
    if (reasons.length === differ.length) {
      this.reasons.push(...reasons.map(({ name }) => name));
      return true;
    }
    const depth = this.path.length + more;
    if (!this.nearest || depth > this.nearest.depth)
      this.nearest = { depth, op, where, got: want, others: new Set() };
    if (depth === this.nearest.depth && where === this.nearest.where)
      this.nearest.others.add(resultWords(got));
    return false;
  }
}
