/**
 * Device page migration prepared inside the range walk: the posted patch, rebased on 7.3.4 and mended.
 *
 * Models: mm/hmm.c with "mm: setup device page migration in HMM pagewalk"
 */
import { EAGAIN, EBUSY, ENOENT, ENOMEM } from '../machine/errno.ts';
import { ptePfn, ptePresent, pteWrite } from '../machine/pte.ts';
import type { Kernel$ } from '../machine/step.ts';
import type { Folio, Pfn, Ptep, Vpn } from '../machine/units.ts';
import { vmNormalPage } from '../mm/fault.ts';
import {
  folioGet,
  folioIsLarge,
  folioMappingWord,
  folioPut,
  folioPutTestzero,
  folioUnlockPut,
  pageFolio,
} from '../mm/folio.ts';
import { setPmdMigrationEntry, splitFolio, splitHugePmd } from '../mm/huge-memory.ts';
import type { Kernel } from '../mm/kernel.ts';
import { isDevicePrivate, isDevicePrivateWrite, softleafToPfn } from '../mm/leafops.ts';
import { Holder } from '../mm/look/ledger.ts';
import { pagePgmap } from '../mm/memremap.ts';
import { pmdIsTable, pmdPresent, pmdTransHuge, ptepGet, ptlOf } from '../mm/pgtable.ts';
import { vmaIsAnonymous } from '../mm/vma.ts';
import { wholeHuge } from './collect.ts';
import {
  MIGRATE_VMA_SELECT_DEVICE_PRIVATE,
  MIGRATE_VMA_SELECT_SYSTEM,
  selectsHuge,
  selectsPage,
} from './migrate-args.ts';
import {
  INSTALLED_FLUSH,
  installMigrationEntry,
  migrateVmaSplitFolio,
  SKIPPED,
} from './migration-entry.ts';
import { HMM_PFN_COMPOUND, HMM_PFN_INOUT_FLAGS, HMM_PFN_MIGRATE, HMM_PFN_VALID } from './pfn.ts';
import {
  assertPmdLocked,
  assertPteLocked,
  assertUnlocked,
  type HmmRange,
  type HmmVmaWalk,
} from './walk-state.ts';

/**
 * What is to be migrated, MIGRATE_VMA_*; 0: nothing, this is a plain walk.
 *
 * Mirrors: include/linux/migrate.h hmm_select_migrate()
 * differs: what the caller has not selected stays (the posted patch always takes pages of RAM when a range
 * fault is to migrate)
 */
export function hmmSelectMigrate(range: HmmRange): number {
  return range.migrate ? range.migrate.flags : 0;
}

/**
 * Gives a range one result. Where nothing is mapped, a migrating walk of anonymous memory notes
 * holes to be populated.
 *
 * Mirrors: mm/hmm.c hmm_pfns_fill()
 * faithful
 * @param hole nothing is mapped there
 */
export function hmmPfnsFill(
  k: Kernel,
  start: Vpn,
  end: Vpn,
  walk: HmmVmaWalk,
  flags: number,
  hole: boolean,
): number {
  const { range } = walk;
  const pfns = range.hmmPfns;
  const from = start - range.start;
  const to = end - range.start;
  for (let i = from; i < to; i++) pfns[i] = (pfns[i] & HMM_PFN_INOUT_FLAGS) | flags;
  if (!hole || !range.migrate || !walk.vma || !vmaIsAnonymous(walk.vma)) return 0;
  if (wholeHuge(k, range.migrate, start, end)) {
    pfns[from] |= HMM_PFN_MIGRATE | HMM_PFN_COMPOUND;
  } else for (let i = from; i < to; i++) pfns[i] |= HMM_PFN_MIGRATE;
  return 0;
}

/**
 * Prepares a huge entry. The PMD lock is held, and stays so.
 *
 * Mirrors: mm/hmm.c hmm_vma_handle_migrate_prepare_pmd()
 * differs: a folio that somebody else has locked keeps its result (the posted patch makes an error of it,
 * so a range fault reports success for pages that it did not give)
 * @returns 0; -EBUSY when the entry is a table by now; -ENOENT when the huge page must be split and
 * walked by base entries
 */
