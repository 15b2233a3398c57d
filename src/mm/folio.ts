/**
 * Folios: allocation, references, the LRU batches.
 *
 * Models: mm/page_alloc.c, mm/folio.c, include/linux/mm.h
 */

import { looksUpOnly } from '../machine/finding.ts';
import { POISON } from '../machine/machine.ts';
import { PageField } from '../machine/monitor.ts';
import {
  MAPPING_ANON,
  PG_ACTIVE,
  PG_ANON_EXCLUSIVE,
  PG_DEFERRED_SPLIT,
  PG_HUGETLB,
  PG_LOCKED,
  PG_LRU,
  PG_PARTIALLY_MAPPED,
  PG_REFERENCED,
  PG_RESERVED,
  PG_SWAPBACKED,
  PG_WORKINGSET,
  ZONE_COHERENT,
  ZONE_DEVICE,
} from '../machine/page.ts';
import { type Kernel$, ObjectKind, Role } from '../machine/step.ts';
import type { Folio, Pfn, Pgoff } from '../machine/units.ts';
import { freeHugeFolio } from './hugetlb-pool.ts';
import type { Kernel, LruBatches } from './kernel.ts';
import { Holder } from './look/ledger.ts';
import { freeZoneDeviceFolio } from './memremap.ts';

/** Folios a batch holds before it is drained (PAGEVEC_SIZE). */
const BATCH = 31;

/** The folio that a page is part of: its first page (page_folio()). */
export function pageFolio(k: Kernel, pfn: Pfn): Folio {
  if (k.monitor !== null) k.monitor.onPage(pfn, PageField.Head);
  return k.pages.head[pfn];
}

/** Whether a page belongs to no folio: nobody has a reference (page_count() is 0). */
export function pageIsFree(k: Kernel, pfn: Pfn): boolean {
  if (k.monitor !== null) k.monitor.onFreeAsked(pfn);
  return k.pages.isFree(pfn);
}

/** A folio has `2 ** order` pages. */
export function folioOrder(k: Kernel, folio: Folio): number {
  if (k.monitor !== null) k.monitor.onPage(folio, PageField.Order);
  return k.pages.order[folio];
}

/** Pages of a folio (folio_nr_pages()). */
export function folioPages(k: Kernel, folio: Folio): number {
  if (k.monitor !== null) k.monitor.onPage(folio, PageField.Order);
  return 1 << k.pages.order[folio];
}
export function folioIsLarge(k: Kernel, folio: Folio): boolean {
  if (k.monitor !== null) k.monitor.onPage(folio, PageField.Order);
  return k.pages.order[folio] !== 0;
}
/** One flag is a page's own. */
function fieldOf(flag: number): PageField {
  return flag === PG_ANON_EXCLUSIVE ? PageField.PageFlags : PageField.Flags;
}
export function folioTest(k: Kernel, folio: Folio, flag: number): boolean {
  if (k.monitor !== null) k.monitor.onPage(folio, fieldOf(flag));
  return (k.pages.flags[folio] & flag) !== 0;
}
export function folioSet(k: Kernel, folio: Folio, flag: number): void {
  if (k.monitor !== null) k.monitor.onPage(folio, fieldOf(flag));
  k.pages.flags[folio] = k.pages.flags[folio] | flag;
}
export function folioClear(k: Kernel, folio: Folio, flag: number): void {
  if (k.monitor !== null) k.monitor.onPage(folio, fieldOf(flag));
  k.pages.flags[folio] = k.pages.flags[folio] & ~flag;
}
export function folioTestAnon(k: Kernel, folio: Folio): boolean {
  if (k.monitor !== null) k.monitor.onPage(folio, PageField.Mapping);
  return (k.pages.mapping[folio] & MAPPING_ANON) !== 0;
}
export function pageAnonExclusive(k: Kernel, pfn: Pfn): boolean {
  if (k.monitor !== null) k.monitor.onPage(pfn, PageField.PageFlags);
  return (k.pages.flags[pfn] & PG_ANON_EXCLUSIVE) !== 0;
}
/** One process alone maps a page from here on (SetPageAnonExclusive()). */
export function setPageAnonExclusive(k: Kernel, pfn: Pfn): void {
  if (k.monitor !== null) k.monitor.onExclusive(pfn);
  folioSet(k, pfn, PG_ANON_EXCLUSIVE);
}
/** Others may map a page from here on (ClearPageAnonExclusive()). */
export function clearPageAnonExclusive(k: Kernel, pfn: Pfn): void {
  if (k.monitor !== null) k.monitor.onExclusive(pfn);
  folioClear(k, pfn, PG_ANON_EXCLUSIVE);
}
/** On a device, within the reach of CPUs or not. */
export function folioIsZoneDevice(k: Kernel, folio: Folio): boolean {
  return k.pages.zone[folio] >= ZONE_DEVICE;
}
/** On a device, and out of the reach of CPUs. */
export function folioIsDevicePrivate(k: Kernel, folio: Folio): boolean {
  const zone = k.pages.zone[folio];
  return zone >= ZONE_DEVICE && zone < ZONE_COHERENT;
}
/** On a device, where CPUs reach it as they reach RAM. */
export function folioIsDeviceCoherent(k: Kernel, folio: Folio): boolean {
  return k.pages.zone[folio] >= ZONE_COHERENT;
}
/** How often the folio is mapped, by entries of any level. */
export function folioMapcount(k: Kernel, folio: Folio): number {
  if (k.monitor !== null) k.monitor.onPage(folio, PageField.Mapcount);
  return (
    k.pages.order[folio] === 0 ? k.pages.mapcount[folio] : k.pages.largeMapcount[folio]
  ) as number;
}

