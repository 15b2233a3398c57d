export * from './device-table.ts';
export {
  checkExclusive,
  closeDmirror,
  deviceAccess,
  deviceExclusive,
  type DeviceResult,
  deviceSnapshot,
  Dmirror,
  openDmirror,
} from './dmirror.ts';
export { DmirrorDevice } from './dmirror-device.ts';
export { migrateToDevice, migrateToSystem } from './dmirror-migrate.ts';
export { faultMigrateToDevice } from './migrate-on-fault.ts';
