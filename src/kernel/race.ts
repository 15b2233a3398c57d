/** Concurrent programs on a kernel: what many rounds came to, beside what the model allows. */
import type { Allowed } from '../checker/index.ts';
import { type ProgramFile, parseFileOf, type ReadJson } from '../program/format.ts';
import {
  type ConcurrentProgram,
  ProgramError,
  parseConcurrentProgram,
  type Result,
} from '../program/index.ts';
import type { RaceOutcome, Rounds } from './protocol.ts';

/** A concurrent program, and what a kernel gave: how many of its rounds came to each outcome. */
export interface Observation {
  program: ConcurrentProgram;
  /** On which kernel, in words. */
  kernel?: string;
  rounds?: number;
  observed?: [rounds: number, outcome: RaceOutcome][];
}

/** An outcome as text, the same for the same one, whoever made it. */
export function outcomeKey(outcome: RaceOutcome): string {
  const ordered = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(ordered);
    if (typeof value !== 'object' || value === null) return value;
    const fields = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
    return Object.fromEntries(fields.map(([name, of]) => [name, ordered(of)]));
  };
  return JSON.stringify([ordered(outcome.results), ordered(outcome.after)]);
}

/** A program on the pages that a kernel has, whatever it asks for: tasks that race on small pages race on these. */
export function onRealPages(program: ConcurrentProgram): ConcurrentProgram {
  const { machine, ...rest } = program;
  const { pmdOrder: _, pageBytes: __, ...more } = machine ?? {};
  return { ...rest, ...(Object.keys(more).length > 0 ? { machine: more } : {}) };
}

/** The machine on which the model runs what a kernel did: as 7.3.4 is. */
export function asKernel(
  program: ConcurrentProgram,
  driver: 'stock' | 'mended' = 'stock',
): ConcurrentProgram {
  return { ...program, machine: { ...program.machine, walk: 'collect', mended: false, driver } };
}

/** One outcome on both sides. */
export interface RaceRow {
  outcome: RaceOutcome;
  /** Rounds of the kernel's. */
  rounds: number;
  /**
   * `open`: not in what was tried, and not everything was. `flaw`: but for what pages hold, behind a flaw of the test
   * driver's, as which it reads memory that was freed.
   */
  allowed: 'yes' | 'flaw' | 'no' | 'open';
  /** Which flaws those are. */
  flaws?: string[];
  /** Of one that is allowed: the choices of the shortest schedule that was seen. */
  choices?: string;
}

export interface RaceVerdict {
  /** The most frequent first; those that were never seen last. */
  rows: RaceRow[];
  /** Whether all that is allowed is known. */
  complete: boolean;
  /** `equal`: both sets are the same, and complete. */
  verdict: 'not allowed' | 'open' | 'allowed' | 'equal';
}

/** An outcome but for what pages hold. */
function withoutTags({ results, after }: RaceOutcome): string {
  const bare = (list: readonly Result[]): Result[] => list.map(({ tags: _, ...rest }) => rest);
  const all = Object.entries(results).map(([task, list]) => [task, bare(list)]);
  return outcomeKey({ results: Object.fromEntries(all), after: bare(after) });
}

/** Compares what a kernel gave with what the model allows. */
export function compareRace(observed: Rounds['outcomes'], allowed: Allowed): RaceVerdict {
  const exact = new Map<string, RaceRow>();
  const loose = new Map<string, RaceRow>();
  for (const { outcome: text, choices } of allowed.outcomes) {
    const { flaws = [], ...outcome } = JSON.parse(text) as RaceOutcome & { flaws?: string[] };
    const row: RaceRow = { outcome, rounds: 0, allowed: 'yes', choices };
    if (flaws.length === 0) exact.set(outcomeKey(outcome), row);
    else {
      const flawed = { ...row, flaws };
      loose.set(withoutTags(outcome), flawed);
      if (!exact.has(outcomeKey(outcome))) exact.set(outcomeKey(outcome), flawed);
    }
  }
  const seen = new Set<RaceRow>();
  const rows = observed
    .map(([rounds, outcome]): RaceRow => {
      const hit = exact.get(outcomeKey(outcome));
      if (hit) {
        seen.add(hit);
        return { ...hit, rounds };
      }
      const near = loose.get(withoutTags(outcome));
      if (near) {
        seen.add(near);
        return { ...near, outcome, rounds, allowed: 'flaw' };
      }
      return { outcome, rounds, allowed: allowed.complete ? 'no' : 'open' };
    })
    .sort((a, b) => b.rounds - a.rounds);
  const never = [...exact.values()].filter((row) => !seen.has(row));
  const has = (what: RaceRow['allowed']) => rows.some((row) => row.allowed === what);
  const equal = allowed.complete && never.length === 0 ? 'equal' : 'allowed';
  return {
    rows: [...rows, ...never],
    complete: allowed.complete,
    verdict: has('no') ? 'not allowed' : has('open') ? 'open' : equal,
  };
}

/**
 * Whether an outcome of the model's is one of some that a kernel gave: to end a search when all are found. What lies behind
 * a flaw counts but for what pages hold.
 */
export function wantedOf(observed: Rounds['outcomes']): (text: string) => string | null {
  const exact = new Set(observed.map(([, outcome]) => outcomeKey(outcome)));
  const loose = new Map(
    observed.map(([, outcome]) => [withoutTags(outcome), outcomeKey(outcome)] as const),
  );
  return (text) => {
    const { flaws, ...outcome } = JSON.parse(text) as RaceOutcome & { flaws?: string[] };
    const key = outcomeKey(outcome);
    if (exact.has(key)) return key;
    return (flaws && loose.get(withoutTags(outcome))) ?? null;
  };
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function observedOf(value: unknown, program: ConcurrentProgram): Observation['observed'] {
  const place = { program: program.name, field: 'observed' };
  const tasks = Object.keys(program.tasks).join();
  const isResults = (list: unknown): list is Result[] =>
    Array.isArray(list) && list.every((one) => isObject(one) && typeof one.ret === 'string');
  const isOutcome = (of: unknown): of is RaceOutcome =>
    isObject(of) &&
    isObject(of.results) &&
    Object.keys(of.results).join() === tasks &&
    Object.values(of.results).every(isResults) &&
    isResults(of.after);
  const good =
    Array.isArray(value) &&
    value.every((one) => Array.isArray(one) && one[0] > 0 && one.length === 2 && isOutcome(one[1]));
  if (good) return value as Observation['observed'];
  const expected = 'a list of [rounds, { results, after }], with the results of every task by name';
  throw new ProgramError(place, expected, value);
}

/**
 * Reads a concurrent program, or an observation of one.
 * @throws ProgramError for a mistake in it
 */
export function parseObservation(value: unknown, where: string): Observation {
  if (!isObject(value) || !('program' in value))
    return { program: parseConcurrentProgram(value, where) };
  const program = parseConcurrentProgram(value.program, where);
  const { kernel, rounds, observed } = value;
  return {
    program,
    ...(typeof kernel === 'string' ? { kernel } : {}),
    ...(typeof rounds === 'number' ? { rounds } : {}),
    ...(observed === undefined ? {} : { observed: observedOf(observed, program) }),
  };
}

/** Reads a file of them: one a line, or one JSON value. */
export const parseObservations = (
  text: string,
  file: string,
  read: ReadJson,
): ProgramFile<Observation> => parseFileOf(text, file, read, parseObservation);

/** An observation as a line of a file. */
export function observationLine({ program, kernel, rounds, observed }: Observation): string {
  return `${JSON.stringify({ program, kernel, rounds, observed })}\n`;
}
