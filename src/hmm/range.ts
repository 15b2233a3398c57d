/**
 * The range walk: what a device's fault handler asks of an address range.
 *
 * Models: mm/hmm.c
 */
import { EAGAIN, EBUSY, EFAULT, EINVAL, ENOENT, ENOMEM, EPERM, ERANGE } from '../machine/errno.ts';
import { flagsOf } from '../machine/objects.ts';
import { PTE_PROTNONE, ptePfn, ptePresent, pteProtnone, pteWrite } from '../machine/pte.ts';
import { type Kernel$, ObjectKind, Role } from '../machine/step.ts';
import type { Pfn, Pte, Ptep, Vpn } from '../machine/units.ts';
import {
  FAULT_FLAG_ALLOW_RETRY,
  FAULT_FLAG_REMOTE,
  FAULT_FLAG_WRITE,
  handleMmFault,
  VM_FAULT_ERROR,
  VM_FAULT_RETRY,
  vmFaultToErrno,
  vmNormalPage,
} from '../mm/fault.ts';
import { folioIsLarge, pageFolio } from '../mm/folio.ts';
import type { Kernel } from '../mm/kernel.ts';
import {
  isDeviceExclusive,
  isDevicePrivate,
  isDevicePrivateWrite,
  isMigration,
  softleafToPfn,
} from '../mm/leafops.ts';
import { pagePgmap } from '../mm/memremap.ts';
import { migrationEntryWait, pmdMigrationEntryWait } from '../mm/migrate.ts';
import type { Mm } from '../mm/mm.ts';
import {
  checkRetryStep,
  type IntervalNotifier,
  MmuNotify,
  mmuIntervalCheckRetry,
  mmuIntervalReadBegin,
  mmuNotifierInvalidateRangeEnd,
  mmuNotifierInvalidateRangeStart,
  notifierRange,
} from '../mm/mmu-notifier.ts';
import { checkStableAddressSpace } from '../mm/oom.ts';
import { type MmWalk, type MmWalkOps, walkPageRange } from '../mm/pagewalk.ts';
import {
  hugeStart,
  pmdIsTable,
  pmdPresent,
  pmdTransHuge,
  pteOffsetMap,
  ptepGet,
  ptepOf,
  ptlOf,
} from '../mm/pgtable.ts';
import { VM_READ, VM_WRITE, vmaIsAnonymous } from '../mm/vma.ts';
import { AS_POSTED } from './as-posted/prepare.ts';
import { checkRangeFault, requestsOf } from './look/contracts.ts';
import { mayMigrate } from './migrate-args.ts';
import {
  hmmPfnsFill,
  hmmSelectMigrate,
  type PrepareOps,
  UNIFIED,
  unlockPtes,
} from './migrate-prepare.ts';
import {
  HMM_PFN_COMPOUND,
  HMM_PFN_ERROR,
  HMM_PFN_INOUT_FLAGS,
  HMM_PFN_MIGRATE,
  HMM_PFN_ORDER_PMD,
  HMM_PFN_REQ_FAULT,
  HMM_PFN_REQ_WRITE,
  HMM_PFN_VALID,
  HMM_PFN_WRITE,
  hmmPfn,
} from './pfn.ts';
import {
  assertUnlocked,
  HMM_FAULT_PENDING,
  HMM_FAULT_UNLOCKED,
  type HmmRange,
  HmmVmaWalk,
} from './walk-state.ts';

const HMM_NEED_FAULT = 1 << 0;
const HMM_NEED_WRITE_FAULT = 1 << 1;
const HMM_NEED_ALL_BITS = HMM_NEED_FAULT | HMM_NEED_WRITE_FAULT;

/** An entry must be waited for: the caller does it without the lock. */
const WAIT_FOR_MIGRATION = 257;

/** Mirrors: mm/hmm.c hmm_pte_need_fault(); faithful */
function needFault(range: HmmRange, pfnReqFlags: number, cpuFlags: number): number {
  const request = (pfnReqFlags & range.pfnFlagsMask) | range.defaultFlags;
  if (!(request & HMM_PFN_REQ_FAULT)) return 0;
  if (request & HMM_PFN_REQ_WRITE && !(cpuFlags & HMM_PFN_WRITE)) return HMM_NEED_ALL_BITS;
  return cpuFlags & HMM_PFN_VALID ? 0 : HMM_NEED_FAULT;
}

