/** `softleaf run`: one program, each operation with its result, then a picture of the memory. */

import type { Unmended } from '../mm/light.ts';
import {
  compareResults,
  type Difference,
  type Op,
  type Program,
  type Result,
  type RunOutcome,
  runProgram,
  showOp,
  showResult,
  type Walk,
} from '../program/index.ts';
import { didYouMean, MAX_MISTAKES } from '../program/internal.ts';
import { compareText, sameResults } from './compare-text.ts';
import { readPrograms, showBadLine } from './files.ts';
import { legendText, pictureLines } from './picture-text.ts';
import { progressBar } from './progress.ts';
import {
  ExitCode,
  jsonLine,
  type Paint,
  painter,
  printable,
  type Terminal,
  UsageError,
} from './terminal.ts';
import { withUnmended } from './unmended.ts';
import { interrupted, watching } from './watch.ts';

export interface RunCommandOptions {
  walk?: Walk;
  /** Mends that are off. */
  unmended?: readonly Unmended[];
  json?: boolean;
  counters?: boolean;
  only?: string;
  /** Two walks. */
  compare?: readonly [Walk, Walk];
  trace?: boolean;
  watch?: boolean;
}

/** The one program that the command line means. */
function chooseProgram(file: string, only: string | undefined): Program {
  const { programs, badLines } = readPrograms(file);
  const named = programs.filter(({ program }) => only === undefined || program.name === only);
  if (named.length === 1 && (only !== undefined || badLines.length === 0)) return named[0].program;
  if (badLines.length > 0) {
    const shown = badLines.slice(0, MAX_MISTAKES).map(showBadLine);
    const more = badLines.length - shown.length;
    throw new UsageError([...shown, ...(more > 0 ? [`and ${more} mistakes more`] : [])].join('\n'));
  }
  if (only !== undefined && named.length > 1)
    throw new UsageError(`${file}: ${named.length} programs are called ${only}`);
  if (only !== undefined) {
    const names = programs.map(({ program }) => program.name);
    throw new UsageError(`${file}: no program is called ${only}${didYouMean(only, names)}`);
  }
  if (programs.length === 0) throw new UsageError(`${file}: there is no program in it`);
  throw new UsageError(`${file} has ${programs.length} programs: name one with --only NAME`);
}

function countersText(counters: Record<string, number>, all: boolean): string {
  const shown = Object.entries(counters).filter(([, value]) => all || value !== 0);
  const width = Math.max(0, ...shown.map(([name]) => name.length));
  return shown.map(([name, value]) => `  ${name.padEnd(width)}  ${value}\n`).join('');
}

