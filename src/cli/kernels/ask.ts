/** `softleaf kernel ask`: what programs return on a real kernel. */
import { type Answer, askAll, knownReport } from '../../kernel/index.ts';
import { compareResults, type Program } from '../../program/index.ts';
import { differsText, opsText } from '../run.ts';
import {
  ExitCode,
  jsonLine,
  messageLines,
  type Paint,
  painter,
  printable,
  type Terminal,
  UsageError,
} from '../terminal.ts';
import {
  type KernelCommandOptions,
  programsOf,
  recordedLine,
  starter,
  writeRecord,
} from './start.ts';
import { kernelLine, reportText } from './texts.ts';

/** What became of one program, as `run` tells it. */
function answerText(program: Program, answer: Answer, paint: Paint): string {
  const { results, skipped, stopped, reports } = answer;
  let text = `${paint('bold', printable(program.name))}\n`;
  if (skipped !== undefined)
    return `${text}  ${paint('yellow', 'not run')}: ${printable(skipped)}\n\n`;
  text += `\n${opsText(program.ops, results, paint)}`;
  for (const report of reports) text += reportText(report, paint);
  if (stopped) {
    const where = stopped.op === undefined ? '' : ` in op ${stopped.op}`;
    return `${text}${paint('red', 'stopped')}${where}: ${printable(stopped.how)}\n\n`;
  }
  const difference = program.results && compareResults(program.results, results);
  if (difference) text += differsText(difference, paint);
  else if (program.results) text += `\n${paint('green', 'as recorded')}\n`;
  return `${text}\n`;
}

/** Whether there is something to be looked at in what became of a program. */
function isFinding(program: Program, { results, skipped, stopped, reports }: Answer): boolean {
  if (stopped || reports.some((report) => knownReport(report) === undefined)) return true;
  if (skipped !== undefined || program.results === undefined) return false;
  return compareResults(program.results, results) !== undefined;
}

export async function askCommand(
  kernel: string | undefined,
  files: readonly string[],
  options: KernelCommandOptions,
  terminal: Terminal,
): Promise<ExitCode> {
  if (files.length === 0) throw new UsageError('ask: no programs');
  if (options.against !== undefined) throw new UsageError('--against goes with conform');
  const programs = programsOf(files, options.only);
  const start = starter(kernel, options, terminal);
  const { stdout, env } = terminal;
  const paint = painter(stdout, env);
  const recorded: string[] = [];
  let found = false;
  let ran = 0;
  await askAll(programs, start, {
    crashes: options.crashes ?? 10,
    onStart: (guest) => {
      if (!options.json) stdout.write(`${printable(kernelLine(guest))}\n\n`);
    },
    onAnswer: (answer, program) => {
      const { results, skipped, stopped, reports } = answer;
      found ||= isFinding(program, answer);
      if (skipped === undefined) ran++;
      if (skipped === undefined && !stopped) recorded.push(recordedLine(program, results));
      if (!options.json) stdout.write(answerText(program, answer, paint));
      else
        stdout.write(
          jsonLine({
            name: program.name,
            results,
            ...(skipped === undefined ? {} : { skipped }),
            ...(stopped ? { stopped } : {}),
            ...(reports.length > 0 ? { reports } : {}),
          }),
        );
    },
  });
  if (options.record !== undefined) writeRecord(options.record, recorded);
  if (ran === 0) terminal.stderr.write(messageLines('this kernel can run none of them'));
  return found ? ExitCode.finding : ran === 0 ? ExitCode.badInput : ExitCode.clean;
}
