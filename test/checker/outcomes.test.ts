/** Outcomes of schedules: that the table has all of them, how many and how short, and conditions over them. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  type CheckResult,
  check,
  DEFAULT_PLAN,
  decodeRuns,
  decodeSchedule,
  Exhaustive,
  type ExhaustiveOptions,
  fingerprint,
  joinOutcomes,
  observationOf,
  type Plan,
  programScenario,
  replaySchedule,
  runJob,
  runShorten,
  type Scenario,
  standingOf,
} from '../../src/checker/index.ts';
import { Outcomes } from '../../src/checker/outcomes.ts';
import { type Kernel$, ObjectKind, Role, StepKind } from '../../src/machine/index.ts';
import { Kernel } from '../../src/mm/index.ts';
import { type ConcurrentProgram, parseConcurrentProgram } from '../../src/program/index.ts';

const root = new URL('../../', import.meta.url);
const PAGE = { buf: 0, page: 0, pages: 1 };
const OTHER = { buf: 1, page: 0, pages: 1 };
const MMAP = { op: 'mmap', ...PAGE, prot: 'rw', kind: 'anon' };
const write = (tag: number, where: object = PAGE) => ({ op: 'cpu_write', ...where, tag });
const READ = { op: 'cpu_read', ...PAGE };

function program(tasks: object, more: object = {}): ConcurrentProgram {
  const machine = { pmdOrder: 2, pageBytes: 16 };
  const setup = [MMAP, { ...MMAP, ...OTHER }, write(1)];
  return parseConcurrentProgram({ name: 'p', machine, setup, tasks, ...more });
}

const PLAN: Plan = { ...DEFAULT_PLAN, outcomes: true };
const search = (p: ConcurrentProgram, options: ExhaustiveOptions = {}): CheckResult =>
  check(programScenario(p), {
    strategy: (tasks) => new Exhaustive(tasks, options),
    table: true,
    findings: 9,
  });
/** By the words that a reads: how many schedules, and how many preemptions the shortest has. */
const words = (table: CheckResult['table']) =>
  table.map(({ outcome, schedules, preemptions }) => {
    const { results } = JSON.parse(outcome);
    return [results.a.flatMap((one: { tags?: unknown }) => one.tags ?? []), schedules, preemptions];
  });

describe('the outcomes of a search of everything', () => {
  it('are those that one can count by hand', () => {
    // two reads and a write of one word: before both, between them, after both
    const { table, complete, broken } = search(program({ a: [READ, READ], b: [write(2)] }));
    expect([complete, broken]).toEqual([true, 0]);
    const before = [65536, 1, 0];
    const after = [131072, 1, 0];
    expect(words(table)).toEqual([
      [[after, after], 1, 0],
      [[before, after], 1, 1],
      [[before, before], 1, 0],
    ]);
  });

  const pages = { ...PAGE, pages: 2 };
  const read = { ...READ, ...pages };
  const setup = [{ ...MMAP, ...pages }, write(1, pages)];
  it.each<[object, object[], number]>([
    [{ a: [read, write(3)], b: [write(2, pages), READ] }, [], 8],
    [{ a: [read], b: [{ op: 'madvise', ...pages, advice: 'dontneed' }] }, [READ], 3],
  ])('are those of every schedule with two preemptions: %j', (tasks, after, distinct) => {
    const p = program(tasks, { setup, after });
    const reduced = search(p);
    const every = search(p, { reduce: false, preemptions: 2 });
    expect([reduced.complete, every.complete]).toEqual([true, true]);
    expect(every.schedules).toBeGreaterThan(2 * reduced.schedules);
    const texts = ({ table }: CheckResult) => table.map(({ outcome }) => outcome);
    expect(texts(reduced)).toEqual(texts(every));
    expect(texts(every)).toHaveLength(distinct);
  });

  it('are those behind something that breaks, too', () => {
    // b, which goes first, breaks at once: it is what a does long after that which keeps it from doing so
    const p = program({
      b: [{ ...READ, expect: { tag: 2 } }],
      a: [write(7, OTHER), write(7, OTHER), write(2)],
    });
    const { table, broken, found, complete } = search(p);
    expect(complete).toBe(true);
    expect(found.map(({ title }) => title)).toEqual(['cpu_read: tag must be 2, is 1:0']);
    expect(broken).toBeGreaterThan(0);
    expect(table).toHaveLength(1);
  });

  it('have their fields in the order of the format, and tasks in that of the program', () => {
    const p = program({ z: [READ], a: [{ op: 'dev_read', dev: 0, ...PAGE }] }, { after: [READ] });
    const read = '{"ret":"ok","done":1,"tags":[[65536,1,0]]}';
    const device = '{"ret":"ok","cpages":1,"faults":1,"tags":[[65536,1,0]]}';
    expect(search(p).table.map(({ outcome }) => outcome)).toEqual([
      `{"results":{"z":[${read}],"a":[${device}]},"after":[${read}]}`,
    ]);
  });
});

