import { describe, expect, it } from 'vitest';
import { roundOf } from '../../src/checker/search/rounds.ts';

const of = (text: string) => roundOf([...text]);

describe('what goes round and round', () => {
  it('is the shortest end that repeats, three times at least', () => {
    expect(of('startabcabcabc')).toEqual({ start: 5, length: 3 });
    expect(of('xaaaaaa')).toEqual({ start: 1, length: 1 });
    expect(of('abab')).toBeNull();
    expect(of('abcdef')).toBeNull();
    expect(of('')).toBeNull();
  });

  it('may be left in the middle', () => {
    expect(of('startabcabcabcab')).toEqual({ start: 5, length: 3 });
  });

  it('has what is the same in itself within', () => {
    expect(of('xaabaabaab')).toEqual({ start: 1, length: 3 });
  });
});
