/** The timeline: a lane a task, drawn on a canvas; only what can be seen is looked at. */

import { useSignalEffect } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { Span } from '../../src/recording/index.ts';
import { About } from './about.tsx';
import { go, lanes, length, moment, recording, step } from './store.ts';
import { theme } from './theme.ts';

const GUTTER = 92;
const AXIS = 18;
const ROW = 14;
const STEPS = 12;
const LOCK = 5;
const LOCKS = 3;
const GAP = 8;
/** Functions of a task below each other: more where one task has all the room. */
const rowsOf = (): number => (lanes.value.length > 1 ? 6 : 10);
const laneOf = (): number => STEPS + rowsOf() * ROW + LOCKS * (LOCK + 1) + GAP;

/** First index of an ascending list whose value is not below `value`. */
function lowerBound(count: number, at: (i: number) => number, value: number): number {
  let [low, high] = [0, count];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (at(middle) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Colours of the page's stylesheet. */
function palette(canvas: HTMLElement) {
  const style = getComputedStyle(canvas);
  const get = (name: string): string => style.getPropertyValue(name).trim();
  return {
    ink: get('--ink'),
    soft: get('--soft'),
    line: get('--line'),
    back: get('--panel'),
    accent: get('--accent'),
    spans: [get('--span-0'), get('--span-1'), get('--span-2')],
    held: get('--held'),
    waited: get('--waited'),
    event: get('--event'),
    bad: get('--bad'),
  };
}

/** What is seen: the first step, and how many pixels a step has. */
interface Sight {
  from: number;
  scale: number;
}

function draw(canvas: HTMLCanvasElement, sight: Sight, width: number): void {
  const shown = recording.value;
  const [most, tall] = [rowsOf(), laneOf()];
  const height = AXIS + lanes.value.length * tall;
  const ratio = window.devicePixelRatio || 1;
  if (canvas.width !== Math.round(width * ratio)) canvas.width = Math.round(width * ratio);
  if (canvas.height !== Math.round(height * ratio)) canvas.height = Math.round(height * ratio);
  canvas.style.height = `${height}px`;
  const g = canvas.getContext('2d');
  if (!g) return;
  g.setTransform(ratio, 0, 0, ratio, 0, 0);
  const c = palette(canvas);
  g.clearRect(0, 0, width, height);
  if (!shown) return;
  const xOf = (at: number): number => GUTTER + (at - sight.from) * sight.scale;
  const last = sight.from + (width - GUTTER) / sight.scale;
  g.save();
  g.beginPath();
  g.rect(GUTTER, 0, width - GUTTER, height);
  g.clip();
  // the axis
  g.font = '11px system-ui, sans-serif';
  g.textBaseline = 'middle';
  const every =
    [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4].find(
      (n) => n * sight.scale >= 56,
    ) ?? 1e5;
  for (
    let at = Math.ceil(sight.from / every) * every;
    at <= last && at <= shown.length;
    at += every
  ) {
    g.fillStyle = c.line;
    g.fillRect(Math.round(xOf(at)), AXIS - 4, 1, height);
    g.fillStyle = c.soft;
    g.fillText(String(at), Math.round(xOf(at)) + 3, AXIS / 2);
  }
  /** Draws spans in order, those that share a pixel once. */
  const bars = (
    spans: readonly Span[],
    top: number,
    tall: number,
    paint: (s: Span) => string,
    label: boolean,
  ): void => {
    let i = lowerBound(spans.length, (n) => spans[n].to, sight.from);
    while (i < spans.length && spans[i].from <= last) {
      const span = spans[i];
      const x = xOf(span.from);
      const w = Math.max(1, (span.to - span.from) * sight.scale - (sight.scale > 3 ? 1 : 0));
      g.fillStyle = paint(span);
      g.fillRect(x, top, w, tall);
      if (label && w > 34) {
        g.fillStyle = c.ink;
        const left = Math.max(x, GUTTER) + 3;
        const room = Math.floor((x + w - left - 2) / 5.9);
        const text =
          span.name.length > room ? `${span.name.slice(0, Math.max(0, room - 1))}…` : span.name;
        if (room > 2) g.fillText(text, left, top + tall / 2 + 0.5);
      }
      const next = sight.from + (Math.floor(x + w) + 1 - GUTTER) / sight.scale;
      i =
        sight.scale >= 1
          ? i + 1
          : Math.max(
              i + 1,
              lowerBound(spans.length, (n) => spans[n].to, next),
            );
    }
  };
  lanes.value.forEach((lane, task) => {
    const top = AXIS + task * tall;
    const { steps } = lane;
    g.fillStyle = c.ink;
    let i = lowerBound(steps.length, (n) => steps[n], sight.from);
    for (let pixel = -1; i < steps.length && steps[i] <= last; i++) {
      const x = xOf(steps[i]);
      if (sight.scale < 1 && Math.floor(x) === pixel) {
        i = Math.max(
          i,
          lowerBound(
            steps.length,
            (n) => steps[n],
            sight.from + (pixel + 1 - GUTTER) / sight.scale,
          ) - 1,
        );
        continue;
      }
      pixel = Math.floor(x);
      g.fillRect(x, top + 3, Math.max(1, Math.min(sight.scale - 1, 8)), STEPS - 5);
    }
    bars(lane.waited, top + 3, STEPS - 5, () => c.waited, false);
    lane.rows.slice(0, most).forEach((row, depth) => {
      g.font = '10.5px ui-monospace, monospace';
      bars(
        row,
        top + STEPS + depth * ROW,
        ROW - 1,
        (s) => c.spans[(s.name.length + depth) % 3],
        true,
      );
    });
    const locks = top + STEPS + most * ROW;
    lane.held.slice(0, LOCKS).forEach((held, depth) => {
      bars(held, locks + depth * (LOCK + 1), LOCK, () => c.held, false);
    });
  });
  // events as marks on the axis of their lane
  const { events } = shown;
  let drawn = -1;
  for (let i = lowerBound(events.length, (n) => events[n].at, sight.from); i < events.length; i++) {
    const { at, task, kind } = events[i];
    if (at > last) break;
    if (kind === 'operation' || kind === 'walk' || kind === 'folio locked') continue;
    const x = xOf(at) + Math.min(sight.scale, 8) / 2;
    const pixel = Math.floor(x) * 16 + task;
    if (pixel === drawn && kind !== 'finding') continue;
    drawn = pixel;
    g.fillStyle = kind === 'finding' || kind === 'failed allocation' ? c.bad : c.event;
    const y = AXIS + task * tall + 1;
    g.beginPath();
    g.moveTo(x - 3, y - 3);
    g.lineTo(x + 3, y - 3);
    g.lineTo(x, y + 3);
    g.fill();
  }
  // where one stands
  const x = Math.round(xOf(step.value));
  g.fillStyle = c.accent;
  g.fillRect(x - 1, 0, 2, height);
  g.restore();
  // names of the lanes
  g.font = '600 12px system-ui, sans-serif';
  shown.tasks.forEach((task, i) => {
    const top = AXIS + i * tall;
    g.fillStyle = c.line;
    g.fillRect(0, top - 1, width, 1);
    g.fillStyle = c.ink;
    g.fillText(task, 8, top + 12, GUTTER - 12);
    g.fillStyle = c.soft;
    g.font = '11px system-ui, sans-serif';
    const now = moment.value?.tasks[i];
    const what = now?.done ? 'has ended' : now?.waits ? 'has to wait' : `on CPU ${now?.cpu ?? 0}`;
    g.fillText(what, 8, top + 28, GUTTER - 12);
    g.font = '10px system-ui, sans-serif';
    g.fillText('locks', 8, top + STEPS + most * ROW + 7, GUTTER - 12);
    g.font = '600 12px system-ui, sans-serif';
  });
}

export function Timeline() {
  const canvas = useRef<HTMLCanvasElement>(null);
  const sight = useRef<Sight>({ from: 0, scale: 8 });
  const queued = useRef(0);
  const again = (): void => {
    if (queued.current) return;
    queued.current = requestAnimationFrame(() => {
      queued.current = 0;
      const { current } = canvas;
      if (current?.parentElement) draw(current, sight.current, current.parentElement.clientWidth);
    });
  };
  const width = (): number => (canvas.current?.parentElement?.clientWidth ?? 800) - GUTTER;
  const clamp = (): void => {
    const s = sight.current;
    const least = Math.min(8, width() / Math.max(1, length.value + 2));
    s.scale = Math.min(40, Math.max(least, s.scale));
    s.from = Math.max(0, Math.min(s.from, length.value + 2 - width() / s.scale));
  };
  // a new recording is seen from its beginning
  useSignalEffect(() => {
    void recording.value;
    sight.current = { from: 0, scale: 12 };
    clamp();
    again();
  });
  useSignalEffect(() => {
    void [moment.value, theme.value, lanes.value];
    const s = sight.current;
    const wide = width() / s.scale;
    if (step.value < s.from || step.value > s.from + wide - 2) {
      s.from = step.value - wide / 2;
      clamp();
    }
    again();
  });
  useEffect(() => {
    const observer = new ResizeObserver(again);
    const { current } = canvas;
    if (!current?.parentElement) return;
    observer.observe(current.parentElement);
    const dark = matchMedia('(prefers-color-scheme: dark)');
    dark.addEventListener('change', again);
    const onWheel = (event: WheelEvent): void => {
      event.preventDefault();
      const s = sight.current;
      if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
        s.from += (event.deltaX || event.deltaY) / s.scale;
      } else {
        const x = event.clientX - current.getBoundingClientRect().left - GUTTER;
        const at = s.from + x / s.scale;
        s.scale *= Math.exp(-event.deltaY / 300);
        clamp();
        s.from = at - x / s.scale;
      }
      clamp();
      again();
    };
    current.addEventListener('wheel', onWheel, { passive: false });
    return () => {
      observer.disconnect();
      dark.removeEventListener('change', again);
      current.removeEventListener('wheel', onWheel);
    };
  }, []);
  const onPointerDown = (event: PointerEvent): void => {
    const start = event.clientX;
    const { from } = sight.current;
    let moved = false;
    const target = event.currentTarget as HTMLCanvasElement;
    target.setPointerCapture(event.pointerId);
    const onMove = (move: PointerEvent): void => {
      if (Math.abs(move.clientX - start) > 4) moved = true;
      if (!moved) return;
      sight.current.from = from - (move.clientX - start) / sight.current.scale;
      clamp();
      again();
    };
    const onUp = (up: PointerEvent): void => {
      target.removeEventListener('pointermove', onMove);
      target.removeEventListener('pointerup', onUp);
      const x = up.clientX - target.getBoundingClientRect().left - GUTTER;
      if (!moved && x >= 0) go(Math.round(sight.current.from + x / sight.current.scale));
    };
    target.addEventListener('pointermove', onMove);
    target.addEventListener('pointerup', onUp);
  };
  return (
    <section class="timeline" aria-label="Timeline">
      <About of="timeline" />
      <canvas
        ref={canvas}
        role="img"
        aria-label={`Timeline: step ${step.value} of ${length.value}`}
        onPointerDown={onPointerDown}
      />
    </section>
  );
}
