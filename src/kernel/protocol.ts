/** What the agent says, a line of JSON at a time; agent/main.c has the other side. */
import type { ConcurrentProgram, Op, Program, Result } from '../program/format.ts';
import { KernelError } from './error.ts';
import { type KernelReport, kernelReports } from './report.ts';

/** The version of what both sides say. */
const PROTOCOL = 1;

/** What a kernel is and has. */
export interface Hello {
  /** `uname -r`, `uname -v`, `uname -m`. */
  kernel: string;
  version: string;
  machine: string;
  cpus: number;
  /** Devices of the test driver. */
  devices: number;
  /** Of test_hmm, coherent, userfaultfd, gup_test, hugetlb, pagemap_scan, soft_dirty. */
  has: string[];
  /** transparent_hugepage/enabled */
  thp?: string;
}

/** What the operations of tasks that run at the same time came to, in one round. */
export interface RaceOutcome {
  /** By task. */
  results: Record<string, Result[]>;
  after: Result[];
}

/** What many rounds of a concurrent program came to. */
export interface Rounds {
  rounds: number;
  /** Rounds whose outcome had no place any more. */
  lost: number;
  setup: Result[];
  /** How many rounds came to each outcome. */
  outcomes: [rounds: number, outcome: RaceOutcome][];
}

/** What became of a program. */
export interface Answer {
  /** Of the operations that returned. */
  results: Result[];
  /** It was not run, and why. */
  skipped?: string;
  /** It did not come to its end, and in which operation (-1: before the first; undefined: not known). */
  stopped?: { how: string; op?: number };
  /** Of a concurrent program. */
  raced?: Rounds;
  /** What the kernel reported meanwhile, and the operation after which that was seen, if it was one. */
  reports: (KernelReport & { op?: number })[];
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null;

/** A line, of whatever kind. */
export type AgentLine =
  | { kind: 'hello'; hello: Hello }
  | { kind: 'took'; bytes: number }
  /** A program of many rounds is under way. */
  | { kind: 'alive' }
  | { kind: 'ended'; why: string }
  | { kind: 'answer'; answer: Answer };

function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined;
}

function answerOf(line: Record<string, unknown>): Answer {
  const answer: Answer = { results: (line.results as Result[] | undefined) ?? [], reports: [] };
  if (typeof line.bad === 'string')
    throw new KernelError(`the agent does not read a program: ${line.bad}`);
  if (typeof line.skipped === 'string') answer.skipped = line.skipped;
  if (isObject(line.kernel)) {
    const at = numberOf(line.kernel.op);
    // -1: as it was taken down
    const op = at === undefined || at < 0 ? undefined : at;
    const reports = kernelReports(line.kernel.lines as string[]);
    answer.reports = reports.map((report) => ({ ...report, op }));
  }
  if (Array.isArray(line.outcomes)) {
    const { rounds, lost, setup = [], outcomes } = line as unknown as Rounds & { setup?: Result[] };
    answer.raced = { rounds, lost, setup, outcomes };
  }
  const died = numberOf(line.died);
  const hung = numberOf(line.hung);
  const because = typeof line.error === 'string' ? `: ${line.error}` : '';
  if (died !== undefined)
    answer.stopped = { how: `a process of it was killed${because}`, op: died };
  if (hung !== undefined) answer.stopped = { how: 'it took too long', op: hung };
  return answer;
}

/**
 * Reads a line of the agent; null for one that is none, as of a shell that starts it.
 * @throws KernelError for an agent of another version, or a program that it does not read
 */
export function readAgentLine(text: string): AgentLine | null {
  let line: unknown;
  try {
    line = JSON.parse(text);
  } catch {
    return null;
  }
  if (!isObject(line)) return null;
  if (line.hello === 'softleaf-agent') {
    if (line.protocol !== PROTOCOL)
      throw new KernelError(
        `the agent speaks protocol ${line.protocol}, this is ${PROTOCOL}: use the one of this version (softleaf kernel agent)`,
      );
    return { kind: 'hello', hello: line as unknown as Hello };
  }
  if (typeof line.took === 'number') return { kind: 'took', bytes: line.took };
  if (typeof line.round === 'number') return { kind: 'alive' };
  if (typeof line.ended === 'string') return { kind: 'ended', why: line.ended };
  return { kind: 'answer', answer: answerOf(line) };
}

/** A program that an agent can be asked. */
export type Askable = Program | (ConcurrentProgram & { rounds: number });

/**
 * A program as the agent takes it.
 * @param seconds that it may take
 */
export function programLine(program: Askable, seconds: number): string {
  const { name, machine } = program;
  const pages = machine?.hugetlbPages;
  const pool = pages === undefined ? {} : { machine: { hugetlbPages: pages } };
  const bare = (ops: readonly Op[]) =>
    ops.map(({ comment: _, expect: __, ...op }: Op & { expect?: unknown }) => op);
  const line: Record<string, unknown> = { name, seconds, ...pool };
  if ('tasks' in program) {
    const { rounds, setup, tasks, after } = program;
    const all = Object.entries(tasks).map(([task, ops]) => [task, bare(ops)]);
    Object.assign(line, { rounds, setup: bare(setup), tasks: Object.fromEntries(all) });
    line.after = bare(after);
  } else line.ops = bare(program.ops);
  return `${JSON.stringify(line)}\n`;
}

/** Why no kernel can be the machine that a program asks for; undefined where one can. */
export function otherMachine({ machine }: Pick<Program, 'machine'>): string | undefined {
  const { pmdOrder = 9, pageBytes = 4096, ramPages } = machine ?? {};
  if (pageBytes !== 4096) return `its machine has pages of ${pageBytes} bytes`;
  if (pmdOrder !== 9) return `its machine has huge pages of ${2 ** pmdOrder} pages`;
  if (ramPages !== undefined) return 'its machine has a memory of its own size';
  return undefined;
}
