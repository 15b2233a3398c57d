import type { Frames } from './frames.ts';
import { grow } from './grow.ts';

/**
 * A device's own memory. Everything that touches it goes through this interface, and every call may
 * take time: it returns nothing when it is done, or a promise for when it will be.
 *
 * Units: `page` counts the device's own pages from 0; RAM frames are frame numbers.
 */
export interface DeviceMemory {
  /** Makes sure that pages below `end` exist. */
  ensure(end: number): void;
  /** Copies `count` pages that follow each other on both sides. */
  copyFromRam(
    page: number,
    frames: Frames,
    pfn: number,
    count: number,
  ): PromiseLike<void> | undefined;
  /** Copies `count` pages that follow each other on both sides. */
  copyToRam(
    frames: Frames,
    pfn: number,
    page: number,
    count: number,
  ): PromiseLike<void> | undefined;
  /** Copies within the device. */
  copy(to: number, from: number): PromiseLike<void> | undefined;
  clear(page: number): PromiseLike<void> | undefined;
  /** Reads the whole page into `into` (page size bytes). */
  read(page: number, into: Uint8Array): PromiseLike<void> | undefined;
  write(page: number, from: Uint8Array): PromiseLike<void> | undefined;
}

/** Device memory that is an array in this process; every call is done when it returns. */
export class ArrayDeviceMemory implements DeviceMemory {
  bytes: Uint8Array;

  constructor(readonly pageBytes: number) {
    this.bytes = new Uint8Array(16 * pageBytes);
  }

  ensure(end: number): void {
    const need = end * this.pageBytes;
    if (need <= this.bytes.length) return;
    let length = this.bytes.length;
    while (length < need) length *= 2;
    this.bytes = grow(this.bytes, length);
  }

  copyFromRam(page: number, frames: Frames, pfn: number, count: number): undefined {
    const size = this.pageBytes;
    this.bytes.set(frames.bytes.subarray(pfn * size, (pfn + count) * size), page * size);
  }

  copyToRam(frames: Frames, pfn: number, page: number, count: number): undefined {
    const size = this.pageBytes;
    frames.bytes.set(this.bytes.subarray(page * size, (page + count) * size), pfn * size);
  }

  copy(to: number, from: number): undefined {
    const size = this.pageBytes;
    this.bytes.copyWithin(to * size, from * size, from * size + size);
  }

  clear(page: number): undefined {
    this.bytes.fill(0, page * this.pageBytes, (page + 1) * this.pageBytes);
  }

  read(page: number, into: Uint8Array): undefined {
    const size = this.pageBytes;
    into.set(this.bytes.subarray(page * size, (page + 1) * size));
  }

  write(page: number, from: Uint8Array): undefined {
    this.bytes.set(from, page * this.pageBytes);
  }
}
