/**
 * The sizes of the modelled machine: how many bytes a page has, how many base pages a huge page
 * has, how many entries a page table has. The default is x86-64 with four levels; a small geometry
 * makes exhaustive search practical with the same code.
 *
 * Virtual addresses are counted in pages everywhere (a virtual page number, `vpn`): 2^36 pages do
 * not fit in 32 bits, but they are exact as a JavaScript number, and `vpn & mask` keeps the low bits.
 */
export interface GeometryOptions {
  /** Bytes a page, a power of two from 16 to 4096. Default 4096. */
  pageBytes?: number;
  /** Base pages a huge page as a power of two: 9 gives 512 pages. Default 9. */
  pmdOrder?: number;
  /** Index bits of each table above the lowest. Default 9; 7 for a small `pmdOrder`. */
  tableBits?: number;
}

function log2(value: number): number {
  return 31 - Math.clz32(value);
}

/** The sizes of a machine, and what follows from them: places of buffers, indices into tables. */
export class Geometry {
  readonly pageBytes: number;
  readonly pageShift: number;
  /** Order of a huge page (HPAGE_PMD_ORDER). */
  readonly pmdOrder: number;
  readonly tableBits: number;
  /** Entries of the lowest table, and base pages of a huge page (PTRS_PER_PTE, HPAGE_PMD_NR). */
  readonly ptrsPerPte: number;
  /** Entries of each table above the lowest. */
  readonly ptrsPerTable: number;
  /** Pages that one entry of the second-highest table (PUD) covers. */
  readonly pudPages: number;
  /** Pages that one entry of the highest table (PGD) covers. */
  readonly pgdPages: number;
  /** Pages of the whole address space. */
  readonly addressPages: number;
  /** First page of buffer 0. */
  readonly bufferBase: number;
  /** Pages of a buffer. */
  readonly bufferPages: number;
  /** Pages from a buffer to the next: there is as much between two, so that none touches another. */
  readonly bufferSpacing: number;

  /** @throws RangeError when an option is out of range */
  constructor(options: GeometryOptions = {}) {
    const pageBytes = options.pageBytes ?? 4096;
    const pmdOrder = options.pmdOrder ?? 9;
    const tableBits = options.tableBits ?? (pmdOrder >= 8 ? 9 : 7);
    if (pageBytes < 16 || pageBytes > 4096 || (pageBytes & (pageBytes - 1)) !== 0) {
      throw new RangeError(`pageBytes: expected a power of two from 16 to 4096, got ${pageBytes}`);
    }
    if (!Number.isInteger(pmdOrder) || pmdOrder < 2 || pmdOrder > 9) {
      throw new RangeError(`pmdOrder: expected an integer from 2 to 9, got ${pmdOrder}`);
    }
    if (!Number.isInteger(tableBits) || tableBits < 2 || tableBits > 9) {
      throw new RangeError(`tableBits: expected an integer from 2 to 9, got ${tableBits}`);
    }
    this.pageBytes = pageBytes;
    this.pageShift = log2(pageBytes);
    this.pmdOrder = pmdOrder;
    this.tableBits = tableBits;
    this.ptrsPerPte = 1 << pmdOrder;
    this.ptrsPerTable = 1 << tableBits;
    this.pudPages = 2 ** (pmdOrder + tableBits);
    this.pgdPages = 2 ** (pmdOrder + 2 * tableBits);
    this.addressPages = 2 ** (pmdOrder + 3 * tableBits);
    this.bufferBase = this.addressPages / 16;
    this.bufferPages = 2 ** (pmdOrder + tableBits + 2);
    this.bufferSpacing = 2 * this.bufferPages;
  }

  /** Buffers that fit into the address space. */
  get buffers(): number {
    return Math.floor((this.addressPages - this.bufferBase) / this.bufferSpacing);
  }

  /** The virtual page number of page `page` of buffer `buffer`. */
  vpnOf(buffer: number, page: number): number {
    return this.bufferBase + buffer * this.bufferSpacing + page;
  }

  /** The number of a page in its buffer. */
  pageOf(vpn: number): number {
    return (vpn - this.bufferBase) % this.bufferSpacing;
  }
}
