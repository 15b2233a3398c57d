/** `softleaf conform`: runs recorded programs and compares with the recording. */
import type { BadLine, LocatedProgram } from '../program/corpus.ts';
import { ProgramError } from '../program/error.ts';
import { runProgram } from '../program/run.ts';
import { compareResults } from '../program/runs.ts';
import { type Program, type Result, showOp, showResult, type Walk } from '../program/schema.ts';
import { type KnownDifference, knownDifferences, readPrograms } from './files.ts';
import { progressBar } from './progress.ts';
import { ExitCode, painter, printable, type Terminal, UsageError } from './terminal.ts';

export interface ConformOptions {
  walk?: Walk;
  json?: boolean;
  only?: string;
  verbose?: boolean;
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
    if (difference !== undefined) {
      const { op, expected, actual } = difference;
      return { name, op, expected, actual };
    }
    const [finding] = outcome.findings;
    if (finding === undefined) return undefined;
    return {
      name,
      op: finding.op,
      expected: results[finding.op],
      actual: { finding: finding.title, stack: finding.stack },
    };
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
  each?: (program: Program, verdict: Verdict, failure?: Failure) => void;
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
  for (const { program, file, line } of programs) {
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
    each?.(program, verdict, failure);
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
  let programs = read.flatMap((file) => file.programs);
  if (options.only !== undefined) {
    programs = programs.filter(({ program }) => program.name === options.only);
    if (programs.length === 0) throw new UsageError(`no program is called ${options.only}`);
  }
  const write = (text: string) => {
    if (!options.json) terminal.stdout.write(printable(text));
  };
  const progress = progressBar(terminal, programs.length);
  let done = 0;
  const each: ConformRun['each'] = (program, verdict, failure) => {
    progress.at(++done);
    const listed = known.get(program.name);
    if (verdict === 'passed' && listed === undefined && !options.verbose) return;
    if (verdict === 'not run') return;
    progress.clear();
    const style = { passed: 'green', failed: 'red', 'known difference': 'yellow' } as const;
    const note = verdict === 'passed' && listed ? ' (although listed as a known difference)' : '';
    if (!options.json)
      terminal.stdout.write(
        `${paint(style[verdict], verdict)}${note} ${printable(program.name)}\n`,
      );
    if (verdict === 'known difference') write(`  because   ${listed?.mechanism}\n`);
    if (failure && (verdict === 'failed' || options.verbose)) write(failureText(failure, program));
  };
  const report = conformAll(programs, known, { walk: options.walk, run, each });
  progress.clear();
  report.badLines.unshift(...badLines);

  for (const { file, line, message } of report.badLines)
    terminal.stderr.write(printable(`softleaf: ${file}:${line}: ${message}\n`));
  if (options.json) terminal.stdout.write(`${JSON.stringify(report)}\n`);
  else {
    const bad = report.badLines.length === 0 ? '' : `, ${report.badLines.length} bad lines`;
    write(
      `${report.programs} programs, ${report.passed} passed, ${report.failed.length} failed, ` +
        `${report.knownDifferences.length} known differences${bad}\n`,
    );
  }
  if (report.badLines.length > 0) return ExitCode.badInput;
  return report.failed.length > 0 ? ExitCode.finding : ExitCode.clean;
}
