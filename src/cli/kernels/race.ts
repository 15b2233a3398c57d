/** `softleaf kernel race`: concurrent programs on a real kernel, beside what the model allows. */
import {
  allowedOutcomes,
  fingerprint,
  outcomeTable,
  programScenario,
  sealedSchedule,
} from '../../checker/index.ts';
import {
  type Answer,
  asKernel,
  compareRace,
  knownReport,
  type Observation,
  observationLine,
  onRealPages,
  parseObservations,
  type RaceRow,
  type RaceVerdict,
  Session,
  wantedOf,
} from '../../kernel/index.ts';
import type { ConcurrentProgram } from '../../program/index.ts';
import { didYouMean } from '../../program/internal.ts';
import { packageFile, readJson, readText, showBadLine } from '../files.ts';
import { workProgress } from '../progress.ts';
import {
  ExitCode,
  jsonLine,
  messageLines,
  type Paint,
  painter,
  printable,
  type Terminal,
  UsageError,
} from '../terminal.ts';
import { counted } from '../words.ts';
import { type KernelCommandOptions, starter, writeRecord } from './start.ts';
import { kernelLine, reportText } from './texts.ts';

/** What nobody says. */
const ROUNDS = 2000;
const SCHEDULES = 100_000;
const SECONDS = 20;
/** Outcomes that were never seen, of which so many are shown. */
const SHOWN = 10;

function observationsOf(files: readonly string[], only: string | undefined): Observation[] {
  const read = files.map((file) => parseObservations(readText(file), file, readJson));
  const bad = read.flatMap(({ badLines }) => badLines);
  if (bad.length > 0) throw new UsageError(bad.slice(0, 20).map(showBadLine).join('\n'));
  const all = read.flatMap(({ programs }) => programs.map(({ program }) => program));
  const some = only === undefined ? all : all.filter(({ program: { name } }) => name === only);
  if (some.length > 0) return some;
  if (only === undefined) throw new UsageError(`${files.join(' ')}: there is no program in it`);
  const names = all.map(({ program }) => program.name);
  throw new UsageError(`no program is called ${only}${didYouMean(only, names)}`);
}

interface Told extends RaceVerdict {
  program: ConcurrentProgram;
  rounds: number;
  lost: number;
  schedules: number;
  broken: number;
}

const VERDICTS: Record<RaceVerdict['verdict'], readonly ['green' | 'yellow' | 'red', string]> = {
  equal: ['green', 'the kernel shows what the model allows, all of it'],
  allowed: ['green', 'the model allows what the kernel shows'],
  open: ['yellow', 'not found in the model, of which not everything was tried'],
  'not allowed': ['red', 'the model does not allow it'],
};

/** `a..z` of what is the same in every row, and a line for each row. */
function raceText(told: Told, paint: Paint): string {
  const { program, rows, rounds, complete, schedules, verdict } = told;
  const seen = rows.filter((row) => row.rounds > 0).length;
  const allowed = rows.filter((row) => row.allowed === 'yes' || row.allowed === 'flaw').length;
  const whole = complete ? 'all of them' : `of ${counted(schedules, 'schedule')}, not all`;
  let text =
    `${paint('bold', printable(program.name))}: ${counted(rounds, 'round')}, ${counted(seen, 'outcome')}; ` +
    `the model allows ${allowed} (${whole})\n`;
  const table = outcomeTable(
    rows.map((row) => ({ ...row.outcome, schedules: row.rounds, row })),
    program,
  );
  for (const [title, words] of table.same) text += `  always  ${title}  ${words}\n`;
  const shown = table.rows.filter(({ of }, i) => of.row.rounds > 0 || i < seen + SHOWN);
  const word = (row: RaceRow): string => {
    const flaws = row.flaws?.join('; ') ?? '';
    return {
      no: paint('red', 'NOT ALLOWED'),
      open: paint('yellow', 'not found'),
      flaw: `reads freed memory: ${flaws}`,
      yes: flaws === '' ? '' : `flaw: ${flaws}`,
    }[row.allowed];
  };
  const cells = [
    ['rounds', ...table.heads],
    ...shown.map(({ of, cells: own }) => [
      of.row.rounds === 0 ? 'never' : `${of.row.rounds}`,
      ...own,
    ]),
  ];
  const widths = cells[0].map((_, i) => Math.max(...cells.map((row) => row[i].length)));
  if (table.rows.length > 1)
    cells.forEach(([count, ...own], i) => {
      const line = [
        count.padStart(widths[0]),
        ...own.map((cell, at) => cell.padEnd(widths[at + 1])),
      ];
      const said = i === 0 ? '' : word(shown[i - 1].of.row);
      text += `  ${[...line, said].join('  ').trimEnd()}\n`;
    });
  const left = table.rows.length - shown.length;
  if (left > 0) text += `  and ${counted(left, 'outcome')} more that were never seen\n`;
  if (told.lost > 0)
    text += `  ${counted(told.lost, 'round')} whose outcome had no place any more\n`;
  if (told.broken > 0)
    text += `  in ${counted(told.broken, 'schedule')} the model broke: softleaf check says how\n`;
  const [color, words] = VERDICTS[verdict];
  return `${text}  ${paint(color, words)}\n\n`;
}