/** Mirrors: mm/hmm.c hmm_range_need_fault(); faithful */
function rangeNeedFault(range: HmmRange, start: Vpn, end: Vpn, cpuFlags: number): number {
  if (!((range.defaultFlags | range.pfnFlagsMask) & HMM_PFN_REQ_FAULT)) return 0;
  let required = 0;
  for (let i = start - range.start; i < end - range.start; i++) {
    required |= needFault(range, range.hmmPfns[i], cpuFlags);
    if (required === HMM_NEED_ALL_BITS) break;
  }
  return required;
}

/** Mirrors: mm/hmm.c hmm_record_fault(); faithful */
function recordFault(walk: HmmVmaWalk, start: Vpn, end: Vpn, required: number): number {
  walk.last = start;
  walk.faultStart = start;
  walk.end = end;
  const units = walk.range.faultUnits;
  if (units) {
    const write = (required & HMM_NEED_WRITE_FAULT) !== 0;
    let from = write ? units.writeFrom : units.readFrom;
    if (from < 0) {
      from = start;
      if (write) units.writeFrom = from;
      else units.readFrom = from;
    }
    const unit = Math.floor((start - from) / units.pages) + 1;
    walk.end = Math.min(end, from + unit * units.pages);
  }
  walk.requiredFault = required;
  return HMM_FAULT_PENDING;
}

/**
 * Whether a page is faulted for reading before it is faulted for writing, as two passes of a driver
 * do. A page that the device can read already is faulted for writing alone.
 */
function readsFirst(range: HmmRange, vpn: Vpn): boolean {
  if (!hmmSelectMigrate(range)) return false;
  return range.faultUnits === undefined || vpn >= range.faultUnits.readFrom;
}

/**
 * What to fault for a page that is on another device, or a device's alone, or a file's. A migrating
 * walk faults it for reading: it may be writable then, and need not be dirtied.
 */
function readFirst(range: HmmRange, vpn: Vpn, required: number): number {
  return readsFirst(range, vpn) ? HMM_NEED_FAULT : required;
}

/** What to fault where nothing is mapped. */
function fillFirst({ range, vma }: HmmVmaWalk, vpn: Vpn, required: number): number {
  return !vma || vmaIsAnonymous(vma) ? required : readFirst(range, vpn, required);
}

/** Mirrors: mm/hmm.c hmm_vma_walk_hole(); faithful */
function walkHole(k: Kernel, start: Vpn, end: Vpn, mmWalk: MmWalk<HmmVmaWalk>): number {
  const walk = mmWalk.private;
  const { range } = walk;
  k.counters.entriesVisited++;
  const required = rangeNeedFault(range, start, end, 0);
  if (!mmWalk.vma) {
    return required ? -EFAULT : hmmPfnsFill(k, start, end, walk, HMM_PFN_ERROR, false);
  }
  if (required) return recordFault(walk, start, end, fillFirst(walk, start, required));
  return hmmPfnsFill(k, start, end, walk, 0, true);
}

/**
 * Whether the walk has split a huge page here, and a page of zeros became the zero page: a hole to be
 * populated then, not a page to be faulted once more.
 */
function isSplitZero(k: Kernel, walk: HmmVmaWalk, vpn: Vpn, pte: Pte): boolean {
  return vpn < walk.splitTo && k.isZero(ptePfn(pte));
}

/**
 * What an entry of the lowest level is, or that it must be faulted first.
 *
 * Mirrors: mm/hmm.c hmm_vma_handle_pte()
 * simplified: no special mappings but the zero page, no userfaultfd-wp
 * differs: a migrating walk that must have write access fails at a read-only page of its own device
 * before it faults what follows; 7.3.4 reports the page without write access
 * @returns 0; HMM_FAULT_PENDING; -EFAULT; WAIT_FOR_MIGRATION
 */
