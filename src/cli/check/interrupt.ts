/** What Ctrl-C does to a check: the first one ends the search, the second one everything. */
import { messageLines, type Terminal } from '../terminal.ts';
import { Flow } from './gate.ts';

/** Who sends a signal to a command and to its group means one. */
const ONE_SIGNAL_MS = 300;

export interface Interrupts {
  /** Resolves where everything is given up. */
  readonly givenUp: Promise<void>;
  /** Signals do again what they did. */
  end(): void;
}

/**
 * @param stop see `Flow`
 * @param kept the file that the run is kept in
 */
export function interrupts(
  stop: Int32Array,
  terminal: Terminal,
  kept: string | undefined,
): Interrupts {
  let first: number | null = null;
  let giveUp = (): void => {};
  const givenUp = new Promise<void>((resolve) => {
    giveUp = resolve;
  });
  const say = (message: string): void => {
    terminal.stderr.write(messageLines(message));
  };
  const signal = (): void => {
    if (first === null) {
      first = performance.now();
      Atomics.store(stop, 0, Flow.stop);
      const then = kept === undefined ? '' : `what is left to do is kept in ${kept}, then `;
      say(`stopping: ${then}what was found so far is told; once more gives that up`);
    } else if (performance.now() - first > ONE_SIGNAL_MS) {
      giveUp();
    }
  };
  process.on('SIGINT', signal);
  process.on('SIGTERM', signal);
  return {
    givenUp,
    end() {
      process.removeListener('SIGINT', signal);
      process.removeListener('SIGTERM', signal);
    },
  };
}
