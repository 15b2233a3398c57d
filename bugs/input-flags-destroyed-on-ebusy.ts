import { HMM_PFN_REQ_FAULT } from '../src/hmm/pfn.ts';
import { hmmRangeFault } from '../src/hmm/range.ts';
import type { HmmRange } from '../src/hmm/walk-state.ts';
import { EBUSY } from '../src/machine/errno.ts';
import type { Kernel$ } from '../src/machine/index.ts';
import { mmuIntervalReadBegin } from '../src/mm/mmu-notifier.ts';
import { type Body, SMALL, withTasks } from './lib/tasks.ts';

const PAGE = { buf: 0, page: 0, pages: 1 };

/** Asks for each page by its own flags. */
const driver: Body = function* driver({ kernel, mirrors }): Kernel$<void> {
  const k = kernel;
  const { notifier, mm, device } = mirrors[0];
  const start = k.geometry.vpnOf(0, 0);
  const range: HmmRange = {
    notifier,
    notifierSeq: 0,
    start,
    end: start + 1,
    hmmPfns: new Int32Array(1),
    defaultFlags: 0,
    pfnFlagsMask: HMM_PFN_REQ_FAULT,
    devPrivateOwner: device,
    migrate: null,
  };
  for (let ret = -EBUSY; ret === -EBUSY; ) {
    range.notifierSeq = yield* mmuIntervalReadBegin(k, notifier);
    range.hmmPfns[0] = HMM_PFN_REQ_FAULT;
    if (k.stepping) yield k.acquire(mm.mmapLock, true);
    k.lockShared(mm.mmapLock);
    ret = yield* hmmRangeFault(k, range);
    if (k.stepping) yield k.release(mm.mmapLock);
    k.unlockShared(mm.mmapLock);
  }
};

export default withTasks(
  {
    name: 'input-flags-destroyed-on-ebusy',
    machine: { ...SMALL, cpus: 2 },
    setup: [
      { op: 'mmap', ...PAGE, prot: 'rw', kind: 'anon' },
      { op: 'cpu_write', ...PAGE, tag: 1 },
    ],
    tasks: { 'device 1': [{ op: 'migrate_to_dev', dev: 1, ...PAGE }] },
  },
  { driver },
);
