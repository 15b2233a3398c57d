/** A mistake in the user's program: what was wrong, and where. Never a fault of the model. */

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
}

function placeText(place: ProgramPlace): string {
  const parts: string[] = [];
  if (place.program !== undefined) parts.push(`program ${JSON.stringify(place.program)}`);
  if (place.list !== undefined) parts.push(`list ${JSON.stringify(place.list)}`);
  if (place.opIndex !== undefined)
    parts.push(`op ${place.opIndex}${place.op === undefined ? '' : ` (${place.op})`}`);
  if (place.field !== undefined) parts.push(`field ${JSON.stringify(place.field)}`);
  return parts.join(', ');
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

/** Thrown for a mistake in a program, when it is read or when it is run. */
export class ProgramError extends Error {
  override readonly name = 'ProgramError';
  readonly place: ProgramPlace;
  readonly expected: string;
  readonly actual: unknown;

  /**
   * @param place where the mistake lies
   * @param expected what should have been there, in words
   * @param actual what was there
   */
  constructor(place: ProgramPlace, expected: string, actual: unknown) {
    super(
      `${placeText(place) || 'program'}: expected ${expected}, got ${showValue(actual)}`.replace(
        /\s*[\r\n]+\s*/g,
        ' ',
      ),
    );
    this.place = place;
    this.expected = expected;
    this.actual = actual;
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
