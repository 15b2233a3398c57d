/** The checker in a page: a schedule gives what it gives in Node. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { sealedSchedule } from '../../src/checker/index.ts';
import { type Chromium, openChromium } from '../support/browser.ts';
import { race } from '../support/one-page.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

let chromium: Chromium;
beforeAll(async () => {
  chromium = await openChromium();
});
afterAll(() => chromium?.close());
afterEach(() => {
  expect(chromium.complaints.splice(0)).toEqual([]);
});

type Job = Record<string, unknown>;
type Jobs = Record<string, (job: Job) => unknown>;

const url = (path: string) => pathToFileURL(join(root, path)).href;
const inNode = async (name: string, job: Job) => {
  const jobs: Jobs = await import(/* @vite-ignore */ url('test/browser/jobs.mjs'));
  const { module } = job;
  const place = typeof module === 'string' ? { module: url(module) } : {};
  return JSON.parse(JSON.stringify(await jobs[name]({ ...job, ...place })));
};
const inPage = (name: string, job: Job) => {
  const { module } = job;
  const place = typeof module === 'string' ? { module: `/${module}` } : {};
  return chromium.page.evaluate(
    ([what, given]) => (globalThis as unknown as { jobs: Jobs }).jobs[what](given),
    [name, { ...job, ...place }] as const,
  );
};
/** What Node makes of a job, and what the page does. */
async function inBoth(name: 'replay' | 'exhaust' | 'job', job: Job) {
  return { node: await inNode(name, job), page: await inPage(name, job) };
}

const read = (name: string) =>
  JSON.parse(readFileSync(join(root, 'scenarios', `${name}.json`), 'utf8'));
const exhaustive = { strategy: 'exhaustive', seed: 1, faults: 0, findings: 3 };

const RACE = race();

describe('a search in Chromium', () => {
  it.each([
    ['device-fault-munmap', 'unified'],
    ['device-fault-munmap', 'collect'],
    ['snapshot-against-dontneed', 'unified'],
    ['exclusive-against-write', 'collect'],
    ['two-cpus-bring-back', 'unified'],
  ])('tries as much as in Node and comes to the same ends: %s, %s', async (name, walk) => {
    const { node, page } = await inBoth('exhaust', { program: read(name), walk });
    expect(node).toMatchObject({ complete: true, titles: [] });
    expect(node.outcomes.length).toBeGreaterThan(1);
    expect(page).toEqual(node);
  });

  it('finds the same, by the same choices, in a scenario of a module', async () => {
    const module = 'examples/scenarios/check-without-lock.mjs';
    const { node, page } = await inBoth('exhaust', { module, walk: 'unified' });
    expect(node.titles).toHaveLength(2);
    expect(page).toEqual(node);
  });

  it('shrinks and reports the same, as-posted', async () => {
    const plan = { ...exhaustive, schedules: 300, findings: 1 };
    const program = read('device-fault-dontneed');
    const { node, page } = await inBoth('job', { program, walk: 'as-posted', plan });
    expect(node.findings).toHaveLength(1);
    expect(page).toEqual(node);
  });

  it.each(['pct', 'uniform', 'random'])(
    'takes the same schedules at random, %s',
    async (strategy) => {
      const plan = { ...exhaustive, strategy, schedules: 40, faults: 1, seed: 11 };
      const program = read('three-tasks');
      const { node, page } = await inBoth('job', { program, walk: 'unified', plan });
      expect(node.schedules).toBe(40);
      expect(page).toEqual(node);
    },
  );
});

describe('a schedule in Chromium', () => {
  /** Schedules that Node gives for what it finds. */
  async function found(program: object, walk: string): Promise<string[]> {
    const plan = { ...exhaustive, schedules: 300 };
    const { findings } = await inNode('job', { program, walk, plan });
    return findings.map(({ schedule }: { schedule: string }) => schedule);
  }

  it.each([
    ['a program that expects what a race may break', RACE, 'unified'],
    ['as-posted against dontneed', read('device-fault-dontneed'), 'as-posted'],
    ['as-posted with a hole', read('device-fault-hole'), 'as-posted'],
  ])('breaks the same: %s', async (_, program, walk) => {
    const schedules = await found(program, walk);
    expect(schedules.length).toBeGreaterThan(0);
    for (const schedule of schedules) {
      const { node, page } = await inBoth('replay', { program, walk, schedule });
      expect(node.title).toEqual(expect.stringMatching(/./));
      expect(node.text).toContain('==>');
      expect(page).toEqual(node);
    }
  });

  it('ends the same where nothing breaks, in every scenario that ships', async () => {
    const names = readdirSync(join(root, 'scenarios')).filter((name) => name.endsWith('.json'));
    const outcomes = new Set<string>();
    for (const name of names) {
      const program = read(name.replace('.json', ''));
      for (const walk of ['unified', 'collect']) {
        const digest = await inNode('digest', { program, walk });
        // three switches at places that are there in any task
        const several = Object.keys(program.tasks).length > 1;
        const schedule = sealedSchedule(digest, several ? 'a17b23a9b' : 'a17');
        const { node, page } = await inBoth('replay', { program, walk, schedule });
        expect(page, `${name} ${walk}`).toEqual(node);
        outcomes.add(node.outcome);
      }
    }
    expect(outcomes.size).toBeGreaterThan(names.length / 2);
  });

  it('of another program is refused there too', async () => {
    const [schedule] = await found(RACE, 'unified');
    const program = { ...RACE, setup: [...RACE.setup, { op: 'clear_soft_dirty' }] };
    const job = { program, walk: 'unified', schedule };
    await expect(inNode('replay', job)).rejects.toThrow('of another program or model');
    await expect(inPage('replay', job)).rejects.toThrow('of another program or model');
  });
});
