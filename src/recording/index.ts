/** Recordings: one schedule of a program step by step, and the state at every moment of it. */

export {
  type AreaItem,
  type DeviceEntryItem,
  type EntryItem,
  type FrameItem,
  folioLockWords,
  type Item,
  itemOf,
  itemsOf,
  LEVELS,
  type Level,
  type LockItem,
  lockWords,
  mappersOf,
  type NotifierItem,
  nameOf,
  roleWords,
  type SeenDevice,
  type SeenSystem,
  type SpaceItem,
  type StateView,
  stepWords,
  systemOf,
  type TableItem,
  type TlbItem,
  type Touched,
  viewOf,
} from '../program/internal.ts';
export { type ItemChange, itemChanges, whatChanged } from './changes.ts';
export * from './recorded.ts';
export * from './recorder.ts';
export * from './recording.ts';
export {
  isScenario,
  ONLY_TASK,
  operationsOf,
  type Recordable,
  recordable,
  scenarioOfProgram,
} from './subject.ts';
export * from './trace-events.ts';
export * from './walks.ts';
