/** `softleaf check`: tries the schedules of concurrent programs and scenarios. */
import { accessSync, constants, statSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, resolve } from 'node:path';
import {
  type CoverageSummary,
  DEFAULT_PLAN,
  decodeSchedule,
  Execution,
  fingerprint,
  type JobResult,
  type PagePart,
  type Plan,
  placesThatRun,
  type ReportedFinding,
  type Run,
  replaySchedule,
  report,
  reportPage,
  reportText,
  ScheduleError,
  type SetupOptions,
  STRATEGY_ROWS,
  type StrategyName,
  type Subject,
  scenarioOf,
  summarizeCoverage,
  titleOf,
  WALKS,
  type Walk,
} from '../../checker/index.ts';
import { labAddress, linkToFinding } from '../lab-link.ts';
import { progressBar } from '../progress.ts';
import { ExitCode, painter, printable, type Terminal, UsageError } from '../terminal.ts';
import { filesOfArguments, loadSubject, loadSubjects, shippedScenarios } from './files.ts';
import { type CheckJob, doJobs } from './jobs.ts';
import { digestsOf, joined, keepRun, type Limits, restOf, resumeRun } from './resume.ts';

export interface CheckCommandOptions {
  walk?: Walk;
  strategy?: StrategyName;
  seed?: number;
  time?: number;
  schedules?: number;
  preemptions?: number;
  faults?: number;
  findings?: number;
  hardware?: boolean;
  workers?: number;
  replay?: string;
  resume?: string;
  report?: string;
  /** The address of a lab; true: that of `softleaf lab`. */
  link?: string | true;
  json?: boolean;
  verbose?: boolean;
}

/**
 * Schedules of the quick suite: of the exhaustive search, of the one with few preemptions, at random with a
 * failing allocation, and at random with the hardware's own events.
 */
const QUICK = { exhaustive: 400, bounded: 150, pct: 150, hardware: 50 };
const QUICK_WALKS: readonly Walk[] = ['unified', 'collect'];

type Verdict = 'clean' | 'findings' | 'interrupted';

function planOf(options: CheckCommandOptions): Plan {
  return {
    ...DEFAULT_PLAN,
    ...(options.strategy === undefined ? {} : { strategy: options.strategy }),
    ...(options.seed === undefined ? {} : { seed: options.seed }),
    ...(options.schedules === undefined ? {} : { schedules: options.schedules }),
    ...(options.preemptions === undefined ? {} : { preemptions: options.preemptions }),
    ...(options.faults === undefined ? {} : { faults: options.faults }),
    ...(options.findings === undefined ? {} : { findings: options.findings }),
    ...(options.hardware ? { hardware: true } : {}),
  };
}

/** Whether the caller leaves it to the quick suite how to search. */
function isQuick({ strategy, schedules, time, preemptions }: CheckCommandOptions): boolean {
  return [strategy, schedules, time, preemptions].every((option) => option === undefined);
}

/** The walk that a subject is checked with where none is asked for. */
function ownWalk(subject: Subject): Walk {
  return ('program' in subject ? subject.program.machine?.walk : undefined) ?? 'unified';
}

async function jobsOf(files: readonly string[], options: CheckCommandOptions): Promise<CheckJob[]> {
  const quick = files.length === 0 && isQuick(options);
  const walks = options.walk ? [options.walk] : files.length === 0 ? QUICK_WALKS : undefined;
  const jobs: CheckJob[] = [];
  const base = planOf(options);
  const plans: Plan[] = quick
    ? [
        { ...base, strategy: 'exhaustive', schedules: QUICK.exhaustive },
        { ...base, strategy: 'exhaustive', schedules: QUICK.bounded, preemptions: 2 },
        { ...base, strategy: 'pct', schedules: QUICK.pct, faults: Math.max(1, base.faults) },
        { ...base, strategy: 'pct', schedules: QUICK.hardware, hardware: true },
      ]
    : [base];
  for (const file of files.length === 0 ? shippedScenarios() : filesOfArguments(files)) {
    for (const { name, subject } of await loadSubjects(file)) {
      // nobody can read standard input a second time
      const program = file === '-' && 'program' in subject ? { program: subject.program } : {};
      for (const walk of walks ?? [ownWalk(subject)]) {
        for (const plan of plans) jobs.push({ file, name, walk, plan, ...program });
      }
    }
  }
  if (options.time !== undefined) {
    // a second is a second of one thread
    const time = (options.time * 1000 * workersOf(options)) / jobs.length;
    return jobs.map((job) => ({ ...job, plan: { ...job.plan, time } }));
  }
  return jobs;
}

