/** The address of what is shown. */
import { effect } from '@preact/signals';
import { encodeLink, isKept, LinkError, TRACE_HASH } from '../../../src/recording/internal.ts';
import { compared, name, recording, selected, step, text, walk } from './state.ts';
import { isServed } from './trace.ts';

/**
 * The link, from `#` on; empty where nothing is shown.
 * @throws LinkError where the program is too long for one
 */
export async function here(): Promise<string> {
  const shown = recording.value;
  if (!shown) return '';
  if (isServed(shown)) return TRACE_HASH;
  if (isKept(shown)) throw new LinkError('A trace has no link: send the file.');
  const program = name.value === '' ? { text: text.value } : { name: name.value };
  const { schedule, walk, hardware } = shown;
  return encodeLink({
    program,
    walk,
    hardware,
    schedule,
    step: step.value,
    selected: selected.value,
    compared: compared.value,
  });
}

/** Keeps the address current. */
export function keepAddress(): void {
  let timer = 0;
  effect(() => {
    // what the address depends on
    void [recording.value, step.value, selected.value, walk.value, compared.value];
    clearTimeout(timer);
    timer = window.setTimeout(async () => {
      try {
        const hash = await here();
        if (hash !== '') history.replaceState(null, '', hash);
      } catch (error) {
        if (!(error instanceof LinkError)) throw error;
        // better no address than that of something else
        history.replaceState(null, '', location.pathname + location.search);
      }
    }, 120);
  });
}
