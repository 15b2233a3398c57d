/** The lab without a network, and when a new build has come. */
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BUILT, type Lab, openLab } from '../support/lab.ts';

let lab: Lab;
beforeAll(async () => {
  lab = await openLab();
});
afterAll(() => lab?.close());

/** Waits until everything is kept. */
async function kept(page: Page): Promise<void> {
  await page.evaluate(async () => {
    const { active } = await navigator.serviceWorker.ready;
    while (active?.state !== 'activated') await new Promise((done) => setTimeout(done, 20));
  });
}

describe('the lab without a network', () => {
  it('is kept as a whole, below its own path', async () => {
    const { page, context, complaints } = await lab.open();
    await kept(page);
    expect(await page.evaluate(async () => (await navigator.serviceWorker.ready).scope)).toBe(
      lab.address,
    );
    expect(complaints).toEqual([]);
    await context.setOffline(true);
    await page.reload();
    await page.waitForSelector('main[data-ready=yes]');
    // a program and an editor that were not loaded before
    await page.getByLabel('Program', { exact: true }).selectOption('device-fault-fork-write');
    await page.waitForFunction(() =>
      document.querySelector('.tasks')?.textContent?.includes('gpu'),
    );
    await page.locator('h1').click();
    await page.keyboard.press('p');
    await page.locator('.cm-content').waitFor();
    await page.keyboard.press('Escape');
    // and its address, too
    await page.goto('about:blank');
    await page.goto(`${lab.address}index.html`);
    await page.waitForSelector('main[data-ready=yes]');
    await context.close();
  });
});

describe('a new build', () => {
  it('is seen at once, and takes the old one’s place when its last page is closed', async () => {
    const instead = new Map<string, (text: string) => string>();
    const types: Record<string, string> = {
      '.html': 'text/html',
      '.js': 'text/javascript',
      '.css': 'text/css',
    };
    const server = createServer((request, response) => {
      const name = (request.url ?? '/').slice(1) || 'index.html';
      const file = join(BUILT, name);
      if (!existsSync(file)) return response.writeHead(404).end();
      const text = readFileSync(file, 'utf8');
      const headers = { 'content-type': types[extname(file)] ?? 'text/plain' };
      return response.writeHead(200, headers).end(instead.get(name)?.(text) ?? text);
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    const context = await lab.browser.newContext();
    context.setDefaultTimeout(0);
    const builds = (page: Page): Promise<string[]> =>
      page.evaluate(async () => (await caches.keys()).map((name) => name.replace(/.* /, '')));
    try {
      const first = await context.newPage();
      await first.goto(address);
      await kept(first);
      const [old] = await builds(first);
      expect(old).toMatch(/^[0-9a-f]{16}$/);
      instead.set('index.html', (text) => text.replace('<title>', '<title>New: '));
      instead.set('sw.js', (text) => text.replace(old, '0123456789abcdef'));
      await first.reload();
      expect(await first.title()).toContain('New: ');
      // both are there as long as a page of the old one is
      const waiting = (): Promise<boolean> =>
        first.evaluate(async () =>
          Boolean((await navigator.serviceWorker.getRegistration())?.waiting),
        );
      await expect.poll(waiting).toBe(true);
      expect(await builds(first)).toHaveLength(2);
      await first.close();
      const second = await context.newPage();
      await second.goto(address);
      const now = (): Promise<string[]> => builds(second);
      await expect.poll(now).toEqual(['0123456789abcdef']);
      await context.setOffline(true);
      await second.reload();
      expect(await second.title()).toContain('New: ');
      await second.waitForSelector('main[data-ready=yes]');
    } finally {
      await context.close();
      await new Promise((done) => server.close(done));
    }
  });
});
