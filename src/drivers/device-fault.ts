/**
 * Migrate on fault, for any driver: a device touches a range, and its pages come to the device. In two passes,
 * as a driver must today, or in one walk, as the series lets it. What differs from driver to driver it gives as a
 * {@link DeviceFault}.
 *
 * Models: lib/test_hmm.c with the series' HMM_DMIRROR_MIGRATE_ON_FAULT_TO_DEV, without what is the test driver's
 */

import {
  MIGRATE_VMA_SELECT_COMPOUND,
  MIGRATE_VMA_SELECT_SYSTEM,
  type MigrateVma,
  mayMigrate,
  migrateVmaArgs,
} from '../hmm/migrate-args.ts';
import {
  migrateHmmRangeSetup,
  migrateVmaFinalize,
  migrateVmaPages,
  migrateVmaSetup,
} from '../hmm/migrate-vma.ts';
import {
  HMM_PFN_REQ_FAULT,
  HMM_PFN_REQ_MIGRATE,
  HMM_PFN_REQ_WRITE,
  HMM_PFN_VALID,
  MIGRATE_PFN_MIGRATE,
} from '../hmm/pfn.ts';
import { hmmRangeFault } from '../hmm/range.ts';
import type { FaultUnits, HmmRange } from '../hmm/walk-state.ts';
import { EBUSY, EFAULT, EINVAL } from '../machine/errno.ts';
import { ptePresent } from '../machine/pte.ts';
import { type Kernel$, Role } from '../machine/step.ts';
import { vmNormalPage } from '../mm/fault.ts';
import { folioIsLarge, pageFolio } from '../mm/folio.ts';
import type { Kernel } from '../mm/kernel.ts';
import { isDevicePrivate, softleafToPfn } from '../mm/leafops.ts';
import { pagePgmap } from '../mm/memremap.ts';
import type { Mm } from '../mm/mm.ts';
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
import { userfaultfdMissing, VM_READ, VM_WRITE, type Vma } from '../mm/vma.ts';
import { deviceRange, deviceTableStep, type Mirror } from './driver.ts';

/** One walk over one area's part of a chunk. */
export interface Pass {
  readonly vma: Vma;
  /** What is walked. */
  readonly range: HmmRange;
  /** The migration that the walk prepares. */
  readonly args: MigrateVma;
  /** First page that is asked for: what is before it the device can access already. */
  readonly from: number;
  readonly write: boolean;
}

/**
 * What a driver gives to a fault of its device; an object of its own for each fault. A driver that maps pages by
 * `faultInPlace()` alone, in `served()` too, can leave out what has a body here: what migrates is then mapped by
 * the fault that follows.
 */
export abstract class DeviceFault {
  /** Pages that one range fault of `faultInPlace()` covers. */
  abstract readonly batch: number;

  constructor(
    readonly k: Kernel,
    readonly mirror: Mirror,
  ) {}

  /** Whether the device can access a page by its own page table; its mutex is held. */
  abstract mayAccess(vpn: number, write: boolean): boolean;

  /**
   * Makes pages accessible to the device where they are, and maps them; mmap_lock is not held.
   * @returns 0 or a negative errno
   */
  abstract faultInPlace(start: number, end: number, write: boolean): Kernel$<number>;

  /**
   * Fills `args.dst` for what migrates (`MIGRATE_PFN_MIGRATE` in `args.src`): a locked page of the device each,
   * with the content of the old one, or cleared where there is none. What gets no page stays. From here on the
   * device must not reach the old pages.
   */
  abstract allocAndCopy(args: MigrateVma): Kernel$<void>;

  /**
   * Before any page is looked at: begins to note what is invalidated.
   * @param pass the walk that is about to begin; null: migrate_vma_setup() is
   */
  *begin(_pass: Pass | null): Kernel$<void> {}

  /**
   * Maps what a walk found, before it migrates. The mutex is held.
   * @returns false to leave the chunk to `faultInPlace()`
   */
  mapFound(_pass: Pass): boolean {
    return true;
  }

