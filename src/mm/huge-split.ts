/**
 * Splitting huge mappings into entries of the lowest level, and large folios into base pages.
 *
 * Models: mm/huge_memory.c (the splitting half)
 */
import { EAGAIN, EBUSY, EINVAL } from '../machine/errno.ts';
import {
  PG_ACTIVE,
  PG_DIRTY,
  PG_HEAD,
  PG_LOCKED,
  PG_LRU,
  PG_MAPPED_SHARED,
  PG_REFERENCED,
  PG_SWAPBACKED,
  PG_UPTODATE,
  PG_WORKINGSET,
} from '../machine/page.ts';
import {
  mkPte,
  PTE_ACCESSED,
  PTE_SOFT_DIRTY,
  PTE_SPECIAL,
  PTE_UFFD,
  PTE_WRITE,
  pteDirty,
  pteMkdirty,
  ptePfn,
  pteSoftDirty,
  pteWrite,
  pteYoung,
} from '../machine/pte.ts';
import { type Kernel$, ObjectKind, Role } from '../machine/step.ts';
import type { Folio, Pfn, Pte, Ptep, TableId, Vpn } from '../machine/units.ts';
import { folioGetAnonVma, putAnonVma } from './anon-vma.ts';
import {
  folioClear,
  folioFree,
  folioGet,
  folioIsDevicePrivate,
  folioIsLarge,
  folioIsZoneDevice,
  folioMapcount,
  folioPages,
  folioPutTestzero,
  folioRefCount,
  folioSet,
  folioTest,
  folioTestAnon,
  folioUnlockPut,
  pageAnonExclusive,
  pageFolio,
  SPLIT_FLAGS,
} from './folio.ts';
import type { Kernel } from './kernel.ts';
import {
  isDevicePrivate,
  isDevicePrivateWrite,
  isMigration,
  isMigrationDirty,
  isMigrationReadExclusive,
  isMigrationWrite,
  isMigrationYoung,
  makeMigrationEntryDirty,
  makeMigrationEntryYoung,
  makeReadableDevicePrivateEntry,
  makeReadableExclusiveMigrationEntry,
  makeReadableMigrationEntry,
  makeWritableDevicePrivateEntry,
  makeWritableMigrationEntry,
  SWP_SOFT_DIRTY,
  SWP_UFFD,
  softleafToPfn,
} from './leafops.ts';
import { Holder } from './look/ledger.ts';
import { pagePgmap } from './memremap.ts';
import { folioExpectedRefCount, removeMigrationPtes } from './migrate.ts';
import {
  MmuNotify,
  mmuNotifierInvalidateRangeEnd,
  mmuNotifierInvalidateRangeStart,
  notifierRange,
} from './mmu-notifier.ts';
import {
  hugeStart,
  pgtableWithdraw,
  pmdIsHuge,
  pmdMkinvalid,
  pmdPopulate,
  pmdpOf,
  pmdTransHuge,
  ptepGet,
  ptepGetAndClear,
  ptlOf,
  setPte,
} from './pgtable.ts';
import {
  folioAddAnonRmapPtes,
  folioRemoveRmapPmd,
  folioTryShareAnonRmap,
  TTU_RMAP_LOCKED,
  TTU_SPLIT_HUGE_PMD,
  TTU_SYNC,
  tryToMigrate,
} from './rmap.ts';
import { type Vma, vmaIsAnonymous } from './vma.ts';

// ---- mappings ----

/** Puts `make(i)` into every entry of a table that nobody can see yet. */
function fillTable(k: Kernel, table: TableId, make: (i: number) => number): void {
  const first = table << k.tables.strideShift;
  k.warn(!k.tables.isEmpty(table), 'a deposited table is not empty');
  for (let i = 0; i < k.geometry.ptrsPerPte; i++) setPte(k, first + i, make(i));
}

/**
 * The huge zero page becomes zero pages.
 *
 * Mirrors: mm/huge_memory.c __split_huge_zero_page_pmd()
 * simplified: no userfaultfd-wp
 */
