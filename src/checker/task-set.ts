/** Sets of tasks: bit `t` of a number stands for task `t`. */

/** At most so many tasks: with the upper half for failing allocations, a set of choices is 32 bits. */
export const MAX_TASKS = 16;

/** The lowest task of a set. */
export function lowest(mask: number): number {
  return 31 - Math.clz32(mask & -mask);
}

/** How many tasks a set has. */
export function size(mask: number): number {
  let n = 0;
  for (let rest = mask; rest !== 0; rest &= rest - 1) n++;
  return n;
}

/** The `n`th task of a set, from 0. */
export function nth(mask: number, n: number): number {
  let rest = mask;
  for (let i = 0; i < n; i++) rest &= rest - 1;
  return lowest(rest);
}
