/** Interrupted runs of `softleaf check`: what is kept of one, and going on with it. */
import { createHash } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { resolve } from 'node:path';
import type { JobResult } from '../../checker/index.ts';
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

/** The first line of the file; the second is a `Saved`. */
interface Head {
  softleaf: 'check';
  format: typeof FORMAT;
  /** Of the second line. */
  sha256: string;
}

const FORMAT = 6;

const digestOf = (text: string): string => createHash('sha256').update(text).digest('hex');

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

/** @throws UsageError where it is no run that was kept, or not whole */
function read(file: string): Saved {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new UsageError(`cannot read ${file}: ${(error as Error).message}`);
  }
  const end = text.indexOf('\n');
  let head: Partial<Head> | null = null;
  try {
    head = JSON.parse(end < 0 ? text : text.slice(0, end)) as Partial<Head> | null;
  } catch {
    // no line of ours
  }
  if (head?.softleaf !== 'check' || head.format === undefined) {
    throw new UsageError(`${file}: expected a run that --resume has kept, this is something else`);
  }
  if (head.format !== FORMAT) {
    throw new UsageError(
      `${file}: a run kept in format ${head.format}; this Softleaf reads ${FORMAT}: begin again, with another file`,
    );
  }
  const body = text.slice(end + 1).replace(/\n$/, '');
  if (end < 0 || digestOf(body) !== head.sha256) {
    throw new UsageError(
      `${file}: this file is damaged, its digest is not that of what is in it: begin again, with another file`,
    );
  }
  return JSON.parse(body) as Saved;
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
  const saved = read(file);
  const identity = ({ file: of, name, walk, plan }: CheckJob): string => {
    const { schedules: _, findings: __, time: ___, beyond: ____, ...how } = plan;
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
  // how far it goes may be another one now
  const plans = new Map(asked.map((job) => [identity(job), job.plan]));
  const jobs = saved.jobs.map((job) => ({ ...job, plan: plans.get(identity(job)) ?? job.plan }));
  return { ...saved, jobs };
}

/**
 * Keeps a run: whatever happens meanwhile, the file is the one before or this one.
 * @throws Error where it cannot be written
 */
export function keepRun(file: string, run: Saved): void {
  const at = existsSync(file) ? realpathSync(file) : file;
  const beside = `${at}.new`;
  const body = JSON.stringify(run);
  const head: Head = { softleaf: 'check', format: FORMAT, sha256: digestOf(body) };
  try {
    const to = openSync(beside, 'w');
    try {
      const bytes = Buffer.from(`${JSON.stringify(head)}\n${body}\n`);
      for (let done = 0; done < bytes.length; ) done += writeSync(to, bytes, done);
      fsyncSync(to);
    } finally {
      closeSync(to);
    }
    renameSync(beside, at);
  } catch (error) {
    rmSync(beside, { force: true });
    throw error;
  }
}

/** Nothing is left to do of a run. */
export function forgetRun(file: string): void {
  rmSync(file, { force: true });
}
