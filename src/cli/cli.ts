/** The command line. A command's module is loaded only when it runs, so that help comes at once. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { STRATEGIES, STRATEGY_ROWS, type StrategyName } from '../checker/search/strategies.ts';
import { ProgramError } from '../program/error.ts';
import { WALKS, type Walk } from '../program/schema.ts';
import type { CheckCommandOptions } from './check/plans.ts';
import type { ConformOptions } from './conform.ts';
import type { LabCommandOptions } from './lab.ts';
import type { RunCommandOptions } from './run.ts';
import type { SelftestOptions } from './selftest.ts';
import { ExitCode, printable, type Terminal, UsageError } from './terminal.ts';

function parseWalk(value: string): Walk {
  const walk = WALKS.find((name) => name === value);
  if (walk === undefined) throw new InvalidArgumentError(`Expected one of ${WALKS.join(', ')}.`);
  return walk;
}

function parseStrategy(value: string): StrategyName {
  const strategy = STRATEGIES.find((name) => name === value);
  if (strategy === undefined)
    throw new InvalidArgumentError(`Expected one of ${STRATEGIES.join(', ')}.`);
  return strategy;
}

const KINDS = ['private', 'coherent'] as const;

function parseKind(value: string): (typeof KINDS)[number] {
  const kind = KINDS.find((name) => name === value);
  if (kind === undefined) throw new InvalidArgumentError(`Expected one of ${KINDS.join(', ')}.`);
  return kind;
}

/** A parser of whole numbers from `min`. */
function count(min: number, max = Number.MAX_SAFE_INTEGER): (value: string) => number {
  const range = max === Number.MAX_SAFE_INTEGER ? `from ${min}` : `from ${min} to ${max}`;
  return (value) => {
    const number = Number(value);
    if (!/^\d+$/.test(value) || number < min || number > max)
      throw new InvalidArgumentError(`Expected a whole number ${range}.`);
    return number;
  };
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

/** The index of the documents, which the package has as well. */
const DOCUMENTS = fileURLToPath(new URL('../../docs/README.md', import.meta.url));

const MAIN_HELP = `${EXIT_HELP}

Examples:
  $ softleaf demo
  $ softleaf run examples/migrate-on-fault.json
  $ softleaf conform corpus/base.jsonl --walk collect

Documents: ${DOCUMENTS}`;

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

/** A line for each strategy. */
const STRATEGY_HELP = `
Strategies:
${STRATEGIES.map((name) => `  ${name.padEnd(11)} ${STRATEGY_ROWS[name].what}`).join('\n')}`;

const CHECK_HELP = `${STRATEGY_HELP}
${EXIT_HELP}
  130  interrupted before anything was found

Examples:
  $ softleaf check
  $ softleaf check scenarios/device-fault-munmap.json --walk as-posted
  $ softleaf check examples/scenarios/check-without-lock.mjs
  $ softleaf check scenarios/two-devices.json --strategy pct --seed 7 --time 60
  $ softleaf check scenarios/two-devices.json --replay 1.0123abcde.a12b --walk collect`;

const SELFTEST_HELP = `${EXIT_HELP}

Examples:
  $ softleaf selftest
  $ softleaf selftest migrate --device private
  $ softleaf selftest hmm2 anon_teardown --walk collect --seed 7
  $ softleaf selftest hmm.hmm_device_private.benchmark_thp_migration
  $ softleaf selftest exclusive --json`;

const DEMO_HELP = `${EXIT_HELP}

Examples:
  $ softleaf demo
  $ NO_COLOR=1 softleaf demo`;

const LAB_HELP = `${EXIT_HELP}

Examples:
  $ softleaf lab
  $ softleaf lab examples/migrate-on-fault.json --walk collect
  $ softleaf lab --host 0.0.0.0 --port 8080`;

function build(terminal: Terminal, setExit: (code: ExitCode) => void): Command {
  const program = new Command('softleaf')
    .description(
      "Linux's heterogeneous memory management as a program you can run, check and look at.",
    )
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
    .command('check')
    .description(
      'Try the schedules of concurrent programs: clean, or the shortest one that breaks.',
    )
    .argument(
      '[files...]',
      'concurrent programs (.json), modules with scenarios (.js, .mjs, .ts), folders of them; none: the quick suite',
    )
    .option('--walk <walk>', walkHelp, parseWalk)
    .option('--strategy <name>', `how to search: ${STRATEGIES.join(', ')}`, parseStrategy)
    .option('--seed <n>', 'for the random strategies (default 1)', count(0))
    .option('--time <seconds>', 'for the whole run, at most', count(1))
    .option('--schedules <n>', 'for each search, at most (default 100000)', count(1))
    .option('--preemptions <n>', 'in a schedule, at most (exhaustive)', count(0))
    .option('--hardware', 'let TLBs fill and drop entries on their own')
    .option('--faults <n>', 'allocations that may fail in a schedule (default 0)', count(0))
    .option('--findings <n>', 'different findings after which a search ends (default 3)', count(1))
    .option(
      '--workers <n>',
      'threads (default: one a processor); the verdict is the same',
      count(1),
    )
    .option('--replay <schedule>', 'run this schedule of one scenario')
    .option('--resume <file>', 'keep here what is left to do; go on with what is kept here')
    .option('--report <file>', 'write a self-contained page')
    .option('--link [address]', 'say where the lab shows a finding (default: that of softleaf lab)')
    .option('--json', 'print one JSON object: verdict, findings, coverage')
    .option('--verbose', 'print every search, and the shrunk programs; all of a finding in JSON')
    .addHelpText('after', CHECK_HELP)
    .action(async (files: string[], options: CheckCommandOptions) => {
      const { checkCommand } = await import('./check/command.ts');
      setExit(await checkCommand(files, options, terminal));
    });

  program
    .command('selftest')
    .description(
      "Run the kernel's own tests of HMM on the model, as its harness prints them (KTAP).",
    )
    .argument('[filters...]', 'tests whose name has one of these in it, or is one; none: all')
    .option('--walk <walk>', walkHelp.replace("the program's, else ", ''), parseWalk)
    .option('--device <kind>', `on devices of this kind alone: ${KINDS.join(', ')}`, parseKind)
    .option('--no-mended', 'keep the mistakes of 7.3.4, for one of which a test of its own fails')
    .option('--seed <n>', 'for addresses, and the order of threads (default 1)', count(0))
    .option('--json', 'print one JSON object: walk, tests, passed, failed')
    .addHelpText('after', SELFTEST_HELP)
    .action(async (filters: string[], options: SelftestOptions) => {
      const { selftestCommand } = await import('./selftest.ts');
      setExit(selftestCommand(filters, options, terminal));
    });

  program
    .command('lab')
    .description('Serve the lab, a page that shows a program step by step, until interrupted.')
    .argument('[program]', 'a JSON file with a program, to be opened; - for standard input')
    .option('--port <n>', 'where to listen (default 7340); 0: any that is free', count(0, 65535))
    .option('--host <name>', 'for whom to listen (default localhost: this machine alone)')
    .option('--walk <walk>', walkHelp, parseWalk)
    .option('--replay <schedule>', 'open this schedule of the program, at its end')
    .addHelpText('after', LAB_HELP)
    .action(async (file: string | undefined, options: LabCommandOptions) => {
      const { labCommand } = await import('./lab.ts');
      setExit(await labCommand(file, options, terminal));
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
