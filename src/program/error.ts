/** A mistake in the user's program: what was wrong, and where. Never a fault of the model. */
import { type JsonPath, quote } from './json.ts';

/** Where in a program a mistake lies. Every part is optional: it says as much as is known. */
export interface ProgramPlace {
  /** The program's name, or its position (`corpus.jsonl:12`) where it has none. */
  program?: string;
  /** The list that holds the operation in a concurrent program: `setup`, `after` or a task's name. */
  list?: string;
  /** Index of the operation in its list, from 0. */
  opIndex?: number;
  /** Name of the operation, where it is known. */
  op?: string;
  /** The field, with a path below it (`machine.walk`, `results[3].tags`). */
  field?: string;
  /** Where that is in the whole program, if the words of `field` do not tell. */
  path?: JsonPath;
}

function placeText(place: ProgramPlace): string {
  const parts: string[] = [];
  if (place.program !== undefined) parts.push(`program ${quote(place.program)}`);
  if (place.list !== undefined) parts.push(`list ${quote(place.list)}`);
  if (place.opIndex !== undefined)
    parts.push(`op ${place.opIndex}${place.op === undefined ? '' : ` (${place.op})`}`);
  if (place.field !== undefined) parts.push(`field ${quote(place.field)}`);
  return parts.join(', ');
}

/** Where in a program, as a JSON value, a place is. */
export function pathOf({ list, opIndex, field, path: known }: ProgramPlace): JsonPath {
  if (known !== undefined) return known;
  const path: (string | number)[] = [];
  if (list === 'setup' || list === 'after') path.push(list);
  else if (list !== undefined) path.push('tasks', list);
  else if (opIndex !== undefined) path.push('ops');
  if (opIndex !== undefined) path.push(opIndex);
  // where the list itself is wrong, the field names it once more
  else if (list !== undefined) return path;
  for (const [, name, index] of (field ?? '').matchAll(/([^.[\]]+)|\[(\d+)\]/g)) {
    path.push(name ?? Number(index));
  }
  return path;
}

/** A value in one short line, for a message. */
export function showValue(value: unknown, limit = 60): string {
  if (value === undefined) return 'nothing';
  let text: string;
  try {
    text = JSON.stringify(value) ?? `a ${typeof value}`;
  } catch {
    text = `a ${typeof value}`;
  }
  return text.length > limit ? `${text.slice(0, limit - 3)}...` : text;
}

/** How a mistake is told where "expected ..., got ..." would not do. */
export interface MistakeWords {
  /** What is wrong, in words. */
  problem?: string;
  /** It is the name of a field that is wrong, not its value. */
  name?: boolean;
}

/** Thrown for a mistake in a program, when it is read or when it is run. */
export class ProgramError extends Error {
  override readonly name = 'ProgramError';
  readonly place: ProgramPlace;
  readonly expected: string;
  readonly actual: unknown;
  /** What is wrong, without the place: one line. */
  readonly problem: string;
  /** Whether it is the name of a field that is wrong, not its value. */
  readonly ofName: boolean;
  /** Every mistake of the program that is told, this one first. */
  mistakes: readonly ProgramError[] = [this];
  /** How many more there are. */
  more = 0;

  /**
   * @param place where the mistake lies
   * @param expected what should have been there, in words
   * @param actual what was there
   */
  constructor(place: ProgramPlace, expected: string, actual: unknown, words: MistakeWords = {}) {
    const problem = words.problem ?? `expected ${expected}, got ${showValue(actual)}`;
    super(`${placeText(place) || 'program'}: ${problem}`.replace(/\s*[\r\n]+\s*/g, ' '));
    this.place = place;
    this.expected = expected;
    this.actual = actual;
    this.problem = problem;
    this.ofName = words.name ?? false;
  }

  get program(): string | undefined {
    return this.place.program;
  }

  get opIndex(): number | undefined {
    return this.place.opIndex;
  }

  get field(): string | undefined {
    return this.place.field;
  }
}
