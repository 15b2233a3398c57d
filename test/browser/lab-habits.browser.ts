/** The lab's habits: the palette, keys in grids, what is explained, and that everybody can use it. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseAnyProgram } from '../../src/program/index.ts';
import { record } from '../../src/recording/index.ts';
import { type Lab, openLab } from '../support/lab.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

let lab: Lab;
beforeAll(async () => {
  lab = await openLab();
});
afterAll(() => lab?.close());

const at = (page: Page): Promise<string> => page.getByLabel('Step', { exact: true }).inputValue();

async function goTo(page: Page, step: number): Promise<void> {
  await page.getByLabel('Step', { exact: true }).fill(String(step));
  await page.keyboard.press('Enter');
  await page.locator('h1').click();
}

/** A step in the middle of the first program's migration, with entries of many kinds. */
const MIDDLE = 1300;

/** Closes a dialog: keys are its own until it is gone. */
async function leave(page: Page): Promise<void> {
  await page.keyboard.press('Escape');
  await page.waitForFunction(() => !document.querySelector('dialog[open]'));
}

describe('the command palette', () => {
  /** What is chosen of what was found. */
  const chosen = (page: Page): Promise<string> =>
    page.locator('[role=option][aria-selected=true] .name').innerText();

  it('finds and does by keyboard: commands, programs, tasks, functions, items', async () => {
    const { page, context, complaints } = await lab.open();
    const find = async (letters: string): Promise<string> => {
      await page.keyboard.press('Control+k');
      await page.getByRole('combobox', { name: /Find/ }).waitFor();
      await page.keyboard.type(letters);
      const name = await chosen(page);
      const active = await page
        .getByRole('combobox', { name: /Find/ })
        .getAttribute('aria-activedescendant');
      expect(await page.locator(`#${active} .name`).innerText()).toBe(name);
      return name;
    };
    expect(await find('to the end')).toBe('to the end');
    await page.keyboard.press('Enter');
    expect(await page.locator('dialog').count()).toBe(0);
    expect(await at(page)).not.toBe('0');
    expect(await find('dffw')).toBe('device-fault-fork-write');
    await page.keyboard.press('Enter');
    await page.waitForFunction(() => location.hash.includes('fork-write'));
    const source = readFileSync(`${root}/scenarios/device-fault-fork-write.json`, 'utf8');
    const recording = record(parseAnyProgram(JSON.parse(source)), { walk: 'unified' });
    expect(await find(`${recording.tasks[1]}: next`)).toBe(`${recording.tasks[1]}: its next step`);
    await page.keyboard.press('Enter');
    let first = 0;
    while (recording.taskAt(first) !== 1) first++;
    expect(await at(page)).toBe(String(first + 1));
    expect(await find('hmmrf()')).toBe('hmmRangeFault()');
    await page.keyboard.press('Enter');
    expect(recording.step(Number(await at(page)) - 1).stack).toContain('hmmRangeFault');
    const { key, name } = recording.moment(Number(await at(page))).state.entries[0];
    expect(await find(name.replace('the ', ''))).toBe(name.replace('the ', ''));
    await page.keyboard.press('Enter');
    expect(
      await page.locator('main [data-key][aria-pressed=true]').first().getAttribute('data-key'),
    ).toBe(key);
    // up and down, and away
    await find('to the');
    const one = await chosen(page);
    await page.keyboard.press('ArrowDown');
    expect(await chosen(page)).not.toBe(one);
    await page.keyboard.press('ArrowUp');
    expect(await chosen(page)).toBe(one);
    await page.keyboard.type('qqqq');
    expect(await page.getByRole('status').last().innerText()).toContain('Nothing');
    await page.keyboard.press('Escape');
    expect(await page.locator('dialog').count()).toBe(0);
    expect(complaints).toEqual([]);
    await context.close();
  });
});

