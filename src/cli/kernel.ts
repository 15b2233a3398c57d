/** `softleaf kernel`: programs on a real kernel, and how it differs from what was recorded. */
import { accessSync, constants, writeFileSync } from 'node:fs';
import {
  type Answer,
  agentFile,
  askAll,
  byCount,
  Comparison,
  configFragment,
  type DifferenceKind,
  type Guest,
  type KernelReport,
  kernelImage,
  knownReport,
  missingOptions,
  type Start,
  startCommand,
  startQemu,
} from '../kernel/index.ts';
import {
  compareResults,
  type Program,
  type Result,
  showOp,
  showResult,
  showValue,
} from '../program/index.ts';
import { didYouMean } from '../program/internal.ts';
import type { KernelAction } from './choices.ts';
import { packageFile, readPrograms, readText, shippedCorpus, showBadLine } from './files.ts';
import { progressBar } from './progress.ts';
import { differsText, opsText } from './run.ts';
import {
  ExitCode,
  jsonLine,
  messageLines,
  OutputError,
  type Paint,
  painter,
  printable,
  type Terminal,
  UsageError,
} from './terminal.ts';
import { counted } from './words.ts';

export interface KernelCommandOptions {
  command?: string;
  against?: string;
  record?: string;
  only?: string;
  agent?: string;
  module?: string[];
  append?: string;
  qemu?: string;
  cpus?: number;
  timeout?: number;
  bootTimeout?: number;
  crashes?: number;
  json?: boolean;
}

/** Seconds that the agent may take to end a program beyond the time that it has. */
const PATIENCE = 60;

/** The agent's executable. */
function agentOf({ agent }: KernelCommandOptions, terminal: Terminal): string {
  if (agent === undefined) return agentFile(packageFile('agent'), terminal.env);
  try {
    accessSync(agent, constants.X_OK);
  } catch (error) {
    throw new UsageError(`--agent: ${(error as Error).message}`);
  }
  return agent;
}

/** How the kernel is started that the command line means. */
function starter(
  kernel: string | undefined,
  options: KernelCommandOptions,
  terminal: Terminal,
): Start {
  const talk = { seconds: options.timeout ?? 60, patience: PATIENCE };
  const bootSeconds = options.bootTimeout ?? 180;
  const { command } = options;
  if (kernel === undefined) {
    if (command === undefined) throw new UsageError('no kernel: a bzImage, a folder, or --command');
    return () => startCommand(command, { ...talk, bootSeconds });
  }
  const image = kernelImage(kernel, options.module);
  const agent = agentOf(options, terminal);
  const { qemu, cpus, append } = options;
  return () => startQemu(image, { ...talk, bootSeconds, agent, qemu, cpus, append });
}

/** The programs of some files, of which all must be as they should. */
function programsOf(files: readonly string[], only: string | undefined): Program[] {
  const read = files.map(readPrograms);
  const bad = read.flatMap(({ badLines }) => badLines);
  if (bad.length > 0) {
    const shown = bad.slice(0, 20).map(showBadLine);
    const more = bad.length - shown.length;
    throw new UsageError([...shown, ...(more > 0 ? [`and ${more} mistakes more`] : [])].join('\n'));
  }
  const all = read.flatMap(({ programs }) => programs.map(({ program }) => program));
  const programs = only === undefined ? all : all.filter(({ name }) => name === only);
  if (programs.length > 0) return programs;
  if (only === undefined) throw new UsageError(`${files.join(' ')}: there is no program in it`);
  const names = all.map(({ name }) => name);
  throw new UsageError(`no program is called ${only}${didYouMean(only, names)}`);
}

/** A kernel in one line. */
function kernelLine({ hello, how }: Guest): string {
  const lacks = [
    ...(hello.has.includes('test_hmm') ? [] : ['test_hmm']),
    ...(hello.has.includes('gup_test') ? [] : ['gup_test']),
    ...(hello.has.includes('userfaultfd') ? [] : ['userfaultfd']),
  ];
  const without = lacks.length === 0 ? '' : `; without ${lacks.join(', ')}`;
  const thp = hello.thp === 'madvise' ? '' : `; huge pages are "${hello.thp ?? 'not there'}"`;
  return `Linux ${hello.kernel}, ${counted(hello.cpus, 'CPU')}, ${how}${without}${thp}`;
}

function reportText(report: KernelReport & { op?: number }, paint: Paint): string {
  const known = knownReport(report);
  const after = report.op === undefined ? '' : ` after op ${report.op}`;
  const head = `${paint(known ? 'yellow' : 'red', 'the kernel reported')}${after}: ${printable(report.title)}\n`;
  const frames = report.frames.map((frame) => `  ${printable(frame)}\n`);
  return head + (known ? `  known of 7.3.4: ${known}\n` : frames.join(''));
}

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

/** A program as a line of a corpus. */
function recordedLine({ name, machine, ops }: Program, results: readonly Result[]): string {
  return `${JSON.stringify({ name, ...(machine ? { machine } : {}), ops, results })}\n`;
}

function writeRecord(file: string, lines: readonly string[]): void {
  try {
    writeFileSync(file, lines.join(''));
  } catch (error) {
    throw new OutputError(`cannot write ${file}: ${(error as Error).message}`);
  }
}

