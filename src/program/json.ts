/**
 * JSON text with the places of what it holds. Comments and trailing commas are allowed, a name that an object
 * has twice is a mistake. The parser that knows the grammar is handed in: rooms of the model depend on nothing.
 */

/** Where a value is in a JSON text: names and positions in arrays, from the outermost. */
export type JsonPath = readonly (string | number)[];

/** A place in a text, both from 1; columns are UTF-16 units. */
export interface Position {
  line: number;
  column: number;
}

/** A mistake in the text itself. */
export interface JsonMistake extends Position {
  message: string;
}

export interface JsonText {
  /** What it holds; undefined where there is a mistake. */
  value: unknown;
  mistakes: JsonMistake[];
  /**
   * Where the value at a path begins, or the name that it has. Where nothing is there: where the innermost
   * begins in which it could be.
   */
  at(path: JsonPath, name?: boolean): Position;
}

export type ReadJson = (text: string) => JsonText;

/** What `visit()` of the package jsonc-parser calls; every offset is in the text, from 0. */
export interface JsonVisitor {
  onObjectBegin(offset: number): void;
  onObjectProperty(name: string, offset: number): void;
  onObjectEnd(): void;
  onArrayBegin(offset: number): void;
  onArrayEnd(): void;
  onLiteralValue(value: unknown, offset: number): void;
  onError(code: number, offset: number, length: number): void;
}
/** `visit()` of the package jsonc-parser. */
export type VisitJson = (
  text: string,
  visitor: JsonVisitor,
  options: { allowTrailingComma: boolean },
) => unknown;

/** Mistakes of one text that are told one by one. */
export const MAX_MISTAKES = 20;
/** Characters of one JSON text. */
const MAX_TEXT = 64 * 2 ** 20;
/** How deep arrays and objects may lie in each other. */
const MAX_DEPTH = 100;
/** Characters of a name or a value that a message shows. */
const SHOWN = 60;

/** Of jsonc-parser: ParseErrorCode, from 1. */
const ERRORS = [
  'expected a value',
  'expected a number',
  'expected a name in double quotes',
  'expected a value',
  'expected ":" after the name',
  'expected "," or the end',
  'expected "}"',
  'expected "]"',
  'expected the end, as the value ends before it',
  'expected no comment',
  'the comment does not end',
  'the string does not end',
  'the number does not end',
  'expected four hexadecimal digits after \\u',
  'expected \\" \\\\ \\/ \\b \\f \\n \\r \\t or \\u after the backslash',
  'a control character in a string must be written as \\u and its number',
];

/** A text in double quotes, cut where it is long. */
export function quote(text: string, limit = SHOWN): string {
  return JSON.stringify(text.length > limit ? `${text.slice(0, limit - 3)}...` : text);
}

/** Where each part of a text is. */
interface JsonPart {
  /** Of its name; -1: it has none. */
  name: number;
  value: number;
  readonly parts: Map<string | number, JsonPart>;
}

class TooDeep extends Error {}

/** The line and column of an offset. */
export function positionOf(text: string, offset: number): Position {
  let line = 1;
  let start = 0;
  for (;;) {
    const end = text.indexOf('\n', start);
    if (end < 0 || end >= offset) return { line, column: offset - start + 1 };
    line++;
    start = end + 1;
  }
}

function add(to: unknown, name: string, value: unknown): void {
  if (Array.isArray(to)) to.push(value);
  else if (name !== '__proto__') (to as Record<string, unknown>)[name] = value;
  else Object.defineProperty(to, name, { value, enumerable: true, configurable: true });
}

/** One pass over a text, for what it holds or for where its parts are. */
class Reading implements JsonVisitor {
  value: unknown;
  readonly root: JsonPart = { name: -1, value: 0, parts: new Map() };
  readonly errors: [offset: number, message: string][] = [];
  private readonly open: { value: unknown; name: string; part: JsonPart }[] = [];
  private nameAt = -1;
  private lastError = -1;

  constructor(
    private readonly text: string,
    private readonly places: boolean,
  ) {}

