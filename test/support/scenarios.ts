/** The concurrent programs that ship. */
import { readdirSync, readFileSync } from 'node:fs';
import { programScenario, type Scenario } from '../../src/checker/index.ts';
import { type ConcurrentProgram, parseConcurrentProgram } from '../../src/program/index.ts';

const FOLDER = new URL('../../scenarios/', import.meta.url);

/** Their names, without `.json`. */
export const SCENARIOS = readdirSync(FOLDER)
  .filter((name) => name.endsWith('.json'))
  .map((name) => name.slice(0, -5));

export function scenarioProgram(name: string): ConcurrentProgram {
  const text = readFileSync(new URL(`${name}.json`, FOLDER), 'utf8');
  return parseConcurrentProgram(JSON.parse(text), name);
}

/** The same, for a search that takes any scenario. */
export function shippedScenario(name: string): Scenario {
  return programScenario(scenarioProgram(name)) as unknown as Scenario;
}
