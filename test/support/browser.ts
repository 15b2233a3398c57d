/** A page in the system's Chromium, which loads the built modules from a server of its own. */
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Browser, chromium, type Page } from 'playwright-core';

const root = fileURLToPath(new URL('../..', import.meta.url));

const PLACES = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];

/** @throws Error where there is no browser: a test that cannot run has not passed */
export function executable(): string {
  const given = process.env.CHROMIUM;
  const found = given ?? PLACES.find((place) => existsSync(place));
  if (found === undefined) {
    throw new Error(`no Chromium: install it (apt-get install chromium) or name it in CHROMIUM`);
  }
  return found;
}

const TYPES: Record<string, string> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.json': 'application/json',
};

/** The package's exports, as a page finds them. */
function importMap(): string {
  const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    exports: Record<string, string | { default: string }>;
  };
  const imports = Object.entries(exports).flatMap(([name, target]) =>
    typeof target === 'string'
      ? []
      : [[name.replace('.', 'softleaf'), target.default.replace('.', '')]],
  );
  return JSON.stringify({ imports: Object.fromEntries(imports) });
}

/** What the page has to do, of the repository; it finds it as `jobs`. */
const JOBS = '/test/browser/jobs.mjs';

/** Serves the repository's files, and at `/` a page that has the jobs. */
const server = createServer((request, response) => {
  const path = normalize(decodeURIComponent((request.url ?? '/').split('?')[0]));
  const page = `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><title>Softleaf</title>
<script type="importmap">${importMap()}</script>
<script type="module">import * as jobs from '${JOBS}'; globalThis.jobs = jobs;</script>`;
  const file = join(root, path);
  if (path === '/') response.writeHead(200, { 'content-type': 'text/html' }).end(page);
  else if (!path.includes('..') && TYPES[extname(path)] && existsSync(file)) {
    response.writeHead(200, { 'content-type': TYPES[extname(path)] }).end(readFileSync(file));
  } else response.writeHead(404).end();
});

export interface Chromium {
  page: Page;
  /** What the page complained of: errors, warnings, requests that failed. */
  complaints: string[];
  close(): Promise<void>;
}

export async function openChromium(): Promise<Chromium> {
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  let browser: Browser | undefined;
  try {
    browser = await chromium.launch({
      executablePath: executable(),
      args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
    });
    const page = await browser.newPage();
    page.setDefaultTimeout(0);
    const complaints: string[] = [];
    page.on('pageerror', (error) => complaints.push(String(error)));
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
    });
    page.on('requestfailed', (request) => complaints.push(`failed: ${request.url()}`));
    page.on('response', (response) => {
      if (!response.ok()) complaints.push(`${response.status()}: ${response.url()}`);
    });
    await page.goto(`http://127.0.0.1:${port}/`);
    await page.waitForFunction('globalThis.jobs');
    const close = async (): Promise<void> => {
      await browser?.close();
      await new Promise((done) => server.close(done));
    };
    return { page, complaints, close };
  } catch (error) {
    await browser?.close();
    server.close();
    throw error;
  }
}
