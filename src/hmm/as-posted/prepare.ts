/**
 * The patch to the letter, with its mistakes: "mm: setup device page migration in HMM pagewalk" as it
 * was posted. Nothing here is mended; `migrate-prepare.ts` is the mended twin. What surrounds it (the
 * walk, the setup) is the same for both, so that what is found with `as-posted` alone is in here.
 * `docs/as-posted.md` says what is.
 *
 * Models: the posted patch's mm/hmm.c
 */
import { EAGAIN, EBUSY, EFAULT, ENOENT } from '../../machine/errno.ts';
import { PG_DIRTY } from '../../machine/page.ts';
import { pteDirty, ptePfn, ptePresent, pteWrite } from '../../machine/pte.ts';
import type { Kernel$ } from '../../machine/step.ts';
import type { Folio, Pfn, Ptep, Vpn } from '../../machine/units.ts';
import { vmNormalPage } from '../../mm/fault.ts';
import {
  folioGet,
  folioIsDeviceCoherent,
  folioIsLarge,
  folioIsZoneDevice,
  folioMappingWord,
  folioPut,
  folioPutTestzero,
  folioSet,
  folioTestAnon,
  folioUnlockPut,
  pageAnonExclusive,
  pageFolio,
  pageIsFree,
} from '../../mm/folio.ts';
import { setPmdMigrationEntry, splitFolio, splitHugePmd } from '../../mm/huge-memory.ts';
import type { Kernel } from '../../mm/kernel.ts';
import { isDevicePrivate, isDevicePrivateWrite, softleafToPfn } from '../../mm/leafops.ts';
import { Holder } from '../../mm/look/ledger.ts';
import { pagePgmap } from '../../mm/memremap.ts';
import {
  pmdPresent,
  pmdTransHuge,
  ptepGet,
  ptepGetAndClear,
  ptlOf,
  setPte,
} from '../../mm/pgtable.ts';
import { folioRemoveRmapPte, folioTryShareAnonRmap, migrationPte } from '../../mm/rmap.ts';
import { vmaIsAnonymous } from '../../mm/vma.ts';
import { wholeHuge } from '../collect.ts';
import {
  MIGRATE_VMA_SELECT_DEVICE_COHERENT,
  MIGRATE_VMA_SELECT_DEVICE_PRIVATE,
  MIGRATE_VMA_SELECT_SYSTEM,
} from '../migrate-args.ts';
import { hmmPfnsFill, type PrepareOps } from '../migrate-prepare.ts';
import {
  HMM_PFN_COMPOUND,
  HMM_PFN_ERROR,
  HMM_PFN_INOUT_FLAGS,
  HMM_PFN_MIGRATE,
  HMM_PFN_REQ_MIGRATE,
  HMM_PFN_VALID,
} from '../pfn.ts';
import {
  assertPmdLocked,
  assertPteLocked,
  assertUnlocked,
  type HmmRange,
  type HmmVmaWalk,
} from '../walk-state.ts';

/**
 * Mirrors: the series' hmm_select_migrate()
 * faithful
 */
function hmmSelectMigrate(range: HmmRange): number {
  const flags = range.migrate ? range.migrate.flags : 0;
  return flags | (range.defaultFlags & HMM_PFN_REQ_MIGRATE ? MIGRATE_VMA_SELECT_SYSTEM : 0);
}

/**
 * Mirrors: the series' migrate_vma_split_folio()
 * faithful
 */
export function* migrateVmaSplitFolio(k: Kernel, folio: Folio, faultPage: Pfn): Kernel$<number> {
  const faultFolio = faultPage < 0 ? -1 : pageFolio(k, faultPage);
  if (folio !== faultFolio) {
    if (k.stepping) yield k.writeFolio(folio);
    folioGet(k, folio, Holder.Split);
    if (k.stepping) yield k.acquireFolio(folio);
    k.folioLock(folio);
  }
  const ret = yield* splitFolio(k, folio);
  if (ret) {
    if (folio !== faultFolio) yield* folioUnlockPut(k, folio, Holder.Split);
    return ret;
  }
  // page_folio() of a page that has been freed meanwhile is the page
  const freed = faultPage >= 0 && pageIsFree(k, faultPage);
  const newFaultFolio = faultPage < 0 || freed ? faultPage : pageFolio(k, faultPage);
  if (newFaultFolio < 0) yield* folioUnlockPut(k, folio, Holder.Split);
  else if (folio !== newFaultFolio) {
    if (newFaultFolio !== faultFolio) {
      if (k.stepping) yield k.writeFolio(newFaultFolio);
      folioGet(k, newFaultFolio, Holder.Fault);
      if (k.stepping) yield k.acquireFolio(newFaultFolio);
      k.folioLock(newFaultFolio);
    }
    yield* folioUnlockPut(k, folio, folio === faultFolio ? Holder.Fault : Holder.Split);
  }
  return 0;
}

/**
 * Mirrors: the series' hmm_vma_handle_migrate_prepare_pmd()
 * faithful
 */
