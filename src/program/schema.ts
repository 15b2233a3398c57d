/** The program format: its types, and reading a program strictly. */
import { ProgramError, type ProgramPlace, showValue } from './error.ts';
import {
  BUFFER_PAGES,
  choice,
  describeField,
  type FieldSpec,
  integer,
  OPS,
  type Op,
  PROC,
} from './ops.ts';

export const WALKS = ['collect', 'unified', 'as-posted'] as const;
/** How a migration is prepared. */
export type Walk = (typeof WALKS)[number];

/** The machine that a program runs on. */
export interface MachineOptions {
  walk?: Walk;
  /** log2 of the pages of a huge page, 2 to 9. */
  pmdOrder?: number;
  /** Bytes a page, a power of two from 16 to 4096. */
  pageBytes?: number;
  /** CPUs, 1 to 8. */
  cpus?: number;
  /** Huge pages of the pool, for hugetlb mappings. */
  hugetlbPages?: number;
  /** Mend those mistakes of 7.3.4 that recorded programs show. */
  mended?: boolean;
}

/** What each field of a machine may hold. */
export const MACHINE: Record<keyof MachineOptions, FieldSpec> = {
  walk: choice(WALKS),
  pmdOrder: integer(2, 9),
  pageBytes: { kind: 'power', min: 16, max: 4096 },
  cpus: integer(1, 8),
  hugetlbPages: integer(0, 64),
  mended: { kind: 'truth' },
};

/** `[first, count, step]`, step 0 or 1: `count` words from `first`. */
export type TagRun = [first: number, count: number, step: number];
/** `[value, count]`. */
export type ValueRun = [value: number, count: number];

/** What an operation returned. A field other than `ret` is there only on success, except `done`. */
export interface Result {
  /** `ok`, the name of an errno, `SEGV` or `BUS`. */
  ret: string;
  /** Pages accessed before a signal. */
  done?: number;
  cpages?: number;
  faults?: number;
  tags?: TagRun[];
  /** Bytes of HMM_DMIRROR_SNAPSHOT. */
  prot?: ValueRun[];
  bits?: ValueRun[];
}

interface ProgramHead {
  name: string;
  comment?: string | string[];
  machine?: MachineOptions;
}

/** Operations one after the other. */
export interface Program extends ProgramHead {
  ops: Op[];
  /** What each operation returned when the program was recorded. */
  results?: Result[];
}

/** Tasks that run at the same time. */
export interface ConcurrentProgram extends ProgramHead {
  setup: Op[];
  tasks: Record<string, Op[]>;
  after: Op[];
}

const MAX_OPS = 100_000;
const MAX_TASKS = 16;

type Fields = Record<string, unknown>;

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function needObject(value: unknown, place: ProgramPlace, what: string): Fields {
  if (!isObject(value)) throw new ProgramError(place, what, value);
  return value;
}

function needArray(value: unknown, place: ProgramPlace, what: string, max: number): unknown[] {
  if (!Array.isArray(value)) throw new ProgramError(place, what, value);
  if (value.length > max) throw new ProgramError(place, `at most ${max} items`, value.length);
  return value;
}

function isInteger(value: unknown, min: number, max: number): value is number {
  return Number.isInteger(value) && (value as number) >= min && (value as number) <= max;
}

const isPowerOfTwo = (value: number) => (value & (value - 1)) === 0;

function fits(spec: FieldSpec, value: unknown): boolean {
  switch (spec.kind) {
    case 'integer':
      return isInteger(value, spec.min, spec.max);
    case 'power':
      return isInteger(value, spec.min, spec.max) && isPowerOfTwo(value);
    case 'truth':
      return typeof value === 'boolean';
    case 'choice':
      return typeof value === 'string' && spec.values.includes(value);
  }
}

