/** Going from moment to moment, and selecting what is to be followed. */
import type { EventKind } from '../../../src/recording/index.ts';
import { lanes } from './showing.ts';
import { length, recording, selected, setSelected, setStep, step } from './state.ts';

export function go(to: number): void {
  setStep(Math.max(0, Math.min(length.value, to)));
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
  setSelected(selected.value === key ? '' : key);
}
