/**
 * A GPU driver in the manner of the kernel's drm_pagemap: memory of a fixed size, a range that migrates to it as a
 * whole or not at all, eviction by frame number, and GPUs that may take pages from each other.
 */
import {
  HMM_PFN_REQ_FAULT,
  hmmRangeFaultUnlockedTimeout,
  MIGRATE_PFN_COMPOUND,
  MIGRATE_PFN_MIGRATE,
  MIGRATE_VMA_SELECT_COMPOUND,
  MIGRATE_VMA_SELECT_DEVICE_PRIVATE,
  MIGRATE_VMA_SELECT_SYSTEM,
  migrateDeviceFinalize,
  migrateDevicePages,
  migrateDevicePfns,
  migratePfn,
  migratePfnToPfn,
  migrateVmaArgs,
  migrateVmaFinalize,
  migrateVmaPages,
  migrateVmaSetup,
} from 'softleaf/hmm';
import { ArrayDeviceMemory, EBUSY, ENOMEM } from 'softleaf/machine';
import {
  DevPagemap,
  folioAlloc,
  folioFree,
  folioIsZoneDevice,
  folioPutTestzero,
  Holder,
  memremapPages,
  pagePgmap,
  VM_FAULT_OOM,
  VM_FAULT_SIGBUS,
  zoneDevicePageInit,
} from 'softleaf/mm';
import { under } from './with-tasks.mjs';

const gpuOf = (k, page) => pagePgmap(k, page).gpu;

const OPS = {
  folioFree: (k, page) => gpuOf(k, page).release(k, page),
  migrateToRam: (k, vmf) => gpuOf(k, vmf.page).migrateToRam(k, vmf),
  folioSplit() {},
};

/** Who may take pages from whom: one for all GPUs of a driver. */
export class Owner {}

export class SvmGpu {
  /** @param pages how many its memory has */
  constructor(k, name, owner, pages) {
    this.name = name;
    this.owner = owner;
    this.memory = new ArrayDeviceMemory(k.geometry.pageBytes);
    this.lock = k.newLock(`free pages of ${name}`, 'spin');
    this.pagemap = Object.assign(new DevPagemap(owner, OPS, this.memory, 0), { gpu: this });
    memremapPages(k, this.pagemap, Math.max(pages, k.geometry.ptrsPerPte));
    const { start } = this.pagemap;
    this.free = Array.from({ length: pages }, (_, i) => start + pages - 1 - i);
    /** Pages that are handed out, the oldest first. */
    this.used = [];
    /** Pages whose content has gone to RAM and that somebody still holds; under the page's lock. */
    this.left = new Set();
  }

  /** A page of the GPU: locked, with one reference; -1 for none. */
  *alloc(k) {
    if (k.stepping) yield k.acquire(this.lock);
    k.lock(this.lock);
    const page = this.free.pop() ?? -1;
    if (page >= 0) this.used.push(page);
    if (k.stepping) yield k.release(this.lock);
    k.unlock(this.lock);
    if (page < 0) return -1;
    if (k.stepping) yield k.writeFolio(page);
    zoneDevicePageInit(k, page, 0);
    return page;
  }

  /** The last reference of a page is gone. */
  *release(k, page) {
    if (k.stepping) yield k.acquire(this.lock);
    k.lock(this.lock);
    this.left.delete(page);
    this.used.splice(this.used.indexOf(page), 1);
    this.free.push(page);
    if (k.stepping) yield k.release(this.lock);
    k.unlock(this.lock);
  }

  /** The page that was handed out first; -1 for none. */
  *oldest(k) {
    if (k.stepping) yield k.acquire(this.lock);
    k.lock(this.lock);
    const page = this.used[0] ?? -1;
    if (k.stepping) yield k.release(this.lock);
    k.unlock(this.lock);
    return page;
  }

  /** RAM for every page of `src` that migrates, with its content. */
  *populateRam(k, src, dst) {
    for (let i = 0; i < src.length; i++) {
      const page = migratePfnToPfn(src[i]);
      if (page < 0 || !(src[i] & MIGRATE_PFN_MIGRATE)) continue;
      if (k.stepping) yield k.allocateStep();
      const ram = folioAlloc(k, 0);
      if (ram < 0) return VM_FAULT_OOM;
      k.folioSetLocked(ram);
      if (k.stepping) yield k.copyStep(ram, page);
      k.monitor?.onMove(page);
      this.memory.copyToRam(k.frames, ram, this.pagemap.devicePage(page), 1);
      dst[i] = migratePfn(ram);
    }
    return 0;
  }

