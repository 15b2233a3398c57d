/** Telling what `softleaf check` came to. */
import { writeFileSync } from 'node:fs';
import { type PagePart, reportPage } from '../../checker/index.ts';
import { type Case, formatCases } from '../formats.ts';
import { labAddress, linkToFinding } from '../lab-link.ts';
import { ExitCode, jsonLine, OutputError, printable, type Terminal } from '../terminal.ts';
import { type Compared, compared, readBaseline } from './baseline.ts';
import { isModule, loadProgram, loadSubject } from './files.ts';
import type { CheckCommandOptions } from './options.ts';
import { type CaseOutcomes, outcomesJson, outcomesText } from './outcomes.ts';
import type { Pool } from './pool.ts';
import { type CheckedFinding, type CheckSummary, isMissing } from './summary.ts';
import {
  conditionLines,
  coverageText,
  jsonOf,
  replayLine,
  showFinding,
  verdictText,
  whereText,
  widthOf,
} from './texts.ts';

/** The findings with where a lab shows them. */
async function linked(findings: readonly CheckedFinding[], lab: string): Promise<CheckedFinding[]> {
  return Promise.all(
    findings.map(async (told) => {
      const { job, finding } = told;
      // a module has no link
      if (isModule(job.file)) return told;
      const subject = job.program
        ? { program: job.program }
        : await loadSubject(job.file, finding.scenario);
      const link = await linkToFinding(finding, job.file, subject);
      return link === null ? told : { ...told, link: lab + link };
    }),
  );
}

/** Writes the first finding for the lab, and says where. */
async function withTrace(
  findings: readonly CheckedFinding[],
  file: string,
  pool: Pool,
): Promise<readonly CheckedFinding[]> {
  const [first, ...others] = findings;
  if (!first) return findings;
  const { walk, hardware, schedule } = first.finding;
  const finding = { walk, schedule, ...(hardware ? { hardware } : {}) };
  const text = await pool.do('trace', { job: first.job, finding });
  if (text === null) return findings;
  writeOut(file, text);
  return [{ ...first, trace: file }, ...others];
}

/** @throws OutputError where it cannot be written */
function writeOut(file: string, text: string): void {
  try {
    writeFileSync(file, text);
  } catch (error) {
    throw new OutputError(`cannot write ${file}: ${(error as Error).message}`);
  }
}

/** Prints what scenarios came to. */
function showOutcomes(
  { table, one = false }: ToldOutcomes,
  options: CheckCommandOptions,
  terminal: Terminal,
): void {
  const how = { width: widthOf(terminal), all: options.verbose === true, one };
  for (const of of table) {
    const { job } = of;
    // nobody loads a module here: it has no program
    const program = job.program ?? (isModule(job.file) ? null : loadProgram(job.file));
    if (of.outcomes.length === 0 && one) continue;
    terminal.stdout.write(printable(outcomesText(of, program, how)));
  }
}

/** The outcomes that are to be told. */
export interface ToldOutcomes {
  table: readonly CaseOutcomes[];
  /** Those of one schedule that was run again. */
  one?: boolean;
}

/** Every scenario on every walk as a test. */
function casesOf(summary: CheckSummary, options: CheckCommandOptions, isNew: IsNew): Case[] {
  const cases = summary.cases.map(({ file, name, walk, isProved, isBegun }): Case => {
    const own = { name: `${name}, walk ${walk}`, file };
    const found = summary.findings.filter(
      (told) =>
        told.job.file === file &&
        told.job.name === name &&
        told.finding.walk === walk &&
        isNew(told),
    );
    if (found.length > 0) {
      const message = found.map(({ finding }) => finding.title).join('; ');
      return { ...own, outcome: 'failed', message, details: found.map(replayLine) };
    }
    const missing = summary.conditions.filter(
      (one) => one.scenario === name && one.walk === walk && isMissing(one),
    );
    if (missing.length > 0) {
      const message = missing.map((one) => `no schedule has: ${one.condition}`).join('; ');
      return { ...own, outcome: 'failed', message };
    }
    if (!isBegun) return { ...own, outcome: 'skipped', message: 'not begun' };
    if (isProved) return { ...own, outcome: 'passed' };
    const message = 'nothing found, not every schedule was tried';
    return { ...own, outcome: options.requireComplete ? 'failed' : 'passed', message };
  });
  const wrong = summary.mistakes.map(
    (message): Case => ({ name: 'input', outcome: 'error', message }),
  );
  return [...cases, ...wrong];
}