/** Operations with their results, a line each. */
export function opsText(ops: readonly Op[], results: readonly Result[], paint: Paint): string {
  const shown = ops.map(showOp);
  const width = Math.min(60, Math.max(0, ...shown.map((text) => text.length)));
  return shown
    .map((text, i) => {
      const result = results[i];
      const style = result?.ret === 'ok' ? 'green' : 'yellow';
      const line = `${paint('dim', String(i).padStart(4))}  ${text.padEnd(width)}  `;
      const notes = [ops[i].comment ?? []].flat();
      const above = notes.map((note) => `${paint('cyan', `      # ${printable(note)}`)}\n`);
      return `${above.join('')}${line}${paint(style, showResult(result))}\n`;
    })
    .join('');
}

/** How a run differs from its recording. */
export function differsText({ op, expected, actual }: Difference, paint: Paint): string {
  return (
    `\n${paint('red', 'differs from the recording')} at op ${op}\n` +
    `  recorded  ${showResult(expected)}\n` +
    `  run       ${showResult(actual)}\n`
  );
}

/** Runs a program; a bar shows how far it is, where it takes its time. */
function runShown(
  program: Program,
  walk: Walk | undefined,
  terminal: Terminal,
  run: typeof runProgram,
): RunOutcome {
  const progress = progressBar(terminal, program.ops.length);
  try {
    return run(program, {
      ...(walk === undefined ? {} : { walk }),
      onResult: (_result, _op, index) => progress.at(index + 1),
    });
  } finally {
    progress.clear();
  }
}

function compareCommand(
  program: Program,
  walks: readonly [Walk, Walk],
  { json }: RunCommandOptions,
  terminal: Terminal,
  run: typeof runProgram,
): ExitCode {
  const [a, b] = walks.map((walk) => runShown(program, walk, terminal, run));
  const { stdout, env } = terminal;
  if (json) {
    const runs = [a, b].map(({ results, counters, findings }, i) => {
      return { walk: walks[i], results, counters, findings };
    });
    stdout.write(jsonLine({ name: program.name, same: sameResults(a, b), runs }));
  } else {
    const paint = painter(stdout, env);
    stdout.write(`${paint('bold', printable(program.name))}\n\n`);
    stdout.write(compareText(program, walks, [a, b], paint));
  }
  const found = a.findings.length + b.findings.length > 0;
  return found || !sameResults(a, b) ? ExitCode.finding : ExitCode.clean;
}

async function traceCommand(
  program: Program,
  { walk }: RunCommandOptions,
  terminal: Terminal,
): Promise<ExitCode> {
  const { record } = await import('../recording/index.ts');
  const { writeTrace } = await import('./trace-text.ts');
  const recording = record(program, walk === undefined ? {} : { walk });
  const { stdout, env } = terminal;
  writeTrace(recording, painter(stdout, env), (text) => stdout.write(text));
  return recording.finding ? ExitCode.finding : ExitCode.clean;
}

function once(
  program: Program,
  options: RunCommandOptions,
  terminal: Terminal,
  run: typeof runProgram,
): ExitCode {
  const outcome = runShown(program, options.walk, terminal, run);
  const { results, counters, findings } = outcome;
  const difference = program.results && compareResults(program.results, results);
  const { stdout, env } = terminal;

  if (options.json) {
    const more = findings.length === 0 ? {} : { findings };
    stdout.write(jsonLine({ name: program.name, results, counters, ...more }));
  } else {
    const paint = painter(stdout, env);
    stdout.write(`${paint('bold', printable(program.name))}\n`);
    for (const line of [program.comment ?? []].flat()) stdout.write(`${printable(line)}\n`);
    stdout.write(`\n${opsText(program.ops, results, paint)}`);
    for (const { title, op, stack } of findings)
      stdout.write(`\n${paint('red', 'finding')} at op ${op}: ${title}\n  ${stack.join('\n  ')}\n`);
    const lines = pictureLines(outcome);
    if (lines.length > 0) stdout.write(`\n${lines.join('\n')}\n\n${legendText([outcome])}\n`);
    const counted = countersText(counters, options.counters ?? false);
    if (counted !== '') stdout.write(`\ncounters\n${counted}`);
    if (program.results !== undefined && difference === undefined)
      stdout.write(`\n${paint('green', 'as recorded')}\n`);
    if (difference !== undefined) stdout.write(differsText(difference, paint));
  }
  return findings.length > 0 || difference !== undefined ? ExitCode.finding : ExitCode.clean;
}

/**
 * The command.
 * @param end when to stop watching
 */
export async function runCommand(
  file: string,
  options: RunCommandOptions,
  terminal: Terminal,
  run: typeof runProgram = runProgram,
  end: () => Promise<void> = interrupted,
): Promise<ExitCode> {
  const { compare, trace, watch } = options;
  if (compare && options.walk !== undefined)
    throw new UsageError('--compare and --walk: --compare has the walks');
  if (compare && trace) throw new UsageError('--compare and --trace: expected one of them');
  if (trace && options.json) throw new UsageError('--trace and --json: expected one of them');
  if (watch && file === '-') throw new UsageError('--watch: standard input cannot be watched');
  const go = async (): Promise<ExitCode> => {
    const program = withUnmended(chooseProgram(file, options.only), options.unmended);
    if (compare) return compareCommand(program, compare, options, terminal, run);
    if (trace) return traceCommand(program, options, terminal);
    return once(program, options, terminal, run);
  };
  if (!watch) return go();
  return watching([file], `watching ${file}`, go, terminal, end);
}
