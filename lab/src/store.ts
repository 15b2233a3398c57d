/** What the page shows, and what one can do with it. */
import { batch, computed, effect, signal } from '@preact/signals';
import {
  ProgramError,
  parseAnyProgram,
  ScheduleError,
  WALKS,
  type Walk,
} from '../../src/checker/index.ts';
import {
  type Change,
  type EventKind,
  functionSpans,
  type Recording,
  record,
  type Span,
} from '../../src/recording/index.ts';
import { GALLERY } from './gallery.ts';
import { type Compared, decodeLink, encodeLink, LinkError } from './link.ts';
import type { Lane } from './timeline-draw.ts';

export { WALKS };

/** What could not be shown, and why. */
export interface Trouble {
  readonly title: string;
  readonly text: string;
}

/** A mistake in the editor's text. */
export interface Mistake {
  readonly message: string;
  /** Characters of the text; -1: nowhere in particular. */
  readonly from: number;
  readonly to: number;
}

/** Name of the gallery's program; empty: the text is one's own. */
export const name = signal('');
export const text = signal('');
export const walk = signal<Walk>('unified');
export const recording = signal<Recording | null>(null);
export const step = signal(0);
export const selected = signal('');
/** Two walks side by side; null: one alone. */
export const compared = signal<Compared | null>(null);
export const trouble = signal<Trouble | null>(null);
export const playing = signal(false);
export const helping = signal(false);
export const editing = signal(false);

export const length = computed(() => recording.value?.length ?? 0);
export const moment = computed(() => recording.value?.moment(step.value) ?? null);
/** What the step before this moment changed. */
export const changes = computed<readonly Change[]>(() =>
  recording.value && step.value > 0 ? recording.value.changes(step.value - 1) : [],
);
export const changedKeys = computed(() => new Set(changes.value.map(({ key }) => key)));
/** The step that led to this moment. */
export const lastStep = computed(() =>
  recording.value && step.value > 0 ? recording.value.step(step.value - 1) : null,
);

/** By kind: the steps with such an event of a task. */
function eventsOf({ events }: Recording, task: number): Map<string, Int32Array> {
  const lists = new Map<string, number[]>();
  for (const { at, task: by, kind } of events) {
    if (by !== task) continue;
    const list = lists.get(kind);
    if (list) list.push(at);
    else lists.set(kind, [at]);
  }
  return new Map([...lists].map(([kind, list]) => [kind, Int32Array.from(list)]));
}

function byDepth(spans: readonly Span[]): Span[][] {
  const rows: Span[][] = [];
  for (const span of spans) {
    while (rows.length <= span.depth) rows.push([]);
    rows[span.depth].push(span);
  }
  return rows;
}

export const lanes = computed<readonly Lane[]>(() => {
  const shown = recording.value;
  if (!shown) return [];
  return shown.tasks.map((name, task) => {
    const steps: number[] = [];
    for (let at = 0; at < shown.length; at++) if (shown.taskAt(at) === task) steps.push(at);
    const own = (spans: readonly Span[]) => spans.filter((span) => span.task === task);
    return {
      name,
      steps: Int32Array.from(steps),
      rows: byDepth(functionSpans(shown, task)),
      held: byDepth(own(shown.held)),
      waited: own(shown.waited),
      events: eventsOf(shown, task),
    };
  });
});

/** Where in a text the mistake is that an error tells of. */
export function mistakeOf(source: string, error: unknown): Mistake {
  const nowhere = { from: -1, to: -1 };
  if (error instanceof SyntaxError) {
    const at = /position (\d+)/.exec(error.message);
    const from = at ? Number(at[1]) : source.length;
    return {
      message: `This is not JSON: ${error.message}`,
      from,
      to: Math.min(from + 1, source.length),
    };
  }
  if (!(error instanceof ProgramError)) return { message: String(error), ...nowhere };
  const { place } = error;
  return { message: error.message, ...(place ? rangeOf(source, place) : nowhere) };
}

