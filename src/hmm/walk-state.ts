/**
 * A range to fault, to look at and to prepare for migration, and where a walk of it is.
 *
 * Models: include/linux/hmm.h struct hmm_range, mm/hmm.c struct hmm_vma_walk
 */
import type { Lock } from '../machine/lock.ts';
import type { Task } from '../machine/task.ts';
import type { Folio, Vpn } from '../machine/units.ts';
import type { Kernel } from '../mm/kernel.ts';
import type { Mm } from '../mm/mm.ts';
import type { IntervalNotifier, NotifierRange } from '../mm/mmu-notifier.ts';
import type { Vma } from '../mm/vma.ts';
import type { MigrateVma } from './migrate-args.ts';
import type { Pfns } from './pfn.ts';

/** struct hmm_range; addresses in pages, `end` exclusive. */
export interface HmmRange {
  /** Null only from `migrateVmaSetup()`: the address space is then the area's. */
  notifier: IntervalNotifier | null;
  /** From `mmuIntervalReadBegin()`. */
  notifierSeq: number;
  start: Vpn;
  end: Vpn;
  /** In: request flags a page. Out: what the page is. */
  readonly hmmPfns: Pfns;
  /** Request flags for every page. */
  defaultFlags: number;
  /** Which of a page's own request flags count. */
  pfnFlagsMask: number;
  /** Whose device-private pages are reported rather than faulted. */
  devPrivateOwner: object | null;
  /** Prepare pages for migration on the way. */
  migrate: MigrateVma | null;
  /** How far one fault reaches; without it, to the end of the table or the area. */
  faultUnits?: FaultUnits;
  /**
   * Who walks, while it looks and prepares; null while it faults. What it invalidates meanwhile it
   * invalidates by splitting huge pages.
   */
  walker?: Task | null;
}

/**
 * Faults come in units of so many pages, counted from a page of their own for reading and for
 * writing; -1: from the first page that is faulted.
 */
export interface FaultUnits {
  readonly pages: number;
  readFrom: Vpn;
  writeFrom: Vpn;
}

/**
 * What a walk callback returns when a fault is needed; the outer loop makes it. 7.3.4 uses -EAGAIN,
 * which the series' prepare step returns for something else.
 */
export const HMM_FAULT_PENDING = 256;
/** A fault gave mmap_lock up. */
export const HMM_FAULT_UNLOCKED = 258;

/** struct hmm_vma_walk */
export class HmmVmaWalk {
  /** Everything below has its result; the next round starts here. */
  last: Vpn;
  /** What must be faulted. */
  faultStart: Vpn = 0;
  end: Vpn = 0;
  requiredFault = 0;
  // ---- when migrating ----
  /**
   * The folio of the fault's page when the walk came to the table. After a split the page is in
   * another one: 7.3.4 leaves it for the next fault then, and so do we.
   */
  faultFolio: Folio = -1;
  /** The one area that the range may lie in. */
  vma: Vma | null = null;
  /** The invalidation that brackets the walk, while it is open. */
  notify: NotifierRange | null = null;
  /** The page-table lock that is held across looking at an entry and preparing it. */
  ptl: Lock | null = null;
  /** Which pages of the table are walked under that lock: what is flushed before it is dropped. */
  tableStart: Vpn = 0;
  tableEnd: Vpn = 0;
  pteLocked = false;
  pmdLocked = false;
  /** Pages below were prepared or looked at by an earlier round. */
  done: Vpn;
  /** Pages below `done` that an invalidation makes the walk look at again. */
  readonly again = new Set<Vpn>();
  /** Below this the walk has split what was huge. */
  splitTo: Vpn = 0;
  /** What was asked of each page, if that differs from page to page. */
  readonly requests: Pfns | null;
  /** A present entry was replaced: flush before the table is unlocked. */
  unmapped = false;

  constructor(
    readonly range: HmmRange,
    readonly mm: Mm,
    /** A fault may give mmap_lock up. */
    readonly unlockable = false,
  ) {
    this.last = range.start;
    this.done = range.start;
    this.requests = range.migrate && range.pfnFlagsMask ? range.hmmPfns.slice() : null;
  }
}

/** HMM_ASSERT_PTE_LOCKED() */
export function assertPteLocked(k: Kernel, walk: HmmVmaWalk, locked: boolean): void {
  if (walk.pteLocked !== locked) {
    k.report('lock', `the PTE lock is ${walk.pteLocked ? '' : 'not '}held`);
  }
}
/** HMM_ASSERT_PMD_LOCKED() */
export function assertPmdLocked(k: Kernel, walk: HmmVmaWalk, locked: boolean): void {
  if (walk.pmdLocked !== locked) {
    k.report('lock', `the PMD lock is ${walk.pmdLocked ? '' : 'not '}held`);
  }
}
/** HMM_ASSERT_UNLOCKED() */
export function assertUnlocked(k: Kernel, walk: HmmVmaWalk): void {
  assertPteLocked(k, walk, false);
  assertPmdLocked(k, walk, false);
}
