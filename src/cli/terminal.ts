/** Where a command writes, and whether it may use colour. */

export interface Stream {
  write(text: string): unknown;
  isTTY?: boolean;
  columns?: number;
}

/** What a command needs of the outside. */
export interface Terminal {
  stdout: Stream;
  stderr: Stream;
  env: Record<string, string | undefined>;
}

/** What a command's exit code says. */
export const ExitCode = {
  /** Nothing was found: proved or not. */
  clean: 0,
  /** A finding, or a result that differs from the recording. */
  finding: 1,
  /** Bad input: the program, a file or the command line. */
  badInput: 2,
  /** Nothing was found, but not everything was tried, or there is a warning, where that counts. */
  incomplete: 3,
  /** A mistake in Softleaf itself. */
  internal: 70,
  /** What it prints cannot be written: a full disk. */
  output: 74,
  /** Interrupted before anything was found, or given up. */
  interrupted: 130,
} as const;
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

/** Every exit code and what it says. */
export const EXIT_CODES: readonly [code: ExitCode, meaning: string][] = [
  [ExitCode.clean, 'clean: of a check, proved, or nothing found in what was tried'],
  [ExitCode.finding, 'a finding, or a result that differs from the recording'],
  [ExitCode.badInput, 'bad input: a program, a file or the command line'],
  [
    ExitCode.incomplete,
    'nothing found, but not everything tried or a warning: check --require-complete, --fail-on-warning',
  ],
  [ExitCode.internal, 'an internal error: a mistake in Softleaf itself'],
  [ExitCode.output, 'the output, or a file that was asked for, cannot be written: a full disk'],
  [ExitCode.interrupted, 'interrupted before anything was found, or given up'],
];

/** Bad input that is no mistake in a program: a file that cannot be read, say. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** What is to be written cannot be: a full disk. */
export class OutputError extends Error {
  override readonly name = 'OutputError';
}

const STYLES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 } as const;
export type Paint = (style: keyof typeof STYLES, text: string) => string;

/** Colours for a stream: none where it is no terminal or NO_COLOR is set. */
export function painter(stream: Stream, env: Terminal['env']): Paint {
  if (!stream.isTTY || env.NO_COLOR || env.TERM === 'dumb') return (_, text) => text;
  return (style, text) => `\x1b[${STYLES[style]}m${text}\x1b[0m`;
}

/** Control characters but tab and newline, and those that turn the direction of text around. */
const OBEYED =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the ones to replace
  /[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** Replaces what a terminal would obey. */
export function printable(text: string): string {
  return text.replace(OBEYED, '?');
}

/** JSON in one line, in which a terminal finds nothing to obey. */
export function jsonLine(value: unknown): string {
  const text = JSON.stringify(value);
  const escaped = text.replace(OBEYED, (letter) => {
    return `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
  return `${escaped}\n`;
}

/** Characters of a line of a message. */
const LINE = 1000;

/** Cuts lines that nobody could read. */
export function bounded(text: string): string {
  const lines = text.split('\n');
  return lines.map((line) => (line.length > LINE ? `${line.slice(0, LINE)}...` : line)).join('\n');
}

/** A message, every line of it with who says so before it. */
export function messageLines(message: string): string {
  const lines = bounded(printable(message)).split('\n');
  return lines.map((line) => `softleaf: ${line}\n`).join('');
}
