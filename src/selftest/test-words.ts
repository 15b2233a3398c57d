/** What a buffer is to hold, int by int, as the tests fill it and look at it. */

export class Words {
  /**
   * @param text the value as a test writes it, of int number `i`
   * @param step from one int to the next
   * @param base of int number 0
   * @param mask bits that are kept
   */
  constructor(
    readonly text: string,
    readonly step: number,
    readonly base = 0,
    readonly mask = -1,
  ) {}

  at(i: number): number {
    return (Math.imul(this.step, i) + this.base) & this.mask;
  }

  /** Fills ints, of which the first is number `first`. */
  fill(into: Int32Array, first: number): void {
    const { step, mask } = this;
    let value = (Math.imul(step, first) + this.base) | 0;
    for (let i = 0; i < into.length; i++, value = (value + step) | 0) into[i] = value & mask;
  }

  /** Which of `seen`, from number `first` on, is another; -1: none. */
  mismatch(seen: Int32Array, first: number): number {
    const { step, mask } = this;
    let value = (Math.imul(step, first) + this.base) | 0;
    for (let i = 0; i < seen.length; i++, value = (value + step) | 0) {
      if (seen[i] !== (value & mask)) return i;
    }
    return -1;
  }
}

export const ZERO = new Words('0', 0);
/** Each int its own number. */
export const COUNT = new Words('i', 1);
export const COUNT_DOWN = new Words('-i', -1);
/** As after memset(…, 0xff, …). */
export const ONES = new Words('-1', 0, -1);
