/** The worker threads of `softleaf check`. Code of others runs in them alone: whatever it does ends no more than one. */
import { Worker } from 'node:worker_threads';
import { type Done, type Thread, ThreadGone, Threads } from '../../checker/index.ts';
import { isCurrent, type Loaded } from '../modules.ts';
import { UsageError } from '../terminal.ts';
import { isModule } from './files.ts';
import { Flow } from './gate.ts';
import {
  type Answer,
  type CheckJob,
  type Order,
  subjectOfWork,
  type ThreadData,
  type Underway,
  type Work,
  type WorkName,
  type Works,
} from './work.ts';

export interface PoolOptions {
  /** See `Flow`: what is under way comes to its end when this says so. */
  stop: Int32Array;
  /** Is told now and then how far a part is. */
  underway?: (job: CheckJob, so: Underway) => void;
  /** Seconds without a sign of life after which a module's thread is ended. */
  hang?: number;
  /** Milliseconds after which the whole run should have ended, from now on. */
  time?: number;
  /** Where goes what a module prints. */
  log?: (text: string) => void;
}

/** Seconds without a sign of life: the largest schedules of what ships take two. */
export const HANGS_AFTER = 60;
/** As long is waited for what should have ended, in milliseconds. */
const GRACE = 5000;
/** How often is looked, in milliseconds. */
const LOOK = 250;
/** Milliseconds that a thread without work gets to say so. */
const REST = 1000;
/** Milliseconds that threads are kept for a run that may come. */
const KEPT = 60_000;

/**
 * Threads of runs that are over. It takes half a second to start one and to load the model, and code that has run
 * is faster.
 */
const kept: WorkerThread[] = [];
let keptTimer: NodeJS.Timeout | undefined;

function keep(thread: WorkerThread): void {
  kept.push(thread);
  clearTimeout(keptTimer);
  keptTimer = setTimeout(() => {
    for (const one of kept.splice(0)) one.terminate();
  }, KEPT).unref();
}

/** A thread that was kept and has loaded nothing that is another now, or a new one. */
function threadFor(options: PoolOptions, until: number): WorkerThread {
  for (let thread = kept.pop(); thread; thread = kept.pop()) {
    if (thread.begin(options, until)) return thread;
    thread.terminate();
  }
  return new WorkerThread(options, until);
}

/** A worker thread of Node's. */
class WorkerThread implements Thread<Work, unknown> {
  private readonly worker: Worker;
  private readonly beat = new Int32Array(new SharedArrayBuffer(4));
  private settle: ((done: Done<unknown> | Error) => void) | null = null;
  private work: Work | null = null;
  private looks: NodeJS.Timeout | undefined;
  private rested: ((loaded: Loaded | null) => void) | null = null;
  private loaded: Loaded | null = null;

  constructor(
    private options: PoolOptions,
    private until: number,
  ) {
    const workerData: ThreadData = { stop: options.stop, beat: this.beat };
    this.worker = new Worker(new URL('./worker.js', import.meta.url), {
      workerData,
      stdout: true,
      // a schedule leaves much behind, and all of it at once
      resourceLimits: { maxYoungGenerationSizeMb: 64 },
    });
    this.worker.on('error', (error) => this.settle?.(error));
    this.worker.on('exit', (code) => {
      this.settle?.(new Error(`it ends the process that checks it (process.exit, ${code})`));
      this.rested?.(null);
      if (kept.includes(this)) kept.splice(kept.indexOf(this), 1);
    });
    this.worker.on('message', (answer: Answer) => {
      if ('printed' in answer) this.options.log?.(answer.printed);
      else if ('rests' in answer) this.rested?.(answer.rests);
      else if (!('underway' in answer)) this.settle?.(this.read(answer));
      else if (this.work && 'job' in this.work)
        this.options.underway?.(this.work.job, answer.underway);
    });
  }

  private tell(order: Order): void {
    this.worker.postMessage(order);
  }

  /** @returns whether it can be used for another run */
  begin(options: PoolOptions, until: number): boolean {
    if (this.loaded === null || !isCurrent(this.loaded)) return false;
    this.options = options;
    this.until = until;
    this.worker.ref();
    this.tell({ begin: { stop: options.stop } });
    return true;
  }

