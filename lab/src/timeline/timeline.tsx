/** The timeline: a lane a task on a canvas, the whole in a strip above it, a legend that hides kinds. */

import map from 'virtual:kernel-map';
import { computed, untracked, useComputed, useSignal, useSignalEffect } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { stepWords } from '../../../src/recording/index.ts';
import { About } from '../explain/about.tsx';
import { go } from '../store/going.ts';
import { lanes, lastStep, moment } from '../store/showing.ts';
import { length, recording, step } from '../store/state.ts';
import { theme } from '../theme.ts';
import { CanvasSurface } from './canvas.ts';
import { MARKS, shapePath } from './marks.ts';
import { Overview } from './overview.tsx';
import {
  fit,
  follow,
  from,
  hidden,
  lookFrom,
  pan,
  room,
  scale,
  seen,
  setRoom,
  sight,
  start,
  toggle,
  zoom,
} from './sight.ts';
import {
  drawTimeline,
  GUTTER,
  type Hit,
  heightOf,
  hitTimeline,
  type Palette,
  type Scene,
} from './timeline-draw.ts';

/** What the timeline draws now. */
export const scene = computed<Scene>(() => ({
  lanes: lanes.value,
  length: length.value,
  step: step.value,
  states: (moment.value?.tasks ?? []).map(({ done, waits, cpu }) =>
    done ? 'has ended' : waits ? 'has to wait' : `on CPU ${cpu}`,
  ),
  hidden: hidden.value,
}));

/** Colours of the page's stylesheet, each asked for once. */
function paletteOf(element: Element): Palette {
  const style = getComputedStyle(element);
  const known = new Map<string, string>();
  return (variable) => {
    let color = known.get(variable);
    if (color === undefined) {
      color = style.getPropertyValue(variable).trim();
      known.set(variable, color);
    }
    return color;
  };
}

/** What a function stands for in the kernel. */
function mirrored(name: string): JSX.Element | null {
  const known = map[name];
  return known ? (
    <p class="soft">
      mirrors {known.kernel}, {known.file}
    </p>
  ) : null;
}

const steps = (first: number, end: number): string =>
  end - first > 1 ? `steps ${first + 1} to ${end}` : `step ${first + 1}`;

/** What lies under the pointer, in words. `detail`: where a step has to be looked up. */
function Told({ hit, detail }: { hit: Hit; detail: boolean }) {
  const shown = recording.value;
  if (!shown) return null;
  const who = shown.tasks[hit.task];
  if (hit.what === 'step') {
    const { stack, objects } = shown.step(hit.at);
    const words = detail
      ? stepWords(shown.step(hit.at), shown.moment(hit.at).state, shown.lockNames)
      : '…';
    return (
      <>
        <p>
          <strong>Step {hit.at + 1}</strong>: {who} {objects.length > 0 ? words : 'goes on'}
        </p>
        {stack[0] ? <code>{stack[0]}()</code> : null}
        {stack[0] ? mirrored(stack[0]) : null}
      </>
    );
  }
  if (hit.what === 'events') {
    return (
      <>
        <p>
          <strong>{who}</strong>, {steps(hit.from, hit.to)}
        </p>
        {hit.kinds.map(({ mark, count }) => (
          <p key={mark.kind}>
            <Sign of={mark} /> {count} × {mark.kind} <span class="soft">{mark.meaning}</span>
          </p>
        ))}
        {hit.to - hit.from === 1 && shown.step(hit.from).stack[0] ? (
          <>
            <code>{shown.step(hit.from).stack[0]}()</code>
            {mirrored(shown.step(hit.from).stack[0])}
          </>
        ) : null}
      </>
    );
  }
  const { span } = hit;
  const verb = { wait: 'waits for', lock: 'holds', function: 'is in' }[hit.what];
  return (
    <>
      <p>
        <strong>{who}</strong> {verb}{' '}
        {hit.what === 'function' ? <code>{span.name}()</code> : <strong>{span.name}</strong>}
      </p>
      <p class="soft">{steps(span.from, span.to)}</p>
      {hit.what === 'function' ? mirrored(span.name) : null}
    </>
  );
}

