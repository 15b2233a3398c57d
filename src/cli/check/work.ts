/** What `softleaf check` gives its worker threads to do, and what comes back. */
import type {
  ConcurrentProgram,
  Effort,
  Found,
  JobResult,
  OutcomeSeen,
  PartRequest,
  PartResult,
  Plan,
  ReportedFinding,
  ToldOutcome,
  Walk,
} from '../../checker/index.ts';
import type { Unmended } from '../../mm/light.ts';
import type { Loaded } from '../modules.ts';

/** One search. */
export interface CheckJob {
  file: string;
  /** The scenario's name. */
  name: string;
  walk: Walk;
  plan: Plan;
  /** Mends that are off, where the command line says so; `program` has it as well. */
  unmended?: readonly Unmended[];
  /** The program itself, where it is not what a worker reads from the file: standard input, other mends. */
  program?: ConcurrentProgram;
}

/** How far a part is: what came since it was last said. */
export interface Underway {
  schedules: number;
  /** Digests of ends. */
  outcomes: string[];
  /** Steps of the longest schedule of the part. */
  longest: number;
}

/** A scenario of a module, or what is wrong with it. */
export type ListedName = { readonly name: string } | { readonly mistake: string };

/** How a schedule is played again. */
export interface ReplayOptions {
  walk?: Walk;
  hardware?: boolean;
  /** Mends that are off, where it is of a program. */
  unmended?: readonly Unmended[];
}

/** By what is to be done: of what, and what comes of it. */
export interface Works {
  /** The scenarios of a module. */
  list: { of: { file: string }; answer: ListedName[] };
  /** A module's scenario is set up once. */
  try: { of: { file: string; name: string }; answer: true };
  /** A part of a search; null where it was not begun, as threads pause or are to stop. */
  part: { of: { job: CheckJob; part: PartRequest }; answer: PartResult | null };
  /** What was found is shrunk and reported. */
  report: { of: { job: CheckJob; found: Found; effort: Effort }; answer: ReportedFinding };
  /** The schedules of outcomes are made short, with so many replays at most. */
  shorten: {
    of: { job: CheckJob; table: readonly OutcomeSeen[]; replays: number };
    answer: ToldOutcome[];
  };
  /** What a search of a scenario belongs to. */
  digest: { of: { job: CheckJob }; answer: string };
  /** A finding as a file for the lab. */
  trace: {
    of: { job: CheckJob; finding: Pick<ReportedFinding, 'walk' | 'hardware' | 'schedule'> };
    answer: string;
  };
  /** A schedule as a mail. */
  explain: {
    of: { file: string; text: string; options: ReplayOptions };
    answer: string;
  };
  /** Every step of a schedule in words, in colours or not. */
  steps: {
    of: { file: string; text: string; options: ReplayOptions; colours: boolean };
    answer: string;
  };
  /** A schedule once more. */
  replay: {
    of: { file: string; text: string; options: ReplayOptions };
    answer: JobResult;
  };
}
export type WorkName = keyof Works;
/** A piece of work. */
export type Work = { [K in WorkName]: { what: K } & Works[K]['of'] }[WorkName];

/** The file that a piece of work is about; and that for messages, with the scenario, if it is about one. */
export function subjectOfWork(work: Work): { file: string; who: string } {
  const { file, name }: { file: string; name?: string } = 'job' in work ? work.job : work;
  return { file, who: name === undefined ? file : `${file}: "${name}"` };
}

/** What is said to a thread: work; that another run begins, or that the last one is over. */
export type Order = Work | { begin: Pick<ThreadData, 'stop'> } | 'rest';

/** What a thread says when it is done. */
export type Answer =
  | { answer: unknown }
  | { rests: Loaded | null }
  | { printed: string }
  | { underway: Underway }
  | { error: { message: string; name: string; stack?: string } };

/** What a thread is given when it is made. */
export interface ThreadData {
  /** See `Flow`: whether what is under way is to come to its end. */
  stop: Int32Array;
  /** Goes up as long as the thread gets on. */
  beat: Int32Array;
}
