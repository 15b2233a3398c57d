/** What `softleaf check` prints of searches and of findings. */
import { type ReportedFinding, reportText, STRATEGY_ROWS } from '../../checker/index.ts';
import { shellWord } from '../shell.ts';
import { type Paint, painter, printable, type Terminal } from '../terminal.ts';
import { counted } from '../words.ts';
import { isModule } from './files.ts';
import {
  type CheckedCondition,
  type CheckedFinding,
  type CheckSummary,
  type FinishedSearch,
  isMissing,
  isWhole,
} from './summary.ts';

/** What came of the conditions of programs, as litmus tells it. */
export function conditionLines(conditions: readonly CheckedCondition[]): string[] {
  const cases = new Set(conditions.map(({ scenario, walk }) => JSON.stringify([scenario, walk])));
  let last = '';
  return conditions.flatMap((told) => {
    const { scenario, walk, quantifier, condition, held, not, observation, standing } = told;
    const of = `${scenario}, walk ${walk}`;
    const head = cases.size > 1 && of !== last ? [of] : [];
    last = of;
    const seen = quantifier === 'exists' ? 'not seen' : 'nothing broke it';
    const word =
      standing === 'open'
        ? `${seen}, but not every schedule was tried`
        : standing === 'no' && quantifier === 'exists'
          ? 'No: no schedule comes to it'
          : { ok: 'Ok', no: 'No' }[standing];
    return [
      ...head,
      `${quantifier} ${condition}`,
      `  ${word}. Observation ${observation} ${held} ${not}`,
    ];
  });
}

/** Cases that are told by name; of a large suite the numbers say enough. */
const MOST_CASES = 20;

/** Which of several scenarios are proved, and which not. */
function caseLines(cases: CheckSummary['cases']): string[] {
  if (cases.length < 2 || cases.length > MOST_CASES) return [];
  const several = new Set(cases.map(({ walk }) => walk)).size > 1;
  const names = (which: boolean): string =>
    cases
      .filter(({ isProved }) => isProved === which)
      .map(({ name, walk }) => `"${name}"${several ? ` (${walk})` : ''}`)
      .join(', ');
  const [proved, open] = [names(true), names(false)];
  return [
    ...(proved === '' ? [] : [`  proved:  ${printable(proved)}`]),
    ...(open === '' ? [] : [`  not:     ${printable(open)}`]),
  ];
}

/** A verdict and what it is worth: a line for those who only want to know, and three that say why. */
export function verdictText({
  verdict,
  findings,
  cases,
  warnings,
  conditions,
  coverage: c,
}: CheckSummary): string {
  const some = `${c.proved} of ${c.cases} are proved`;
  const partly = c.proved > 0 && c.proved < c.cases ? `; ${some}` : '';
  const missing = conditions.filter(isMissing).length;
  const things = [
    ...(findings.length > 0 || missing === 0 ? [counted(findings.length, 'finding')] : []),
    ...(missing > 0 ? [`${counted(missing, 'condition')} that no schedule comes to`] : []),
  ];
  const line = {
    proved: 'proved: nothing breaks in any schedule of these tasks, on this model',
    'nothing-found': `nothing found, which is no proof: not every schedule was tried${partly}`,
    found: `found: ${things.join(', ')}`,
  }[verdict];
  const bounds = c.bounds.length > 0 ? c.bounds.join(', ') : 'none, every schedule was tried';
  const assumes = c.assumes.length > 0 ? `; assumed: ${c.assumes.join(', ')}` : '';
  const { functions, branches } = c;
  return [
    line,
    ...caseLines(cases),
    `  tried:   ${counted(c.schedules, 'schedule')} of ${counted(c.scenarios, 'scenario')}, ` +
      counted(c.steps, 'step') +
      // of schedules that break something nobody asks for the end
      (c.states === 0 ? '' : `; they end in ${counted(c.states, 'different state')}`),
    `  bounds:  ${bounds}${assumes}`,
    `  reached: ${functions.ran} of ${functions.of} functions of src/mm and src/hmm, ` +
      `${branches.ran} of ${branches.of} branches (--coverage: which not)`,
    ...warnings.map(({ file, line, scenario, text }) =>
      printable(
        `  warning: ${file}:${line === undefined ? '' : `${line}:`} "${scenario}": ${text}`,
      ),
    ),
  ].join('\n');
}

/** Everything that was come across, and what was not reached. */
export function coverageText(summary: CheckSummary): string {
  const { pairs, entries, complete, searches } = summary.coverage;
  const kinds = Object.values(entries).reduce((total, own) => total + own.length, 0);
  return [
    thinText(summary),
    `${counted(searches, 'search', 'searches')}, ${complete} of everything`,
    `${pairs.seen} pairs of steps of two tasks on one object, ${pairs.bothOrders} in both orders`,
    `${Object.keys(entries).length} operations, ${kinds} meetings of an operation with a kind of entry`,
  ].join('\n');
}

