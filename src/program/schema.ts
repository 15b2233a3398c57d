/** The program format: its types, and reading a program strictly. */
import { DRIVERS, type DriverName } from '../drivers/driver-names.ts';
import { Geometry } from '../machine/geometry.ts';
import { UNMENDED, type Unmended } from '../mm/mends.ts';
import { WALKS, type Walk } from '../mm/walks.ts';
import { ProgramError, type ProgramPlace, showValue } from './error.ts';
import { quote } from './json.ts';
import {
  type Fields,
  fits,
  isObject,
  itemsOf,
  Mistakes,
  refuseOthers,
  refuseValue,
  within,
} from './mistakes.ts';
import { choice, choices, type FieldSpec, integer, OPS, type Op, PROC } from './ops.ts';
import { parseExpected, parseFields, RESULT_FIELDS } from './result.ts';
import { didYouMean } from './similar.ts';
import type { AnyExpected, Result } from './values.ts';

export { EXPECTED_FIELDS, RESULT_FIELDS } from './result.ts';
export type {
  AnyExpected,
  Expected,
  Result,
  Tag,
  TagRun,
  ValueRun,
  Wanted,
  WantedRuns,
} from './values.ts';
export { WALKS, type Walk };

/** The machine that a program runs on. */
export interface MachineSpec {
  walk?: Walk;
  /** log2 of the pages of a huge page, 2 to 9. */
  pmdOrder?: number;
  /** Bytes a page, a power of two from 16 to 4096. */
  pageBytes?: number;
  /** CPUs, 1 to 8. */
  cpus?: number;
  /** Pages of RAM. */
  ramPages?: number;
  /** Huge pages of the pool, for hugetlb mappings. */
  hugetlbPages?: number;
  /** Mend those mistakes of 7.3.4 that recorded programs show. */
  mended?: boolean;
  /** The test driver: mended where tasks run at the same time, or as lib/test_hmm.c has it. */
  driver?: DriverName;
  /** Mends of the kernel that are off: there it does what 7.3.4 does. */
  unmended?: Unmended[];
}

/** What each field of a machine may hold. */
export const MACHINE: Record<keyof MachineSpec, FieldSpec> = {
  walk: choice(WALKS),
  pmdOrder: integer(2, 9),
  pageBytes: { kind: 'power', min: 16, max: 4096 },
  cpus: integer(1, 8),
  ramPages: integer(64, 2 ** 21),
  hugetlbPages: integer(0, 64),
  mended: { kind: 'truth' },
  driver: choice(DRIVERS),
  unmended: choices(UNMENDED),
};

interface ProgramHead {
  name: string;
  comment?: string | string[];
  machine?: MachineSpec;
}

/** Operations one after the other. */
export interface Program extends ProgramHead {
  ops: Op[];
  /** What each operation returned when the program was recorded. */
  results?: Result[];
}

/**
 * What several operations return in one schedule, each by its place: `gpu[0]` is the first operation of the task
 * `gpu`, `after[0]` the first one of `after`.
 */
export type Condition = Record<string, AnyExpected>;

/** Conditions over all schedules. */
export interface Conditions {
  /** Each holds at the end of some schedule. */
  exists?: Condition | Condition[];
  /** Each holds at the end of every schedule. */
  forall?: Condition | Condition[];
  /** None holds at the end of any schedule. */
  never?: Condition | Condition[];
}

/** Tasks that run at the same time. */
export interface ConcurrentProgram extends ProgramHead, Conditions {
  setup: Op[];
  tasks: Record<string, Op[]>;
  after: Op[];
}

/** Operations of a list. */
export const MAX_OPS = 100_000;
/** Tasks of a program. */
export const MAX_TASKS = 16;
/** Characters of the name of a program or a task. */
export const MAX_NAME = 200;

function parseComment(
  out: Mistakes,
  value: unknown,
  place: ProgramPlace,
): { comment?: string | string[] } {
  if (value === undefined) return {};
  if (typeof value === 'string') return { comment: value };
  if (Array.isArray(value)) {
    // holes are looked at, too
    const lines = Array.from<unknown>(value);
    if (lines.every((line) => typeof line === 'string')) return { comment: lines };
  }
  out.add(within(place, 'comment'), 'a string or an array of strings', value);
  return {};
}

function parseMachine(out: Mistakes, value: unknown, at: ProgramPlace): MachineSpec {
  const place = { ...at, field: 'machine' };
  const machine: Fields = {};
  if (!isObject(value)) return out.add(place, 'an object', value) ?? {};
  refuseOthers(out, value, Object.keys(MACHINE), place);
  for (const [field, spec] of Object.entries(MACHINE)) {
    const given = value[field];
    if (given === undefined) continue;
    if (fits(spec, given)) machine[field] = given;
    else refuseValue(out, within(place, field), spec, given);
  }
  return machine;
}

