/** `softleaf kernel`: programs on a real kernel, and how it differs from what was recorded. */
import { configFragment, missingOptions } from '../../kernel/index.ts';
import type { KernelAction } from '../choices.ts';
import { readText } from '../files.ts';
import { ExitCode, jsonLine, painter, type Terminal, UsageError } from '../terminal.ts';
import { askCommand } from './ask.ts';
import { conformCommand } from './conform.ts';
import { fuzzCommand } from './fuzz.ts';
import { raceCommand } from './race.ts';
import { agentOf, type KernelCommandOptions } from './start.ts';

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
  const run = { ask: askCommand, conform: conformCommand, fuzz: fuzzCommand, race: raceCommand }[
    action
  ];
  return run(kernel, rest, options, terminal);
}
