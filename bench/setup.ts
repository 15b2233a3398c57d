/** The machine that is measured, and the two ways of a driver's fault handler. */

import { migratePrepared } from '../src/drivers/device-fault.ts';
import { DmirrorFault } from '../src/drivers/dmirror-migrate.ts';
import { type Dmirror, deviceAccess } from '../src/drivers/index.ts';
import {
  HMM_PFN_REQ_FAULT,
  HMM_PFN_REQ_MIGRATE,
  HMM_PFN_REQ_WRITE,
  type HmmRange,
  hmmRangeFault,
  MIGRATE_VMA_SELECT_COMPOUND,
  MIGRATE_VMA_SELECT_SYSTEM,
  type MigrateVma,
  migrateHmmRangeSetup,
  migrateVmaArgs,
  migrateVmaSetup,
} from '../src/hmm/index.ts';
import { type Kernel$, runToEnd } from '../src/machine/index.ts';
import {
  cpuWriteWord,
  type Kernel,
  type Mm,
  madvise,
  mmapRegion,
  munmap,
} from '../src/mm/index.ts';
import { mmuIntervalReadBegin } from '../src/mm/mmu-notifier.ts';
import { VM_READ, VM_WRITE } from '../src/mm/vma.ts';
import { System, type SystemOptions } from '../src/program/system.ts';

/** Pages that one walk covers: a lowest-level page table. */
export const CHUNK = 512;

/** A system with an open device, and what the measurements do to it. */
export class Bench {
  readonly system: System;
  readonly k: Kernel;
  readonly mm: Mm;
  readonly mirror: Dmirror;

  constructor(options: SystemOptions = {}) {
    this.system = new System({ poison: false, ...options });
    this.k = this.system.kernel;
    this.mm = this.system.process(0).mm;
    this.mirror = this.system.mirrors[0];
  }

  /** Runs a modelled function that must succeed. */
  run<T>(task: Kernel$<T>): T {
    const result = runToEnd(this.k, task);
    const ret = typeof result === 'object' && result && 'ret' in result ? result.ret : result;
    if (typeof ret === 'number' && ret < 0) throw new Error(`errno ${-ret}`);
    return result;
  }

  /** Maps `pages` pages of anonymous memory. @returns the first */
  map(pages: number, start = this.k.geometry.vpnOf(0, 0)): number {
    this.run(mmapRegion(this.k, this.mm, start, start + pages, VM_READ | VM_WRITE, null));
    return start;
  }

  unmap(start: number, pages: number): void {
    this.run(munmap(this.k, this.mm, start, start + pages));
  }

  /** Maps as much as `count` huge pages, and a CPU writes to each. @returns the first page */
  mapHuge(count: number): number {
    const pages = count * CHUNK;
    const start = this.map(pages);
    this.run(madvise(this.k, this.mm, start, start + pages, 'hugepage'));
    for (let i = 0; i < count; i++) this.touch(start + i * CHUNK, 1);
    return start;
  }

  /** A CPU writes to each page. */
  touch(start: number, pages: number): void {
    for (let vpn = start; vpn < start + pages; vpn++) {
      this.run(cpuWriteWord(this.k, this.mm, vpn, vpn));
    }
  }

  /** The device reads each page. */
  deviceRead(start: number, pages: number): void {
    this.run(deviceAccess(this.k, this.mirror, start, start + pages, null));
  }

  /** A range for `hmm_range_fault()`. */
  range(start: number, end: number, flags: number): HmmRange {
    return {
      notifier: this.mirror.notifier,
      notifierSeq: 0,
      start,
      end,
      hmmPfns: new Int32Array(end - start),
      defaultFlags: flags,
      pfnFlagsMask: 0,
      devPrivateOwner: this.mirror.device,
      migrate: null,
    };
  }

  /** Walks pages without faulting, a page table at a time. */
  *snapshot(start: number, pages: number): Kernel$<number> {
    const { k, mm } = this;
    k.lockShared(mm.mmapLock);
    let ret = 0;
    for (let vpn = start; vpn < start + pages && !ret; vpn += CHUNK) {
      const range = this.range(vpn, Math.min(vpn + CHUNK, start + pages), 0);
      range.notifierSeq = yield* mmuIntervalReadBegin(k, this.mirror.notifier);
      ret = yield* hmmRangeFault(k, range);
    }
    k.unlockShared(mm.mmapLock);
    return ret;
  }

  /**
   * Migrates what is present: prepare, allocate, copy, move, map. Nothing is read back.
   * @param chunk pages of one migration
   */
  *migrate(start: number, pages: number, chunk = CHUNK): Kernel$<number> {
    const { k, mm } = this;
    k.lockShared(mm.mmapLock);
    let ret = 0;
    const args = this.args(start, start + Math.min(chunk, pages));
    for (let vpn = start; vpn < start + pages && !ret; vpn += chunk) {
      args.start = vpn;
      args.end = Math.min(vpn + chunk, start + pages);
      ret = yield* this.setupAndMigrate(args);
    }
    k.unlockShared(mm.mmapLock);
    return ret;
  }

  private *setupAndMigrate(args: MigrateVma): Kernel$<number> {
    const { k } = this;
    const ret = yield* migrateVmaSetup(k, args);
    if (!ret) yield* migratePrepared(k, args, new DmirrorFault(k, this.mirror));
    return ret;
  }

  private args(start: number, end: number) {
    const args = migrateVmaArgs(end - start, this.mirror.device);
    args.vma = this.mm.lookupVma(start) ?? null;
    args.start = start;
    args.end = end;
    args.flags = MIGRATE_VMA_SELECT_SYSTEM | MIGRATE_VMA_SELECT_COMPOUND;
    return args;
  }

  /**
   * A device's fault handler that migrates what it faults: with the walk `collect` a range fault and
   * then a migration, two walks a chunk; with the others one walk.
   */
  *faultAndMigrate(start: number, pages: number, write: boolean): Kernel$<number> {
    const { k, mm } = this;
    const request = HMM_PFN_REQ_FAULT | (write ? HMM_PFN_REQ_WRITE : 0);
    const oneWalk = k.walk !== 'collect';
    k.lockShared(mm.mmapLock);
    let ret = 0;
    for (let vpn = start; vpn < start + pages && !ret; vpn += CHUNK) {
      const end = Math.min(vpn + CHUNK, start + pages);
      const range = this.range(vpn, end, oneWalk ? request | HMM_PFN_REQ_MIGRATE : request);
      range.notifierSeq = yield* mmuIntervalReadBegin(k, this.mirror.notifier);
      if (oneWalk) {
        const args = this.args(vpn, end);
        range.migrate = args;
        ret = yield* hmmRangeFault(k, range);
        yield* migrateHmmRangeSetup(k, range);
        if (!ret) yield* migratePrepared(k, args, new DmirrorFault(k, this.mirror));
      } else {
        ret = yield* hmmRangeFault(k, range);
        if (!ret) ret = yield* this.setupAndMigrate(this.args(vpn, end));
      }
    }
    k.unlockShared(mm.mmapLock);
    return ret;
  }
}
