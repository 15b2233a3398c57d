/** `softleaf list`: the examples and scenarios that ship with the package, with one line each. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { packageFile, readAnyProgram } from './files.ts';
import { ExitCode, painter, printable, type Terminal } from './terminal.ts';

export interface ListOptions {
  json?: boolean;
}

/** Something that ships. */
export interface Listed {
  /** As a command takes it. */
  file: string;
  kind: 'example' | 'scenario';
  /** What it shows, in a line. */
  about: string;
}

const FOLDERS: readonly [folder: string, kind: Listed['kind']][] = [
  ['examples', 'example'],
  ['examples/scenarios', 'scenario'],
  ['scenarios', 'scenario'],
];

/** The first sentence. */
function sentence(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim();
  return /^.*?[.:](?= |$)/.exec(line)?.[0].replace(/[.:]$/, '') ?? line;
}

/** What a file says of itself: its comment. */
function aboutFile(path: string): string {
  if (!path.endsWith('.json')) {
    const [, text = ''] = /^\/\*\*(.*?)\*\//s.exec(readFileSync(path, 'utf8')) ?? [];
    return sentence(text.replace(/^\s*\* ?/gm, ''));
  }
  const { comment = '' } = readAnyProgram(path);
  return sentence([comment].flat().join(' '));
}

/** Everything that ships to be run or checked. */
export function listed(from = process.cwd()): Listed[] {
  return FOLDERS.flatMap(([folder, kind]) => {
    const path = packageFile(folder);
    const names = readdirSync(path).filter((name) => /\.(json|mjs)$/.test(name));
    return names.sort().map((name): Listed => {
      const full = join(path, name);
      const near = relative(from, full);
      return { file: near.startsWith('..') ? full : near, kind, about: aboutFile(full) };
    });
  });
}

/** The command. */
export function listCommand(options: ListOptions, terminal: Terminal): ExitCode {
  const all = listed();
  const { stdout, env } = terminal;
  if (options.json) {
    stdout.write(`${JSON.stringify(all)}\n`);
    return ExitCode.clean;
  }
  const paint = painter(stdout, env);
  const commands = { example: 'softleaf run FILE', scenario: 'softleaf check FILE' } as const;
  for (const kind of ['example', 'scenario'] as const) {
    const some = all.filter((one) => one.kind === kind);
    stdout.write(`${paint('bold', `${kind}s`)} (${commands[kind]})\n\n`);
    for (const { file, about } of some)
      stdout.write(`${printable(file)}\n${paint('dim', `    ${printable(about)}`)}\n`);
    if (kind === 'example') stdout.write('\n');
  }
  return ExitCode.clean;
}
