/**
 * A recording as a file: of what cannot run where it is looked at, such as a driver of one's own in a browser.
 * It has the steps, and the state before the first of them with what each step changed in it.
 */
import { FAIL } from '../checker/index.ts';
import { type Finding, StepKind } from '../machine/index.ts';
import type { LeafKind } from '../mm/index.ts';
import { type Op, WALKS, type Walk } from '../program/index.ts';
import { type Item, LEVELS, type StateView } from '../program/internal.ts';
import type { Counted, Moment, RecordedEvent, Span, TaskView } from './recorded.ts';
import { Recording, type States } from './recording.ts';
import type { Recordable } from './subject.ts';

/** Kinds of steps. */
const KINDS = Object.keys(StepKind).length;
/** The version of the format. */
const FORMAT = 1;
/** Steps, and characters, of a file at most. */
export const TRACE_STEPS = 20_000;
export const TRACE_LENGTH = 64 * 2 ** 20;
/** The file by which a server hands a trace out beside the lab, and what stands for it in an address. */
export const TRACE_NAME = 'trace.json';
export const TRACE_HASH = '#trace';

/** A file that is no trace, or not one that can be shown. */
export class TraceError extends Error {
  override readonly name = 'TraceError';
}

const LEAF_KINDS: readonly LeafKind[] = [
  'present',
  'zero',
  'not accessible',
  'migration',
  'device-private',
  'device-exclusive',
  'unknown',
];

type ListName = keyof StateView;
/** The lists of a view. */
const LISTS = [
  'spaces',
  'areas',
  'tables',
  'entries',
  'tlbs',
  'deviceEntries',
  'frames',
  'notifiers',
  'locks',
] as const satisfies readonly ListName[];

/** What a step changed in a list: keys that went, and items that came or changed, with their places after it. */
interface ListChange {
  readonly gone?: readonly string[];
  readonly set?: readonly (readonly [place: number, item: Item])[];
}
interface StepChange {
  readonly lists?: Readonly<Partial<Record<ListName, ListChange>>>;
  readonly tasks?: readonly TaskView[];
  readonly counters?: Readonly<Record<string, number>>;
}

/** The file. */
interface TraceText {
  readonly softleaf: 'trace';
  readonly format: number;
  readonly name: string;
  readonly comment: readonly string[];
  readonly walk: Walk;
  readonly hardware: boolean;
  readonly schedule: string;
  readonly truncated: boolean;
  readonly tasks: readonly string[];
  readonly operations: readonly (readonly Op[])[];
  readonly finding: Finding | null;
  readonly steps: {
    readonly choices: readonly number[];
    readonly kinds: readonly number[];
    readonly ops: readonly number[];
    readonly stackOf: readonly number[];
    readonly stacks: readonly (readonly string[])[];
    readonly firstTouched: readonly number[];
    readonly touched: readonly number[];
  };
  readonly events: readonly RecordedEvent[];
  readonly held: readonly Span[];
  readonly waited: readonly Span[];
  readonly lockNames: readonly (readonly [number, string])[];
  readonly counted: readonly (readonly [string, Counted])[];
  readonly first: Moment;
  readonly changes: readonly StepChange[];
  /** The finding as a mail; empty: nobody has written it. */
  readonly mail: string;
}

// ---- writing ----

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

function listChange(before: readonly Item[], after: readonly Item[]): ListChange | null {
  const known = new Map(before.map((item) => [item.key, item]));
  const now = new Set(after.map(({ key }) => key));
  const gone = before.filter(({ key }) => !now.has(key)).map(({ key }) => key);
  const set = after.flatMap((item, place) =>
    same(known.get(item.key), item) ? [] : [[place, item] as const],
  );
  if (gone.length === 0 && set.length === 0) return null;
  const change = {
    ...(gone.length > 0 ? { gone } : {}),
    ...(set.length > 0 ? { set } : {}),
  };
  // where what stays has another order everything is said
  const isWhole = !same(applied(before, change), after);
  return isWhole
    ? { gone: before.map(({ key }) => key), set: after.map((item, place) => [place, item]) }
    : change;
}

