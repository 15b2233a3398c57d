import { grow } from './grow.ts';

/**
 * The bytes that CPUs reach, a page a frame number: of RAM and of device-coherent memory. The array grows as
 * frames come into use; device-private pages have frame numbers but no bytes here.
 */
export class Frames {
  bytes: Uint8Array;
  private words: Int32Array;

  constructor(readonly pageBytes: number) {
    this.bytes = new Uint8Array(64 * pageBytes);
    this.words = new Int32Array(this.bytes.buffer);
  }

  /** Makes sure that frames below `end` have bytes. */
  ensure(end: number): void {
    const need = end * this.pageBytes;
    if (need <= this.bytes.length) return;
    let length = this.bytes.length;
    while (length < need) length *= 2;
    this.bytes = grow(this.bytes, length);
    this.words = new Int32Array(this.bytes.buffer);
  }

  copy(to: number, from: number): void {
    const size = this.pageBytes;
    this.bytes.copyWithin(to * size, from * size, from * size + size);
  }

  clear(pfn: number): void {
    this.bytes.fill(0, pfn * this.pageBytes, (pfn + 1) * this.pageBytes);
  }

  fill(pfn: number, value: number): void {
    this.bytes.fill(value, pfn * this.pageBytes, (pfn + 1) * this.pageBytes);
  }

  /** The bytes of one frame; valid until the next `ensure`. */
  view(pfn: number): Uint8Array {
    return this.bytes.subarray(pfn * this.pageBytes, (pfn + 1) * this.pageBytes);
  }

  /** The first 8 bytes of a frame as a little-endian number (exact up to 2^53). */
  readWord(pfn: number): number {
    const at = (pfn * this.pageBytes) / 4;
    return (this.words[at] >>> 0) + this.words[at + 1] * 2 ** 32;
  }

  writeWord(pfn: number, value: number): void {
    const at = (pfn * this.pageBytes) / 4;
    this.words[at] = value | 0;
    this.words[at + 1] = Math.floor(value / 2 ** 32) | 0;
  }

  /** Whether two frames hold the same bytes. */
  equal(a: number, b: number): boolean {
    const count = this.pageBytes >>> 2;
    const at = a * count;
    const bt = b * count;
    for (let i = 0; i < count; i++) {
      if (this.words[at + i] !== this.words[bt + i]) return false;
    }
    return true;
  }

  isZero(pfn: number): boolean {
    const count = this.pageBytes >>> 2;
    const at = pfn * count;
    for (let i = 0; i < count; i++) if (this.words[at + i] !== 0) return false;
    return true;
  }
}
