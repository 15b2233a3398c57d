/** Reading programs and data that ship with the package. */
import { isUtf8 } from 'node:buffer';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { visit } from 'jsonc-parser';
import { isPairName, pairProgram } from '../checker/light.ts';
import {
  type BadLine,
  type ConcurrentProgram,
  jsonReader,
  type Program,
  type ProgramFile,
  parseAnyProgram,
  parseProgramFile,
  type ReadJson,
  readProgram,
  type VisitJson,
} from '../program/format.ts';

import { UsageError } from './terminal.ts';

/** JSON with comments and trailing commas, and where its parts are. */
export const readJson: ReadJson = jsonReader(visit as VisitJson);

/** A file of the package, found from `src/` and from `dist/` alike. */
export function packageFile(path: string): string {
  return fileURLToPath(new URL(`../../${path}`, import.meta.url));
}

/**
 * The text of a file; `-` is standard input.
 * @throws UsageError where it cannot be read
 */
export function readText(file: string): string {
  if (isPairName(file)) return pairText(file);
  let bytes: Buffer;
  try {
    bytes = readFileSync(file === '-' ? 0 : file);
  } catch (error) {
    throw new UsageError(`cannot read ${file}: ${(error as Error).message}`);
  }
  if (!isUtf8(bytes)) throw new UsageError(`${file}:${wrongLine(bytes)}: this line is not UTF-8`);
  return bytes.toString('utf8');
}

/** The text of a program that is made of its name. */
function pairText(name: string): string {
  try {
    return `${JSON.stringify(pairProgram(name), null, 1)}\n`;
  } catch (error) {
    if (error instanceof RangeError) throw new UsageError(error.message);
    throw error;
  }
}

/** The first line, from 1, that is not UTF-8. A line's end is never a part of another character. */
function wrongLine(bytes: Buffer): number {
  let line = 1;
  for (let start = 0; start < bytes.length; line++) {
    const end = bytes.indexOf(0x0a, start);
    if (end < 0 || !isUtf8(bytes.subarray(start, end))) break;
    start = end + 1;
  }
  return line;
}

export function readPrograms(file: string): ProgramFile {
  return parseProgramFile(readText(file), file, readJson);
}

/** A mistake in a file as a line, which editors jump to. */
export function showBadLine({ file, line, column, message }: BadLine): string {
  return `${file}:${line}:${column === undefined ? '' : `${column}:`} ${message}`;
}

/**
 * The one program of a file, of either form.
 * @throws UsageError with all mistakes, a line each
 */
export function readAnyProgram(
  file: string,
  text: string = readText(file),
): Program | ConcurrentProgram {
  const parse = (value: unknown) => parseAnyProgram(value, file);
  const { program, mistakes } = readProgram(text, readJson, parse);
  if (program) return program;
  throw new UsageError(mistakes.map((one) => showBadLine({ file, ...one })).join('\n'));
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
