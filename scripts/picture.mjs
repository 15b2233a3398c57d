/**
 * Makes README.md's picture: the lab in the middle of the first example, where pages are on their way to the
 * device. Needs what `npm run build` and `npm run build:lab` make, and Chromium.
 *
 * Usage: node scripts/picture.mjs FILE.png
 */
import { readFileSync } from 'node:fs';
import { chromium } from 'playwright-core';
import { serveLab } from '../dist/cli/lab-server.js';
import { parseProgram } from '../dist/program/index.js';
import { encodeLink } from '../dist/recording/link.js';
import { record } from '../dist/recording/recorder.js';

const root = new URL('..', import.meta.url);
const NAME = 'migrate-on-fault';

/** The link to the first moment with the most migration entries, the last of which is selected. */
function linkToMoment() {
  const text = readFileSync(new URL(`examples/${NAME}.json`, root), 'utf8');
  const recording = record(parseProgram(JSON.parse(text)));
  let [most, step, selected] = [0, 0, ''];
  for (let at = 0; at <= recording.length; at++) {
    const { entries } = recording.moment(at).state;
    const onTheirWay = entries.filter(({ kind }) => kind === 'migration');
    if (onTheirWay.length <= most) continue;
    most = onTheirWay.length;
    step = at;
    selected = onTheirWay[most - 1].key;
  }
  return encodeLink({
    program: { name: NAME },
    walk: recording.walk,
    schedule: recording.schedule,
    step,
    selected,
  });
}

async function main(file) {
  const lab = await serveLab(new URL('dist/lab', root).pathname, 0, 'localhost');
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
  });
  try {
    const page = await browser.newPage({
      viewport: { width: 1280, height: 800 },
      colorScheme: 'light',
      reducedMotion: 'reduce',
    });
    await page.goto(lab.address + (await linkToMoment()));
    await page.waitForSelector('main[data-ready=yes]');
    await page.evaluate(() => document.fonts.ready);
    await page.screenshot({ path: file });
  } finally {
    await browser.close();
    await lab.close();
  }
}

const [file] = process.argv.slice(2);
if (file) await main(file);