function handlePte(k: Kernel, walk: HmmVmaWalk, vpn: Vpn, end: Vpn, pte: Pte, at: number): number {
  const { range } = walk;
  const pfns = range.hmmPfns;
  const request = pfns[at];
  let result = 0;
  if (pte === 0) {
    const required = needFault(range, request, 0);
    if (required) return recordFault(walk, vpn, end, fillFirst(walk, vpn, required));
  } else if (!ptePresent(pte)) {
    if (isDevicePrivate(pte) && pagePgmap(k, softleafToPfn(pte)).owner === range.devPrivateOwner) {
      // the caller's own page is reported, not faulted
      const flags = HMM_PFN_VALID | (isDevicePrivateWrite(pte) ? HMM_PFN_WRITE : 0);
      if (hmmSelectMigrate(range) && needFault(range, request, flags)) return -EFAULT;
      result = hmmPfn(softleafToPfn(pte), flags);
    } else {
      const required = needFault(range, request, 0);
      if (required) {
        if (isDevicePrivate(pte) || isDeviceExclusive(pte)) {
          return recordFault(walk, vpn, end, readFirst(range, vpn, required));
        }
        if (!isMigration(pte)) return -EFAULT;
        walk.last = vpn;
        walk.faultStart = vpn;
        return WAIT_FOR_MIGRATION;
      }
    }
  } else {
    const flags = pteProtnone(pte) ? 0 : HMM_PFN_VALID | (pteWrite(pte) ? HMM_PFN_WRITE : 0);
    const required = needFault(range, request, flags);
    if (required && !isSplitZero(k, walk, vpn, pte)) return recordFault(walk, vpn, end, required);
    result = hmmPfn(ptePfn(pte), flags);
  }
  pfns[at] = (request & HMM_PFN_INOUT_FLAGS) | result;
  return 0;
}

/**
 * Mirrors: mm/hmm.c hmm_vma_handle_pmd()
 * faithful
 */
function handlePmd(k: Kernel, walk: HmmVmaWalk, start: Vpn, end: Vpn, pmd: Pte): number {
  const { range } = walk;
  const flags =
    pmd & PTE_PROTNONE
      ? 0
      : HMM_PFN_VALID | (pteWrite(pmd) ? HMM_PFN_WRITE : 0) | HMM_PFN_ORDER_PMD;
  const required = rangeNeedFault(range, start, end, flags);
  if (required) return recordFault(walk, start, end, required);
  fillHuge(walk, start, end, ptePfn(pmd) + (start - hugeStart(k, start)), flags);
  return 0;
}

function fillHuge(walk: HmmVmaWalk, start: Vpn, end: Vpn, pfn: Pfn, flags: number): void {
  const pfns = walk.range.hmmPfns;
  const last = end - walk.range.start;
  for (let i = start - walk.range.start, page = pfn; i < last; i++, page++) {
    pfns[i] = (pfns[i] & HMM_PFN_INOUT_FLAGS) | hmmPfn(page, flags);
  }
}

/**
 * Mirrors: mm/hmm.c hmm_vma_handle_absent_pmd()
 * faithful: of a device-private huge page walked from its middle its first pages are reported, which
 * is a mistake of 7.3.4's that recorded programs show (a device reads the wrong pages);
 * `machine.mended` mends it
 */
function handleAbsentPmd(k: Kernel, walk: HmmVmaWalk, start: Vpn, end: Vpn, pmd: Pte): number {
  const { range } = walk;
  if (isDevicePrivate(pmd)) {
    const pfn = softleafToPfn(pmd);
    if (pagePgmap(k, pageFolio(k, pfn)).owner === range.devPrivateOwner) {
      const flags =
        HMM_PFN_VALID | HMM_PFN_ORDER_PMD | (isDevicePrivateWrite(pmd) ? HMM_PFN_WRITE : 0);
      fillHuge(walk, start, end, k.mended ? pfn + (start - hugeStart(k, start)) : pfn, flags);
      return 0;
    }
  }
  const required = rangeNeedFault(range, start, end, 0);
  if (!required) return hmmPfnsFill(k, start, end, walk, HMM_PFN_ERROR, false);
  if (!isDevicePrivate(pmd)) return -EFAULT;
  return recordFault(walk, start, end, readFirst(range, start, required));
}

