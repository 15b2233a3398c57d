import { PTE_WRITE, ptePfn } from './pte.ts';
import type { Pfn, Pte, SpaceId, Vpn } from './units.ts';

/**
 * A CPU's translation lookaside buffer: direct mapped, tagged with the address space. It keeps a
 * translation until it is flushed or another page takes its place, however the page table changes.
 * A huge mapping is cached a base page at a time.
 */
export class Tlb {
  private readonly tags: Float64Array;
  private readonly values: Int32Array;
  private readonly mask: number;
  /** Is told of each translation that goes or comes; null: nobody wants to know. */
  onChange: ((pte: Pte, space: SpaceId, vpn: Vpn) => void) | null = null;

  /** @param entries a power of two */
  constructor(readonly entries = 256) {
    this.tags = new Float64Array(entries);
    this.values = new Int32Array(entries);
    this.mask = entries - 1;
  }

  private tag(space: SpaceId, vpn: Vpn): number {
    return space * 2 ** 37 + vpn;
  }

  /** The cached entry, or 0. */
  lookup(space: SpaceId, vpn: Vpn): Pte {
    const slot = (vpn ^ space) & this.mask;
    return this.tags[slot] === this.tag(space, vpn) ? this.values[slot] : 0;
  }

  fill(space: SpaceId, vpn: Vpn, pte: Pte): void {
    const slot = (vpn ^ space) & this.mask;
    if (this.onChange !== null) {
      if (this.tags[slot] !== 0) this.tell(slot);
      this.onChange(pte, space, vpn);
    }
    this.tags[slot] = this.tag(space, vpn);
    this.values[slot] = pte;
  }

  flushPage(space: SpaceId, vpn: Vpn): void {
    const slot = (vpn ^ space) & this.mask;
    if (this.tags[slot] === this.tag(space, vpn)) this.drop(slot);
  }

  private drop(slot: number): void {
    if (this.onChange !== null) this.tell(slot);
    this.tags[slot] = 0;
  }

  private tell(slot: number): void {
    const { space, vpn } = place(this.tags[slot]);
    this.onChange?.(this.values[slot], space, vpn);
  }

  /** Drops the translations of `start` to `end` (pages, exclusive). */
  flushRange(space: SpaceId, start: Vpn, end: Vpn): void {
    if (end - start <= 32) {
      for (let vpn = start; vpn < end; vpn++) this.flushPage(space, vpn);
      return;
    }
    const low = this.tag(space, start);
    const high = this.tag(space, end);
    for (let i = 0; i < this.entries; i++) {
      const tag = this.tags[i];
      if (tag >= low && tag < high) this.drop(i);
    }
  }

  flushSpace(space: SpaceId): void {
    this.flushRange(space, 0, 2 ** 37);
  }

  /**
   * The page of a cached translation to one of `pages` frames, tagged with its address space; or -1.
   * @param writable only one that lets the CPU write
   */
  translationTo(pfn: Pfn, pages: number, writable: boolean): number {
    for (let i = 0; i < this.entries; i++) {
      if (this.tags[i] === 0) continue;
      const pte = this.values[i];
      const to = ptePfn(pte);
      if (to >= pfn && to < pfn + pages && (!writable || pte & PTE_WRITE)) return this.tags[i];
    }
    return -1;
  }

  /** Every cached translation. */
  cached(): { space: SpaceId; vpn: Vpn; pte: Pte }[] {
    const all = [];
    for (let i = 0; i < this.entries; i++) {
      const tag = this.tags[i];
      if (tag === 0) continue;
      all.push({ ...place(tag), pte: this.values[i] });
    }
    return all;
  }
}

/** What a tag says. */
function place(tag: number): { space: SpaceId; vpn: Vpn } {
  const space = Math.floor(tag / 2 ** 37);
  return { space, vpn: tag - space * 2 ** 37 };
}
