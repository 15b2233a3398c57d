/**
 * That partial-order reduction loses nothing: every end that a search of all schedules, or schedules
 * at random, come to is one that the reduced search comes to.
 */
import { describe, expect, it } from 'vitest';
import {
  type CheckResult,
  check,
  Exhaustive,
  Pct,
  programScenario,
  RandomWalk,
  type Scenario,
} from '../../src/checker/index.ts';
import { pairProgram } from '../../src/checker/pairs.ts';
import { parseConcurrentProgram } from '../../src/program/index.ts';
import { EVERY, lostEnds, missed } from '../support/ends.ts';
import { microScenario, microTasks, numbers } from '../support/micro.ts';
import { shippedScenario } from '../support/scenarios.ts';

const WALKS = ['collect', 'unified'] as const;
describe('of tiny tasks', () => {
  it.each([
    ['two', 2, 6, 0],
    ['three', 3, 3, 0],
    ['two, with a failing allocation', 2, 5, 1],
  ])('%s: the ends are those of all schedules', (_name, tasks, steps, faults) => {
    const random = numbers(7 * tasks + faults);
    let all = 0;
    let few = 0;
    for (let i = 0; i < 40; i++) {
      const micro = microTasks(random, tasks, steps);
      const scenario = microScenario(micro) as unknown as Scenario;
      const full = check(scenario, {
        ...EVERY,
        strategy: (n) => new Exhaustive(n, { reduce: false, faults }),
        schedules: 2000,
      });
      if (!full.complete) continue;
      const reduced = check(scenario, { ...EVERY, strategy: (n) => new Exhaustive(n, { faults }) });
      expect(reduced.complete).toBe(true);
      expect(missed(reduced, full), JSON.stringify(micro)).toEqual([]);
      expect(missed(full, reduced), JSON.stringify(micro)).toEqual([]);
      all += full.schedules;
      few += reduced.schedules;
    }
    expect(few * 10).toBeLessThan(all);
  });
});

describe('with few preemptions', () => {
  it.each([
    [0, 3, 4],
    [1, 2, 6],
    [1, 3, 3],
    [2, 2, 6],
    [2, 3, 3],
  ])('%i, %i tiny tasks: the ends are those of all such schedules', (preemptions, tasks, steps) => {
    const random = numbers(11 * tasks + preemptions);
    let all = 0;
    let few = 0;
    for (let i = 0; i < 60; i++) {
      const micro = microTasks(random, tasks, steps);
      const scenario = microScenario(micro) as unknown as Scenario;
      const search = (reduce: boolean): CheckResult =>
        check(scenario, { ...EVERY, strategy: (n) => new Exhaustive(n, { reduce, preemptions }) });
      const full = search(false);
      const reduced = search(true);
      expect([full.complete, reduced.complete]).toEqual([true, true]);
      expect(missed(reduced, full), JSON.stringify(micro)).toEqual([]);
      expect(missed(full, reduced), JSON.stringify(micro)).toEqual([]);
      all += full.schedules;
      few += reduced.schedules;
    }
    expect(few).toBeLessThan(all);
  });
});

/** Operations on two pages of buffer 0. */
const one = (page: number) => ({ buf: 0, page, pages: 1 });
const both = { buf: 0, page: 0, pages: 2 };

function program(setup: object[], tasks: Record<string, object[]>, pages = 2): Scenario {
  const mmap = { op: 'mmap', buf: 0, page: 0, pages, prot: 'rw', kind: 'anon' };
  return programScenario(
    parseConcurrentProgram({
      name: 'test',
      machine: { pmdOrder: 2, pageBytes: 16 },
      setup: [mmap, ...setup],
      tasks,
      after: [{ op: 'cpu_read', buf: 0, page: 0, pages }],
    }),
  ) as unknown as Scenario;
}

const written = { op: 'cpu_write', ...both, tag: 1 };
const onDevice = { op: 'migrate_to_dev', dev: 0, ...both };

/** One task of few steps against one of many: all schedules can be tried. */
const SMALL: [string, Scenario][] = [
  [
    'a read against an unmapping',
    program([written], { a: [{ op: 'cpu_read', ...one(0) }], b: [{ op: 'munmap', ...one(0) }] }),
  ],
  [
    'a write against a protection',
    program([written], {
      a: [{ op: 'cpu_write', ...one(0), tag: 2 }],
      b: [{ op: 'mprotect', ...one(0), prot: 'r' }],
    }),
  ],
  [
    'a write against a fork',
    program([written, { op: 'cpu_read', ...both }], {
      a: [{ op: 'cpu_write', ...one(0), tag: 2 }],
      b: [{ op: 'fork', child: 1 }],
    }),
  ],
  [
    'a device read against its unmapping',
    program([onDevice], {
      a: [{ op: 'dev_read', dev: 0, ...one(0) }],
      b: [{ op: 'munmap', ...one(1) }],
    }),
  ],
];

