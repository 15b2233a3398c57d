/** The page that `softleaf check --report` writes: on its own, and readable in light and dark. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { type Browser, chromium } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { executable } from '../support/browser.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

let dir: string;
let page: string;
let browser: Browser;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'softleaf-report-'));
  page = join(dir, 'report.html');
  // tasks that take turns, and one that is left where it waits; a shrunk program; a link
  const files = [
    'scenarios/device-fault-hole-dontneed.json',
    'examples/scenarios/check-without-lock.mjs',
  ];
  const args = [...files, '--walk', 'as-posted', '--link'];
  const main = join(root, 'dist/cli/main.js');
  const { status, stderr } = spawnSync(
    process.execPath,
    [main, 'check', ...args, '--report', page],
    { cwd: root, encoding: 'utf8' },
  );
  expect({ status, stderr }).toEqual({ status: 1, stderr: '' });
  const html = readFileSync(page, 'utf8');
  for (const part of ['is left in', ': next it ', '<a href=', '<pre><code>{'])
    expect(html).toContain(part);
  browser = await chromium.launch({
    executablePath: executable(),
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
  });
});
afterAll(async () => {
  await browser?.close();
  rmSync(dir, { recursive: true, force: true });
});

/** What axe finds wrong: the rule, and where. */
interface Wrong {
  id: string;
  nodes: { html: string; failureSummary: string }[];
}

describe.each(['light', 'dark'] as const)('the page of a report, %s', (colorScheme) => {
  it('needs nothing else, and breaks no rule of WCAG 2.2 AA', async () => {
    const context = await browser.newContext({
      colorScheme,
      viewport: { width: 1280, height: 720 },
    });
    context.setDefaultTimeout(0);
    const tab = await context.newPage();
    const requests: string[] = [];
    const complaints: string[] = [];
    tab.on('request', (request) => requests.push(request.url()));
    tab.on('console', (message) => complaints.push(message.text()));
    const address = pathToFileURL(page).href;
    await tab.goto(address);
    expect(requests).toEqual([address]);
    expect(complaints).toEqual([]);
    const back = (await tab.evaluate('getComputedStyle(document.body).backgroundColor')) as string;
    const [red] = back.match(/\d+/g) ?? [];
    expect(Number(red) > 128).toBe(colorScheme === 'light');
    await tab.addScriptTag({ content: axe });
    const wrong = (await tab.evaluate(
      `axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa', 'best-practice'] }).then((r) => r.violations)`,
    )) as Wrong[];
    expect(
      wrong.map(({ id, nodes }) => `${id}: ${nodes[0].html} ${nodes[0].failureSummary}`),
    ).toEqual([]);
    await context.close();
  });
});

describe('the page of a report', () => {
  it('can be read on a small screen without scrolling the page sideways', async () => {
    const context = await browser.newContext({ viewport: { width: 600, height: 800 } });
    const tab = await context.newPage();
    await tab.goto(pathToFileURL(page).href);
    const [whole, shown] = (await tab.evaluate(
      '[document.documentElement.scrollWidth, document.documentElement.clientWidth]',
    )) as [number, number];
    expect(whole).toBeLessThanOrEqual(shown);
    await context.close();
  });
});
