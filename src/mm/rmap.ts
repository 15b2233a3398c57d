/**
 * The reverse map: who maps a folio, and how often.
 *
 * Models: mm/rmap.c, include/linux/rmap.h
 */
import { EBUSY, EOPNOTSUPP } from '../machine/errno.ts';
import {
  anonMapping,
  MAPPING_ANON,
  mappingNumber,
  PG_DEFERRED_SPLIT,
  PG_DIRTY,
  PG_HUGETLB,
  PG_MAPPED_SHARED,
  PG_PARTIALLY_MAPPED,
  PG_RESTORE_RESERVE,
  PG_SWAPBACKED,
} from '../machine/page.ts';
import {
  PTE_PFN_SHIFT,
  PTE_UFFD,
  pteDirty,
  ptePfn,
  ptePresent,
  pteSoftDirty,
  pteWrite,
  pteYoung,
} from '../machine/pte.ts';
import { type Kernel$, ObjectKind, Role } from '../machine/step.ts';
import type { Folio, Pfn, Pte, Ptep, Vpn } from '../machine/units.ts';
import type { AnonVma } from './anon-vma.ts';
import {
  clearPageAnonExclusive,
  folioClear,
  folioEntireMapcount,
  folioFree,
  folioIsDevicePrivate,
  folioIsLarge,
  folioMapcount,
  folioMappingWord,
  folioOrder,
  folioPages,
  folioPut,
  folioPutTestzero,
  folioRefCount,
  folioSet,
  folioTest,
  folioTestAnon,
  folioUnlockPut,
  pageAnonExclusive,
  pageFolio,
  pageMapcount,
  setPageAnonExclusive,
  setPageMapcount,
} from './folio.ts';
import { getUserPage } from './gup.ts';
import { setPmdMigrationEntry, splitHugePmdLocked } from './huge-memory.ts';
import type { Kernel } from './kernel.ts';
import {
  isDevicePrivateWrite,
  makeDeviceExclusiveEntry,
  makeMigrationEntryDirty,
  makeMigrationEntryYoung,
  makeReadableExclusiveMigrationEntry,
  makeReadableMigrationEntry,
  makeWritableMigrationEntry,
  SWP_SOFT_DIRTY,
  SWP_UFFD,
  softleafToPfn,
} from './leafops.ts';
import { Holder } from './look/ledger.ts';
import type { Mm } from './mm.ts';
import {
  MmuNotify,
  mmHasNotifiers,
  mmuNotifierInvalidateRangeEnd,
  mmuNotifierInvalidateRangeStart,
  notifierRange,
} from './mmu-notifier.ts';
import { MappedWalk, PVMW_SYNC, pageVmaMappedWalk, vmaAddress } from './page-vma-mapped.ts';
import { ptepGet, ptepGetAndClear, ptepOf, ptlOf, setPte } from './pgtable.ts';
import type { AddressSpace } from './shmem.ts';
import { linearAnonPageIndex, type Vma } from './vma.ts';

// ---- map counts ----

/**
 * Whether two processes may map the folio.
 *
 * Mirrors: include/linux/mm.h folio_maybe_mapped_shared()
 * faithful
 */
export function folioMaybeMappedShared(k: Kernel, folio: Folio): boolean {
  const mapped = folioMapcount(k, folio);
  if (!folioIsLarge(k, folio) || folioTest(k, folio, PG_HUGETLB)) return mapped > 1;
  return mapped > 1 && folioTest(k, folio, PG_MAPPED_SHARED);
}

/**
 * Counts new mappings of a large folio, and notes by whom: two processes are remembered.
 *
 * Mirrors: include/linux/rmap.h folio_add_return_large_mapcount()
 * faithful
 */
function addLarge(k: Kernel, folio: Folio, mm: Mm, diff: number): void {
  const { largeMapcount, mmId, mmIdCount } = k.pages;
  const total = largeMapcount[folio] + diff;
  largeMapcount[folio] = total;
  for (let slot = 0; slot < 2; slot++) {
    if (mmId[slot][folio] !== mm.id) continue;
    mmIdCount[slot][folio] += diff;
    return;
  }
  const free = mmId[0][folio] === 0 ? 0 : 1;
  if (mmId[free][folio] !== 0) return;
  mmId[free][folio] = mm.id;
  mmIdCount[free][folio] = diff;
  // mappings by others show as mappings that this slot does not account for
  if (total !== diff) folioSet(k, folio, PG_MAPPED_SHARED);
}

