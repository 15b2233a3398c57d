/** `softleaf conform`: runs recorded programs and compares with the recording. */
import { basename } from 'node:path';
import type { Unmended } from '../mm/light.ts';
import {
  type BadLine,
  compareResults,
  type LocatedProgram,
  type Program,
  ProgramError,
  type Result,
  runProgram,
  showOp,
  showResult,
  type Walk,
} from '../program/index.ts';
import { didYouMean } from '../program/internal.ts';
import type { Format } from './choices.ts';
import { type KnownDifference, knownDifferences, readPrograms, showBadLine } from './files.ts';
import { type Case, formatCases } from './formats.ts';
import { progressBar } from './progress.ts';
import {
  ExitCode,
  jsonLine,
  messageLines,
  painter,
  printable,
  type Terminal,
  UsageError,
} from './terminal.ts';
import { withUnmended } from './unmended.ts';
import { counted } from './words.ts';

export interface ConformOptions {
  walk?: Walk;
  /** Mends that are off. */
  unmended?: readonly Unmended[];
  json?: boolean;
  only?: string;
  verbose?: boolean;
  format?: Format;
}

/** A program whose run was not what was recorded. */
export interface Failure {
  name: string;
  op: number;
  expected: unknown;
  actual: unknown;
}

export interface ConformReport {
  programs: number;
  passed: number;
  failed: Failure[];
  knownDifferences: string[];
  badLines: BadLine[];
}

type Run = typeof runProgram;

/**
 * Runs one recorded program.
 * @returns how it differs from its recording, or undefined
 * @throws ProgramError where the program itself is wrong
 */
export function conformProgram(
  program: Program,
  walk?: Walk,
  run: Run = runProgram,
): Failure | undefined {
  const { name, results } = program;
  if (results === undefined)
    throw new ProgramError({ program: name, field: 'results' }, 'recorded results', undefined);
  try {
    const outcome = run(program, walk === undefined ? {} : { walk });
    const difference = compareResults(results, outcome.results);
    // one that stopped has no result of what it stopped in
    const [finding] = outcome.findings;
    if (finding !== undefined && difference?.actual === undefined) {
      return {
        name,
        op: finding.op,
        expected: results[finding.op],
        actual: { finding: finding.title, stack: finding.stack },
      };
    }
    return difference && { name, ...difference };
  } catch (error) {
    if (error instanceof ProgramError) throw error;
    // A mistake of the model's: the programs after this one still have to run.
    return { name, op: -1, expected: 'a run to the end', actual: { error: String(error) } };
  }
}

/** What became of one program. */
export type Verdict = 'passed' | 'failed' | 'known difference' | 'not run';

export interface ConformRun {
  walk?: Walk;
  run?: Run;
  /** Called after each program, with the failure where there is one, known or not. */
  each?: (
    program: Program,
    verdict: Verdict,
    failure: Failure | undefined,
    where: LocatedProgram,
  ) => void;
}

/** Runs the programs and sorts them into passed, failed, known differences and bad ones. */
export function conformAll(
  programs: readonly LocatedProgram[],
  known: ReadonlyMap<string, KnownDifference>,
  { walk, run, each }: ConformRun = {},
): ConformReport {
  const report: ConformReport = {
    programs: programs.length,
    passed: 0,
    failed: [],
    knownDifferences: [],
    badLines: [],
  };
  for (const located of programs) {
    const { program, file, line } = located;
    let verdict: Verdict = 'passed';
    let failure: Failure | undefined;
    try {
      failure = conformProgram(program, walk, run);
      if (failure === undefined) report.passed++;
      else if (known.has(program.name)) {
        verdict = 'known difference';
        report.knownDifferences.push(program.name);
      } else {
        verdict = 'failed';
        report.failed.push(failure);
      }
    } catch (error) {
      if (!(error instanceof ProgramError)) throw error;
      verdict = 'not run';
      report.badLines.push({ file, line, message: error.message });
    }
    each?.(program, verdict, failure, located);
  }
  return report;
}

function showSide(value: unknown): string {
  if (typeof value === 'object' && value !== null && 'ret' in value)
    return showResult(value as Result);
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? 'nothing');
}

function failureText(failure: Failure, program: Program): string {
  const op = program.ops[failure.op];
  return [
    op === undefined ? '' : `  op ${failure.op}: ${showOp(op)}\n`,
    `  recorded  ${showSide(failure.expected)}\n`,
    `  run       ${showSide(failure.actual)}\n`,
  ].join('');
}

