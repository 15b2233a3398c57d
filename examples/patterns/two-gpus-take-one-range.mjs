/**
 * Two GPUs take one range, each all of its pages or none. Who finds pages on the other GPU brings the range back to
 * RAM and tries again: each makes the other one fail, and they can go on like this for ever. A lock that whoever has
 * failed once takes for itself ends it.
 */
import { EBUSY } from 'softleaf/machine';
import { evictRange, migrateLocked, Owner, SvmGpu } from './lib/svm-gpu.mjs';
import { withTasks } from './lib/with-tasks.mjs';

// over the end of a page table: each GPU may get a part
const RANGE = { buf: 0, page: 2, pages: 4 };

/** Takes the range for a GPU. @param lock which keeps others out after the first failure; null: none */
function* take({ k, system, own }, gpu, lock) {
  const { mm, notifier } = system.mirrors[0];
  const start = k.geometry.vpnOf(RANGE.buf, RANGE.page);
  let alone = false;
  if (lock) {
    if (k.stepping) yield k.acquire(lock, true);
    k.lockShared(lock);
  }
  let err;
  for (;;) {
    err = yield* migrateLocked(k, mm, own.gpus[gpu], start, RANGE.pages);
    if (err !== -EBUSY) break;
    if (lock && !alone) {
      if (k.stepping) yield k.release(lock);
      k.unlockShared(lock);
      if (k.stepping) yield k.acquire(lock);
      k.lock(lock);
      alone = true;
    }
    err = yield* evictRange(k, notifier, start, RANGE.pages);
    if (err) break;
  }
  if (lock) {
    if (k.stepping) yield k.release(lock);
    if (alone) k.unlock(lock);
    else k.unlockShared(lock);
  }
  own.results[gpu] = err;
}

const scenario = (name, locked) =>
  withTasks(
    {
      name,
      setup: [
        { op: 'mmap', buf: 0, page: 0, pages: 8, prot: 'rw', kind: 'anon' },
        { op: 'cpu_write', ...RANGE, tag: 1 },
        // no folio is on its way to a list of the kernel, which would hold it
        { op: 'madvise', ...RANGE, advice: 'willneed' },
      ],
      after: [{ op: 'cpu_read', ...RANGE }],
    },
    {
      gpu0: (parts) => take(parts, 0, locked ? parts.own.lock : null),
      gpu1: (parts) => take(parts, 1, locked ? parts.own.lock : null),
    },
    {
      prepare({ k, own }) {
        const owner = new Owner();
        own.gpus = ['gpu 0', 'gpu 1'].map((gpu) => new SvmGpu(k, gpu, owner, RANGE.pages));
        own.lock = k.newLock('driver_migrate_lock', 'rwsem');
        own.results = [];
      },
      outcome: ({ own }) => own.results.join(),
    },
  );

export const wrong = scenario('two GPUs take one range', false);
export const right = scenario('two GPUs take one range, one at a time after a failure', true);
export default [wrong, right];