/** The processes that there are at some point of a program. */
class Processes {
  /** An operation before could not be read: there may be others. */
  unsure = false;

  constructor(
    readonly alive: Set<number>,
    /** Every process of the program. */
    readonly taken: Set<number> = alive,
  ) {}
}

/** How a program is read. */
interface Reading {
  readonly out: Mistakes;
  /** Pages of a buffer on the program's machine. */
  readonly bufferPages: number;
}

/** One operation; undefined where there is a mistake in it. */
function parseOp(
  { out, bufferPages }: Reading,
  value: unknown,
  at: ProgramPlace,
  procs: Processes,
  mayExpect: boolean,
): Op | undefined {
  if (!isObject(value)) {
    procs.unsure = true;
    return out.add(at, 'an operation (an object with "op")', value);
  }
  const { op: name } = value;
  if (typeof name !== 'string' || !Object.hasOwn(OPS, name)) {
    procs.unsure = true;
    const names = Object.keys(OPS);
    const hint = didYouMean(name, names);
    const expected = hint ? 'the name of an operation' : `one of ${names.join(' ')}`;
    const problem = `expected ${expected}, got ${showValue(name)}${hint}`;
    return out.add({ ...at, field: 'op' }, expected, name, { problem });
  }
  const place = { ...at, op: name };
  const specs: Record<string, FieldSpec> = OPS[name as Op['op']];
  const own = ['op', 'proc', 'comment', ...(mayExpect ? ['expect'] : []), ...Object.keys(specs)];
  refuseOthers(out, value, own, place);
  const op: Fields = { op: name };
  if (mayExpect && value.expect !== undefined) {
    op.expect = parseExpected(out, value.expect, { ...place, field: 'expect' });
  }
  for (const [field, spec] of Object.entries(specs)) {
    const given = value[field];
    if (fits(spec, given)) op[field] = given;
    else refuseValue(out, { ...place, field }, spec, given);
  }
  const needInBuffer = (first: unknown, count: unknown, field: string): void => {
    if (typeof first !== 'number' || typeof count !== 'number') return;
    const last = first + count - 1;
    if (last < bufferPages) return;
    const expected = `the range to end within the ${bufferPages} pages of its buffer`;
    out.add({ ...place, field }, expected, last);
  };
  if ('pages' in specs) needInBuffer(op.page, op.pages, 'pages');
  else needInBuffer(op.page, 1, 'page');
  if ('toPage' in specs) needInBuffer(op.toPage, op.pages, 'toPage');

  const proc = value.proc === undefined ? 0 : value.proc;
  if (!fits(PROC, proc)) refuseValue(out, { ...place, field: 'proc' }, PROC, proc);
  else if (!procs.alive.has(proc as number) && !procs.unsure) {
    const alive = [...procs.alive].sort((a, b) => a - b).join(' ');
    out.add({ ...place, field: 'proc' }, `a process that exists here (${alive})`, proc);
  }
  op.proc = proc;
  if (name === 'fork') {
    const child = op.child as number | undefined;
    if (child === undefined) procs.unsure = true;
    else if (procs.taken.has(child)) {
      out.add({ ...place, field: 'child' }, 'a process that no fork has made', child);
    } else {
      procs.alive.add(child);
      procs.taken.add(child);
    }
  }
  if (name === 'exit') procs.alive.delete(proc as number);
  return Object.assign(op, parseComment(out, value.comment, place)) as unknown as Op;
}

function parseOps(
  reading: Reading,
  value: unknown,
  place: ProgramPlace,
  field: string,
  procs: Processes,
  mayExpect: boolean,
): Op[] {
  const here = { ...place, field };
  const items = itemsOf(reading.out, value, here, 'an array of operations', MAX_OPS);
  const ops: Op[] = [];
  items.forEach((item, opIndex) => {
    const op = parseOp(reading, item, { ...place, opIndex }, procs, mayExpect);
    if (op !== undefined) ops.push(op);
  });
  return ops;
}

function parseResults(out: Mistakes, value: unknown, count: number, at: ProgramPlace): Result[] {
  const place = { ...at, field: 'results' };
  const list = itemsOf(out, value, place, 'an array of results', MAX_OPS);
  if (Array.isArray(value) && value.length !== count)
    out.add(place, `as many results as operations (${count})`, value.length);
  return list.map((item, i) => {
    const field = `results[${i}]`;
    const result = parseFields(out, item, at, field);
    if (result && result.ret === undefined)
      out.add({ ...at, field: `${field}.ret` }, RESULT_FIELDS.ret[1], undefined);
    return result as Result;
  });
}