  /** Maps what has migrated (`MIGRATE_PFN_MIGRATE` in `args.src`, a page in `args.dst`), but for what is stale. */
  *finalizeAndMap(_args: MigrateVma): Kernel$<void> {}

  /** Ends what `begin()` began. @param ret 0 after `finalizeAndMap()`; else nothing migrates */
  *end(_pass: Pass | null, _ret: number): Kernel$<void> {}

  /** Whether a page was taken away since the walk looked at it: the device faults again when it comes there. */
  isStale(_vpn: number): boolean {
    return false;
  }

  /** A chunk is done, mmap_lock is not held. @returns 0 or a negative errno */
  // biome-ignore lint/correctness/useYield: a driver may have nothing to do
  *served(_start: number, _end: number, _write: boolean): Kernel$<number> {
    return 0;
  }
}

// ---- migration ----

/** The part of an area that one migration takes, if the area may be read. */
export function nextPart(
  k: Kernel,
  mm: Mm,
  vpn: number,
  end: number,
): { vma: Vma; next: number } | undefined {
  const vma = mm.lookupVma(vpn);
  if (!vma || !(vma.flags & VM_READ)) return undefined;
  return { vma, next: Math.min(end, vpn + k.geometry.ptrsPerPte, vma.end) };
}

/**
 * What follows when pages are prepared: allocate, copy, move, map.
 *
 * Mirrors: lib/test_hmm.c dmirror_migrate_to_device() (the body of its loop)
 * faithful
 */
export function* migratePrepared(k: Kernel, args: MigrateVma, fault: DeviceFault): Kernel$<void> {
  yield* fault.allocAndCopy(args);
  yield* migrateVmaPages(k, args);
  yield* fault.finalizeAndMap(args);
  yield* migrateVmaFinalize(k, args);
}

/** Takes back out what a walk has prepared: nothing has a new page, so that all of it stays where it is. */
function* undoPrepared(k: Kernel, args: MigrateVma): Kernel$<void> {
  yield* migrateVmaPages(k, args);
  yield* migrateVmaFinalize(k, args);
}

/**
 * Migrates a range to the device, a page table's part of an area at a time. What is not there is not faulted.
 *
 * Mirrors: lib/test_hmm.c dmirror_migrate_to_device()
 * faithful
 * @returns 0; -EINVAL where nothing is mapped or may be read
 */
export function* migrateRange(
  k: Kernel,
  fault: DeviceFault,
  start: number,
  end: number,
): Kernel$<number> {
  const { mm, device } = fault.mirror;
  const args = migrateVmaArgs(k.geometry.ptrsPerPte, device);
  let ret = 0;
  if (k.stepping) yield k.acquire(mm.mmapLock, true);
  k.lockShared(mm.mmapLock);
  for (let vpn = start; vpn < end && !ret; ) {
    const part = nextPart(k, mm, vpn, end);
    if (!part) {
      ret = -EINVAL;
      break;
    }
    args.vma = part.vma;
    args.start = vpn;
    args.end = part.next;
    args.flags = MIGRATE_VMA_SELECT_SYSTEM | MIGRATE_VMA_SELECT_COMPOUND;
    yield* fault.begin(null);
    ret = yield* migrateVmaSetup(k, args);
    if (!ret) yield* migratePrepared(k, args, fault);
    yield* fault.end(null, ret);
    vpn = part.next;
  }
  if (k.stepping) yield k.release(mm.mmapLock);
  k.unlockShared(mm.mmapLock);
  return ret;
}

// ---- two passes ----

/** Faults a chunk where it is, then migrates it: a walk each. */
function* twoPasses(
  k: Kernel,
  fault: DeviceFault,
  start: number,
  end: number,
  write: boolean,
): Kernel$<number> {
  const ret = yield* fault.faultInPlace(start, end, write);
  if (ret) return ret;
  return yield* migrateRange(k, fault, start, end);
}

