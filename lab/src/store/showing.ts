/** Recording what is to be shown, and what there is to see of it. */
import { computed } from '@preact/signals';
import { parseAnyProgram, ScheduleError, type Walk } from '../../../src/checker/index.ts';
import {
  type ItemChange,
  type Recordable,
  type Recording,
  recordInSlices,
} from '../../../src/recording/index.ts';
import { isKept, LinkError } from '../../../src/recording/internal.ts';
import { type Mistake, mistakeOf } from '../mistake.ts';
import { readText } from '../reading.ts';
import { type Lane, lanesOf } from '../timeline/lanes.ts';
import { name, present, recording, setMaking, setSoFar, step, text, walk } from './state.ts';

export const moment = computed(() => recording.value?.moment(step.value) ?? null);
/** What the step before this moment changed. */
export const changes = computed<readonly ItemChange[]>(() =>
  recording.value && step.value > 0 ? recording.value.changes(step.value - 1) : [],
);
export const changedKeys = computed(() => new Set(changes.value.map(({ key }) => key)));
/** The step that led to this moment. */
export const lastStep = computed(() =>
  recording.value && step.value > 0 ? recording.value.step(step.value - 1) : null,
);
export const lanes = computed<readonly Lane[]>(() =>
  recording.value ? lanesOf(recording.value) : [],
);

/** Counts what was asked to be shown: only the last one is. */
let asked = 0;

/** What is being recorded is not wanted any more. */
export function giveUp(): void {
  asked++;
  setMaking(null);
}

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

/**
 * Records a program or a scenario and shows it.
 * @throws ProgramError, ScheduleError, LinkError when it cannot be shown; what was shown stays
 */
export async function show(program: Recordable, source: string, how: How = {}): Promise<void> {
  const mine = ++asked;
  const { name: called = '', walk: by = walk.value, schedule, hardware = false } = how;
  let made: Recording | null = null;
  try {
    setMaking({ name: called, walk: by });
    setSoFar(0);
    made = await recordInSlices(program, {
      walk: by,
      hardware,
      ...(schedule ? { schedule } : {}),
      async pause(steps) {
        await breathe();
        if (mine === asked) setSoFar(steps);
        return mine === asked;
      },
    });
  } finally {
    if (mine === asked) setMaking(null);
  }
  if (!made || mine !== asked) return;
  const at = how.step === 'end' ? made.length : (how.step ?? 0);
  if (at > made.length) {
    throw new LinkError(`There is no step ${at}: the schedule has ${made.length}.`);
  }
  const selected = how.selected ?? '';
  present({ text: source, name: called, walk: by, recording: made, step: at, selected });
}

/**
 * Runs a text and shows it.
 * @returns the mistake in it, if there is one: then what was shown stays
 */
export async function run(source: string, how: How = {}): Promise<Mistake | null> {
  try {
    await show(parseAnyProgram(readText(source)), source, how);
    return null;
  } catch (error) {
    if (error instanceof ScheduleError || error instanceof LinkError) throw error;
    return mistakeOf(source, error);
  }
}

/** The same program with another walk. */
export async function chooseWalk(other: Walk): Promise<void> {
  const shown = recording.value;
  if (!shown || isKept(shown)) return;
  await show(shown.program, text.value, { name: name.value, walk: other });
}
