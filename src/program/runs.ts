/** Runs, which keep results short, and comparing results with a recording. */
import type { Result, TagRun, ValueRun } from './schema.ts';

/**
 * Words as runs `[first, count, step]`, step 0 or 1: the longest run from the left each time.
 * A run rises by 1 where its second word does, else it repeats its first.
 */
export function tagRuns(words: ArrayLike<number>): TagRun[] {
  const runs: TagRun[] = [];
  for (let start = 0; start < words.length; ) {
    const step = start + 1 < words.length && words[start + 1] === words[start] + 1 ? 1 : 0;
    let end = start + 1;
    while (end < words.length && words[end] === words[end - 1] + step) end++;
    runs.push([words[start], end - start, step]);
    start = end;
  }
  return runs;
}

/** Values as runs `[value, count]`. */
export function valueRuns(values: ArrayLike<number>): ValueRun[] {
  const runs: ValueRun[] = [];
  for (let start = 0; start < values.length; ) {
    let end = start + 1;
    while (end < values.length && values[end] === values[start]) end++;
    runs.push([values[start], end - start]);
    start = end;
  }
  return runs;
}

/** The values of runs, one by one. */
export const valuesOf = (runs: readonly ValueRun[]): number[] =>
  runs.flatMap(([value, count]) => new Array<number>(count).fill(value));

/** The first place where a run differs from its recording. */
export interface Difference {
  /** Index of the operation. */
  op: number;
  /** The field of its result that differs. */
  field: string;
  /** The whole recorded result. */
  expected: Result | undefined;
  /** The whole result of the run. */
  actual: Result | undefined;
}

/** Whether two values are alike, lists item by item. */
export function equal(a: unknown, b: unknown): boolean {
  if (!Array.isArray(a) || !Array.isArray(b)) return a === b;
  return a.length === b.length && a.every((item, i) => equal(item, b[i]));
}

/**
 * Compares field by field: every field that is recorded must be equal. A field that is not recorded
 * may have any value.
 * @returns the first difference, or undefined where there is none
 */
export function compareResults(
  expected: readonly Result[],
  actual: readonly Result[],
): Difference | undefined {
  const count = Math.max(expected.length, actual.length);
  for (let op = 0; op < count; op++) {
    const want = expected[op];
    const got = actual[op];
    if (want === undefined || got === undefined)
      return { op, field: 'ret', expected: want, actual: got };
    for (const field of Object.keys(want) as (keyof Result)[])
      if (!equal(want[field], got[field])) return { op, field, expected: want, actual: got };
  }
  return undefined;
}
