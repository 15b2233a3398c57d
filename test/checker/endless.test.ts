/** What has no end, what only takes long, and what was given up. */
import { describe, expect, it } from 'vitest';
import { MOST_LONG } from '../../src/checker/check.ts';
import {
  check,
  decodeSchedule,
  encodeSchedule,
  parseConcurrentProgram,
  programScenario,
  Replay,
  replaySchedule,
  runsOf,
  type Scenario,
  type Strategy,
  sealedSchedule,
  shrinkSchedule,
  Turns,
} from '../../src/checker/index.ts';
import { type Kernel$, type Lock, ObjectKind, Role, StepKind } from '../../src/machine/index.ts';
import { Kernel } from '../../src/mm/index.ts';

interface State {
  k: Kernel;
  lock: Lock;
  other: Lock;
  flag: boolean;
  count: number;
  /** Memory, as far as the state is concerned. */
  words: Int32Array;
}
type Body = (state: State) => Kernel$<unknown>;

const scenario = (tasks: Record<string, Body>): Scenario<State> => ({
  name: 'tasks',
  kernel: ({ k }) => k,
  tasks,
  setup() {
    const k = new Kernel({ pmdOrder: 2, pageBytes: 16, cpus: 2 });
    const lock = k.newLock('a lock', 'mutex');
    const other = k.newLock('another lock', 'mutex');
    return { k, lock, other, flag: false, count: 0, words: new Int32Array(4) };
  },
});

function* look({ k }: State): Kernel$<void> {
  yield k.step(StepKind.Shared, ObjectKind.Program, 1, Role.Write);
}
function* take({ k }: State, lock: Lock): Kernel$<void> {
  yield k.acquire(lock);
  k.lock(lock);
}
function* give({ k }: State, lock: Lock): Kernel$<void> {
  yield k.release(lock);
  k.unlock(lock);
}

/** The tasks by turns: so many schedules. */
const turns = (tasks: Record<string, Body>, schedules = 1, maxSteps = 600) =>
  check(scenario(tasks), {
    strategy: () => new Turns({ seed: 1 }),
    schedules,
    maxSteps,
    findings: schedules === 1 ? 1 : 3,
  });

function* waitsForTheFlag(s: State): Kernel$<void> {
  while (!s.flag) yield* look(s);
}

describe('a schedule without end', () => {
  it('is one in which the same steps come again and again, and the state with them', () => {
    const { found, bounds } = turns({ waitsForTheFlag });
    expect(found.map(({ title }) => title)).toEqual(['without end: waitsForTheFlag']);
    expect(bounds).toEqual(['schedules at random']);
  });

  it('says in which function each task goes round, through which, and what it waits for', () => {
    function* holds(s: State): Kernel$<void> {
      for (;;) {
        yield* take(s, s.lock);
        yield* look(s);
        yield* give(s, s.lock);
      }
    }
    function* blocks(s: State): Kernel$<void> {
      yield* take(s, s.other);
      yield* waitsForTheFlag(s);
    }
    function* wants(s: State): Kernel$<void> {
      yield* take(s, s.other);
      yield* give(s, s.other);
    }
    const { found } = turns({ holds });
    expect(found[0].finding.detail).toBe('holds: goes round in holds: take, look, give');
    const details = turns({ blocks, wants }, 20).found.map(({ finding }) => finding.detail);
    expect(details.sort()).toEqual([
      'blocks: goes round in look < waitsForTheFlag < blocks',
      'blocks: goes round in look < waitsForTheFlag < blocks; wants: waits for another lock (held by blocks)',
    ]);
  });

  it('may have numbers that go on by as much each time', () => {
    const { found } = turns({
      *counts(s) {
        for (;;) {
          s.count += 2;
          yield* look(s);
        }
      },
    });
    expect(found.map(({ title }) => title)).toEqual(['without end: counts']);
  });

  it('has a name of its own where a task goes round without waiting, with a lock that others need', () => {
    const tasks: Record<string, Body> = {
      *spins(s) {
        yield* take(s, s.lock);
        yield* waitsForTheFlag(s);
        yield* give(s, s.lock);
      },
      *sets(s) {
        yield* take(s, s.lock);
        s.flag = true;
        yield* give(s, s.lock);
      },
    };
    const { found } = turns(tasks, 20);
    const [{ title, finding }] = found;
    expect([finding.invariant, finding.stack]).toEqual([
      'livelock',
      ['look', 'waitsForTheFlag', 'spins'],
    ]);
    expect(title).toBe('goes round without waiting and holds a lock, for which take waits in look');
  });

  it('is none where a task that could go on is never let', () => {
    const only = (task: number): Strategy => ({
      begin: () => true,
      choose: (_, enabled) => (enabled & (1 << task) ? task : 1 - task),
      end: () => {},
      bounds: () => [],
    });
    const tasks = {
      waitsForTheFlag,
      *sets(s: State) {
        yield* look(s);
        s.flag = true;
      },
    };
    const options = { strategy: () => only(0), schedules: 1, maxSteps: 300 };
    const { found, redundant, long } = check(scenario(tasks), options);
    expect([found, redundant, long]).toEqual([[], 1, 0]);
  });
});