/**
 * Counts mappings of a large folio that are gone.
 *
 * Mirrors: include/linux/rmap.h folio_sub_return_large_mapcount()
 * faithful
 */
function subLarge(k: Kernel, folio: Folio, mm: Mm, diff: number): void {
  const { largeMapcount, mmId, mmIdCount } = k.pages;
  const total = largeMapcount[folio] - diff;
  largeMapcount[folio] = total;
  for (let slot = 0; slot < 2; slot++) {
    if (mmId[slot][folio] !== mm.id) continue;
    const left = mmIdCount[slot][folio] - diff;
    mmIdCount[slot][folio] = Math.max(left, 0);
    if (left > 0) return;
    mmId[slot][folio] = 0;
    break;
  }
  if (mmIdCount[0][folio] === total || mmIdCount[1][folio] === total) {
    folioClear(k, folio, PG_MAPPED_SHARED);
  }
}

/**
 * How many entries from `ptep` on map consecutive pages of one large folio and differ in nothing else that
 * counts.
 *
 * Mirrors: mm/internal.h folio_pte_batch_flags()
 * simplified: the callers merge what they ignore
 * @param pte the first of them, present
 * @param most entries at most: of one area, and of one table
 * @param ignored bits that may differ
 */
export function folioPteBatch(
  k: Kernel,
  folio: Folio,
  ptep: Ptep,
  pte: Pte,
  most: number,
  ignored: number,
): number {
  const left = Math.min(most, folio + folioPages(k, folio) - ptePfn(pte));
  const first = pte & ~ignored;
  let nr = 1;
  while (nr < left && (ptepGet(k, ptep + nr) & ~ignored) === first + (nr << PTE_PFN_SHIFT)) nr++;
  return nr;
}

function setAnon(k: Kernel, folio: Folio, vma: Vma, vpn: Vpn): void {
  k.pages.mapping[folio] = anonMapping(k.present(vma.anonVma, 'the anon_vma of an area').number);
  k.pages.index[folio] = linearAnonPageIndex(vma, vpn);
}

/**
 * Maps a new anonymous folio, exclusively: a huge one by one entry, others by entries of the lowest
 * level.
 *
 * Mirrors: mm/rmap.c folio_add_new_anon_rmap()
 * simplified: always exclusive
 */
export function folioAddNewAnonRmap(k: Kernel, folio: Folio, vma: Vma, vpn: Vpn): void {
  k.bug(!vma.anonVma, 'a new anonymous folio in an area without anon_vma');
  folioSet(k, folio, PG_SWAPBACKED);
  setAnon(k, folio, vma, vpn);
  if (!folioIsLarge(k, folio)) {
    setPageMapcount(k, folio, 1);
  } else {
    k.pages.entireMapcount[folio] = 1;
    addLarge(k, folio, vma.mm, 1);
  }
  setPageAnonExclusive(k, folio);
}

/** Mirrors: mm/rmap.c folio_add_anon_rmap_pte(); faithful */
export function folioAddAnonRmapPte(
  k: Kernel,
  folio: Folio,
  page: Pfn,
  vma: Vma,
  exclusive: boolean,
): void {
  setPageMapcount(k, page, pageMapcount(k, page) + 1);
  if (folioIsLarge(k, folio)) addLarge(k, folio, vma.mm, 1);
  if (exclusive) setPageAnonExclusive(k, page);
  k.warn(
    pageAnonExclusive(k, page) && pageMapcount(k, page) > 1,
    'an exclusive page is mapped twice',
  );
}

/** Mirrors: mm/rmap.c folio_add_anon_rmap_pmd(); faithful */
export function folioAddAnonRmapPmd(k: Kernel, folio: Folio, vma: Vma, exclusive: boolean): void {
  k.pages.entireMapcount[folio] = folioEntireMapcount(k, folio) + 1;
  addLarge(k, folio, vma.mm, 1);
  if (exclusive) setPageAnonExclusive(k, folio);
  k.warn(
    pageAnonExclusive(k, folio) && folioEntireMapcount(k, folio) > 1,
    'an exclusive huge page is mapped twice',
  );
}

/** Mirrors: mm/rmap.c folio_add_file_rmap_pte(); simplified: files have base pages */
export function folioAddFileRmapPte(k: Kernel, page: Pfn): void {
  setPageMapcount(k, page, pageMapcount(k, page) + 1);
}

