export * from './device-table.ts';
export {
  checkExclusive,
  closeDmirror,
  type DeviceResult,
  Dmirror,
  deviceAccess,
  deviceExclusive,
  deviceFlagStep,
  deviceSnapshot,
  openDmirror,
  removeChunks,
} from './dmirror.ts';
export { type DeviceKind, DmirrorDevice } from './dmirror-device.ts';
export { evictChunk, migrateToDevice, migrateToSystem } from './dmirror-migrate.ts';
export { faultMigrateToDevice } from './migrate-on-fault.ts';
