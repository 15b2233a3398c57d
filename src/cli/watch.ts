/** Doing something again whenever a file has changed. */
import { type FSWatcher, watch } from 'node:fs';
import { basename, dirname } from 'node:path';
import { ProgramError } from '../program/light.ts';
import { ExitCode, messageLines, type Terminal, UsageError } from './terminal.ts';

/** Editors write a file in several parts, or write another and rename it. */
const SETTLE_MS = 100;

/** Until somebody ends the command. */
export function interrupted(): Promise<void> {
  return new Promise((done) => {
    process.once('SIGINT', () => done());
    process.once('SIGTERM', () => done());
  });
}

/**
 * Does a command, and once more whenever a file has changed. What is wrong with its input is told, as the next may be
 * better.
 * @param files those that are watched
 * @param what is said to be watched
 * @returns the code of the last time
 */
export async function watching(
  files: readonly string[],
  what: string,
  once: () => Promise<ExitCode>,
  { stderr }: Terminal,
  end: () => Promise<void>,
): Promise<ExitCode> {
  let code: ExitCode = ExitCode.clean;
  const again = async (): Promise<void> => {
    try {
      code = await once();
    } catch (error) {
      if (!(error instanceof ProgramError || error instanceof UsageError)) throw error;
      stderr.write(messageLines(error.message));
      code = ExitCode.badInput;
    }
    stderr.write(messageLines(`${what}, Ctrl+C ends it`));
  };
  await watchFiles(files, again, end());
  return code;
}

/**
 * Calls `again`, and once more whenever one of the files has changed since it began, never twice at a time.
 * @param end when to stop
 */
export async function watchFiles(
  files: readonly string[],
  again: () => Promise<void>,
  end: Promise<void>,
): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  let busy: Promise<void> = Promise.resolve();
  const changed = () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      busy = busy.then(again);
    }, SETTLE_MS);
  };
  const watchers: FSWatcher[] = [];
  // the folder: what is renamed into the place of a file is another file
  for (const folder of new Set(files.map((file) => dirname(file)))) {
    const names = new Set(files.filter((file) => dirname(file) === folder).map((f) => basename(f)));
    const watcher = watch(folder, (_, name) => {
      if (name === null || names.has(name)) changed();
    });
    // a folder that goes away: there is nothing more to see
    watcher.on('error', () => watcher.close());
    watchers.push(watcher);
  }
  // what changes meanwhile is not lost
  try {
    busy = again();
    await busy;
    await end;
  } finally {
    clearTimeout(timer);
    for (const watcher of watchers) watcher.close();
  }
  await busy;
}
