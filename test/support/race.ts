/**
 * Tests of one function, run both ways; and somebody else who acts at a certain moment of it, in a
 * straight line as well as step by step.
 */
import {
  type Kernel$,
  type Machine,
  runStepping,
  runToEnd,
  Task,
} from '../../src/machine/index.ts';

/** How a modelled function is run. */
export type Run = <T>(machine: Machine, body: Kernel$<T>) => T;

export const RUNS: [string, Run][] = [
  ['in a straight line', runToEnd],
  ['step by step', runStepping],
];

let tasks = 1000;

/** A task of somebody else, on the second CPU if there is one. */
export function somebody(machine: Machine, name = 'somebody else'): Task {
  return new Task(tasks++, name, machine.tlbs.length - 1);
}

/** Does something as another task, while the one at hand stands still. */
export function as<T>(machine: Machine, task: Task, act: () => T): T {
  const { current, stepping } = machine;
  machine.current = task;
  machine.stepping = false;
  try {
    return act();
  } finally {
    machine.current = current;
    machine.stepping = stepping;
  }
}

// biome-ignore lint/suspicious/noExplicitAny: any method
type Method = (...args: any[]) => unknown;
type MethodsOf<O> = { [M in keyof O]: O[M] extends Method ? M : never }[keyof O];

/**
 * When a method is called for the `nth` time with a certain first argument, somebody else acts just
 * before it.
 * @returns whether that has happened
 */
export function when<O extends object, M extends MethodsOf<O>>(
  machine: Machine,
  object: O,
  method: M,
  first: unknown,
  act: () => void,
  nth = 1,
): { readonly happened: boolean } {
  const state = { happened: false };
  const own = Object.getOwnPropertyDescriptor(object, method);
  const original = object[method] as Method;
  const restore = () => {
    if (own) Object.defineProperty(object, method, own);
    else delete object[method];
  };
  let left = nth;
  object[method] = ((...args: unknown[]) => {
    if (args[0] === first && --left === 0) {
      restore();
      as(machine, somebody(machine), act);
      state.happened = true;
    }
    return original.apply(object, args);
  }) as O[M];
  return state;
}

/** Keeps a folio locked, as another task. @returns gives the lock back */
export function lockedElsewhere(machine: Machine, folio: number): () => void {
  const task = somebody(machine);
  as(machine, task, () => machine.folioLock(folio));
  return () => as(machine, task, () => machine.folioUnlock(folio));
}
