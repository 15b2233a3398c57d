import { notModelled } from './finding.ts';
import type { Geometry } from './geometry.ts';
import { grow } from './grow.ts';
import { PTE_MAX_PFN } from './pte.ts';
import type { Pfn, Zone } from './units.ts';

/** Bits of `PageMap.flags`: the kernel's page flags, as far as the model needs them. */
export const PG_LOCKED = 1 << 0;
export const PG_LRU = 1 << 1;
export const PG_ACTIVE = 1 << 2;
export const PG_REFERENCED = 1 << 3;
export const PG_DIRTY = 1 << 4;
export const PG_UPTODATE = 1 << 5;
export const PG_SWAPBACKED = 1 << 6;
export const PG_WORKINGSET = 1 << 7;
/** Of one page, not of the folio: this page is mapped by one process only, and stays so. */
export const PG_ANON_EXCLUSIVE = 1 << 8;
/** First page of a large folio. */
export const PG_HEAD = 1 << 9;
/** On the queue of partially mapped folios to be split. */
export const PG_DEFERRED_SPLIT = 1 << 10;
/** The folio was partially unmapped since it was mapped whole. */
export const PG_PARTIALLY_MAPPED = 1 << 11;
/** Never freed: the zero page, the huge zero page. */
export const PG_RESERVED = 1 << 12;

/** Of a large folio's first page: more than one process may map it. */
export const PG_MAPPED_SHARED = 1 << 13;
/** A huge page of the pool. */
export const PG_HUGETLB = 1 << 14;
/** Of a huge page of the pool: whoever frees it gives its reservation back with it. */
export const PG_RESTORE_RESERVE = 1 << 15;

/**
 * Flags that a device page has from its last life: whoever gives it back does not clear them, and
 * zone_device_page_init() clears the lowest eight of the kernel's alone. A page that was given up (MADV_FREE)
 * is not to be discarded any more once it was migrated to such a page.
 */
export const STALE_FLAGS = PG_SWAPBACKED | PG_ACTIVE | PG_WORKINGSET;

/**
 * What a page is: `PageMap.zone`. Values from ZONE_DEVICE up name a device's memory; from ZONE_COHERENT up
 * such that CPUs reach as well (MEMORY_DEVICE_COHERENT).
 */
export const ZONE_NONE = 0;
export const ZONE_RAM = 1;
export const ZONE_DEVICE = 2;
export const ZONE_COHERENT = 128;

/**
 * Of `PageMap.mapping`: the folio belongs to an anon_vma (FOLIO_MAPPING_ANON). The rest of it is the number
 * of the anon_vma, or of the file, among all mappings.
 */
export const MAPPING_ANON = 1;

/** `PageMap.mapping` of a page of a file. */
export function fileMapping(number: number): number {
  return number << 1;
}
/** `PageMap.mapping` of an anonymous page. */
export function anonMapping(number: number): number {
  return (number << 1) | MAPPING_ANON;
}
/** The number of the file or the anon_vma in `PageMap.mapping`; 0: none. */
export function mappingNumber(mapping: number): number {
  return mapping >> 1;
}

/** A sub-page is free, or its folio is being built. */
const FREE = -1;

/**
 * The page metadata (struct page, struct folio), a structure of arrays indexed by frame number.
 * RAM and device pages share one number space, as they share the kernel's memory map.
 *
 * Models: include/linux/mm_types.h struct page, struct folio
 */
export class PageMap {
  size = 0;
  flags = new Int32Array(0);
  refcount = new Int32Array(0);
  /** Page-table entries (PTE level) that map this page. */
  mapcount = new Int32Array(0);
  /** Of the first page: all mappings of a large folio, PTE and PMD level. */
  largeMapcount = new Int32Array(0);
  /** Of the first page: PMD-level mappings of a large folio. */
  entireMapcount = new Int32Array(0);
  /** To whom the folio belongs: 0, `fileMapping` or `anonMapping` of a number. */
  mapping = new Int32Array(0);
  /** Offset of the folio's first page in its mapping, in pages. */
  index = new Float64Array(0);
  /** First page of the folio that the page belongs to. */
  head = new Int32Array(0);
  /** Of the first page: log2 of the folio's pages. */
  order = new Uint8Array(0);
  zone = new Uint8Array(0);
  /** What the owner of a page keeps with it (zone_device_data, page->private). */
  private = new Int32Array(0);
  /** Task that holds the folio's lock, 0 for nobody. */
  lockOwner = new Int32Array(0);
  /** Of the first page of a large folio: the two processes that map it, and how often. */
  mmId = [new Int32Array(0), new Int32Array(0)];
  mmIdCount = [new Int32Array(0), new Int32Array(0)];

  /** Of the first page of a large folio: how often it is pinned, if it is. */
  readonly pinCount = new Map<number, number>();

  /** By CPU: what was freed there and is taken there again first (per-CPU page lists). */
  private readonly freeBase: Pfn[][] = [[]];
  private readonly freeHuge: Pfn[][] = [[]];
  private ramNext = 0;
  private ramEnd = 0;
  /** RAM so far, in use or not. */
  private ramPages = 0;

  constructor(
    private readonly geometry: Geometry,
    cpus = 1,
  ) {
    for (let cpu = 1; cpu < cpus; cpu++) {
      this.freeBase.push([]);
      this.freeHuge.push([]);
    }
  }

  /** Bytes of metadata a page. */
  get bytesPerPage(): number {
    return 8 * 4 + 8 + 1 + 1 + 4 * 4;
  }

