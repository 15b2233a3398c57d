/**
 * The state of a system at one moment, as plain data made for drawing. Everything that can change is an
 * item of one of a few lists; an item has a `key` that stays the same from one moment to the next and a
 * name in words. A view holds no object of the model: it can be kept, compared and sent to another thread.
 *
 * Pages of address spaces are virtual page numbers, pages of memory frame numbers.
 */
import {
  type Lock,
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
} from '../machine/index.ts';

/** A thing that is there at a moment. */
export interface Item {
  /** Names it among all items, from moment to moment. */
  readonly key: string;
  /** What it is called in a sentence. */
  readonly name: string;
}

/** An address space, and the process that has it. */
export interface SpaceItem extends Item {
  readonly space: number;
  /** -1: the process has exited. */
  readonly proc: number;
  readonly anonPages: number;
  readonly filePages: number;
  /** Pages of huge pages of the pool. */
  readonly hugetlbPages: number;
  /** `mmu_notifier` sequence; odd while an invalidation is under way. */
  readonly sequence: number;
  readonly invalidations: number;
}

/** An area (VMA). */
export interface AreaItem extends Item {
  readonly space: number;
  readonly start: number;
  /** Exclusive. */
  readonly end: number;
  readonly place: string;
  /** In words, such as `rw, shared`. */
  readonly flags: string;
  readonly backing: 'anonymous' | 'file' | 'hugetlb' | 'driver';
}

export const LEVELS = ['PTE', 'PMD', 'PUD', 'PGD'] as const;
export type Level = (typeof LEVELS)[number];

/** A page table. */
export interface TableItem extends Item {
  readonly space: number;
  readonly table: number;
  readonly level: Level;
  /** First page that it covers, and pages that one entry covers. */
  readonly start: number;
  readonly cover: number;
  /** Index of its first entry in the pool of tables, and how many it has. */
  readonly first: number;
  readonly slots: number;
  /** The table above; 0 for the highest. */
  readonly above: number;
  /** Entries that are not empty. */
  readonly used: number;
}

/** What kind a leaf entry is of. */
export type LeafKind =
  | 'present'
  | 'zero'
  | 'not accessible'
  | 'migration'
  | 'device-private'
  | 'device-exclusive'
  | 'unknown';

/** A leaf entry: one that is not empty and points to no table. */
export interface EntryItem extends Item {
  readonly space: number;
  readonly vpn: number;
  /** Pages that it maps: 1, or those of a huge page. */
  readonly pages: number;
  readonly place: string;
  readonly table: number;
  readonly ptep: number;
  readonly kind: LeafKind;
  /** Its bits in words; see `BITS`. */
  readonly bits: readonly string[];
  readonly pfn: number;
  /** The word in the table. */
  readonly value: number;
}

/** A translation that a CPU's TLB keeps. */
export interface TlbItem extends Item {
  readonly cpu: number;
  readonly space: number;
  readonly vpn: number;
  readonly place: string;
  readonly writable: boolean;
  readonly pfn: number;
}

/** An entry of a device's page table. */
export interface DeviceEntryItem extends Item {
  readonly device: number;
  /** Which of the open files, by number: a device may be open several times. */
  readonly mirror: number;
  readonly vpn: number;
  readonly place: string;
  readonly right: 'read' | 'write' | 'exclusive';
  readonly pfn: number;
}

/** A page of memory that is in use. */
export interface FrameItem extends Item {
  readonly pfn: number;
  /** `RAM`, or a device's number. */
  readonly memory: 'RAM' | number;
  /** First page of its folio; what follows to `holders` is the folio's. */
  readonly folio: number;
  /** log2 of the folio's pages. */
  readonly order: number;
  readonly refcount: number;
  /** References by holder: what the kernel only counts. */
  readonly holders: Readonly<Record<string, number>>;
  /** Page-table entries that map this page. */
  readonly mapcount: number;
  /** Page flags in words; see `FLAGS`. */
  readonly flags: readonly string[];
  /** The task that has the folio locked; empty: nobody. */
  readonly lockedBy: string;
  readonly kind: 'anonymous' | 'file' | 'zero page' | 'other';
  /** The first word of the page; null: the device has not got it at hand. */
  readonly word: number | null;
}

/** What a device knows of an address space. */
export interface NotifierItem extends Item {
  readonly device: number;
  /** Which of the open files, by number: a device may be open several times. */
  readonly mirror: number;
  readonly space: number;
  readonly sequence: number;
  readonly devicePages: number;
  readonly failNext: boolean;
}

/** A lock that somebody holds. */
export interface LockItem extends Item {
  readonly id: number;
  readonly owner: string;
  readonly readers: readonly string[];
}

/** The state at one moment. */
export interface StateView {
  readonly spaces: readonly SpaceItem[];
  readonly areas: readonly AreaItem[];
  readonly tables: readonly TableItem[];
  readonly entries: readonly EntryItem[];
  readonly tlbs: readonly TlbItem[];
  readonly deviceEntries: readonly DeviceEntryItem[];
  readonly frames: readonly FrameItem[];
  readonly notifiers: readonly NotifierItem[];
  readonly locks: readonly LockItem[];
}

/** What a lock is called in a sentence. */
export function lockWords({ name }: Pick<Lock, 'name'>): string {
  return /_lock|rwsem/.test(name) ? `the ${name}` : `the lock of ${name}`;
}

/** A folio's lock in words. */
export function folioLockWords(folio: number): string {
  return `the lock of folio ${folio}`;
}

/** The bits of leaf entries: word, the kernel's name, what it means. */
export const BITS: readonly [word: string, kernel: string, meaning: string][] = [
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

/** The flags of pages: bit, word, the kernel's name, what it means. */
export const FLAGS: readonly [bit: number, word: string, kernel: string, meaning: string][] = [
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

/** The pages, entries and translations that name a page of memory, by key. */
export function mappersOf(view: StateView, pfn: number): Item[] {
  const covers = (entry: EntryItem): boolean => pfn >= entry.pfn && pfn < entry.pfn + entry.pages;
  return [
    ...view.entries.filter((entry) => entry.kind !== 'unknown' && covers(entry)),
    ...view.tlbs.filter((cached) => cached.pfn === pfn),
    ...view.deviceEntries.filter((entry) => entry.pfn === pfn),
  ];
}

/** Every item of a view, by key. */
export function itemsOf(view: StateView): Map<string, Item> {
  const items = new Map<string, Item>();
  for (const list of Object.values(view) as (readonly Item[])[]) {
    for (const item of list) items.set(item.key, item);
  }
  return items;
}
