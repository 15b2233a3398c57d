/**
 * The fault handler as it must be: for each try it notes the sequence anew, and under the lock it looks
 * whether the sequence is still the same before it maps anything.
 */
import { EBUSY } from 'softleaf/machine';
import { mmuIntervalReadRetry } from 'softleaf/mm';
import { gpuReadAgainstUnmap, mapPage, newRange, rangeFault } from './lib/gpu.mjs';

function* faultCheckedUnderLock(k, gpu, vpn) {
  for (;;) {
    const range = yield* newRange(k, gpu, vpn);
    const ret = yield* rangeFault(k, gpu, range);
    if (ret === -EBUSY) continue;
    if (ret) return ret;
    if (k.stepping) yield k.acquire(gpu.lock);
    k.lock(gpu.lock);
    const stale = mmuIntervalReadRetry(gpu.notifier, range.notifierSeq);
    if (!stale) yield* mapPage(k, gpu, range);
    if (k.stepping) yield k.release(gpu.lock);
    k.unlock(gpu.lock);
    if (!stale) return 0;
  }
}

export default gpuReadAgainstUnmap('a GPU that checks under its lock', faultCheckedUnderLock);