function* splitHugeZeroPagePmd(k: Kernel, vma: Vma, haddr: Vpn, pmdp: Ptep): Kernel$<void> {
  if (k.stepping) yield k.writeEntry(pmdp);
  ptepGetAndClear(k, pmdp);
  if (k.stepping) yield k.flushStep(vma.mm.id);
  k.flushTlbRange(vma.mm.id, haddr, haddr + k.geometry.ptrsPerPte);
  const table = pgtableWithdraw(k, pmdp);
  const pte = mkPte(k.zeroPfn, vma.pageProt) | PTE_SPECIAL;
  fillTable(k, table, () => pte);
  if (k.stepping) yield k.writeEntry(pmdp);
  pmdPopulate(k, pmdp, table);
}

/** What a huge entry knows, and what its small entries take over. */
interface SplitState {
  page: Pfn;
  write: boolean;
  young: boolean;
  dirty: boolean;
  softDirty: boolean;
  uffd: boolean;
  anonExclusive: boolean;
  /** Whether the small entries are migration entries. */
  migration: boolean;
  devicePrivate: boolean;
}

/** The small entry of the page `i` pages after the first. */
function smallEntry(vma: Vma, state: SplitState, i: number): Pte {
  const page = state.page + i;
  const { write, young, dirty, softDirty, uffd } = state;
  if (state.migration || state.devicePrivate) {
    let entry: Pte;
    if (state.migration) {
      entry = write
        ? makeWritableMigrationEntry(page)
        : state.anonExclusive
          ? makeReadableExclusiveMigrationEntry(page)
          : makeReadableMigrationEntry(page);
      if (young) entry = makeMigrationEntryYoung(entry);
      if (dirty) entry = makeMigrationEntryDirty(entry);
    } else {
      entry = write ? makeWritableDevicePrivateEntry(page) : makeReadableDevicePrivateEntry(page);
    }
    if (softDirty) entry |= SWP_SOFT_DIRTY;
    if (uffd) entry |= SWP_UFFD;
    return entry;
  }
  let pte = mkPte(page, vma.pageProt);
  if (write) pte |= PTE_WRITE;
  if (!young) pte &= ~PTE_ACCESSED;
  if (dirty) pte = pteMkdirty(pte);
  if (softDirty) pte |= PTE_SOFT_DIRTY;
  if (uffd) pte |= PTE_UFFD;
  return pte;
}

/**
 * Takes apart what a huge entry holds: mappings and references of each page, or none with `freeze`.
 * @returns whether the folio is frozen: the small entries are migration entries
 */
function* splitReferences(
  k: Kernel,
  vma: Vma,
  folio: Folio,
  state: SplitState,
  freeze: boolean,
): Kernel$<boolean> {
  if (k.stepping) yield k.writeFolio(folio);
  // a page that may be pinned stays mapped: the migration fails later
  if (freeze && state.anonExclusive && folioTryShareAnonRmap(k, folio, state.page)) freeze = false;
  if (!freeze) {
    const pages = k.geometry.ptrsPerPte;
    folioGet(k, folio, Holder.Mapping, pages - 1);
    folioAddAnonRmapPtes(k, folio, state.page, pages, vma, state.anonExclusive);
  }
  return freeze;
}

/**
 * Splits a huge entry whose table is locked, if it is one still.
 *
 * Mirrors: mm/huge_memory.c split_huge_pmd_locked(), __split_huge_pmd_locked()
 * simplified: files have no huge pages
 * @param freeze the small entries become migration entries, and the mapping's reference is dropped;
 *   of a migration entry, a reference of the caller's (holder Split) is dropped
 * @returns whether a reference was dropped
 */
