/** What the timeline shows of a recording: from which step, how large, and which events. */
import { batch } from '@preact/signals';
import { owned } from '../owned.ts';
import { length, step } from '../store/state.ts';

/** First step that is seen. */
const [from, setFrom] = owned(0);
/** Pixels a step. */
const [scale, setScale] = owned(12);
/** Pixels that steps have. */
export const [room, setRoom] = owned(800);
/** Kinds of events that are not drawn. */
const [hidden, setHidden] = owned<ReadonlySet<string>>(new Set());

export { from, hidden, scale };

/** Both, to draw with. */
export const sight = () => ({ from: from.value, scale: scale.value });

/** Steps that the whole needs. */
const whole = (): number => Math.max(1, length.value + 2);
/** Steps that are seen. */
export const seen = (): number => room.value / scale.value;

function look(at: number, size: number): void {
  batch(() => {
    setScale(Math.min(40, Math.max(Math.min(8, room.value / whole()), size)));
    setFrom(Math.max(0, Math.min(at, whole() - seen())));
  });
}

/** Larger or smaller; the step at pixel `x` stays where it is. */
export function zoom(factor: number, x = xOf(step.value)): void {
  const at = from.value + x / scale.value;
  batch(() => {
    look(from.value, scale.value * factor);
    look(at - x / scale.value, scale.value);
  });
}

/** The pixel of a step; the middle where it cannot be seen. */
function xOf(at: number): number {
  const x = (at - from.value) * scale.value;
  return x >= 0 && x <= room.value ? x : room.value / 2;
}

export function pan(pixels: number): void {
  look(from.value + pixels / scale.value, scale.value);
}

export function lookAt(at: number): void {
  look(at - seen() / 2, scale.value);
}

/** From `at` on. */
export function lookFrom(at: number): void {
  look(at, scale.value);
}

/** All of it. */
export function fit(): void {
  look(0, 0);
}

/** As a new recording is seen: from its beginning, or where a link stands in it. */
export function start(): void {
  look(0, 12);
  follow();
}

/** Brings where one stands back into sight. */
export function follow(): void {
  const at = step.value;
  if (at < from.value || at > from.value + seen() - 2) lookAt(at);
}

export function toggle(kind: string): void {
  const next = new Set(hidden.value);
  if (!next.delete(kind)) next.add(kind);
  setHidden(next);
}
