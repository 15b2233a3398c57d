import { useSignalEffect } from '@preact/signals';
import { useEffect, useState } from 'preact/hooks';
import type { EventKind } from '../../src/recording/index.ts';
import { copyLink } from './copy.ts';
import { GALLERY } from './gallery.ts';
import { Help } from './help.tsx';
import { onKey } from './keys.ts';
import { lazy } from './lazy.tsx';
import { Notices, Story } from './notices.tsx';
import { Changes, Why } from './panels/happened.tsx';
import { Memory } from './panels/memory.tsx';
import { Spaces } from './panels/spaces.tsx';
import { rove } from './roving.ts';
import {
  busy,
  checking,
  chooseWalk,
  editable,
  editing,
  go,
  goChange,
  goEvent,
  helping,
  introducing,
  length,
  making,
  name,
  openProgram,
  playing,
  recording,
  searching,
  selected,
  step,
  trouble,
  WALKS,
  walk,
} from './store.ts';
import { nextTheme, theme } from './theme.ts';
import { Timeline } from './timeline.tsx';

const Editor = lazy(() => import('./editor/editor.tsx').then(({ Editor }) => Editor));
const Tip = lazy(() => import('./tip.tsx').then(({ Tip }) => Tip));
const Tour = lazy(() => import('./tour.tsx').then(({ Tour }) => Tour));
const Palette = lazy(() => import('./palette.tsx').then(({ Palette }) => Palette));
const CheckDialog = lazy(() => import('./check.tsx').then(({ CheckDialog }) => CheckDialog));

const EVENT_KINDS: readonly EventKind[] = [
  'operation',
  'page fault',
  'TLB flush',
  'invalidation',
  'copy',
  'allocation',
  'failed allocation',
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
        {(making.value?.name ?? name.value) === '' ? <option value="">your own</option> : null}
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

function Transport() {
  const [kind, setKind] = useState<EventKind>('operation');
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
      <Go label="‹" title={`To the last ${kind}`} onClick={() => goEvent(kind, -1)} />
      <select
        aria-label="Kind of event"
        value={kind}
        onChange={(event) => setKind(event.currentTarget.value as EventKind)}
      >
        {EVENT_KINDS.map((one) => (
          <option key={one}>{one}</option>
        ))}
      </select>
      <Go label="›" title={`To the next ${kind}`} onClick={() => goEvent(kind, 1)} />
      <span class="sep" />
      <Go
        label="‹"
        title="To the last change of what is selected (C)"
        off={selected.value === ''}
        onClick={() => goChange(-1)}
      />
      <span class={selected.value === '' ? 'of off' : 'of'}>change</span>
      <Go
        label="›"
        title="To the next change of what is selected (c)"
        off={selected.value === ''}
        onClick={() => goChange(1)}
      />
    </fieldset>
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
        <label class="field">
          <span>Walk</span>
          <select
            aria-label="Walk"
            title="How a migration is prepared: two walks (collect, as in 7.3.4), one (unified), or one as the series was posted"
            value={making.value?.walk ?? walk.value}
            onChange={(event) => void chooseWalk(event.currentTarget.value as typeof walk.value)}
          >
            {WALKS.map((one) => (
              <option key={one}>{one}</option>
            ))}
          </select>
        </label>
        <button
          type="button"
          disabled={!editable.value}
          title={
            editable.value
              ? 'The program as text (p)'
              : 'This is a scenario in JavaScript: it cannot be changed here'
          }
          onClick={() => void (editing.value = true)}
        >
          Edit
        </button>
        <button
          type="button"
          class={busy.value ? 'busy' : ''}
          title={busy.value ? 'A check is under way (k)' : 'Try the orders of its steps (k)'}
          onClick={() => void (checking.value = true)}
        >
          Check
        </button>
        <Transport />
        <span class="grow" />
        <button type="button" title="Copy a link to what is shown (y)" onClick={copyLink}>
          Copy link
        </button>
        <button type="button" title="Light or dark" onClick={nextTheme}>
          {theme.value === 'system' ? 'Auto' : theme.value === 'light' ? 'Light' : 'Dark'}
        </button>
        <button
          type="button"
          title="Find a command, a program, a function or a page (Ctrl K)"
          onClick={() => void (searching.value = true)}
        >
          Find
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
          <button type="button" onClick={() => openProgram(GALLERY[0].name)}>
            Open the first program
          </button>
        </main>
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
