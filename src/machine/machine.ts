import { Counters } from './counters.ts';
import { notModelled } from './finding.ts';
import { Frames } from './frames.ts';
import { Geometry, type GeometryOptions } from './geometry.ts';
import { Lock, type LockClass } from './lock.ts';
import './monitor.ts';
import type { Monitor, Taking } from './monitor.ts';
import { DEVICE_MEMORY, HUGE_POOL, OWN_LOCKS, RAM } from './objects.ts';
import { PageMap, PG_HUGETLB, PG_LOCKED } from './page.ts';
import { PTE_PRESENT, PTE_WRITE } from './pte.ts';
import { Reporter } from './reporter.ts';
import { ObjectKind, Role, type Step, StepKind } from './step.ts';
import { TablePool } from './table.ts';
import { Task } from './task.ts';
import { Tlb } from './tlb.ts';
import type { Folio, Pfn, Pte, Ptep, SpaceId, Vpn } from './units.ts';

export interface MachineOptions extends GeometryOptions {
  /** CPUs, from 1 to 8. Default 1. */
  cpus?: number;
  /** Pages of RAM at most. Default: as many as entries can name. */
  ramPages?: number;
  /** TLB entries a CPU, a power of two. Default 256. */
  tlbEntries?: number;
  /** Fill freed frames with a pattern, so that a use after free reads what nobody wrote. */
  poison?: boolean;
}

/** CPUs at most. */
const MAX_CPUS = 8;
/** Pages of RAM when nobody says how many. */
const UNLIMITED_RAM = 2 ** 21;
/**
 * Pages that one mapping may be promised when nobody says how many pages of RAM there are: what the guest had
 * (`totalram_pages()`, to within 250) on which results were recorded.
 */
const RECORDED_RAM = 1_002_500;
/** Pages of one folio that a step names at most. */
export const NAMED_FRAMES = 4;

/** Thrown where a run in a straight line can never go on, as RAM is used up. */
export class OutOfRam extends Error {
  override readonly name = 'OutOfRam';
}

/** What freed frames are filled with when `poison` is set. */
export const POISON = 0xdb;

/**
 * The hardware, and what every modelled function needs: locks, steps, findings. The state of the
 * modelled kernel is a subclass (mm/kernel.ts).
 */
export class Machine extends Reporter {
  readonly geometry: Geometry;
  readonly frames: Frames;
  readonly pages: PageMap;
  readonly tables: TablePool;
  readonly tlbs: Tlb[] = [];
  readonly counters = new Counters();
  readonly poison: boolean;
  readonly ramLimit: number;
  /** RAM as it counts when memory is promised (`totalram_pages()`): pages. */
  readonly totalRam: number;
  /** Whether tasks are suspended at each step. Off: a run in a straight line. */
  stepping = false;
  /** The task that runs now; an executor sets it before it resumes a task. */
  current: Task;
  /** Allocations that the executor wants to fail: the next so many `mayFail` calls return true. */
  failAllocations = 0;
  /** Whether the executor wants the lock let go that the step which it takes may let go. */
  letGo = false;
  /** Whether one was made to fail. */
  allocationFailed = false;
  /** Who looks at what tasks do, if anyone. */
  monitor: Monitor | null = null;
  /** Steps that the executor let tasks take. */
  steps = 0;
  private lockCount = 0;
  /** The folio that was allocated last, and in which step; nothing of the state, which ends the same without. */
  #fresh = -1;
  #freshSince = -1;

  constructor(options: MachineOptions = {}) {
    super();
    this.geometry = new Geometry(options);
    this.frames = new Frames(this.geometry.pageBytes);
    const cpus = options.cpus ?? 1;
    if (!Number.isInteger(cpus) || cpus < 1 || cpus > MAX_CPUS)
      throw new RangeError(`cpus: expected an integer from 1 to ${MAX_CPUS}, got ${cpus}`);
    this.pages = new PageMap(this.geometry, cpus);
    this.tables = new TablePool(this.geometry, cpus);
    for (let cpu = 0; cpu < cpus; cpu++) this.tlbs.push(new Tlb(options.tlbEntries));
    this.poison = options.poison ?? false;
    this.ramLimit = options.ramPages ?? UNLIMITED_RAM;
    this.totalRam = options.ramPages ?? RECORDED_RAM;
    this.current = new Task(1, 'main', 0);
  }

