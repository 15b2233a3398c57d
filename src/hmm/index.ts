export { getUserPages, getUserPagesFast, putPages, unpinUserPages } from '../mm/gup.ts';
export { migrateVmaCollect } from './collect.ts';
export { type PinOptions, pinUserPages, pinUserPagesFast } from './longterm.ts';
export * from './migrate-args.ts';
export {
  migrateDeviceFinalize,
  migrateDevicePages,
  migrateDevicePfns,
  migrateDeviceRange,
} from './migrate-device.ts';
export { hmmSelectMigrate } from './migrate-prepare.ts';
export {
  migrateHmmRangeSetup,
  migrateVmaFinalize,
  migrateVmaPages,
  migrateVmaSetup,
} from './migrate-vma.ts';
export * from './pfn.ts';
export { hmmRangeFault, hmmRangeFaultUnlockedTimeout } from './range.ts';
export type { HmmRange } from './walk-state.ts';
