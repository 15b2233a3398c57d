/**
 * The executor of the straight-line build, in which modelled functions are plain functions: a call
 * is its result. It takes the place of `execute.ts` there.
 */
import type { Machine } from './machine.ts';

export function runToEnd<T>(_machine: Machine, result: T): T {
  return result;
}

/** @throws Error always: plain functions cannot suspend */
export function runStepping(): never {
  throw new Error('the straight-line build cannot suspend a task');
}
