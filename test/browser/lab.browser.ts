/** The lab, as somebody uses it. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseAnyProgram, type Walk } from '../../src/program/index.ts';
import { type Recording, record } from '../../src/recording/index.ts';
import { decodeLink, encodeLink, type Link } from '../../src/recording/link.ts';
import { type Lab, openLab, programText } from '../support/lab.ts';
import { expected, shown } from '../support/lab-shown.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (path: string): string => readFileSync(`${root}/${path}.json`, 'utf8');
const recorded = (path: string, walk: Walk): Recording =>
  record(parseAnyProgram(JSON.parse(read(path))), { walk });

let lab: Lab;
beforeAll(async () => {
  lab = await openLab();
});
afterAll(() => lab?.close());

const texts = (page: Page, selector: string): Promise<string[]> =>
  page.locator(selector).allInnerTexts();

async function goTo(page: Page, step: number): Promise<void> {
  await page.getByLabel('Step', { exact: true }).fill(String(step));
  await page.keyboard.press('Enter');
  await page.locator('h1').click();
}

describe('the lab', () => {
  it('opens the first program, and shows the state of each step', async () => {
    const { page, context, complaints } = await lab.open();
    const recording = recorded('examples/migrate-on-fault', 'unified');
    expect(await page.locator('.transport .of').first().innerText()).toBe(`of ${recording.length}`);
    for (const step of [1, 2, 3]) {
      await page.keyboard.press('ArrowRight');
      expect(await page.getByLabel('Step', { exact: true }).inputValue()).toBe(String(step));
      expect(await shown(page)).toEqual(expected(recording, step));
    }
    const { length } = recording;
    for (const step of [length >> 1, (length >> 1) - 1, length, 700]) {
      await goTo(page, step);
      expect(await shown(page), `step ${step}`).toEqual(expected(recording, step));
      const changes = recording.changes(step - 1).map(({ text }) => text);
      expect(await texts(page, '.texts li')).toEqual(changes.slice(0, 40));
    }
    expect(complaints).toEqual([]);
    await context.close();
  });

  it('names the functions as the model does, and the kernel’s', async () => {
    const { page, context } = await lab.open();
    const recording = recorded('examples/migrate-on-fault', 'unified');
    const at = recording.events.find(({ kind }) => kind === 'page migrated')?.at ?? -1;
    await goTo(page, at + 1);
    const outer = ['act', 'perform', 'performWatched', 'taskBody', 'inTurn'];
    const stack = recording.step(at).stack.filter((name) => !outer.includes(name));
    expect(stack.length).toBeGreaterThan(2);
    expect(await texts(page, '.stack code')).toEqual(stack.map((name) => `${name}()`));
    expect((await texts(page, '.stack .file')).length).toBeGreaterThan(1);
    // each with the kernel's source, which is opened beside
    const links = page.locator('.stack a');
    for (const link of await links.all()) {
      const name = (await link.innerText()).replace('()', '');
      expect(await link.getAttribute('href')).toMatch(
        new RegExp(`^https://.*/v7\\.3\\.4/.*/${name}$`),
      );
    }
    expect(await links.count()).toBeGreaterThan(1);
    await context.close();
  });

  it('says who wrote what is selected, and goes to its next change', async () => {
    const { page, context, complaints } = await lab.open();
    await page.getByLabel('Program', { exact: true }).selectOption('device-fault-dontneed');
    await page.waitForFunction(() =>
      document.querySelector('.tasks')?.textContent?.includes('gpu'),
    );
    const recording = recorded('scenarios/device-fault-dontneed', 'unified');
    const { key } = recording.moment(0).state.entries[0];
    await page.locator(`.area [data-key="${key}"]`).click();
    await page.locator('h1').click();
    for (const { at, task, stack } of recording.history(key).slice(0, 3)) {
      await page.keyboard.press('c');
      expect(await page.getByLabel('Step', { exact: true }).inputValue()).toBe(String(at + 1));
      const said = await page.locator('.selection').innerText();
      expect(said).toContain(`step ${at + 1}`);
      expect(said).toContain(recording.tasks[task]);
      expect(said).toContain(`${stack[0]}()`);
    }
    expect(complaints).toEqual([]);
    await context.close();
  });

  it('shows a mistake in a program at its place', async () => {
    const { page, context, complaints } = await lab.open();
    await page.keyboard.press('p');
    const area = page.getByLabel('Program text');
    const source = read('scenarios/device-fault-dontneed').replace('"tag": 1', '"tag": -1');
    await area.fill(source);
    await page.getByRole('button', { name: 'Run' }).click();
    const message = await page.locator('.mistake').innerText();
    expect(message).toContain('Line 7: ');
    expect(message).toContain('op 1 (cpu_write), field "tag"');
    expect(await page.evaluate(() => String(getSelection()))).toBe('"tag": -1');
    // mended, it runs
    await area.fill(source.replace('"tag": -1', '"tag": 3'));
    await page.getByRole('button', { name: 'Run' }).click();
    await page.waitForFunction(() =>
      document.querySelector('.tasks')?.textContent?.includes('gpu'),
    );
    expect(complaints).toEqual([]);
    await context.close();
  });
});

describe('the lab by keyboard', () => {
  const at = (page: Page): Promise<string> => page.getByLabel('Step', { exact: true }).inputValue();

  it('goes by step, task, operation and event, and lists its keys', async () => {
    const { page, context, complaints } = await lab.open();
    await page.getByLabel('Program', { exact: true }).selectOption('device-fault-fork-write');
    await page.waitForFunction(() => location.hash.includes('fork-write'));
    await page.locator('h1').click();
    const recording = recorded('scenarios/device-fault-fork-write', 'unified');
    const { length, events } = recording;
    const first = (task: number): number => {
      for (let step = 0; step < length; step++) if (recording.taskAt(step) === task) return step;
      return -1;
    };
    const second = events.filter(({ kind }) => kind === 'operation')[1].at;
    const flush = events.find(({ at }) => at > 0)?.at ?? -1;
    for (const [key, step] of [
      ['End', length],
      ['ArrowLeft', length - 1],
      ['Home', 0],
      ['Shift+ArrowRight', 10],
      ['Home', 0],
      ['2', first(1) + 1],
      ['Home', 0],
      ['o', 1],
      ['o', second + 1],
      ['O', 1],
      ['e', flush + 1],
    ] as [string, number][]) {
      await page.keyboard.press(key);
      expect(await at(page), key).toBe(String(step));
    }
    await page.keyboard.press('?');
    const listed = await page.getByRole('dialog').innerText();
    expect(listed).toContain('to the next operation');
    await page.keyboard.press('Escape');
    expect(await page.getByRole('dialog').count()).toBe(0);
    expect(complaints).toEqual([]);
    await context.close();
  });

  it('says who holds what a task waits for, and goes to where that was taken', async () => {
    const { page, context } = await lab.open();
    await page.getByLabel('Program', { exact: true }).selectOption('device-fault-fork-write');
    await page.waitForFunction(() => location.hash.includes('fork-write'));
    await goTo(page, 40);
    const waits = page.locator('.waits');
    expect(await waits.innerText()).toMatch(
      /waits for the mmap_lock of process 0, which gpu holds since step \d+/,
    );
    await waits.getByRole('button').click();
    expect(await page.locator('.did').innerText()).toContain('takes the mmap_lock');
    await context.close();
  });
});

describe('more than 100,000 steps', () => {
  const program = {
    name: 'long',
    ops: [
      { op: 'mmap', buf: 0, page: 0, pages: 4000, prot: 'rw', kind: 'anon' },
      { op: 'cpu_write', buf: 0, page: 0, pages: 4000, tag: 1 },
      { op: 'madvise', buf: 0, page: 0, pages: 4000, advice: 'dontneed' },
      { op: 'cpu_read', buf: 0, page: 0, pages: 4000 },
    ],
  };

  it('can be stepped through and zoomed out of', async () => {
    const { page, context, complaints } = await lab.open();
    await page.keyboard.press('p');
    await page.getByLabel('Program text').fill(JSON.stringify(program));
    const asked = Date.now();
    await page.getByRole('button', { name: 'Run' }).click();
    await page.waitForFunction(() => location.hash.includes('z='));
    // how fast the machine is
    const recorded = Date.now() - asked;
    const steps = Number((await page.locator('.transport .of').first().innerText()).slice(3));
    expect(steps).toBeGreaterThan(100_000);
    await page.locator('h1').click();
    await page.keyboard.press('End');
    const cells = await shown(page);
    const present = Object.values(cells).filter((said) => /^buffer 0 page \d+: zero, /.test(said));
    expect(present).toHaveLength(512);
    await page.keyboard.press('ArrowLeft');
    // once there, a step is drawn at once
    const began = Date.now();
    for (let i = 0; i < 5; i++) await page.keyboard.press('ArrowLeft');
    await page.waitForFunction((n) => location.hash.includes(`n=${n}`), steps - 6);
    expect(Date.now() - began).toBeLessThan(recorded);
    const box = await page.locator('canvas').boundingBox();
    await page.mouse.move((box?.x ?? 0) + 500, (box?.y ?? 0) + 40);
    const median = await page.evaluate(async () => {
      const canvas = document.querySelector('canvas');
      const times: number[] = [];
      for (let i = 0; i < 60; i++) {
        const before = performance.now();
        const wheel = { deltaY: i < 30 ? 200 : -200, clientX: 600, cancelable: true };
        canvas?.dispatchEvent(new WheelEvent('wheel', wheel));
        await new Promise(requestAnimationFrame);
        times.push(performance.now() - before);
      }
      return times.sort((a, b) => a - b)[30];
    });
    // a frame that the machine does not come to is nobody's mistake
    expect(median).toBeLessThan(recorded / 10);
    expect(complaints).toEqual([]);
    await context.close();
  });
});

describe('a link', () => {
  /** The address once it says so. */
  async function linkAt(page: Page, step: number): Promise<string> {
    await page.waitForFunction(
      (n) => location.hash.includes(`n=${n}&`) || location.hash.endsWith(`n=${n}`),
      step,
    );
    return page.evaluate(() => location.hash);
  }

  it('stands at the same step, with the same selected, in a new context', async () => {
    const first = await lab.open();
    await first.page.getByLabel('Program', { exact: true }).selectOption('device-fault-fork-write');
    await first.page.waitForFunction(() => location.hash.includes('fork-write'));
    await first.page.getByLabel('Walk', { exact: true }).selectOption('collect');
    await goTo(first.page, 61);
    await first.page.locator('.area [data-key^=entry]').first().click();
    await first.page.waitForFunction(() => location.hash.includes('x='));
    const hash = await linkAt(first.page, 61);
    expect(hash.length).toBeLessThan(300);
    const second = await lab.open(hash);
    expect(await second.page.getByLabel('Step', { exact: true }).inputValue()).toBe('61');
    expect(await second.page.getByLabel('Walk', { exact: true }).inputValue()).toBe('collect');
    expect(await shown(second.page)).toEqual(await shown(first.page));
    const chosen = await texts(first.page, '.selection');
    expect(chosen).toHaveLength(1);
    expect(await texts(second.page, '.selection')).toEqual(chosen);
    expect(await shown(second.page)).toEqual(
      expected(recorded('scenarios/device-fault-fork-write', 'collect'), 61),
    );
    expect([...first.complaints, ...second.complaints]).toEqual([]);
    await first.context.close();
    await second.context.close();
  });

  it('carries a program of one’s own', async () => {
    const first = await lab.open();
    await first.page.keyboard.press('p');
    const own = read('scenarios/device-fault-dontneed').replace('"tag": 1', '"tag": 77');
    await first.page.getByLabel('Program text').fill(own);
    await first.page.getByRole('button', { name: 'Run' }).click();
    await first.page.waitForFunction(() => location.hash.includes('z='));
    const { page, context, complaints } = await lab.open(
      await first.page.evaluate(() => location.hash),
    );
    await page.keyboard.press('p');
    expect(await programText(page)).toBe(own);
    expect(complaints).toEqual([]);
    await first.context.close();
    await context.close();
  });

  /** A link that is whole, but says something else. */
  async function other(hash: string, some: Partial<Link>): Promise<string> {
    return encodeLink({ ...((await decodeLink(hash)) as Link), ...some });
  }

  it.each([
    ['of another version', async (hash: string) => hash.replace('v=1', 'v=9'), /version 9/],
    ['cut off', async (hash: string) => hash.replace(/&s=.*/, ''), /damaged.*missing/],
    [
      'of another model',
      async (hash: string) =>
        other(hash, { schedule: (await decodeLink(hash))?.schedule.replace(/\.\w{4}/, '.0000') }),
      /another program/,
    ],
    ['of a step that is not', (hash: string) => other(hash, { step: 99_999 }), /no step 99999/],
    [
      'of a program that is gone',
      (hash: string) => other(hash, { program: { name: 'gone' } }),
      /“gone”/,
    ],
    ['changed', async (hash: string) => hash.replace(/p=[^&]+/, 'z=AAAA'), /damaged/],
    [
      'with a program that cannot be read',
      (hash: string) => other(hash, { program: { text: '{' } }),
      /not JSON/,
    ],
    ['of something else', async () => '#section-2', /not a link/],
  ])('%s is refused with its reason', async (_, spoil, reason) => {
    const good = await lab.open();
    await good.page.waitForFunction(() => location.hash.includes('s='));
    const hash = await good.page.evaluate(() => location.hash);
    const { page, context, complaints } = await lab.open(await spoil(hash));
    expect(await page.locator('main.trouble').innerText()).toMatch(reason);
    expect(complaints).toEqual([]);
    await good.context.close();
    await context.close();
  });
});
