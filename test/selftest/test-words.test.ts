import { describe, expect, it } from 'vitest';
import { COUNT, COUNT_DOWN, ONES, Words, ZERO } from '../../src/selftest/test-words.ts';

describe('words', () => {
  it.each([
    [ZERO, (_: number) => 0],
    [COUNT, (i: number) => i],
    [COUNT_DOWN, (i: number) => -i | 0],
    [ONES, () => -1],
    [new Words('i + 3', 1, 3), (i: number) => i + 3],
    [new Words('i & 0xFF', 1, 0, 0xff), (i: number) => i & 0xff],
  ])('%o are what they say, from anywhere', (words, of) => {
    const ints = new Int32Array(300);
    words.fill(ints, 1000);
    const expected = Array.from(ints, (_, i) => of(1000 + i));
    expect([...ints]).toEqual(expected);
    expect(ints.every((_, i) => words.at(1000 + i) === expected[i])).toBe(true);
    expect(words.mismatch(ints, 1000)).toBe(-1);
    ints[299] += 1;
    expect(words.mismatch(ints, 1000)).toBe(299);
    ints[7] += 1;
    expect(words.mismatch(ints, 1000)).toBe(7);
  });
});
