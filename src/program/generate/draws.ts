/**
 * Choices of which a random program is made: plain numbers, each good for whatever it is used for, so that whatever
 * is left out of them makes a program too.
 */
import type { OpName } from '../ops.ts';
import type { Profile } from './profiles.ts';

/** How a range is found: a whole buffer, a page, any range, near the last one, a huge page, at a huge page's edge. */
export type Extent = 'whole' | 'page' | 'any' | 'again' | 'near' | 'huge' | 'edge';

/** One operation: every choice that any operation needs, as a number without bounds. */
export interface Draw {
  op: OpName;
  proc: number;
  buf: number;
  extent: Extent;
  from: number;
  count: number;
  dev: number;
  pick: number;
  id: number;
}

/** A mapping at the start. */
export interface Mapping {
  kind: number;
  prot: number;
  size: number;
  start: number;
}

/** All that a program is made of. */
export interface Drawn {
  mappings: readonly Mapping[];
  draws: readonly Draw[];
}

/** Numbers without bounds are below it. */
export const MANY = 10_000;
/** Ids of what is pinned are below it. */
export const IDS = 4;
/** Mappings at the start, at most. */
export const MAPPINGS = 3;

/** How often each extent is drawn. */
export const extentWeights = ({ huge }: Profile): Record<Extent, number> => ({
  whole: 25,
  page: 15,
  any: 30,
  again: 15,
  near: 15,
  huge: huge ? 45 : 0,
  edge: huge ? 20 : 0,
});

/** Devices, as often as they are drawn. */
export const devicesOf = ({ devices = [0, 0, 0, 1] }: Profile): readonly number[] => devices;

/** Draws by weights. */
function weighed<K extends string>(weights: Partial<Record<K, number>>, random: () => number): K {
  const all = Object.entries(weights) as [K, number][];
  let left = random() * all.reduce((sum, [, weight]) => sum + weight, 0);
  const drawn = all.find(([, weight]) => {
    left -= weight;
    return left < 0;
  });
  return (drawn ?? all[0])[0];
}

/**
 * Draws what a program of a profile is made of.
 * @param random from 0 up to 1
 */
export function drawProgram(profile: Profile, random: () => number): Drawn {
  const below = (end: number): number => Math.floor(random() * end);
  const mapping = (): Mapping => ({
    kind: below(MANY),
    prot: below(MANY),
    size: below(MANY),
    start: below(MANY),
  });
  const devices = devicesOf(profile);
  const draw = (): Draw => ({
    op: weighed(profile.weights, random),
    proc: below(MANY),
    buf: below(MANY),
    extent: weighed(extentWeights(profile), random),
    from: below(MANY),
    count: below(MANY),
    dev: devices[below(devices.length)],
    pick: below(MANY),
    id: below(IDS),
  });
  return {
    mappings: Array.from({ length: 1 + below(MAPPINGS) }, mapping),
    // the longer, the more can meet; short ones are what is left when others are made smaller
    draws: Array.from({ length: Math.ceil(profile.length * (0.5 + random() / 2)) }, draw),
  };
}
