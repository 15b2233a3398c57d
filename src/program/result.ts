/** Reading what an operation returned. */
import { type ProgramPlace, showValue } from './error.ts';
import { isInteger, isObject, type Mistakes, refuseOthers, within } from './mistakes.ts';
import { RETURNS } from './returns.ts';
import { didYouMean } from './similar.ts';
import type { Result } from './values.ts';

const isCount = (value: unknown) => isInteger(value, 0, Number.MAX_SAFE_INTEGER);
const isRun = (value: unknown, length: number): value is number[] =>
  Array.isArray(value) && value.length === length && value.every(isCount) && value[1] > 0;
const areRuns = (value: unknown, length: number) =>
  Array.isArray(value) &&
  Array.from<unknown>(value).every((run) => isRun(run, length) && (run[2] ?? 0) <= 1);

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

/** Whether an operation can return this: a name that Linux has. */
export const isExpected = (ret: string) => RETURNS.includes(ret);

/** Some fields of a result. */
export function parseFields(
  out: Mistakes,
  value: unknown,
  at: ProgramPlace,
  name: string,
  isReturn: (ret: string) => boolean = () => true,
): Partial<Result> | undefined {
  const here = { ...at, field: name };
  if (!isObject(value)) return out.add(here, 'a result (an object with "ret")', value);
  refuseOthers(out, value, Object.keys(RESULT_FIELDS), here);
  for (const [field, [test, words]] of Object.entries(RESULT_FIELDS)) {
    const given = value[field];
    if (given === undefined || (test(given) && (field !== 'ret' || isReturn(given as string))))
      continue;
    const hint = field === 'ret' ? didYouMean(given, RETURNS) : '';
    const problem = `expected ${words}, got ${showValue(given)}${hint}`;
    out.add(within(here, field), words, given, { problem });
  }
  return { ...value } as Partial<Result>;
}
