/**
 * A small driver with device memory, to begin one's own from: a GPU to which pages come when it touches them, and
 * which gives them back when a CPU does, or when its memory is to be empty. Its memory is base pages; huge pages
 * stay in RAM. gpu.mjs beside this has the rules for code that the checker runs.
 *
 * What a driver of one's own must not forget:
 * - `invalidate()` erases up to `range.end - 1`: a range ends before its `end`, and `eraseRange()` takes the last page.
 *   The test driver's MIRROR_OPS erase a page more, as the kernel's do: do not copy that.
 * - A mirror is in `k.deviceViews` from `openGpu()` to `closeGpu()`: without it nobody looks at its page table.
 * - `k.monitor` learns what only the driver knows: what it maps, accesses, and moves.
 * - The operations of a DevPagemap find the device by the page: the checker puts objects back to a snapshot.
 * - The driver's own locks go to `checkQuiescent()`: nobody else knows them.
 */
import {
  DeviceFault,
  DeviceTable,
  DPT_READ,
  DPT_WRITE,
  deviceFault,
  deviceRange,
  deviceTableStep,
  pfnOf,
  tagOf,
} from 'softleaf/drivers';
import {
  HMM_PFN_REQ_FAULT,
  HMM_PFN_REQ_WRITE,
  HMM_PFN_WRITE,
  hmmPfnToPfn,
  hmmRangeFault,
  MIGRATE_PFN_COMPOUND,
  MIGRATE_PFN_MIGRATE,
  MIGRATE_VMA_SELECT_DEVICE_PRIVATE,
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
import { ArrayDeviceMemory, EBUSY, ObjectKind, Role, StepKind } from 'softleaf/machine';
import {
  DevPagemap,
  folioAlloc,
  folioIsDevicePrivate,
  IntervalNotifier,
  memremapPages,
  mmuIntervalNotifierInsert,
  mmuIntervalNotifierRemove,
  mmuIntervalReadBegin,
  mmuIntervalReadRetry,
  mmuIntervalSetSeq,
  pagePgmap,
  setSeqStep,
  VM_FAULT_OOM,
  VM_FAULT_SIGBUS,
  zoneDevicePageInit,
} from 'softleaf/mm';

const gpuOf = (k, page) => pagePgmap(k, page).owner;

const OPS = {
  folioFree: (k, page) => gpuOf(k, page).free(k, page),
  migrateToRam: (k, vmf) => migrateToRam(k, gpuOf(k, vmf.page), vmf),
  folioSplit() {},
};

/** The device: its memory, and the pages that stand for it. */
export class Gpu {
  kind = 'private';

  /** @param pages how many pages its memory has */
  constructor(k, id, pages) {
    this.id = id;
    this.memory = new ArrayDeviceMemory(k.geometry.pageBytes);
    this.pagemap = new DevPagemap(this, OPS, this.memory, 0);
    memremapPages(k, this.pagemap, pages);
    this.lock = k.newLock(`free pages of GPU ${id}`, 'spin');
    this.freePages = Array.from({ length: pages }, (_, i) => this.pagemap.start + i);
  }

  /** A page of the device: locked, with one reference; -1 for none. */
  *alloc(k) {
    if (k.stepping) yield k.allocateStep();
    if (k.mayFail()) return -1;
    if (k.stepping) yield k.acquire(this.lock);
    k.lock(this.lock);
    const page = this.freePages.pop() ?? -1;
    if (k.stepping) yield k.release(this.lock);
    k.unlock(this.lock);
    if (page >= 0) zoneDevicePageInit(k, page, 0);
    return page;
  }

  /** The pages that are handed out. */
  *pagesInUse(k) {
    const { start, count } = this.pagemap;
    if (k.stepping) yield k.acquire(this.lock);
    k.lock(this.lock);
    const pages = Array.from({ length: count }, (_, i) => start + i);
    const used = pages.filter((page) => !this.freePages.includes(page));
    if (k.stepping) yield k.release(this.lock);
    k.unlock(this.lock);
    return Int32Array.from(used);
  }

  /** The last reference of a page is gone. */
  *free(k, page) {
    if (k.stepping) yield k.acquire(this.lock);
    k.lock(this.lock);
    this.freePages.push(page);
    if (k.stepping) yield k.release(this.lock);
    k.unlock(this.lock);
  }
}

/** What the GPU keeps for one address space: a page table, a mutex that guards it, a notifier. */
export class GpuMirror {
  table = new DeviceTable();

  constructor(k, gpu, mm) {
    this.device = gpu;
    this.mm = mm;
    this.mutex = k.newLock(`page table of GPU ${gpu.id}`, 'mutex');
    this.notifier = new IntervalNotifier({
      invalidate: (kernel, _notifier, range, sequence) => invalidate(kernel, this, range, sequence),
    });
  }
}

export function* openGpu(k, gpu, mm) {
  const mirror = new GpuMirror(k, gpu, mm);
  yield* mmuIntervalNotifierInsert(k, mirror.notifier, mm, 0, k.geometry.addressPages - 1);
  k.deviceViews.push(mirror);
  return mirror;
}

export function* closeGpu(k, mirror) {
  k.deviceViews.splice(k.deviceViews.indexOf(mirror), 1);
  yield* mmuIntervalNotifierRemove(k, mirror.notifier);
}

/** Pages change, by the process or by a migration of the GPU's own: it must let go of them before this returns. */
function* invalidate(k, mirror, range, sequence) {
  if (k.stepping) yield k.acquire(mirror.mutex);
  k.lock(mirror.mutex);
  if (k.stepping) {
    yield setSeqStep(k, mirror.notifier).and(ObjectKind.DeviceEntry, mirror.mutex.id, Role.Write);
  }
  mmuIntervalSetSeq(mirror.notifier, sequence);
  mirror.table.eraseRange(range.start, range.end - 1);
  if (k.stepping) yield k.release(mirror.mutex);
  k.unlock(mirror.mutex);
  return true;
}

// ---- to the GPU ----

/**
 * What this driver gives to `deviceFault()`: it lets pages come to the device, in one walk or in two, and then maps
 * what is there.
 */
export class GpuFault extends DeviceFault {
  get batch() {
    return this.k.geometry.ptrsPerPte;
  }

  mayAccess(vpn, write) {
    const entry = this.mirror.table.load(vpn);
    return entry !== 0 && (!write || tagOf(entry) === DPT_WRITE);
  }

  /** hmm_range_fault(), and under the mutex a look whether what it found still holds. */
  *faultInPlace(start, end, write) {
    const { k, mirror } = this;
    const { mm, mutex, notifier, table, device } = mirror;
    const request = HMM_PFN_REQ_FAULT | (write ? HMM_PFN_REQ_WRITE : 0);
    const range = deviceRange(mirror, end - start, request);
    range.start = start;
    range.end = end;
    for (;;) {
      range.notifierSeq = yield* mmuIntervalReadBegin(k, notifier);
      if (k.stepping) yield k.acquire(mm.mmapLock, true);
      k.lockShared(mm.mmapLock);
      const ret = yield* hmmRangeFault(k, range);
      if (k.stepping) yield k.release(mm.mmapLock);
      k.unlockShared(mm.mmapLock);
      if (ret === -EBUSY) continue;
      if (ret) return ret;
      if (k.stepping) yield k.acquire(mutex);
      k.lock(mutex);
      const stale = mmuIntervalReadRetry(notifier, range.notifierSeq);
      if (k.stepping && !stale) yield deviceTableStep(k, mirror, Role.Write);
      for (let vpn = start; vpn < end && !stale; vpn++) {
        const entry = range.hmmPfns[vpn - start];
        const mayWrite = (entry & HMM_PFN_WRITE) !== 0;
        table.store(vpn, hmmPfnToPfn(entry), mayWrite ? DPT_WRITE : DPT_READ);
        k.monitor?.onDeviceMap(mm.id, vpn, hmmPfnToPfn(entry), mayWrite, device);
      }
      if (k.stepping) yield k.release(mutex);
      k.unlock(mutex);
      if (!stale) return 0;
    }
  }

  /** The migration has told the notifier: the GPU does not reach the old pages any more. */
  *allocAndCopy(args) {
    const { k } = this;
    const gpu = this.mirror.device;
    for (let i = 0; i < args.end - args.start; i++) {
      const migrates = args.src[i] & MIGRATE_PFN_MIGRATE;
      if (!migrates || args.src[i] & MIGRATE_PFN_COMPOUND) continue;
      const page = yield* gpu.alloc(k);
      if (page < 0) continue;
      const from = migratePfnToPfn(args.src[i]);
      if (k.stepping) yield k.copyStep(page, from);
      if (from < 0) gpu.memory.clear(gpu.pagemap.devicePage(page));
      else {
        k.monitor?.onMove(from);
        gpu.memory.copyFromRam(gpu.pagemap.devicePage(page), k.frames, from, 1);
      }
      args.dst[i] = migratePfn(page);
    }
  }

  /** Maps what is there now: on the GPU, or where it stayed. */
  served(start, end, write) {
    return this.faultInPlace(start, end, write);
  }
}

/**
 * The GPU reads or writes the first word of a page by its own page table. Where that does not let it, the page comes
 * to the GPU, but once only: after that it is faulted where it is. The GPU and a CPU could take it from each other
 * without end otherwise, and the checker finds that.
 * @param value what to write; null to read
 * @param passes walks of the fault, see deviceFault()
 */
export function* gpuAccess(k, mirror, vpn, value, passes) {
  const fault = new GpuFault(k, mirror);
  const { table, mutex, mm, device } = mirror;
  const write = value !== null;
  for (let faults = 0; ; faults++) {
    if (k.stepping) yield k.acquire(mutex);
    k.lock(mutex);
    const entry = table.load(vpn);
    const ready = entry !== 0 && (!write || tagOf(entry) === DPT_WRITE);
    let word = null;
    if (ready) {
      const pfn = pfnOf(entry);
      const role = write ? Role.Write : Role.Read;
      if (k.stepping) yield k.step(StepKind.DeviceAccess, ObjectKind.Frame, pfn, role);
      const bytes = new Uint8Array(k.geometry.pageBytes);
      const words = new DataView(bytes.buffer);
      const there = folioIsDevicePrivate(k, pfn) ? device.pagemap.devicePage(pfn) : -1;
      if (there < 0) k.frames.read(pfn, bytes);
      else device.memory.read(there, bytes);
      if (write) {
        words.setUint32(0, value, true);
        if (there < 0) k.frames.write(pfn, bytes);
        else device.memory.write(there, bytes);
      }
      k.monitor?.onDeviceAccess(mm.id, vpn, pfn, bytes, write, device);
      word = words.getUint32(0, true);
    }
    if (k.stepping) yield k.release(mutex);
    k.unlock(mutex);
    if (ready) return word;
    const ret =
      faults === 0
        ? yield* deviceFault(k, fault, vpn, vpn + 1, { write, passes })
        : yield* fault.faultInPlace(vpn, vpn + 1, write);
    if (ret) return ret;
  }
}

// ---- back to RAM ----

/** A page of RAM with the content of a page of the device, locked; -1: no memory. */
function* copyBack(k, gpu, page) {
  if (k.stepping) yield k.allocateStep();
  const to = folioAlloc(k, 0);
  if (to < 0) return -1;
  k.folioSetLocked(to);
  if (k.stepping) yield k.copyStep(to, page);
  k.monitor?.onMove(page);
  gpu.memory.copyToRam(k.frames, to, gpu.pagemap.devicePage(page), 1);
  return to;
}

/** A CPU touched a page of the device. */
function* migrateToRam(k, gpu, vmf) {
  const args = migrateVmaArgs(1, gpu);
  args.vma = vmf.vma;
  args.start = vmf.vpn;
  args.end = vmf.vpn + 1;
  args.flags = MIGRATE_VMA_SELECT_DEVICE_PRIVATE;
  args.faultPage = vmf.page;
  if (yield* migrateVmaSetup(k, args)) return VM_FAULT_SIGBUS;
  const page = migratePfnToPfn(args.src[0]);
  let ret = 0;
  if (page >= 0 && args.src[0] & MIGRATE_PFN_MIGRATE) {
    const to = yield* copyBack(k, gpu, page);
    if (to < 0) ret = VM_FAULT_OOM;
    else args.dst[0] = migratePfn(to);
    yield* migrateVmaPages(k, args);
  }
  yield* migrateVmaFinalize(k, args);
  return ret;
}

/** Brings back whatever is on the device, whoever maps it. What somebody holds or has locked stays. */
export function* evict(k, gpu) {
  const src = yield* gpu.pagesInUse(k);
  const count = src.length;
  const dst = new Int32Array(count);
  yield* migrateDevicePfns(k, src, count);
  for (let i = 0; i < count; i++) {
    const page = migratePfnToPfn(src[i]);
    if (page < 0 || !(src[i] & MIGRATE_PFN_MIGRATE)) continue;
    const to = yield* copyBack(k, gpu, page);
    if (to >= 0) dst[i] = migratePfn(to);
  }
  yield* migrateDevicePages(k, src, dst, count);
  yield* migrateDeviceFinalize(k, src, dst, count);
}
