/**
 * The test driver's migrations: to the device and back, and back when a CPU touches a page.
 *
 * Models: lib/test_hmm.c
 */

import {
  MIGRATE_VMA_SELECT_COMPOUND,
  MIGRATE_VMA_SELECT_DEVICE_COHERENT,
  MIGRATE_VMA_SELECT_DEVICE_PRIVATE,
  MIGRATE_VMA_SELECT_SYSTEM,
  type MigrateVma,
  migrateVmaArgs,
} from '../hmm/migrate-args.ts';
import {
  migrateDeviceFinalize,
  migrateDevicePages,
  migrateDeviceRange,
} from '../hmm/migrate-device.ts';
import { migrateVmaFinalize, migrateVmaPages, migrateVmaSetup } from '../hmm/migrate-vma.ts';
import {
  MIGRATE_PFN_COMPOUND,
  MIGRATE_PFN_MIGRATE,
  MIGRATE_PFN_VALID,
  MIGRATE_PFN_WRITE,
  migratePfn,
  migratePfnToPfn,
} from '../hmm/pfn.ts';
import { EINVAL, ENOMEM } from '../machine/errno.ts';
import { type Kernel$, Role } from '../machine/step.ts';
import { VM_FAULT_OOM, VM_FAULT_SIGBUS, type VmFault } from '../mm/fault.ts';
import {
  folioAlloc,
  folioFree,
  folioIsLarge,
  folioIsZoneDevice,
  folioOrder,
  folioPages,
  folioPutTestzero,
  pageFolio,
} from '../mm/folio.ts';
import type { Kernel } from '../mm/kernel.ts';
import { Holder } from '../mm/look/ledger.ts';
import type { DevPagemap } from '../mm/memremap.ts';
import type { Mm } from '../mm/mm.ts';
import { hugeStart } from '../mm/pgtable.ts';
import { VM_READ, type Vma } from '../mm/vma.ts';
import { DPT_READ, DPT_WRITE, pfnOf, tagOf } from './device-table.ts';
import { type Dmirror, deviceFlagStep, deviceTableStep } from './dmirror.ts';
import { type DeviceResult, readBack } from './dmirror-access.ts';
import type { DmirrorDevice } from './dmirror-device.ts';
import {
  beginMigration,
  endLog,
  leaveDevice,
  leaveOthers,
  leaveRam,
  leaveToMigration,
} from './dmirror-mends.ts';
import type { InvalidationLog } from './invalidation-log.ts';

/** Mirrors: lib/test_hmm.c dmirror_select_device(); faithful */
function selectDevice({ kind }: DmirrorDevice): number {
  return kind === 'private'
    ? MIGRATE_VMA_SELECT_DEVICE_PRIVATE
    : MIGRATE_VMA_SELECT_DEVICE_COHERENT;
}

/** A page of RAM to migrate to: locked, with one reference; -1 for none. */
function* allocRam(k: Kernel, order: number, noFail = false): Kernel$<number> {
  if (k.stepping) yield noFail ? k.allocateNoFailStep(order) : k.allocateStep(order);
  const page = folioAlloc(k, order);
  if (page >= 0) k.folioTryLock(page);
  return page;
}

// ---- to the device ----

/**
 * Allocates device pages for what migrates and copies, or clears where nothing was.
 *
 * Mirrors: lib/test_hmm.c dmirror_migrate_alloc_and_copy()
 * differs: takes the pages out of the device's page table first
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
  const entries = yield* leaveRam(k, dmirror, args.start, count, migrates, own);
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
 * differs: leaves out what was invalidated meanwhile, and puts back what did not migrate
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
  yield* leaveOthers(k, dmirror, args.start, args.end - 1);
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
    // a range fault may have found the zero page before a hole was populated
    if (dmirror.logs.size > 0) leaveToMigration(dmirror, vpn, vpn + pages - 1, own);
    if (since.isQuiet) dmirror.map(vpn, page, tag, pages);
    else {
      for (let j = 0; j < pages; j++) {
        if (!since.isStale(vpn + j)) dmirror.map(vpn + j, page + j, tag);
      }
    }
  }
  if (k.stepping) yield k.release(dmirror.mutex);
  k.unlock(dmirror.mutex);
}

/**
 * What follows when pages are prepared: allocate, copy, move, map.
 *
 * Mirrors: lib/test_hmm.c dmirror_migrate_to_device() (the body of its loop)
 * faithful
 */
