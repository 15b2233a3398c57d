import { describe, it } from 'vitest';
import { PROFILES, type ProfileName } from '../support/arbitrary.ts';
import { checkWalks } from '../support/check.ts';
import { holdsFor } from '../support/property.ts';

const names = Object.keys(PROFILES) as ProfileName[];

describe('random programs: both walks end alike, and every invariant holds', () => {
  it.each(names)('%s', (name) => {
    holdsFor(name, { seed: 7, runs: 150 }, (program) => checkWalks(program));
  });
  it.each(['fork', 'everything'] as const)('%s, with the reference ledger', (name) => {
    holdsFor(name, { seed: 8, runs: 20 }, (program) => checkWalks(program, { ledger: true }));
  });
});