export function* hmmVmaHandleMigratePreparePmd(
  k: Kernel,
  walk: HmmVmaWalk,
  pmdp: Ptep,
  start: Vpn,
  end: Vpn,
): Kernel$<number> {
  const { range } = walk;
  const pfns = range.hmmPfns;
  const at = start - range.start;
  const select = hmmSelectMigrate(range);
  if (!select) return 0;
  const migrate = k.present(range.migrate, 'the arguments of a migration');
  assertPmdLocked(k, walk, true);
  const { faultFolio } = walk;
  const pmd = ptepGet(k, pmdp);
  if (pmd === 0) return hmmPfnsFill(k, start, end, walk, 0, true);
  if (!(pfns[at] & HMM_PFN_VALID)) return 0;
  let folio: Folio;
  if (pmdTransHuge(pmd)) {
    folio = ptePfn(pmd);
    if (k.isHugeZero(folio)) {
      return select & MIGRATE_VMA_SELECT_SYSTEM ? hmmPfnsFill(k, start, end, walk, 0, true) : 0;
    }
    if (!selectsHuge(k, migrate, folio)) return 0;
  } else if (!pmdPresent(pmd)) {
    if (!isDevicePrivate(pmd)) return 0;
    if (!(select & MIGRATE_VMA_SELECT_DEVICE_PRIVATE)) return 0;
    folio = pageFolio(k, softleafToPfn(pmd));
    if (pagePgmap(k, folio).owner !== migrate.pgmapOwner) return 0;
  } else {
    walk.last = start;
    return -EBUSY;
  }
  if (!wholeHuge(k, migrate, start, end)) return -ENOENT;
  if (k.stepping) yield k.tryAcquireFolio(folio);
  folioGet(k, folio, Holder.Migrate);
  if (folio !== faultFolio && !k.folioTryLock(folio)) {
    yield* folioPut(k, folio, Holder.Migrate);
    return 0;
  }
  const vma = k.present(walk.vma, 'the area under a walk');
  if (yield* setPmdMigrationEntry(k, vma, start, pmdp, folio)) {
    if (k.stepping) yield k.releaseFolio(folio);
    if (folio !== faultFolio) k.folioUnlock(folio);
    folioPutTestzero(k, folio, Holder.Migrate);
    return -ENOENT;
  }
  pfns[at] |= HMM_PFN_MIGRATE | HMM_PFN_COMPOUND;
  const last = at + (end - start);
  for (let i = at + 1; i < last; i++) pfns[i] &= HMM_PFN_INOUT_FLAGS;
  return 0;
}

/**
 * Unlocks the table of base entries, after the flush that replaced entries need.
 *
 * Mirrors: the series' hmm_vma_walk_pmd() (its end)
 * faithful
 */
export function* unlockPtes(k: Kernel, walk: HmmVmaWalk): Kernel$<void> {
  const ptl = k.present(walk.ptl, 'the lock of a walk’s page table');
  if (walk.unmapped) {
    if (k.stepping) yield k.flushStep(walk.mm.id);
    k.flushTlbRange(walk.mm.id, walk.tableStart, walk.tableEnd);
    walk.unmapped = false;
  }
  if (k.stepping) yield k.release(ptl);
  k.unlock(ptl);
  walk.ptl = null;
  walk.pteLocked = false;
}

/**
 * Prepares a base entry: installs a migration entry in its place, or notes a hole. The PTE lock is
 * held, and stays so unless a large folio had to be split.
 *
 * Mirrors: mm/hmm.c hmm_vma_handle_migrate_prepare()
 * differs: the folio to be split is referenced before the table is unlocked and not waited for (the posted
 * patch waits for it with the locks of other folios held), the dirty bit is read of
 * present entries only, the fault's folio keeps its lock, holes are not valid, flags of the caller are
 * kept, the TLBs are flushed once before the table is unlocked
 * @returns 0; -EAGAIN when the entry must be looked at again; -ENOMEM when a large folio could not be
 * split (the posted patch fails the whole range with -EFAULT): both without the lock
 */