  private put(value: unknown, offset: number): JsonPart {
    const { open } = this;
    const inner = open[open.length - 1];
    let part = this.root;
    if (inner === undefined) {
      this.value = value;
      this.root.value = offset;
    } else {
      if (this.places) {
        part = { name: this.nameAt, value: offset, parts: new Map() };
        inner.part.parts.set(Array.isArray(inner.value) ? inner.value.length : inner.name, part);
      }
      add(inner.value, inner.name, value);
    }
    this.nameAt = -1;
    return part;
  }

  private begin(value: object, offset: number): void {
    if (this.open.length === MAX_DEPTH) {
      this.errors.push([offset, `at most ${MAX_DEPTH} arrays and objects in each other`]);
      throw new TooDeep();
    }
    this.open.push({ value, name: '', part: this.put(value, offset) });
  }

  onObjectBegin(offset: number): void {
    this.begin({}, offset);
  }

  onArrayBegin(offset: number): void {
    this.begin([], offset);
  }

  onObjectProperty(name: string, offset: number): void {
    const inner = this.open[this.open.length - 1];
    if (Object.hasOwn(inner.value as object, name))
      this.errors.push([offset, `the name ${quote(name)} is there twice in one object`]);
    inner.name = name;
    this.nameAt = offset;
  }

  onObjectEnd(): void {
    this.open.pop();
  }

  onArrayEnd(): void {
    this.open.pop();
  }

  onLiteralValue(value: unknown, offset: number): void {
    this.put(value, offset);
  }

  onError(code: number, offset: number): void {
    // what follows on the same line is mostly of the same mistake
    if (this.lastError >= 0 && !this.text.slice(this.lastError, offset).includes('\n')) return;
    this.lastError = offset;
    this.errors.push([offset, ERRORS[code - 1] ?? 'expected JSON']);
  }
}

/** @param visit the package's function */
export function jsonReader(visit: VisitJson): ReadJson {
  const go = (text: string, places: boolean): Reading => {
    const reading = new Reading(text, places);
    const visitor: JsonVisitor = {
      onObjectBegin: (offset) => reading.onObjectBegin(offset),
      onObjectProperty: (name, offset) => reading.onObjectProperty(name, offset),
      onObjectEnd: () => reading.onObjectEnd(),
      onArrayBegin: (offset) => reading.onArrayBegin(offset),
      onArrayEnd: () => reading.onArrayEnd(),
      onLiteralValue: (value, offset) => reading.onLiteralValue(value, offset),
      onError: (code, offset) => reading.onError(code, offset),
    };
    try {
      visit(text, visitor, { allowTrailingComma: true });
    } catch (error) {
      if (!(error instanceof TooDeep)) throw error;
    }
    return reading;
  };
  return (text) => {
    if (text.length > MAX_TEXT) {
      const message = `a JSON text of at most ${MAX_TEXT} characters, not ${text.length}`;
      return { value: undefined, mistakes: [{ line: 1, column: 1, message }], at: () => START };
    }
    const { value, errors } = go(text, false);
    const shown = errors.slice(0, MAX_MISTAKES);
    let root: JsonPart | undefined;
    return {
      value: errors.length > 0 ? undefined : value,
      mistakes: shown.map(([offset, message]) => ({ ...positionOf(text, offset), message })),
      at: (path, name = false) => {
        root ??= go(text, true).root;
        let part = root;
        let whole = true;
        for (const step of path) {
          const next = part.parts.get(step);
          if (next === undefined) {
            whole = false;
            break;
          }
          part = next;
        }
        return positionOf(text, name && whole && part.name >= 0 ? part.name : part.value);
      },
    };
  };
}

const START: Position = { line: 1, column: 1 };

/** JSON as JavaScript reads it: no comments, no places, the last of two equal names counts. */
export const plainJson: ReadJson = (text) => {
  try {
    return { value: JSON.parse(text), mistakes: [], at: () => START };
  } catch (error) {
    const message = (error as Error).message.replace(/\s+/g, ' ');
    return { value: undefined, mistakes: [{ ...START, message }], at: () => START };
  }
};
