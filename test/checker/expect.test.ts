import { describe, expect, it } from 'vitest';
import {
  check,
  DEFAULT_PLAN,
  Exhaustive,
  programScenario,
  runJob,
  Turns,
} from '../../src/checker/index.ts';
import {
  type ConcurrentProgram,
  parseConcurrentProgram,
  parseProgram,
} from '../../src/program/index.ts';

const PAGE = { buf: 0, page: 0, pages: 1 };
const MMAP = { op: 'mmap', ...PAGE, prot: 'rw', kind: 'anon' };

function program(tasks: object, after: object[] = []): ConcurrentProgram {
  const machine = { pmdOrder: 2, pageBytes: 16 };
  return parseConcurrentProgram({ name: 'p', machine, setup: [MMAP], tasks, after });
}

function found(p: ConcurrentProgram): string | undefined {
  const strategy = (tasks: number) => new Exhaustive(tasks);
  return check(programScenario(p), { strategy }).found[0]?.finding.title;
}

describe('what an operation must return', () => {
  const write = { op: 'cpu_write', ...PAGE, tag: 1 };
  const read = (word: number) => ({
    op: 'cpu_read',
    ...PAGE,
    expect: { ret: 'ok', tags: [[word, 1, 0]] },
  });

  it('holds on every schedule, or is a finding', () => {
    expect(found(program({ a: [write, read(65536)] }))).toBe(undefined);
    expect(found(program({ a: [write], b: [read(65536)] }))).toBe(
      'cpu_read: tags must be [[65536,1,0]], is [[0,1,0]]',
    );
  });

  it('is asked of the operations after the tasks too', () => {
    expect(found(program({ a: [write], b: [] }, [read(65536)]))).toBe(undefined);
    expect(found(program({ a: [write], b: [] }, [read(7)]))).toMatch(/tags must be \[\[7,1,0\]\]/);
  });

  it('is not asked where an allocation was made to fail', () => {
    const strategy = (tasks: number) => new Exhaustive(tasks, { faults: 1 });
    const titles = (p: ConcurrentProgram) =>
      check(programScenario(p), { strategy, findings: 9 }).found.map(({ title }) => title);
    const written = { ...write, expect: { ret: 'ok', done: 1 } };
    expect(titles(program({ a: [written] }, [read(65536)]))).toEqual([]);
    // the schedules without a failure are asked
    expect(titles(program({ a: [written] }, [read(7)]))).toHaveLength(1);
  });

  it('is told with its values, and of the program as it was given', () => {
    // without the second write it would return what it must
    const p = program({ a: [write, { ...write, tag: 2 }, read(65536)], b: [] });
    const [finding] = runJob({ program: p }, 'unified', DEFAULT_PLAN).findings;
    expect(finding.title).toBe('cpu_read: tags must be [[65536,1,0]], is [[131072,1,0]]');
    expect(finding.shrunk?.program).toEqual(p);
  });

  it('is read strictly, in concurrent programs only', () => {
    expect(() => program({ a: [{ ...write, expect: { rett: 'ok' } }] })).toThrow(/expect.rett/);
    expect(() => program({ a: [{ ...write, expect: { done: 'x' } }] })).toThrow(/expect.done/);
    expect(() => parseProgram({ name: 'p', ops: [{ ...MMAP, expect: {} }] })).toThrow(/expect/);
  });
});

describe('tasks that take turns', () => {
  it('gives every task its turn, and repeats what it did', () => {
    const p = program({
      a: [{ op: 'cpu_write', ...PAGE, tag: 1 }],
      b: [{ op: 'cpu_read', ...PAGE }],
    });
    const run = () => {
      const strategy = () => new Turns({ seed: 3, schedules: 40 });
      return check(programScenario(p), { strategy, outcomes: true });
    };
    const { found: broken, schedules, steps, outcomes, complete } = run();
    expect(broken).toEqual([]);
    expect(complete).toBe(true);
    expect(schedules).toBe(40);
    expect(outcomes.size).toBeGreaterThan(1);
    expect(run().steps).toBe(steps);
  });
});
