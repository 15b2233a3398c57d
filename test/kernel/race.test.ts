/** Concurrent programs on a kernel beside what the model allows: comparing, and what was recorded. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type Allowed, allowedOutcomes, type OutcomeSeen } from '../../src/checker/index.ts';
import { programLine, type RaceOutcome, readAgentLine } from '../../src/kernel/protocol.ts';
import {
  asKernel,
  compareRace,
  observationLine,
  onRealPages,
  outcomeKey,
  parseObservation,
  wantedOf,
} from '../../src/kernel/race.ts';
import { parseConcurrentProgram, type Result } from '../../src/program/index.ts';

const page = { buf: 0, page: 0, pages: 1 };
const MMAP = { op: 'mmap', ...page, prot: 'rw', kind: 'anon' };
const PROGRAM = {
  name: 'race',
  setup: [MMAP, { op: 'cpu_write', ...page, tag: 1 }],
  tasks: {
    a: [{ op: 'cpu_write', ...page, tag: 2, comment: 'no kernel reads it' }],
    b: [{ op: 'cpu_read', ...page, expect: { tag: [1, 2] } }],
  },
  after: [{ op: 'cpu_read', ...page }],
};
const holds = (tag: number): Result => ({ ret: 'ok', done: 1, tags: [[tag * 65536, 1, 0]] });
const read = (tag: number): RaceOutcome => ({
  results: { a: [{ ret: 'ok', done: 1 }], b: [holds(tag)] },
  after: [holds(2)],
});

const seen = (outcome: object, schedules = 1): OutcomeSeen => ({
  outcome: JSON.stringify(outcome),
  schedules,
  choices: 'a',
  preemptions: 0,
  steps: 3,
});
const allowed = (outcomes: object[], complete = true): Allowed => ({
  outcomes: outcomes.map((one) => seen(one)),
  schedules: 9,
  broken: 0,
  complete,
  bounds: [],
});

describe('an outcome', () => {
  it('is the same one whatever the order of its fields', () => {
    const [a] = read(1).results.a;
    const turned = { after: [holds(2)], results: { b: [holds(1)], a: [{ done: 1, ret: a.ret }] } };
    expect(outcomeKey(turned)).toBe(outcomeKey(read(1)));
    expect(outcomeKey(read(2))).not.toBe(outcomeKey(read(1)));
  });
});

describe('both sides', () => {
  it.each([
    ['equal', allowed([read(1), read(2)]), ['yes', 'yes']],
    ['allowed', allowed([read(1), read(2)], false), ['yes', 'yes']],
    ['allowed', allowed([read(1), read(2), read(3)]), ['yes', 'yes', 'yes']],
    ['not allowed', allowed([read(1)]), ['yes', 'no']],
    ['open', allowed([read(1)], false), ['yes', 'open']],
    ['equal', allowed([read(1), { ...read(7), flaws: ['late'] }]), ['yes', 'flaw']],
    ['not allowed', allowed([read(1), read(7)]), ['yes', 'no', 'yes']],
  ] as const)('are %s', (verdict, model, rows) => {
    const came = compareRace(
      [
        [10, read(2)],
        [90, read(1)],
      ],
      model,
    );
    expect(came.verdict).toBe(verdict);
    expect(came.rows.map((row) => row.allowed)).toEqual(rows);
    expect(came.rows.map(({ rounds }) => rounds)).toEqual([90, 10, 0].slice(0, rows.length));
  });

  it('what is wanted is told apart, and counts but for what pages hold behind a flaw', () => {
    const wanted = wantedOf([[1, read(1)]]);
    expect(wanted(JSON.stringify(read(1)))).toBe(outcomeKey(read(1)));
    expect(wanted(JSON.stringify(read(2)))).toBeNull();
    expect(wanted(JSON.stringify({ ...read(2), flaws: ['late'] }))).toBe(outcomeKey(read(1)));
  });
});

describe('a concurrent program', () => {
  const program = parseConcurrentProgram(PROGRAM);

  it('as a line has what the agent needs and nothing else', () => {
    const line = JSON.parse(programLine({ ...program, rounds: 50 }, 7));
    expect(Object.keys(line)).toEqual(['name', 'seconds', 'rounds', 'setup', 'tasks', 'after']);
    expect(line.tasks).toEqual({
      a: [{ op: 'cpu_write', ...page, tag: 2, proc: 0 }],
      b: [{ op: 'cpu_read', ...page, proc: 0 }],
    });
    expect(line.rounds).toBe(50);
  });

  it('is run on the pages that a kernel has', () => {
    const small = { ...program, machine: { pmdOrder: 2, pageBytes: 16, hugetlbPages: 4 } };
    expect(onRealPages(small)).toEqual({ ...program, machine: { hugetlbPages: 4 } });
    expect(onRealPages({ ...program, machine: { pageBytes: 16 } })).toEqual(program);
  });

  it('has rounds in its answer', () => {
    const outcomes = [[3, read(1)]];
    const line = readAgentLine(
      JSON.stringify({ name: 'x', setup: [], rounds: 3, lost: 0, outcomes }),
    );
    expect(line).toMatchObject({
      kind: 'answer',
      answer: { results: [], raced: { rounds: 3, lost: 0, outcomes } },
    });
  });

  it('and an observation of it are read alike', () => {
    expect(parseObservation(PROGRAM, 'here')).toEqual({ program });
    const whole = { program, kernel: 'Linux', rounds: 3, observed: [[3, read(1)]] } as const;
    const line = JSON.parse(observationLine(whole as never));
    expect(parseObservation(line, 'here')).toEqual(whole);
    const wrong = (observed: unknown) => () => parseObservation({ ...line, observed }, 'here');
    expect(wrong([[0, read(1)]])).toThrow('field "observed": expected a list of [rounds,');
    expect(wrong([[1, { results: { a: [] }, after: [] }]])).toThrow('of every task by name');
    expect(() => parseObservation({ program: { name: 'p' } }, 'here')).toThrow('tasks');
  });
});

describe('what the model allows', () => {
  const options = { schedules: 5000, time: 60_000, breaks: 1 };
  const outcomes = (of: Allowed) => of.outcomes.map(({ outcome }) => JSON.parse(outcome));

  it('is what every schedule comes to', () => {
    const all = allowedOutcomes(asKernel(parseConcurrentProgram(PROGRAM)), options);
    expect(all.complete).toBe(true);
    expect(outcomes(all)).toEqual([read(2), read(1)]);
  });

  it('ends when all that is wanted is found', () => {
    const program = asKernel(parseConcurrentProgram(PROGRAM));
    const wanted = wantedOf([[1, read(2)]]);
    const few = allowedOutcomes(program, { ...options, wanted, count: 1 });
    const all = allowedOutcomes(program, { ...options, wanted, count: 1, everything: true });
    expect(outcomes(few)).toContainEqual(read(2));
    expect([few.complete, all.complete]).toEqual([false, true]);
  });

  it('has what takes the rest of the system where that is wanted', () => {
    // pages wait in the batch of CPU 0 until somebody drains it: only then can CPU 1 isolate them
    const migrate = { op: 'migrate_to_dev', dev: 0, ...page };
    const pageout = { op: 'madvise', ...page, advice: 'pageout' };
    const program = asKernel(
      parseConcurrentProgram({ ...PROGRAM, tasks: { gpu: [migrate], cpu: [pageout] } }),
    );
    const alone = allowedOutcomes(program, options);
    expect(alone.complete).toBe(true);
    const rets = (of: Allowed) => [
      ...new Set(outcomes(of).map(({ results }) => results.gpu[0].ret)),
    ];
    expect(rets(alone)).toEqual(['ok']);
    const enoent = {
      results: { gpu: [{ ret: 'ENOENT' }], cpu: [{ ret: 'ok' }] },
      after: [holds(1)],
    };
    const wanted = wantedOf([[1, enoent as never]]);
    const all = allowedOutcomes(program, { ...options, wanted, count: 1, everything: true });
    expect(rets(all).sort()).toEqual(['ENOENT', 'ok']);
  });
});

describe('of what a real kernel gave the model allows all', () => {
  const lines = readFileSync(new URL('../../corpus/races/races.jsonl', import.meta.url), 'utf8')
    .trim()
    .split('\n');
  const observations = lines.map((line, i) => parseObservation(JSON.parse(line), `line ${i + 1}`));
  it.each(observations.map((one) => [one.program.name, one] as const))('%s', (_, one) => {
    const { program, observed = [] } = one;
    expect(observed.length).toBeGreaterThan(0);
    const model = allowedOutcomes(asKernel(program), {
      schedules: 2000,
      time: 600_000,
      breaks: 1,
      wanted: wantedOf(observed),
      count: observed.length,
    });
    const { verdict, rows } = compareRace(observed, model);
    const lacks = rows.filter((row) => row.allowed === 'open' || row.allowed === 'no');
    expect(lacks).toEqual([]);
    expect(['allowed', 'equal']).toContain(verdict);
  });
});