  /** Linux would kill a process here, which the model does not. */
  outOfRam(): never {
    throw new OutOfRam(`all ${this.ramLimit} pages of RAM are in use`);
  }

  // ---- locks ----

  newLock(name: string, lockClass: LockClass): Lock {
    return new Lock(OWN_LOCKS + this.lockCount++, name, lockClass);
  }

  /** The step before `lock`: enabled while the lock is free. */
  acquire(lock: Lock, shared = false): Step {
    const role = shared ? Role.AcquireShared : Role.Acquire;
    const step = this.current.pending.set(StepKind.Acquire, ObjectKind.Lock, lock.id, role);
    step.enabled = () => lock.available(shared);
    return step;
  }

  /** The step before `tryLock`. */
  tryAcquire(lock: Lock): Step {
    return this.current.pending.set(StepKind.TryAcquire, ObjectKind.Lock, lock.id, Role.TryAcquire);
  }

  /** The step before `unlock` or `unlockShared`. */
  release(lock: Lock): Step {
    const role = lock.owner === null ? Role.ReleaseShared : Role.Release;
    return this.current.pending.set(StepKind.Release, ObjectKind.Lock, lock.id, role);
  }

  /**
   * What a task does with a lock the step that it has just taken must name: on this rests that two steps
   * that touch nothing in common may be taken in either order, and so what a search says of all schedules.
   */
  private named(space: ObjectKind, id: number, role: Role): boolean {
    return !this.stepping || this.current.pending.names(space, id, role);
  }

  private unnamed(does: string, what: string): void {
    this.report('unnamed step', `${does} ${what} without a step that names it`);
  }

  /** Takes a lock that the executor knows to be free. */
  lock(lock: Lock): void {
    if (!this.named(ObjectKind.Lock, lock.id, Role.Acquire)) this.unnamed('takes', lock.name);
    if (lock.owner !== null || lock.readers.length > 0) this.deadlock(lock.name);
    const task = this.current;
    if (lock.lockClass === 'spin') task.spinDepth++;
    else if (task.spinDepth > 0) this.sleepsUnderSpinlock(lock.name);
    lock.owner = task;
    task.held.push(lock);
    if (this.monitor !== null) this.monitor.onLock(lock, 'waits');
  }

  lockShared(lock: Lock): void {
    if (!this.named(ObjectKind.Lock, lock.id, Role.AcquireShared)) {
      this.unnamed('takes for reading', lock.name);
    }
    if (lock.owner !== null) this.deadlock(lock.name);
    const task = this.current;
    if (task.spinDepth > 0) this.sleepsUnderSpinlock(lock.name);
    if (this.monitor !== null) this.monitor.onLock(lock, 'shares');
    lock.readers.push(task);
    task.held.push(lock);
  }

  tryLock(lock: Lock): boolean {
    if (!this.named(ObjectKind.Lock, lock.id, Role.TryAcquire)) this.unnamed('tries', lock.name);
    if (lock.owner !== null || lock.readers.length > 0) return false;
    if (lock.lockClass === 'spin') this.current.spinDepth++;
    lock.owner = this.current;
    this.current.held.push(lock);
    if (this.monitor !== null) this.monitor.onLock(lock, 'tries');
    return true;
  }

  unlock(lock: Lock): void {
    const task = this.current;
    if (lock.owner !== task) {
      this.report('lock', `unlock of ${lock.name}, which the task does not hold`);
      return;
    }
    if (!this.named(ObjectKind.Lock, lock.id, Role.Release)) this.unnamed('releases', lock.name);
    lock.owner = null;
    if (lock.lockClass === 'spin') task.spinDepth--;
    this.forget(task, lock);
  }

