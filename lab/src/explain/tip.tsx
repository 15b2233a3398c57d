/** What a square or a name is, bit by bit, beside it while one points at it or has the focus there. */
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { type Item, itemsOf } from '../../../src/recording/index.ts';
import { moment } from '../store/showing.ts';
import { step } from '../store/state.ts';
import {
  type Explained,
  explainDeviceEntry,
  explainEntry,
  explainFrame,
  explainTlb,
} from './explanations.ts';

const ID = 'tip';
const DELAY = 250;

function explained(key: string): Explained | null {
  const state = moment.value?.state;
  const [kind] = key.split(' ');
  if (!state || !['entry', 'frame', 'tlb', 'device'].includes(kind)) return null;
  const item = itemsOf(state).get(key);
  return item ? explainItem(kind, item) : null;
}

function explainItem(kind: string, item: Item): Explained {
  if (kind === 'entry') return explainEntry(item as Parameters<typeof explainEntry>[0]);
  if (kind === 'frame') return explainFrame(item as Parameters<typeof explainFrame>[0]);
  if (kind === 'tlb') return explainTlb(item as Parameters<typeof explainTlb>[0]);
  return explainDeviceEntry(item as Parameters<typeof explainDeviceEntry>[0]);
}

/** The square or name of an item that an event is about. */
const subjectOf = (event: Event): HTMLElement | null =>
  (event.target as HTMLElement).closest?.('main [data-key]') ?? null;

export function Tip() {
  const [subject, setSubject] = useState<HTMLElement | null>(null);
  const tip = useRef<HTMLDivElement>(null);
  useEffect(() => {
    let timer = 0;
    const soon = (next: HTMLElement | null): void => {
      clearTimeout(timer);
      timer = window.setTimeout(() => setSubject(next), DELAY);
    };
    const onOver = (event: Event): void => {
      // one may go into it, to read or copy
      if (tip.current?.contains(event.target as Node)) clearTimeout(timer);
      else soon(subjectOf(event));
    };
    const onFocus = (event: Event): void => {
      const next = subjectOf(event);
      // a click says enough by selecting
      soon(next?.matches(':focus-visible') ? next : null);
    };
    const onKey = (event: KeyboardEvent): void => {
      if (event.key !== 'Escape' || !tip.current) return;
      event.preventDefault();
      clearTimeout(timer);
      setSubject(null);
    };
    document.addEventListener('pointerover', onOver);
    document.addEventListener('focusin', onFocus);
    document.addEventListener('keydown', onKey, true);
    return () => {
      clearTimeout(timer);
      document.removeEventListener('pointerover', onOver);
      document.removeEventListener('focusin', onFocus);
      document.removeEventListener('keydown', onKey, true);
    };
  }, []);
  const key = subject?.isConnected ? (subject.dataset.key ?? '') : '';
  void step.value;
  const what = explained(key);
  useLayoutEffect(() => {
    const { current } = tip;
    if (!current || !subject) return;
    // below it, or above where there is no room
    const at = subject.getBoundingClientRect();
    const { offsetWidth: width, offsetHeight: height } = current;
    const room = innerHeight - at.bottom - 8;
    const top = height <= room ? at.bottom + 6 : Math.max(4, at.top - height - 6);
    current.style.left = `${Math.max(4, Math.min(at.left, innerWidth - width - 4))}px`;
    current.style.top = `${top}px`;
    subject.setAttribute('aria-describedby', ID);
    return () => subject.removeAttribute('aria-describedby');
  });
  if (!what) return null;
  return (
    <div ref={tip} id={ID} class="tip" role="tooltip">
      <p>
        <strong>{what.title}</strong> <code>{what.kernel}</code>
      </p>
      <p>{what.text}</p>
      {what.lines.length > 0 ? (
        <ul>
          {what.lines.map(({ word, kernel, meaning, set }) => (
            <li key={word} class={set ? '' : 'unset'}>
              <span aria-hidden="true">{set ? '●' : '○'}</span>{' '}
              <strong>{set ? word : `not ${word}`}</strong> — <code>{kernel}</code>
              {set ? `: ${meaning}` : ''}
            </li>
          ))}
        </ul>
      ) : null}
      {what.raw ? <code>{what.raw}</code> : null}
    </div>
  );
}
