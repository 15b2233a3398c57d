/**
 * The recorded programs as scenarios, one for each file: the quick suite of `softleaf check` begins with them. Every second
 * program is run with each walk; `softleaf conform corpus/*.jsonl` runs all of them with one.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { recordedScenario } from 'softleaf/checker';

const folder = new URL('./', import.meta.url);
const known = JSON.parse(readFileSync(new URL('known-differences.json', folder), 'utf8'));
const isKnown = new Set(known.map(({ name }) => name));

const scenarioOf = (file) => {
  const lines = readFileSync(new URL(file, folder), 'utf8').split('\n');
  const programs = lines.filter(Boolean).map((line) => JSON.parse(line));
  return recordedScenario(
    `recorded: ${file}`,
    programs.filter(({ name }) => !isKnown.has(name)),
  );
};

export default readdirSync(folder)
  .filter((name) => name.endsWith('.jsonl'))
  .sort()
  .map(scenarioOf);