export function* migratePrepared(
  k: Kernel,
  args: MigrateVma,
  dmirror: Dmirror,
  since: InvalidationLog,
  own: InvalidationLog | null = null,
): Kernel$<void> {
  const entries = yield* migrateAllocAndCopy(k, args, dmirror, own);
  yield* migrateVmaPages(k, args);
  yield* migrateFinalizeAndMap(k, args, dmirror, entries, since, own);
  yield* migrateVmaFinalize(k, args);
}

/** The part of an area that one migration takes, or an errno. */
function nextPart(
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
 * Mirrors: lib/test_hmm.c dmirror_migrate_to_device()
 * faithful
 */
export function* migrateToDevice(
  k: Kernel,
  dmirror: Dmirror,
  start: number,
  end: number,
): Kernel$<DeviceResult> {
  const { mm } = dmirror;
  const args = migrateVmaArgs(k.geometry.ptrsPerPte, dmirror.device);
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
    const since = yield* beginMigration(k, dmirror);
    ret = yield* migrateVmaSetup(k, args);
    if (ret) {
      yield* endLog(k, dmirror, since);
      break;
    }
    yield* migratePrepared(k, args, dmirror, since);
    vpn = part.next;
  }
  if (k.stepping) yield k.release(mm.mmapLock);
  k.unlockShared(mm.mmapLock);
  if (ret) return { ret, cpages: 0, faults: 0, data: null };
  return yield* readBack(k, dmirror, start, end);
}

// ---- back to RAM ----

/**
 * Allocates RAM for what migrates and copies.
 *
 * Mirrors: lib/test_hmm.c dmirror_devmem_fault_alloc_and_copy()
 * faithful, with the step over an entry that does not migrate as large as the last folio
 * @returns 0 or VM_FAULT_OOM
 */
function* faultAllocAndCopy(k: Kernel, args: MigrateVma, dmirror: Dmirror): Kernel$<number> {
  const { device } = dmirror;
  const { src, dst } = args;
  let order = 0;
  let vpn = args.start;
  for (let at = 0; vpn < args.end; at += 1 << order) {
    const page = migratePfnToPfn(src[at]);
    if (page < 0 || !(src[at] & MIGRATE_PFN_MIGRATE)) {
      vpn++;
      continue;
    }
    if (k.warn(!folioIsZoneDevice(k, page), 'a page to be brought back is not on a device')) {
      vpn++;
      continue;
    }
    order = folioOrder(k, pageFolio(k, page));
    const write = src[at] & MIGRATE_PFN_WRITE;
    let ram = -1;
    if (k.stepping) yield deviceFlagStep(k, dmirror);
    if (dmirror.failAlloc) dmirror.failAlloc = false;
    else ram = yield* allocRam(k, order);
    if (ram < 0 && order === 0) {
      yield* device.finishCopies();
      return VM_FAULT_OOM;
    }
    const compound = order > 0 && ram >= 0 ? MIGRATE_PFN_COMPOUND : 0;
    dst[at] = write | compound | (ram < 0 ? 0 : migratePfn(ram));
    const pages = 1 << order;
    if (ram >= 0) {
      yield* leaveDevice(k, dmirror, vpn, pages);
      yield* device.copyOut(ram, page, pages);
      vpn += pages;
      continue;
    }
    // no huge page: as many base pages
    for (let i = 0; i < pages; i++, vpn++) {
      const small = yield* allocRam(k, 0);
      if (small < 0) {
        for (let j = i - 1; j >= 0; j--) {
          const done = migratePfnToPfn(dst[at + j]);
          if (k.stepping) yield k.releaseFolio(done);
          k.folioUnlock(done);
          if (folioPutTestzero(k, done, Holder.Alloc)) yield* folioFree(k, done);
        }
        dst.fill(0, at, at + pages);
        yield* device.finishCopies();
        return VM_FAULT_OOM;
      }
      dst[at + i] = migratePfn(small);
      yield* leaveDevice(k, dmirror, vpn, 1);
      yield* device.copyOut(small, page + i, 1);
    }
  }
  yield* device.finishCopies();
  return 0;
}

/**
 * Mirrors: lib/test_hmm.c dmirror_migrate_to_system()
 * differs: when memory runs out half way, stock finishes the migration of pages that were copied but not
 * migrated, whose migration entries then stay
 */
