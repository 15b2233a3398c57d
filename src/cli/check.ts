/** `softleaf check`: tries the schedules of concurrent programs and scenarios. */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
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
  replaySchedule,
  report,
  reportPage,
  reportText,
  ScheduleError,
  type StrategyName,
  scenarioOf,
  summarizeCoverage,
  type Walk,
} from '../checker/index.ts';
import { loadSubjects, shippedScenarios } from './check-files.ts';
import { type CheckJob, doJobs } from './check-jobs.ts';
import { progressBar } from './progress.ts';
import { ExitCode, painter, printable, type Terminal, UsageError } from './terminal.ts';

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
  json?: boolean;
  verbose?: boolean;
}

/**
 * Schedules of the quick suite: of the exhaustive search, then at random with a failing allocation, and
 * at random with the hardware's own events.
 */
const QUICK = { exhaustive: 400, pct: 150, hardware: 50 };
const QUICK_WALKS: readonly Walk[] = ['unified', 'collect'];

type Verdict = 'clean' | 'findings' | 'interrupted';

/** What a finished or interrupted run came to, one search a line. */
interface Saved {
  softleaf: 'check';
  jobs: CheckJob[];
  results: (JobResult | null)[];
}

function readSaved(file: string): Saved {
  let saved: Saved | null = null;
  try {
    saved = JSON.parse(readFileSync(file, 'utf8')) as Saved;
  } catch (error) {
    throw new UsageError(`cannot read ${file}: ${(error as Error).message}`);
  }
  if (saved?.softleaf !== 'check' || !Array.isArray(saved.jobs)) {
    throw new UsageError(`${file}: not a run to be resumed`);
  }
  return saved;
}

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

