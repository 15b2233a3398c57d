import { useSignalEffect } from '@preact/signals';
import { useEffect, useState } from 'preact/hooks';
import type { EventKind } from '../../src/recording/index.ts';
import { compare, stopComparing } from './comparing.ts';
import { ExportMenu } from './export-menu.tsx';
import { GALLERY } from './gallery.ts';
import { COMPARE_KEYS, KEYS, onKey } from './keys.ts';
import { lazy } from './lazy.tsx';
import { Changes, Why } from './panels/happened.tsx';
import { Memory } from './panels/memory.tsx';
import { Spaces } from './panels/spaces.tsx';
import {
  chooseWalk,
  compared,
  editing,
  go,
  goChange,
  goEvent,
  goTask,
  helping,
  length,
  name,
  openGallery,
  playing,
  recording,
  selected,
  step,
  trouble,
  WALKS,
  walk,
} from './store.ts';
import { nextTheme, theme } from './theme.ts';
import { Timeline } from './timeline.tsx';

const Compare = lazy(() => import('./compare.tsx').then(({ Compare }) => Compare));
const Editor = lazy(() => import('./editor.tsx').then(({ Editor }) => Editor));

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
        value={name.value}
        onChange={(event) => openGallery(event.currentTarget.value)}
      >
        {name.value === '' ? <option value="">your own</option> : null}
        {groups.map((group) => (
          <optgroup label={group} key={group}>
            {GALLERY.filter((entry) => entry.group === group).map((entry) => (
              <option value={entry.name} key={entry.name}>
                {entry.name}
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
      <button
        type="button"
        title="Play (space bar)"
        onClick={() => void (playing.value = !playing.value)}
      >
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

function Help() {
  return (
    <div class="over" role="dialog" aria-label="Keys" aria-modal="true">
      <div class="sheet">
        <h2>Keys</h2>
        <dl class="keys">
          {(compared.value ? COMPARE_KEYS : KEYS).map(({ keys, what }) => (
            <div key={what}>
              <dt>
                {keys.map((key) => (
                  <kbd key={key}>{key}</kbd>
                ))}
              </dt>
              <dd>{what}</dd>
            </div>
          ))}
        </dl>
        <button type="button" onClick={() => void (helping.value = false)}>
          Close
        </button>
      </div>
    </div>
  );
}

/** Goes on by itself. */
function usePlay(): void {
  useSignalEffect(() => {
    if (!playing.value) return;
    if (step.value >= length.value) {
      playing.value = false;
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
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
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
              value={walk.value}
              onChange={(event) => chooseWalk(event.currentTarget.value as typeof walk.value)}
            >
              {WALKS.map((one) => (
                <option key={one}>{one}</option>
              ))}
            </select>
          </label>
        )}
        <button type="button" onClick={() => void (editing.value = true)}>
          Edit
        </button>
        {compared.value ? null : <Transport />}
        <span class="grow" />
        <button
          type="button"
          aria-pressed={compared.value !== null}
          title="Two walks on this program, side by side (v)"
          onClick={() => (compared.value ? stopComparing() : compare())}
        >
          Compare
        </button>
        {compared.value ? null : <ExportMenu />}
        <button type="button" title="Light or dark" onClick={nextTheme}>
          {theme.value === 'system' ? 'Auto' : theme.value === 'light' ? 'Light' : 'Dark'}
        </button>
        <button
          type="button"
          title="Keys (?)"
          aria-label="Keys"
          onClick={() => void (helping.value = true)}
        >
          ?
        </button>
      </header>
      {failed ? (
        <main class="trouble">
          <h2>{failed.title}</h2>
          <p role="alert">{failed.text}</p>
          <button type="button" onClick={() => openGallery(GALLERY[0].name)}>
            Open the first program
          </button>
        </main>
      ) : compared.value ? (
        <Compare />
      ) : (
        <main data-ready={recording.value ? 'yes' : 'no'}>
          <Timeline />
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
    </>
  );
}
