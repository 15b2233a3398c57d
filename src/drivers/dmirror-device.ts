/**
 * The test driver's device: its memory, and the pages that stand for it.
 *
 * Models: lib/test_hmm.c struct dmirror_device
 */
import { ArrayDeviceMemory, type DeviceMemory } from '../machine/device-memory.ts';
import type { Lock } from '../machine/lock.ts';
import type { Kernel$ } from '../machine/step.ts';
import { clearPage, copyPage, folioOrder } from '../mm/folio.ts';
import type { Kernel } from '../mm/kernel.ts';
import {
  DevPagemap,
  type DevPagemapOps,
  memremapPages,
  memunmapPages,
  pagePgmap,
  zoneDevicePageInit,
} from '../mm/memremap.ts';
import { CopyRun } from './copy-run.ts';
import type { Dmirror } from './dmirror.ts';
import type { Device, DeviceKind } from './driver.ts';
import type { FLAWS } from './flaws.ts';
import type { Mends } from './mends.ts';

/**
 * Pages of a new chunk of device memory, at least, and huge pages' worth of them on a small machine;
 * each is as large as all before it.
 */
const CHUNK_PAGES = 1024;
const CHUNK_HUGE_PAGES = 16;

/** A device of the test driver (struct dmirror_device): its memory, and those who have it open. */
export class DmirrorDevice implements Device {
  /** Null where CPUs reach the device's memory: its bytes are in `Kernel.frames` then. */
  readonly memory: DeviceMemory | null;
  readonly chunks: DevPagemap[] = [];
  /** Those who have the device open, by number; a page notes whose it is. */
  readonly opened: (Dmirror | undefined)[] = [undefined];
  /** Guards the free lists. */
  readonly lock: Lock;
  readonly devmemLock: Lock;
  /** What lib/test_hmm.c has wrong that it has come to. */
  readonly flaws = new Set<keyof typeof FLAWS>();
  calloc = 0;
  cfree = 0;
  private readonly freePages: number[] = [];
  private readonly freeFolios: number[] = [];
  private readonly copies = new CopyRun();
  private memoryPages = 0;
  /** Whether the memory was made as huge pages; null: there is none yet. */
  private huge: boolean | null = null;
  /** Memory was taken away before. */
  private released = false;
  /** Ranges that are about to go away: their pages are not handed out again. */
  private readonly removed = new Set<DevPagemap>();

  constructor(
    readonly k: Kernel,
    readonly id: number,
    readonly kind: DeviceKind,
    /** What it does for its pages. */
    private readonly ops: DevPagemapOps,
    memory: DeviceMemory | undefined,
    /** What it does beyond lib/test_hmm.c. */
    readonly mends: Mends,
  ) {
    const own = kind === 'private';
    this.memory = own ? (memory ?? new ArrayDeviceMemory(k.geometry.pageBytes)) : null;
    this.lock = k.newLock(`free list of device ${id}`, 'spin');
    this.devmemLock = k.newLock(`memory of device ${id}`, 'mutex');
  }

  /** Pages in use. */
  get used(): number {
    return this.calloc - this.cfree;
  }

  /** The device's own page behind a frame number. */
  devicePage(pfn: number): number {
    return pagePgmap(this.k, pfn).devicePage(pfn);
  }

  /**
   * Adds a range of memory, as base pages or as huge ones.
   *
   * Mirrors: lib/test_hmm.c dmirror_allocate_chunk()
   * differs: chunks are smaller and grow; the memory map has room or the machine is at its end. The lists have the
   * pages before the range can be taken away: stock lets `devmemLock` go before it lists them, so that pages of a
   * range that is gone may be handed out
   */
  private *allocateChunk(large: boolean): Kernel$<void> {
    const { k } = this;
    if (k.stepping) yield k.acquire(this.devmemLock);
    k.lock(this.devmemLock);
    const align = k.geometry.ptrsPerPte;
    const least = Math.min(CHUNK_PAGES, CHUNK_HUGE_PAGES * align);
    const count = Math.ceil(Math.max(least, this.memoryPages, align) / align) * align;
    const chunk = new DevPagemap(this, this.ops, this.memory, this.memoryPages);
    memremapPages(k, chunk, count);
    this.memoryPages += count;
    this.chunks.push(chunk);
    if (k.stepping) yield k.acquire(this.lock);
    k.lock(this.lock);
    const step = large ? align : 1;
    const list = large ? this.freeFolios : this.freePages;
    for (let pfn = chunk.start + count - step; pfn >= chunk.start; pfn -= step) list.push(pfn);
    if (k.stepping) yield k.release(this.lock);
    k.unlock(this.lock);
    if (k.stepping) yield k.release(this.devmemLock);
    k.unlock(this.devmemLock);
  }

  /**
   * Begins to take a range of memory away: none of its pages is handed out any more.
   *
   * Mirrors: lib/test_hmm.c dmirror_device_remove_chunks(), dmirror_remove_free_pages()
   * differs: stock cuts its lists of free pages off behind each page that goes
   */
  *retireChunk(chunk: DevPagemap): Kernel$<void> {
    const { k } = this;
    if (k.stepping) yield k.acquire(this.lock);
    k.lock(this.lock);
    this.removed.add(chunk);
    for (const list of [this.freePages, this.freeFolios]) {
      const kept = list.filter((pfn) => pagePgmap(k, pfn) !== chunk);
      list.splice(0, list.length, ...kept);
    }
    if (k.stepping) yield k.release(this.lock);
    k.unlock(this.lock);
  }

