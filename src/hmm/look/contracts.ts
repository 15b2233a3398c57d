/**
 * What callers may rely on: looked at when a call ends, if anyone looks (`machine.monitor`).
 */

import { watchesOnly } from '../../machine/finding.ts';
import { ptePresent } from '../../machine/pte.ts';
import type { Folio } from '../../machine/units.ts';
import { folioIsDevicePrivate, folioIsZoneDevice } from '../../mm/folio.ts';
import type { Kernel } from '../../mm/kernel.ts';
import { isMigration, softleafToPfn } from '../../mm/leafops.ts';
import { leavesOf, placeOf } from '../../mm/look/leaves.ts';
import {
  MIGRATE_VMA_FAULT,
  MIGRATE_VMA_SELECT_DEVICE_PRIVATE,
  type MigrateVma,
  selectsHuge,
  selectsPage,
} from '../migrate-args.ts';
import {
  HMM_PFN_COMPOUND,
  HMM_PFN_ERROR,
  HMM_PFN_INOUT_FLAGS,
  HMM_PFN_MIGRATE,
  HMM_PFN_REQ_FAULT,
  HMM_PFN_REQ_WRITE,
  HMM_PFN_VALID,
  HMM_PFN_WRITE,
  hmmPfnToPfn,
  MIGRATE_PFN_MIGRATE,
  migratePfnToPfn,
  type Pfns,
} from '../pfn.ts';
import type { HmmRange } from '../walk-state.ts';

/** What no walk writes: a mapping of an order that there is not. */
const UNWRITTEN = (0x15a5a << 10) | (3 << 8);

/**
 * The request of each page, before the walk overwrites it; null when nobody looks. Where nothing is requested of single
 * pages, whatever is in the array means nothing, and what must be written is marked.
 */
export function requestsOf(k: Kernel, range: HmmRange): Pfns | null {
  if (k.monitor === null) return null;
  const { hmmPfns } = range;
  const requests = hmmPfns.slice(0, range.end - range.start);
  if (range.pfnFlagsMask !== 0 || range.migrate) return requests;
  requests.forEach((old, i) => {
    hmmPfns[i] = UNWRITTEN | (old & HMM_PFN_INOUT_FLAGS);
  });
  return requests;
}

/** What is wrong with what a page was given; null: nothing. */
function missing(k: Kernel, need: number, entry: number): string | null {
  if (!(need & HMM_PFN_REQ_FAULT)) return null;
  if (entry & HMM_PFN_ERROR) return 'with an error at a page';
  if (!(entry & HMM_PFN_VALID)) {
    // a hole that is to be populated by the migration
    return entry & HMM_PFN_MIGRATE ? null : 'without a page that was asked for';
  }
  if (!(need & HMM_PFN_REQ_WRITE) || entry & HMM_PFN_WRITE) return null;
  // 7.3.4 reports the device's own pages as they are
  if (folioIsDevicePrivate(k, hmmPfnToPfn(entry))) return null;
  return 'without the write access that was asked for';
}

/** A range walk that succeeded gave what was asked for. */
export function checkRangeFault(k: Kernel, range: HmmRange, requests: Pfns): void {
  const huge = k.geometry.ptrsPerPte;
  for (let i = 0; i < requests.length; ) {
    const entry = range.hmmPfns[i];
    const need = (requests[i] & range.pfnFlagsMask) | range.defaultFlags;
    const wrong = missing(k, need, entry);
    const at = (): string => placeOf(k, range.start + i);
    if ((entry & ~HMM_PFN_INOUT_FLAGS) === UNWRITTEN) {
      k.report('contract', 'a range fault succeeds and leaves an entry unwritten', at());
      return;
    }
    if (wrong !== null) {
      k.report('contract', `a range fault succeeds ${wrong}`, at());
      return;
    }
    if (requests[i] & HMM_PFN_INOUT_FLAGS & ~entry) {
      k.report('contract', 'a range fault loses a flag that the caller keeps with a page', at());
      return;
    }
    const given = entry & HMM_PFN_MIGRATE && entry & HMM_PFN_VALID ? hmmPfnToPfn(entry) : -1;
    if (given >= 0 && (k.isZero(given) || k.isHugeZero(given))) {
      const title = 'a range fault gives a hole that is to be populated as a page';
      k.report('contract', title, `${at()}, PFN ${given}`);
      return;
    }
    // the first entry of a huge page speaks for all
    i += entry & HMM_PFN_MIGRATE && entry & HMM_PFN_COMPOUND ? huge : 1;
  }
}

