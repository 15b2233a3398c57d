/**
 * The test driver's migrations to the device: of what is there, and as what a fault of the device needs.
 *
 * Models: lib/test_hmm.c
 */

import type { MigrateVma } from '../hmm/migrate-args.ts';
import {
  HMM_PFN_MIGRATE,
  HMM_PFN_VALID,
  HMM_PFN_WRITE,
  hmmPfnToMapOrder,
  hmmPfnToPfn,
  MIGRATE_PFN_COMPOUND,
  MIGRATE_PFN_MIGRATE,
  MIGRATE_PFN_WRITE,
  migratePfn,
  migratePfnToPfn,
} from '../hmm/pfn.ts';
import { type Kernel$, Role } from '../machine/step.ts';
import {
  folioIsDevicePrivate,
  folioIsLarge,
  folioIsZoneDevice,
  folioPages,
  pageFolio,
} from '../mm/folio.ts';
import type { Kernel } from '../mm/kernel.ts';
import { mmuIntervalInvalidating } from '../mm/mmu-notifier.ts';
import { lackStep, lacksTable, pmdpOf, pteOffsetMap, ptepGet } from '../mm/pgtable.ts';
import { type Vma, vmaIsAnonymous } from '../mm/vma.ts';
import { DeviceFault, migrateRange, type Pass } from './device-fault.ts';
import { DPT_READ, DPT_WRITE, pfnOf, tagOf } from './device-table.ts';
import { BATCH, type Dmirror, deviceFlagStep } from './dmirror.ts';
import { type DeviceResult, deviceAccess, readBack } from './dmirror-access.ts';
import { deviceTableStep } from './driver.ts';
import { InvalidationLog } from './invalidation-log.ts';

/**
 * Allocates device pages for what migrates and copies, or clears where nothing was.
 *
 * Mirrors: lib/test_hmm.c dmirror_migrate_alloc_and_copy()
 * differs: the mended driver takes the pages out of the device's page table first
 * @param own a log of this migration
 * @returns the device's entries so far
 */
export function* migrateAllocAndCopy(
  k: Kernel,
  args: MigrateVma,
  dmirror: Dmirror,
  own: InvalidationLog | null = null,
): Kernel$<Int32Array> {
  const { device } = dmirror;
  const { src, dst } = args;
  const huge = k.geometry.ptrsPerPte;
  const count = args.end - args.start;
  // a hole reads as zeros until it is populated and mapped
  const present = (i: number): boolean =>
    (src[i] & MIGRATE_PFN_MIGRATE) !== 0 && migratePfnToPfn(src[i]) >= 0;
  // the first entry of a huge page speaks for all
  let hugeEnd = 0;
  const migrates = (i: number): boolean => {
    if (i < hugeEnd) return true;
    if (!present(i)) return false;
    if (src[i] & MIGRATE_PFN_COMPOUND) hugeEnd = i + huge;
    return true;
  };
  const entries = yield* device.mends.leaveRam(k, dmirror, args.start, count, migrates, own);
  for (let i = 0; i < count; ) {
    if (!(src[i] & MIGRATE_PFN_MIGRATE)) {
      i++;
      continue;
    }
    const large = (src[i] & MIGRATE_PFN_COMPOUND) !== 0;
    const write = src[i] & MIGRATE_PFN_WRITE;
    const spage = migratePfnToPfn(src[i]);
    if (k.warn(spage >= 0 && folioIsZoneDevice(k, spage), 'a page is on a device already')) {
      i++;
      continue;
    }
    let dpage = -1;
    if (k.stepping) yield deviceFlagStep(k, dmirror);
    if (dmirror.failAlloc) dmirror.failAlloc = false;
    else dpage = yield* device.allocPage(large);
    if (dpage < 0) {
      if (!large) {
        i++;
        continue;
      }
      // no huge page: as many base pages
      const pages = spage < 0 ? huge : folioPages(k, pageFolio(k, spage));
      for (let j = 0; j < pages && i < count; j++, i++) {
        const small = yield* device.allocPage(false);
        if (small < 0) continue;
        k.pages.private[small] = dmirror.number;
        dst[i] = migratePfn(small) | write;
        if (spage < 0) yield* device.clear(small);
        else yield* device.copyIn(small, spage + j, 1);
      }
      continue;
    }
    k.pages.private[dpage] = dmirror.number;
    dst[i] = migratePfn(dpage) | write | (large ? MIGRATE_PFN_COMPOUND : 0);
    const pages = large && folioIsLarge(k, dpage) ? folioPages(k, dpage) : 1;
    if (spage >= 0) yield* device.copyIn(dpage, spage, pages);
    else for (let j = 0; j < pages; j++) yield* device.clear(dpage + j);
    i += pages;
  }
  yield* device.finishCopies();
  return entries;
}

