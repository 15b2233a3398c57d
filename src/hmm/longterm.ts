/**
 * Pins for as long as somebody likes. What a device keeps coherent must be able to leave, so such pages
 * go back to RAM first.
 *
 * Models: mm/gup.c (long-term pins), mm/migrate_device.c migrate_device_coherent_folio()
 */
import { EAGAIN, EBUSY } from '../machine/errno.ts';
import type { Kernel$ } from '../machine/step.ts';
import type { Folio, Pfn, Vpn } from '../machine/units.ts';
import {
  copyPage,
  folioAlloc,
  folioGet,
  folioIsDeviceCoherent,
  folioIsLarge,
  pageFolio,
} from '../mm/folio.ts';
import {
  folioIsLongtermPinnable,
  type GupFlags,
  getUserPagesLocked,
  gupFastFallback,
  type Locked,
  unpinFolio,
  unpinUserPages,
} from '../mm/gup.ts';
import type { Kernel } from '../mm/kernel.ts';
import { Holder } from '../mm/look/ledger.ts';
import type { Mm } from '../mm/mm.ts';
import { migrateDeviceFinalize, migrateDevicePages } from './migrate-device.ts';
import { MIGRATE_PFN_MIGRATE, migratePfn } from './pfn.ts';
import { migrateDeviceUnmap } from './unmap.ts';

/** What is pinned, and how. */
export interface PinOptions {
  /** To be written, too. */
  write?: boolean;
  /** For as long as somebody likes (FOLL_LONGTERM). */
  longterm?: boolean;
}

/**
 * Brings a device-coherent page back to RAM, wherever it is mapped. The caller's reference (holder
 * Migrate) goes with it.
 *
 * Mirrors: mm/migrate_device.c migrate_device_coherent_folio()
 * faithful
 * @returns 0, or -EBUSY when it stays
 */
export function* migrateDeviceCoherentFolio(k: Kernel, folio: Folio): Kernel$<number> {
  k.warn(folioIsLarge(k, folio), 'a large coherent folio is to be brought back');
  if (k.stepping) yield k.acquireFolio(folio);
  k.folioLock(folio);
  const src = Int32Array.of(migratePfn(folio) | MIGRATE_PFN_MIGRATE);
  const dst = Int32Array.of(0);
  yield* migrateDeviceUnmap(k, src, 1, -1);
  if (!(src[0] & MIGRATE_PFN_MIGRATE)) return -EBUSY;
  if (k.stepping) yield k.allocateStep();
  const to = folioAlloc(k, 0);
  if (to >= 0) {
    k.folioSetLocked(to);
    dst[0] = migratePfn(to);
  }
  yield* migrateDevicePages(k, src, dst, 1);
  if (src[0] & MIGRATE_PFN_MIGRATE) {
    if (k.stepping) yield k.copyStep(to, folio);
    copyPage(k, to, folio);
  }
  yield* migrateDeviceFinalize(k, src, dst, 1);
  return src[0] & MIGRATE_PFN_MIGRATE ? 0 : -EBUSY;
}

/**
 * Drops all pins, and brings back to RAM what a device keeps coherent.
 *
 * Mirrors: mm/gup.c migrate_longterm_unpinnable_folios()
 * simplified: there are no movable zones
 * @returns -EAGAIN when all came back: they are to be pinned anew; -EBUSY when one did not
 */
function* migrateLongtermUnpinnable(k: Kernel, pages: readonly number[]): Kernel$<number> {
  for (let i = 0; i < pages.length; i++) {
    const folio = pageFolio(k, pages[i]);
    if (!folioIsDeviceCoherent(k, folio)) {
      yield* unpinFolio(k, folio);
      continue;
    }
    // a pin would keep it where it is, a reference need not
    if (k.stepping) yield k.writeFolio(folio);
    folioGet(k, folio, Holder.Migrate);
    yield* unpinFolio(k, folio);
    if (yield* migrateDeviceCoherentFolio(k, folio)) {
      yield* unpinUserPages(k, pages.slice(i + 1));
      return -EBUSY;
    }
  }
  return -EAGAIN;
}

/**
 * Whether all pages may stay pinned.
 *
 * Mirrors: mm/gup.c check_and_migrate_movable_pages(), collect_longterm_unpinnable_folios()
 * simplified: there are no movable zones, so nothing but device-coherent folios has to go
 * @returns 0; else none is pinned any more: -EAGAIN when they may be pinned anew, or why not
 */
function* checkAndMigrateMovablePages(k: Kernel, pages: readonly number[]): Kernel$<number> {
  if (pages.every((page) => folioIsLongtermPinnable(k, pageFolio(k, page)))) return 0;
  return yield* migrateLongtermUnpinnable(k, pages);
}

/**
 * As `getUserPagesLocked`; what must not stay pinned for long is moved, and all is pinned anew.
 *
 * Mirrors: mm/gup.c __gup_longterm_locked()
 * faithful
 * @param pages gets their frame numbers
 * @returns how many, or a negative errno
 */
export function* gupLongtermLocked(
  k: Kernel,
  mm: Mm,
  start: Vpn,
  nr: number,
  flags: GupFlags,
  pages: Pfn[],
  locked: Locked,
): Kernel$<number> {
  for (;;) {
    const taken: Pfn[] = [];
    let ret = yield* getUserPagesLocked(k, mm, start, nr, flags, taken, locked);
    if (flags.longterm && ret > 0) ret = (yield* checkAndMigrateMovablePages(k, taken)) || ret;
    if (ret === -EAGAIN) continue;
    if (ret > 0) pages.push(...taken);
    return ret;
  }
}

/**
 * Pins each page of a range, faulting them in; `unpinUserPages` drops the pins. mmap_lock is held.
 *
 * Mirrors: mm/gup.c pin_user_pages()
 * faithful
 * @param nr pages, at least one
 * @param pages gets their frame numbers
 * @returns how many, which may be fewer than wanted, or a negative errno
 */
export function pinUserPages(
  k: Kernel,
  mm: Mm,
  start: Vpn,
  nr: number,
  { write = false, longterm = false }: PinOptions,
  pages: Pfn[],
): Kernel$<number> {
  const flags = { write, longterm, pin: true };
  return gupLongtermLocked(k, mm, start, nr, flags, pages, { held: true });
}

/**
 * As `pinUserPages`, but without mmap_lock where it can; the caller does not hold it.
 *
 * Mirrors: mm/gup.c pin_user_pages_fast()
 * faithful
 * @param nr pages, at least one
 * @param pages gets their frame numbers
 * @returns how many, which may be fewer than wanted, or a negative errno
 */
export function pinUserPagesFast(
  k: Kernel,
  mm: Mm,
  start: Vpn,
  nr: number,
  { write = false, longterm = false }: PinOptions,
  pages: Pfn[],
): Kernel$<number> {
  const flags = { write, longterm, pin: true };
  return gupFastFallback(k, mm, start, nr, flags, pages, gupLongtermLocked);
}
