import { describe, it } from 'vitest';
import {
  HUGE_PAGES,
  type HugeProfileName,
  PROFILES,
  type ProfileName,
} from '../support/arbitrary.ts';
import { checkWalks } from '../support/check.ts';
import { holdsFor, PROFILE_NAMES } from '../support/property.ts';

const names = Object.keys(PROFILES) as ProfileName[];
const hugeNames = (pages: number) =>
  PROFILE_NAMES.filter((name) => name.endsWith(`-${pages}`)) as HugeProfileName[];

describe('random programs: both walks end alike, and every invariant holds', () => {
  it.each(names)('%s', (name) => {
    const runs = name.startsWith('coherent') ? 60 : 150;
    holdsFor(name, { seed: 7, runs }, (program) => checkWalks(program));
  });
  it.each(['fork', 'everything'] as const)('%s, with the reference ledger', (name) => {
    holdsFor(name, { seed: 8, runs: 20 }, (program) => checkWalks(program, { ledger: true }));
  });
});

/** A program of large pages takes longer: so many of each profile. */
const RUNS: Record<(typeof HUGE_PAGES)[number], number> = { 512: 3, 64: 30, 4: 100 };

describe('the same with huge pages', () => {
  for (const pages of HUGE_PAGES) {
    it.each(hugeNames(pages))('%s', (name) => {
      holdsFor(name, { seed: 7, runs: RUNS[pages] }, (program) => checkWalks(program));
    });
  }
  it.each(hugeNames(4))('%s, with the reference ledger', (name) => {
    holdsFor(name, { seed: 8, runs: 10 }, (program) => checkWalks(program, { ledger: true }));
  });
  it.each(hugeNames(4))('%s, suspended before every step', (name) => {
    holdsFor(name, { seed: 9, runs: 30 }, (program) => checkWalks(program, { stepping: true }));
  });
});
