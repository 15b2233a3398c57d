/**
 * What a driver asks of a migration.
 *
 * Models: include/linux/migrate.h struct migrate_vma, enum migrate_vma_info
 */
import type { Vma } from '../mm/vma.ts';
import type { Pfns } from './pfn.ts';

/** Migrate pages of RAM. */
export const MIGRATE_VMA_SELECT_SYSTEM = 1 << 0;
/** Migrate device-private pages of `pgmapOwner`. */
export const MIGRATE_VMA_SELECT_DEVICE_PRIVATE = 1 << 1;
export const MIGRATE_VMA_SELECT_DEVICE_COHERENT = 1 << 2;
/** Migrate huge pages whole. */
export const MIGRATE_VMA_SELECT_COMPOUND = 1 << 3;
/** Fault in what is missing on the way. */
export const MIGRATE_VMA_FAULT = 1 << 4;

/** struct migrate_vma; addresses in pages, `end` exclusive. */
export interface MigrateVma {
  /** The area that holds the range; a walk with REQ_MIGRATE fills it in. */
  vma: Vma | null;
  start: number;
  end: number;
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
  faultPage: number;
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
