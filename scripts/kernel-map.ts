/**
 * docs/kernel-map.md: which kernel function each modelled function stands for, and how closely. It is
 * read from the docstrings; `npm run kernel-map` writes it, a test holds it current.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join, sep } from 'node:path';
import { roomsThat } from './rooms.mjs';

/** Folders whose exported modelled functions must each say what they mirror. */
export const MODEL_FOLDERS = roomsThat('mirrors').map((room) => `src/${room}`);

const STATUSES = ['faithful', 'simplified', 'differs'] as const;
type Status = (typeof STATUSES)[number];

/** A function of the model and what its docstring says. */
export interface Modelled {
  /** Path in the repository, with slashes. */
  file: string;
  name: string;
  line: number;
  /** A step may be taken in it, and others may call it: it must say what it mirrors. */
  isEntry: boolean;
  /** Kernel files and the functions in them, as written. */
  mirrors?: { kernelFile: string; functions: string }[];
  status?: Status;
  /** What the status says beside its word. */
  note: string;
}

function sourceFiles(root: string, folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => `${folder}/${name.split(sep).join('/')}`)
    .sort();
}

/** The text of a docstring, a paragraph or tag a line. */
function docText(comment: string): string {
  return comment
    .replace(/^\/\*\*|\*\/$/g, '')
    .split('\n')
    .map((line) => line.replace(/^\s*\* ?/, '').trim())
    .join('\n');
}

/** The kernel's side of a `Mirrors:` line: files, each with what is named after it. */
function kernelSide(text: string): { kernelFile: string; functions: string }[] {
  const sides: { kernelFile: string; functions: string }[] = [];
  const files = /(?:^|[\s,;])((?:[\w-]+\/)+[\w-]+\.[chS])\s|the (series)' |the (hardware)'s /g;
  const starts = [...text.matchAll(files)];
  for (const [i, match] of starts.entries()) {
    const [all, file, series] = match;
    const end = starts[i + 1]?.index ?? text.length;
    const functions = text.slice(match.index + all.length, end).replace(/[,;\s]+$/, '');
    sides.push({ kernelFile: file ?? (series ? 'The series' : 'The hardware'), functions });
  }
  return sides;
}

function readDoc(doc: string): Pick<Modelled, 'mirrors' | 'status' | 'note'> {
  const at = doc.indexOf('Mirrors:');
  if (at < 0) return { note: '' };
  const text = doc
    .slice(at + 'Mirrors:'.length)
    .split(/\n\s*\n|\n@/)[0]
    .replace(/\s+/g, ' ')
    .trim();
  const found = text.match(/(?:^|\s)(faithful|simplified|differs)\b[,:]?\s*(.*)$/);
  const mirrors = kernelSide(found ? text.slice(0, found.index) : text);
  if (!found) return { mirrors, note: '' };
  return { mirrors, status: found[1] as Status, note: found[2].trim() };
}

const DECLARATION =
  /^(?<indent> *)(?<exported>export )?(?:(?:private|protected|static|readonly|override) )*(?:(?<keyword>function(?<star>\*)?|class|const) )?(?<method>\*)?(?<name>[\w$]+)\b/;

