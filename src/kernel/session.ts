/** A kernel that is up while one asks it: a fresh one behind each that ended. */
import { KernelError } from './error.ts';
import type { Guest, Start } from './guest.ts';
import { type Answer, type Askable, otherMachine } from './protocol.ts';
import { kernelReports, knownReport } from './report.ts';
import { AgentGone } from './talk.ts';

/** Programs that are on their way at a time. */
const AHEAD = 32;

export interface SessionOptions {
  /** After how many kernels that ended no more are started. */
  crashes: number;
  /** A kernel that has reported something is not asked any more: as often as one may end. */
  fresh?: boolean;
  /** A kernel is up. */
  onStart?: (guest: Guest) => void;
}

/** What became of a program, in the order of the programs. */
export type OnAnswer<P extends Askable = Askable> = (
  answer: Answer,
  program: P,
  index: number,
) => void;

/** Why programs are not run any more. */
const GIVEN_UP = 'not run: too many kernels have ended';

const notRun = (skipped: string): Answer => ({ results: [], reports: [], skipped });

export class Session {
  /** Kernels that were started. */
  starts = 0;
  /** Kernels that ended under a program. */
  crashes = 0;
  /** Kernels that reported something. */
  private reported = 0;
  private guest: Guest | null = null;
  /** Where the console was when the last answer came: what it said before is told. */
  private heard = 0;

  constructor(
    private readonly start: Start,
    private readonly options: SessionOptions,
  ) {}

  /** Whether no more kernels are started. */
  get givenUp(): boolean {
    return this.crashes > this.options.crashes;
  }

  private async up(): Promise<Guest> {
    if (this.guest === null) {
      this.guest = await this.start();
      this.starts++;
      this.heard = this.guest.console().length;
      this.options.onStart?.(this.guest);
    }
    return this.guest;
  }

  /**
   * Asks programs of it. Where the kernel ends, the first that has no answer is the one that ended it, and the ones
   * behind it are asked of a fresh one.
   * @throws KernelError where a kernel does not come up
   */
  async askAll<P extends Askable>(programs: readonly P[], onAnswer: OnAnswer<P>): Promise<void> {
    let next = 0;
    /** Those that no kernel can run need none. */
    const passOver = (): void => {
      for (; next < programs.length; next++) {
        const why = otherMachine(programs[next]) ?? (this.givenUp ? GIVEN_UP : undefined);
        if (why === undefined) return;
        onAnswer(notRun(why), programs[next], next);
      }
    };
    for (passOver(); next < programs.length; passOver()) {
      const guest = await this.up();
      try {
        const answers: Promise<Answer>[] = [];
        let ahead = next;
        while (next < programs.length) {
          for (; ahead < programs.length && answers.length < AHEAD; ahead++)
            answers.push(this.ask(guest, programs[ahead]));
          const answer = await (answers[0] as Promise<Answer>);
          checkAnswer(answer, programs[next]);
          answers.shift();
          onAnswer(answer, programs[next], next);
          next++;
          if (!this.spoils(answer)) continue;
          // what comes behind a report hangs on it
          await this.close();
          break;
        }
      } catch (error) {
        if (!(error instanceof AgentGone)) throw error;
        this.crashes++;
        onAnswer(lastWords(guest, this.heard, error.message), programs[next], next);
        next++;
        await this.close();
      }
    }
  }

  /** Whether a kernel has reported something new, so that a fresh one should go on; not for ever. */
  private spoils({ reports }: Answer): boolean {
    if (!this.options.fresh || reports.every((one) => knownReport(one) !== undefined)) return false;
    return ++this.reported <= this.options.crashes;
  }

  private ask(guest: Guest, program: Askable): Promise<Answer> {
    const why = otherMachine(program);
    if (why !== undefined) return Promise.resolve(notRun(why));
    const answer = guest.talk.ask(program);
    const note = () => {
      this.heard = guest.console().length;
    };
    // whoever waits for the first one hears of what goes wrong
    answer.then(note, () => {});
    return answer;
  }

  /** Ends it; who asks again starts another. */
  async close(): Promise<void> {
    const { guest } = this;
    this.guest = null;
    await guest?.close();
  }
}

/** @throws KernelError where an agent answers what nobody asked */
function checkAnswer({ results }: Answer, program: Askable): void {
  const operations = 'tasks' in program ? 0 : program.ops.length;
  if (results.length <= operations) return;
  const more = `${results.length} results of ${operations} operations`;
  throw new KernelError(`${program.name}: the agent returned ${more}`);
}

/** What is known of a program under which its kernel ended. */
function lastWords(guest: Guest, heard: number, how: string): Answer {
  const text = guest.console();
  const since = kernelReports(text.slice(heard).split('\n'));
  const reports = since.length > 0 ? since : kernelReports(text.split('\n')).slice(-1);
  return { results: [], reports, stopped: { how } };
}
