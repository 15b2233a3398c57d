/** The command line. A command's module is loaded only when it runs, so that help comes at once. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Argument, Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { STRATEGIES, STRATEGY_ROWS } from '../checker/light.ts';
import { DRIVERS } from '../drivers/light.ts';
import { UNMENDED, type Unmended, WALKS, type Walk } from '../mm/light.ts';
import { didYouMean, ProgramError } from '../program/light.ts';
import { type CheckCommandOptions, KEEP_EVERY } from './check/options.ts';
import type { ReplayOptions } from './check/work.ts';
import {
  FORMATS,
  KINDS as INIT_KINDS,
  type Kind as InitKind,
  KERNEL_ACTIONS,
  type KernelAction,
  SHELLS,
  type Shell,
} from './choices.ts';
import type { ConformOptions } from './conform.ts';
import type { KernelCommandOptions } from './kernels/start.ts';
import type { LabCommandOptions } from './lab.ts';
import type { ListOptions } from './list.ts';
import type { MendsOptions } from './mends.ts';
import type { RunCommandOptions } from './run.ts';
import type { SelftestOptions } from './selftest.ts';
import {
  bounded,
  EXIT_CODES,
  ExitCode,
  messageLines,
  OutputError,
  printable,
  type Terminal,
  UsageError,
} from './terminal.ts';

import { isMend } from './unmended.ts';

const KINDS = ['private', 'coherent'] as const;

/** Two different walks: `collect,unified`. */
function parseWalks(value: string): readonly [Walk, Walk] {
  const walks = value.split(',').map((part) => WALKS.find((name) => name === part.trim()));
  const [a, b] = walks;
  if (walks.length !== 2 || a === undefined || b === undefined || a === b)
    throw new InvalidArgumentError(`Expected two of ${WALKS.join(', ')} with a comma between.`);
  return [a, b];
}

/** Names of mends with commas between them, or `all`. */
function parseUnmended(value: string): readonly Unmended[] {
  const names = value.split(',').map((name) => name.trim());
  for (const name of names) {
    if (isMend(name)) continue;
    const hint = didYouMean(name, UNMENDED) || '; softleaf mends lists them';
    throw new InvalidArgumentError(`No mend is called "${name}"${hint}`);
  }
  return [...new Set(names.filter(isMend))];
}

/** A parser of whole numbers from `min` to `max`. */
function count(min: number, max = Number.MAX_SAFE_INTEGER): (value: string) => number {
  const range = max === Number.MAX_SAFE_INTEGER ? `from ${min}` : `from ${min} to ${max}`;
  return (value) => {
    const number = Number(value);
    if (!/^\d+$/.test(value) || number < min || number > max)
      throw new InvalidArgumentError(`Expected a whole number ${range}.`);
    return number;
  };
}

/** A parser of numbers from `min` to `max`. */
function seconds(min: number, max: number): (value: string) => number {
  return (value) => {
    const number = Number(value);
    if (!/^\d+(\.\d+)?$/.test(value) || number < min || number > max)
      throw new InvalidArgumentError(`Expected a number from ${min} to ${max}.`);
    return number;
  };
}

/** A name that is not empty: '' would be every host. */
function hostName(value: string): string {
  if (value.trim() === '') throw new InvalidArgumentError('Expected the name of a host.');
  return value;
}

/** An option that may be given several times. */
const each = (value: string, before: string[] = []): string[] => [...before, value];

function packageVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

const EXIT_HELP = `
Exit codes:
${EXIT_CODES.map(([code, meaning]) => `  ${String(code).padEnd(4)} ${meaning}`).join('\n')}`;

/** The index of the documents, which the package has as well. */
const DOCUMENTS = fileURLToPath(new URL('../../docs/README.md', import.meta.url));

const MAIN_HELP = `${EXIT_HELP}

Examples:
  $ softleaf demo
  $ softleaf list
  $ softleaf run examples/migrate-on-fault.json
  $ softleaf init program
  $ softleaf check program.jsonc
  $ softleaf conform corpus/base.jsonl --walk collect

Documents: ${DOCUMENTS}`;

const RUN_HELP = `${EXIT_HELP}

Examples:
  $ softleaf run examples/migrate-on-fault.json
  $ softleaf run examples/migrate-on-fault.json --walk collect --counters
  $ softleaf run examples/migrate-on-fault.json --compare collect,unified
  $ softleaf run examples/holes.json --trace
  $ softleaf run program.json --watch
  $ softleaf run corpus/base.jsonl --only base-10000 --json
  $ cat program.json | softleaf run -`;

