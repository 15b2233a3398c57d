/** The menu of files that can be saved. What makes them is loaded when it is opened. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { runnable } from '../store/state.ts';

type Made = typeof import('./export.ts');

export function ExportMenu() {
  const [made, setMade] = useState<Made | null>(null);
  const [said, setSaid] = useState('');
  const details = useRef<HTMLDetailsElement>(null);
  useEffect(() => {
    const onDown = (event: Event): void => {
      const { current } = details;
      if (current?.open && !current.contains(event.target as Node)) current.open = false;
    };
    document.addEventListener('pointerdown', onDown);
    return () => document.removeEventListener('pointerdown', onDown);
  }, []);
  return (
    <details
      class="menu"
      ref={details}
      onToggle={(event) => {
        if (event.currentTarget.open && !made) import('./export.ts').then(setMade);
        setSaid('');
      }}
      onKeyDown={(event) => {
        if (event.key !== 'Escape' || !event.currentTarget.open) return;
        event.currentTarget.open = false;
        event.currentTarget.querySelector('summary')?.focus();
        event.stopPropagation();
      }}
    >
      <summary title="Save what is shown as a file">Export</summary>
      <ul>
        {(made?.EXPORTS.filter((one) => runnable.value || !one.ofProgram) ?? []).map((one) => (
          <li key={one.label}>
            <button
              type="button"
              onClick={() => {
                made
                  ?.save(one)
                  .then(() => setSaid(`${one.label}: saved`))
                  .catch((error) => setSaid(`${one.label}: ${error}`));
              }}
            >
              {one.label} <small>{one.meaning}</small>
            </button>
          </li>
        ))}
        <li class="soft" role="status">
          {said}
        </li>
      </ul>
    </details>
  );
}
