/**
 * Draws the timeline: a lane a task, with its steps, events, functions and locks. Only what can be seen
 * is looked at, and what falls on one pixel is drawn once, so that a frame takes as long for a hundred
 * thousand steps as for a thousand.
 */
import type { Span } from '../../../src/recording/index.ts';
import type { Lane } from './lanes.ts';
import { MARKS, type Mark } from './marks.ts';
import { CHARACTER, type Surface } from './surface.ts';

export const GUTTER = 132;
export const AXIS = 18;
const ROW = 14;
const STEPS = 13;
const EVENTS = 11;
const LOCK = 6;
const LOCKS = 3;
const GAP = 8;
/** Marks of one kind are at least so far from each other. */
const APART = 7;

/** What is to be drawn. */
export interface Scene {
  readonly lanes: readonly Lane[];
  /** How many steps there are. */
  readonly length: number;
  /** Where one stands. */
  readonly step: number;
  /** What each task does at that moment, in a word or two. */
  readonly states: readonly string[];
  /** Kinds of events that are not drawn. */
  readonly hidden: ReadonlySet<string>;
}

/** What is seen: the first step, and how many pixels a step has. */
export interface Sight {
  readonly from: number;
  readonly scale: number;
}

/** Colours by variable of the stylesheet. */
export type Palette = (variable: string) => string;

/** Where the rows of a lane are, from its top. */
export function rowsOf(lanes: number): {
  most: number;
  functions: number;
  locks: number;
  tall: number;
} {
  const most = lanes > 2 ? 3 : lanes > 1 ? 4 : 9;
  const functions = STEPS + 2 * EVENTS;
  const locks = functions + most * ROW;
  return { most, functions, locks, tall: locks + LOCKS * (LOCK + 1) + GAP };
}

export const heightOf = (lanes: number): number => AXIS + lanes * rowsOf(lanes).tall;

