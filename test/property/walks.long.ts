/**
 * The long run of walks.test.ts: npm run test:long. From the environment: SEED (else a new one), RUNS
 * for each profile (else 2000), PROFILE (else all), REPLAY as a failure prints it.
 */
import { describe, it } from 'vitest';
import { checkWalks } from '../support/check.ts';
import { type AnyProfileName, holdsFor, PROFILE_NAMES } from '../support/property.ts';

const { SEED, RUNS, PROFILE, REPLAY } = process.env;
const seed = SEED === undefined ? Date.now() % 2 ** 31 : Number(SEED);
const runs = Number(RUNS ?? 2000);
const names = PROFILE === undefined ? PROFILE_NAMES : [PROFILE];
console.log(`SEED=${seed} RUNS=${runs}`);

describe('random programs, many', () => {
  it.each(names)('%s', (name) => {
    const replay = REPLAY === undefined ? {} : { path: REPLAY };
    holdsFor(name as AnyProfileName, { seed, runs, ...replay }, (program) => checkWalks(program));
  });
});
