import type { Lock } from './lock.ts';

/** How a task comes to hold something: by waiting for it, or because it was free. */
export type Taking = 'waits' | 'tries' | 'shares';

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
  onFolioLock(folio: number, taking: Taking): void;
  onFolioUnlock(folio: number): void;
  /** The current task waits until an invalidation has ended. */
  onWait(what: 'invalidation'): void;
  /** The current task waits until a folio is unlocked, and does not lock it. */
  onFolioWait(folio: number): void;
  /** A lowest-level or any other table is free again. */
  onTableFree(table: number): void;
  /** An entry of a page table is read. */
  onRead(ptep: number): void;
  /** An entry of a page table is written; it still has its old value. */
  onEntry(ptep: number): void;

  /** A CPU loads or stores the first word of a page. */
  onCpuAccess(space: number, vpn: number, pfn: number, word: number, write: boolean): void;
  /** A page of these first bytes is mapped where nothing was: a monitor answers a missing fault. */
  onFill(space: number, vpn: number, word: number): void;
  /** The first word of a file's page is read or written, past all mappings. */
  onFileAccess(file: number, index: number, word: number, write: boolean): void;
  /** A device loads or stores a page through its own page table. */
  onDeviceAccess(
    space: number,
    vpn: number,
    pfn: number,
    bytes: Uint8Array,
    write: boolean,
    device: object,
  ): void;
  /** A page is copied, and the copy takes its place: nobody may write to it meanwhile. */
  onMove(pfn: number): void;
  /** Pages are free from here on. */
  onFree(pfn: number, pages: number): void;

  /** An invalidation of `start` to `end` was announced to all, and is under way. */
  onInvalidate(
    space: number,
    start: number,
    end: number,
    range: object,
    owner: object | null,
  ): void;
  onInvalidateEnd(range: object): void;
  /** A device has an entry for a page from here on. */
  onDeviceMap(space: number, vpn: number, pfn: number, write: boolean, device: object): void;
  /** A fork has ended, but for its locks. */
  onFork(parent: number): void;
}
