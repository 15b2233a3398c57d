/** A driver that maps pages of a process where they are, and maps them again after an invalidation. */
import {
  DeviceTable,
  DPT_READ,
  deviceRange,
  deviceTableStep,
  pfnOf,
} from 'softleaf/drivers';
import { HMM_PFN_REQ_FAULT, hmmPfnToPfn, hmmRangeFault } from 'softleaf/hmm';
import { EBUSY, ObjectKind, Role, runToEnd, StepKind } from 'softleaf/machine';
import {
  IntervalNotifier,
  mmuIntervalNotifierInsert,
  mmuIntervalNotifierRemove,
  mmuIntervalReadBegin,
  mmuIntervalReadRetry,
  mmuIntervalSetSeq,
  setSeqStep,
} from 'softleaf/mm';
import { under } from './with-tasks.mjs';

/** A range of a process that a GPU reads. */
export class Userptr {
  table = new DeviceTable();
  /** Whether it is to be mapped again. */
  invalid = true;
  /** Whether it cannot be mapped any more. */
  bad = false;

  /** @param mutex guards the GPU's page table */
  constructor(k, mm, mutex, start, pages) {
    Object.assign(this, { mm, mutex, start, pages });
    this.notifier = new IntervalNotifier({
      invalidate: (kernel, _notifier, range, sequence) => this.invalidate(kernel, range, sequence),
    });
    runToEnd(k, mmuIntervalNotifierInsert(k, this.notifier, mm, start, start + pages - 1));
    k.deviceViews.push(this);
  }

  /** Whose memory a range fault may report as it is: it has none. */
  get device() {
    return this;
  }

  close(k) {
    k.deviceViews.splice(k.deviceViews.indexOf(this), 1);
    runToEnd(k, mmuIntervalNotifierRemove(k, this.notifier));
  }

  *invalidate(k, range, sequence) {
    const { mutex, notifier, table } = this;
    if (k.stepping) yield k.acquire(mutex);
    k.lock(mutex);
    if (k.stepping) {
      yield setSeqStep(k, notifier).and(ObjectKind.DeviceEntry, mutex.id, Role.Write);
    }
    mmuIntervalSetSeq(notifier, sequence);
    table.eraseRange(range.start, range.end - 1);
    this.invalid = true;
    if (k.stepping) yield k.release(mutex);
    k.unlock(mutex);
    return true;
  }

  /** Tries once to map it again. @returns 0; -EBUSY where it was invalidated meanwhile; or why not */
  *restore(k) {
    const { mm, mutex, notifier, table, start, pages } = this;
    const range = deviceRange(this, pages, HMM_PFN_REQ_FAULT);
    Object.assign(range, { start, end: start + pages });
    range.notifierSeq = yield* mmuIntervalReadBegin(k, notifier);
    const ret = yield* under(k, mm.mmapLock, () => hmmRangeFault(k, range), true);
    if (ret) return ret;
    if (k.stepping) yield k.acquire(mutex);
    k.lock(mutex);
    const stale = mmuIntervalReadRetry(notifier, range.notifierSeq);
    if (k.stepping && !stale) yield deviceTableStep(k, this, Role.Write);
    for (let i = 0; i < pages && !stale; i++) {
      const pfn = hmmPfnToPfn(range.hmmPfns[i]);
      table.store(start + i, pfn, DPT_READ);
      k.monitor?.onDeviceMap(mm.id, start + i, pfn, false, this);
    }
    if (!stale) this.invalid = false;
    if (k.stepping) yield k.release(mutex);
    k.unlock(mutex);
    return stale ? -EBUSY : 0;
  }

  /** The GPU reads the first page. @returns its first word; null: it is not mapped */
  *read(k) {
    const { mm, mutex, table, start } = this;
    if (k.stepping) yield k.acquire(mutex);
    k.lock(mutex);
    const entry = table.load(start);
    let word = null;
    if (entry !== 0) {
      const pfn = pfnOf(entry);
      if (k.stepping) yield k.step(StepKind.DeviceAccess, ObjectKind.Frame, pfn, Role.Read);
      const bytes = new Uint8Array(k.geometry.pageBytes);
      k.frames.read(pfn, bytes);
      k.monitor?.onDeviceAccess(mm.id, start, pfn, bytes, false, this);
      word = new DataView(bytes.buffer).getUint32(0, true);
    }
    if (k.stepping) yield k.release(mutex);
    k.unlock(mutex);
    return word;
  }
}