/** Mistakes in files that are told one by one. */
const MAX_SHOWN = 100;

/** What became of a program, as a test. */
function caseOf(
  verdict: Exclude<Verdict, 'not run'>,
  failure: Failure | undefined,
  program: Program,
  known: ReadonlyMap<string, KnownDifference>,
): Pick<Case, 'outcome' | 'message' | 'details'> {
  if (verdict === 'passed' || failure === undefined) return { outcome: 'passed' };
  if (verdict === 'known difference') {
    return { outcome: 'skipped', message: known.get(program.name)?.mechanism ?? verdict };
  }
  const details = failureText(failure, program).trimEnd().split('\n');
  const { op } = failure;
  const message = op < 0 ? 'the run ends early' : `op ${op} differs from the recording`;
  return { outcome: 'failed', message, details: details.map((line) => line.trim()) };
}

/** The command. */
export function conformCommand(
  files: readonly string[],
  options: ConformOptions,
  terminal: Terminal,
  run?: Run,
): ExitCode {
  const paint = painter(terminal.stdout, terminal.env);
  const known = knownDifferences();
  const read = files.map(readPrograms);
  const badLines = read.flatMap((file) => file.badLines);
  let programs = read.flatMap((file) =>
    file.programs.map((one) => ({ ...one, program: withUnmended(one.program, options.unmended) })),
  );
  if (options.only !== undefined) {
    programs = programs.filter(({ program }) => program.name === options.only);
    if (programs.length === 0)
      throw new UsageError(
        `no program is called ${options.only}${didYouMean(
          options.only,
          read.flatMap((file) => file.programs.map(({ program }) => program.name)),
        )}`,
      );
  }
  const { json, format } = options;
  if (json && format) throw new UsageError('--json and --format: expected one of them');
  const quiet = json || format !== undefined;
  const cases: Case[] = [];
  const write = (text: string) => {
    if (!quiet) terminal.stdout.write(printable(text));
  };
  const progress = progressBar(terminal, programs.length);
  let done = 0;
  const each: ConformRun['each'] = (program, verdict, failure, { file, line }) => {
    progress.at(++done);
    if (format && verdict !== 'not run') {
      const { name } = program;
      cases.push({ name, file, line, ...caseOf(verdict, failure, program, known) });
    }
    const listed = known.get(program.name);
    if (verdict === 'passed' && listed === undefined && !options.verbose) return;
    if (verdict === 'not run') return;
    progress.clear();
    const style = { passed: 'green', failed: 'red', 'known difference': 'yellow' } as const;
    const note = verdict === 'passed' && listed ? ' (although listed as a known difference)' : '';
    if (!quiet)
      terminal.stdout.write(
        `${paint(style[verdict], verdict)}${note} ${printable(program.name)}\n`,
      );
    if (verdict === 'known difference') write(`  because   ${listed?.mechanism}\n`);
    if (failure && (verdict === 'failed' || options.verbose)) write(failureText(failure, program));
  };
  const report = conformAll(programs, known, { walk: options.walk, run, each });
  progress.clear();
  report.badLines = [...badLines, ...report.badLines];

  for (const bad of report.badLines.slice(0, MAX_SHOWN))
    terminal.stderr.write(messageLines(showBadLine(bad)));
  const more = report.badLines.length - MAX_SHOWN;
  if (more > 0) terminal.stderr.write(messageLines(`and ${counted(more, 'mistake')} more`));
  if (json) terminal.stdout.write(jsonLine(report));
  else if (format) {
    for (const { file, line, column, message } of report.badLines)
      cases.push({ name: `${file}:${line}`, outcome: 'error', message, file, line, column });
    const suite = `softleaf conform ${files.map((file) => basename(file)).join(' ')}`;
    terminal.stdout.write(formatCases(format, suite, cases));
  } else {
    const bad =
      report.badLines.length === 0 ? '' : `, ${counted(report.badLines.length, 'mistake')}`;
    write(
      `${counted(report.programs, 'program')}, ${report.passed} passed, ` +
        `${report.failed.length} failed, ` +
        `${counted(report.knownDifferences.length, 'known difference')}${bad}\n`,
    );
  }
  if (report.badLines.length > 0) return ExitCode.badInput;
  return report.failed.length > 0 ? ExitCode.finding : ExitCode.clean;
}
