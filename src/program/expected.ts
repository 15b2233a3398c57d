/** Whether an operation returned what it must, and what must be in words. */
import { equal } from './runs.ts';
import {
  type AnyExpected,
  type Expected,
  FILE_WORD,
  type Result,
  type Tag,
  type TagRun,
} from './values.ts';

type Field = keyof Expected;

/** The pages of one tag have 16 bits of their words for themselves. */
const TAG = 65536;

/** Whether a page whose first word is `word` holds what `tag` says. */
function holds(word: number, tag: Tag): boolean {
  if (tag === 'zero') return word === 0;
  const isFile = word >= FILE_WORD && word < TAG;
  if (tag === 'file') return isFile;
  return Math.floor(word / TAG) === tag && !isFile;
}

/** Whether `test` holds for the word of every page. */
function everyPage(runs: readonly TagRun[], test: (word: number) => boolean): boolean {
  return runs.every(([first, count, step]) => {
    if (step === 0) return test(first);
    for (let i = 0; i < count; i++) if (!test(first + i)) return false;
    return true;
  });
}

const isNot = (wanted: unknown): wanted is { not: unknown } =>
  typeof wanted === 'object' && wanted !== null && !Array.isArray(wanted);
const listOf = <T>(value: T | T[]): T[] => (Array.isArray(value) ? value : [value]);
/** Fields whose values are lists themselves. */
const isRuns = (field: Field): boolean => field === 'tags' || field === 'prot' || field === 'bits';

/** What a field may hold, or may not. */
function valuesOf(field: Field, wanted: unknown): { not: boolean; values: unknown[] } {
  const not = isNot(wanted);
  const given = not ? wanted.not : wanted;
  return { not, values: isRuns(field) ? [given] : listOf(given) };
}

function fits(field: Field, wanted: unknown, result: Result): boolean {
  const { not, values } = valuesOf(field, wanted);
  if (field !== 'tag') return values.some((value) => equal(value, result[field])) !== not;
  // where no page was read there is none that holds this, or something else
  if (result.tags === undefined) return false;
  return everyPage(result.tags, (word) => values.some((tag) => holds(word, tag as Tag)) !== not);
}

/** The first field that is otherwise. */
function otherwise(expected: Expected, result: Result): Field | undefined {
  const fields = Object.keys(expected) as Field[];
  return fields.find((field) => !fits(field, expected[field], result));
}

/** Whether `result` is what it may be. */
export function meets(expected: AnyExpected, result: Result): boolean {
  return listOf(expected).some((one) => otherwise(one, result) === undefined);
}

const show = (value: unknown): string => JSON.stringify(value) ?? 'nothing';
const orOf = (values: readonly unknown[], shown: (value: unknown) => string): string =>
  values.map(shown).join(' or ');

/** What is not as it must be, in words; null where everything is. */
export function unmet(expected: AnyExpected, result: Result): string | null {
  if (meets(expected, result)) return null;
  const [one, ...others] = listOf(expected);
  if (others.length > 0) {
    const may = [one, ...others].map(expectedWords).join(', or ');
    return `must return ${may}, returns ${resultWords(result)}`;
  }
  const field = otherwise(one, result) as Field;
  const { not, values } = valuesOf(field, one[field]);
  const is = field === 'tag' ? pagesWords(result.tags) : show(result[field]);
  return `${field} must ${not ? 'not ' : ''}be ${orOf(values, show)}, is ${is}`;
}

const plainly = (value: unknown): string => (typeof value === 'string' ? value : show(value));

const pagesOrWords = (runs: unknown): string => pagesWords(runs as TagRun[]) || 'none';

/** What an operation may return, in words. */
export function expectedWords(expected: AnyExpected): string {
  const words = listOf(expected).map((one) =>
    (Object.keys(one) as Field[]).map((field) => {
      const { not, values } = valuesOf(field, one[field]);
      const shown = field === 'tags' ? pagesOrWords : plainly;
      return `${field} ${not ? 'not ' : ''}${orOf(values, shown)}`;
    }),
  );
  return words.map((fields) => fields.join(' and ') || 'anything').join(', or ');
}

/**
 * What pages hold, as words for a reader: `1:0..3` is what a write with tag 1 put into its pages 0 to 3, `0` a page
 * that nobody wrote, `file:2` what page 2 of a file began with. The same several times: `1:0 x3`.
 */
export function pagesWords(runs: readonly TagRun[] | undefined): string {
  if (runs === undefined) return 'nothing';
  const name = (word: number): [tag: string, page: number] => {
    if (word >= FILE_WORD && word < TAG) return ['file', word - FILE_WORD];
    return [String(Math.floor(word / TAG)), word % TAG];
  };
  return runs
    .map(([first, count, step]) => {
      const [tag, page] = name(first);
      const times = count > 1 && step === 0 ? ` x${count}` : '';
      if (first === 0 && (step === 0 || count === 1)) return `0${times}`;
      return `${tag}:${page}${step === 1 && count > 1 ? `..${page + count - 1}` : times}`;
    })
    .join(' ');
}

/** A result in few words, pages as {@link pagesWords}. */
export function resultWords({ ret, done, cpages, faults, tags, prot, bits }: Result): string {
  const runs = (all: readonly [number, number][], shown: (value: number) => string): string =>
    all.map(([value, count]) => `${shown(value)}${count > 1 ? ` x${count}` : ''}`).join(' ');
  return [
    ret,
    ...(done === undefined ? [] : [`done ${done}`]),
    ...(cpages === undefined ? [] : [`cpages ${cpages}`]),
    ...(faults === undefined ? [] : [`faults ${faults}`]),
    ...(tags === undefined ? [] : [`holds ${pagesWords(tags)}`]),
    ...(prot === undefined
      ? []
      : [`prot ${runs(prot, (value) => `0x${value.toString(16).padStart(2, '0')}`)}`]),
    ...(bits === undefined ? [] : [`bits ${runs(bits, String)}`]),
  ].join(', ');
}
