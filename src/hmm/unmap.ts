/**
 * Unmapping what was collected from every process that maps it.
 *
 * Models: mm/migrate_device.c
 */

import { PG_LRU } from '../machine/page.ts';
import type { Kernel$ } from '../machine/step.ts';
import type { Pfn } from '../machine/units.ts';
import {
  folioFree,
  folioGet,
  folioIsolateLru,
  folioIsZoneDevice,
  folioMapcount,
  folioPages,
  folioPutbackLru,
  folioPutTestzero,
  folioRefCount,
  folioTest,
  lruAddDrain,
  lruAddDrainAll,
  pageFolio,
} from '../mm/folio.ts';
import type { Kernel } from '../mm/kernel.ts';
import { Holder } from '../mm/look/ledger.ts';
import { folioMapping, removeMigrationPtes } from '../mm/migrate.ts';
import { tryToMigrate } from '../mm/rmap.ts';
import { MIGRATE_PFN_COMPOUND, MIGRATE_PFN_MIGRATE, migratePfnToPfn, type Pfns } from './pfn.ts';

/**
 * Whether nobody but the migration holds a page.
 *
 * Mirrors: mm/migrate_device.c migrate_vma_check_page()
 * faithful
 */
function checkPage(k: Kernel, page: Pfn, faultPage: Pfn): boolean {
  const folio = pageFolio(k, page);
  let extra = 1 + (page === faultPage ? 1 : 0);
  if (folioIsZoneDevice(k, folio)) extra++;
  if (folioMapping(k, folio)) extra++;
  return folioRefCount(k, folio) - extra <= folioMapcount(k, folio);
}

/**
 * Replaces all other mappings of the collected pages by migration entries, and gives up those that
 * somebody holds.
 *
 * Mirrors: mm/migrate_device.c migrate_device_unmap()
 * faithful
 * @returns pages that migrate
 */
export function* migrateDeviceUnmap(
  k: Kernel,
  src: Pfns,
  npages: number,
  faultPage: Pfn,
): Kernel$<number> {
  const faultFolio = faultPage < 0 ? -1 : pageFolio(k, faultPage);
  let allowDrain = true;
  let unmapped = 0;
  let restore = 0;
  yield* lruAddDrain(k);
  for (let i = 0; i < npages; ) {
    const page = migratePfnToPfn(src[i]);
    if (page < 0) {
      if (src[i] & MIGRATE_PFN_MIGRATE) unmapped++;
      i++;
      continue;
    }
    const folio = pageFolio(k, page);
    const nr = folioPages(k, folio);
    const device = folioIsZoneDevice(k, folio);
    if (nr > 1) src[i] |= MIGRATE_PFN_COMPOUND;
    let isolated = true;
    if (!device) {
      if (k.stepping) yield k.readFolio(folio);
      if (!folioTest(k, folio, PG_LRU) && allowDrain) {
        yield* lruAddDrainAll(k);
        allowDrain = false;
      }
      if (k.stepping) yield k.writeFolio(folio);
      isolated = folioIsolateLru(k, folio);
      // the isolation's reference takes the place of the walk's
      if (isolated) folioPutTestzero(k, folio, Holder.Migrate);
    }
    let keep = isolated;
    if (isolated) {
      if (k.stepping) yield k.readFolio(folio);
      if (folioMapcount(k, folio) > 0) yield* tryToMigrate(k, folio, 0);
      if (k.stepping) yield k.readFolio(folio);
      if (folioMapcount(k, folio) > 0 || !checkPage(k, page, faultPage)) {
        if (!device) {
          if (k.stepping) yield k.writeFolio(folio);
          folioGet(k, folio, Holder.Migrate);
          yield* folioPutbackLru(k, folio);
        }
        keep = false;
      }
    }
    if (keep) unmapped++;
    else {
      src[i] &= ~MIGRATE_PFN_MIGRATE;
      restore++;
    }
    i += nr;
  }
  for (let i = 0; i < npages && restore > 0; i++) {
    const page = migratePfnToPfn(src[i]);
    if (page < 0 || src[i] & MIGRATE_PFN_MIGRATE) continue;
    const folio = pageFolio(k, page);
    yield* removeMigrationPtes(k, folio, folio);
    src[i] = 0;
    if (k.stepping) yield k.releaseFolio(folio);
    if (faultFolio !== folio) k.folioUnlock(folio);
    if (folioPutTestzero(k, folio, Holder.Migrate)) yield* folioFree(k, folio);
    restore--;
  }
  return unmapped;
}
