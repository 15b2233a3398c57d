/** `softleaf run`: one program, each operation with its result, then a picture of the memory. */
import type { Op } from '../program/ops.ts';
import { type RunOutcome, runProgram } from '../program/run.ts';
import { compareResults } from '../program/runs.ts';
import { type Program, showOp, showResult, type Walk } from '../program/schema.ts';
import { readPrograms } from './files.ts';
import { legendText, pictureLines } from './picture-text.ts';
import { ExitCode, type Paint, painter, printable, type Terminal, UsageError } from './terminal.ts';

export interface RunCommandOptions {
  walk?: Walk;
  json?: boolean;
  counters?: boolean;
  only?: string;
}

/** The one program that the command line means. */
function chooseProgram(file: string, only: string | undefined): Program {
  const { programs, badLines } = readPrograms(file);
  const named = programs.filter(({ program }) => only === undefined || program.name === only);
  if (named.length === 1 && (only !== undefined || badLines.length === 0)) return named[0].program;
  const [bad] = badLines;
  if (bad !== undefined) throw new UsageError(`${bad.file}:${bad.line}: ${bad.message}`);
  if (only !== undefined) throw new UsageError(`${file} has ${named.length} programs ${only}`);
  throw new UsageError(`${file} has ${programs.length} programs: name one with --only NAME`);
}

function countersText(counters: Record<string, number>, all: boolean): string {
  const shown = Object.entries(counters).filter(([, value]) => all || value !== 0);
  const width = Math.max(0, ...shown.map(([name]) => name.length));
  return shown.map(([name, value]) => `  ${name.padEnd(width)}  ${value}\n`).join('');
}

function opsText(ops: readonly Op[], outcome: RunOutcome, paint: Paint): string {
  const shown = ops.map(showOp);
  const width = Math.min(60, Math.max(0, ...shown.map((text) => text.length)));
  return shown
    .map((text, i) => {
      const result = outcome.results[i];
      const style = result?.ret === 'ok' ? 'green' : 'yellow';
      const line = `${paint('dim', String(i).padStart(4))}  ${text.padEnd(width)}  `;
      const notes = [ops[i].comment ?? []].flat();
      const above = notes.map((note) => `${paint('cyan', `      # ${printable(note)}`)}\n`);
      return `${above.join('')}${line}${paint(style, showResult(result))}\n`;
    })
    .join('');
}

/** The command. */
export function runCommand(
  file: string,
  options: RunCommandOptions,
  terminal: Terminal,
  run: typeof runProgram = runProgram,
): ExitCode {
  const program = chooseProgram(file, options.only);
  const outcome = run(program, options.walk === undefined ? {} : { walk: options.walk });
  const { results, counters, findings } = outcome;
  const difference = program.results && compareResults(program.results, results);
  const { stdout, env } = terminal;

  if (options.json) {
    const more = findings.length === 0 ? {} : { findings };
    stdout.write(`${JSON.stringify({ name: program.name, results, counters, ...more })}\n`);
  } else {
    const paint = painter(stdout, env);
    stdout.write(`${paint('bold', printable(program.name))}\n`);
    for (const line of [program.comment ?? []].flat()) stdout.write(`${printable(line)}\n`);
    stdout.write(`\n${opsText(program.ops, outcome, paint)}`);
    for (const { title, op, stack } of findings)
      stdout.write(`\n${paint('red', 'finding')} at op ${op}: ${title}\n  ${stack.join('\n  ')}\n`);
    stdout.write(`\n${pictureLines(outcome).join('\n')}\n\n${legendText([outcome])}\n`);
    stdout.write(`\ncounters\n${countersText(counters, options.counters ?? false)}`);
    if (program.results !== undefined && difference === undefined)
      stdout.write(`\n${paint('green', 'as recorded')}\n`);
    if (difference !== undefined)
      stdout.write(
        `\n${paint('red', 'differs from the recording')} at op ${difference.op}\n` +
          `  recorded  ${showResult(difference.expected)}\n` +
          `  run       ${showResult(difference.actual)}\n`,
      );
  }
  return findings.length > 0 || difference !== undefined ? ExitCode.finding : ExitCode.clean;
}
