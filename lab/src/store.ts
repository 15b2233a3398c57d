/** What the page shows, and what one can do with it. */
import { batch, computed, effect, signal } from '@preact/signals';
import { parseAnyProgram, ScheduleError, WALKS, type Walk } from '../../src/checker/index.ts';
import {
  type Change,
  type EventKind,
  functionSpans,
  isScenario,
  type Recordable,
  type Recording,
  recordInSlices,
  type Span,
} from '../../src/recording/index.ts';
import { type Compared, decodeLink, encodeLink, LinkError } from '../../src/recording/link.ts';
import { type Entry, GALLERY } from './gallery.ts';
import { type Mistake, mistakeOf } from './mistake.ts';
import type { Lane } from './timeline/timeline-draw.ts';

export { WALKS };

/** What could not be shown, and why. */
export interface Trouble {
  readonly title: string;
  readonly text: string;
}

/** Name of the gallery's program; empty: the text is one's own. */
export const name = signal('');
export const text = signal('');
export const walk = signal<Walk>('unified');
export const recording = signal<Recording | null>(null);
/** The recording that is being made, if one is: until it is there, what was shown stays. */
export const making = signal<{ readonly name: string; readonly walk: Walk } | null>(null);
/** Steps that it has so far. */
export const soFar = signal(0);
export const step = signal(0);
export const selected = signal('');
/** Two walks side by side; null: one alone. */
export const compared = signal<Compared | null>(null);
export const trouble = signal<Trouble | null>(null);
export const playing = signal(false);
export const helping = signal(false);
export const editing = signal(false);
/** The dialog that checks is open; a check is under way. */
export const checking = signal(false);
export const busy = signal(false);

/** What is shown is a program, whose text can be changed. */
export const editable = computed(() => !recording.value || !isScenario(recording.value.program));
/** The gallery's entry of what is shown. */
export const entry = computed(() => GALLERY.find((one) => one.name === name.value) ?? null);
/** The command palette is open. */
export const searching = signal(false);
/** The introduction is shown. */
export const introducing = signal(false);

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

/** How something is to be shown. */
export interface How {
  /** In the gallery. */
  readonly name?: string;
  readonly walk?: Walk;
  readonly hardware?: boolean;
  readonly schedule?: string;
  /** Where to stand; `end`: after the last step. */
  readonly step?: number | 'end';
  readonly selected?: string;
}

/** Lets the page draw and answer before what comes next. */
export function breathe(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}

/** Counts what was asked to be shown: only the last one is. */
let asked = 0;

/**
 * Records a program or a scenario and shows it.
 * @throws ProgramError, ScheduleError, LinkError when it cannot be shown; what was shown stays
 */
export async function show(program: Recordable, source: string, how: How = {}): Promise<void> {
  const mine = ++asked;
  const { name: called = '', walk: by = walk.value, schedule, hardware = false } = how;
  let made: Recording | null = null;
  try {
    making.value = { name: called, walk: by };
    soFar.value = 0;
    made = await recordInSlices(program, {
      walk: by,
      hardware,
      ...(schedule ? { schedule } : {}),
      async pause(steps) {
        await breathe();
        if (mine === asked) soFar.value = steps;
        return mine === asked;
      },
    });
  } finally {
    if (mine === asked) making.value = null;
  }
  if (!made || mine !== asked) return;
  const at = how.step === 'end' ? made.length : (how.step ?? 0);
  if (at > made.length) {
    throw new LinkError(`There is no step ${at}: the schedule has ${made.length}.`);
  }
  batch(() => {
    text.value = source;
    name.value = called;
    walk.value = by;
    recording.value = made;
    step.value = at;
    selected.value = how.selected ?? '';
    trouble.value = null;
    playing.value = false;
    // a place of one program is none of another's
    if (compared.value) compared.value = editable.value ? { ...compared.value, place: -1 } : null;
  });
}

/**
 * Runs a text and shows it.
 * @returns the mistake in it, if there is one: then what was shown stays
 */
export async function run(source: string, how: How = {}): Promise<Mistake | null> {
  try {
    await show(parseAnyProgram(JSON.parse(source)), source, how);
    return null;
  } catch (error) {
    if (error instanceof ScheduleError || error instanceof LinkError) throw error;
    return mistakeOf(source, error);
  }
}

/** What a gallery's entry stands for: a scenario, or a program. */
export async function subjectOf(entry: Entry): Promise<{ program: Recordable; source: string }> {
  const source = await entry.load();
  const scenario = await entry.scenario?.();
  return { program: scenario ?? parseAnyProgram(JSON.parse(source)), source };
}

/**
 * Shows a program of the gallery. One that is there for a mistake is checked as well, unless a schedule
 * is given that shows it.
 */
export async function openGallery(which: string, how: Omit<How, 'name'> = {}): Promise<void> {
  const entry = GALLERY.find((one) => one.name === which);
  if (!entry) throw new LinkError(`There is no program “${which}” in this gallery.`);
  const { program, source } = await subjectOf(entry);
  const walk = how.walk ?? entry.walk;
  await show(program, source, { ...how, name: which, ...(walk ? { walk } : {}) });
  if (entry.plan && how.schedule === undefined && name.value === which) {
    const { checkMistake } = await import('./check/checking.ts');
    await checkMistake(entry);
  }
}

/** The same for somebody who chose it: what goes wrong is shown. */
export async function openProgram(which: string): Promise<void> {
  try {
    await openGallery(which);
  } catch (error) {
    trouble.value = {
      title: 'This program cannot be shown',
      text: error instanceof Error ? error.message : String(error),
    };
  }
}

/** The same program with another walk. */
export async function chooseWalk(other: Walk): Promise<void> {
  const shown = recording.value;
  if (!shown) return;
  await show(shown.program, text.value, { name: name.value, walk: other });
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
    const { program, ...how } = link;
    if ('name' in program) await openGallery(program.name, how);
    else {
      const mistake = await run(program.text, how);
      if (mistake) throw new LinkError(mistake.message);
    }
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
  const { schedule, walk, hardware } = shown;
  return encodeLink({
    program,
    walk,
    hardware,
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