/** Throws for the first key of `value` that is not among `known`. */
function refuseOthers(value: Fields, known: readonly string[], place: ProgramPlace): void {
  for (const key of Object.keys(value)) {
    if (!known.includes(key))
      throw new ProgramError(
        { ...place, field: place.field === undefined ? key : `${place.field}.${key}` },
        `no such field (there ${known.length === 1 ? 'is' : 'are'} ${known.join(' ')})`,
        value[key],
      );
  }
}

function parseComment(value: unknown, place: ProgramPlace): { comment?: string | string[] } {
  if (value === undefined) return {};
  if (typeof value === 'string') return { comment: value };
  if (Array.isArray(value) && value.every((line) => typeof line === 'string'))
    return { comment: [...value] };
  throw new ProgramError({ ...place, field: 'comment' }, 'a string or an array of strings', value);
}

function parseMachine(value: unknown, place: ProgramPlace): MachineOptions {
  const source = needObject(value, { ...place, field: 'machine' }, 'an object');
  refuseOthers(source, Object.keys(MACHINE), { ...place, field: 'machine' });
  const machine: Fields = {};
  for (const [field, spec] of Object.entries(MACHINE)) {
    const given = source[field];
    if (given === undefined) continue;
    if (!fits(spec, given))
      throw new ProgramError({ ...place, field: `machine.${field}` }, describeField(spec), given);
    machine[field] = given;
  }
  return machine;
}

/** The known operation's name, or an error that lists them. */
function opName(value: unknown, place: ProgramPlace): Op['op'] {
  if (typeof value === 'string' && Object.hasOwn(OPS, value)) return value as Op['op'];
  throw new ProgramError({ ...place, field: 'op' }, `one of ${Object.keys(OPS).join(' ')}`, value);
}

/** Throws unless the pages from `first` on lie in one buffer. */
function needInBuffer(first: unknown, count: unknown, field: string, place: ProgramPlace): void {
  const last = (first as number) + (count as number) - 1;
  if (last >= BUFFER_PAGES)
    throw new ProgramError(
      { ...place, field },
      `the range to end within the ${BUFFER_PAGES} pages of its buffer`,
      last,
    );
}

/**
 * One operation.
 * @param procs the processes that exist before it; `fork` adds its child
 */
function parseOp(
  value: unknown,
  at: ProgramPlace,
  procs: Set<number>,
  taken: Set<number>,
  mayExpect: boolean,
): Op {
  const source = needObject(value, at, 'an operation (an object with "op")');
  const name = opName(source.op, at);
  const place = { ...at, op: name };
  const specs: Record<string, FieldSpec> = OPS[name];
  const own = ['op', 'proc', 'comment', ...(mayExpect ? ['expect'] : []), ...Object.keys(specs)];
  refuseOthers(source, own, place);
  const op: Fields = { op: name };
  if (source.expect !== undefined) op.expect = parseFields(source.expect, place, 'expect');
  for (const [field, spec] of Object.entries(specs)) {
    const given = source[field];
    if (!fits(spec, given)) throw new ProgramError({ ...place, field }, describeField(spec), given);
    op[field] = given;
  }
  if ('pages' in op) needInBuffer(op.page, op.pages, 'pages', place);
  if ('toPage' in op) needInBuffer(op.toPage, op.pages, 'toPage', place);

  const proc = source.proc ?? 0;
  if (source.proc === null || !fits(PROC, proc))
    throw new ProgramError({ ...place, field: 'proc' }, describeField(PROC), source.proc);
  if (!procs.has(proc as number))
    throw new ProgramError(
      { ...place, field: 'proc' },
      `a process that exists here (${[...procs].sort((a, b) => a - b).join(' ')})`,
      proc,
    );
  op.proc = proc;
  if (name === 'fork') {
    const child = op.child as number;
    if (taken.has(child))
      throw new ProgramError(
        { ...place, field: 'child' },
        'a process that no fork has made',
        child,
      );
    procs.add(child);
    taken.add(child);
  }
  if (name === 'exit') procs.delete(proc as number);
  return Object.assign(op, parseComment(source.comment, place)) as unknown as Op;
}