/** The modelled functions of a file's text: those with a `Mirrors:` line, and all entries. */
export function modelledFunctions(file: string, text: string): Modelled[] {
  const found: Modelled[] = [];
  const lines = text.split('\n');
  let doc = '';
  for (let i = 0; i < lines.length; i++) {
    if (/^\s*\/\*\*/.test(lines[i])) {
      let end = i;
      while (!lines[end].includes('*/')) end++;
      doc = docText(
        lines
          .slice(i, end + 1)
          .join('\n')
          .trim(),
      );
      i = end;
      continue;
    }
    if (/^\s*(\/\/|@|$)/.test(lines[i])) continue;
    const groups = lines[i].match(DECLARATION)?.groups;
    if (groups && (groups.keyword || doc.includes('Mirrors:'))) {
      const head = lines
        .slice(i, i + 20)
        .join('\n')
        .split(/\{\n|\{$/)[0];
      const steps = groups.star !== undefined || /\): Kernel\$</.test(head);
      const isEntry = groups.exported !== undefined && groups.keyword !== 'class' && steps;
      const entry = { file, name: groups.name, line: i + 1, isEntry, ...readDoc(doc) };
      if (entry.mirrors || isEntry) found.push(entry);
    }
    doc = '';
  }
  return found;
}

/** Every modelled function of the repository. */
export function readModel(root: string): Modelled[] {
  return MODEL_FOLDERS.flatMap((folder) => sourceFiles(root, folder)).flatMap((file) =>
    modelledFunctions(file, readFileSync(join(root, file), 'utf8')),
  );
}

/** Folders whose functions stand on the stack of a task and are nobody's but the model's. */
const OWN_FOLDERS = roomsThat('straight').map((room) => `src/${room}`);

/** The names of the modelled functions that suspend a task and mirror nothing: helpers of those that do. */
export function helpersOf(root: string, model: readonly Modelled[]): string[] {
  const mirroring = new Set(model.filter(({ mirrors }) => mirrors).map(({ name }) => name));
  const names = OWN_FOLDERS.flatMap((folder) => sourceFiles(root, folder)).flatMap((file) => {
    const text = readFileSync(join(root, file), 'utf8');
    return [...text.matchAll(/^ *(?:export )?(?:function\*|(?:\w+ )*\*) ?(\w+)[(<]/gm)];
  });
  const helpers = new Set(names.map(([, name]) => name));
  return [...helpers].filter((name) => !mirroring.has(name)).sort();
}

/** What `src/program/look/kernel-names.ts` has: the functions in the order of their names, a line each. */
export function kernelNames(root: string, model: readonly Modelled[]): string {
  const lines = new Map<string, string>();
  for (const { name, mirrors } of model) {
    for (const { kernelFile, functions } of mirrors ?? []) {
      const kernel = /\b(\w+)\(\)/.exec(functions)?.[1];
      if (kernel && !lines.has(name)) lines.set(name, `${name} ${kernel} ${kernelFile}`);
    }
  }
  for (const { name, mirrors } of model) if (mirrors && !lines.has(name)) lines.set(name, name);
  for (const name of helpersOf(root, model)) lines.set(name, name);
  const names = [...lines.keys()].sort();
  return [
    '/**',
    " * The kernel's name of each modelled function, and where it is: the model's name, the kernel's, its file.",
    ' * A line without them is a function of the model alone. Written from the docstrings by `npm run kernel-map`.',
    ' */',
    'export const KERNEL_NAMES = `',
    ...names.map((name) => lines.get(name)),
    '`;',
    '',
  ].join('\n');
}

/** What is wrong with the docstrings, a line each. */
export function complaints(model: readonly Modelled[]): string[] {
  return model.flatMap(({ file, line, name, mirrors, status, note }) => {
    const say = (what: string) => [`${file}:${line} ${name}: ${what}`];
    if (!mirrors) return say('no `Mirrors:` line');
    if (mirrors.length === 0) return say('`Mirrors:` names no kernel file');
    if (!status) return say(`none of ${STATUSES.join(', ')}`);
    if (status !== 'faithful' && note === '') return say(`\`${status}\` does not say how`);
    return [];
  });
}

const cell = (text: string) => text.replaceAll('|', '\\|');

/** docs/kernel-map.md */
export function kernelMap(model: readonly Modelled[]): string {
  const rows = model.flatMap(({ file, name, mirrors, status, note }) =>
    (mirrors ?? []).map(({ kernelFile, functions }) => {
      const link = `[\`${name}\`](../${file})`;
      const how = note ? `${status}: ${note}` : (status ?? '');
      return { kernelFile, text: `| ${cell(functions)} | ${link} | ${cell(how)} |` };
    }),
  );
  // files first, then what is no file
  const isFile = (name: string) => Number(name.includes('/'));
  const files = [...new Set(rows.map(({ kernelFile }) => kernelFile))].sort(
    (a, b) => isFile(b) - isFile(a) || (a < b ? -1 : 1),
  );
  const count = (status: Status) => model.filter((entry) => entry.status === status).length;
  return [
    '# From the kernel to Softleaf',
    '',
    'Which functions of Linux 7.3.4 are modelled, where, and how closely. *Faithful* does what the kernel',
    'does as far as a program, a device or another CPU can tell; *simplified* leaves something out;',
    '*differs* does something else, and says why. "The series" is the patch series that prepares a',
    'migration inside the range walk.',
    '',
    `${count('faithful')} functions are faithful, ${count('simplified')} simplified, ${count('differs')} differ.`,
    'This file is generated from the docstrings: `npm run kernel-map`.',
    ...files.flatMap((file) => [
      '',
      `## ${file}`,
      '',
      '| kernel | Softleaf | how closely |',
      '|---|---|---|',
      ...rows.filter(({ kernelFile }) => kernelFile === file).map(({ text }) => text),
    ]),
    '',
  ].join('\n');
}
