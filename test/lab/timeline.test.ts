/** How much the timeline draws: as much as can be seen, however long the recording is. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { Lane } from '../../lab/src/timeline/lanes.ts';
import { MARKS } from '../../lab/src/timeline/marks.ts';
import { type Font, type Shape, type Surface, SvgSurface } from '../../lab/src/timeline/surface.ts';
import {
  AXIS,
  drawTimeline,
  GUTTER,
  heightOf,
  hitTimeline,
  type Scene,
} from '../../lab/src/timeline/timeline-draw.ts';
import type { Span } from '../../src/recording/index.ts';

/** Notes what is drawn. */
class Noted implements Surface {
  readonly rects: { x: number; y: number; width: number; fill: string }[] = [];
  readonly texts: string[] = [];
  readonly marked: { shape: Shape; x: number; y: number }[] = [];
  rect(x: number, y: number, width: number, _height: number, fill: string): void {
    this.rects.push({ x, y, width, fill });
  }
  stripes(x: number, y: number, width: number, height: number, fill: string): void {
    this.rect(x, y, width, height, fill);
  }
  text(text: string, _x: number, _y: number, _fill: string, _font: Font): void {
    this.texts.push(text);
  }
  marks(shape: Shape, places: readonly number[]): void {
    for (let i = 0; i < places.length; i += 2) {
      this.marked.push({ shape, x: places[i], y: places[i + 1] });
    }
  }
  clipped(_x: number, _y: number, _width: number, _height: number, body: () => void): void {
    body();
  }
  get count(): number {
    return this.rects.length + this.texts.length + this.marked.length;
  }
}

const WIDTH = 1200;
const color = (variable: string): string => variable;

/** A task that takes every step; functions nest, and every second step is an event of some kind. */
function laneOf(length: number): Lane {
  const spans = (size: number, depth: number): Span[] =>
    Array.from({ length: Math.ceil(length / size) }, (_, i) => {
      const to = Math.min(length, (i + 1) * size - (depth > 0 ? 1 : 0));
      return { task: 0, from: i * size, to, name: `function${depth}`, depth };
    });
  const events = new Map(
    MARKS.map(({ kind }, n) => [
      kind as string,
      Int32Array.from({ length: Math.floor(length / 2) }, (_, i) => i * 2 + (n & 1)),
    ]),
  );
  return {
    name: 'cpu',
    steps: Int32Array.from({ length }, (_, i) => i),
    rows: [1e9, 64, 32, 16, 8, 6, 4, 3, 2].map((size, depth) =>
      spans(Math.min(size, length), depth),
    ),
    held: [spans(20, 0), spans(7, 1), spans(3, 2)],
    waited: spans(11, 0),
    events,
  };
}

function sceneOf(length: number, tasks = 1): Scene {
  const lanes = Array.from({ length: tasks }, () => laneOf(length));
  return { lanes, length, step: 5, states: lanes.map(() => 'on CPU 0'), hidden: new Set() };
}

function drawn(scene: Scene, sight: { from: number; scale: number }): Noted {
  const noted = new Noted();
  drawTimeline(noted, scene, sight, WIDTH, color);
  return noted;
}

