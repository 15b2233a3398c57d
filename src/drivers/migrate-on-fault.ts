/**
 * Migrate on fault: a device touches a range, and its pages come to the device. In two passes, as a
 * driver must today, or in one walk, as the series lets it.
 *
 * Models: lib/test_hmm.c with the series' HMM_DMIRROR_MIGRATE_ON_FAULT_TO_DEV
 */

import {
  MIGRATE_VMA_SELECT_COMPOUND,
  MIGRATE_VMA_SELECT_SYSTEM,
  mayMigrate,
  migrateVmaArgs,
} from '../hmm/migrate-args.ts';
import { migrateHmmRangeSetup, migrateVmaFinalize, migrateVmaPages } from '../hmm/migrate-vma.ts';
import {
  HMM_PFN_MIGRATE,
  HMM_PFN_REQ_FAULT,
  HMM_PFN_REQ_MIGRATE,
  HMM_PFN_REQ_WRITE,
  HMM_PFN_VALID,
  HMM_PFN_WRITE,
  hmmPfnToMapOrder,
  hmmPfnToPfn,
  MIGRATE_PFN_MIGRATE,
} from '../hmm/pfn.ts';
import { hmmRangeFault } from '../hmm/range.ts';
import type { FaultUnits, HmmRange } from '../hmm/walk-state.ts';
import { EBUSY, EFAULT } from '../machine/errno.ts';
import { ptePresent } from '../machine/pte.ts';
import { type Kernel$, Role } from '../machine/step.ts';
import { vmNormalPage } from '../mm/fault.ts';
import { folioIsDevicePrivate, folioIsLarge, pageFolio } from '../mm/folio.ts';
import type { Kernel } from '../mm/kernel.ts';
import { isDevicePrivate, softleafToPfn } from '../mm/leafops.ts';
import { pagePgmap } from '../mm/memremap.ts';
import { mmuIntervalReadBegin } from '../mm/mmu-notifier.ts';
import {
  hugeStart,
  lackStep,
  lacksTable,
  pmdIsHuge,
  pmdpOf,
  pteOffsetMap,
  ptepGet,
} from '../mm/pgtable.ts';
import { userfaultfdMissing, VM_READ, VM_WRITE, type Vma, vmaIsAnonymous } from '../mm/vma.ts';
import { DPT_READ, DPT_WRITE, tagOf } from './device-table.ts';
import { BATCH, type Dmirror, deviceRange, deviceTableStep } from './dmirror.ts';
import { type DeviceResult, deviceAccess, readBack } from './dmirror-access.ts';
import { beginLog, beginMigration, endLog } from './dmirror-mends.ts';
import { migratePrepared, migrateToDevice } from './dmirror-migrate.ts';
import { InvalidationLog } from './invalidation-log.ts';

/** Faults a chunk for reading, then for writing, then migrates it: a walk each. */
function* twoPass(
  k: Kernel,
  dmirror: Dmirror,
  start: number,
  end: number,
  write: boolean,
): Kernel$<DeviceResult> {
  const read = yield* deviceAccess(k, dmirror, start, end, null);
  if (read.ret) return read;
  if (write) {
    const written = yield* deviceAccess(k, dmirror, start, end, read.data);
    if (written.ret) return written;
  }
  return yield* migrateToDevice(k, dmirror, start, end);
}

/** The first page of a range that the device cannot access by its own page table, or the end. */
function firstMiss(dmirror: Dmirror, start: number, end: number, write: boolean): number {
  for (let vpn = start; vpn < end; vpn++) {
    const entry = dmirror.pt.load(vpn);
    if (entry === 0 || (write && tagOf(entry) !== DPT_WRITE)) return vpn;
  }
  return end;
}

/** What of a chunk the device has to fault. */
interface Misses {
  /** The first page that it cannot access as it wants to, or the end. */
  first: number;
  units: FaultUnits;
}

