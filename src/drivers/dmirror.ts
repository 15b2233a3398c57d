/**
 * The twin of the kernel's HMM test driver: a device that mirrors a process's address space. What an open file
 * is, its notifier, and the steps that name it.
 *
 * Models: lib/test_hmm.c struct dmirror
 */

import type { DeviceMemory } from '../machine/device-memory.ts';
import type { Lock } from '../machine/lock.ts';
import { deviceFlagsOf } from '../machine/objects.ts';
import { type Kernel$, ObjectKind, Role, type Step, StepKind } from '../machine/step.ts';
import type { Kernel } from '../mm/kernel.ts';
import type { Mm } from '../mm/mm.ts';
import {
  IntervalNotifier,
  type IntervalNotifierOps,
  MmuNotify,
  mmuIntervalSetSeq,
  type NotifierRange,
  setSeqStep,
} from '../mm/mmu-notifier.ts';
import type { AddressSpace } from '../mm/shmem.ts';
import { DeviceTable, DPT_READ } from './device-table.ts';
import type { DmirrorDevice } from './dmirror-device.ts';
import type { Mirror } from './driver.ts';
import type { InvalidationLog } from './invalidation-log.ts';

/** Pages that one range fault or snapshot covers. */
export const BATCH = 32;

/** An open device file: the mirror of one address space (struct dmirror). */
export class Dmirror implements Mirror {
  readonly pt = new DeviceTable();
  /** The page table, for those who look whether it is right. */
  get table(): DeviceTable {
    return this.pt;
  }
  /** The device's own memory, where it is not in the reach of CPUs. */
  get memory(): DeviceMemory {
    return this.device.memory as DeviceMemory;
  }
  readonly mutex: Lock;
  readonly notifier: IntervalNotifier;
  /** The next allocation of a page, here or in RAM, fails (HMM_DMIRROR_FLAG_FAIL_ALLOC). */
  failAlloc = false;
  /** Walks and migrations under way that will map what they find. */
  readonly logs = new Set<InvalidationLog>();
  /** Pages of which the device's own migration makes a copy while it may write to them: stock's. */
  readonly copying = new Set<number>();
  readonly number: number;
  /** Mappings of the open file, those that are gone among them. */
  readonly mapped = new Set<AddressSpace>();

  constructor(
    readonly k: Kernel,
    readonly device: DmirrorDevice,
    readonly mm: Mm,
  ) {
    this.mutex = k.newLock(`mirror of device ${device.id}`, 'mutex');
    this.number = device.opened.length;
    device.opened.push(this);
    this.notifier = new MirrorNotifier(this, MIRROR_OPS);
  }

  /** Whether somebody has it open still. */
  get isOpen(): boolean {
    return this.device.opened[this.number] === this;
  }

  keepsCopied(vpn: number): boolean {
    return this.copying.has(vpn);
  }

  /** Fills `count` entries of the device's page table; the mutex is held. */
  map(vpn: number, pfn: number, tag: number, count = 1): void {
    this.pt.storeRun(vpn, pfn, count, tag);
    const { monitor } = this.k;
    if (monitor === null) return;
    for (let i = 0; i < count; i++) {
      monitor.onDeviceMap(this.mm.id, vpn + i, pfn + i, tag !== DPT_READ, this.device);
    }
  }
}

/**
 * Stock has a race here, as the device's own migration does not change the notifier's sequence:
 * - A, a fault of the device: `hmm_range_fault()` finds a page in RAM;
 * - B, through the same open file: migrates that page to the device, from the beginning to the end;
 * - A: takes the mutex, `mmu_interval_read_retry()` sees the old sequence, `dmirror_do_fault()` stores
 *   the page of RAM over the device page that B stored.
 * The device's page table names a page of RAM that is free.
 *
 * Do not copy its range either: it erases up to `range.end`, the first page that is not invalidated, as stock
 * does. A driver erases up to `range.end - 1`; see examples/scenarios/lib/gpu.mjs.
 *
 * Mirrors: lib/test_hmm.c dmirror_interval_invalidate(), dmirror_do_update()
 * faithful, with the update's range taken one page too far
 */
const MIRROR_OPS: IntervalNotifierOps = {
  *invalidate(
    k: Kernel,
    notifier: IntervalNotifier,
    range: NotifierRange,
    sequence: number,
  ): Kernel$<boolean> {
    const { dmirror } = notifier as MirrorNotifier;
    const { mutex } = dmirror;
    // one's own migration takes care of the device's page table itself
    if (range.event === MmuNotify.Migrate && range.owner === dmirror.device) return true;
    if (range.blockable) {
      if (k.stepping) yield k.acquire(dmirror.mutex);
      k.lock(dmirror.mutex);
    } else {
      if (k.stepping) yield k.tryAcquire(dmirror.mutex);
      if (!k.tryLock(dmirror.mutex)) return false;
    }
    if (k.stepping) yield setSeqStep(k, notifier).and(ObjectKind.DeviceEntry, mutex.id, Role.Write);
    mmuIntervalSetSeq(notifier, sequence);
    dmirror.pt.eraseRange(range.start, range.end);
    for (const log of dmirror.logs) log.note(k, range.start, range.end, sequence);
    if (k.stepping) yield k.release(dmirror.mutex);
    k.unlock(dmirror.mutex);
    return true;
  },
};

/** A notifier for a mirror, by which the callback finds it (container_of()). */
export class MirrorNotifier extends IntervalNotifier {
  constructor(
    readonly dmirror: Dmirror,
    ops: IntervalNotifierOps,
  ) {
    super(ops);
  }
}

/** The step before the device's flags are looked at or changed. */
export function deviceFlagStep(k: Kernel, dmirror: Dmirror): Step {
  return k.step(StepKind.Shared, ObjectKind.Program, deviceFlagsOf(dmirror.mutex), Role.Write);
}
