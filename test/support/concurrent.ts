/**
 * Random concurrent programs: the last operations of a random program run at the same time, shared out
 * between tasks; those before them set up.
 */
import fc from 'fast-check';
import {
  type CheckResult,
  type ConcurrentProgram,
  check,
  Pct,
  programScenario,
  type Scenario,
  type Strategy,
  UniformWalk,
} from '../../src/checker/index.ts';
import type { Op, OpName, Program } from '../../src/program/index.ts';
import { type Profile, programs } from './arbitrary.ts';

const WEIGHTS: Partial<Record<OpName, number>> = {
  fault_migrate_to_dev: 20,
  cpu_write: 14,
  cpu_read: 10,
  madvise: 10,
  migrate_to_dev: 6,
  migrate_to_sys: 6,
  dev_write: 6,
  dev_read: 4,
  munmap: 5,
  mprotect: 5,
  exclusive: 4,
  mremap: 3,
  snapshot: 3,
  fork: 4,
  pin: 2,
  unpin: 1,
  clear_soft_dirty: 2,
  pagemap: 1,
};

/** Pages that somebody references or pins. */
const PINNED: Partial<Record<OpName, number>> = { gup: 24, unpin: 6, fork: 8 };

const base: Profile = {
  kinds: ['anon', 'anon', 'anon', 'anon-shared', 'file-private', 'file-shared'],
  prots: ['rw', 'rw', 'rw', 'r'],
  advice: ['dontneed', 'dontneed', 'free', 'cold', 'pageout', 'populate_write'],
  weights: WEIGHTS,
  processes: 2,
  sizes: [1, 2, 3],
  length: 9,
};

/** Small geometry: a huge page is 4 pages, a page 16 bytes. */
export const CONCURRENT_PROFILES = {
  base,
  huge: {
    ...base,
    kinds: ['anon'],
    advice: [...base.advice, 'collapse', 'hugepage'],
    sizes: [4, 8],
    huge: { order: 2, pageBytes: 16, starts: [0] },
  },
  pinned: { ...base, weights: { ...WEIGHTS, ...PINNED }, devices: [0, 0, 2] },
  'pinned-huge': {
    ...base,
    kinds: ['anon'],
    advice: [...base.advice, 'collapse', 'hugepage'],
    weights: { ...WEIGHTS, ...PINNED },
    devices: [0, 0, 2],
    sizes: [4, 8],
    huge: { order: 2, pageBytes: 16, starts: [0] },
  },
} as const satisfies Record<string, Profile>;
export type ConcurrentProfileName = keyof typeof CONCURRENT_PROFILES;

/** Operations that meet no others yet: neither in these programs nor in the tasks of a scenario. */
export const UNMET: readonly OpName[] = [
  'mmap',
  'file_read',
  'check_exclusive',
  'fail_alloc',
  'open',
  'scan',
  'oom_reap',
  'uffd_unregister',
];

/** Which task each of the last operations is given to. */
const shares = fc.array(fc.nat(2), { minLength: 2, maxLength: 4 });

function shared({ ops }: Program, to: readonly number[]): ConcurrentProgram {
  // who is forked is there before the tasks begin
  const late = ops.filter(({ op }) => op !== 'fork' && op !== 'mmap').slice(-to.length);
  const tasks: Record<string, Op[]> = {};
  late.forEach((op, i) => {
    const name = `task ${to[i]}`;
    tasks[name] ??= [];
    tasks[name].push(op);
  });
  if (Object.keys(tasks).length === 0) tasks['task 0'] = [];
  const after = ops
    .filter((op): op is Extract<Op, { op: 'mmap' }> => op.op === 'mmap')
    .map(({ buf, page, pages }): Op => ({ op: 'cpu_read', proc: 0, buf, page, pages }));
  return {
    name: 'random',
    machine: { pmdOrder: 2, pageBytes: 16 },
    setup: ops.filter((op) => !late.includes(op)),
    tasks,
    after,
  };
}

export function concurrentPrograms(
  name: ConcurrentProfileName,
): fc.Arbitrary<{ program: ConcurrentProgram; seed: number }> {
  return fc
    .tuple(programs(CONCURRENT_PROFILES[name]), shares, fc.nat(2 ** 20))
    .map(([program, to, seed]) => ({ program: shared(program, to), seed }));
}

/** What some schedules of a program find, with both walks. */
export function checkConcurrent(program: ConcurrentProgram, seed: number): string[] {
  const strategies: [schedules: number, strategy: (tasks: number) => Strategy][] = [
    [12, () => new Pct({ seed, faults: seed % 3 === 0 ? 1 : 0 })],
    [8, () => new UniformWalk({ seed })],
  ];
  const scenario = programScenario(program) as unknown as Scenario;
  const problems: string[] = [];
  for (const walk of ['unified', 'collect'] as const) {
    for (const [schedules, strategy] of strategies) {
      const hardware = seed % 4 === 0;
      const { found }: CheckResult = check(scenario, { walk, strategy, schedules, hardware });
      problems.push(...found.map(({ title }) => `${walk}: ${title}`));
    }
  }
  return problems;
}
