/** The time that a run may take: loading, searching, and making small what was found. */
import { EFFORT, type Effort } from '../../checker/index.ts';

/** When a run is to end, and what of it the search may take. */
export class Deadline {
  /** Milliseconds that the searches may take from now on. */
  readonly search: number;
  private readonly end: number;

  /**
   * @param seconds of the whole run; undefined: as long as it takes
   * @param began when it began, as `now` says it
   * @param now milliseconds, from any moment on
   */
  constructor(
    seconds: number | undefined,
    began: number,
    private readonly now: () => number = () => performance.now(),
  ) {
    const whole = seconds === undefined ? Number.POSITIVE_INFINITY : seconds * 1000;
    this.end = began + whole;
    // making findings small, and telling them, takes its time, too
    const rest = Math.min(20_000, whole * 0.2);
    const left = this.end - now() - rest;
    // where it takes all the time to begin, nothing would ever be searched
    this.search = Math.max(left, whole * 0.2);
  }

  /** How much may be tried to make a finding small, as things stand. */
  effort(): Effort {
    const left = this.end - this.now();
    return { ...EFFORT, time: Math.min(EFFORT.time, Math.max(0, left) * 0.6) };
  }
}
