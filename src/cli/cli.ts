/** The command line. A command's module is loaded only when it runs, so that help comes at once. */
import { readFileSync } from 'node:fs';
import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { ProgramError } from '../program/error.ts';
import { WALKS, type Walk } from '../program/schema.ts';
import type { ConformOptions } from './conform.ts';
import type { RunCommandOptions } from './run.ts';
import { ExitCode, printable, type Terminal, UsageError } from './terminal.ts';

function parseWalk(value: string): Walk {
  const walk = WALKS.find((name) => name === value);
  if (walk === undefined) throw new InvalidArgumentError(`Expected one of ${WALKS.join(', ')}.`);
  return walk;
}

function packageVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

const EXIT_HELP = `
Exit codes:
  0  clean
  1  a finding, or a result that differs from the recording
  2  bad input: a program, a file or the command line`;

const MAIN_HELP = `${EXIT_HELP}

Examples:
  $ softleaf demo
  $ softleaf run examples/migrate-on-fault.json
  $ softleaf conform corpus/base.jsonl --walk collect`;

const RUN_HELP = `${EXIT_HELP}

Examples:
  $ softleaf run examples/migrate-on-fault.json
  $ softleaf run examples/migrate-on-fault.json --walk collect --counters
  $ softleaf run corpus/base.jsonl --only base-10000 --json
  $ cat program.json | softleaf run -`;

const CONFORM_HELP = `${EXIT_HELP}

Examples:
  $ softleaf conform corpus/base.jsonl corpus/fork.jsonl
  $ softleaf conform corpus/mof.jsonl --walk collect --json
  $ softleaf conform corpus/base.jsonl --only base-10000 --verbose`;

const DEMO_HELP = `${EXIT_HELP}

Examples:
  $ softleaf demo
  $ NO_COLOR=1 softleaf demo`;

function build(terminal: Terminal, setExit: (code: ExitCode) => void): Command {
  const program = new Command('softleaf')
    .description("Linux's heterogeneous memory management as a program you can run and check.")
    .version(packageVersion())
    .exitOverride()
    .configureOutput({
      writeOut: (text) => terminal.stdout.write(text),
      writeErr: (text) => terminal.stderr.write(printable(text)),
    })
    .addHelpText('after', MAIN_HELP);
  const walkHelp = `how a migration is prepared: ${WALKS.join(', ')} (default: the program's, else unified)`;

  program
    .command('run')
    .description('Run a memory program: each operation with its result, then what memory holds.')
    .argument('<program>', 'a JSON file with one program; - for standard input')
    .option('--walk <walk>', walkHelp, parseWalk)
    .option('--only <name>', 'the program to run, in a file of several')
    .option('--json', 'print one JSON object: name, results, counters')
    .option('--counters', 'print all counters, also those that are 0')
    .addHelpText('after', RUN_HELP)
    .action(async (file: string, options: RunCommandOptions) => {
      const { runCommand } = await import('./run.ts');
      setExit(runCommand(file, options, terminal));
    });

  program
    .command('conform')
    .description('Run recorded programs and compare with what a real Linux returned.')
    .argument('<files...>', 'files with one program a line (.jsonl), or JSON files')
    .option('--walk <walk>', walkHelp, parseWalk)
    .option('--only <name>', 'only the program of this name')
    .option('--json', 'print one JSON object: programs, passed, failed, knownDifferences, badLines')
    .option('--verbose', 'print every program, and what differs in known differences')
    .addHelpText('after', CONFORM_HELP)
    .action(async (files: string[], options: ConformOptions) => {
      const { conformCommand } = await import('./conform.ts');
      setExit(conformCommand(files, options, terminal));
    });

  program
    .command('demo')
    .description('The main example before and after, two walks compared, and the whole corpus.')
    .addHelpText('after', DEMO_HELP)
    .action(async () => {
      const { demoCommand } = await import('./demo.ts');
      setExit(demoCommand(terminal));
    });
  return program;
}

/**
 * Runs one command line.
 * @param args what follows the program's name
 * @returns the exit code; nothing is thrown
 */
export async function main(args: readonly string[], terminal: Terminal): Promise<ExitCode> {
  let exit: ExitCode = ExitCode.clean;
  const command = build(terminal, (code) => {
    exit = code;
  });
  try {
    await command.parseAsync(args, { from: 'user' });
    return exit;
  } catch (error) {
    if (error instanceof CommanderError)
      return error.exitCode === 0 ? ExitCode.clean : ExitCode.badInput;
    const isInput = error instanceof ProgramError || error instanceof UsageError;
    const { message, stack } = error instanceof Error ? error : new Error(String(error));
    terminal.stderr.write(printable(`softleaf: ${isInput ? '' : 'internal error: '}${message}\n`));
    if (!isInput && terminal.env.SOFTLEAF_DEBUG) terminal.stderr.write(`${stack}\n`);
    return isInput ? ExitCode.badInput : ExitCode.internal;
  }
}
