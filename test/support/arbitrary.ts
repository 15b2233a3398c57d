/** Random programs for fast-check, which makes the choices of a program that fails fewer and smaller. */
import fc from 'fast-check';
import {
  buildProgram,
  type Draw,
  devicesOf,
  extentWeights,
  IDS,
  MANY,
  MAPPINGS,
  type Profile,
} from '../../src/program/generate/index.ts';
import type { OpName, Program } from '../../src/program/index.ts';

export * from '../../src/program/generate/index.ts';

const number = fc.nat(MANY - 1);

/** One of some values, by weight. */
const weighed = <K extends string>(weights: Partial<Record<K, number>>): fc.Arbitrary<K> =>
  fc.oneof(
    ...(Object.entries(weights) as [K, number][]).map(([value, weight]) => ({
      arbitrary: fc.constant(value),
      weight,
    })),
  );

function drawOf(profile: Profile): fc.Arbitrary<Draw> {
  return fc.record({
    op: weighed<OpName>(profile.weights),
    proc: number,
    buf: number,
    extent: weighed(extentWeights(profile)),
    from: number,
    count: number,
    dev: fc.constantFrom(...devicesOf(profile)),
    pick: number,
    id: fc.nat(IDS - 1),
  });
}

/** Programs of a profile. */
export function programs(profile: Profile, name = 'random'): fc.Arbitrary<Program> {
  const mapping = fc.record({ kind: number, prot: number, size: number, start: number });
  const mappings = fc.array(mapping, { minLength: 1, maxLength: MAPPINGS, size: 'max' });
  const draws = fc.array(drawOf(profile), { maxLength: profile.length, size: 'max' });
  return fc.record({ mappings, draws }).map((drawn) => buildProgram(profile, drawn, name));
}