export function* splitHugePmdLocked(
  k: Kernel,
  vma: Vma,
  vpn: Vpn,
  pmdp: Ptep,
  freeze: boolean,
): Kernel$<boolean> {
  const pmd = ptepGet(k, pmdp);
  if (!pmdIsHuge(pmd)) return false;
  const haddr = hugeStart(k, vpn);
  const { ptrsPerPte } = k.geometry;
  k.assertHeld(ptlOf(k, pmdp));
  k.bug(
    haddr < vma.start || haddr + ptrsPerPte > vma.end,
    'a huge mapping reaches beyond its area',
  );
  k.bug(!vmaIsAnonymous(vma), 'a huge mapping of a file');
  if (pmdTransHuge(pmd) && k.isHugeZero(ptePfn(pmd))) {
    yield* splitHugeZeroPagePmd(k, vma, haddr, pmdp);
    return false;
  }
  const present = pmdTransHuge(pmd);
  const wasMigration = !present && isMigration(pmd);
  const state: SplitState = {
    page: present ? ptePfn(pmd) : softleafToPfn(pmd),
    write: present ? pteWrite(pmd) : isMigrationWrite(pmd) || isDevicePrivateWrite(pmd),
    young: false,
    dirty: false,
    softDirty: (pmd & SWP_SOFT_DIRTY) !== 0,
    uffd: (pmd & SWP_UFFD) !== 0,
    anonExclusive: false,
    migration: wasMigration,
    devicePrivate: !present && isDevicePrivate(pmd),
  };
  const folio = pageFolio(k, state.page);
  if (wasMigration) {
    state.anonExclusive = isMigrationReadExclusive(pmd);
    state.young = isMigrationYoung(pmd);
    state.dirty = isMigrationDirty(pmd);
  } else {
    if (present) {
      // invalid first, so that the hardware never has a huge and a small translation at once
      if (k.stepping) yield k.writeEntry(pmdp);
      const old = ptepGet(k, pmdp);
      setPte(k, pmdp, pmdMkinvalid(old));
      if (k.stepping) yield k.flushStep(vma.mm.id).and(ObjectKind.Folio, folio, Role.Write);
      k.flushTlbRange(vma.mm.id, haddr, haddr + ptrsPerPte);
      state.young = pteYoung(old);
      state.dirty = pteDirty(old);
      state.softDirty = pteSoftDirty(old);
      state.uffd = (old & PTE_UFFD) !== 0;
      if (state.dirty) folioSet(k, folio, PG_DIRTY);
      k.warn(!folioTestAnon(k, folio), 'a huge page that is not anonymous');
    }
    state.anonExclusive = pageAnonExclusive(k, state.page);
    freeze = yield* splitReferences(k, vma, folio, state, freeze);
    state.migration = freeze;
  }
  const table = pgtableWithdraw(k, pmdp);
  fillTable(k, table, (i) => smallEntry(vma, state, i));
  if (k.stepping) yield k.writeFolio(folio);
  if (!wasMigration) folioRemoveRmapPmd(k, folio, vma);
  if (freeze) {
    const holder = wasMigration ? Holder.Split : Holder.Mapping;
    if (folioPutTestzero(k, folio, holder)) yield* folioFree(k, folio);
  }
  if (k.stepping) yield k.writeEntry(pmdp);
  pmdPopulate(k, pmdp, table);
  return freeze;
}

/**
 * Splits the huge entry that maps `vpn`, and tells the notifiers.
 *
 * Mirrors: mm/huge_memory.c __split_huge_pmd()
 * faithful
 * @returns whether a reference was dropped, as `freeze` asks for
 */
export function* splitHugePmd(
  k: Kernel,
  vma: Vma,
  pmdp: Ptep,
  vpn: Vpn,
  freeze = false,
): Kernel$<boolean> {
  const haddr = hugeStart(k, vpn);
  const range = notifierRange(MmuNotify.Clear, vma.mm, haddr, haddr + k.geometry.ptrsPerPte);
  yield* mmuNotifierInvalidateRangeStart(k, range);
  const ptl = ptlOf(k, pmdp);
  if (k.stepping) yield k.acquire(ptl);
  k.lock(ptl);
  const dropped = yield* splitHugePmdLocked(k, vma, haddr, pmdp, freeze);
  if (k.stepping) yield k.release(ptl);
  k.unlock(ptl);
  yield* mmuNotifierInvalidateRangeEnd(k, range);
  return dropped;
}

