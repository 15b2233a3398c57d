/** What all of `softleaf kernel` begins with: options, how a kernel is started, programs; and what they write. */
import { accessSync, constants, writeFileSync } from 'node:fs';
import type { DriverName } from '../../drivers/light.ts';
import { agentFile, kernelImage, type Start, startCommand, startQemu } from '../../kernel/index.ts';
import type { Program, Result, Walk } from '../../program/index.ts';
import { didYouMean } from '../../program/internal.ts';
import { packageFile, readPrograms, showBadLine } from '../files.ts';
import { OutputError, type Terminal, UsageError } from '../terminal.ts';

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
  time?: number;
  seed?: number;
  programs?: number;
  profile?: string[];
  out?: string;
  rounds?: number;
  schedules?: number;
  breaks?: number;
  driver?: DriverName;
  walk?: Walk;
}

/** Seconds that the agent may take to end a program beyond the time that it has. */
const PATIENCE = 60;

/** The agent's executable. */
export function agentOf({ agent }: KernelCommandOptions, terminal: Terminal): string {
  if (agent === undefined) return agentFile(packageFile('agent'), terminal.env);
  try {
    accessSync(agent, constants.X_OK);
  } catch (error) {
    throw new UsageError(`--agent: ${(error as Error).message}`);
  }
  return agent;
}

/** How the kernel is started that the command line means. */
export function starter(
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
export function programsOf(files: readonly string[], only: string | undefined): Program[] {
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

/** A program as a line of a corpus. */
export function recordedLine({ name, machine, ops }: Program, results: readonly Result[]): string {
  return `${JSON.stringify({ name, ...(machine ? { machine } : {}), ops, results })}\n`;
}

export function writeRecord(file: string, lines: readonly string[]): void {
  try {
    writeFileSync(file, lines.join(''));
  } catch (error) {
    throw new OutputError(`cannot write ${file}: ${(error as Error).message}`);
  }
}
