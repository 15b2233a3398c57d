/**
 * The long run of concurrent.test.ts: npm run test:long. From the environment: SEED (else a new one),
 * RUNS for each profile (else 2000), CONCURRENT (a profile, else all).
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  CONCURRENT_PROFILES,
  type ConcurrentProfileName,
  checkConcurrent,
  concurrentPrograms,
} from '../support/concurrent.ts';

const { SEED, RUNS, CONCURRENT } = process.env;
const seed = SEED === undefined ? Date.now() % 2 ** 31 : Number(SEED);
const names = CONCURRENT === undefined ? Object.keys(CONCURRENT_PROFILES) : [CONCURRENT];
console.log(`SEED=${seed} RUNS=${RUNS ?? 2000}`);

describe('random concurrent programs, many', () => {
  it.each(names)('%s', (name) => {
    const property = fc.property(
      concurrentPrograms(name as ConcurrentProfileName),
      ({ program, seed: own }) => {
        expect(checkConcurrent(program, own)).toEqual([]);
      },
    );
    fc.assert(property, { seed, numRuns: Number(RUNS ?? 2000) });
  });
});
