/** `softleaf kernel fuzz`: random programs on a real kernel and on the model. */
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type FuzzKind, type FuzzState, fuzz, Session } from '../../kernel/index.ts';
import { type Program, runProgram, showOp, showResult, showValue } from '../../program/index.ts';
import { didYouMean, KERNEL_PROFILES } from '../../program/internal.ts';
import { lockFile } from '../check/lock.ts';
import { readKept, writeBeside, writeKept } from '../kept.ts';
import { workProgress } from '../progress.ts';
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
} from '../terminal.ts';
import { counted } from '../words.ts';
import { type KernelCommandOptions, starter } from './start.ts';
import { kernelLine } from './texts.ts';

/** What the folder keeps of a run, beside what was found. */
interface Saved {
  /** `uname -r` of the kernel. */
  kernel: string;
  driver: string;
  walk: string;
  state: FuzzState;
}
const KEPT = { softleaf: 'fuzz', format: 1, by: 'kernel fuzz --out' } as const;
const STATE = 'fuzz.json';
const DIFFERENCES = 'differences.jsonl';
const ENDED = 'ended.jsonl';

/** Seconds of a run that nobody bounds. */
const SECONDS = 60;

function profileNames({ profile = [] }: KernelCommandOptions): string[] {
  const known = Object.keys(KERNEL_PROFILES);
  for (const name of profile) {
    if (known.includes(name)) continue;
    throw new UsageError(
      `--profile: there is no "${name}"${didYouMean(name, known)}; there are ${known.join(', ')}`,
    );
  }
  return profile.length > 0 ? [...new Set(profile)] : known;
}

/** The program's name is of no use to who reads what it shows. */
function kindText(kind: FuzzKind, paint: Paint): string {
  const { what, op, field, words, program, once } = kind;
  const head = {
    differs: `${paint('yellow', 'differs')} ${op}, ${field}`,
    reported: `${paint('red', 'the kernel reported')}${op ? ` after ${op}` : ''}: ${printable(words ?? '')}`,
    ended: `${paint('red', 'ended')}${op ? ` in ${op}` : ''}: ${printable(words ?? '')}`,
    model: `${paint('red', 'the model reports')} in ${op}: ${printable(words ?? '')}`,
  }[what];
  let text = `${head} (${counted(kind.count, 'program')}, the first is ${kind.from})\n`;
  if (what === 'differs') {
    const last = program.ops.length - 1;
    for (const [i, one] of program.ops.entries())
      text += `  ${String(i).padStart(2)}  ${printable(showOp(one))}\n`;
    const values =
      field === 'tags' ? '' : ` (${showValue(kind.model)} is ${showValue(kind.kernel)} there)`;
    text += `      the kernel  ${showResult(program.results?.[last])}${values}\n`;
  } else if (what === 'model') {
    for (const [i, one] of program.ops.entries())
      text += `  ${String(i).padStart(2)}  ${printable(showOp(one))}\n`;
  }
  if (kind.late)
    text += '  a fault of the device may take a second, then it is EBUSY: this kernel is slow\n';
  if (once) text += '  not seen again when it was asked alone: it hangs on what ran before it\n';
  return text;
}

/** A kind as a line of a corpus. */
function kindLine(kind: FuzzKind): string {
  const { what, op, field, words, program, once } = kind;
  const how =
    what === 'differs'
      ? `${op}, ${field}: the model has ${showValue(kind.model)}, the kernel ${showValue(kind.kernel)}`
      : `${what}${op ? `, ${op}` : ''}: ${words}`;
  const { name, machine, ops, results } = program;
  const comment = `${how}${once ? '; not seen again' : ''}; from ${kind.from}`;
  return `${JSON.stringify({ name, comment, ...(machine ? { machine } : {}), ops, ...(results ? { results } : {}) })}\n`;
}

/** The run that a folder keeps, or a new one. */
function stateOf(
  dir: string | undefined,
  options: KernelCommandOptions,
  same: Omit<Saved, 'state' | 'kernel'>,
) {
  const profiles = profileNames(options);
  const seed = options.seed ?? 1 + Math.floor(Math.random() * 999_999);
  const fresh: FuzzState = { seed, profiles, next: 0, ran: 0, skipped: 0, kinds: [] };
  const file = dir === undefined ? undefined : join(dir, STATE);
  if (file === undefined || !existsSync(file)) return { state: fresh, kernel: undefined };
  const saved = readKept<Saved>(file, KEPT);
  const asked = { ...same, seed: options.seed, profiles: options.profile && profiles };
  const kept = { driver: saved.driver, walk: saved.walk, ...saved.state } as Record<
    string,
    unknown
  >;
  for (const [name, value] of Object.entries(asked)) {
    if (value === undefined || JSON.stringify(value) === JSON.stringify(kept[name])) continue;
    throw new UsageError(
      `${file}: keeps a run with ${name} ${kept[name]}, not ${value}: go on with the same, or name another folder`,
    );
  }
  return { state: saved.state, kernel: saved.kernel };
}

