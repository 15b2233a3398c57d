/** What `softleaf check` reads: concurrent programs, modules with scenarios, folders of both. */
import { spawnSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import {
  asScenario,
  type ConcurrentProgram,
  isConcurrent,
  ProgramError,
  type Scenario,
  ScenarioError,
  type Subject,
  tryScenario,
} from '../../checker/index.ts';
import { packageFile, readAnyProgram } from '../files.ts';
import { importOwn } from '../modules.ts';
import { UsageError } from '../terminal.ts';

const MODULE = /\.[cm]?[jt]s$/;
const TYPES = /\.d\.[cm]?ts$/;

/** The files of a folder that can be checked, by name; not those of the folders in it. */
function filesOf(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map(({ name }) => name)
    .filter((name) => (/\.jsonc?$/.test(name) || MODULE.test(name)) && !TYPES.test(name))
    .sort()
    .map((name) => join(folder, name));
}

/** The scenarios that ship with the package: their files, by name. */
export function shippedScenarios(): string[] {
  return filesOf(packageFile('scenarios'));
}

/**
 * The files that arguments name.
 * @throws UsageError where a folder has nothing to check
 */
export function filesOfArguments(args: readonly string[]): string[] {
  return args.flatMap((arg) => {
    if (!statSync(arg, { throwIfNoEntry: false })?.isDirectory()) return [arg];
    const files = filesOf(arg);
    if (files.length > 0) return files;
    throw new UsageError(
      `${arg}: no program (.json) and no module (.js, .mjs, .ts) in this folder`,
    );
  });
}

/** What to do about an error of Node's. */
function hintOf(code: string | undefined): string {
  if (code !== 'ERR_UNKNOWN_FILE_EXTENSION') return '';
  return ` (Node ${process.versions.node} does not run TypeScript: compile it to .mjs, or use Node 22.18 or newer)`;
}

/** The line of a syntax error, which Node tells only where it reports the error itself. */
function lineOf(file: string): string {
  const { stderr } = spawnSync(process.execPath, ['--check', file], { encoding: 'utf8' });
  const line = /^[^\n]*:(\d+)\n/.exec(stderr)?.[1];
  return line === undefined ? '' : `line ${line}: `;
}

async function importModule(file: string): Promise<Record<string, unknown>> {
  try {
    return await importOwn(file);
  } catch (thrown) {
    const error = thrown instanceof Error ? thrown : new Error(String(thrown));
    const { message, code } = error as Error & { code?: string };
    const place = error instanceof SyntaxError ? lineOf(file) : '';
    throw new UsageError(`cannot load ${file}: ${place}${message}${hintOf(code)}`);
  }
}

/** The scenarios that a module exports: its default export is one, or a list of them. */
async function scenariosOfModule(file: string): Promise<Scenario[]> {
  const { default: exported, ...others } = await importModule(file);
  if (exported === undefined) {
    const names = Object.keys(others).join(', ') || 'nothing';
    throw new UsageError(
      `${file}: expected a default export, a scenario or a list of them; it exports ${names}`,
    );
  }
  if (Array.isArray(exported) && exported.length === 0) {
    throw new UsageError(`${file}: expected a scenario or a list of them, got an empty list`);
  }
  const list: unknown[] = Array.isArray(exported) ? exported : [exported];
  const names = new Set<string>();
  return list.map((value, i) => {
    const where = `default export${Array.isArray(exported) ? `[${i}]` : ''}`;
    const scenario = asScenario(value, where);
    if (names.has(scenario.name)) {
      throw new UsageError(`${file}: ${where}.name: two scenarios are called "${scenario.name}"`);
    }
    names.add(scenario.name);
    tryScenario(scenario, {}, where);
    return scenario;
  });
}

function programOfFile(file: string): ConcurrentProgram {
  const program = readAnyProgram(file);
  if (isConcurrent(program)) return program;
  // operations one after the other are a task alone
  const { ops, results: _, ...head } = program;
  return { ...head, setup: [], tasks: { cpu0: ops }, after: [] };
}

/**
 * Everything that a file has to check.
 * @throws UsageError where it has nothing, or something wrong
 */
export async function loadSubjects(file: string): Promise<{ name: string; subject: Subject }[]> {
  try {
    if (MODULE.test(file)) {
      const scenarios = await scenariosOfModule(file);
      return scenarios.map((scenario) => ({ name: scenario.name, subject: { scenario } }));
    }
    const program = programOfFile(file);
    return [{ name: program.name, subject: { program } }];
  } catch (error) {
    if (!(error instanceof ProgramError || error instanceof ScenarioError)) throw error;
    const { message } = error;
    throw new UsageError(message.startsWith(file) ? message : `${file}: ${message}`);
  }
}

/** One scenario of a file, by its name. */
export async function loadSubject(file: string, name: string): Promise<Subject> {
  const found = (await loadSubjects(file)).find((one) => one.name === name);
  if (!found) throw new UsageError(`${file}: no scenario is called ${name}`);
  return found.subject;
}
