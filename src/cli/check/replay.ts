/** `softleaf check --replay`: one schedule again. */
import {
  type ConditionCount,
  decodeSchedule,
  Execution,
  encodeRuns,
  fingerprint,
  type JobResult,
  type ReportedFinding,
  type Run,
  replaySchedule,
  report,
  ScheduleError,
  type SetupOptions,
  type Subject,
  scenarioOf,
  titleOf,
  WALKS,
  type Walk,
} from '../../checker/index.ts';
import { ExitCode, painter, type Terminal, UsageError } from '../terminal.ts';
import { filesOfArguments, isModule, loadProgram, loadSubjects } from './files.ts';
import type { CheckCommandOptions } from './options.ts';
import { outcomesOf } from './outcomes.ts';
import { ownWalk, planOf, refuseModules, unmendedJob } from './plans.ts';
import type { Pool } from './pool.ts';
import { everyStep } from './steps.ts';
import { summarize } from './summary.ts';
import { tell } from './tell.ts';
import type { CheckJob, ReplayOptions } from './work.ts';

/**
 * What a schedule is of: the scenario and the setup whose digest it carries.
 * @param given the subjects that it may be of; else those of the file
 */
export async function scheduled(
  file: string,
  text: string,
  { walk, hardware, unmended }: ReplayOptions,
  given?: readonly Subject[],
): Promise<{ subject: Subject; setup: SetupOptions & { walk: Walk }; runs: Run[] }> {
  const [, digest] = text.split('.');
  let refused: ScheduleError | null = null;
  const subjects = given ?? (await loadSubjects(file, unmended)).map(({ subject }) => subject);
  for (const subject of subjects) {
    const scenario = scenarioOf(subject);
    const own = ownWalk(subject);
    const walks = walk ? [walk] : [own, ...WALKS.filter((other) => other !== own)];
    const setups = walks.flatMap((on) => [
      ...(hardware ? [] : [{ walk: on }]),
      { walk: on, hardware: true },
    ]);
    for (const setup of setups) {
      const here = fingerprint(scenario, setup);
      try {
        const runs = decodeSchedule(text, here, new Execution(scenario, setup).names.length);
        return { subject, setup, runs };
      } catch (error) {
        if (!(error instanceof ScheduleError)) throw error;
        if (here === digest) throw new UsageError(`--replay: ${error.message}`);
        refused ??= error;
      }
    }
  }
  throw new UsageError(`--replay: ${refused?.message}`);
}

/** One schedule again, as a search of one schedule. */
export async function replayed(
  file: string,
  text: string,
  options: ReplayOptions,
): Promise<JobResult> {
  const { subject, setup, runs } = await scheduled(file, text, options);
  const scenario = scenarioOf(subject);
  const { finding, steps, preemptions, outcome, came, held, coverage } = replaySchedule(
    scenario,
    setup,
    runs,
  );
  const { walk, hardware } = setup;
  const findings: ReportedFinding[] = [];
  if (finding !== null) {
    const told = report(scenario, setup, runs);
    findings.push({
      title: titleOf(finding),
      invariant: finding.invariant,
      function: finding.function,
      scenario: scenario.name,
      walk,
      ...(hardware ? { hardware } : {}),
      schedule: text.trim(),
      steps: told.steps.length,
      length: told.total,
      preemptions,
      report: told,
    });
  }
  return {
    scenario: scenario.name,
    walk,
    strategy: 'random',
    schedules: 1,
    steps,
    redundant: 0,
    outcomes: finding === null ? [outcome] : [],
    table:
      came === null
        ? []
        : [{ outcome: came, schedules: 1, choices: encodeRuns(runs), preemptions, steps }],
    overflow: false,
    since: 0,
    broken: came === null ? 1 : 0,
    asked: scenario.conditions ?? [],
    conditions: held?.map((holds): ConditionCount => (holds ? [1, 0] : [0, 1])) ?? [],
    complete: false,
    bounds: ['one schedule'],
    coverage,
    seen: { tasks: Object.keys(scenario.tasks), failed: [], warnings: [] },
    findings,
  };
}

/** One schedule again. */
export async function replayCommand(
  files: readonly string[],
  text: string,
  options: CheckCommandOptions,
  terminal: Terminal,
  pool: Pool,
): Promise<ExitCode> {
  const [file, ...more] = filesOfArguments(files);
  if (file === undefined || more.length > 0) {
    throw new UsageError('--replay: expected one file, with the scenario that the schedule is of');
  }
  const { walk, hardware } = options;
  refuseModules([file], options);
  const off = options.unmended ? { unmended: options.unmended } : {};
  const how = { ...(walk ? { walk } : {}), ...(hardware ? { hardware } : {}), ...off };
  const result = isModule(file)
    ? await pool.do('replay', { file, text, options: how })
    : await replayed(file, text, how);
  if (result === null) return ExitCode.interrupted;
  if (options.trace === true) {
    const colours = painter(terminal.stdout, terminal.env)('bold', '') !== '';
    const steps = isModule(file)
      ? await pool.do('steps', { file, text, options: how, colours })
      : await everyStep(file, text, how, colours);
    if (steps === null) return ExitCode.interrupted;
    terminal.stdout.write(`${steps}\n`);
  }
  const program = isModule(file) ? {} : unmendedJob(loadProgram(file), options);
  const plan = planOf(options);
  const job: CheckJob = { file, name: result.scenario, walk: result.walk, plan, ...program };
  const done = [{ job, result }];
  const table = await outcomesOf(done, async (_, seen) =>
    seen.map(({ choices: _choices, ...one }) => ({ ...one, schedule: text.trim() })),
  );
  const summary = await summarize([job], done, { ignore: options.ignore ?? [] });
  return tell(summary, options, terminal, pool, { table, one: true });
}
