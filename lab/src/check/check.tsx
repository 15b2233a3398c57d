/** The dialog that checks what is shown: the choices, how far it is, what it found. */
import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { HOLDS_MEANING, type OutcomeTable, WALKS } from '../../../src/checker/index.ts';
import { Dialog } from '../dialog.tsx';
import { entry } from '../store/opening.ts';
import { chooseWalk } from '../store/showing.ts';
import { busy, setChecking, walk } from '../store/state.ts';
import { type Asked, counted, findingWords, STRATEGY_WORDS } from './check-words.ts';
import {
  type Check,
  check,
  choices,
  choose,
  type Listed,
  type ListedOutcome,
  type Outcomes,
  open,
  openOutcome,
  start,
  stop,
} from './checking.ts';

function Choice(props: { of: string; label: string; title: string; children: ComponentChildren }) {
  const { of, label, title, children } = props;
  return (
    <div class="choice" title={title}>
      <label for={of}>{label}</label>
      {children}
    </div>
  );
}

function Count(props: {
  of: string;
  label: string;
  title: string;
  value: number | undefined;
  least: number;
  most: number;
  off?: boolean;
  empty?: string;
  onChange: (value: number | undefined) => void;
}) {
  const { of, label, title, value, least, most, off, empty, onChange } = props;
  return (
    <Choice of={of} label={label} title={title}>
      <input
        id={of}
        type="number"
        min={least}
        max={most}
        step={1}
        value={value ?? ''}
        placeholder={empty}
        disabled={off || busy.value}
        onChange={({ currentTarget: input }) => {
          const none = input.value === '' && empty !== undefined;
          const given = Math.max(least, Math.min(most, Math.round(Number(input.value))));
          onChange(none ? undefined : given);
          // what was out of bounds is put right where it stands
          if (!none) input.value = String(given);
        }}
      />
    </Choice>
  );
}

function Form() {
  const now = choices();
  const random = now.strategy !== 'exhaustive';
  const [, , meaning] = STRATEGY_WORDS.find(([name]) => name === now.strategy) ?? [];
  return (
    <>
      <div class="choices">
        <Choice of="check-walk" label="Walk" title="How a migration is prepared">
          <select
            id="check-walk"
            disabled={busy.value}
            value={walk.value}
            onChange={({ currentTarget }) =>
              void chooseWalk(currentTarget.value as typeof walk.value)
            }
          >
            {WALKS.map((one) => (
              <option key={one}>{one}</option>
            ))}
          </select>
        </Choice>
        <Choice
          of="check-orders"
          label="Orders to try"
          title="Which orders of the tasks’ steps are tried (strategy)"
        >
          <select
            id="check-orders"
            disabled={busy.value}
            value={now.strategy}
            onChange={({ currentTarget }) =>
              choose({ strategy: currentTarget.value as typeof now.strategy })
            }
          >
            {STRATEGY_WORDS.map(([name, words]) => (
              <option value={name} key={name}>
                {words}
              </option>
            ))}
          </select>
        </Choice>
        <Count
          of="check-schedules"
          label="Schedules"
          title="So many are tried at most; a schedule is one order of all steps"
          value={now.schedules}
          least={1}
          most={1_000_000}
          onChange={(schedules = 1) => choose({ schedules })}
        />
        <Count
          of="check-preemptions"
          label="Preemptions"
          title="How often a task may be interrupted in a schedule, at most: few find most mistakes. Only for “every order”."
          value={now.preemptions}
          least={0}
          most={99}
          empty="any"
          off={random}
          onChange={(preemptions) => choose({ preemptions })}
        />
        <Count
          of="check-faults"
          label="Failing allocations"
          title="So many allocations of memory may fail in a schedule"
          value={now.faults}
          least={0}
          most={9}
          onChange={(faults = 0) => choose({ faults })}
        />
        <Count
          of="check-seed"
          label="Seed"
          title="Another seed gives other schedules. Only for those at random."
          value={now.seed}
          least={0}
          most={999_999_999}
          off={!random}
          onChange={(seed = 0) => choose({ seed })}
        />
        <label
          class="choice tick"
          title="CPUs walk page tables ahead of an access and drop translations whenever they like"
        >
          <input
            type="checkbox"
            disabled={busy.value}
            checked={now.hardware ?? false}
            onChange={({ currentTarget }) => choose({ hardware: currentTarget.checked })}
          />
          <span>The hardware acts on its own</span>
        </label>
        <label
          class="choice tick"
          title="Lists what the operations return in each different way that the tasks can meet. What breaks does not end the check then."
        >
          <input
            type="checkbox"
            disabled={busy.value}
            checked={now.outcomes ?? false}
            onChange={({ currentTarget }) => choose({ outcomes: currentTarget.checked })}
          />
          <span>List every outcome</span>
        </label>
      </div>
      <p class="soft meaning">
        <code>{now.strategy}</code>: {meaning}
      </p>
    </>
  );
}

function Row({ listed: { title, invariant, finding } }: { listed: Listed }) {
  return (
    <li>
      <div>
        <p>
          <strong>{title}</strong>
        </p>
        <p class="soft">
          <span class="flag">{invariant}</span>
          {finding
            ? findingWords(finding)
            : 'found; the simplest schedule that shows it is sought …'}
        </p>
      </div>
      <button
        type="button"
        disabled={!finding}
        aria-label={`Open: ${title}`}
        onClick={() => finding && void open(finding)}
      >
        Open
      </button>
    </li>
  );
}

