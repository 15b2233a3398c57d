/** Parts of a migration and of a range fault, called as a driver would. */
import {
  HMM_PFN_REQ_MIGRATE,
  type HmmRange,
  hmmRangeFault,
  MIGRATE_VMA_SELECT_SYSTEM,
  type MigrateVma,
  migrateHmmRangeSetup,
  migrateVmaArgs,
  migrateVmaFinalize,
  migrateVmaPages,
  migrateVmaSetup,
} from '../../src/hmm/index.ts';
import { type Kernel$, runToEnd } from '../../src/machine/index.ts';
import { mmuIntervalReadBegin } from '../../src/mm/index.ts';
import { ptepOf } from '../../src/mm/pgtable.ts';
import type { Bench } from './system.ts';

/** With mmap_lock of process 0 held for reading. */
export function* underMmapLock<T>(bench: Bench, body: () => Kernel$<T>): Kernel$<T> {
  const { k } = bench;
  const { mmapLock } = bench.system.process(0).mm;
  if (k.stepping) yield k.acquire(mmapLock, true);
  k.lockShared(mmapLock);
  const result = yield* body();
  if (k.stepping) yield k.release(mmapLock);
  k.unlockShared(mmapLock);
  return result;
}

/** Arguments for pages of buffer 0 of process 0. */
export function args(
  bench: Bench,
  page: number,
  pages: number,
  flags = MIGRATE_VMA_SELECT_SYSTEM,
  dev = 0,
): MigrateVma {
  const made = migrateVmaArgs(pages, bench.system.mirrors[dev].device);
  made.start = bench.vpn(0, page);
  made.end = made.start + pages;
  made.vma = bench.system.process(0).mm.lookupVma(made.start) ?? null;
  made.flags = flags;
  return made;
}

/** @param run how: in a straight line, or suspended before each step */
export function setup(bench: Bench, migrate: MigrateVma, run = runToEnd<number>): number {
  return run(
    bench.k,
    underMmapLock(bench, () => migrateVmaSetup(bench.k, migrate)),
  );
}

/** Ends a migration for which no destination was allocated: all stays where it is. */
export function* giveUp(bench: Bench, migrate: MigrateVma): Kernel$<void> {
  yield* migrateVmaPages(bench.k, migrate);
  yield* migrateVmaFinalize(bench.k, migrate);
}

/** A range of device 0 over pages of buffer 0. */
export function range(
  bench: Bench,
  page: number,
  pages: number,
  more: Partial<HmmRange> = {},
): HmmRange {
  const mirror = bench.system.mirrors[0];
  const start = bench.vpn(0, page);
  return {
    notifier: mirror.notifier,
    notifierSeq: 0,
    start,
    end: start + pages,
    hmmPfns: new Int32Array(pages),
    defaultFlags: 0,
    pfnFlagsMask: 0,
    devPrivateOwner: mirror.device,
    migrate: null,
    ...more,
  };
}

/** A range that is prepared for migration as well. */
export function migratingRange(
  bench: Bench,
  page: number,
  pages: number,
  more: Partial<HmmRange> = {},
): HmmRange {
  const migrate = args(bench, page, pages);
  const defaultFlags = HMM_PFN_REQ_MIGRATE | (more.defaultFlags ?? 0);
  return range(bench, page, pages, { migrate, ...more, defaultFlags });
}

/** Faults a range once, under mmap_lock, from a fresh sequence. */
export function* rangeFault(bench: Bench, r: HmmRange): Kernel$<number> {
  if (r.notifier) r.notifierSeq = yield* mmuIntervalReadBegin(bench.k, r.notifier);
  return yield* underMmapLock(bench, () => hmmRangeFault(bench.k, r));
}

/** The same in a straight line; what was prepared is given up again. */
export function fault(bench: Bench, r: HmmRange): number {
  const ret = runToEnd(bench.k, rangeFault(bench, r));
  if (r.migrate) runToEnd(bench.k, unprepare(bench, r));
  return ret;
}

/** Takes back what a walk prepared; `hmmPfns` stays as it is. */
export function* unprepare(bench: Bench, r: HmmRange): Kernel$<void> {
  yield* migrateHmmRangeSetup(bench.k, r);
  if (r.migrate) yield* giveUp(bench, r.migrate);
}

/** The page-table entry of a page of buffer 0 of process 0; its value can be set. */
export function entry(bench: Bench, page: number): { get(): number; set(pte: number): void } {
  const ptep = ptepOf(bench.k, bench.system.process(0).mm, bench.vpn(0, page));
  return {
    get: () => bench.k.tables.entries[ptep],
    set: (pte) => {
      bench.k.tables.entries[ptep] = pte;
    },
  };
}