/** The characters of the operation, or of its field. */
function rangeOf(source: string, place: ProgramError['place']): { from: number; to: number } {
  const list = place.list ?? (place.opIndex === undefined ? undefined : 'ops');
  let [from, to] = [0, source.length];
  if (list !== undefined) {
    const at = source.search(new RegExp(`"${list.replace(/[^\w ]/g, '\\$&')}"\\s*:\\s*\\[`));
    if (at >= 0) {
      from = source.indexOf('[', at);
      const found = place.opIndex === undefined ? null : nthObject(source, from + 1, place.opIndex);
      if (found) [from, to] = found;
    }
  }
  const field = place.field?.replace(/^.*\.|\[.*$/g, '');
  if (field !== undefined) {
    const at = new RegExp(
      `"${field.replace(/[^\w ]/g, '\\$&')}"\\s*:\\s*("(?:[^"\\\\]|\\\\.)*"|[^,}\\]\\s]+)?`,
    );
    const match = at.exec(source.slice(from, to));
    if (match) return { from: from + match.index, to: from + match.index + match[0].length };
  }
  return from === 0 && to === source.length ? { from: -1, to: -1 } : { from, to };
}

/** The n-th object of an array whose first character is at `at`. */
function nthObject(source: string, at: number, n: number): [from: number, to: number] | null {
  let depth = 0;
  let start = 0;
  let inString = false;
  for (let i = at; i < source.length; i++) {
    const c = source[i];
    if (inString) {
      if (c === '\\') i++;
      else if (c === '"') inString = false;
    } else if (c === '"') inString = true;
    else if (c === '{' || c === '[') {
      if (depth++ === 0) start = i;
    } else if (c === '}' || c === ']') {
      if (depth === 0) return null;
      if (--depth === 0 && n-- === 0) return [start, i + 1];
    }
  }
  return null;
}

/**
 * Runs a text and shows it.
 * @returns the mistake in it, if there is one: then what was shown stays
 */
export function run(
  source: string,
  options: { schedule?: string; name?: string } = {},
): Mistake | null {
  try {
    const program = parseAnyProgram(JSON.parse(source));
    const { schedule } = options;
    const made = record(program, { walk: walk.value, ...(schedule ? { schedule } : {}) });
    batch(() => {
      text.value = source;
      name.value = options.name ?? '';
      recording.value = made;
      step.value = 0;
      selected.value = '';
      trouble.value = null;
      playing.value = false;
      if (compared.value) compared.value = { ...compared.value, place: -1 };
    });
    return null;
  } catch (error) {
    if (error instanceof ScheduleError) throw error;
    return mistakeOf(source, error);
  }
}

export async function openGallery(which: string, schedule?: string): Promise<void> {
  const entry = GALLERY.find((one) => one.name === which);
  if (!entry) throw new LinkError(`There is no program “${which}” in this gallery.`);
  const mistake = run(await entry.load(), { name: which, ...(schedule ? { schedule } : {}) });
  if (mistake) throw new Error(mistake.message);
}

/** The same program with another walk. */
export function chooseWalk(other: Walk): void {
  walk.value = other;
  run(text.value, { name: name.value });
}

/** Shows what a link says; what is wrong with it is shown instead. */
export async function follow(hash: string): Promise<void> {
  try {
    const link = await decodeLink(hash);
    if (!link) {
      compared.value = null;
      await openGallery(GALLERY[0].name);
      return;
    }
    walk.value = link.walk;
    const { program, schedule } = link;
    if ('name' in program) await openGallery(program.name, schedule);
    else {
      const mistake = run(program.text, { schedule });
      if (mistake) throw new LinkError(mistake.message);
    }
    if (link.step > length.value) {
      throw new LinkError(`There is no step ${link.step}: the schedule has ${length.value}.`);
    }
    step.value = link.step;
    selected.value = link.selected;
    compared.value = link.compared;
  } catch (error) {
    const known = error instanceof LinkError || error instanceof ScheduleError;
    trouble.value = {
      title: 'This link cannot be shown',
      text: known ? (error as Error).message : String(error),
    };
    recording.value = null;
  }
}

/** The address of what is shown. */
export async function here(): Promise<string> {
  const shown = recording.value;
  if (!shown) return '';
  const program = name.value === '' ? { text: text.value } : { name: name.value };
  const { schedule } = shown;
  return encodeLink({
    program,
    walk: walk.value,
    schedule,
    step: step.value,
    selected: selected.value,
    compared: compared.value,
  });
}

/** Keeps the address current. */
export function keepAddress(): void {
  let timer = 0;
  effect(() => {
    // what the address depends on
    void [recording.value, step.value, selected.value, walk.value, compared.value];
    clearTimeout(timer);
    timer = window.setTimeout(async () => {
      const hash = await here();
      if (hash !== '') history.replaceState(null, '', hash);
    }, 120);
  });
}

// ---- going ----

export function go(to: number): void {
  step.value = Math.max(0, Math.min(length.value, to));
}

/** To the next or last step of a task: the moment after it. */
export function goTask(task: number, by: 1 | -1): void {
  const { steps } = lanes.value[task] ?? { steps: new Int32Array() };
  const now = step.value - 1;
  const at = by > 0 ? steps.find((s) => s > now) : steps.findLast((s) => s < now);
  if (at !== undefined) go(at + 1);
}

export function goEvent(kind: EventKind | '', by: 1 | -1): void {
  const events = recording.value?.events ?? [];
  const now = step.value - 1;
  const fits = (e: { at: number; kind: EventKind }): boolean =>
    (kind === '' || e.kind === kind) && (by > 0 ? e.at > now : e.at < now);
  const event = by > 0 ? events.find(fits) : events.findLast(fits);
  if (event) go(event.at + 1);
}

/** To the next or last change of the selected item. */
export function goChange(by: 1 | -1): void {
  if (!recording.value || selected.value === '') return;
  const history = recording.value.history(selected.value);
  const now = step.value - 1;
  const at = by > 0 ? history.find((h) => h.at > now)?.at : history.findLast((h) => h.at < now)?.at;
  if (at !== undefined) go(at + 1);
}

export function select(key: string): void {
  selected.value = selected.value === key ? '' : key;
}
