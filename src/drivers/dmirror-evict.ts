/**
 * The test driver's migrations back to RAM: asked for, when a CPU touches a page, and of all that is on the device.
 *
 * Models: lib/test_hmm.c
 */

import {
  MIGRATE_VMA_SELECT_COMPOUND,
  MIGRATE_VMA_SELECT_DEVICE_COHERENT,
  MIGRATE_VMA_SELECT_DEVICE_PRIVATE,
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
import type { Kernel$ } from '../machine/step.ts';
import { VM_FAULT_OOM, VM_FAULT_SIGBUS, type VmFault } from '../mm/fault.ts';
import {
  folioAlloc,
  folioFree,
  folioIsZoneDevice,
  folioOrder,
  folioPutTestzero,
  pageFolio,
  pageIsFree,
} from '../mm/folio.ts';
import type { Kernel } from '../mm/kernel.ts';
import { Holder } from '../mm/look/ledger.ts';
import type { DevPagemap } from '../mm/memremap.ts';
import { hugeStart } from '../mm/pgtable.ts';
import type { Vma } from '../mm/vma.ts';
import { nextPart } from './device-fault.ts';
import { type Dmirror, deviceFlagStep } from './dmirror.ts';
import type { DeviceResult } from './dmirror-access.ts';
import type { DmirrorDevice } from './dmirror-device.ts';

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
  if (page >= 0) k.folioSetLocked(page);
  return page;
}

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
  const { mm } = args.vma as Vma;
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
      yield* device.mends.leaveDevice(k, dmirror, mm, vpn, pages);
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
      yield* device.mends.leaveDevice(k, dmirror, mm, vpn, 1);
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
  if (pageIsFree(k, vmf.page))
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
