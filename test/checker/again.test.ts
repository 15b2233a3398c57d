/** What one search has found is found again by its schedule alone, whatever the search knew by then. */
import { describe, expect, test } from 'vitest';
import {
  check,
  DEFAULT_PLAN,
  Exhaustive,
  encodeSchedule,
  fingerprint,
  type ProgramState,
  programScenario,
  type Run,
  replaySchedule,
  report,
  reportText,
  runJob,
  runsOf,
  type Scenario,
  shrinkSchedule,
} from '../../src/checker/index.ts';
import { type Kernel$, lock, ObjectKind, Role, StepKind, unlock } from '../../src/machine/index.ts';
import { parseConcurrentProgram } from '../../src/program/index.ts';
import { record } from '../../src/recording/index.ts';

const program = parseConcurrentProgram({
  name: 'test',
  machine: { pmdOrder: 2, pageBytes: 16 },
  setup: [],
  tasks: { a: [] },
  after: [],
});

interface Twice extends ProgramState {
  /** Tasks that have done it once. */
  once: number;
}

/**
 * Each task takes two locks in its order, twice: the second time when both have done it once, so that both orders have
 * been seen by then. The first time a third lock keeps them apart.
 */
function crossed(): Scenario<Twice> {
  const taking = (first: 'a' | 'b') =>
    function* inOrder(s: Twice): Kernel$<void> {
      const k = s.system.kernel;
      const of = { a: s.system.mirrors[0].device.devmemLock, b: s.system.mirrors[0].mutex };
      const both = first === 'a' ? [of.a, of.b] : [of.b, of.a];
      for (const locks of [[k.mms[0].mmapLock, ...both], both]) {
        for (const one of locks) yield* lock(k, one);
        for (const one of locks) yield* unlock(k, one);
        yield k.step(StepKind.Shared, ObjectKind.Program, 7, Role.Write);
        s.once++;
        yield k.waitFor(ObjectKind.Program, 7, () => s.once >= 2);
      }
    };
  const { check: _check, shutdown: _shutdown, ...rest } = programScenario(program);
  return {
    ...rest,
    setup: (options) => ({ ...rest.setup(options), once: 0 }),
    tasks: { one: taking('a'), other: taking('b') },
  } as Scenario<Twice>;
}

const CIRCLE =
  'locks are taken in a circle: memory of device, mirror of device, memory of device in inOrder';
const DEADLOCK = 'inOrder waits for memory of device; inOrder waits for mirror of device';

describe('a deadlock behind an order of locks that the search knew by then', () => {
  const { found } = check(crossed(), { strategy: (tasks) => new Exhaustive(tasks), findings: 3 });

  test('is found, and made small', () => {
    expect(found.map(({ title }) => title)).toEqual([CIRCLE, DEADLOCK]);
    const small = found.map((one) => shrinkSchedule(crossed(), {}, one));
    expect(small.map(({ title }) => title)).toEqual([CIRCLE, DEADLOCK]);
    // both orders one after the other, then each takes one lock
    expect(small.map(({ preemptions }) => preemptions)).toEqual([0, 1]);
  });

  test('is what its schedule shows again, and how far it is recorded', () => {
    const [circle, deadlock] = found.map(({ choices }) => runsOf(choices));
    const shows = (runs: Run[]) => replaySchedule(crossed(), {}, runs).finding;
    expect(shows(circle)).toMatchObject({ invariant: 'lock order' });
    expect(shows(deadlock)).toMatchObject({ invariant: 'deadlock' });
    expect(report(crossed(), {}, circle)).toMatchObject({
      finding: { invariant: 'lock order' },
      several: false,
    });
    expect(report(crossed(), {}, deadlock)).toMatchObject({
      finding: { invariant: 'deadlock' },
      left: [{ task: 0 }, { task: 1 }],
    });
    const schedule = encodeSchedule(deadlock, fingerprint(crossed(), { walk: 'unified' }));
    const recording = record(crossed(), { schedule });
    expect(recording.finding).toMatchObject({ invariant: 'deadlock' });
    expect(recording.length).toBe(found[1].choices.length);
  });

  test('is told beside it', () => {
    const plan = { ...DEFAULT_PLAN, strategy: 'exhaustive', schedules: 2000, findings: 3 } as const;
    const { findings } = runJob({ scenario: crossed() }, 'unified', plan);
    expect(findings.map(({ title, report: of }) => [title, of.unsteady])).toEqual([
      [CIRCLE, undefined],
      [DEADLOCK, undefined],
    ]);
  });
});

test('what a scenario leaves to chance is told as it was found', () => {
  let runs = 0;
  const chance = {
    ...crossed(),
    check: () => (runs++ === 0 ? [{ invariant: 'x', title: 'only once', where: 'here' }] : []),
  };
  const plan = { ...DEFAULT_PLAN, strategy: 'exhaustive', schedules: 2000, findings: 3 } as const;
  const { findings } = runJob({ scenario: chance }, 'unified', plan);
  expect(findings.map(({ title }) => title)).toEqual([CIRCLE, 'only once in here', DEADLOCK]);
  const [, told] = findings;
  expect(told.report.unsteady).toContain(
    'a schedule does not give the same twice (only once in here)',
  );
  expect(told).toMatchObject({ invariant: 'x', steps: 0, schedule: expect.stringMatching(/^2\./) });
  expect(reportText(told.report)).toContain('nothing may be left to chance');
});
