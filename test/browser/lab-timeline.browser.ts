/** The timeline and what can be saved, as somebody uses them. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseAnyProgram } from '../../src/program/index.ts';
import { type Recording, record, traceOf } from '../../src/recording/index.ts';
import { encodeLink } from '../../src/recording/link.ts';
import { type Lab, openLab } from '../support/lab.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const RACE = 'device-fault-fork-write';
const source = readFileSync(`${root}/scenarios/${RACE}.json`, 'utf8');
const recording: Recording = record(parseAnyProgram(JSON.parse(source)), { walk: 'unified' });

let lab: Lab;
beforeAll(async () => {
  lab = await openLab();
});
afterAll(() => lab?.close());

async function openRace() {
  const opened = await lab.open();
  await opened.page.getByLabel('Program', { exact: true }).selectOption(RACE);
  await opened.page.waitForFunction((name) => location.hash.includes(name), RACE);
  await opened.page.locator('h1').click();
  return opened;
}

const at = (page: Page): Promise<number> =>
  page.getByLabel('Step', { exact: true }).inputValue().then(Number);
/** Pixels of the picture, as a number that tells whether it has changed. */
const looks = (page: Page): Promise<string> =>
  page.evaluate(async () => {
    await new Promise(requestAnimationFrame);
    await new Promise(requestAnimationFrame);
    return document.querySelector('canvas')?.toDataURL() ?? '';
  });

describe('the timeline', () => {
  it('says what lies under the pointer', async () => {
    const { page, context, complaints } = await openRace();
    const box = await page.locator('canvas').boundingBox();
    const [x, y] = [(box?.x ?? 0) + 132, (box?.y ?? 0) + 18];
    const tip = page.getByRole('tooltip');
    const point = async (step: number, down: number): Promise<string> => {
      await page.mouse.move(x + step * 12 + 5, y + down);
      return tip.innerText();
    };
    const walk = recording.events.find(({ kind }) => kind === 'walk')?.at ?? -1;
    expect(await point(walk, 18)).toMatch(/1 × walk .*hmm_range_fault\(\)/s);
    expect(await point(walk, 18)).toContain(`step ${walk + 1}`);
    expect(await point(30, 42)).toMatch(/gpu is in faultMigrateToDevice\(\)/);
    expect(await point(60, 93)).toMatch(/gpu holds the mmap_lock of process 0\s+steps/);
    await point(30, 5);
    await page.waitForFunction(
      () => !document.querySelector('[role=tooltip]')?.textContent?.includes('…'),
    );
    expect(await tip.innerText()).toMatch(/Step 31: gpu \w+ .*\(\)\s+mirrors /s);
    await page.mouse.move(10, 10);
    expect(await tip.count()).toBe(0);
    expect(complaints).toEqual([]);
    await context.close();
  });

  it('shows the step that a link stands at', async () => {
    const step = recording.length - 40;
    const { schedule } = recording;
    const link = {
      walk: 'unified',
      hardware: false,
      schedule,
      selected: '',
      compared: null,
    } as const;
    const hash = await encodeLink({ ...link, program: { name: RACE }, step });
    const { page, context, complaints } = await lab.open(hash);
    await page.locator('canvas').waitFor();
    expect(await at(page)).toBe(step);
    const said = await page.locator('#timeline-words p').textContent();
    const [first, last] = (/steps (\d+) to (\d+) are in sight/.exec(said ?? '') ?? [])
      .slice(1)
      .map(Number);
    expect(first).toBeLessThan(step);
    expect(first).toBeGreaterThan(0);
    expect(last).toBeGreaterThanOrEqual(step);
    expect(complaints).toEqual([]);
    await context.close();
  });

  it('hides kinds of events, zooms and pans by keys, and says it in words', async () => {
    const { page, context, complaints } = await openRace();
    const flushes = page.getByRole('button', { name: /^TLB flushes/ });
    const count = recording.events.filter(({ kind }) => kind === 'TLB flush').length;
    expect(await flushes.getAttribute('aria-label')).toBe(`TLB flushes: ${count} steps`);
    const all = await looks(page);
    await flushes.click();
    expect(await flushes.getAttribute('aria-pressed')).toBe('false');
    const without = await looks(page);
    expect(without).not.toBe(all);
    await flushes.click();
    expect(await looks(page)).toBe(all);
    expect(await page.getByRole('button', { name: /^failed allocations/ }).isDisabled()).toBe(true);
    await page.locator('h1').click();
    const inSight = async (): Promise<[number, number]> => {
      const words = await page.locator('#timeline-words p').textContent();
      const [, first, last] = /steps (\d+) to (\d+) are in sight/.exec(words ?? '') ?? [];
      return [Number(first), Number(last)];
    };
    const [, end] = await inSight();
    await page.keyboard.press('+');
    expect((await inSight())[1]).toBeLessThan(end);
    await page.keyboard.press('Control+ArrowRight');
    expect((await inSight())[0]).toBeGreaterThan(0);
    await page.keyboard.press('[');
    expect((await inSight())[0]).toBe(0);
    await page.keyboard.press('0');
    expect(await inSight()).toEqual([0, recording.length]);
    await page.keyboard.press('-');
    expect(await inSight()).toEqual([0, recording.length]);
    expect(await at(page)).toBe(0);
    // the strip goes where one points
    for (let i = 0; i < 4; i++) await page.keyboard.press('+');
    const strip = await page.locator('.overview').boundingBox();
    await page.mouse.click((strip?.x ?? 0) + (strip?.width ?? 0) - 4, (strip?.y ?? 0) + 5);
    expect((await inSight())[1]).toBe(recording.length);
    const slider = page.getByRole('slider', { name: 'Timeline' });
    await page.keyboard.press('End');
    expect(await slider.getAttribute('aria-valuetext')).toContain(
      `step ${recording.length} of ${recording.length}`,
    );
    expect(complaints).toEqual([]);
    await context.close();
  });

  it('is jumped on by event, by task and by change', async () => {
    const { page, context } = await openRace();
    const jump = page.getByLabel('Jump to');
    const on = page.getByRole('button', { name: /^To the next / });
    for (const kind of ['TLB flush', 'migration entry', 'page fault'] as const) {
      await page.keyboard.press('Home');
      await jump.selectOption(kind);
      const steps = recording.events.filter((one) => one.kind === kind).map((one) => one.at + 1);
      for (const step of [...new Set(steps)].slice(0, 3)) {
        await on.click();
        expect(await at(page), kind).toBe(step);
      }
      await page.locator('h1').click();
    }
    await page.keyboard.press('Home');
    await jump.selectOption('step of cpu');
    await on.click();
    const first = Array.from({ length: recording.length }, (_, i) => i).find(
      (step) => recording.tasks[recording.taskAt(step)] === 'cpu',
    );
    expect(await at(page)).toBe((first ?? -1) + 1);
    await jump.selectOption('change of what is selected');
    expect(await on.isDisabled()).toBe(true);
    await page.locator('h1').click();
    await page.keyboard.press('Home');
    const { key } = recording.moment(0).state.entries[0];
    await page.locator(`.area [data-key="${key}"]`).click();
    await on.click();
    expect(await at(page)).toBe(recording.history(key)[0].at + 1);
    await context.close();
  });
});