  unlockShared(lock: Lock): void {
    const task = this.current;
    const at = lock.readers.indexOf(task);
    if (at < 0) {
      this.report('lock', `read unlock of ${lock.name}, which the task does not hold`);
      return;
    }
    if (!this.named(ObjectKind.Lock, lock.id, Role.ReleaseShared))
      this.unnamed('releases', lock.name);
    if (at === lock.readers.length - 1) lock.readers.pop();
    else lock.readers.splice(at, 1);
    this.forget(task, lock);
  }

  private forget(task: Task, lock: Lock): void {
    if (this.monitor !== null) this.monitor.onUnlock(lock);
    const held = task.held;
    if (held[held.length - 1] === lock) held.pop();
    else held.splice(held.lastIndexOf(lock), 1);
  }

  /** A failed lockdep_assert_held(). */
  assertHeld(lock: Lock): void {
    if (!lock.heldBy(this.current)) this.report('lock', `${lock.name} is not held`);
  }

  mightSleep(what: string): void {
    if (this.current.spinDepth > 0) this.sleepsUnderSpinlock(what);
  }

  /**
   * An allocation that waits until there is memory (might_alloc(GFP_KERNEL)). Linux takes pages of any process then,
   * and tells notifiers of it: no lock may be held that one of them takes.
   */
  mightAlloc(): void {
    this.mightSleep('memory');
    if (this.monitor !== null) this.monitor.onAlloc();
  }

  private sleepsUnderSpinlock(what: string): void {
    this.report('lock', `sleeps for ${what} under a spinlock`);
  }

  private deadlock(what: string): never {
    this.throwBug('deadlock', `waits for ever for ${what}`);
  }

  // ---- steps ----

  step(kind: StepKind, object: ObjectKind, id: number, role: Role): Step {
    return this.current.pending.set(kind, object, id, role);
  }

  /** The step before a page-table entry is written. */
  writeEntry(ptep: Ptep): Step {
    return this.step(StepKind.WriteEntry, ObjectKind.Entry, ptep, Role.Write);
  }

  readEntry(ptep: Ptep): Step {
    return this.step(StepKind.ReadEntry, ObjectKind.Entry, ptep, Role.Read);
  }

  /** The step before a folio's count or flags are changed. */
  writeFolio(folio: Folio): Step {
    return this.step(StepKind.Folio, ObjectKind.Folio, folio, Role.Write);
  }

  readFolio(folio: Folio): Step {
    return this.step(StepKind.Folio, ObjectKind.Folio, folio, Role.Read);
  }

  /** The step before a folio becomes other folios: each of its pages may be one. */
  splitStep(folio: Folio): Step {
    const step = this.writeFolio(folio);
    const pages = this.namedPages(step, this.pages.order[folio]);
    for (let i = 1; i < pages; i++) step.and(ObjectKind.Folio, folio + i, Role.Write);
    return step;
  }

  /** The step before a page of RAM is copied, or written as a whole. */
  copyStep(to: Pfn, from: Pfn = -1): Step {
    const step = this.step(StepKind.Copy, ObjectKind.Frame, to, Role.Write);
    return from < 0 ? step : step.and(ObjectKind.Frame, from, Role.Read);
  }

  /**
   * The step before RAM is allocated. Each CPU takes what it freed itself before anything else, so
   * that allocations commute as long as there is enough.
   */
  allocateStep(order = 0): Step {
    const limited = this.ramLimit < UNLIMITED_RAM;
    const role = limited ? Role.Write : Role.Commute;
    const step = this.step(StepKind.Allocate, ObjectKind.Allocator, RAM, role);
    const pfn = this.pages.nextFree(order, this.current.cpu);
    return pfn < 0 ? step : this.alsoFreed(step.and(ObjectKind.Folio, pfn, Role.Write), pfn, order);
  }

  /**
   * The step before the pool of huge pages, or its count of reservations, is looked at or changed.
   * @param pfn the page that would be taken; -1: none
   */
  poolStep(pfn: Pfn = -1): Step {
    const step = this.step(StepKind.Shared, ObjectKind.Allocator, HUGE_POOL, Role.Write);
    const order = this.geometry.pmdOrder;
    return pfn < 0 ? step : this.alsoFreed(step.and(ObjectKind.Folio, pfn, Role.Write), pfn, order);
  }

