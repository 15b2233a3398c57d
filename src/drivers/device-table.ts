/**
 * A device's page table as the test driver keeps it: an array by page, sparse.
 *
 * Models: lib/test_hmm.c struct dmirror, `pt`
 */

/** An entry may be read only. */
export const DPT_READ = 0;
/** Exclusive access (DPT_XA_TAG_ATOMIC). */
export const DPT_ATOMIC = 1;
/** An entry may be written (DPT_XA_TAG_WRITE). */
export const DPT_WRITE = 3;

const CHUNK = 512;

/** A device's page table: an entry for each page of an address space, kept in chunks. */
export class DeviceTable {
  private readonly chunks = new Map<number, Int32Array>();
  private lastKey = -1;
  private last: Int32Array | null = null;
  /** No entry lies outside of `low` to `high`. */
  private low = Infinity;
  private high = -1;
  /** Is told of an entry before it changes; null: nobody wants to know. */
  onChange: ((vpn: number, from: number, to: number) => void) | null = null;

  private chunk(vpn: number): Int32Array | null {
    const key = Math.floor(vpn / CHUNK);
    if (key === this.lastKey) return this.last;
    this.lastKey = key;
    this.last = this.chunks.get(key) ?? null;
    return this.last;
  }

  /** The entry of a page, 0 for none; see `pfnOf` and `tagOf`. */
  load(vpn: number): number {
    return this.chunk(vpn)?.[vpn & (CHUNK - 1)] ?? 0;
  }

  store(vpn: number, pfn: number, tag: number): void {
    let chunk = this.chunk(vpn);
    if (!chunk) {
      chunk = new Int32Array(CHUNK);
      this.chunks.set(this.lastKey, chunk);
      this.last = chunk;
    }
    const entry = ((pfn + 1) << 2) | tag;
    if (this.onChange !== null) this.onChange(vpn, chunk[vpn & (CHUNK - 1)], entry);
    chunk[vpn & (CHUNK - 1)] = entry;
    if (vpn < this.low) this.low = vpn;
    if (vpn > this.high) this.high = vpn;
  }

  /** Stores `count` pages that follow each other on both sides. */
  storeRun(vpn: number, pfn: number, count: number, tag: number): void {
    if (this.onChange !== null) {
      for (let i = 0; i < count; i++) this.store(vpn + i, pfn + i, tag);
      return;
    }
    for (let done = 0; done < count; ) {
      this.store(vpn + done, pfn + done, tag);
      const chunk = this.last as Int32Array;
      const at = (vpn + done) & (CHUNK - 1);
      const n = Math.min(count - done, CHUNK - at);
      for (let i = 1, entry = chunk[at]; i < n; i++) chunk[at + i] = entry += 4;
      if (vpn + done + n - 1 > this.high) this.high = vpn + done + n - 1;
      done += n;
    }
  }

  erase(vpn: number): void {
    const chunk = this.chunk(vpn);
    if (!chunk) return;
    if (this.onChange !== null) this.tell(vpn, vpn);
    chunk[vpn & (CHUNK - 1)] = 0;
  }

  /** Erases `first` to `last`, both inclusive. */
  eraseRange(first: number, last: number): void {
    if (first > this.high || last < this.low) return;
    if (this.onChange !== null) this.tell(first, last);
    if (first <= this.low && last >= this.high) {
      this.low = Infinity;
      this.high = -1;
    }
    const from = Math.floor(first / CHUNK);
    const to = Math.floor(last / CHUNK);
    const clear = (key: number, chunk: Int32Array): void => {
      const base = key * CHUNK;
      chunk.fill(0, Math.max(0, first - base), Math.min(CHUNK, last - base + 1));
    };
    if (to - from < this.chunks.size) {
      for (let key = from; key <= to; key++) {
        const chunk = this.chunks.get(key);
        if (chunk) clear(key, chunk);
      }
      return;
    }
    for (const [key, chunk] of this.chunks) if (key >= from && key <= to) clear(key, chunk);
  }

  /** Entries of `first` to `last` are about to go. */
  private tell(first: number, last: number): void {
    const end = Math.min(last, this.high);
    for (let vpn = Math.max(first, this.low); vpn <= end; vpn++) {
      const entry = this.load(vpn);
      if (entry !== 0) this.onChange?.(vpn, entry, 0);
    }
  }

  /** Forgets everything. */
  clear(): void {
    if (this.onChange !== null) this.tell(this.low, this.high);
    this.chunks.clear();
    this.lastKey = -1;
    this.last = null;
    this.low = Number.POSITIVE_INFINITY;
    this.high = -1;
  }

  /** First page of `first` to `last` (inclusive) that has an entry; -1: none. */
  firstIn(first: number, last: number): number {
    const end = Math.min(last, this.high);
    for (let vpn = Math.max(first, this.low); vpn <= end; vpn++) {
      if (this.load(vpn) !== 0) return vpn;
    }
    return -1;
  }

  /** The first page whose entry names one of `pages` frames; -1: none. */
  pageOf(pfn: number, pages: number, writable: boolean): number {
    const from = (pfn + 1) << 2;
    const many = pages << 2;
    let first = -1;
    for (const [key, chunk] of this.chunks) {
      if (first >= 0 && key * CHUNK > first) continue;
      const found = chunk.findIndex(
        (entry) => (entry - from) >>> 0 < many && !(writable && tagOf(entry) === DPT_READ),
      );
      if (found >= 0) first = key * CHUNK + found;
    }
    return first;
  }

  hasExclusive(vpn: number): boolean {
    return tagOf(this.load(vpn)) === DPT_ATOMIC;
  }

  /** Every entry: page and value. */
  entries(): [vpn: number, entry: number][] {
    const all: [number, number][] = [];
    for (const [key, chunk] of this.chunks) {
      for (let i = 0; i < CHUNK; i++) if (chunk[i] !== 0) all.push([key * CHUNK + i, chunk[i]]);
    }
    return all;
  }
}

/** The frame number that an entry names: RAM, or a page of the device. */
export function pfnOf(entry: number): number {
  return (entry >>> 2) - 1;
}

/** What the device may do with the page of an entry: `DPT_READ`, `DPT_WRITE`, `DPT_ATOMIC`. */
export function tagOf(entry: number): number {
  return entry & 3;
}
