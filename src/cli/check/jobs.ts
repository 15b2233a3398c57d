/** Doing the jobs of `softleaf check`, in worker threads. */
import { type JobResult, Search } from '../../checker/index.ts';
import { UsageError } from '../terminal.ts';
import type { Pool } from './pool.ts';
import type { CheckJob } from './work.ts';

export interface JobsOptions {
  /** Called with each result as it comes. */
  each?: (job: CheckJob, result: JobResult, done: number) => void;
  /** Jobs are given up when this says so; what they came to is still reported. */
  stop: Int32Array;
  /** Called with what is wrong with a module, once for each scenario: its jobs are not gone on with. */
  mistaken: (message: string) => void;
}

/** What came of work that may fail: the first mistake of a module ends the job, anything else everything. */
class Attempts {
  mistake: string | null = null;

  async all<T>(works: readonly Promise<T | null>[]): Promise<(T | null)[]> {
    const settled = await Promise.allSettled(works);
    return settled.map((one) => {
      if (one.status === 'fulfilled') return one.value;
      if (!(one.reason instanceof UsageError)) throw one.reason;
      this.mistake ??= one.reason.message;
      return null;
    });
  }
}

/** Does one job, part by part. What was searched before a mistake showed is kept. */
async function doJob(
  job: CheckJob,
  pool: Pool,
  stopped: () => boolean,
): Promise<{ result: JobResult; time: number; mistake: string | null }> {
  const search = new Search(job.plan, job.from, job.known, job.orders);
  const attempts = new Attempts();
  for (let parts = search.next(); parts.length > 0; parts = search.next()) {
    const works = parts.map(async (part) => (stopped() ? null : pool.do('part', { job, part })));
    search.ended(await attempts.all(works));
    if (stopped() || attempts.mistake !== null) break;
  }
  const found = search.found.map((one) => pool.do('report', { job, found: one }));
  const reported = (await attempts.all(found)).filter((finding) => finding !== null);
  return {
    result: search.result(job.name, job.walk, reported),
    time: search.time,
    mistake: attempts.mistake,
  };
}

/** What jobs are searches of: they find the same things. */
const subjectKey = ({ file, name, walk, plan }: CheckJob): string =>
  JSON.stringify([file, name, walk, plan.hardware === true]);

/** The numbers of the jobs that search the same, in their order. */
function bySubject(jobs: readonly CheckJob[]): number[][] {
  const groups = new Map<string, number[]>();
  jobs.forEach((job, at) => {
    const key = subjectKey(job);
    const group = groups.get(key);
    if (group) group.push(at);
    else groups.set(key, [at]);
  });
  return [...groups.values()];
}

/** By job: the titles that any search of the same found. */
export function titlesBySubject(
  jobs: readonly CheckJob[],
  results: readonly (JobResult | null | undefined)[],
): Set<string>[] {
  const titles: Set<string>[] = [];
  for (const group of bySubject(jobs)) {
    const found = group.flatMap((at) => results[at]?.findings ?? []);
    const own = new Set(found.map(({ title }) => title));
    for (const at of group) titles[at] = own;
  }
  return titles;
}

/** A module's scenario: what is wrong with it is so on every walk. */
const scenarioKey = ({ file, name }: CheckJob): string => JSON.stringify([file, name]);

/**
 * Does the jobs. Those that search the same go one after the other, and none
 * reports what one before it found. What comes of a job depends neither on the number of threads nor on
 * which of them does what.
 * @returns the results in the order of the jobs; undefined for a job that was not begun
 */
export async function doJobs(
  jobs: readonly CheckJob[],
  pool: Pool,
  { each, stop, mistaken }: JobsOptions,
): Promise<(JobResult | undefined)[]> {
  const results: (JobResult | undefined)[] = jobs.map(() => undefined);
  const stopped = (): boolean => Atomics.load(stop, 0) !== 0;
  const groups = bySubject(jobs);
  const wrong = new Set<string>();
  let done = 0;
  // time that one job does not need is the others'
  let open = jobs.reduce((sum, { plan }) => sum + (plan.time ?? 0), 0);
  let planned = open;
  const doGroup = async (group: readonly number[]): Promise<void> => {
    const titles = new Set(group.flatMap((at) => jobs[at].known ?? []));
    for (const at of group) {
      if (stopped()) return;
      const { plan } = jobs[at];
      const share = plan.time === undefined ? undefined : (open * plan.time) / planned;
      planned -= plan.time ?? 0;
      open -= share ?? 0;
      if (titles.size >= plan.findings || wrong.has(scenarioKey(jobs[at]))) {
        open += share ?? 0;
        done++;
        continue;
      }
      const job = {
        ...jobs[at],
        known: [...titles],
        plan: share === undefined ? plan : { ...plan, time: share },
      };
      const { result, time, mistake } = await doJob(job, pool, stopped);
      open += Math.max(0, (share ?? 0) - time);
      for (const { title } of result.findings) titles.add(title);
      results[at] = result;
      if (mistake !== null && !wrong.has(scenarioKey(job))) {
        wrong.add(scenarioKey(job));
        mistaken(mistake);
      }
      each?.(jobs[at], result, ++done);
    }
  };
  let next = 0;
  const one = async (): Promise<void> => {
    while (next < groups.length && !stopped()) await doGroup(groups[next++]);
  };
  // one group more than threads: while one of them comes to its end, nobody is idle
  await Promise.all(Array.from({ length: pool.size + 1 }, one));
  return results;
}
