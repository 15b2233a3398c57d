/** The lab's editor, as somebody writes in it. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { OP_MEANINGS, OPS, parseAnyProgram } from '../../src/program/index.ts';
import { type Lab, openLab, programText } from '../support/lab.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (path: string): string => readFileSync(`${root}/${path}.json`, 'utf8');

let lab: Lab;
beforeAll(async () => {
  lab = await openLab();
});
afterAll(() => lab?.close());

async function openEditor(): ReturnType<Lab['open']> {
  const opened = await lab.open();
  await opened.page.keyboard.press('p');
  await opened.page.locator('.cm-content').waitFor();
  return opened;
}

/** What is offered where one stands. */
async function offered(page: Page): Promise<string[]> {
  await page.locator('.cm-tooltip-autocomplete').waitFor();
  // a list that has just come up takes no keys yet, lest one chooses what one has not seen
  await page.waitForTimeout(150);
  return page.locator('.cm-completionLabel').allInnerTexts();
}

/** Goes behind a piece of the text. */
async function goBehind(page: Page, piece: string): Promise<void> {
  const text = await programText(page);
  const at = text.lastIndexOf(piece) + piece.length;
  const near = at < text.length / 2;
  await page.keyboard.press(near ? 'Control+Home' : 'Control+End');
  const presses = near ? at : text.length - at;
  for (let i = 0; i < presses; i++) await page.keyboard.press(near ? 'ArrowRight' : 'ArrowLeft');
}

