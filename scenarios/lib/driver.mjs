/**
 * Drivers that ask for pages with one range fault and migrate them. They find no memory to migrate to, so
 * that every page stays where it is: what they look at is what the range fault gave.
 */
import { parseConcurrentProgram, programScenario } from 'softleaf/checker';
import {
  HMM_PFN_REQ_FAULT,
  HMM_PFN_REQ_MIGRATE,
  hmmRangeFault,
  migrateHmmRangeSetup,
  migrateVmaArgs,
  migrateVmaFinalize,
  migrateVmaPages,
} from 'softleaf/hmm';
import { EBUSY } from 'softleaf/machine';
import { mmuIntervalReadBegin } from 'softleaf/mm';

/** One fault of a range under mmap_lock, from the first try to the one that holds. */
function* faultRange(k, mirror, range, flags) {
  const { mm, notifier } = mirror;
  let ret;
  do {
    range.notifierSeq = yield* mmuIntervalReadBegin(k, notifier);
    for (const [i, flag] of flags.entries()) range.hmmPfns[i] = flag;
    if (k.stepping) yield k.acquire(mm.mmapLock, true);
    k.lockShared(mm.mmapLock);
    ret = yield* hmmRangeFault(k, range);
    if (range.migrate) {
      yield* migrateHmmRangeSetup(k, range);
      // no page is given to migrate to: all stay
      yield* migrateVmaPages(k, range.migrate);
      yield* migrateVmaFinalize(k, range.migrate);
    }
    if (k.stepping) yield k.release(mm.mmapLock);
    k.unlockShared(mm.mmapLock);
  } while (ret === -EBUSY);
  return ret;
}

/**
 * Device 0 faults pages of buffer 0 for reading.
 * @param flags what `hmm_pfns[]` holds of each page before
 * @param select MIGRATE_VMA_*, to prepare them for migration as well
 * @returns `hmm_pfns[]`, or an errno
 */
export function* faultPages({ kernel: k, mirrors }, flags, select = 0) {
  const [mirror] = mirrors;
  const start = k.geometry.vpnOf(0, 0);
  const pages = flags.length;
  const range = {
    notifier: mirror.notifier,
    notifierSeq: 0,
    start,
    end: start + pages,
    hmmPfns: new Int32Array(pages),
    defaultFlags: HMM_PFN_REQ_FAULT | (select ? HMM_PFN_REQ_MIGRATE : 0),
    pfnFlagsMask: 0,
    devPrivateOwner: mirror.device,
    migrate: null,
  };
  if (select) {
    range.migrate = migrateVmaArgs(pages, mirror.device);
    Object.assign(range.migrate, { start, end: start + pages, flags: select });
  }
  const ret = yield* faultRange(k, mirror, range, flags);
  return ret || range.hmmPfns;
}

/**
 * A scenario of a program and of one task more, a driver.
 * @param body the driver, given the program's system
 */
export function withDriver(program, body) {
  const machine = { pmdOrder: 2, pageBytes: 16, cpus: 2 };
  const parsed = parseConcurrentProgram({ after: [], ...program, machine });
  const scenario = programScenario(parsed);
  return { ...scenario, tasks: { driver: ({ system }) => body(system), ...scenario.tasks } };
}