/** The mark of a kind of events. */
export function Sign({ of: { shape, size, color } }: { of: (typeof MARKS)[number] }) {
  const style = shape.open
    ? { fill: 'none', stroke: `var(${color})`, 'stroke-width': 1.6 }
    : { fill: `var(${color})`, 'fill-rule': 'evenodd' as const };
  return (
    <svg class="sign" viewBox="-7 -7 14 14" aria-hidden="true">
      <path d={shapePath(shape, size)} {...style} />
    </svg>
  );
}

/** Shows and hides kinds of events; those that the recording has not are not offered. */
function Kinds() {
  const counts = useComputed(() => {
    const all = new Map<string, number>();
    for (const { kind } of recording.value?.events ?? []) all.set(kind, (all.get(kind) ?? 0) + 1);
    return all;
  });
  return (
    <ul class="kinds" aria-label="Events on the timeline">
      {MARKS.map((mark) => {
        const count = counts.value.get(mark.kind) ?? 0;
        const shown = !hidden.value.has(mark.kind);
        return (
          <li key={mark.kind}>
            <button
              type="button"
              aria-pressed={shown}
              aria-label={`${mark.label}: ${count} steps`}
              disabled={count === 0}
              title={`${mark.meaning}. ${count} steps. ${shown ? 'Hide' : 'Show'} them.`}
              onClick={() => toggle(mark.kind)}
            >
              <Sign of={mark} /> {mark.label}
            </button>
          </li>
        );
      })}
    </ul>
  );
}

/** The timeline in words, for who does not see it. */
function Words() {
  const shown = recording.value;
  if (!shown) return null;
  const now = moment.value;
  const last = Math.min(length.value, Math.ceil(from.value + seen()));
  const first = Math.max(0, Math.floor(from.value));
  return (
    <div class="unseen" id="timeline-words">
      <p>
        {shown.tasks.length} tasks, {shown.length} steps; steps {first} to {last} are in sight.
      </p>
      <ul>
        {lanes.value.map(({ name, steps: own, events, rows }, task) => {
          const inside = rows
            .map((row) => row.find((span) => span.from < step.value && span.to >= step.value))
            .filter((span) => span !== undefined);
          return (
            <li key={name}>
              {name}: {own.length} steps.{' '}
              {inside.length > 0
                ? `It is in ${inside.map((span) => `${span.name}()`).join(', in it ')}. `
                : ''}
              {now?.tasks[task].holds.length
                ? `It holds ${now.tasks[task].holds.join(', ')}. `
                : ''}
              {now?.tasks[task].waits ? `It waits for ${now.tasks[task].waits?.what}. ` : ''}
              {MARKS.filter(({ kind }) => events.has(kind))
                .map(({ kind, label }) => `${events.get(kind)?.length} ${label}`)
                .join(', ')}
            </li>
          );
        })}
      </ul>
    </div>
  );
}

/** What is said of the step that led here. */
function valueText(): string {
  const last = lastStep.value;
  const name = last ? recording.value?.tasks[last.task] : '';
  const where = last?.stack[0] ? ` in ${last.stack[0]}()` : '';
  return `step ${step.value} of ${length.value}${last ? `: ${name}${where}` : ''}`;
}