  /** The step before a folio of RAM is freed, whose last reference is gone. */
  freeStep(folio: Folio): Step {
    const step = this.step(StepKind.Folio, ObjectKind.Folio, folio, Role.Write);
    if (this.pages.flags[folio] & PG_HUGETLB) step.and(ObjectKind.Allocator, HUGE_POOL, Role.Write);
    if (this.ramLimit < UNLIMITED_RAM) step.and(ObjectKind.Allocator, RAM, Role.Write);
    return this.alsoFreed(step, folio, this.pages.order[folio]);
  }

  /** Pages of a folio that a step names: of a large one not all, which it says. */
  private namedPages(step: Step, order: number): number {
    const pages = 1 << order;
    if (pages > NAMED_FRAMES) step.leavesOut = true;
    return Math.min(pages, NAMED_FRAMES);
  }

  /** What becomes of the bytes of freed pages shows to who still reads them. */
  private alsoFreed(step: Step, folio: Folio, order: number): Step {
    const pages = this.namedPages(step, order);
    for (let i = 0; i < pages; i++) step.and(ObjectKind.Frame, folio + i, Role.Write);
    return step;
  }

  /** The step before a CPU's batches of folios are changed. */
  batchStep(cpu: number): Step {
    return this.step(StepKind.Shared, ObjectKind.Batch, cpu, Role.Write);
  }

  /** The step before an allocation that must not fail (__GFP_NOFAIL). */
  allocateNoFailStep(order = 0): Step {
    const step = this.allocateStep(order);
    step.kind = StepKind.Shared;
    return step;
  }

  /**
   * The same step, before which the lock that is held may be let go, as others want it or the CPU
   * (need_resched(), spin_needbreak()). Whether it is, `letsGo()` says behind it: it was not taken then.
   */
  orLetGo(step: Step): Step {
    step.mayLetGo = true;
    return step;
  }

  /** Whether the lock is let go here. In a straight line it never is. */
  letsGo(): boolean {
    const { letGo } = this;
    this.letGo = false;
    return letGo;
  }

  /** Waits until `ready`; `what` names it when it never comes. */
  waitFor(object: ObjectKind, id: number, ready: () => boolean, role: Role = Role.Read): Step {
    const step = this.step(StepKind.Wait, object, id, role);
    step.enabled = ready;
    return step;
  }

  /** After a wait: in a straight line nobody else can make the condition true. */
  waited(ready: boolean, what: string): void {
    if (!ready) this.deadlock(what);
  }

  /** A device's operation that takes time: the step is over when it settles. */
  deviceWait(pending: PromiseLike<void>): Step {
    const step = this.step(StepKind.Wait, ObjectKind.DeviceFrame, DEVICE_MEMORY, Role.Write);
    step.pending = pending;
    return step;
  }

  /** Whether an allocation that may fail does so now. */
  mayFail(): boolean {
    if (this.failAllocations === 0) return false;
    this.failAllocations--;
    this.allocationFailed = true;
    return true;
  }

  /** A folio was allocated: until the task's next step nobody else has seen it. */
  allocated(folio: Folio): void {
    this.#fresh = folio;
    this.#freshSince = this.steps;
  }

  // ---- folio locks ----

  /** folio_trylock(), without its step. A folio that was allocated since the task's last step needs none. */
  folioTryLock(folio: Folio): boolean {
    const fresh = this.#fresh === folio && this.#freshSince === this.steps;
    if (!fresh && !this.named(ObjectKind.FolioLock, folio, Role.TryAcquire)) {
      this.unnamed('tries', `the lock of folio ${folio}`);
    }
    return this.takeFolio(folio, 'tries');
  }

  /**
   * Locks a folio that was just allocated (__folio_set_locked()). Nobody else knows it yet but who looks
   * at pages by number, with whom the step before the allocation has to do: it names the folio.
   */
  folioSetLocked(folio: Folio): void {
    this.takeFolio(folio, 'tries');
  }