function* hmmVmaHandleMigratePreparePmd(
  k: Kernel,
  walk: HmmVmaWalk,
  pmdp: Ptep,
  start: Vpn,
  end: Vpn,
): Kernel$<number> {
  const { range } = walk;
  const pfns = range.hmmPfns;
  const at = start - range.start;
  const minfo = hmmSelectMigrate(range);
  if (!minfo) return 0;
  k.warn(!range.migrate, 'a migration without arguments');
  const migrate = k.present(range.migrate, 'the arguments of a migration');
  assertPmdLocked(k, walk, true);
  const faultFolio = migrate.faultPage < 0 ? -1 : pageFolio(k, migrate.faultPage);
  const pmd = ptepGet(k, pmdp);
  if (pmd === 0) return hmmPfnsFill(k, start, end, walk, 0, true);
  if (!(pfns[at] & HMM_PFN_VALID)) return 0;
  let folio: Folio;
  if (pmdTransHuge(pmd)) {
    if (!(minfo & MIGRATE_VMA_SELECT_SYSTEM)) return 0;
    folio = ptePfn(pmd);
    if (k.isHugeZero(folio)) return hmmPfnsFill(k, start, end, walk, 0, true);
  } else if (!pmdPresent(pmd)) {
    folio = pageFolio(k, softleafToPfn(pmd));
    if (!isDevicePrivate(pmd)) return 0;
    if (!(minfo & MIGRATE_VMA_SELECT_DEVICE_PRIVATE)) return 0;
    if (pagePgmap(k, folio).owner !== migrate.pgmapOwner) return 0;
  } else {
    walk.last = start;
    return -EBUSY;
  }
  if (k.stepping) yield k.tryAcquireFolio(folio);
  folioGet(k, folio, Holder.Migrate);
  if (folio !== faultFolio && !k.folioTryLock(folio)) {
    yield* folioPut(k, folio, Holder.Migrate);
    return hmmPfnsFill(k, start, end, walk, HMM_PFN_ERROR, false);
  }
  let ret = -ENOENT;
  if (wholeHuge(k, migrate, start, end)) {
    pfns[at] |= HMM_PFN_MIGRATE | HMM_PFN_COMPOUND;
    const vma = k.present(walk.vma, 'the area under a walk');
    if (yield* setPmdMigrationEntry(k, vma, start, pmdp, folio)) {
      pfns[at] &= ~(HMM_PFN_MIGRATE | HMM_PFN_COMPOUND);
    } else {
      for (let i = 1; i < end - start; i++) pfns[at + i] &= HMM_PFN_INOUT_FLAGS;
      ret = 0;
    }
  }
  if (ret) {
    if (k.stepping) yield k.releaseFolio(folio);
    if (folio !== faultFolio) k.folioUnlock(folio);
    yield* folioPut(k, folio, Holder.Migrate);
  }
  return ret;
}

/** Unlocks the table without more ado (pte_unmap_unlock()). */
function* pteUnmapUnlock(k: Kernel, walk: HmmVmaWalk): Kernel$<void> {
  const ptl = k.present(walk.ptl, 'the lock of a walk’s page table');
  if (k.stepping) yield k.release(ptl);
  k.unlock(ptl);
  walk.ptl = null;
  walk.pteLocked = false;
}

/**
 * Mirrors: the series' hmm_vma_handle_migrate_prepare()
 * simplified: no data caches (`flush_cache_page()` of whatever was mapped)
 */
