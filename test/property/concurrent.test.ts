/**
 * Random concurrent programs: whatever meets whatever, nothing breaks under either walk. `npm run
 * test:long` tries many more.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  CONCURRENT_PROFILES,
  type ConcurrentProfileName,
  checkConcurrent,
  concurrentPrograms,
} from '../support/concurrent.ts';

const names = Object.keys(CONCURRENT_PROFILES) as ConcurrentProfileName[];

describe('random concurrent programs', () => {
  it.each(names)('%s', (name) => {
    const property = fc.property(concurrentPrograms(name), ({ program, seed }) => {
      expect(checkConcurrent(program, seed)).toEqual([]);
    });
    fc.assert(property, { seed: 20261122, numRuns: 40 });
  });
});
