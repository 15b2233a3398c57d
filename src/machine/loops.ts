/**
 * A bound for loops. The build puts into each loop of the model that may have no end that its turns count down
 * (scripts/bound.mjs); what runs from source is not bounded. Whoever runs modelled functions says before each
 * operation how many turns it may take.
 */
import { notModelledNames } from './finding.ts';
import type { Reporter } from './reporter.ts';

/**
 * Turns at most, of one operation of a program, of one command of a test, of one step. The largest operation that ships
 * takes a tenth of it.
 */
export const MOST_TURNS = 50_000_000;

/** Turns that are left, in an array so that it is the same for all who count. */
export const turns: Int32Array = new Int32Array(1);

let reporter: Reporter | null = null;

/** From here on modelled functions may take so many turns of loops; then `k` has a finding. */
export function boundLoops(k: Reporter, most = MOST_TURNS): void {
  reporter = k;
  turns[0] = most;
}

/**
 * There are no turns left.
 * @throws KernelBug where somebody has set a bound
 */
export function noEnd(): void {
  reporter?.throwBug('livelock', 'does not end');
}

notModelledNames([noEnd.name]);
