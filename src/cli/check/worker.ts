/** A worker thread of `softleaf check`: does one piece of work after the other. */
import { parentPort, workerData } from 'node:worker_threads';
import { runPart, runReport, ScenarioError, type Subject } from '../../checker/index.ts';
import { UsageError } from '../terminal.ts';
import { loadSubject } from './files.ts';
import type { CheckJob, Work } from './jobs.ts';

const stop = new Int32Array(workerData as SharedArrayBuffer);

/** What the last work was about: the next is often about the same. */
let last: { of: string; subject: Subject } | null = null;

async function subjectOf({ program, file, name }: CheckJob): Promise<Subject> {
  if (program) return { program };
  const of = JSON.stringify([file, name]);
  if (last?.of !== of) last = { of, subject: await loadSubject(file, name) };
  return last.subject;
}

parentPort?.on('message', async ({ job, ...work }: Work) => {
  try {
    const subject = await subjectOf(job);
    const { walk, plan } = job;
    try {
      const answer =
        'part' in work
          ? runPart(subject, walk, plan, work.part, () => Atomics.load(stop, 0) === 0)
          : runReport(subject, walk, plan, work.found);
      parentPort?.postMessage({ answer });
    } catch (error) {
      // in a scenario of one's own it is the scenario's mistake
      const own = error instanceof ScenarioError && 'scenario' in subject;
      throw own ? new UsageError(`${job.file}: "${job.name}": ${error.message}`) : error;
    }
  } catch (error) {
    const { message, name, stack } = error instanceof Error ? error : new Error(String(error));
    parentPort?.postMessage({ error: { message, name, stack } });
  }
});
