/**
 * Files in memory: memfd and shared anonymous memory, and their page cache.
 *
 * Models: mm/shmem.c, mm/filemap.c
 */
import { ENOMEM } from '../machine/errno.ts';
import type { Lock } from '../machine/lock.ts';
import { cachePageOf } from '../machine/objects.ts';
import { fileMapping, PG_DIRTY, PG_SWAPBACKED, PG_UPTODATE } from '../machine/page.ts';
import { type Kernel$, ObjectKind, Role, type Step, StepKind } from '../machine/step.ts';
import type { Folio, Pgoff } from '../machine/units.ts';
import {
  clearPage,
  folioAddLru,
  folioAlloc,
  folioFree,
  folioGet,
  folioHandOver,
  folioIndex,
  folioMarkAccessed,
  folioPut,
  folioPutFresh,
  folioPutTestzero,
  folioSet,
  folioTest,
  folioTryGet,
  folioUnlockPut,
} from './folio.ts';
import type { Kernel } from './kernel.ts';
import { Holder } from './look/ledger.ts';
import type { Vma } from './vma.ts';

/** The file has no page, and nobody but a monitor may make one. */
export const SHMEM_MISSING = -3;

/** A file's pages and the areas that map it (struct address_space). */
export class AddressSpace {
  /** In `Kernel.mappings`. */
  number = 0;
  readonly vmas: Vma[] = [];
  /** Frame number by offset in pages. */
  readonly folios = new Map<number, number>();
  /** Of a file of huge pages: a mutex for each, held while it is faulted in. */
  readonly faultMutexes: Lock[] = [];
  /** All of it is promised to whoever maps it: shared anonymous memory (without SHMEM_F_NORESERVE). */
  promised = false;
  /** Open files, which keep it although nobody maps it any more. */
  opened = 0;

  constructor(
    /** i_mmap_rwsem */
    readonly lock: Lock,
    /** Length in pages. */
    readonly pages: number,
  ) {}

  /** A migration moved a page of the file. */
  replaceFolio(k: Kernel, from: Folio, to: Folio): void {
    this.folios.set(folioIndex(k, from), to);
    folioGet(k, to, Holder.PageCache);
    folioPutTestzero(k, from, Holder.PageCache);
  }
}

/**
 * A new file of `pages` pages in memory, all holes.
 *
 * Mirrors: mm/memfd.c memfd_alloc_file(), mm/shmem.c shmem_file_setup()
 * simplified: it cannot fail
 */
export function newFile(k: Kernel, pages: number): AddressSpace {
  const file = new AddressSpace(k.newLock('i_mmap_rwsem', 'rwsem'), pages);
  file.number = k.addMapping(file);
  return file;
}

/**
 * Writes a word into each page of a new file that nobody else knows; where there is no memory for one,
 * all of them are gone again.
 *
 * Mirrors: mm/filemap.c generic_perform_write()
 * simplified: before anybody else knows the file
 * @param firstWord the first word of page `i`
 * @returns 0 or -ENOMEM
 */
export function* fillFile(
  k: Kernel,
  file: AddressSpace,
  firstWord: (page: number) => number,
): Kernel$<number> {
  for (let i = 0; i < file.pages; i++) {
    const folio = newFolio(k, file, i);
    if (folio < 0) {
      yield* evictFile(k, file);
      return -ENOMEM;
    }
    folioHandOver(k, folio, Holder.Alloc, Holder.PageCache);
    file.folios.set(i, folio);
    yield* folioAddLru(k, folio);
    k.frames.writeWord(folio, firstWord(i));
    // written through write(): the page is dirty
    folioSet(k, folio, PG_DIRTY);
  }
  return 0;
}

/** A new folio for an offset, which the page cache does not know yet; -1 when there is no memory. */
export function newFolio(k: Kernel, file: AddressSpace, index: Pgoff): Folio {
  const folio = folioAlloc(k, 0);
  if (folio < 0) return -1;
  clearPage(k, folio);
  k.pages.mapping[folio] = fileMapping(file.number);
  k.pages.index[folio] = index;
  folioSet(k, folio, PG_UPTODATE | PG_SWAPBACKED);
  return folio;
}

/** The step before the page cache's idea of a page changes, where the folio is in it. */
export function cacheStep(k: Kernel, file: AddressSpace | null, folio: Folio): Step {
  const step = k.writeFolio(folio);
  if (!file) return step;
  return step.and(ObjectKind.Cache, cachePageOf(file.number, folioIndex(k, folio)), Role.Write);
}

