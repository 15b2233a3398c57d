/**
 * The long run of turned.test.ts, every scenario: npm run test:long. From the environment: SCENARIO (a part of a name,
 * else all).
 */
import { describe, expect, it } from 'vitest';
import { SCENARIOS, shippedScenario } from '../support/scenarios.ts';
import { difference } from '../support/turned.ts';

const { SCENARIO = '' } = process.env;

describe.each(['unified', 'collect'] as const)('walk %s', (walk) => {
  it.for(SCENARIOS.filter((name) => name.includes(SCENARIO)))('%s', (name, { skip }) => {
    const found = difference(shippedScenario(name), walk, 4000);
    skip(found === null, 'too large for a search of everything');
    expect(found).toEqual([]);
  });
});