/**
 * Mirrors: mm/huge_memory.c split_huge_pmd_address()
 * faithful
 * @returns whether a reference was dropped, as `freeze` asks for
 */
export function* splitHugePmdAddress(
  k: Kernel,
  vma: Vma,
  vpn: Vpn,
  freeze: boolean,
): Kernel$<boolean> {
  const pmdp = pmdpOf(k, vma.mm, vpn);
  return pmdp >= 0 && (yield* splitHugePmd(k, vma, pmdp, vpn, freeze));
}

/**
 * An area is about to begin or end at `at`: no huge mapping may lie across it.
 *
 * Mirrors: mm/huge_memory.c vma_adjust_trans_huge(), split_huge_pmd_if_needed()
 * faithful
 */
export function* vmaAdjustTransHuge(k: Kernel, vma: Vma, at: Vpn): Kernel$<void> {
  const down = hugeStart(k, at);
  if (down === at || down < vma.start || down + k.geometry.ptrsPerPte > vma.end) return;
  yield* splitHugePmdAddress(k, vma, at, false);
}

// ---- folios ----

/** Flags that every new folio takes over from the one that was split. */
const INHERITED =
  PG_REFERENCED | PG_SWAPBACKED | PG_UPTODATE | PG_ACTIVE | PG_WORKINGSET | PG_LOCKED | PG_DIRTY;

/** Gives the pages of an unmapped folio that nobody can reference an identity of their own. */
function splitFolioToPages(k: Kernel, folio: Folio): void {
  const { pages } = k;
  const end = folio + folioPages(k, folio);
  const inherited = pages.flags[folio] & INHERITED;
  for (let page = folio + 1; page < end; page++) {
    k.warn(pages.mapcount[page] !== 0, 'a folio is split while a page of it is mapped');
    pages.flags[page] = inherited;
    pages.mapping[page] = pages.mapping[folio];
    pages.index[page] = pages.index[folio] + (page - folio);
    pages.head[page] = page;
    pages.order[page] = 0;
    pages.lockOwner[page] = pages.lockOwner[folio];
    if (inherited & PG_LOCKED) k.current.folioLocks++;
  }
  folioClear(k, folio, PG_HEAD | PG_MAPPED_SHARED);
  pages.order[folio] = 0;
}

/**
 * Splits an unmapped folio of whose references the caller holds the only one; each new folio gets
 * one. A step on the folio precedes it.
 *
 * Mirrors: mm/huge_memory.c __folio_freeze_and_split_unmapped(), __split_unmapped_folio(),
 *   __split_folio_to_order()
 * simplified: to base pages; frozen, split and unfrozen in one step
 * @param addLru the new folios go on the LRU lists
 * @param holder who holds the new folios' references
 * @param list if given, the new folios go here instead, isolated
 * @returns 0, or -EAGAIN when somebody else holds a reference
 */
function freezeAndSplitUnmapped(
  k: Kernel,
  folio: Folio,
  addLru: boolean,
  holder: Holder,
  list: Folio[] | null,
): number {
  if (folioRefCount(k, folio) !== 1) return -EAGAIN;
  const end = folio + folioPages(k, folio);
  folioClear(k, folio, SPLIT_FLAGS);
  splitFolioToPages(k, folio);
  const device = folioIsZoneDevice(k, folio);
  const ops = device ? pagePgmap(k, folio).ops : null;
  const onLru = addLru && !device && !list;
  if (onLru) k.warn(!folioTest(k, folio, PG_LRU), 'a folio off the LRU lists is split onto them');
  k.warn(list !== null && folioTest(k, folio, PG_LRU), 'a folio on the LRU lists is reclaimed');
  for (let page = folio + 1; page < end; page++) {
    ops?.folioSplit(k, folio, page);
    k.pages.refcount[page] = 1;
    k.ledger?.get(page, holder);
    if (onLru) folioSet(k, page, PG_LRU);
    if (list) {
      folioGet(k, page, Holder.Isolated);
      list.push(page);
    }
  }
  ops?.folioSplit(k, folio, null);
  k.counters.splits++;
  return 0;
}

