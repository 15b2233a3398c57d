/**
 * The format of programs as a JSON Schema, for editors: made of the table of operations and of what everything
 * means. It says what a schema can: not that a process exists, nor that a range ends within its buffer.
 */
import {
  CONDITION_MEANING,
  MACHINE_MEANINGS,
  type Meaning,
  OP_FIELD_MEANINGS,
  OP_MEANINGS,
  PROGRAM_MEANINGS,
  RESULT_MEANINGS,
  VALUE_MEANINGS,
} from './meanings.ts';
import { type FieldSpec, OPS, type OpField, type OpName, PROC } from './ops.ts';
import { RETURNS } from './returns.ts';
import {
  CONDITION_FIELDS,
  type Expected,
  MACHINE,
  MAX_NAME,
  MAX_OPS,
  MAX_TASKS,
  type MachineSpec,
} from './schema.ts';
import { MAX_TAG } from './values.ts';

type Schema = Record<string, unknown>;

const about = ({ what, unit }: Meaning): string =>
  unit === undefined ? what : `${what} (${unit})`;

function powers(min: number, max: number): number[] {
  const all: number[] = [];
  for (let n = min; n <= max; n *= 2) all.push(n);
  return all;
}

function ofSpec(spec: FieldSpec): Schema {
  switch (spec.kind) {
    case 'integer':
      return { type: 'integer', minimum: spec.min, maximum: spec.max };
    case 'power':
      return { enum: powers(spec.min, spec.max) };
    case 'truth':
      return { type: 'boolean' };
    case 'choice':
      return { enum: [...spec.values] };
    case 'choices':
      return { type: 'array', items: { enum: [...spec.values] }, uniqueItems: true };
  }
}

/** A field, with what it and its choices mean; editors show the choices' meanings. */
function field(name: OpField | keyof MachineSpec, spec: FieldSpec, meaning: Meaning): Schema {
  const values = VALUE_MEANINGS[name];
  const shown =
    spec.kind === 'choice' && values
      ? { enumDescriptions: spec.values.map((value) => values[value] ?? '') }
      : {};
  return { description: about(meaning), ...ofSpec(spec), ...shown };
}

/** An object that has no other fields. */
function object(properties: Schema, required: readonly string[], description?: string): Schema {
  return {
    ...(description === undefined ? {} : { description }),
    type: 'object',
    properties,
    required: [...required],
    additionalProperties: false,
  };
}

const comment: Schema = {
  description: PROGRAM_MEANINGS.comment.what,
  anyOf: [{ type: 'string' }, { type: 'array', items: { type: 'string' } }],
};

function operation(name: OpName, mayExpect: boolean): Schema {
  const own = Object.entries<FieldSpec>(OPS[name]);
  const fields = own.map(([key, spec]) => {
    return [key, field(key as OpField, spec, OP_FIELD_MEANINGS[key as OpField])];
  });
  const expect = { description: about(OP_FIELD_MEANINGS.expect), $ref: '#/$defs/anyExpected' };
  const properties = {
    op: { const: name },
    ...Object.fromEntries(fields),
    proc: { description: about(OP_FIELD_MEANINGS.proc), ...ofSpec(PROC) },
    comment: { $ref: '#/$defs/comment' },
    ...(mayExpect ? { expect } : {}),
  };
  return object(properties, ['op', ...own.map(([key]) => key)], OP_MEANINGS[name]);
}

/** One of all operations: by its name, so that an editor tells of the fields of that one alone. */
function anyOperation(mayExpect: boolean): Schema {
  const names = Object.keys(OPS) as OpName[];
  return {
    type: 'object',
    required: ['op'],
    properties: {
      op: { enum: names, enumDescriptions: names.map((name) => OP_MEANINGS[name]) },
    },
    allOf: names.map((name) => ({
      if: { properties: { op: { const: name } }, required: ['op'] },
      // biome-ignore lint/suspicious/noThenProperty: it is the schema's word
      then: operation(name, mayExpect),
    })),
  };
}

const counted = { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER };
const positive = { ...counted, minimum: 1 };

/** Runs of `length` numbers: the second is a count, the third 0 or 1. */
function runs(length: 2 | 3): Schema {
  const items = [counted, positive, { enum: [0, 1] }].slice(0, length);
  const run = { type: 'array', prefixItems: items, minItems: length, maxItems: length };
  return { type: 'array', items: run };
}

function result(): Schema {
  const ret = { type: 'string', pattern: '^(ok|[A-Z0-9]{1,20})$' };
  const properties = {
    ret: { description: about(RESULT_MEANINGS.ret), ...ret },
    done: { description: about(RESULT_MEANINGS.done), ...counted },
    cpages: { description: about(RESULT_MEANINGS.cpages), ...counted },
    faults: { description: about(RESULT_MEANINGS.faults), ...counted },
    tags: { description: about(RESULT_MEANINGS.tags), ...runs(3) },
    prot: { description: about(RESULT_MEANINGS.prot), ...runs(2) },
    bits: { description: about(RESULT_MEANINGS.bits), ...runs(2) },
  };
  return object(properties, ['ret']);
}