type IsNew = (told: CheckedFinding) => boolean;

/** What is new since an earlier check, and what is gone. */
function comparedText({ new: fresh, known, gone }: Compared): string {
  const lines = [
    ...fresh.map(({ scenario, title }) => `  new:     ${title} (${scenario})`),
    ...gone.map(({ scenario, title }) => `  gone:    ${title} (${scenario})`),
  ];
  const counts = `  since:   ${fresh.length} new, ${known.length} known, ${gone.length} gone`;
  return printable([counts, ...lines].join('\n'));
}

/** Tells everything: on standard output, and on a page if one is asked for. */
export async function tell(
  summary: CheckSummary,
  options: CheckCommandOptions,
  terminal: Terminal,
  pool: Pool,
  outcomes: ToldOutcomes | null = null,
): Promise<ExitCode> {
  const { verdict, conditions, coverage, mistakes, warnings, ignored } = summary;
  const { link, trace, baseline, format } = options;
  const { stdout } = terminal;
  const shown =
    link === undefined ? summary.findings : await linked(summary.findings, labAddress(link));
  const findings = typeof trace !== 'string' ? shown : await withTrace(shown, trace, pool);
  const verbose = options.verbose === true;
  const lines = verdictText(summary);
  const since = baseline === undefined ? null : compared(summary, readBaseline(baseline));
  const isNew: IsNew = ({ finding: { scenario, title } }) =>
    since === null || since.new.some((one) => one.scenario === scenario && one.title === title);
  if (options.json) {
    const list = findings.map((told) => jsonOf(told, verbose));
    const told = {
      verdict,
      findings: list,
      warnings,
      mistakes,
      ...(conditions.length > 0 ? { conditions } : {}),
      ...(options.outcomes && outcomes ? { outcomes: outcomes.table.map(outcomesJson) } : {}),
      coverage,
      ...(ignored.length > 0 ? { ignored } : {}),
      ...(since ? { since } : {}),
    };
    stdout.write(jsonLine(told));
  } else if (format) {
    stdout.write(formatCases(format, 'softleaf check', casesOf(summary, options, isNew)));
  } else {
    for (const told of findings) showFinding(told, terminal, verbose);
    if (outcomes) showOutcomes(outcomes, options, terminal);
    for (const line of conditionLines(conditions)) stdout.write(printable(`${line}\n`));
    if (options.coverage) stdout.write(`${coverageText(summary)}\n`);
    stdout.write(`${lines}\n`);
    if (since) stdout.write(`${comparedText(since)}\n`);
  }
  if (options.report !== undefined) {
    const parts: PagePart[] = findings.map((told) => ({
      title: told.finding.title,
      where: whereText(told.finding),
      replay: replayLine(told),
      ...(told.link === undefined ? {} : { link: told.link }),
      ...(told.finding.shrunk
        ? { program: JSON.stringify(told.finding.shrunk.program, null, 1) }
        : {}),
      report: told.finding.report,
    }));
    writeOut(options.report, reportPage(`Softleaf: ${verdict}`, lines, parts));
  }
  if (findings.some(isNew) || conditions.some(isMissing)) return ExitCode.finding;
  if (summary.interrupted) return ExitCode.interrupted;
  const isThin =
    (verdict !== 'proved' && options.requireComplete) ||
    (warnings.length > 0 && options.failOnWarning);
  return isThin ? ExitCode.incomplete : ExitCode.clean;
}
