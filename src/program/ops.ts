/**
 * The table of operations: which fields an operation has, and what each may hold.
 * The types, the validation and docs/operations.md all come from it.
 */

import { type AnyExpected, MAX_TAG } from './values.ts';

/** Pages that a buffer's address range holds: 4 GiB of 4 KiB pages. */
export const BUFFER_PAGES = 2 ** 20;
/** Pages that one operation may touch; the recorder's driver has room for as many. */
export const MAX_OP_PAGES = 4096;

interface IntegerField {
  readonly kind: 'integer';
  readonly min: number;
  readonly max: number;
}
interface ChoiceField {
  readonly kind: 'choice';
  readonly values: readonly string[];
}
/** A power of two. */
interface PowerField {
  readonly kind: 'power';
  readonly min: number;
  readonly max: number;
}
/** A list of some of them, each once. */
interface ChoicesField {
  readonly kind: 'choices';
  readonly values: readonly string[];
}
interface TruthField {
  readonly kind: 'truth';
}
/** What an operation's field may hold. */
export type OpFieldSpec = IntegerField | ChoiceField;
/** What any field may hold. */
export type FieldSpec = OpFieldSpec | PowerField | TruthField | ChoicesField;

export const integer = (min: number, max: number) => ({ kind: 'integer', min, max }) as const;
export const choice = <const V extends readonly string[]>(values: V) =>
  ({ kind: 'choice', values }) as const;
export const choices = <const V extends readonly string[]>(values: V) =>
  ({ kind: 'choices', values }) as const;

const buf = integer(0, 59);
const page = integer(0, BUFFER_PAGES - 1);
const pages = integer(1, MAX_OP_PAGES);
/** Of operations that touch no page one by one. */
const anyPages = integer(1, BUFFER_PAGES);
const dev = integer(0, 3);
const id = integer(0, 7);
const tag = integer(0, MAX_TAG);
const flag = integer(0, 1);
const faults = integer(1, MAX_OP_PAGES);
const prot = choice(['none', 'r', 'rw']);
const kind = choice(['anon', 'anon-shared', 'file-private', 'file-shared', 'hugetlb', 'driver']);
/** How pages are taken; src/drivers/gup-test.ts. */
const how = choice(['get', 'get_fast', 'pin', 'pin_fast', 'pin_longterm', 'pin_fast_longterm']);
const advice = choice([
  'dontneed',
  'free',
  'cold',
  'pageout',
  'hugepage',
  'nohugepage',
  'populate_read',
  'populate_write',
  'collapse',
  'dontfork',
  'willneed',
]);

const range = { buf, page, pages } as const;
const deviceRange = { dev, ...range } as const;

/** The process that performs an operation; 0 where an operation does not say. */
export const PROC = integer(0, 15);

/** Every operation with its own fields; all of them are required. `proc` and `comment` go with any. */
export const OPS = {
  mmap: { buf, page, pages: anyPages, prot, kind },
  munmap: { buf, page, pages: anyPages },
  mprotect: { ...range, prot },
  madvise: { ...range, advice },
  mremap: { ...range, toBuf: buf, toPage: page },
  mremap_dontunmap: { ...range, toBuf: buf, toPage: page },
  cpu_write: { ...range, tag },
  cpu_read: range,
  file_read: range,
  file_write: { ...range, tag },
  dev_read: deviceRange,
  dev_read_unlocked: deviceRange,
  dev_write: { ...deviceRange, tag },
  migrate_to_dev: deviceRange,
  migrate_to_sys: deviceRange,
  fault_migrate_to_dev: { ...deviceRange, write: flag },
  exclusive: deviceRange,
  check_exclusive: deviceRange,
  fail_alloc: { dev },
  snapshot: deviceRange,
  evict: { dev },
  release: { dev },
  open: { dev },
  close: { dev },
  pagemap: range,
  scan: range,
  clear_soft_dirty: {},
  pin: { id, buf, page },
  gup: { id, buf, page, pages: integer(1, 64), write: flag, how },
  unpin: { id },
  fork: { child: integer(1, 15) },
  exit: {},
  oom_reap: {},
  uffd_register: range,
  uffd_unregister: range,
  uffd_copy: { ...range, tag },
  uffd_serve: { faults, tag },
  uffd_stop: {},
} as const satisfies Record<string, Record<string, OpFieldSpec>>;

export type OpName = keyof typeof OPS;
/** A field that some operation has. */
export type OpField = { [K in OpName]: keyof (typeof OPS)[K] }[OpName];

type FieldValue<S> = S extends { values: readonly (infer V)[] } ? V : number;
type OpOf<K extends OpName> = {
  op: K;
  /** The process that performs it. */
  proc: number;
  comment?: string | string[];
  /** In a concurrent program: what it must return, whatever the schedule. */
  expect?: AnyExpected;
} & { -readonly [F in keyof (typeof OPS)[K]]: FieldValue<(typeof OPS)[K][F]> };

/** One operation, told apart by `op`. */
export type Op = { [K in OpName]: OpOf<K> }[OpName];
/** The operation called `K`. */
export type OpNamed<K extends OpName> = Extract<Op, { op: K }>;

/** What a field may hold, in words. */
export function describeField(spec: FieldSpec): string {
  switch (spec.kind) {
    case 'integer':
      return `an integer from ${spec.min} to ${spec.max}`;
    case 'power':
      return `a power of two from ${spec.min} to ${spec.max}`;
    case 'truth':
      return 'true or false';
    case 'choice':
      return `one of ${spec.values.join(' ')}`;
    case 'choices':
      return `a list of ${spec.values.join(' ')}, each once`;
  }
}

/** The table as Markdown. */
export function operationsTable(): string {
  const cell = (field: string, spec: OpFieldSpec) =>
    `\`${field}\` ${spec.kind === 'integer' ? `${spec.min} to ${spec.max}` : spec.values.join(', ')}`;
  const rows = Object.entries(OPS).map(([name, specs]) => {
    const fields = Object.entries<OpFieldSpec>(specs).map(([field, spec]) => cell(field, spec));
    return `| \`${name}\` | ${fields.join('; ')} |`;
  });
  return ['| op | fields |', '|---|---|', ...rows].join('\n');
}
