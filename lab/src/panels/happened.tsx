/** What the last step did and changed, and why things are as they are. */

import { showOp } from '../../../src/program/index.ts';
import { withoutPerformers } from '../../../src/program/internal.ts';
import { itemsOf, nameOf, roleWords, stepWords } from '../../../src/recording/index.ts';
import { About } from '../explain/about.tsx';
import { Chip, Fn } from '../parts.tsx';
import { go } from '../store/going.ts';
import { changes, lastStep, moment } from '../store/showing.ts';
import { length, recording, selected, step } from '../store/state.ts';

export function Changes() {
  const shown = recording.value;
  const last = lastStep.value;
  const comment = [shown?.program.comment ?? []].flat().join(' ');
  const before = shown && step.value > 0 ? shown.moment(step.value - 1).state : null;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, by keyboard too
    <section class="panel changes" aria-label="What changed" aria-live="polite" tabIndex={0}>
      <h2>What changed</h2>
      <About of="changes" />
      {shown && last && before ? (
        <>
          <p class="did">
            <span class="soft">Step {step.value}:</span> <strong>{shown.tasks[last.task]}</strong>{' '}
            {stepWords(last, before, shown.lockNames)}
            {last.stack[0] ? (
              <>
                {' '}
                in <Fn name={last.stack[0]} />
              </>
            ) : null}
          </p>
          {changes.value.length === 0 ? (
            <p class="soft">Nothing that can be seen: it looked, or noted something for itself.</p>
          ) : null}
          <ul class="texts">
            {changes.value.slice(0, 40).map((change) => (
              <li key={`${change.key} ${change.field}`}>
                <Chip of={change.key}>{change.text}</Chip>
              </li>
            ))}
          </ul>
          {changes.value.length > 40 ? (
            <p class="soft">… and {changes.value.length - 40} more</p>
          ) : null}
        </>
      ) : (
        <>
          <p class="comment">{comment}</p>
          <p class="soft">
            This is the beginning: nothing has happened yet. → takes the first step.
          </p>
        </>
      )}
    </section>
  );
}

/** Who has what another waits for, and since when. */
function Holder({ who, what }: { who: string; what: string }) {
  const shown = recording.value;
  const now = step.value;
  const span = shown?.held.find(
    ({ task, name, from, to }) =>
      shown.tasks[task] === who && name === what && from < now && to >= now,
  );
  return (
    <>
      , which <strong>{who}</strong> holds
      {span ? (
        <>
          {' since '}
          <button type="button" class="link" onClick={() => go(span.from + 1)}>
            step {span.from + 1}
          </button>
        </>
      ) : null}
    </>
  );
}

function Tasks() {
  const shown = recording.value;
  const now = moment.value;
  if (!shown || !now) return null;
  return (
    <ul class="tasks">
      {now.tasks.map((task, i) => {
        const op = shown.operations[i][task.op];
        return (
          <li key={task.name}>
            <strong>{task.name}</strong>{' '}
            {task.done ? (
              'has ended.'
            ) : op ? (
              <code>{showOp(op)}</code>
            ) : shown.operations[i].length > 0 ? (
              'is about to end.'
            ) : (
              'is at work.'
            )}
            {task.waits ? (
              <p class="waits">
                waits for {task.waits.what}
                {task.waits.holders.map((who) => (
                  <Holder key={who} who={who} what={task.waits?.what ?? ''} />
                ))}
              </p>
            ) : null}
            {task.holds.length > 0 ? <p class="soft">holds {task.holds.join(', ')}</p> : null}
          </li>
        );
      })}
    </ul>
  );
}

function Stack() {
  const last = lastStep.value;
  const shown = recording.value;
  if (!last || !shown) return null;
  const view = shown.moment(step.value - 1).state;
  return (
    <>
      <h4>Called from</h4>
      <ol class="stack">
        {withoutPerformers(last.stack).map((name, i) => (
          <li key={`${i} ${name}`}>
            <Fn name={name} />
          </li>
        ))}
      </ol>
      {last.objects.length > 1 ? (
        <p class="soft">
          It also{' '}
          {last.objects
            .slice(1)
            .map(
              (object) => `${roleWords(object.role)} ${nameOf(object, view, shown.lockNames).name}`,
            )
            .join(', ')}
          .
        </p>
      ) : null}
    </>
  );
}

/** Who wrote what is selected. */
function Selection() {
  const shown = recording.value;
  const key = selected.value;
  const now = moment.value;
  if (!shown || !now || key === '') return null;
  const item = itemsOf(now.state).get(key);
  const writer = shown.writerOf(key, step.value);
  const history = shown.history(key);
  const next = history.find(({ at }) => at >= step.value);
  return (
    <div class="detail selection">
      <h4>Selected</h4>
      <p>
        <strong>{item ? item.name : `${key} is not there now`}</strong>
      </p>
      {writer ? (
        <p>
          Last changed by <strong>{shown.tasks[writer.task]}</strong> in{' '}
          <button type="button" class="link" onClick={() => go(writer.at + 1)}>
            step {writer.at + 1}
          </button>
          {writer.stack[0] ? (
            <>
              , <Fn name={writer.stack[0]} />
            </>
          ) : null}
          : {writer.changes[0].text}
        </p>
      ) : (
        <p class="soft">As it was at the beginning.</p>
      )}
      {next ? (
        <p>
          Changes next in{' '}
          <button type="button" class="link" onClick={() => go(next.at + 1)}>
            step {next.at + 1}
          </button>
          , of {history.length} in all
        </p>
      ) : (
        <p class="soft">It stays so to the end ({length.value}).</p>
      )}
    </div>
  );
}

export function Why() {
  return (
    <section class="panel why" aria-label="Why">
      <h2>Why</h2>
      <About of="why" />
      <div class="scroll">
        <Selection />
        <Tasks />
        <Stack />
      </div>
    </section>
  );
}
