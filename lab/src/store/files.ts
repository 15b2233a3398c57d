/** Files that are dropped on the page: a trace, or a program. */
import { run } from './showing.ts';
import { setEditing, setTrouble } from './state.ts';
import { isTraceText, openTrace } from './trace.ts';

/** Shows what is in a file; what is wrong with it is shown instead. */
async function take(file: File): Promise<void> {
  const text = await file.text();
  if (isTraceText(text)) {
    openTrace(text);
    return;
  }
  const mistake = await run(text);
  if (mistake) setTrouble({ title: `${file.name} cannot be shown`, text: mistake.message });
}

/** From now on the page takes files that are dropped on it. */
export function takeFiles(): void {
  window.addEventListener('dragover', (event) => {
    if (event.dataTransfer?.types.includes('Files')) event.preventDefault();
  });
  window.addEventListener('drop', (event) => {
    const file = event.dataTransfer?.files[0];
    if (!file || event.defaultPrevented) return;
    event.preventDefault();
    setEditing(false);
    void take(file);
  });
}
