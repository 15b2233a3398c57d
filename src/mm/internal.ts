/** What the rooms above look at and the package does not offer. */

export { hardwareWalk } from './access.ts';
export { folioTestAnon, lruAddDrainAll, pageFolio } from './folio.ts';
export {
  isDeviceExclusive,
  isDevicePrivate,
  isDevicePrivateWrite,
  isMigration,
  isMigrationDirty,
  isMigrationReadExclusive,
  isMigrationWrite,
  isMigrationYoung,
  SWP_SOFT_DIRTY,
  SWP_UFFD,
} from './leafops.ts';
export { areaWords } from './look/flag-words.ts';
export { leafPfn, leavesOf, placeOf } from './look/leaves.ts';
export { pagePgmap } from './memremap.ts';
export { PM_SOFT_DIRTY } from './pagemap.ts';
export {
  hugeStart,
  pmdIsHuge,
  pmdIsTable,
  pmdpOf,
  pmdTransHuge,
  pteOffsetMap,
  ptlOf,
} from './pgtable.ts';
export {
  isVmHugetlbPage,
  VM_ACCESS_FLAGS,
  VM_DONTCOPY,
  VM_HUGEPAGE,
  VM_HUGETLB,
  VM_MIXEDMAP,
  VM_NOHUGEPAGE,
  VM_SOFTDIRTY,
  VM_UFFD_MISSING,
} from './vma.ts';
