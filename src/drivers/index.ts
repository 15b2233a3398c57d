export {
  DeviceFault,
  type DeviceFaultOptions,
  deviceFault,
  migrateRange,
  type Pass,
} from './device-fault.ts';
export * from './device-table.ts';
export { Dmirror, deviceFlagStep } from './dmirror.ts';
export { type DeviceResult, deviceAccess, deviceReadUnlocked } from './dmirror-access.ts';
export { DmirrorDevice } from './dmirror-device.ts';
export { evictChunk, migrateToSystem } from './dmirror-evict.ts';
export { checkExclusive, deviceExclusive } from './dmirror-exclusive.ts';
export { closeDmirror, newDmirrorDevice, openDmirror, removeChunks } from './dmirror-file.ts';
export { migrateToDevice } from './dmirror-migrate.ts';
export { dmirrorMmap, isMapped } from './dmirror-mmap.ts';
export { deviceSnapshot } from './dmirror-snapshot.ts';
export {
  type Device,
  type DeviceKind,
  deviceRange,
  deviceTableStep,
  isDevice,
  type Mirror,
} from './driver.ts';
export { DRIVERS, type DriverName } from './driver-names.ts';
export { FLAWS, type Flaw } from './flaws.ts';
export { type GupHold, type GupHow, gupGiveBack, gupHold, gupTest } from './gup-test.ts';
export type { Mends } from './mends.ts';
export { faultMigrateToDevice } from './migrate-on-fault.ts';
