import type { Task } from './task.ts';

/** How a lock behaves: a spinlock forbids sleeping while it is held; a rwsem has readers. */
export type LockClass = 'spin' | 'mutex' | 'rwsem';

/**
 * A lock with its owner. All waiting is done by the executor: a task that would wait yields an
 * Acquire step which is not enabled while the lock is taken.
 */
export class Lock {
  /** The task that holds the lock (for a rwsem: for writing). */
  owner: Task | null = null;
  /** Tasks that hold a rwsem for reading. */
  readers: Task[] = [];
  /** What kind of lock it is, as whoever looks at the order of locks numbers them; 0: not yet. */
  kind = 0;

  constructor(
    readonly id: number,
    /** What the lock guards, such as `ptl 17` or `mmap_lock of process 0`. */
    readonly name: string,
    readonly lockClass: LockClass,
  ) {}

  /** Whether `task` could take the lock now. */
  available(shared: boolean): boolean {
    return this.owner === null && (shared || this.readers.length === 0);
  }

  get held(): boolean {
    return this.owner !== null || this.readers.length > 0;
  }

  heldBy(task: Task): boolean {
    return this.owner === task || this.readers.includes(task);
  }
}
