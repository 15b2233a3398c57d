/** Locks in one line, each with the step before it: for drivers that are written against the package. */
import { notModelledNames } from './finding.ts';
import type { Lock } from './lock.ts';
import type { Machine } from './machine.ts';
import type { Kernel$ } from './step.ts';

/**
 * Takes a lock; waits for it where others run meanwhile.
 * @param shared as a reader (down_read())
 */
export function* lock(k: Machine, what: Lock, shared = false): Kernel$<void> {
  if (k.stepping) yield k.acquire(what, shared);
  if (shared) k.lockShared(what);
  else k.lock(what);
}

/** Gives a lock back, however it was taken. */
export function* unlock(k: Machine, what: Lock): Kernel$<void> {
  const shared = what.owner === null;
  if (k.stepping) yield k.release(what);
  if (shared) k.unlockShared(what);
  else k.unlock(what);
}

/**
 * Does something with a lock held.
 * @param body the generator function of what is done; it takes steps of its own
 * @param shared as a reader
 * @returns what `body` returns
 */
export function* withLock<T>(
  k: Machine,
  what: Lock,
  body: () => Kernel$<T>,
  shared = false,
): Kernel$<T> {
  yield* lock(k, what, shared);
  const result = yield* body();
  yield* unlock(k, what);
  return result;
}

notModelledNames([lock.name, unlock.name, withLock.name]);
