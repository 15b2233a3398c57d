/** Files of programs: one a line (`.jsonl`), or one JSON value, a program or an array of them. */
import { ProgramError, pathOf } from './error.ts';
import {
  type JsonPath,
  type JsonText,
  MAX_MISTAKES,
  type Position,
  plainJson,
  type ReadJson,
} from './json.ts';
import { type Program, parseProgram } from './schema.ts';

/** A mistake in a file. */
export interface BadLine {
  file: string;
  /** From 1. */
  line: number;
  /** From 1, where it is known. */
  column?: number;
  message: string;
}

/** A program and where it was read from. */
export interface LocatedProgram<P = Program> {
  file: string;
  /** The line where it begins, from 1. */
  line: number;
  program: P;
}

export interface ProgramFile<P = Program> {
  programs: LocatedProgram<P>[];
  badLines: BadLine[];
}

/** The mistakes of a JSON text, each with its place; without one, what `parse` makes of its value. */
export interface Read<T> {
  program?: T;
  mistakes: (Position & { message: string })[];
}

/** What is said of those that are not told one by one. */
function more(count: number): string {
  return `and ${count} more mistake${count === 1 ? '' : 's'} in this program`;
}

/**
 * Reads what is at `path` in a text.
 * @param parse throws a ProgramError for what is wrong
 */
export function readPart<T>(
  text: JsonText,
  value: unknown,
  path: JsonPath,
  parse: (value: unknown) => T,
): Read<T> {
  try {
    return { program: parse(value), mistakes: [] };
  } catch (error) {
    if (!(error instanceof ProgramError)) throw error;
    const mistakes = error.mistakes.map((one) => ({
      ...text.at([...path, ...pathOf(one.place)], one.ofName),
      message: one.message,
    }));
    const last = mistakes[mistakes.length - 1];
    if (error.more > 0) mistakes.push({ ...last, message: more(error.more) });
    return { mistakes };
  }
}

/** Reads a JSON text that holds one program. */
export function readProgram<T>(
  source: string,
  read: ReadJson,
  parse: (value: unknown) => T,
): Read<T> {
  const text = read(source.replace(/^\uFEFF/, ''));
  if (text.mistakes.length === 0) return readPart(text, text.value, [], parse);
  const mistakes = text.mistakes.map((one) => ({ ...one, message: `no JSON: ${one.message}` }));
  return { mistakes: mistakes.slice(0, MAX_MISTAKES) };
}

/**
 * Reads the text of a file. A bad program does not keep the others from being read.
 * @param file its name, for messages; a name that ends in `.jsonl` means one program a line
 * @param read reads JSON; unless it is given there are no columns, and lines in a `.jsonl` file alone
 */
export function parseProgramFile(
  text: string,
  file: string,
  read: ReadJson = plainJson,
): ProgramFile {
  return parseFileOf(text, file, read, parseProgram);
}

/**
 * The same of a file of something else.
 * @param parseOne throws a ProgramError for what is wrong; `where` names it as long as its own name is not known
 */
export function parseFileOf<P>(
  text: string,
  file: string,
  read: ReadJson,
  parseOne: (value: unknown, where: string) => P,
): ProgramFile<P> {
  const out: ProgramFile<P> = { programs: [], badLines: [] };
  const withColumns = read !== plainJson;
  const take = ({ program, mistakes }: Read<P>, at: Position, before: number) => {
    if (program !== undefined) out.programs.push({ file, line: at.line, program });
    for (const { line, column, message } of mistakes) {
      const place = withColumns ? { line: before + line, column } : { line: at.line };
      out.badLines.push({ file, ...place, message });
    }
  };
  text = text.replace(/^\uFEFF/, '');
  if (file.endsWith('.jsonl')) {
    for (const [i, line] of text.split('\n').entries()) {
      if (line.trim() === '' || line.trim().startsWith('//')) continue;
      const where = `${file}:${i + 1}`;
      const parse = (value: unknown) => parseOne(value, where);
      take(readProgram(line, read, parse), { line: i + 1, column: 1 }, i);
    }
    return out;
  }
  const json = read(text);
  if (json.mistakes.length > 0 || !Array.isArray(json.value)) {
    const parse = (value: unknown) => parseOne(value, file);
    const start = json.mistakes.length > 0 ? { line: 1, column: 1 } : json.at([]);
    take(
      json.mistakes.length > 0
        ? readProgram(text, () => json, parse)
        : readPart(json, json.value, [], parse),
      start,
      0,
    );
    return out;
  }
  for (const [i, item] of Array.from<unknown>(json.value).entries()) {
    const at = withColumns ? json.at([i]) : { line: i + 1, column: 1 };
    const parse = (value: unknown) => parseOne(value, `${file}:${at.line}`);
    take(readPart(json, item, [i], parse), at, 0);
  }
  return out;
}