/** The step before the page cache is asked for a page. */
function lookupStep(k: Kernel, file: AddressSpace, index: Pgoff): Step {
  return k.step(StepKind.Shared, ObjectKind.Cache, cachePageOf(file.number, index), Role.Read);
}

/**
 * Puts a monitor's folio into the page cache, locked.
 *
 * Mirrors: mm/shmem.c shmem_mfill_filemap_add()
 * simplified: no limits
 * @returns false where a page is already
 */
export function* shmemMfillFilemapAdd(
  k: Kernel,
  file: AddressSpace,
  folio: Folio,
): Kernel$<boolean> {
  const index = folioIndex(k, folio);
  if (k.stepping) yield cacheStep(k, file, folio);
  if (file.folios.has(index)) return false;
  k.folioSetLocked(folio);
  folioGet(k, folio, Holder.PageCache);
  file.folios.set(index, folio);
  yield* folioAddLru(k, folio);
  return true;
}

/**
 * Takes it out again, and unlocks it.
 *
 * Mirrors: mm/shmem.c shmem_mfill_filemap_remove()
 * faithful
 */
export function* shmemMfillFilemapRemove(
  k: Kernel,
  file: AddressSpace,
  folio: Folio,
): Kernel$<void> {
  if (k.stepping) yield cacheStep(k, file, folio);
  file.folios.delete(folioIndex(k, folio));
  folioPutTestzero(k, folio, Holder.PageCache);
  if (k.stepping) yield k.releaseFolio(folio);
  k.folioUnlock(folio);
}

/**
 * The folio at an offset, made if it is missing; locked and referenced (holder Fault).
 *
 * Mirrors: mm/shmem.c shmem_fault(), shmem_get_folio_gfp()
 * simplified: no swap, no huge pages, no punched holes
 * @param monitored a monitor is to give what the file does not have (userfaultfd)
 * @returns the folio; -1 when there is no memory; -2 beyond the end of the file; SHMEM_MISSING where a
 *   monitor has to give it
 */
export function* shmemFault(
  k: Kernel,
  file: AddressSpace,
  index: Pgoff,
  monitored = false,
): Kernel$<number> {
  if (index >= file.pages) return -2;
  for (;;) {
    if (k.stepping) yield lookupStep(k, file, index);
    let folio = file.folios.get(index);
    if (folio === undefined) {
      if (monitored) return SHMEM_MISSING;
      if (k.stepping) yield k.allocateStep();
      folio = newFolio(k, file, index);
      if (folio < 0) return -1;
      if (k.stepping) yield cacheStep(k, file, folio);
      if (file.folios.has(index)) {
        // somebody else was faster
        yield* folioPutFresh(k, folio);
        continue;
      }
      folioHandOver(k, folio, Holder.Alloc, Holder.PageCache);
      file.folios.set(index, folio);
      yield* folioAddLru(k, folio);
    }
    if (k.stepping) yield k.writeFolio(folio);
    if (!folioTryGet(k, folio, Holder.Fault)) continue;
    if (k.stepping) yield k.acquireFolio(folio);
    k.folioLock(folio);
    if (k.stepping) yield lookupStep(k, file, index);
    if (file.folios.get(index) === folio) return folio;
    // truncated, reclaimed or migrated meanwhile
    yield* folioUnlockPut(k, folio, Holder.Fault);
  }
}

/**
 * A page that fault-around may map: cached and up to date; locked and referenced for it (holder Fault).
 *
 * Mirrors: mm/filemap.c next_uptodate_folio()
 * faithful
 * @returns the folio, or -1
 */
export function* cachedFolio(k: Kernel, file: AddressSpace, index: Pgoff): Kernel$<number> {
  if (index >= file.pages) return -1;
  if (k.stepping) yield lookupStep(k, file, index);
  const folio = file.folios.get(index);
  if (folio === undefined) return -1;
  if (k.stepping) yield k.writeFolio(folio);
  if (!folioTryGet(k, folio, Holder.Fault)) return -1;
  if (k.stepping) yield k.tryAcquireFolio(folio);
  if (!k.folioTryLock(folio)) {
    yield* folioPut(k, folio, Holder.Fault);
    return -1;
  }
  if (k.stepping) yield lookupStep(k, file, index);
  if (file.folios.get(index) === folio && folioTest(k, folio, PG_UPTODATE)) return folio;
  yield* folioUnlockPut(k, folio, Holder.Fault);
  return -1;
}

/**
 * Reads pages of a file, up to its end. What was never written is zeros, and stays a hole.
 *
 * Mirrors: mm/shmem.c shmem_file_read_iter()
 * simplified: whole pages
 * @param into a page after the other
 * @returns pages read
 */
