/** A worker thread of `softleaf check`: does one piece of work after the other. */
import { parentPort, workerData } from 'node:worker_threads';
import {
  type CheckOptions,
  digestOf,
  Execution,
  fingerprint,
  ownMistake,
  type PartRequest,
  type PartResult,
  runPart,
  runReport,
  runShorten,
  type Subject,
  scenarioOf,
} from '../../checker/index.ts';
import { loadedModules } from '../modules.ts';
import { UsageError } from '../terminal.ts';
import { explained } from './explained.ts';
import { isModule, listModule, loadSubject, tryModule } from './files.ts';
import { Flow } from './gate.ts';
import { replayed } from './replay.ts';
import { everyStep } from './steps.ts';
import { tracedFinding } from './traced.ts';
import {
  type CheckJob,
  type Order,
  subjectOfWork,
  type ThreadData,
  type Underway,
  type Work,
} from './work.ts';

/** Milliseconds between two words about a part under way. */
const SAY_EVERY = 200;

const { beat } = workerData as ThreadData;
let { stop } = workerData as ThreadData;
Execution.begins = () => {
  Atomics.add(beat, 0, 1);
};

// what a module prints goes the way of the answers, and comes before them: a stream would keep the process
process.stdout.write = (chunk: string | Uint8Array, ...more: unknown[]): boolean => {
  const printed = typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString();
  parentPort?.postMessage({ printed });
  const done = more.find((one) => typeof one === 'function') as (() => void) | undefined;
  if (done) process.nextTick(done);
  return true;
};

/** What the last work was about: the next is often about the same. */
let last: { of: string; subject: Subject } | null = null;

async function subjectOf({ program, file, name }: CheckJob): Promise<Subject> {
  if (program) return { program };
  const of = JSON.stringify([file, name]);
  if (last?.of !== of) last = { of, subject: await loadSubject(file, name) };
  return last.subject;
}

const goesOn = (): boolean => Atomics.load(stop, 0) === Flow.go;

type SoFar = Parameters<NonNullable<CheckOptions['goOn']>>[0];

/** Does a part, and says now and then how far it is. */
function doPart(subject: Subject, { walk, plan }: CheckJob, part: PartRequest): PartResult {
  let next = Date.now() + SAY_EVERY;
  let said = { schedules: 0, outcomes: 0 };
  const say = (schedules: number, outcomes: string[], longest: number): void => {
    const underway: Underway = {
      schedules: schedules - said.schedules,
      outcomes: outcomes.slice(said.outcomes),
      longest,
    };
    said = { schedules, outcomes: outcomes.length };
    next = Date.now() + SAY_EVERY;
    parentPort?.postMessage({ underway });
  };
  let longest = 0;
  const goOn = (soFar: SoFar): boolean => {
    longest = soFar.longest;
    if (Date.now() >= next) say(soFar.schedules, [...soFar.outcomes], longest);
    return goesOn();
  };
  const result = runPart(subject, walk, plan, part, goOn);
  say(result.schedules, result.outcomes, longest);
  return result;
}

async function perform(work: Work): Promise<unknown> {
  if (work.what === 'part' && !goesOn()) return null;
  switch (work.what) {
    case 'list':
      return (await listModule(work.file)).map((one) =>
        'mistake' in one ? one : { name: one.name },
      );
    case 'try':
      await tryModule(work.file, work.name);
      return true;
    case 'explain':
      return explained(work.file, work.text, work.options);
    case 'steps':
      return everyStep(work.file, work.text, work.options, work.colours);
    case 'replay':
      return replayed(work.file, work.text, work.options);
  }
  const { walk, plan } = work.job;
  const subject = await subjectOf(work.job);
  switch (work.what) {
    case 'part':
      return doPart(subject, work.job, work.part);
    case 'report':
      return runReport(subject, walk, plan, work.found, work.effort);
    case 'trace':
      return tracedFinding(work.job.file, subject, work.finding, work.job.unmended);
    case 'shorten':
      return runShorten(subject, walk, plan, work.table, work.replays);
    case 'digest': {
      const scenario = scenarioOf(subject);
      const of = fingerprint(scenario, { walk, hardware: plan.hardware === true });
      return digestOf(of + JSON.stringify(scenario.conditions ?? []));
    }
  }
}

/** What a module left behind that failed when nobody waited for it. */
let stray: { thrown: unknown } | null = null;
/** Whether there was such a thing: there may be more. */
let isTainted = false;
const isStray = (thrown: unknown): void => {
  stray ??= { thrown };
};
process.on('uncaughtException', isStray);
process.on('unhandledRejection', isStray);

parentPort?.on('message', async (order: Order) => {
  if (order === 'rest') {
    parentPort?.postMessage({ rests: isTainted ? null : loadedModules() });
  } else if ('begin' in order) {
    stop = order.begin.stop;
    last = null;
  } else await answer(order);
});

async function answer(work: Work): Promise<void> {
  const { file, who } = subjectOfWork(work);
  try {
    const answer = await perform(work);
    // what it left behind without waiting for it fails now; what loading it left for the next moment, too
    if (work.what === 'list' || work.what === 'try')
      await new Promise((done) => setTimeout(done, 1));
    await new Promise((resolve) => setImmediate(resolve));
    if (stray !== null) {
      const { thrown } = stray;
      stray = null;
      isTainted = true;
      const where = 'what nobody waits for (a timer, a promise)';
      throw ownMistake(thrown, where) ?? thrown;
    }
    parentPort?.postMessage({ answer });
  } catch (thrown) {
    // in a module it is the module's mistake, wherever it shows
    const own = isModule(file) && !(thrown instanceof UsageError) ? ownMistake(thrown, 'it') : null;
    const error = own ? new UsageError(`${who}: ${own.message}`) : thrown;
    const { message, name, stack } = error instanceof Error ? error : new Error(String(error));
    parentPort?.postMessage({ error: { message, name, stack } });
  }
}
