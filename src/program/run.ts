/** Running a program on a machine. */
import type { Program, Result, Walk } from './schema.ts';

export interface RunOptions {
  walk?: Walk;
}

/** A modelled WARN or BUG, or an invariant that broke. */
export interface RunFinding {
  title: string;
  /** Index of the operation. */
  op: number;
  /** The modelled functions, innermost first. */
  stack: string[];
}

export interface RunOutcome {
  results: Result[];
  counters: Record<string, number>;
  findings: RunFinding[];
  machine: unknown;
}

/** One buffer of one process, a glyph a page. */
export interface PictureRow {
  proc: number;
  buf: number;
  /** The first page shown. */
  page: number;
  glyphs: string;
}

/** True as long as this file is only the interface. */
export const isStub = true;

export function runProgram(_program: Program, _options?: RunOptions): RunOutcome {
  throw new Error('running programs is not built yet');
}

export function picture(_outcome: RunOutcome): { rows: PictureRow[]; legend: [string, string][] } {
  throw new Error('running programs is not built yet');
}