/** Gives the PMD lock up, if the walk holds it. */
function* unlockPmd(k: Kernel, walk: HmmVmaWalk): Kernel$<void> {
  if (!walk.pmdLocked || !walk.ptl) return;
  if (k.stepping) yield k.release(walk.ptl);
  k.unlock(walk.ptl);
  walk.ptl = null;
  walk.pmdLocked = false;
}

/** What was found of these pages does not stand: everything is asked again. */
function askAgain({ range, requests }: HmmVmaWalk, start: Vpn, end: Vpn): void {
  const pfns = range.hmmPfns;
  for (let i = start - range.start; i < end - range.start; i++) {
    pfns[i] = requests ? requests[i] : pfns[i] & HMM_PFN_INOUT_FLAGS;
  }
}

/** Whether an entry maps a page of a large folio. */
function isLargeEntry(k: Kernel, pte: Pte): boolean {
  if (pte === 0) return false;
  const page = ptePresent(pte) ? vmNormalPage(pte) : isDevicePrivate(pte) ? softleafToPfn(pte) : -1;
  return page >= 0 && folioIsLarge(k, pageFolio(k, page));
}

/**
 * Before a split at `vpn`: whether something is to be faulted behind it.
 * @param base index of the entry of page 0, less its page number
 * @returns 0, or as handlePte(); the next round begins at `vpn`
 */
function lookAhead(k: Kernel, walk: HmmVmaWalk, base: number, vpn: Vpn, end: Vpn): Vpn {
  for (let next = vpn + 1; next < end; next++) {
    const pte = ptepGet(k, base + next);
    const ret = handlePte(k, walk, next, end, pte, next - walk.range.start);
    if (!ret) continue;
    askAgain(walk, vpn, next);
    walk.last = vpn;
    return ret;
  }
  return 0;
}

/** Whether an earlier round of this walk prepared the page, or the huge page that holds it. */
function isPrepared(k: Kernel, walk: HmmVmaWalk, vpn: Vpn): boolean {
  if (vpn >= walk.done) return false;
  const { start, hmmPfns } = walk.range;
  if (hmmPfns[vpn - start] & HMM_PFN_MIGRATE) return true;
  const first = hugeStart(k, vpn) - start;
  return first >= 0 && (hmmPfns[first] & HMM_PFN_COMPOUND) !== 0;
}

/**
 * Whether an earlier round is done with a page: it prepared it, or nothing was asked for there and
 * nothing was found that could be given or migrated. Such a page stays as it was found.
 */
function isDone(k: Kernel, walk: HmmVmaWalk, vpn: Vpn): boolean {
  if (isPrepared(k, walk, vpn)) return true;
  const { range, requests } = walk;
  const at = vpn - range.start;
  if (vpn >= walk.done || range.hmmPfns[at] & HMM_PFN_VALID || walk.again.has(vpn)) return false;
  // without requests of single pages the mask is empty
  const request = ((requests?.[at] as number) & range.pfnFlagsMask) | range.defaultFlags;
  return !(request & HMM_PFN_REQ_FAULT);
}

function prepareOps(k: Kernel): PrepareOps {
  return k.walk === 'as-posted' ? AS_POSTED : UNIFIED;
}

/** Splits of one entry, each found huge again, after which a walk is said to go on for ever. */
const MAX_SPLITS = 100;

/**
 * A PMD entry. When migrating, the lock is held from before the entry is read until it is prepared,
 * and dropped only to wait, to fault or to split.
 *
 * Mirrors: mm/hmm.c hmm_vma_walk_pmd(), as the series changes it
 * faithful
 */