describe('a table of outcomes', () => {
  it('keeps the shortest schedule, whatever the order in which they come', () => {
    const schedules: [string, number[], number][] = [
      ['x', [0, 0, 1, 0], 1],
      ['x', [0, 1, 1], 0],
      ['x', [1, 0, 0], 0],
      ['x', [0, 1, 1, 1], 0],
      ['y', [1], 0],
    ];
    const tables = [schedules, schedules.toReversed()].map((all) => {
      const table = new Outcomes();
      for (const one of all) table.add(...one);
      return table.list();
    });
    expect(tables[0]).toEqual([
      { outcome: 'x', schedules: 4, choices: 'a1b2', preemptions: 0, steps: 3 },
      { outcome: 'y', schedules: 1, choices: 'b1', preemptions: 0, steps: 1 },
    ]);
    expect(tables[1]).toEqual(tables[0]);
    const halves = schedules.map((one) => {
      const table = new Outcomes();
      table.add(...one);
      return { table: table.list(), overflow: false };
    });
    expect(joinOutcomes(halves)).toEqual({ table: tables[0], overflow: false });
  });

  it('says where it does not keep all', () => {
    const table = new Outcomes(2);
    for (const outcome of ['a', 'b', 'a']) table.add(outcome, [0], 0);
    expect(table.overflow).toBe(false);
    table.add('c', [0], 0);
    expect(table.overflow).toBe(true);
    expect(table.list().map(({ outcome, schedules }) => [outcome, schedules])).toEqual([
      ['a', 2],
      ['b', 1],
    ]);
  });
});

describe('the schedules of outcomes', () => {
  const p = program({ a: [READ, READ], b: [write(2)] });
  const { table } = runJob({ program: p }, 'unified', PLAN);
  const told = runShorten({ program: p }, 'unified', PLAN, table);

  it('come to the same when they are run again, shortened', () => {
    const scenario = programScenario(p);
    const options = { walk: 'unified' } as const;
    const digest = fingerprint(scenario, options);
    expect(told).toHaveLength(3);
    for (const { outcome, schedule, preemptions, steps } of told) {
      const again = replaySchedule(scenario, options, decodeSchedule(schedule, digest, 2));
      expect(again).toMatchObject({ came: outcome, preemptions, steps, finding: null });
    }
  });

  it('have fewer choices than those that were tried', () => {
    const runs = (choices: string) => decodeRuns(choices, 2).length;
    const choicesOf = (schedule: string) => schedule.split('.')[2];
    told.forEach(({ schedule }, i) => {
      expect(runs(choicesOf(schedule))).toBeLessThanOrEqual(runs(table[i].choices));
    });
    // without a preemption nothing has to be said but who goes first
    expect(told.map(({ schedule }) => choicesOf(schedule))).toEqual([
      'b',
      expect.stringMatching(/^a\d+b$/),
      '',
    ]);
  });
});

interface Counter {
  k: Kernel;
  value: number;
}

/** Reads a counter, and writes one more. */
function* increment(state: Counter): Kernel$<void> {
  const { k } = state;
  if (k.stepping) yield k.step(StepKind.Shared, ObjectKind.Program, 1, Role.Read);
  const { value } = state;
  if (k.stepping) yield k.step(StepKind.Shared, ObjectKind.Program, 1, Role.Write);
  state.value = value + 1;
}

describe('a scenario of one’s own', () => {
  const scenario = (own: Partial<Scenario<Counter>>): Scenario =>
    ({
      name: 'a count',
      kernel: ({ k }) => k,
      setup: () => ({ k: new Kernel({ cpus: 2 }), value: 0 }),
      tasks: { one: increment, two: increment },
      ...own,
    }) satisfies Scenario<Counter> as unknown as Scenario;
  const tableOf = (own: Partial<Scenario<Counter>>) => {
    const { table, complete } = runJob({ scenario: scenario(own) }, 'unified', PLAN);
    expect(complete).toBe(true);
    return table.map(({ outcome }) => JSON.parse(outcome));
  };

  it('says itself what its outcomes are', () => {
    const outcomes = tableOf({ outcome: ({ value }) => `counted ${value}` });
    expect(outcomes).toEqual([{ outcome: 'counted 1' }, { outcome: 'counted 2' }]);
  });

  it('or has one for each state that it ends in', () => {
    expect(tableOf({})).toEqual([
      { state: expect.stringMatching(/^[0-9a-z]{9}$/) },
      { state: expect.stringMatching(/^[0-9a-z]{9}$/) },
    ]);
  });
});