function stepChange(before: Moment, after: Moment): StepChange {
  const lists: Partial<Record<ListName, ListChange>> = {};
  for (const name of LISTS) {
    const change = listChange(before.state[name], after.state[name]);
    if (change) lists[name] = change;
  }
  return {
    ...(Object.keys(lists).length > 0 ? { lists } : {}),
    ...(same(before.tasks, after.tasks) ? {} : { tasks: after.tasks }),
    ...(same(before.counters, after.counters) ? {} : { counters: after.counters }),
  };
}

/**
 * The text of a file with a recording.
 * @param mail tells of its finding
 * @throws TraceError where it is too long for one
 */
export function traceText(recording: Recording, mail = ''): string {
  const { program, walk, hardware, schedule, truncated, tasks, operations, steps } = recording;
  const { length, finding, events, held, waited, lockNames, counted } = recording;
  if (length > TRACE_STEPS) {
    throw new TraceError(`the schedule has ${length} steps; a trace holds ${TRACE_STEPS}`);
  }
  const first = recording.moment(0);
  const changes: StepChange[] = [];
  let size = 0;
  for (let at = 0, before = first; at < length; at++) {
    const after = recording.moment(at + 1);
    const change = stepChange(before, after);
    size += JSON.stringify(change).length;
    if (size > TRACE_LENGTH / 2) throw new TraceError('the trace is too large: take fewer pages');
    changes.push(change);
    before = after;
  }
  const text: TraceText = {
    softleaf: 'trace',
    format: FORMAT,
    name: program.name,
    comment: [program.comment ?? []].flat(),
    walk,
    hardware,
    schedule,
    truncated,
    tasks,
    operations,
    finding,
    steps: {
      choices: [...steps.choices],
      kinds: [...steps.kinds],
      ops: [...steps.ops],
      stackOf: [...steps.stackOf],
      stacks: steps.stacks,
      firstTouched: [...steps.firstTouched],
      touched: [...steps.touched],
    },
    events,
    held,
    waited,
    lockNames: [...lockNames],
    counted: [...counted],
    first,
    changes,
    mail,
  };
  return `${JSON.stringify(text)}\n`;
}

// ---- reading ----

/** What a value must be: a test, and how it is called. */
type Shape = readonly [test: (value: unknown) => boolean, name: string];

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const NUMBER: Shape = [(value) => Number.isFinite(value), 'a number'];
const TEXT: Shape = [(value) => typeof value === 'string', 'a text'];
const TRUTH: Shape = [(value) => typeof value === 'boolean', 'true or false'];
const oneOf = (...words: readonly string[]): Shape => [
  (value) => words.includes(value as string),
  `one of ${words.join(', ')}`,
];
const listOf = ([test, name]: Shape): Shape => [
  (value) => Array.isArray(value) && value.every(test),
  `a list, of which each is ${name}`,
];
const orNull = ([test, name]: Shape): Shape => [
  (value) => value === null || test(value),
  `${name} or null`,
];
const numbersBelow = (most: number): Shape => [
  (value) => Array.isArray(value) && value.every((n) => Number.isInteger(n) && n >= 0 && n < most),
  `a list of numbers from 0 to ${most - 1}`,
];
const record = (fields: Readonly<Record<string, Shape>>): Shape => [
  (value) => isRecord(value) && Object.entries(fields).every(([key, [test]]) => test(value[key])),
  `an object with ${Object.keys(fields).join(', ')}`,
];
const pair = ([a]: Shape, [b]: Shape): Shape => [
  (value) => Array.isArray(value) && value.length === 2 && a(value[0]) && b(value[1]),
  'a pair',
];
const NUMBERS: Shape = [
  (value) => isRecord(value) && Object.values(value).every((n) => Number.isFinite(n)),
  'numbers by name',
];
/** A number, or what stands for a name of it. */
const EITHER: Shape = [(value) => NUMBER[0](value) || TEXT[0](value), 'a number or a text'];

