/**
 * A search that tried everything has found what schedules at random find: a finding that only these come to hangs on an
 * order of steps that were taken for independent. `npm run test:long -- agree` asks it of every driver, operation and
 * scenario.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as checker from '../../src/checker/index.ts';
import { agreement } from '../support/agree.ts';
import { gpuVariant, packageFolder, ROOT } from '../support/gpu.ts';
import { shippedScenario } from '../support/scenarios.ts';

describe('a driver of one’s own', () => {
  const folder = mkdtempSync(join(tmpdir(), 'softleaf-agree-'));
  beforeAll(() => packageFolder(folder));
  afterAll(() => rmSync(folder, { recursive: true }));

  const DURING = 'a device maps a page that is being invalidated in mapPage';
  const NONE = 'a device maps a page where the process has none in mapPage';
  it.each([
    ['checks without its lock', 'munmap', false, [DURING, NONE]],
    ['checks without its lock', 'mprotect for reading', false, [DURING]],
    ['checks without its lock', 'madvise free', true, [DURING]],
    ['does not check', 'mremap', false, [DURING, NONE]],
    ['checks under its lock', 'mremap', true, []],
  ])('that %s, against %s; it writes: %s', async (driver, cpu, writes, titles) => {
    const name = `${driver} ${cpu} ${writes}`.replaceAll(' ', '-');
    const module = gpuVariant(join(folder, name), driver, cpu, writes);
    const built = await import(pathToFileURL(join(ROOT, 'dist/checker/index.js')).href);
    const { default: scenario } = await import(/* @vite-ignore */ module);
    const { found, missed, complete } = agreement(built, scenario, 'unified', 500, 60);
    expect({ found: found.sort(), missed, complete }).toEqual({
      found: titles,
      missed: [],
      complete: true,
    });
  });
});

it('a step that does not name what is looked at is found', () => {
  const scenario = shippedScenario('device-read-against-munmap');
  const { found, missed, complete } = agreement(checker, scenario, 'unified', 1000, 40);
  expect({ found, missed, complete }).toEqual({ found: [], missed: [], complete: true });
});
