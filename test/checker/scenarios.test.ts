/** The concurrent programs that are shipped, with few preemptions, and what some of them were found by. */
import { describe, expect, it } from 'vitest';
import {
  type CheckOptions,
  check,
  Exhaustive,
  Pct,
  programScenario,
  type Strategy,
} from '../../src/checker/index.ts';
import type { ConcurrentProgram, Walk } from '../../src/program/index.ts';
import { SCENARIOS, scenarioProgram } from '../support/scenarios.ts';

const WALKS: Walk[] = ['unified', 'collect'];

function search(program: ConcurrentProgram, options: CheckOptions) {
  const { found, complete } = check(programScenario(program), options);
  return { found: found.map(({ title }) => title), complete };
}

const preempted = (most: number) => (tasks: number) => new Exhaustive(tasks, { preemptions: most });

it.each(SCENARIOS)('%s: every schedule with one preemption is clean', (name) => {
  for (const walk of WALKS) {
    const all = search(scenarioProgram(name), { walk, strategy: preempted(1) });
    expect(all).toEqual({ found: [], complete: true });
  }
});

it.each([
  // waits for a huge page by looking at it again and again, while the driver is at it
  'huge-device-eviction',
  // needs two: the page is given up and taken anew before the migration goes on
  'huge-no-room-dontneed',
])('%s: every schedule with two preemptions is clean', (name) => {
  for (const walk of WALKS) {
    const all = search(scenarioProgram(name), { walk, strategy: preempted(2) });
    expect(all).toEqual({ found: [], complete: true });
  }
});

describe('a task that looks at an entry again and again, and takes its lock each time', () => {
  const eviction = programScenario(scenarioProgram('huge-device-eviction'));

  it('is not what never ends, where it alone decides who goes on', () => {
    // the driver holds the page's lock and waits for the entry's, which the CPU has every now and then
    const before = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0];
    let at = 0;
    const strategy: Strategy = {
      begin: () => at === 0,
      choose: (_, enabled) => before[at++] ?? (enabled & 2 ? 1 : 0),
      end: () => {},
      bounds: () => [],
    };
    const most = { strategy: () => strategy, maxSteps: 5000 };
    const { found, redundant, steps } = check(eviction, most);
    expect(found).toEqual([]);
    expect([redundant, steps]).toEqual([1, most.maxSteps]);
  });

  it('lets the other go on in a search of few preemptions', () => {
    const { schedules, steps, complete } = check(eviction, { strategy: preempted(2) });
    expect(complete).toBe(true);
    expect(steps / schedules).toBeLessThan(1000);
  });
});

it('closing a device ends, however its steps fall between those of a fault', () => {
  for (const walk of WALKS) {
    const strategy = (tasks: number) => new Exhaustive(tasks);
    const some = search(scenarioProgram('closing-a-device'), { walk, strategy, schedules: 400 });
    expect(some.found).toEqual([]);
  }
});

describe('what recorded programs show of 7.3.4’s mistakes', () => {
  const strategy = () => new Pct({ seed: 3 });
  const found = (mended: boolean | undefined) => {
    const program = scenarioProgram('huge-two-devices');
    const machine = { ...program.machine, ...(mended === undefined ? {} : { mended }) };
    return search({ ...program, machine }, { walk: 'unified', strategy, schedules: 400 }).found;
  };

  it('is found under tasks if it is not mended', () => {
    expect(found(false)).toEqual(['a device reads data of another page in doRead']);
  });

  it('is mended in a concurrent program that does not say otherwise', () => {
    expect(found(undefined)).toEqual([]);
    expect(found(true)).toEqual([]);
  });
});
