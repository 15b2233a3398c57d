/** A test's buffer: memory that is mapped, and what a device read of it or is to write to it. */

export class HmmBuffer {
  /** Pages that the last command reached, and device faults that it took. */
  cpages = 0;
  faults = 0;
  /** The mirror's ints. */
  readonly ints: Int32Array;

  /**
   * @param ptr the first page; a test may let it point into the buffer
   * @param pages mapped
   * @param mirror not part of what is modelled
   */
  constructor(
    public ptr: number,
    readonly pages: number,
    readonly mirror: Uint8Array,
  ) {
    this.ints = new Int32Array(mirror.buffer, mirror.byteOffset, mirror.length >> 2);
  }

  /** Some of its pages, with their part of the mirror. */
  part(from: number, pages: number): HmmBuffer {
    const size = this.mirror.length / this.pages;
    const mirror = this.mirror.subarray(from * size, (from + pages) * size);
    return new HmmBuffer(this.ptr + from, pages, mirror);
  }

  /** What a child has of it after a fork: the same memory, and its own copy of the mirror. */
  inherited(): HmmBuffer {
    const { ptr, pages, mirror, cpages, faults } = this;
    return Object.assign(new HmmBuffer(ptr, pages, mirror.slice()), { cpages, faults });
  }
}
