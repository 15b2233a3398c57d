/**
 * Device page migration by frame number: a driver that wants its memory back.
 *
 * Models: mm/migrate_device.c
 */
import { type Kernel$, ObjectKind, Role } from '../machine/step.ts';
import type { Pfn } from '../machine/units.ts';
import {
  folioGet,
  folioPages,
  folioPut,
  folioTryGet,
  folioUnlockPut,
  pageFolio,
  pageIsFree,
} from '../mm/folio.ts';
import type { Kernel } from '../mm/kernel.ts';
import { Holder } from '../mm/look/ledger.ts';
import { migrateDeviceFinalizeInner, migrateDevicePagesInner } from './migrate-vma.ts';
import { MIGRATE_PFN_COMPOUND, MIGRATE_PFN_MIGRATE, migratePfn, type Pfns } from './pfn.ts';
import { migrateDeviceUnmap } from './unmap.ts';

/**
 * As pfnLock(), but waits for the lock, and takes it before the reference: a page's reference without its
 * lock makes the migration fail that somebody else is at, who then begins again.
 */
function* pfnWaitLock(k: Kernel, pfn: Pfn): Kernel$<number> {
  if (k.stepping) yield k.acquireFolio(pfn).and(ObjectKind.Folio, pfn, Role.Write);
  // only a folio's first page can be taken; it may be brought back by whoever had the lock
  if (pageIsFree(k, pfn) || pageFolio(k, pfn) !== pfn) return 0;
  k.folioLock(pfn);
  folioGet(k, pfn, Holder.Migrate);
  return migratePfn(pfn) | MIGRATE_PFN_MIGRATE;
}

/**
 * Mirrors: mm/migrate_device.c migrate_device_pfn_lock()
 * faithful
 */
function* pfnLock(k: Kernel, pfn: Pfn): Kernel$<number> {
  if (k.stepping) yield k.writeFolio(pfn);
  // only a folio's first page can be taken (folio_get_nontail_page())
  const isFirst = !pageIsFree(k, pfn) && pageFolio(k, pfn) === pfn;
  if (!isFirst || !folioTryGet(k, pfn, Holder.Migrate)) return 0;
  if (k.stepping) yield k.tryAcquireFolio(pfn);
  if (!k.folioTryLock(pfn)) {
    yield* folioPut(k, pfn, Holder.Migrate);
    return 0;
  }
  return migratePfn(pfn) | MIGRATE_PFN_MIGRATE;
}

/**
 * Mirrors: mm/migrate_device.c migrate_device_range(), migrate_device_pfns()
 * faithful
 * @param pfnAt the frame number of entry `i`
 * @param lock how a page is locked
 */
function* lockAndUnmap(
  k: Kernel,
  src: Pfns,
  npages: number,
  pfnAt: (i: number) => Pfn,
  lock = pfnLock,
): Kernel$<void> {
  for (let i = 0; i < npages; i++) {
    const pfn = pfnAt(i);
    src[i] = yield* lock(k, pfn);
    const nr = pageIsFree(k, pfn) ? 1 : folioPages(k, pageFolio(k, pfn));
    if (nr > npages - i) {
      if (src[i] & MIGRATE_PFN_MIGRATE) {
        yield* folioUnlockPut(k, pfn, Holder.Migrate);
      }
      src.fill(0, i, npages);
      break;
    }
    if (nr > 1) {
      src[i] |= MIGRATE_PFN_COMPOUND;
      src.fill(0, i + 1, i + nr);
      i += nr - 1;
    }
  }
  yield* migrateDeviceUnmap(k, src, npages, -1);
}

/**
 * Prepares a range of device pages for migration to RAM, wherever they are mapped.
 *
 * Mirrors: mm/migrate_device.c migrate_device_range()
 * differs: may wait for pages that somebody has locked; 7.3.4 leaves those where they are
 * @param wait whether to
 */
export function migrateDeviceRange(
  k: Kernel,
  src: Pfns,
  start: Pfn,
  npages: number,
  wait = false,
): Kernel$<void> {
  return lockAndUnmap(k, src, npages, (i) => start + i, wait ? pfnWaitLock : pfnLock);
}

/**
 * Prepares the device pages that `src[]` names by frame number.
 *
 * Mirrors: mm/migrate_device.c migrate_device_pfns()
 * faithful
 */
export function migrateDevicePfns(k: Kernel, src: Pfns, npages: number): Kernel$<void> {
  return lockAndUnmap(k, src, npages, (i) => src[i]);
}

/** Mirrors: mm/migrate_device.c migrate_device_pages(); faithful */
export function migrateDevicePages(k: Kernel, src: Pfns, dst: Pfns, npages: number): Kernel$<void> {
  return migrateDevicePagesInner(k, src, dst, npages, null);
}

/** Mirrors: mm/migrate_device.c migrate_device_finalize(); faithful */
export function migrateDeviceFinalize(
  k: Kernel,
  src: Pfns,
  dst: Pfns,
  npages: number,
): Kernel$<void> {
  return migrateDeviceFinalizeInner(k, src, dst, npages, -1);
}
