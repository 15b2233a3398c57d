/** Timing: several ways to do the same job, taken in turns and each order as often, so that what disturbs one disturbs all. */

export interface Sample {
  /** Nanoseconds, median of the rounds. */
  median: number;
  /** The middle half of the rounds: from the lower to the upper quartile. */
  low: number;
  high: number;
}

/** A job that is timed: `prepare` is not part of the time. */
export interface Job {
  prepare?: () => void;
  run: () => void;
}

function quantile(sorted: readonly number[], q: number): number {
  const at = (sorted.length - 1) * q;
  const below = Math.floor(at);
  const above = Math.ceil(at);
  return sorted[below] + (sorted[above] - sorted[below]) * (at - below);
}

/** The middle of some times. */
export function summarize(times: readonly number[]): Sample {
  const sorted = [...times].sort((a, b) => a - b);
  return {
    median: quantile(sorted, 0.5),
    low: quantile(sorted, 0.25),
    high: quantile(sorted, 0.75),
  };
}

/**
 * Times jobs against each other.
 * @param rounds how often each is timed
 * @param warmUp rounds before that, not counted
 * @returns nanoseconds of one run of each job
 */
export function compare<Name extends string>(
  jobs: Record<Name, Job>,
  { rounds, warmUp }: { rounds: number; warmUp: number },
): Record<Name, Sample> {
  const names = Object.keys(jobs) as Name[];
  const times = new Map<Name, number[]>(names.map((name) => [name, []]));
  for (let round = -warmUp; round < rounds; round++) {
    for (const name of round & 1 ? names.toReversed() : names) {
      const { prepare, run } = jobs[name];
      prepare?.();
      const start = process.hrtime.bigint();
      run();
      const time = Number(process.hrtime.bigint() - start);
      if (round >= 0) times.get(name)?.push(time);
    }
  }
  const samples = names.map((name): [Name, Sample] => [name, summarize(times.get(name) ?? [])]);
  return Object.fromEntries(samples) as Record<Name, Sample>;
}
