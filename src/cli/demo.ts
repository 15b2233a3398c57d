/** `softleaf demo`: migrate on fault before and after, two walks compared, the corpus. */
import { basename } from 'node:path';
import { runToEnd } from '../machine/index.ts';
import {
  compareResults,
  type Op,
  type Program,
  parseProgram,
  perform,
  runProgram,
  System,
  showOp,
} from '../program/index.ts';

import { type ConformReport, conformAll } from './conform.ts';
import { knownDifferences, packageFile, readPrograms, shippedCorpus } from './files.ts';
import { legendText, pictureLines } from './picture-text.ts';
import { progressBar } from './progress.ts';
import { ExitCode, type Paint, painter, type Terminal, UsageError } from './terminal.ts';

const EXAMPLE = 'examples/migrate-on-fault.json';
const WALKS = ['collect', 'unified'] as const;
const COUNTERS = ['walks', 'entriesVisited', 'faults', 'tlbFlushes'] as const;

/** The first operations of a program, up to and without number `end`. */
function upTo(program: Program, end: number): Program {
  return {
    ...program,
    ops: program.ops.slice(0, end),
    ...(program.results ? { results: program.results.slice(0, end) } : {}),
  };
}

/**
 * `pages` pages, of every eight four present, one the zero page, three missing; then the fault. All of
 * it is done twice, so that page tables are there.
 */
function mixedProgram(pages: number): Program {
  const range = { buf: 0, page: 0, pages };
  const once: object[] = [{ op: 'mmap', ...range, prot: 'rw', kind: 'anon' }];
  for (let page = 0; page < pages; page += 8) {
    once.push({ op: 'cpu_write', buf: 0, page, pages: 4, tag: 1 });
    once.push({ op: 'cpu_read', buf: 0, page: page + 4, pages: 1 });
  }
  once.push({ op: 'fault_migrate_to_dev', dev: 0, ...range, write: 0 });
  const ops = [...once, { op: 'munmap', ...range }, ...once];
  return parseProgram({ name: `${pages} mixed pages`, ops });
}

/** What the last operation of a program counted. */
function lastOpCounts(program: Program, walk: (typeof WALKS)[number]): number[] {
  const system = new System({ walk, poison: false });
  const { counters } = system.kernel;
  const last = program.ops.at(-1) as Op;
  for (const op of program.ops.slice(0, -1)) runToEnd(system.kernel, perform(system, op));
  counters.reset();
  runToEnd(system.kernel, perform(system, last));
  return COUNTERS.map((name) => counters[name]);
}

function countsTable(programs: readonly [name: string, Program][], paint: Paint): string {
  const widths = [5, 7, 6, 11];
  const cells = (texts: string[]) => texts.map((text, i) => text.padStart(widths[i])).join('  ');
  const heading = cells(['walks', 'entries', 'faults', 'TLB flushes']);
  const lines = [paint('bold', `${' '.repeat(34)}${heading}`)];
  for (const [name, program] of programs) {
    WALKS.forEach((walk, i) => {
      const head = (i === 0 ? name : '').padEnd(25) + walk.padEnd(9);
      lines.push(`${head}${cells(lastOpCounts(program, walk).map(String))}`);
    });
  }
  return `${lines.join('\n')}\n`;
}

function readExample(): Program {
  const [located] = readPrograms(packageFile(EXAMPLE)).programs;
  if (located === undefined) throw new UsageError(`${packageFile(EXAMPLE)}: no program`);
  return located.program;
}

/** Every buffer before and after the fault, and whether all is as it was recorded. */
function showExample(program: Program, fault: number, terminal: Terminal, paint: Paint): boolean {
  const { stdout } = terminal;
  const before = runProgram(upTo(program, fault));
  const after = runProgram(upTo(program, fault + 1));
  stdout.write(`${paint('bold', program.name)}  (${EXAMPLE})\n`);
  for (const line of [program.comment ?? []].flat()) stdout.write(`${line}\n`);
  stdout.write(`\nbefore\n${pictureLines(before).join('\n')}\n`);
  stdout.write(`\n${paint('cyan', showOp(program.ops[fault]))}\n`);
  stdout.write(`\nafter\n${pictureLines(after).join('\n')}\n`);
  stdout.write(`\n${legendText([before, after])}\n`);
  const { results, findings } = runProgram(program);
  const good = findings.length === 0 && !compareResults(program.results ?? [], results);
  const verdict = good
    ? paint('green', 'as recorded on Linux 7.3.4')
    : paint('red', `not as recorded: softleaf run ${EXAMPLE} shows where`);
  stdout.write(`\n${program.ops.length} operations: ${verdict}\n`);
  return good;
}