describe('a grid', () => {
  it('is one tab stop; the arrow keys go from square to square, and after a click they step', async () => {
    const { page, context, complaints } = await lab.open();
    await goTo(page, MIDDLE);
    const stops = await page.evaluate(() =>
      [...document.querySelectorAll('.cells, .chips')].map(
        (grid) => [...grid.querySelectorAll('button')].filter((b) => b.tabIndex === 0).length,
      ),
    );
    expect(stops.length).toBeGreaterThan(3);
    expect(stops.every((n) => n <= 1)).toBe(true);
    const focused = (): Promise<string> =>
      page.evaluate(() => (document.activeElement as HTMLElement).dataset.key ?? '');
    const cells = await page
      .locator('.area .cells')
      .first()
      .locator('button')
      .evaluateAll((all) => all.map((cell) => (cell as HTMLElement).dataset.key));
    await page.locator('.area .chip').first().focus();
    await page.keyboard.press('Tab');
    expect(await focused()).toBe(cells[0]);
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowRight');
    expect(await focused()).toBe(cells[2]);
    expect(await at(page)).toBe(String(MIDDLE));
    await page.keyboard.press('ArrowDown');
    const below = cells.indexOf(await focused());
    expect(below).toBeGreaterThan(3);
    await page.keyboard.press('ArrowUp');
    expect(await focused()).toBe(cells[2]);
    await page.keyboard.press('Enter');
    expect(await page.locator('.area .cells [aria-pressed=true]').getAttribute('data-key')).toBe(
      cells[2],
    );
    // back to the same square
    await page.keyboard.press('Shift+Tab');
    await page.keyboard.press('Tab');
    expect(await focused()).toBe(cells[2]);
    await page.locator(`.area [data-key="${cells[1]}"]`).click();
    await page.keyboard.press('ArrowRight');
    expect(await at(page)).toBe(String(MIDDLE + 1));
    expect(complaints).toEqual([]);
    await context.close();
  });
});

describe('what is explained', () => {
  it('spells out every bit of an entry and of a page, for the pointer and the keyboard', async () => {
    const { page, context, complaints } = await lab.open();
    await goTo(page, MIDDLE);
    const source = readFileSync(`${root}/examples/migrate-on-fault.json`, 'utf8');
    const { state } = record(parseAnyProgram(JSON.parse(source)), { walk: 'unified' }).moment(
      MIDDLE,
    );
    const tip = page.getByRole('tooltip');
    const entry = state.entries.find(
      ({ kind, bits }) => kind === 'migration' && bits.includes('dirty'),
    );
    await page.locator(`.area [data-key="${entry?.key}"]`).hover();
    await tip.waitFor();
    const said = await tip.innerText();
    for (const word of ['SWP_MIGRATION_', 'dirty — softleaf_is_migration_dirty()', `PFN`]) {
      expect(said).toContain(word);
    }
    await page.mouse.move(5, 5);
    await tip.waitFor({ state: 'detached' });
    // by keyboard, and Escape takes it away without another thing
    const present = state.entries.find(
      ({ bits }) => bits.includes('writable') && bits.includes('young'),
    );
    await page.locator('.area .chip').first().focus();
    await page.keyboard.press('Tab');
    await page.evaluate(
      (key) => document.querySelector<HTMLElement>(`.area [data-key="${key}"]`)?.focus(),
      present?.key,
    );
    await tip.waitFor();
    if (present?.kind === 'present')
      expect(await tip.innerText()).toContain('writable — pte_write(), _PAGE_RW');
    expect(await page.locator(`[aria-describedby=tip]`).getAttribute('data-key')).toBe(
      present?.key,
    );
    await page.keyboard.press('Escape');
    await tip.waitFor({ state: 'detached' });
    const frame = state.frames.find(({ flags, refcount }) => flags.length > 2 && refcount > 0);
    await page.locator(`.grid [data-key="${frame?.key}"]`).hover();
    await tip.waitFor();
    const of = await tip.innerText();
    expect(of).toContain('PG_');
    expect(of).toContain('folio_ref_count()');
    for (const [who, n] of Object.entries(frame?.holders ?? {})) {
      expect(of).toContain(`held ${n} × by ${who}`);
    }
    expect(complaints).toEqual([]);
    await context.close();
  });

  it('introduces itself to who comes for the first time, and not again', async () => {
    const { page, context, complaints } = await lab.open('', { newcomer: true });
    const tour = page.getByRole('dialog', { name: 'Introduction' });
    await tour.waitFor();
    const source = readFileSync(`${root}/examples/migrate-on-fault.json`, 'utf8');
    const recording = record(parseAnyProgram(JSON.parse(source)), { walk: 'unified' });
    const next = tour.getByRole('button', { name: 'Next', exact: true });
    const stood: number[] = [];
    for (let stop = 1; stop <= 5; stop++) {
      await page.waitForFunction(
        (n) => document.querySelector('.tour em')?.textContent?.startsWith(`${n} of 5`),
        stop,
      );
      await page.waitForTimeout(100);
      stood.push(Number(await at(page)));
      if (stop < 5) await next.click();
    }
    expect(stood).toEqual([...stood].sort((a, b) => a - b));
    const [before, marked, faulted, copied, end] = stood;
    const kinds = (step: number, kind: string): number =>
      recording.moment(step).state.entries.filter((entry) => entry.kind === kind).length;
    expect(kinds(before, 'migration')).toBe(0);
    expect(kinds(marked, 'migration')).toBe(1);
    expect(recording.step(faulted - 1).stack).toContain('handleMmFault');
    expect(recording.step(copied - 1).stack).toContain('migrateAllocAndCopy');
    expect(kinds(end, 'migration')).toBe(0);
    expect(kinds(end, 'device-private')).toBeGreaterThan(25);
    // for good, and again when asked for
    await tour.getByRole('button', { name: 'Done' }).click();
    await page.goto(lab.address);
    await page.reload();
    await page.waitForSelector('main[data-ready=yes]');
    await page.waitForTimeout(300);
    expect(await tour.count()).toBe(0);
    await page.keyboard.press('i');
    await tour.waitFor();
    await page.keyboard.press('Escape');
    expect(await tour.count()).toBe(0);
    expect(complaints).toEqual([]);
    await context.close();
  });
});