/** How often one page of a folio is mapped, by entries of the lowest level (page->_mapcount). */
export function pageMapcount(k: Kernel, page: Pfn): number {
  if (k.monitor !== null) k.monitor.onPage(page, PageField.PageMapcount);
  return k.pages.mapcount[page];
}
export function setPageMapcount(k: Kernel, page: Pfn, count: number): void {
  if (k.monitor !== null) k.monitor.onPage(page, PageField.PageMapcount);
  k.pages.mapcount[page] = count;
}

/** How often a large folio is mapped whole (folio_entire_mapcount()). */
export function folioEntireMapcount(k: Kernel, folio: Folio): number {
  if (k.monitor !== null) k.monitor.onPage(folio, PageField.Mapcount);
  return k.pages.entireMapcount[folio];
}

/** To whom a folio belongs (folio->mapping). */
export function folioMappingWord(k: Kernel, folio: Folio): number {
  if (k.monitor !== null) k.monitor.onPage(folio, PageField.Mapping);
  return k.pages.mapping[folio];
}

/** Where in its mapping a folio begins, in pages (folio->index). */
export function folioIndex(k: Kernel, folio: Folio): Pgoff {
  if (k.monitor !== null) k.monitor.onPage(folio, PageField.Mapping);
  return k.pages.index[folio];
}

/** References on a folio (folio_ref_count()). */
export function folioRefCount(k: Kernel, folio: Folio): number {
  if (k.monitor !== null) k.monitor.onPage(folio, PageField.Refcount);
  return k.pages.refcount[folio];
}

looksUpOnly(
  pageFolio,
  folioOrder,
  folioPages,
  folioIsLarge,
  folioTest,
  folioSet,
  folioClear,
  folioTestAnon,
  pageAnonExclusive,
  folioMapcount,
  pageMapcount,
  setPageMapcount,
  folioEntireMapcount,
  folioMappingWord,
  folioIndex,
  folioRefCount,
);

/**
 * Allocates RAM.
 *
 * Mirrors: mm/page_alloc.c folio_alloc()
 * simplified: no zones, no memory policies; nothing is reclaimed, but that it could be is looked at
 * @param order log2 of the pages
 * @returns the first frame number with one reference, or -1
 */
