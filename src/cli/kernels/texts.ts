/** What a kernel said, as `softleaf kernel` tells it. */
import {
  byCount,
  type Comparison,
  type DifferenceKind,
  type Guest,
  type KernelReport,
  knownReport,
} from '../../kernel/index.ts';
import { type Program, showOp, showResult, showValue } from '../../program/index.ts';
import { jsonLine, type Paint, printable } from '../terminal.ts';
import { counted } from '../words.ts';

/** A kernel in one line. */
export function kernelLine({ hello, how }: Guest): string {
  const lacks = [
    ...(hello.has.includes('test_hmm') ? [] : ['test_hmm']),
    ...(hello.has.includes('gup_test') ? [] : ['gup_test']),
    ...(hello.has.includes('userfaultfd') ? [] : ['userfaultfd']),
  ];
  const without = lacks.length === 0 ? '' : `; without ${lacks.join(', ')}`;
  const thp = hello.thp === 'madvise' ? '' : `; huge pages are "${hello.thp ?? 'not there'}"`;
  return `Linux ${hello.kernel}, ${counted(hello.cpus, 'CPU')}, ${how}${without}${thp}`;
}

export function reportText(report: KernelReport & { op?: number }, paint: Paint): string {
  const known = knownReport(report);
  const after = report.op === undefined ? '' : ` after op ${report.op}`;
  const head = `${paint(known ? 'yellow' : 'red', 'the kernel reported')}${after}: ${printable(report.title)}\n`;
  const frames = report.frames.map((frame) => `  ${printable(frame)}\n`);
  return head + (known ? `  known of 7.3.4: ${known}\n` : frames.join(''));
}

/** Where something was seen first. */
export function exampleText(program: Program, op: number | undefined): string {
  const name = printable(program.name);
  // before its first operation, behind its last, or nobody knows
  if (op === undefined || op < 0) return `  for example ${name}\n`;
  return `  for example ${name}, op ${op}: ${printable(showOp(program.ops[op]))}\n`;
}

export function differenceText(
  kind: DifferenceKind,
  sides: readonly [string, string],
  paint: Paint,
): string {
  const { op, field, count, example } = kind;
  const [a, b] = [showValue(kind.expected), showValue(kind.actual)];
  const width = Math.max(...sides.map((side) => side.length));
  const values = field === 'tags' ? '' : `: ${a} is ${b} here`;
  return (
    `\n${paint('yellow', 'differs')} ${op}, ${field}${values} (${counted(count, 'program')})\n` +
    exampleText(example.program, example.op) +
    `    ${sides[0].padEnd(width)}  ${showResult(example.expected)}\n` +
    `    ${sides[1].padEnd(width)}  ${showResult(example.actual)}\n`
  );
}

/** All that a comparison came to. */
export function comparisonText(
  all: Comparison,
  sides: readonly [string, string],
  paint: Paint,
): string {
  const stopped = byCount(all.stopped);
  const skipped = byCount(all.skipped);
  const sum = (kinds: readonly { count: number }[]) => kinds.reduce((n, { count }) => n + count, 0);
  const total = all.ran + sum(stopped) + sum(skipped);
  let text =
    `${counted(total, 'program')}: ${all.same} as on ${sides[0]}, ${all.differing} differ, ` +
    `${sum(stopped)} did not end, ${sum(skipped)} not run\n`;
  for (const kind of byCount(all.differences)) text += differenceText(kind, sides, paint);
  for (const { how, op, count, example } of stopped)
    text +=
      `\n${paint('red', 'stopped')}${op ? ` in ${op}` : ''}: ${printable(how)} (${counted(count, 'program')})\n` +
      exampleText(example.program, example.op);
  for (const kind of byCount(all.reports)) {
    text += `\n${reportText(kind, paint)}  in ${counted(kind.count, 'program')}\n`;
    text += exampleText(kind.example.program, kind.example.op);
  }
  for (const { why, count } of skipped)
    text += `\n${paint('yellow', 'not run')}: ${printable(why)} (${counted(count, 'program')})\n`;
  return text;
}

/** The same for another program to read. */
export function comparisonJson(all: Comparison, kernels: readonly string[]): string {
  const place = ({ program, op }: { program: Program; op?: number }) => ({
    program: program.name,
    op,
    operation: op === undefined ? undefined : program.ops[op],
  });
  return jsonLine({
    kernels,
    same: all.same,
    differing: all.differing,
    differences: byCount(all.differences).map(({ example, ...kind }) => ({
      ...kind,
      example: { ...place(example), expected: example.expected, actual: example.actual },
    })),
    stopped: byCount(all.stopped).map(({ example, ...kind }) => ({
      ...kind,
      example: place(example),
    })),
    reports: byCount(all.reports).map(({ example, ...kind }) => ({
      ...kind,
      example: place(example),
    })),
    notRun: byCount(all.skipped).map(({ example, ...kind }) => ({
      ...kind,
      example: place(example),
    })),
  });
}
