/** A worker thread of `softleaf check`: does one piece of work after the other. */
import { parentPort, workerData } from 'node:worker_threads';
import {
  Execution,
  fingerprint,
  ownMistake,
  runPart,
  runReport,
  type Subject,
  scenarioOf,
} from '../../checker/index.ts';
import { UsageError } from '../terminal.ts';
import { isModule, listModule, loadSubject, tryModule } from './files.ts';
import { replayed } from './replay.ts';
import { type CheckJob, subjectOfWork, type ThreadData, type Work } from './work.ts';

const { stop, beat } = workerData as ThreadData;
Execution.begins = () => {
  Atomics.add(beat, 0, 1);
};

/** What the last work was about: the next is often about the same. */
let last: { of: string; subject: Subject } | null = null;

async function subjectOf({ program, file, name }: CheckJob): Promise<Subject> {
  if (program) return { program };
  const of = JSON.stringify([file, name]);
  if (last?.of !== of) last = { of, subject: await loadSubject(file, name) };
  return last.subject;
}

async function perform(work: Work): Promise<unknown> {
  const goOn = (): boolean => Atomics.load(stop, 0) === 0;
  switch (work.what) {
    case 'list':
      return (await listModule(work.file)).map((one) =>
        'mistake' in one ? one : { name: one.name },
      );
    case 'try':
      await tryModule(work.file, work.name);
      return true;
    case 'replay':
      return replayed(work.file, work.text, work.options);
  }
  const { walk, plan } = work.job;
  const subject = await subjectOf(work.job);
  switch (work.what) {
    case 'part':
      return runPart(subject, walk, plan, work.part, goOn);
    case 'report':
      return runReport(subject, walk, plan, work.found);
    case 'digest':
      return fingerprint(scenarioOf(subject), { walk, hardware: plan.hardware === true });
  }
}

/** What a module left behind that failed when nobody waited for it. */
let stray: { thrown: unknown } | null = null;
const isStray = (thrown: unknown): void => {
  stray ??= { thrown };
};
process.on('uncaughtException', isStray);
process.on('unhandledRejection', isStray);

parentPort?.on('message', async (work: Work) => {
  const { file, name } = subjectOfWork(work);
  const who = name === undefined ? file : `${file}: "${name}"`;
  try {
    const answer = await perform(work);
    // what it left behind without waiting for it fails now
    await new Promise((resolve) => setImmediate(resolve));
    if (stray !== null) {
      const { thrown } = stray;
      stray = null;
      const where = 'what nobody waits for (a timer, a promise)';
      throw ownMistake(thrown, where) ?? thrown;
    }
    parentPort?.postMessage({ answer });
  } catch (thrown) {
    // in a module it is the module's mistake, wherever it shows
    const own = isModule(file) && !(thrown instanceof UsageError) ? ownMistake(thrown, 'it') : null;
    const error = own ? new UsageError(`${who}: ${own.message}`) : thrown;
    const {
      message,
      name: kind,
      stack,
    } = error instanceof Error ? error : new Error(String(error));
    parentPort?.postMessage({ error: { message, name: kind, stack } });
  }
});