export function folioAlloc(k: Kernel, order: number): Folio {
  k.mightAlloc();
  if (k.mayFail()) return -1;
  const pfn = k.pages.takeRam(order, k.ramLimit, k.current.cpu);
  if (pfn < 0) return -1;
  if (k.monitor !== null) k.monitor.onUse(pfn, 1 << order);
  k.pages.initFolio(pfn, order);
  k.frames.ensure(pfn + (1 << order));
  k.counters.pagesAllocated += 1 << order;
  k.ledger?.get(pfn, Holder.Alloc);
  k.allocated(pfn);
  return pfn;
}

/** Clears a page of RAM (clear_highpage()). */
export function clearPage(k: Kernel, pfn: Pfn): void {
  k.frames.clear(pfn);
  k.counters.bytesCleared += k.geometry.pageBytes;
}

/** Copies a page of RAM (copy_highpage()). */
export function copyPage(k: Kernel, to: Pfn, from: Pfn): void {
  k.frames.copy(to, from);
  k.counters.bytesCopied += k.geometry.pageBytes;
}

/** Takes a reference (folio_get(), folio_ref_add()). The step before it is the caller's. */
export function folioGet(k: Kernel, folio: Folio, holder: Holder, count = 1): void {
  const refs = k.pages.refcount;
  if (refs[folio] <= 0) k.report('use after free', 'folio_get() of a free folio');
  refs[folio] = refs[folio] + count;
  if (k.ledger !== null) k.ledger.get(folio, holder, count);
}

/** Takes a reference unless the folio is free (folio_try_get()). */
export function folioTryGet(k: Kernel, folio: Folio, holder: Holder): boolean {
  if (k.pages.refcount[folio] <= 0) return false;
  folioGet(k, folio, holder);
  return true;
}

/** Drops references; true when they were the last, and the caller must `folioFree`. */
export function folioPutTestzero(k: Kernel, folio: Folio, holder: Holder, count = 1): boolean {
  const refs = k.pages.refcount;
  const left = refs[folio] - count;
  if (left < 0) {
    k.report('reference', 'folio_put() of a folio without references');
    return false;
  }
  refs[folio] = left;
  if (k.ledger !== null) k.ledger.put(folio, holder, count);
  return left === 0;
}

/** One holder of a reference hands it to another. */
export function folioHandOver(k: Kernel, folio: Folio, from: Holder, to: Holder): void {
  if (k.ledger !== null) k.ledger.move(folio, from, to);
}

/**
 * Frees RAM whose last reference is gone (__folio_put(), free_frozen_pages()). The step before it is the
 * caller's.
 */
export function freeRamFolio(k: Kernel, folio: Folio): void {
  const pages = k.pages;
  const order = pages.order[folio];
  const flags = pages.flags[folio];
  if (flags & PG_RESERVED) k.report('bad page', 'a reserved page is freed');
  if (flags & PG_LOCKED) k.report('bad page', 'a locked folio is freed');
  if (folioMapcount(k, folio) !== 0) k.report('bad page', 'a mapped folio is freed');
  k.ledger?.freed(folio);
  if (k.monitor !== null) k.monitor.onFree(folio, 1 << order);
  if (k.poison) {
    for (let pfn = folio; pfn < folio + (1 << order); pfn++) k.frames.fill(pfn, POISON);
  }
  pages.markFree(folio, order);
  if (flags & PG_HUGETLB) freeHugeFolio(k, folio, flags);
  else pages.giveRam(folio, order, k.current.cpu);
}

/**
 * Frees a folio whose last reference is gone.
 *
 * Mirrors: mm/folio.c __folio_put()
 * faithful
 */
export function* folioFree(k: Kernel, folio: Folio): Kernel$<void> {
  if (folioIsZoneDevice(k, folio)) {
    yield* freeZoneDeviceFolio(k, folio);
    return;
  }
  if (k.stepping) yield k.freeStep(folio);
  freeRamFolio(k, folio);
}

/**
 * Drops a reference, and frees the folio with the last.
 *
 * Mirrors: include/linux/mm.h folio_put()
 * faithful
 */