const SPAN = record({ task: NUMBER, from: NUMBER, to: NUMBER, name: TEXT, depth: NUMBER });
const TOUCHED = record({ object: NUMBER, id: NUMBER, role: NUMBER });
const TASK = record({
  name: TEXT,
  cpu: NUMBER,
  op: NUMBER,
  done: TRUTH,
  waits: orNull(record({ on: TOUCHED, what: TEXT, holders: listOf(TEXT) })),
  holds: listOf(TEXT),
});
const ITEM = { key: TEXT, name: TEXT };
const PLACE = { space: NUMBER, place: TEXT };
/** The fields of each kind of item. */
const ITEMS: Readonly<Record<ListName, Readonly<Record<string, Shape>>>> = {
  spaces: {
    space: NUMBER,
    proc: NUMBER,
    anonPages: NUMBER,
    filePages: NUMBER,
    hugetlbPages: NUMBER,
    sequence: NUMBER,
    invalidations: NUMBER,
    sequenceId: NUMBER,
  },
  areas: {
    ...PLACE,
    start: NUMBER,
    end: NUMBER,
    flags: TEXT,
    backing: oneOf('anonymous', 'file', 'hugetlb', 'driver'),
  },
  tables: {
    ...PLACE,
    table: NUMBER,
    level: oneOf(...LEVELS),
    start: NUMBER,
    cover: NUMBER,
    first: NUMBER,
    slots: NUMBER,
    above: NUMBER,
    used: NUMBER,
  },
  entries: {
    ...PLACE,
    vpn: NUMBER,
    pages: NUMBER,
    table: NUMBER,
    ptep: NUMBER,
    kind: oneOf(...LEAF_KINDS),
    bits: listOf(TEXT),
    pfn: NUMBER,
    value: NUMBER,
  },
  tlbs: { ...PLACE, cpu: NUMBER, vpn: NUMBER, writable: TRUTH, pfn: NUMBER },
  deviceEntries: {
    place: TEXT,
    device: NUMBER,
    mirror: NUMBER,
    vpn: NUMBER,
    right: oneOf('read', 'write', 'exclusive'),
    pfn: NUMBER,
  },
  frames: {
    pfn: NUMBER,
    memory: EITHER,
    folio: NUMBER,
    order: NUMBER,
    refcount: NUMBER,
    holders: NUMBERS,
    mapcount: NUMBER,
    flags: listOf(TEXT),
    lockedBy: TEXT,
    kind: oneOf('anonymous', 'file', 'zero page', 'other'),
    word: orNull(NUMBER),
  },
  notifiers: {
    device: NUMBER,
    mirror: NUMBER,
    space: NUMBER,
    sequence: NUMBER,
    devicePages: NUMBER,
    failNext: TRUTH,
    sequenceId: NUMBER,
    tableId: NUMBER,
  },
  locks: { id: NUMBER, owner: TEXT, readers: listOf(TEXT) },
};

/** Reads fields of an object, each of which must have its shape. */
class Reader {
  constructor(
    private readonly object: unknown,
    private readonly where: string,
  ) {
    if (!isRecord(object)) throw new TraceError(`${where}: expected an object`);
  }

  field<T>(name: string, [test, expected]: Shape): T {
    const value = (this.object as Record<string, unknown>)[name];
    if (!test(value)) throw new TraceError(`${this.where}, "${name}": expected ${expected}`);
    return value as T;
  }

  /** The same for one that may be missing. */
  optional<T>(name: string, shape: Shape): T | undefined {
    return name in (this.object as object) ? this.field<T>(name, shape) : undefined;
  }
}

function checkItems(name: ListName, items: unknown, where: string): Item[] {
  if (!Array.isArray(items)) throw new TraceError(`${where}, "${name}": expected a list`);
  for (const item of items) {
    const reader = new Reader(item, `${where}, an item of "${name}"`);
    for (const [field, shape] of Object.entries({ ...ITEM, ...ITEMS[name] })) {
      reader.field(field, shape);
    }
  }
  return items;
}

