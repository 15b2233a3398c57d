/**
 * The long run of commute.test.ts and reduction.test.ts, every scenario: npm run test:long. From the
 * environment: PLACES for each (else 20000), SCENARIO (a part of a name, else all).
 */
import { describe, expect, it } from 'vitest';
import { programScenario, type Scenario } from '../../src/checker/index.ts';
import { commuting } from '../support/commute.ts';
import { lostEnds } from '../support/ends.ts';
import { SCENARIOS, scenarioProgram } from '../support/scenarios.ts';

const { PLACES, SCENARIO = '' } = process.env;
const names = SCENARIOS.filter((name) => name.includes(SCENARIO));

describe.each(['unified', 'collect'] as const)('walk %s', (walk) => {
  it.each(names)('%s: steps that do not depend on each other commute', (name) => {
    const scenario = programScenario(scenarioProgram(name)) as unknown as Scenario;
    const { pairs, broken } = commuting(scenario, walk, Number(PLACES ?? 20_000));
    expect(broken).toEqual([]);
    expect(pairs).toBeGreaterThan(0);
  });

  it.each(names)('%s: no end is lost', (name) => {
    const scenario = programScenario(scenarioProgram(name)) as unknown as Scenario;
    // null: too large for a search of everything
    expect(lostEnds(scenario, walk, 20_000) ?? []).toEqual([]);
  });
});
