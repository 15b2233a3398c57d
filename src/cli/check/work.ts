/** What `softleaf check` gives its worker threads to do, and what comes back. */
import type {
  ConcurrentProgram,
  Found,
  JobResult,
  LockOrderSeen,
  PartRequest,
  PartResult,
  Plan,
  ReportedFinding,
  Walk,
} from '../../checker/index.ts';

/** One search. */
export interface CheckJob {
  file: string;
  /** The scenario's name. */
  name: string;
  walk: Walk;
  plan: Plan;
  /** The program itself, where no worker can read it from the file: standard input. */
  program?: ConcurrentProgram;
  /** Where an earlier run left off. */
  from?: unknown;
  /** Titles of what it found: they are not reported again. */
  known?: string[];
  /** Orders of locks that it saw. */
  orders?: readonly LockOrderSeen[];
}

/** A scenario of a module, or what is wrong with it. */
export type ListedName = { readonly name: string } | { readonly mistake: string };

/** How a schedule is played again. */
export interface ReplayOptions {
  walk?: Walk;
  hardware?: boolean;
}

/** By what is to be done: of what, and what comes of it. */
export interface Works {
  /** The scenarios of a module. */
  list: { of: { file: string }; answer: ListedName[] };
  /** A module's scenario is set up once. */
  try: { of: { file: string; name: string }; answer: true };
  /** A part of a search. */
  part: { of: { job: CheckJob; part: PartRequest }; answer: PartResult };
  /** What was found is shrunk and reported. */
  report: { of: { job: CheckJob; found: Found }; answer: ReportedFinding };
  /** What a schedule of a scenario belongs to. */
  digest: { of: { job: CheckJob }; answer: string };
  /** A schedule once more. */
  replay: {
    of: { file: string; text: string; options: ReplayOptions };
    answer: JobResult;
  };
}
export type WorkName = keyof Works;
/** A piece of work. */
export type Work = { [K in WorkName]: { what: K } & Works[K]['of'] }[WorkName];

/** The file that a piece of work is about, and the scenario, if it is about one. */
export function subjectOfWork(work: Work): { file: string; name?: string } {
  if ('job' in work) return { file: work.job.file, name: work.job.name };
  return 'name' in work ? { file: work.file, name: work.name } : { file: work.file };
}

/** What a thread says when it is done. */
export type Answer =
  | { answer: unknown }
  | { error: { message: string; name: string; stack?: string } };

/** What a thread is given when it is made. */
export interface ThreadData {
  /** Not 0: what is under way is to come to its end. */
  stop: Int32Array;
  /** Goes up as long as the thread gets on. */
  beat: Int32Array;
}