const CONFORM_HELP = `${EXIT_HELP}

Examples:
  $ softleaf conform corpus/base.jsonl corpus/fork.jsonl
  $ softleaf conform corpus/mof.jsonl --walk collect --json
  $ softleaf conform corpus/base.jsonl --only base-10000 --verbose
  $ softleaf conform corpus/*.jsonl --format junit > conform.xml`;

const INIT_HELP = `${EXIT_HELP}

Examples:
  $ softleaf init program
  $ softleaf init driver my-gpu.mjs`;

const LIST_HELP = `${EXIT_HELP}

Examples:
  $ softleaf list
  $ softleaf list --json`;

const OPS_HELP = `${EXIT_HELP}

Examples:
  $ softleaf ops
  $ softleaf ops madvise`;

const MENDS_HELP = `${EXIT_HELP}

Examples:
  $ softleaf mends
  $ softleaf check scenarios/huge-shared-no-room.json --unmended split-one-process`;

const COMPLETION_HELP = `${EXIT_HELP}

Examples:
  $ source <(softleaf completion bash)
  $ softleaf completion zsh > ~/.zsh/completions/_softleaf
  $ softleaf completion fish > ~/.config/fish/completions/softleaf.fish`;

/** A line for each strategy. */
const STRATEGY_HELP = `
Strategies:
${STRATEGIES.map((name) => `  ${name.padEnd(11)} ${STRATEGY_ROWS[name].what}`).join('\n')}`;

const CHECK_HELP = `${STRATEGY_HELP}
${EXIT_HELP}

Examples:
  $ softleaf check
  $ softleaf check scenarios/device-fault-munmap.json --walk as-posted
  $ softleaf check examples/scenarios/check-without-lock.mjs
  $ softleaf check scenarios/two-devices.json --strategy pct --seed 7 --time 60
  $ softleaf check scenarios/device-fault-munmap.json --outcomes
  $ softleaf check scenarios/two-devices.json --time 3600 --resume run.json
  $ softleaf check --json > before.json; softleaf check --baseline before.json
  $ softleaf check --pairs munmap dev_write --states device huge-device
  $ softleaf check pair:huge/munmap.part/dev_write.whole
  $ softleaf check scenarios --format junit > check.xml
  $ softleaf check scenarios/two-devices.json --replay 2.0123abcde.a12b.0abcd`;

const EXPLAIN_HELP = `${EXIT_HELP}

Examples:
  $ softleaf check driver.mjs --json > found.json; softleaf explain found.json
  $ softleaf explain driver.mjs 2.0123abcde.a12b.0abcd`;

const SELFTEST_HELP = `${EXIT_HELP}

Examples:
  $ softleaf selftest
  $ softleaf selftest migrate --device private
  $ softleaf selftest hmm2 anon_teardown --walk collect --seed 7
  $ softleaf selftest hmm.hmm_device_private.benchmark_thp_migration
  $ softleaf selftest exclusive --json`;

const KERNEL_HELP = `
Actions:
  ask KERNEL PROGRAMS...         run programs on a kernel, and print what each operation returned
  conform KERNEL [PROGRAMS...]   say how a kernel differs from 7.3.4; without programs, on the shipped corpus
  race KERNEL [PROGRAMS...]      run concurrent programs many times, and compare with what the model allows;
                                 without programs, the shipped ones
  fuzz KERNEL                    run random programs on a kernel and on the model, and make what differs small
  config                         print what a kernel should be configured with
  check-config FILE              say what a configuration lacks, and what is left out then
  agent                          compile the program that runs there, if need be, and print where it is

KERNEL is a bzImage or the folder in which it was built. With --command there is none.
${EXIT_HELP}

Examples:
  $ softleaf kernel conform arch/x86/boot/bzImage
  $ softleaf kernel conform new/bzImage --against old/bzImage
  $ softleaf kernel ask ~/linux examples/copy-on-write-on-a-device.json
  $ softleaf kernel ask ~/linux programs.jsonl --record recorded.jsonl
  $ softleaf kernel race ~/linux scenarios/device-fault-munmap.json --rounds 5000
  $ softleaf kernel race ~/linux races.jsonl --record seen.jsonl
  $ softleaf kernel fuzz ~/linux --time 600 --out found
  $ softleaf kernel fuzz ~/linux --profile fork --profile thp --seed 7 --programs 1000
  $ softleaf kernel conform --command "vng --user root -- $(softleaf kernel agent)"
  $ softleaf kernel config > hmm.config`;

const DEMO_HELP = `${EXIT_HELP}

Examples:
  $ softleaf demo
  $ NO_COLOR=1 softleaf demo`;

