export { Counters } from './counters.ts';
export { ArrayDeviceMemory, type DeviceMemory } from './device-memory.ts';
export * from './errno.ts';
export { runStepping, runToEnd } from './execute.ts';
export { type Finding, KernelBug, modelledStack } from './finding.ts';
export { Frames } from './frames.ts';
export { Geometry, type GeometryOptions } from './geometry.ts';
export { Lock, type LockClass } from './lock.ts';
export { Machine, type MachineOptions, NAMED_FRAMES, OutOfRam, POISON } from './machine.ts';
export type { Monitor, PageField, Taking } from './monitor.ts';
export * from './objects.ts';
export * from './page.ts';
export * from './pte.ts';
export { generator } from './random.ts';
export { Reporter } from './reporter.ts';
export { restore, type Snapshot, snapshot } from './snapshot.ts';
export { stateKey } from './state-key.ts';
export {
  type Kernel$,
  ObjectKind,
  /** @deprecated what `ObjectKind` was called: for modules that were written then */
  ObjectKind as Space,
  Role,
  Step,
  StepKind,
} from './step.ts';
export { TablePool } from './table.ts';
export { Task } from './task.ts';
export { Tlb } from './tlb.ts';
export type * from './units.ts';
export { lock, unlock, withLock } from './with-lock.ts';
