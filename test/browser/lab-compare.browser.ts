/** Two walks side by side, as somebody compares them. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseAnyProgram, type Walk } from '../../src/program/index.ts';
import { type Recording, record, walksOf } from '../../src/recording/index.ts';
import { decodeLink, encodeLink, type Link } from '../../src/recording/link.ts';
import { type Lab, openLab } from '../support/lab.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const recorded = (path: string, walk: Walk): Recording =>
  record(parseAnyProgram(JSON.parse(readFileSync(`${root}/${path}.json`, 'utf8'))), { walk });

let lab: Lab;
beforeAll(async () => {
  lab = await openLab();
});
afterAll(() => lab?.close());

const sideTexts = (page: Page, selector: string): Promise<string[]> =>
  page.locator(`.compare-side ${selector}`).allInnerTexts();
const counter = (page: Page, name: string): Promise<string[]> =>
  page.locator(`tr[data-counter=${name}] td`).allInnerTexts();

/** First step of each operation of the only task, and the end. */
function bounds(recording: Recording): number[] {
  const starts = recording.events.filter(({ kind }) => kind === 'operation').map(({ at }) => at);
  const { length } = recording.operations[0];
  return [0, ...starts.slice(1, length), starts[length] ?? recording.length];
}

describe('comparing', () => {
  const both = (['collect', 'unified'] as const).map((walk) =>
    recorded('examples/migrate-on-fault', walk),
  );
  const fault = both[0].operations[0].findIndex(({ op }) => op === 'fault_migrate_to_dev');

  it('shows at once that unified walks less often, as the library counts it', async () => {
    const { page, context, complaints } = await lab.open();
    await page.keyboard.press('v');
    await page.locator('.outcome').waitFor();
    const outer = both.map(
      (recording) =>
        walksOf(recording).filter(({ op, depth }) => op === fault && depth === 0).length,
    );
    expect(outer).toEqual([4, 2]);
    expect(await sideTexts(page, '.walk-count')).toEqual(outer.map(String));
    expect(await page.locator('.outcome').innerText()).toMatch(/collect .*4 times.*unified twice/);
    expect(await page.locator('.compare-ops [aria-current]').innerText()).toMatch(
      /^15\. fault_migrate_to_dev/,
    );
    for (const name of ['walks', 'entriesVisited', 'faults', 'migrationEntries', 'tlbFlushes']) {
      const values = both.map((one) => {
        const at = bounds(one);
        return String(one.count(name, at[fault + 1]) - one.count(name, at[fault]));
      });
      expect((await counter(page, name)).slice(0, 2), name).toEqual(values);
    }
    // both have come to the same: no page is of another kind
    const cells = await page.evaluate(() =>
      [...document.querySelectorAll('.compare-side')].map((side) =>
        [...side.querySelectorAll('.area .cell')].map((cell) => cell.firstChild?.textContent),
      ),
    );
    expect(cells[0]).toEqual(cells[1]);
    expect(cells[0].length).toBeGreaterThan(60);
    expect(complaints).toEqual([]);
    await context.close();
  });

  it('counts up step by step, and goes by operation', async () => {
    const { page, context, complaints } = await lab.open();
    await page.getByRole('button', { name: 'Compare' }).click();
    await page.locator('.outcome').waitFor();
    const progress = page.getByLabel('Progress of both');
    await page.locator('h1').click();
    await page.keyboard.press('O');
    const at = both.map(bounds);
    const begun = Math.max(...both.map((_, n) => at[n][fault] - at[n][fault - 1]));
    expect(await page.locator('.compare-bar .of').innerText()).toBe(
      `operation ${fault} of ${both[0].operations[0].length}, step ${begun} of ${begun}`,
    );
    const before = Number(await progress.inputValue());
    for (let i = 0; i < 2; i++) await page.keyboard.press('Shift+ArrowRight');
    await page.keyboard.press('ArrowRight');
    expect(Number(await progress.inputValue())).toBe(before + 21);
    // twenty-one steps into the operation, on either side
    await page.getByRole('button', { name: 'from the beginning' }).click();
    for (const name of ['walks', 'faults', 'folioLocks', 'invalidations']) {
      const values = both.map((one, n) => String(one.count(name, at[n][fault] + 21)));
      expect((await counter(page, name)).slice(0, 2), name).toEqual(values);
    }
    const steps = both.map((_, n) => String(at[n][fault] + 21));
    expect((await counter(page, 'steps')).slice(0, 2)).toEqual(steps);
    const said = await sideTexts(page, '.now');
    expect(said[0]).toContain(`Step ${steps[0]} of ${both[0].length}`);
    expect(said[1]).toContain(`Step ${steps[1]} of ${both[1].length}`);
    // the last place is the end of both, wherever that is
    await page.keyboard.press('End');
    expect((await counter(page, 'steps')).slice(0, 2)).toEqual(
      both.map((one) => String(one.length)),
    );
    await page.keyboard.press('Escape');
    expect(await page.locator('.timeline').count()).toBe(1);
    expect(complaints).toEqual([]);
    await context.close();
  });

  it('is in the link, with other walks too, and a place that is not is refused', async () => {
    const first = await lab.open();
    await first.page.keyboard.press('v');
    await first.page.locator('.outcome').waitFor();
    await first.page.getByLabel('First walk').selectOption('as-posted');
    await first.page.waitForFunction(() => location.hash.includes('as-posted.unified'));
    await first.page.locator('h1').click();
    await first.page.keyboard.press('Home');
    for (let i = 0; i < 3; i++) await first.page.keyboard.press('o');
    await first.page.keyboard.press('ArrowRight');
    const place = await first.page.getByLabel('Progress of both').inputValue();
    await first.page.waitForFunction((n) => location.hash.includes(`b=${n}.`), place);
    const hash = await first.page.evaluate(() => location.hash);
    const second = await lab.open(hash);
    await second.page.locator('.outcome').waitFor();
    for (const selector of ['.now', '.walk-count', '.side-name']) {
      expect(await sideTexts(second.page, selector)).toEqual(await sideTexts(first.page, selector));
    }
    expect(await second.page.getByLabel('Progress of both').inputValue()).toBe(place);
    const link = await decodeLink(hash);
    const changed = (at: number, walk: string): Promise<string> =>
      encodeLink({ ...link, compared: { walks: [walk, 'unified'], place: at } } as Link);
    const refused: [string, RegExp][] = [
      [await changed(99999, 'as-posted'), /no place 99999/],
      [await changed(1.5, 'as-posted'), /no place of a comparison/],
      [await changed(1, 'as-said'), /no place of a comparison/],
      [hash.replace(/b=\d+/, 'b=1'), /damaged/],
    ];
    for (const [bad, reason] of refused) {
      const { page, context } = await lab.open(bad);
      await page.locator('main.trouble').waitFor();
      expect(await page.locator('main.trouble').innerText()).toMatch(reason);
      await context.close();
    }
    expect([...first.complaints, ...second.complaints]).toEqual([]);
    await first.context.close();
    await second.context.close();
  });

  it('goes from a side to that step alone', async () => {
    const { page, context } = await lab.open();
    await page.keyboard.press('v');
    await page.getByRole('button', { name: 'Look at this step with collect alone' }).click();
    expect(await page.getByLabel('Walk', { exact: true }).inputValue()).toBe('collect');
    expect(await page.getByLabel('Step', { exact: true }).inputValue()).toBe(
      String(bounds(both[0])[fault + 1]),
    );
    await context.close();
  });

  it('records in small turns: what takes long can be left', async () => {
    const { page, context, complaints } = await lab.open();
    const pages = 3000;
    const ops = [
      { op: 'mmap', buf: 0, page: 0, pages, prot: 'rw', kind: 'anon' },
      { op: 'cpu_write', buf: 0, page: 0, pages, tag: 1 },
      { op: 'cpu_read', buf: 0, page: 0, pages },
    ];
    await page.keyboard.press('p');
    await page.getByLabel('Program text').fill(JSON.stringify({ name: 'long', ops }));
    await page.getByRole('button', { name: 'Run' }).click();
    await page.waitForFunction(() => location.hash.includes('z='));
    await page.locator('h1').click();
    await page.keyboard.press('v');
    const said = page.locator('main.compare .soft');
    await page.waitForFunction(() =>
      /[1-9]\d* steps so far/.test(document.querySelector('main.compare .soft')?.textContent ?? ''),
    );
    const first = await said.innerText();
    expect(await page.locator('main.compare').getAttribute('data-ready')).toBe('no');
    await page.waitForFunction(
      (before) => document.querySelector('main.compare .soft')?.textContent !== before,
      first,
    );
    await page.keyboard.press('Escape');
    await page.locator('.timeline').waitFor();
    // asked for again, it comes to its end
    await page.keyboard.press('v');
    await page.locator('.outcome').waitFor();
    expect(await page.locator('.compare-side').count()).toBe(2);
    expect(complaints).toEqual([]);
    await context.close();
  });
});