async function askCommand(
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

/** Where something was seen first. */
function exampleText(program: Program, op: number | undefined): string {
  const name = printable(program.name);
  // before its first operation, behind its last, or nobody knows
  if (op === undefined || op < 0) return `  for example ${name}\n`;
  return `  for example ${name}, op ${op}: ${printable(showOp(program.ops[op]))}\n`;
}

function differenceText(
  kind: DifferenceKind,
  sides: readonly [string, string],
  paint: Paint,
): string {
  const { op, field, count, example } = kind;
  const [a, b] = [showValue(kind.expected), showValue(kind.actual)];
  const width = Math.max(...sides.map((side) => side.length));
  const values = field === 'tags' ? '' : `: ${a} is ${b} here`;
  return (
    `\n${paint('yellow', 'differs')} ${op}, ${field}${values} (${counted(count, 'program')})\n` +
    exampleText(example.program, example.op) +
    `    ${sides[0].padEnd(width)}  ${showResult(example.expected)}\n` +
    `    ${sides[1].padEnd(width)}  ${showResult(example.actual)}\n`
  );
}

/** All that a comparison came to. */
function comparisonText(all: Comparison, sides: readonly [string, string], paint: Paint): string {
  const stopped = byCount(all.stopped);
  const skipped = byCount(all.skipped);
  const sum = (kinds: readonly { count: number }[]) => kinds.reduce((n, { count }) => n + count, 0);
  const total = all.ran + sum(stopped) + sum(skipped);
  let text =
    `${counted(total, 'program')}: ${all.same} as on ${sides[0]}, ${all.differing} differ, ` +
    `${sum(stopped)} did not end, ${sum(skipped)} not run\n`;
  for (const kind of byCount(all.differences)) text += differenceText(kind, sides, paint);
  for (const { how, op, count, example } of stopped)
    text +=
      `\n${paint('red', 'stopped')}${op ? ` in ${op}` : ''}: ${printable(how)} (${counted(count, 'program')})\n` +
      exampleText(example.program, example.op);
  for (const kind of byCount(all.reports)) {
    text += `\n${reportText(kind, paint)}  in ${counted(kind.count, 'program')}\n`;
    text += exampleText(kind.example.program, kind.example.op);
  }
  for (const { why, count } of skipped)
    text += `\n${paint('yellow', 'not run')}: ${printable(why)} (${counted(count, 'program')})\n`;
  return text;
}

/** The same for another program to read. */
function comparisonJson(all: Comparison, kernels: readonly string[]): string {
  const place = ({ program, op }: { program: Program; op?: number }) => ({
    program: program.name,
    op,
    operation: op === undefined ? undefined : program.ops[op],
  });
  return jsonLine({
    kernels,
    same: all.same,
    differing: all.differing,
    differences: byCount(all.differences).map(({ example, ...kind }) => ({
      ...kind,
      example: { ...place(example), expected: example.expected, actual: example.actual },
    })),
    stopped: byCount(all.stopped).map(({ example, ...kind }) => ({
      ...kind,
      example: place(example),
    })),
    reports: byCount(all.reports).map(({ example, ...kind }) => ({
      ...kind,
      example: place(example),
    })),
    notRun: byCount(all.skipped).map(({ example, ...kind }) => ({
      ...kind,
      example: place(example),
    })),
  });
}

async function conformCommand(
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

function checkConfig(files: readonly string[], terminal: Terminal, json: boolean): ExitCode {
  if (files.length !== 1) throw new UsageError('check-config: expected one file, a .config');
  const text = readText(files[0]);
  if (!/^(# )?CONFIG_\w+/m.test(text))
    throw new UsageError(`${files[0]}: there is no option of a kernel in it`);
  const missing = missingOptions(text);
  const paint = painter(terminal.stdout, terminal.env);
  if (json) terminal.stdout.write(jsonLine(missing));
  else if (missing.length === 0) terminal.stdout.write('nothing is missing\n');
  else {
    const width = Math.max(...missing.map(({ name }) => name.length));
    for (const { name, without, needed } of missing)
      terminal.stdout.write(
        `${paint(needed ? 'red' : 'yellow', `CONFIG_${name.padEnd(width)}`)}  ${without}\n`,
      );
  }
  return missing.length > 0 ? ExitCode.finding : ExitCode.clean;
}

/** The command. */
export async function kernelCommand(
  action: KernelAction,
  files: readonly string[],
  options: KernelCommandOptions,
  terminal: Terminal,
): Promise<ExitCode> {
  if (action === 'config' || action === 'agent') {
    if (files.length > 0) throw new UsageError(`${action} takes no files`);
    const text = action === 'config' ? configFragment() : `${agentOf(options, terminal)}\n`;
    terminal.stdout.write(text);
    return ExitCode.clean;
  }
  if (action === 'check-config') return checkConfig(files, terminal, options.json ?? false);
  const own = options.command === undefined;
  const [kernel, rest] = own ? [files[0], files.slice(1)] : [undefined, files];
  if (own && kernel === undefined)
    throw new UsageError(
      `${action}: no kernel (a bzImage, the folder in which it was built, or --command)`,
    );
  const run = action === 'ask' ? askCommand : conformCommand;
  return run(kernel, rest, options, terminal);
}