/** A list after a step. */
function applied(before: readonly Item[], { gone = [], set = [] }: ListChange): Item[] {
  const out = new Set(gone);
  for (const [, { key }] of set) out.add(key);
  const after = before.filter(({ key }) => !out.has(key));
  for (const [place, item] of set) after.splice(place, 0, item);
  return after;
}

/** The states of a file: what each step changed is put upon what was before it. */
class KeptStates implements States {
  private now: Moment;

  constructor(
    private readonly first: Moment,
    private readonly changes: readonly StepChange[],
  ) {
    this.now = first;
  }

  moment(step: number): Moment {
    if (step < this.now.step) this.now = this.first;
    while (this.now.step < step) this.now = this.after(this.now);
    return this.now;
  }

  item(step: number, key: string): Item | undefined {
    const { state } = this.moment(step);
    for (const name of LISTS) {
      const found = (state[name] as readonly Item[]).find((item) => item.key === key);
      if (found) return found;
    }
    return undefined;
  }

  private after({ step, state, tasks, counters }: Moment): Moment {
    const change = this.changes[step];
    const lists = Object.entries(change.lists ?? {}).map(([name, list]) => [
      name,
      applied(state[name as ListName], list),
    ]);
    return {
      step: step + 1,
      state: lists.length > 0 ? { ...state, ...Object.fromEntries(lists) } : state,
      tasks: change.tasks ?? tasks,
      counters: change.counters ?? counters,
    };
  }
}

function checkChange(value: unknown, at: number, tasks: number): void {
  const where = `what step ${at} changed`;
  const reader = new Reader(value, where);
  reader.optional('tasks', listOf(TASK));
  reader.optional('counters', NUMBERS);
  const { lists, tasks: seen } = value as StepChange;
  if (seen && seen.length !== tasks) throw new TraceError(`${where}: expected ${tasks} tasks`);
  if (lists === undefined) return;
  if (!isRecord(lists)) throw new TraceError(`${where}, "lists": expected an object`);
  for (const [name, change] of Object.entries(lists)) {
    if (!LISTS.includes(name as ListName)) throw new TraceError(`${where}: no list is "${name}"`);
    const list = new Reader(change, `${where}, "${name}"`);
    list.optional('gone', listOf(TEXT));
    const set =
      list.optional<[number, Item][]>('set', listOf(pair(NUMBER, [isRecord, 'an item']))) ?? [];
    checkItems(
      name as ListName,
      set.map(([, item]) => item),
      where,
    );
  }
}

/** Recordings that were read from a file. */
const kept = new WeakSet<Recording>();

/** Whether a recording was read from a file: it can be looked at, but its program is not there. */
export function isKept(recording: Recording): boolean {
  return kept.has(recording);
}

/** Whether a text is meant to be a trace, whatever is wrong with it. */
export function isTrace(value: unknown): value is { softleaf: 'trace' } {
  return isRecord(value) && value.softleaf === 'trace';
}

/**
 * The mail that a trace has of its finding; empty: it has none.
 * @throws TraceError as `readTrace`
 */
export function mailIn(text: string): string {
  readTrace(text);
  return (JSON.parse(text) as TraceText).mail;
}

/** What is recorded, where only the recording is there. It cannot run. */
function absent(name: string, comment: readonly string[], tasks: readonly string[]): Recordable {
  const refuse = (): never => {
    throw new TraceError('a trace has no program that could run');
  };
  return {
    name,
    comment,
    setup: refuse,
    kernel: refuse,
    tasks: Object.fromEntries(tasks.map((task) => [task, refuse])),
  };
}

/**
 * The recording in a file.
 * @throws TraceError where it is none, of another version, or something in it is not what it must be
 */