  async retire(): Promise<void> {
    this.settle = null;
    this.loaded = await new Promise<Loaded | null>((resolve) => {
      const late = setTimeout(() => resolve(null), REST);
      this.rested = (loaded) => {
        clearTimeout(late);
        resolve(loaded);
      };
      this.tell('rest');
    });
    this.rested = null;
    if (this.loaded === null || this.loaded.more) return void (await this.terminate());
    this.worker.unref();
    keep(this);
  }

  private read(answer: Extract<Answer, { answer: unknown } | { error: object }>): Done<unknown> {
    if ('answer' in answer) return answer;
    const { name, message, stack } = answer.error;
    if (name === 'UsageError' || name === 'ProgramError') return { error: new UsageError(message) };
    // of a program: the model leaves something to chance
    if (name === 'ScenarioError' && this.work)
      return { error: new UsageError(`${subjectOfWork(this.work).who}: ${message}`) };
    return { error: Object.assign(new Error(message), { stack }) };
  }

  perform(work: Work): Promise<Done<unknown>> {
    this.work = work;
    const { file, who } = subjectOfWork(work);
    return new Promise((resolve, reject) => {
      this.looks = this.look((why) => {
        this.worker.terminate();
        this.settle?.(why);
      }, isModule(file));
      this.settle = (done) => {
        clearInterval(this.looks);
        this.settle = null;
        if (!(done instanceof Error)) {
          if ('error' in done && !(done.error instanceof UsageError)) {
            done.error.message = `${who}: ${done.error.message}`;
          }
          return resolve(done);
        }
        if (done instanceof ThreadGone) return reject(done);
        reject(isModule(file) ? new UsageError(`${who}: ${done.message}`) : done);
      };
      this.tell(work);
    });
  }

  /** Looks whether the thread gets on. */
  private look(giveUp: (why: Error) => void, own: boolean): NodeJS.Timeout {
    const { stop, hang = HANGS_AFTER } = this.options;
    let beat = Atomics.load(this.beat, 0);
    let since = Date.now();
    return setInterval(() => {
      const now = Date.now();
      const next = Atomics.load(this.beat, 0);
      if (next !== beat) {
        beat = next;
        since = now;
      }
      const still = now - since;
      if (Atomics.load(stop, 0) === Flow.stop && still > GRACE)
        return giveUp(new ThreadGone('stopped'));
      const bound = now > this.until ? Math.min(hang * 1000, GRACE) : hang * 1000;
      if (!own || still <= bound) return;
      const seconds = Math.round(bound / 1000);
      giveUp(new Error(`no sign of life for ${seconds} s (--hang): does a loop have no end?`));
    }, LOOK);
  }

  terminate(): Promise<number> {
    this.settle = null;
    clearInterval(this.looks);
    return this.worker.terminate();
  }
}

/**
 * What comes of work, where a module's mistakes are told and no error.
 * @returns null where it was given up, or shows what is wrong with a module
 */
export async function unlessMistaken<T>(
  work: Promise<T | null>,
  mistaken: (message: string) => void,
): Promise<T | null> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    mistaken(error.message);
    return null;
  }
}

/** The threads of `softleaf check`. */
export class Pool {
  private readonly threads: Threads<Work, unknown>;
  /** Whether it does nothing any more. */
  ended = false;

  constructor(
    readonly size: number,
    options: PoolOptions,
  ) {
    const until = Date.now() + (options.time ?? Number.POSITIVE_INFINITY);
    this.threads = new Threads(size, () => threadFor(options, until));
  }

  /**
   * @returns null where it was given up
   * @throws UsageError where a module makes a mistake, or its thread ends
   */
  do<K extends WorkName>(what: K, of: Works[K]['of']): Promise<Works[K]['answer'] | null> {
    return this.threads.add({ what, ...of } as Work) as Promise<Works[K]['answer'] | null>;
  }

  end(): Promise<void> {
    this.ended = true;
    return this.threads.end();
  }
}
