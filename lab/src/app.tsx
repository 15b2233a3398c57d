import { useSignalEffect } from '@preact/signals';
import { useEffect, useState } from 'preact/hooks';
import { WALKS } from '../../src/checker/index.ts';
import type { EventKind } from '../../src/recording/index.ts';
import { compare, stopComparing } from './compare/comparing.ts';
import { copyLink } from './copy.ts';
import { ExportMenu } from './export/export-menu.tsx';
import { GALLERY } from './gallery.ts';
import { Help } from './help.tsx';
import { onKey } from './keys.ts';
import { lazy } from './lazy.tsx';
import { Notices, Story } from './notices.tsx';
import { Changes, Why } from './panels/happened.tsx';
import { Memory } from './panels/memory.tsx';
import { Spaces } from './panels/spaces.tsx';
import { rove } from './roving.ts';
import { go, goChange, goEvent, goTask } from './store/going.ts';
import { openProgram } from './store/opening.ts';
import { chooseWalk } from './store/showing.ts';
import {
  busy,
  checking,
  compared,
  editable,
  editing,
  helping,
  introducing,
  length,
  making,
  name,
  playing,
  recording,
  runnable,
  searching,
  selected,
  setChecking,
  setEditing,
  setHelping,
  setPlaying,
  setSearching,
  step,
  trouble,
  walk,
} from './store/state.ts';
import { nextTheme, theme } from './theme.ts';
import { Timeline } from './timeline/timeline.tsx';

const Compare = lazy(() => import('./compare/compare.tsx').then(({ Compare }) => Compare));
const Editor = lazy(() => import('./editor/editor.tsx').then(({ Editor }) => Editor));
const Tip = lazy(() => import('./explain/tip.tsx').then(({ Tip }) => Tip));
const Tour = lazy(() => import('./explain/tour.tsx').then(({ Tour }) => Tour));
const Palette = lazy(() => import('./palette.tsx').then(({ Palette }) => Palette));
const CheckDialog = lazy(() => import('./check/check.tsx').then(({ CheckDialog }) => CheckDialog));

const EVENT_KINDS: readonly EventKind[] = [
  'operation',
  'page fault',
  'TLB flush',
  'invalidation',
  'copy',
  'allocation',
  'failed allocation',
  'migration entry',
  'page migrated',
  'split',
  'walk',
  'folio locked',
  'finding',
];

function Programs() {
  const groups = [...new Set(GALLERY.map(({ group }) => group))];
  return (
    <label class="field">
      <span>Program</span>
      <select
        aria-label="Program"
        value={making.value?.name ?? name.value}
        onChange={(event) => openProgram(event.currentTarget.value)}
      >
        {(making.value?.name ?? name.value) === '' ? (
          <option value="">
            {runnable.value ? 'your own' : `trace: ${recording.value?.program.name}`}
          </option>
        ) : null}
        {groups.map((group) => (
          <optgroup label={group} key={group}>
            {GALLERY.filter((entry) => entry.group === group).map((entry) => (
              <option value={entry.name} key={entry.name}>
                {entry.title}
              </option>
            ))}
          </optgroup>
        ))}
      </select>
    </label>
  );
}

function Go(props: { label: string; title: string; onClick: () => void; off?: boolean }) {
  const { label, title, onClick, off } = props;
  return (
    <button
      type="button"
      class="go"
      title={title}
      aria-label={title}
      disabled={off}
      onClick={onClick}
    >
      {label}
    </button>
  );
}

/** What one can jump to that is no event. */
const CHANGE = 'change of what is selected';
const TASK = 'step of ';
const JUMPS: readonly string[] = [...EVENT_KINDS, CHANGE];

function goTo(jump: string, tasks: readonly string[], by: 1 | -1): void {
  if (jump === CHANGE) goChange(by);
  else if (jump.startsWith(TASK)) goTask(tasks.indexOf(jump.slice(TASK.length)), by);
  else goEvent(jump as EventKind, by);
}

function Transport() {
  const [kind, setKind] = useState('operation');
  const tasks = recording.value?.tasks ?? [];
  // a task of the last program may be none of this one
  const jump = JUMPS.includes(kind) || tasks.includes(kind.slice(TASK.length)) ? kind : 'operation';
  const unselected = jump === CHANGE && selected.value === '';
  const [first, end] = [step.value === 0, step.value === length.value];
  return (
    <fieldset class="transport" aria-label="Steps">
      <Go label="«" title="To the beginning (Home)" off={first} onClick={() => go(0)} />
      <Go label="◀" title="One step back (←)" off={first} onClick={() => go(step.value - 1)} />
      <input
        type="number"
        aria-label="Step"
        min={0}
        max={length.value}
        value={step.value}
        onChange={(event) => go(Number(event.currentTarget.value))}
      />
      <span class="of">of {length.value}</span>
      <Go label="▶" title="One step on (→)" off={end} onClick={() => go(step.value + 1)} />
      <Go label="»" title="To the end (End)" off={end} onClick={() => go(length.value)} />
      <button type="button" title="Play (space bar)" onClick={() => setPlaying(!playing.value)}>
        {playing.value ? 'Stop' : 'Play'}
      </button>
      <span class="sep" />
      <Go
        label="‹"
        title={`To the last ${jump}`}
        off={unselected}
        onClick={() => goTo(jump, tasks, -1)}
      />
      <select
        aria-label="Jump to"
        title="What ‹ and › jump to: an event of this kind, a change of what is selected, a step of a task"
        value={jump}
        onChange={(event) => setKind(event.currentTarget.value)}
      >
        <optgroup label="Events">
          {EVENT_KINDS.map((one) => (
            <option key={one}>{one}</option>
          ))}
        </optgroup>
        <optgroup label="What is selected">
          <option>{CHANGE}</option>
        </optgroup>
        <optgroup label="Steps of a task">
          {tasks.map((task) => (
            <option key={task}>{TASK + task}</option>
          ))}
        </optgroup>
      </select>
      <Go
        label="›"
        title={`To the next ${jump}`}
        off={unselected}
        onClick={() => goTo(jump, tasks, 1)}
      />
    </fieldset>
  );
}