  private resize(size: number): void {
    this.flags = grow(this.flags, size);
    this.refcount = grow(this.refcount, size);
    this.mapcount = grow(this.mapcount, size);
    this.largeMapcount = grow(this.largeMapcount, size);
    this.entireMapcount = grow(this.entireMapcount, size);
    this.mapping = grow(this.mapping, size);
    this.head = grow(this.head, size);
    this.private = grow(this.private, size);
    this.lockOwner = grow(this.lockOwner, size);
    this.mmId = this.mmId.map((a) => grow(a, size));
    this.mmIdCount = this.mmIdCount.map((a) => grow(a, size));
    this.index = grow(this.index, size);
    this.order = grow(this.order, size);
    this.zone = grow(this.zone, size);
  }

  /**
   * Adds `count` pages of a zone to the memory map, aligned to a huge page.
   * @returns the first frame number
   * @throws RangeError when an entry could not hold their numbers
   */
  addZone(zone: Zone, count: number): Pfn {
    const start = this.size;
    const end = start + count;
    if (end > PTE_MAX_PFN) {
      throw new RangeError(`out of frame numbers: ${end} of ${PTE_MAX_PFN}`);
    }
    if (end > this.flags.length) {
      let capacity = Math.max(256, this.flags.length);
      while (capacity < end) capacity *= 2;
      this.resize(Math.min(capacity, PTE_MAX_PFN));
    }
    this.size = end;
    this.zone.fill(zone, start, end);
    for (let pfn = start; pfn < end; pfn++) this.head[pfn] = FREE;
    return start;
  }

  /** Takes a range of pages out of the memory map; all of them are free. */
  removeZone(start: Pfn, count: number): void {
    this.zone.fill(ZONE_NONE, start, start + count);
  }

  /** The freed run that a CPU would take next; -1 when it would take a new one. */
  nextFree(order: number, cpu: number): Pfn {
    const list = (order === 0 ? this.freeBase : this.freeHuge)[cpu];
    return list.length === 0 ? -1 : list[list.length - 1];
  }

  /** Takes a free run of `1 << order` pages of RAM; -1 when RAM is limited and used up. */
  takeRam(order: number, limit: number, cpu = 0): Pfn {
    const lists = order === 0 ? this.freeBase : this.freeHuge;
    return lists[cpu].pop() ?? this.takeNew(order, limit, cpu) ?? this.takeOthers(lists);
  }

  /** What other CPUs freed. */
  private takeOthers(lists: Pfn[][]): Pfn {
    for (const list of lists) {
      const free = list.pop();
      if (free !== undefined) return free;
    }
    return -1;
  }

  /** A run that nobody has used yet. */
  private takeNew(order: number, limit: number, cpu: number): Pfn | undefined {
    const freeBase = this.freeBase[cpu];
    const count = 1 << order;
    if (order > 0) {
      const aligned = (this.ramNext + count - 1) & ~(count - 1);
      while (this.ramNext < aligned && this.ramNext < this.ramEnd) {
        freeBase.push(this.ramNext++);
      }
    }
    if (this.ramNext + count > this.ramEnd) {
      const room = limit - this.ramPages;
      if (room < count) return undefined;
      const chunk = Math.max(count, this.ramEnd < 4096 ? 256 : 4096, this.geometry.ptrsPerPte);
      // keep what is left of the old block
      while (this.ramNext < this.ramEnd) freeBase.push(this.ramNext++);
      const align = this.geometry.ptrsPerPte;
      const rest = this.size % align;
      if (rest !== 0) this.addZone(ZONE_NONE, align - rest);
      const rounded = Math.ceil(chunk / align) * align;
      if (this.size + rounded > PTE_MAX_PFN) return undefined;
      const usable = Math.min(rounded, room);
      this.ramNext = this.addZone(ZONE_RAM, rounded);
      this.ramEnd = this.ramNext + usable;
      this.ramPages += usable;
    }
    const pfn = this.ramNext;
    this.ramNext += count;
    return pfn;
  }

  /** Gives a run of RAM back. */
  giveRam(pfn: Pfn, order: number, cpu = 0): void {
    (order === 0 ? this.freeBase : this.freeHuge)[cpu].push(pfn);
  }

  /** Makes `1 << order` pages one folio with one reference, everything else at its initial value. */
  initFolio(pfn: Pfn, order: number): void {
    if (order > 0) {
      const end = pfn + (1 << order);
      this.flags.fill(0, pfn, end);
      this.refcount.fill(0, pfn, end);
      this.mapcount.fill(0, pfn, end);
      this.mapping.fill(0, pfn, end);
      this.head.fill(pfn, pfn, end);
      this.private.fill(0, pfn, end);
      this.order.fill(0, pfn, end);
    } else {
      this.flags[pfn] = 0;
      this.mapcount[pfn] = 0;
      this.mapping[pfn] = 0;
      this.head[pfn] = pfn;
      this.private[pfn] = 0;
    }
    this.refcount[pfn] = 1;
    this.lockOwner[pfn] = 0;
    this.order[pfn] = order;
    if (order > 0) {
      this.flags[pfn] = PG_HEAD;
      this.largeMapcount[pfn] = 0;
      this.entireMapcount[pfn] = 0;
      for (const array of this.mmId) array[pfn] = 0;
      for (const array of this.mmIdCount) array[pfn] = 0;
    }
  }

  /** Marks the pages of a folio free. */
  markFree(pfn: Pfn, order: number): void {
    if (order > 0) {
      const end = pfn + (1 << order);
      this.head.fill(FREE, pfn, end);
      this.flags.fill(0, pfn, end);
      this.mapping.fill(0, pfn, end);
      return;
    }
    this.head[pfn] = FREE;
    this.flags[pfn] = 0;
    this.mapping[pfn] = 0;
  }

  isFree(pfn: Pfn): boolean {
    return this.head[pfn] === FREE;
  }
}

notModelled(PageMap);
