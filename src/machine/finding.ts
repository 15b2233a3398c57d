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
  /** The numbers, and who else had a part in it: what differs from one schedule to the next. */
  detail?: string;
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

/** A named function's line: without a name there is only a place, which differs from host to host. */
const FRAME = /^\s*at (?:async )?(?:new )?([\w$.]+)(?: \[as [^\]]+\])? \(/;
/** Executors: what lies outwards of them is not modelled. */
const ENDS = new Set(['runToEnd', 'runStepping', 'resume', 'stuck', 'checkAll']);
const INTERNAL = new Set([
  'next',
  'here',
  'finding',
  'warn',
  'bug',
  'assertHeld',
  'capture',
  'throwBug',
  'report',
  'lock',
  'lockShared',
  'tryLock',
  'unlock',
  'unlockShared',
  'forget',
  'folioLock',
  'folioTryLock',
  'takeFolio',
  'folioUnlock',
  'deadlock',
  'mightSleep',
  'sleepsUnderSpinlock',
  // the ledger's
  'wrong',
  'put',
  'freed',
]);

/** A monitor's: what lies inwards of them is not modelled. */
const MONITOR = new Set([
  'onLock',
  'onUnlock',
  'onFolioLock',
  'onFolioUnlock',
  'onWait',
  'onFolioWait',
  'onTableFree',
  'onEntry',
  'onCpuAccess',
  'onDeviceAccess',
  'onMove',
  'onFree',
  'onInvalidate',
  'onInvalidateEnd',
  'onDeviceMap',
  'onFork',
]);
/** What makes a step or a report: not modelled, where it is innermost. */
const MAKERS = new Set([
  'set',
  'step',
  'acquire',
  'tryAcquire',
  'release',
  'writeEntry',
  'readEntry',
  'writeFolio',
  'readFolio',
  'copyStep',
  'allocateStep',
  'allocateNoFailStep',
  'waitFor',
  'deviceWait',
  'acquireFolio',
  'tryAcquireFolio',
  'releaseFolio',
  'flushStep',
  'accessStep',
  'fillStep',
  'deviceAccessStep',
  'checkRetryStep',
]);

function here(): Error {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 60;
  const error = new Error('stack');
  Error.stackTraceLimit = limit;
  return error;
}

/**
 * The modelled functions on the JavaScript stack, innermost first, without the model's own.
 * @param of an error that was thrown there; else the stack of the caller
 */
export function modelledStack(of: Error = here()): string[] {
  const names: string[] = [];
  const text = of.stack ?? '';
  for (const line of text.split('\n').slice(1)) {
    const match = FRAME.exec(line);
    if (!match) continue;
    const name = (match[1] as string).replace(/^(?:[\w$]+\.)+/, '');
    if (name === 'modelledStack' || INTERNAL.has(name)) continue;
    if (names.length === 0 && MAKERS.has(name)) continue;
    if (ENDS.has(name)) break;
    if (MONITOR.has(name)) {
      names.length = 0;
      continue;
    }
    names.push(name);
  }
  return names;
}
