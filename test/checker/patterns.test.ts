/** Patterns of drivers: the wrong way is found by the searches of a plain check, the right way is clean. */
import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { check, type Scenario } from '../../src/checker/index.ts';
import { strategyOf } from '../../src/checker/search/strategies.ts';
import { plainPlans } from '../../src/cli/check/plans.ts';

const folder = new URL('../../examples/patterns/', import.meta.url);
const files = readdirSync(folder).filter((name) => name.endsWith('.mjs'));

/** What is found of each, by title. */
const FOUND: Record<string, string[]> = {
  'copied-out-twice.mjs': ['a device page is copied once more that has been moved in populateRam'],
  'restore-stops-at-the-first-failure.mjs': ['without end: worker'],
  'split-not-counted.mjs': ['more folios are given back than were handed out in folioFree'],
  'two-gpus-take-one-range.mjs': ['without end: gpu0, gpu1'],
  'waits-with-its-mutex.mjs': [
    'locks are taken in a circle: fence, ranges of the process, fence in under',
    'under waits for fence; under waits for ranges of the process',
  ],
};

/** Of what comes to nothing a part: all of it takes minutes. */
const MOST = 60;

/** The titles of what the searches of a plain check find, one after the other until one does. */
function found(scenario: Scenario, most = Number.POSITIVE_INFINITY): string[] {
  for (const plan of plainPlans()) {
    const titles = check(scenario, {
      walk: 'unified',
      strategy: (tasks) => strategyOf(plan.strategy, tasks, plan),
      schedules: Math.min(plan.schedules, most),
      findings: plan.findings,
    }).found.map(({ title }) => title);
    if (titles.length > 0) return titles.sort();
  }
  return [];
}

it('all are named here', () => {
  expect(files.sort()).toEqual(Object.keys(FOUND).sort());
});

describe.each(Object.keys(FOUND))('%s', (file) => {
  const patterns = (): Promise<{ wrong: Scenario; right: Scenario; default: Scenario[] }> =>
    import(/* @vite-ignore */ new URL(file, folder).href);

  it('is found', async () => {
    expect(found((await patterns()).wrong)).toEqual(FOUND[file]);
  });

  it('is clean where it is mended', async () => {
    expect(found((await patterns()).right, MOST)).toEqual([]);
  });
});