function parseHead(
  out: Mistakes,
  source: Fields,
  where: string,
): [ProgramHead, ProgramPlace, Reading] {
  const { name, machine: given, $schema } = source;
  const named = typeof name === 'string' && name !== '' && name.length <= MAX_NAME;
  if (!named) {
    const what = `a name (a string of 1 to ${MAX_NAME} characters)`;
    out.add({ program: where, field: 'name' }, what, name);
  }
  const place = { program: named ? name : where };
  if ($schema !== undefined && typeof $schema !== 'string')
    out.add({ ...place, field: '$schema' }, 'a string', $schema);
  const comment = parseComment(out, source.comment, place);
  const machine = given === undefined ? {} : parseMachine(out, given, place);
  const { bufferPages } = new Geometry(machine);
  return [
    { name: place.program, ...comment, ...(given === undefined ? {} : { machine }) },
    place,
    { out, bufferPages },
  ];
}

/** Fields of any program, of a sequential one, of a concurrent one. */
export const HEAD_FIELDS = ['name', 'comment', 'machine'] as const;
export const SEQUENTIAL_FIELDS = ['ops', 'results'] as const;
export const CONCURRENT_FIELDS = ['setup', 'tasks', 'after'] as const;
/** Fields of a concurrent program that ask something of all its schedules. */
export const CONDITION_FIELDS = ['exists', 'forall', 'never'] as const;
/** For editors; whoever reads a program does not look at it. */
const SCHEMA_FIELD = '$schema';

/** Whether `value` has the shape of a concurrent program, valid or not. */
export function looksConcurrent(value: unknown): boolean {
  return isObject(value) && CONCURRENT_FIELDS.some((field) => Object.hasOwn(value, field));
}

/** Programs that were read here: nothing in them needs to be looked at again. */
const read = new WeakSet<object>();

/** A program as `parseProgram` gives it, whatever made it. */
export function parsed(program: Program): Program {
  return read.has(program) ? program : parseProgram(program);
}

/**
 * Reads a sequential program, strictly.
 * @param value what a JSON text holds
 * @param where names the program in a message as long as its own name is not known
 * @returns a copy in which every operation has its `proc`
 * @throws ProgramError for the first mistake; it has the others
 */
export function parseProgram(value: unknown, where = 'program'): Program {
  if (!isObject(value))
    throw new ProgramError({ program: where }, 'a program (an object with "ops")', value);
  const out = new Mistakes();
  const [head, place, reading] = parseHead(out, value, where);
  if (looksConcurrent(value)) {
    const expected = 'a sequential program ("ops")';
    const problem = `it has tasks that run at the same time: \`softleaf check\` takes such a program`;
    throw new ProgramError(place, expected, Object.keys(value), { problem });
  }
  refuseOthers(out, value, [...HEAD_FIELDS, ...SEQUENTIAL_FIELDS, SCHEMA_FIELD], place);
  const ops = parseOps(reading, value.ops, place, 'ops', new Processes(new Set([0])), false);
  const count = Array.isArray(value.ops) ? value.ops.length : 0;
  const results =
    value.results === undefined ? {} : { results: parseResults(out, value.results, count, place) };
  out.throwAny();
  const program = { ...head, ops, ...results };
  read.add(program);
  return program;
}

/**
 * Reads a concurrent program, strictly. A task sees the processes that `setup` made and those that
 * it forks itself; `after` sees them all.
 * @throws ProgramError for the first mistake; it has the others
 */
export function parseConcurrentProgram(value: unknown, where = 'program'): ConcurrentProgram {
  if (!isObject(value))
    throw new ProgramError({ program: where }, 'a program (an object with "tasks")', value);
  const out = new Mistakes();
  const [head, place, reading] = parseHead(out, value, where);
  const known = [...HEAD_FIELDS, ...CONCURRENT_FIELDS, ...CONDITION_FIELDS, SCHEMA_FIELD];
  refuseOthers(out, value, known, place);
  const procs = new Processes(new Set([0]));
  const { alive } = procs;
  const list = (name: 'setup' | 'after') =>
    value[name] === undefined
      ? []
      : parseOps(reading, value[name], { ...place, list: name }, name, procs, true);
  const setup = list('setup');
  const tasks = parseTasks(reading, value.tasks, place, procs);
  for (const [task, ops] of Object.entries(tasks)) {
    for (const { op, proc } of ops) {
      if (op !== 'exit') continue;
      alive.delete(proc);
      refuseUse(out, tasks, task, proc, place);
    }
  }
  const after = list('after');
  const conditions = parseConditions(out, value, place);
  out.throwAny();
  return { ...head, setup, tasks, after, ...conditions };
}

const OPERATION = /^(.*)\[(0|[1-9]\d{0,5})\]$/s;