function* walkPmd(
  k: Kernel,
  pmdp: Ptep,
  start: Vpn,
  end: Vpn,
  mmWalk: MmWalk<HmmVmaWalk>,
): Kernel$<number> {
  const walk = mmWalk.private;
  const { range } = walk;
  const migrating = hmmSelectMigrate(range) !== 0;
  const faultPage = range.migrate ? range.migrate.faultPage : -1;
  walk.faultFolio = faultPage < 0 ? -1 : pageFolio(k, faultPage);
  let vpn = start;
  // a large folio could not be split: the rest of the table stays where it is
  let lookOnly = false;
  let aheadDone = false;
  let splits = 0;
  for (;;) {
    if (migrating) {
      const ptl = ptlOf(k, pmdp);
      if (k.stepping) yield k.acquire(ptl);
      k.lock(ptl);
      walk.ptl = ptl;
      walk.pmdLocked = true;
    } else if (k.stepping) yield k.readEntry(pmdp);
    const pmd = ptepGet(k, pmdp);
    if (pmd === 0) {
      yield* unlockPmd(k, walk);
      return walkHole(k, vpn, end, mmWalk);
    }
    if (!pmdPresent(pmd) && isMigration(pmd)) {
      k.counters.entriesVisited++;
      yield* unlockPmd(k, walk);
      if (rangeNeedFault(range, vpn, end, 0)) {
        walk.last = vpn;
        yield* closeNotify(k, walk);
        yield* pmdMigrationEntryWait(k, pmdp);
        return -EBUSY;
      }
      return hmmPfnsFill(k, vpn, end, walk, 0, false);
    }
    if (!pmdIsTable(pmd)) {
      k.counters.entriesVisited++;
      const huge = pmdTransHuge(pmd);
      let ret = (huge ? handlePmd : handleAbsentPmd)(k, walk, vpn, end, pmd);
      if (ret || !migrating) {
        yield* unlockPmd(k, walk);
        return ret;
      }
      ret = yield* prepareOps(k).preparePmd(k, walk, pmdp, vpn, end);
      yield* unlockPmd(k, walk);
      if (ret !== -ENOENT) return ret;
      // not whole: split it, and walk the base entries; if it stays, so does its result
      if (yield* prepareOps(k).split(k, walk, pmdp, vpn)) return 0;
      // the posted patch says so of a huge device page and leaves it whole, for ever
      if (++splits > MAX_SPLITS) k.throwBug('livelock', 'a huge entry is split without end');
      askAgain(walk, vpn, end);
      walk.splitTo = Math.max(walk.splitTo, end);
      continue;
    }
    yield* unlockPmd(k, walk);
    if (k.stepping) yield k.readEntry(pmdp);
    const first = pteOffsetMap(k, pmdp, vpn);
    if (first < 0) continue;
    if (migrating) {
      const ptl = ptlOf(k, first);
      if (k.stepping) yield k.acquire(ptl);
      k.lock(ptl);
      walk.ptl = ptl;
      walk.pteLocked = true;
      walk.tableStart = start;
      walk.tableEnd = end;
      if (pteOffsetMap(k, pmdp, vpn) !== first) {
        yield* unlockPtes(k, walk);
        continue;
      }
    }
    const from = vpn;
    let ret = 0;
    for (; vpn < end; vpn++) {
      const ptep = first + (vpn - from);
      const at = vpn - range.start;
      if (k.stepping && !migrating) yield k.readEntry(ptep);
      k.counters.entriesVisited++;
      ret = handlePte(k, walk, vpn, end, ptepGet(k, ptep), at);
      if (ret) break;
      if (!migrating || lookOnly) continue;
      if (!aheadDone && isLargeEntry(k, ptepGet(k, ptep))) {
        // a split changes how the pages of the folio are mapped: first give what is asked of them
        ret = lookAhead(k, walk, first - from, vpn, end);
        if (ret) break;
        aheadDone = true;
      }
      ret = yield* prepareOps(k).prepare(k, walk, ptep, vpn);
      if (ret) break;
    }
    if (walk.pteLocked) yield* unlockPtes(k, walk);
    if (ret === WAIT_FOR_MIGRATION) {
      yield* closeNotify(k, walk);
      yield* migrationEntryWait(k, pmdp, walk.faultStart);
      return -EBUSY;
    }
    if (ret !== -EAGAIN && ret !== -ENOMEM) return ret;
    // a large folio was split, or could not be: look again
    assertUnlocked(k, walk);
    lookOnly = ret === -ENOMEM;
    // whatever is there may have been given up or taken by somebody else meanwhile
    askAgain(walk, vpn, end);
    if (!lookOnly) walk.splitTo = Math.max(walk.splitTo, end);
  }
}

