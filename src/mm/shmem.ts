/**
 * Files in memory: memfd and shared anonymous memory, and their page cache.
 *
 * Models: mm/shmem.c, mm/filemap.c
 */
import type { Lock } from '../machine/lock.ts';
import { PG_DIRTY, PG_SWAPBACKED, PG_UPTODATE } from '../machine/page.ts';
import type { Kernel$ } from '../machine/step.ts';
import {
  clearPage,
  folioAddLru,
  folioAlloc,
  folioGet,
  folioHandOver,
  folioPut,
  folioPutTestzero,
  folioSet,
  folioTest,
  freeRamFolio,
} from './folio.ts';
import type { Kernel } from './kernel.ts';
import { Holder } from './ledger.ts';
import type { Vma } from './vma.ts';

/** A file's pages and the areas that map it (struct address_space). */
export class AddressSpace {
  /** In `Kernel.mappings`. */
  number = 0;
  readonly vmas: Vma[] = [];
  /** Frame number by offset in pages. */
  readonly folios = new Map<number, number>();

  constructor(
    /** i_mmap_rwsem */
    readonly lock: Lock,
    /** Length in pages. */
    readonly pages: number,
  ) {}

  /** A migration moved a page of the file. */
  replaceFolio(k: Kernel, from: number, to: number): void {
    this.folios.set(k.pages.index[from], to);
    folioGet(k, to, Holder.PageCache);
    folioPutTestzero(k, from, Holder.PageCache);
  }
}

/**
 * A new file of `pages` pages in memory.
 * @param firstWord the first word of page `i`, or null for a file that is all holes
 */
export function newFile(
  k: Kernel,
  pages: number,
  firstWord: ((page: number) => number) | null,
): AddressSpace {
  const file = new AddressSpace(k.newLock('i_mmap_rwsem', 'rwsem'), pages);
  file.number = k.addMapping(file);
  if (firstWord) {
    for (let i = 0; i < pages; i++) {
      const folio = addFolio(k, file, i);
      k.frames.writeWord(folio, firstWord(i));
      // written through write(): the page is dirty
      folioSet(k, folio, PG_DIRTY);
    }
  }
  return file;
}

function addFolio(k: Kernel, file: AddressSpace, index: number): number {
  const folio = folioAlloc(k, 0);
  if (folio < 0) return -1;
  clearPage(k, folio);
  k.pages.mapping[folio] = file.number * 2;
  k.pages.index[folio] = index;
  folioSet(k, folio, PG_UPTODATE | PG_SWAPBACKED);
  folioHandOver(k, folio, Holder.Alloc, Holder.PageCache);
  file.folios.set(index, folio);
  folioAddLru(k, folio);
  return folio;
}

/**
 * The folio at an offset, made if it is missing; locked and referenced (holder Fault).
 *
 * Mirrors: mm/shmem.c shmem_fault(), shmem_get_folio_gfp()
 * simplified: no swap, no huge pages, no punched holes
 * @returns the folio; -1 when there is no memory; -2 beyond the end of the file
 */
export function* shmemFault(k: Kernel, file: AddressSpace, index: number): Kernel$<number> {
  if (index >= file.pages) return -2;
  for (;;) {
    let folio = file.folios.get(index);
    if (folio === undefined) {
      if (k.stepping) yield k.allocateStep();
      // somebody else may have made it meanwhile
      folio = file.folios.get(index) ?? addFolio(k, file, index);
      if (folio < 0) return -1;
    }
    if (k.stepping) yield k.writeFolio(folio);
    if (file.folios.get(index) !== folio) continue;
    folioGet(k, folio, Holder.Fault);
    if (k.stepping) yield k.acquireFolio(folio);
    k.folioLock(folio);
    if (file.folios.get(index) === folio) return folio;
    // it was moved or freed before it could be locked
    if (k.stepping) yield k.releaseFolio(folio);
    k.folioUnlock(folio);
    yield* folioPut(k, folio, Holder.Fault);
  }
}

/** A page that fault-around may map: cached, up to date, unlocked (next_uptodate_folio()). */
export function cachedFolio(k: Kernel, file: AddressSpace, index: number): number {
  if (index >= file.pages) return -1;
  const folio = file.folios.get(index);
  if (folio === undefined || k.folioLocked(folio) || !folioTest(k, folio, PG_UPTODATE)) return -1;
  return folio;
}

/** The file is gone with its last mapping and descriptor: its pages are freed. */
export function evictFile(k: Kernel, file: AddressSpace): void {
  for (const folio of file.folios.values()) {
    k.pages.mapping[folio] = 0;
    if (folioPutTestzero(k, folio, Holder.PageCache)) freeRamFolio(k, folio);
  }
  file.folios.clear();
  k.mappings[file.number] = undefined;
}