  private takeFolio(folio: Folio, taking: Taking): boolean {
    const flags = this.pages.flags;
    if (flags[folio] & PG_LOCKED) return false;
    flags[folio] = flags[folio] | PG_LOCKED;
    this.pages.lockOwner[folio] = this.current.id;
    this.current.folioLocks++;
    this.counters.folioLocks++;
    if (this.monitor !== null) this.monitor.onFolioLock(folio, taking);
    return true;
  }

  /** The step before `folioLock`: enabled while the folio is unlocked. */
  acquireFolio(folio: Folio): Step {
    const step = this.step(StepKind.Acquire, ObjectKind.FolioLock, folio, Role.Acquire);
    step.enabled = () => (this.pages.flags[folio] & PG_LOCKED) === 0;
    return step;
  }

  /** The step before `folioTryLock`, and what the task does with a folio that it then holds. */
  tryAcquireFolio(folio: Folio): Step {
    const step = this.step(StepKind.TryAcquire, ObjectKind.FolioLock, folio, Role.TryAcquire);
    return step.and(ObjectKind.Folio, folio, Role.Write);
  }

  /** The step before `folioUnlock`, and before a reference that goes with the lock is dropped. */
  releaseFolio(folio: Folio): Step {
    const step = this.step(StepKind.Release, ObjectKind.FolioLock, folio, Role.Release);
    return step.and(ObjectKind.Folio, folio, Role.Write);
  }

  folioLock(folio: Folio): void {
    if (!this.named(ObjectKind.FolioLock, folio, Role.Acquire)) {
      this.unnamed('takes', `the lock of folio ${folio}`);
    }
    if (this.current.spinDepth > 0) this.sleepsUnderSpinlock(`the lock of folio ${folio}`);
    if (!this.takeFolio(folio, 'waits')) this.deadlock(`the lock of folio ${folio}`);
  }

  folioUnlock(folio: Folio): void {
    const flags = this.pages.flags;
    if (!this.named(ObjectKind.FolioLock, folio, Role.Release)) {
      this.unnamed('releases', `the lock of folio ${folio}`);
    }
    if ((flags[folio] & PG_LOCKED) === 0) {
      this.report('lock', `unlock of folio ${folio}, which is not locked`);
      return;
    }
    if (this.pages.lockOwner[folio] !== this.current.id) {
      this.report('lock', `unlock of folio ${folio}, which another task locked`);
    }
    flags[folio] = flags[folio] & ~PG_LOCKED;
    this.pages.lockOwner[folio] = 0;
    this.current.folioLocks--;
    if (this.monitor !== null) this.monitor.onFolioUnlock(folio);
  }

  folioLocked(folio: Folio): boolean {
    return (this.pages.flags[folio] & PG_LOCKED) !== 0;
  }

  // ---- TLBs ----

  /** Flushes a page from every CPU's TLB (flush_tlb_page()). */
  flushTlbPage(space: SpaceId, vpn: Vpn): void {
    this.counters.tlbFlushes++;
    for (const tlb of this.tlbs) tlb.flushPage(space, vpn);
  }

  /** Flushes `start` to `end` (pages, exclusive) from every CPU's TLB. */
  flushTlbRange(space: SpaceId, start: Vpn, end: Vpn): void {
    this.counters.tlbFlushes++;
    for (const tlb of this.tlbs) tlb.flushRange(space, start, end);
  }

  flushTlbSpace(space: SpaceId): void {
    this.counters.tlbFlushes++;
    for (const tlb of this.tlbs) tlb.flushSpace(space);
  }

  /** The step before a flush of whatever part of an address space. */
  flushStep(space: SpaceId): Step {
    return this.step(StepKind.TlbFlush, ObjectKind.Tlb, space, Role.Commute);
  }

  /** Whether a cached or table entry lets the hardware read, or write. */
  static permits(pte: Pte, write: boolean): boolean {
    return (pte & PTE_PRESENT) !== 0 && (!write || (pte & PTE_WRITE) !== 0);
  }
}

notModelled(Machine);
