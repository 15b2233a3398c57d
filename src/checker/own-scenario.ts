/** Is this a scenario? What others have written is looked at before it is searched. */
import { type Kernel$, KernelBug, Task } from '../machine/index.ts';
import { isModelFile } from '../machine/internal.ts';
import { type Broken, Kernel } from '../mm/index.ts';
import { isInstrumented, listen } from './own-code.ts';
import { OwnWatch } from './own-watch.ts';
import type { Scenario, SetupOptions } from './scenario.ts';
import { ScenarioError } from './scenario-error.ts';
import { MAX_TASKS } from './task-set.ts';
import { RULES } from './watch/watch.ts';

/** A value, for a message. */
export function show(value: unknown): string {
  if (value === null || value === undefined) return 'nothing';
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'object') {
    if (Array.isArray(value)) return `an array of ${value.length}`;
    if (Symbol.asyncIterator in value) return 'an async generator';
    return 'then' in value ? 'a promise' : 'an object';
  }
  return typeof value === 'function' ? 'a function' : String(value);
}

/** A line of a stack: file, line and column. */
const FRAME = /^\s*at (?:.*\()?(?:file:\/\/)?(\/[^()]*):(\d+):(\d+)\)?$/gm;

/**
 * The place of an error that was not thrown in the model itself, `file:line:column`.
 * @returns null where the model threw it: it follows what is not there
 */
function placeOutside({ stack = '' }: Error): string | null {
  const [frame] = stack.matchAll(FRAME);
  if (!frame) return null;
  const [, file, line, column] = frame;
  if (isModelFile(file)) return null;
  return isInstrumented(file) ? `${file}:${line}` : `${file}:${line}:${column}`;
}

/** The line of the innermost code on an error's stack that is not the model's, `file:line`; null: there is none. */
export function lineOutside({ stack = '' }: Error): string | null {
  for (const [, file, line] of stack.matchAll(FRAME)) {
    if (!isModelFile(file)) return `${file}:${line}`;
  }
  return null;
}

/**
 * What a scenario's own code threw, as its mistake.
 * @returns null where the model threw it
 */
export function ownMistake(thrown: unknown, where: string): ScenarioError | null {
  if (thrown instanceof ScenarioError) return thrown;
  if (!(thrown instanceof Error)) {
    return new ScenarioError(`${where} throws ${show(thrown)}, which is no error`);
  }
  const place = placeOutside(thrown);
  if (place === null) return null;
  return new ScenarioError(`${where}: ${thrown.name}: ${thrown.message} (${place})`);
}

/**
 * Looks whether `check` or `shutdown` returned what they are to.
 * @throws ScenarioError
 */
