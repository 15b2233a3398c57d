/** Reading programs and data that ship with the package. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type ProgramFile, parseProgramFile } from '../program/corpus.ts';
import { UsageError } from './terminal.ts';

/** A file of the package, found from `src/` and from `dist/` alike. */
export function packageFile(path: string): string {
  return fileURLToPath(new URL(`../../${path}`, import.meta.url));
}

/**
 * The text of a file; `-` is standard input.
 * @throws UsageError where it cannot be read
 */
export function readText(file: string): string {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch (error) {
    throw new UsageError(`cannot read ${file}: ${(error as Error).message}`);
  }
}

export function readPrograms(file: string): ProgramFile {
  return parseProgramFile(readText(file), file);
}

/** The recorded corpus that ships with the package: its files, by name. */
export function shippedCorpus(): string[] {
  const names = readdirSync(packageFile('corpus')).filter((name) => name.endsWith('.jsonl'));
  return names.sort().map((name) => packageFile(`corpus/${name}`));
}

/** A recorded program whose outcome hangs on what the model leaves out on purpose. */
export interface KnownDifference {
  name: string;
  /** Why, from the kernel's source. */
  mechanism: string;
}

/** `corpus/known-differences.json`, by name. */
export function knownDifferences(
  file = packageFile('corpus/known-differences.json'),
): Map<string, KnownDifference> {
  let list: unknown;
  try {
    list = JSON.parse(readText(file));
  } catch (error) {
    throw new UsageError(`${file}: ${(error as Error).message}`);
  }
  const isEntry = (item: KnownDifference | null) =>
    typeof item?.name === 'string' && typeof item.mechanism === 'string';
  if (!Array.isArray(list) || !list.every(isEntry))
    throw new UsageError(`${file}: expected an array of {"name", "mechanism"}`);
  return new Map(list.map((item: KnownDifference) => [item.name, item]));
}