export function Timeline() {
  const canvas = useRef<HTMLCanvasElement>(null);
  const queued = useRef(0);
  const tip = useSignal<{ hit: Hit; x: number; y: number; detail: boolean } | null>(null);
  const timer = useRef(0);
  const again = (): void => {
    if (queued.current) return;
    queued.current = requestAnimationFrame(() => {
      queued.current = 0;
      if (canvas.current) draw(canvas.current);
    });
  };
  // a new recording is seen from its beginning
  useSignalEffect(() => {
    void recording.value;
    untracked(start);
    tip.value = null;
  });
  useSignalEffect(() => {
    void step.value;
    untracked(follow);
  });
  useSignalEffect(() => {
    void [scene.value, theme.value, from.value, scale.value, room.value];
    again();
  });
  useEffect(() => {
    const { current } = canvas;
    if (!current?.parentElement) return;
    const observer = new ResizeObserver(([{ contentRect }]) => {
      setRoom(Math.max(100, contentRect.width - GUTTER));
      // what fitted fits again
      lookFrom(from.value);
      again();
    });
    observer.observe(current.parentElement);
    const dark = matchMedia('(prefers-color-scheme: dark)');
    dark.addEventListener('change', again);
    const onWheel = (event: WheelEvent): void => {
      event.preventDefault();
      tip.value = null;
      if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
        pan(event.deltaX || event.deltaY);
      } else {
        const x = event.clientX - current.getBoundingClientRect().left - GUTTER;
        zoom(Math.exp(-event.deltaY / 300), x);
      }
    };
    current.addEventListener('wheel', onWheel, { passive: false });
    return () => {
      observer.disconnect();
      dark.removeEventListener('change', again);
      current.removeEventListener('wheel', onWheel);
      clearTimeout(timer.current);
    };
  }, []);
  const place = (event: PointerEvent): [x: number, y: number] => {
    const box = (event.currentTarget as HTMLCanvasElement).getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  const onPointerDown = (event: PointerEvent): void => {
    const begun = event.clientX;
    const first = from.value;
    let moved = false;
    const target = event.currentTarget as HTMLCanvasElement;
    target.setPointerCapture(event.pointerId);
    const onMove = (move: PointerEvent): void => {
      if (Math.abs(move.clientX - begun) > 4) moved = true;
      if (moved) lookFrom(first - (move.clientX - begun) / scale.value);
    };
    const end = (): void => {
      target.removeEventListener('pointermove', onMove);
      target.removeEventListener('pointerup', onUp);
      target.removeEventListener('pointercancel', end);
    };
    const onUp = (up: PointerEvent): void => {
      end();
      const x = up.clientX - target.getBoundingClientRect().left - GUTTER;
      if (!moved && x >= 0) go(Math.round(from.value + x / scale.value));
    };
    target.addEventListener('pointermove', onMove);
    target.addEventListener('pointerup', onUp);
    target.addEventListener('pointercancel', end);
  };
  const onHover = (event: PointerEvent): void => {
    clearTimeout(timer.current);
    const [x, y] = place(event);
    const hit = event.buttons ? null : hitTimeline(scene.value, sight(), x, y);
    const told = hit && { hit, x: event.clientX, y: event.clientY };
    tip.value = told && { ...told, detail: false };
    // what a step is about is known only where the state is: looked up when the pointer rests
    if (told?.hit.what === 'step') {
      timer.current = window.setTimeout(() => {
        tip.value = { ...told, detail: true };
      }, 60);
    }
  };
  const leave = (): void => {
    clearTimeout(timer.current);
    tip.value = null;
  };
  return (
    <section class="timeline" aria-label="Timeline">
      <About of="timeline" />
      <div class="timeline-bar">
        <Kinds />
        <span class="zooms">
          <button
            type="button"
            aria-label="See less, larger (+)"
            title="Zoom in (+)"
            onClick={() => zoom(1.6)}
          >
            +
          </button>
          <button
            type="button"
            aria-label="See more, smaller (-)"
            title="Zoom out (-)"
            onClick={() => zoom(1 / 1.6)}
          >
            −
          </button>
          <button type="button" title="See all of it (0)" onClick={fit}>
            all
          </button>
        </span>
      </div>
      <Overview />
      <div class="timeline-lanes">
        <canvas
          ref={canvas}
          role="slider"
          tabIndex={0}
          aria-label="Timeline"
          aria-valuemin={0}
          aria-valuemax={length.value}
          aria-valuenow={step.value}
          aria-valuetext={valueText()}
          aria-describedby="timeline-words"
          onPointerDown={onPointerDown}
          onPointerMove={onHover}
          onPointerLeave={leave}
        />
      </div>
      <Words />
      {tip.value ? (
        <div
          class="hover"
          role="tooltip"
          style={{
            left: `${Math.min(tip.value.x + 12, window.innerWidth - 332)}px`,
            top: `${tip.value.y + 16}px`,
          }}
        >
          <Told hit={tip.value.hit} detail={tip.value.detail} />
        </div>
      ) : null}
    </section>
  );
}

function draw(canvas: HTMLCanvasElement): void {
  const width = room.value + GUTTER;
  const height = heightOf(scene.value.lanes.length);
  const ratio = window.devicePixelRatio || 1;
  if (canvas.width !== Math.round(width * ratio)) canvas.width = Math.round(width * ratio);
  if (canvas.height !== Math.round(height * ratio)) canvas.height = Math.round(height * ratio);
  canvas.style.height = `${height}px`;
  const g = canvas.getContext('2d');
  if (!g) return;
  g.setTransform(ratio, 0, 0, ratio, 0, 0);
  g.clearRect(0, 0, width, height);
  drawTimeline(new CanvasSurface(g), scene.value, sight(), width, paletteOf(canvas));
}
