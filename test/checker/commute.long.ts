/**
 * The long run of commute.test.ts and reduction.test.ts, every scenario: npm run test:long. From the
 * environment: PLACES for each (else 20000), SCENARIO (a part of a name, else all).
 */
import { describe, expect, it } from 'vitest';
import { commuting } from '../support/commute.ts';
import { lostEnds } from '../support/ends.ts';
import { SCENARIOS, shippedScenario } from '../support/scenarios.ts';

const { PLACES, SCENARIO = '' } = process.env;
const names = SCENARIOS.filter((name) => name.includes(SCENARIO));

describe.each(['unified', 'collect'] as const)('walk %s', (walk) => {
  it.each(names)('%s: steps that do not depend on each other commute', (name) => {
    const { pairs, broken } = commuting(shippedScenario(name), walk, Number(PLACES ?? 20_000));
    expect(broken).toEqual([]);
    expect(pairs).toBeGreaterThan(0);
  });

  it.for(names)('%s: no end is lost', (name, { skip }) => {
    const lost = lostEnds(shippedScenario(name), walk, 20_000);
    skip(lost === null, 'too large for a search of everything');
    expect(lost).toEqual([]);
  });
});
