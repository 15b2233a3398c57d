/** Real kernels: running programs on one, and how what comes of it differs. */
export { agentFile, cacheFolder } from './agent.ts';
export { type Asked, type AskOptions, askAll } from './ask.ts';
export { CONFIG, type ConfigOption, configFragment, missingOptions } from './config.ts';
export {
  byCount,
  Comparison,
  type DifferenceKind,
  type ReportKind,
  type SkippedKind,
  type StoppedKind,
} from './differences.ts';
export { KernelError } from './error.ts';
export { type FuzzKind, type FuzzState, fuzz, type Modelled } from './fuzz.ts';
export { type Guest, type Start, startCommand, startQemu } from './guest.ts';
export { type KernelImage, kernelImage } from './image.ts';
export type { Answer, Hello, RaceOutcome, Rounds } from './protocol.ts';
export {
  asKernel,
  compareRace,
  type Observation,
  observationLine,
  onRealPages,
  outcomeKey,
  parseObservation,
  parseObservations,
  type RaceRow,
  type RaceVerdict,
  wantedOf,
} from './race.ts';
export { type KernelReport, kernelReports, knownReport } from './report.ts';
export { Session } from './session.ts';
