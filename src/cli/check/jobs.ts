/** Doing the jobs of `softleaf check`, in worker threads. */
import {
  EFFORT,
  type Effort,
  type Found,
  isBeyond,
  type JobResult,
  type PartRequest,
  type PartResult,
  type Plan,
  type ReportedFinding,
  Search,
} from '../../checker/index.ts';
import { Gate } from './gate.ts';
import { joinedJob, joinedPart } from './join.ts';
import { type Pool, unlessMistaken } from './pool.ts';
import type { CheckJob } from './work.ts';

export interface JobsOptions {
  /** Called with each result as it comes. */
  each?: (job: CheckJob, result: JobResult, done: number) => void;
  /** See `Flow`: jobs are given up when this says so; what they came to is still reported. */
  stop: Int32Array;
  /** Called with what is wrong with a module, once for each scenario: its jobs are not gone on with. */
  mistaken: (message: string) => void;
  /** By job: what an earlier run came to. */
  before?: readonly (JobResult | null)[];
  /** Milliseconds of one thread for all searches at most, which their plans' times are shares of. */
  time?: number;
  /** How much may be tried to make a finding small. */
  effort?: (() => Effort) | undefined;
  /** Keeps what all jobs came to so far: now and then, and before the findings of what was stopped are reported. */
  keep?: Keep | undefined;
}

export interface Keep {
  /** Milliseconds. */
  every: number;
  write(results: readonly (JobResult | null)[]): void;
}

/** Milliseconds that threads get to come to the end of a schedule before the others are kept without them. */
const PAUSE = 10_000;

/** What is left to do of a job: to search; or to report what was found; or nothing. */
export type Left = 'search' | 'report' | null;

/**
 * @param done what came of the job so far
 * @param titles of what was found so far, in other searches of the same too
 */
export function leftOf(
  { plan }: CheckJob,
  done: JobResult | null | undefined,
  titles: ReadonlySet<string>,
): Left {
  const report = done?.found?.length ? 'report' : null;
  if (titles.size >= plan.findings && !plan.outcomes) return report;
  if (!done) return 'search';
  const isOver = done.schedules >= plan.schedules || isBeyond(plan, done, titles.size > 0);
  return done.at === undefined || isOver ? report : 'search';
}

/** A job under way. What it came to can be asked for at any time. */
class Running {
  private readonly search: Search | null;
  private parts: PartRequest[] = [];
  /** By part of the round under way: what came of it so far. */
  private ends: (PartResult | null)[] = [];
  private readonly told: ReportedFinding[] = [];
  /** What is wrong with its module: it is not gone on with. */
  mistake: string | null = null;

  constructor(
    readonly job: CheckJob,
    private readonly before: JobResult | null,
    left: Left,
    private readonly known: readonly string[],
  ) {
    this.search =
      left === 'search'
        ? new Search(this.rest(before), before?.at, known, before?.orders ?? [], before?.since)
        : null;
  }

  /** The plan of what is left. */
  private rest(done: JobResult | null): Plan {
    const { plan } = this.job;
    return { ...plan, schedules: plan.schedules - (done?.schedules ?? 0) };
  }

  /** Milliseconds that the search took. */
  get time(): number {
    return this.search?.time ?? 0;
  }

  async doSearch(pool: Pool, gate: Gate): Promise<void> {
    const { search } = this;
    if (!search) return;
    for (;;) {
      this.parts = gate.stopped ? [] : search.next();
      this.ends = this.parts.map(() => null);
      if (this.parts.length === 0) return;
      await Promise.all(this.parts.map((part, i) => this.doPart(part, i, pool, gate)));
      search.ended(this.ends);
      if (this.mistake === null) continue;
      this.parts = [];
      return;
    }
  }

  /** @returns null where the work shows what is wrong with the module */
  private attempt<T>(work: Promise<T | null>): Promise<T | null> {
    return unlessMistaken(work, (message) => {
      this.mistake ??= message;
    });
  }

