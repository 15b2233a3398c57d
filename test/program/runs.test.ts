import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareResults, tagRuns, valueRuns } from '../../src/program/runs.ts';

describe('tagRuns', () => {
  it.each([
    [[], []],
    [[5], [[5, 1, 0]]],
    [[5, 5, 5], [[5, 3, 0]]],
    [
      [5, 6, 7, 7],
      [
        [5, 3, 1],
        [7, 1, 0],
      ],
    ],
    // The longest run from the left: 0 0 stays together although 0 1 2 would rise.
    [
      [0, 0, 1, 2],
      [
        [0, 2, 0],
        [1, 2, 1],
      ],
    ],
    [
      [3, 2, 1],
      [
        [3, 1, 0],
        [2, 1, 0],
        [1, 1, 0],
      ],
    ],
    [[2 ** 47, 2 ** 47 + 1], [[2 ** 47, 2, 1]]],
  ])('%j gives %j', (words, runs) => {
    expect(tagRuns(words)).toEqual(runs);
  });

  it('loses no word', () => {
    const words = fc.array(fc.integer({ min: 0, max: 3 }));
    fc.assert(
      fc.property(words, (list) => {
        const back = tagRuns(list).flatMap(([first, count, step]) =>
          Array.from({ length: count }, (_, i) => first + i * step),
        );
        expect(back).toEqual(list);
      }),
    );
  });
});

it('valueRuns gives value and count', () => {
  expect(valueRuns([1, 1, 0, 1])).toEqual([
    [1, 2],
    [0, 1],
    [1, 1],
  ]);
  expect(valueRuns(Uint8Array.of())).toEqual([]);
});

describe('compareResults', () => {
  const recorded = [{ ret: 'ok' }, { ret: 'ok', cpages: 2, tags: [[1, 2, 1]] as never }];

  it('finds none between equal results', () => {
    expect(compareResults(recorded, structuredClone(recorded))).toBeUndefined();
  });

  it('lets a field be that was not recorded', () => {
    expect(compareResults([{ ret: 'ok' }], [{ ret: 'ok', faults: 3 }])).toBeUndefined();
  });

  it.each([
    ['ret', [{ ret: 'EINVAL' }, recorded[1]], 0, 'ret'],
    ['a number', [recorded[0], { ...recorded[1], cpages: 3 }], 1, 'cpages'],
    ['a run', [recorded[0], { ...recorded[1], tags: [[1, 2, 0]] as never }], 1, 'tags'],
    [
      'one run too many',
      [
        recorded[0],
        {
          ...recorded[1],
          tags: [
            [1, 2, 1],
            [9, 1, 0],
          ] as never,
        },
      ],
      1,
      'tags',
    ],
    ['a missing field', [recorded[0], { ret: 'ok', cpages: 2 }], 1, 'tags'],
    ['a missing result', [recorded[0]], 1, 'ret'],
    ['one result too many', [...recorded, { ret: 'ok' }], 2, 'ret'],
  ])('finds %s', (_, actual, op, field) => {
    expect(compareResults(recorded, actual)).toEqual({
      op,
      field,
      expected: recorded[op],
      actual: actual[op],
    });
  });
});
