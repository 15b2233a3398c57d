/** A trace of a driver of one's own in the lab: as `softleaf lab` hands it out, and as a file that is dropped. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readTrace } from '../../src/recording/internal.ts';
import { root, softleaf } from '../support/cli.ts';
import { type Lab, openLab } from '../support/lab.ts';

const dir = mkdtempSync(join(tmpdir(), 'softleaf-trace-'));
const file = join(dir, 'found.json');
const driver = join(root, 'examples/scenarios/check-without-lock.mjs');
softleaf(['check', driver, '--strategy', 'exhaustive', '--workers', '1', '--trace', file], dir);
const trace = readFileSync(file, 'utf8');
const made = readTrace(trace);
const title = made.finding?.title ?? 'no finding';

let lab: Lab;
beforeAll(async () => {
  lab = await openLab(trace);
});
afterAll(async () => {
  await lab.close();
  rmSync(dir, { recursive: true });
});

type Page = Awaited<ReturnType<Lab['open']>>['page'];
const shown = (page: Page) => page.locator('.changes .did').innerText();
const stepOf = (page: Page) => page.getByLabel('Step', { exact: true }).inputValue();

/** Drops a file on the page. */
async function drop(page: Page, name: string, text: string): Promise<void> {
  const data = await page.evaluateHandle(
    ([called, content]) => {
      const transfer = new DataTransfer();
      transfer.items.add(new File([content], called, { type: 'application/json' }));
      return transfer;
    },
    [name, text],
  );
  await page.dispatchEvent('main', 'drop', { dataTransfer: data });
}

describe('a trace', () => {
  it('that is handed out is shown at its end, and can be gone through', async () => {
    const { page, context, complaints } = await lab.open('#trace');
    expect(await stepOf(page)).toBe(String(made.length));
    expect(await page.locator('p.finding').innerText()).toContain(title);
    expect(
      await page.getByLabel('Program', { exact: true }).locator('option:checked').innerText(),
    ).toBe(`trace: ${made.program.name}`);
    const last = await shown(page);
    expect(last).toContain('gpu changes the page table of device 0 in mapPage()');
    await page.keyboard.press('Home');
    expect(await stepOf(page)).toBe('0');
    await page.keyboard.press('End');
    await expect.poll(() => shown(page)).toBe(last);
    await page.keyboard.press('ArrowLeft');
    await expect.poll(() => stepOf(page)).toBe(String(made.length - 1));
    // of what is selected it says who wrote it
    await page.keyboard.press('End');
    await page.locator('.changes .texts button').first().click();
    await expect
      .poll(() => page.locator('.selection').innerText())
      .toContain('Last changed by gpu');
    // what would run it is not to be had
    for (const name of ['Edit', 'Check', 'Compare'])
      expect(await page.getByRole('button', { name, exact: true }).isDisabled()).toBe(true);
    expect(await page.getByLabel('Walk', { exact: true }).isDisabled()).toBe(true);
    // and it is the same after the page is loaded again
    expect(new URL(page.url()).hash).toBe('#trace');
    await page.reload();
    await page.waitForSelector('main[data-ready=yes]');
    await expect.poll(() => shown(page)).toBe(last);
    expect(complaints).toEqual([]);
    if (process.env.SOFTLEAF_PICTURE) await page.screenshot({ path: process.env.SOFTLEAF_PICTURE });
    await context.close();
  });

  it('may be dropped on the page; what is wrong with it is said', async () => {
    const { page, context, complaints } = await lab.open();
    await drop(page, 'found.json', trace);
    await expect.poll(() => stepOf(page)).toBe(String(made.length));
    expect(await shown(page)).toContain('in mapPage()');
    // it has no address, and that of what was there before is gone
    await expect.poll(() => new URL(page.url()).hash).toBe('');
    await drop(page, 'old.json', trace.replace('"format":1', '"format":9'));
    await page.waitForSelector('main.trouble');
    expect(await page.locator('main.trouble').innerText()).toContain(
      'a trace of format 9; this Softleaf reads 1',
    );
    expect(complaints).toEqual([]);
    await context.close();
  });

  it('that nobody hands out is no blank page', async () => {
    const alone = await openLab();
    const { page } = await alone.open('#trace');
    expect(await page.locator('main.trouble').innerText()).toContain('softleaf lab FILE');
    await alone.close();
  });
});
