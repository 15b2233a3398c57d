/** Random programs on a kernel and on the model: where they differ, with the fewest operations that show it. */
import {
  compareResults,
  type Difference,
  type Program,
  ProgramError,
  parseProgram,
  type Result,
} from '../program/index.ts';
import { type Profile, randomProgram } from '../program/internal.ts';
import { differenceWords } from './differences.ts';
import type { Answer } from './protocol.ts';
import { knownReport } from './report.ts';
import type { Session } from './session.ts';
import { shrink } from './shrink.ts';

/** What comes of a program on the model. */
export interface Modelled {
  results: readonly Result[];
  findings: readonly { title: string; op: number }[];
}

/** Something that was found, and how often. */
export interface FuzzKind {
  /** What those that are alike have in common. */
  key: string;
  /** `differs`: from the model; `reported`: by the kernel; `ended`: the kernel, or a process; `model`: it broke. */
  what: 'differs' | 'reported' | 'ended' | 'model';
  /** The operation; '' where none is known. */
  op: string;
  /** Of a difference the field of its result, else ''. */
  field: string;
  /** Of a difference what the model and the kernel returned; else what happened, in words. */
  model?: unknown;
  kernel?: unknown;
  words?: string;
  /** It was not seen again when the program was asked alone: it hangs on what ran before. */
  once?: true;
  /** The kernel gave up after a second: `isLate()`. */
  late?: true;
  /** Programs. */
  count: number;
  /** The smallest that shows it, with what the kernel returned where it came to its end. */
  program: Program;
  /** The name of the program as it was drawn. */
  from: string;
}

/** Where a run is: what comes after it is the same whoever goes on. */
export interface FuzzState {
  seed: number;
  profiles: string[];
  /** Programs that were drawn. */
  next: number;
  /** Programs that came to their end on both sides. */
  ran: number;
  /** Programs that this kernel cannot run. */
  skipped: number;
  kinds: FuzzKind[];
}

export interface FuzzOptions {
  /** By name, those of the state among them. */
  profiles: Readonly<Record<string, Profile>>;
  session: Session;
  /** Runs a program on the model. */
  run(program: Program): Modelled;
  /** Changes a program that was drawn: its machine. */
  prepare(program: Program): Program;
  /** Whether to begin no more. */
  until(): boolean;
  /** Something was found, or a batch is over. */
  onProgress(state: FuzzState, found: FuzzKind | null): void;
}

/** Programs that are asked at once. */
const BATCH = 32;
/** Of what looks alike so many are made smaller: it may have several reasons. */
const ALIKE = 3;

/** The seed of one program. */
const seedOf = (seed: number, index: number): number => (Math.imul(seed, 0x9e3779b1) + index) | 0;

interface Tried {
  program: Program;
  of: Modelled;
}

/** A program without what waits for ever for a monitor, and what comes of it on the model. */
function tried(program: Program, run: FuzzOptions['run']): Tried {
  let left = program;
  for (;;) {
    const of = run(left);
    const [finding] = of.findings;
    if (!finding?.title.startsWith('waits for ever')) return { program: left, of };
    left = { ...left, ops: left.ops.filter((_, i) => i !== finding.op) };
  }
}

/** Something in what became of a program, and the operation in which it is, if that is known. */
interface Seen extends Omit<FuzzKind, 'count' | 'program' | 'from'> {
  at: number | undefined;
}

/** Of what was looked at in a program: null: nothing is to be seen, undefined: it was not run. */
interface Looked {
  program: Program;
  answer: Answer;
  seen: Seen | null | undefined;
}
type Look = (programs: readonly Tried[]) => Promise<Looked[]>;

function see({ program, of }: Tried, answer: Answer): Seen | null {
  const { stopped, reports, results } = answer;
  const opAt = (at: number | undefined) => (at === undefined ? '' : (program.ops[at]?.op ?? ''));
  const [finding] = of.findings;
  if (finding)
    return {
      what: 'model',
      op: opAt(finding.op),
      field: '',
      words: finding.title,
      key: JSON.stringify(['model', opAt(finding.op), finding.title]),
      at: finding.op,
    };
  const report = reports.find((one) => knownReport(one) === undefined);
  if (report)
    return {
      what: 'reported',
      op: opAt(report.op),
      field: '',
      words: report.title,
      key: JSON.stringify(['reported', report.title]),
      at: report.op,
    };
  if (stopped)
    return {
      what: 'ended',
      op: opAt(stopped.op),
      field: '',
      words: stopped.how,
      key: JSON.stringify(['ended', stopped.how, opAt(stopped.op)]),
      at: stopped.op,
    };
  const difference: Difference | undefined = compareResults(of.results, results);
  if (!difference) return null;
  const { key, expected, actual, ...words } = differenceWords(program, difference);
  return { what: 'differs', ...words, model: expected, kernel: actual, key, at: difference.op };
}

/**
 * Why a difference is none: lib/test_hmm.c gives a fault of the device a second (HMM_RANGE_DEFAULT_TIMEOUT) and returns
 * EBUSY then. An emulated kernel may take longer for many pages; the model has no clock.
 */