/**
 * Maps the pages that have migrated into the device's page table.
 *
 * Stock has a race here, as it does not ask whether the range was invalidated since the walk:
 * - A, migrating to the device with mmap_lock held for reading: `migrate_vma_setup()` installs the
 *   migration entry of a page, `migrate_vma_pages()` moves the folio;
 * - B, MADV_DONTNEED, also with mmap_lock held for reading: `dmirror_interval_invalidate()` erases the
 *   device's entry, the migration entry is zapped, the invalidation ends;
 * - A: stores the device page in the device's page table; `migrate_vma_finalize()` finds no migration
 *   entry, and frees the page with its last reference.
 * The device's page table names a page that is free.
 *
 * Mirrors: lib/test_hmm.c dmirror_migrate_finalize_and_map()
 * differs: the mended driver leaves out what was invalidated meanwhile, and puts back what did not migrate
 */
export function* migrateFinalizeAndMap(
  k: Kernel,
  args: MigrateVma,
  dmirror: Dmirror,
  entries: Int32Array,
  since: InvalidationLog,
  own: InvalidationLog | null = null,
): Kernel$<void> {
  const { src, dst } = args;
  const { mends } = dmirror.device;
  yield* mends.leaveOthers(k, dmirror, dmirror.mm, args.start, args.end - 1);
  if (k.stepping) yield k.acquire(dmirror.mutex);
  k.lock(dmirror.mutex);
  dmirror.logs.delete(since);
  if (k.stepping) yield deviceTableStep(k, dmirror, Role.Write);
  const count = args.end - args.start;
  for (let i = 0, pages = 1; i < count; i += pages) {
    pages = 1;
    const vpn = args.start + i;
    const page = migratePfnToPfn(dst[i]);
    if (!(src[i] & MIGRATE_PFN_MIGRATE) || page < 0) {
      if (entries[i] !== 0 && !since.wasErased(vpn)) {
        dmirror.map(vpn, pfnOf(entries[i]), tagOf(entries[i]));
      }
      continue;
    }
    if (dst[i] & MIGRATE_PFN_COMPOUND) pages = folioPages(k, pageFolio(k, page));
    const tag = dst[i] & MIGRATE_PFN_WRITE ? DPT_WRITE : DPT_READ;
    const from = migratePfnToPfn(src[i]);
    mends.arrived(dmirror, vpn, vpn + pages - 1, own);
    if (since.isQuiet && !mmuIntervalInvalidating(dmirror.notifier))
      dmirror.map(vpn, page, tag, pages);
    else {
      for (let j = 0; j < pages; j++) {
        const was = from < 0 ? -1 : from + j;
        if (mends.isLate(dmirror, since, vpn + j, page + j, was, tag === DPT_WRITE)) continue;
        dmirror.map(vpn + j, page + j, tag);
      }
    }
  }
  mends.leftRam(dmirror, args.start, args.end - 1);
  if (k.stepping) yield k.release(dmirror.mutex);
  k.unlock(dmirror.mutex);
}

/** Whether nothing is mapped at a page of anonymous memory. */
function* isHole(k: Kernel, vma: Vma, vpn: number): Kernel$<boolean> {
  if (!vmaIsAnonymous(vma)) return false;
  if (k.stepping && lacksTable(k, vma.mm, vpn)) yield lackStep(k, vma.mm, vpn);
  const pmdp = pmdpOf(k, vma.mm, vpn);
  if (pmdp < 0) return true;
  if (k.stepping) yield k.readEntry(pmdp);
  if (ptepGet(k, pmdp) === 0) return true;
  const ptep = pteOffsetMap(k, pmdp, vpn);
  if (k.stepping && ptep >= 0) yield k.readEntry(ptep);
  return ptep >= 0 && ptepGet(k, ptep) === 0;
}

