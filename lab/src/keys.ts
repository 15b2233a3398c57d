/** What keys do. The list that `?` shows is this one. */
import { compare, end, goOperation, goPlace, place, running, stopComparing } from './comparing.ts';
import { fit, pan, room, zoom } from './sight.ts';
import {
  compared,
  editing,
  go,
  goChange,
  goEvent,
  goTask,
  helping,
  length,
  playing,
  recording,
  selected,
  step,
} from './store.ts';

export interface Key {
  readonly keys: readonly string[];
  readonly what: string;
  run(key: string): void;
}

export const KEYS: readonly Key[] = [
  { keys: ['→', 'l'], what: 'one step on', run: () => go(step.value + 1) },
  { keys: ['←', 'h'], what: 'one step back', run: () => go(step.value - 1) },
  { keys: ['Shift →'], what: 'ten steps on', run: () => go(step.value + 10) },
  { keys: ['Shift ←'], what: 'ten steps back', run: () => go(step.value - 10) },
  { keys: ['Home'], what: 'to the beginning', run: () => go(0) },
  { keys: ['End'], what: 'to the end', run: () => go(length.value) },
  { keys: ['Space'], what: 'play, or stop', run: () => void (playing.value = !playing.value) },
  { keys: ['e'], what: 'to the next event', run: () => goEvent('', 1) },
  { keys: ['E'], what: 'to the last event', run: () => goEvent('', -1) },
  { keys: ['o'], what: 'to the next operation', run: () => goEvent('operation', 1) },
  { keys: ['O'], what: 'to the last operation', run: () => goEvent('operation', -1) },
  { keys: ['c'], what: 'to the next change of what is selected', run: () => goChange(1) },
  { keys: ['C'], what: 'to its last change', run: () => goChange(-1) },
  {
    keys: ['1', '2', '3', '4'],
    what: 'to the next step of that task (Alt: the last one)',
    run: (key) => goTask(Number(key) - 1, 1),
  },
  { keys: ['+', '='], what: 'timeline: larger', run: () => zoom(1.6) },
  { keys: ['-'], what: 'timeline: smaller', run: () => zoom(1 / 1.6) },
  { keys: ['0'], what: 'timeline: all of it', run: fit },
  {
    keys: ['Ctrl →', ']'],
    what: 'timeline: look further on',
    run: () => pan(room.value / 4),
  },
  {
    keys: ['Ctrl ←', '['],
    what: 'timeline: look further back',
    run: () => pan(-room.value / 4),
  },
  { keys: ['Escape'], what: 'select nothing; close what is open', run: close },
  { keys: ['v'], what: 'compare two walks', run: () => compare() },
  { keys: ['p'], what: 'the program', run: () => void (editing.value = true) },
  { keys: ['?'], what: 'this list', run: () => void (helping.value = !helping.value) },
];

/** The same keys where two walks are compared. */
export const COMPARE_KEYS: readonly Key[] = [
  { keys: ['→', 'l'], what: 'both one step on', run: () => goPlace(place.value + 1) },
  { keys: ['←', 'h'], what: 'both one step back', run: () => goPlace(place.value - 1) },
  { keys: ['Shift →'], what: 'both ten steps on', run: () => goPlace(place.value + 10) },
  { keys: ['Shift ←'], what: 'both ten steps back', run: () => goPlace(place.value - 10) },
  { keys: ['o'], what: 'to the end of this operation, or of the next', run: () => goOperation(1) },
  { keys: ['O'], what: 'back to the end of the operation before', run: () => goOperation(-1) },
  { keys: ['Home'], what: 'to the beginning', run: () => goPlace(0) },
  { keys: ['End'], what: 'to the end', run: () => goPlace(end.value) },
  { keys: ['Space'], what: 'play, or stop', run: () => void (running.value = !running.value) },
  { keys: ['Escape', 'v'], what: 'back to one walk', run: close },
  { keys: ['p'], what: 'the program', run: () => void (editing.value = true) },
  { keys: ['?'], what: 'this list', run: () => void (helping.value = !helping.value) },
];

function close(): void {
  if (helping.value || editing.value) {
    helping.value = false;
    editing.value = false;
  } else if (compared.value) stopComparing();
  else selected.value = '';
}

const NAMES: Record<string, string> = { ArrowRight: '→', ArrowLeft: '←', ' ': 'Space' };

export function onKey(event: KeyboardEvent): void {
  const target = event.target as HTMLElement;
  const typing = target.matches('textarea, input, select');
  const arrow = event.key === 'ArrowRight' || event.key === 'ArrowLeft';
  if ((event.ctrlKey && !arrow) || event.metaKey) return;
  if (typing && event.key !== 'Escape') return;
  if ((helping.value || editing.value) && event.key !== 'Escape' && event.key !== '?') return;
  // a button that has the focus is pressed with the space bar
  if (event.key === ' ' && target.matches('button, summary')) return;
  let name = NAMES[event.key] ?? event.key;
  if (event.ctrlKey) name = `Ctrl ${name}`;
  if (event.shiftKey && name.length === 1 && '→←'.includes(name)) name = `Shift ${name}`;
  if (!compared.value && event.altKey && /^[1-4]$/.test(name) && recording.value) {
    goTask(Number(name) - 1, -1);
    event.preventDefault();
    return;
  }
  const key = (compared.value ? COMPARE_KEYS : KEYS).find(({ keys }) => keys.includes(name));
  if (!key) return;
  event.preventDefault();
  key.run(name);
}