  /** Does a part; where it is interrupted for a moment only, it goes on. */
  private async doPart(whole: PartRequest, i: number, pool: Pool, gate: Gate): Promise<void> {
    for (let part = whole; ; ) {
      await gate.open();
      if (gate.stopped || pool.ended || this.mistake !== null) return;
      const { job } = this;
      const end = await gate.during(() => this.attempt(pool.do('part', { job, part })));
      if (end !== null) {
        this.ends[i] = joinedPart(this.ends[i], end);
        if (!end.interrupted) return;
        const { schedules, known, time } = part;
        part = {
          ...part,
          schedules: schedules - end.schedules,
          known: [...known, ...end.found.map(({ title }) => title)],
          since: end.since,
          from: end.at,
          ...(time === undefined ? {} : { time: Math.max(0, time - end.time) }),
        };
      }
    }
  }

  /** What was found, and not told yet. */
  private get found(): Found[] {
    const told = new Set(this.told.map(({ title }) => title));
    const all = [...(this.before?.found ?? []), ...(this.search?.found ?? [])];
    return all.filter(({ title }) => !told.has(title));
  }

  /** Shrinks and reports what was found. */
  async report(pool: Pool, effort: () => Effort): Promise<void> {
    const { found } = this;
    await Promise.all(
      found.map(async (one) => {
        const work = { job: this.job, found: one, effort: effort() };
        const finding = await this.attempt(pool.do('report', work));
        if (!finding) return;
        this.told.push(finding);
        const { file, name } = this.job;
        const { unsteady } = finding.report;
        if (unsteady !== undefined)
          this.mistake ??= `${file}: ${JSON.stringify(name)}: ${unsteady}`;
      }),
    );
    const order = found.map(({ title }) => title);
    this.told.sort((a, b) => order.indexOf(a.title) - order.indexOf(b.title));
  }

  /** What came of it, with what the round under way came to. */
  soFar(): JobResult {
    const { search, before, job, found, told, parts } = this;
    const { name, walk } = job;
    const pending = found.length > 0 ? { found } : {};
    if (!search) {
      const { found: _, ...rest } = before as JobResult;
      return { ...rest, findings: [...rest.findings, ...told], ...pending };
    }
    const { found: _, ...earlier } = before ?? { found: [] };
    const base = before ? (earlier as JobResult) : null;
    const whole = joinedJob(base, search.result(name, walk, told));
    if (parts.length === 0) return { ...whole, ...pending };
    // as a run that goes on from where the round began, and is stopped there
    const { time: _time, ...plan } = this.rest(whole);
    const titles = search.found.map(({ title }) => title);
    const known = [...this.known, ...titles];
    const now = new Search(plan, whole.at, known, whole.orders, whole.since);
    if (now.next().length !== parts.length) throw new Error('a round of other parts');
    now.ended(this.ends);
    const all = [...found, ...now.found];
    const joined = joinedJob(whole, now.result(name, walk, []));
    return all.length > 0 ? { ...joined, found: all } : joined;
  }
}

/** What jobs are searches of: they find the same things. */
const subjectKey = ({ file, name, walk, plan }: CheckJob): string =>
  JSON.stringify([file, name, walk, plan.hardware === true]);

/** The numbers of the jobs that search the same, in their order. */
function bySubject(jobs: readonly CheckJob[]): number[][] {
  const groups = new Map<string, number[]>();
  jobs.forEach((job, at) => {
    const key = subjectKey(job);
    const group = groups.get(key);
    if (group) group.push(at);
    else groups.set(key, [at]);
  });
  return [...groups.values()];
}

const titlesOf = (result: JobResult | null | undefined): string[] =>
  [...(result?.findings ?? []), ...(result?.found ?? [])].map(({ title }) => title);

/** By job: the titles that any search of the same found. */
export function titlesBySubject(
  jobs: readonly CheckJob[],
  results: readonly (JobResult | null | undefined)[],
): Set<string>[] {
  const titles: Set<string>[] = [];
  for (const group of bySubject(jobs)) {
    const own = new Set(group.flatMap((at) => titlesOf(results[at])));
    for (const at of group) titles[at] = own;
  }
  return titles;
}

