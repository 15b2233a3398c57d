/** Checking in the lab, and opening what was found. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readPosted } from '../../lab/as-posted.ts';
import {
  DEFAULT_PLAN,
  decodeSchedule,
  fingerprint,
  programScenario,
  replaySchedule,
  runJob,
  titleOf,
} from '../../src/checker/index.ts';
import { type ConcurrentProgram, parseAnyProgram, resultWords } from '../../src/program/index.ts';
import { type Recordable, type Recording, record } from '../../src/recording/index.ts';
import { decodeLink } from '../../src/recording/link.ts';
import { type Lab, openLab, programText } from '../support/lab.ts';
import { expected, shown } from '../support/lab-shown.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (path: string): string => readFileSync(`${root}/${path}`, 'utf8');

let lab: Lab;
beforeAll(async () => {
  lab = await openLab();
});
afterAll(() => lab?.close());

async function load(name: string): Promise<Recordable> {
  try {
    return parseAnyProgram(JSON.parse(read(`scenarios/${name}.json`)));
  } catch {
    return (await import(/* @vite-ignore */ `${root}scenarios/${name}.mjs`)).default;
  }
}

/** What a link says, as the library records it. */
async function recordedOf(hash: string, program: Recordable): Promise<Recording> {
  const link = await decodeLink(hash);
  if (!link) throw new Error('no link');
  const { walk, schedule, hardware } = link;
  return record(program, { walk, schedule, hardware });
}

const choose = (page: Page, name: string) =>
  page.getByLabel('Program', { exact: true }).selectOption(name);
const stepOf = (page: Page): Promise<string> =>
  page.getByLabel('Step', { exact: true }).inputValue();
const dialog = (page: Page) => page.getByRole('dialog', { name: 'Check' });
const main = (page: Page) => dialog(page).locator('.buttons .main');

/** Opens the dialog with what is asked for, and starts. */
async function startCheck(page: Page, fields: Record<string, string> = {}): Promise<void> {
  await page.locator('h1').click();
  await page.keyboard.press('k');
  await dialog(page).waitFor();
  for (const [label, value] of Object.entries(fields)) {
    const field = dialog(page).getByLabel(label, { exact: true });
    if (await field.evaluate((element) => element.matches('select'))) {
      await field.selectOption(value);
    } else await field.fill(value);
  }
  await main(page).click();
}

/** The verdict, when there is one. */
async function verdict(page: Page): Promise<string> {
  const said = dialog(page).locator('.verdict strong, .verdict .bad');
  await said.first().waitFor();
  return said.first().innerText();
}

async function openProgram(page: Page, name: string): Promise<void> {
  await choose(page, name);
  await page.waitForFunction((n) => location.hash.includes(`p=${n}&`), name);
}

