/** Every command, with the keys that run it. The list that `?` shows and the palette are this one. */
import {
  compare,
  end,
  goOperation,
  goPlace,
  place,
  running,
  setRunning,
  stopComparing,
} from './compare/comparing.ts';
import { copyLink } from './copy.ts';
import { covered } from './dialog.tsx';
import { go, goChange, goEvent, goTask } from './store/going.ts';
import {
  compared,
  editable,
  helping,
  introducing,
  length,
  playing,
  recording,
  runnable,
  setChecking,
  setEditing,
  setHelping,
  setIntroducing,
  setPlaying,
  setSearching,
  setSelected,
  step,
} from './store/state.ts';
import { nextTheme } from './theme.ts';
import { fit, pan, room, zoom } from './timeline/sight.ts';

export interface Command {
  /** None: the palette has it alone. */
  readonly keys?: readonly string[];
  readonly what: string;
  run(key: string): void;
}

/** What can be done whatever is shown. */
const COMMON: readonly Command[] = [
  { keys: ['p'], what: 'the program', run: () => setEditing(editable.value) },
  {
    keys: ['k'],
    what: 'check it: try the orders of its steps',
    run: () => setChecking(runnable.value),
  },
  { keys: ['y'], what: 'copy a link to what is shown', run: () => void copyLink() },
  {
    keys: ['Ctrl K', '/'],
    what: 'the command palette: find a command, a program, a function or a page',
    run: () => setSearching(true),
  },
  { what: 'light or dark', run: nextTheme },
  {
    keys: ['i'],
    what: 'the introduction: what one sees, and what migrate-on-fault does',
    run: introduce,
  },
  { keys: ['?'], what: 'this list', run: () => setHelping(!helping.value) },
];

const COMMANDS: readonly Command[] = [
  { keys: ['→', 'l'], what: 'one step on', run: () => go(step.value + 1) },
  { keys: ['←', 'h'], what: 'one step back', run: () => go(step.value - 1) },
  { keys: ['Shift →'], what: 'ten steps on', run: () => go(step.value + 10) },
  { keys: ['Shift ←'], what: 'ten steps back', run: () => go(step.value - 10) },
  { keys: ['Home'], what: 'to the beginning', run: () => go(0) },
  { keys: ['End'], what: 'to the end', run: () => go(length.value) },
  { keys: ['Space'], what: 'play, or stop', run: () => setPlaying(!playing.value) },
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
  {
    keys: ['v'],
    what: 'compare two walks',
    run: () => void (editable.value ? compare() : undefined),
  },
  ...COMMON,
];

/** The same keys where two walks are compared. */
const COMPARE_COMMANDS: readonly Command[] = [
  { keys: ['→', 'l'], what: 'both one step on', run: () => goPlace(place.value + 1) },
  { keys: ['←', 'h'], what: 'both one step back', run: () => goPlace(place.value - 1) },
  { keys: ['Shift →'], what: 'both ten steps on', run: () => goPlace(place.value + 10) },
  { keys: ['Shift ←'], what: 'both ten steps back', run: () => goPlace(place.value - 10) },
  { keys: ['o'], what: 'to the end of this operation, or of the next', run: () => goOperation(1) },
  { keys: ['O'], what: 'back to the end of the operation before', run: () => goOperation(-1) },
  { keys: ['Home'], what: 'to the beginning', run: () => goPlace(0) },
  { keys: ['End'], what: 'to the end', run: () => goPlace(end.value) },
  { keys: ['Space'], what: 'play, or stop', run: () => setRunning(!running.value) },
  { keys: ['Escape', 'v'], what: 'back to one walk', run: close },
  ...COMMON,
];

/** The introduction is about one walk's steps. */
function introduce(): void {
  stopComparing();
  setIntroducing(true);
}

/** The commands of what is shown. */
export const commands = (): readonly Command[] => (compared.value ? COMPARE_COMMANDS : COMMANDS);

function close(): void {
  if (introducing.value) setIntroducing(false);
  else if (compared.value) stopComparing();
  else setSelected('');
}

const NAMES: Record<string, string> = { ArrowRight: '→', ArrowLeft: '←', ' ': 'Space' };

/** What a key is called in the list. */
function nameOf(event: KeyboardEvent): string {
  const name = NAMES[event.key] ?? event.key;
  if (event.ctrlKey || event.metaKey) return `Ctrl ${name.toUpperCase()}`;
  return event.shiftKey && '→←'.includes(name) ? `Shift ${name}` : name;
}

export function onKey(event: KeyboardEvent): void {
  const target = event.target as HTMLElement;
  if (event.defaultPrevented || covered()) return;
  const name = nameOf(event);
  const typing = target.matches('textarea, input, select, [contenteditable]');
  if (typing && event.key !== 'Escape' && !name.startsWith('Ctrl')) return;
  // a button that has the focus is pressed with the space bar
  if (event.key === ' ' && target.matches('button')) return;
  if (event.altKey) {
    if (compared.value || !/^[1-4]$/.test(name) || !recording.value) return;
    goTask(Number(name) - 1, -1);
    event.preventDefault();
    return;
  }
  const command = commands().find(({ keys }) => keys?.includes(name));
  if (!command) return;
  event.preventDefault();
  command.run(name);
}
