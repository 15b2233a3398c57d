/** What the command line needs at its start: without the model behind it. */
export { DRIVERS, type DriverName } from './driver-names.ts';
export { FLAWS, type Flaw } from './flaws.ts';
