/** How the test driver goes on where others are in its way, of which lib/test_hmm.c has a clock alone. */

import { type Kernel$, ObjectKind, Role, StepKind } from '../machine/step.ts';
import type { Kernel } from '../mm/kernel.ts';

/** How the driver goes on where others are in its way. (An object, so that a test can put back what has no end.) */
export const PATIENCE = {
  /**
   * Tries after which an operation gives a page up that is taken away each time, with -EBUSY. It stands for the time
   * that the kernel's driver allows (HMM_RANGE_DEFAULT_TIMEOUT): the model has no clock.
   */
  tries: 16,
  /** The most steps that `backOff` waits. */
  longestWait: 4096,
};

/**
 * Waits before something is tried again that failed as others were at it, twice as long each time, so that they get on.
 *
 * Mirrors: lib/test_hmm.c dmirror_device_evict_chunk()
 * differs: stock evicts once, and leaves what somebody is at
 * @param failed how often it has failed
 */
export function* backOff(k: Kernel, failed: number): Kernel$<void> {
  const steps = Math.min(2 ** failed, PATIENCE.longestWait);
  for (let i = 0; i < steps; i++) {
    if (k.stepping) yield k.step(StepKind.Wait, ObjectKind.None, 0, Role.Read);
  }
}
