/** The checker: tries the schedules of concurrent tasks, and says what breaks. */
export {
  type CheckOptions,
  type CheckResult,
  check,
  type Found,
  runSchedule,
  titleOf,
} from './check.ts';
export { type Change, DataOracle, type Pending } from './data.ts';
export { Execution, MAX_TASKS } from './execution.ts';
export { Exhaustive, type ExhaustiveOptions } from './exhaustive.ts';
export { type ProgramState, programScenario } from './program.ts';
export { Pct, type RandomOptions, RandomWalk, UniformWalk } from './random.ts';
export type { Scenario, SetupOptions } from './scenario.ts';
export {
  decodeSchedule,
  digestOf,
  encodeSchedule,
  Replay,
  runsOf,
  ScheduleError,
} from './schedule.ts';
export { type Choice, FAIL, type Strategy } from './strategy.ts';
export { Watch } from './watch.ts';
