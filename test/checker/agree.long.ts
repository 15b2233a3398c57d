/**
 * The long run of agree.test.ts: every driver that is right or wrong against everything that a CPU may do, and every
 * scenario, and a sample of the generated pairs with what they come to: npm run test:long. From the environment:
 * SCENARIO (a part of a name, else all), PAIRS (how many, 300), SEED (which).
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as checker from '../../src/checker/index.ts';
import { allPairs, pairName, pairProgram, pairWalks } from '../../src/checker/pairs.ts';
import { agreement } from '../support/agree.ts';
import { lostEnds } from '../support/ends.ts';
import { CPU_OPERATIONS, DRIVERS, gpuVariant, packageFolder, ROOT } from '../support/gpu.ts';
import { numbers } from '../support/micro.ts';
import { SCENARIOS, shippedScenario } from '../support/scenarios.ts';

const { SCENARIO = '' } = process.env;
const MOST = 20_000;
const RANDOM = 300;

describe('a driver of one’s own', () => {
  const folder = mkdtempSync(join(tmpdir(), 'softleaf-agree-'));
  beforeAll(() => packageFolder(folder));
  afterAll(() => rmSync(folder, { recursive: true }));

  const variants = Object.keys(DRIVERS).flatMap((driver) =>
    Object.keys(CPU_OPERATIONS).flatMap((cpu) =>
      [false, true].map((writes) => ({ driver, cpu, writes })),
    ),
  );
  it.for(variants.map((variant, i) => ({ ...variant, i })))(
    'that $driver, against $cpu; it writes: $writes',
    async ({ driver, cpu, writes, i }, { skip }) => {
      const module = gpuVariant(join(folder, String(i)), driver, cpu, writes);
      const built = await import(pathToFileURL(join(ROOT, 'dist/checker/index.js')).href);
      const { default: scenario } = await import(/* @vite-ignore */ module);
      const { missed, complete, found, schedules } = agreement(
        built,
        scenario,
        'unified',
        MOST,
        RANDOM,
      );
      if (process.env.SHOW)
        console.log(driver, '|', cpu, writes, schedules, complete, found, missed);
      skip(!complete, 'too large for a search of everything');
      expect(missed).toEqual([]);
    },
  );
});

describe.each(['unified', 'collect'] as const)('walk %s', (walk) => {
  const names = SCENARIOS.filter((name) => name.includes(SCENARIO));
  it.for(names)('%s', (name, { skip }) => {
    const { missed, complete } = agreement(checker, shippedScenario(name), walk, MOST, RANDOM);
    skip(!complete, 'too large for a search of everything');
    expect(missed).toEqual([]);
  });
});

describe('pairs of operations', () => {
  const { PAIRS = '300', SEED = '1' } = process.env;
  const random = numbers(Number(SEED));
  const all = allPairs();
  const some = Array.from({ length: Number(PAIRS) }, () => all[random(all.length)]);
  it.for([...new Set(some)].map((pair) => ({ pair, name: pairName(pair) })))(
    '$name',
    ({ pair, name }, { skip }) => {
      const scenario = checker.programScenario(pairProgram(name)) as unknown as checker.Scenario;
      const lost = lostEnds(scenario, pairWalks(pair)[0], 600);
      skip(lost === null, 'too large for a search of everything');
      expect(lost).toEqual([]);
    },
  );
});