/**
 * Mirrors: mm/rmap.c folio_add_anon_rmap_ptes()
 * faithful
 * @param page the first of `pages` pages
 */
export function folioAddAnonRmapPtes(
  k: Kernel,
  folio: Folio,
  page: Pfn,
  pages: number,
  vma: Vma,
  exclusive: boolean,
): void {
  for (let i = page; i < page + pages; i++) {
    setPageMapcount(k, i, pageMapcount(k, i) + 1);
    if (exclusive) setPageAnonExclusive(k, i);
    k.warn(pageAnonExclusive(k, i) && pageMapcount(k, i) > 1, 'an exclusive page is mapped twice');
  }
  if (folioIsLarge(k, folio)) addLarge(k, folio, vma.mm, pages);
}

/**
 * Puts a folio on the queue of those that may be split when memory is short.
 *
 * Mirrors: mm/huge_memory.c deferred_split_folio()
 * simplified: a mark on the folio; no shrinker runs
 */
export function deferredSplitFolio(k: Kernel, folio: Folio, partiallyMapped: boolean): void {
  if (folioOrder(k, folio) <= 1) return;
  folioSet(k, folio, PG_DEFERRED_SPLIT | (partiallyMapped ? PG_PARTIALLY_MAPPED : 0));
}

function queueDeferredSplit(k: Kernel, folio: Folio): void {
  if (!folioTestAnon(k, folio) || folioIsDevicePrivate(k, folio)) return;
  if (!folioTest(k, folio, PG_PARTIALLY_MAPPED)) deferredSplitFolio(k, folio, true);
}

/** Mirrors: mm/rmap.c folio_remove_rmap_pte(); faithful */
export function folioRemoveRmapPte(k: Kernel, folio: Folio, page: Pfn, vma: Vma): void {
  const count = pageMapcount(k, page) - 1;
  setPageMapcount(k, page, count);
  if (count < 0) k.report('map count', 'a page is unmapped more often than mapped');
  if (!folioIsLarge(k, folio)) return;
  subLarge(k, folio, vma.mm, 1);
  const entire = folioEntireMapcount(k, folio);
  if (count === 0 && entire === 0 && k.pages.largeMapcount[folio] > 0) {
    queueDeferredSplit(k, folio);
  }
}

/** Mirrors: mm/rmap.c folio_remove_rmap_pmd(); faithful */
export function folioRemoveRmapPmd(k: Kernel, folio: Folio, vma: Vma): void {
  const entire = folioEntireMapcount(k, folio) - 1;
  k.pages.entireMapcount[folio] = entire;
  if (entire < 0) k.report('map count', 'a huge page is unmapped more often than mapped');
  subLarge(k, folio, vma.mm, 1);
  if (entire !== 0 || k.pages.largeMapcount[folio] === 0) return;
  // what is left are mappings of single pages: of some, or of all?
  for (let page = folio; page < folio + folioPages(k, folio); page++) {
    if (pageMapcount(k, page) === 0) {
      queueDeferredSplit(k, folio);
      return;
    }
  }
}

/**
 * Maps a new huge page of the pool, exclusively.
 *
 * Mirrors: mm/rmap.c hugetlb_add_new_anon_rmap()
 * faithful
 */
export function hugetlbAddNewAnonRmap(k: Kernel, folio: Folio, vma: Vma, vpn: Vpn): void {
  k.bug(vpn < vma.start || vpn >= vma.end, 'a huge page is mapped outside of its area');
  k.bug(!vma.anonVma, 'a new huge page in an area without anon_vma');
  k.pages.entireMapcount[folio] = 1;
  k.pages.largeMapcount[folio] = 1;
  folioClear(k, folio, PG_RESTORE_RESERVE);
  setAnon(k, folio, vma, vpn);
  setPageAnonExclusive(k, folio);
}

/**
 * A child maps a huge page of the pool as well.
 *
 * Mirrors: include/linux/rmap.h hugetlb_try_dup_anon_rmap()
 * faithful
 * @returns 0, or -EBUSY when the page must be copied because the parent may have pinned it
 */
export function hugetlbTryDupAnonRmap(k: Kernel, folio: Folio): number {
  if (pageAnonExclusive(k, folio)) {
    if (folioMaybeDmaPinned(k, folio)) return -EBUSY;
    clearPageAnonExclusive(k, folio);
  }
  k.pages.entireMapcount[folio]++;
  k.pages.largeMapcount[folio]++;
  return 0;
}

