/** A progress bar on stderr: only on a terminal, and only when the work takes its time. */
import type { Terminal } from './terminal.ts';

const DELAY_MS = 2000;
const INTERVAL_MS = 100;
const WIDTH = 30;

export interface Progress {
  /** Says how many of the total are done. */
  at(done: number): void;
  /** Takes the bar away. */
  clear(): void;
}

/** @param total what `at` counts up to */
export function progressBar(
  terminal: Terminal,
  total: number,
  now: () => number = () => performance.now(),
): Progress {
  const { stderr } = terminal;
  const start = now();
  let next = start + DELAY_MS;
  let shown = false;
  return {
    at(done) {
      if (!stderr.isTTY) return;
      const time = now();
      if (time < next) return;
      next = time + INTERVAL_MS;
      shown = true;
      const filled = Math.round((WIDTH * done) / Math.max(total, 1));
      stderr.write(`\r[${'#'.repeat(filled)}${'.'.repeat(WIDTH - filled)}] ${done}/${total}`);
    },
    clear() {
      if (shown) stderr.write('\r\x1b[K');
      shown = false;
    },
  };
}
