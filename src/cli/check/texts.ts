/** What `softleaf check` prints of searches and of findings. */
import { type ReportedFinding, reportText, STRATEGY_ROWS } from '../../checker/index.ts';
import { type Paint, painter, printable, type Terminal } from '../terminal.ts';
import type { CheckedFinding, CheckSummary, FinishedSearch } from './summary.ts';

/** A number of things in words. */
export function counted(n: number, thing: string, things = `${thing}s`): string {
  return `${n} ${n === 1 ? thing : things}`;
}

export function coverageText({ verdict, coverage: c }: CheckSummary): string {
  const bounds = c.bounds.join(', ');
  const within = bounds === '' ? '' : ` with ${bounds}`;
  const others = bounds === '' ? '' : `; the others: ${bounds}`;
  const proof =
    c.complete === c.searches
      ? `everything was tried${within}`
      : `${c.complete} tried everything${others}`;
  const searches = counted(c.searches, 'search', 'searches');
  const states = counted(c.states, 'different end');
  const { functions, branches, pairs } = c;
  const kinds = Object.values(c.entries).reduce((total, own) => total + own.length, 0);
  return [
    `${verdict}: ${counted(c.scenarios, 'scenario')}, ${searches} (${proof}),`,
    `${counted(c.schedules, 'schedule')}, ${counted(c.steps, 'step')}, ${states}`,
    `of src/mm and src/hmm ran ${functions.ran} of ${functions.of} functions, ${branches.ran} of ${branches.of} branches;`,
    `${pairs.seen} pairs of steps on one object, ${pairs.bothOrders} in both orders;`,
    `${Object.keys(c.entries).length} operations, ${kinds} meetings of an operation with a kind of entry`,
  ].join('\n');
}

/** What was not reached, for those who want to know where cover is thin. */
export function thinText({
  coverage: { functions, branches, pairs, entries },
}: CheckSummary): string {
  const list = (title: string, lines: readonly string[]): string[] =>
    lines.length === 0 ? [] : [title, ...lines.map((line) => `  ${line}`)];
  return [
    ...list('functions that never ran', functions.missed),
    ...list('branches that were never taken', branches.missed),
    ...list('pairs of steps seen in one order', pairs.oneOrder),
    ...list(
      'kinds of entries that operations met',
      Object.entries(entries).map(([operation, kinds]) => `${operation}: ${kinds.join('; ')}`),
    ),
  ].join('\n');
}

/** What `--json` prints of a finding; with `--verbose` everything. */
export function jsonOf({ finding, link }: CheckedFinding, verbose: boolean): object {
  const where = link === undefined ? {} : { link };
  if (verbose) return { ...finding, ...where };
  const { title, invariant, scenario, schedule, steps, preemptions } = finding;
  return {
    title,
    invariant,
    function: finding.function,
    scenario,
    schedule,
    steps,
    preemptions,
    ...where,
  };
}

/** Characters of a report's line. */
export function widthOf({ stdout }: Terminal): number {
  return Math.max(80, Math.min(stdout.columns ?? 120, 200));
}

/** The line that replays a finding. */
export function replayLine({ finding, job }: CheckedFinding): string {
  const hardware = finding.hardware ? ' --hardware' : '';
  return `softleaf check ${job.file} --walk ${finding.walk}${hardware} --replay ${finding.schedule}`;
}

/** Where a finding is, and how long the way to it. */
export function whereText({ scenario, walk, preemptions, steps, length }: ReportedFinding): string {
  return (
    `${scenario}, walk ${walk}: ${counted(preemptions, 'preemption')}, ` +
    `${counted(steps, 'step that matters', 'steps that matter')} of ${length}`
  );
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
  if (link !== undefined) stdout.write(`  lab:     ${paint('cyan', printable(link))}\n`);
  stdout.write('\n');
}

/** What came of one search, in a line. */
export function searchLine({ job, result }: FinishedSearch, paint: Paint): string {
  const { schedules, complete, outcomes, findings } = result;
  const word = findings.length > 0 ? paint('red', 'findings') : paint('green', 'clean');
  const bounded = job.plan.preemptions === undefined ? '' : ' within the bound';
  const end = complete && STRATEGY_ROWS[job.plan.strategy].exhaustive ? `all${bounded}` : 'some';
  return (
    `${word} ${printable(job.name)}, ${job.walk}, ${job.plan.strategy}: ` +
    `${schedules} schedules (${end}), ${outcomes.length} ends\n`
  );
}