/** Too many schedules to try them all. */
const LARGE: [string, Scenario][] = [
  [
    'a pin against a discard',
    program([written], {
      a: [{ op: 'pin', id: 0, buf: 0, page: 0 }],
      b: [{ op: 'madvise', ...one(0), advice: 'dontneed' }],
    }),
  ],
  [
    'a fault against a migration back',
    program([written, onDevice], {
      a: [{ op: 'cpu_write', ...one(0), tag: 2 }],
      b: [{ op: 'migrate_to_sys', dev: 0, ...one(0) }],
    }),
  ],
  [
    'a first fault against a look',
    program([], {
      a: [
        { op: 'scan', ...one(1) },
        { op: 'cpu_write', ...one(1), tag: 2 },
      ],
      b: [{ op: 'dev_write', dev: 0, ...one(1), tag: 3 }],
    }),
  ],
  [
    'a collapse against a first fault',
    program(
      [{ op: 'madvise', buf: 0, page: 0, pages: 8, advice: 'hugepage' }],
      {
        a: [{ op: 'cpu_write', ...one(5), tag: 2 }],
        b: [
          { op: 'pagemap', buf: 0, page: 0, pages: 8 },
          { op: 'madvise', ...both, advice: 'collapse' },
        ],
      },
      8,
    ),
  ],
  [
    'two devices',
    program([written], {
      a: [{ op: 'migrate_to_dev', dev: 0, ...one(0) }],
      b: [{ op: 'dev_read', dev: 1, ...one(0) }],
    }),
  ],
];

describe('of programs', () => {
  let all = 0;
  let few = 0;

  it.each(SMALL)('%s: the ends are those of all schedules', (_name, scenario) => {
    const full = check(scenario, {
      ...EVERY,
      strategy: (n) => new Exhaustive(n, { reduce: false }),
      schedules: 4000,
    });
    const reduced = check(scenario, { ...EVERY, strategy: (n) => new Exhaustive(n) });
    expect(reduced.complete).toBe(true);
    expect(missed(reduced, full)).toEqual([]);
    if (full.complete) expect(missed(full, reduced)).toEqual([]);
    all += full.schedules;
    few += reduced.schedules;
  });

  it('are reached in a tenth of the schedules at most', () => {
    expect(few * 10).toBeLessThan(all);
  });

  it.each(LARGE)('%s: random schedules come to no other end', (name, scenario) => {
    const walks = name.startsWith('two') ? WALKS : [WALKS[name.length % 2]];
    for (const walk of walks) {
      const reduced = check(scenario, {
        ...EVERY,
        walk,
        strategy: (n) => new Exhaustive(n),
        schedules: 9000,
      });
      const bounded = check(scenario, {
        ...EVERY,
        walk,
        strategy: (n) => new Exhaustive(n, { reduce: false, preemptions: 1 }),
        schedules: 300,
      });
      const steps = check(scenario, {
        ...EVERY,
        walk,
        strategy: () => new RandomWalk({ seed: 1, schedules: 150 }),
      });
      const changes = check(scenario, {
        ...EVERY,
        walk,
        strategy: () => new Pct({ seed: 1, schedules: 150 }),
      });
      expect(reduced.complete).toBe(true);
      for (const other of [bounded, steps, changes]) expect(missed(reduced, other)).toEqual([]);
    }
  });
});

it.each([
  // a scan looks at pages that somebody adds to the LRU lists
  ['huge-collapse-against-device', 'unified'],
  ['pageout-against-device', 'collect'],
  ['userfault-register-against-migration', 'unified'],
  ['snapshot-against-dontneed', 'collect'],
] as const)('of the scenario %s, walk %s: no end is lost', (name, walk) => {
  expect(lostEnds(shippedScenario(name), walk, 1500)).toEqual([]);
});

it.each([
  // which files a process keeps open goes with where they are mapped
  'pair:file/file_read.whole/mremap.part',
  // what a page may hold, as one operation ends before the other
  'pair:driver/munmap.whole/cpu_write.part/mremap.border',
  'pair:present/fork/dontneed.part',
])('%s: no end is lost', (name) => {
  const scenario = programScenario(pairProgram(name)) as unknown as Scenario;
  expect(lostEnds(scenario, 'unified', 1500)).toEqual([]);
});
