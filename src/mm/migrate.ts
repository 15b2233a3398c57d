/**
 * What device migration and page migration share.
 *
 * Models: mm/migrate.c
 */
import { EAGAIN } from '../machine/errno.ts';
import {
  MAPPING_ANON,
  mappingNumber,
  PG_ACTIVE,
  PG_DIRTY,
  PG_SWAPBACKED,
  PG_UPTODATE,
} from '../machine/page.ts';
import {
  mkPte,
  PTE_ACCESSED,
  PTE_DIRTY,
  PTE_SOFT_DIRTY,
  PTE_UFFD,
  PTE_WRITE,
  pteMkdirty,
  ptePresent,
} from '../machine/pte.ts';
import { type Kernel$, ObjectKind, Role, type Step } from '../machine/step.ts';
import type { Folio, Pfn, Pte, Ptep, Vpn } from '../machine/units.ts';
import {
  folioClear,
  folioGet,
  folioIsDevicePrivate,
  folioIsLarge,
  folioMapcount,
  folioMappingWord,
  folioOrder,
  folioRefCount,
  folioTest,
  folioTestAnon,
  MIGRATED_FLAGS,
  pageFolio,
} from './folio.ts';
import { removeMigrationPmd } from './huge-memory.ts';
import type { Kernel } from './kernel.ts';
import {
  isMigration,
  isMigrationDirty,
  isMigrationRead,
  isMigrationWrite,
  isMigrationYoung,
  makeReadableDevicePrivateEntry,
  makeWritableDevicePrivateEntry,
  SWP_SOFT_DIRTY,
  SWP_UFFD,
  softleafToPfn,
} from './leafops.ts';
import { Holder } from './look/ledger.ts';
import { MappedWalk, PVMW_MIGRATION, PVMW_SYNC, pageVmaMappedWalk } from './page-vma-mapped.ts';
import { pteOffsetMap, ptepGet, ptlOf, setPte } from './pgtable.ts';
import { folioAddAnonRmapPte, folioAddFileRmapPte, rmapWalk } from './rmap.ts';
import type { AddressSpace } from './shmem.ts';
import type { Vma } from './vma.ts';

/** What `removeMigrationPtes` is told. */
interface RemoveArg {
  /** The folio that the migration entries name. */
  source: Folio;
  /** Map pages of zeros to the zero page (TTU_USE_SHARED_ZEROPAGE). */
  useZeroPage: boolean;
}

/**
 * Mirrors: mm/migrate.c try_to_map_unused_to_zeropage()
 * faithful
 */
function tryToMapUnusedToZeropage(k: Kernel, pvmw: MappedWalk, page: Pfn, oldPte: Pte): boolean {
  if (folioIsLarge(k, pageFolio(k, page)) || !k.frames.isZero(page)) return false;
  let pte = mkPte(k.zeroPfn, pvmw.vma.pageProt) | 4;
  if (oldPte & SWP_SOFT_DIRTY) pte |= PTE_SOFT_DIRTY;
  if (oldPte & SWP_UFFD) pte |= PTE_UFFD;
  setPte(k, pvmw.pte, pte);
  pvmw.vma.mm.anonPages--;
  return true;
}

/** The step before a page is put back; the zero page in its place is put there at once. */
function putBackStep(k: Kernel, folio: Folio, ptep: Ptep, useZeroPage: boolean): Step {
  const step = k.writeFolio(folio);
  return useZeroPage ? step.and(ObjectKind.Entry, ptep, Role.Write) : step;
}

/**
 * Mirrors: mm/migrate.c remove_migration_pte()
 * simplified: no hugetlb
 */
function* removeMigrationPte(
  k: Kernel,
  folio: Folio,
  vma: Vma,
  vpn: Vpn,
  arg: RemoveArg,
): Kernel$<boolean> {
  const pvmw = new MappedWalk(k, arg.source, vma, vpn, PVMW_SYNC | PVMW_MIGRATION);
  while (yield* pageVmaMappedWalk(k, pvmw)) {
    if (pvmw.pte < 0) {
      yield* removeMigrationPmd(k, vma, pvmw.vpn, pvmw.pmd, folio);
      continue;
    }
    const oldPte = ptepGet(k, pvmw.pte);
    const index = folioIsLarge(k, folio) ? softleafToPfn(oldPte) - pvmw.pfn : 0;
    const page = folio + index;
    if (k.stepping) yield putBackStep(k, folio, pvmw.pte, arg.useZeroPage);
    if (arg.useZeroPage && tryToMapUnusedToZeropage(k, pvmw, page, oldPte)) continue;
    folioGet(k, folio, Holder.Mapping);
    let pte = mkPte(page, vma.pageProt);
    if (!isMigrationYoung(oldPte)) pte &= ~PTE_ACCESSED;
    if (folioTest(k, folio, PG_DIRTY) && isMigrationDirty(oldPte)) pte = pteMkdirty(pte);
    if (oldPte & SWP_SOFT_DIRTY) pte |= PTE_SOFT_DIRTY;
    else pte &= ~PTE_SOFT_DIRTY;
    if (isMigrationWrite(oldPte)) pte |= PTE_WRITE;
    else if (oldPte & SWP_UFFD) pte |= PTE_UFFD;
    const exclusive = folioTestAnon(k, folio) && !isMigrationRead(oldPte);
    if (folioIsDevicePrivate(k, folio)) {
      pte =
        pte & PTE_WRITE
          ? makeWritableDevicePrivateEntry(page)
          : makeReadableDevicePrivateEntry(page);
      pte |= oldPte & (SWP_SOFT_DIRTY | SWP_UFFD);
    }
    if (folioTestAnon(k, folio)) folioAddAnonRmapPte(k, folio, page, vma, exclusive);
    else folioAddFileRmapPte(k, page);
    if (k.stepping) yield k.writeEntry(pvmw.pte);
    setPte(k, pvmw.pte, pte);
    if (pvmw.atEnd) {
      if (k.stepping && pvmw.ptl) yield k.release(pvmw.ptl);
      pvmw.done(k);
      break;
    }
  }
  return true;
}

