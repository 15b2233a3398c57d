/** `softleaf init`: something to begin with, that works as it is. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Kind } from './choices.ts';
import { packageFile } from './files.ts';
import { shellWord } from './shell.ts';
import { ExitCode, printable, type Terminal, UsageError } from './terminal.ts';

/** A concurrent program that finds nothing, with a place for everything that a program may have. */
const PROGRAM = `{
  // what editors need to check and complete this file; softleaf does not look at it
  "$schema": SCHEMA,
  "name": "a device faults while a CPU gives the memory up",
  // the same code with huge pages of 4 pages and pages of 16 bytes: what takes a whole one takes fewer steps
  "machine": { "pmdOrder": 2, "pageBytes": 16 },
  // operations one after the other, before the tasks begin; softleaf ops says what there is
  "setup": [
    { "op": "mmap", "buf": 0, "page": 0, "pages": 4, "prot": "rw", "kind": "anon" },
    { "op": "cpu_write", "buf": 0, "page": 0, "pages": 4, "tag": 1 },
  ],
  // tasks that run at the same time: softleaf check tries the orders of their steps
  "tasks": {
    "gpu": [
      // whatever the order, it moves what is there, or says that nothing is
      { "op": "fault_migrate_to_dev", "dev": 0, "buf": 0, "page": 0, "pages": 2, "write": 0 },
    ],
    "cpu": [
      // what must come back in every order is checked
      { "op": "munmap", "buf": 0, "page": 0, "pages": 4, "expect": { "ret": "ok" } },
    ],
  },
  // operations when every task has ended
  "after": [
    { "op": "cpu_read", "buf": 0, "page": 0, "pages": 1, "expect": { "ret": "SEGV" } },
  ],
}
`;

/** The files that are written, by name. */
function filesOf(kind: Kind, file: string): Map<string, string> {
  if (kind === 'program') {
    const schema = JSON.stringify(pathToFileURL(packageFile('schema/program.json')).href);
    return new Map([[file, PROGRAM.replace('SCHEMA', () => schema)]]);
  }
  const read = (path: string) => readFileSync(packageFile(`examples/scenarios/${path}`), 'utf8');
  const own = 'gpu.mjs';
  const beside = join(dirname(file), own);
  if (basename(file) === own)
    throw new UsageError(
      `${file}: ${own} is the driver, the scenario beside it needs another name`,
    );
  const scenario = read('check-under-lock.mjs').replace('./lib/gpu.mjs', `./${own}`);
  return new Map([
    [file, scenario],
    [beside, read('lib/gpu.mjs')],
  ]);
}

const DEFAULTS: Record<Kind, string> = { program: 'program.jsonc', driver: 'driver.mjs' };

/** The command. */
export function initCommand(kind: Kind, given: string | undefined, terminal: Terminal): ExitCode {
  const file = given ?? DEFAULTS[kind];
  const files = filesOf(kind, file);
  for (const name of files.keys())
    if (existsSync(name)) throw new UsageError(`${name} is there already: nothing is written`);
  for (const [name, text] of files) {
    try {
      writeFileSync(name, text, { flag: 'wx' });
    } catch (error) {
      throw new UsageError(`cannot write ${name}: ${(error as Error).message}`);
    }
  }
  terminal.stdout.write(
    `${printable([...files.keys()].join(' and '))} written. Now:\n\n  softleaf check ${shellWord(file)}\n`,
  );
  return ExitCode.clean;
}