/** Has the jobs' results kept now and then, until it is told to end. */
function keeping(
  { every, write }: Keep,
  gate: Gate,
  soFar: () => (JobResult | null)[],
): { end(): void } {
  let timer: NodeJS.Timeout | undefined;
  let over = false;
  const later = (): void => {
    timer = setTimeout(async () => {
      await gate.pause(PAUSE);
      try {
        if (!over && !gate.stopped) write(soFar());
      } finally {
        gate.goOn();
      }
      if (!over) later();
    }, every);
  };
  later();
  return {
    end: () => {
      over = true;
      clearTimeout(timer);
    },
  };
}

/** A module's scenario: what is wrong with it is so on every walk. */
const scenarioKey = ({ file, name }: CheckJob): string => JSON.stringify([file, name]);

/**
 * Does the jobs. Those that search the same go one after the other, and none
 * reports what one before it found. What comes of a job depends neither on the number of threads nor on
 * which of them does what.
 * @returns the results in the order of the jobs, with those of earlier runs; null for a job that was not begun
 */
export async function doJobs(
  jobs: readonly CheckJob[],
  pool: Pool,
  { each, stop, mistaken, before = [], time, effort, keep }: JobsOptions,
): Promise<(JobResult | null)[]> {
  const results = jobs.map((_, at) => before[at] ?? null);
  const running = new Map<number, Running>();
  const soFar = () => results.map((result, at) => running.get(at)?.soFar() ?? result);
  const wrong = new Set<string>();
  const gate = new Gate(stop);
  const howMuch = effort ?? (() => EFFORT);
  const titles = titlesBySubject(jobs, results);
  const leftNow = (at: number): Left => leftOf(jobs[at], results[at], titles[at]);
  const timeOf = (at: number): number => (leftNow(at) === 'search' ? (jobs[at].plan.time ?? 0) : 0);
  const isTimed = jobs.some(({ plan }) => plan.time !== undefined);
  let done = 0;
  // time that one job does not need is the others'
  let planned = jobs.reduce((sum, _, at) => sum + timeOf(at), 0);
  let open = time ?? planned;
  const end = async (at: number, job: Running): Promise<void> => {
    await job.report(pool, howMuch);
    results[at] = job.soFar();
    running.delete(at);
    const { mistake } = job;
    if (mistake !== null && !wrong.has(scenarioKey(jobs[at]))) {
      wrong.add(scenarioKey(jobs[at]));
      mistaken(mistake);
    }
    each?.(jobs[at], results[at], ++done);
  };
  const doGroup = async (group: readonly number[]): Promise<void> => {
    const begun = group.filter((at) => leftNow(at) !== null);
    const shares = new Map(begun.map((at) => [at, timeOf(at)]));
    for (const at of begun) {
      if (gate.stopped) return;
      const ownShare = shares.get(at) ?? 0;
      const share = isTimed && ownShare > 0 ? (open * ownShare) / planned : undefined;
      planned -= ownShare;
      open -= share ?? 0;
      const left = leftNow(at);
      if (left === null || wrong.has(scenarioKey(jobs[at]))) {
        open += share ?? 0;
        done++;
        continue;
      }
      const { plan } = jobs[at];
      const timed = share === undefined ? plan : { ...plan, time: share };
      const job = new Running({ ...jobs[at], plan: timed }, results[at], left, [...titles[at]]);
      running.set(at, job);
      await job.doSearch(pool, gate);
      open += Math.max(0, (share ?? 0) - job.time);
      for (const title of titlesOf(job.soFar())) titles[at].add(title);
      if (!gate.stopped) await end(at, job);
    }
  };
  const groups = bySubject(jobs);
  let next = 0;
  const one = async (): Promise<void> => {
    while (next < groups.length && !gate.stopped) await doGroup(groups[next++]);
  };
  const keeper = keep && keeping(keep, gate, soFar);
  try {
    // one group more than threads: while one of them comes to its end, nobody is idle
    await Promise.all(Array.from({ length: pool.size + 1 }, one));
    if (!gate.stopped) return results;
    keep?.write(soFar());
    // what was found before all this, and not told
    jobs.forEach((job, at) => {
      if (running.has(at) || !results[at]?.found?.length) return;
      running.set(at, new Running(job, results[at], 'report', []));
    });
    await Promise.all([...running].map(([at, job]) => end(at, job)));
    return results;
  } catch (error) {
    // what the others came to is not lost
    keep?.write(soFar());
    throw error;
  } finally {
    keeper?.end();
  }
}
