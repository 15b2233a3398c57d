/** Interrupted runs of `softleaf check`: what is kept of one, and going on with it. */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { JobResult, Plan } from '../../checker/index.ts';
import { UsageError } from '../terminal.ts';
import type { Pool } from './pool.ts';
import type { CheckJob } from './work.ts';

/** What a run came to so far. */
export interface Saved {
  softleaf: 'check';
  format: typeof FORMAT;
  jobs: CheckJob[];
  /** By job: what was searched; another program, or another model, has another one. */
  digests: string[];
  results: (JobResult | null)[];
}

const FORMAT = 2;

/** What of a plan may be another one when a run goes on: how far it goes. */
export type Limits = Partial<Pick<Plan, 'schedules' | 'findings'>>;

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

function read(file: string): Saved {
  let saved: Saved | null = null;
  try {
    saved = JSON.parse(readFileSync(file, 'utf8')) as Saved | null;
  } catch (error) {
    throw new UsageError(`cannot read ${file}: ${(error as Error).message}`);
  }
  if (saved?.softleaf !== 'check' || !Array.isArray(saved.jobs)) {
    throw new UsageError(`${file}: expected a run that --resume has kept, this is something else`);
  }
  if (saved.format !== FORMAT) {
    throw new UsageError(
      `${file}: a run kept in format ${saved.format}; this Softleaf reads ${FORMAT}`,
    );
  }
  return saved;
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
  limits: Limits,
  pool: Pool,
): Promise<Saved | null> {
  if (!existsSync(file)) return null;
  const saved = read(file);
  const identity = ({ file: of, name, walk, plan }: CheckJob): string => {
    const { schedules: _, findings: __, time: ___, ...how } = plan;
    return JSON.stringify([resolve(of), name, walk, Object.entries(how).sort()]);
  };
  const kept = new Set(saved.jobs.map(identity));
  if (asked.length !== saved.jobs.length || !asked.every((job) => kept.has(identity(job)))) {
    throw new UsageError(
      `${file}: keeps another run than this one (scenarios, walk, strategy, seed, preemptions, faults, hardware): go on with the same command, or name another file`,
    );
  }
  const digests = await digestsOf(saved.jobs, pool);
  saved.jobs.forEach(({ file: of, name }, i) => {
    if (digests[i] === saved.digests[i]) return;
    throw new UsageError(
      `${file}: "${name}" of ${of}, or the model, has changed since: begin again, with another file`,
    );
  });
  const times = new Map(asked.map((job) => [identity(job), job.plan.time]));
  const jobs = saved.jobs.map((job) => {
    const { time: _, ...plan } = job.plan;
    const time = times.get(identity(job));
    return { ...job, plan: { ...plan, ...limits, ...(time === undefined ? {} : { time }) } };
  });
  return { ...saved, jobs };
}

/**
 * Keeps a run, or, where nothing of it is left to do, no more.
 * @param run null: nothing is left
 * @returns whether it is kept
 */
export function keepRun(file: string, run: Omit<Saved, 'softleaf' | 'format'> | null): boolean {
  if (run) writeFileSync(file, JSON.stringify({ softleaf: 'check', format: FORMAT, ...run }));
  else rmSync(file, { force: true });
  return run !== null;
}

/**
 * What of a job is left to do; null: nothing.
 * @param done what came of it so far
 * @param titles of what was found so far, in other searches of the same too
 */
export function restOf(
  job: CheckJob,
  done: JobResult | null | undefined,
  titles: ReadonlySet<string>,
): CheckJob | null {
  if (titles.size >= job.plan.findings) return null;
  const known = [...titles];
  if (!done) return { ...job, known };
  if (done.at === undefined) return null;
  const schedules = job.plan.schedules - done.schedules;
  if (schedules <= 0) return null;
  const { at, orders = [] } = done;
  return { ...job, from: at, known, orders, plan: { ...job.plan, schedules } };
}

/** What came of a search in two parts. */
export function joined(then: JobResult | null | undefined, now: JobResult): JobResult {
  if (!then) return now;
  return {
    ...now,
    schedules: then.schedules + now.schedules,
    steps: then.steps + now.steps,
    redundant: then.redundant + now.redundant,
    outcomes: [...new Set([...then.outcomes, ...now.outcomes])],
    coverage: {
      ran: [...new Set([...then.coverage.ran, ...now.coverage.ran])],
      pairs: [...then.coverage.pairs, ...now.coverage.pairs],
      entries: [...then.coverage.entries, ...now.coverage.entries],
    },
    findings: [...then.findings, ...now.findings],
  };
}
