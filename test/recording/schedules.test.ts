/** Recordings of schedules: what has to be said of one, in slices, of scenarios, with the hardware's events. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import {
  check,
  ENDLESS_AFTER,
  Exhaustive,
  encodeSchedule,
  fingerprint,
  Pct,
  type ProgramState,
  RandomWalk,
  runsOf,
  type Scenario,
  type SetupOptions,
  sealedSchedule,
} from '../../src/checker/index.ts';
import { type Program, parseAnyProgram } from '../../src/program/index.ts';
import {
  type Recordable,
  type Recording,
  record,
  recordable,
  recordInSlices,
} from '../../src/recording/index.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (path: string) =>
  parseAnyProgram(JSON.parse(readFileSync(`${root}/${path}.json`, 'utf8')));
async function load(path: string): Promise<Scenario> {
  const { default: scenario } = await import(/* @vite-ignore */ `${root}${path}.mjs`);
  return scenario;
}

/** The first thing that breaks, with the schedule as a check says it. */
function broken(program: Recordable, setup: SetupOptions, faults = 0) {
  const scenario = recordable(program, '!');
  const strategy = (tasks: number) => new Exhaustive(tasks, { faults });
  const { found } = check(scenario, { ...setup, strategy, findings: 1, schedules: 3000 });
  const [{ finding, choices }] = found;
  const schedule = encodeSchedule(runsOf(choices), fingerprint(scenario, setup));
  return { finding, choices, schedule };
}

const choicesOf = ({ steps }: Recording): number[] => [...steps.choices];

describe('the schedule of a recording', () => {
  it('says no more than it takes, and gives the same steps again', () => {
    const program = read('scenarios/three-tasks');
    const scenario = recordable(program);
    const setup = { walk: 'unified' } as const;
    const digest = fingerprint(scenario, setup);
    let needed = 0;
    for (const seed of [1, 2, 3, 4, 5, 6]) {
      const random = seed % 2 ? new RandomWalk({ seed, faults: 1 }) : new Pct({ seed, faults: 1 });
      let all: number[] = [];
      const strategy = () => ({
        begin: random.begin.bind(random),
        choose(...args: Parameters<typeof random.choose>) {
          const choice = random.choose(...args);
          all.push(choice);
          return choice;
        },
        end: random.end.bind(random),
        bounds: () => [],
      });
      all = [];
      check(scenario, { ...setup, strategy, schedules: 1 });
      const whole = encodeSchedule(runsOf(all), digest);
      const first = record(program, { ...setup, schedule: whole });
      expect(choicesOf(first)).toEqual(all);
      const again = record(program, { ...setup, schedule: first.schedule });
      expect(choicesOf(again)).toEqual(all);
      expect(again.schedule).toBe(first.schedule);
      expect(first.schedule.length).toBeLessThan(whole.length);
      // the last step that is said is needed
      const said = first.schedule.split('.')[2];
      const last = /(\d+)(!?)$/.exec(said);
      if (!last) continue;
      needed++;
      const fewer = Number(last[1]) - 1;
      const cut = said.slice(0, last.index) + fewer;
      const less = fewer > 0 ? cut : said.replace(/[a-z]\d+!?$/, '');
      const other = record(program, { ...setup, schedule: sealedSchedule(digest, less) });
      expect(choicesOf(other)).not.toEqual(all);
    }
    expect(needed).toBeGreaterThan(3);
  });

  it('of tasks in turn says nothing', () => {
    const { schedule } = record(read('scenarios/three-tasks'));
    expect(schedule).toMatch(/^2\.\w+\.\.\w+$/);
  });

  it('ends with what a check says of a schedule without end', () => {
    const program = read('scenarios/three-tasks');
    const scenario: Scenario = {
      ...recordable(program),
      tasks: {
        *spin(state: object) {
          const { kernel: k } = (state as ProgramState).system;
          const lock = k.newLock('a lock', 'mutex');
          for (;;) {
            yield k.acquire(lock);
            k.lock(lock);
            yield k.release(lock);
            k.unlock(lock);
          }
        },
      },
    };
    const { finding, truncated, length } = record(scenario);
    expect(finding?.invariant).toBe('livelock');
    expect(truncated).toBe(false);
    expect(length).toBe(ENDLESS_AFTER + 8);
  });
});

