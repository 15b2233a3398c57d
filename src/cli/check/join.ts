/** Putting together what came of a search, or of a part of one, in several goes. */
import {
  addConditions,
  distinctCoverage,
  type JobResult,
  joinOutcomes,
  type PartResult,
  seenByBoth,
} from '../../checker/index.ts';

type CoverageData = JobResult['coverage'];

const union = <T>(a: readonly T[], b: readonly T[]): T[] => [...new Set([...a, ...b])];

function joinedCoverage(a: CoverageData, b: CoverageData): CoverageData {
  return distinctCoverage({
    ran: union(a.ran, b.ran),
    pairs: [...a.pairs, ...b.pairs],
    entries: [...a.entries, ...b.entries],
    meets: a.meets | b.meets,
    reasons: union(a.reasons, b.reasons),
  });
}

type Counted = Pick<JobResult, 'table' | 'overflow' | 'broken' | 'asked' | 'conditions'>;

/** The outcomes and the conditions of both. */
const joinedOutcomes = (then: Counted, now: Counted): Counted => ({
  ...joinOutcomes([then, now]),
  broken: then.broken + now.broken,
  asked: now.asked.length > 0 ? now.asked : then.asked,
  conditions: addConditions(then.conditions, now.conditions),
});

/** What came of a part that was interrupted and went on. */
export function joinedPart(then: PartResult | null, now: PartResult): PartResult {
  if (then === null) return now;
  return {
    schedules: then.schedules + now.schedules,
    steps: then.steps + now.steps,
    redundant: then.redundant + now.redundant,
    long: then.long + now.long,
    since: now.since,
    complete: now.complete,
    ...(now.interrupted ? { interrupted: true } : {}),
    at: now.at,
    bounds: union(then.bounds, now.bounds),
    outcomes: union(then.outcomes, now.outcomes),
    ...joinedOutcomes(then, now),
    found: [...then.found, ...now.found],
    orders: [...then.orders, ...now.orders],
    coverage: joinedCoverage(then.coverage, now.coverage),
    seen: seenByBoth(then.seen, now.seen),
    time: then.time + now.time,
  };
}

/** What came of a search that was interrupted and went on. */
export function joinedJob(then: JobResult | null, now: JobResult): JobResult {
  if (then === null) return now;
  const found = [...(then.found ?? []), ...(now.found ?? [])];
  return {
    scenario: now.scenario,
    walk: now.walk,
    strategy: now.strategy,
    schedules: then.schedules + now.schedules,
    steps: then.steps + now.steps,
    redundant: then.redundant + now.redundant,
    outcomes: union(then.outcomes, now.outcomes),
    ...joinedOutcomes(then, now),
    complete: now.complete,
    bounds: union(then.bounds, now.bounds),
    coverage: joinedCoverage(then.coverage, now.coverage),
    seen: seenByBoth(then.seen, now.seen),
    since: now.since,
    findings: [...then.findings, ...now.findings],
    ...(found.length > 0 ? { found } : {}),
    ...(now.at === undefined ? {} : { at: now.at }),
    ...(now.orders === undefined ? {} : { orders: now.orders }),
  };
}