/** Mirrors: include/linux/rmap.h hugetlb_remove_rmap(); faithful */
export function hugetlbRemoveRmap(k: Kernel, folio: Folio): void {
  k.pages.entireMapcount[folio]--;
  k.pages.largeMapcount[folio]--;
  const left = folioEntireMapcount(k, folio);
  if (left < 0) k.report('map count', 'a huge page is unmapped more often than mapped');
}

/** The folio belongs to this area's process alone from now on (folio_move_anon_rmap()). */
export function folioMoveAnonRmap(k: Kernel, folio: Folio, vma: Vma): void {
  k.bug(!vma.anonVma, 'a folio moves to an area without anon_vma');
  k.pages.mapping[folio] = anonMapping(k.present(vma.anonVma, 'the anon_vma of an area').number);
}

/** References that stand for one pin of a base page, and from which pins are assumed. */
export const GUP_PIN_COUNTING_BIAS = 1024;

/** Mirrors: include/linux/mm.h folio_maybe_dma_pinned(); faithful */
export function folioMaybeDmaPinned(k: Kernel, folio: Folio): boolean {
  if (folioIsLarge(k, folio)) return k.pages.pinCount.has(folio);
  return folioRefCount(k, folio) >= GUP_PIN_COUNTING_BIAS;
}

/**
 * A page stops being exclusive, before its entry becomes something that several may hold.
 *
 * Mirrors: include/linux/rmap.h __folio_try_share_anon_rmap()
 * faithful
 * @returns 0, or -EBUSY when it may be pinned
 */
export function folioTryShareAnonRmap(k: Kernel, folio: Folio, page: Pfn): number {
  if (!folioIsDevicePrivate(k, folio) && folioMaybeDmaPinned(k, folio)) return -EBUSY;
  clearPageAnonExclusive(k, page);
  return 0;
}

/**
 * A child maps a page as well.
 *
 * Mirrors: include/linux/rmap.h folio_try_dup_anon_rmap_pte()
 * faithful
 * @returns 0, or -EBUSY when the page must be copied because the parent may have pinned it
 */
export function folioTryDupAnonRmapPte(k: Kernel, folio: Folio, page: Pfn, child: Vma): number {
  const pinned = !folioIsDevicePrivate(k, folio) && folioMaybeDmaPinned(k, folio);
  if (pinned && pageAnonExclusive(k, page)) return -EBUSY;
  clearPageAnonExclusive(k, page);
  setPageMapcount(k, page, pageMapcount(k, page) + 1);
  if (folioIsLarge(k, folio)) addLarge(k, folio, child.mm, 1);
  return 0;
}

/** Mirrors: include/linux/rmap.h folio_try_dup_anon_rmap_pmd(); faithful */
export function folioTryDupAnonRmapPmd(k: Kernel, folio: Folio, child: Vma): number {
  const pinned = !folioIsDevicePrivate(k, folio) && folioMaybeDmaPinned(k, folio);
  if (pinned && pageAnonExclusive(k, folio)) return -EBUSY;
  clearPageAnonExclusive(k, folio);
  k.pages.entireMapcount[folio] = folioEntireMapcount(k, folio) + 1;
  addLarge(k, folio, child.mm, 1);
  return 0;
}

// ---- walks ----

/** What is done in each area that may map the folio; false stops the walk. */
export type RmapOne<A> = (k: Kernel, folio: Folio, vma: Vma, vpn: Vpn, arg: A) => Kernel$<boolean>;

/**
 * Visits every area that may map a folio.
 *
 * Mirrors: mm/rmap.c rmap_walk(), rmap_walk_locked(), rmap_walk_anon(), rmap_walk_file()
 * faithful
 * @param done after an area: true ends the walk
 * @param locked the caller holds the lock of the anon_vma or the file
 */
