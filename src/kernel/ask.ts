/** Many programs on a kernel: one boot for as many as it survives, another behind each that ends it. */
import type { Program } from '../program/format.ts';
import type { Guest, Start } from './guest.ts';
import { type Answer, otherMachine } from './protocol.ts';
import { kernelReports } from './report.ts';
import { AgentGone } from './talk.ts';

/** Programs that are on their way at a time. */
const AHEAD = 32;

export interface AskOptions {
  /** After how many kernels that ended no more are started. */
  crashes: number;
  /** A kernel is up. */
  onStart?: (guest: Guest) => void;
  /** What became of a program, in the order of the programs. */
  onAnswer: (answer: Answer, program: Program, index: number) => void;
}

export interface Asked {
  /** Kernels that were started. */
  starts: number;
  /** Kernels that ended under a program. */
  crashes: number;
}

/** Why programs are not run any more. */
const GIVEN_UP = 'not run: too many kernels have ended';

/**
 * Asks programs of a kernel. Where the kernel ends, the first that has no answer is the one that ended it, and
 * the ones behind it are asked of a fresh one.
 * @throws KernelError where a kernel does not come up
 */
export async function askAll(
  programs: readonly Program[],
  start: Start,
  { crashes, onStart, onAnswer }: AskOptions,
): Promise<Asked> {
  const asked: Asked = { starts: 0, crashes: 0 };
  let next = 0;
  /** Those that no kernel can run need none. */
  const passOver = (): void => {
    for (; next < programs.length; next++) {
      const skipped = otherMachine(programs[next]);
      if (skipped === undefined) return;
      onAnswer({ results: [], reports: [], skipped }, programs[next], next);
    }
  };
  for (passOver(); next < programs.length; passOver()) {
    if (asked.crashes > crashes) {
      onAnswer({ results: [], reports: [], skipped: GIVEN_UP }, programs[next], next);
      next++;
      continue;
    }
    const guest = await start();
    asked.starts++;
    onStart?.(guest);
    /** Where the console was when the last answer came: what it said before is told. */
    let heard = guest.console().length;
    try {
      const answers: Promise<Answer>[] = [];
      let ahead = next;
      while (next < programs.length) {
        for (; ahead < programs.length && answers.length < AHEAD; ahead++) {
          const skipped = otherMachine(programs[ahead]);
          const answer =
            skipped === undefined
              ? guest.talk.ask(programs[ahead])
              : Promise.resolve({ results: [], reports: [], skipped });
          const note = () => {
            heard = guest.console().length;
          };
          // whoever waits for the first one hears of what goes wrong
          answer.then(note, () => {});
          answers.push(answer);
        }
        const answer = await (answers[0] as Promise<Answer>);
        answers.shift();
        onAnswer(answer, programs[next], next);
        next++;
      }
    } catch (error) {
      if (!(error instanceof AgentGone)) throw error;
      asked.crashes++;
      onAnswer(lastWords(guest, heard, error.message), programs[next], next);
      next++;
    } finally {
      await guest.close();
    }
  }
  return asked;
}

/** What is known of a program under which its kernel ended. */
function lastWords(guest: Guest, heard: number, how: string): Answer {
  const text = guest.console();
  const since = kernelReports(text.slice(heard).split('\n'));
  const reports = since.length > 0 ? since : kernelReports(text.split('\n')).slice(-1);
  return { results: [], reports, stopped: { how } };
}
