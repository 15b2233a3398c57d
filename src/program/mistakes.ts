/** Mistakes in what was read, with their places, and what every reader of a value asks. */
import { type MistakeWords, ProgramError, type ProgramPlace, showValue } from './error.ts';
import { MAX_MISTAKES } from './json.ts';
import { describeField, type FieldSpec } from './ops.ts';
import { didYouMean } from './similar.ts';

/** An object as it was read. */
export type Fields = Record<string, unknown>;

/** Mistakes as they are come across, the first of them kept. */
export class Mistakes {
  private readonly list: ProgramError[] = [];
  private count = 0;

  add(place: ProgramPlace, expected: string, actual: unknown, words?: MistakeWords): undefined {
    if (++this.count <= MAX_MISTAKES)
      this.list.push(new ProgramError(place, expected, actual, words));
  }

  /** @throws ProgramError where there was one: the first, with the others */
  throwAny(): void {
    const [first] = this.list;
    if (first === undefined) return;
    first.mistakes = this.list;
    first.more = this.count - this.list.length;
    throw first;
  }
}

/** An object, and no array. */
export function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** An integer from `min` to `max`. */
export function isInteger(value: unknown, min: number, max: number): value is number {
  return Number.isInteger(value) && (value as number) >= min && (value as number) <= max;
}

const isPowerOfTwo = (value: number) => (value & (value - 1)) === 0;

/** Whether a field may hold this. */
export function fits(spec: FieldSpec, value: unknown): boolean {
  switch (spec.kind) {
    case 'integer':
      return isInteger(value, spec.min, spec.max);
    case 'power':
      return isInteger(value, spec.min, spec.max) && isPowerOfTwo(value);
    case 'truth':
      return typeof value === 'boolean';
    case 'choice':
      return typeof value === 'string' && spec.values.includes(value);
    case 'choices':
      return (
        Array.isArray(value) &&
        value.every((one) => spec.values.includes(one)) &&
        new Set(value).size === value.length
      );
  }
}

/** What was meant, where a value is almost a choice, or the first item that is none. */
function hintFor(spec: FieldSpec, value: unknown): string {
  if (spec.kind === 'choice') return didYouMean(value, spec.values);
  if (spec.kind !== 'choices' || !Array.isArray(value)) return '';
  const wrong: unknown = value.find((one) => !spec.values.includes(one));
  return wrong === undefined ? '' : didYouMean(wrong, spec.values);
}

/** A mistake in a field's value; where it is almost one of the choices, which. */
export function refuseValue(
  out: Mistakes,
  place: ProgramPlace,
  spec: FieldSpec,
  value: unknown,
): void {
  const hint = hintFor(spec, value);
  const expected = describeField(spec);
  const words = hint && { problem: `expected ${expected}, got ${showValue(value)}${hint}` };
  out.add(place, expected, value, words || undefined);
}

/** The place of a field, or of an item of a list, within another place. */
export function within(place: ProgramPlace, name: string | number): ProgramPlace {
  const { field: outer, path } = place;
  const inner = typeof name === 'number' ? `[${name}]` : name;
  const dot = outer === undefined || typeof name === 'number' ? '' : '.';
  const field = `${outer ?? ''}${dot}${inner}`;
  return { ...place, field, ...(path ? { path: [...path, name] } : {}) };
}

/** Every key of `value` that is not among `known` is a mistake. */
export function refuseOthers(
  out: Mistakes,
  value: Fields,
  known: readonly string[],
  place: ProgramPlace,
): void {
  for (const key of Object.keys(value)) {
    if (known.includes(key)) continue;
    const all = `no such field (there ${known.length === 1 ? 'is' : 'are'} ${known.join(' ')})`;
    const problem = `${all}${didYouMean(key, known)}`;
    out.add(within(place, key), all, value[key], { problem, name: true });
  }
}

/** The items of an array, its holes as well; none where it is no array. */
export function itemsOf(
  out: Mistakes,
  value: unknown,
  place: ProgramPlace,
  what: string,
  max: number,
): unknown[] {
  if (!Array.isArray(value)) return out.add(place, what, value) ?? [];
  if (value.length > max) return out.add(place, `at most ${max} items`, value.length) ?? [];
  return Array.from<unknown>(value);
}
