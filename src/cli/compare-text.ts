/** Two runs of one program side by side. */
import { type Program, type RunOutcome, showOp, showResult } from '../program/index.ts';

import { type Paint, printable } from './terminal.ts';

/** Whether two runs gave the same results. */
export function sameResults(a: RunOutcome, b: RunOutcome): boolean {
  return JSON.stringify(a.results) === JSON.stringify(b.results);
}

/** What two runs did otherwise: results operation by operation, then counters. */
export function compareText(
  program: Program,
  names: readonly [string, string],
  [a, b]: readonly [RunOutcome, RunOutcome],
  paint: Paint,
): string {
  const wide = Math.max(...names.map((name) => name.length));
  const lines: string[] = [];
  for (const [i, op] of program.ops.entries()) {
    const [one, other] = [a, b].map(({ results }) => showResult(results[i]));
    const head = `${paint('dim', String(i).padStart(4))}  ${printable(showOp(op))}`;
    if (one === other) {
      lines.push(`${head}  ${paint('green', one)}`);
      continue;
    }
    lines.push(head);
    for (const [k, text] of [one, other].entries())
      lines.push(`      ${names[k].padEnd(wide)}  ${paint('yellow', printable(text))}`);
  }
  const counters = Object.keys(a.counters).filter((name) => a.counters[name] !== b.counters[name]);
  const width = Math.max(8, ...counters.map((name) => name.length));
  const column = Math.max(12, wide);
  const row = (name: string, one: string, other: string) =>
    `  ${name.padEnd(width)}  ${one.padStart(column)}  ${other.padStart(column)}`;
  lines.push('', row('counters', ...names));
  for (const name of counters)
    lines.push(row(name, String(a.counters[name]), String(b.counters[name])));
  if (counters.length === 0) lines.push('  all equal');
  for (const [k, { findings }] of [a, b].entries())
    for (const { title, op } of findings)
      lines.push(`${paint('red', 'finding')} with ${names[k]} at op ${op}: ${printable(title)}`);
  lines.push('', sameResults(a, b) ? 'the same results' : paint('red', 'results differ'));
  return `${lines.join('\n')}\n`;
}