const LAB_HELP = `${EXIT_HELP}

Examples:
  $ softleaf lab
  $ softleaf lab examples/migrate-on-fault.json --walk collect
  $ softleaf lab --host 0.0.0.0 --port 8080`;

/** Ten years. */
const MAX_SECONDS = 315_360_000;

/** Every command, with its options; what a command comes to is told to `setExit`. */
export function commandTree(terminal: Terminal, setExit: (code: ExitCode) => void): Command {
  const program = new Command('softleaf')
    .description(
      "Linux's heterogeneous memory management as a program you can run, check and look at.",
    )
    .version(packageVersion())
    .exitOverride()
    .configureOutput({
      writeOut: (text) => terminal.stdout.write(text),
      writeErr: (text) => terminal.stderr.write(bounded(printable(text))),
    })
    .addHelpText('after', MAIN_HELP);
  const walkOption = (fallback = "the program's, else unified") =>
    new Option('--walk <walk>', `how a migration is prepared (default: ${fallback})`).choices(
      WALKS,
    );

  const unmendedOption = () =>
    new Option(
      '--unmended <names>',
      'mends of the kernel to turn off, with commas between, or all (softleaf mends lists them)',
    ).argParser(parseUnmended);

  program
    .command('run')
    .description('Run a memory program: each operation with its result, then what memory holds.')
    .argument('<program>', 'a JSON file with one program; - for standard input')
    .addOption(walkOption())
    .addOption(unmendedOption())
    .option('--only <name>', 'the program to run, in a file of several')
    .option('--json', 'print one JSON object: name, results, counters')
    .option('--counters', 'print all counters, also those that are 0')
    .option('--compare <walks>', 'run it with two walks (collect,unified) and compare', parseWalks)
    .option('--trace', 'print every step, and what it changed')
    .option('--watch', 'run it again whenever the file changes, until interrupted')
    .addHelpText('after', RUN_HELP)
    .action(async (file: string, options: RunCommandOptions) => {
      const { runCommand } = await import('./run.ts');
      setExit(await runCommand(file, options, terminal));
    });

  program
    .command('conform')
    .description('Run recorded programs and compare with what a real Linux returned.')
    .argument('<files...>', 'files with one program a line (.jsonl), or JSON files')
    .addOption(walkOption())
    .addOption(unmendedOption())
    .option('--only <name>', 'only the program of this name')
    .option('--json', 'print one JSON object: programs, passed, failed, knownDifferences, badLines')
    .option('--verbose', 'print every program, and what differs in known differences')
    .addOption(new Option('--format <name>', 'print for another program to read').choices(FORMATS))
    .addHelpText('after', CONFORM_HELP)
    .action(async (files: string[], options: ConformOptions) => {
      const { conformCommand } = await import('./conform.ts');
      setExit(conformCommand(files, options, terminal));
    });

  program
    .command('check')
    .description(
      'Try the schedules of concurrent programs: proved, nothing found, or the shortest one that breaks.',
    )
    .argument(
      '[files...]',
      'concurrent programs (.json), modules with scenarios (.js, .mjs, .ts), folders of them; none: the quick suite',
    )
    .addOption(walkOption())
    .addOption(unmendedOption())
    .addOption(
      new Option(
        '--strategy <name>',
        'how to search; none: at random first, then exhaustive',
      ).choices(STRATEGIES),
    )
    .option('--seed <n>', 'for the random strategies (default 1)', count(0))
    .option('--time <seconds>', 'for the whole run, at most', count(1, MAX_SECONDS))
    .option('--schedules <n>', 'for each search, at most (default 100000)', count(1))
    .option('--preemptions <n>', 'in a schedule, at most (exhaustive)', count(0, 1000))
    .option('--hardware', 'let TLBs fill and drop entries on their own')
    .option('--faults <n>', 'allocations that may fail in a schedule (default 0)', count(0, 1000))
    .option(
      '--breaks <n>',
      'locks that may be let go in the middle, as others want them (default 1)',
      count(0, 1000),
    )
    .option(
      '--findings <n>',
      'different findings after which a search ends (default 3)',
      count(1, 10_000),
    )
    .option(
      '--beyond <n>',
      'schedules without anything new behind a finding, after which an exhaustive search ends (default 1000; without end where --schedules is given)',
      count(1),
    )
    .option(
      '--workers <n>',
      'threads (default: one a processor); the verdict is the same',
      count(1, 1024),
    )
    .option(
      '--hang <seconds>',
      'without a sign of life, after which a module is given up (default 60)',
      count(1, MAX_SECONDS),
    )
    .option('--replay <schedule>', 'run this schedule of one scenario')
    .option('--resume <file>', 'keep here what is left to do; go on with what is kept here')
    .option(
      '--keep-every <seconds>',
      `how often it is kept (default ${KEEP_EVERY})`,
      seconds(0.1, 86_400),
    )
    .option('--report <file>', 'write a self-contained page')
    .option(
      '--trace [file]',
      'write the first finding as a file that softleaf lab opens; with --replay and no file, print every step and what it changed',
    )
    .option('--link [address]', 'say where the lab shows a finding (default: that of softleaf lab)')
    .option('--only <name>', 'the scenario to check, where the files have several')
    .option(
      '--pairs [ops...]',
      'the generated suite: two operations at a time, on memory in every state; of these operations',
    )
    .option('--states <names...>', 'of --pairs, the states that memory is in')
    .option('--list', 'print what is to be checked; with --json the programs')
    .option('--require-complete', 'exit with 3 where nothing was found but not everything tried')
    .option('--fail-on-warning', 'exit with 3 where nothing was found but there is a warning')
    .option('--no-fields', "do not look at fields of a module's own objects")
    .option('--ignore <title>', 'a finding that does not count; may be given several times', each)
    .option('--baseline <file>', 'what --json printed before: only what is new exits with 1')
    .option('--watch', 'check again whenever a file changes, until interrupted')
    .option(
      '--json',
      'print one JSON object: verdict, findings, warnings, mistakes, conditions, outcomes, coverage',
    )
    .addOption(new Option('--format <name>', 'print for another program to read').choices(FORMATS))
    .option('--outcomes', 'print every outcome, how many schedules came to it, and the shortest')
    .option('--coverage', 'print what was reached and met, and what was not')
    .option(
      '--verbose',
      'print every search and outcome, and the shrunk programs; all of a finding in JSON',
    )
    .addHelpText('after', CHECK_HELP)
    .action(async (files: string[], options: CheckCommandOptions) => {
      const began = performance.now();
      const { checkCommand } = await import('./check/command.ts');
      setExit(await checkCommand(files, options, terminal, began));
    });

  program
    .command('explain')
    .description('Tell a finding of check as a mail: what each CPU does, in kernel functions.')
    .argument(
      '<file>',
      'what check --json printed or --trace wrote; or a program or module, with a schedule',
    )
    .argument('[schedule]', 'the schedule that check printed')
    .addOption(walkOption("the schedule's"))
    .option('--hardware', 'the schedule was found with --hardware')
    .addOption(unmendedOption())
    .addHelpText('after', EXPLAIN_HELP)
    .action(async (file: string, schedule: string | undefined, options: ReplayOptions) => {
      const { explainCommand } = await import('./explain.ts');
      setExit(await explainCommand(file, schedule, options, terminal));
    });

  program
    .command('selftest')
    .description(
      "Run the kernel's own tests of HMM on the model, as its harness prints them (KTAP).",
    )
    .argument('[filters...]', 'tests whose name has one of these in it, or is one; none: all')
    .addOption(walkOption('unified'))
    .addOption(new Option('--device <kind>', 'on devices of this kind alone').choices(KINDS))
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
    .argument(
      '[program]',
      'a JSON file with a program, or a trace of check, to be opened; - for standard input',
    )
    .option('--port <n>', 'where to listen (default 7340); 0: any that is free', count(0, 65535))
    .option('--host <name>', 'for whom to listen (default localhost: this machine alone)', hostName)
    .addOption(walkOption())
    .option('--replay <schedule>', 'open this schedule of the program, at its end')
    .addHelpText('after', LAB_HELP)
    .action(async (file: string | undefined, options: LabCommandOptions) => {
      const { labCommand } = await import('./lab.ts');
      setExit(await labCommand(file, options, terminal));
    });

  program
    .command('kernel')
    .description('Run programs on a real kernel, and say how it differs from Linux 7.3.4.')
    .addArgument(new Argument('<action>', 'what to do').choices(KERNEL_ACTIONS))
    .argument('[files...]', 'a kernel, then files of programs; a .config')
    .option('--command <line>', 'start the agent by this line of shell instead: vng, ssh')
    .option('--against <kernel>', 'compare with another kernel, not with what was recorded')
    .option('--record <file>', 'write the programs with what this kernel returned')
    .option('--only <name>', 'only the program of this name')
    .option('--agent <file>', 'the agent as an executable, in place of compiling it')
    .option('--module <file>', 'load this module first; may be given several times', each)
    .option('--append <words>', "more of the kernel's command line")
    .option('--qemu <program>', 'the program to emulate with (default qemu-system-x86_64)')
    .option('--cpus <n>', 'CPUs of the guest (default 1)', count(1, 64))
    .option('--timeout <seconds>', 'that a program may take (default 60)', count(1, 86_400))
    .option(
      '--boot-timeout <seconds>',
      'until the agent has to be up (default 180)',
      count(1, 86_400),
    )
    .option(
      '--crashes <n>',
      'kernels that may end before the rest is left out (default 10)',
      count(0),
    )
    .option('--rounds <n>', 'race: of each program on the kernel (default 2000)', count(1, 1e9))
    .option('--schedules <n>', 'race: of each search of the model (default 100000)', count(1))
    .option('--breaks <n>', 'race: as of check (default 1)', count(0, 1000))
    .option(
      '--time <seconds>',
      'fuzz: begin no more after that (default 60); race: for a program on the model (default 20)',
      count(1, MAX_SECONDS),
    )
    .option('--programs <n>', 'fuzz: so many at most', count(1))
    .option('--seed <n>', 'fuzz: which programs are drawn (default: any)', count(0))
    .option('--profile <name>', 'fuzz: what programs are made of; may be given several times', each)
    .option('--out <folder>', 'fuzz: keep there what is found, and go on with it the next time')
    .addOption(
      new Option(
        '--driver <driver>',
        'fuzz, race: the test driver that the kernel has (default of fuzz: mended, of race: stock)',
      ).choices(DRIVERS),
    )
    .addOption(walkOption('of fuzz: collect'))
    .option('--json', 'print JSON: of ask a line for each program, of the others one object')
    .addHelpText('after', KERNEL_HELP)
    .action(async (action: KernelAction, files: string[], options: KernelCommandOptions) => {
      const { kernelCommand } = await import('./kernels/command.ts');
      setExit(await kernelCommand(action, files, options, terminal));
    });

  program
    .command('init')
    .description(
      'Write something to begin with: a concurrent program, or a driver with a scenario.',
    )
    .addArgument(new Argument('<kind>', 'what to write').choices(INIT_KINDS))
    .argument('[file]', 'where to; it must not be there yet (default program.jsonc, driver.mjs)')
    .addHelpText('after', INIT_HELP)
    .action(async (kind: InitKind, file: string | undefined) => {
      const { initCommand } = await import('./init.ts');
      setExit(initCommand(kind, file, terminal));
    });

  program
    .command('list')
    .description('List the examples and scenarios that ship, with a line about each.')
    .option('--json', 'print one JSON array: file, kind, about')
    .addHelpText('after', LIST_HELP)
    .action(async (options: ListOptions) => {
      const { listCommand } = await import('./list.ts');
      setExit(listCommand(options, terminal));
    });

  program
    .command('ops')
    .description('Say what operations there are, or what the fields of one are.')
    .argument('[name]', 'an operation')
    .addHelpText('after', OPS_HELP)
    .action(async (name: string | undefined) => {
      const { opsCommand } = await import('./ops.ts');
      setExit(opsCommand(name, terminal));
    });

  program
    .command('mends')
    .description('List what Linux 7.3.4 has wrong and the model mends, by name.')
    .option('--json', 'print one JSON array: name, where, function, file, flaw, effect, shown')
    .addHelpText('after', MENDS_HELP)
    .action(async (options: MendsOptions) => {
      const { mendsCommand } = await import('./mends.ts');
      setExit(mendsCommand(options, terminal));
    });

  program
    .command('completion')
    .description('Print what a shell needs to complete command lines.')
    .addArgument(new Argument('<shell>', 'the shell').choices(SHELLS))
    .addHelpText('after', COMPLETION_HELP)
    .action(async (shell: Shell) => {
      const { completion } = await import('./completion.ts');
      terminal.stdout.write(completion(shell, program));
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
  const command = commandTree(terminal, (code) => {
    exit = code;
  });
  try {
    await command.parseAsync(args, { from: 'user' });
    return exit;
  } catch (error) {
    if (error instanceof CommanderError)
      return error.exitCode === 0 ? ExitCode.clean : ExitCode.badInput;
    const isInput =
      error instanceof ProgramError ||
      error instanceof UsageError ||
      // by their names: they are loaded by who needs them
      (error instanceof Error && ['ScenarioError', 'KernelError'].includes(error.name));
    const { message, stack } = error instanceof Error ? error : new Error(String(error));
    if (error instanceof OutputError) {
      terminal.stderr.write(messageLines(message));
      return ExitCode.output;
    }
    terminal.stderr.write(messageLines(isInput ? message : `internal error: ${message}`));
    if (!isInput && terminal.env.SOFTLEAF_DEBUG) terminal.stderr.write(`${stack}\n`);
    return isInput ? ExitCode.badInput : ExitCode.internal;
  }
}
