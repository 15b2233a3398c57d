/** What `softleaf check` is asked for: options, and the searches that they mean. */
import { availableParallelism } from 'node:os';
import {
  DEFAULT_PLAN,
  type Plan,
  type StrategyName,
  type Subject,
  type Walk,
} from '../../checker/index.ts';
import { filesOfArguments, loadSubjects, shippedScenarios } from './files.ts';
import type { CheckJob } from './jobs.ts';

export interface CheckCommandOptions {
  walk?: Walk;
  strategy?: StrategyName;
  seed?: number;
  time?: number;
  schedules?: number;
  preemptions?: number;
  faults?: number;
  findings?: number;
  hardware?: boolean;
  workers?: number;
  replay?: string;
  resume?: string;
  report?: string;
  /** The address of a lab; true: that of `softleaf lab`. */
  link?: string | true;
  json?: boolean;
  /** What was come across and what was not reached, all of it. */
  coverage?: boolean;
  /** Exit with a code of its own where nothing was found but not everything tried. */
  requireComplete?: boolean;
  verbose?: boolean;
}

/**
 * Schedules of the quick suite: of the exhaustive search, of the one with few preemptions, at random with a
 * failing allocation, and at random with the hardware's own events.
 */
const QUICK = { exhaustive: 400, bounded: 150, pct: 150, hardware: 50 };
const QUICK_WALKS: readonly Walk[] = ['unified', 'collect'];

/** How to search where the options leave nothing to the quick suite. */
export function planOf(options: CheckCommandOptions): Plan {
  return {
    ...DEFAULT_PLAN,
    ...(options.strategy === undefined ? {} : { strategy: options.strategy }),
    ...(options.seed === undefined ? {} : { seed: options.seed }),
    ...(options.schedules === undefined ? {} : { schedules: options.schedules }),
    ...(options.preemptions === undefined ? {} : { preemptions: options.preemptions }),
    ...(options.faults === undefined ? {} : { faults: options.faults }),
    ...(options.findings === undefined ? {} : { findings: options.findings }),
    ...(options.hardware ? { hardware: true } : {}),
  };
}

/** Whether the caller leaves it to the quick suite how to search. */
function isQuick({ strategy, schedules, time, preemptions }: CheckCommandOptions): boolean {
  return [strategy, schedules, time, preemptions].every((option) => option === undefined);
}

/** The walk that a subject is checked with where none is asked for. */
export function ownWalk(subject: Subject): Walk {
  return ('program' in subject ? subject.program.machine?.walk : undefined) ?? 'unified';
}

/** The searches that are asked for. */
export async function jobsOf(
  files: readonly string[],
  options: CheckCommandOptions,
): Promise<CheckJob[]> {
  const quick = files.length === 0 && isQuick(options);
  const walks = options.walk ? [options.walk] : files.length === 0 ? QUICK_WALKS : undefined;
  const jobs: CheckJob[] = [];
  const base = planOf(options);
  const plans: Plan[] = quick
    ? [
        { ...base, strategy: 'exhaustive', schedules: QUICK.exhaustive },
        { ...base, strategy: 'exhaustive', schedules: QUICK.bounded, preemptions: 2 },
        { ...base, strategy: 'pct', schedules: QUICK.pct, faults: Math.max(1, base.faults) },
        { ...base, strategy: 'pct', schedules: QUICK.hardware, hardware: true },
      ]
    : [base];
  for (const file of files.length === 0 ? shippedScenarios() : filesOfArguments(files)) {
    for (const { name, subject } of await loadSubjects(file)) {
      // nobody can read standard input a second time
      const program = file === '-' && 'program' in subject ? { program: subject.program } : {};
      for (const walk of walks ?? [ownWalk(subject)]) {
        for (const plan of plans) jobs.push({ file, name, walk, plan, ...program });
      }
    }
  }
  if (options.time !== undefined) {
    // a second is a second of one thread
    const time = (options.time * 1000 * workersOf(options)) / jobs.length;
    return jobs.map((job) => ({ ...job, plan: { ...job.plan, time } }));
  }
  return jobs;
}

/** Threads. */
export function workersOf({ workers }: CheckCommandOptions): number {
  return workers ?? Math.min(availableParallelism(), 8);
}
