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

/**
 * A named function's line, in V8's format: `at Kernel.step (place)`. Without a name there is only a place,
 * which differs from host to host.
 */
const FRAME = /^\s*at (?:async )?(?:new )?([\w$.]+)(?: \[as [^\]]+\])? \(/;
/**
 * The same in SpiderMonkey's and JavaScriptCore's format: `step@place:line:column`. SpiderMonkey puts
 * before it in which function it was made (`outer/step`), and ends what has no name with `<`.
 */
const FRAME_AT = /^(?:[^@]*[*/])?([\w$.]+?)@.*:\d+:\d+$/;
/** What a bundler puts after the second of two functions of one name (`step$1`). */
const SECOND = /\$\d+$/;
/** A function's name as it is written, without that of its class. */
const writtenName = (name: string): string =>
  name.slice(name.lastIndexOf('.') + 1).replace(SECOND, '');
/** Executors: what lies outwards of them is not modelled. */
const ENDS = new Set([
  'runToEnd',
  'runStepping',
  'resume',
  'stuck',
  // what looks when every task has ended
  'alone',
  // without steps, nothing else is between the model and who runs it
  'runProgram',
  'runTest',
]);
/** Names of functions that work for modelled ones and are none themselves. */
const INTERNAL = new Set(['here', 'innermostStack', 'modelledStack']);

/** Modelled functions that only look something up. */
const LOOKUPS = new Set<string>();

/** Takes a class's methods out of the inner end of stacks: the function that matters called them. */
export function notModelled({ prototype }: { readonly prototype: object }): void {
  for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(prototype))) {
    if (typeof value === 'function' && name !== 'constructor') INTERNAL.add(name);
  }
}

/** Takes functions of these names out of the inner end of stacks. */
export function notModelledNames(names: Iterable<string>): void {
  for (const name of names) INTERNAL.add(name);
}

/** The same for functions that only look something up: who called them followed what is not there. */
export function looksUpOnly(...functions: readonly { readonly name: string }[]): void {
  for (const { name } of functions) LOOKUPS.add(writtenName(name));
}

/** Whether a function of this name is left out of the inner end of stacks. */
export const isInternal = (name: string): boolean => INTERNAL.has(name);

/** Hooks of monitors: what lies inwards of them is not modelled. */
const MONITOR = new Set<string>();

/** Takes functions of these names, and what they call, out of the inner end of stacks. */
export function watchesOnly(names: Iterable<string>): void {
  for (const name of names) MONITOR.add(name);
}

/** What V8 tells of a function on the stack. */
interface CallSite {
  getFunctionName(): string | null;
  getFileName(): string | null | undefined;
}
/** `Error`, with what V8 adds. Elsewhere nobody calls `prepareStackTrace`: the stack is a text. */
interface StackError {
  stackTraceLimit: number;
  prepareStackTrace: ((error: Error, sites: CallSite[]) => unknown) | undefined;
}

const functionName = (site: CallSite): string | null => site.getFunctionName();
const namesOf = (_: Error, sites: CallSite[]): unknown => {
  if (ownFunctions !== null) noteOwn(sites, ownFunctions);
  return sites.map(functionName);
};

/** Where the model's files lie. */
const MODEL = import.meta.url.replace(/[^/]*\/[^/]*$/, '').replace(/^file:\/\//, '');

/** Whether a file, as stacks name it, is the model's. */
export const isModelFile = (file: string): boolean =>
  file.replace(/^file:\/\//, '').startsWith(MODEL);

/** Names of functions on the stack that are not the model's; null: nobody wants to know. */
let ownFunctions: Set<string> | null = null;

function noteOwn(sites: readonly CallSite[], into: Set<string>): void {
  for (const site of sites) {
    const name = site.getFunctionName();
    const file = site.getFileName();
    if (!name || !file || file.startsWith('node:')) continue;
    const short = writtenName(name);
    // whoever runs the executor is no part of what it runs
    if (ENDS.has(short)) return;
    if (!isModelFile(file)) into.add(short);
  }
}

/**
 * Notes the names of those functions on stacks that are a driver's or scenario's own: they may be called as a
 * modelled one is. Where the host does not tell files, none.
 */
export function notingOwn<T>(body: () => T): { result: T; own: Set<string> } {
  const own = new Set<string>();
  ownFunctions = own;
  try {
    return { result: body(), own };
  } finally {
    ownFunctions = null;
  }
}

/** Functions on the JavaScript stack that are looked at, at most. */
const DEEPEST = 60;

/**
 * The functions on the JavaScript stack, innermost first; null: no name. A stack as text is ten times slower.
 * @param most of them
 */
function here(most: number): (string | null)[] {
  const V8 = Error as typeof Error & StackError;
  const { stackTraceLimit, prepareStackTrace } = V8;
  V8.stackTraceLimit = most;
  V8.prepareStackTrace = namesOf;
  const { stack } = new Error() as { stack?: unknown };
  V8.stackTraceLimit = stackTraceLimit;
  V8.prepareStackTrace = prepareStackTrace;
  return Array.isArray(stack) ? stack : namesIn(String(stack));
}

/** The functions in a stack as text. Only V8 puts the error's message before it. */
function namesIn(text: string): (string | null)[] {
  const lines = text.split('\n');
  const frame = lines.some((line) => FRAME.test(line)) ? FRAME : FRAME_AT;
  return lines.map((line) => frame.exec(line)?.[1] ?? null);
}

/**
 * The modelled functions on the JavaScript stack, innermost first, without the model's own.
 * @param of an error that was thrown there; else the stack of the caller
 */
export function modelledStack(of?: Error): string[] {
  return modelledIn(of ? namesIn(of.stack ?? '') : here(DEEPEST)).names;
}

/** So many functions are looked at for each that is wanted: some are the model's own. */
const FOR_EACH = 4;

/**
 * The innermost of them: what a stack costs is how deep one looks.
 * @param most how many are wanted; more may come
 */
export function innermostStack(most: number): string[] {
  const near = here(Math.min(8 + most * FOR_EACH, DEEPEST));
  const { names, ended } = modelledIn(near);
  return ended || names.length >= most ? names : modelledStack();
}

/** @returns the modelled functions among these, and whether the outermost of them is there */
function modelledIn(all: readonly (string | null)[]): { names: string[]; ended: boolean } {
  const names: string[] = [];
  for (const whole of all) {
    if (whole === null) continue;
    const name = writtenName(whole);
    // of a generator
    if (name === 'next') continue;
    // what makes a step is called `…Step`
    if (names.length === 0 && (INTERNAL.has(name) || LOOKUPS.has(name) || name.endsWith('Step')))
      continue;
    if (ENDS.has(name)) return { names, ended: true };
    if (MONITOR.has(name)) {
      names.length = 0;
      continue;
    }
    names.push(name);
  }
  return { names, ended: false };
}
