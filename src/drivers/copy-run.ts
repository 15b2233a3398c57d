/**
 * Copies between RAM and a device's memory that can be done as one: pages that follow each other,
 * upwards or downwards, on both sides.
 */
export class CopyRun {
  /** Pages; 0 when there is nothing to do. */
  count = 0;
  /** The lowest frame of RAM. */
  ram = 0;
  /** The lowest page of the device. */
  page = 0;
  toRam = false;

  begin(ram: number, page: number, count: number, toRam: boolean): void {
    this.count = count;
    this.ram = ram;
    this.page = page;
    this.toRam = toRam;
  }

  /** Whether `count` more pages went on with the run. */
  add(ram: number, page: number, count: number, toRam: boolean): boolean {
    if (this.count === 0 || toRam !== this.toRam) return false;
    const above = ram === this.ram + this.count && page === this.page + this.count;
    if (!above) {
      if (ram !== this.ram - count || page !== this.page - count) return false;
      this.ram = ram;
      this.page = page;
    }
    this.count += count;
    return true;
  }
}
