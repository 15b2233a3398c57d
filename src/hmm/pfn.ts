/**
 * What a range walk and a migration say of each page: one 31-bit word a page.
 *
 * Models: include/linux/hmm.h enum hmm_pfn_flags, include/linux/migrate.h MIGRATE_PFN_*
 */
import type { HmmPfn, MigratePfn, Pfn } from '../machine/units.ts';

/** One word a page of a range. */
export type Pfns = Int32Array;

// ---- hmm_pfns[] ----

/** In: fault the page. Out: the page may be read. */
export const HMM_PFN_VALID = 1 << 0;
/** In: fault the page for writing. Out: the page may be written. */
export const HMM_PFN_WRITE = 1 << 1;
/** Out: the page cannot be had. */
export const HMM_PFN_ERROR = 1 << 2;
export const HMM_PFN_DMA_MAPPED = 1 << 3;
export const HMM_PFN_P2PDMA = 1 << 4;
export const HMM_PFN_P2PDMA_BUS = 1 << 5;
/** In: prepare the page for migration. Out: it is; without VALID: an empty page to be populated. */
export const HMM_PFN_MIGRATE = 1 << 6;
/** Out, with MIGRATE: the whole huge page, described by its first entry. */
export const HMM_PFN_COMPOUND = 1 << 7;
/** Size of the mapping: 0 a base page, 1 a PMD. */
const ORDER_SHIFT = 8;
const ORDER_MASK = 3 << ORDER_SHIFT;
const PFN_SHIFT = 10;

export const HMM_PFN_REQ_FAULT = HMM_PFN_VALID;
export const HMM_PFN_REQ_WRITE = HMM_PFN_WRITE;
export const HMM_PFN_REQ_MIGRATE = HMM_PFN_MIGRATE;

/** Flags of an entry that a walk leaves as they are. */
export const HMM_PFN_INOUT_FLAGS = HMM_PFN_DMA_MAPPED | HMM_PFN_P2PDMA | HMM_PFN_P2PDMA_BUS;
/** The mapping is a PMD: for `cpu_flags`. */
export const HMM_PFN_ORDER_PMD = 1 << ORDER_SHIFT;

export function hmmPfn(pfn: Pfn, flags: number): HmmPfn {
  return (pfn << PFN_SHIFT) | flags;
}
/** The frame number (hmm_pfn_to_page()). */
export function hmmPfnToPfn(entry: HmmPfn): Pfn {
  return entry >>> PFN_SHIFT;
}
/** Log2 of the mapping's pages (hmm_pfn_to_map_order()). */
export function hmmPfnToMapOrder(entry: HmmPfn, pmdOrder: number): number {
  return (entry & ORDER_MASK) === HMM_PFN_ORDER_PMD ? pmdOrder : 0;
}

// ---- src[] and dst[] of a migration ----

export const MIGRATE_PFN_VALID = 1 << 0;
/** The page migrates. */
export const MIGRATE_PFN_MIGRATE = 1 << 1;
export const MIGRATE_PFN_WRITE = 1 << 3;
/** The whole huge page, described by its first entry. */
export const MIGRATE_PFN_COMPOUND = 1 << 4;
const MIGRATE_PFN_SHIFT = 6;
export const MIGRATE_PFN_FLAGS = (1 << MIGRATE_PFN_SHIFT) - 1;

export function migratePfn(pfn: Pfn): MigratePfn {
  return (pfn << MIGRATE_PFN_SHIFT) | MIGRATE_PFN_VALID;
}
/** The frame number, or -1 for an entry without a page (migrate_pfn_to_page()). */
export function migratePfnToPfn(entry: MigratePfn): Pfn {
  return entry & MIGRATE_PFN_VALID ? entry >>> MIGRATE_PFN_SHIFT : -1;
}
