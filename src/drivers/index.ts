export * from './device-table.ts';
export {
  checkExclusive,
  closeDmirror,
  type DeviceResult,
  Dmirror,
  deviceAccess,
  deviceExclusive,
  deviceFlagStep,
  deviceReadUnlocked,
  deviceSnapshot,
  openDmirror,
  removeChunks,
} from './dmirror.ts';
export { type DeviceKind, DmirrorDevice } from './dmirror-device.ts';
export { evictChunk, migrateToDevice, migrateToSystem } from './dmirror-migrate.ts';
export { dmirrorMmap, isMapped } from './dmirror-mmap.ts';
export { type GupHold, type GupHow, gupGiveBack, gupHold, gupTest } from './gup-test.ts';
export { faultMigrateToDevice } from './migrate-on-fault.ts';
