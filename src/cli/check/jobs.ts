/** Doing the jobs of `softleaf check`, in worker threads. */
import { Worker } from 'node:worker_threads';
import {
  type ConcurrentProgram,
  type Done,
  type Found,
  type JobResult,
  type LockOrderSeen,
  type PartRequest,
  type PartResult,
  type Plan,
  type ReportedFinding,
  Search,
  type Thread,
  Threads,
  type Walk,
} from '../../checker/index.ts';
import { UsageError } from '../terminal.ts';

/** One search. */
export interface CheckJob {
  file: string;
  /** The scenario's name. */
  name: string;
  walk: Walk;
  plan: Plan;
  /** The program itself, where no worker can read it from the file: standard input. */
  program?: ConcurrentProgram;
  /** Where an earlier run left off. */
  from?: unknown;
  /** Titles of what it found: they are not reported again. */
  known?: string[];
  /** Orders of locks that it saw. */
  orders?: readonly LockOrderSeen[];
}

/** What a thread is to do: search a part, or shrink and report what was found. */
export type Work = { job: CheckJob; part: PartRequest } | { job: CheckJob; found: Found };

export interface JobsOptions {
  /** Called with each result as it comes. */
  each?: (job: CheckJob, result: JobResult, done: number) => void;
  /** Jobs are given up when this says so; what they came to is still reported. */
  stop: Int32Array;
  /** Threads that are there already, and that the caller ends. */
  pool?: Pool;
}

type Outcome = PartResult | ReportedFinding;
type Answer = { answer: Outcome } | { error: { message: string; name: string; stack?: string } };

/** A worker thread of Node's. */
class WorkerThread implements Thread<Work, Outcome> {
  private readonly worker: Worker;

  constructor(stop: Int32Array) {
    this.worker = new Worker(new URL('./worker.js', import.meta.url), {
      workerData: stop.buffer,
      // a schedule leaves much behind, and all of it at once
      resourceLimits: { maxYoungGenerationSizeMb: 64 },
    });
  }

  perform(work: Work): Promise<Done<Outcome>> {
    const { worker } = this;
    return new Promise((resolve, reject) => {
      worker.once('error', reject);
      worker.once('message', (message: Answer) => {
        worker.removeAllListeners('error');
        if ('answer' in message) resolve(message);
        else {
          const { name, message: text, stack } = message.error;
          const usage = name === 'UsageError' || name === 'ProgramError';
          const error = new Error(`${work.job.name}: ${text}`);
          resolve({ error: usage ? new UsageError(text) : Object.assign(error, { stack }) });
        }
      });
      worker.postMessage(work);
    });
  }

  terminate(): Promise<number> {
    return this.worker.terminate();
  }
}

/** The threads of `softleaf check`. */
export class Pool {
  private readonly threads: Threads<Work, Outcome>;

  constructor(
    readonly size: number,
    stop: Int32Array,
  ) {
    this.threads = new Threads(size, () => new WorkerThread(stop));
  }

  part(job: CheckJob, part: PartRequest): Promise<PartResult | null> {
    return this.threads.add({ job, part }) as Promise<PartResult | null>;
  }

  report(job: CheckJob, found: Found): Promise<ReportedFinding | null> {
    return this.threads.add({ job, found }) as Promise<ReportedFinding | null>;
  }

  end(): Promise<void> {
    return this.threads.end();
  }
}

/** Does one job, part by part. */
async function doJob(
  job: CheckJob,
  pool: Pool,
  stopped: () => boolean,
): Promise<{ result: JobResult; time: number }> {
  const search = new Search(job.plan, job.from, job.known, job.orders);
  for (let parts = search.next(); parts.length > 0; parts = search.next()) {
    search.ended(await Promise.all(parts.map((part) => (stopped() ? null : pool.part(job, part)))));
    if (stopped()) break;
  }
  const findings = await Promise.all(search.found.map((found) => pool.report(job, found)));
  const reported = findings.filter((finding) => finding !== null);
  return { result: search.result(job.name, job.walk, reported), time: search.time };
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

/**
 * Does the jobs with `workers` threads. Those that search the same go one after the other, and none
 * reports what one before it found. What comes of a job depends neither on the number of threads nor on
 * which of them does what.
 * @returns the results in the order of the jobs; undefined for a job that was not begun
 */
export async function doJobs(
  jobs: readonly CheckJob[],
  workers: number,
  { each, stop, pool: given }: JobsOptions,
): Promise<(JobResult | undefined)[]> {
  const results: (JobResult | undefined)[] = jobs.map(() => undefined);
  const pool = given ?? new Pool(workers, stop);
  const stopped = (): boolean => Atomics.load(stop, 0) !== 0;
  const groups = bySubject(jobs);
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
      if (titles.size >= plan.findings) {
        open += share ?? 0;
        done++;
        continue;
      }
      const job = {
        ...jobs[at],
        known: [...titles],
        plan: share === undefined ? plan : { ...plan, time: share },
      };
      const { result, time } = await doJob(job, pool, stopped);
      open += Math.max(0, (share ?? 0) - time);
      for (const { title } of result.findings) titles.add(title);
      results[at] = result;
      each?.(jobs[at], result, ++done);
    }
  };
  let next = 0;
  const one = async (): Promise<void> => {
    while (next < groups.length && !stopped()) await doGroup(groups[next++]);
  };
  try {
    // one group more than threads: while one of them comes to its end, nobody is idle
    await Promise.all(Array.from({ length: pool.size + 1 }, one));
  } finally {
    if (!given) await pool.end();
  }
  return results;
}
