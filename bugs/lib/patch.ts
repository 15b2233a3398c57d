/**
 * Applies unified diffs whose lines may have moved a little since they were made: a hunk is looked for
 * nearest to where it says, and with less context if it must be.
 */

/** A patch that does not apply; the message says which part. */
export class PatchError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'PatchError';
  }
}

interface Hunk {
  /** Line at which it begins in the old file, from 0. */
  readonly at: number;
  /** Its lines, each with the sign in front: blank, `-` or `+`. */
  readonly lines: readonly string[];
}

interface FilePatch {
  readonly path: string;
  readonly hunks: readonly Hunk[];
}

/** Lines of context that may be given up at either end of a hunk. */
const FUZZ = 2;

/** Reads a unified diff. Paths lose their first part (`a/`, `b/`). */
export function parsePatch(text: string): FilePatch[] {
  const files: { path: string; hunks: { at: number; lines: string[] }[] }[] = [];
  let hunk: { at: number; lines: string[] } | null = null;
  for (const line of text.split('\n')) {
    const path = /^\+\+\+ [^/\t]+\/([^\t]+)/.exec(line);
    if (path) {
      files.push({ path: path[1], hunks: [] });
      hunk = null;
      continue;
    }
    const head = /^@@ -(\d+)(?:,\d+)? \+\d+(?:,\d+)? @@/.exec(line);
    if (head) {
      const file = files[files.length - 1];
      if (!file) throw new PatchError('a hunk before the name of its file');
      hunk = { at: Number(head[1]) - 1, lines: [] };
      file.hunks.push(hunk);
      continue;
    }
    if (/^(---|diff|index) /.test(line)) hunk = null;
    else if (hunk && /^[-+ ]/.test(line)) hunk.lines.push(line);
  }
  if (files.length === 0) throw new PatchError('no file is patched');
  return files;
}

/** Where `wanted` stands in `lines`, nearest to `near`; -1 for nowhere. */
function find(lines: readonly string[], wanted: readonly string[], near: number): number {
  const last = lines.length - wanted.length;
  const fits = (at: number): boolean => wanted.every((line, i) => lines[at + i] === line);
  for (let away = 0; away <= Math.max(near, last); away++) {
    if (near - away >= 0 && near - away <= last && fits(near - away)) return near - away;
    if (near + away <= last && near + away >= 0 && fits(near + away)) return near + away;
  }
  return -1;
}

function applyHunk(lines: string[], hunk: Hunk, path: string, shift: number): number {
  const isContext = (line: string | undefined): boolean => line?.startsWith(' ') === true;
  for (let fuzz = 0; fuzz <= FUZZ; fuzz++) {
    let from = 0;
    let to = hunk.lines.length;
    while (from < fuzz && isContext(hunk.lines[from])) from++;
    while (hunk.lines.length - to < fuzz && isContext(hunk.lines[to - 1])) to--;
    const part = hunk.lines.slice(from, to);
    const old = part.filter((line) => !line.startsWith('+')).map((line) => line.slice(1));
    const fresh = part.filter((line) => !line.startsWith('-')).map((line) => line.slice(1));
    if (old.length === 0) break;
    const at = find(lines, old, Math.max(0, hunk.at + from + shift));
    if (at < 0) continue;
    lines.splice(at, old.length, ...fresh);
    return at - hunk.at - from + fresh.length - old.length;
  }
  const first = hunk.lines.find((line) => !isContext(line)) ?? '';
  throw new PatchError(`${path}: no place for the change at line ${hunk.at + 1}: ${first}`);
}

/**
 * Applies a patch.
 * @param read gives a file's text
 * @returns the new text of every file that it changes, by path
 * @throws PatchError when a part finds no place
 */
export function applyPatch(text: string, read: (path: string) => string): Map<string, string> {
  const out = new Map<string, string>();
  for (const { path, hunks } of parsePatch(text)) {
    const lines = (out.get(path) ?? read(path)).split('\n');
    let shift = 0;
    for (const hunk of hunks) shift = applyHunk(lines, hunk, path, shift);
    out.set(path, lines.join('\n'));
  }
  return out;
}
