/** Interrupted runs of `softleaf check`: what is kept of one, and going on with it. */
import { existsSync, rmSync } from 'node:fs';
import { resolve } from 'node:path';
import type { JobResult } from '../../checker/index.ts';
import { readKept, writeKept } from '../kept.ts';
import { UsageError } from '../terminal.ts';
import type { Pool } from './pool.ts';
import type { CheckJob } from './work.ts';

/** What a run came to so far. */
export interface Saved {
  jobs: CheckJob[];
  /** By job: what was searched; another program, or another model, has another one. */
  digests: string[];
  results: (JobResult | null)[];
}

/** What the file is. */
const KEPT = { softleaf: 'check', format: 7, by: '--resume' } as const;

/** The fingerprints of what jobs search. */
export async function digestsOf(jobs: readonly CheckJob[], pool: Pool): Promise<string[]> {
  const digests: string[] = [];
  const known = new Map<string, string>();
  for (const job of jobs) {
    const { file, name, walk, plan } = job;
    const key = JSON.stringify([file, name, walk, plan.hardware === true]);
    let digest = known.get(key);
    if (digest === undefined) {
      digest = (await pool.do('digest', { job })) ?? '';
      known.set(key, digest);
    }
    digests.push(digest);
  }
  return digests;
}

/**
 * Goes on with a run.
 * @param file where it is kept
 * @param asked what the command line asks for: the same, but for how far it goes
 * @returns null where nothing is kept there
 * @throws UsageError where the run is another one than asked for, or of another program
 */
export async function resumeRun(
  file: string,
  asked: readonly CheckJob[],
  pool: Pool,
): Promise<Saved | null> {
  if (!existsSync(file)) return null;
  const saved = readKept<Saved>(file, KEPT);
  const identity = ({ file: of, name, walk, plan, unmended = [] }: CheckJob): string => {
    const { schedules: _, findings: __, time: ___, beyond: ____, ...how } = plan;
    return JSON.stringify([
      resolve(of),
      name,
      walk,
      [...unmended].sort(),
      Object.entries(how).sort(),
    ]);
  };
  const kept = new Set(saved.jobs.map(identity));
  if (asked.length !== saved.jobs.length || !asked.every((job) => kept.has(identity(job)))) {
    throw new UsageError(
      `${file}: keeps another run than this one (scenarios, walk, strategy, seed, preemptions, faults, breaks, hardware, mends): go on with the same command, or name another file`,
    );
  }
  const digests = await digestsOf(saved.jobs, pool);
  saved.jobs.forEach(({ file: of, name }, i) => {
    if (digests[i] === saved.digests[i]) return;
    throw new UsageError(
      `${file}: "${name}" of ${of}, or the model, has changed since: begin again, with another file`,
    );
  });
  // how far it goes may be another one now
  const plans = new Map(asked.map((job) => [identity(job), job.plan]));
  const jobs = saved.jobs.map((job) => ({ ...job, plan: plans.get(identity(job)) ?? job.plan }));
  return { ...saved, jobs };
}

/**
 * Keeps a run.
 * @throws Error where it cannot be written
 */
export function keepRun(file: string, run: Saved): void {
  writeKept(file, KEPT, run);
}

/** Nothing is left to do of a run. */
export function forgetRun(file: string): void {
  rmSync(file, { force: true });
}
