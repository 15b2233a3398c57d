/** Doing something again whenever a file has changed. */
import { type FSWatcher, watch } from 'node:fs';
import { basename, dirname } from 'node:path';

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
 * Calls `again` whenever one of the files has changed, never twice at a time.
 * @param end when to stop
 */
export async function watchFiles(
  files: readonly string[],
  again: () => void | Promise<void>,
  end: Promise<void>,
): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  let busy = Promise.resolve();
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
  await end;
  clearTimeout(timer);
  for (const watcher of watchers) watcher.close();
  await busy;
}
