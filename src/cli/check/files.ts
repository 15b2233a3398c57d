/** What `softleaf check` reads: concurrent programs, modules with scenarios, folders of both. */
import { spawnSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import {
  asScenario,
  type ConcurrentProgram,
  isConcurrent,
  ownMistake,
  ProgramError,
  type Scenario,
  type Subject,
  tryScenario,
} from '../../checker/index.ts';
import type { Unmended } from '../../mm/light.ts';
import { packageFile, readAnyProgram } from '../files.ts';
import { importOwn } from '../modules.ts';
import { shellWord } from '../shell.ts';
import { UsageError } from '../terminal.ts';
import { withUnmended } from '../unmended.ts';

const MODULE = /\.[cm]?[jt]s$/;

/** Whether a file is code. What it does to the thread that loads it nobody knows: the command line loads none itself. */
export const isModule = (file: string): boolean => MODULE.test(file);

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

/** Recorded programs as scenarios, which ship with the package. */
export const RECORDED = packageFile('corpus/recorded.mjs');

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

/** A value's scenario, or what is wrong with it. */
export type Listed =
  | { readonly name: string; readonly scenario: Scenario }
  | { readonly mistake: string };

/**
 * The scenarios that a module exports: its default export is one, or a list of them.
 * @throws UsageError where the module has none, or cannot be loaded
 */
export async function listModule(file: string): Promise<Listed[]> {
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
    try {
      const scenario = asScenario(value, where);
      const { name } = scenario;
      if (names.has(name)) {
        return { mistake: `${file}: ${where}.name: two scenarios are called "${name}"` };
      }
      names.add(name);
      return { name, scenario };
    } catch (error) {
      return { mistake: `${file}: ${ownMistake(error, where)?.message ?? String(error)}` };
    }
  });
}

/**
 * Sets a module's scenario up, and looks at what its tasks begin with.
 * @throws UsageError
 */
export async function tryModule(file: string, name: string): Promise<void> {
  const listed = await listModule(file);
  const i = listed.findIndex((one) => 'name' in one && one.name === name);
  const one = listed[i];
  if (!one || 'mistake' in one) throw new UsageError(`${file}: no scenario is called ${name}`);
  const where = `default export${listed.length > 1 ? `[${i}]` : ''}`;
  try {
    tryScenario(one.scenario, {}, where);
  } catch (error) {
    const own = ownMistake(error, where);
    if (own === null) throw error;
    throw new UsageError(`${file}: "${name}": ${own.message}`);
  }
}

function programOfFile(file: string): ConcurrentProgram {
  const program = readAnyProgram(file);
  if (isConcurrent(program)) return program;
  throw new UsageError(
    `${file}: "${program.name}" has no tasks, whose order could be tried: softleaf run ${shellWord(file)} runs it`,
  );
}

/**
 * The program of a file.
 * @throws UsageError where it has none, or something wrong
 */
export function loadProgram(file: string): ConcurrentProgram {
  try {
    return programOfFile(file);
  } catch (error) {
    if (!(error instanceof ProgramError)) throw error;
    const { message } = error;
    throw new UsageError(message.startsWith(file) ? message : `${file}: ${message}`);
  }
}

/**
 * Everything that a file has to check.
 * @param unmended mends that are off in a program
 * @throws UsageError where it has nothing, or something wrong
 */
export async function loadSubjects(
  file: string,
  unmended?: readonly Unmended[],
): Promise<{ name: string; subject: Subject }[]> {
  if (!isModule(file)) {
    const program = withUnmended(loadProgram(file), unmended);
    return [{ name: program.name, subject: { program } }];
  }
  return (await listModule(file)).map((one) => {
    if ('mistake' in one) throw new UsageError(one.mistake);
    return { name: one.name, subject: { scenario: one.scenario } };
  });
}

/** One scenario of a file, by its name. */
export async function loadSubject(file: string, name: string): Promise<Subject> {
  if (!isModule(file)) return { program: loadProgram(file) };
  for (const one of await listModule(file)) {
    if ('name' in one && one.name === name) return { scenario: one.scenario };
  }
  throw new UsageError(`${file}: no scenario is called ${name}`);
}
