/**
 * The bits of a page-table entry, one 32-bit word each, in the order of x86-64 where order matters:
 * the write bit of a present entry is the soft-dirty bit of one that is not (so code that reads a
 * non-present entry with the accessor of a present one goes wrong here as it does there).
 *
 * Models: arch/x86/include/asm/pgtable_types.h
 */
import type { Pfn, Pte, TableId } from './units.ts';

/** The hardware may translate through the entry. */
export const PTE_PRESENT = 1 << 0;
export const PTE_WRITE = 1 << 1;
/** No struct page is mapped in the counted sense: the zero page. */
export const PTE_SPECIAL = 1 << 2;
/** Write-protected for userfaultfd. */
export const PTE_UFFD = 1 << 3;
export const PTE_ACCESSED = 1 << 4;
export const PTE_DIRTY = 1 << 5;
export const PTE_SOFT_DIRTY = 1 << 6;
/** At the PMD level: a huge page rather than a table. */
export const PTE_HUGE = 1 << 7;
/** Present for the kernel, not for the hardware (PROT_NONE). */
export const PTE_PROTNONE = 1 << 8;
/** The frame number starts here: 21 bits. */
export const PTE_PFN_SHIFT = 11;
export const PTE_FLAGS_MASK = (1 << PTE_PFN_SHIFT) - 1;
/** One more than the highest frame number that an entry can hold. */
export const PTE_MAX_PFN = 1 << 21;

/** Protections of a mapping (`vm_page_prot`): what a new entry starts from. */
export const PAGE_NONE = PTE_PROTNONE | PTE_ACCESSED;
export const PAGE_READONLY = PTE_PRESENT | PTE_ACCESSED;
export const PAGE_SHARED = PTE_PRESENT | PTE_ACCESSED | PTE_WRITE;
/** An entry that points to a lower table. */
export const TABLE_PROT = PTE_PRESENT | PTE_WRITE | PTE_ACCESSED | PTE_DIRTY;

export function mkPte(pfn: Pfn, prot: number): Pte {
  return (pfn << PTE_PFN_SHIFT) | prot;
}
export function ptePfn(pte: Pte): Pfn {
  return pte >>> PTE_PFN_SHIFT;
}
/** An entry of an upper table: the number of a table stands where a frame's would. */
export function mkTable(table: TableId): Pte {
  return (table << PTE_PFN_SHIFT) | TABLE_PROT;
}
/** The table that an entry of an upper table points to. */
export function pteTable(pte: Pte): TableId {
  return pte >>> PTE_PFN_SHIFT;
}
export function pteNone(pte: Pte): boolean {
  return pte === 0;
}
export function ptePresent(pte: Pte): boolean {
  return (pte & (PTE_PRESENT | PTE_PROTNONE)) !== 0;
}
export function pteProtnone(pte: Pte): boolean {
  return (pte & (PTE_PRESENT | PTE_PROTNONE)) === PTE_PROTNONE;
}
export function pteWrite(pte: Pte): boolean {
  return (pte & PTE_WRITE) !== 0;
}
export function pteDirty(pte: Pte): boolean {
  return (pte & PTE_DIRTY) !== 0;
}
export function pteYoung(pte: Pte): boolean {
  return (pte & PTE_ACCESSED) !== 0;
}
export function pteSoftDirty(pte: Pte): boolean {
  return (pte & PTE_SOFT_DIRTY) !== 0;
}
/** Setting the dirty bit sets the soft-dirty bit too, as on x86. */
export function pteMkdirty(pte: Pte): Pte {
  return pte | PTE_DIRTY | PTE_SOFT_DIRTY;
}

/** Bits that a change of protection keeps (_PAGE_CHG_MASK). */
const CHANGE_KEEPS =
  ~PTE_FLAGS_MASK | PTE_SPECIAL | PTE_UFFD | PTE_ACCESSED | PTE_DIRTY | PTE_SOFT_DIRTY | PTE_HUGE;

/** The entry with another protection. Mirrors: arch/x86/include/asm/pgtable.h pte_modify(). */
export function pteModify(pte: Pte, prot: number): Pte {
  return (pte & CHANGE_KEEPS) | (prot & ~CHANGE_KEEPS);
}
