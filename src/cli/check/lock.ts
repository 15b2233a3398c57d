/** One process at a time on a file: a lock beside it says which. */
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { UsageError } from '../terminal.ts';

/** Who has a lock. */
interface Holder {
  pid: number;
  host: string;
  /** When the process began, as the system counts it: another process may have its number later. */
  start: string;
}

/** When a process began; '': it is not there, or nothing says so. */
function startOf(pid: number): string {
  try {
    // the name before it, in brackets, may have anything in it
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    return '';
  }
}

function isThere({ pid, start }: Holder): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // it may be somebody else's
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  const now = startOf(pid);
  return start === '' || now === '' || now === start;
}

function holderOf(lock: string): Holder | null {
  try {
    const holder = JSON.parse(readFileSync(lock, 'utf8')) as Holder | null;
    return typeof holder?.pid === 'number' ? holder : null;
  } catch {
    return null;
  }
}

/** Makes the lock, whole or not at all. */
function tryLock(lock: string): boolean {
  const { pid } = process;
  const own = `${lock}.${pid}`;
  const holder: Holder = { pid, host: hostname(), start: startOf(pid) };
  writeFileSync(own, `${JSON.stringify(holder)}\n`);
  try {
    linkSync(own, lock);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(own, { force: true });
  }
}

/** Takes a lock away whose process is gone, but no other that was made meanwhile. */
function takeAway(lock: string, gone: Holder | null): void {
  const aside = `${lock}.${process.pid}.old`;
  try {
    renameSync(lock, aside);
  } catch {
    // somebody else was faster
    return;
  }
  const holder = holderOf(aside);
  if (holder && (holder.pid !== gone?.pid || holder.start !== gone.start)) linkSync(aside, lock);
  rmSync(aside, { force: true });
}

/**
 * Takes the lock of a file; that of a process that is gone is taken over.
 * @param say is told of that
 * @returns what gives it back
 * @throws UsageError where another process has it
 */
export function lockFile(file: string, say: (message: string) => void): () => void {
  const lock = `${file}.lock`;
  for (let tries = 0; tries < 10; tries++) {
    if (tryLock(lock)) return () => rmSync(lock, { force: true });
    const holder = holderOf(lock);
    if (holder && holder.host !== hostname()) {
      throw new UsageError(
        `${file}: process ${holder.pid} on ${holder.host} has it; if that is gone, delete ${lock}`,
      );
    }
    if (holder && isThere(holder)) {
      throw new UsageError(
        `${file}: process ${holder.pid} has it: wait for its end, or name another file`,
      );
    }
    if (holder) say(`${file}: process ${holder.pid} had it and is gone, this one goes on`);
    takeAway(lock, holder);
  }
  throw new UsageError(`${file}: cannot be locked, ${lock} comes again and again`);
}