function* hmmVmaHandleMigratePrepare(
  k: Kernel,
  walk: HmmVmaWalk,
  ptep: Ptep,
  vpn: Vpn,
): Kernel$<number> {
  const { range } = walk;
  const pfns = range.hmmPfns;
  const at = vpn - range.start;
  const minfo = hmmSelectMigrate(range);
  if (!minfo) return 0;
  k.warn(!range.migrate, 'a migration without arguments');
  const migrate = k.present(range.migrate, 'the arguments of a migration');
  const vma = k.present(walk.vma, 'the area under a walk');
  assertPteLocked(k, walk, true);
  const faultFolio = migrate.faultPage < 0 ? -1 : pageFolio(k, migrate.faultPage);
  let pte = ptepGet(k, ptep);
  if (pte === 0 && vmaIsAnonymous(vma)) {
    pfns[at] = (pfns[at] & HMM_PFN_INOUT_FLAGS) | HMM_PFN_MIGRATE | HMM_PFN_VALID;
    return 0;
  }
  if (!(pfns[at] & HMM_PFN_VALID)) return 0;
  let page: Pfn;
  let writable = false;
  if (!ptePresent(pte)) {
    if (!isDevicePrivate(pte)) return 0;
    if (!(minfo & MIGRATE_VMA_SELECT_DEVICE_PRIVATE)) return 0;
    page = softleafToPfn(pte);
    const folio = pageFolio(k, page);
    if (pagePgmap(k, folio).owner !== migrate.pgmapOwner) return 0;
    if (folioIsLarge(k, folio)) {
      yield* pteUnmapUnlock(k, walk);
      const ret = yield* migrateVmaSplitFolio(k, folio, migrate.faultPage);
      return ret ? -EFAULT : -EAGAIN;
    }
    if (isDevicePrivateWrite(pte)) writable = true;
  } else {
    const pfn = ptePfn(pte);
    if (k.isZero(pfn) && minfo & MIGRATE_VMA_SELECT_SYSTEM) {
      pfns[at] = HMM_PFN_MIGRATE | HMM_PFN_VALID;
      return 0;
    }
    page = vmNormalPage(pte);
    if (page >= 0 && !folioIsZoneDevice(k, page) && !(minfo & MIGRATE_VMA_SELECT_SYSTEM)) return 0;
    if (page >= 0 && folioIsDeviceCoherent(k, page)) {
      if (!(minfo & MIGRATE_VMA_SELECT_DEVICE_COHERENT)) return 0;
      if (pagePgmap(k, page).owner !== migrate.pgmapOwner) return 0;
    }
    const folio = page < 0 ? -1 : pageFolio(k, page);
    if (folio >= 0 && folioIsLarge(k, folio)) {
      yield* pteUnmapUnlock(k, walk);
      const ret = yield* migrateVmaSplitFolio(k, folio, migrate.faultPage);
      return ret ? -EFAULT : -EAGAIN;
    }
    writable = pteWrite(pte);
  }
  if (page < 0 || folioMappingWord(k, pageFolio(k, page)) === 0) return 0;
  const folio = pageFolio(k, page);
  if (k.stepping) yield k.tryAcquireFolio(folio);
  folioGet(k, folio, Holder.Migrate);
  if (faultFolio === folio || k.folioTryLock(folio)) {
    const anonExclusive = folioTestAnon(k, folio) && pageAnonExclusive(k, page);
    if (k.stepping) yield k.writeEntry(ptep);
    pte = ptepGetAndClear(k, ptep);
    if (anonExclusive) {
      if (ptePresent(pte)) {
        if (k.stepping) yield k.flushStep(vma.mm.id);
        k.flushTlbPage(vma.mm.id, vpn);
      }
      if (k.stepping) yield k.writeFolio(folio);
      if (folioTryShareAnonRmap(k, folio, page)) {
        if (k.stepping) yield k.writeEntry(ptep);
        setPte(k, ptep, pte);
        yield* folioUnlockPut(k, folio, Holder.Migrate);
        return 0;
      }
    }
    if (pteDirty(pte)) folioSet(k, folio, PG_DIRTY);
    if (k.stepping) yield k.writeEntry(ptep);
    setPte(k, ptep, migrationPte(pte, page, writable, anonExclusive));
    if (k.stepping) yield k.writeFolio(folio);
    folioRemoveRmapPte(k, folio, page, vma);
    folioPutTestzero(k, folio, Holder.Mapping);
    pfns[at] |= HMM_PFN_MIGRATE;
    if (ptePresent(pte)) {
      if (k.stepping) yield k.flushStep(vma.mm.id);
      k.flushTlbRange(vma.mm.id, vpn, vpn + 1);
    }
  } else yield* folioPut(k, folio, Holder.Migrate);
  return 0;
}

/**
 * Mirrors: the series' hmm_vma_walk_split()
 * faithful
 */
function* hmmVmaWalkSplit(k: Kernel, walk: HmmVmaWalk, pmdp: Ptep, vpn: Vpn): Kernel$<number> {
  const { migrate } = walk.range;
  assertUnlocked(k, walk);
  const faultFolio = migrate && migrate.faultPage >= 0 ? pageFolio(k, migrate.faultPage) : -1;
  const ptl = ptlOf(k, pmdp);
  if (k.stepping) yield k.acquire(ptl);
  k.lock(ptl);
  const pmd = ptepGet(k, pmdp);
  if (!pmdTransHuge(pmd)) {
    if (k.stepping) yield k.release(ptl);
    k.unlock(ptl);
    return 0;
  }
  const folio = ptePfn(pmd);
  if (k.isHugeZero(folio)) {
    if (k.stepping) yield k.release(ptl);
    k.unlock(ptl);
    const vma = k.present(walk.vma, 'the area under a walk');
    yield* splitHugePmd(k, vma, pmdp, vpn);
    return 0;
  }
  if (k.stepping) yield k.writeFolio(folio);
  folioGet(k, folio, Holder.Split);
  if (k.stepping) yield k.release(ptl);
  k.unlock(ptl);
  if (folio !== faultFolio) {
    if (k.stepping) yield k.tryAcquireFolio(folio);
    if (!k.folioTryLock(folio)) {
      yield* folioPut(k, folio, Holder.Split);
      return -EBUSY;
    }
  } else yield* folioPut(k, folio, Holder.Split);
  const ret = yield* splitFolio(k, folio);
  if (faultFolio !== folio) yield* folioUnlockPut(k, folio, Holder.Split);
  return ret;
}

export const AS_POSTED: PrepareOps = {
  preparePmd: hmmVmaHandleMigratePreparePmd,
  prepare: hmmVmaHandleMigratePrepare,
  split: hmmVmaWalkSplit,
};
