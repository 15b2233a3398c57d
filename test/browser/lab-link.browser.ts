/** Links that were cut or changed on their way, and recordings that take their time. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sealedSchedule } from '../../src/checker/index.ts';
import { parseAnyProgram } from '../../src/program/index.ts';
import { record } from '../../src/recording/index.ts';
import { decodeLink, encodeLink, LinkError } from '../../src/recording/link.ts';
import { type Lab, openLab } from '../support/lab.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const text = readFileSync(`${root}/scenarios/device-fault-dontneed.json`, 'utf8');

/** A link of everything that a link can say. */
async function wholeLink(): Promise<string> {
  const walk = 'as-posted';
  const program = parseAnyProgram(JSON.parse(text));
  const { schedule } = record(program, { walk });
  const [, digest, choices] = schedule.split('.');
  const more = sealedSchedule(digest, `${choices}a12b7a3b`);
  const { schedule: said } = record(program, { walk, schedule: more });
  return encodeLink({
    program: { name: 'device-fault-dontneed' },
    walk,
    hardware: false,
    schedule: said,
    step: 31,
    selected: 'frame 2',
    compared: null,
  });
}

const OTHERS = [...'abz059AZ.&=%#!-+ /é'];

/** A link with one character cut, doubled or changed, and without what follows a character. */
function mangled(link: string): string[] {
  const all = new Set<string>();
  for (let i = 1; i < link.length; i++) {
    const [before, after] = [link.slice(0, i), link.slice(i + 1)];
    if (i > 1) all.add(before);
    all.add(before + after).add(before + link[i] + link[i] + after);
    for (const other of OTHERS) all.add(before + other + after);
    if (after !== '') all.add(before + after[0] + link[i] + after.slice(1));
  }
  for (const more of OTHERS) all.add(link + more);
  all.delete(link);
  return [...all];
}

describe('a mangled link', () => {
  it('is refused with a reason, or says the very same', async () => {
    const link = await wholeLink();
    const whole = await decodeLink(link);
    const reasons = new Set<string>();
    let same = 0;
    for (const one of mangled(link)) {
      try {
        expect(await decodeLink(one), one).toEqual(whole);
        same++;
      } catch (error) {
        if (!(error instanceof LinkError)) throw error;
        expect(error.message).toMatch(/^This link .*\.$|^This is not a link/);
        reasons.add(error.message);
      }
    }
    expect(same).toBeLessThan(20);
    expect(reasons.size).toBeGreaterThan(2);
  });

  it('with a program in it is refused as well', async () => {
    const { schedule } = record(parseAnyProgram(JSON.parse(text)));
    const link = await encodeLink({
      program: { text },
      walk: 'unified',
      hardware: true,
      schedule,
      step: 0,
      selected: '',
      compared: null,
    });
    const whole = await decodeLink(link);
    expect(whole?.program).toEqual({ text });
    for (const [i, one] of mangled(link).entries()) {
      if (i % 17 !== 0) continue;
      const got = await decodeLink(one).catch((error) => error);
      if (!(got instanceof LinkError)) expect(got, one).toEqual(whole);
    }
  });
});

describe('the lab', () => {
  let lab: Lab;
  beforeAll(async () => {
    lab = await openLab();
  });
  afterAll(() => lab?.close());

  it('shows why it does not follow a mangled link, and follows the next one', async () => {
    const link = await wholeLink();
    const { page, context, complaints } = await lab.open(link);
    const step = () => page.getByLabel('Step', { exact: true }).inputValue();
    expect(await step()).toBe('31');
    const some = mangled(link).filter((_, i) => i % 97 === 0);
    expect(some.length).toBeGreaterThan(15);
    let refused = 0;
    for (const one of some) {
      await page.evaluate((hash) => void (location.hash = hash), one);
      await page.waitForSelector('main.trouble, main[data-ready=yes]');
      const trouble = page.locator('main.trouble p');
      if ((await trouble.count()) > 0) {
        expect(await trouble.innerText()).toMatch(/^This link|^This is not a link/);
        refused++;
      } else expect(await step()).toBe('31');
      await page.evaluate((hash) => void (location.hash = hash), link);
      await page.waitForSelector('main[data-ready=yes]');
    }
    expect(refused).toBeGreaterThan(10);
    expect(complaints).toEqual([]);
    await context.close();
  });

  it('stays in use while a long program is recorded', async () => {
    const { page, context, complaints } = await lab.open();
    const long = (pages: number) =>
      JSON.stringify({
        name: 'long',
        ops: [
          { op: 'mmap', buf: 0, page: 0, pages, prot: 'rw', kind: 'anon' },
          { op: 'cpu_write', buf: 0, page: 0, pages, tag: 1 },
          { op: 'cpu_read', buf: 0, page: 0, pages },
        ],
      });
    const length = () => page.locator('.transport .of').first().innerText();
    const before = await length();
    await page.keyboard.press('p');
    await page.getByLabel('Program text').fill(long(4000));
    await page.evaluate(() => {
      const seen = { told: new Set<string>(), kept: new Set<string>() };
      const look = () => {
        const making = document.querySelector('.notice.making');
        if (making) {
          seen.told.add(making.textContent ?? '');
          seen.kept.add(document.querySelector('.transport .of')?.textContent ?? '');
        }
        requestAnimationFrame(look);
      };
      requestAnimationFrame(look);
      Object.assign(window, { seen });
    });
    await page.getByRole('button', { name: 'Run' }).click();
    await page.waitForSelector('.notice.making');
    await page.waitForFunction(() => location.hash.includes('z='));
    expect(await page.locator('.notice.making').count()).toBe(0);
    expect(await length()).not.toBe(before);
    const { told, kept } = await page.evaluate(() => {
      const { seen } = window as unknown as {
        seen: { told: Set<string>; kept: Set<string> };
      };
      return { ...seen, told: [...seen.told], kept: [...seen.kept] };
    });
    // a frame now and then, where it was none until the end; what was shown stays so long
    expect(told.length).toBeGreaterThan(5);
    expect(told.every((one) => /^ ?The program runs: [\d,]+ steps so far$/.test(one))).toBe(true);
    const steps = told.map((one) => Number(one.replace(/\D/g, '')));
    const turns = steps.map((step, i) => step - (steps[i - 1] ?? 0));
    expect(Math.max(...turns)).toBeLessThan(steps[steps.length - 1] / 3);
    expect(kept).toEqual([before]);
    expect(complaints).toEqual([]);
    await context.close();
  });

  it('shows what was asked for last', async () => {
    const { page, context, complaints } = await lab.open();
    await page.getByLabel('Program', { exact: true }).selectOption('huge-pages');
    await page.getByLabel('Program', { exact: true }).selectOption('holes');
    await page.waitForFunction(() => location.hash.includes('p=holes&'));
    await page.waitForTimeout(1500);
    expect(await page.getByLabel('Program', { exact: true }).inputValue()).toBe('holes');
    expect(new URL(page.url()).hash).toContain('p=holes&');
    expect(complaints).toEqual([]);
    await context.close();
  });
});