/** Outcomes that are shown at first. */
const SHOWN = 20;

function OutcomeRow(props: { row: OutcomeTable<ListedOutcome>['rows'][number]; at: number }) {
  const { row, at } = props;
  const { of, cells } = row;
  return (
    <tr>
      <td class="number">{of.schedules.toLocaleString('en')}</td>
      {cells.map((words, i) => (
        <td key={i}>{words}</td>
      ))}
      <td>
        <button
          type="button"
          aria-label={`Open outcome ${at + 1}`}
          title={`${of.schedule}: ${counted(of.preemptions, 'preemption')}, ${counted(of.steps, 'step')}`}
          onClick={() => void openOutcome(of)}
        >
          Open
        </button>
      </td>
    </tr>
  );
}

function OutcomeList({ of: { table, complete, broken } }: { of: Outcomes }) {
  const [all, setAll] = useState(false);
  const { same, heads, rows, holds } = table;
  const shown = all ? rows : rows.slice(0, SHOWN);
  const whether = complete ? 'there are no others' : 'there may be others';
  return (
    <section class="outcomes" aria-label="Outcomes">
      <h3>
        {counted(rows.length, 'outcome')}; {whether}
      </h3>
      {broken > 0 ? (
        <p class="soft">{counted(broken, 'schedule')} broke something and came to none.</p>
      ) : null}
      {same.length > 0 ? (
        <dl>
          {same.map(([title, words]) => (
            <div key={title}>
              <dt>always {title}</dt>
              <dd>{words}</dd>
            </div>
          ))}
        </dl>
      ) : null}
      {rows.length > 0 ? (
        <div class="scrolls">
          <table>
            <thead>
              <tr>
                <th title="Schedules that were tried and came to it">schedules</th>
                {heads.map((head) => (
                  <th key={head}>{head}</th>
                ))}
                <th>shortest</th>
              </tr>
            </thead>
            <tbody>
              {shown.map((row, i) => (
                <OutcomeRow row={row} at={i} key={row.of.schedule} />
              ))}
            </tbody>
          </table>
        </div>
      ) : null}
      {shown.length < rows.length ? (
        <button type="button" onClick={() => setAll(true)}>
          Show all {rows.length.toLocaleString('en')}
        </button>
      ) : null}
      {holds ? <p class="soft">{HOLDS_MEANING}</p> : null}
    </section>
  );
}

function Conditions({ of }: { of: readonly Asked[] }) {
  return (
    <ul class="asked" aria-label="Conditions">
      {of.map(({ condition, words, standing }) => (
        <li key={condition} class={{ ok: 'good', no: 'bad', open: '' }[standing]}>
          <strong>
            {{ ok: '✓ ', no: '✗ ', open: '' }[standing]}
            {condition}
          </strong>
          <span class="soft"> {words}</span>
        </li>
      ))}
    </ul>
  );
}

function Progress({ of }: { of: Check }) {
  const { state, schedules, steps, plan } = of;
  const what =
    state === 'searching' ? 'Searching' : state === 'shortening' ? 'Making it short' : 'Done';
  return (
    <div class="progress">
      <progress
        aria-label="Schedules tried"
        max={plan.schedules}
        value={state === 'ended' ? plan.schedules : Math.min(schedules, plan.schedules)}
      />
      <span>
        {what}: {counted(schedules, 'schedule')}, {counted(steps, 'step')},{' '}
        {counted(of.listed.length, 'finding')}
      </span>
    </div>
  );
}

function Came({ of }: { of: Check }) {
  const { state, error, listed, verdict, proved, coverage, asked } = of;
  const isBad = listed.length > 0 || asked.some(({ standing }) => standing === 'no');
  return (
    <>
      <p class="soft">
        {of.of.program.name}, walk {of.walk}
      </p>
      <Progress of={of} />
      <div class="verdict" role="status">
        {state === 'ended' && error === '' ? (
          <p class={isBad ? 'bad' : proved ? 'good' : ''}>
            <strong>
              {isBad ? '✗ ' : proved ? '✓ ' : ''}
              {verdict}
            </strong>
          </p>
        ) : null}
        {error === '' ? null : <p class="bad">The check cannot be done: {error}</p>}
        <p class="soft">{coverage}</p>
      </div>
      {listed.length > 0 ? (
        <ol class="findings" aria-label="Findings">
          {listed.map((one) => (
            <Row listed={one} key={one.title} />
          ))}
        </ol>
      ) : null}
      {asked.length > 0 ? <Conditions of={asked} /> : null}
      {of.outcomes ? <OutcomeList of={of.outcomes} /> : null}
    </>
  );
}

const leave = (): void => {
  setChecking(false);
};

export function CheckDialog() {
  const button = useRef<HTMLButtonElement>(null);
  useEffect(() => button.current?.focus(), []);
  const now = check.value;
  return (
    <Dialog label="Check" kind="check" onClose={leave}>
      <h2>Check</h2>
      <p class="soft">
        Tasks can meet in many orders. A check tries them, one schedule after the other, and shows
        those in which something breaks.
      </p>
      <Form />
      <div class="buttons">
        <button
          type="button"
          class="main"
          ref={button}
          onClick={() => (busy.value ? stop() : void start(entry.value))}
        >
          {busy.value ? 'Stop' : 'Check'}
        </button>
        <button type="button" onClick={leave}>
          Close
        </button>
      </div>
      <div class="came">{now ? <Came of={now} /> : null}</div>
    </Dialog>
  );
}