/** First index of an ascending list whose value is not below `value`. */
export function lowerBound(count: number, at: (i: number) => number, value: number): number {
  let [low, high] = [0, count];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (at(middle) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

const cut = (text: string, room: number): string =>
  text.length > room ? `${text.slice(0, Math.max(0, room - 1))}…` : text;

class Drawing {
  private readonly last: number;
  private readonly xOf: (at: number) => number;
  private readonly atOf: (x: number) => number;

  constructor(
    private readonly g: Surface,
    private readonly scene: Scene,
    private readonly sight: Sight,
    private readonly width: number,
    private readonly color: Palette,
  ) {
    const { from, scale } = sight;
    this.xOf = (at) => GUTTER + (at - from) * scale;
    this.atOf = (x) => from + (x - GUTTER) / scale;
    this.last = this.atOf(width);
  }

  private axis(height: number): void {
    const { g, sight, scene, color } = this;
    const steps = [1, 2, 5].flatMap((n) => [n, n * 10, n * 100, n * 1e3, n * 1e4]);
    steps.sort((a, b) => a - b);
    const every = steps.find((n) => n * sight.scale >= 56) ?? 1e5;
    const first = Math.max(0, Math.ceil(sight.from / every) * every);
    for (let at = first; at <= this.last && at <= scene.length; at += every) {
      const x = Math.round(this.xOf(at));
      g.rect(x, AXIS - 4, 1, height, color('--line'));
      g.text(String(at), x + 3, AXIS / 2, color('--soft'), 'text');
    }
  }

  /** Spans in order; those that share a pixel once. */
  private bars(
    spans: readonly Span[],
    top: number,
    tall: number,
    fill: (span: Span) => string,
    { label = '', striped = false }: { label?: string | null; striped?: boolean } = {},
  ): void {
    const { g, sight, color } = this;
    const { scale } = sight;
    const end = (i: number): number => spans[i].to;
    let i = lowerBound(spans.length, end, sight.from);
    while (i < spans.length && spans[i].from <= this.last) {
      const span = spans[i];
      // what is far outside is cut: surfaces dislike huge numbers
      const x = Math.max(this.xOf(span.from), GUTTER - 10);
      const right = Math.min(this.xOf(span.to), this.width + 10);
      const w = Math.max(1, right - x - (scale > 3 ? 1 : 0));
      if (striped) g.stripes(x, top, w, tall, fill(span));
      else g.rect(x, top, w, tall, fill(span));
      if (label !== null && w > 34) {
        const left = Math.max(x, GUTTER) + 3;
        const room = Math.floor((x + w - left - 2) / CHARACTER);
        const text = cut(label + span.name, room);
        if (room > 2 && striped) {
          g.rect(left - 2, top, text.length * CHARACTER + 4, tall, color('--panel'));
        }
        if (room > 2) g.text(text, left, top + tall / 2 + 0.5, color('--ink'), 'code');
      }
      i++;
      if (scale < 1) {
        const next = this.atOf(Math.floor(x + w) + 1);
        i = Math.max(i, lowerBound(spans.length, end, next));
      }
    }
  }

  private steps(steps: Int32Array, top: number): void {
    const { g, sight } = this;
    const fill = this.color('--ink');
    const w = Math.max(1, Math.min(sight.scale - 1, 8));
    let i = lowerBound(steps.length, (n) => steps[n], sight.from);
    while (i < steps.length && steps[i] <= this.last) {
      const x = this.xOf(steps[i]);
      g.rect(x, top + 3, w, STEPS - 5, fill);
      i++;
      if (sight.scale < 1) {
        const next = this.atOf(Math.floor(x) + 1);
        i = Math.max(
          i,
          lowerBound(steps.length, (n) => steps[n], next),
        );
      }
    }
  }

  private events({ events }: Lane, top: number): void {
    const { g, sight } = this;
    const middle = Math.min(sight.scale, 9) / 2;
    const unit = unitOf(sight);
    // one place a mark, for what comes first in the list
    const taken = [new Set<number>(), new Set<number>()];
    for (const { kind, color, shape, row, size } of MARKS) {
      const at = events.get(kind);
      if (!at || this.scene.hidden.has(kind)) continue;
      const places: number[] = [];
      let i = lowerBound(at.length, (n) => at[n], sight.from - unit);
      while (i < at.length && at[i] <= this.last) {
        const slot = Math.floor(at[i] / unit);
        if (!taken[row].has(slot)) {
          taken[row].add(slot);
          const x = unit === 1 ? this.xOf(at[i]) + middle : this.xOf((slot + 0.5) * unit);
          places.push(x, top + (row + 0.5) * EVENTS);
        }
        i = Math.max(
          i + 1,
          lowerBound(at.length, (n) => at[n], (slot + 1) * unit),
        );
      }
      if (places.length > 0) g.marks(shape, places, size, this.color(color));
    }
  }

  private lane(lane: Lane, top: number): void {
    const { color } = this;
    const { most, functions, locks } = rowsOf(this.scene.lanes.length);
    this.bars(lane.waited, top + 1, STEPS - 2, () => color('--waited'), {
      label: 'waits for ',
      striped: true,
    });
    this.steps(lane.steps, top);
    this.events(lane, top + STEPS);
    lane.rows.slice(0, most).forEach((row, depth) => {
      const fill = (s: Span): string => color(`--span-${(s.name.length + depth) % 3}`);
      this.bars(row, top + functions + depth * ROW, ROW - 1, fill);
    });
    lane.held.slice(0, LOCKS).forEach((held, depth) => {
      const y = top + locks + depth * (LOCK + 1);
      this.bars(held, y, LOCK, () => color('--held'), { label: null });
    });
  }

  private gutter(): void {
    const { g, scene, color } = this;
    const { functions, locks, tall } = rowsOf(scene.lanes.length);
    scene.lanes.forEach(({ name }, i) => {
      const top = AXIS + i * tall;
      g.rect(0, top - 1, this.width, 1, color('--line'));
      g.text(cut(name, 10), 8, top + 8, color('--ink'), 'strong');
      g.text(scene.states[i], 8, top + 24, color('--soft'), 'text');
      const named: [string, number][] = [
        ['steps', STEPS / 2],
        ['events', STEPS + EVENTS],
        ['functions', functions + ROW / 2],
        ['locks', locks + LOCK],
      ];
      for (const [word, y] of named) {
        g.text(word, GUTTER - 7, top + y, color('--soft'), 'small', 'end');
      }
    });
  }

  draw(): void {
    const { g, scene, width, color } = this;
    const { tall } = rowsOf(scene.lanes.length);
    const height = heightOf(scene.lanes.length);
    g.clipped(GUTTER, 0, width - GUTTER, height, () => {
      this.axis(height);
      scene.lanes.forEach((lane, i) => {
        this.lane(lane, AXIS + i * tall);
      });
      g.rect(Math.round(this.xOf(scene.step)) - 1, 0, 2, height, color('--accent'));
    });
    this.gutter();
  }
}

/** Steps that share a mark: one where there is room, else those on a few pixels. */
function unitOf({ scale }: Sight): number {
  return scale < APART ? APART / scale : 1;
}

export function drawTimeline(
  g: Surface,
  scene: Scene,
  sight: Sight,
  width: number,
  color: Palette,
): void {
  new Drawing(g, scene, sight, width, color).draw();
}

/** What lies at a point. */
export type Hit =
  | { readonly what: 'step'; readonly task: number; readonly at: number }
  | { readonly what: 'wait' | 'function' | 'lock'; readonly task: number; readonly span: Span }
  | {
      readonly what: 'events';
      readonly task: number;
      /** Steps from, and to exclusive. */
      readonly from: number;
      readonly to: number;
      /** How many of which kind. */
      readonly kinds: readonly { readonly mark: Mark; readonly count: number }[];
    };

function spanAt(spans: readonly Span[], at: number): Span | undefined {
  const i = lowerBound(spans.length, (n) => spans[n].to, at + 1e-9);
  return spans[i] && spans[i].from <= at ? spans[i] : undefined;
}

export function hitTimeline(scene: Scene, sight: Sight, x: number, y: number): Hit | null {
  const { functions, locks, tall, most } = rowsOf(scene.lanes.length);
  const task = Math.floor((y - AXIS) / tall);
  const lane = scene.lanes[task];
  if (!lane || x < GUTTER || y < AXIS) return null;
  const down = y - AXIS - task * tall;
  // what is drawn at least a pixel wide is found a few pixels around it
  const slack = Math.max(0.5, 3 / sight.scale);
  const at = sight.from + (x - GUTTER) / sight.scale;
  if (down < STEPS) {
    const { steps, waited } = lane;
    const i = lowerBound(steps.length, (n) => steps[n], Math.floor(at));
    if (sight.scale >= 1) {
      if (steps[i] === Math.floor(at)) return { what: 'step', task, at: steps[i] };
    } else if (i < steps.length && steps[i] - at < slack)
      return { what: 'step', task, at: steps[i] };
    const span = spanAt(waited, at);
    return span ? { what: 'wait', task, span } : null;
  }
  if (down < functions) {
    const row = down < STEPS + EVENTS ? 0 : 1;
    const unit = unitOf(sight);
    const first = Math.floor(at / unit) * unit;
    const end = first + unit;
    const kinds: { mark: Mark; count: number }[] = [];
    let [from, to] = [Number.POSITIVE_INFINITY, 0];
    for (const mark of MARKS) {
      const list = lane.events.get(mark.kind);
      if (!list || mark.row !== row || scene.hidden.has(mark.kind)) continue;
      const begin = lowerBound(list.length, (n) => list[n], first);
      const stop = lowerBound(list.length, (n) => list[n], end);
      if (stop === begin) continue;
      kinds.push({ mark, count: stop - begin });
      from = Math.min(from, list[begin]);
      to = Math.max(to, list[stop - 1] + 1);
    }
    return kinds.length > 0 ? { what: 'events', task, from, to, kinds } : null;
  }
  const inRows = down < locks;
  const row = inRows
    ? Math.floor((down - functions) / ROW)
    : Math.floor((down - locks) / (LOCK + 1));
  const spans = inRows ? lane.rows.slice(0, most)[row] : lane.held.slice(0, LOCKS)[row];
  const span =
    spans && (spanAt(spans, at) ?? spanAt(spans, at - slack) ?? spanAt(spans, at + slack));
  return span ? { what: inRows ? 'function' : 'lock', task, span } : null;
}
