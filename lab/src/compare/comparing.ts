/**
 * Comparing: the same program with two walks, each with its own recording, at the same place of both. The
 * place is one number: the operations one after the other, in each as many places as the longer side has
 * steps. The side that needs fewer steps waits at the end of the operation for the other.
 */
import { computed } from '@preact/signals';
import { parseAnyProgram, type Walk } from '../../../src/checker/index.ts';
import { showOp } from '../../../src/program/index.ts';
import {
  ONLY_TASK,
  type Recording,
  recordInSlices,
  walksOf,
} from '../../../src/recording/index.ts';
import { COMPARED, type Compared } from '../../../src/recording/internal.ts';
import { owned } from '../owned.ts';
import { readText } from '../reading.ts';
import { breathe } from '../store/showing.ts';
import { clear, compared, recording, setCompared, setTrouble, text } from '../store/state.ts';

/** It goes on by itself. */
export const [running, setRunning] = owned(false);

/** One operation of a side. */
interface SideOperation {
  /** First step, and first after it. */
  readonly from: number;
  readonly to: number;
  readonly what: string;
}

export interface Side {
  readonly walk: Walk;
  readonly recording: Recording;
  readonly parts: readonly SideOperation[];
  readonly walks: ReturnType<typeof walksOf>;
}

/** The last recordings of one program's text, by walk: making one takes time. */
const made = new Map<Walk, Side>();
let madeOf = '';

function partsOf(one: Recording): SideOperation[] {
  const starts = one.events.filter(({ kind }) => kind === 'operation');
  // what a task does after its last operation belongs to that
  const real = starts.filter(({ at, task }) => one.operations[task][one.step(at).op]);
  return real.map(({ at, task }, i) => {
    const op = one.operations[task][one.step(at).op];
    const who =
      one.tasks[task] === ONLY_TASK && one.tasks.length === 1 ? '' : `${one.tasks[task]}: `;
    return {
      from: i === 0 ? 0 : at,
      to: real[i + 1]?.at ?? one.length,
      what: `${who}${showOp(op)}`,
    };
  });
}

/**
 * @param goOn is told the steps so far, and says whether anybody still wants it
 * @returns null where nobody does
 */
async function sideOf(walk: Walk, goOn: (steps: number) => boolean): Promise<Side | null> {
  const source = text.value;
  if (madeOf !== source) made.clear();
  madeOf = source;
  const known = made.get(walk);
  if (known) return known;
  // both sides with their tasks in turn: a schedule of one walk is none of the other
  const one = await recordInSlices(parseAnyProgram(readText(source)), {
    walk,
    async pause(steps) {
      await breathe();
      return goOn(steps);
    },
  });
  if (!one || madeOf !== source) return null;
  const side = { walk, recording: one, parts: partsOf(one), walks: walksOf(one) };
  made.set(walk, side);
  return side;
}

/** What is to be compared: the walks and the program, as one text; empty: nothing is. */
const wanted = computed(() => {
  if (!compared.value || !recording.value) return '';
  return JSON.stringify([compared.value.walks, text.value]);
});
const [ready, setReady] = owned<{
  readonly of: string;
  readonly sides: readonly [Side, Side];
} | null>(null);
/** Steps that were recorded so far, of both. */
const [soFar, setSoFar] = owned(0);

export { soFar };

/** Both sides; null: nothing is compared, or they are not recorded yet. */
export const both = computed<readonly [Side, Side] | null>(() =>
  wanted.value !== '' && ready.value?.of === wanted.value ? ready.value.sides : null,
);

/**
 * Records what is to be compared, a little at a time.
 * @returns gives it up
 */
export function prepare(): () => void {
  const of = wanted.value;
  let given = of === '';
  const goOn =
    (before: number) =>
    (steps: number): boolean => {
      if (!given) setSoFar(before + steps);
      return !given;
    };
  const make = async (): Promise<void> => {
    if (given) return;
    const [a, b] = (compared.peek() as Compared).walks;
    const left = await sideOf(a, goOn(0));
    const right = left && (await sideOf(b, goOn(left.recording.length)));
    if (right && !given) setReady({ of, sides: [left, right] });
  };
  make().catch((error: Error) => {
    if (given) return;
    setTrouble({ title: 'These walks cannot be compared', text: error.message });
    stopComparing();
  });
  return () => {
    given = true;
  };
}

/** The operations that both have, and the place at which each begins; then the end. */
export const operations = computed(() => {
  if (!both.value) return [];
  const [a, b] = both.value;
  let start = 0;
  return Array.from({ length: Math.min(a.parts.length, b.parts.length) }, (_, i) => {
    const [left, right] = [a.parts[i], b.parts[i]];
    const long = Math.max(left.to - left.from, right.to - right.from);
    const at = start;
    start += long;
    return { at, end: start, left, right };
  });
});
export const end = computed(() => operations.value.at(-1)?.end ?? 0);

/** At the end of the first operation in which the walks differ: what a comparison begins with. */
const first = computed(() => {
  if (!both.value) return 0;
  const [a, b] = both.value.map(({ recording: one, parts }) =>
    parts.map(({ from, to }) => one.count('walks', to) - one.count('walks', from)),
  );
  const at = operations.value.findIndex((_, i) => a[i] !== b[i]);
  return operations.value[at]?.end ?? 0;
});

export const place = computed(() => {
  const at = compared.value?.place ?? 0;
  return at < 0 ? first.value : at;
});

/** The operation in which the last step was; before the first step the first. */
export const operation = computed(() => {
  const list = operations.value;
  const i = list.findIndex((one) => place.value <= one.end);
  return i < 0 ? list.length - 1 : i;
});

/** The step at which each side stands. */
export const steps = computed<readonly [number, number]>(() => {
  const one = operations.value[operation.value];
  if (!one) return [0, 0];
  const within = place.value - one.at;
  return [
    Math.min(one.left.from + within, one.left.to),
    Math.min(one.right.from + within, one.right.to),
  ];
});

export function goPlace(to: number): void {
  // a place that a link says stays until there is one to go to
  if (!compared.value || !both.value) return;
  setCompared({ ...compared.value, place: Math.max(0, Math.min(end.value, to)) });
}

/** To the end of the next operation, or to the end of the one before: what it did can be seen then. */
export function goOperation(by: 1 | -1): void {
  const ends = operations.value.map((one) => one.end);
  const now = place.value;
  goPlace(by > 0 ? (ends.find((at) => at > now) ?? now) : (ends.findLast((at) => at < now) ?? 0));
}

export function compare(which: readonly [Walk, Walk] = COMPARED): void {
  setRunning(false);
  // a place of one pair of walks is none of another's
  setCompared({ walks: which, place: -1 });
}

export function stopComparing(): void {
  setRunning(false);
  setCompared(null);
}

/** A comparison without a place gets one; a link may say a place that is not: it is refused. */
export function settle(): void {
  if (!both.value || !compared.value) return;
  if (compared.value.place < 0) goPlace(place.value);
  if (place.value <= end.value) return;
  setTrouble({
    title: 'This link cannot be shown',
    text: `The comparison has no place ${place.value}: it ends at ${end.value}.`,
  });
  stopComparing();
  clear();
}