function parseOps(
  value: unknown,
  place: ProgramPlace,
  field: string,
  procs: Set<number>,
  mayExpect: boolean,
  taken = procs,
): Op[] {
  return needArray(value, { ...place, field }, 'an array of operations', MAX_OPS).map((op, i) =>
    parseOp(op, { ...place, opIndex: i }, procs, taken, mayExpect),
  );
}

const isCount = (value: unknown) => isInteger(value, 0, Number.MAX_SAFE_INTEGER);
const isRun = (value: unknown, length: number): value is number[] =>
  Array.isArray(value) && value.length === length && value.every(isCount) && value[1] > 0;
const areRuns = (value: unknown, length: number) =>
  Array.isArray(value) && value.every((run) => isRun(run, length) && (run[2] ?? 0) <= 1);

/** What each field of a result holds: a test, and its words. */
export const RESULT_FIELDS: Record<
  keyof Result,
  [test: (value: unknown) => boolean, words: string]
> = {
  ret: [(v) => typeof v === 'string' && /^(ok|[A-Z0-9]{1,20})$/.test(v), '"ok" or an errno name'],
  done: [isCount, 'a count'],
  cpages: [isCount, 'a count'],
  faults: [isCount, 'a count'],
  tags: [(v) => areRuns(v, 3), 'runs [first, count, step]'],
  prot: [(v) => areRuns(v, 2), 'runs [value, count]'],
  bits: [(v) => areRuns(v, 2), 'runs [value, count]'],
};

/** Some fields of a result. */
function parseFields(value: unknown, at: ProgramPlace, name: string): Partial<Result> {
  const here = { ...at, field: name };
  const source = needObject(value, here, 'a result (an object with "ret")');
  refuseOthers(source, Object.keys(RESULT_FIELDS), here);
  for (const [field, [test, words]] of Object.entries(RESULT_FIELDS)) {
    if (source[field] !== undefined && !test(source[field]))
      throw new ProgramError({ ...at, field: `${name}.${field}` }, words, source[field]);
  }
  return { ...source } as Partial<Result>;
}

function parseResults(value: unknown, count: number, at: ProgramPlace): Result[] {
  const place = { ...at, field: 'results' };
  const list = needArray(value, place, 'an array of results', MAX_OPS);
  if (list.length !== count)
    throw new ProgramError(place, `as many results as operations (${count})`, list.length);
  return list.map((item, i) => {
    const field = `results[${i}]`;
    const result = parseFields(item, at, field);
    if (result.ret === undefined)
      throw new ProgramError({ ...at, field: `${field}.ret` }, RESULT_FIELDS.ret[1], undefined);
    return result as Result;
  });
}

function parseHead(source: Fields, where: string): [ProgramHead, ProgramPlace] {
  const name = source.name;
  if (typeof name !== 'string' || name === '' || name.length > 200)
    throw new ProgramError(
      { program: where, field: 'name' },
      'a name (a string of 1 to 200 characters)',
      name,
    );
  const place = { program: name };
  const machine = source.machine;
  return [
    {
      name,
      ...parseComment(source.comment, place),
      ...(machine === undefined ? {} : { machine: parseMachine(machine, place) }),
    },
    place,
  ];
}

/** Fields of any program, of a sequential one, of a concurrent one. */
export const HEAD_FIELDS = ['name', 'comment', 'machine'] as const;
export const SEQUENTIAL_FIELDS = ['ops', 'results'] as const;
export const CONCURRENT_FIELDS = ['setup', 'tasks', 'after'] as const;

/** Whether `value` has the shape of a concurrent program, valid or not. */
export function looksConcurrent(value: unknown): boolean {
  return isObject(value) && CONCURRENT_FIELDS.some((field) => Object.hasOwn(value, field));
}

/**
 * Reads a sequential program, strictly.
 * @param value what JSON.parse gave
 * @param where names the program in a message as long as its own name is not known
 * @returns a copy in which every operation has its `proc`
 * @throws ProgramError for the first mistake
 */
