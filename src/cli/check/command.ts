/** `softleaf check`: tries the schedules of concurrent programs and scenarios. */
import { accessSync, constants, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { JobResult } from '../../checker/index.ts';
import { labAddress } from '../lab-link.ts';
import { progressBar } from '../progress.ts';
import {
  type ExitCode,
  messageLines,
  painter,
  printable,
  type Terminal,
  UsageError,
} from '../terminal.ts';
import { type CheckJob, doJobs, titlesBySubject } from './jobs.ts';
import { type CheckCommandOptions, jobsOf, workersOf } from './plans.ts';
import { replayCommand } from './replay.ts';
import { digestsOf, joined, keepRun, type Limits, restOf, resumeRun } from './resume.ts';
import { summarize } from './summary.ts';
import { tell } from './tell.ts';
import { searchLine } from './texts.ts';

/** @throws UsageError where a file cannot be written: better now than after the search */
function checkWritable(flag: string, file: string | undefined): void {
  if (file === undefined) return;
  const known = statSync(file, { throwIfNoEntry: false });
  try {
    if (known?.isDirectory()) throw new Error('it is a folder');
    accessSync(known ? file : dirname(resolve(file)), constants.W_OK);
  } catch (error) {
    throw new UsageError(`${flag} ${file}: cannot be written: ${(error as Error).message}`);
  }
}

/** The command. */
export async function checkCommand(
  files: readonly string[],
  options: CheckCommandOptions,
  terminal: Terminal,
): Promise<ExitCode> {
  if (options.link !== undefined) labAddress(options.link);
  checkWritable('--report', options.report);
  checkWritable('--resume', options.resume);
  if (options.replay !== undefined) return replayCommand(files, options.replay, options, terminal);
  const { resume } = options;
  const asked = await jobsOf(files, options, (advice) => {
    terminal.stderr.write(messageLines(advice));
  });
  const limits: Limits = {
    ...(options.schedules === undefined ? {} : { schedules: options.schedules }),
    ...(options.findings === undefined ? {} : { findings: options.findings }),
  };
  const saved = resume === undefined ? null : await resumeRun(resume, asked, limits);
  const jobs = saved?.jobs ?? asked;
  const digests = saved?.digests ?? (resume === undefined ? [] : await digestsOf(jobs));
  const before = saved?.results ?? [];

  const known = titlesBySubject(jobs, before);
  const left = jobs.flatMap((job, at) => {
    const rest = restOf(job, before[at], known[at]);
    return rest ? [{ at, job: rest }] : [];
  });

  const stop = new Int32Array(new SharedArrayBuffer(4));
  const interrupt = (): void => {
    Atomics.store(stop, 0, 1);
  };
  process.once('SIGINT', interrupt);
  process.once('SIGTERM', interrupt);
  const progress = progressBar(terminal, left.length);
  const paint = painter(terminal.stdout, terminal.env);
  const each = (job: CheckJob, result: JobResult, done: number): void => {
    progress.at(done);
    if (!options.verbose || options.json) return;
    progress.clear();
    terminal.stdout.write(searchLine({ job, result }, paint));
  };
  const fresh = await doJobs(
    left.map(({ job }) => job),
    workersOf(options),
    { each, stop },
  );
  progress.clear();
  process.removeListener('SIGINT', interrupt);
  process.removeListener('SIGTERM', interrupt);

  const results = jobs.map((_, at): JobResult | null => before[at] ?? null);
  left.forEach(({ at }, i) => {
    const now = fresh[i];
    if (now) results[at] = joined(results[at], now);
  });
  const stopped = Atomics.load(stop, 0) !== 0;
  const done = jobs.flatMap((job, at) => {
    const result = results[at];
    return result ? [{ job, result }] : [];
  });
  const summary = await summarize(jobs, done, { stopped, seconds: options.time });
  const exit = await tell(summary, options, terminal);
  if (resume !== undefined) {
    // what was cut by --schedules can go on with more of them
    const found = titlesBySubject(jobs, results);
    const isOpen = (job: CheckJob, at: number): boolean =>
      restOf(job, results[at], found[at]) !== null ||
      (options.schedules !== undefined && results[at]?.at !== undefined);
    const kept = keepRun(resume, jobs.some(isOpen) ? { jobs, digests, results } : null);
    if (kept && !options.json) {
      terminal.stdout.write(`kept in ${printable(resume)}: the same command goes on from there\n`);
    }
  }
  return exit;
}
