/** Is this a scenario? What others have written is looked at before it is searched. */
import { KernelBug } from '../machine/index.ts';
import { Kernel } from '../mm/index.ts';
import type { Scenario, SetupOptions } from './scenario.ts';
import { MAX_TASKS } from './task-set.ts';

/** A mistake in a scenario; the message names the field, what was expected and what was there. */
export class ScenarioError extends Error {
  override readonly name: string = 'ScenarioError';
}

/** A value, for a message. */
function show(value: unknown): string {
  if (value === null || value === undefined) return 'nothing';
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'object') {
    return Array.isArray(value) ? `an array of ${value.length}` : 'an object';
  }
  return typeof value === 'function' ? 'a function' : String(value);
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
  let state: object;
  try {
    state = scenario.setup(options);
  } catch (error) {
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
    const task: unknown = body(state);
    const { next } = (task ?? {}) as { next?: unknown };
    if (typeof next !== 'function') {
      throw expected(`.tasks.${name}: expected a generator function (function*)`, task);
    }
  }
}