/** One value, one of several, or anything but those. */
function wanted(value: Schema, several: boolean): Schema {
  const values = several ? { anyOf: [value, { type: 'array', items: value, minItems: 1 }] } : value;
  return { anyOf: [values, object({ not: values }, ['not'])] };
}

function expected(): Schema {
  const ret = { enum: [...RETURNS] };
  const tag = {
    anyOf: [{ type: 'integer', minimum: 0, maximum: MAX_TAG }, { enum: ['zero', 'file'] }],
  };
  const fields: Record<keyof Expected, Schema> = {
    ret: wanted(ret, true),
    done: wanted(counted, true),
    cpages: wanted(counted, true),
    faults: wanted(counted, true),
    tag: wanted(tag, true),
    tags: wanted(runs(3), false),
    prot: wanted(runs(2), false),
    bits: wanted(runs(2), false),
  };
  const properties = Object.entries(fields).map(([name, schema]) => [
    name,
    { description: about(RESULT_MEANINGS[name as keyof Expected]), ...schema },
  ]);
  return object(Object.fromEntries(properties), []);
}

/** One of something, or a list with at least one. */
const oneOrMore = (of: string): Schema => ({
  anyOf: [{ $ref: of }, { type: 'array', items: { $ref: of }, minItems: 1 }],
});

const condition: Schema = {
  description: about(CONDITION_MEANING),
  type: 'object',
  minProperties: 1,
  patternProperties: { '\\[(0|[1-9][0-9]{0,5})\\]$': { $ref: '#/$defs/anyExpected' } },
  additionalProperties: false,
};

function machine(): Schema {
  const entries = Object.entries(MACHINE) as [keyof MachineSpec, FieldSpec][];
  const fields = entries.map(([key, spec]) => [key, field(key, spec, MACHINE_MEANINGS[key])]);
  return object(Object.fromEntries(fields), [], PROGRAM_MEANINGS.machine.what);
}

/** JSON Schema, draft 2020-12. */
export function programSchema(): Schema {
  const list = (name: 'ops' | 'setup' | 'after', of: string): Schema => ({
    description: PROGRAM_MEANINGS[name].what,
    type: 'array',
    maxItems: MAX_OPS,
    items: { $ref: of },
  });
  const head = {
    $schema: { description: 'the address of this schema', type: 'string' },
    name: {
      description: PROGRAM_MEANINGS.name.what,
      type: 'string',
      minLength: 1,
      maxLength: MAX_NAME,
    },
    comment: { $ref: '#/$defs/comment' },
    machine: { $ref: '#/$defs/machine' },
  };
  const sequential = object(
    {
      ...head,
      ops: list('ops', '#/$defs/operation'),
      results: {
        description: PROGRAM_MEANINGS.results.what,
        type: 'array',
        maxItems: MAX_OPS,
        items: { $ref: '#/$defs/result' },
      },
    },
    ['name', 'ops'],
    'operations one after the other: softleaf run',
  );
  const concurrent = object(
    {
      ...head,
      setup: list('setup', '#/$defs/expectingOperation'),
      tasks: {
        description: PROGRAM_MEANINGS.tasks.what,
        type: 'object',
        minProperties: 1,
        maxProperties: MAX_TASKS,
        propertyNames: { maxLength: MAX_NAME },
        additionalProperties: {
          type: 'array',
          maxItems: MAX_OPS,
          items: { $ref: '#/$defs/expectingOperation' },
        },
      },
      after: list('after', '#/$defs/expectingOperation'),
      ...Object.fromEntries(
        CONDITION_FIELDS.map((name) => [
          name,
          { description: PROGRAM_MEANINGS[name].what, ...oneOrMore('#/$defs/condition') },
        ]),
      ),
    },
    ['name', 'tasks'],
    'tasks that run at the same time: softleaf check',
  );
  const isConcurrent = ['setup', 'tasks', 'after'].map((name) => ({ required: [name] }));
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'A memory program of Softleaf',
    type: 'object',
    if: { anyOf: isConcurrent },
    // biome-ignore lint/suspicious/noThenProperty: it is the schema's word
    then: { $ref: '#/$defs/concurrent' },
    else: { $ref: '#/$defs/sequential' },
    $defs: {
      sequential,
      concurrent,
      machine: machine(),
      comment,
      operation: anyOperation(false),
      expectingOperation: anyOperation(true),
      result: result(),
      expected: expected(),
      anyExpected: oneOrMore('#/$defs/expected'),
      condition,
    },
  };
}