describe('what only takes long', () => {
  it('is a program of many operations', () => {
    const page = { buf: 0, page: 0, pages: 1 };
    const program = parseConcurrentProgram({
      name: 'the same again and again',
      machine: { pmdOrder: 2, pageBytes: 16 },
      setup: [{ op: 'mmap', ...page, prot: 'rw', kind: 'anon' }],
      tasks: { cpu: Array(100).fill({ op: 'cpu_write', ...page, tag: 1 }) },
      after: [],
    });
    const strategy = () => new Turns({ seed: 1 });
    const all = check(programScenario(program), { strategy, schedules: 1, maxSteps: 30 });
    expect([all.found, all.long]).toEqual([[], 0]);
    expect(all.steps).toBeGreaterThan(100);
  });

  it('is one operation over many pages', () => {
    const pages = { buf: 0, page: 0, pages: 400 };
    const program = parseConcurrentProgram({
      name: 'many pages',
      machine: { pmdOrder: 5, pageBytes: 16 },
      setup: [{ op: 'mmap', ...pages, prot: 'rw', kind: 'anon' }],
      tasks: { cpu: [{ op: 'cpu_write', ...pages, tag: 1 }] },
      after: [],
    });
    const strategy = () => new Turns({ seed: 1 });
    const all = check(programScenario(program), { strategy, schedules: 1, maxSteps: 500 });
    expect([all.found, all.long]).toEqual([[], 0]);
    expect(all.steps).toBeGreaterThan(2000);
  });

  it('is a loop that changes memory each time', () => {
    const { found, long, steps } = turns({
      *writes(s) {
        for (let i = 0; i < 2000; i++) {
          s.words[i & 3] = i;
          yield* look(s);
        }
      },
    });
    expect([found, long, steps]).toEqual([[], 0, 2000]);
  });
});

describe('what is given up', () => {
  it('is no finding but a bound, and no proof', () => {
    const { found, bounds, complete, long } = turns({
      *writes(s) {
        for (let i = 0; ; i++) {
          s.words[i & 3] = i;
          yield* look(s);
        }
      },
    });
    expect([found, long, complete]).toEqual([[], 1, false]);
    expect(bounds).toContain('schedules given up in which nothing ended for 600 steps');
  });

  it('ends a search after some of them, as it says', () => {
    const { schedules, bounds } = turns({ waitsForTheFlag }, 1);
    expect(schedules).toBe(1);
    const many = check(scenario({ waitsForTheFlag }), {
      strategy: () => new Turns({ seed: 1 }),
      schedules: 1000,
      maxSteps: 100,
      findings: 2,
    });
    expect(bounds).toEqual(['schedules at random']);
    expect(many.schedules).toBe(MOST_LONG);
    expect(many.bounds).toContain(`${MOST_LONG} schedules that go on and on`);
  });
});

describe('the schedule of what has no end', () => {
  const tasks = {
    one: waitsForTheFlag,
    *two(s: State) {
      for (;;) yield* look(s);
    },
  };

  it('says once what comes again and again', () => {
    const [found] = turns(tasks).found;
    expect(found.round).not.toBeNull();
    const runs = runsOf(found.choices, found.round);
    const text = encodeSchedule(runs, 'digest');
    expect(text).toMatch(/^2\.digest\.[ab0-9]*\([ab0-9]+\)\.[0-9a-z]{5}$/);
    expect(decodeSchedule(text, 'digest', 2)).toEqual(runs);
    const again = replaySchedule(scenario(tasks), {}, decodeSchedule(text, 'digest', 2));
    expect(again.finding?.title).toBe('without end: one, two');
  });

  it('is shrunk to the simplest round', () => {
    const [found] = turns(tasks).found;
    const small = shrinkSchedule(scenario(tasks), {}, found);
    expect(runsOf(small.choices, small.round).length).toBeLessThanOrEqual(2);
  });

  it('in which nobody can take its turn goes on with whoever can', () => {
    const short = scenario({
      *one(s: State) {
        yield* look(s);
      },
      *two(s: State) {
        yield* look(s);
        yield* look(s);
      },
    });
    const { finding, steps } = replaySchedule(
      short,
      {},
      decodeSchedule(sealedSchedule('d', '(a1)'), 'd', 2),
    );
    expect([finding, steps]).toEqual([null, 3]);
    expect(new Replay([{ task: 0, steps: 1, fail: false, round: true }]).short).toBe(0);
  });
});