/**
 * The entry of a huge page of the pool. The request of the first page stands for all; of an empty entry a
 * size is reported, but no page.
 *
 * Mirrors: mm/hmm.c hmm_vma_walk_hugetlb_entry()
 * faithful
 */
function* walkHugetlbEntry(
  k: Kernel,
  pmdp: Ptep,
  start: Vpn,
  end: Vpn,
  mmWalk: MmWalk<HmmVmaWalk>,
): Kernel$<number> {
  const walk = mmWalk.private;
  const { range } = walk;
  const ptl = ptlOf(k, pmdp);
  if (k.stepping) yield k.acquire(ptl).and(ObjectKind.Entry, pmdp, Role.Read);
  k.lock(ptl);
  k.counters.entriesVisited++;
  const pmd = ptepGet(k, pmdp);
  const write = pteWrite(pmd) ? HMM_PFN_WRITE : 0;
  const flags = ptePresent(pmd) && !pteProtnone(pmd) ? HMM_PFN_VALID | write : 0;
  const required = needFault(range, range.hmmPfns[start - range.start], flags);
  const page = ptePfn(pmd) + (start - hugeStart(k, start));
  if (!required) fillHuge(walk, start, end, page, flags | HMM_PFN_ORDER_PMD);
  if (k.stepping) yield k.release(ptl);
  k.unlock(ptl);
  return required ? recordFault(walk, start, end, required) : 0;
}

/**
 * Before an area: whether its pages can be had. Of a migrating range it must be the only one.
 *
 * Mirrors: mm/hmm.c hmm_vma_walk_test(), as the series changes it
 * faithful
 */
function* walkTest(k: Kernel, start: Vpn, end: Vpn, mmWalk: MmWalk<HmmVmaWalk>): Kernel$<number> {
  const walk = mmWalk.private;
  const { range } = walk;
  const vma = k.present(mmWalk.vma, 'the area under a walk');
  if (hmmSelectMigrate(range)) {
    if (!mayMigrate(vma) && k.walk !== 'as-posted') return -EINVAL;
    if (walk.vma && walk.vma !== vma) return -ERANGE;
    if (range.hmmPfns.length < range.end - range.start) return -ERANGE;
    walk.vma = vma;
    const migrate = k.present(range.migrate, 'the arguments of a migration');
    migrate.vma = vma;
    if (!walk.notify) {
      const { pgmapOwner } = migrate;
      walk.notify = notifierRange(MmuNotify.Migrate, walk.mm, start, range.end, pgmapOwner);
      yield* mmuNotifierInvalidateRangeStart(k, walk.notify);
    }
    // a migration without faults takes what is there, whatever the area permits
    if (!((range.defaultFlags | range.pfnFlagsMask) & HMM_PFN_REQ_FAULT)) return 0;
  }
  if (vma.flags & VM_READ) return 0;
  if (rangeNeedFault(range, start, end, 0)) return -EFAULT;
  hmmPfnsFill(k, start, end, walk, HMM_PFN_ERROR, false);
  return 1;
}

const HMM_OPS: MmWalkOps<HmmVmaWalk> = {
  pmdEntry: walkPmd,
  hugetlbEntry: walkHugetlbEntry,
  pteHole: walkHole,
  testWalk: walkTest,
};

/**
 * Whether nothing is mapped at a page; whether it is on a device, or a device's alone; and whether a
 * read of it by this range's device would fault: its own pages it can read.
 */
function* whereabouts(
  k: Kernel,
  walk: HmmVmaWalk,
  vpn: Vpn,
): Kernel$<{ missing: boolean; away: boolean; unread: boolean }> {
  const ptep = ptepOf(k, walk.mm, vpn);
  if (k.stepping && ptep >= 0) yield k.readEntry(ptep);
  const pte = ptep < 0 ? 0 : ptepGet(k, ptep);
  const missing = pte === 0;
  const away = !missing && !ptePresent(pte);
  const { devPrivateOwner } = walk.range;
  const own =
    away && isDevicePrivate(pte) && pagePgmap(k, softleafToPfn(pte)).owner === devPrivateOwner;
  return { missing, away, unread: !ptePresent(pte) && !own };
}

