/**
 * A driver as the bugs need it: it hands out its memory in runs of any order, and its copy engine may
 * fail.
 *
 * After: drivers/gpu/drm/nouveau/nouveau_dmem.c
 */
import { MIGRATE_VMA_SELECT_DEVICE_PRIVATE, migrateVmaArgs } from '../../src/hmm/migrate-args.ts';
import { migrateVmaFinalize, migrateVmaPages, migrateVmaSetup } from '../../src/hmm/migrate-vma.ts';
import {
  MIGRATE_PFN_COMPOUND,
  MIGRATE_PFN_MIGRATE,
  migratePfn,
  migratePfnToPfn,
} from '../../src/hmm/pfn.ts';
import { ArrayDeviceMemory } from '../../src/machine/device-memory.ts';
import type { Kernel$, Lock } from '../../src/machine/index.ts';
import { VM_FAULT_OOM, VM_FAULT_SIGBUS, type VmFault } from '../../src/mm/fault.ts';
import { folioAlloc, folioFree, folioOrder, folioPutTestzero } from '../../src/mm/folio.ts';
import {
  DevPagemap,
  type DevPagemapOps,
  Holder,
  type Kernel,
  memremapPages,
} from '../../src/mm/index.ts';
import { pagePgmap, zoneDevicePageInit } from '../../src/mm/memremap.ts';
import type { System } from '../../src/program/system.ts';
import { migrationOf, underMmapLock } from './tasks.ts';

interface FreeRun {
  pfn: number;
  order: number;
}

const poolOfPage = (k: Kernel, pfn: number): Pool => pagePgmap(k, pfn).owner as Pool;

const OPS: DevPagemapOps = {
  folioFree: (k, folio) => poolOfPage(k, folio).release(k, folio),
  migrateToRam: (k, vmf) => poolOfPage(k, vmf.page).migrateToRam(k, vmf),
  folioSplit() {},
};

export class Pool {
  readonly memory: ArrayDeviceMemory;
  readonly lock: Lock;
  readonly pagemap: DevPagemap;
  /** Of any order; the last one is handed out first. */
  readonly free: FreeRun[] = [];

  /**
   * @param runs orders of the runs that it begins with, each `2^order` pages
   * @param fromEnd which part of a run is handed out if not all of it is wanted
   */
  constructor(
    k: Kernel,
    runs: readonly number[],
    private readonly fromEnd = true,
  ) {
    this.memory = new ArrayDeviceMemory(k.geometry.pageBytes);
    this.lock = k.newLock('free list of the pool', 'spin');
    this.pagemap = new DevPagemap(this, OPS, this.memory, 0);
    const pages = runs.reduce((sum, order) => sum + (1 << order), 0);
    memremapPages(k, this.pagemap, pages);
    let pfn = this.pagemap.start;
    for (const order of runs) {
      this.free.push({ pfn, order });
      pfn += 1 << order;
    }
  }

  /** A run, locked and with one reference, out of the newest free one; -1 for none. */
  *alloc(k: Kernel, order: number): Kernel$<number> {
    if (k.stepping) yield k.acquire(this.lock);
    k.lock(this.lock);
    const at = this.free.findLastIndex((run) => run.order >= order);
    let pfn = -1;
    if (at >= 0) {
      const run = this.free[at];
      this.free.splice(at, 1);
      // what is not needed goes back, in halves
      pfn = run.pfn;
      for (let half = run.order - 1; half >= order; half--) {
        const pages = 1 << half;
        this.free.push({ pfn: this.fromEnd ? pfn : pfn + pages, order: half });
        if (this.fromEnd) pfn += pages;
      }
    }
    if (k.stepping) yield k.release(this.lock);
    k.unlock(this.lock);
    if (pfn < 0) return -1;
    if (k.stepping) yield k.writeFolio(pfn);
    zoneDevicePageInit(k, pfn, order);
    return pfn;
  }

  *release(k: Kernel, folio: number): Kernel$<void> {
    const order = folioOrder(k, folio);
    if (k.stepping) yield k.acquire(this.lock);
    k.lock(this.lock);
    this.free.push({ pfn: folio, order });
    if (k.stepping) yield k.release(this.lock);
    k.unlock(this.lock);
  }

