/** Checking a property of random programs, with a failure that can be repeated. */
import fc from 'fast-check';
import type { Program } from '../../src/program/index.ts';
import {
  HUGE_PROFILES,
  type HugeProfileName,
  PROFILES,
  type ProfileName,
  programs,
} from './arbitrary.ts';

const ALL = { ...PROFILES, ...HUGE_PROFILES };
export type AnyProfileName = ProfileName | HugeProfileName;
export const PROFILE_NAMES = Object.keys(ALL) as AnyProfileName[];

export interface Runs {
  seed: number;
  runs: number;
  /** Where fast-check's shrinking ended. */
  path?: string;
}

/**
 * Runs a property of a profile's programs.
 * @param check returns what is wrong with a program
 * @throws Error with the shortest program found, and the line that repeats the failure
 */
export function holdsFor(
  name: AnyProfileName,
  { seed, runs, path }: Runs,
  check: (program: Program) => string[],
): void {
  const property = fc.property(programs(ALL[name]), (program) => check(program).length === 0);
  const replay = path === undefined ? {} : { path };
  const details = fc.check(property, { seed, numRuns: runs, ...replay });
  if (!details.failed) return;
  const at = `SEED=${details.seed} RUNS=${runs} PROFILE=${name}`;
  const where = details.counterexamplePath ? ` REPLAY=${details.counterexamplePath}` : '';
  const [program] = details.counterexample ?? [];
  let problems: string[] = [];
  try {
    problems = program ? check(program) : [];
  } catch (error) {
    problems = [String(error instanceof Error ? error.stack : error)];
  }
  throw new Error(
    [
      `after ${details.numRuns} runs, ${details.numShrinks} times smaller:`,
      ...problems.slice(0, 10),
      JSON.stringify(program),
      `to repeat: ${at}${where} npm run test:long`,
    ].join('\n'),
  );
}
