import { describe, expect, it } from 'vitest';
import { stateKey } from '../../src/machine/index.ts';

function state() {
  const shared = { n: 1 };
  return {
    numbers: new Int32Array([0, 5, 0, 7]),
    bytes: new Uint8Array([1, 2, 3]),
    list: [shared, 'text', null, true, 2 ** 40] as unknown[],
    map: new Map<number, unknown>([[1, shared]]),
    set: new Set([1, 2]),
    other: { n: 1 },
  };
}

describe('the key of a state', () => {
  it('is the same for states that are alike', () => {
    expect(stateKey([state()])).toBe(stateKey([state()]));
  });

  const changes: [string, (s: ReturnType<typeof state>) => void][] = [
    ['a number in an array of numbers', (s) => (s.numbers[1] = 6)],
    ['where a number is', (s) => s.numbers.set([5, 0], 0)],
    ['a byte', (s) => (s.bytes[2] = 4)],
    ['a field', (s) => (s.other.n = 2)],
    ['an item', (s) => (s.list[1] = 'texts')],
    ['the high half of a number', (s) => (s.list[4] = 2 ** 41)],
    ['null for false', (s) => (s.list[2] = false)],
    ['an entry of a map', (s) => s.map.set(2, 3)],
    ['a member of a set', (s) => s.set.delete(2)],
    ['which object is meant, of two that are alike', (s) => (s.list[0] = s.other)],
  ];
  it.each(changes)('differs by %s', (_name, change) => {
    const changed = state();
    change(changed);
    expect(stateKey([changed])).not.toBe(stateKey([state()]));
  });

  it('leaves out what does not count', () => {
    const [a, b] = [state(), state()];
    b.other.n = 2;
    b.bytes[0] = 9;
    expect(stateKey([b], [b.other, b.bytes])).toBe(stateKey([a], [a.other, a.bytes]));
  });
});
