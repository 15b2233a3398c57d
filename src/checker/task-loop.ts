/** Of a schedule without end: what comes again and again. */

/** What one task does in a round of a schedule without end. */
export interface TaskLoop {
  readonly task: number;
  /** Steps of a round; none: it waits all the time. */
  readonly steps: number;
  /** Functions in which it is in all its steps, innermost first: the first one goes round. */
  readonly within: readonly string[];
  /** What that one calls, in the order of the round. */
  readonly calls: readonly string[];
  /** What it waits for in the round, in words. */
  readonly waits: readonly string[];
  /** Locks, by number, that it holds all the time. */
  readonly holds: ReadonlySet<number>;
  /** The lock, by number, that it waits for all the time; -1: none. */
  readonly stuck: number;
}