// ---- one pass ----

/** The first page of a range that the device cannot access by its own page table, or the end. */
function firstMiss(fault: DeviceFault, start: number, end: number, write: boolean): number {
  for (let vpn = start; vpn < end; vpn++) if (!fault.mayAccess(vpn, write)) return vpn;
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
  fault: DeviceFault,
  start: number,
  end: number,
  write: boolean,
): Kernel$<Misses> {
  const { mutex } = fault.mirror;
  if (k.stepping) yield k.acquire(mutex);
  k.lock(mutex);
  if (k.stepping) yield deviceTableStep(k, fault.mirror, Role.Read);
  const first = firstMiss(fault, start, end, write);
  const readFrom = write ? firstMiss(fault, first, end, false) : first;
  if (k.stepping) yield k.release(mutex);
  k.unlock(mutex);
  const writeFrom = first < readFrom ? first : -1;
  return { first, units: { pages: fault.batch, readFrom, writeFrom } };
}

/**
 * Whether the device must fault where a huge page of its own is mapped. Which pages of that a walk
 * reports depends on where its range begins (7.3.4's `hmm_vma_handle_absent_pmd()`), so that such a
 * chunk is left to plain faults, and before anything of it has changed.
 */
function* hasOwnHuge(
  k: Kernel,
  { mm, device }: Mirror,
  start: number,
  end: number,
): Kernel$<boolean> {
  for (let vpn = start; vpn < end; vpn = hugeStart(k, vpn) + k.geometry.ptrsPerPte) {
    const pmdp = pmdpOf(k, mm, vpn);
    if (pmdp < 0) continue;
    if (k.stepping) yield k.readEntry(pmdp);
    const pmd = ptepGet(k, pmdp);
    if (!pmdIsHuge(pmd) || !isDevicePrivate(pmd)) continue;
    if (pagePgmap(k, pageFolio(k, softleafToPfn(pmd))).owner === device) return true;
  }
  return false;
}