export function* rmapWalk<A>(
  k: Kernel,
  folio: Folio,
  one: RmapOne<A>,
  arg: A,
  done: ((k: Kernel, folio: Folio) => boolean) | null,
  locked = false,
): Kernel$<void> {
  const mapping = folioMappingWord(k, folio);
  const object = k.mappings[mappingNumber(mapping)];
  if (!object) {
    if (mapping !== 0) k.report('use after free', 'a folio names an anon_vma that is gone');
    return;
  }
  const anon = (mapping & MAPPING_ANON) !== 0;
  const lock = object.lock;
  if (!locked) {
    if (k.stepping) yield k.acquire(lock, true);
    k.lockShared(lock);
  }
  const count = anon ? (object as AnonVma).chains.length : (object as AddressSpace).vmas.length;
  for (let i = 0; i < count; i++) {
    const vma = k.present(
      anon ? (object as AnonVma).chains[i]?.vma : (object as AddressSpace).vmas[i],
      'the area of a reverse map',
    );
    const vpn = vmaAddress(k, folio, vma);
    if (vpn < 0) continue;
    if (!(yield* one(k, folio, vma, vpn, arg))) break;
    if (k.stepping && done) yield k.readFolio(folio);
    if (done?.(k, folio)) break;
  }
  if (locked) return;
  if (k.stepping) yield k.release(lock);
  k.unlockShared(lock);
}

function folioNotMapped(k: Kernel, folio: Folio): boolean {
  return folioMapcount(k, folio) === 0;
}

/** What `tryToMigrate` may do (enum ttu_flags). */
export const TTU_SPLIT_HUGE_PMD = 1;
/** The caller holds the lock of the reverse map. */
export const TTU_RMAP_LOCKED = 2;
/** Take each lock, even where a glance says that nothing is mapped. */
export const TTU_SYNC = 4;

/**
 * The migration entry that replaces a present or device-private entry, with everything that the
 * entry knew carried over. Used by every way of preparing a migration.
 */
export function migrationPte(
  pte: Pte,
  page: Pfn,
  writable: boolean,
  anonExclusive: boolean,
): number {
  let entry = writable
    ? makeWritableMigrationEntry(page)
    : anonExclusive
      ? makeReadableExclusiveMigrationEntry(page)
      : makeReadableMigrationEntry(page);
  if (ptePresent(pte)) {
    if (pteYoung(pte)) entry = makeMigrationEntryYoung(entry);
    if (pteDirty(pte)) entry = makeMigrationEntryDirty(entry);
    if (pteSoftDirty(pte)) entry |= SWP_SOFT_DIRTY;
    if (pte & PTE_UFFD) entry |= SWP_UFFD;
  } else entry |= pte & (SWP_SOFT_DIRTY | SWP_UFFD);
  return entry;
}

/**
 * Mirrors: mm/rmap.c try_to_migrate_one()
 * simplified: no hugetlb, no hardware poison, no deferred flush
 */
function* tryToMigrateOne(
  k: Kernel,
  folio: Folio,
  vma: Vma,
  vpn: Vpn,
  arg: { flags: number },
): Kernel$<boolean> {
  const { mm } = vma;
  let flags = arg.flags;
  const sync = flags & TTU_SYNC ? PVMW_SYNC : 0;
  let pvmw = new MappedWalk(k, folio, vma, vpn, sync);
  let ret = true;
  const range = notifierRange(MmuNotify.Clear, mm, vpn, pvmw.end);
  const notify = mmHasNotifiers(mm);
  if (notify) yield* mmuNotifierInvalidateRangeStart(k, range);
  while (yield* pageVmaMappedWalk(k, pvmw)) {
    if (pvmw.pte < 0) {
      if (flags & TTU_SPLIT_HUGE_PMD) {
        yield* splitHugePmdLocked(k, vma, pvmw.vpn, pvmw.pmd, true);
        flags &= ~TTU_SPLIT_HUGE_PMD;
        if (k.stepping && pvmw.ptl) yield k.release(pvmw.ptl);
        pvmw.done(k);
        pvmw = new MappedWalk(k, folio, vma, vpn, sync);
        continue;
      }
      if (yield* setPmdMigrationEntry(k, vma, pvmw.vpn, pvmw.pmd, folio)) {
        if (k.stepping && pvmw.ptl) yield k.release(pvmw.ptl);
        pvmw.done(k);
        ret = false;
        break;
      }
      continue;
    }
    const ptep = pvmw.pte;
    let pte = ptepGet(k, ptep);
    const page = ptePresent(pte) ? ptePfn(pte) : softleafToPfn(pte);
    const anonExclusive = folioTestAnon(k, folio) && pageAnonExclusive(k, page);
    let writable: boolean;
    if (k.stepping) yield k.writeEntry(ptep);
    if (ptePresent(pte)) {
      pte = ptepGetAndClear(k, ptep);
      if (k.stepping) yield k.flushStep(mm.id).and(ObjectKind.Folio, folio, Role.Write);
      k.flushTlbPage(mm.id, pvmw.vpn);
      if (pteDirty(pte)) folioSet(k, folio, PG_DIRTY);
      writable = pteWrite(pte);
    } else {
      pte = ptepGetAndClear(k, ptep);
      writable = isDevicePrivateWrite(pte);
    }
    k.warn(
      writable && folioTestAnon(k, folio) && !anonExclusive,
      'a writable anonymous page is not exclusive',
    );
    if (k.stepping) yield k.writeFolio(folio);
    if (anonExclusive && folioTryShareAnonRmap(k, folio, page)) {
      if (k.stepping) yield k.writeEntry(ptep);
      setPte(k, ptep, pte);
      ret = false;
      if (k.stepping && pvmw.ptl) yield k.release(pvmw.ptl);
      pvmw.done(k);
      break;
    }
    if (k.stepping) yield k.writeEntry(ptep);
    setPte(k, ptep, migrationPte(pte, page, writable, anonExclusive));
    if (k.stepping) yield k.writeFolio(folio);
    folioRemoveRmapPte(k, folio, page, vma);
    if (folioPutTestzero(k, folio, Holder.Mapping)) yield* folioFree(k, folio);
  }
  if (notify) yield* mmuNotifierInvalidateRangeEnd(k, range);
  return ret;
}

