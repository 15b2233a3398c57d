/** What a command keeps of a run that goes on later: a file with a digest, written beside and renamed. */
import { createHash } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { UsageError } from './terminal.ts';

/** What a file keeps, in which format, and what of the command line keeps it. */
export interface Kept {
  softleaf: 'check' | 'fuzz';
  format: number;
  by: string;
}

/** The first line of the file; the second is what is kept. */
interface Head extends Pick<Kept, 'softleaf' | 'format'> {
  /** Of the second line. */
  sha256: string;
}

const digestOf = (text: string): string => createHash('sha256').update(text).digest('hex');

/** @throws UsageError where it is no run that was kept so, or not whole */
export function readKept<T>(file: string, { softleaf, format, by }: Kept): T {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new UsageError(`cannot read ${file}: ${(error as Error).message}`);
  }
  const end = text.indexOf('\n');
  let head: Partial<Head> | null = null;
  try {
    head = JSON.parse(end < 0 ? text : text.slice(0, end)) as Partial<Head> | null;
  } catch {
    // no line of ours
  }
  if (head?.softleaf !== softleaf || head.format === undefined) {
    throw new UsageError(`${file}: expected a run that ${by} has kept, this is something else`);
  }
  if (head.format !== format) {
    throw new UsageError(
      `${file}: a run kept in format ${head.format}; this Softleaf reads ${format}: begin again, with another file`,
    );
  }
  const body = text.slice(end + 1).replace(/\n$/, '');
  if (end < 0 || digestOf(body) !== head.sha256) {
    throw new UsageError(
      `${file}: this file is damaged, its digest is not that of what is in it: begin again, with another file`,
    );
  }
  return JSON.parse(body) as T;
}

/**
 * Keeps a run: whatever happens meanwhile, the file is the one before or this one.
 * @throws Error where it cannot be written
 */
export function writeKept(file: string, { softleaf, format }: Kept, run: unknown): void {
  const body = JSON.stringify(run);
  const head: Head = { softleaf, format, sha256: digestOf(body) };
  writeBeside(file, `${JSON.stringify(head)}\n${body}\n`);
}

/**
 * Writes a file beside and renames it.
 * @throws Error where it cannot be written
 */
export function writeBeside(file: string, text: string): void {
  const at = existsSync(file) ? realpathSync(file) : file;
  const beside = `${at}.new`;
  try {
    const to = openSync(beside, 'w');
    try {
      const bytes = Buffer.from(text);
      for (let done = 0; done < bytes.length; ) done += writeSync(to, bytes, done);
      fsyncSync(to);
    } finally {
      closeSync(to);
    }
    renameSync(beside, at);
  } catch (error) {
    rmSync(beside, { force: true });
    throw error;
  }
}
