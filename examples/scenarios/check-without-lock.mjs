/**
 * A fault handler that retries wrongly: it looks at the notifier's sequence and only then takes the lock
 * under which the GPU's page table is changed. Look at the finding: between the two an invalidation comes
 * and goes, and what is mapped afterwards the process has given back.
 */
import { EBUSY } from 'softleaf/machine';
import { checkRetryStep, mmuIntervalCheckRetry } from 'softleaf/mm';
import { gpuReadAgainstUnmap, mapPage, newRange, rangeFault } from './lib/gpu.mjs';

function* faultCheckedWithoutLock(k, gpu, vpn) {
  for (;;) {
    const range = yield* newRange(k, gpu, vpn);
    const ret = yield* rangeFault(k, gpu, range);
    if (ret === -EBUSY) continue;
    if (ret) return ret;
    // wrong: mmu_interval_check_retry() is a hint, whatever it says may be old at once
    if (k.stepping) yield checkRetryStep(k, gpu.notifier);
    if (mmuIntervalCheckRetry(gpu.notifier, range.notifierSeq)) continue;
    if (k.stepping) yield k.acquire(gpu.lock);
    k.lock(gpu.lock);
    yield* mapPage(k, gpu, range);
    if (k.stepping) yield k.release(gpu.lock);
    k.unlock(gpu.lock);
    return 0;
  }
}

export default gpuReadAgainstUnmap('a GPU that checks without its lock', faultCheckedWithoutLock);