describe('the timeline draws', () => {
  it.each([1_000, 100_000, 1_000_000])('no more than pixels have room for: %i steps', (length) => {
    const scene = sceneOf(length, 2);
    const whole = (WIDTH - GUTTER) / (length + 2);
    for (const scale of [whole, whole * 3, 0.02, 0.3, 0.99, 1, 3, 12, 40]) {
      for (const from of [0, length / 3, length - 10]) {
        const { rects, marked, count } = drawn(scene, { from, scale });
        // rows of a lane: steps, waits, functions and locks, each at most one rectangle a pixel
        expect(rects.length, `${scale} ${from}`).toBeLessThan(2 * 9 * WIDTH);
        expect(marked.length, `${scale} ${from}`).toBeLessThan((2 * 2 * WIDTH) / 6);
        expect(count).toBeLessThan(20 * WIDTH);
      }
    }
  });

  it('as much for ten times the steps, when all of it is seen', () => {
    const all = (length: number): number =>
      drawn(sceneOf(length), { from: 0, scale: (WIDTH - GUTTER) / (length + 2) }).count;
    expect(all(1_000_000) / all(100_000)).toBeLessThan(1.2);
  });

  it('everything that is in sight where there is room', () => {
    const scene = sceneOf(1000);
    const { rects, marked, texts } = drawn(scene, { from: 100, scale: 12 });
    const visible = Math.ceil((WIDTH - GUTTER) / 12);
    const steps = rects.filter(({ fill }) => fill === '--ink');
    expect(steps.length).toBeGreaterThanOrEqual(visible);
    expect(steps.length).toBeLessThanOrEqual(visible + 1);
    // one mark a step and row: what matters most
    expect(marked.length).toBeGreaterThanOrEqual(2 * visible);
    const kinds = new Set(
      marked.map(({ shape }) => MARKS.find((one) => one.shape === shape)?.kind),
    );
    expect(kinds).toEqual(new Set(['finding', 'page fault', 'failed allocation', 'invalidation']));
    expect(texts).toContain('function0');
    expect(texts).toContain('100');
  });

  it('no kind that is hidden', () => {
    const hidden = new Set(
      MARKS.map(({ kind }) => kind as string).filter((kind) => kind !== 'copy'),
    );
    const { marked } = drawn({ ...sceneOf(1000), hidden }, { from: 0, scale: 12 });
    const copy = MARKS.find(({ kind }) => kind === 'copy');
    expect(marked.length).toBeGreaterThan(20);
    expect(marked.every(({ shape }) => shape === copy?.shape)).toBe(true);
  });

  it('every kind in a shape of its own', () => {
    const shapes = MARKS.map(({ shape }) => JSON.stringify(shape));
    expect(new Set(shapes).size).toBe(MARKS.length);
  });
});

describe('what lies at a point of the timeline', () => {
  const scene = sceneOf(1000, 2);
  const sight = { from: 100, scale: 12 };
  const tall = (heightOf(2) - AXIS) / 2;
  const at = (step: number, down: number, task = 0) =>
    hitTimeline(scene, sight, GUTTER + (step - 100) * 12 + 5, AXIS + task * tall + down);

  it('is the step, events, function or lock that is drawn there', () => {
    expect(at(110, 5)).toEqual({ what: 'step', task: 0, at: 110 });
    expect(at(110, 5, 1)).toEqual({ what: 'step', task: 1, at: 110 });
    const events = at(111, 18);
    expect(events).toMatchObject({ what: 'events', from: 111, to: 112 });
    expect(events?.what === 'events' && events.kinds.map(({ mark }) => mark.kind)).toEqual([
      'page fault',
      'page migrated',
    ]);
    expect(at(130, 40)).toMatchObject({ what: 'function', span: { name: 'function0' } });
    expect(at(130, 54)).toMatchObject({
      what: 'function',
      span: { name: 'function1', from: 128, to: 191 },
    });
    expect(at(130, tall - 25)).toMatchObject({ what: 'lock', span: { from: 120 } });
    expect(hitTimeline(scene, sight, 20, 60)).toBeNull();
    expect(hitTimeline(scene, sight, 400, 5)).toBeNull();
  });

  it('are all events of a mark that stands for many', () => {
    const far = { from: 0, scale: 0.5 };
    const hit = hitTimeline(scene, far, GUTTER + 100, AXIS + 18);
    if (hit?.what !== 'events') throw new Error('no events');
    // seven pixels are fourteen steps
    expect(hit.to - hit.from).toBeGreaterThan(12);
    expect(hit.to - hit.from).toBeLessThanOrEqual(14);
    for (const { count } of hit.kinds) expect(count).toBe(7);
  });
});

describe('a picture as SVG', () => {
  it('says the same as the canvas, and is well formed', () => {
    const svg = new SvgSurface('t');
    const scene = { ...sceneOf(500, 2), states: ['a < b & "c"', ''] };
    drawTimeline(svg, scene, { from: 0, scale: 12 }, WIDTH, color);
    const text = String(svg);
    expect(text).toContain('a &#60; b &#38; &#34;c&#34;');
    expect(text).toContain('function0');
    expect(text.match(/<g /g)?.length).toBe(text.match(/<\/g>/g)?.length);
    expect(text).not.toMatch(/NaN|undefined|Infinity/);
  });
});

it('marks have their colours in the stylesheet', () => {
  const path = fileURLToPath(new URL('../../lab/src/style.css', import.meta.url));
  const style = readFileSync(path, 'utf8');
  for (const { color: variable } of MARKS) expect(style).toContain(`${variable}: light-dark(`);
});
