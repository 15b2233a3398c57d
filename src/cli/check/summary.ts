/** What several searches came to, as one verdict. */
import {
  addConditions,
  type ConditionCount,
  type CoverageSummary,
  isBeyond,
  type JobResult,
  MOST_TRANSLATIONS,
  type Observation,
  observationOf,
  placesThatRun,
  type Quantifier,
  type ReportedFinding,
  STRATEGY_ROWS,
  standingOf,
  summarizeCoverage,
  triedEverything,
  type Walk,
} from '../../checker/index.ts';
import { counted } from '../words.ts';
import { titlesBySubject } from './jobs.ts';
import { type Warning, warningsOf } from './warnings.ts';
import type { CheckJob } from './work.ts';

/**
 * `proved`: every schedule of every scenario was tried, and nothing broke. `nothing-found`: nothing broke in
 * those that were tried.
 */
export type Verdict = 'proved' | 'nothing-found' | 'found';

/** A finding, and the search that came to it. */
export interface CheckedFinding {
  finding: ReportedFinding;
  job: CheckJob;
  /** Where the lab shows it, if that is asked for. */
  link?: string;
  /** The file that the lab opens, if one was written. */
  trace?: string;
}

/** A condition of a program on a walk. */
export interface CheckedCondition {
  scenario: string;
  walk: Walk;
  quantifier: Quantifier;
  /** What is to hold, in words. */
  condition: string;
  /** At the end of how many schedules it held, and did not. */
  held: number;
  not: number;
  observation: Observation;
  /** `open`: what was not tried may decide it. */
  standing: 'ok' | 'no' | 'open';
}

/** A scenario on a walk, and what was asked and came of it. */
export interface CheckedCase {
  file: string;
  name: string;
  walk: Walk;
  isProved: boolean;
  /** Whether any schedule of it was tried. */
  isBegun: boolean;
}

export interface CheckSummary {
  verdict: Verdict;
  findings: CheckedFinding[];
  /** What programs ask of all schedules, and what came of it. */
  conditions: CheckedCondition[];
  /** Titles that were found and do not count. */
  ignored: string[];
  /** Whether it was stopped before its end. */
  interrupted: boolean;
  /** Each scenario on each of its walks, in order, and whether every schedule of it was tried. */
  cases: readonly CheckedCase[];
  /** What should be looked at, though nothing broke. */
  warnings: readonly Warning[];
  /** What is wrong with modules, a message each: none of their scenarios is proved. */
  mistakes: readonly string[];
  coverage: {
    scenarios: number;
    /** Scenarios, each on each of its walks; and those of them of which every schedule was tried. */
    cases: number;
    proved: number;
    schedules: number;
    steps: number;
    /** Different states in which schedules ended, summed over scenarios and walks. */
    states: number;
    /** Searches that tried everything, and all. */
    complete: number;
    searches: number;
    /** What bounded the searches of the cases that are not proved. */
    bounds: string[];
    /** What every schedule keeps to by the setup of the searches, a proof too. */
    assumes: string[];
  } & CoverageSummary;
}

/** A search that was begun, and what came of it. */
export interface FinishedSearch {
  job: CheckJob;
  result: JobResult;
}

