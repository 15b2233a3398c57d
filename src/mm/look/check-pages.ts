import {
  PG_HUGETLB,
  PG_LOCKED,
  PG_LRU,
  PG_RESERVED,
  PG_RESTORE_RESERVE,
  ZONE_DEVICE,
  ZONE_RAM,
} from '../../machine/page.ts';
import type { Folio, Pfn } from '../../machine/units.ts';
import { folioIsLarge, folioTestAnon, pageAnonExclusive, pageFolio } from '../folio.ts';
import { reservedIn } from '../hugetlb.ts';
import { GUP_PIN_COUNTING_BIAS } from '../rmap.ts';
import { bump, type Inspection, type Where } from './inspection.ts';
import { Holder } from './ledger.ts';

/** A pinned page: the zero page's are not counted, a large folio's by themselves. */
export function checkPinned(i: Inspection, page: Pfn): void {
  const { k, counts } = i;
  const { pages } = k;
  const where = `page ${page}`;
  if (pages.isFree(page)) {
    i.say('use after free', where, 'a pinned page is free');
    return;
  }
  const folio = pageFolio(k, page);
  if (k.isZero(folio)) return;
  bump(counts.pins, folio, folioIsLarge(k, folio) ? 1 : GUP_PIN_COUNTING_BIAS);
  if (folioIsLarge(k, folio)) bump(counts.pinned, folio);
  const exclusive = pageAnonExclusive(k, page) || pageAnonExclusive(k, folio);
  if (folioTestAnon(k, folio) && !exclusive) {
    i.say('exclusive', where, 'a pinned anonymous page is not exclusive');
  }
}

export function checkPages(i: Inspection): void {
  const { k, counts } = i;
  const { pages } = k;
  for (const page of i.options.pins ?? []) {
    if (pages.isFree(page)) i.say('use after free', `page ${page}`, 'a pinned page is free');
    else bump(counts.pins, pageFolio(k, page));
  }
  for (const page of i.options.pinned ?? []) checkPinned(i, page);
  for (const own of k.lru) {
    for (const folio of (Object.values(own) as number[][]).flat()) {
      if (pages.isFree(folio))
        i.say('use after free', `folio ${folio}`, 'in an LRU batch and free');
      bump(counts.batches, folio);
    }
  }
  for (let pfn = 0; pfn < pages.size; pfn++) {
    if (pages.isFree(pfn)) continue;
    const where = (): string => `${pages.zone[pfn] === ZONE_RAM ? 'page' : 'device page'} ${pfn}`;
    const folio = pageFolio(k, pfn);
    if (pages.flags[pfn] & PG_LOCKED) i.say('lock', where, 'a folio is locked');
    if (pages.lockOwner[pfn] !== 0) i.say('lock', where, 'a folio’s lock has an owner');
    if (pfn >= folio + (1 << pages.order[folio]) || pages.isFree(folio)) {
      i.say('folio', where, `not within its folio ${folio}`);
      continue;
    }
    i.equal('map count', where, 'its map count', pages.mapcount[pfn], counts.pte.get(pfn) ?? 0);
    if (folio !== pfn) {
      i.equal('reference', where, 'a tail page’s reference count', pages.refcount[pfn], 0);
      continue;
    }
    checkFolio(i, folio, where);
  }
}