/** What became of a program of which there are no rounds. */
function withoutRounds({ name }: ConcurrentProgram, answer: Answer, paint: Paint): string {
  const { skipped, stopped } = answer;
  const how =
    skipped === undefined ? `stopped: ${stopped?.how ?? 'no rounds'}` : `not run: ${skipped}`;
  return `${paint('bold', printable(name))}: ${paint('yellow', printable(how))}\n\n`;
}

export async function raceCommand(
  kernel: string | undefined,
  files: readonly string[],
  options: KernelCommandOptions,
  terminal: Terminal,
): Promise<ExitCode> {
  const { stdout, stderr, env } = terminal;
  const paint = painter(stdout, env);
  const shipped = [packageFile('corpus/races/races.jsonl')];
  const all = observationsOf(files.length > 0 ? files : shipped, options.only);
  const cpus = Math.max(2, ...all.map(({ program }) => Object.keys(program.tasks).length));
  const start = starter(kernel, { cpus, ...options }, terminal);
  let version = '';
  const session = new Session(start, {
    crashes: options.crashes ?? 10,
    fresh: true,
    onStart: (guest) => {
      if (session.starts === 1 && !options.json)
        stdout.write(`${printable(kernelLine(guest))}\n\n`);
      version = `Linux ${guest.hello.kernel}, ${guest.how}`;
    },
  });
  const { rounds = ROUNDS, driver = 'stock', breaks = 1 } = options;
  const progress = workProgress(terminal);
  const recorded: string[] = [];
  const verdicts: RaceVerdict['verdict'][] = [];
  let found = false;
  try {
    for (const [i, { program: asked }] of all.entries()) {
      const program = onRealPages(asked);
      const place = `${i + 1} of ${all.length}: ${program.name}`;
      progress.show(`${place}, on the kernel`);
      let answer: Answer = { results: [], reports: [] };
      await session.askAll([{ ...program, rounds }], (said) => {
        answer = said;
      });
      progress.clear();
      const { raced, reports, stopped } = answer;
      if (!options.json) for (const report of reports) stdout.write(reportText(report, paint));
      if (stopped || reports.some((report) => knownReport(report) === undefined)) found = true;
      if (raced === undefined || raced.outcomes.length === 0) {
        if (options.json) stdout.write(jsonLine({ name: program.name, ...answer }));
        else stdout.write(withoutRounds(program, answer, paint));
        continue;
      }
      recorded.push(
        observationLine({
          program,
          kernel: version,
          rounds: raced.rounds,
          observed: raced.outcomes,
        }),
      );
      const model = asKernel(program, driver);
      const allowed = allowedOutcomes(model, {
        everything: true,
        wanted: wantedOf(raced.outcomes),
        count: raced.outcomes.length,
        schedules: options.schedules ?? SCHEDULES,
        time: 1000 * (options.time ?? SECONDS),
        breaks,
        onProgress: (schedules) => progress.show(`${place}, ${schedules} schedules of the model`),
      });
      progress.clear();
      const verdict = compareRace(raced.outcomes, allowed);
      verdicts.push(verdict.verdict);
      if (verdict.verdict === 'not allowed') found = true;
      const told: Told = {
        ...verdict,
        ...allowed,
        program,
        rounds: raced.rounds,
        lost: raced.lost,
      };
      if (!options.json) {
        stdout.write(raceText(told, paint));
        continue;
      }
      const digest = fingerprint(programScenario(model) as never, {});
      stdout.write(
        jsonLine({
          name: program.name,
          kernel: version,
          driver,
          rounds: raced.rounds,
          lost: raced.lost,
          verdict: verdict.verdict,
          complete: verdict.complete,
          schedules: allowed.schedules,
          outcomes: verdict.rows.map(({ outcome, choices, ...row }) => ({
            ...row,
            ...outcome,
            ...(choices === undefined ? {} : { schedule: sealedSchedule(digest, choices) }),
          })),
        }),
      );
    }
  } finally {
    progress.clear();
    await session.close();
  }
  if (options.record !== undefined) writeRecord(options.record, recorded);
  const count = (of: RaceVerdict['verdict']) => verdicts.filter((one) => one === of).length;
  const within = count('equal') + count('allowed');
  if (!options.json)
    stdout.write(
      `${counted(all.length, 'program')}: ${within} show what the model allows (${count('equal')} all of it), ` +
        `${count('not allowed')} show what it does not, ${count('open')} what was not found, ` +
        `${all.length - verdicts.length} not run\n`,
    );
  if (found) return ExitCode.finding;
  if (verdicts.length === 0) {
    stderr.write(messageLines('this kernel can run none of them'));
    return ExitCode.badInput;
  }
  return count('open') > 0 ? ExitCode.incomplete : ExitCode.clean;
}
