import { describe, expect, it } from 'vitest';
import {
  check,
  decodeSchedule,
  digestOf,
  Execution,
  encodeSchedule,
  FAIL,
  Pct,
  RandomWalk,
  Replay,
  runSchedule,
  runsOf,
  type Scenario,
  ScheduleError,
  sealedSchedule,
  titleOf,
  UniformWalk,
} from '../../src/checker/index.ts';
import { type Micro, microScenario } from '../support/micro.ts';

const DIGEST = digestOf('a program');
const endless = Number.POSITIVE_INFINITY;

describe('a schedule as a string', () => {
  it('puts choices together into runs', () => {
    expect(runsOf([0, 0, 1, 0])).toEqual([
      { task: 0, steps: 2, fail: false },
      { task: 1, steps: 1, fail: false },
      { task: 0, steps: 1, fail: false },
    ]);
    // a failing allocation ends a run
    expect(runsOf([0, 0 + FAIL, 0])).toEqual([
      { task: 0, steps: 2, fail: true },
      { task: 0, steps: 1, fail: false },
    ]);
    expect(runsOf([])).toEqual([]);
  });

  it('is read as it was written', () => {
    const runs = [
      { task: 0, steps: 12, fail: false },
      { task: 2, steps: 1, fail: true },
      { task: 1, steps: endless, fail: false },
    ];
    const text = encodeSchedule(runs, DIGEST);
    expect(text).toBe(sealedSchedule(DIGEST, 'a12c1!b'));
    expect(text).toMatch(/^2\.[0-9a-z]{9}\.a12c1!b\.[0-9a-z]{5}$/);
    expect(decodeSchedule(` ${text}\n`, DIGEST, 3)).toEqual(runs);
    expect(decodeSchedule(sealedSchedule(DIGEST, ''), DIGEST, 1)).toEqual([]);
  });

  it.each([
    ['a12', 'not a schedule'],
    [`1.${DIGEST}.a12`, 'format 1'],
    [sealedSchedule('000000000', 'a12'), 'of another program or model'],
    [sealedSchedule(DIGEST, 'a12c3'), 'no task c: there are 2'],
    [sealedSchedule(DIGEST, 'a0'), 'a run of no steps: a0'],
    [sealedSchedule(DIGEST, 'a!'), 'which allocation fails? a!'],
    [sealedSchedule(DIGEST, 'a1!!b'), 'cannot read the choices'],
  ])('%s is refused: %s', (text, why) => {
    expect(() => decodeSchedule(text, DIGEST, 2)).toThrow(ScheduleError);
    expect(() => decodeSchedule(text, DIGEST, 2)).toThrow(why);
  });

  it('is refused where one character of it is missing or another', () => {
    const text = encodeSchedule(runsOf([0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]), DIGEST);
    for (let i = 0; i < text.length; i++) {
      for (const other of [text.slice(0, i), text.slice(0, i) + text.slice(i + 1)]) {
        expect(() => decodeSchedule(other, DIGEST, 2), other).toThrow(ScheduleError);
      }
      for (const letter of 'ab19!.') {
        if (text[i] === letter) continue;
        const other = text.slice(0, i) + letter + text.slice(i + 1);
        expect(() => decodeSchedule(other, DIGEST, 2), other).toThrow(ScheduleError);
      }
    }
  });

  it('has a digest that tells texts apart', () => {
    expect(digestOf('a program')).toBe(DIGEST);
    expect(DIGEST).toMatch(/^[0-9a-z]{9}$/);
    expect(digestOf('a programm')).not.toBe(DIGEST);
    expect(digestOf('')).not.toBe(digestOf(' '));
  });
});

/** Two tasks that take two locks in different orders, after steps of their own. */
function crossed(): Scenario {
  const task = (first: number): Micro[] => [
    { do: 'read', x: 0 },
    {
      do: 'lock',
      lock: first,
      body: [
        { do: 'write', x: first, value: first + 1 },
        { do: 'lock', lock: 1 - first, body: [{ do: 'read', x: 0 }] },
      ],
    },
  ];
  return microScenario([task(0), task(1)]) as unknown as Scenario;
}

