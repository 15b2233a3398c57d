/** The test driver as it was: it tried for ever, and the turns of the quick suite find that. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { check, programScenario, Turns } from '../../src/checker/index.ts';
import { PATIENCE } from '../../src/drivers/dmirror-mends.ts';
import { scenarioProgram } from '../support/scenarios.ts';

const patience = { ...PATIENCE };
beforeEach(() => {
  Object.assign(PATIENCE, { tries: Number.POSITIVE_INFINITY, longestWait: 0 });
});
afterEach(() => {
  Object.assign(PATIENCE, patience);
});

const turns = (name: string) =>
  check(programScenario(scenarioProgram(name)), {
    walk: 'unified',
    strategy: () => new Turns({ seed: 1 }),
    schedules: 50,
  }).found.map(({ title }) => title);

it('exclusive access that looks again, against a migration that does', () => {
  const name = 'exclusive-against-migration';
  expect(turns(name)).toEqual(['without end: exclusive, fault_migrate_to_dev']);
  PATIENCE.tries = patience.tries;
  expect(turns(name)).toEqual([]);
});

it('an eviction that begins anew at once, against a write that copies', () => {
  const name = 'coherent-memory-taken-away-from-two-processes';
  expect(turns(name)).toEqual(['without end: cpu_write, release']);
  PATIENCE.longestWait = patience.longestWait;
  expect(turns(name)).toEqual([]);
});
