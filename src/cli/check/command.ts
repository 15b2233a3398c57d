/** `softleaf check`: tries the schedules of concurrent programs and scenarios. */
import { accessSync, constants, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { JobResult } from '../../checker/index.ts';
import { labAddress } from '../lab-link.ts';
import { type Progress, progressBar } from '../progress.ts';
import {
  ExitCode,
  messageLines,
  painter,
  printable,
  type Terminal,
  UsageError,
} from '../terminal.ts';
import { doJobs, titlesBySubject } from './jobs.ts';
import { type CheckCommandOptions, jobsOf, workersOf } from './plans.ts';
import { Pool } from './pool.ts';
import { replayCommand } from './replay.ts';
import { digestsOf, joined, keepRun, type Limits, restOf, resumeRun } from './resume.ts';
import { summarize } from './summary.ts';
import { tell } from './tell.ts';
import { searchLine } from './texts.ts';
import type { CheckJob } from './work.ts';

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
  const stop = new Int32Array(new SharedArrayBuffer(4));
  const { hang, time } = options;
  const pool = new Pool(workersOf(options), {
    stop,
    log: (text) => terminal.stderr.write(printable(text)),
    ...(hang === undefined ? {} : { hang }),
    ...(time === undefined ? {} : { time: time * 1000 }),
  });
  try {
    if (options.replay === undefined) return await search(files, options, terminal, pool, stop);
    return await replayCommand(files, options.replay, options, terminal, pool);
  } finally {
    await pool.end();
  }
}

/** Searches, and tells what came of it. */
async function search(
  files: readonly string[],
  options: CheckCommandOptions,
  terminal: Terminal,
  pool: Pool,
  stop: Int32Array,
): Promise<ExitCode> {
  const { resume } = options;
  const mistakes: string[] = [];
  const paint = painter(terminal.stdout, terminal.env);
  let progress: Progress | null = null;
  const mistaken = (message: string): void => {
    progress?.clear();
    mistakes.push(message);
    terminal.stderr.write(messageLines(message.replaceAll('\n', ' ')));
  };
  const advise = (advice: string): void => {
    terminal.stderr.write(messageLines(advice));
  };
  const asked = await jobsOf(files, options, pool, { advise, mistaken });
  if (asked.length === 0) return ExitCode.badInput;
  const limits: Limits = {
    ...(options.schedules === undefined ? {} : { schedules: options.schedules }),
    ...(options.findings === undefined ? {} : { findings: options.findings }),
  };
  const saved = resume === undefined ? null : await resumeRun(resume, asked, limits, pool);
  const jobs = saved?.jobs ?? asked;
  const digests = saved?.digests ?? (resume === undefined ? [] : await digestsOf(jobs, pool));
  const before = saved?.results ?? [];

  const known = titlesBySubject(jobs, before);
  const left = jobs.flatMap((job, at) => {
    const rest = restOf(job, before[at], known[at]);
    return rest ? [{ at, job: rest }] : [];
  });

  const interrupt = (): void => {
    Atomics.store(stop, 0, 1);
  };
  process.once('SIGINT', interrupt);
  process.once('SIGTERM', interrupt);
  const bar = progressBar(terminal, left.length);
  progress = bar;
  const each = (job: CheckJob, result: JobResult, done: number): void => {
    bar.at(done);
    if (!options.verbose || options.json) return;
    bar.clear();
    terminal.stdout.write(searchLine({ job, result }, paint));
  };
  const fresh = await doJobs(
    left.map(({ job }) => job),
    pool,
    { each, stop, mistaken },
  );
  bar.clear();
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
  const summary = await summarize(jobs, done, {
    stopped,
    seconds: options.time,
    mistakes,
  });
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
  return mistakes.length > 0 ? ExitCode.badInput : exit;
}
