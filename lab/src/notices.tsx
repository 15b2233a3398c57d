/** What the page says beside what it shows: what there is to see, what it is about to do, what it did. */
import { useSignalEffect } from '@preact/signals';
import { useState } from 'preact/hooks';
import { notice } from './copy.ts';
import { entry } from './store/opening.ts';
import { making, soFar } from './store/state.ts';

/** What there is to see in a program that is there for a mistake. */
export function Story() {
  const about = entry.value?.about;
  if (!about) return null;
  return (
    <p class="story">
      <strong>{about.title}</strong>, in <code>{about.where}</code>. {about.text}
    </p>
  );
}

/** A recording takes its time: so long nothing is said. */
const PATIENCE = 250;

function Making() {
  const [late, setLate] = useState(false);
  useSignalEffect(() => {
    if (!making.value) {
      setLate(false);
      return;
    }
    const timer = setTimeout(() => setLate(true), PATIENCE);
    return () => clearTimeout(timer);
  });
  if (!late || !making.value) return null;
  return (
    <p class="notice making">
      <progress aria-label="The program runs" /> The program runs:{' '}
      {soFar.value.toLocaleString('en')} steps so far
    </p>
  );
}

export function Notices() {
  return (
    <div class="notices">
      <Making />
      <div role="status" aria-live="polite">
        {notice.value === '' ? null : <p class="notice">{notice.value}</p>}
      </div>
    </div>
  );
}
