/** What the page needs before it shows anything: counted in bytes and requests, never in seconds. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Request } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BUILT, type Lab, openLab } from '../support/lab.ts';

/** Bytes of compressed script that the first paint may need. */
const SCRIPT_LIMIT = 200_000;
/** The page, its style and its script, the first program, and parts that are shown at once. */
const MOST_REQUESTS = 12;

let lab: Lab;
beforeAll(async () => {
  lab = await openLab();
});
afterAll(() => lab?.close());

/** A page of a new context with what it asks for, in order; nothing was loaded before. */
async function visit(hash = '') {
  const context = await lab.browser.newContext({ viewport: { width: 1280, height: 720 } });
  context.setDefaultTimeout(0);
  const page = await context.newPage();
  const requests: Request[] = [];
  // what the page may not load is not even asked for, but complained of
  const complaints: string[] = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
  });
  page.on('request', (request) => requests.push(request));
  await page.goto(lab.address + hash);
  await page.waitForSelector('main[data-ready=yes]');
  return { page, context, requests, complaints };
}

/** The scripts that a script needs before it runs, itself among them. */
function neededBy(script: string, found = new Set<string>()): Set<string> {
  if (found.has(script)) return found;
  found.add(script);
  const text = readFileSync(join(BUILT, script), 'utf8');
  const STATIC =
    /(?:^|[;}\s])(?:import|export)\s*(?:[\w$*{},\s]*?\bfrom\s*)?["'`]\.\/([^"'`]+\.js)["'`]/g;
  for (const [, name] of text.matchAll(STATIC)) neededBy(`assets/${name}`, found);
  return found;
}

describe('the first paint', () => {
  it('needs at most 200 kB of compressed script', () => {
    const html = readFileSync(join(BUILT, 'index.html'), 'utf8');
    const named = [...html.matchAll(/(?:src|href)="\.\/(assets\/[^"]+\.js)"/g)];
    expect(named.length).toBeGreaterThan(0);
    const scripts = new Set(named.flatMap(([, script]) => [...neededBy(script)]));
    const sizes = [...scripts].map((script) => gzipSync(readFileSync(join(BUILT, script))).length);
    const sum = sizes.reduce((total, size) => total + size, 0);
    // the model is in it: what is not counted would make this small
    expect(sum).toBeGreaterThan(80_000);
    expect(sum).toBeLessThanOrEqual(SCRIPT_LIMIT);
  });

  it('comes after few requests, whose bytes are as many as that', async () => {
    const { context, requests } = await visit();
    const needed = [...requests];
    expect(needed.map((request) => request.url()).filter((url) => url.startsWith('data:'))).toEqual(
      [],
    );
    expect(needed.length).toBeGreaterThanOrEqual(4);
    expect(needed.length).toBeLessThanOrEqual(MOST_REQUESTS);
    let script = 0;
    for (const request of needed) {
      const response = await request.response();
      const { responseBodySize } = await request.sizes();
      if (request.resourceType() === 'script') script += responseBodySize;
      const compressed = (await response?.allHeaders())?.['content-encoding'];
      // a file of less than a few hundred bytes is not smaller when compressed
      if (responseBodySize > 1000) expect(compressed, request.url()).toMatch(/^(br|gzip)$/);
    }
    expect(script).toBeGreaterThan(80_000);
    expect(script).toBeLessThanOrEqual(SCRIPT_LIMIT);
    await context.close();
  });

  it('waits for nothing else: heavy parts come when they are opened', async () => {
    const { page, context, requests } = await visit();
    const before = requests.length;
    const text = await page.locator('#app').innerText();
    expect(text).toContain('What changed');
    await page.keyboard.press('p');
    await page.getByRole('dialog', { name: 'The program' }).waitFor();
    expect(requests.length).toBeGreaterThan(before);
    await context.close();
  });
});

describe('the built files', () => {
  it('are asked for from the same place only, whatever one does', async () => {
    const { page, context, requests, complaints } = await visit();
    // a worker's too
    context.on('request', (request) => requests.push(request));
    for (const key of ['ArrowRight', 'End', 'e', 'o', '?', 'Escape', 'p', 'Escape']) {
      await page.keyboard.press(key);
    }
    await page.getByLabel('Program', { exact: true }).selectOption('device-fault-fork-write');
    await page.waitForFunction(() => location.hash.includes('fork-write'));
    const elsewhere = requests
      .map((request) => request.url())
      .filter((url) => !url.startsWith(lab.address) && !/^(data|blob):/.test(url));
    expect(requests.length).toBeGreaterThan(4);
    expect(elsewhere).toEqual([]);
    expect(complaints).toEqual([]);
    await context.close();
  });

  it('name each other by relative paths, so that they work from anywhere', () => {
    const html = readFileSync(join(BUILT, 'index.html'), 'utf8');
    const paths = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path]) => path);
    expect(paths.length).toBeGreaterThan(2);
    for (const path of paths) expect(path).toMatch(/^(\.\/|data:)/);
  });

  it('have a digest in their names, and a compressed form beside them', () => {
    const assets = join(BUILT, 'assets');
    const names = readdirSync(assets).filter((name) => !/\.(br|gz)$/.test(name));
    expect(names.length).toBeGreaterThan(10);
    for (const name of names) expect(name).toMatch(/-[\w-]{8}\.\w+$/);
    for (const name of names.filter((one) => statSync(join(assets, one)).size > 2000))
      for (const ending of ['.br', '.gz']) {
        const { size } = statSync(join(assets, name));
        expect(statSync(join(assets, name + ending)).size).toBeLessThan(size);
      }
  });
});
