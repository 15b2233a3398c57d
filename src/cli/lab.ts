/** `softleaf lab`: serves the lab, and says where a program is shown in it. */
import { ProgramError, ScheduleError, type Walk } from '../checker/index.ts';
import { record } from '../recording/index.ts';
import { encodeLink, LinkError, readTrace, TRACE_HASH, TraceError } from '../recording/internal.ts';
import { packageFile, readAnyProgram, readText } from './files.ts';
import { LAB_HOST, LAB_PORT } from './lab-link.ts';
import { serveLab } from './lab-server.ts';
import { shellWord } from './shell.ts';
import { ExitCode, painter, type Terminal, UsageError } from './terminal.ts';
import { interrupted } from './watch.ts';

export interface LabCommandOptions {
  port?: number;
  host?: string;
  walk?: Walk;
  replay?: string;
}

function isPlainJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/**
 * The link, from `#` on, to a program in a file; the lab reads JSON without comments.
 * @throws UsageError where it is none, or the schedule is not one of it
 */
async function linkOf(
  file: string,
  text: string,
  { walk, replay }: LabCommandOptions,
): Promise<string> {
  try {
    const program = readAnyProgram(file, text);
    const shown = record(program, {
      ...(walk ? { walk } : {}),
      ...(replay === undefined ? {} : { schedule: replay }),
    });
    return await encodeLink({
      program: { text: isPlainJson(text) ? text : JSON.stringify(program, null, 2) },
      walk: shown.walk,
      hardware: false,
      schedule: shown.schedule,
      // a schedule that is asked for is one that breaks something, in its last step
      step: replay === undefined ? 0 : shown.length,
      selected: '',
      compared: null,
    });
  } catch (error) {
    if (error instanceof ScheduleError) throw new UsageError(`--replay: ${error.message}`);
    if (!(error instanceof ProgramError || error instanceof LinkError)) throw error;
    const { message } = error;
    throw new UsageError(message.startsWith(file) ? message : `${file}: ${message}`);
  }
}

/**
 * Whether a file is a trace, as `check --trace` writes it.
 * @throws UsageError where it is meant to be one, and is not whole
 */
function isTraceFile(file: string, text: string, { walk, replay }: LabCommandOptions): boolean {
  // a program may be large too, but what is no trace need not be read as one
  if (!/^\s*\{\s*"softleaf"\s*:\s*"trace"/.test(text)) return false;
  if ((walk ?? replay) !== undefined) {
    throw new UsageError(
      `${file}: a trace has one walk and one schedule: leave out --walk and --replay`,
    );
  }
  try {
    readTrace(text);
  } catch (error) {
    if (error instanceof TraceError) throw new UsageError(`${file}: ${error.message}`);
    throw error;
  }
  return true;
}

/** What is to be shown: the link from `#` on, and the trace that it stands for, if it is one. */
async function shownOf(
  file: string,
  options: LabCommandOptions,
): Promise<{ link: string; trace: string | undefined }> {
  if (/\.[cm]?[jt]s$/.test(file)) {
    throw new UsageError(
      `${file}: a module does not run in the lab: softleaf check ${shellWord(file)} --trace FILE writes what it does`,
    );
  }
  const text = readText(file);
  if (isTraceFile(file, text, options)) return { link: TRACE_HASH, trace: text };
  return { link: await linkOf(file, text, options), trace: undefined };
}

/**
 * The command.
 * @param folder where the built lab is
 * @param end when to stop serving
 */
export async function labCommand(
  file: string | undefined,
  options: LabCommandOptions,
  terminal: Terminal,
  folder: string = packageFile('dist/lab'),
  end: () => Promise<void> = interrupted,
): Promise<ExitCode> {
  if (file === undefined && (options.walk ?? options.replay) !== undefined) {
    throw new UsageError('--walk and --replay: expected a file, with the program to be shown');
  }
  const { link, trace } =
    file === undefined ? { link: '', trace: undefined } : await shownOf(file, options);
  const { port = LAB_PORT, host = LAB_HOST } = options;
  const lab = await serveLab(folder, port, host, trace);
  const { stdout, env } = terminal;
  stdout.write(`The lab is at ${painter(stdout, env)('cyan', lab.address + link)}\n`);
  stdout.write('Ctrl+C ends it.\n');
  await end();
  await lab.close();
  return ExitCode.clean;
}
