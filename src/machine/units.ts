/**
 * What a number counts. Each is a plain number to the compiled program. To the type checker it has a
 * flavour: a literal, a sum and what is read from a typed array fit anywhere, but what is known to be a page
 * of an address space does not pass for a frame, nor an entry's place for its value.
 */

/** A number of a known kind. */
type Flavoured<Unit extends string> = number & { readonly __unit?: Unit };

/** A page's frame number (a `struct page`); RAM and device pages share one number space. */
export type Pfn = Flavoured<'pfn'>;
/**
 * A folio: the frame number of its first page (a `struct folio`). The type checker takes the two for one, as
 * a page that is a folio by itself is both.
 */
export type Folio = Pfn;
/** A page of an address space: an address in pages. */
export type Vpn = Flavoured<'vpn'>;
/**
 * Offset of a page in a file (pgoff_t). That of an anonymous page is the address at which its area was first
 * touched: an address passes for an offset, not the other way round.
 */
export type Pgoff = Flavoured<'pgoff' | 'vpn'>;
/** Place of a page-table entry of any level: its index in the table pool (`pte_t *`, `pmd_t *`). */
export type Ptep = Flavoured<'ptep'>;
/** Value of a page-table entry of any level (`pte_t`, `pmd_t`). */
export type Pte = Flavoured<'pte'>;
/** A page table of any level, from 1. */
export type TableId = Flavoured<'table'>;
/** An address space, from 1: the tag of its translations. */
export type SpaceId = Flavoured<'space'>;
/** What a page is: ZONE_RAM, or which device's memory. */
export type Zone = Flavoured<'zone'>;

/** What a range walk says of a page: `hmm_pfns[i]`. */
export type HmmPfn = Flavoured<'hmm pfn'>;
/** What a migration says of a page: `src[i]`, `dst[i]`. */
export type MigratePfn = Flavoured<'migrate pfn'>;
