/** What the rooms above use of the machine and the package does not offer. */
import type { Place } from './places.ts';

export { innermostStack, isModelFile, notingOwn, watchesOnly } from './finding.ts';
export { boundLoops } from './loops.ts';
export { PageField } from './monitor.ts';
export type { Place } from './places.ts';
export { ran } from './ran.ts';
export { type StateShape, stateShape } from './state-key.ts';

/** The functions and branches that are counted, by number; none where the build counts nothing. */
export async function placesThatRun(): Promise<readonly Place[]> {
  return (await import('./places.ts')).places;
}
