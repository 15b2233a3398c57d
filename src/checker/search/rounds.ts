/** What comes again and again: the round that the end of a list repeats. */

/** The end of a list that repeats. */
export interface Round {
  /** Where the first round begins. */
  start: number;
  /** Items of a round. */
  length: number;
}

/** Rounds that are no chance: so many one after the other. */
const ROUNDS = 3;

/**
 * The shortest round that the end of a list repeats.
 * @param least items at the end that must belong to rounds, at least
 * @returns null: it does not repeat
 */
export function roundOf(keys: ArrayLike<string | number>, least = 0): Round | null {
  const { length: n } = keys;
  for (let length = 1; length * ROUNDS <= n; length++) {
    let same = 0;
    while (same < n - length && keys[n - 1 - same] === keys[n - 1 - same - length]) same++;
    if (same >= length * (ROUNDS - 1) && same + length >= least) {
      return { start: n - length - same, length };
    }
  }
  return null;
}
