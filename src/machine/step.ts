/**
 * Steps. A modelled kernel function is a generator that yields a step *before* each operation that
 * another CPU could see or be blocked by. The yield is guarded by `machine.stepping`, so a run in a
 * straight line skips it:
 *
 *     if (k.stepping) yield k.acquire(ptl);
 *     k.lock(ptl);
 *
 * Each task owns one Step object, which is filled anew for each step: a task has at most one step
 * pending.
 */

import { modelledStack, notModelled } from './finding.ts';
export const StepKind = {
  /** Take a lock, waiting for it. */
  Acquire: 0,
  /** Try to take a lock. */
  TryAcquire: 1,
  Release: 2,
  /** Read a page-table entry without the lock that excludes others. */
  ReadEntry: 3,
  WriteEntry: 4,
  /** Read or change a folio's reference count, map count or flags. */
  Folio: 5,
  TlbFill: 6,
  TlbFlush: 7,
  /** A CPU reads or writes memory. */
  CpuAccess: 8,
  /** A device reads or writes memory through its own page table. */
  DeviceAccess: 9,
  /** Copy or clear a page. */
  Copy: 10,
  /** Allocate something that may not be there. */
  Allocate: 11,
  /** Wait for a condition. */
  Wait: 12,
  /** Read or change state that a lock of its own guards (a notifier's sequence, a flag). */
  Shared: 13,
} as const;
export type StepKind = (typeof StepKind)[keyof typeof StepKind];

/** What kind of object a step touches; with the object's number it names the object. */
export const ObjectKind = {
  None: 0,
  Lock: 1,
  /** A page-table entry: the entry's index in the table pool. */
  Entry: 2,
  /** A folio: its first page's frame number. */
  Folio: 3,
  /** A virtual page of an address space in the TLBs. */
  Tlb: 4,
  /** The bytes of a frame. */
  Frame: 5,
  /** The bytes of a page of device memory. */
  DeviceFrame: 6,
  Allocator: 7,
  /** A notifier's sequence number. */
  Sequence: 8,
  /** An entry of a device's page table. */
  DeviceEntry: 9,
  /** A folio's lock: its first page's frame number. */
  FolioLock: 10,
  /** An open file: its device. */
  File: 11,
  /** A CPU's batches of folios on their way to the LRU lists. */
  Batch: 12,
  /** A page of the page cache: the file's number and the page's. */
  Cache: 13,
  /** State of an address space that is looked at without its lock. */
  Mm: 14,
  /** What a program keeps between operations (its pins, a driver's flags). */
  Program: 15,
  /** The missing faults of a userfaultfd that wait for its monitor. */
  Userfault: 16,
  /** The references on a range of device memory: its zone. */
  Pagemap: 17,
} as const;
export type ObjectKind = (typeof ObjectKind)[keyof typeof ObjectKind];

/**
 * What a step does with one object. Two steps depend on each other when what they do with one
 * object does not commute.
 */
export const Role = {
  Read: 0,
  Write: 1,
  /** Changes it, in a way that commutes with others of this role: fills, flushes, allocations. */
  Commute: 2,
  Acquire: 3,
  AcquireShared: 4,
  TryAcquire: 5,
  Release: 6,
  ReleaseShared: 7,
} as const;
export type Role = (typeof Role)[keyof typeof Role];

/** Objects that a step names at most. */
export const NAMED_AT_MOST = 8;

/** What a task is about to do, and on which objects. A task has one, which says its next step. */
export class Step {
  /** Note the modelled functions on the stack with each step. Slow: for reports. */
  static traced = false;

  kind: StepKind = StepKind.Shared;
  /** Objects that the step touches; the first is what it is about. */
  count = 0;
  readonly objects: ObjectKind[] = new Array(NAMED_AT_MOST).fill(ObjectKind.None);
  readonly ids: number[] = new Array(NAMED_AT_MOST).fill(0);
  readonly roles: Role[] = new Array(NAMED_AT_MOST).fill(Role.Read);
  /** Whether it touches pages of a folio that it does not name: there are too many. */
  leavesOut = false;
  /** Whether a lock may be let go before it, which is a choice of the schedule: `Machine.orLetGo()`. */
  mayLetGo = false;
  /** Whether the step can be taken now; null: always. */
  enabled: (() => boolean) | null = null;
  /** A device's operation that takes time: the step is over when it settles. */
  pending: PromiseLike<void> | null = null;
  /** Where `traced`: the modelled functions, innermost first. */
  stack: readonly string[] = [];

  get object(): ObjectKind {
    return this.objects[0];
  }
  get id(): number {
    return this.ids[0];
  }
  get write(): boolean {
    return this.roles[0] !== Role.Read;
  }

  set(kind: StepKind, object: ObjectKind, id: number, role: Role): this {
    this.kind = kind;
    this.count = 1;
    this.objects[0] = object;
    this.ids[0] = id;
    this.roles[0] = role;
    this.leavesOut = false;
    this.mayLetGo = false;
    this.enabled = null;
    this.pending = null;
    if (Step.traced) this.stack = modelledStack();
    return this;
  }

  /**
   * The step touches this object too.
   * @throws Error when it names `NAMED_AT_MOST` already: what is left out would not be searched
   */
  and(object: ObjectKind, id: number, role: Role): this {
    if (this.count === NAMED_AT_MOST) {
      throw new Error(`a step names ${NAMED_AT_MOST} objects at most`);
    }
    const at = this.count++;
    this.objects[at] = object;
    this.ids[at] = id;
    this.roles[at] = role;
    return this;
  }

  /** Whether the step says that it does this with this object. */
  names(space: ObjectKind, id: number, role: Role): boolean {
    for (let i = 0; i < this.count; i++) {
      if (this.ids[i] === id && this.objects[i] === space && this.roles[i] === role) return true;
    }
    return false;
  }

  /** Whether the step says that it does this with some object of this kind. */
  touches(space: ObjectKind, role: Role): boolean {
    for (let i = 0; i < this.count; i++) {
      if (this.objects[i] === space && this.roles[i] === role) return true;
    }
    return false;
  }
}

notModelled(Step);

/** A modelled kernel function that returns `T`. */
export type Kernel$<T> = Generator<Step, T, void>;
