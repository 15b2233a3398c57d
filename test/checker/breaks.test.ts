/** Locks that are let go in the middle of a table, as a choice of the schedule. */
import { describe, expect, it } from 'vitest';
import {
  check,
  Exhaustive,
  type ExhaustiveOptions,
  type Found,
  Pct,
  programScenario,
  type Scenario,
} from '../../src/checker/index.ts';
import { parseConcurrentProgram } from '../../src/program/index.ts';
import { EVERY, missed } from '../support/ends.ts';

const range = { buf: 0, page: 0, pages: 2 };
const MMAP = { op: 'mmap', ...range, prot: 'rw', kind: 'anon' };
const WRITE = { op: 'cpu_write', ...range, tag: 1 };
const TO_DEVICE = { op: 'migrate_to_dev', dev: 0, ...range };

function scenario(setup: object[], tasks: Record<string, object[]>): Scenario {
  const machine = { pmdOrder: 2, pageBytes: 16, walk: 'collect' };
  const after = [{ op: 'pagemap', ...range }];
  const program = { name: 'breaks', machine, setup: [MMAP, ...setup], tasks, after };
  return programScenario(parseConcurrentProgram(program)) as unknown as Scenario;
}

/** One task gives the lock up between two entries, the other one may come between. */
const PAIRS: [
  string,
  Scenario,
  words: (results: Record<string, { cpages?: number }[]>) => unknown,
][] = [
  [
    'a table that is unmapped, and a migration',
    scenario([WRITE, TO_DEVICE], {
      gpu: [{ op: 'migrate_to_sys', dev: 0, ...range }],
      cpu: [{ op: 'madvise', ...range, advice: 'dontneed' }],
    }),
    ({ gpu }) => gpu[0].cpages,
  ],
];

describe.each(PAIRS)('%s', (_, of, words) => {
  const search = (options: ExhaustiveOptions) =>
    check(of, { strategy: (n) => new Exhaustive(n, options), table: true });
  const seen = (options: ExhaustiveOptions) => {
    const { table, complete } = search(options);
    expect(complete).toBe(true);
    return [...new Set(table.map(({ outcome }) => words(JSON.parse(outcome).results)))].sort();
  };

  it('one thing without breaks, page by page with one', () => {
    expect(seen({})).toEqual([0, 2]);
    expect(seen({ breaks: 1 })).toEqual([0, 1, 2]);
    expect(seen({ breaks: 2 })).toEqual([0, 1, 2]);
  });

  it('failing allocations are counted apart', () => {
    expect(seen({ faults: 1 })).not.toContain(1);
  });
});

describe('what breaks add to a search', () => {
  it.each([
    [
      'an unmapping',
      { op: 'madvise', ...range, advice: 'dontneed' },
      { op: 'cpu_read', ...range, pages: 1 },
    ],
    ['a fork', { op: 'fork', child: 1 }, { op: 'evict', dev: 0 }],
    ['cold pages', { op: 'madvise', ...range, advice: 'cold' }, { op: 'pagemap', ...range }],
  ])('%s: the ends are those of all schedules', (_, a, b) => {
    const of = scenario([WRITE, ...(a.op === 'fork' ? [TO_DEVICE] : [])], { a: [a], b: [b] });
    const ends = (options: ExhaustiveOptions) =>
      check(of, { ...EVERY, strategy: (n) => new Exhaustive(n, options), schedules: 60_000 });
    const reduced = ends({ breaks: 1 });
    expect(reduced.complete).toBe(true);
    expect(reduced.schedules).toBeGreaterThan(ends({}).schedules);
    const random = check(of, {
      ...EVERY,
      strategy: () => new Pct({ seed: 1, breaks: 1 }),
      schedules: 400,
    });
    expect(missed(reduced, random)).toEqual([]);
    const full = ends({ breaks: 1, preemptions: 1, reduce: false });
    expect(full.complete).toBe(true);
    expect(missed(reduced, full)).toEqual([]);
  });

  it('a finding that takes one is found again by its schedule', () => {
    const of = scenario([WRITE, TO_DEVICE], {
      gpu: [{ op: 'migrate_to_sys', dev: 0, ...range, expect: { cpages: [0, 2] } }],
      cpu: [{ op: 'madvise', ...range, advice: 'dontneed' }],
    });
    const found = (breaks: number): readonly Found[] =>
      check(of, { strategy: (n) => new Exhaustive(n, { breaks }), findings: 1 }).found;
    expect(found(0)).toEqual([]);
    expect(found(1).map(({ title }) => title)).toEqual([
      'migrate_to_sys: cpages must be 0 or 2, is 1',
    ]);
  });
});