/** What was not reached, for those who want to know where cover is thin. */
function thinText({ coverage }: CheckSummary): string {
  const { functions, branches, pairs, entries, entered, reasons } = coverage;
  const list = (title: string, lines: readonly string[]): string[] =>
    lines.length === 0 ? [] : [title, ...lines.map((line) => `  ${line}`)];
  return [
    ...list('functions that never ran', functions.missed),
    ...list('branches that were never taken', branches.missed),
    ...list(
      'functions, by how many searches entered them',
      entered.map(({ function: name, searches }) => `${String(searches).padStart(5)}  ${name}`),
    ),
    ...list(
      'results that no order of the operations gives, by the reason for which they are right, and in how many searches',
      Object.entries(reasons).map(
        ([reason, searches]) => `${String(searches).padStart(5)}  ${reason}`,
      ),
    ),
    ...list('pairs of steps seen in one order', pairs.oneOrder),
    ...list(
      'kinds of entries that operations met',
      Object.entries(entries).map(([operation, kinds]) => `${operation}: ${kinds.join('; ')}`),
    ),
  ].join('\n');
}

/** What `--json` prints of a finding; with `--verbose` everything. */
export function jsonOf({ finding, job, link }: CheckedFinding, verbose: boolean): object {
  const where = { file: job.file, ...(link === undefined ? {} : { link }) };
  const { title, invariant, scenario, walk, hardware, schedule, steps, preemptions } = finding;
  const { by, tasks, finding: broken } = finding.report;
  const who = {
    task: by ? tasks[by.task] : '',
    operation: by?.operation?.text ?? '',
    detail: broken.detail ?? '',
  };
  const off = job.unmended ? { unmended: job.unmended } : {};
  if (verbose) return { ...finding, ...off, ...who, ...where };
  return {
    title,
    invariant,
    function: finding.function,
    ...who,
    scenario,
    walk,
    ...(hardware ? { hardware } : {}),
    ...off,
    schedule,
    steps,
    preemptions,
    ...where,
  };
}

/** Characters of a report's line. */
export function widthOf({ stdout }: Terminal): number {
  return Math.max(60, Math.min(stdout.columns ?? 120, 200));
}

/** The line that replays a finding. */
export function replayLine({ finding, job }: CheckedFinding): string {
  const hardware = finding.hardware ? ' --hardware' : '';
  const mends = job.unmended ? ` --unmended ${job.unmended.join()}` : '';
  return `softleaf check ${shellWord(job.file)} --walk ${finding.walk}${hardware}${mends} --replay ${finding.schedule}`;
}

/** Where a finding is, and how long the way to it. */
export function whereText({ scenario, walk, preemptions, steps, length }: ReportedFinding): string {
  return (
    `${scenario}, walk ${walk}: ${counted(preemptions, 'preemption')}, ` +
    `${counted(steps, 'step that matters', 'steps that matter')} of ${length}`
  );
}

/** How the lab can show a finding without a link; null: nothing is to be said. */
function labHint({ job, trace }: CheckedFinding): string | null {
  if (trace !== undefined) return `softleaf lab ${shellWord(trace)}`;
  return isModule(job.file) ? 'check it with --trace FILE, then softleaf lab FILE' : null;
}

/** Prints a finding. */
export function showFinding(told: CheckedFinding, terminal: Terminal, verbose: boolean): void {
  const { finding, link } = told;
  const paint = painter(terminal.stdout, terminal.env);
  const { stdout } = terminal;
  stdout.write(`${paint('red', printable(finding.title))}\n`);
  stdout.write(printable(`  ${whereText(finding)}\n`));
  stdout.write(printable(reportText(finding.report, widthOf(terminal))));
  if (finding.shrunk && verbose) {
    stdout.write(printable(`  program  ${JSON.stringify(finding.shrunk.program)}\n`));
    stdout.write(`  schedule ${finding.shrunk.schedule}\n`);
  }
  stdout.write(`  again:   ${paint('cyan', printable(replayLine(told)))}\n`);
  const lab = link ?? labHint(told);
  if (lab !== null) stdout.write(`  lab:     ${paint('cyan', printable(lab))}\n`);
  stdout.write('\n');
}

/** What came of one search, in a line. */
export function searchLine(search: FinishedSearch, paint: Paint): string {
  const { job, result } = search;
  const { schedules, complete, outcomes, findings } = result;
  const isFound = findings.length > 0;
  const word = isFound ? 'found' : isWhole(search) ? 'proved' : 'nothing found';
  const bounded = job.plan.preemptions === undefined ? '' : ' within the bound';
  const end = complete && STRATEGY_ROWS[job.plan.strategy].exhaustive ? `all${bounded}` : 'some';
  return (
    `${paint(isFound ? 'red' : 'green', word)}: ${printable(job.name)}, ${job.walk}, ${job.plan.strategy}: ` +
    `${schedules} schedules (${end}), ${outcomes.length} ends\n`
  );
}