export function* folioPut(k: Kernel, folio: Folio, holder: Holder): Kernel$<void> {
  if (k.stepping) yield k.writeFolio(folio);
  if (folioPutTestzero(k, folio, holder)) yield* folioFree(k, folio);
}

/**
 * Gives a folio's lock and a reference back, and frees it with the last.
 *
 * Mirrors: mm/filemap.c folio_unlock(), include/linux/mm.h folio_put()
 * simplified: one step, which changes the lock and the count; who came in between would find one
 * reference more, as before the unlock
 */
export function* folioUnlockPut(k: Kernel, folio: Folio, holder: Holder): Kernel$<void> {
  if (k.stepping) yield k.releaseFolio(folio);
  k.folioUnlock(folio);
  if (folioPutTestzero(k, folio, holder)) yield* folioFree(k, folio);
}

/**
 * Gives back a folio of RAM that nobody else has seen. The allocator sees it where RAM is limited: who
 * allocates depends on it.
 *
 * Mirrors: include/linux/mm.h folio_put()
 * simplified: one step, as nobody else counts
 */
export function* folioPutFresh(k: Kernel, folio: Folio): Kernel$<void> {
  if (k.stepping) yield k.freeStep(folio);
  if (folioPutTestzero(k, folio, Holder.Alloc)) freeRamFolio(k, folio);
}

// ---- LRU ----

function batches(k: Kernel): LruBatches {
  return k.lru[k.current.cpu];
}

function* drain(
  k: Kernel,
  folios: readonly number[],
  move: (k: Kernel, folio: Folio) => void,
): Kernel$<void> {
  for (const folio of folios) {
    if (k.stepping) yield k.writeFolio(folio);
    move(k, folio);
    if (!folioPutTestzero(k, folio, Holder.LruBatch)) continue;
    folioClear(k, folio, PG_LRU);
    yield* folioFree(k, folio);
  }
}

function lruAdd(k: Kernel, folio: Folio): void {
  folioSet(k, folio, PG_LRU);
}
function lruActivate(k: Kernel, folio: Folio): void {
  if (!folioTest(k, folio, PG_LRU)) return;
  folioSet(k, folio, PG_ACTIVE);
}
function lruDeactivate(k: Kernel, folio: Folio): void {
  if (!folioTest(k, folio, PG_LRU)) return;
  folioClear(k, folio, PG_ACTIVE | PG_REFERENCED);
}

/** Mirrors: mm/folio.c lru_lazyfree(); simplified: the lists are not ordered */
function lruLazyfree(k: Kernel, folio: Folio): void {
  if (!folioTest(k, folio, PG_LRU)) return;
  if (!folioTestAnon(k, folio) || !folioTest(k, folio, PG_SWAPBACKED)) return;
  folioClear(k, folio, PG_ACTIVE | PG_REFERENCED | PG_SWAPBACKED);
}

/** Takes a CPU's batches, all at once, and empties them. */
function* drainCpu(k: Kernel, own: LruBatches): Kernel$<void> {
  const add = own.add.splice(0);
  const deactivate = own.deactivate.splice(0);
  const lazyfree = own.lazyfree.splice(0);
  const activate = own.activate.splice(0);
  yield* drain(k, add, lruAdd);
  yield* drain(k, deactivate, lruDeactivate);
  yield* drain(k, lazyfree, lruLazyfree);
  yield* drain(k, activate, lruActivate);
}

/**
 * Empties this CPU's batches.
 *
 * Mirrors: mm/folio.c lru_add_drain()
 * faithful
 */
export function* lruAddDrain(k: Kernel): Kernel$<void> {
  if (k.stepping) yield k.batchStep(k.current.cpu);
  yield* drainCpu(k, batches(k));
}

/**
 * Empties every CPU's batches.
 *
 * Mirrors: mm/folio.c lru_add_drain_all()
 * simplified: one after the other, by the caller
 */
export function* lruAddDrainAll(k: Kernel): Kernel$<void> {
  for (let cpu = 0; cpu < k.lru.length; cpu++) {
    if (k.stepping) yield k.batchStep(cpu);
    yield* drainCpu(k, k.lru[cpu]);
  }
}

