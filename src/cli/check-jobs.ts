/** Doing the jobs of `softleaf check`, in worker threads. */
import { Worker } from 'node:worker_threads';
import type { ConcurrentProgram, JobResult, Plan, Walk } from '../checker/index.ts';
import { UsageError } from './terminal.ts';

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
}

export interface Pool {
  /** Called with each result as it comes. */
  each?: (job: CheckJob, result: JobResult, done: number) => void;
  /** Jobs are given up when this says so; what they came to is still reported. */
  stop: Int32Array;
}

type Answer = { result: JobResult } | { error: { message: string; name: string; stack?: string } };

/**
 * Does the jobs with `workers` threads.
 * @returns the results in the order of the jobs; undefined for a job that was not begun
 */
export async function doJobs(
  jobs: readonly CheckJob[],
  workers: number,
  { each, stop }: Pool,
): Promise<(JobResult | undefined)[]> {
  const results: (JobResult | undefined)[] = jobs.map(() => undefined);
  let next = 0;
  let done = 0;
  const one = async (): Promise<void> => {
    const worker = new Worker(new URL('./check-worker.js', import.meta.url), {
      workerData: stop.buffer,
    });
    try {
      while (next < jobs.length && Atomics.load(stop, 0) === 0) {
        const at = next++;
        const job = jobs[at];
        const answer = await new Promise<Answer>((resolve, reject) => {
          worker.once('error', reject);
          worker.once('message', (message: Answer) => {
            worker.removeAllListeners('error');
            resolve(message);
          });
          worker.postMessage(job);
        });
        if ('error' in answer) {
          const { name, message, stack } = answer.error;
          if (name === 'UsageError' || name === 'ProgramError') throw new UsageError(message);
          throw Object.assign(new Error(`${job.name}: ${message}`), { stack });
        }
        results[at] = answer.result;
        each?.(job, answer.result, ++done);
      }
    } finally {
      await worker.terminate();
    }
  };
  await Promise.all(Array.from({ length: Math.min(workers, jobs.length) }, one));
  return results;
}
