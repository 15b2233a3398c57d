/**
 * A small driver of one's own: a GPU that mirrors a process's address space and reads its memory. It is
 * written as a kernel driver is: a notifier, a lock, a page table, a fault handler. Which fault handler it
 * has is left to the scenario.
 *
 * Rules for code that the checker runs:
 * - what runs as part of a task is a generator function, and calls others with `yield*`;
 * - before everything that another task could see or be blocked by it yields a step that names the object
 *   and what it does with it: `if (k.stepping) yield k.acquire(lock);`
 */
import { DeviceTable, DPT_READ, pfnOf } from 'softleaf/drivers';
import { HMM_PFN_REQ_FAULT, hmmPfnToPfn, hmmRangeFault } from 'softleaf/hmm';
import { EFAULT, ObjectKind, Role, runToEnd, StepKind } from 'softleaf/machine';
import {
  CountingLedger,
  checkEmpty,
  checkQuiescent,
  cpuWriteWord,
  exitMmap,
  IntervalNotifier,
  Kernel,
  mmapRegion,
  mmuIntervalNotifierInsert,
  mmuIntervalNotifierRemove,
  mmuIntervalReadBegin,
  mmuIntervalSetSeq,
  munmap,
  setSeqStep,
  VM_READ,
  VM_WRITE,
} from 'softleaf/mm';

export class Gpu {
  /** The GPU's page table; `lock` guards it. */
  table = new DeviceTable();

  constructor(k, mm) {
    this.mm = mm;
    this.lock = k.newLock('GPU page table', 'mutex');
    this.notifier = new IntervalNotifier({
      invalidate: (kernel, _notifier, range, sequence) => invalidate(kernel, this, range, sequence),
    });
  }

  /** Whose device memory a walk may report as it is: this GPU has none. */
  get device() {
    return this;
  }
}

/** The process is about to change pages: the GPU must let go of them before this returns. */
function* invalidate(k, gpu, range, sequence) {
  if (k.stepping) yield k.acquire(gpu.lock);
  k.lock(gpu.lock);
  if (k.stepping) yield setSeqStep(k, gpu.notifier).and(ObjectKind.DeviceEntry, gpu.lock.id, Role.Write);
  mmuIntervalSetSeq(gpu.notifier, sequence);
  gpu.table.eraseRange(range.start, range.end - 1);
  if (k.stepping) yield k.release(gpu.lock);
  k.unlock(gpu.lock);
  return true;
}

/** Asks the kernel for a page: 0 and `range.hmmPfns[0]`, or a negative errno; -EBUSY: ask again. */
export function* rangeFault(k, gpu, range) {
  if (k.stepping) yield k.acquire(gpu.mm.mmapLock, true);
  k.lockShared(gpu.mm.mmapLock);
  const ret = yield* hmmRangeFault(k, range);
  if (k.stepping) yield k.release(gpu.mm.mmapLock);
  k.unlockShared(gpu.mm.mmapLock);
  return ret;
}

/** What a fault handler asks for: one page, for reading. */
export function* newRange(k, gpu, vpn) {
  const notifierSeq = yield* mmuIntervalReadBegin(k, gpu.notifier);
  return {
    notifier: gpu.notifier,
    notifierSeq,
    start: vpn,
    end: vpn + 1,
    hmmPfns: new Int32Array(1),
    defaultFlags: HMM_PFN_REQ_FAULT,
    pfnFlagsMask: 0,
    devPrivateOwner: gpu,
    migrate: null,
  };
}

/** Enters what a range fault found into the GPU's page table; the lock is held. */
export function* mapPage(k, gpu, range) {
  const pfn = hmmPfnToPfn(range.hmmPfns[0]);
  if (k.stepping) yield k.step(StepKind.Shared, ObjectKind.DeviceEntry, gpu.lock.id, Role.Write);
  gpu.table.store(range.start, pfn, DPT_READ);
  // who watches learns what the GPU maps
  k.monitor?.onDeviceMap(gpu.mm.id, range.start, pfn, false, gpu);
}

/** The GPU reads a page through its own page table, and faults where that has nothing. */
export function* gpuRead(k, gpu, vpn, fault) {
  for (;;) {
    if (k.stepping) yield k.acquire(gpu.lock);
    k.lock(gpu.lock);
    const entry = gpu.table.load(vpn);
    if (entry !== 0) {
      const pfn = pfnOf(entry);
      if (k.stepping) yield k.step(StepKind.DeviceAccess, ObjectKind.Frame, pfn, Role.Read);
      const bytes = new Uint8Array(k.geometry.pageBytes);
      k.frames.read(pfn, bytes);
      k.monitor?.onDeviceAccess(gpu.mm.id, vpn, pfn, bytes, false, gpu);
    }
    const word = entry === 0 ? null : k.frames.readWord(pfnOf(entry));
    if (k.stepping) yield k.release(gpu.lock);
    k.unlock(gpu.lock);
    if (word !== null) return word;
    const ret = yield* fault(k, gpu, vpn);
    if (ret) return ret;
  }
}

/** A GPU reads a page while the process unmaps it. */
export function gpuReadAgainstUnmap(name, fault) {
  return {
    name,
    // everything that the tasks use and change is in the state
    setup({ walk }) {
      const k = new Kernel({
        ...(walk ? { walk } : {}),
        pmdOrder: 2, // huge pages of 4 pages, tables of 16 entries, pages of 16 bytes
        tableBits: 4,
        pageBytes: 16,
        cpus: 2,
        poison: true,
      });
      k.ledger = new CountingLedger(k);
      const mm = k.newMm();
      const page = k.geometry.vpnOf(0, 0);
      runToEnd(k, mmapRegion(k, mm, page, page + 1, VM_READ | VM_WRITE, null));
      runToEnd(k, cpuWriteWord(k, mm, page, 42));
      const gpu = new Gpu(k, mm);
      runToEnd(k, mmuIntervalNotifierInsert(k, gpu.notifier, mm, 0, k.geometry.addressPages - 1));
      k.deviceViews.push(gpu);
      return { k, mm, gpu, page, read: null };
    },
    kernel: ({ k }) => k,
    tasks: {
      *gpu(state) {
        state.read = yield* gpuRead(state.k, state.gpu, state.page, fault);
      },
      *cpu({ k, mm, page }) {
        yield* munmap(k, mm, page, page + 1);
      },
    },
    // when all tasks have ended: nothing is half done, and the GPU has read what was there, or nothing
    check({ k, gpu, read }) {
      const broken = checkQuiescent(k, { locks: [gpu.lock] });
      if (read === 42 || read === -EFAULT) return broken;
      return [...broken, { invariant: 'data', title: `the GPU reads ${read}`, where: 'the page' }];
    },
    // what tells one end from another
    outcome: ({ read, gpu, page }) => JSON.stringify([read, gpu.table.load(page) !== 0]),
    // everything is given back, and nothing may be left
    shutdown({ k, mm, gpu }) {
      k.deviceViews.splice(k.deviceViews.indexOf(gpu), 1);
      runToEnd(k, mmuIntervalNotifierRemove(k, gpu.notifier));
      runToEnd(k, exitMmap(k, mm));
      return [...checkQuiescent(k, { locks: [gpu.lock] }), ...checkEmpty(k)];
    },
  };
}