export function* migrateToSystem(
  k: Kernel,
  dmirror: Dmirror,
  start: number,
  end: number,
): Kernel$<DeviceResult> {
  const { mm } = dmirror;
  const args = migrateVmaArgs(k.geometry.ptrsPerPte, dmirror.device);
  let ret = 0;
  let cpages = 0;
  if (k.stepping) yield k.acquire(mm.mmapLock, true);
  k.lockShared(mm.mmapLock);
  for (let vpn = start; vpn < end; ) {
    const part = nextPart(k, mm, vpn, end);
    if (!part) {
      ret = -EINVAL;
      break;
    }
    args.vma = part.vma;
    args.start = vpn;
    args.end = part.next;
    args.flags = selectDevice(dmirror.device) | MIGRATE_VMA_SELECT_COMPOUND;
    ret = yield* migrateVmaSetup(k, args);
    if (ret) break;
    if (yield* faultAllocAndCopy(k, args, dmirror)) {
      // those that have a new page move to it; without this they would lose what maps them
      yield* migrateVmaPages(k, args);
      yield* migrateVmaFinalize(k, args);
      ret = -ENOMEM;
      break;
    }
    yield* migrateVmaPages(k, args);
    const { src, npages } = args;
    const migrated = MIGRATE_PFN_VALID | MIGRATE_PFN_MIGRATE;
    for (let i = 0; i < npages; i++) if ((src[i] & migrated) === migrated) cpages++;
    yield* migrateVmaFinalize(k, args);
    vpn = part.next;
  }
  if (k.stepping) yield k.release(mm.mmapLock);
  k.unlockShared(mm.mmapLock);
  return { ret, cpages, faults: 0, data: null };
}

/**
 * A CPU touched a device-private page: brings it back.
 *
 * Mirrors: lib/test_hmm.c dmirror_devmem_fault()
 * faithful
 * @returns VM_FAULT_*
 */
export function* devmemFault(k: Kernel, device: DmirrorDevice, vmf: VmFault): Kernel$<number> {
  const folio = pageFolio(k, vmf.page);
  if (k.pages.isFree(vmf.page))
    k.throwBug('use after free', 'a device page that is free is faulted');
  const dmirror = device.opened[k.pages.private[folio]];
  if (!dmirror) k.throwBug('use after free', 'a device page names a device file that is closed');
  const order = vmf.pte >= 0 ? 0 : folioOrder(k, folio);
  const pages = 1 << order;
  const args = migrateVmaArgs(pages, device);
  args.vma = vmf.vma;
  args.start = order > 0 ? hugeStart(k, vmf.vpn) : vmf.vpn;
  args.end = args.start + pages;
  args.flags = selectDevice(device) | (order > 0 ? MIGRATE_VMA_SELECT_COMPOUND : 0);
  args.faultPage = vmf.page;
  if (yield* migrateVmaSetup(k, args)) return VM_FAULT_SIGBUS;
  const ret = yield* faultAllocAndCopy(k, args, dmirror);
  if (!ret) yield* migrateVmaPages(k, args);
  yield* migrateVmaFinalize(k, args);
  return ret;
}

/**
 * Brings every page of a range of device memory back to RAM.
 *
 * Mirrors: lib/test_hmm.c dmirror_device_evict_chunk()
 * faithful
 */
export function evictChunk(k: Kernel, device: DmirrorDevice, chunk: DevPagemap): Kernel$<void> {
  return evictPages(k, device, chunk.start, chunk.count, false);
}

/**
 * As evictChunk(), for some of its pages.
 *
 * Mirrors: lib/test_hmm.c dmirror_device_evict_chunk()
 * differs: may wait for pages that somebody has locked, as closing a device must
 * @param wait whether to wait for pages that somebody has locked
 */
export function* evictPages(
  k: Kernel,
  device: DmirrorDevice,
  start: number,
  npages: number,
  wait: boolean,
): Kernel$<void> {
  const src = new Int32Array(npages);
  const dst = new Int32Array(npages);
  yield* migrateDeviceRange(k, src, start, npages, wait);
  for (let i = 0; i < npages; i++) {
    const page = migratePfnToPfn(src[i]);
    if (page < 0 || !(src[i] & MIGRATE_PFN_MIGRATE)) continue;
    const order = src[i] & MIGRATE_PFN_COMPOUND ? folioOrder(k, pageFolio(k, page)) : 0;
    const ram = yield* allocRam(k, order, true);
    if (ram < 0) continue;
    const write = src[i] & MIGRATE_PFN_WRITE;
    dst[i] = migratePfn(ram) | write | (order > 0 ? MIGRATE_PFN_COMPOUND : 0);
    yield* device.copyOut(ram, page, 1 << order);
  }
  yield* device.finishCopies();
  yield* migrateDevicePages(k, src, dst, npages);
  yield* migrateDeviceFinalize(k, src, dst, npages);
}
