import { grow } from './grow.ts';

/** Bytes of a page's first word, which is kept apart. */
const WORD = 8;

/**
 * The bytes of pages: of RAM and of device-coherent memory, a page a frame number, or of a device's own
 * memory. What programs write is a word at a page's beginning, and what kernels write is mostly one byte
 * throughout: so a page is its first word and the byte that fills the rest, and has bytes of its own only
 * where these two do not say all. A page of 4 KiB takes 9 bytes. The form follows from the contents alone:
 * equal pages are kept alike.
 */
export class Frames {
  /** Two a page: its first 8 bytes, little endian. */
  private words = new Int32Array(2 * 64);
  /** The byte that fills the rest of a page. */
  private rests = new Uint8Array(64);
  /** Pages whose rest is not one byte throughout; their first 8 bytes are not looked at. */
  private readonly bodies = new Map<number, Uint8Array>();

  /** @param pageBytes bytes a page: a power of two, at least 16 */
  constructor(readonly pageBytes: number) {}

  /** Makes sure that frames below `end` have bytes: zeros at first. */
  ensure(end: number): void {
    if (end <= this.rests.length) return;
    let length = this.rests.length;
    while (length < end) length *= 2;
    this.words = grow(this.words, 2 * length);
    this.rests = grow(this.rests, length);
  }

  copy(to: number, from: number): void {
    this.copyOf(this, to, from);
  }

  /** Copies page `from` of other memory. */
  copyOf(other: Frames, to: number, from: number): void {
    this.words[2 * to] = other.words[2 * from];
    this.words[2 * to + 1] = other.words[2 * from + 1];
    this.rests[to] = other.rests[from];
    const body = other.bodies.get(from);
    if (body !== undefined) this.bodies.set(to, body.slice());
    else this.dropBody(to);
  }

  clear(pfn: number): void {
    this.fill(pfn, 0);
  }

  /** @param value one byte */
  fill(pfn: number, value: number): void {
    const word = Math.imul(value, 0x01010101);
    this.words[2 * pfn] = word;
    this.words[2 * pfn + 1] = word;
    this.rests[pfn] = value;
    this.dropBody(pfn);
  }

  /** Reads a whole page into `into` (page size bytes). */
  read(pfn: number, into: Uint8Array): void {
    const body = this.bodies.get(pfn);
    if (body === undefined) into.fill(this.rests[pfn]);
    else into.set(body);
    for (let i = 0; i < WORD; i++) into[i] = this.words[2 * pfn + (i >>> 2)] >>> (8 * (i & 3));
  }

  /** A page's bytes as they are now, copied: what a driver tells of an access (`Monitor.onDeviceAccess()`). */
  view(pfn: number): Uint8Array {
    const bytes = new Uint8Array(this.pageBytes);
    this.read(pfn, bytes);
    return bytes;
  }

  /** Writes a whole page (page size bytes). */
  write(pfn: number, from: Uint8Array): void {
    for (let i = 0; i < WORD; i += 4) {
      this.words[2 * pfn + i / 4] =
        from[i] | (from[i + 1] << 8) | (from[i + 2] << 16) | (from[i + 3] << 24);
    }
    const rest = from[WORD];
    let at = WORD + 1;
    while (at < this.pageBytes && from[at] === rest) at++;
    if (at < this.pageBytes) {
      this.rests[pfn] = 0;
      this.bodies.set(pfn, from.slice(0, this.pageBytes).fill(0, 0, WORD));
      return;
    }
    this.rests[pfn] = rest;
    this.dropBody(pfn);
  }

  /** The first 8 bytes of a frame as a little-endian number (exact up to 2^53). */
  readWord(pfn: number): number {
    return (this.words[2 * pfn] >>> 0) + this.words[2 * pfn + 1] * 2 ** 32;
  }

  writeWord(pfn: number, value: number): void {
    this.words[2 * pfn] = value | 0;
    this.words[2 * pfn + 1] = Math.floor(value / 2 ** 32) | 0;
  }

  /** Whether two frames hold the same bytes. */
  equal(a: number, b: number): boolean {
    const { words, rests, bodies } = this;
    if (words[2 * a] !== words[2 * b] || words[2 * a + 1] !== words[2 * b + 1]) return false;
    const body = bodies.get(a);
    const other = bodies.get(b);
    if (body === undefined || other === undefined) return body === other && rests[a] === rests[b];
    return body.every((byte, i) => byte === other[i]);
  }

  isZero(pfn: number): boolean {
    const { words, rests, bodies } = this;
    return (words[2 * pfn] | words[2 * pfn + 1] | rests[pfn]) === 0 && !bodies.has(pfn);
  }

  private dropBody(pfn: number): void {
    if (this.bodies.size > 0) this.bodies.delete(pfn);
  }
}