describe('a recording', () => {
  it('in slices is the same', async () => {
    const program = read('examples/migrate-on-fault');
    const whole = record(program, { walk: 'unified' });
    const seen: number[] = [];
    const pause = async (steps: number) => seen.push(steps) > 0;
    const made = await recordInSlices(program, { walk: 'unified', slice: 0, pause });
    expect(seen.length).toBeGreaterThan(10);
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
    expect(made?.steps).toEqual(whole.steps);
    expect(made?.events).toEqual(whole.events);
    expect(made?.held).toEqual(whole.held);
    expect(made?.schedule).toBe(whole.schedule);
    const given = await recordInSlices(program, { slice: 0, pause: async (steps) => steps < 90 });
    expect(given).toBeNull();
  });

  it.each([
    ['scenarios/driver-brings-back', 'as-posted'],
    ['scenarios/driver-dma-mapped', 'as-posted'],
    ['examples/scenarios/check-without-lock', 'unified'],
  ] as const)('of a scenario: %s', async (path, walk) => {
    const scenario = await load(path);
    const { finding, choices, schedule } = broken(scenario, { walk });
    const recording = record(scenario, { walk, schedule });
    expect(recording.finding).toEqual(finding);
    expect(choicesOf(recording)).toEqual(choices);
    expect(recording.tasks).toEqual(Object.keys(scenario.tasks));
    const { state, tasks } = recording.moment(recording.length);
    expect(state.spaces.map(({ proc }) => proc)).toContain(0);
    expect(state.areas.length + recording.moment(0).state.areas.length).toBeGreaterThan(0);
    expect(tasks).toHaveLength(2);
    const changed = choices.filter((_, at) => recording.changes(at).length > 0);
    expect(changed.length).toBeGreaterThan(10);
  });

  it('of a GPU of one’s own shows its page table', async () => {
    const scenario = await load('examples/scenarios/check-without-lock');
    const { schedule } = broken(scenario, { walk: 'unified' });
    const recording = record(scenario, { schedule });
    const { deviceEntries } = recording.moment(recording.length).state;
    expect(deviceEntries).toMatchObject([{ device: 0, place: 'buffer 0 page 0', right: 'read' }]);
    expect(recording.tasks).toEqual(['gpu', 'cpu']);
  });

  it('has the hardware’s own events where it is asked to', () => {
    const program = read('scenarios/device-fault-dontneed');
    const setup = { walk: 'as-posted', hardware: true } as const;
    const recording = record(program, setup);
    expect(recording.hardware).toBe(true);
    expect(recording.tasks.length).toBeGreaterThan(2);
    const { schedule } = recording;
    expect(record(program, { ...setup, schedule }).steps).toEqual(recording.steps);
    expect(() => record(program, { walk: 'as-posted', schedule })).toThrow(/another program/);
  });

  it('does not measure by what was recorded where an allocation fails', () => {
    const program = read('examples/migrate-on-fault') as Program;
    expect(program.results).toBeDefined();
    const { schedule, events } = record(program, { walk: 'unified' });
    const { at } = events.find(({ kind }) => kind === 'allocation') ?? { at: 0 };
    const [, digest, choices] = schedule.split('.');
    const more = sealedSchedule(digest, `${choices}a${at + 1}!`);
    const failing = record(program, { walk: 'unified', schedule: more });
    expect(failing.events.some(({ kind }) => kind === 'failed allocation')).toBe(true);
    expect(failing.finding).toBeNull();
  });
});
