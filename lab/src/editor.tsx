/** The program as text; a mistake in it is shown at its place. */
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Mistake } from './mistake.ts';
import { editing, run, text } from './store.ts';

export function Editor() {
  const area = useRef<HTMLTextAreaElement>(null);
  const [mistake, setMistake] = useState<Mistake | null>(null);
  useEffect(() => area.current?.focus(), []);
  const start = (): void => {
    const source = area.current?.value ?? '';
    const found = run(source);
    setMistake(found);
    if (!found) {
      editing.value = false;
      return;
    }
    if (found.from < 0 || !area.current) return;
    area.current.focus();
    area.current.setSelectionRange(found.from, found.to);
    const line = source.slice(0, found.from).split('\n').length;
    area.current.scrollTop = Math.max(0, (line - 6) * 18);
  };
  const line =
    mistake && mistake.from >= 0
      ? (area.current?.value ?? '').slice(0, mistake.from).split('\n').length
      : 0;
  return (
    <div class="over" role="dialog" aria-label="The program" aria-modal="true">
      <div class="sheet wide">
        <h2>The program</h2>
        <p class="soft">
          A program is JSON: <code>ops</code> are performed one after the other; or{' '}
          <code>setup</code>, <code>tasks</code> that run at the same time, and <code>after</code>.
        </p>
        <textarea
          ref={area}
          spellcheck={false}
          aria-label="Program text"
          aria-invalid={mistake !== null}
        >
          {text.value}
        </textarea>
        <p class="mistake" role="alert">
          {mistake ? (
            <>
              {line > 0 ? <strong>Line {line}: </strong> : null}
              {mistake.message}
            </>
          ) : null}
        </p>
        <div class="buttons">
          <button type="button" class="main" onClick={start}>
            Run
          </button>
          <button type="button" onClick={() => void (editing.value = false)}>
            Cancel
          </button>
        </div>
      </div>
    </div>
  );
}
