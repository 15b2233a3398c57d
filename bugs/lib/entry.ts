/** What the folder says of each bug: `ID.json`, next to `ID.patch`. */
import { type ConcurrentProgram, parseConcurrentProgram } from '../../src/program/index.ts';
import { WALKS, type Walk } from '../../src/program/schema.ts';

/** How a scenario is searched, where that differs from the usual. */
export interface SearchOptions {
  /** Allocations that may fail in a schedule. */
  faults?: number;
  /** Keep a ledger of who holds each reference. */
  ledger?: boolean;
  /** Look for schedules without end: tasks take turns in a fixed pattern. */
  turns?: boolean;
}

export interface BugEntry {
  readonly id: string;
  /** Title and hash of the change that mended it. */
  readonly upstream: readonly string[];
  readonly kind: 'SEQ' | 'IL2' | 'HW' | 'INPUT';
  /** What the bug was. */
  readonly comment: string | readonly string[];
  /** Walks on which it shows. */
  readonly walks: readonly Walk[];
  /** What must be found: the invariant's name, and a part of the finding's title. */
  readonly invariant: string;
  readonly finding: string;
  readonly search: SearchOptions;
  /** One of the two: a concurrent program, or a TypeScript module with a scenario. */
  readonly program?: ConcurrentProgram;
  readonly scenario?: string;
  /** Why the model cannot express it; then there is nothing to run. */
  readonly impossible?: string;
}

const FIELDS: Record<string, (value: unknown) => boolean> = {
  upstream: (v) => Array.isArray(v) && v.length > 0 && v.every((s) => typeof s === 'string'),
  kind: (v) => ['SEQ', 'IL2', 'HW', 'INPUT'].includes(v as string),
  comment: (v) => typeof v === 'string' || Array.isArray(v),
  walks: (v) => Array.isArray(v) && v.length > 0 && v.every((w) => WALKS.includes(w as Walk)),
  invariant: (v) => typeof v === 'string' && v !== '',
  finding: (v) => typeof v === 'string' && v !== '',
};
const OTHERS = ['search', 'program', 'scenario', 'impossible'];
const SEARCH = ['faults', 'ledger', 'turns'];

/**
 * Reads an entry, strictly.
 * @throws Error, or ProgramError, for the first mistake
 */
export function parseEntry(value: unknown, id: string): BugEntry {
  const source = value as Record<string, unknown>;
  const impossible = source.impossible !== undefined;
  for (const [field, test] of Object.entries(FIELDS)) {
    const needed = !impossible || !['walks', 'invariant', 'finding'].includes(field);
    if ((needed || source[field] !== undefined) && !test(source[field])) {
      throw new Error(`${id}: ${field}: ${JSON.stringify(source[field])}`);
    }
  }
  for (const key of Object.keys(source)) {
    if (!(key in FIELDS) && !OTHERS.includes(key)) throw new Error(`${id}: no such field: ${key}`);
  }
  const search = (source.search ?? {}) as SearchOptions;
  for (const key of Object.keys(search)) {
    if (!SEARCH.includes(key)) throw new Error(`${id}: no such field: search.${key}`);
  }
  const given = ['program', 'scenario', 'impossible'].filter((key) => source[key] !== undefined);
  if (given.length !== 1) throw new Error(`${id}: one of program, scenario, impossible`);
  const entry = { ...(source as unknown as BugEntry), id, search };
  if (source.program === undefined) return entry;
  return { ...entry, program: parseConcurrentProgram(source.program, id) };
}
