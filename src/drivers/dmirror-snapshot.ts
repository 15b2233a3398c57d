/**
 * What the test driver sees of a range without faulting.
 *
 * Models: lib/test_hmm.c dmirror_snapshot()
 */

import {
  HMM_PFN_ERROR,
  HMM_PFN_VALID,
  HMM_PFN_WRITE,
  hmmPfnToMapOrder,
  hmmPfnToPfn,
} from '../hmm/pfn.ts';
import { hmmRangeFault } from '../hmm/range.ts';
import type { HmmRange } from '../hmm/walk-state.ts';
import { EBUSY } from '../machine/errno.ts';
import type { Kernel$ } from '../machine/step.ts';
import { folioIsDeviceCoherent, folioIsZoneDevice } from '../mm/folio.ts';
import type { Kernel } from '../mm/kernel.ts';
import { pagePgmap } from '../mm/memremap.ts';
import {
  type IntervalNotifierOps,
  mmuIntervalNotifierInsert,
  mmuIntervalNotifierRemove,
  mmuIntervalReadBegin,
  mmuIntervalReadRetry,
  mmuIntervalSetSeq,
  setSeqStep,
} from '../mm/mmu-notifier.ts';
import { BATCH, type Dmirror, MirrorNotifier } from './dmirror.ts';
import { deviceRange } from './driver.ts';

/** Bytes of a snapshot (lib/test_hmm_uapi.h HMM_DMIRROR_PROT_*). */
export const PROT_ERROR = 0xff;
export const PROT_NONE = 0x00;
export const PROT_READ = 0x01;
export const PROT_WRITE = 0x02;
export const PROT_PMD = 0x04;
export const PROT_ZERO = 0x10;
export const PROT_DEV_PRIVATE_LOCAL = 0x20;
export const PROT_DEV_COHERENT_LOCAL = 0x40;
export const PROT_DEV_COHERENT_REMOTE = 0x50;

/** Mirrors: lib/test_hmm.c dmirror_mkentry(); simplified: no PUDs */
function snapshotByte(k: Kernel, dmirror: Dmirror, entry: number): number {
  if (entry & HMM_PFN_ERROR) return PROT_ERROR;
  if (!(entry & HMM_PFN_VALID)) return PROT_NONE;
  const pfn = hmmPfnToPfn(entry);
  let byte = PROT_NONE;
  if (folioIsZoneDevice(k, pfn)) {
    const local = pagePgmap(k, pfn).owner === dmirror.device;
    const coherent = folioIsDeviceCoherent(k, pfn);
    k.warn(!local && !coherent, "another device's page in a snapshot");
    if (coherent) byte = local ? PROT_DEV_COHERENT_LOCAL : PROT_DEV_COHERENT_REMOTE;
    else byte = PROT_DEV_PRIVATE_LOCAL;
  } else if (k.isZero(pfn)) byte = PROT_ZERO;
  byte |= entry & HMM_PFN_WRITE ? PROT_WRITE : PROT_READ;
  if (hmmPfnToMapOrder(entry, k.geometry.pmdOrder) > 0) byte |= PROT_PMD;
  return byte;
}

/** Mirrors: lib/test_hmm.c dmirror_snapshot_invalidate(); faithful */
const SNAPSHOT_OPS: IntervalNotifierOps = {
  *invalidate(k, notifier, range, sequence): Kernel$<boolean> {
    const { dmirror } = notifier as MirrorNotifier;
    if (range.blockable) {
      if (k.stepping) yield k.acquire(dmirror.mutex);
      k.lock(dmirror.mutex);
    } else {
      if (k.stepping) yield k.tryAcquire(dmirror.mutex);
      if (!k.tryLock(dmirror.mutex)) return false;
    }
    if (k.stepping) yield setSeqStep(k, notifier);
    mmuIntervalSetSeq(notifier, sequence);
    if (k.stepping) yield k.release(dmirror.mutex);
    k.unlock(dmirror.mutex);
    return true;
  },
};

/** Mirrors: lib/test_hmm.c dmirror_range_snapshot(); simplified: no clock */
function* rangeSnapshot(
  k: Kernel,
  dmirror: Dmirror,
  range: HmmRange,
  into: number[],
): Kernel$<number> {
  const { mm, mutex } = dmirror;
  const notifier = new MirrorNotifier(dmirror, SNAPSHOT_OPS);
  range.notifier = notifier;
  yield* mmuIntervalNotifierInsert(k, notifier, mm, range.start, range.end - 1);
  let ret: number;
  for (;;) {
    range.notifierSeq = yield* mmuIntervalReadBegin(k, notifier);
    if (k.stepping) yield k.acquire(mm.mmapLock, true);
    k.lockShared(mm.mmapLock);
    ret = yield* hmmRangeFault(k, range);
    if (k.stepping) yield k.release(mm.mmapLock);
    k.unlockShared(mm.mmapLock);
    if (ret === -EBUSY) continue;
    if (ret) break;
    if (k.stepping) yield k.acquire(mutex);
    k.lock(mutex);
    const stale = mmuIntervalReadRetry(notifier, range.notifierSeq);
    if (!stale) {
      for (let i = 0; i < range.end - range.start; i++) {
        into.push(snapshotByte(k, dmirror, range.hmmPfns[i]));
      }
    }
    if (k.stepping) yield k.release(mutex);
    k.unlock(mutex);
    if (!stale) break;
  }
  yield* mmuIntervalNotifierRemove(k, notifier);
  return ret;
}

/**
 * What the device would see of a range, without faulting: a byte a page.
 *
 * Mirrors: lib/test_hmm.c dmirror_snapshot()
 * faithful
 */
export function* deviceSnapshot(
  k: Kernel,
  dmirror: Dmirror,
  start: number,
  end: number,
): Kernel$<{ ret: number; prot: number[] }> {
  const range = deviceRange(dmirror, BATCH, 0);
  const prot: number[] = [];
  for (let vpn = start; vpn < end; vpn = range.end) {
    range.start = vpn;
    range.end = Math.min(vpn + BATCH, end);
    const ret = yield* rangeSnapshot(k, dmirror, range, prot);
    if (ret) return { ret, prot };
  }
  return { ret: 0, prot };
}
