/** Recordings: one schedule of a program step by step, and the state at every moment of it. */
export { type Change, itemChanges, whatChanged } from './changes.ts';
export * from './recording.ts';
export {
  isScenario,
  ONLY_TASK,
  operationsOf,
  type Recordable,
  recordable,
  scenarioOfProgram,
  systemOf,
} from './subject.ts';
export * from './trace.ts';
export * from './view.ts';
export * from './walks.ts';
export { nameOf, roleWords, stepWords } from './words.ts';