/** Goes on by itself. */
function usePlay(): void {
  useSignalEffect(() => {
    if (!playing.value) return;
    if (step.value >= length.value) {
      setPlaying(false);
      return;
    }
    const timer = setTimeout(() => go(step.value + 1), 160);
    return () => clearTimeout(timer);
  });
}

function Finding() {
  const shown = recording.value;
  if (!shown) return null;
  if (shown.truncated) {
    return <p class="finding">The recording ends here, the program does not: it is too long.</p>;
  }
  if (!shown.finding) return null;
  const { invariant, title } = shown.finding;
  return (
    <p class="finding" role="status">
      <strong>Something breaks in the last step: {invariant}.</strong> {title}{' '}
      <button type="button" onClick={() => go(length.value)}>
        Go there
      </button>
    </p>
  );
}

export function App() {
  usePlay();
  useEffect(() => {
    const stop = rove(document.getElementById('app') as HTMLElement);
    document.addEventListener('keydown', onKey);
    return () => {
      stop();
      document.removeEventListener('keydown', onKey);
    };
  }, []);
  const failed = trouble.value;
  return (
    <>
      <header>
        <h1>Softleaf lab</h1>
        <Programs />
        {compared.value ? null : (
          <label class="field">
            <span>Walk</span>
            <select
              aria-label="Walk"
              title="How a migration is prepared: two walks (collect, as in 7.3.4), one (unified), or one as the series was posted"
              disabled={!runnable.value}
              value={making.value?.walk ?? walk.value}
              onChange={(event) => void chooseWalk(event.currentTarget.value as typeof walk.value)}
            >
              {WALKS.map((one) => (
                <option key={one}>{one}</option>
              ))}
            </select>
          </label>
        )}
        <button
          type="button"
          disabled={!editable.value}
          title={
            editable.value
              ? 'The program as text (p)'
              : runnable.value
                ? 'This is a scenario in JavaScript: it cannot be changed here'
                : 'This is a trace: what it was made of is not here'
          }
          onClick={() => setEditing(true)}
        >
          Edit
        </button>
        <button
          type="button"
          class={busy.value ? 'busy' : ''}
          disabled={!runnable.value}
          title={busy.value ? 'A check is under way (k)' : 'Try the orders of its steps (k)'}
          onClick={() => setChecking(true)}
        >
          Check
        </button>
        <button
          type="button"
          disabled={!editable.value}
          aria-pressed={compared.value !== null}
          title="Two walks on this program, side by side (v)"
          onClick={() => (compared.value ? stopComparing() : compare())}
        >
          Compare
        </button>
        {compared.value ? null : <Transport />}
        <span class="grow" />
        <button type="button" title="Copy a link to what is shown (y)" onClick={copyLink}>
          Link
        </button>
        {compared.value ? null : <ExportMenu />}
        <button type="button" title="Light or dark" onClick={nextTheme}>
          {theme.value === 'system' ? 'Auto' : theme.value === 'light' ? 'Light' : 'Dark'}
        </button>
        <button
          type="button"
          title="Find a command, a program, a function or a page (Ctrl K)"
          onClick={() => setSearching(true)}
        >
          Find
        </button>
        <button type="button" title="Keys (?)" aria-label="Keys" onClick={() => setHelping(true)}>
          ?
        </button>
      </header>
      {failed ? (
        <main class="trouble">
          <h2>{failed.title}</h2>
          <p role="alert">{failed.text}</p>
          <button type="button" onClick={() => openProgram(GALLERY[0].name)}>
            Open the first program
          </button>
        </main>
      ) : compared.value ? (
        <Compare />
      ) : (
        <main data-ready={recording.value ? 'yes' : 'no'}>
          <Timeline />
          <Story />
          <Finding />
          <div class="columns">
            <Spaces />
            <Memory />
            <div class="side">
              <Changes />
              <Why />
            </div>
          </div>
        </main>
      )}
      {helping.value ? <Help /> : null}
      {editing.value ? <Editor /> : null}
      {checking.value ? <CheckDialog /> : null}
      <Notices />
      {searching.value ? <Palette /> : null}
      {introducing.value && recording.value ? <Tour /> : null}
      <Tip />
    </>
  );
}