export function* hmmVmaHandleMigratePrepare(
  k: Kernel,
  walk: HmmVmaWalk,
  ptep: Ptep,
  vpn: Vpn,
): Kernel$<number> {
  const { range } = walk;
  const pfns = range.hmmPfns;
  const at = vpn - range.start;
  const select = hmmSelectMigrate(range);
  const migrate = k.present(range.migrate, 'the arguments of a migration');
  const vma = k.present(walk.vma, 'the area under a walk');
  assertPteLocked(k, walk, true);
  const pte = ptepGet(k, ptep);
  if (pte === 0) {
    // migrate without faulting
    if (vmaIsAnonymous(vma)) pfns[at] = (pfns[at] & HMM_PFN_INOUT_FLAGS) | HMM_PFN_MIGRATE;
    return 0;
  }
  if (!(pfns[at] & HMM_PFN_VALID)) return 0;
  let page: Pfn;
  let writable: boolean;
  if (!ptePresent(pte)) {
    // only device-private entries; others cannot migrate
    if (!isDevicePrivate(pte)) return 0;
    if (!(select & MIGRATE_VMA_SELECT_DEVICE_PRIVATE)) return 0;
    page = softleafToPfn(pte);
    if (pagePgmap(k, page).owner !== migrate.pgmapOwner) return 0;
    writable = isDevicePrivateWrite(pte);
  } else {
    page = vmNormalPage(pte);
    if (page < 0) {
      if (!(select & MIGRATE_VMA_SELECT_SYSTEM)) return 0;
      // the zero page: a hole
      pfns[at] = (pfns[at] & HMM_PFN_INOUT_FLAGS) | HMM_PFN_MIGRATE;
      return 0;
    }
    if (!selectsPage(k, migrate, page)) return 0;
    writable = pteWrite(pte);
  }
  const folio = pageFolio(k, page);
  const { faultFolio } = walk;
  if (folioIsLarge(k, folio)) {
    if (folio !== faultFolio) {
      if (k.stepping) yield k.writeFolio(folio);
      folioGet(k, folio, Holder.Split);
    }
    yield* unlockPtes(k, walk);
    // others may wait for what this walk has prepared: it must not wait for what they have locked
    const ret = yield* migrateVmaSplitFolio(k, folio, migrate.faultPage, false);
    return ret ? -ENOMEM : -EAGAIN;
  }
  if (folioMappingWord(k, folio) === 0) return 0;
  const done = yield* installMigrationEntry(k, vma, vpn, ptep, page, writable, faultFolio);
  if (done === SKIPPED) return 0;
  if (done === INSTALLED_FLUSH) walk.unmapped = true;
  pfns[at] |= HMM_PFN_MIGRATE;
  return 0;
}

/**
 * Splits the huge page behind a PMD entry, so that it can be walked by base entries. Nothing is
 * locked.
 *
 * Mirrors: mm/hmm.c hmm_vma_walk_split()
 * differs: device-private huge entries are split as well (the posted patch leaves them, and its caller comes
 * back for ever)
 * @returns 0 when it is worth looking again; a negative errno when the huge page stays
 */
export function* hmmVmaWalkSplit(
  k: Kernel,
  walk: HmmVmaWalk,
  pmdp: Ptep,
  vpn: Vpn,
): Kernel$<number> {
  const { faultFolio } = walk;
  assertUnlocked(k, walk);
  const ptl = ptlOf(k, pmdp);
  if (k.stepping) yield k.acquire(ptl);
  k.lock(ptl);
  const pmd = ptepGet(k, pmdp);
  const huge = pmd !== 0 && !pmdIsTable(pmd) && (pmdTransHuge(pmd) || isDevicePrivate(pmd));
  const folio = huge ? pageFolio(k, pmdTransHuge(pmd) ? ptePfn(pmd) : softleafToPfn(pmd)) : -1;
  const zero = huge && pmdTransHuge(pmd) && k.isHugeZero(folio);
  if (huge && !zero && folio !== faultFolio) {
    if (k.stepping) yield k.writeFolio(folio);
    folioGet(k, folio, Holder.Split);
  }
  if (k.stepping) yield k.release(ptl);
  k.unlock(ptl);
  if (!huge) return 0;
  if (zero) {
    const vma = k.present(walk.vma, 'the area under a walk');
    yield* splitHugePmd(k, vma, pmdp, vpn);
    return 0;
  }
  if (folio !== faultFolio) {
    if (k.stepping) yield k.tryAcquireFolio(folio);
    if (!k.folioTryLock(folio)) {
      yield* folioPut(k, folio, Holder.Split);
      return -EBUSY;
    }
  }
  if (folio === faultFolio) {
    // a fault keeps its lock and reference: on the folio that has its page
    const migrate = k.present(walk.range.migrate, 'the arguments of a migration');
    return yield* splitFolio(k, folio, migrate.faultPage);
  }
  const ret = yield* splitFolio(k, folio);
  yield* folioUnlockPut(k, folio, Holder.Split);
  return ret;
}

/** What a walk of the series' kind is made of; `as-posted` has its own. */
export interface PrepareOps {
  preparePmd: typeof hmmVmaHandleMigratePreparePmd;
  prepare: typeof hmmVmaHandleMigratePrepare;
  split: typeof hmmVmaWalkSplit;
}

export const UNIFIED: PrepareOps = {
  preparePmd: hmmVmaHandleMigratePreparePmd,
  prepare: hmmVmaHandleMigratePrepare,
  split: hmmVmaWalkSplit,
};
