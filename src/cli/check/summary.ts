/** What several searches came to, as one verdict. */
import {
  type CoverageSummary,
  type JobResult,
  placesThatRun,
  type ReportedFinding,
  STRATEGY_ROWS,
  summarizeCoverage,
} from '../../checker/index.ts';
import type { CheckJob } from './jobs.ts';

export type Verdict = 'clean' | 'findings' | 'interrupted';

/** A finding, and the search that came to it. */
export interface CheckedFinding {
  finding: ReportedFinding;
  job: CheckJob;
  /** Where the lab shows it, if that is asked for. */
  link?: string;
}

export interface CheckSummary {
  verdict: Verdict;
  findings: CheckedFinding[];
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
export interface FinishedSearch {
  job: CheckJob;
  result: JobResult;
}

/** Whether a search left nothing out: a bound on preemptions does. */
function triedEverything({ job, result }: FinishedSearch): boolean {
  const { strategy, preemptions } = job.plan;
  return result.complete && STRATEGY_ROWS[strategy].exhaustive && preemptions === undefined;
}

/** The findings of several searches, each once. */
function distinct(done: readonly FinishedSearch[]): CheckedFinding[] {
  const byTitle = new Map<string, CheckedFinding>();
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

/**
 * @param stopped whether some searches were given up
 */
export async function summarize(
  done: readonly FinishedSearch[],
  stopped: boolean,
): Promise<CheckSummary> {
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
