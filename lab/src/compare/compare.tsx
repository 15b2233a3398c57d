/** Two walks on one program, side by side: what each has done and counted at the same place. */
import { batch, useComputed, useSignalEffect } from '@preact/signals';
import { WALKS } from '../../../src/checker/index.ts';
import { stepWords, type WalkView, whatChanged } from '../../../src/recording/index.ts';
import { ENTRY_LEGEND } from '../kinds.ts';
import { Area } from '../panels/spaces.tsx';
import { Changed, Fn, Legend } from '../parts.tsx';
import { go } from '../store/going.ts';
import { chooseWalk } from '../store/showing.ts';
import { MARKS } from '../timeline/marks.ts';
import { Sign } from '../timeline/timeline.tsx';
import {
  both,
  compare,
  end,
  goOperation,
  goPlace,
  operation,
  operations,
  place,
  prepare,
  running,
  type Side,
  setRunning,
  settle,
  soFar,
  steps,
  stopComparing,
} from './comparing.ts';
import { Counters, counted } from './counters.tsx';

const ABOUT: Record<string, string> = {
  collect: 'as Linux 7.3.4 does it: fault the pages in, then walk again and collect them',
  unified: 'one walk faults the pages in, collects them and writes the migration entries',
  'as-posted': 'one walk, as the series was first posted, mistakes included',
};

const markOf = (kind: string) => MARKS.find((mark) => mark.kind === kind) as (typeof MARKS)[number];
const [WALK, FAULT, ENTRY] = ['walk', 'page fault', 'migration entry'].map(markOf);
const times = (n: number): string => (n === 1 ? 'once' : n === 2 ? 'twice' : `${n} times`);

/** The walks that an operation has begun before a step. */
function walksIn(side: Side, index: number, before = Number.POSITIVE_INFINITY): WalkView[] {
  const { from, to } = side.parts[index];
  // what counts a walk is the step before its first
  return side.walks.filter((one) => one.from > from && one.from <= to && one.from <= before);
}

/** A walk as a mark; one that a fault in another walk needed is smaller. */
function Tokens({ walks }: { walks: readonly WalkView[] }) {
  return (
    <span class="tokens" aria-hidden="true">
      {walks.map(({ from, depth }) => (
        <span key={from} class={depth > 0 ? 'token inner' : 'token'}>
          <Sign of={WALK} />
        </span>
      ))}
    </span>
  );
}

const outer = (walks: readonly WalkView[]): number =>
  walks.filter(({ depth }) => depth === 0).length;

/** The operations: how often each walks on either side. */
function Operations({ sides }: { sides: readonly [Side, Side] }) {
  return (
    <section class="panel compare-ops" aria-label="Operations">
      <h2>
        Operations <em>each ▸ is a walk over page tables</em>
      </h2>
      <ol class="scroll">
        {operations.value.map(({ end: at, left, right }, i) => {
          const walks = sides.map((side) => walksIn(side, i));
          const [a, b] = walks.map(outer);
          return (
            <li key={at}>
              <button
                type="button"
                aria-current={i === operation.value ? 'step' : undefined}
                ref={(button) => {
                  if (button && i === operation.value) button.scrollIntoView({ block: 'nearest' });
                }}
                class={a === b ? '' : 'differs'}
                title={`${left.what}: ${sides[0].walk} walks ${times(a)}, ${sides[1].walk} ${times(b)}`}
                onClick={() => goPlace(at)}
              >
                <span class="op">
                  {i + 1}. {left.what === right.what ? left.what : `${left.what} | ${right.what}`}
                </span>
                {walks[0].length + walks[1].length > 0 ? (
                  <span class="op-walks">
                    {sides.map(({ walk }, n) => (
                      <span key={walk} class={`side-${n}`}>
                        {walk} <Tokens walks={walks[n]} />
                      </span>
                    ))}
                  </span>
                ) : null}
              </button>
            </li>
          );
        })}
      </ol>
    </section>
  );
}

const several = (n: number, one: string, more: string): string => `${n} ${n === 1 ? one : more}`;