/** What of one area a chunk covers. */
interface AreaPart {
  readonly vma: Vma;
  readonly start: number;
  readonly end: number;
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
function* needsMonitor(k: Kernel, parts: readonly AreaPart[]): Kernel$<boolean> {
  for (const { vma, start, end } of parts) {
    if (!userfaultfdMissing(vma)) continue;
    for (let vpn = start; vpn < end; vpn++) if (!(yield* hasMemory(k, vma, vpn))) return true;
  }
  return false;
}

/**
 * Faults and prepares a part of one area in one walk, and migrates it.
 * @param misses what of the whole chunk the device cannot access
 * @param left gets the pages that were empty and could not be populated
 * @returns 0; 1 when the area cannot be had this way: fault it in place; a negative errno
 */
function* onePass(
  k: Kernel,
  fault: DeviceFault,
  { vma, start, end }: AreaPart,
  write: boolean,
  misses: Misses,
  left: number[],
): Kernel$<number> {
  const { mirror } = fault;
  const { mutex, notifier } = mirror;
  const pages = end - start;
  const args = migrateVmaArgs(pages, mirror.device);
  args.vma = vma;
  args.start = start;
  args.end = end;
  args.flags = MIGRATE_VMA_SELECT_SYSTEM | MIGRATE_VMA_SELECT_COMPOUND;
  const request = HMM_PFN_REQ_FAULT | (write ? HMM_PFN_REQ_WRITE : 0);
  const range = deviceRange(mirror, pages, HMM_PFN_REQ_MIGRATE);
  range.pfnFlagsMask = request;
  range.start = start;
  range.end = end;
  range.migrate = args;
  range.faultUnits = misses.units;
  // what the device can access stays as it is, and migrates without a fault
  const from = Math.min(Math.max(misses.first, start), end);
  range.hmmPfns.fill(request, from - start);
  const pass: Pass = { vma, range, args, from, write };
  yield* fault.begin(pass);
  range.notifierSeq = yield* mmuIntervalReadBegin(k, notifier);
  let ret = yield* hmmRangeFault(k, range);
  if (ret === -EFAULT) ret = 1;
  if (k.stepping) yield k.acquire(mutex);
  k.lock(mutex);
  if (k.stepping) yield deviceTableStep(k, mirror, Role.Write);
  if (!ret && !fault.mapFound(pass)) ret = 1;
  if (k.stepping) yield k.release(mutex);
  k.unlock(mutex);
  yield* migrateHmmRangeSetup(k, range);
  if (ret) yield* undoPrepared(k, args);
  else yield* migratePrepared(k, args, fault);
  yield* fault.end(pass, ret);
  for (let i = 0; i < pages && !ret; i++) {
    const hole = !(range.hmmPfns[i] & HMM_PFN_VALID) && !fault.isStale(start + i);
    if (hole && !(args.src[i] & MIGRATE_PFN_MIGRATE)) left.push(start + i);
  }
  return ret;
}

/**
 * The areas of a range, if all of them may be accessed.
 * @returns null where something is missing or forbidden, or cannot migrate
 */
function accessibleParts(mm: Mm, start: number, end: number, write: boolean): AreaPart[] | null {
  const need = write ? VM_READ | VM_WRITE : VM_READ;
  const parts: AreaPart[] = [];
  for (let vpn = start; vpn < end; ) {
    const vma = mm.lookupVma(vpn);
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
function* oneWalk(
  k: Kernel,
  fault: DeviceFault,
  start: number,
  end: number,
  write: boolean,
): Kernel$<number> {
  const { mirror } = fault;
  const { mm } = mirror;
  if (k.stepping) yield k.acquire(mm.mmapLock, true);
  k.lockShared(mm.mmapLock);
  const parts = accessibleParts(mm, start, end, write);
  let misses = yield* missesOf(k, fault, start, end, write);
  const left: number[] = [];
  let ret = 1;
  const may = parts && !(yield* needsMonitor(k, parts));
  if (may && !(yield* hasOwnHuge(k, mirror, misses.first, end))) ret = 0;
  for (const part of ret ? [] : (parts ?? [])) {
    for (;;) {
      ret = yield* onePass(k, fault, part, write, misses, left);
      if (ret !== -EBUSY) break;
      misses = yield* missesOf(k, fault, start, end, write);
    }
    if (ret) break;
  }
  if (k.stepping) yield k.release(mm.mmapLock);
  k.unlockShared(mm.mmapLock);
  if (ret === 1) return yield* twoPasses(k, fault, start, end, write);
  if (ret) return ret;
  // what was empty and found no room on the device is served where it is
  for (const vpn of left) {
    const served = yield* fault.faultInPlace(vpn, vpn + 1, false);
    if (served) return served;
  }
  return 0;
}

/** How a device fault goes. */
export interface DeviceFaultOptions {
  /** The device writes. */
  write: boolean;
  /** Walks of a chunk: 2, a fault and a migration, or 1 that does both; by default as `Kernel.walk` says. */
  passes?: 1 | 2;
}

/**
 * Faults a range for the device and migrates it, chunk by chunk; the first error ends it.
 *
 * Mirrors: the series' dmirror_migrate_on_fault_to_device()
 * differs: chunks of one page table (512 pages) as recorded, not of 64 pages
 * @returns 0 or a negative errno
 */
export function* deviceFault(
  k: Kernel,
  fault: DeviceFault,
  start: number,
  end: number,
  { write, passes = k.walk === 'collect' ? 2 : 1 }: DeviceFaultOptions,
): Kernel$<number> {
  const chunk = k.geometry.ptrsPerPte;
  const way = passes === 2 ? twoPasses : oneWalk;
  for (let vpn = start; vpn < end; vpn += chunk) {
    const next = Math.min(vpn + chunk, end);
    let ret = yield* way(k, fault, vpn, next, write);
    if (!ret) ret = yield* fault.served(vpn, next, write);
    if (ret) return ret;
  }
  return 0;
}