export function readTrace(text: string): Recording {
  if (text.length > TRACE_LENGTH) throw new TraceError('the file is too large for a trace');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new TraceError(`no JSON: ${(error as Error).message}`);
  }
  if (!isTrace(value)) throw new TraceError('no trace: softleaf check --trace writes one');
  const file = new Reader(value, 'the trace');
  const format = file.field<number>('format', NUMBER);
  if (format !== FORMAT) {
    throw new TraceError(`a trace of format ${format}; this Softleaf reads ${FORMAT}`);
  }
  const tasks = file.field<string[]>('tasks', listOf(TEXT));
  const count = tasks.length;
  const raw = new Reader(file.field('steps', [isRecord, 'an object']), 'the steps');
  const choices = raw.field<number[]>('choices', numbersBelow(256));
  const { length } = choices;
  if (length > TRACE_STEPS) throw new TraceError(`${length} steps; a trace holds ${TRACE_STEPS}`);
  if (count < 1 || count > FAIL || choices.some((choice) => (choice & (FAIL - 1)) >= count)) {
    throw new TraceError('the steps, "choices": one is of a task that is not there');
  }
  const stacks = raw.field<string[][]>('stacks', listOf(listOf(TEXT)));
  const touched = raw.field<number[]>('touched', listOf(NUMBER));
  const steps = {
    choices: Uint8Array.from(choices),
    kinds: Uint8Array.from(raw.field<number[]>('kinds', numbersBelow(KINDS))),
    ops: Int32Array.from(raw.field<number[]>('ops', listOf(NUMBER))),
    stackOf: Int32Array.from(raw.field<number[]>('stackOf', numbersBelow(stacks.length))),
    stacks,
    firstTouched: Int32Array.from(
      raw.field<number[]>('firstTouched', numbersBelow(touched.length + 1)),
    ),
    touched: Int32Array.from(touched),
  };
  const lengths = [steps.kinds, steps.ops, steps.stackOf].map((array) => array.length);
  if (lengths.some((other) => other !== length) || steps.firstTouched.length !== length + 1) {
    throw new TraceError('the steps: not as many of everything');
  }
  const walk = file.field<Walk>('walk', [
    (one) => WALKS.includes(one as Walk),
    `one of ${WALKS.join(', ')}`,
  ]);
  const operations = file.field<Op[][]>('operations', listOf(listOf(record({ op: TEXT }))));
  const finding = file.field<Finding | null>(
    'finding',
    orNull(record({ title: TEXT, invariant: TEXT, function: TEXT, stack: listOf(TEXT) })),
  );
  const event = record({ at: NUMBER, task: NUMBER, kind: TEXT, count: NUMBER });
  const counted = record({ start: NUMBER, at: listOf(NUMBER), value: listOf(NUMBER) });
  const noted = {
    events: file.field<RecordedEvent[]>('events', listOf(event)),
    held: file.field<Span[]>('held', listOf(SPAN)),
    waited: file.field<Span[]>('waited', listOf(SPAN)),
    lockNames: new Map(file.field<[number, string][]>('lockNames', listOf(pair(NUMBER, TEXT)))),
    counted: new Map(file.field<[string, Counted][]>('counted', listOf(pair(TEXT, counted)))),
  };
  if ([...noted.events, ...noted.held, ...noted.waited].some(({ task }) => !(task in tasks))) {
    throw new TraceError('the trace: an event or a lock is of a task that is not there');
  }
  const first = file.field<Moment>(
    'first',
    record({ step: NUMBER, tasks: listOf(TASK), counters: NUMBERS }),
  );
  const view = new Reader(first.state, 'the first state');
  for (const name of LISTS)
    checkItems(name, view.field(name, listOf([isRecord, 'an item'])), 'the first state');
  if (first.step !== 0 || first.tasks.length !== count || operations.length !== count) {
    throw new TraceError('the trace: not as many of everything as tasks');
  }
  file.field('mail', TEXT);
  const changes = file.field<StepChange[]>('changes', listOf([isRecord, 'an object']));
  if (changes.length !== length) throw new TraceError('the trace: not a change for each step');
  changes.forEach((change, at) => {
    checkChange(change, at, count);
  });
  const made = new Recording(
    absent(file.field('name', TEXT), file.field('comment', listOf(TEXT)), tasks),
    walk,
    tasks,
    operations,
    steps,
    file.field('schedule', TEXT),
    file.field('hardware', TRUTH),
    finding,
    file.field('truncated', TRUTH),
    noted,
    new KeptStates(first, changes),
  );
  kept.add(made);
  return made;
}
