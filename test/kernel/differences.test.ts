import { describe, expect, it } from 'vitest';
import { byCount, Comparison } from '../../src/kernel/differences.ts';
import { parseProgram, type Result } from '../../src/program/index.ts';

const ops = [
  { op: 'pagemap', buf: 0, page: 0, pages: 4 },
  { op: 'dev_read', dev: 0, buf: 0, page: 0, pages: 4 },
];
const program = (name: string) => parseProgram({ name, ops });
const recorded: Result[] = [
  { ret: 'ok', bits: [[9, 4]] },
  { ret: 'ok', cpages: 4, faults: 4, tags: [[1, 4, 1]] },
];
const but = (op: number, fields: Partial<Result>): Result[] =>
  recorded.map((result, i) => (i === op ? { ...result, ...fields } : result));
const compared = (...all: Result[][]) => {
  const comparison = new Comparison();
  for (const [i, results] of all.entries())
    comparison.add(program(`p${i}`), { results, reports: [] }, recorded);
  return comparison;
};
const kinds = (comparison: Comparison) =>
  byCount(comparison.differences).map(({ op, field, expected, actual, count, example }) => {
    return [op, field, expected, actual, count, example.program.name, example.op];
  });

describe('differences by kind', () => {
  it('a return value is a kind of its own with both values', () => {
    const all = compared(
      but(1, { ret: 'EFAULT' }),
      but(1, { ret: 'EBUSY' }),
      but(1, { ret: 'EBUSY' }),
      recorded,
    );
    expect(kinds(all)).toEqual([
      ['dev_read', 'ret', 'ok', 'EBUSY', 2, 'p1', 1],
      ['dev_read', 'ret', 'ok', 'EFAULT', 1, 'p0', 1],
    ]);
    expect([all.same, all.differing, all.ran, all.found]).toEqual([1, 3, 4, true]);
  });

  it('of values a page, the first page that differs; counts and words are one kind', () => {
    const all = compared(
      but(0, {
        bits: [
          [9, 2],
          [1, 2],
        ],
      }),
      but(0, {
        bits: [
          [9, 1],
          [1, 3],
        ],
      }),
      but(0, {
        bits: [
          [9, 3],
          [25, 1],
        ],
      }),
      but(1, { faults: 3 }),
      but(1, { faults: 2 }),
      but(1, {
        tags: [
          [1, 3, 1],
          [9, 1, 0],
        ],
      }),
    );
    expect(kinds(all)).toEqual([
      ['pagemap', 'bits', 9, 1, 2, 'p0', 0],
      ['dev_read', 'faults', 4, 3, 2, 'p3', 1],
      ['pagemap', 'bits', 9, 25, 1, 'p2', 0],
      [
        'dev_read',
        'tags',
        [[1, 4, 1]],
        [
          [1, 3, 1],
          [9, 1, 0],
        ],
        1,
        'p5',
        1,
      ],
    ]);
  });

  it('only what was recorded is compared, and the first difference of a program', () => {
    const comparison = new Comparison();
    comparison.add(program('a'), { results: but(0, { bits: [[0, 4]] }), reports: [] }, [
      { ret: 'ok' },
      { ret: 'ok' },
    ]);
    comparison.add(program('b'), { results: recorded, reports: [] }, undefined);
    expect([comparison.same, comparison.found]).toEqual([2, false]);
    const both = but(0, { ret: 'EFAULT' }).map((result, i) =>
      i === 1 ? { ...result, faults: 1 } : result,
    );
    expect(kinds(compared(both))).toEqual([['pagemap', 'ret', 'ok', 'EFAULT', 1, 'p0', 0]]);
  });

  it('what the kernel reported, what stopped and what was not run is told apart', () => {
    const comparison = new Comparison();
    const report = { title: 'WARNING: x at f', frames: ['f'], op: 1 };
    const known = { title: 'WARNING: test_hmm.c:302 at dmirror_do_fault', frames: [], op: 1 };
    const add = (name: string, more: object) =>
      comparison.add(program(name), { results: recorded, reports: [], ...more }, recorded);
    add('a', { reports: [known] });
    expect(comparison.found).toBe(false);
    add('b', { reports: [report] });
    add('c', { reports: [report, known] });
    add('d', { stopped: { how: 'it took too long', op: 0 } });
    add('e', { stopped: { how: 'it took too long', op: 1 } });
    add('f', { skipped: 'no test_hmm' });
    const counts = (all: ReadonlyMap<string, { count: number }>) =>
      byCount(all).map(({ count }) => count);
    expect(comparison.found).toBe(true);
    expect(counts(comparison.reports)).toEqual([2, 2]);
    expect(byCount(comparison.stopped).map(({ op }) => op)).toEqual(['pagemap', 'dev_read']);
    expect(byCount(comparison.skipped)).toMatchObject([{ why: 'no test_hmm', count: 1 }]);
    expect(comparison.same).toBe(3);
  });

  it('a kernel that ended under a program is something to look at', () => {
    const comparison = new Comparison();
    comparison.add(
      program('a'),
      { results: [], reports: [], stopped: { how: 'it ended' } },
      recorded,
    );
    expect([comparison.found, comparison.ran]).toEqual([true, 0]);
  });
});
