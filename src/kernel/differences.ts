/** How the results of two kernels differ, by kind. */
import { compareResults, type Difference, type Program, type Result } from '../program/index.ts';
import { valuesOf } from '../program/internal.ts';
import type { Answer } from './protocol.ts';
import { type KernelReport, knownReport } from './report.ts';

/** Differences that are alike. */
export interface DifferenceKind {
  /** The operation. */
  op: string;
  /** The field of its result. */
  field: string;
  /** Both values of the field; of `prot` and `bits` those of the first page that differs. */
  expected: unknown;
  actual: unknown;
  /** Programs. */
  count: number;
  /** The program in which it was seen first, the operation's index, and both results. */
  example: { program: Program; op: number; expected?: Result; actual?: Result };
}

/** What a kernel reported, in how many programs. */
export interface ReportKind extends KernelReport {
  count: number;
  /** Why it is no news. */
  known?: string;
  example: { program: Program; op?: number };
}

/** Programs that did not come to their end. */
export interface StoppedKind {
  how: string;
  /** The operation; undefined where that is not known. */
  op?: string;
  count: number;
  example: { program: Program; op?: number };
}

/** Programs that were not run. */
export interface SkippedKind {
  why: string;
  count: number;
  example: { program: Program };
}

/** The first page at which runs of values differ, as its two values. */
function firstPages(a: Result[keyof Result], b: Result[keyof Result]): [unknown, unknown] {
  const [left, right] = [a, b].map((runs) => valuesOf((runs ?? []) as [number, number][]));
  const at = left.findIndex((value, i) => value !== right[i]);
  return at < 0 ? [undefined, right[left.length]] : [left[at], right[at]];
}

/** What of both values of a field is told, and whether differences with others are another kind. */
function valuesAt({ field, expected, actual }: Difference): [unknown, unknown, kind: boolean] {
  const name = field as keyof Result;
  const [a, b] = [expected?.[name], actual?.[name]];
  if (field === 'prot' || field === 'bits') return [...firstPages(a, b), true];
  return [a, b, field === 'ret'];
}

/** What a difference is told by, and what those that are alike have in common. */
export function differenceWords(
  program: Program,
  difference: Difference,
): { op: string; field: string; expected: unknown; actual: unknown; key: string } {
  const { op } = program.ops[difference.op];
  const { field } = difference;
  const [expected, actual, kind] = valuesAt(difference);
  const key = JSON.stringify([op, field, ...(kind ? [expected, actual] : [])]);
  return { op, field, expected, actual, key };
}

/** What became of many programs. */
export class Comparison {
  same = 0;
  differing = 0;
  readonly differences = new Map<string, DifferenceKind>();
  readonly reports = new Map<string, ReportKind>();
  readonly stopped = new Map<string, StoppedKind>();
  readonly skipped = new Map<string, SkippedKind>();

  /**
   * Takes up what became of a program.
   * @param expected what it is compared with; a field that is not there may have any value
   */
  add(program: Program, answer: Answer, expected: readonly Result[] | undefined): void {
    const { results, skipped, stopped, reports } = answer;
    for (const report of reports) this.addReport(program, report);
    if (skipped !== undefined) {
      count(this.skipped, skipped, () => ({ why: skipped, count: 0, example: { program } }));
      return;
    }
    if (stopped !== undefined) {
      const op = stopped.op === undefined ? undefined : program.ops[stopped.op]?.op;
      const kind = { how: stopped.how, op, count: 0, example: { program, op: stopped.op } };
      count(this.stopped, JSON.stringify([stopped.how, op]), () => kind);
      return;
    }
    const difference = expected && compareResults(expected, results);
    if (difference === undefined) {
      this.same++;
      return;
    }
    this.differing++;
    const { key, ...words } = differenceWords(program, difference);
    count(this.differences, key, () => ({
      ...words,
      count: 0,
      example: {
        program,
        op: difference.op,
        expected: difference.expected,
        actual: difference.actual,
      },
    }));
  }

  private addReport(program: Program, report: KernelReport & { op?: number }): void {
    const { title, frames, op } = report;
    const known = knownReport(report);
    count(this.reports, title, () => ({
      title,
      frames,
      count: 0,
      ...(known === undefined ? {} : { known }),
      example: { program, op },
    }));
  }

  /** Whether there is something to be looked at. */
  get found(): boolean {
    const news = [...this.reports.values()].some(({ known }) => known === undefined);
    return this.differing > 0 || this.stopped.size > 0 || news;
  }

  /** Programs that came to their end. */
  get ran(): number {
    return this.same + this.differing;
  }
}

/** Counts one more of a kind. */
function count<T extends { count: number }>(
  kinds: Map<string, T>,
  key: string,
  make: () => T,
): void {
  const kind = kinds.get(key) ?? make();
  kind.count++;
  kinds.set(key, kind);
}

/** Kinds, those of most programs first. */
export function byCount<T extends { count: number }>(kinds: ReadonlyMap<string, T>): T[] {
  return [...kinds.values()].sort((a, b) => b.count - a.count);
}
