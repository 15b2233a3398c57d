import { readdirSync, readFileSync } from 'node:fs';
import { type Program, parseProgramFile } from '../../src/program/index.ts';

/** The recorded profiles. */
export const BASE_PAGE_PROFILES = ['base', 'mixed', 'fork', 'mof', 'mof-fork'] as const;
/** Kinds of memory and of mappings, with base pages and huge ones. */
export const KIND_PROFILES = [
  'coherent',
  'dontunmap',
  'files',
  'hugetlb',
  'driver-map',
  'open',
  'uffd',
] as const;
export const HUGE_PAGE_PROFILES = ['thp', 'thp-fork', 'mof-thp'] as const;
export type RecordedProfile =
  | (typeof BASE_PAGE_PROFILES)[number]
  | (typeof KIND_PROFILES)[number]
  | (typeof HUGE_PAGE_PROFILES)[number];

/** The files of the corpus. */
export const CORPUS_FILES = readdirSync(new URL('../../corpus/', import.meta.url)).filter((name) =>
  name.endsWith('.jsonl'),
);

/** The programs of a file of the corpus. */
export function corpusFile(name: string): Program[] {
  const url = new URL(`../../corpus/${name}`, import.meta.url);
  const file = parseProgramFile(readFileSync(url, 'utf8'), name);
  if (file.badLines.length > 0) throw new Error(JSON.stringify(file.badLines[0]));
  return file.programs.map(({ program }) => program);
}

/** The recorded programs of a profile. */
export function recorded(profile: RecordedProfile): Program[] {
  return corpusFile(`${profile}.jsonl`);
}

/** Every `step`-th of a list. */
export function sample<T>(list: readonly T[], step: number): T[] {
  return list.filter((_, i) => i % step === 0);
}