describe('a check', () => {
  it('finds what breaks, opens it where it breaks, and its link stands there as well', async () => {
    const { page, context, complaints } = await lab.open();
    await context.grantPermissions(['clipboard-read', 'clipboard-write']);
    await openProgram(page, 'device-fault-dontneed');
    await page.getByLabel('Walk', { exact: true }).selectOption('as-posted');
    await page.waitForFunction(() => location.hash.includes('w=as-posted'));
    await startCheck(page);
    expect(await verdict(page)).toMatch(/breaks?: found in [\d,]+ schedules?\./);
    const row = dialog(page).locator('.findings li').first();
    const title = await row.locator('strong').innerText();
    expect(await row.innerText()).toMatch(/\d+ preemptions?, \d+ steps? that matters? of \d+/);
    await row.getByRole('button').click();
    await dialog(page).waitFor({ state: 'detached' });
    await page.waitForSelector('.finding');
    await page.keyboard.press('y');
    await page.waitForSelector('.notice');
    expect(await page.locator('.notice').innerText()).toMatch(/^The link is copied: \d+ char/);
    const link = await page.evaluate(() => navigator.clipboard.readText());
    expect(link).toBe(page.url());
    const program = await load('device-fault-dontneed');
    const recording = await recordedOf(new URL(link).hash, program);
    expect(recording.finding && titleOf(recording.finding)).toBe(title);
    expect(await stepOf(page)).toBe(String(recording.length));
    expect(await shown(page)).toEqual(expected(recording, recording.length));

    const other = await lab.open(new URL(link).hash);
    expect(await stepOf(other.page)).toBe(String(recording.length));
    expect(await shown(other.page)).toEqual(await shown(page));
    expect(await other.page.locator('.finding').innerText()).toBe(
      await page.locator('.finding').innerText(),
    );
    expect([...complaints, ...other.complaints]).toEqual([]);
    await context.close();
    await other.context.close();
  });

  it('lists every outcome, and opens a schedule that comes to it', async () => {
    const { page, context, complaints } = await lab.open();
    const name = 'device-write-against-fork';
    await openProgram(page, name);
    await page.locator('h1').click();
    await page.keyboard.press('k');
    await dialog(page).getByLabel('List every outcome').check();
    await main(page).click();
    expect(await verdict(page)).toMatch(/^✓ Proved/);
    const program = (await load(name)) as ConcurrentProgram;
    const plan = { ...DEFAULT_PLAN, outcomes: true };
    const { table, complete } = runJob({ program }, 'unified', plan);
    expect([complete, table.length > 1]).toEqual([true, true]);
    const list = dialog(page).getByRole('region', { name: 'Outcomes' });
    expect(await list.locator('h3').innerText()).toBe(
      `${table.length} outcomes; there are no others`,
    );
    const rows = list.locator('tbody tr');
    expect(await rows.count()).toBe(table.length);
    const counts = await list.locator('td.number').allInnerTexts();
    expect(counts.map(Number).sort()).toEqual(table.map(({ schedules }) => schedules).sort());

    const heads = await list.locator('th').allInnerTexts();
    const cells = await rows.last().locator('td').allInnerTexts();
    await rows.last().getByRole('button').click();
    await dialog(page).waitFor({ state: 'detached' });
    const link = await decodeLink(new URL(page.url()).hash);
    const scenario = programScenario(program);
    const options = { walk: 'unified' } as const;
    const of = fingerprint(scenario, options);
    const runs = decodeSchedule(link?.schedule ?? '', of, 2);
    const { results, after } = JSON.parse(replaySchedule(scenario, options, runs).came ?? '{}');
    const lists = { ...results, after };
    heads.slice(1, -1).forEach((head, i) => {
      const [, task, at] = /^(\w+)\[(\d+)] /.exec(head) ?? [];
      expect(resultWords(lists[task][Number(at)])).toBe(cells[i + 1]);
    });
    expect(heads.length).toBeGreaterThan(2);
    expect(complaints).toEqual([]);
    await context.close();
  });

  it('says how much it means that nothing broke', async () => {
    const { page, context, complaints } = await lab.open();
    await openProgram(page, 'exclusive-against-write');
    await startCheck(page, { Schedules: '30' });
    expect(await verdict(page)).toMatch(/Nothing found in 30 schedules.*no proof/);
    await startCheckAgain(page, { 'Orders to try': 'pct' });
    expect(await verdict(page)).toMatch(/Nothing found in 30 .* at random: that is no proof/);
    await startCheckAgain(page, { 'Orders to try': 'exhaustive', Schedules: '100000' });
    expect(await verdict(page)).toMatch(
      /^✓ Proved: nothing breaks in any order .*: [\d,]+ schedules\.$/,
    );
    await startCheckAgain(page, { Preemptions: '1' });
    expect(await verdict(page)).toMatch(/at most 1 preemption \(more were not tried\)/);
    expect(await dialog(page).locator('.verdict').innerText()).toMatch(/in both orders/);
    expect(complaints).toEqual([]);
    await context.close();
  });

  it('tells how far it is, and stops', async () => {
    const { page, context, complaints } = await lab.open();
    await openProgram(page, 'three-tasks');
    await startCheck(page, { 'Orders to try': 'random', Schedules: '1000000' });
    const told = dialog(page).locator('.progress span');
    const schedules = async (): Promise<number> =>
      Number(/([\d,]+) schedule/.exec(await told.innerText())?.[1].replaceAll(',', ''));
    await page.waitForFunction(
      () => !/\b0 schedules/.test(document.querySelector('.progress span')?.textContent ?? ''),
    );
    const first = await schedules();
    await expect.poll(schedules).toBeGreaterThan(first);
    // it goes on while one looks at something else
    await page.keyboard.press('Escape');
    await page.keyboard.press('ArrowRight');
    expect(await stepOf(page)).toBe('1');
    await page.keyboard.press('k');
    expect(await main(page).innerText()).toBe('Stop');
    await main(page).click();
    expect(await verdict(page)).toMatch(/Stopped\. Nothing found in [\d,]+ schedules/);
    expect(await main(page).innerText()).toBe('Check');
    // one that ends while nobody looks says so
    await startCheckAgain(page, { Schedules: '2000' });
    await page.keyboard.press('Escape');
    await page.getByText('The check has ended. Nothing found in 2,000').waitFor();
    expect(complaints).toEqual([]);
    await context.close();
  });

  it('of what is in the editor shows a mistake at its place', async () => {
    const { page, context, complaints } = await lab.open();
    await openProgram(page, 'device-fault-hole');
    await page.locator('h1').click();
    await page.keyboard.press('p');
    const area = page.getByLabel('Program text');
    const good = await programText(page);
    await area.fill(good.replace('"cpu_read"', '"cpu_raed"'));
    const button = page
      .getByRole('dialog', { name: 'The program' })
      .getByRole('button', { name: 'Check' });
    await button.click();
    expect(await page.locator('.mistake').innerText()).toMatch(/Line \d+: .*cpu_raed/);
    expect(await dialog(page).count()).toBe(0);
    await area.fill(good.replace(/"name": "[^"]*"/, '"name": "mine"'));
    await button.click();
    expect(await verdict(page)).toMatch(/Nothing/);
    expect(await dialog(page).locator('.came').innerText()).toContain('mine, walk unified');
    expect(complaints).toEqual([]);
    await context.close();
  });

  it('of operations one after the other fails allocations', async () => {
    const { page, context, complaints } = await lab.open();
    await openProgram(page, 'fail-alloc');
    await startCheck(page, { 'Failing allocations': '1' });
    expect(await verdict(page)).toMatch(/Proved: nothing breaks .* at most 1 failing allocation/);
    expect(complaints).toEqual([]);
    await context.close();
  });

  it('of a scenario in JavaScript finds its mistake', async () => {
    const { page, context, complaints } = await lab.open();
    await openProgram(page, 'check-without-lock');
    expect(await page.getByText('Edit', { exact: true }).isDisabled()).toBe(true);
    await startCheck(page);
    expect(await verdict(page)).toMatch(/2 things break: found in 18 schedules/);
    await page
      .getByRole('button', { name: /^Open: / })
      .first()
      .click();
    await page.waitForSelector('.finding');
    const cells = await shown(page);
    const { default: scenario } = await import(
      /* @vite-ignore */ `${root}examples/scenarios/check-without-lock.mjs`
    );
    await page.waitForFunction(() => location.hash.includes('&n='));
    const recording = await recordedOf(new URL(page.url()).hash, scenario);
    expect(cells).toEqual(expected(recording, recording.length));
    const device = await page.locator('.spaces .chips').last().innerText();
    expect(device).toContain('0:0');
    expect(complaints).toEqual([]);
    await context.close();
  });

  async function startCheckAgain(page: Page, fields: Record<string, string>): Promise<void> {
    await page.keyboard.press('Escape');
    await startCheck(page, fields);
  }
});

describe('the mistakes of the posted patch', () => {
  const posted = readPosted(read('docs/as-posted.md'));

  it.each(posted.map((one, i) => [one.heading, i + 1, one] as const))(
    '%s: opening it opens the counterexample, by a short link',
    async (_, number, { scenario, title, where }) => {
      const { page, context, complaints } = await lab.open();
      await choose(page, `posted-${number}`);
      // the tasks in turn may break it, too: what was found is shown at its end
      await page.waitForFunction(() => location.hash.includes('&n='));
      expect(await page.locator('.story').innerText()).toContain(where);
      expect(await page.locator('.story').innerText()).toMatch(/\. .*\.$/);
      const program = await load(scenario);
      const step = Number(await stepOf(page));
      await page.waitForFunction((n) => location.hash.includes(`n=${n}&`), step);
      const { hash } = new URL(page.url());
      const recording = await recordedOf(hash, program);
      expect(recording.walk).toBe('as-posted');
      expect(recording.finding && titleOf(recording.finding)).toBe(title);
      expect(step).toBe(recording.length);
      expect(await shown(page)).toEqual(expected(recording, step));
      // whatever is selected, the whole address is short
      const entry = page.locator('.area [data-key], .grid [data-key]').first();
      await entry.click();
      await page.waitForFunction(() => location.hash.includes('&x='));
      if (step <= 120) expect(page.url().length).toBeLessThanOrEqual(300);
      const other = await lab.open(new URL(page.url()).hash);
      expect(await stepOf(other.page)).toBe(String(step));
      expect(await shown(other.page)).toEqual(await shown(page));
      expect(await other.page.getByRole('dialog').count()).toBe(0);
      expect([...complaints, ...other.complaints]).toEqual([]);
      await context.close();
      await other.context.close();
    },
  );
});