describe('the editor', () => {
  it('is no part of what is loaded first', async () => {
    const { page, context } = await lab.open();
    const loaded = (): Promise<string[]> =>
      page.evaluate(() => performance.getEntriesByType('resource').map(({ name }) => name));
    expect((await loaded()).filter((name) => name.includes('/editor'))).toEqual([]);
    await page.keyboard.press('p');
    await page.locator('.cm-content').waitFor();
    expect((await loaded()).filter((name) => name.includes('/editor'))).toHaveLength(1);
    await context.close();
  });

  it('offers operations, their fields and values with what they mean: a program by completion', async () => {
    const { page, context, complaints } = await openEditor();
    await page.getByLabel('Program text').fill('{"name": "mine", "ops": []}');
    await goBehind(page, '"ops": [');
    await page.keyboard.press('Control+Space');
    expect(await offered(page)).toEqual(Object.keys(OPS).sort());
    await page.keyboard.type('mmap');
    await page.keyboard.press('Enter');
    // a template: from field to field
    await page.keyboard.press('Tab');
    await page.keyboard.press('Tab');
    await page.keyboard.type('8');
    expect(await programText(page)).toBe(
      '{"name": "mine", "ops": [{"op": "mmap", "buf": 0, "page": 0, "pages": 8, "prot": "none", "kind": "anon"}]}',
    );
    await goBehind(page, '"prot": "');
    await page.keyboard.press('Control+Space');
    expect(await offered(page)).toEqual(['none', 'r', 'rw']);
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    await goBehind(page, '"anon"}');
    await page.keyboard.type(', {"');
    expect(await offered(page)).toEqual(['op', 'proc', 'comment']);
    await page.keyboard.press('Enter');
    await page.keyboard.type('fmd');
    expect(await offered(page)).toEqual(['fault_migrate_to_dev']);
    expect(await page.locator('.cm-completionInfo').innerText()).toBe(
      OP_MEANINGS.fault_migrate_to_dev,
    );
    await page.keyboard.press('Enter');
    for (const field of ['dev', 'buf', 'page', 'pages', 'write']) {
      await page.keyboard.press('Control+End');
      for (let i = 0; i < ']}]}'.length - 1; i++) await page.keyboard.press('ArrowLeft');
      await page.keyboard.type(', "');
      expect((await offered(page))[0]).toBe(field);
      if (field === 'page') {
        const info = await page.locator('.cm-completionInfo').innerText();
        expect(info).toMatch(/first page.*\(pages\).*an integer from 0 to 1048575/);
      }
      await page.keyboard.press('Enter');
    }
    const program = JSON.parse(await programText(page));
    expect(parseAnyProgram(program)).toEqual(
      parseAnyProgram({
        name: 'mine',
        ops: [
          { op: 'mmap', buf: 0, page: 0, pages: 8, prot: 'rw', kind: 'anon' },
          { op: 'fault_migrate_to_dev', dev: 0, buf: 0, page: 0, pages: 1, write: 0 },
        ],
      }),
    );
    await page.keyboard.press('Control+Enter');
    await page.waitForFunction(() => location.hash.includes('z='));
    expect(await page.locator('dialog').count()).toBe(0);
    expect(complaints).toEqual([]);
    await context.close();
  });

  it('marks a mistake as one types, at its place, and says what is wrong', async () => {
    const { page, context, complaints } = await openEditor();
    const source = read('scenarios/device-fault-dontneed');
    await page.getByLabel('Program text').fill(source.replace('"tag": 1', '"tag": -1'));
    await page.locator('.cm-lintRange-error').waitFor();
    expect(await page.locator('.cm-lintRange-error').allInnerTexts()).toEqual(['"tag": -1']);
    expect(await page.locator('.mistake').innerText()).toMatch(/^Line 7: .*field "tag"/);
    // by keyboard to the mistake, mended there
    await page.keyboard.press('F8');
    await page.keyboard.type('"tag": 1');
    await page.locator('.mistake.fine').waitFor();
    expect(await page.locator('.cm-lintRange-error').count()).toBe(0);
    expect(await programText(page)).toBe(source);
    // what is missing is marked where it should be
    await page
      .getByLabel('Program text')
      .fill('{"name": "x", "ops": [\n{"op": "unpin", "id": 3}, \n{"op": "fork"}]}');
    await page.locator('.cm-lintRange-error').waitFor();
    expect(await page.locator('.cm-lintRange-error').innerText()).toBe('{"op": "fork"}');
    expect(complaints).toEqual([]);
    await context.close();
  });

  it('keeps the focus, closes first what is offered and then itself, and gives the focus back', async () => {
    const { page, context } = await lab.open();
    const edit = page.getByRole('button', { name: 'Edit' });
    await edit.focus();
    await page.keyboard.press('Enter');
    await page.locator('.cm-content').waitFor();
    const before = await page.getByLabel('Step', { exact: true }).inputValue();
    for (let i = 0; i < 12; i++) {
      await page.keyboard.press('Tab');
      const inside = await page.evaluate(
        () =>
          document.activeElement === document.body || !!document.activeElement?.closest('dialog'),
      );
      expect(inside).toBe(true);
    }
    await page.getByRole('button', { name: /^Run/ }).focus();
    // keys are not the page's meanwhile
    await page.keyboard.press('ArrowRight');
    expect(await page.getByLabel('Step', { exact: true }).inputValue()).toBe(before);
    await page.getByLabel('Program text').click();
    await page.keyboard.press('Control+Space');
    await page.keyboard.press('Control+Home');
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('Control+Space');
    await offered(page);
    await page.keyboard.press('Escape');
    expect(await page.locator('dialog').count()).toBe(1);
    await page.keyboard.press('Escape');
    expect(await page.locator('dialog').count()).toBe(0);
    expect(await edit.evaluate((button) => button === document.activeElement)).toBe(true);
    await context.close();
  });

  it('takes a file, opened or dropped', async () => {
    const { page, context, complaints } = await openEditor();
    const source = read('examples/holes');
    await page.locator('input[type=file]').setInputFiles({
      name: 'holes.json',
      mimeType: 'application/json',
      buffer: Buffer.from(source),
    });
    await page.waitForFunction(() =>
      document.querySelector('.cm-content')?.textContent?.includes('hole'),
    );
    expect(await programText(page)).toBe(source);
    const other = read('scenarios/two-devices');
    await page.evaluate((text) => {
      const dataTransfer = new DataTransfer();
      dataTransfer.items.add(new File([text], 'two.json', { type: 'application/json' }));
      const event = new DragEvent('drop', { dataTransfer, bubbles: true, cancelable: true });
      document.querySelector('.cm-content')?.dispatchEvent(event);
    }, other);
    await page.waitForFunction(() =>
      document.querySelector('.cm-content')?.textContent?.includes('tasks'),
    );
    expect(await programText(page)).toBe(other);
    expect(complaints).toEqual([]);
    await context.close();
  });

  it('has the machine’s geometry to choose, which it writes into the program', async () => {
    const { page, context, complaints } = await openEditor();
    const source = read('scenarios/device-fault-dontneed');
    await page.getByLabel('Program text').fill(source);
    const huge = page.getByLabel('Huge page');
    const bytes = page.getByLabel('Page size');
    await page.waitForFunction(() => !document.querySelector('.cm-lintRange-error'));
    await huge.selectOption({ label: '8 pages' });
    await bytes.selectOption('64');
    const { machine = {}, ...rest } = JSON.parse(source);
    expect(JSON.parse(await programText(page))).toEqual({
      ...rest,
      machine: { ...machine, pmdOrder: 3, pageBytes: 64 },
    });
    // what the text says is shown
    const text = (await programText(page)).replace('"pmdOrder": 3', '"pmdOrder": 4');
    await page.getByLabel('Program text').fill(text);
    await page.waitForFunction(() =>
      [...document.querySelectorAll('select')].some(({ value }) => value === '4'),
    );
    expect(await huge.inputValue()).toBe('4');
    await page.keyboard.press('Control+Enter');
    await page.waitForFunction(() => location.hash.includes('z='));
    // a PTE table of 16 entries maps a huge page's range
    expect(await page.locator('.tree').first().innerText()).toContain('PTE table');
    expect(complaints).toEqual([]);
    await context.close();
  });
});