export function checkFolio(i: Inspection, folio: Folio, where: Where): void {
  const { k, counts } = i;
  const { pages } = k;
  const mappings = counts.mappings.get(folio) ?? 0;
  if (pages.order[folio] > 0) {
    const entire = counts.entire.get(folio) ?? 0;
    i.equal('map count', where, 'its count of huge mappings', pages.entireMapcount[folio], entire);
    i.equal('map count', where, 'its count of all mappings', pages.largeMapcount[folio], mappings);
  }
  const pinCount = pages.pinCount.get(folio) ?? 0;
  i.equal('pin', where, 'its count of pins', pinCount, counts.pinned.get(folio) ?? 0);
  const pins = counts.pins.get(folio) ?? 0;
  const batches = counts.batches.get(folio) ?? 0;
  const cached = counts.cached.get(folio) ?? 0;
  const reserved = pages.flags[folio] & PG_RESERVED ? 1 : 0;
  const held = mappings + pins + batches + cached;
  const refs = pages.refcount[folio];
  if (k.ledger) checkLedger(i, folio, where, { mappings, pins, batches, cached });
  if (refs !== held + reserved) {
    const parts = `${mappings} mappings, ${cached} of the page cache, ${batches} of LRU batches, ${pins} pins`;
    i.say('reference', where, `${refs} references for ${parts}`, i.holders(folio));
  } else if (refs === 0) i.say('reference', where, 'in use, and nobody holds it');
  // huge pages of the pool are on lists of its own, a driver's own pages (without mapping) on none
  const unlisted = pages.flags[folio] & PG_HUGETLB || pages.mapping[folio] === 0;
  if (reserved || pages.flags[folio] & PG_HUGETLB || pages.zone[folio] >= ZONE_DEVICE) {
    if (batches > 0) i.say('LRU', where, 'in an LRU batch, and not for the LRU lists');
  } else if (!unlisted && !(pages.flags[folio] & PG_LRU) && !inAddBatch(i, folio)) {
    i.say('LRU', where, 'neither on the LRU lists nor on its way there');
  }
}

/** The pool of huge pages: where they are, and to whom they are promised. */
export function checkPool(i: Inspection): void {
  const { k } = i;
  const { hugetlb, pages } = k;
  const where = 'the pool of huge pages';
  let used = 0;
  let promised = hugetlb.lost;
  for (let pfn = 0; pfn < pages.size; pfn++) {
    if (pages.isFree(pfn) || !(pages.flags[pfn] & PG_HUGETLB)) continue;
    used++;
    // its promise comes back when the last reference is gone
    if (pages.flags[pfn] & PG_RESTORE_RESERVE) promised--;
  }
  for (const mm of k.mms) for (const vma of mm.vmas) promised += reservedIn(k, vma);
  i.equal('pool', where, 'the count of free huge pages', hugetlb.free, hugetlb.total - used);
  i.equal('pool', where, 'the count of promised huge pages', hugetlb.reserved, promised);
  for (const folio of hugetlb.frames) {
    if (!pages.isFree(folio)) i.say('pool', where, `huge page ${folio} is free and in use`);
  }
}

export function inAddBatch(i: Inspection, folio: Folio): boolean {
  return i.k.lru.some((own) => own.add.includes(folio));
}

export function checkLedger(
  i: Inspection,
  folio: Folio,
  where: Where,
  counted: { mappings: number; pins: number; batches: number; cached: number },
): void {
  const expected: Record<string, number> = {
    [Holder.Mapping]: counted.mappings,
    [Holder.Pin]: counted.pins,
    [Holder.LruBatch]: counted.batches,
    [Holder.PageCache]: counted.cached,
  };
  const holders = i.k.ledger?.holders(folio) ?? {};
  for (const count of Object.values(holders)) i.inLedger += count;
  for (const name of new Set([...Object.keys(expected), ...Object.keys(holders)])) {
    const is = holders[name] ?? 0;
    const counted = expected[name] ?? 0;
    if (is === counted) continue;
    const title = `${name} holds ${is} references by the ledger, counted ${counted}`;
    i.say('reference', where, title, i.holders(folio));
  }
}

export function checkLedgerAsWhole(i: Inspection): void {
  const { ledger, pages } = i.k;
  if (!ledger) return;
  for (const error of ledger.errors) i.say('ledger', 'the reference ledger', error);
  if (ledger.outstanding === i.inLedger) return;
  for (const folio of ledger.folios()) {
    if (ledger.total(folio) > 0 && (pages.isFree(folio) || pageFolio(i.k, folio) !== folio)) {
      i.say('ledger', `folio ${folio}`, 'the ledger has holders of what is no folio');
    }
  }
}
