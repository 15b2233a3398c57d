/**
 * The state of a system at one moment, as plain data made for drawing. Everything that can change is an
 * item of one of a few lists; an item has a `key` that stays the same from one moment to the next and a
 * name in words. A view holds no object of the model: it can be kept, compared and sent to another thread.
 *
 * Pages of address spaces are virtual page numbers, pages of memory frame numbers.
 */
import type { ObjectKind, Role } from '../../machine/step.ts';
import type { LeafKind } from '../../mm/look/flag-words.ts';

/** What a step did with one object. */
export interface Touched {
  readonly object: ObjectKind;
  readonly id: number;
  readonly role: Role;
}

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
  /** The number by which steps name the sequence; -1: there are no subscriptions. */
  readonly sequenceId: number;
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
  readonly place: string;
  readonly cover: number;
  /** Index of its first entry in the pool of tables, and how many it has. */
  readonly first: number;
  readonly slots: number;
  /** The table above; 0 for the highest. */
  readonly above: number;
  /** Entries that are not empty. */
  readonly used: number;
}

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
  /** Its bits in words; see `LEAF_BITS`. */
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
  /** Page flags in words; see `PAGE_FLAGS`. */
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
  /** The numbers by which steps name the sequence and the device's page table; -1: not known. */
  readonly sequenceId: number;
  readonly tableId: number;
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

/** A folio's lock in words. */
export function folioLockWords(folio: number): string {
  return `the lock of folio ${folio}`;
}

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