const isLate = ({ field, model, kernel }: Seen): boolean =>
  field === 'ret' && model === 'ok' && kernel === 'EBUSY';

/** By what two small programs are alike. */
const signature = ({ ops }: Program): string =>
  ops
    .map((op) => {
      const { advice, kind, prot, how } = op as unknown as Record<string, string | undefined>;
      return [op.op, advice, kind, prot, how].filter((word) => word !== undefined).join(' ');
    })
    .join('; ');

/** What a program returned on a kernel, beside it. */
const recorded = (program: Program, { results, stopped }: Answer): Program =>
  stopped || results.length === 0
    ? program
    : { ...program, results: results.slice(0, program.ops.length) };

/**
 * Goes on with a run, until it is told to stop.
 * @throws KernelError where a kernel does not come up
 */
export async function fuzz(state: FuzzState, options: FuzzOptions): Promise<void> {
  const { session, profiles, until, onProgress } = options;
  const drawn = (index: number): Program => {
    const profile = state.profiles[index % state.profiles.length];
    const program = randomProgram(
      profiles[profile],
      seedOf(state.seed, index),
      `${profile}-${state.seed}-${index}`,
    );
    // every operation with the process that does it
    return parseProgram(options.prepare(program));
  };
  const look: Look = async (programs) => {
    // where the model breaks or waits, a kernel may wait as well
    const asked = programs.filter(({ of }) => of.findings.length === 0);
    const answers = new Map<Program, Answer>();
    await session.askAll(
      asked.map(({ program }) => program),
      (answer, program) => answers.set(program, answer),
    );
    return programs.map((one) => {
      const answer = answers.get(one.program) ?? { results: [], reports: [] };
      const run = answer.skipped === undefined;
      return { program: one.program, answer, seen: run ? see(one, answer) : undefined };
    });
  };
  while (!until() && !session.givenUp) {
    const indices = Array.from({ length: BATCH }, (_, i) => state.next + i);
    const batch = indices.map((index) => tried(drawn(index), options.run));
    for (const looked of await look(batch)) {
      const { seen } = looked;
      if (seen === undefined) state.skipped++;
      else if (seen === null || seen.what === 'differs') state.ran++;
      if (!seen) continue;
      const kind = await settle(state, { ...looked, seen }, look, options);
      if (kind) onProgress(state, kind);
    }
    state.next += BATCH;
    onProgress(state, null);
  }
}

/** The first of some candidates in which the same is to be seen, -1: none, and what the kernel said of it. */
async function firstAlike(
  candidates: readonly Program[],
  { what, key }: Seen,
  look: Look,
  run: FuzzOptions['run'],
): Promise<{ at: number; answer?: Answer }> {
  const valid = candidates.flatMap((candidate, i) => {
    try {
      const program = parseProgram(candidate);
      const of = run(program);
      // where the model has to break, no kernel needs to be asked
      return what === 'model' && of.findings.length === 0 ? [] : [{ program, of, i }];
    } catch (error) {
      if (error instanceof ProgramError) return [];
      throw error;
    }
  });
  const looks = await look(valid);
  const hit = looks.findIndex(({ seen }) => seen?.what === what && seen.key === key);
  return hit < 0 ? { at: -1 } : { at: valid[hit].i, answer: looks[hit].answer };
}

/**
 * Counts what was seen, and makes the program smaller if it may be news. A kernel that ended is not asked again, nor one
 * that has reported: it may report a thing only once.
 * @returns what is new
 */
async function settle(
  state: FuzzState,
  { program, answer, seen }: Looked & { seen: Seen },
  look: Look,
  { run }: FuzzOptions,
): Promise<FuzzKind | null> {
  const { at, ...words } = seen;
  const alike = state.kinds.filter(({ key }) => key === words.key);
  const late = isLate(seen);
  const shrinks = (words.what === 'differs' || words.what === 'model') && !late;
  if (alike.length >= (shrinks ? ALIKE : 1)) {
    alike[0].count++;
    return null;
  }
  let small =
    at === undefined || !shrinks ? program : { ...program, ops: program.ops.slice(0, at + 1) };
  let last = answer;
  let once = false;
  if (shrinks) {
    const still = async (candidates: readonly Program[]): Promise<number> => {
      const found = await firstAlike(candidates, seen, look, run);
      if (found.answer) last = found.answer;
      return found.at;
    };
    if ((await still([small])) < 0) once = true;
    else small = await shrink(small, still);
    const shape = signature(small);
    const before = alike.find((kind) => signature(kind.program) === shape);
    if (before) {
      before.count++;
      return null;
    }
  }
  const kind: FuzzKind = {
    ...words,
    ...(once ? { once } : {}),
    ...(late ? { late } : {}),
    count: 1,
    program: recorded({ ...small, name: `${program.name}-small` }, last),
    from: program.name,
  };
  state.kinds.push(kind);
  return kind;
}
