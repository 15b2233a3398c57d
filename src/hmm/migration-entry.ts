/**
 * Installing one migration entry: the part that every walk shares.
 *
 * Models: mm/migrate_device.c migrate_vma_collect_pmd() (its inner part)
 */
import { EBUSY } from '../machine/errno.ts';
import { PG_DIRTY } from '../machine/page.ts';
import { pteDirty, ptePfn, ptePresent } from '../machine/pte.ts';
import { type Kernel$, ObjectKind, Role } from '../machine/step.ts';
import type { Folio, Pfn, Ptep, Vpn } from '../machine/units.ts';
import {
  folioGet,
  folioPut,
  folioPutTestzero,
  folioSet,
  folioTestAnon,
  folioUnlockPut,
  pageAnonExclusive,
  pageFolio,
} from '../mm/folio.ts';
import { splitFolio } from '../mm/huge-memory.ts';
import type { Kernel } from '../mm/kernel.ts';
import { Holder } from '../mm/look/ledger.ts';
import { flushCachePage, ptepGet, ptepGetAndClear, setPte } from '../mm/pgtable.ts';
import { folioRemoveRmapPte, folioTryShareAnonRmap, migrationPte } from '../mm/rmap.ts';
import type { Vma } from '../mm/vma.ts';

/** The folio was locked by somebody else, or is pinned: the page stays. */
export const SKIPPED = 0;
/** Installed in place of an entry that no TLB can hold. */
export const INSTALLED = 1;
/** Installed in place of a present entry: the TLBs must be flushed before the table is unlocked. */
export const INSTALLED_FLUSH = 2;

/**
 * Replaces a present or device-private entry by a migration entry. The table is locked; the folio is
 * locked and referenced (holder Migrate) when it is installed.
 *
 * Mirrors: mm/migrate_device.c migrate_vma_collect_pmd()
 * faithful
 * @param page the page that the entry maps
 * @param faultFolio the folio whose lock a CPU's fault holds for us, or -1
 * @returns SKIPPED, INSTALLED or INSTALLED_FLUSH
 */
export function* installMigrationEntry(
  k: Kernel,
  vma: Vma,
  vpn: Vpn,
  ptep: Ptep,
  page: Pfn,
  writable: boolean,
  faultFolio: Folio,
): Kernel$<number> {
  const folio = pageFolio(k, page);
  if (k.stepping) yield k.tryAcquireFolio(folio);
  folioGet(k, folio, Holder.Migrate);
  if (faultFolio !== folio && !k.folioTryLock(folio)) {
    yield* folioPut(k, folio, Holder.Migrate);
    return SKIPPED;
  }
  // the table is locked: presence does not change
  if (ptePresent(ptepGet(k, ptep))) flushCachePage(k, ptePfn(ptepGet(k, ptep)));
  const anonExclusive = folioTestAnon(k, folio) && pageAnonExclusive(k, page);
  if (k.stepping) yield k.writeEntry(ptep).and(ObjectKind.Folio, folio, Role.Write);
  const pte = ptepGetAndClear(k, ptep);
  const present = ptePresent(pte);
  if (anonExclusive) {
    if (present) {
      if (k.stepping) yield k.flushStep(vma.mm.id);
      k.flushTlbPage(vma.mm.id, vpn);
    }
    if (k.stepping) yield k.writeFolio(folio);
    if (folioTryShareAnonRmap(k, folio, page)) {
      if (k.stepping) yield k.writeEntry(ptep);
      setPte(k, ptep, pte);
      if (k.stepping) yield k.releaseFolio(folio);
      if (faultFolio !== folio) k.folioUnlock(folio);
      yield* folioPut(k, folio, Holder.Migrate);
      return SKIPPED;
    }
  }
  if (present && pteDirty(pte)) folioSet(k, folio, PG_DIRTY);
  if (k.stepping) yield k.writeEntry(ptep);
  setPte(k, ptep, migrationPte(pte, page, writable, anonExclusive));
  if (k.stepping) yield k.writeFolio(folio);
  folioRemoveRmapPte(k, folio, page, vma);
  // the reference just taken keeps the folio
  folioPutTestzero(k, folio, Holder.Mapping);
  return present ? INSTALLED_FLUSH : INSTALLED;
}

/**
 * Splits a large folio that is mapped by base entries. The caller holds a reference (holder Split)
 * unless the folio is the fault's; the table is not locked. Afterwards the fault's lock and
 * reference are on the folio that holds its page.
 *
 * Mirrors: mm/migrate_device.c migrate_vma_split_folio()
 * differs: 7.3.4 lets the fault's page go in the split and references and locks it again, so that it may
 * be freed in between
 * @param wait whether to wait for the folio's lock
 * @returns 0, or a negative errno: -EBUSY where it did not wait
 */
export function* migrateVmaSplitFolio(
  k: Kernel,
  folio: Folio,
  faultPage: Pfn,
  wait = true,
): Kernel$<number> {
  const faultFolio = faultPage < 0 ? -1 : pageFolio(k, faultPage);
  if (folio !== faultFolio && wait) {
    if (k.stepping) yield k.acquireFolio(folio);
    k.folioLock(folio);
  } else if (folio !== faultFolio) {
    if (k.stepping) yield k.tryAcquireFolio(folio);
    if (!k.folioTryLock(folio)) {
      yield* folioPut(k, folio, Holder.Split);
      return -EBUSY;
    }
  }
  // the fault keeps its lock and reference all along: on the folio that has its page
  if (folio === faultFolio) return yield* splitFolio(k, folio, faultPage);
  const ret = yield* splitFolio(k, folio);
  yield* folioUnlockPut(k, folio, Holder.Split);
  return ret;
}
