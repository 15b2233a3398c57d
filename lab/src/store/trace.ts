/** Showing a trace: a recording that is in a file, of a driver of one's own. */
import { isTrace, readTrace, TRACE_NAME, TraceError } from '../../../src/recording/internal.ts';
import { giveUp } from './showing.ts';
import { present, setTrouble } from './state.ts';

/** Whether what is shown is the trace that the server hands out: the address can say so. */
let served: object | null = null;
export const isServed = (shown: object): boolean => shown === served;

/** Whether a text is meant to be a trace. */
export function isTraceText(text: string): boolean {
  if (!text.includes('"softleaf"')) return false;
  try {
    return isTrace(JSON.parse(text));
  } catch {
    return false;
  }
}

/** Shows a trace, at its end; what is wrong with it is shown instead. */
export function openTrace(text: string, fromServer = false): void {
  giveUp();
  try {
    const recording = readTrace(text);
    served = fromServer ? recording : null;
    const { walk, length } = recording;
    present({ text: '', name: '', walk, recording, step: length, selected: '' });
  } catch (error) {
    if (!(error instanceof TraceError)) throw error;
    setTrouble({ title: 'This trace cannot be shown', text: error.message });
  }
}

/** Shows the trace that the server hands out. */
export async function openServed(): Promise<void> {
  const answer = await fetch(TRACE_NAME, { cache: 'no-store' });
  if (!answer.ok) {
    const text = 'No trace is handed out here: softleaf lab FILE does so while it runs.';
    setTrouble({ title: 'This trace cannot be shown', text });
    return;
  }
  openTrace(await answer.text(), true);
}
