/**
 * What a driver asks of a migration.
 *
 * Models: include/linux/migrate.h struct migrate_vma, enum migrate_vma_info
 */

import type { Folio, Pfn, Vpn } from '../machine/units.ts';
import { folioIsZoneDevice } from '../mm/folio.ts';
import type { Kernel } from '../mm/kernel.ts';
import { pagePgmap } from '../mm/memremap.ts';
import { VM_HUGETLB, VM_SPECIAL, type Vma } from '../mm/vma.ts';
import type { Pfns } from './pfn.ts';

/** Migrate pages of RAM. */
export const MIGRATE_VMA_SELECT_SYSTEM = 1 << 0;
/** Migrate device-private pages of `pgmapOwner`. */
export const MIGRATE_VMA_SELECT_DEVICE_PRIVATE = 1 << 1;
/** Migrate device-coherent pages of `pgmapOwner`. */
export const MIGRATE_VMA_SELECT_DEVICE_COHERENT = 1 << 2;
/** Migrate huge pages whole. */
export const MIGRATE_VMA_SELECT_COMPOUND = 1 << 3;
/** Fault in what is missing on the way. */
export const MIGRATE_VMA_FAULT = 1 << 4;

/** struct migrate_vma; addresses in pages, `end` exclusive. */
export interface MigrateVma {
  /** The area that holds the range; a walk with REQ_MIGRATE fills it in. */
  vma: Vma | null;
  start: Vpn;
  end: Vpn;
  /** What migrates, an entry a page. */
  readonly src: Pfns;
  /** Where to, an entry a page: filled in by the driver. */
  readonly dst: Pfns;
  /** Pages collected so far; after the setup: pages that migrate. */
  cpages: number;
  npages: number;
  /** Whose device pages may be taken, and who need not be told. */
  pgmapOwner: object | null;
  /** MIGRATE_VMA_* */
  flags: number;
  /** The device page that a CPU touched, locked by its fault; -1 for none. */
  faultPage: Pfn;
}

/**
 * Whether a page that a present entry maps is one that migrates: of RAM, or a device-coherent one of the
 * caller's.
 *
 * Mirrors: mm/migrate_device.c migrate_vma_collect_pmd()
 * faithful
 */
export function selectsPage(k: Kernel, migrate: MigrateVma, page: Pfn): boolean {
  const { flags, pgmapOwner } = migrate;
  if (!folioIsZoneDevice(k, page)) return (flags & MIGRATE_VMA_SELECT_SYSTEM) !== 0;
  return (
    (flags & MIGRATE_VMA_SELECT_DEVICE_COHERENT) !== 0 && pagePgmap(k, page).owner === pgmapOwner
  );
}

/**
 * Whether a present huge page that is not the zero page is one that migrates.
 *
 * Mirrors: mm/migrate_device.c migrate_vma_collect_huge_pmd()
 * faithful: 7.3.4 takes a device-coherent huge page for one of RAM, so that it never comes back from the
 * device; `machine.mended` mends it
 */
export function selectsHuge(k: Kernel, migrate: MigrateVma, folio: Folio): boolean {
  if (k.mended) return selectsPage(k, migrate, folio);
  return (migrate.flags & MIGRATE_VMA_SELECT_SYSTEM) !== 0;
}

/**
 * Arguments for a migration of `pages` pages at most.
 * @param owner the device
 */
export function migrateVmaArgs(pages: number, owner: object | null): MigrateVma {
  return {
    vma: null,
    start: 0,
    end: 0,
    src: new Int32Array(pages),
    dst: new Int32Array(pages),
    cpages: 0,
    npages: 0,
    pgmapOwner: owner,
    flags: 0,
    faultPage: -1,
  };
}

/** Whether anything of an area may go to a device: no huge pages of the pool, nothing of a driver's. */
export function mayMigrate(vma: Vma): boolean {
  return (vma.flags & (VM_HUGETLB | VM_SPECIAL)) === 0;
}
