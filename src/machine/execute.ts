import type { Machine } from './machine.ts';
import type { Kernel$, Step } from './step.ts';

/**
 * Runs a modelled function in a straight line. Nothing else runs, so it never suspends.
 * @throws KernelBug when the modelled kernel stops
 */
export function runToEnd<T>(machine: Machine, task: Kernel$<T>): T {
  machine.stepping = false;
  const result = task.next();
  if (!result.done) {
    throw new Error('a modelled function suspended in a straight-line run');
  }
  return result.value;
}

/**
 * Runs a modelled function alone, suspended before every step. The outcome equals that of a
 * straight-line run: a test holds it.
 * @param onStep is shown each step before it is taken
 */
export function runStepping<T>(
  machine: Machine,
  task: Kernel$<T>,
  onStep?: (step: Step) => void,
): T {
  machine.stepping = true;
  try {
    for (;;) {
      const result = task.next();
      if (result.done) return result.value;
      const step = result.value;
      if (step.enabled && !step.enabled()) {
        machine.throwBug('deadlock', 'waits for something that nobody will do');
      }
      onStep?.(step);
    }
  } finally {
    machine.stepping = false;
  }
}