/**
 * Replaces every mapping of a locked folio by migration entries.
 *
 * Mirrors: mm/rmap.c try_to_migrate()
 * faithful
 */
export function tryToMigrate(k: Kernel, folio: Folio, flags: number): Kernel$<void> {
  const locked = (flags & TTU_RMAP_LOCKED) !== 0;
  return rmapWalk(k, folio, tryToMigrateOne, { flags }, folioNotMapped, locked);
}

/**
 * Marks a page for exclusive use by a device: no CPU can reach it through its page table until a
 * fault takes it back.
 *
 * Mirrors: mm/rmap.c make_device_exclusive()
 * faithful
 * @param owner given to the notifiers, so that a driver can skip its own
 * @returns the page, its folio locked and referenced (holder Fault), or a negative errno
 */
export function* makeDeviceExclusive(
  k: Kernel,
  mm: Mm,
  vpn: Vpn,
  owner: object | null,
): Kernel$<number> {
  k.assertHeld(mm.mmapLock);
  for (;;) {
    const page = yield* getUserPage(k, mm, vpn, { write: true, splitPmd: true });
    if (page < 0) return page;
    const folio = pageFolio(k, page);
    if (!folioTestAnon(k, folio)) {
      yield* folioPut(k, folio, Holder.Pin);
      return -EOPNOTSUPP;
    }
    if (k.stepping) yield k.acquireFolio(folio);
    k.folioLock(folio);
    const range = notifierRange(MmuNotify.Exclusive, mm, vpn, vpn + 1, owner);
    yield* mmuNotifierInvalidateRangeStart(k, range);
    const vma = k.present(mm.lookupVma(vpn), 'the area of an address');
    const ptep = ptepOf(k, mm, vpn);
    let found = false;
    if (ptep >= 0) {
      const ptl = ptlOf(k, ptep);
      if (k.stepping) yield k.acquire(ptl);
      k.lock(ptl);
      // the table may have been taken out meanwhile
      if (ptepOf(k, mm, vpn) === ptep) {
        const pte = ptepGet(k, ptep);
        found = ptePresent(pte) && ptePfn(pte) === page && pteWrite(pte);
      }
      if (found) {
        if (k.stepping) yield k.writeEntry(ptep);
        const pte = ptepGetAndClear(k, ptep);
        if (k.stepping) yield k.flushStep(vma.mm.id).and(ObjectKind.Folio, folio, Role.Write);
        k.flushTlbPage(vma.mm.id, vpn);
        if (pteDirty(pte)) folioSet(k, folio, PG_DIRTY);
        let entry = makeDeviceExclusiveEntry(page);
        if (pteSoftDirty(pte)) entry |= SWP_SOFT_DIRTY;
        if (k.stepping) yield k.writeEntry(ptep);
        setPte(k, ptep, entry);
      }
      if (k.stepping) yield k.release(ptl);
      k.unlock(ptl);
    }
    yield* mmuNotifierInvalidateRangeEnd(k, range);
    if (found) return page;
    yield* folioUnlockPut(k, folio, Holder.Pin);
  }
}

/** Pages of a folio, for callers that only know rmap. */
export { folioPages, folioTest };