function workersOf({ workers }: CheckCommandOptions): number {
  return workers ?? Math.min(availableParallelism(), 8);
}

/** A finding, and the search that came to it. */
interface Told {
  finding: ReportedFinding;
  job: CheckJob;
  /** Where the lab shows it, if that is asked for. */
  link?: string;
}

interface CheckReport {
  verdict: Verdict;
  findings: Told[];
  coverage: {
    scenarios: number;
    schedules: number;
    steps: number;
    /** Different states in which schedules ended, summed over scenarios and walks. */
    states: number;
    /** Searches that tried everything, and all. */
    complete: number;
    searches: number;
    /** What bounded the others. */
    bounds: string[];
  } & CoverageSummary;
}

/** A search that was begun, and what came of it. */
interface Done {
  job: CheckJob;
  result: JobResult;
}

/** Whether a search left nothing out: a bound on preemptions does. */
function triedEverything({ job, result }: Done): boolean {
  const { strategy, preemptions } = job.plan;
  return result.complete && STRATEGY_ROWS[strategy].exhaustive && preemptions === undefined;
}

/** The findings of several searches, each once. */
function distinct(done: readonly Done[]): Told[] {
  const byTitle = new Map<string, Told>();
  for (const { job, result } of done) {
    for (const finding of result.findings) {
      const key = `${finding.walk} ${finding.title}`;
      const known = byTitle.get(key);
      if (!known || finding.steps < known.finding.steps) {
        byTitle.set(key, { finding, job });
      }
    }
  }
  return [...byTitle.values()];
}

async function summarize(done: readonly Done[], stopped: boolean): Promise<CheckReport> {
  const findings = distinct(done);
  const states = new Map<string, Set<string>>();
  const bounds = new Set<string>();
  const cut: number[] = [];
  for (const { job, result } of done) {
    const key = JSON.stringify([job.file, job.name, job.walk]);
    const set = states.get(key) ?? new Set();
    for (const outcome of result.outcomes) set.add(outcome);
    states.set(key, set);
    const { complete, strategy, schedules } = result;
    for (const bound of result.bounds) bounds.add(bound);
    if (!complete && STRATEGY_ROWS[strategy].exhaustive) cut.push(schedules);
  }
  if (cut.length > 0) {
    const [least, most] = [Math.min(...cut), Math.max(...cut)];
    bounds.add(`${least === most ? least : `${least} to ${most}`} schedules a search`);
  }
  const sum = (of: (result: JobResult) => number): number =>
    done.reduce((total, { result }) => total + of(result), 0);
  return {
    verdict: findings.length > 0 ? 'findings' : stopped ? 'interrupted' : 'clean',
    findings,
    coverage: {
      scenarios: new Set(done.map(({ job }) => JSON.stringify([job.file, job.name]))).size,
      schedules: sum(({ schedules }) => schedules),
      steps: sum(({ steps }) => steps),
      states: [...states.values()].reduce((total, set) => total + set.size, 0),
      complete: done.filter(triedEverything).length,
      searches: done.length,
      bounds: [...bounds],
      ...summarizeCoverage(
        done.map(({ result }) => result.coverage),
        await placesThatRun(),
        { asPosted: done.some(({ job }) => job.walk === 'as-posted') },
      ),
    },
  };
}

/** A number of things in words. */
function counted(n: number, thing: string, things = `${thing}s`): string {
  return `${n} ${n === 1 ? thing : things}`;
}

function coverageText({ verdict, coverage: c }: CheckReport): string {
  const bounds = c.bounds.join(', ');
  const within = bounds === '' ? '' : ` with ${bounds}`;
  const others = bounds === '' ? '' : `; the others: ${bounds}`;
  const proof =
    c.complete === c.searches
      ? `everything was tried${within}`
      : `${c.complete} tried everything${others}`;
  const searches = counted(c.searches, 'search', 'searches');
  const states = counted(c.states, 'different end');
  const { functions, branches, pairs } = c;
  const kinds = Object.values(c.entries).reduce((total, own) => total + own.length, 0);
  return [
    `${verdict}: ${counted(c.scenarios, 'scenario')}, ${searches} (${proof}),`,
    `${counted(c.schedules, 'schedule')}, ${counted(c.steps, 'step')}, ${states}`,
    `of src/mm and src/hmm ran ${functions.ran} of ${functions.of} functions, ${branches.ran} of ${branches.of} branches;`,
    `${pairs.seen} pairs of steps on one object, ${pairs.bothOrders} in both orders;`,
    `${Object.keys(c.entries).length} operations, ${kinds} meetings of an operation with a kind of entry`,
  ].join('\n');
}

