/** Random programs, by profile: for the tests of the model, and for `softleaf kernel fuzz`. */
import { generator } from '../../machine/random.ts';
import type { Program } from '../schema.ts';
import { buildProgram } from './build.ts';
import { drawProgram } from './draws.ts';
import type { Profile } from './profiles.ts';

export { buildProgram, NEVER_DRAWN } from './build.ts';
export {
  type Draw,
  type Drawn,
  devicesOf,
  extentWeights,
  IDS,
  MANY,
  MAPPINGS,
  type Mapping,
} from './draws.ts';
export {
  HUGE_PAGES,
  HUGE_PROFILES,
  type HugeProfileName,
  KERNEL_PROFILES,
  PROFILES,
  type Profile,
  type ProfileName,
} from './profiles.ts';

/** A random program: the same seed gives the same one. */
export function randomProgram(profile: Profile, seed: number, name: string): Program {
  return buildProgram(profile, drawProgram(profile, generator(seed)), name);
}
