/**
 * A driver that takes the pages of a process for its device without migrating them, and notes which it
 * will write to.
 *
 * After: drivers/gpu/drm/xe/xe_hmm.c
 */
import {
  HMM_PFN_REQ_FAULT,
  HMM_PFN_REQ_WRITE,
  HMM_PFN_WRITE,
  hmmPfnToPfn,
} from '../../src/hmm/pfn.ts';
import { hmmRangeFault } from '../../src/hmm/range.ts';
import type { HmmRange } from '../../src/hmm/walk-state.ts';
import { EBUSY } from '../../src/machine/errno.ts';
import { type Kernel$, PG_DIRTY } from '../../src/machine/index.ts';
import { folioSet, pageFolio } from '../../src/mm/folio.ts';
import type { Kernel } from '../../src/mm/index.ts';
import { mmuIntervalReadBegin, mmuIntervalReadRetry } from '../../src/mm/mmu-notifier.ts';
import type { System } from '../../src/program/system.ts';

/** The pages have no reference: only the sequence number says that they are still there. */
function* markPagesDirty(k: Kernel, range: HmmRange): Kernel$<void> {
  for (const entry of range.hmmPfns) {
    const page = hmmPfnToPfn(entry);
    if (k.stepping) yield k.writeFolio(pageFolio(k, page));
    if (k.pages.isFree(page)) {
      k.report('use after free', 'a driver marks a page dirty that is free');
      return;
    }
    if (entry & HMM_PFN_WRITE) folioSet(k, pageFolio(k, page), PG_DIRTY);
  }
}

/** xe_hmm_userptr_populate_range() */
export function* populateUserptr(system: System, page: number, pages: number): Kernel$<number> {
  const k = system.kernel;
  const { notifier, mutex, mm, device } = system.mirrors[0];
  const start = k.geometry.vpnOf(0, page);
  const range: HmmRange = {
    notifier,
    notifierSeq: 0,
    start,
    end: start + pages,
    hmmPfns: new Int32Array(pages),
    defaultFlags: HMM_PFN_REQ_FAULT | HMM_PFN_REQ_WRITE,
    pfnFlagsMask: 0,
    devPrivateOwner: device,
    migrate: null,
  };
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
    if (!stale) yield* markPagesDirty(k, range);
    if (k.stepping) yield k.release(mutex);
    k.unlock(mutex);
    if (!stale) return 0;
  }
}