/** What was not reached, for those who want to know where cover is thin. */
function thinText({ coverage: { functions, branches, pairs, entries } }: CheckReport): string {
  const list = (title: string, lines: readonly string[]): string[] =>
    lines.length === 0 ? [] : [title, ...lines.map((line) => `  ${line}`)];
  return [
    ...list('functions that never ran', functions.missed),
    ...list('branches that were never taken', branches.missed),
    ...list('pairs of steps seen in one order', pairs.oneOrder),
    ...list(
      'kinds of entries that operations met',
      Object.entries(entries).map(([operation, kinds]) => `${operation}: ${kinds.join('; ')}`),
    ),
  ].join('\n');
}

/** What `--json` prints of a finding; with `--verbose` everything. */
function jsonOf({ finding, link }: Told, verbose: boolean): object {
  const where = link === undefined ? {} : { link };
  if (verbose) return { ...finding, ...where };
  const { title, invariant, scenario, schedule, steps, preemptions } = finding;
  return {
    title,
    invariant,
    function: finding.function,
    scenario,
    schedule,
    steps,
    preemptions,
    ...where,
  };
}

/** Characters of a report's line. */
function widthOf({ stdout }: Terminal): number {
  return Math.max(80, Math.min(stdout.columns ?? 120, 200));
}

/** The line that replays a finding. */
function replayLine({ finding, job }: Told): string {
  const hardware = finding.hardware ? ' --hardware' : '';
  return `softleaf check ${job.file} --walk ${finding.walk}${hardware} --replay ${finding.schedule}`;
}

/** Where a finding is, and how long the way to it. */
function whereText({ scenario, walk, preemptions, steps, length }: ReportedFinding): string {
  return (
    `${scenario}, walk ${walk}: ${counted(preemptions, 'preemption')}, ` +
    `${counted(steps, 'step that matters', 'steps that matter')} of ${length}`
  );
}

/** The findings with where a lab shows them. */
async function linked(findings: readonly Told[], lab: string): Promise<Told[]> {
  return Promise.all(
    findings.map(async (told) => {
      const { job, finding } = told;
      const subject = job.program
        ? { program: job.program }
        : await loadSubject(job.file, finding.scenario);
      const link = await linkToFinding(finding, job.file, subject);
      return link === null ? told : { ...told, link: lab + link };
    }),
  );
}

function showFinding(told: Told, terminal: Terminal, verbose: boolean): void {
  const { finding, link } = told;
  const paint = painter(terminal.stdout, terminal.env);
  const { stdout } = terminal;
  stdout.write(`${paint('red', printable(finding.title))}\n`);
  stdout.write(printable(`  ${whereText(finding)}\n`));
  stdout.write(printable(reportText(finding.report, widthOf(terminal))));
  if (finding.shrunk && verbose) {
    stdout.write(printable(`  program  ${JSON.stringify(finding.shrunk.program)}\n`));
    stdout.write(`  schedule ${finding.shrunk.schedule}\n`);
  }
  stdout.write(`  again:   ${paint('cyan', printable(replayLine(told)))}\n`);
  if (link !== undefined) stdout.write(`  lab:     ${paint('cyan', printable(link))}\n`);
  stdout.write('\n');
}

/** Tells everything: on standard output, and on a page if one is asked for. */
async function tell(
  summary: CheckReport,
  options: CheckCommandOptions,
  terminal: Terminal,
): Promise<ExitCode> {
  const { verdict, coverage } = summary;
  const { link } = options;
  const findings =
    link === undefined ? summary.findings : await linked(summary.findings, labAddress(link));
  const verbose = options.verbose === true;
  const lines = coverageText(summary);
  if (options.json) {
    const list = findings.map((told) => jsonOf(told, verbose));
    terminal.stdout.write(`${JSON.stringify({ verdict, findings: list, coverage })}\n`);
  } else {
    for (const told of findings) showFinding(told, terminal, verbose);
    if (verbose) terminal.stdout.write(`${thinText(summary)}\n`);
    terminal.stdout.write(`${lines}\n`);
  }
  if (options.report !== undefined) {
    const parts: PagePart[] = findings.map((told) => ({
      title: told.finding.title,
      where: whereText(told.finding),
      replay: replayLine(told),
      ...(told.link === undefined ? {} : { link: told.link }),
      ...(told.finding.shrunk
        ? { program: JSON.stringify(told.finding.shrunk.program, null, 1) }
        : {}),
      report: told.finding.report,
    }));
    writeFileSync(options.report, reportPage(`Softleaf: ${verdict}`, lines, parts));
  }
  if (verdict === 'findings') return ExitCode.finding;
  return verdict === 'clean' ? ExitCode.clean : ExitCode.interrupted;
}

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

