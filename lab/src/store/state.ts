/** What the page shows: signals, and what sets them. */
import { batch, computed } from '@preact/signals';
import type { Walk } from '../../../src/checker/index.ts';
import { isScenario, type Recording } from '../../../src/recording/index.ts';
import { type Compared, isKept } from '../../../src/recording/internal.ts';
import { owned } from '../owned.ts';

/** What could not be shown, and why. */
export interface Trouble {
  readonly title: string;
  readonly text: string;
}

// ---- what is shown ----

/** Name of the gallery's program; empty: the text is one's own. */
const [name, setName] = owned('');
const [text, setText] = owned('');
const [walk, setWalk] = owned<Walk>('unified');
const [recording, setRecording] = owned<Recording | null>(null);
/** The moment: so many steps were taken. */
export const [step, setStep] = owned(0);
/** Key of the selected item; empty: none. */
export const [selected, setSelected] = owned('');
/** Two walks side by side; null: one alone. */
export const [compared, setCompared] = owned<Compared | null>(null);
export const [trouble, setTrouble] = owned<Trouble | null>(null);
export const [playing, setPlaying] = owned(false);
export { name, recording, text, walk };

/** What is shown is a program, whose text can be changed. */
export const editable = computed(() => !recording.value || !isScenario(recording.value.program));
/** What is shown can run here: it was not read from a file that has its recording alone. */
export const runnable = computed(() => !recording.value || !isKept(recording.value));
export const length = computed(() => recording.value?.length ?? 0);

/** A recording, and where in it one stands. */
export interface Shown {
  readonly name: string;
  readonly text: string;
  readonly walk: Walk;
  readonly recording: Recording;
  readonly step: number;
  readonly selected: string;
}

/** Shows a recording in place of what was shown. */
export function present(shown: Shown): void {
  batch(() => {
    setText(shown.text);
    setName(shown.name);
    setWalk(shown.walk);
    setRecording(shown.recording);
    setStep(shown.step);
    setSelected(shown.selected);
    setTrouble(null);
    setPlaying(false);
    // a place of one program is none of another's
    if (compared.value) setCompared(editable.value ? { ...compared.value, place: -1 } : null);
  });
}

/** Nothing is shown any more. */
export function clear(): void {
  setRecording(null);
}

// ---- what is under way ----

/** The recording that is being made, if one is: until it is there, what was shown stays. */
export const [making, setMaking] = owned<{ readonly name: string; readonly walk: Walk } | null>(
  null,
);
/** Steps that it has so far. */
export const [soFar, setSoFar] = owned(0);
/** A check is under way. */
export const [busy, setBusy] = owned(false);

// ---- what is open ----

/** The list of keys. */
export const [helping, setHelping] = owned(false);
/** The program's text. */
export const [editing, setEditing] = owned(false);
/** The dialog that checks. */
export const [checking, setChecking] = owned(false);
/** The command palette. */
export const [searching, setSearching] = owned(false);
/** The introduction. */
export const [introducing, setIntroducing] = owned(false);