/** What two passes over a chunk would fault. */
function* missesOf(
  k: Kernel,
  dmirror: Dmirror,
  start: number,
  end: number,
  write: boolean,
): Kernel$<Misses> {
  if (k.stepping) yield k.acquire(dmirror.mutex);
  k.lock(dmirror.mutex);
  if (k.stepping) yield deviceTableStep(k, dmirror, Role.Read);
  const first = firstMiss(dmirror, start, end, write);
  const readFrom = write ? firstMiss(dmirror, first, end, false) : first;
  if (k.stepping) yield k.release(dmirror.mutex);
  k.unlock(dmirror.mutex);
  const writeFrom = first < readFrom ? first : -1;
  return { first, units: { pages: BATCH, readFrom, writeFrom } };
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

/**
 * Whether the device must fault where a huge page of its own is mapped. Which pages of that a walk
 * reports depends on where its range begins (7.3.4's `hmm_vma_handle_absent_pmd()`), so that such a
 * chunk is left to plain faults, and before anything of it has changed.
 */
function* hasOwnHuge(k: Kernel, dmirror: Dmirror, start: number, end: number): Kernel$<boolean> {
  for (let vpn = start; vpn < end; vpn = hugeStart(k, vpn) + k.geometry.ptrsPerPte) {
    const pmdp = pmdpOf(k, dmirror.mm, vpn);
    if (pmdp < 0) continue;
    if (k.stepping) yield k.readEntry(pmdp);
    const pmd = ptepGet(k, pmdp);
    if (!pmdIsHuge(pmd) || !isDevicePrivate(pmd)) continue;
    if (pagePgmap(k, pageFolio(k, softleafToPfn(pmd))).owner === dmirror.device) return true;
  }
  return false;
}

/** Whether a page has memory, of which nothing can become the zero page (a split of a folio does that). */
function* hasMemory(k: Kernel, { mm }: Vma, vpn: number): Kernel$<boolean> {
  if (k.stepping && lacksTable(k, mm, vpn)) yield lackStep(k, mm, vpn);
  const pmdp = pmdpOf(k, mm, vpn);
  if (pmdp < 0) return false;
  if (k.stepping) yield k.readEntry(pmdp);
  const ptep = pteOffsetMap(k, pmdp, vpn);
  if (ptep < 0) return false;
  if (k.stepping) yield k.readEntry(ptep);
  const pte = ptepGet(k, ptep);
  if (pte === 0) return false;
  const page = ptePresent(pte) ? vmNormalPage(pte) : softleafToPfn(pte);
  return page >= 0 && !folioIsLarge(k, pageFolio(k, page));
}

/**
 * Whether a page is missing, or may be to a migration, that a monitor is to give. That it cannot while
 * mmap_lock is held, so that the chunk is left to plain faults, and before anything of it has changed.
 */
function* needsMonitor(k: Kernel, parts: readonly Part[]): Kernel$<boolean> {
  for (const { vma, start, end } of parts) {
    if (!userfaultfdMissing(vma)) continue;
    for (let vpn = start; vpn < end; vpn++) if (!(yield* hasMemory(k, vma, vpn))) return true;
  }
  return false;
}

/**
 * Maps the pages that a range fault gave; the mutex is held. Those that migrate are mapped again when
 * they have. A page that is stale is left out: the device faults again when it comes there.
 * @param from first page that was asked for
 * @returns false when a page was not given as asked for, or is part of a huge page that the device
 * has got meanwhile: that is left to the plain fault
 */
function mapFound(
  k: Kernel,
  dmirror: Dmirror,
  range: HmmRange,
  from: number,
  write: boolean,
  log: InvalidationLog,
): boolean {
  for (let vpn = from; vpn < range.end; vpn++) {
    const entry = range.hmmPfns[vpn - range.start];
    const prepared = (entry & HMM_PFN_MIGRATE) !== 0;
    if (!(entry & HMM_PFN_VALID) || log.isStale(vpn, prepared)) continue;
    const huge = hmmPfnToMapOrder(entry, k.geometry.pmdOrder) > 0;
    if (huge && folioIsDevicePrivate(k, hmmPfnToPfn(entry))) return false;
    if (write && !(entry & HMM_PFN_WRITE)) return false;
    dmirror.map(vpn, hmmPfnToPfn(entry), entry & HMM_PFN_WRITE ? DPT_WRITE : DPT_READ);
  }
  return true;
}

/**
 * Faults and prepares a part of one area in one walk, and migrates it.
 * @param misses what of the whole chunk the device cannot access
 * @param left gets the pages that were empty and could not be populated
 * @returns 0; 1 when the area cannot be had this way: fault it in place; a negative errno
 */
function* onePass(
  k: Kernel,
  dmirror: Dmirror,
  vma: Vma,
  start: number,
  end: number,
  write: boolean,
  misses: Misses,
  left: number[],
): Kernel$<number> {
  const { mutex, notifier } = dmirror;
  const pages = end - start;
  const args = migrateVmaArgs(pages, dmirror.device);
  args.vma = vma;
  args.start = start;
  args.end = end;
  args.flags = MIGRATE_VMA_SELECT_SYSTEM | MIGRATE_VMA_SELECT_COMPOUND;
  const request = HMM_PFN_REQ_FAULT | (write ? HMM_PFN_REQ_WRITE : 0);
  const range = deviceRange(dmirror, pages, HMM_PFN_REQ_MIGRATE);
  range.pfnFlagsMask = request;
  range.start = start;
  range.end = end;
  range.migrate = args;
  const log = yield* beginLog(k, dmirror, new InvalidationLog(null, range));
  const since = yield* beginMigration(k, dmirror);
  // what the device can access stays as it is, and migrates without a fault
  const from = Math.min(Math.max(misses.first, start), end);
  range.hmmPfns.fill(request, from - start);
  range.faultUnits = misses.units;
  const fillsLast = write && from < end && (yield* isHole(k, vma, end - 1));
  range.notifierSeq = yield* mmuIntervalReadBegin(k, notifier);
  let ret = yield* hmmRangeFault(k, range);
  if (ret === -EFAULT) ret = 1;
  if (k.stepping) yield k.acquire(mutex);
  k.lock(mutex);
  if (k.stepping) yield deviceTableStep(k, dmirror, Role.Write);
  if (!ret && !mapFound(k, dmirror, range, from, write, log)) ret = 1;
  // in two passes the zero page would have been replaced there, and the update of that goes too far
  if (!ret && fillsLast) dmirror.pt.erase(end);
  if (k.stepping) yield k.release(mutex);
  k.unlock(mutex);
  yield* migrateHmmRangeSetup(k, range);
  if (ret) {
    // take back out what the walk installed
    yield* migrateVmaPages(k, args);
    yield* migrateVmaFinalize(k, args);
    yield* endLog(k, dmirror, since);
  } else yield* migratePrepared(k, args, dmirror, since, log);
  yield* endLog(k, dmirror, log);
  for (let i = 0; i < pages && !ret; i++) {
    const hole = !(range.hmmPfns[i] & HMM_PFN_VALID) && !log.isStale(start + i);
    if (hole && !(args.src[i] & MIGRATE_PFN_MIGRATE)) left.push(start + i);
  }
  return ret;
}

/** What of one area a chunk covers. */
interface Part {
  readonly vma: Vma;
  readonly start: number;
  readonly end: number;
}

/**
 * The areas of a range, if all of them may be accessed.
 * @returns null where something is missing or forbidden, or cannot migrate
 */
function accessibleParts(
  dmirror: Dmirror,
  start: number,
  end: number,
  write: boolean,
): Part[] | null {
  const need = write ? VM_READ | VM_WRITE : VM_READ;
  const parts: Part[] = [];
  for (let vpn = start; vpn < end; ) {
    const vma = dmirror.mm.lookupVma(vpn);
    if (!vma || (vma.flags & need) !== need || !mayMigrate(vma)) return null;
    const next = Math.min(vma.end, end);
    parts.push({ vma, start: vpn, end: next });
    vpn = next;
  }
  return parts;
}

/**
 * A chunk in one walk an area. Where the device may not go, or is refused, the chunk is faulted in
 * place, and the error is that of the plain fault.
 */
function* unifiedChunk(
  k: Kernel,
  dmirror: Dmirror,
  start: number,
  end: number,
  write: boolean,
): Kernel$<DeviceResult> {
  const { mm } = dmirror;
  if (k.stepping) yield k.acquire(mm.mmapLock, true);
  k.lockShared(mm.mmapLock);
  const parts = accessibleParts(dmirror, start, end, write);
  let misses = yield* missesOf(k, dmirror, start, end, write);
  const left: number[] = [];
  let ret = 1;
  const may = parts && !(yield* needsMonitor(k, parts));
  if (may && !(yield* hasOwnHuge(k, dmirror, misses.first, end))) ret = 0;
  for (const part of ret ? [] : (parts ?? [])) {
    for (;;) {
      ret = yield* onePass(k, dmirror, part.vma, part.start, part.end, write, misses, left);
      if (ret !== -EBUSY) break;
      misses = yield* missesOf(k, dmirror, start, end, write);
    }
    if (ret) break;
  }
  if (k.stepping) yield k.release(mm.mmapLock);
  k.unlockShared(mm.mmapLock);
  if (ret === 1) return yield* twoPass(k, dmirror, start, end, write);
  if (ret) return { ret, cpages: 0, faults: 0, data: null };
  // what was empty and found no room on the device is served where it is
  for (const vpn of left) {
    const served = yield* deviceAccess(k, dmirror, vpn, vpn + 1, null);
    if (served.ret) return served;
  }
  return yield* readBack(k, dmirror, start, end);
}

/**
 * Faults a range for the device and migrates it, chunk by chunk; the first error ends it.
 *
 * Mirrors: the series' dmirror_migrate_on_fault_to_device()
 * differs: chunks of one page table (512 pages) as recorded, not of 64 pages
 */
export function* faultMigrateToDevice(
  k: Kernel,
  dmirror: Dmirror,
  start: number,
  end: number,
  write: boolean,
): Kernel$<DeviceResult> {
  const size = k.geometry.pageBytes;
  const chunk = k.geometry.ptrsPerPte;
  const data = new Uint8Array((end - start) * size);
  const total: DeviceResult = { ret: 0, cpages: 0, faults: 0, data };
  const way = k.walk === 'collect' ? twoPass : unifiedChunk;
  for (let vpn = start; vpn < end; vpn += chunk) {
    const next = Math.min(vpn + chunk, end);
    const part = yield* way(k, dmirror, vpn, next, write);
    if (part.ret) return { ...total, ret: part.ret, data: null };
    total.cpages += part.cpages;
    data.set(part.data as Uint8Array, (vpn - start) * size);
  }
  return total;
}