  /** Takes away a range that was retired, when its last page was given back. `devmemLock` is held. */
  *removeChunk(chunk: DevPagemap): Kernel$<void> {
    yield* memunmapPages(this.k, chunk);
    this.removed.delete(chunk);
    this.chunks.splice(this.chunks.indexOf(chunk), 1);
    if (this.chunks.length > 0) return;
    this.memoryPages = 0;
    this.huge = null;
    this.released = true;
  }

  /**
   * Whether more memory can be had of this kind. In 7.3.4 a device-coherent device has one range of
   * addresses, which is base pages from the beginning, and whatever is asked for first after it was taken
   * away; when the other kind is asked for, the second mapping of the range fails, so that huge pages come
   * to the device as base pages. `machine.mended` mends it.
   *
   * Mirrors: lib/test_hmm.c dmirror_allocate_chunk(), dmirror_device_init()
   * simplified: the range has no end
   */
  private canGrow(large: boolean): boolean {
    if (this.kind === 'private' || this.k.mended) return true;
    this.huge ??= large && this.released;
    return this.huge === large;
  }

  /**
   * A page of the device, or a huge one: locked, with one reference.
   *
   * Mirrors: lib/test_hmm.c dmirror_devmem_alloc_page()
   * differs: a page stands for a page of the device's memory; stock keeps a page of RAM for each. The page is in
   * use before the free lists are let go: stock lets go of them first, and the range that it has a page of may be
   * taken away before zone_device_folio_init()
   * @returns the frame number, or -1
   */
  *allocPage(large: boolean): Kernel$<number> {
    const { k } = this;
    const order = large ? k.geometry.pmdOrder : 0;
    if (k.stepping) yield k.allocateStep();
    k.mightAlloc();
    if (k.mayFail()) return -1;
    for (;;) {
      if (k.stepping) yield k.acquire(this.lock);
      k.lock(this.lock);
      const pfn = (large ? this.freeFolios : this.freePages).pop();
      if (pfn !== undefined) {
        this.calloc += 1 << order;
        zoneDevicePageInit(k, pfn, order);
      }
      if (k.stepping) yield k.release(this.lock);
      k.unlock(this.lock);
      if (pfn !== undefined) return pfn;
      if (!this.canGrow(large)) return -1;
      yield* this.allocateChunk(large);
    }
  }

  /**
   * Takes a page or a huge one back, of which the last reference is gone.
   *
   * Mirrors: lib/test_hmm.c dmirror_devmem_free()
   * faithful
   */
  *devmemFree(k: Kernel, folio: number): Kernel$<void> {
    const order = folioOrder(k, folio);
    if (k.stepping) yield k.acquire(this.lock);
    k.lock(this.lock);
    this.cfree += 1 << order;
    if (!this.removed.has(pagePgmap(k, folio))) {
      (order > 0 ? this.freeFolios : this.freePages).push(folio);
    }
    if (k.stepping) yield k.release(this.lock);
    k.unlock(this.lock);
  }

  /**
   * Copies `count` pages of RAM into pages of the device. The copy may be still to do when this
   * returns: see {@link finishCopies}. Where tasks take steps, each page is a step and done at once.
   */
  copyIn(to: number, from: number, count: number): Kernel$<void> {
    return this.copy(from, to, count, false);
  }

  /** Copies `count` pages of the device into pages of RAM, as {@link copyIn} does. */
  copyOut(to: number, from: number, count: number): Kernel$<void> {
    return this.copy(to, from, count, true);
  }

  private *copy(ram: number, page: number, count: number, toRam: boolean): Kernel$<void> {
    const { k, copies } = this;
    if (!this.memory) {
      for (let i = 0; i < count; i++) {
        if (k.stepping) yield toRam ? k.copyStep(ram + i, page + i) : k.copyStep(page + i, ram + i);
        copyPage(k, toRam ? ram + i : page + i, toRam ? page + i : ram + i);
      }
      return;
    }
    const at = this.devicePage(page);
    if (k.stepping) {
      for (let i = 0; i < count; i++) {
        if (k.stepping) yield toRam ? k.copyStep(ram + i, page + i) : k.copyStep(page + i, ram + i);
        if (k.monitor !== null) k.monitor.onMove(toRam ? page + i : ram + i);
        copies.begin(ram + i, at + i, 1, toRam);
        yield* this.finishCopies();
      }
      return;
    }
    if (copies.add(ram, at, count, toRam)) return;
    yield* this.finishCopies();
    copies.begin(ram, at, count, toRam);
  }

  /** Does what copies are still to do: before anyone can look at the pages. */
  *finishCopies(): Kernel$<void> {
    const { k, copies } = this;
    const { count, ram, page } = copies;
    if (count === 0) return;
    const memory = this.memory as DeviceMemory;
    copies.count = 0;
    const pending = copies.toRam
      ? memory.copyToRam(k.frames, ram, page, count)
      : memory.copyFromRam(page, k.frames, ram, count);
    if (pending) yield k.deviceWait(pending);
    k.counters.bytesCopied += count * k.geometry.pageBytes;
  }

  *clear(page: number): Kernel$<void> {
    const { k } = this;
    if (k.stepping) yield k.copyStep(page);
    if (!this.memory) {
      clearPage(k, page);
      return;
    }
    const pending = this.memory.clear(this.devicePage(page));
    if (pending) yield k.deviceWait(pending);
    k.counters.bytesCleared += k.geometry.pageBytes;
  }
}
