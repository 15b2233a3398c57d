/**
 * The test driver's exclusive access.
 *
 * Models: lib/test_hmm.c dmirror_exclusive()
 */

import { EBUSY, EPERM } from '../machine/errno.ts';
import { type Kernel$, Role } from '../machine/step.ts';
import { folioUnlockPut, pageFolio } from '../mm/folio.ts';
import type { Kernel } from '../mm/kernel.ts';
import { Holder } from '../mm/look/ledger.ts';
import { mmuIntervalReadBegin } from '../mm/mmu-notifier.ts';
import { makeDeviceExclusive } from '../mm/rmap.ts';
import { DPT_ATOMIC, tagOf } from './device-table.ts';
import type { Dmirror } from './dmirror.ts';
import { type DeviceResult, readBack } from './dmirror-access.ts';
import { deviceTableStep } from './driver.ts';
import { PATIENCE } from './patience.ts';

/**
 * Gives the device exclusive access to a range.
 *
 * Mirrors: lib/test_hmm.c dmirror_exclusive(), dmirror_atomic_map()
 * differs: the mended driver looks whether the page was taken away again before it is mapped, and tries again a few times;
 * stock does not, and may map a page that the process has unmapped
 * @returns -EBUSY where a page was taken away each time
 */
export function* deviceExclusive(
  k: Kernel,
  dmirror: Dmirror,
  start: number,
  end: number,
): Kernel$<DeviceResult> {
  const { mm, mutex } = dmirror;
  const { mends } = dmirror.device;
  if (k.stepping) yield k.acquire(mm.mmapLock, true);
  k.lockShared(mm.mmapLock);
  let ret = 0;
  let tries = 0;
  for (let vpn = start; vpn < end; ) {
    if (tries++ === PATIENCE.tries) {
      ret = -EBUSY;
      break;
    }
    const page = yield* makeDeviceExclusive(k, mm, vpn, null);
    if (page < 0) {
      ret = page;
      break;
    }
    if (k.stepping) yield mends.claimStep(k, dmirror, vpn);
    k.lock(mutex);
    const still = mends.isClaimed(k, dmirror, vpn, page);
    if (k.stepping && still) yield deviceTableStep(k, dmirror, Role.Write);
    if (still) dmirror.map(vpn, page, DPT_ATOMIC);
    if (k.stepping) yield k.release(mutex);
    k.unlock(mutex);
    const folio = pageFolio(k, page);
    yield* folioUnlockPut(k, folio, Holder.Pin);
    if (still) {
      vpn++;
      tries = 0;
    } else yield* mmuIntervalReadBegin(k, dmirror.notifier);
  }
  if (k.stepping) yield k.release(mm.mmapLock);
  k.unlockShared(mm.mmapLock);
  if (ret) return { ret, cpages: 0, faults: 0, data: null };
  return yield* readBack(k, dmirror, start, end);
}

/**
 * -EPERM while the device has exclusive access to a page of the range.
 *
 * Mirrors: lib/test_hmm.c dmirror_check_atomic()
 * faithful
 */
export function* checkExclusive(dmirror: Dmirror, start: number, end: number): Kernel$<number> {
  const { k } = dmirror;
  for (let vpn = start; vpn < end; vpn++) {
    if (k.stepping) yield deviceTableStep(k, dmirror, Role.Read);
    if (tagOf(dmirror.pt.load(vpn)) === DPT_ATOMIC) return -EPERM;
  }
  return 0;
}
