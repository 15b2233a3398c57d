/**
 * Device memory as pages of the memory map.
 *
 * Models: mm/memremap.c
 */
import type { DeviceMemory } from '../machine/device-memory.ts';
import { POISON } from '../machine/machine.ts';
import { STALE_FLAGS, ZONE_COHERENT, ZONE_DEVICE } from '../machine/page.ts';
import { type Kernel$, ObjectKind, Role, StepKind } from '../machine/step.ts';
import type { Folio, Pfn, Zone } from '../machine/units.ts';
import type { VmFault } from './fault.ts';
import { clearPageAnonExclusive, folioOrder, folioPages, folioTestAnon } from './folio.ts';
import type { Kernel } from './kernel.ts';
import { Holder } from './look/ledger.ts';

/** What a driver does for its pages (struct dev_pagemap_ops). */
export interface DevPagemapOps {
  /** The last reference of a folio is gone. */
  folioFree(k: Kernel, folio: Folio): Kernel$<void>;
  /** A CPU touched a device-private page; `vmf.page` is locked and referenced. @returns VM_FAULT_* */
  migrateToRam(k: Kernel, vmf: VmFault): Kernel$<number>;
  /** A large folio was split: `tail` is one of its new folios, or null when all were told. */
  folioSplit(k: Kernel, head: Folio, tail: Folio | null): void;
}

/** A range of device pages (struct dev_pagemap). */
export class DevPagemap {
  /** First frame number, and pages. */
  start: Pfn = 0;
  count = 0;
  zone: Zone = 0;
  /** References that the driver's pages hold. */
  refs = 0;

  constructor(
    /** Who the pages belong to: only this owner may migrate and map them. */
    readonly owner: object,
    readonly ops: DevPagemapOps,
    /** What is behind the pages; null where CPUs reach them (MEMORY_DEVICE_COHERENT). */
    readonly memory: DeviceMemory | null,
    /** The device's own page that the first page stands for. */
    readonly memoryStart: number,
  ) {}

  /** The device's own page that a frame number stands for. */
  devicePage(pfn: Pfn): Pfn {
    return this.memoryStart + (pfn - this.start);
  }
}

/** The first zone number of a kind that is not in use. */
function freeZone(k: Kernel, first: Zone, end: Zone): Zone {
  for (let zone = first; zone < end; zone++) if (!k.pagemaps[zone]) return zone;
  throw new RangeError('too many ranges of device memory');
}

/**
 * Adds `count` pages of device memory to the memory map.
 *
 * Mirrors: mm/memremap.c memremap_pages()
 * simplified: device-private and device-coherent memory only
 */
export function memremapPages(k: Kernel, pagemap: DevPagemap, count: number): void {
  const { memory } = pagemap;
  const align = k.geometry.ptrsPerPte;
  const rest = k.pages.size % align;
  if (rest !== 0) k.pages.addZone(0, align - rest);
  pagemap.zone = memory ? freeZone(k, ZONE_DEVICE, ZONE_COHERENT) : freeZone(k, ZONE_COHERENT, 256);
  pagemap.start = k.pages.addZone(pagemap.zone, count);
  pagemap.count = count;
  k.pagemaps[pagemap.zone] = pagemap;
  if (memory) memory.ensure(pagemap.memoryStart + count);
  else k.frames.ensure(pagemap.start + count);
}

/**
 * Takes a range of device memory out of the memory map, when the last of its pages has been given back: its
 * driver hands out none any more.
 *
 * Mirrors: mm/memremap.c memunmap_pages()
 * faithful
 */
export function* memunmapPages(k: Kernel, pagemap: DevPagemap): Kernel$<void> {
  const ready = () => pagemap.refs === 0;
  if (k.stepping) yield k.waitFor(ObjectKind.Pagemap, pagemap.zone, ready);
  k.waited(ready(), 'the last page of a range of device memory');
  k.pages.removeZone(pagemap.start, pagemap.count);
  k.pagemaps[pagemap.zone] = undefined;
}

/** The range that a device page belongs to (page_pgmap()). */
export function pagePgmap(k: Kernel, pfn: Pfn): DevPagemap {
  return k.present(k.pagemaps[k.pages.zone[pfn]], 'the device memory of a page');
}

/**
 * Pages begin or end a life, and keep what nobody clears of their flags.
 * @param change what clears all of them
 */
function keepingStaleFlags(k: Kernel, pfn: Pfn, order: number, change: () => void): void {
  const { flags } = k.pages;
  const end = pfn + (1 << order);
  const stale = flags.slice(pfn, end);
  change();
  for (let i = 0; i < stale.length; i++) flags[pfn + i] |= stale[i] & STALE_FLAGS;
}

/**
 * Hands out a device page: locked, with one reference.
 *
 * Mirrors: mm/memremap.c zone_device_page_init()
 * faithful
 */
export function zoneDevicePageInit(k: Kernel, pfn: Pfn, order: number): void {
  k.warn(!k.pages.isFree(pfn), 'a device page is handed out that is in use');
  if (k.monitor !== null) k.monitor.onUse(pfn, 1 << order);
  keepingStaleFlags(k, pfn, order, () => k.pages.initFolio(pfn, order));
  k.ledger?.get(pfn, Holder.Alloc);
  pagePgmap(k, pfn).refs += 1 << order;
  k.counters.pagesAllocated += 1 << order;
  k.folioSetLocked(pfn);
}

/**
 * Gives a device folio back to its driver when its last reference is gone.
 *
 * Mirrors: mm/memremap.c free_zone_device_folio()
 * faithful
 */
export function* freeZoneDeviceFolio(k: Kernel, folio: Folio): Kernel$<void> {
  const pgmap = pagePgmap(k, folio);
  const nr = folioPages(k, folio);
  if (k.warn(!pgmap, 'a device folio without pgmap is freed')) return;
  if (folioTestAnon(k, folio)) {
    for (let page = folio; page < folio + nr; page++) clearPageAnonExclusive(k, page);
  }
  k.pages.mapping[folio] = 0;
  k.ledger?.freed(folio);
  if (k.monitor !== null) k.monitor.onFree(folio, nr);
  if (k.folioLocked(folio)) k.report('bad page', 'a locked device folio is freed');
  if (k.poison && !pgmap.memory) {
    for (let page = folio; page < folio + nr; page++) k.frames.fill(page, POISON);
  }
  const order = folioOrder(k, folio);
  keepingStaleFlags(k, folio, order, () => k.pages.markFree(folio, order));
  k.current.givesBack = folio;
  yield* pgmap.ops.folioFree(k, folio);
  k.current.givesBack = -1;
  if (k.stepping) yield k.step(StepKind.Shared, ObjectKind.Pagemap, pgmap.zone, Role.Commute);
  pgmap.refs -= nr;
}