/** The caller's one reference of `folio` is one of `to` from now on. */
function moveCallersReference(k: Kernel, folio: Folio, to: Folio): void {
  if (k.ledger === null || folio === to) return;
  const holder = Object.keys(k.ledger.holders(folio))[0] as Holder;
  k.ledger.move(folio, holder, Holder.Split);
  k.ledger.move(to, Holder.Split, holder);
}

/**
 * Splits an anonymous folio into base pages. The caller holds its lock and one reference; both are
 * those of the page `lockAt` afterwards. The other pages are unlocked, and freed unless they are
 * mapped.
 *
 * Mirrors: mm/huge_memory.c __folio_split(), unmap_folio(), remap_page(), split_folio()
 * simplified: anonymous folios, to base pages
 * @param list if given, the new folios go here instead of the LRU lists, isolated
 * @returns 0; -EAGAIN when somebody else holds a reference; -EBUSY when the folio is not mapped;
 *   -EINVAL for what cannot be split
 */
export function* splitFolio(
  k: Kernel,
  folio: Folio,
  lockAt = folio,
  list: Folio[] | null = null,
): Kernel$<number> {
  k.warn(!k.folioLocked(folio), 'a folio is split without its lock');
  if (!folioIsLarge(k, folio) || pageFolio(k, lockAt) !== folio) return -EINVAL;
  if (k.isHugeZero(folio)) return -EINVAL;
  if (k.stepping) yield k.readFolio(folio);
  const anonVma = folioGetAnonVma(k, folio);
  if (!anonVma) return -EBUSY;
  const { lock } = anonVma;
  if (k.stepping) yield k.acquire(lock);
  k.lock(lock);
  if (k.stepping) yield k.readFolio(folio);
  let ret = -EAGAIN;
  if (folioExpectedRefCount(k, folio) === folioRefCount(k, folio) - 1) {
    const end = folio + folioPages(k, folio);
    yield* tryToMigrate(k, folio, TTU_SPLIT_HUGE_PMD | TTU_RMAP_LOCKED | TTU_SYNC);
    if (k.stepping) yield k.splitStep(folio);
    ret = freezeAndSplitUnmapped(k, folio, true, Holder.Split, list);
    if (ret) yield* removeMigrationPtes(k, folio, folio, false, true);
    else {
      moveCallersReference(k, folio, lockAt);
      const useZeroPage = !folioIsDevicePrivate(k, folio);
      for (let page = folio; page < end; page++) {
        yield* removeMigrationPtes(k, page, page, useZeroPage, true);
      }
      for (let page = folio; page < end; page++) {
        if (page === lockAt) continue;
        yield* folioUnlockPut(k, page, Holder.Split);
      }
    }
  }
  if (k.stepping) yield k.release(lock);
  k.unlock(lock);
  putAnonVma(k, anonVma);
  return ret;
}

/**
 * Splits an anonymous folio that is unmapped and off the LRU lists into base pages. The caller holds
 * its lock and one reference; it holds those of every new folio afterwards.
 *
 * Mirrors: mm/huge_memory.c folio_split_unmapped()
 * simplified: to base pages
 * @param holder who holds the references
 * @returns 0, or -EAGAIN when somebody else holds a reference
 */
export function* folioSplitUnmapped(
  k: Kernel,
  folio: Folio,
  holder: Holder = Holder.Migrate,
): Kernel$<number> {
  k.warn(folioMapcount(k, folio) !== 0, 'a mapped folio is split as an unmapped one');
  k.warn(!k.folioLocked(folio), 'a folio is split without its lock');
  if (k.stepping) yield k.splitStep(folio);
  if (folioExpectedRefCount(k, folio) !== folioRefCount(k, folio) - 1) return -EAGAIN;
  return freezeAndSplitUnmapped(k, folio, false, holder, null);
}
