/** A worker thread of `softleaf check`: does one job after the other. */
import { parentPort, workerData } from 'node:worker_threads';
import { type JobResult, runJob } from '../checker/index.ts';
import { loadSubject } from './check-files.ts';
import type { CheckJob } from './check-jobs.ts';

const stop = new Int32Array(workerData as SharedArrayBuffer);

parentPort?.on('message', async (job: CheckJob) => {
  try {
    const subject = await loadSubject(job.file, job.name);
    const goOn = (): boolean => Atomics.load(stop, 0) === 0;
    const from = job.from === undefined ? {} : { from: job.from };
    const result: JobResult = runJob(subject, job.walk, job.plan, { goOn, ...from });
    parentPort?.postMessage({ result });
  } catch (error) {
    const { message, name, stack } = error instanceof Error ? error : new Error(String(error));
    parentPort?.postMessage({ error: { message, name, stack } });
  }
});
