/** Progress on stderr: only on a terminal, and only when the work takes its time. */
import type { Terminal } from './terminal.ts';

const DELAY_MS = 2000;
const INTERVAL_MS = 100;
const WIDTH = 30;

export interface Progress {
  /** Says how many of the total are done. */
  at(done: number): void;
  /** Takes the line away. */
  clear(): void;
}

type Clock = () => number;
const clock: Clock = () => performance.now();

/** A line that is written over again and again. */
function movingLine(
  { stderr }: Terminal,
  now: Clock,
): { show(text: () => string): void; clear(): void } {
  let next = now() + DELAY_MS;
  let shown = false;
  return {
    show(text) {
      if (!stderr.isTTY) return;
      const time = now();
      if (time < next) return;
      next = time + INTERVAL_MS;
      // one that goes on in a second line could not be taken away
      const width = (stderr.columns ?? 80) - 1;
      stderr.write(`\r${shown ? '\x1b[K' : ''}${text().slice(0, width)}`);
      shown = true;
    },
    clear() {
      if (shown) stderr.write('\r\x1b[K');
      shown = false;
    },
  };
}

function bar(done: number, total: number): string {
  const filled = Math.round((WIDTH * done) / Math.max(total, 1));
  return `[${'#'.repeat(filled)}${'.'.repeat(WIDTH - filled)}] ${done}/${total}`;
}

/** @param total what `at` counts up to */
export function progressBar(terminal: Terminal, total: number, now: Clock = clock): Progress {
  const line = movingLine(terminal, now);
  return {
    at: (done) => line.show(() => bar(done, total)),
    clear: () => line.clear(),
  };
}

/** Of work that nobody knows the end of: what it came to so far. */
export function workProgress(
  terminal: Terminal,
  now: Clock = clock,
): { show(text: string): void; clear(): void } {
  const line = movingLine(terminal, now);
  return { show: (text) => line.show(() => text), clear: () => line.clear() };
}

/** Minutes and seconds. */
function minutes(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}

export interface SearchProgress extends Progress {
  /** That were tried so far, as far as it was said. */
  readonly schedules: number;
  /**
   * It begins now.
   * @param total searches
   * @param most milliseconds that they may take; Infinity: as long as they take
   */
  begin(total: number, most: number): void;
  /** Says what was tried since it last said so. */
  tried(more: { schedules: number; outcomes: readonly string[]; longest: number }): void;
}

/** Of searches: how many of them are done, where there are several, and how far they are altogether. */
export function searchProgress(terminal: Terminal, now: Clock = clock): SearchProgress {
  const line = movingLine(terminal, now);
  let start = now();
  let total = 1;
  let most = Number.POSITIVE_INFINITY;
  const outcomes = new Set<string>();
  let done = 0;
  let schedules = 0;
  let longest = 0;
  const text = (): string => {
    const time = now() - start;
    const rate = Math.round(schedules / (time / 1000));
    return [
      ...(total > 1 ? [bar(done, total)] : []),
      `${schedules} schedules`,
      `${rate}/s`,
      `${outcomes.size} different ends`,
      `up to ${longest} steps`,
      `${minutes(time)}${Number.isFinite(most) ? ` of ${minutes(most)}` : ''}`,
    ].join('  ');
  };
  return {
    get schedules() {
      return schedules;
    },
    begin(searches, time) {
      start = now();
      total = searches;
      most = time;
    },
    at(so) {
      done = so;
      line.show(text);
    },
    tried(more) {
      schedules += more.schedules;
      longest = Math.max(longest, more.longest);
      for (const outcome of more.outcomes) outcomes.add(outcome);
      line.show(text);
    },
    clear: () => line.clear(),
  };
}
