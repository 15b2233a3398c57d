/** Small parts of the page. */

import map from 'virtual:kernel-map';
import type { ReadonlySignal } from '@preact/signals';
import { type ComponentChildren, createContext } from 'preact';
import { useContext } from 'preact/hooks';
import type { Look } from './kinds.ts';
import { select } from './store/going.ts';
import { changedKeys } from './store/showing.ts';
import { selected } from './store/state.ts';

/** The keys of what the step before changed: of the recording that is shown, unless told otherwise. */
export const Changed = createContext<ReadonlySignal<ReadonlySet<string>>>(changedKeys);

/** A page or entry as a square with a letter. */
export function Cell(props: {
  of: string;
  look: Look;
  title: string;
  badge?: string;
  locked?: boolean;
}) {
  const { of, look, title, badge, locked } = props;
  const changed = useContext(Changed).value.has(of);
  const style = `cell k-${look.style}${changed ? ' changed' : ''}${locked ? ' locked' : ''}`;
  return (
    <button
      type="button"
      class={style}
      aria-pressed={selected.value === of}
      aria-label={title}
      data-badge={badge}
      data-key={of}
      onClick={() => select(of)}
    >
      {look.letter}
    </button>
  );
}

/** Something that can be selected, in a line of text. */
export function Chip(props: { of: string; title?: string; children: ComponentChildren }) {
  const { of, title, children } = props;
  const changed = useContext(Changed).value.has(of) ? ' changed' : '';
  return (
    <button
      type="button"
      class={`chip${changed}`}
      aria-pressed={selected.value === of}
      title={title}
      data-key={of}
      onClick={() => select(of)}
    >
      {children}
    </button>
  );
}

export function Legend({ of }: { of: readonly [Look, string][] }) {
  return (
    <ul class="legend">
      {of.map(([{ style, letter }, meaning]) => (
        <li key={meaning}>
          <span class={`cell small k-${style}`}>{letter}</span> {meaning}
        </li>
      ))}
    </ul>
  );
}

const SOURCE = 'https://elixir.bootlin.com/linux/v7.3.4/A/ident/';

/** Kernel functions in words, each with a link to its source; what only the series has is in no release. */
function KernelNames({ text }: { text: string }) {
  if (text.startsWith("the series'")) return <>{text}</>;
  return (
    <>
      {text.split(/(\w+\(\))/).map((part, i) =>
        i % 2 === 1 ? (
          <a
            key={part}
            href={`${SOURCE}${part.slice(0, -2)}`}
            target="_blank"
            rel="noreferrer"
            title={`${part} in the source of Linux 7.3.4, at elixir.bootlin.com`}
          >
            {part}
          </a>
        ) : (
          part
        ),
      )}
    </>
  );
}

/** A modelled function, and the kernel's that it mirrors. */
export function Fn({ name }: { name: string }) {
  const mirrored = map[name];
  return (
    <span class="fn">
      <code>{name}()</code>
      {mirrored ? (
        <small title={mirrored.how}>
          {' '}
          <KernelNames text={mirrored.kernel} />, <span class="file">{mirrored.file}</span>
        </small>
      ) : null}
    </span>
  );
}
