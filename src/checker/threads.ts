/** Threads, of Node's or of a browser's, and what they are to do: first come, first served. */

/** What came of a piece of work. */
export type Done<Answer> = { readonly answer: Answer } | { readonly error: Error };

/** A thread was ended, and what it did was given up. */
export class ThreadGone extends Error {
  override readonly name = 'ThreadGone';
}

/** A thread that does one piece of work at a time. */
export interface Thread<Work, Answer> {
  /**
   * @returns a promise that is rejected where the thread itself is gone: it gets no more work then, and another one
   * is made in its place. With `ThreadGone` nothing was wrong with the work
   */
  perform(work: Work): Promise<Done<Answer>>;
  /** What is under way is given up. */
  terminate(): unknown;
  /** Nothing is under way, and nothing more comes: others may have it. Without this it is terminated. */
  retire?(): unknown;
}

interface Waiting<Work, Answer> {
  readonly work: Work;
  resolve(answer: Answer | null): void;
  reject(error: unknown): void;
}

/** Gives pieces of work to threads, each to one that is idle. */
export class Threads<Work, Answer> {
  private readonly queue: Waiting<Work, Answer>[] = [];
  private readonly underWay = new Set<Waiting<Work, Answer>>();
  private readonly idle: Thread<Work, Answer>[] = [];
  private readonly all: Thread<Work, Answer>[] = [];

  constructor(
    /** Threads at most: one is made when there is work for it. */
    readonly size: number,
    private readonly make: () => Thread<Work, Answer>,
  ) {}

  /**
   * @param first before everything that waits
   * @returns null where it was given up, see `drop` and `end`
   */
  add(work: Work, first = false): Promise<Answer | null> {
    return new Promise((resolve, reject) => {
      const waiting = { work, resolve, reject };
      if (first) this.queue.unshift(waiting);
      else this.queue.push(waiting);
      this.start();
    });
  }

  /** Work that was not begun is not begun any more. */
  drop(which: (work: Work) => boolean): void {
    for (const waiting of this.queue.splice(0)) {
      if (which(waiting.work)) waiting.resolve(null);
      else this.queue.push(waiting);
    }
  }

  /** All is over: what is under way is given up, too. */
  async end(): Promise<void> {
    const threads = this.all.splice(0);
    const idle = new Set(this.idle.splice(0));
    for (const { resolve } of [...this.queue.splice(0), ...this.underWay]) resolve(null);
    this.underWay.clear();
    await Promise.all(
      threads.map((thread) =>
        idle.has(thread) && thread.retire ? thread.retire() : thread.terminate(),
      ),
    );
  }

  private start(): void {
    if (this.queue.length === 0) return;
    let thread = this.idle.pop();
    if (!thread && this.all.length < this.size) {
      thread = this.make();
      this.all.push(thread);
    }
    if (thread) this.give(thread, this.queue.shift() as Waiting<Work, Answer>);
  }

  private async give(thread: Thread<Work, Answer>, waiting: Waiting<Work, Answer>): Promise<void> {
    this.underWay.add(waiting);
    try {
      const done = await thread.perform(waiting.work);
      if (!this.underWay.delete(waiting)) return;
      this.idle.push(thread);
      if ('answer' in done) waiting.resolve(done.answer);
      else waiting.reject(done.error);
      this.start();
    } catch (error) {
      const at = this.all.indexOf(thread);
      if (at >= 0) this.all.splice(at, 1);
      if (!this.underWay.delete(waiting)) return;
      if (error instanceof ThreadGone) waiting.resolve(null);
      else waiting.reject(error);
      this.start();
    }
  }
}
