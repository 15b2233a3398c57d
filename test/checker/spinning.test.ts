/** Busy waiting is seen, and what looks like it is not. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  check,
  Exhaustive,
  Pct,
  type ProgramState,
  programScenario,
  replaySchedule,
  runsOf,
  type Scenario,
  shrinkSchedule,
} from '../../src/checker/index.ts';
import { SPINNERS } from '../../src/checker/spinning.ts';
import { type Kernel$, lock, ObjectKind, Role, StepKind, unlock } from '../../src/machine/index.ts';
import type { Kernel } from '../../src/mm/index.ts';
import { parseConcurrentProgram } from '../../src/program/index.ts';
import { kernelName } from '../../src/program/internal.ts';

const docs = readFileSync(new URL('../../docs/checking.md', import.meta.url), 'utf8');

const program = parseConcurrentProgram({
  name: 'test',
  machine: { pmdOrder: 2, pageBytes: 16 },
  setup: [
    { op: 'mmap', buf: 0, page: 0, pages: 1, prot: 'rw', kind: 'anon' },
    { op: 'cpu_write', buf: 0, page: 0, pages: 1, tag: 3 },
  ],
  tasks: { a: [] },
  after: [],
});

const folioOf = (k: Kernel): number => k.pages.mapcount.indexOf(1);
const own = (k: Kernel, id: number) => k.step(StepKind.Shared, ObjectKind.Program, id, Role.Write);

type Body = (k: Kernel, s: ProgramState) => Kernel$<void>;

/** Holds a folio's lock for some steps. */
const owner: Body = function* owns(k) {
  const folio = folioOf(k);
  yield k.acquireFolio(folio);
  k.folioLock(folio);
  for (let i = 0; i < 4; i++) yield own(k, 1);
  yield k.releaseFolio(folio);
  k.folioUnlock(folio);
};

/** Tries until it has the folio; `between` is done after each time in vain. */
const trying = (between: (k: Kernel, n: number) => Kernel$<boolean>): Body =>
  function* tries(k) {
    const folio = folioOf(k);
    for (let n = 0; ; n++) {
      yield k.tryAcquireFolio(folio);
      if (k.folioTryLock(folio)) {
        yield k.releaseFolio(folio);
        k.folioUnlock(folio);
        return;
      }
      if (!(yield* between(k, n))) return;
    }
  };

function scenario(tasks: Record<string, Body>): Scenario<ProgramState> {
  const { check: _check, shutdown: _shutdown, ...rest } = programScenario(program);
  const bodies = Object.entries(tasks).map(([name, body]) => [
    name,
    function* task(s: ProgramState): Kernel$<void> {
      yield own(s.system.kernel, 0);
      yield* body(s.system.kernel, s);
    },
  ]);
  return { ...rest, tasks: Object.fromEntries(bodies) };
}

const strategies = [
  ['exhaustive', (tasks: number) => new Exhaustive(tasks)],
  ['pct', () => new Pct({ seed: 1, schedules: 200 })],
] as const;

const found = (tasks: Record<string, Body>, i = 0) =>
  check(scenario(tasks), { strategy: strategies[i][1], schedules: 500 }).found;

const always = function* retries(k: Kernel): Kernel$<boolean> {
  yield own(k, 2);
  return true;
};

describe('a task that tries again and again', () => {
  test.each([0, 1])('while the owner does not run: strategy %i', (i) => {
    const [one] = found({ owner, spinner: trying(always) }, i);
    expect(one).toMatchObject({
      title:
        'tries the lock of a folio again and again without sleeping, while its owner does not run in tries',
      finding: { invariant: 'busy waiting' },
    });
    expect(one.finding.detail).toMatch(/^spinner tries; owner holds it, /);
    const small = shrinkSchedule(scenario({ owner, spinner: trying(always) }), {}, one);
    expect(small.title).toBe(one.title);
    const again = replaySchedule(
      scenario({ owner, spinner: trying(always) }),
      {},
      runsOf(small.choices),
    );
    expect(again.finding?.invariant).toBe('busy waiting');
  });

  test('of another lock', () => {
    const holds: Body = function* holds(k, s) {
      yield* lock(k, s.system.mirrors[0].mutex);
      yield own(k, 1);
      yield* unlock(k, s.system.mirrors[0].mutex);
    };
    const tries: Body = function* tries(k, s) {
      const { mutex } = s.system.mirrors[0];
      for (;;) {
        yield k.tryAcquire(mutex);
        if (k.tryLock(mutex)) break;
      }
      yield* unlock(k, mutex);
    };
    const [one] = found({ holds, tries });
    expect(one.title).toBe(
      'tries mirror of device again and again without sleeping, while its owner does not run in tries',
    );
  });

  test('but some times at most: nothing', () => {
    const thrice = trying(function* few(k, n) {
      yield own(k, 2);
      return n < 3;
    });
    expect(found({ owner, spinner: thrice })).toEqual([]);
  });

  test('but sleeps in between: nothing', () => {
    const sleeping = trying(function* sleeps(k) {
      yield k.waitFor(ObjectKind.FolioLock, folioOf(k), () => !k.folioLocked(folioOf(k)));
      return true;
    });
    expect(found({ owner, sleeper: sleeping })).toEqual([]);
  });

  test('as Linux does: nothing', () => {
    const [{ name }] = SPINNERS;
    expect(name).toBe('doHugePmdDevicePrivate');
    const doHugePmdDevicePrivate: Body = function* doHugePmdDevicePrivate(k) {
      const folio = folioOf(k);
      for (let n = 0; n < 40; n++) {
        yield k.tryAcquireFolio(folio);
        if (!k.folioTryLock(folio)) continue;
        yield k.releaseFolio(folio);
        k.folioUnlock(folio);
        return;
      }
    };
    expect(found({ owner, doHugePmdDevicePrivate })).toEqual([]);
    // it is a function of the model, and the reader is told
    expect(kernelName(name)).not.toBe('');
    for (const { name: of } of SPINNERS) expect(docs).toContain(kernelName(of));
  });

  test('but of something else each time: nothing', () => {
    const walking = trying(function* walks(k, n) {
      yield own(k, 100 + n);
      return n < 20;
    });
    expect(found({ owner, walker: walking })).toEqual([]);
  });
});