describe('a replay', () => {
  it('comes to the finding again', () => {
    const found = check(crossed(), {
      watch: false,
      strategy: () => new RandomWalk({ seed: 3, schedules: 200 }),
    });
    expect(found.found).toHaveLength(1);
    const [{ title, choices, preemptions }] = found.found;
    const text = encodeSchedule(runsOf(choices), DIGEST);
    const x = new Execution(crossed(), { watch: false });
    const replay = new Replay(decodeSchedule(text, DIGEST, 2));
    expect(replay.begin()).toBe(true);
    const again = runSchedule(x, replay);
    x.finish();
    expect(again.choices).toEqual(choices);
    expect(again.preemptions).toBe(preemptions);
    expect(x.finding?.invariant).toBe('deadlock');
    expect(x.finding && titleOf(x.finding)).toBe(title);
    expect(replay.short).toBe(0);
    // it is one schedule
    expect(replay.begin()).toBe(false);
  });

  it('is not needed of what an earlier search has found', () => {
    const search = (known: string[]) =>
      check(crossed(), {
        watch: false,
        known,
        findings: 2,
        strategy: () => new RandomWalk({ seed: 3, schedules: 200 }),
      });
    const { found, schedules } = search([]);
    expect(found).toHaveLength(1);
    expect(search([found[0].title])).toMatchObject({ found: [], schedules });
    // it counts all the same
    expect(search(['something else']).found).toHaveLength(1);
    expect(search(['something else']).schedules).toBeLessThan(schedules);
  });

  it('comes to the same end as any schedule without a finding', () => {
    const x = new Execution(crossed(), { watch: false });
    const walk = new RandomWalk({ seed: 5, schedules: 40 });
    let ends = 0;
    while (walk.begin(x)) {
      const { choices } = runSchedule(x, walk);
      walk.end();
      if (x.finding || !x.ended) continue;
      const end = x.scenario.outcome?.(x.state);
      const replay = new Replay(runsOf(choices));
      replay.begin();
      runSchedule(x, replay);
      expect(x.scenario.outcome?.(x.state)).toBe(end);
      ends++;
    }
    expect(ends).toBeGreaterThan(5);
  });

  it('goes on where a run cannot, and says that it was too long', () => {
    const x = new Execution(crossed(), { watch: false });
    const replay = new Replay([
      { task: 1, steps: 100, fail: false },
      { task: 0, steps: endless, fail: false },
    ]);
    replay.begin();
    runSchedule(x, replay);
    expect(x.finding).toBeNull();
    expect(replay.short).toBe(1);
  });
});

describe('schedules at random', () => {
  const choicesOf = (strategy: RandomWalk | UniformWalk | Pct): number[][] => {
    const x = new Execution(crossed(), { watch: false });
    const all: number[][] = [];
    while (strategy.begin(x)) {
      all.push(runSchedule(x, strategy).choices);
      strategy.end();
    }
    return all;
  };

  it.each([
    ['a random walk', RandomWalk],
    ['a uniform walk', UniformWalk],
    ['changing priorities', Pct],
  ])('%s: the same for the same seed', (_name, Kind) => {
    const first = choicesOf(new Kind({ seed: 11, schedules: 20 }));
    expect(first).toHaveLength(20);
    expect(choicesOf(new Kind({ seed: 11, schedules: 20 }))).toEqual(first);
    expect(choicesOf(new Kind({ seed: 12, schedules: 20 }))).not.toEqual(first);
    expect(new Set(first.map(String)).size).toBeGreaterThan(1);
  });

  it('a walk’s schedules do not depend on how many share them', () => {
    const all = choicesOf(new RandomWalk({ seed: 4, schedules: 12 }));
    const even = choicesOf(new RandomWalk({ seed: 4, schedules: 12, first: 0, stride: 2 }));
    const odd = choicesOf(new RandomWalk({ seed: 4, schedules: 12, first: 1, stride: 2 }));
    expect(even).toEqual(all.filter((_, i) => i % 2 === 0));
    expect(odd).toEqual(all.filter((_, i) => i % 2 === 1));
  });
});
