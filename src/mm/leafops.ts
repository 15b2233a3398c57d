/**
 * Leaf entries that are not present: migration, device-private, device-exclusive entries and
 * markers. The same encoding serves the PTE and the PMD level.
 *
 * Bit 0 is clear (not present), bits 1 to 3 are flags of the entry's own (soft-dirty, uffd,
 * exclusive), bits 4 to 7 the type, bit 8 is clear (not PROT_NONE), bits 9 and 10 say whether a
 * migrating page was young and dirty, and the frame number is where a present entry has it.
 *
 * Models: include/linux/leafops.h, include/linux/swapops.h
 */
import { PTE_PFN_SHIFT } from '../machine/pte.ts';
import type { Pfn, Pte } from '../machine/units.ts';

export const SWP_SOFT_DIRTY = 1 << 1;
export const SWP_UFFD = 1 << 2;
export const SWP_EXCLUSIVE = 1 << 3;
const SWP_FLAGS = SWP_SOFT_DIRTY | SWP_UFFD | SWP_EXCLUSIVE;

const TYPE_SHIFT = 4;
const TYPE_MASK = 0xf << TYPE_SHIFT;
const MIGRATION_YOUNG = 1 << 9;
const MIGRATION_DIRTY = 1 << 10;

// A device-private entry's type has the dirty bit of a present entry set: code that asks a
// non-present entry for it gets a wrong answer, as it can on real hardware.
export const MIGRATION_READ = 1 << TYPE_SHIFT;
export const MIGRATION_READ_EXCLUSIVE = 2 << TYPE_SHIFT;
export const MIGRATION_WRITE = 3 << TYPE_SHIFT;
export const DEVICE_PRIVATE_READ = 6 << TYPE_SHIFT;
export const DEVICE_PRIVATE_WRITE = 7 << TYPE_SHIFT;
export const DEVICE_EXCLUSIVE = 4 << TYPE_SHIFT;

/** An entry's type and frame number without its flags (softleaf_from_pte()). */
export function softleafFromPte(pte: Pte): Pte {
  return pte & ~SWP_FLAGS;
}
export function softleafToPfn(entry: Pte): Pfn {
  return entry >>> PTE_PFN_SHIFT;
}
function make(type: number, pfn: Pfn): Pte {
  return (pfn << PTE_PFN_SHIFT) | type;
}

export function isMigration(entry: Pte): boolean {
  const type = entry & TYPE_MASK;
  return type >= MIGRATION_READ && type <= MIGRATION_WRITE;
}
export function isMigrationRead(entry: Pte): boolean {
  return (entry & TYPE_MASK) === MIGRATION_READ;
}
export function isMigrationReadExclusive(entry: Pte): boolean {
  return (entry & TYPE_MASK) === MIGRATION_READ_EXCLUSIVE;
}
export function isMigrationWrite(entry: Pte): boolean {
  return (entry & TYPE_MASK) === MIGRATION_WRITE;
}
export function isMigrationYoung(entry: Pte): boolean {
  return (entry & MIGRATION_YOUNG) !== 0;
}
export function isMigrationDirty(entry: Pte): boolean {
  return (entry & MIGRATION_DIRTY) !== 0;
}
export function isDevicePrivate(entry: Pte): boolean {
  const type = entry & TYPE_MASK;
  return type === DEVICE_PRIVATE_READ || type === DEVICE_PRIVATE_WRITE;
}
export function isDevicePrivateWrite(entry: Pte): boolean {
  return (entry & TYPE_MASK) === DEVICE_PRIVATE_WRITE;
}
export function isDeviceExclusive(entry: Pte): boolean {
  return (entry & TYPE_MASK) === DEVICE_EXCLUSIVE;
}

/** The young and dirty bits of a migration entry, for an entry that replaces it. */
export function migrationAge(entry: Pte): number {
  return entry & (MIGRATION_YOUNG | MIGRATION_DIRTY);
}
export function makeReadableMigrationEntry(pfn: Pfn): Pte {
  return make(MIGRATION_READ, pfn);
}
export function makeReadableExclusiveMigrationEntry(pfn: Pfn): Pte {
  return make(MIGRATION_READ_EXCLUSIVE, pfn);
}
export function makeWritableMigrationEntry(pfn: Pfn): Pte {
  return make(MIGRATION_WRITE, pfn);
}
export function makeMigrationEntryYoung(entry: Pte): Pte {
  return entry | MIGRATION_YOUNG;
}
export function makeMigrationEntryDirty(entry: Pte): Pte {
  return entry | MIGRATION_DIRTY;
}
export function makeReadableDevicePrivateEntry(pfn: Pfn): Pte {
  return make(DEVICE_PRIVATE_READ, pfn);
}
export function makeWritableDevicePrivateEntry(pfn: Pfn): Pte {
  return make(DEVICE_PRIVATE_WRITE, pfn);
}
export function makeDeviceExclusiveEntry(pfn: Pfn): Pte {
  return make(DEVICE_EXCLUSIVE, pfn);
}