/** Puts a folio into a batch. Large folios do not wait there. */
function* addTo(
  k: Kernel,
  list: Folio[],
  folio: Folio,
  move: (k: Kernel, f: Folio) => void,
): Kernel$<void> {
  if (k.stepping) yield k.batchStep(k.current.cpu).and(ObjectKind.Folio, folio, Role.Write);
  folioGet(k, folio, Holder.LruBatch);
  list.push(folio);
  if (list.length >= BATCH || folioIsLarge(k, folio)) yield* drain(k, list.splice(0), move);
}

/**
 * Puts a folio on the LRU lists, through this CPU's batch.
 *
 * Mirrors: mm/folio.c folio_add_lru()
 * faithful
 */
export function folioAddLru(k: Kernel, folio: Folio): Kernel$<void> {
  return addTo(k, batches(k).add, folio, lruAdd);
}

/** Takes a folio off the LRU lists (folio_isolate_lru()); takes a reference on success. */
export function folioIsolateLru(k: Kernel, folio: Folio): boolean {
  if (!folioTest(k, folio, PG_LRU)) return false;
  folioClear(k, folio, PG_LRU);
  folioGet(k, folio, Holder.Isolated);
  return true;
}

/**
 * Puts an isolated folio back; drops the isolation's reference.
 *
 * Mirrors: mm/folio.c folio_putback_lru()
 * faithful
 */
export function* folioPutbackLru(k: Kernel, folio: Folio): Kernel$<void> {
  yield* folioAddLru(k, folio);
  yield* folioPut(k, folio, Holder.Isolated);
}

/**
 * Notes an access: the second one activates. The step before it is the caller's.
 *
 * Mirrors: mm/folio.c folio_mark_accessed()
 * simplified: without the multi-generation LRU and idle tracking
 */
export function* folioMarkAccessed(k: Kernel, folio: Folio): Kernel$<void> {
  if (!folioTest(k, folio, PG_REFERENCED)) {
    folioSet(k, folio, PG_REFERENCED);
    return;
  }
  if (folioTest(k, folio, PG_ACTIVE)) return;
  if (folioTest(k, folio, PG_LRU)) yield* addTo(k, batches(k).activate, folio, lruActivate);
  else {
    if (k.stepping) yield k.batchStep(k.current.cpu).and(ObjectKind.Folio, folio, Role.Write);
    if (batches(k).add.includes(folio)) folioSet(k, folio, PG_ACTIVE);
  }
  if (k.stepping) yield k.writeFolio(folio);
  folioClear(k, folio, PG_REFERENCED);
}

/**
 * Moves an active folio towards reclaim. The step before it is the caller's.
 *
 * Mirrors: mm/folio.c folio_deactivate()
 * faithful
 */
export function* folioDeactivate(k: Kernel, folio: Folio): Kernel$<void> {
  if (!folioTest(k, folio, PG_ACTIVE)) return;
  if (!folioTest(k, folio, PG_LRU)) return;
  yield* addTo(k, batches(k).deactivate, folio, lruDeactivate);
}

/**
 * An anonymous folio whose contents nobody wants may be discarded. The step before it is the
 * caller's.
 *
 * Mirrors: mm/folio.c folio_mark_lazyfree()
 * faithful
 */
export function* folioMarkLazyfree(k: Kernel, folio: Folio): Kernel$<void> {
  if (!folioTestAnon(k, folio) || !folioTest(k, folio, PG_SWAPBACKED)) return;
  if (folioTest(k, folio, PG_LRU)) yield* addTo(k, batches(k).lazyfree, folio, lruLazyfree);
}

/** Flags that a migration carries from the old folio to the new one (folio_migrate_flags()). */
export const MIGRATED_FLAGS = PG_REFERENCED | PG_ACTIVE | PG_WORKINGSET;
export const SPLIT_FLAGS = PG_DEFERRED_SPLIT | PG_PARTIALLY_MAPPED;
