/** `softleaf kernel conform`: how a real kernel differs from what was recorded, or from another kernel. */
import { type Answer, askAll, Comparison, type Start } from '../../kernel/index.ts';
import type { Program } from '../../program/index.ts';
import { shippedCorpus } from '../files.ts';
import { progressBar } from '../progress.ts';
import {
  ExitCode,
  messageLines,
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
import { comparisonJson, comparisonText, kernelLine } from './texts.ts';

export async function conformCommand(
  kernel: string | undefined,
  files: readonly string[],
  options: KernelCommandOptions,
  terminal: Terminal,
): Promise<ExitCode> {
  const programs = programsOf(files.length > 0 ? files : shippedCorpus(), options.only);
  const { against } = options;
  const unrecorded = programs.find(({ results }) => results === undefined);
  if (against === undefined && unrecorded)
    throw new UsageError(
      `${unrecorded.name}: there are no recorded results to compare with (ask takes such a program, and so does --against)`,
    );
  const start = starter(kernel, options, terminal);
  const startOther = against === undefined ? undefined : starter(against, options, terminal);
  const { stdout, env } = terminal;
  const paint = painter(stdout, env);
  const crashes = options.crashes ?? 10;
  const recorded: string[] = [];
  const names: string[] = [];
  const progress = progressBar(terminal, programs.length * (startOther ? 2 : 1));
  let done = 0;
  const run = async (begin: Start, each: (answer: Answer, program: Program, i: number) => void) => {
    let first = true;
    await askAll(programs, begin, {
      crashes,
      onStart: (guest) => {
        if (first) names.push(guest.hello.kernel);
        if (first && !options.json) {
          progress.clear();
          stdout.write(`${printable(kernelLine(guest))}\n`);
        }
        first = false;
      },
      onAnswer: (answer, program, i) => {
        progress.at(++done);
        each(answer, program, i);
      },
    });
  };
  const others: Answer[] = [];
  if (startOther) await run(startOther, (answer) => others.push(answer));
  const all = new Comparison();
  await run(start, (answer, program, i) => {
    if (answer.skipped === undefined && !answer.stopped)
      recorded.push(recordedLine(program, answer.results));
    if (!startOther) return all.add(program, answer, program.results);
    const { skipped, stopped, results } = others[i];
    const without = skipped ?? stopped?.how;
    if (without === undefined || answer.skipped !== undefined) all.add(program, answer, results);
    else all.add(program, { ...answer, skipped: `on the other kernel: ${without}` }, undefined);
  });
  progress.clear();
  if (options.record !== undefined) writeRecord(options.record, recorded);
  const sides = startOther ? ([names[0], 'here'] as const) : (['7.3.4', 'here'] as const);
  stdout.write(
    options.json ? comparisonJson(all, names) : `\n${comparisonText(all, sides, paint)}`,
  );
  if (all.found) return ExitCode.finding;
  if (all.ran > 0) return ExitCode.clean;
  terminal.stderr.write(messageLines('this kernel can run none of them'));
  return ExitCode.badInput;
}
