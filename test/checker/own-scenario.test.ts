/** What a scenario of one's own gets wrong is said, and never taken for a verdict. */
import { describe, expect, test } from 'vitest';
import {
  asScenario,
  check,
  Exhaustive,
  type Scenario,
  ScenarioError,
  tryScenario,
} from '../../src/checker/index.ts';
import { type Kernel$, ObjectKind, Role, type Step, StepKind } from '../../src/machine/index.ts';
import { Kernel } from '../../src/mm/index.ts';

interface State {
  k: Kernel;
}

const step = (k: Kernel): Step => k.step(StepKind.Shared, ObjectKind.Program, 0, Role.Write);

function* works({ k }: State): Kernel$<void> {
  yield step(k);
}

/** A scenario with some of it replaced, of whatever shape. */
function own(others: object): Scenario {
  const whole = {
    name: 'own',
    setup: () => ({ k: new Kernel({ pmdOrder: 2, pageBytes: 16 }) }),
    kernel: ({ k }: State) => k,
    tasks: { works },
    ...others,
  };
  return asScenario(whole, 'default export');
}

const strategy = (tasks: number): Exhaustive => new Exhaustive(tasks, { faults: 0 });
const search = (others: object) => check(own(others), { strategy });
const attempt = (others: object) => tryScenario(own(others), {}, 'default export');
const task = (body: unknown): object => ({ tasks: { works, odd: body } });

test('one that is right is searched', () => {
  const right = { check: () => [], outcome: () => 'end', shutdown: () => [] };
  expect(() => attempt(right)).not.toThrow();
  expect(search(right)).toMatchObject({ complete: true, found: [], schedules: 1 });
});

describe('a task', () => {
  test('that takes no step', () => {
    // biome-ignore lint/correctness/useYield: the mistake that is meant
    const nothing = function* (state: State): Kernel$<void> {
      works(state);
    };
    expect(() => attempt(task(nothing))).toThrow(
      'default export.tasks.odd: takes no step, so that nothing can come between: is a `yield*` missing?',
    );
  });

  test.each([
    ['an async generator', async function* () {}],
    ['a promise', async () => {}],
    ['an object', () => ({ next: () => ({ done: false }) })],
    ['nothing', () => {}],
    ['42', () => 42],
  ])('that is %s', (what, body) => {
    const expected = `expected a generator function (function*), got ${what}`;
    expect(() => attempt(task(body))).toThrow(expected);
    expect(() => search(task(body))).toThrow(expected);
  });

  test.each([
    ['42', 42],
    ['nothing', undefined],
    ['"step"', 'step'],
    ['an object', {}],
  ])('that yields %s', (what, value) => {
    const odd = function* ({ k }: State) {
      yield step(k);
      yield value;
    };
    expect(() => search(task(odd))).toThrow(
      new ScenarioError(`task odd: expected a step, got a yield of ${what}`),
    );
  });

  test.each([
    ['null', null, 'throws nothing, which is no error'],
    ['a text', 'text', 'throws "text", which is no error'],
  ])('that throws %s', (_what, value, said) => {
    const odd = function* ({ k }: State) {
      yield step(k);
      throw value;
    };
    expect(() => search(task(odd))).toThrow(new ScenarioError(`task odd ${said}`));
  });

  test('that follows nothing itself: its file and line', () => {
    const odd = function* ({ k }: State & { tabel?: number[] }) {
      yield step(k);
      (k as unknown as { tabel: number[] }).tabel.push(1);
    };
    expect(() => search(task(odd))).toThrow(
      /^task odd: TypeError: Cannot read .*own-scenario\.test\.ts:\d+:\d+\)$/,
    );
  });

  test('that makes the model follow nothing: a finding, as it is', () => {
    const odd = function* ({ k }: State) {
      yield step(k);
      k.unlock(null as never);
    };
    expect(search(task(odd)).found).toMatchObject([{ finding: { invariant: 'use after free' } }]);
  });
});

describe.each(['check', 'shutdown'])('%s()', (name) => {
  const list = 'expected a list of what is broken, { invariant, title, where } each, got';
  test.each([
    ['false', () => false],
    ['42', () => 42],
    ['nothing', () => {}],
    ['a promise', async () => [{}]],
    ['an object', () => ({ invariant: 'i', title: 't', where: 'w' })],
    ['an object', function* () {}],
    ['"broken"', () => 'broken'],
    ['"broken" at [0]', () => ['broken']],
    [
      'nothing as where at [1]',
      () => [
        { invariant: 'i', title: 't', where: 'w' },
        { invariant: 'i', title: 't' },
      ],
    ],
  ])('that returns %s', (what, body) => {
    expect(() => search({ [name]: body })).toThrow(new ScenarioError(`${name}(): ${list} ${what}`));
  });

  test('that throws', () => {
    const body = () => {
      throw new RangeError('too much');
    };
    expect(() => search({ [name]: body })).toThrow(`${name}(): RangeError: too much (/`);
  });
});

test('outcome() that is no text, or throws', () => {
  const options = { strategy, outcomes: true };
  expect(() => check(own({ outcome: () => 7 }), options)).toThrow(
    'outcome(): expected a text, got 7',
  );
  const body = () => {
    throw null;
  };
  expect(() => check(own({ outcome: body }), options)).toThrow('outcome() throws nothing');
});
