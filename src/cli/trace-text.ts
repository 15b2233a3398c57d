/** A recording as text: every step, and what it changed. */

import { showOp, withoutPerformers } from '../program/format.ts';
import { type Recording, stepWords } from '../recording/index.ts';
import { type Paint, printable } from './terminal.ts';

/** The lines of one step; an operation's first step has a line that says so before it. */
export function stepLines(
  recording: Recording,
  at: number,
  begins: boolean,
  paint: Paint,
): string[] {
  const { tasks, operations } = recording;
  const step = recording.step(at);
  const lines: string[] = [];
  const task = tasks[step.task];
  const op = operations[step.task]?.[step.op];
  if (begins && op !== undefined)
    lines.push(paint('bold', printable(`${task}: op ${step.op}  ${showOp(op)}`)));
  const words = stepWords(step, recording.moment(at).state, recording.lockNames);
  const inner = withoutPerformers(step.stack)[0] ?? '';
  const who = tasks.length > 1 ? `${task} ` : '';
  lines.push(printable(`${String(at).padStart(6)}  ${who}${words}  ${paint('dim', inner)}`));
  for (const { text } of recording.changes(at)) lines.push(printable(`          ${text}`));
  return lines;
}

/** Writes every step of a recording, and what it changed. */
export function writeTrace(
  recording: Recording,
  paint: Paint,
  write: (text: string) => void,
): void {
  const current = recording.tasks.map(() => -1);
  for (let at = 0; at < recording.length; at++) {
    const { task, op } = recording.step(at);
    write(`${stepLines(recording, at, current[task] !== op, paint).join('\n')}\n`);
    current[task] = op;
  }
  if (recording.truncated) write(`... ${recording.length} steps are shown, there are more\n`);
  if (recording.finding)
    write(`${paint('red', 'finding')} ${printable(recording.finding.title)}\n`);
}