export function asBroken(value: unknown, where: string): Broken[] {
  const expected = 'expected a list of what is broken, { invariant, title, where } each';
  if (!Array.isArray(value)) throw new ScenarioError(`${where}: ${expected}, got ${show(value)}`);
  value.forEach((one: unknown, i) => {
    const fields = ['invariant', 'title', 'where'] as const;
    const wrong = isRecord(one) ? fields.find((field) => typeof one[field] !== 'string') : '';
    if (wrong === undefined) return;
    const got = isRecord(one) ? `${show(one[wrong])} as ${wrong}` : show(one);
    throw new ScenarioError(`${where}: ${expected}, got ${got} at [${i}]`);
  });
  return value;
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * Looks whether something has the shape of a scenario.
 * @param where its place, for the message
 * @throws ScenarioError
 */
export function asScenario(value: unknown, where: string): Scenario {
  const refuse = (what: string, expected: string, got: unknown): never => {
    throw new ScenarioError(`${where}${what}: expected ${expected}, got ${show(got)}`);
  };
  if (!isRecord(value)) return refuse('', 'a scenario { name, setup, kernel, tasks }', value);
  const { name, tasks } = value;
  if (typeof name !== 'string' || name === '') refuse('.name', 'a name', name);
  for (const field of ['setup', 'kernel']) {
    if (typeof value[field] !== 'function') refuse(`.${field}`, 'a function', value[field]);
  }
  for (const field of ['check', 'outcome', 'shutdown']) {
    if (value[field] !== undefined && typeof value[field] !== 'function') {
      refuse(`.${field}`, 'a function or nothing', value[field]);
    }
  }
  if (!isRecord(tasks)) return refuse('.tasks', 'generator functions by name', tasks);
  const { rules = [] } = value;
  const known = Object.keys(RULES);
  if (!Array.isArray(rules)) refuse('.rules', `a list of rules (${known.join()})`, rules);
  for (const rule of rules as unknown[]) {
    if (!known.includes(rule as string)) refuse('.rules', `rules (${known.join()})`, rule);
  }
  const names = Object.keys(tasks);
  if (names.length < 1 || names.length > MAX_TASKS) {
    throw new ScenarioError(
      `${where}.tasks: expected 1 to ${MAX_TASKS} tasks, got ${names.length}`,
    );
  }
  for (const task of names) {
    if (typeof tasks[task] !== 'function') {
      refuse(`.tasks.${task}`, 'a generator function', tasks[task]);
    }
  }
  return value as unknown as Scenario;
}

/**
 * Sets a scenario up once and looks at what comes of it.
 * @param where its place, for the message
 * @throws ScenarioError
 */
export function tryScenario(scenario: Scenario, options: SetupOptions, where: string): void {
  const own = new OwnWatch(Object.keys(scenario.tasks));
  listen(own);
  try {
    tryWatched(scenario, options, where, own);
  } finally {
    listen(null);
  }
}

function tryWatched(scenario: Scenario, options: SetupOptions, where: string, own: OwnWatch): void {
  let state: object;
  try {
    state = scenario.setup(options);
    own.checkRun();
  } catch (error) {
    if (error instanceof ScenarioError) throw error;
    const { message } = error instanceof Error ? error : new Error(String(error));
    const how = error instanceof KernelBug ? 'finds a bug of the model' : 'fails';
    throw new ScenarioError(`${where}.setup() ${how}: ${message}`);
  }
  const expected = (what: string, value: unknown): ScenarioError =>
    new ScenarioError(`${where}${what}, got ${show(value)}`);
  if (typeof state !== 'object' || state === null) {
    throw expected('.setup(): expected the state that the tasks share', state);
  }
  const kernel: unknown = scenario.kernel(state);
  if (!(kernel instanceof Kernel)) {
    const other = isRecord(kernel) && kernel.constructor?.name === 'Kernel';
    throw other
      ? new ScenarioError(`${where}.kernel(): made by another copy of Softleaf than checks it`)
      : expected(".kernel(): expected the state's Kernel", kernel);
  }
  for (const [name, body] of Object.entries(scenario.tasks)) {
    const place = `.tasks.${name}`;
    // as an execution starts it, up to its first step
    kernel.current = new Task(2, name, 0);
    kernel.stepping = true;
    own.reset();
    try {
      const task = asTask(body(state), `${where}${place}`);
      if (task.next()?.done && kernel.findings.length === 0) {
        own.checkRun();
        throw new ScenarioError(
          `${where}${place}: takes no step, so that nothing can come between: is a \`yield*\` missing?`,
        );
      }
    } catch (error) {
      if (error instanceof KernelBug) continue;
      const mistake = ownMistake(error, `${where}${place}`);
      if (mistake) throw mistake;
    } finally {
      kernel.stepping = false;
    }
  }
}

/**
 * Looks whether what a task's function returned can be run.
 * @throws ScenarioError
 */
export function asTask(value: unknown, where: string): Kernel$<unknown> {
  const { next } = (value ?? {}) as { next?: unknown };
  const runs = typeof next === 'function' && Symbol.iterator in (value as object);
  if (runs) return value as Kernel$<unknown>;
  throw new ScenarioError(
    `${where}: expected a generator function (function*), got ${show(value)}`,
  );
}
