/** The threads of a check, and what they are to do, first come first served. */
import type { Found, PartOrder, PartResult, ReportedFinding } from '../../../src/checker/index.ts';
import type { Answer, Work } from './check.worker.ts';

type Result = PartResult | ReportedFinding;

/** Work that waits for a thread; `null` is its result where it is not begun any more. */
interface Waiting {
  readonly work: Work;
  resolve(result: Result | null): void;
  reject(error: Error): void;
}

export class Pool {
  private readonly queue: Waiting[] = [];
  private readonly idle: Worker[] = [];
  private readonly all: Worker[] = [];
  private readonly underWay = new Set<Waiting>();

  constructor(
    private readonly size: number,
    private readonly common: Pick<Work, 'source' | 'walk' | 'plan'>,
  ) {}

  part(part: PartOrder): Promise<PartResult | null> {
    return this.add({ ...this.common, part }, false) as Promise<PartResult | null>;
  }

  /** What was found is reported before anything else is searched. */
  report(found: Found): Promise<ReportedFinding | null> {
    return this.add({ ...this.common, found }, true) as Promise<ReportedFinding | null>;
  }

  /** Parts that were not begun are not begun any more. */
  drop(): void {
    for (const waiting of this.queue.splice(0)) {
      if ('part' in waiting.work) waiting.resolve(null);
      else this.queue.push(waiting);
    }
  }

  /** All is over: what is under way is given up. */
  end(): void {
    for (const worker of this.all) worker.terminate();
    this.all.length = 0;
    this.idle.length = 0;
    for (const { resolve } of [...this.queue.splice(0), ...this.underWay]) resolve(null);
    this.underWay.clear();
  }

  private add(work: Work, first: boolean): Promise<Result | null> {
    return new Promise((resolve, reject) => {
      const waiting = { work, resolve, reject };
      if (first) this.queue.unshift(waiting);
      else this.queue.push(waiting);
      this.start();
    });
  }

  private start(): void {
    if (this.queue.length === 0) return;
    let worker = this.idle.pop();
    if (!worker && this.all.length < this.size) {
      worker = new Worker(new URL('./check.worker.ts', import.meta.url), { type: 'module' });
      this.all.push(worker);
    }
    if (worker) this.give(worker, this.queue.shift() as Waiting);
  }

  private give(worker: Worker, waiting: Waiting): void {
    const { work, resolve, reject } = waiting;
    this.underWay.add(waiting);
    worker.onerror = (event) => reject(new Error(event.message || 'the thread does not start'));
    worker.onmessage = ({ data }: MessageEvent<Answer>) => {
      this.underWay.delete(waiting);
      this.idle.push(worker);
      if ('answer' in data) resolve(data.answer);
      else reject(Object.assign(new Error(data.error), { name: data.name }));
      this.start();
    };
    worker.postMessage(work);
  }
}
