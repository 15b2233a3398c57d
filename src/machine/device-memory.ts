import { Frames } from './frames.ts';

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

/** Device memory that is kept in this process; every call is done when it returns. */
export class ArrayDeviceMemory implements DeviceMemory {
  private readonly pages: Frames;

  constructor(pageBytes: number) {
    this.pages = new Frames(pageBytes);
  }

  ensure(end: number): void {
    this.pages.ensure(end);
  }

  copyFromRam(page: number, frames: Frames, pfn: number, count: number): undefined {
    for (let i = 0; i < count; i++) this.pages.copyOf(frames, page + i, pfn + i);
  }

  copyToRam(frames: Frames, pfn: number, page: number, count: number): undefined {
    for (let i = 0; i < count; i++) frames.copyOf(this.pages, pfn + i, page + i);
  }

  copy(to: number, from: number): undefined {
    this.pages.copy(to, from);
  }

  clear(page: number): undefined {
    this.pages.clear(page);
  }

  read(page: number, into: Uint8Array): undefined {
    this.pages.read(page, into);
  }

  write(page: number, from: Uint8Array): undefined {
    this.pages.write(page, from);
  }
}
