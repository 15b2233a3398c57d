import { watchesOnly } from './finding.ts';
import type { Lock } from './lock.ts';
import type { Folio, Pfn, Pgoff, Ptep, SpaceId, TableId, Vpn } from './units.ts';

/** How a task comes to hold something: by waiting for it, or because it was free. */
export type Taking = 'waits' | 'tries' | 'shares';

/** What of a page's metadata is looked at: its own, or that of the folio whose first page it is. */
export const PageField = {
  /** Which folio it is a part of. */
  Head: 0,
  /** Flags, of the folio or of a page alone. */
  Flags: 1,
  PageFlags: 2,
  Order: 3,
  /** How often it is mapped: the folio, a page of it. */
  Mapcount: 4,
  PageMapcount: 5,
  /** To whom it belongs, and where in that it is. */
  Mapping: 6,
  Refcount: 7,
} as const;
export type PageField = (typeof PageField)[keyof typeof PageField];

/**
 * Who is told what tasks do while they do it: a checker, which looks whether they may. A machine
 * without one (`machine.monitor` is null) pays a comparison.
 *
 * Pages are frame numbers; `space` is the number of an address space; `vpn` counts its pages.
 */
export interface Monitor {
  /** The current task took a lock. */
  onLock(lock: Lock, taking: Taking): void;
  onUnlock(lock: Lock): void;
  /** The current task took a folio's lock. */
  onFolioLock(folio: Folio, taking: Taking): void;
  onFolioUnlock(folio: Folio): void;
  /** The current task waits until an invalidation has ended. */
  onWait(what: 'invalidation'): void;
  /** The current task allocates, and waits for memory if there is none: others' pages are taken meanwhile. */
  onAlloc(): void;
  /** Notifiers begin to be told of an invalidation by the current task, and have been told. */
  onNotify(): void;
  onNotified(): void;
  /** The current task waits until a folio is unlocked, and does not lock it. */
  onFolioWait(folio: Folio): void;
  /** A lowest-level or any other table is free again. */
  onTableFree(table: TableId): void;
  /** An entry of a page table is read. */
  onRead(ptep: Ptep): void;
  /** An entry of an upper table is followed on the way down. */
  onFollow(ptep: Ptep): void;
  /**
   * An object was given back (an area, an address space, …): nobody may use it any more.
   * @param what it was, as `an area`
   * @param keeps fields that may still be looked at
   */
  onGone(object: object, what: string, keeps?: readonly string[]): void;
  /** A page's metadata is looked at, or changed. */
  onPage(pfn: Pfn, field: PageField): void;
  /** An entry of a page table is written; it still has its old value. */
  onEntry(ptep: Ptep): void;

  /** A CPU loads or stores the first word of a page. */
  onCpuAccess(space: SpaceId, vpn: Vpn, pfn: Pfn, word: number, write: boolean): void;
  /** A page of these first bytes is mapped where nothing was: a monitor answers a missing fault. */
  onFill(space: SpaceId, vpn: Vpn, word: number): void;
  /** The first word of a file's page is read or written, past all mappings. */
  onFileAccess(file: number, index: Pgoff, word: number, write: boolean): void;
  /** A device loads or stores a page through its own page table. */
  onDeviceAccess(
    space: SpaceId,
    vpn: Vpn,
    pfn: Pfn,
    bytes: Uint8Array,
    write: boolean,
    device: object,
  ): void;
  /** Whether one process alone maps a page may change; it still is as it was. */
  onExclusive(pfn: Pfn): void;
  /** A page is copied, and the copy takes its place: nobody may write to it meanwhile. */
  onMove(pfn: Pfn): void;
  /** Whether a page is free is looked at. */
  onFreeAsked(pfn: Pfn): void;
  /** Pages that were free are in use from here on. */
  onUse(pfn: Pfn, pages: number): void;
  /** Pages are free from here on. */
  onFree(pfn: Pfn, pages: number): void;

  /** An invalidation of `start` to `end` was announced to all, and is under way. */
  onInvalidate(space: SpaceId, start: Vpn, end: Vpn, range: object, owner: object | null): void;
  onInvalidateEnd(range: object): void;
  /** A device has an entry for a page from here on. */
  onDeviceMap(space: SpaceId, vpn: Vpn, pfn: Pfn, write: boolean, device: object): void;
  /** A fork has ended, but for its locks. */
  onFork(parent: SpaceId): void;
}

/** Every hook of a monitor; the compiler asks for one that is missing. */
export const HOOKS: Record<keyof Monitor, true> = {
  onLock: true,
  onUnlock: true,
  onFolioLock: true,
  onFolioUnlock: true,
  onWait: true,
  onAlloc: true,
  onNotify: true,
  onNotified: true,
  onFolioWait: true,
  onTableFree: true,
  onRead: true,
  onFollow: true,
  onPage: true,
  onGone: true,
  onEntry: true,
  onCpuAccess: true,
  onFill: true,
  onFileAccess: true,
  onDeviceAccess: true,
  onExclusive: true,
  onMove: true,
  onFreeAsked: true,
  onUse: true,
  onFree: true,
  onInvalidate: true,
  onInvalidateEnd: true,
  onDeviceMap: true,
  onFork: true,
};
watchesOnly(Object.keys(HOOKS));