function showWalks(example: Program, { stdout }: Terminal, paint: Paint): void {
  stdout.write(
    `\n${paint('bold', 'one walk against two')}: collect after a fault, and unified ` +
      '(what it takes in time: npm run bench)\n' +
      'The test driver faults 32 pages a walk and migrates 512; of 8 mixed pages 4 are present,\n' +
      '1 is the zero page, 3 are missing.\n\n',
  );
  const rows: [string, Program][] = [['the example, 32 pages', example]];
  for (const pages of [512, 4096]) rows.push([`${pages} mixed pages`, mixedProgram(pages)]);
  stdout.write(countsTable(rows, paint));
}

function showCorpus(corpus: readonly string[], terminal: Terminal, paint: Paint): boolean {
  const { stdout } = terminal;
  const files = corpus.map(readPrograms);
  const total = files.reduce((sum, { programs }) => sum + programs.length, 0);
  const progress = progressBar(terminal, total);
  const known = knownDifferences();
  const reports: [string, ConformReport][] = [];
  let done = 0;
  stdout.write(
    `\n${paint('bold', 'conformance')}: programs recorded on Linux 7.3.4, walk unified\n\n`,
  );
  for (const { programs, badLines } of files) {
    const each = () => progress.at(++done);
    const report = conformAll(programs, known, { walk: 'unified', each });
    report.badLines.push(...badLines);
    reports.push([basename(programs[0]?.file ?? badLines[0]?.file ?? 'empty', '.jsonl'), report]);
  }
  progress.clear();
  const row = (name: string, { programs, passed, failed, knownDifferences }: ConformReport) => {
    const counts = [programs, passed, failed.length, knownDifferences.length].map((count, i) =>
      String(count).padStart([8, 6, 6, 17][i]),
    );
    return `  ${name.padEnd(12)}${counts.join('  ')}`;
  };
  stdout.write(
    `${paint('bold', `${' '.repeat(14)}programs  passed  failed  known differences`)}\n`,
  );
  for (const [name, report] of reports) stdout.write(`${row(name, report)}\n`);
  const all = {
    programs: total,
    passed: reports.reduce((sum, [, { passed }]) => sum + passed, 0),
    failed: reports.flatMap(([, { failed }]) => failed),
    knownDifferences: reports.flatMap(([, { knownDifferences }]) => knownDifferences),
    badLines: reports.flatMap(([, { badLines }]) => badLines),
  };
  const good = all.failed.length === 0 && all.badLines.length === 0;
  stdout.write(`${paint(good ? 'green' : 'red', row('all', all))}\n`);
  for (const [name, { failed }] of reports) {
    if (failed.length > 0)
      stdout.write(`\nsoftleaf conform corpus/${name}.jsonl shows what differs\n`);
  }
  return good;
}

/**
 * The command.
 * @param corpus files of recorded programs
 */
export function demoCommand(terminal: Terminal, corpus = shippedCorpus()): ExitCode {
  const paint = painter(terminal.stdout, terminal.env);
  const program = readExample();
  const fault = program.ops.findIndex(({ op }) => op === 'fault_migrate_to_dev');
  if (fault < 0) throw new UsageError(`${packageFile(EXAMPLE)}: no fault_migrate_to_dev`);
  const exampleGood = showExample(program, fault, terminal, paint);
  showWalks(upTo(program, fault + 1), terminal, paint);
  const corpusGood = showCorpus(corpus, terminal, paint);
  return exampleGood && corpusGood ? ExitCode.clean : ExitCode.finding;
}