export async function fuzzCommand(
  kernel: string | undefined,
  files: readonly string[],
  options: KernelCommandOptions,
  terminal: Terminal,
): Promise<ExitCode> {
  if (files.length > 0) throw new UsageError('fuzz takes no files: it draws its programs');
  const { out, driver = 'mended', walk = 'collect' } = options;
  const { stdout, stderr, env } = terminal;
  const paint = painter(stdout, env);
  const start = starter(kernel, options, terminal);
  const say = (message: string): void => void stderr.write(messageLines(message));
  let unlock = (): void => {};
  if (out !== undefined) {
    try {
      mkdirSync(out, { recursive: true });
    } catch (error) {
      throw new OutputError(`cannot make ${out}: ${(error as Error).message}`);
    }
    unlock = lockFile(join(out, STATE), say);
  }
  try {
    const { state, kernel: before } = stateOf(out, options, { driver, walk });
    let name = before ?? '';
    const keep = (): void => {
      if (out === undefined) return;
      try {
        const lines = (ended: boolean) =>
          state.kinds
            .filter(({ what }) => (what === 'ended' || what === 'reported') === ended)
            .map(kindLine)
            .join('');
        writeBeside(join(out, DIFFERENCES), lines(false));
        writeBeside(join(out, ENDED), lines(true));
        const saved: Saved = { kernel: name, driver, walk, state };
        writeKept(join(out, STATE), KEPT, saved);
      } catch (error) {
        throw new OutputError(`cannot write into ${out}: ${(error as Error).message}`);
      }
    };
    const began = performance.now();
    const end = began + 1000 * (options.time ?? (options.programs === undefined ? SECONDS : 1e9));
    const most = state.next + (options.programs ?? Number.POSITIVE_INFINITY);
    const first = state.next;
    const known = state.kinds.length;
    const until = (): boolean => performance.now() >= end || state.next >= most;
    const progress = workProgress(terminal);
    const session = new Session(start, {
      crashes: options.crashes ?? 10,
      fresh: true,
      onStart: (guest) => {
        if (before !== undefined && before !== guest.hello.kernel)
          throw new UsageError(
            `${out}: keeps a run on Linux ${before}, this is ${guest.hello.kernel}: name another folder`,
          );
        if (session.starts > 1 || options.json) return;
        name = guest.hello.kernel;
        stdout.write(
          `${printable(kernelLine(guest))}\nseed ${state.seed}, ${state.profiles.join(', ')}\n`,
        );
      },
    });
    try {
      await fuzz(state, {
        profiles: KERNEL_PROFILES,
        session,
        run: (program) => runProgram(program, { walk }),
        prepare: (program): Program =>
          driver === 'stock' ? { ...program, machine: { ...program.machine, driver } } : program,
        until,
        onProgress: (so, found) => {
          if (found && !options.json) {
            progress.clear();
            stdout.write(`\n${kindText(found, paint)}`);
          }
          progress.show(`${counted(so.next, 'program')}, ${counted(so.kinds.length, 'kind')}`);
          // a signal ends everything at once
          keep();
        },
      });
      keep();
    } finally {
      progress.clear();
      await session.close();
    }
    const minutes = (performance.now() - began) / 60_000;
    const asked = state.next - first;
    if (options.json) {
      stdout.write(
        jsonLine({
          kernel: name,
          driver,
          walk,
          ...state,
          asked,
          perMinute: Math.round(asked / minutes),
        }),
      );
    } else {
      const found = state.kinds.length - known;
      const kept = known > 0 ? `, ${known} from before` : '';
      stdout.write(
        `\n${counted(asked, 'program')} in ${minutes.toFixed(1)} minutes (${Math.round(asked / minutes)} a minute), ` +
          `${counted(found, 'kind')} of differences and reports found${kept}\n`,
      );
      if (out !== undefined)
        stdout.write(
          `kept in ${printable(out)}: ${DIFFERENCES}, ${ENDED}; the same command goes on\n`,
        );
      else stdout.write(`again: --seed ${state.seed}\n`);
    }
    if (state.kinds.length > 0) return ExitCode.finding;
    if (asked > 0 && state.ran === 0) {
      say('this kernel can run none of them');
      return ExitCode.badInput;
    }
    return ExitCode.clean;
  } finally {
    unlock();
  }
}