/** The operation that a condition names: its list, and its number there. */
export function operationNamed(name: string): { list: string; index: number } | null {
  const [, list, index] = OPERATION.exec(name) ?? [];
  return list === undefined ? null : { list, index: Number(index) };
}

/** The lists whose operations a condition may name, as they are written: how many operations each has. */
function listsOf(source: Fields): Map<string, number> {
  const lengthOf = (list: unknown): number => (Array.isArray(list) ? list.length : 0);
  const lists = new Map<string, number>();
  if (isObject(source.tasks)) {
    for (const [task, ops] of Object.entries(source.tasks)) lists.set(task, lengthOf(ops));
  }
  lists.set('after', lengthOf(source.after));
  return lists;
}

function parseConditions(out: Mistakes, source: Fields, at: ProgramPlace): Conditions {
  const lists = listsOf(source);
  const conditions: Conditions = {};
  for (const field of CONDITION_FIELDS) {
    const given = source[field];
    if (given === undefined) continue;
    const here: ProgramPlace = { ...at, field, path: [field] };
    if (!Array.isArray(given)) {
      const one = parseCondition(out, given, here, lists, source);
      if (one) conditions[field] = one;
      continue;
    }
    if (given.length === 0) out.add(here, 'at least one condition', given);
    const items = itemsOf(out, given, here, 'conditions', MAX_OPS);
    const all = items.map((item, i) => parseCondition(out, item, within(here, i), lists, source));
    conditions[field] = all as Condition[];
  }
  return conditions;
}

function parseCondition(
  out: Mistakes,
  value: unknown,
  here: ProgramPlace,
  lists: ReadonlyMap<string, number>,
  { tasks }: Fields,
): Condition | undefined {
  const what = 'a condition (an object: by operation, as in "gpu[0]", what it returns)';
  if (!isObject(value) || Object.keys(value).length === 0) return out.add(here, what, value);
  const condition: Condition = {};
  for (const [name, given] of Object.entries(value)) {
    const place = within(here, name);
    const refuse = (problem: string): undefined =>
      out.add(place, what, name, { problem, name: true });
    const named = operationNamed(name);
    const names = [...lists.keys()];
    const all = `expected the operation of a task, or of after, with its number (as in ${quote(`${names[0]}[0]`)})`;
    const length = named ? lists.get(named.list) : undefined;
    if (named === null) refuse(`${all}, got ${quote(name)}`);
    else if (length === undefined) {
      refuse(`no such task (there are ${names.join(' ')})${didYouMean(named.list, names)}`);
    } else if (named.list === 'after' && isObject(tasks) && Object.hasOwn(tasks, 'after')) {
      refuse('a task is called "after", too: give it another name');
    } else if (named.index >= length) {
      const has = length === 0 ? 'no operations' : `operations 0 to ${length - 1}`;
      refuse(`${quote(named.list)} has ${has}`);
    }
    const expected = parseExpected(out, given, place);
    if (expected) condition[name] = expected;
  }
  return condition;
}

function parseTasks(
  reading: Reading,
  value: unknown,
  place: ProgramPlace,
  procs: Processes,
): Record<string, Op[]> {
  const { out } = reading;
  const at = { ...place, field: 'tasks' };
  if (!isObject(value))
    return out.add(at, 'an object with a list of operations a task', value) ?? {};
  const names = Object.keys(value);
  if (names.length < 1 || names.length > MAX_TASKS)
    return out.add(at, `1 to ${MAX_TASKS} tasks`, names.length) ?? {};
  const before = [...procs.alive];
  let { unsure } = procs;
  const tasks = names.map((name): [string, Op[]] => {
    const own = new Processes(new Set(before), procs.alive);
    own.unsure = procs.unsure;
    const here = { ...place, list: name };
    if (name.length > MAX_NAME) {
      const problem = `the name of a task has at most ${MAX_NAME} characters`;
      out.add(here, 'a shorter name', name, { problem, name: true });
    }
    const ops = parseOps(reading, value[name], here, 'tasks', own, true);
    unsure ||= own.unsure;
    return [name, ops];
  });
  procs.unsure = unsure;
  return Object.fromEntries(tasks);
}

/** A process that one task lets exit must not be used by another, which might come too late. */
function refuseUse(
  out: Mistakes,
  tasks: Record<string, Op[]>,
  ending: string,
  proc: number,
  place: ProgramPlace,
): void {
  for (const [list, ops] of Object.entries(tasks)) {
    const opIndex = list === ending ? -1 : ops.findIndex((op) => op.proc === proc);
    if (opIndex < 0) continue;
    const at = { ...place, list, opIndex, op: ops[opIndex].op, field: 'proc' };
    out.add(at, `a process that no other task lets exit (${quote(ending)} does)`, proc);
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
