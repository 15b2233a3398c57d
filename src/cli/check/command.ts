/** `softleaf check`: tries the schedules of concurrent programs and scenarios. */
import { accessSync, constants, existsSync, realpathSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { type JobResult, REPLAYS } from '../../checker/index.ts';
import { labAddress } from '../lab-link.ts';
import { type SearchProgress, searchProgress } from '../progress.ts';
import {
  ExitCode,
  jsonLine,
  messageLines,
  painter,
  printable,
  type Terminal,
  UsageError,
} from '../terminal.ts';
import { interrupted, watching } from '../watch.ts';
import { readBaseline } from './baseline.ts';
import { Deadline } from './deadline.ts';
import { filesOfArguments, isModule, loadProgram } from './files.ts';
import { Flow } from './gate.ts';
import { interrupts } from './interrupt.ts';
import { doJobs, leftOf, titlesBySubject } from './jobs.ts';
import { lockFile } from './lock.ts';
import { type CheckCommandOptions, KEEP_EVERY } from './options.ts';
import { outcomesOf } from './outcomes.ts';
import { askedOf, jobsOf, workersOf } from './plans.ts';
import { Pool, unlessMistaken } from './pool.ts';
import { replayCommand } from './replay.ts';
import { digestsOf, forgetRun, keepRun, resumeRun } from './resume.ts';
import { type FinishedSearch, summarize } from './summary.ts';
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

/** A file whatever name it has. */
function fileOf(path: string): string {
  return statSync(path, { throwIfNoEntry: false }) ? realpathSync(path) : resolve(path);
}

/** @throws UsageError where a file that would be written is one that is read */
function checkOutputs(
  inputs: readonly string[],
  outputs: readonly (readonly [flag: string, file: string | undefined])[],
): void {
  const known = new Map(inputs.map((file) => [fileOf(file), file]));
  for (const [flag, file] of outputs) {
    if (file === undefined) continue;
    const other = known.get(fileOf(file));
    if (other !== undefined) {
      throw new UsageError(`${flag} ${file}: would write over ${other}`);
    }
    known.set(fileOf(file), file);
  }
}

/** @throws UsageError where options do not go together */
function checkOptions(files: readonly string[], options: CheckCommandOptions): void {
  const { resume, report, replay, baseline, watch } = options;
  const trace = options.trace === true ? undefined : options.trace;
  const both = (a: string, b: string): UsageError =>
    new UsageError(`${a} and ${b}: one or the other`);
  if (options.link !== undefined) labAddress(options.link);
  checkWritable('--report', report);
  checkWritable('--resume', resume);
  checkWritable('--trace', trace);
  checkOutputs(baseline === undefined ? files : [...files, baseline], [
    ['--resume', resume],
    ['--report', report],
    ['--trace', trace],
  ]);
  if (baseline !== undefined) readBaseline(baseline);
  if (options.keepEvery !== undefined && resume === undefined) {
    throw new UsageError('--keep-every: expected --resume as well');
  }
  if (replay !== undefined && resume !== undefined) throw both('--replay', '--resume');
  if (options.trace === true) {
    if (replay === undefined) throw new UsageError('--trace: expected a file, or --replay as well');
    if (options.json) throw both('--trace without a file', '--json');
    if (options.format) throw both('--trace without a file', '--format');
  }
  if (options.json && options.format) throw both('--json', '--format');
  if (!watch) return;
  if (resume !== undefined) throw both('--watch', '--resume');
  if (files.length === 0 || files.includes('-')) {
    throw new UsageError('--watch: expected files, which can be watched');
  }
}

/**
 * The command.
 * @param began when it began, as `performance.now()` says it
 * @param end when to stop watching
 */
export async function checkCommand(
  files: readonly string[],
  options: CheckCommandOptions,
  terminal: Terminal,
  began: number = performance.now(),
  end: () => Promise<void> = interrupted,
): Promise<ExitCode> {
  checkOptions(files, options);
  const { resume } = options;
  const say = (message: string): void => {
    terminal.stderr.write(messageLines(message));
  };
  if (!options.watch) {
    const unlock = resume === undefined ? () => {} : lockFile(resume, say);
    try {
      return await checkOnce(files, options, terminal, began);
    } finally {
      unlock();
    }
  }
  const once = () => checkOnce(files, options, terminal, performance.now());
  return watching(filesOfArguments(files), 'watching', once, terminal, end);
}

/** Runs once, with threads that it has for itself. */
async function checkOnce(
  files: readonly string[],
  options: CheckCommandOptions,
  terminal: Terminal,
  began: number,
): Promise<ExitCode> {
  const stop = new Int32Array(new SharedArrayBuffer(4));
  const progress = searchProgress(terminal);
  const { hang, time } = options;
  const pool = new Pool(workersOf(options), {
    stop,
    log: (text) => terminal.stderr.write(printable(text)),
    underway: ({ file, name }, { outcomes, ...more }) =>
      progress.tried({ ...more, outcomes: outcomes.map((end) => `${file} ${name} ${end}`) }),
    ...(hang === undefined ? {} : { hang }),
    ...(time === undefined ? {} : { time: time * 1000 }),
  });
  try {
    if (options.replay !== undefined) {
      return await replayCommand(files, options.replay, options, terminal, pool);
    }
    if (options.list) return listCommand(files, options, terminal);
    return await search(files, options, terminal, { pool, stop, progress, began });
  } finally {
    await pool.end();
  }
}

/** Prints what would be checked: the files, generated programs by name; or all of these programs. */
function listCommand(
  files: readonly string[],
  options: CheckCommandOptions,
  { stdout }: Terminal,
): ExitCode {
  const asked = askedOf(files, options).map(({ file }) => file);
  if (options.json) {
    const programs = asked.filter((file) => !isModule(file)).map(loadProgram);
    stdout.write(jsonLine(programs));
  } else for (const file of asked) stdout.write(printable(`${file}\n`));
  return ExitCode.clean;
}

/** Milliseconds that threads get to come to the end of a schedule where all is given up. */
const LAST_WAIT = 2000;

/** With what a run is done. */
interface Means {
  pool: Pool;
  stop: Int32Array;
  progress: SearchProgress;
  /** When it began, as `performance.now()` says it. */
  began: number;
}

/** Searches, from where it was left or from the beginning, and tells what came of it. */
async function search(
  files: readonly string[],
  options: CheckCommandOptions,
  terminal: Terminal,
  { pool, stop, progress, began }: Means,
): Promise<ExitCode> {
  const { resume } = options;
  const { stdout } = terminal;
  const say = (message: string): void => {
    progress.clear();
    terminal.stderr.write(messageLines(message));
  };
  const mistakes: string[] = [];
  const mistaken = (message: string): void => {
    mistakes.push(message);
    say(message.replaceAll('\n', ' '));
  };
  const asked = await jobsOf(files, options, pool, { advise: say, mistaken });
  if (asked.length === 0) return ExitCode.badInput;
  const saved = resume === undefined ? null : await resumeRun(resume, asked, pool);
  const jobs = saved?.jobs ?? asked;
  const digests = saved?.digests ?? (resume === undefined ? [] : await digestsOf(jobs, pool));
  const before = saved?.results ?? [];
  const deadline = new Deadline(options.time, began);

  const isStopped = (): boolean => Atomics.load(stop, 0) === Flow.stop;
  const signals = interrupts(stop, terminal, resume);
  let isLate = false;
  /** The time is over; but where it takes all of it to begin, nothing would ever be searched. */
  const overdue = (): void => {
    if (isStopped()) return;
    if (progress.schedules === 0) {
      timer = setTimeout(overdue, 50);
      return;
    }
    isLate = true;
    Atomics.store(stop, 0, Flow.stop);
  };
  let timer = setTimeout(overdue, Math.min(deadline.search, 2 ** 31 - 1));
  if (options.time === undefined) clearTimeout(timer);

  /** All is given up: nothing is written any more. */
  let isOver = false;
  /** Why what was kept last is not in the file. */
  let unkept: string | null = null;
  let stoppedAndKept = (): void => {};
  const keptAtStop = new Promise<void>((done) => {
    stoppedAndKept = done;
  });
  const keep = (results: readonly (JobResult | null)[]): void => {
    if (resume === undefined || isOver) return;
    try {
      keepRun(resume, { jobs: [...jobs], digests, results: [...results] });
      unkept = null;
    } catch (error) {
      unkept = (error as Error).message;
      const old = existsSync(resume) ? '; what it had before is still in it' : '';
      say(`${resume}: cannot be written: ${unkept}${old}`);
    }
    if (isStopped()) stoppedAndKept();
  };

  const searched = async (): Promise<ExitCode> => {
    const titles = titlesBySubject(jobs, before);
    const left = jobs.filter((job, at) => leftOf(job, before[at], titles[at]) !== null).length;
    progress.begin(left, deadline.search);
    const paint = painter(stdout, terminal.env);
    const results = await doJobs(jobs, pool, {
      each(job, result, done) {
        progress.at(done);
        if (!options.verbose || options.json || options.format) return;
        progress.clear();
        stdout.write(searchLine({ job, result }, paint));
      },
      stop,
      mistaken,
      before,
      ...(options.time === undefined ? {} : { time: deadline.search * pool.size }),
      effort: () => deadline.effort(),
      keep:
        resume === undefined
          ? undefined
          : { every: 1000 * (options.keepEvery ?? KEEP_EVERY), write: keep },
    }).finally(() => progress.clear());
    keep(results);
    if (isOver) return ExitCode.interrupted;
    const done = jobs.flatMap((job, at): FinishedSearch[] => {
      const result = results[at];
      return result ? [{ job, result }] : [];
    });
    const stopped = isStopped() && !isLate;
    const how = {
      stopped,
      isLate,
      seconds: options.time,
      mistakes,
      ignore: options.ignore ?? [],
    };
    // nobody waits for what is only made shorter
    const replays = isStopped() ? 0 : REPLAYS;
    const table = options.outcomes
      ? await outcomesOf(
          done,
          (job, seen) =>
            unlessMistaken(pool.do('shorten', { job, table: seen, replays }), mistaken),
          how,
        )
      : null;
    const summary = await summarize(jobs, done, how);
    const told = await tell(summary, options, terminal, pool, table && { table });
    const exit = mistakes.length > 0 ? ExitCode.badInput : told;
    if (resume === undefined) return exit;
    // what was cut by --schedules can go on with more of them
    const found = titlesBySubject(jobs, results);
    const isOpen = (job: CheckJob, at: number): boolean =>
      leftOf(job, results[at], found[at]) !== null ||
      (options.schedules !== undefined && results[at]?.at !== undefined);
    if (!jobs.some(isOpen)) forgetRun(resume);
    else if (unkept !== null) return ExitCode.output;
    else if (!options.json && !options.format) {
      stdout.write(`kept in ${printable(resume)}: the same command goes on from there\n`);
    }
    return exit;
  };
  const givenUp = async (): Promise<ExitCode> => {
    await signals.givenUp;
    if (resume === undefined) {
      isOver = true;
      return ExitCode.interrupted;
    }
    const late = new Promise<void>((done) => setTimeout(done, LAST_WAIT).unref());
    await Promise.race([keptAtStop, late]);
    isOver = true;
    say(existsSync(resume) ? `given up; what is left to do is kept in ${resume}` : 'given up');
    return ExitCode.interrupted;
  };
  try {
    return await Promise.race([searched(), givenUp()]);
  } finally {
    clearTimeout(timer);
    signals.end();
  }
}
