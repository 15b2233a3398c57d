/** Reading what an operation returned. */
import { type ProgramPlace, showValue } from './error.ts';
import { isInteger, isObject, type Mistakes, refuseOthers, within } from './mistakes.ts';
import { RETURNS } from './returns.ts';
import { didYouMean } from './similar.ts';
import { type AnyExpected, type Expected, MAX_TAG, type Result } from './values.ts';

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

/** Reads some fields of a result. */
export function parseFields(
  out: Mistakes,
  value: unknown,
  at: ProgramPlace,
  name: string,
): Partial<Result> | undefined {
  const here = { ...at, field: name };
  if (!isObject(value)) return out.add(here, 'a result (an object with "ret")', value);
  refuseOthers(out, value, Object.keys(RESULT_FIELDS), here);
  for (const [field, [test, words]] of Object.entries(RESULT_FIELDS)) {
    const given = value[field];
    if (given === undefined || test(given)) continue;
    const hint = field === 'ret' ? didYouMean(given, RETURNS) : '';
    const problem = `expected ${words}, got ${showValue(given)}${hint}`;
    out.add(within(here, field), words, given, { problem });
  }
  return { ...value } as Partial<Result>;
}

// ---- what an operation may return ----

interface ExpectedField {
  test: (value: unknown) => boolean;
  words: string;
  /** Names that a value can be. */
  names?: readonly string[];
  /** A value is a list itself: there is one alone. */
  runs?: true;
}

const [, RET_WORDS] = RESULT_FIELDS.ret;
const counted: ExpectedField = { test: isCount, words: 'a count' };
const TAG_NAMES = ['zero', 'file'];

/** What each field of `expect` holds. */
export const EXPECTED_FIELDS: Record<keyof Expected, ExpectedField> = {
  ret: { test: (v) => RETURNS.includes(v as string), words: RET_WORDS, names: RETURNS },
  done: counted,
  cpages: counted,
  faults: counted,
  tag: {
    test: (v) => isInteger(v, 0, MAX_TAG) || TAG_NAMES.includes(v as string),
    words: `a tag from 0 to ${MAX_TAG}, "zero" or "file"`,
    names: TAG_NAMES,
  },
  tags: { test: (v) => areRuns(v, 3), words: RESULT_FIELDS.tags[1], runs: true },
  prot: { test: (v) => areRuns(v, 2), words: RESULT_FIELDS.prot[1], runs: true },
  bits: { test: (v) => areRuns(v, 2), words: RESULT_FIELDS.bits[1], runs: true },
};

/** One value or, where values are no lists themselves, several. */
function parseValues(
  out: Mistakes,
  given: unknown,
  here: ProgramPlace,
  { test, words, names = [], runs }: ExpectedField,
): void {
  const refuse = (value: unknown, at: ProgramPlace): void => {
    const problem = `expected ${words}, got ${showValue(value)}${didYouMean(value, names)}`;
    out.add(at, words, value, { problem });
  };
  if (!Array.isArray(given) || runs) {
    if (!test(given)) refuse(given, here);
    return;
  }
  if (given.length === 0) out.add(here, `at least one value (${words})`, given);
  Array.from<unknown>(given).forEach((value, i) => {
    if (!test(value)) refuse(value, within(here, i));
  });
}

function parseOneExpected(out: Mistakes, value: unknown, here: ProgramPlace): Expected | undefined {
  if (!isObject(value))
    return out.add(here, 'what it may return (an object, or a list of them)', value);
  refuseOthers(out, value, Object.keys(EXPECTED_FIELDS), here);
  for (const [field, spec] of Object.entries(EXPECTED_FIELDS)) {
    const given = value[field];
    if (given === undefined) continue;
    const place = within(here, field);
    if (!isObject(given)) parseValues(out, given, place, spec);
    else {
      refuseOthers(out, given, ['not'], place);
      parseValues(out, given.not, within(place, 'not'), spec);
    }
  }
  return { ...value } as Expected;
}

/**
 * Reads what an operation may return: fields of a result, or several such, one of which must be.
 * @param here where it stands
 */
export function parseExpected(
  out: Mistakes,
  value: unknown,
  here: ProgramPlace,
): AnyExpected | undefined {
  if (!Array.isArray(value)) return parseOneExpected(out, value, here);
  if (value.length === 0) out.add(here, 'at least one result', value);
  const all = Array.from<unknown>(value).map((one, i) =>
    parseOneExpected(out, one, within(here, i)),
  );
  return all as Expected[];
}