export function parseProgram(value: unknown, where = 'program'): Program {
  const source = needObject(value, { program: where }, 'a program (an object with "ops")');
  const [head, place] = parseHead(source, where);
  if (looksConcurrent(source))
    throw new ProgramError(
      place,
      'a sequential program ("ops"); `softleaf check` takes one with tasks',
      Object.keys(source),
    );
  refuseOthers(source, [...HEAD_FIELDS, ...SEQUENTIAL_FIELDS], place);
  const ops = parseOps(source.ops, place, 'ops', new Set([0]), false);
  if (source.results === undefined) return { ...head, ops };
  return { ...head, ops, results: parseResults(source.results, ops.length, place) };
}

/**
 * Reads a concurrent program, strictly. A task sees the processes that `setup` made and those that
 * it forks itself; `after` sees them all.
 * @throws ProgramError for the first mistake
 */
export function parseConcurrentProgram(value: unknown, where = 'program'): ConcurrentProgram {
  const source = needObject(value, { program: where }, 'a program (an object with "tasks")');
  const [head, place] = parseHead(source, where);
  refuseOthers(source, [...HEAD_FIELDS, ...CONCURRENT_FIELDS], place);
  const all = new Set([0]);
  const setup = parseOps(source.setup ?? [], { ...place, list: 'setup' }, 'setup', all, true);
  const taskSource = needObject(
    source.tasks,
    { ...place, field: 'tasks' },
    'an object with a list of operations a task',
  );
  const names = Object.keys(taskSource);
  if (names.length < 1 || names.length > MAX_TASKS)
    throw new ProgramError({ ...place, field: 'tasks' }, `1 to ${MAX_TASKS} tasks`, names.length);
  const before = [...all];
  const tasks = Object.fromEntries(
    names.map((name) => {
      const at = { ...place, list: name };
      return [name, parseOps(taskSource[name], at, 'tasks', new Set(before), true, all)];
    }),
  );
  for (const [task, list] of Object.entries(tasks)) {
    for (const { op, proc } of list) {
      if (op !== 'exit') continue;
      all.delete(proc);
      refuseUse(tasks, task, proc, place);
    }
  }
  const after = parseOps(source.after ?? [], { ...place, list: 'after' }, 'after', all, true);
  return { ...head, setup, tasks, after };
}

/** A process that one task lets exit must not be used by another, which might come too late. */
function refuseUse(
  tasks: Record<string, Op[]>,
  ending: string,
  proc: number,
  place: ProgramPlace,
): void {
  for (const [list, ops] of Object.entries(tasks)) {
    const opIndex = list === ending ? -1 : ops.findIndex((op) => op.proc === proc);
    if (opIndex < 0) continue;
    const at = { ...place, list, opIndex, op: ops[opIndex].op, field: 'proc' };
    throw new ProgramError(at, `a process that no other task lets exit (${ending} does)`, proc);
  }
}

/** Reads a program of either form. */
export function parseAnyProgram(value: unknown, where?: string): Program | ConcurrentProgram {
  return looksConcurrent(value) ? parseConcurrentProgram(value, where) : parseProgram(value, where);
}

/** Whether a program is one of tasks that run at the same time. */
export function isConcurrent(program: Program | ConcurrentProgram): program is ConcurrentProgram {
  return 'tasks' in program;
}

/** An operation in one line: its name, then its fields. */
export function showOp(op: Op): string {
  const { op: name, comment: _, expect: __, ...fields } = op;
  const words = Object.entries(fields).map(([field, value]) => `${field} ${value}`);
  return [name, ...words].join(' ');
}

/** A result in one line. */
export function showResult(result: Result | undefined): string {
  if (result === undefined) return 'nothing';
  const { ret, ...rest } = result;
  const words = Object.entries(rest).map(([field, value]) => `${field} ${showValue(value, 400)}`);
  return [ret, ...words].join('  ');
}