describe('the page', () => {
  /** Where everything is that must not move. */
  const places = (page: Page): Promise<string[]> =>
    page.evaluate(() =>
      [
        ...document.querySelectorAll(
          'header > *, .transport > *, .timeline, canvas, .panel, .panel h2',
        ),
      ].map((element) => {
        const { x, y, width, height } = element.getBoundingClientRect();
        return `${element.tagName}: ${[x, y, width, height].map(Math.round)}`;
      }),
    );

  it.each([
    [1280, 720],
    [1366, 768],
    [900, 700],
  ])('fits %i × %i, and nothing moves while one steps', async (width, height) => {
    const { page, context, complaints } = await lab.open('', { viewport: { width, height } });
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    expect(wide).toBeLessThanOrEqual(width);
    const tall = await page.evaluate(() => document.documentElement.scrollHeight);
    expect(tall).toBeLessThanOrEqual(height);
    const before = await places(page);
    expect(before.length).toBeGreaterThan(20);
    const keys = [
      'ArrowRight',
      'ArrowRight',
      'o',
      'o',
      'o',
      'e',
      'e',
      'Shift+ArrowRight',
      'End',
      'O',
      'O',
      'O',
      'O',
      'E',
    ];
    for (const key of keys) {
      await page.keyboard.press(key);
      expect(await places(page), `after ${key}`).toEqual(before);
    }
    await page.locator('.area [data-key^=entry]').first().click();
    for (const key of ['c', 'C', 'ArrowLeft']) {
      await page.keyboard.press(key);
      expect(await places(page), `after ${key}`).toEqual(before);
    }
    expect(complaints).toEqual([]);
    await context.close();
  });

  /** What axe finds against WCAG, A and AA. */
  async function faults(page: Page): Promise<string[]> {
    await page.evaluate(axe);
    return page.evaluate(async () => {
      type Violation = { id: string; nodes: { html: string; failureSummary: string }[] };
      type Run = (of: Document, how: object) => Promise<{ violations: Violation[] }>;
      const { run } = (globalThis as unknown as { axe: { run: Run } }).axe;
      const values = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];
      const { violations } = await run(document, { runOnly: { type: 'tag', values } });
      return violations.flatMap(({ id, nodes }) =>
        nodes.map(({ html, failureSummary }) => `${id}: ${html.slice(0, 120)} ${failureSummary}`),
      );
    });
  }

  it.each(['light', 'dark'] as const)(
    'is for everybody, %s: main view, editor, palette, keys, introduction',
    async (colorScheme) => {
      const { page, context } = await lab.open('', { colorScheme });
      await goTo(page, MIDDLE);
      await page.locator('.area [data-key^=entry]').first().click();
      expect(await faults(page), 'main view').toEqual([]);
      await page.locator('.grid [data-key^=frame]').nth(3).hover();
      await page.getByRole('tooltip').waitFor();
      expect(await faults(page), 'tooltip').toEqual([]);
      await page.mouse.move(5, 5);
      await page.keyboard.press('?');
      expect(await faults(page), 'keys').toEqual([]);
      await leave(page);
      await page.keyboard.press('Control+k');
      await page.getByRole('combobox', { name: /Find/ }).waitFor();
      await page.keyboard.type('fo');
      expect(await faults(page), 'palette').toEqual([]);
      await leave(page);
      await page.keyboard.press('p');
      await page.locator('.cm-content').waitFor();
      expect(await faults(page), 'editor').toEqual([]);
      await page.getByLabel('Program text').fill('{"name": "x", "ops": [{"op": 3}]}');
      await page.locator('.cm-lintRange-error').waitFor();
      expect(await faults(page), 'editor with a mistake').toEqual([]);
      await leave(page);
      await page.keyboard.press('i');
      await page.getByRole('dialog', { name: 'Introduction' }).waitFor();
      expect(await faults(page), 'introduction').toEqual([]);
      await context.close();
    },
  );
});
