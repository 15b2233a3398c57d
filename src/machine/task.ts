import type { Lock } from './lock.ts';
import { Step } from './step.ts';

/** Something that runs modelled kernel functions: a thread on a CPU, or a device's fault handler. */
export class Task {
  readonly pending = new Step();
  /** The device folio that it gives back to its driver, who may look at it still; -1: none. */
  givesBack = -1;
  /** Locks held, in the order of taking. */
  readonly held: Lock[] = [];
  /** Spinlocks held: sleeping is forbidden while it is not 0. */
  spinDepth = 0;
  /** Folio locks held. */
  folioLocks = 0;
  /** What it does, in a word, for those who look on. */
  doing: string;
  /** Operations that it has ended: as long as they do, it gets on. */
  ended = 0;

  constructor(
    /** From 1: 0 in an array of owners means nobody. */
    readonly id: number,
    readonly name: string,
    /** The CPU that it runs on, and whose TLB it uses. */
    readonly cpu: number,
  ) {
    this.doing = name;
  }
}