/**
 * Replaces every migration entry of `src` by a mapping of `dst` (which may be `src`).
 *
 * Mirrors: mm/migrate.c remove_migration_ptes()
 * faithful
 * @param useZeroPage map pages of zeros to the zero page (TTU_USE_SHARED_ZEROPAGE)
 * @param rmapLocked the caller holds the lock of the reverse map (TTU_RMAP_LOCKED)
 */
export function removeMigrationPtes(
  k: Kernel,
  src: Folio,
  dst: Folio,
  useZeroPage = false,
  rmapLocked = false,
): Kernel$<void> {
  return rmapWalk(k, dst, removeMigrationPte, { source: src, useZeroPage }, null, rmapLocked);
}

/**
 * Waits until the folio that an entry names is unlocked. Takes no reference, so that the wait does
 * not make the migration fail. Releases the table's lock.
 *
 * Mirrors: mm/filemap.c softleaf_entry_wait_on_locked()
 * faithful
 */
export function* softleafEntryWaitOnLocked(
  k: Kernel,
  entry: Pte,
  ptl: ReturnType<typeof ptlOf>,
): Kernel$<void> {
  const folio = pageFolio(k, softleafToPfn(entry));
  if (k.stepping) yield k.release(ptl);
  k.unlock(ptl);
  k.mightSleep('a migration to end');
  if (k.monitor !== null) k.monitor.onFolioWait(folio);
  const ready = () => !k.folioLocked(folio);
  if (k.stepping) yield k.waitFor(ObjectKind.FolioLock, folio, ready, Role.AcquireShared);
  k.waited(ready(), `the migration of folio ${folio} to end`);
}

/**
 * A walk or a fault met a migration entry: waits for the migration to end.
 *
 * Mirrors: mm/migrate.c migration_entry_wait()
 * faithful
 */
export function* migrationEntryWait(k: Kernel, pmdp: Ptep, vpn: Vpn): Kernel$<void> {
  const ptep = pteOffsetMap(k, pmdp, vpn);
  if (ptep < 0) return;
  const ptl = ptlOf(k, ptep);
  if (k.stepping) yield k.acquire(ptl);
  k.lock(ptl);
  const pte = ptepGet(k, ptep);
  if (pte === 0 || ptePresent(pte) || !isMigration(pte)) {
    if (k.stepping) yield k.release(ptl);
    k.unlock(ptl);
    return;
  }
  yield* softleafEntryWaitOnLocked(k, pte, ptl);
}

/** Mirrors: mm/migrate.c pmd_migration_entry_wait(); faithful */
export function* pmdMigrationEntryWait(k: Kernel, pmdp: Ptep): Kernel$<void> {
  const ptl = ptlOf(k, pmdp);
  if (k.stepping) yield k.acquire(ptl);
  k.lock(ptl);
  const pmd = ptepGet(k, pmdp);
  if (pmd === 0 || ptePresent(pmd) || !isMigration(pmd)) {
    if (k.stepping) yield k.release(ptl);
    k.unlock(ptl);
    return;
  }
  yield* softleafEntryWaitOnLocked(k, pmd, ptl);
}

/** The file that a folio belongs to, or null for anonymous memory (folio_mapping()). */
export function folioMapping(k: Kernel, folio: Folio): AddressSpace | null {
  const mapping = folioMappingWord(k, folio);
  if (mapping === 0 || mapping & MAPPING_ANON) return null;
  return (k.mappings[mappingNumber(mapping)] as AddressSpace | undefined) ?? null;
}

/** References that are accounted for (folio_expected_ref_count()). */
export function folioExpectedRefCount(k: Kernel, folio: Folio): number {
  const cached = folioTestAnon(k, folio) || folioMappingWord(k, folio) === 0 ? 0 : 1;
  return (cached << folioOrder(k, folio)) + folioMapcount(k, folio);
}

/**
 * Moves a folio's identity (what it belongs to, and where in it) to another. A step on the old folio
 * precedes it.
 *
 * Mirrors: mm/migrate.c folio_migrate_mapping(), __folio_migrate_mapping()
 * simplified: no swap cache, no statistics
 * @returns 0, or -EAGAIN when somebody else holds a reference
 */
export function folioMigrateMapping(k: Kernel, to: Folio, from: Folio, extraCount: number): number {
  const expected = folioExpectedRefCount(k, from) + extraCount + 1;
  if (folioRefCount(k, from) !== expected) return -EAGAIN;
  const pages = k.pages;
  const file = folioMapping(k, from);
  pages.index[to] = pages.index[from];
  pages.mapping[to] = pages.mapping[from];
  const carried = pages.flags[from] & (PG_SWAPBACKED | PG_DIRTY);
  pages.flags[to] = pages.flags[to] | carried;
  if (file) file.replaceFolio(k, from, to);
  return 0;
}

/**
 * Mirrors: mm/migrate.c folio_migrate_flags()
 * simplified: the flags that the model has
 */
export function folioMigrateFlags(k: Kernel, to: Folio, from: Folio): void {
  const flags = k.pages.flags[from] & (MIGRATED_FLAGS | PG_UPTODATE | PG_DIRTY);
  k.pages.flags[to] = k.pages.flags[to] | flags;
  folioClear(k, from, PG_ACTIVE);
}

/** Bits that restored entries of a huge mapping take over. */
export { PTE_DIRTY };