describe('conditions over all schedules', () => {
  const tasks = { a: [READ, READ], b: [write(2)] };
  const torn = { 'a[0]': { tag: 1 }, 'a[1]': { tag: 2 } };
  const back = { 'a[0]': { tag: 2 }, 'a[1]': { tag: 1 } };
  const kept = { 'b[0]': { ret: 'ok' } };
  const run = (conditions: object, plan: Plan = DEFAULT_PLAN) =>
    runJob({ program: program(tasks, conditions) }, 'unified', plan);

  it('are counted in every schedule', () => {
    const { schedules, asked, conditions, findings } = run({
      exists: [torn, back],
      forall: kept,
      never: back,
    });
    expect(findings).toEqual([]);
    expect(asked.map(({ quantifier, words: told }) => `${quantifier} ${told}`)).toEqual([
      'exists a[0] tag 1, a[1] tag 2',
      'exists a[0] tag 2, a[1] tag 1',
      'forall b[0] ret ok',
      'never a[0] tag 2, a[1] tag 1',
    ]);
    const observed = conditions.map(observationOf);
    expect(observed).toEqual(['Sometimes', 'Never', 'Always', 'Never']);
    for (const [held, not] of conditions) expect(held + not).toBe(schedules);
    const standings = (complete: boolean) =>
      asked.map((one, i) => standingOf(one, conditions[i], complete));
    expect(standings(true)).toEqual(['ok', 'no', 'ok', 'ok']);
    expect(standings(false)).toEqual(['ok', 'open', 'open', 'open']);
  });

  it.each([
    [{ never: torn }, 'what must never be: a[0] tag 1, a[1] tag 2', 1],
    [{ forall: [kept, { 'a[1]': { tag: 1 } }] }, 'not what must always be: a[1] tag 1', 0],
  ])('are a finding with its schedule where one breaks them: %j', (conditions, title, fewest) => {
    const p = program(tasks, conditions);
    const [finding, ...others] = runJob({ program: p }, 'unified', DEFAULT_PLAN).findings;
    expect(others).toEqual([]);
    expect(finding).toMatchObject({ title, invariant: 'expectation', preemptions: fewest });
    const scenario = programScenario(p);
    const options = { walk: 'unified' } as const;
    const runs = decodeSchedule(finding.schedule, fingerprint(scenario, options), 2);
    const again = replaySchedule(scenario, options, runs);
    expect(again.finding?.title).toBe(title);
    // it came to its end all the same
    expect(again.came).not.toBe(null);
    expect(finding.shrunk?.program).toEqual(p);
  });

  it('leave an outcome in the table where they are broken', () => {
    const { table, broken } = run({ never: torn }, PLAN);
    expect([table.length, broken]).toEqual([3, 0]);
  });

  it('are not asked where an allocation was made to fail', () => {
    const missing = program(
      {
        a: [
          { op: 'mmap', buf: 2, page: 0, pages: 1, prot: 'rw', kind: 'anon' },
          write(1, { buf: 2, page: 0, pages: 1 }),
        ],
      },
      { forall: { 'a[1]': { ret: 'ok' } } },
    );
    const { findings, conditions, schedules } = runJob({ program: missing }, 'unified', {
      ...DEFAULT_PLAN,
      faults: 1,
    });
    expect(findings).toEqual([]);
    expect(schedules).toBeGreaterThan(1);
    expect(conditions).toEqual([[1, 0]]);
  });

  it('are left out of a smaller program that breaks in another way', () => {
    const hole = parseConcurrentProgram({
      ...JSON.parse(readFileSync(new URL('scenarios/device-fault-hole.json', root), 'utf8')),
      forall: { 'cpu[0]': { ret: 'ok' } },
      never: { 'after[0]': { tag: 'zero' } },
    });
    const plan = { ...DEFAULT_PLAN, findings: 1 };
    const effort = { schedules: 50, time: 2000 };
    const [finding] = runJob({ program: hole }, 'as-posted', plan, { effort }).findings;
    expect(finding.invariant).not.toBe('expectation');
    const { shrunk } = finding;
    expect(shrunk?.program.after).toEqual([]);
    expect(shrunk?.program).not.toHaveProperty('never');
    expect(shrunk?.program).not.toHaveProperty('forall');
  });
});