/** One walk: what it looked at, and what it did there. */
function WalkCard({ walk, number, now }: { walk: WalkView; number: number; now: number }) {
  const { name, depth, entries, faults, migrationEntries, to } = walk;
  const did =
    now < to ? (
      <span class="soft">is under way</span>
    ) : (
      <span class="did">
        <span class="looked" style={depth > 0 ? {} : { flexGrow: entries }}>
          {entries} looked at
        </span>
        {faults > 0 ? (
          <span class="faulted">
            <Sign of={FAULT} /> {faults} faulted in
          </span>
        ) : null}
        {migrationEntries > 0 ? (
          <span class="prepared">
            <Sign of={ENTRY} /> {several(migrationEntries, 'migration entry', 'migration entries')}
          </span>
        ) : null}
      </span>
    );
  if (depth > 0) {
    return (
      <li class="walk inner" title={`A fault in the walk above needs a walk of its own: ${name}()`}>
        <span class="soft">in a fault</span> {did}
      </li>
    );
  }
  return (
    <li class="walk">
      <p>
        <strong>Walk {number}</strong> <Fn name={name} />
      </p>
      {did}
    </li>
  );
}

function SidePanel({ side, n }: { side: Side; n: 0 | 1 }) {
  const { recording, walk } = side;
  const now = steps.value[n];
  const { state } = recording.moment(now);
  const changed = useComputed(() => {
    const at = steps.value[n];
    const one = both.value?.[n].recording;
    if (!one || at === 0) return new Set<string>();
    return new Set(
      whatChanged(one.moment(at - 1).state, one.moment(at).state).map(({ key }) => key),
    );
  });
  const walks = walksIn(side, operation.value, now);
  const part = side.parts[operation.value];
  const last = now > 0 ? recording.step(now - 1) : null;
  let number = 0;
  const leaves = (space: number) =>
    new Map(state.entries.filter((one) => one.space === space).map((leaf) => [leaf.vpn, leaf]));
  const open = (): void => {
    const at = now;
    batch(() => {
      stopComparing();
      chooseWalk(walk);
      go(at);
    });
  };
  return (
    <section class={`panel compare-side side-${n}`} aria-label={`With the walk ${walk}`}>
      <h2>
        <span class={`side-name side-${n}`}>
          <i /> {walk}
        </span>
        <small>{ABOUT[walk]}</small>
      </h2>
      <div class="scroll">
        <h3>
          Walks of this operation: <strong class="walk-count">{outer(walks)}</strong>
          <em>
            {walks.length > outer(walks)
              ? ` and ${walks.length - outer(walks)} inside faults, for single pages`
              : ''}
          </em>
        </h3>
        <ol class="walks">
          {walks.map((one) => (
            <WalkCard key={one.from} walk={one} number={one.depth === 0 ? ++number : 0} now={now} />
          ))}
        </ol>
        <p class="now">
          <span class="soft">
            Step {now} of {recording.length}
            {now >= part.to && now > part.from ? ', this operation is over' : ''}:
          </span>{' '}
          {last ? (
            <>
              {recording.tasks.length > 1 ? <strong>{recording.tasks[last.task]} </strong> : null}
              {stepWords(last, recording.moment(now - 1).state, recording.lockNames)}
              {last.stack[0] ? (
                <>
                  {' in '}
                  <code>{last.stack[0]}()</code>
                </>
              ) : null}
            </>
          ) : (
            'nothing has happened yet'
          )}
        </p>
        {recording.finding && now === recording.length ? (
          <p class="finding">Something breaks here: {recording.finding.title}</p>
        ) : null}
        <Changed.Provider value={changed}>
          {state.spaces
            .filter(({ proc }) => proc >= 0)
            .map((space) => (
              <div key={space.key}>
                <h4>Process {space.proc}</h4>
                {state.areas
                  .filter((area) => area.space === space.space)
                  .map((area) => (
                    <Area key={area.key} area={area} leaves={leaves(space.space)} />
                  ))}
              </div>
            ))}
        </Changed.Provider>
        <p>
          <button type="button" onClick={open}>
            Look at this step with {walk} alone
          </button>
        </p>
      </div>
    </section>
  );
}