  /** A CPU touched a page of the GPU. */
  *migrateToRam(k, vmf) {
    const args = migrateVmaArgs(1, this.owner);
    const flags = MIGRATE_VMA_SELECT_DEVICE_PRIVATE;
    const { vma, vpn, page } = vmf;
    Object.assign(args, { vma, start: vpn, end: vpn + 1, flags, faultPage: page });
    if (yield* migrateVmaSetup(k, args)) return VM_FAULT_SIGBUS;
    const ret = yield* this.populateRam(k, args.src, args.dst);
    yield* migrateVmaPages(k, args);
    if (args.src[0] & MIGRATE_PFN_MIGRATE) this.left.add(page);
    yield* migrateVmaFinalize(k, args);
    return ret;
  }

  /**
   * Brings a page back to RAM, whoever maps it (drm_pagemap_evict_to_ram()).
   * @param looks whether it looks first if the content has gone already
   * @returns 0, or -EBUSY: it stays
   */
  *evict(k, page, looks = true) {
    const src = Int32Array.of(page);
    const dst = Int32Array.of(0);
    yield* migrateDevicePfns(k, src, 1);
    if (looks && this.left.has(page)) src[0] &= ~MIGRATE_PFN_MIGRATE;
    yield* this.populateRam(k, src, dst);
    yield* migrateDevicePages(k, src, dst, 1);
    const moved = (src[0] & MIGRATE_PFN_MIGRATE) !== 0;
    if (moved) this.left.add(page);
    yield* migrateDeviceFinalize(k, src, dst, 1);
    return moved ? 0 : -EBUSY;
  }
}

/** Pages that were taken for a migration that does not come about. */
function* giveBack(k, dst) {
  for (let i = 0; i < dst.length; i++) {
    const page = migratePfnToPfn(dst[i]);
    if (page < 0) continue;
    if (k.stepping) yield k.releaseFolio(page);
    k.folioUnlock(page);
    if (folioPutTestzero(k, page, Holder.Alloc)) yield* folioFree(k, page);
    dst[i] = 0;
  }
}

/** Copies the content of a page, or nothing at all, to a page of the GPU. */
function* copyIn(k, gpu, to, from) {
  const at = gpu.pagemap.devicePage(to);
  if (k.stepping) yield k.copyStep(to, from);
  if (from < 0) {
    gpu.memory.clear(at);
    return;
  }
  k.monitor?.onMove(from);
  if (!folioIsZoneDevice(k, from)) {
    gpu.memory.copyFromRam(at, k.frames, from, 1);
    return;
  }
  const other = gpuOf(k, from);
  const bytes = new Uint8Array(k.geometry.pageBytes);
  other.memory.read(other.pagemap.devicePage(from), bytes);
  gpu.memory.write(at, bytes);
}

/**
 * All pages of a range come to the GPU, or none (drm_pagemap_migrate_to_devmem()). mmap_lock is held.
 * @param fromGpus whether pages of GPUs are taken, too
 * @returns 0; -EBUSY where not all migrate; -ENOMEM
 */
export function* migrateToGpu(k, mm, gpu, start, pages, fromGpus = false) {
  const args = migrateVmaArgs(pages, gpu.owner);
  Object.assign(args, { vma: mm.lookupVma(start), start, end: start + pages });
  args.flags =
    MIGRATE_VMA_SELECT_SYSTEM |
    MIGRATE_VMA_SELECT_COMPOUND |
    (fromGpus ? MIGRATE_VMA_SELECT_DEVICE_PRIVATE : 0);
  const ret = yield* migrateVmaSetup(k, args);
  if (ret) return ret;
  if (args.cpages === 0) return -EBUSY;
  const { src, dst } = args;
  let err = args.cpages === pages ? 0 : -EBUSY;
  for (let i = 0; i < pages && !err; i++) {
    if (src[i] & MIGRATE_PFN_COMPOUND) err = -EBUSY;
    const page = err ? -1 : yield* gpu.alloc(k);
    if (!err && page < 0) err = -ENOMEM;
    if (err) break;
    dst[i] = migratePfn(page);
    yield* copyIn(k, gpu, page, migratePfnToPfn(src[i]));
  }
  if (err) yield* giveBack(k, dst);
  yield* migrateVmaPages(k, args);
  const moved = src.filter((entry) => entry & MIGRATE_PFN_MIGRATE).length;
  yield* migrateVmaFinalize(k, args);
  return err || (moved === pages ? 0 : -EBUSY);
}

/** All pages of a range come to RAM: a fault for a device that owns nothing (drm_gpusvm_range_evict()). */
export function evictRange(k, notifier, start, pages) {
  return hmmRangeFaultUnlockedTimeout(k, {
    notifier,
    notifierSeq: 0,
    start,
    end: start + pages,
    hmmPfns: new Int32Array(pages),
    defaultFlags: HMM_PFN_REQ_FAULT,
    pfnFlagsMask: 0,
    devPrivateOwner: null,
    migrate: null,
  });
}

/** The same as `migrateToGpu`, with mmap_lock. */
export function migrateLocked(k, mm, gpu, start, pages) {
  return under(k, mm.mmapLock, () => migrateToGpu(k, mm, gpu, start, pages), true);
}
