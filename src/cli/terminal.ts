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
  clean: 0,
  /** A finding, or a result that differs from the recording. */
  finding: 1,
  /** Bad input: the program, a file or the command line. */
  badInput: 2,
  /** Interrupted before anything was found. */
  interrupted: 130,
  /** A mistake in Softleaf itself. */
  internal: 70,
} as const;
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

/** Bad input that is no mistake in a program: a file that cannot be read, say. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

const STYLES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 } as const;
export type Paint = (style: keyof typeof STYLES, text: string) => string;

/** Colours for a stream: none where it is no terminal or NO_COLOR is set. */
export function painter(stream: Stream, env: Terminal['env']): Paint {
  if (!stream.isTTY || env.NO_COLOR || env.TERM === 'dumb') return (_, text) => text;
  return (style, text) => `\x1b[${STYLES[style]}m${text}\x1b[0m`;
}

/** Replaces what a terminal would obey. */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the ones to replace
  return text.replace(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/g, '?');
}
