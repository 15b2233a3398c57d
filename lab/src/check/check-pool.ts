/** The threads of a check, as web workers. */
import {
  type Done,
  type Found,
  type OutcomeSeen,
  type PartRequest,
  type PartResult,
  type ReportedFinding,
  type Thread,
  Threads,
  type ToldOutcome,
} from '../../../src/checker/index.ts';
import type { Answer, Work } from './check.worker.ts';

type Came = PartResult | ReportedFinding | ToldOutcome[];

class WebWorker implements Thread<Work, Came> {
  private readonly worker = new Worker(new URL('./check.worker.ts', import.meta.url), {
    type: 'module',
  });

  perform(work: Work): Promise<Done<Came>> {
    const { worker } = this;
    return new Promise((resolve, reject) => {
      worker.onerror = ({ message }) => reject(new Error(message || 'the thread does not start'));
      worker.onmessage = ({ data }: MessageEvent<Answer>) => {
        if ('answer' in data) resolve(data);
        else resolve({ error: Object.assign(new Error(data.error), { name: data.name }) });
      };
      worker.postMessage(work);
    });
  }

  terminate(): void {
    this.worker.terminate();
  }
}

export class Pool {
  private readonly threads: Threads<Work, Came>;

  constructor(
    size: number,
    private readonly common: Pick<Work, 'source' | 'walk' | 'plan'>,
  ) {
    this.threads = new Threads(size, () => new WebWorker());
  }

  part(part: PartRequest): Promise<PartResult | null> {
    return this.threads.add({ ...this.common, part }) as Promise<PartResult | null>;
  }

  /** What was found is reported before anything else is searched. */
  report(found: Found): Promise<ReportedFinding | null> {
    return this.threads.add({ ...this.common, found }, true) as Promise<ReportedFinding | null>;
  }

  /** The schedules of outcomes are made short. */
  shorten(table: readonly OutcomeSeen[]): Promise<ToldOutcome[] | null> {
    return this.threads.add({ ...this.common, table }) as Promise<ToldOutcome[] | null>;
  }

  /** Parts that were not begun are not begun any more. */
  drop(): void {
    this.threads.drop((work) => 'part' in work);
  }

  /** All is over: what is under way is given up. */
  end(): void {
    void this.threads.end();
  }
}
