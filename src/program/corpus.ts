/** Files of programs: one a line (`.jsonl`), or one JSON value, a program or an array of them. */
import { ProgramError } from './error.ts';
import { type Program, parseProgram } from './schema.ts';

/** A part of a file that is no program. */
export interface BadLine {
  file: string;
  /** The line, from 1; in a JSON array, the program's position, from 1. */
  line: number;
  message: string;
}

/** A program and where it was read from. */
export interface LocatedProgram {
  file: string;
  /** As in BadLine. */
  line: number;
  program: Program;
}

export interface ProgramFile {
  programs: LocatedProgram[];
  badLines: BadLine[];
}

/**
 * Reads the text of a file. A bad program does not keep the others from being read.
 * @param file its name, for messages; a name that ends in `.jsonl` means one program a line
 */
export function parseProgramFile(text: string, file: string): ProgramFile {
  const out: ProgramFile = { programs: [], badLines: [] };
  const take = (line: number, parse: () => unknown) => {
    try {
      out.programs.push({ file, line, program: parseProgram(parse(), `${file}:${line}`) });
    } catch (error) {
      if (!(error instanceof ProgramError || error instanceof SyntaxError)) throw error;
      const message = error instanceof SyntaxError ? `no JSON: ${error.message}` : error.message;
      out.badLines.push({ file, line, message: message.replace(/\s+/g, ' ') });
    }
  };
  text = text.replace(/^\uFEFF/, '');
  if (file.endsWith('.jsonl')) {
    for (const [i, line] of text.split('\n').entries())
      if (line.trim() !== '') take(i + 1, () => JSON.parse(line));
    return out;
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    take(1, () => {
      throw error;
    });
    return out;
  }
  if (Array.isArray(value)) for (const [i, item] of value.entries()) take(i + 1, () => item);
  else take(1, () => value);
  return out;
}
