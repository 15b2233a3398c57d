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

  begin(ram: number, page: number, toRam: boolean): void {
    this.count = 1;
    this.ram = ram;
    this.page = page;
    this.toRam = toRam;
  }

  /** Whether one more page went on with the run. */
  add(ram: number, page: number, toRam: boolean): boolean {
    const { count } = this;
    if (count === 0 || toRam !== this.toRam) return false;
    if (ram === this.ram + count && page === this.page + count) {
      this.count++;
      return true;
    }
    if (ram !== this.ram - 1 || page !== this.page - 1) return false;
    this.ram = ram;
    this.page = page;
    this.count++;
    return true;
  }
}