/** What a range walk prepared is what was selected; called before it is unmapped elsewhere. */
export function checkSelected(k: Kernel, migrate: MigrateVma): void {
  for (let i = 0; i < migrate.npages; i++) {
    const page = migratePfnToPfn(migrate.src[i]);
    if (page < 0) continue;
    const device = folioIsZoneDevice(k, page);
    // 7.3.4 takes a huge device-coherent page for one of RAM
    const selected = folioIsDevicePrivate(k, page)
      ? (migrate.flags & MIGRATE_VMA_SELECT_DEVICE_PRIVATE) !== 0
      : selectsHuge(k, migrate, page) || selectsPage(k, migrate, page);
    if (!selected) {
      const what = device ? 'a page of the device' : 'a page of RAM';
      const detail = `${placeOf(k, migrate.start + i)}, PFN ${page}`;
      k.report('contract', `a migration takes ${what} that was not selected`, detail);
      return;
    }
  }
}

/** What nobody writes into the arrays of a migration. */
const CANARY = 0x5a5a5a5a;

/**
 * Marks what lies behind the pages of a migration in its arrays, and in `dst[]` what must be written; null when nobody
 * looks.
 */
export function behind(k: Kernel, args: MigrateVma): [Pfns, Pfns] | null {
  if (k.monitor === null) return null;
  const from = args.end - args.start;
  const before: [Pfns, Pfns] = [args.src.slice(from), args.dst.slice(from)];
  args.src.fill(CANARY, from);
  args.dst.fill(CANARY);
  return before;
}

/**
 * After migrateVmaSetup(): the count is right, each entry is written, and the arrays are as they were behind the range. What
 * cannot migrate stays, which is no error; only a fault that was asked for has one.
 * @param ret what it will return
 */
export function checkSetup(k: Kernel, args: MigrateVma, before: [Pfns, Pfns], ret: number): void {
  if (ret && !(args.flags & MIGRATE_VMA_FAULT)) {
    k.report('contract', 'a migration that need not fault fails for a page that stays');
  }
  let migrating = 0;
  for (let i = 0; i < args.npages; i++) if (args.src[i] & MIGRATE_PFN_MIGRATE) migrating++;
  if (migrating !== args.cpages) {
    k.report('contract', 'a migration counts other pages than those that migrate');
  }
  const from = args.end - args.start;
  if (args.dst.subarray(0, from).includes(CANARY)) {
    k.report('contract', 'a migration leaves an entry of its arrays unwritten');
  }
  [args.src, args.dst].forEach((array, which) => {
    if (before[which].some((_, i) => array[from + i] !== CANARY)) {
      k.report('contract', 'a migration writes behind the end of its arrays');
    }
    array.set(before[which], from);
  });
}

/** After remove_migration_ptes(), the folio still locked: no migration entry of it is left. */
export function checkNoEntryLeft(k: Kernel, folio: Folio, pages: number): void {
  for (const mm of k.mms) {
    for (const { pte } of leavesOf(k, mm)) {
      if (ptePresent(pte) || !isMigration(pte)) continue;
      const pfn = softleafToPfn(pte);
      if (pfn >= folio && pfn < folio + pages) {
        k.report('contract', 'a migration entry is left of a folio whose migration has ended');
        return;
      }
    }
  }
}

// who called them is to blame
watchesOnly(['checkRangeFault', 'checkSelected', 'checkSetup', 'checkNoEntryLeft']);
