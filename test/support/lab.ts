/** The lab as it is built, served from a path that is not the root, in the system's Chromium. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import {
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  chromium,
  type Page,
} from 'playwright-core';
import { labFiles } from '../../src/cli/lab-files.ts';
import { executable } from './browser.ts';

/** What `npm run build:lab` makes: `build-lab.ts` does so before the first test. */
export const BUILT = fileURLToPath(new URL('../../dist/lab', import.meta.url));
const PATH = '/some/path/';

export interface Lab {
  readonly browser: Browser;
  /** Where it is, without a `#`. */
  readonly address: string;
  /** A page of a new context, and what it complains of; a newcomer has not closed the introduction. */
  open(
    hash?: string,
    options?: BrowserContextOptions & { newcomer?: boolean },
  ): Promise<{ page: Page; context: BrowserContext; complaints: string[] }>;
  close(): Promise<void>;
}

/** Serves the lab as `softleaf lab` does, below a path. */
/** @param trace that it hands out */
export async function openLab(trace?: string): Promise<Lab> {
  const files = labFiles(BUILT, trace);
  const server = createServer((request, response) => {
    if (!request.url?.startsWith(PATH)) return response.writeHead(404).end();
    request.url = request.url.slice(PATH.length - 1);
    return files(request, response);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  const address = `http://127.0.0.1:${port}${PATH}`;
  const browser = await chromium.launch({
    executablePath: executable(),
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
  });
  return {
    browser,
    address,
    async open(hash = '', { newcomer = false, ...options } = {}) {
      const context = await browser.newContext({
        viewport: { width: 1280, height: 800 },
        ...options,
      });
      if (!newcomer) {
        const content = `localStorage.setItem('softleaf-lab-introduced', 'yes')`;
        await context.addInitScript({ content });
      }
      context.setDefaultTimeout(0);
      const page = await context.newPage();
      const complaints: string[] = [];
      page.on('pageerror', (error) => complaints.push(String(error)));
      page.on('console', (message) => {
        if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
      });
      page.on('response', (response) => {
        if (!response.ok()) complaints.push(`${response.status()}: ${response.url()}`);
      });
      await page.goto(address + hash);
      await page.waitForSelector('main[data-ready=yes], main.trouble');
      return { page, context, complaints };
    },
    async close() {
      await browser.close();
      await new Promise((done) => server.close(done));
    },
  };
}

/** The text in the editor, as one would copy it. */
export async function programText(page: Page): Promise<string> {
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
  await page.getByLabel('Program text').click();
  await page.keyboard.press('Control+a');
  await page.keyboard.press('Control+c');
  return page.evaluate('navigator.clipboard.readText()');
}
