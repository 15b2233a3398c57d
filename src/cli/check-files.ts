/** What `softleaf check` reads: concurrent programs, and modules with scenarios. */
import { readdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import {
  type ConcurrentProgram,
  isConcurrent,
  ProgramError,
  parseAnyProgram,
  type Scenario,
  type Subject,
} from '../checker/index.ts';
import { packageFile, readText } from './files.ts';
import { UsageError } from './terminal.ts';

/** The scenarios that ship with the package: their files, by name. */
export function shippedScenarios(): string[] {
  const names = readdirSync(packageFile('scenarios')).filter((name) => name.endsWith('.json'));
  return names.sort().map((name) => packageFile(`scenarios/${name}`));
}

const MODULE = /\.[cm]?[jt]s$/;

function isScenario(value: unknown): value is Scenario {
  const scenario = value as Partial<Scenario> | null;
  return (
    typeof scenario === 'object' &&
    scenario !== null &&
    typeof scenario.name === 'string' &&
    typeof scenario.setup === 'function' &&
    typeof scenario.kernel === 'function' &&
    typeof scenario.tasks === 'object'
  );
}

async function scenariosOfModule(file: string): Promise<Scenario[]> {
  let module: Record<string, unknown>;
  try {
    module = await import(pathToFileURL(resolve(file)).href);
  } catch (error) {
    const { message, code } = error as Error & { code?: string };
    const hint =
      code === 'ERR_UNKNOWN_FILE_EXTENSION'
        ? ' (this Node cannot run TypeScript: compile it, or use Node 22.18 or newer)'
        : '';
    throw new UsageError(`cannot load ${file}: ${message}${hint}`);
  }
  const scenarios = Object.values(module).flat().filter(isScenario);
  if (scenarios.length === 0) {
    throw new UsageError(`${file}: exports no scenario ({ name, setup, kernel, tasks })`);
  }
  return scenarios;
}

function programOfFile(file: string): ConcurrentProgram {
  let value: unknown;
  const text = readText(file);
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new UsageError(`${file}: ${(error as Error).message}`);
  }
  try {
    const program = parseAnyProgram(value, file);
    if (isConcurrent(program)) return program;
    // operations one after the other are a task alone
    const { ops, results: _, ...head } = program;
    return { ...head, setup: [], tasks: { cpu0: ops }, after: [] };
  } catch (error) {
    if (error instanceof ProgramError) throw new UsageError(`${file}: ${error.message}`);
    throw error;
  }
}

/**
 * Everything that a file has to check.
 * @throws UsageError where it has nothing, or something wrong
 */
export async function loadSubjects(file: string): Promise<{ name: string; subject: Subject }[]> {
  if (MODULE.test(file)) {
    const scenarios = await scenariosOfModule(file);
    return scenarios.map((scenario) => ({ name: scenario.name, subject: { scenario } }));
  }
  const program = programOfFile(file);
  return [{ name: program.name, subject: { program } }];
}

/** One scenario of a file, by its name. */
export async function loadSubject(file: string, name: string): Promise<Subject> {
  const found = (await loadSubjects(file)).find((one) => one.name === name);
  if (!found) throw new UsageError(`${file}: no scenario is called ${name}`);
  return found.subject;
}