/**
 * Faults the range that a callback recorded.
 *
 * Mirrors: mm/hmm.c hmm_do_fault()
 * differs: when migrating, a page that has to be brought back before it can be written is faulted twice,
 * and a missing page of a file for reading first (7.3.4 leaves the second fault to a driver's second
 * call)
 * @returns -EBUSY when the walk should look again; HMM_FAULT_UNLOCKED when mmap_lock was given up; or
 *   another negative errno
 */
function* doFault(k: Kernel, mm: Mm, walk: HmmVmaWalk): Kernel$<number> {
  const write = (walk.requiredFault & HMM_NEED_WRITE_FAULT) !== 0;
  const vma = mm.lookupVma(walk.faultStart);
  /* v8 ignore next -- @preserve: mmap_lock is held since the walk found the area */
  if (!vma) return -EFAULT;
  if (write && !(vma.flags & VM_WRITE)) return -EPERM;
  const keep = walk.unlockable ? FAULT_FLAG_ALLOW_RETRY : 0;
  const flags = FAULT_FLAG_REMOTE | keep | (write ? FAULT_FLAG_WRITE : 0);
  const units = walk.range.faultUnits;
  // whether a fault for reading would have reached this page: one begins at the first unreadable page
  // of a unit and goes on to its end
  let reading = false;
  for (let vpn = walk.faultStart; vpn < walk.end; vpn++) {
    let again = false;
    let read = 0;
    if (write && readsFirst(walk.range, vpn)) {
      const { missing, away, unread } = yield* whereabouts(k, walk, vpn);
      if (units && (vpn - units.readFrom) % units.pages === 0) reading = false;
      if (unread) reading = true;
      again = away && reading;
      if (missing && !vmaIsAnonymous(vma)) {
        // a read maps what else of the file is at hand around the page, a write does not
        read = yield* handleMmFault(k, vma, vpn, FAULT_FLAG_REMOTE);
      }
    }
    let ret = read & VM_FAULT_ERROR || (yield* handleMmFault(k, vma, vpn, flags));
    if (ret & VM_FAULT_RETRY) {
      k.warn(!walk.unlockable, 'a fault gives mmap_lock up that must keep it');
      return HMM_FAULT_UNLOCKED;
    }
    // that fault brought the page back; the write itself is still to be made
    if (again && !(ret & VM_FAULT_ERROR)) ret = yield* handleMmFault(k, vma, vpn, flags);
    if (ret & VM_FAULT_ERROR) return vmFaultToErrno(ret);
  }
  return -EBUSY;
}

/**
 * Closes the invalidation that brackets a migrating walk. It is not open while the walk waits for the
 * migration of somebody else, who may be waiting for its end.
 *
 * differs: the series keeps it open until the walk is over
 */
function* closeNotify(k: Kernel, walk: HmmVmaWalk): Kernel$<void> {
  if (!walk.notify) return;
  const notify = walk.notify;
  walk.notify = null;
  yield* mmuNotifierInvalidateRangeEnd(k, notify);
}

/**
 * A migrating walk was invalidated, by its own faults perhaps. What it has prepared is locked and
 * stays as it is; what it only looked at must be looked at again.
 */
function* refresh(k: Kernel, walk: HmmVmaWalk, notifier: IntervalNotifier): Kernel$<void> {
  const { range } = walk;
  yield* closeNotify(k, walk);
  range.notifierSeq = yield* mmuIntervalReadBegin(k, notifier);
  const visited = [...walk.again].filter((vpn) => vpn < walk.last);
  for (const vpn of visited) walk.again.delete(vpn);
  for (let vpn = walk.last - 1; vpn >= range.start; vpn--) {
    if (isDone(k, walk, vpn)) continue;
    walk.again.add(vpn);
    askAgain(walk, vpn, vpn + 1);
    walk.last = vpn;
  }
}

/**
 * One round of a walk, from `last` on. What an earlier round is done with is passed over, whatever is
 * mapped there by now: the folio of a prepared page is locked, and its result says which one that is.
 * (7.3.4 has no walk that comes by again.)
 */