export function* fileRead(
  k: Kernel,
  file: AddressSpace,
  start: Pgoff,
  into: Uint8Array,
): Kernel$<number> {
  const size = k.geometry.pageBytes;
  const pages = Math.max(0, Math.min(into.length / size, file.pages - start));
  for (let i = 0; i < pages; i++) {
    const folio = yield* shmemGetFolio(k, file, start + i);
    const to = into.subarray(i * size, (i + 1) * size);
    if (folio < 0) {
      to.fill(0);
      continue;
    }
    if (k.stepping) yield k.writeFolio(folio);
    yield* folioMarkAccessed(k, folio);
    if (k.stepping) yield k.step(StepKind.Copy, ObjectKind.Frame, folio, Role.Read);
    k.frames.read(folio, to);
    const word = k.frames.readWord(folio);
    if (k.monitor !== null) k.monitor.onFileAccess(file.number, start + i, word, false);
    if (k.stepping) yield k.writeFolio(folio);
    yield* folioPut(k, folio, Holder.Fault);
  }
  return pages;
}

/**
 * The folio at an offset, referenced (holder Fault).
 *
 * Mirrors: mm/shmem.c shmem_get_folio_gfp() with SGP_READ
 * simplified: no swap, no huge pages
 * @returns the folio; -1 for a hole
 */
function* shmemGetFolio(k: Kernel, file: AddressSpace, index: Pgoff): Kernel$<number> {
  for (;;) {
    if (k.stepping) yield lookupStep(k, file, index);
    const folio = file.folios.get(index);
    if (folio === undefined) return -1;
    if (k.stepping) yield k.writeFolio(folio);
    if (!folioTryGet(k, folio, Holder.Fault)) continue;
    if (k.stepping) yield k.acquireFolio(folio);
    k.folioLock(folio);
    if (k.stepping) yield lookupStep(k, file, index);
    const still = file.folios.get(index) === folio;
    if (k.stepping) yield k.releaseFolio(folio);
    k.folioUnlock(folio);
    if (still) return folio;
    yield* folioPut(k, folio, Holder.Fault);
  }
}

/**
 * Writes pages of a file, up to its end.
 *
 * Mirrors: mm/filemap.c generic_perform_write(), mm/shmem.c shmem_write_begin(), shmem_write_end()
 * simplified: whole pages, a file does not grow
 * @param from a page after the other
 * @returns pages written, or -ENOMEM when there was no memory for the first
 */
export function* fileWrite(
  k: Kernel,
  file: AddressSpace,
  start: Pgoff,
  from: Uint8Array,
): Kernel$<number> {
  const size = k.geometry.pageBytes;
  const pages = Math.max(0, Math.min(from.length / size, file.pages - start));
  for (let i = 0; i < pages; i++) {
    const folio = yield* shmemFault(k, file, start + i);
    if (folio < 0) return i > 0 ? i : -ENOMEM;
    if (k.stepping) yield k.copyStep(folio);
    k.frames.write(folio, from.subarray(i * size, (i + 1) * size));
    const word = k.frames.readWord(folio);
    if (k.monitor !== null) k.monitor.onFileAccess(file.number, start + i, word, true);
    if (k.stepping) yield k.writeFolio(folio);
    folioSet(k, folio, PG_DIRTY);
    yield* folioUnlockPut(k, folio, Holder.Fault);
  }
  return pages;
}

/**
 * Closes a file; the last one to have it open lets it go if nobody maps it.
 *
 * Mirrors: fs/file_table.c __fput()
 * simplified: a file's pages are freed at once
 */
export function* closeFile(k: Kernel, file: AddressSpace): Kernel$<void> {
  if (k.stepping) yield k.acquire(file.lock);
  k.lock(file.lock);
  file.opened--;
  const last = file.opened === 0 && file.vmas.length === 0;
  if (k.stepping) yield k.release(file.lock);
  k.unlock(file.lock);
  if (last) yield* evictFile(k, file);
}

/**
 * The file is gone with its last mapping and descriptor: its pages are freed.
 *
 * Mirrors: mm/shmem.c shmem_evict_inode()
 * simplified: no swap, no holes
 */
export function* evictFile(k: Kernel, file: AddressSpace): Kernel$<void> {
  for (const folio of file.folios.values()) {
    if (k.stepping) yield cacheStep(k, file, folio);
    k.pages.mapping[folio] = 0;
    if (folioPutTestzero(k, folio, Holder.PageCache)) yield* folioFree(k, folio);
  }
  file.folios.clear();
  k.mappings[file.number] = undefined;
  if (k.monitor !== null) k.monitor.onGone(file, 'a file', ['number', 'vmas', 'opened']);
}