/** What the test driver gives to a fault of its device, and to a migration without one. */
export class DmirrorFault extends DeviceFault {
  readonly batch = BATCH;
  /** What was invalidated since the migration began. */
  private since = new InvalidationLog();
  /** What was invalidated since the walk began, if it is in one pass. */
  private walked: InvalidationLog | null = null;
  /** The device's entries of what migrates, before it does. */
  private entries: Int32Array = new Int32Array();
  /** The walk fills a hole at the end of its range. */
  private fillsLast = false;

  constructor(
    k: Kernel,
    readonly dmirror: Dmirror,
  ) {
    super(k, dmirror);
  }

  mayAccess(vpn: number, write: boolean): boolean {
    const entry = this.dmirror.pt.load(vpn);
    return entry !== 0 && !(write && tagOf(entry) !== DPT_WRITE);
  }

  /** Reads, and to write, writes what was read. */
  *faultInPlace(start: number, end: number, write: boolean): Kernel$<number> {
    const { k, dmirror } = this;
    const read = yield* deviceAccess(k, dmirror, start, end, null);
    if (read.ret || !write) return read.ret;
    const written = yield* deviceAccess(k, dmirror, start, end, read.data);
    return written.ret;
  }

  override *begin(pass: Pass | null): Kernel$<void> {
    const { k, dmirror } = this;
    const { mends } = dmirror.device;
    this.walked = null;
    if (pass) {
      this.walked = yield* mends.beginLog(k, dmirror, new InvalidationLog(null, pass.range));
    }
    this.since = yield* mends.beginMigration(k, dmirror);
    if (!pass) return;
    const { end } = pass.range;
    this.fillsLast = pass.write && pass.from < end && (yield* isHole(k, pass.vma, end - 1));
  }

  /**
   * Maps the pages that a range fault gave. Those that migrate are mapped again when they have. A page that is
   * stale is left out: the device faults again when it comes there.
   * @returns false when it has to be done in two passes: the stock driver was told of an invalidation, or a page was
   * not given as asked for, or is part of a huge page that the device
   * has got meanwhile: that is left to the plain fault
   */
  override mapFound({ range, from, write }: Pass): boolean {
    const { k, dmirror } = this;
    const walked = this.walked as InvalidationLog;
    const { mends } = dmirror.device;
    if (mends.mustFaultAgain(walked)) return false;
    for (let vpn = from; vpn < range.end; vpn++) {
      const entry = range.hmmPfns[vpn - range.start];
      const prepared = (entry & HMM_PFN_MIGRATE) !== 0;
      if (!(entry & HMM_PFN_VALID) || mends.isLeftOut(walked, vpn, prepared)) continue;
      const huge = hmmPfnToMapOrder(entry, k.geometry.pmdOrder) > 0;
      if (huge && folioIsDevicePrivate(k, hmmPfnToPfn(entry))) return false;
      if (write && !(entry & HMM_PFN_WRITE)) return false;
      dmirror.map(vpn, hmmPfnToPfn(entry), entry & HMM_PFN_WRITE ? DPT_WRITE : DPT_READ);
    }
    // in two passes the zero page would have been replaced there, and the update of that goes too far
    if (this.fillsLast) dmirror.pt.erase(range.end);
    return true;
  }

  *allocAndCopy(args: MigrateVma): Kernel$<void> {
    this.entries = yield* migrateAllocAndCopy(this.k, args, this.dmirror, this.walked);
  }

  override finalizeAndMap(args: MigrateVma): Kernel$<void> {
    const { k, dmirror, entries, since, walked } = this;
    return migrateFinalizeAndMap(k, args, dmirror, entries, since, walked);
  }

  override *end(_pass: Pass | null, ret: number): Kernel$<void> {
    const { k, dmirror } = this;
    const { mends } = dmirror.device;
    if (ret) yield* mends.endLog(k, dmirror, this.since);
    if (this.walked) yield* mends.endLog(k, dmirror, this.walked);
  }

  override isStale(vpn: number): boolean {
    return this.dmirror.device.mends.isLeftOut(this.walked as InvalidationLog, vpn, false);
  }
}

/**
 * Mirrors: lib/test_hmm.c dmirror_migrate_to_device()
 * faithful
 */
export function* migrateToDevice(
  k: Kernel,
  dmirror: Dmirror,
  start: number,
  end: number,
): Kernel$<DeviceResult> {
  const ret = yield* migrateRange(k, new DmirrorFault(k, dmirror), start, end);
  if (ret) return { ret, cpages: 0, faults: 0, data: null };
  return yield* readBack(k, dmirror, start, end);
}
