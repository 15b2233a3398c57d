/** Whether the threads of a check go on: one number that all of them look at before each schedule. */

/** What the number says. */
export const Flow = { go: 0, stop: 1, pause: 2 } as const;

/** Stops threads, or has them pause at the end of a schedule. */
export class Gate {
  private busy = 0;
  private waitsForIdle: (() => void)[] = [];
  private waitsForOpen: (() => void)[] = [];

  constructor(private readonly flag: Int32Array) {}

  get stopped(): boolean {
    return Atomics.load(this.flag, 0) === Flow.stop;
  }

  get paused(): boolean {
    return Atomics.load(this.flag, 0) === Flow.pause;
  }

  /** Something that a pause waits for. */
  async during<T>(work: () => Promise<T>): Promise<T> {
    this.busy++;
    try {
      return await work();
    } finally {
      if (--this.busy === 0) for (const wake of this.waitsForIdle.splice(0)) wake();
    }
  }

  /** @returns when no pause is on */
  async open(): Promise<void> {
    while (this.paused) {
      await new Promise<void>((wake) => this.waitsForOpen.push(wake));
    }
  }

  /**
   * Has all threads pause.
   * @param most milliseconds to wait for them at most: code of others may not come to the end of its schedule
   * @returns when they do
   */
  async pause(most: number): Promise<void> {
    Atomics.compareExchange(this.flag, 0, Flow.go, Flow.pause);
    if (this.busy === 0) return;
    await new Promise<void>((wake) => {
      const timer = setTimeout(wake, most);
      this.waitsForIdle.push(() => {
        clearTimeout(timer);
        wake();
      });
    });
  }

  /** The pause is over; what was stopped meanwhile stays so. */
  goOn(): void {
    Atomics.compareExchange(this.flag, 0, Flow.pause, Flow.go);
    for (const wake of this.waitsForOpen.splice(0)) wake();
  }
}
