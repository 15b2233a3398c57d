/** `softleaf explain`: a counterexample as a mail for a kernel list. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isConcurrent, ProgramError, parseAnyProgram } from '../checker/index.ts';
import { mailIn, TraceError } from '../recording/internal.ts';
import { explained } from './check/explained.ts';
import { isModule } from './check/files.ts';
import { Pool } from './check/pool.ts';
import type { ReplayOptions } from './check/work.ts';
import { readText } from './files.ts';
import { ExitCode, messageLines, printable, type Terminal, UsageError } from './terminal.ts';
import { keptUnmended } from './unmended.ts';

/** A finding as `check --json` prints it, as far as it is needed here. */
interface KnownFinding {
  file?: unknown;
  schedule: string;
  hardware?: unknown;
  unmended?: unknown;
  /** With `--verbose`: the program, and a schedule of it. */
  shrunk?: { program: unknown; schedule: string };
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function isFinding(value: unknown): value is KnownFinding {
  if (!isRecord(value) || typeof value.schedule !== 'string') return false;
  const { file, shrunk } = value;
  return typeof file === 'string' || (isRecord(shrunk) && typeof shrunk.schedule === 'string');
}

/**
 * The findings that a file has: all that `check --json` printed, or one of them.
 * @returns null: it has something else
 */
function findingsIn(file: string): KnownFinding[] | null {
  if (!file.endsWith('.json')) return null;
  let value: unknown;
  try {
    value = JSON.parse(readText(file));
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
  if (isFinding(value)) return [value];
  if (!isRecord(value) || typeof value.verdict !== 'string') return null;
  const { findings } = value;
  if (Array.isArray(findings) && findings.every(isFinding)) return findings;
  throw new UsageError(`${file}: expected findings, each with a file and a schedule`);
}

/** By the file and the schedule; others' code runs in a thread of its own. */
async function ofFile(
  file: string,
  schedule: string,
  options: ReplayOptions,
  pool: Pool,
): Promise<string> {
  if (!isModule(file)) return explained(file, schedule, options);
  return (await pool.do('explain', { file, text: schedule, options })) ?? '';
}

/** @param from the file that the finding is in */
async function ofFinding(known: KnownFinding, from: string, pool: Pool): Promise<string> {
  const { file, shrunk, schedule } = known;
  const hardware = known.hardware === true ? { hardware: true } : {};
  const options = { ...hardware, ...keptUnmended(known.unmended) };
  if (shrunk) {
    const program = parseAnyProgram(shrunk.program, `${from}: the shrunk program`);
    if (!isConcurrent(program)) throw new UsageError(`${from}: expected a concurrent program`);
    const name = typeof file === 'string' ? file : 'FILE';
    return explained(name, shrunk.schedule, options, { program }, schedule);
  }
  const name = String(file);
  if (name === '-') {
    throw new UsageError(`${from}: the program came from standard input: add --verbose to check`);
  }
  // as it was named there, or beside what names it
  const beside = join(dirname(from), name);
  return ofFile(existsSync(name) || !existsSync(beside) ? name : beside, schedule, options, pool);
}

/**
 * The mail of a trace that `check --trace` has written.
 * @returns null: the file is none
 */
function traceMail(file: string): string | null {
  const text = isModule(file) ? '' : readText(file);
  if (!/^\s*\{\s*"softleaf"\s*:\s*"trace"/.test(text)) return null;
  try {
    const mail = mailIn(text);
    if (mail !== '') return mail;
  } catch (error) {
    if (error instanceof TraceError) throw new UsageError(`${file}: ${error.message}`);
    throw error;
  }
  throw new UsageError(
    `${file}: one schedule alone does not show this finding: there is no mail of it`,
  );
}

/** The mails that are asked for. */
async function mails(
  file: string,
  schedule: string | undefined,
  options: ReplayOptions,
  pool: Pool,
): Promise<string[]> {
  if (schedule !== undefined) return [await ofFile(file, schedule, options, pool)];
  const kept = traceMail(file);
  if (kept !== null) return [kept];
  const findings = findingsIn(file);
  if (findings === null) {
    throw new UsageError(
      `${file}: expected findings that check --json has printed, or a schedule after the file`,
    );
  }
  const texts: string[] = [];
  for (const one of findings) texts.push(await ofFinding(one, file, pool));
  return texts;
}

/** The command. */
export async function explainCommand(
  file: string,
  schedule: string | undefined,
  options: ReplayOptions,
  terminal: Terminal,
): Promise<ExitCode> {
  const stop = new Int32Array(new SharedArrayBuffer(4));
  const pool = new Pool(1, { stop, log: (text) => terminal.stderr.write(printable(text)) });
  try {
    const texts = await mails(file, schedule, options, pool);
    if (texts.length > 0) terminal.stdout.write(printable(texts.join('\n\n')));
    else
      terminal.stderr.write(
        messageLines(`${file}: nothing was found: there is nothing to explain`),
      );
    return ExitCode.clean;
  } catch (error) {
    if (error instanceof ProgramError) throw new UsageError(error.message);
    throw error;
  } finally {
    await pool.end();
  }
}