function* walkRound(k: Kernel, mm: Mm, walk: HmmVmaWalk): Kernel$<number> {
  const { end } = walk.range;
  for (let vpn = walk.last; vpn < end; ) {
    if (isDone(k, walk, vpn)) {
      vpn++;
      continue;
    }
    let to = vpn + 1;
    while (to < walk.done && !isDone(k, walk, to)) to++;
    if (to >= walk.done) to = end;
    const ret = yield* walkPageRange(k, mm, vpn, to, HMM_OPS, walk);
    if (ret) return ret;
    vpn = to;
  }
  return 0;
}

/**
 * Looks at an address range, faults what is asked for, and prepares pages for migration if
 * `range.migrate` is set. mmap_lock is held, and stays so.
 *
 * Mirrors: mm/hmm.c hmm_range_fault(), hmm_range_fault_locked(), as the series changes them
 * differs: when migrating, an invalidation between two rounds starts the next round at the first
 * page that is not prepared, instead of failing (what is prepared cannot change under its folio lock)
 * @param unlockable for `hmmRangeFaultUnlockedTimeout`: a fault may give mmap_lock up
 * @returns 0; -EBUSY when the range was invalidated; -EFAULT, -EPERM, -ENOMEM, -ERANGE;
 *   HMM_FAULT_UNLOCKED when mmap_lock was given up
 */
export function* hmmRangeFault(k: Kernel, range: HmmRange, unlockable = false): Kernel$<number> {
  const { notifier } = range;
  const mm = k.present(
    notifier ? notifier.mm : range.migrate?.vma?.mm,
    'the address space of a range',
  );
  const walk = new HmmVmaWalk(range, mm, unlockable);
  const migrating = hmmSelectMigrate(range) !== 0;
  const requests = requestsOf(k, range);
  k.assertHeld(mm.mmapLock);
  k.counters.walks++;
  let ret: number;
  do {
    if (notifier) {
      if (k.stepping) yield checkRetryStep(k, notifier);
      if (mmuIntervalCheckRetry(notifier, range.notifierSeq)) {
        if (!migrating) {
          ret = -EBUSY;
          break;
        }
        yield* refresh(k, walk, notifier);
      }
    }
    walk.requiredFault = 0;
    range.walker = k.current;
    ret = yield* walkRound(k, mm, walk);
    range.walker = null;
    if (walk.last > walk.done) walk.done = walk.last;
    if (ret === HMM_FAULT_PENDING) {
      // a fault tells the notifiers itself: one's own invalidation must not be open then
      if (migrating) yield* closeNotify(k, walk);
      ret = yield* doFault(k, mm, walk);
    }
  } while (ret === -EBUSY);
  yield* closeNotify(k, walk);
  if (!ret && requests) checkRangeFault(k, range, requests);
  return ret;
}

/**
 * Faults an address range, as often as it is invalidated or a fault gives mmap_lock up meanwhile. It
 * takes mmap_lock itself, and gets the notifier's sequence.
 *
 * Mirrors: mm/hmm.c hmm_range_fault_unlocked_timeout()
 * simplified: without a timeout; nobody is killed; not for a range to migrate, as what is prepared would
 * be locked while a monitor is waited for
 * @returns 0; -EINVAL for a range to migrate; -EFAULT, -EPERM, -ENOMEM
 */
export function* hmmRangeFaultUnlockedTimeout(k: Kernel, range: HmmRange): Kernel$<number> {
  const notifier = k.present(range.notifier, 'the notifier of a range');
  const mm = k.present(notifier.mm, 'the address space of a notifier');
  const { mmapLock } = mm;
  if (hmmSelectMigrate(range)) return -EINVAL;
  for (;;) {
    range.notifierSeq = yield* mmuIntervalReadBegin(k, notifier);
    if (k.stepping) yield k.acquire(mmapLock, true).and(ObjectKind.Mm, flagsOf(mm), Role.Read);
    k.lockShared(mmapLock);
    let ret = -EFAULT;
    if (!checkStableAddressSpace(mm)) ret = yield* hmmRangeFault(k, range, true);
    if (ret === HMM_FAULT_UNLOCKED) continue;
    if (k.stepping) yield k.release(mmapLock);
    k.unlockShared(mmapLock);
    if (ret !== -EBUSY) return ret;
  }
}