async function jobsOf(files: readonly string[], options: CheckCommandOptions): Promise<CheckJob[]> {
  const quick = files.length === 0 && isQuick(options);
  const walks = options.walk ? [options.walk] : files.length === 0 ? QUICK_WALKS : undefined;
  const jobs: CheckJob[] = [];
  const base = planOf(options);
  for (const file of files.length === 0 ? shippedScenarios() : files) {
    for (const { name, subject } of await loadSubjects(file)) {
      const own = 'program' in subject ? (subject.program.machine?.walk ?? 'unified') : 'unified';
      for (const walk of walks ?? [own]) {
        if (!quick) jobs.push({ file, name, walk, plan: base });
        else {
          const plans: Plan[] = [
            { ...base, strategy: 'exhaustive', schedules: QUICK.exhaustive },
            { ...base, strategy: 'pct', schedules: QUICK.pct, faults: Math.max(1, base.faults) },
            { ...base, strategy: 'pct', schedules: QUICK.hardware, hardware: true },
          ];
          for (const plan of plans) jobs.push({ file, name, walk, plan });
        }
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

interface CheckReport {
  verdict: Verdict;
  findings: ReportedFinding[];
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

/** The findings of several searches, each once. */
function distinct(results: readonly JobResult[]): ReportedFinding[] {
  const byTitle = new Map<string, ReportedFinding>();
  for (const finding of results.flatMap((result) => result.findings)) {
    const key = `${finding.walk} ${finding.title}`;
    const known = byTitle.get(key);
    if (!known || finding.steps < known.steps) byTitle.set(key, finding);
  }
  return [...byTitle.values()];
}

async function summarize(
  results: readonly (JobResult | undefined)[],
  stopped: boolean,
): Promise<CheckReport> {
  const done = results.filter((result) => result !== undefined);
  const findings = distinct(done);
  const states = new Map<string, Set<string>>();
  for (const { scenario, walk, outcomes } of done) {
    const key = `${walk} ${scenario}`;
    const set = states.get(key) ?? new Set();
    for (const outcome of outcomes) set.add(outcome);
    states.set(key, set);
  }
  const bounds = new Set<string>();
  for (const { complete, bounds: own, schedules, strategy } of done) {
    for (const bound of own) bounds.add(bound);
    if (!complete && strategy === 'exhaustive') bounds.add(`${schedules} schedules a search`);
  }
  const sum = (of: (result: JobResult) => number): number =>
    done.reduce((total, result) => total + of(result), 0);
  return {
    verdict: findings.length > 0 ? 'findings' : stopped ? 'interrupted' : 'clean',
    findings,
    coverage: {
      scenarios: new Set(done.map(({ scenario }) => scenario)).size,
      schedules: sum(({ schedules }) => schedules),
      steps: sum(({ steps }) => steps),
      states: [...states.values()].reduce((total, set) => total + set.size, 0),
      complete: done.filter(({ complete, strategy }) => complete && strategy === 'exhaustive')
        .length,
      searches: done.length,
      bounds: [...bounds],
      ...summarizeCoverage(
        done.map((result) => result.coverage),
        await placesThatRun(),
        { asPosted: done.some(({ walk }) => walk === 'as-posted') },
      ),
    },
  };
}

function coverageText({ verdict, coverage: c }: CheckReport): string {
  const bounded = c.bounds.length === 0 ? '' : `; the others: ${c.bounds.join(', ')}`;
  const proof =
    c.complete === c.searches ? 'everything was tried' : `${c.complete} tried everything${bounded}`;
  const { functions, branches, pairs } = c;
  const kinds = Object.values(c.entries).reduce((total, own) => total + own.length, 0);
  return [
    `${verdict}: ${c.scenarios} scenarios, ${c.searches} searches (${proof}),`,
    `${c.schedules} schedules, ${c.steps} steps, ${c.states} different ends`,
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

/** Characters of a report's line. */
function widthOf({ stdout }: Terminal): number {
  return Math.max(80, Math.min(stdout.columns ?? 120, 200));
}

/** The line that replays a finding. */
function replayLine(finding: ReportedFinding, file: string): string {
  const hardware = finding.hardware ? ' --hardware' : '';
  return `softleaf check ${file} --walk ${finding.walk}${hardware} --replay ${finding.schedule}`;
}

function showFinding(
  finding: ReportedFinding,
  file: string,
  terminal: Terminal,
  verbose: boolean,
): void {
  const paint = painter(terminal.stdout, terminal.env);
  const { stdout } = terminal;
  stdout.write(`${paint('red', printable(finding.title))}\n`);
  stdout.write(
    printable(
      `  ${finding.scenario}, walk ${finding.walk}: ${finding.preemptions} preemptions, ` +
        `${finding.steps} steps that matter of ${finding.length}\n`,
    ),
  );
  stdout.write(printable(reportText(finding.report, widthOf(terminal))));
  if (finding.shrunk && verbose) {
    stdout.write(printable(`  program  ${JSON.stringify(finding.shrunk.program)}\n`));
    stdout.write(`  schedule ${finding.shrunk.schedule}\n`);
  }
  stdout.write(`  again:   ${paint('cyan', printable(replayLine(finding, file)))}\n\n`);
}

/** One schedule again. */
async function replayCommand(
  files: readonly string[],
  text: string,
  options: CheckCommandOptions,
  terminal: Terminal,
): Promise<ExitCode> {
  if (files.length !== 1) throw new UsageError('--replay wants one scenario');
  const subjects = await loadSubjects(files[0]);
  const reasons: string[] = [];
  for (const { subject, name } of subjects) {
    const scenario = scenarioOf(subject);
    const own = 'program' in subject ? subject.program.machine?.walk : undefined;
    const setup = {
      walk: options.walk ?? own ?? 'unified',
      ...(options.hardware ? { hardware: true } : {}),
    } as const;
    try {
      const tasks = new Execution(scenario, setup).names.length;
      const runs = decodeSchedule(text, fingerprint(scenario, setup), tasks);
      const { finding, steps } = replaySchedule(scenario, setup, runs);
      if (finding === null) {
        const say = { verdict: 'clean', scenario: name, steps, finding: null };
        terminal.stdout.write(
          options.json ? `${JSON.stringify(say)}\n` : `clean: nothing breaks in ${steps} steps\n`,
        );
        return ExitCode.clean;
      }
      const told = report(scenario, setup, runs);
      if (options.json) {
        const say = { verdict: 'findings', scenario: name, steps, finding, report: told };
        terminal.stdout.write(`${JSON.stringify(say)}\n`);
      } else {
        terminal.stdout.write(printable(reportText(told, widthOf(terminal))));
      }
      return ExitCode.finding;
    } catch (error) {
      if (!(error instanceof ScheduleError)) throw error;
      reasons.push(error.message);
    }
  }
  throw new UsageError(reasons.join('; '));
}

/** The command. */
export async function checkCommand(
  files: readonly string[],
  options: CheckCommandOptions,
  terminal: Terminal,
): Promise<ExitCode> {
  if (options.replay !== undefined) return replayCommand(files, options.replay, options, terminal);
  const { resume } = options;
  const saved = resume !== undefined && existsSync(resume) ? readSaved(resume) : undefined;
  const jobs = saved?.jobs ?? (await jobsOf(files, options));
  const before = saved?.results ?? [];
  const fileOf = new Map(jobs.map(({ name, file }) => [name, file]));

  // what is left to do of each search
  const left: { at: number; job: CheckJob }[] = [];
  jobs.forEach((job, at) => {
    const known = before[at];
    if (!known) left.push({ at, job });
    else if (known.at !== undefined && known.findings.length === 0) {
      const schedules = job.plan.schedules - known.schedules;
      if (schedules <= 0) return;
      left.push({ at, job: { ...job, from: known.at, plan: { ...job.plan, schedules } } });
    }
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
    const end = complete && job.plan.strategy === 'exhaustive' ? 'all' : 'some';
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

  const results: (JobResult | undefined)[] = jobs.map((_, at) => before[at] ?? undefined);
  left.forEach(({ at }, i) => {
    const now = fresh[i];
    const then = before[at];
    if (!now) return;
    results[at] = then
      ? {
          ...now,
          schedules: now.schedules + then.schedules,
          steps: now.steps + then.steps,
          redundant: now.redundant + then.redundant,
          outcomes: [...new Set([...then.outcomes, ...now.outcomes])],
          coverage: {
            ran: [...new Set([...then.coverage.ran, ...now.coverage.ran])],
            pairs: [...then.coverage.pairs, ...now.coverage.pairs],
            entries: [...then.coverage.entries, ...now.coverage.entries],
          },
        }
      : now;
  });
  const stopped = Atomics.load(stop, 0) !== 0;
  const summary = await summarize(results, stopped);
  if (resume !== undefined) {
    if (stopped) {
      const state: Saved = { softleaf: 'check', jobs, results: results.map((r) => r ?? null) };
      writeFileSync(resume, JSON.stringify(state));
    } else rmSync(resume, { force: true });
  }

  const lines = coverageText(summary);
  if (options.json) terminal.stdout.write(`${JSON.stringify(summary)}\n`);
  else {
    for (const finding of summary.findings) {
      const file = fileOf.get(finding.scenario) ?? finding.scenario;
      showFinding(finding, file, terminal, options.verbose === true);
    }
    if (options.verbose) terminal.stdout.write(`${thinText(summary)}\n`);
    terminal.stdout.write(`${lines}\n`);
    if (stopped && resume) terminal.stdout.write(`to go on: the same with --resume ${resume}\n`);
  }
  if (options.report !== undefined) {
    const parts: PagePart[] = summary.findings.map((finding) => ({
      title: finding.title,
      where: `${finding.scenario}, walk ${finding.walk}: ${finding.preemptions} preemptions, ${finding.steps} steps that matter of ${finding.length}`,
      replay: replayLine(finding, fileOf.get(finding.scenario) ?? finding.scenario),
      ...(finding.shrunk ? { program: JSON.stringify(finding.shrunk.program, null, 1) } : {}),
      report: finding.report,
    }));
    writeFileSync(options.report, reportPage(`Softleaf: ${summary.verdict}`, lines, parts));
  }
  return summary.findings.length > 0 ? ExitCode.finding : ExitCode.clean;
}
