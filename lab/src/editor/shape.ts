/** What may stand in a program where: all of it is taken from the format's own tables. */
import {
  CONCURRENT_FIELDS,
  CONDITION_FIELDS,
  describeField,
  EXPECTED_FIELDS,
  type FieldSpec,
  HEAD_FIELDS,
  MACHINE,
  MACHINE_MEANINGS,
  type Meaning,
  OP_FIELD_MEANINGS,
  OP_MEANINGS,
  OPS,
  type OpName,
  PROC,
  PROGRAM_MEANINGS,
  RESULT_FIELDS,
  RESULT_MEANINGS,
  SEQUENTIAL_FIELDS,
  VALUE_MEANINGS,
} from '../../../src/program/index.ts';
import type { Path } from '../json.ts';

/** A field that may stand in an object. */
export interface Field {
  readonly name: string;
  readonly meaning: Meaning;
  /** What it may hold, in words. */
  readonly holds: string;
  readonly spec?: FieldSpec;
  /** JSON to begin with. */
  readonly start: string;
}

/** A value that may stand somewhere. */
export interface Value {
  readonly json: string;
  readonly what: string;
}

export const isOp = (name: string): name is OpName => Object.hasOwn(OPS, name);

/** What a path leads to. */
type PathTarget =
  | 'program'
  | 'machine'
  | 'tasks'
  | 'operations'
  | 'operation'
  | 'result'
  | 'expected'
  | 'nothing';

export function targetOf(path: Path): PathTarget {
  const [top, ...below] = path;
  if (top === undefined) return 'program';
  if (top === 'machine' && below.length === 0) return 'machine';
  if (top === 'results') return below.length === 1 ? 'result' : 'nothing';
  if (top === 'tasks' && below.length === 0) return 'tasks';
  if (CONDITION_FIELDS.some((name) => name === top)) {
    // a condition, or a list of them: by operation what it returns, or a list of that
    const named = typeof below[0] === 'number' ? below.slice(1) : below;
    return named.length === 1 || isItem(named, 1) ? 'expected' : 'nothing';
  }
  const inList = top === 'tasks' ? below.slice(1) : below;
  if (!['ops', 'setup', 'after', 'tasks'].includes(String(top))) return 'nothing';
  if (inList.length === 0) return 'operations';
  if (inList.length === 1) return 'operation';
  if (inList[1] !== 'expect') return 'nothing';
  return inList.length === 2 || isItem(inList, 2) ? 'expected' : 'nothing';
}

/** Whether a path ends with an item of what has this length. */
const isItem = (path: Path, length: number): boolean =>
  path.length === length + 1 && typeof path[length] === 'number';

const startOf = (spec: FieldSpec): string => valuesOf(spec, '')[0]?.json ?? '0';

function field(name: string, meaning: Meaning, spec: FieldSpec): Field {
  return { name, meaning, spec, holds: describeField(spec), start: startOf(spec) };
}

const STARTS: Record<string, [holds: string, start: string]> = {
  name: ['a string', '""'],
  comment: ['a string, or an array of strings', '""'],
  machine: ['an object', '{}'],
  ops: ['an array of operations', '[]'],
  results: ['an array of results', '[]'],
  setup: ['an array of operations', '[]'],
  tasks: ['an object: an array of operations a task', '{}'],
  after: ['an array of operations', '[]'],
  ...Object.fromEntries(
    CONDITION_FIELDS.map((name) => [name, ['a condition, or an array of conditions', '{}']]),
  ),
};

/** The fields of an operation that it must have. */
export function ownFields(op: OpName): Field[] {
  return Object.entries<FieldSpec>(OPS[op]).map(([name, spec]) =>
    field(name, OP_FIELD_MEANINGS[name as keyof typeof OP_FIELD_MEANINGS], spec),
  );
}

/** The fields that may stand where a path leads to. */
export function fieldsAt(path: Path, said: ReadonlyMap<string, string>): Field[] {
  switch (targetOf(path)) {
    case 'program': {
      const tasks = CONCURRENT_FIELDS.some((name) => said.has(name));
      const ops = SEQUENTIAL_FIELDS.some((name) => said.has(name));
      return [
        ...HEAD_FIELDS,
        ...(tasks ? [] : SEQUENTIAL_FIELDS),
        ...(ops ? [] : CONCURRENT_FIELDS),
        ...(tasks ? CONDITION_FIELDS : []),
      ].map((name) => {
        const [holds, start] = STARTS[name];
        return { name, meaning: PROGRAM_MEANINGS[name], holds, start };
      });
    }
    case 'machine':
      return Object.entries(MACHINE).map(([name, spec]) =>
        field(name, MACHINE_MEANINGS[name as keyof typeof MACHINE], spec),
      );
    case 'operation': {
      const { op, proc, comment, expect } = OP_FIELD_MEANINGS;
      const named = said.get('op')?.replaceAll('"', '') ?? '';
      const [holds, start] = STARTS.comment;
      return [
        { name: 'op', meaning: op, holds: 'the name of an operation', start: '""' },
        ...(isOp(named) ? ownFields(named) : []),
        field('proc', proc, PROC),
        { name: 'comment', meaning: comment, holds, start },
        ...(path[0] === 'ops'
          ? []
          : [
              {
                name: 'expect',
                meaning: expect,
                holds: 'fields of a result, or an array of such',
                start: '{}',
              },
            ]),
      ];
    }
    case 'result':
      return Object.entries(RESULT_FIELDS).map(([name, [, holds]]) => ({
        name,
        meaning: RESULT_MEANINGS[name as keyof typeof RESULT_MEANINGS],
        holds,
        start: name === 'ret' ? '"ok"' : /runs/.test(holds) ? '[]' : '0',
      }));
    case 'expected':
      return Object.entries(EXPECTED_FIELDS).map(([name, { words, runs }]) => ({
        name,
        meaning: RESULT_MEANINGS[name as keyof typeof RESULT_MEANINGS],
        holds: runs ? words : `${words}, or an array of them`,
        start: name === 'ret' ? '"ok"' : runs ? '[]' : '0',
      }));
    default:
      return [];
  }
}

/** The values that a field may hold, the first and last of a range. */
export function valuesOf(spec: FieldSpec, name: string): Value[] {
  const meanings: Record<string, string> =
    VALUE_MEANINGS[name as keyof typeof VALUE_MEANINGS] ?? {};
  switch (spec.kind) {
    case 'choice':
      return spec.values.map((value) => ({
        json: JSON.stringify(value),
        what: meanings[value] ?? '',
      }));
    case 'choices':
      return spec.values.map((value) => ({ json: JSON.stringify([value]), what: '' }));
    case 'truth':
      return ['true', 'false'].map((json) => ({ json, what: '' }));
    case 'power':
    case 'integer':
      return [
        { json: String(spec.min), what: 'the least' },
        { json: String(spec.max), what: 'the most' },
      ];
  }
}

/** The values that may stand where a path and a name lead to. */
export function valuesAt(path: Path, name: string, said: ReadonlyMap<string, string>): Value[] {
  if (targetOf(path) === 'operation' && name === 'op') {
    return Object.entries(OP_MEANINGS).map(([op, what]) => ({ json: JSON.stringify(op), what }));
  }
  const found = fieldsAt(path, said).find((one) => one.name === name);
  return found?.spec ? valuesOf(found.spec, name) : [];
}
