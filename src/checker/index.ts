/** The checker: tries the schedules of concurrent tasks, and says what breaks. */

export { placesThatRun } from '../machine/internal.ts';
export {
  type ConcurrentProgram,
  isConcurrent,
  ProgramError,
  parseAnyProgram,
  parseConcurrentProgram,
  WALKS,
  type Walk,
} from '../program/index.ts';
export { type Allowed, type AllowedOptions, allowedOutcomes } from './allowed.ts';
export {
  type CheckOptions,
  type CheckResult,
  check,
  type Found,
  type LockOrderSeen,
  replaySchedule,
  runSchedule,
} from './check.ts';
export {
  addConditions,
  type ConditionCount,
  type ConditionWords,
  type Observation,
  observationOf,
  type Quantifier,
  standingOf,
} from './conditions.ts';
export { ENDLESS_AFTER, Endless } from './endless.ts';
export { Execution } from './execution.ts';
export { fingerprint } from './fingerprint.ts';
export type { Came, Explained, Unexplained } from './orders.ts';
export { joinOutcomes, MOST_OUTCOMES, type OutcomeOf, type OutcomeSeen } from './outcomes.ts';
export { asScenario, ownMistake, tryScenario } from './own-scenario.ts';
export { BEYOND, DEFAULT_PLAN, type Plan } from './plan.ts';
export { explainResults, type ProgramState, programScenario, resultsText } from './program.ts';
export { REASONS, type Reason } from './reasons.ts';
export { recordedScenario } from './recorded.ts';
export { type MailAbout, mailText } from './report/mail.ts';
export { HOLDS_MEANING, type OutcomeTable, outcomeTable } from './report/outcome-table.ts';
export { type PagePart, type Report, report, reportPage, reportText } from './report/report.ts';
export type { Returned, Scenario, SetupOptions } from './scenario.ts';
export { ScenarioError } from './scenario-error.ts';
export type { RandomOptions } from './search/at-random.ts';
export { digestOf } from './search/digest.ts';
export { Exhaustive, type ExhaustiveOptions } from './search/exhaustive.ts';
export { FAIR, InARow } from './search/in-a-row.ts';
export { Pct } from './search/pct.ts';
export { RandomWalk } from './search/random-walk.ts';
export {
  decodeRuns,
  decodeSchedule,
  encodeRuns,
  encodeSchedule,
  Replay,
  type Run,
  runsOf,
  ScheduleError,
  sealedSchedule,
} from './search/schedule.ts';
export { type Choice, FAIL, type Strategy } from './search/strategy.ts';
export { STRATEGIES, STRATEGY_ROWS, type StrategyName } from './search/strategy-rows.ts';
export { Turns } from './search/turns.ts';
export { UniformWalk } from './search/uniform-walk.ts';
export { REPLAYS, type ToldOutcome } from './shorten.ts';
export { EFFORT, type Effort, shortestRuns, shrinkProgram, shrinkSchedule } from './shrink.ts';
export {
  isBeyond,
  type JobResult,
  type PartRequest,
  type PartResult,
  type ReportedFinding,
  runJob,
  runPart,
  runReport,
  runShorten,
  Search,
  type Seen,
  type Subject,
  scenarioOf,
  seenByBoth,
  triedEverything,
} from './suite.ts';
export { MAX_TASKS } from './task-set.ts';
export { type Done, type Thread, ThreadGone, Threads } from './threads.ts';
export { titleOf } from './title.ts';
export {
  type CoverageData,
  type CoverageSummary,
  distinctCoverage,
  summarizeCoverage,
} from './watch/coverage.ts';
export { DataOracle } from './watch/data.ts';
export { MOST_TRANSLATIONS } from './watch/hardware.ts';
export type { MemoryChange, PendingChange } from './watch/memory-place.ts';
export { type Rule, Watch } from './watch/watch.ts';
