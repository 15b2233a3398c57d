/**
 * What the model reports about the modelled kernel: a WARN, a BUG, a failed lock assertion, a
 * broken invariant. A mistake in the user's program is a different thing (ProgramError).
 */
export interface Finding {
  /** What broke, stable from run to run. */
  title: string;
  /** The invariant that broke: `warn`, `bug`, `lock`, `deadlock`, `reference`, … */
  invariant: string;
  /** The modelled function in which it showed. */
  function: string;
  /** The modelled functions from the innermost outwards. */
  stack: string[];
}

/** Thrown by a modelled BUG(): the modelled kernel cannot go on. */
export class KernelBug extends Error {
  readonly finding: Finding;
  constructor(finding: Finding) {
    super(finding.title);
    this.name = 'KernelBug';
    this.finding = finding;
  }
}

const FRAME = /^\s*at (?:async )?(?:new )?([\w$.]+)/;
const INTERNAL = new Set(['next', 'finding', 'warn', 'bug', 'assertHeld', 'capture', 'throwBug']);

/** The modelled functions on the JavaScript stack, innermost first, without the model's own. */
export function modelledStack(): string[] {
  const names: string[] = [];
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 60;
  const text = new Error('stack').stack ?? '';
  Error.stackTraceLimit = limit;
  for (const line of text.split('\n').slice(1)) {
    const match = FRAME.exec(line);
    if (!match) continue;
    const name = (match[1] as string).replace(/^(?:[\w$]+\.)+/, '');
    if (name === 'modelledStack' || INTERNAL.has(name)) continue;
    if (name === 'runToEnd' || name === 'runStepping') break;
    names.push(name);
  }
  return names;
}
