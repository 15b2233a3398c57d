/** The checker: tries the schedules of concurrent tasks, and says what breaks. */
export {
  type ConcurrentProgram,
  isConcurrent,
  ProgramError,
  parseAnyProgram,
  parseConcurrentProgram,
  WALKS,
  type Walk,
} from '../program/index.ts';
export {
  type CheckOptions,
  type CheckResult,
  check,
  type Found,
  type LockOrderSeen,
  replaySchedule,
  runSchedule,
  titleOf,
} from './check.ts';
export { Execution, MAX_TASKS } from './execution.ts';
export { fingerprint } from './fingerprint.ts';
export { asScenario, ScenarioError, tryScenario } from './own-scenario.ts';
export { type ProgramState, programScenario } from './program.ts';
export { type PagePart, type Report, report, reportPage, reportText } from './report/report.ts';
export type { Scenario, SetupOptions } from './scenario.ts';
export { Exhaustive, type ExhaustiveOptions } from './search/exhaustive.ts';
export { Pct, type RandomOptions, RandomWalk, Turns, UniformWalk } from './search/random.ts';
export {
  decodeSchedule,
  digestOf,
  encodeSchedule,
  Replay,
  type Run,
  runsOf,
  ScheduleError,
} from './search/schedule.ts';
export { STRATEGIES, type StrategyName } from './search/strategies.ts';
export { type Choice, FAIL, type Strategy } from './search/strategy.ts';
export { shortestRuns, shrinkProgram, shrinkSchedule } from './shrink.ts';
export {
  DEFAULT_PLAN,
  type JobResult,
  type PartOrder,
  type PartResult,
  type Plan,
  type ReportedFinding,
  runJob,
  runPart,
  runReport,
  Search,
  type Subject,
  scenarioOf,
} from './suite.ts';
export { type Done, type Thread, Threads } from './threads.ts';
export {
  type CoverageData,
  type CoverageSummary,
  placesThatRun,
  summarizeCoverage,
} from './watch/coverage.ts';
export { type Change, DataOracle, type Pending } from './watch/data.ts';
export { Watch } from './watch/watch.ts';