describe('exports', () => {
  it('are the trace, the pictures, and the program that can be read again', async () => {
    const { page, context, complaints } = await openRace();
    for (let i = 0; i < 4; i++) await page.keyboard.press('Shift+ArrowRight');
    await page.locator('.menu summary').click();
    const saved = async (name: RegExp): Promise<{ file: string; bytes: Buffer }> => {
      const download = page.waitForEvent('download');
      await page.getByRole('button', { name }).click();
      const file = await download;
      return { file: file.suggestedFilename(), bytes: readFileSync(await file.path()) };
    };
    const trace = await saved(/^Trace/);
    expect(trace.file).toBe(`${RACE}.trace.json`);
    expect(JSON.parse(String(trace.bytes))).toEqual(JSON.parse(JSON.stringify(traceOf(recording))));
    const svg = String((await saved(/^Picture, SVG/)).bytes);
    expect(svg).toContain(`step 40 of ${recording.length}`);
    expect(svg).toContain('waits for the mmap_lock');
    expect(svg).not.toMatch(/var\(|light-dark|fill=""|NaN|undefined/);
    const broken = await page.evaluate((text) => {
      const parsed = new DOMParser().parseFromString(text, 'image/svg+xml');
      return parsed.querySelector('parsererror')?.textContent ?? '';
    }, svg);
    expect(broken).toBe('');
    const { bytes } = await saved(/^Picture, PNG/);
    expect(bytes.subarray(1, 4).toString()).toBe('PNG');
    expect(bytes.readUInt32BE(16)).toBe(2560);
    expect(String((await saved(/^Program for/)).bytes)).toBe(source);
    const { file, bytes: scheduled } = await saved(/^Program and schedule/);
    expect(file).toBe(`${RACE}.schedule.json`);
    const program = JSON.parse(String(scheduled)) as { comment: string[] };
    const [, schedule] = /--replay (\S+)$/m.exec(program.comment.join('\n')) ?? [];
    const again = record(parseAnyProgram(program), { walk: 'unified', schedule });
    expect(again.steps).toEqual(recording.steps);
    await page.keyboard.press('Escape');
    expect(await page.locator('.menu').getAttribute('open')).toBeNull();
    expect(complaints).toEqual([]);
    await context.close();
  });
});
