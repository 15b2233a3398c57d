/** A worker thread of `softleaf check`: does one job after the other. */
import { parentPort, workerData } from 'node:worker_threads';
import { type JobResult, runJob, ScenarioError, type Subject } from '../checker/index.ts';
import { loadSubject } from './check-files.ts';
import type { CheckJob } from './check-jobs.ts';
import { UsageError } from './terminal.ts';

const stop = new Int32Array(workerData as SharedArrayBuffer);

function search(subject: Subject, job: CheckJob): JobResult {
  const { from, known } = job;
  const goOn = (): boolean => Atomics.load(stop, 0) === 0;
  try {
    return runJob(subject, job.walk, job.plan, {
      goOn,
      ...(from === undefined ? {} : { from }),
      ...(known ? { known } : {}),
    });
  } catch (error) {
    // in a scenario of one's own it is the scenario's mistake
    const own = error instanceof ScenarioError && 'scenario' in subject;
    throw own ? new UsageError(`${job.file}: "${job.name}": ${error.message}`) : error;
  }
}

parentPort?.on('message', async (job: CheckJob) => {
  try {
    const { program } = job;
    const result = search(program ? { program } : await loadSubject(job.file, job.name), job);
    parentPort?.postMessage({ result });
  } catch (error) {
    const { message, name, stack } = error instanceof Error ? error : new Error(String(error));
    parentPort?.postMessage({ error: { message, name, stack } });
  }
});
