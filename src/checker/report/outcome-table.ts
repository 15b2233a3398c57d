/** Outcomes as a table: what is always the same once, and of each outcome what tells it from the others. */
import { type Op, type Result, resultWords } from '../../program/index.ts';
import type { OutcomeOf } from '../outcomes.ts';

/** A cell: of which operation, and what it returned. */
type Cells = ReadonlyMap<string, string>;

export interface OutcomeTable<T> {
  /** What is the same in every outcome: the operation, and what it returned. */
  readonly same: readonly (readonly [title: string, words: string])[];
  /** The operations that return this or that. */
  readonly heads: readonly string[];
  /** The most frequent first. */
  readonly rows: readonly { readonly of: T; readonly cells: readonly string[] }[];
  /** Whether a cell says what pages hold. */
  readonly holds: boolean;
}

/** What `holds` in a cell means. */
export const HOLDS_MEANING =
  'holds 2:0..3: what a write with tag 2 put into its pages 0 to 3; 0: nobody wrote it';

function cellsOf(of: OutcomeOf): Cells {
  if ('outcome' in of) return new Map([['outcome', of.outcome]]);
  if ('state' in of) return new Map([['state', of.state]]);
  const lists: [string, readonly Result[]][] = [...Object.entries(of.results), ['after', of.after]];
  return new Map(
    lists.flatMap(([list, results]) =>
      results.map((result, i): [string, string] => [`${list}[${i}]`, resultWords(result)]),
    ),
  );
}

/** The operations of a program, as far as names are taken from them. */
export interface NamedOperations {
  readonly tasks: Readonly<Record<string, readonly Op[]>>;
  readonly after: readonly Op[];
}

/** The name of each operation, by its place. */
function operationsOf(program: NamedOperations | null): Map<string, string> {
  const lists: Record<string, readonly Op[]> = program
    ? { ...program.tasks, after: program.after }
    : {};
  return new Map(
    Object.entries(lists).flatMap(([list, ops]) =>
      ops.map(({ op }, i): [string, string] => [`${list}[${i}]`, op]),
    ),
  );
}

/** @param program what they are outcomes of; null: a scenario of one's own */
export function outcomeTable<T extends OutcomeOf & { readonly schedules: number }>(
  outcomes: readonly T[],
  program: NamedOperations | null,
): OutcomeTable<T> {
  const most = [...outcomes].sort((a, b) => b.schedules - a.schedules);
  const all = most.map(cellsOf);
  const names = operationsOf(program);
  const titled = (title: string): string => [title, names.get(title) ?? ''].join(' ').trim();
  const titles = [...new Set(all.flatMap((cells) => [...cells.keys()]))];
  const isSame = (title: string): boolean =>
    new Set(all.map((cells) => cells.get(title))).size === 1;
  const heads = titles.filter((title) => !isSame(title));
  return {
    same: titles.filter(isSame).map((title) => [titled(title), all[0].get(title) ?? '']),
    heads: heads.map(titled),
    rows: most.map((of, i) => ({ of, cells: heads.map((title) => all[i].get(title) ?? '') })),
    holds: all.some((cells) => [...cells.values()].some((words) => /holds .*:/.test(words))),
  };
}