/** What a schedule is of: the scenario and the setup whose digest it carries. */
async function scheduled(
  file: string,
  text: string,
  { walk, hardware }: CheckCommandOptions,
): Promise<{ subject: Subject; setup: SetupOptions & { walk: Walk }; runs: Run[] }> {
  const [, digest] = text.split('.');
  let refused: ScheduleError | null = null;
  for (const { subject } of await loadSubjects(file)) {
    const scenario = scenarioOf(subject);
    const own = ownWalk(subject);
    const walks = walk ? [walk] : [own, ...WALKS.filter((other) => other !== own)];
    const setups = walks.flatMap((on) => [
      ...(hardware ? [] : [{ walk: on }]),
      { walk: on, hardware: true },
    ]);
    for (const setup of setups) {
      const here = fingerprint(scenario, setup);
      try {
        const runs = decodeSchedule(text, here, new Execution(scenario, setup).names.length);
        return { subject, setup, runs };
      } catch (error) {
        if (!(error instanceof ScheduleError)) throw error;
        if (here === digest) throw new UsageError(`--replay: ${error.message}`);
        refused ??= error;
      }
    }
  }
  throw new UsageError(`--replay: ${refused?.message}`);
}

/** One schedule again. */
async function replayCommand(
  files: readonly string[],
  text: string,
  options: CheckCommandOptions,
  terminal: Terminal,
): Promise<ExitCode> {
  if (options.resume !== undefined) throw new UsageError('--replay and --resume: one or the other');
  const [file, ...more] = filesOfArguments(files);
  if (file === undefined || more.length > 0) {
    throw new UsageError('--replay: expected one file, with the scenario that the schedule is of');
  }
  const { subject, setup, runs } = await scheduled(file, text, options);
  const scenario = scenarioOf(subject);
  const { finding, steps, preemptions, outcome, coverage } = replaySchedule(scenario, setup, runs);
  const { walk, hardware } = setup;
  const findings: ReportedFinding[] = [];
  if (finding !== null) {
    const told = report(scenario, setup, runs);
    findings.push({
      title: titleOf(finding),
      invariant: finding.invariant,
      function: finding.function,
      scenario: scenario.name,
      walk,
      ...(hardware ? { hardware } : {}),
      schedule: text.trim(),
      steps: told.steps.length,
      length: told.total,
      preemptions,
      report: told,
    });
  }
  const result: JobResult = {
    scenario: scenario.name,
    walk,
    strategy: 'random',
    schedules: 1,
    steps,
    redundant: 0,
    outcomes: finding === null ? [outcome] : [],
    complete: false,
    bounds: ['one schedule'],
    coverage,
    findings,
  };
  const job = { file, name: scenario.name, walk, plan: planOf(options) };
  return tell(await summarize([{ job, result }], false), options, terminal);
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
  const asked = await jobsOf(files, options);
  const limits: Limits = {
    ...(options.schedules === undefined ? {} : { schedules: options.schedules }),
    ...(options.findings === undefined ? {} : { findings: options.findings }),
  };
  const saved = resume === undefined ? null : await resumeRun(resume, asked, limits);
  const jobs = saved?.jobs ?? asked;
  const digests = saved?.digests ?? (resume === undefined ? [] : await digestsOf(jobs));
  const before = saved?.results ?? [];

  const left = jobs.flatMap((job, at) => {
    const rest = restOf(job, before[at]);
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
    const { schedules, complete, outcomes, findings } = result;
    const word = findings.length > 0 ? paint('red', 'findings') : paint('green', 'clean');
    const bounded = job.plan.preemptions === undefined ? '' : ' within the bound';
    const end = complete && STRATEGY_ROWS[job.plan.strategy].exhaustive ? `all${bounded}` : 'some';
    terminal.stdout.write(
      `${word} ${printable(job.name)}, ${job.walk}, ${job.plan.strategy}: ` +
        `${schedules} schedules (${end}), ${outcomes.length} ends\n`,
    );
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
  const exit = await tell(await summarize(done, stopped), options, terminal);
  if (resume !== undefined) {
    // what was cut by --schedules can go on with more of them
    const isOpen = (job: CheckJob, at: number): boolean =>
      restOf(job, results[at]) !== null ||
      (options.schedules !== undefined && results[at]?.at !== undefined);
    const kept = keepRun(resume, jobs.some(isOpen) ? { jobs, digests, results } : null);
    if (kept && !options.json) {
      terminal.stdout.write(`kept in ${printable(resume)}: the same command goes on from there\n`);
    }
  }
  return exit;
}
