/**
 * What flags and bits are called: of areas, of pages and of leaf entries. Descriptions and recordings say
 * them, with these words.
 */
import {
  PG_ACTIVE,
  PG_ANON_EXCLUSIVE,
  PG_DEFERRED_SPLIT,
  PG_DIRTY,
  PG_HEAD,
  PG_HUGETLB,
  PG_LOCKED,
  PG_LRU,
  PG_MAPPED_SHARED,
  PG_PARTIALLY_MAPPED,
  PG_REFERENCED,
  PG_RESERVED,
  PG_RESTORE_RESERVE,
  PG_SWAPBACKED,
  PG_UPTODATE,
  PG_WORKINGSET,
} from '../../machine/page.ts';
import {
  PTE_ACCESSED,
  PTE_DIRTY,
  PTE_HUGE,
  PTE_PROTNONE,
  PTE_SOFT_DIRTY,
  PTE_SPECIAL,
  PTE_UFFD,
  PTE_WRITE,
  ptePresent,
} from '../../machine/pte.ts';
import type { Pte } from '../../machine/units.ts';
import type { Kernel } from '../kernel.ts';
import {
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
} from '../leafops.ts';
import {
  VM_DONTCOPY,
  VM_HUGEPAGE,
  VM_HUGETLB,
  VM_MIXEDMAP,
  VM_NOHUGEPAGE,
  VM_READ,
  VM_SHARED,
  VM_SOFTDIRTY,
  VM_UFFD_MISSING,
  VM_WRITE,
} from '../vma.ts';
import { leafPfn } from './leaves.ts';

/** The flags of areas that may be set or not, in the order in which they are said. */
const AREA_FLAGS: readonly [bit: number, word: string][] = [
  [VM_DONTCOPY, 'not copied'],
  [VM_HUGEPAGE, 'huge pages'],
  [VM_NOHUGEPAGE, 'no huge pages'],
  [VM_UFFD_MISSING, 'userfaultfd'],
  [VM_HUGETLB, 'hugetlb'],
  [VM_MIXEDMAP, 'driver’s pages'],
  [VM_SOFTDIRTY, 'soft-dirty'],
];

/**
 * The flags of an area: its rights, such as `rw`, and a word for each flag.
 * @param unshared how an area is called that is not shared; empty: not at all
 */
export function areaWords(flags: number, unshared = ''): string[] {
  const rights = `${flags & VM_READ ? 'r' : '-'}${flags & VM_WRITE ? 'w' : '-'}`;
  const shared = flags & VM_SHARED ? 'shared' : unshared;
  const words = AREA_FLAGS.filter(([bit]) => flags & bit).map(([, word]) => word);
  return [rights, ...(shared === '' ? [] : [shared]), ...words];
}

/** The flags of pages: bit, word, the kernel's name, what it means. */
export const PAGE_FLAGS: readonly [bit: number, word: string, kernel: string, meaning: string][] = [
  [PG_LOCKED, 'locked', 'PG_locked', 'a task has the folio’s lock'],
  [PG_LRU, 'on LRU', 'PG_lru', 'on a list of what may be reclaimed'],
  [PG_ACTIVE, 'active', 'PG_active', 'on the list of what is in use'],
  [PG_REFERENCED, 'referenced', 'PG_referenced', 'used lately'],
  [PG_DIRTY, 'dirty', 'PG_dirty', 'changed since it was last written out'],
  [PG_UPTODATE, 'up to date', 'PG_uptodate', 'holds valid data'],
  [PG_SWAPBACKED, 'swap-backed', 'PG_swapbacked', 'would be written to swap'],
  [PG_WORKINGSET, 'working set', 'PG_workingset', 'came back soon after it was reclaimed'],
  [PG_ANON_EXCLUSIVE, 'exclusive', 'PG_anon_exclusive', 'mapped by one process only'],
  [PG_HEAD, 'head', 'PG_head', 'first page of a large folio'],
  [PG_DEFERRED_SPLIT, 'to be split', 'deferred_split_scan()', 'on the queue of folios to split'],
  [PG_PARTIALLY_MAPPED, 'partly mapped', 'PG_partially_mapped', 'once mapped whole, now in part'],
  [PG_RESERVED, 'reserved', 'PG_reserved', 'never freed'],
  [PG_MAPPED_SHARED, 'maybe shared', 'folio_maybe_mapped_shared()', 'several may map it'],
  [PG_HUGETLB, 'hugetlb', 'folio_test_hugetlb()', 'a huge page of the pool'],
  [
    PG_RESTORE_RESERVE,
    'promised again',
    'HPG_restore_reserve',
    'its promise comes back when it is freed',
  ],
];

/** The bits of leaf entries: word, the kernel's name, what it means. */
export const LEAF_BITS: readonly [word: string, kernel: string, meaning: string][] = [
  ['writable', '_PAGE_RW', 'the CPU (or, once migrated back, the process) may write'],
  ['young', '_PAGE_ACCESSED', 'used since somebody last looked'],
  ['dirty', '_PAGE_DIRTY', 'written through this entry'],
  ['soft-dirty', '_PAGE_SOFT_DIRTY', 'changed since a debugger or checkpoint last cleared it'],
  ['uffd', '_PAGE_UFFD_WP', 'write-protected for userfaultfd'],
  ['special', '_PAGE_SPECIAL', 'maps no counted page'],
  ['no access', '_PAGE_PROTNONE', 'present for the kernel, not for the hardware'],
  ['huge', '_PAGE_PSE', 'one entry for a whole huge page'],
  ['exclusive', 'SWP_MIGRATION_READ_EXCLUSIVE', 'the page is this process’s alone'],
];

/** What kind a leaf entry is of. */
export type LeafKind =
  | 'present'
  | 'zero'
  | 'not accessible'
  | 'migration'
  | 'device-private'
  | 'device-exclusive'
  | 'unknown';

/** What kind a leaf entry is of. */
export function leafKind(k: Kernel, pte: Pte): LeafKind {
  if (ptePresent(pte)) {
    if (pte & PTE_SPECIAL || k.isHugeZero(leafPfn(pte))) return 'zero';
    return pte & PTE_PROTNONE ? 'not accessible' : 'present';
  }
  if (isMigration(pte)) return 'migration';
  if (isDevicePrivate(pte)) return 'device-private';
  return isDeviceExclusive(pte) ? 'device-exclusive' : 'unknown';
}

/** The bits of a leaf entry in words. */
export function leafBits(pte: Pte, huge = false): string[] {
  const words: string[] = [];
  const say = (bit: number | boolean, word: string): void => {
    if (bit) words.push(word);
  };
  if (ptePresent(pte)) {
    say(pte & PTE_WRITE, 'writable');
    say(pte & PTE_ACCESSED, 'young');
    say(pte & PTE_DIRTY, 'dirty');
    say(pte & PTE_SOFT_DIRTY, 'soft-dirty');
    say(pte & PTE_UFFD, 'uffd');
    say(pte & PTE_SPECIAL, 'special');
    say(pte & PTE_PROTNONE, 'no access');
    say(pte & PTE_HUGE, 'huge');
    return words;
  }
  say(isDevicePrivateWrite(pte) || isMigrationWrite(pte), 'writable');
  if (isMigration(pte)) {
    say(isMigrationReadExclusive(pte), 'exclusive');
    say(isMigrationYoung(pte), 'young');
    say(isMigrationDirty(pte), 'dirty');
  }
  say(pte & SWP_SOFT_DIRTY, 'soft-dirty');
  say(pte & SWP_UFFD, 'uffd');
  say(huge, 'huge');
  return words;
}