function Bar({ sides }: { sides: readonly [Side, Side] }) {
  const choose = (n: 0 | 1, walk: string): void => {
    const [a, b] = sides.map((side) => side.walk);
    const other = WALKS.find((one) => one === walk) ?? a;
    compare(n === 0 ? [other, b] : [a, other]);
  };
  const count = operations.value.length;
  const { at, end: last } = operations.value[operation.value];
  const go = (label: string, title: string, off: boolean, run: () => void) => (
    <button type="button" class="go" title={title} aria-label={title} disabled={off} onClick={run}>
      {label}
    </button>
  );
  const [first, over] = [place.value === 0, place.value === end.value];
  return (
    <div class="compare-bar">
      {([0, 1] as const).map((n) => (
        <label class="field" key={n}>
          <span>{n === 0 ? 'Compare' : 'with'}</span>
          <select
            aria-label={n === 0 ? 'First walk' : 'Second walk'}
            value={sides[n].walk}
            onChange={(event) => choose(n, event.currentTarget.value)}
          >
            {WALKS.map((walk) => (
              <option key={walk} disabled={walk === sides[1 - n].walk}>
                {walk}
              </option>
            ))}
          </select>
        </label>
      ))}
      <fieldset class="transport" aria-label="Both">
        {go('«', 'To the beginning (Home)', first, () => goPlace(0))}
        {go('◀◀', 'One operation back (O)', first, () => goOperation(-1))}
        {go('◀', 'Both one step back (←)', first, () => goPlace(place.value - 1))}
        <button type="button" title="Play (space bar)" onClick={() => setRunning(!running.value)}>
          {running.value ? 'Stop' : 'Play'}
        </button>
        {go('▶', 'Both one step on (→)', over, () => goPlace(place.value + 1))}
        {go('▶▶', 'One operation on (o)', over, () => goOperation(1))}
        {go('»', 'To the end (End)', over, () => goPlace(end.value))}
      </fieldset>
      <input
        type="range"
        aria-label="Progress of both"
        aria-valuetext={`operation ${operation.value + 1} of ${count}, step ${place.value - at} of ${last - at}`}
        min={0}
        max={end.value}
        value={place.value}
        onInput={(event) => goPlace(Number(event.currentTarget.value))}
      />
      <span class="of">
        operation {operation.value + 1} of {count}, step {place.value - at} of {last - at}
      </span>
    </div>
  );
}

/** What it comes to, in one sentence. */
function Verdict({ sides }: { sides: readonly [Side, Side] }) {
  const walks = sides.map((side, n) => outer(walksIn(side, operation.value, steps.value[n])));
  const entries = sides.map((side, n) =>
    counted(side, 'entriesVisited', side.parts[operation.value].from, steps.value[n]),
  );
  return (
    <p class="outcome" role="status">
      <code>{operations.value[operation.value].left.what}</code>
      <span>
        {sides.map(({ walk }, n) => (
          <span key={walk}>
            {n === 0 ? '' : '; '}
            <strong class={`side-${n}`}>{walk}</strong>{' '}
            {walks[n] === 0 ? (
              'has not walked yet'
            ) : (
              <>
                {n === 0 ? 'has walked the page table ' : ''}
                <strong>{times(walks[n])}</strong>, {several(entries[n], 'entry', 'entries')}
              </>
            )}
          </span>
        ))}
      </span>
    </p>
  );
}

export function Compare() {
  useSignalEffect(prepare);
  useSignalEffect(settle);
  useSignalEffect(() => {
    if (!running.value) return;
    if (place.value >= end.value) {
      setRunning(false);
      return;
    }
    const timer = setTimeout(() => goPlace(place.value + 1), 120);
    return () => clearTimeout(timer);
  });
  const sides = both.value;
  if (!sides || operations.value.length === 0) {
    return (
      <main class="compare" data-ready={sides ? 'yes' : 'no'}>
        <p class="soft">
          {sides
            ? 'This program has no operations to compare.'
            : `Recording both walks … ${soFar.value.toLocaleString('en')} steps so far`}
        </p>
      </main>
    );
  }
  return (
    <main class="compare" data-ready="yes">
      <Bar sides={sides} />
      <Verdict sides={sides} />
      <div class="compare-columns">
        <div class="compare-left">
          <Operations sides={sides} />
          <Counters sides={sides} />
        </div>
        <SidePanel side={sides[0]} n={0} />
        <SidePanel side={sides[1]} n={1} />
      </div>
      <Legend of={ENTRY_LEGEND} />
    </main>
  );
}