  /** Takes a run and gives it back. */
  *borrow(k: Kernel, order: number): Kernel$<void> {
    const pfn = yield* this.alloc(k, order);
    if (pfn < 0) return;
    if (k.stepping) yield k.releaseFolio(pfn);
    k.folioUnlock(pfn);
    if (folioPutTestzero(k, pfn, Holder.Alloc)) yield* folioFree(k, pfn);
  }

  /** @returns whether the page was copied (nouveau_dmem_copy_one()) */
  private *copyOut(k: Kernel, to: number, page: number): Kernel$<boolean> {
    if (k.stepping) yield k.allocateStep();
    if (k.mayFail()) return false;
    if (k.stepping) yield k.copyStep(to, page);
    k.monitor?.onMove(page);
    this.memory.copyToRam(k.frames, to, this.pagemap.devicePage(page), 1);
    return true;
  }

  /** nouveau_dmem_migrate_to_ram() */
  *migrateToRam(k: Kernel, vmf: VmFault): Kernel$<number> {
    const args = migrateVmaArgs(1, this);
    args.vma = vmf.vma;
    args.start = vmf.vpn;
    args.end = vmf.vpn + 1;
    args.flags = MIGRATE_VMA_SELECT_DEVICE_PRIVATE;
    args.faultPage = vmf.page;
    if (yield* migrateVmaSetup(k, args)) return VM_FAULT_SIGBUS;
    const page = migratePfnToPfn(args.src[0]);
    let ret = 0;
    if (page >= 0 && args.src[0] & MIGRATE_PFN_MIGRATE) {
      const ram = folioAlloc(k, 0);
      if (ram < 0) ret = VM_FAULT_OOM;
      else {
        k.folioSetLocked(ram);
        if (yield* this.copyOut(k, ram, page)) args.dst[0] = migratePfn(ram);
        else {
          ret = VM_FAULT_SIGBUS;
          if (k.stepping) yield k.releaseFolio(ram);
          k.folioUnlock(ram);
          if (folioPutTestzero(k, ram, Holder.Alloc)) yield* folioFree(k, ram);
        }
      }
      yield* migrateVmaPages(k, args);
    }
    yield* migrateVmaFinalize(k, args);
    return ret;
  }

  /** Takes pages of process 0 into the pool (nouveau_dmem_migrate_vma()). */
  migrate(system: System, page: number, pages: number): Kernel$<void> {
    const { memory, pagemap } = this;
    const alloc = (k: Kernel, order: number) => this.alloc(k, order);
    return underMmapLock(system, function* () {
      const k = system.kernel;
      const args = migrationOf(system, page, pages);
      if (yield* migrateVmaSetup(k, args)) return;
      for (let i = 0; i < pages; ) {
        const src = args.src[i];
        const large = (src & MIGRATE_PFN_COMPOUND) !== 0;
        const count = large ? k.geometry.ptrsPerPte : 1;
        const to =
          src & MIGRATE_PFN_MIGRATE ? yield* alloc(k, large ? k.geometry.pmdOrder : 0) : -1;
        if (to >= 0) {
          const from = migratePfnToPfn(src);
          for (let j = 0; j < count; j++) {
            const at = pagemap.devicePage(to + j);
            if (k.stepping) yield k.copyStep(to + j, from < 0 ? -1 : from + j);
            if (from < 0) memory.clear(at);
            else {
              k.monitor?.onMove(from + j);
              memory.copyFromRam(at, k.frames, from + j, 1);
            }
          }
          args.dst[i] = migratePfn(to) | (large ? MIGRATE_PFN_COMPOUND : 0);
        }
        i += count;
      }
      yield* migrateVmaPages(k, args);
      yield* migrateVmaFinalize(k, args);
    });
  }
}

/** The pool of a system that has one. */
export function poolOf(system: System): Pool {
  for (const pagemap of system.kernel.pagemaps) {
    if (pagemap?.owner instanceof Pool) return pagemap.owner;
  }
  throw new Error('no pool');
}