/** Whether a search left nothing out. */
export function isWhole({ job, result }: FinishedSearch): boolean {
  return triedEverything(result, job.plan);
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

/** A scenario on a walk. */
export const caseOf = ({ file, name, walk }: CheckJob): string =>
  JSON.stringify([file, name, walk]);

/** The searches of each case. */
function byCase(done: readonly FinishedSearch[]): FinishedSearch[][] {
  const cases = new Map<string, FinishedSearch[]>();
  for (const search of done) {
    const known = cases.get(caseOf(search.job));
    if (known) known.push(search);
    else cases.set(caseOf(search.job), [search]);
  }
  return [...cases.values()];
}

/** The searches that can come to a proof, of each case that has one; of the others all. */
export function mostOf(searches: readonly FinishedSearch[]): FinishedSearch[] {
  const mayProve = ({ job: { plan } }: FinishedSearch): boolean =>
    STRATEGY_ROWS[plan.strategy].exhaustive && plan.preemptions === undefined;
  const whole = new Set(searches.filter(mayProve).map(({ job }) => caseOf(job)));
  return searches.filter((search) => mayProve(search) || !whole.has(caseOf(search.job)));
}

/** What bounded searches that are no proof. */
export function boundsOf(
  searches: readonly FinishedSearch[],
  { stopped = false, isLate = false, seconds, mistakes = [] }: SummaryOptions,
): string[] {
  const bounds = new Set<string>();
  const cut: number[] = [];
  const has = titlesBySubject(
    searches.map(({ job }) => job),
    searches.map(({ result }) => result),
  );
  let late = isLate;
  for (const [at, { job, result }] of searches.entries()) {
    for (const bound of result.bounds) bounds.add(bound);
    if (result.complete) continue;
    if (isBeyond(job.plan, result, has[at].size > 0)) {
      const { beyond = 0 } = job.plan;
      bounds.add(`${counted(beyond, 'schedule')} without anything new behind a finding`);
    } else if (result.schedules >= job.plan.schedules) cut.push(result.schedules);
    else if (job.plan.time !== undefined) late = true;
  }
  if (cut.length > 0) {
    const [least, most] = [Math.min(...cut), Math.max(...cut)];
    const many = least === most ? counted(least, 'schedule') : `${least} to ${most} schedules`;
    bounds.add(`${many} a search`);
  }
  if (late && seconds !== undefined) bounds.add(counted(seconds, 'second'));
  if (stopped) bounds.add('interrupted');
  if (mistakes.length > 0) bounds.add('bad input');
  return [...bounds];
}

/** How often locks are let go that may be let go. */
function letGo(breaks: number): string {
  if (breaks === 0) return 'no lock is let go in the middle';
  return `at most ${counted(breaks, 'lock')} ${breaks === 1 ? 'is' : 'are'} let go in the middle`;
}

/** What all that was tried keeps to. */
function assumptionsOf(searches: readonly FinishedSearch[]): string[] {
  const plans = searches.map(({ job }) => job.plan);
  const faults = Math.min(...plans.map((plan) => plan.faults));
  return [
    faults === 0
      ? 'no allocation fails'
      : `at most ${faults === 1 ? '1 allocation fails' : `${faults} allocations fail`}`,
    letGo(Math.min(...plans.map((plan) => plan.breaks))),
    plans.every((plan) => plan.hardware)
      ? `at most ${MOST_TRANSLATIONS} TLB entries come and go on their own`
      : 'TLBs do nothing on their own',
  ];
}

export interface SummaryOptions {
  /** Whether some searches were given up. */
  stopped?: boolean;
  /** Whether they were because the time was over. */
  isLate?: boolean;
  /** Of the whole run, at most. */
  seconds?: number | undefined;
  /** What is wrong with modules. */
  mistakes?: readonly string[];
  /** Titles of findings that do not count. */
  ignore?: readonly string[];
}

/** The searches of each scenario on each walk: those that its outcomes and conditions are counted in. */
export function countedSearches(done: readonly FinishedSearch[]): FinishedSearch[][] {
  // a search of everything has come to all that there is, and once to each
  return byCase(done).map((searches) => {
    const whole = searches.find(isWhole);
    return whole ? [whole] : searches;
  });
}

/** What the conditions of each scenario on each walk have come to. */
function conditionsOf(done: readonly FinishedSearch[]): CheckedCondition[] {
  return countedSearches(done).flatMap((searches) => {
    const [{ job, result }] = searches;
    const counts = searches.reduce(
      (sum: ConditionCount[], one) => addConditions(sum, one.result.conditions),
      [],
    );
    const complete = isWhole(searches[0]);
    const { asked: all } = searches.find(({ result }) => result.asked.length > 0)?.result ?? result;
    return all.map((asked, i): CheckedCondition => {
      const count = counts[i] ?? [0, 0];
      const [held, not] = count;
      return {
        scenario: job.name,
        walk: job.walk,
        quantifier: asked.quantifier,
        condition: asked.words,
        held,
        not,
        observation: observationOf(count),
        standing: standingOf(asked, count, complete),
      };
    });
  });
}

/** Whether a condition is broken without a schedule that shows it: none comes to what is to exist. */
export const isMissing = ({ quantifier, standing }: CheckedCondition): boolean =>
  quantifier === 'exists' && standing === 'no';

/** Scenarios on their walks, each with whether it is proved. */
function casesOf(
  jobs: readonly CheckJob[],
  done: readonly FinishedSearch[],
  findings: readonly CheckedFinding[],
  conditions: readonly CheckedCondition[],
): CheckSummary['cases'] {
  const tried = new Set(done.filter(isWhole).map(({ job }) => caseOf(job)));
  const begun = new Set(done.map(({ job }) => caseOf(job)));
  const broken = new Set(findings.map(({ job }) => caseOf(job)));
  const byCase = new Map(jobs.map((job) => [caseOf(job), job]));
  return [...byCase].map(([key, { file, name, walk }]) => ({
    file,
    name,
    walk,
    isProved:
      tried.has(key) &&
      !broken.has(key) &&
      !conditions.some((told) => isMissing(told) && told.scenario === name && told.walk === walk),
    isBegun: begun.has(key),
  }));
}

/**
 * One verdict over what searches came to.
 * @param jobs all that were asked for
 * @param done those that were begun
 */
export async function summarize(
  jobs: readonly CheckJob[],
  done: readonly FinishedSearch[],
  options: SummaryOptions = {},
): Promise<CheckSummary> {
  const { stopped = false, mistakes = [], ignore = [] } = options;
  const all = distinct(done);
  const findings = all.filter(({ finding }) => !ignore.includes(finding.title));
  const ignored = all
    .filter((told) => !findings.includes(told))
    .map(({ finding }) => finding.title);
  const conditions = conditionsOf(done);
  const broken = findings.length > 0 || conditions.some(isMissing);
  const states = new Map<string, Set<string>>();
  for (const { job, result } of done) {
    const set = states.get(caseOf(job)) ?? new Set();
    for (const outcome of result.outcomes) set.add(outcome);
    states.set(caseOf(job), set);
  }
  const cases = new Set(jobs.map(caseOf));
  const proved = new Set(done.filter(isWhole).map(({ job }) => caseOf(job)));
  const open = done.filter(({ job }) => !proved.has(caseOf(job)));
  // what breaks is not proved, whether it counts or not
  const isProved = proved.size === cases.size && mistakes.length + ignored.length === 0;
  const sum = (of: (result: JobResult) => number): number =>
    done.reduce((total, { result }) => total + of(result), 0);
  return {
    verdict: broken ? 'found' : isProved ? 'proved' : 'nothing-found',
    findings,
    conditions,
    ignored,
    interrupted: stopped && !isProved,
    cases: casesOf(jobs, done, all, conditions),
    warnings: warningsOf(byCase(done)),
    mistakes,
    coverage: {
      scenarios: new Set(done.map(({ job }) => JSON.stringify([job.file, job.name]))).size,
      cases: cases.size,
      proved: proved.size,
      schedules: sum(({ schedules }) => schedules),
      steps: sum(({ steps }) => steps),
      states: [...states.values()].reduce((total, set) => total + set.size, 0),
      complete: done.filter(isWhole).length,
      searches: done.length,
      bounds: isProved
        ? []
        : [
            ...boundsOf(mostOf(open), options),
            ...[...new Set(ignored)].map((title) => `ignored: ${title}`),
          ],
      assumes: done.length > 0 ? assumptionsOf(mostOf(done)) : [],
      ...summarizeCoverage(
        done.map(({ result }) => result.coverage),
        await placesThatRun(),
        { asPosted: done.some(({ job }) => job.walk === 'as-posted') },
      ),
    },
  };
}
