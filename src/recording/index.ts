/** Recordings: one schedule of a program step by step, and the state at every moment of it. */
export { type ItemChange, itemChanges, whatChanged } from './changes.ts';
export * from './items.ts';
export * from './recorded.ts';
export * from './recorder.ts';
export * from './recording.ts';
export { nameOf, roleWords, stepWords } from './state-words.ts';
export {
  isScenario,
  ONLY_TASK,
  operationsOf,
  type Recordable,
  recordable,
  scenarioOfProgram,
  systemOf,
} from './subject.ts';
export * from './trace-events.ts';
export * from './viewer.ts';
export * from './walks.ts';
