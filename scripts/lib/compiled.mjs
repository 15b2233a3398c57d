/** What the steps of the build share that change compiled modules: finding them, and putting text into them. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

/** The compiled modules in a folder and below it. */
export function* modules(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* modules(path);
    else if (entry.name.endsWith('.js')) yield path;
  }
}

/** The nodes of a syntax tree in a node, itself included. */
export function* within(node) {
  if (Array.isArray(node)) for (const item of node) yield* within(item);
  if (typeof node?.type !== 'string') return;
  yield node;
  for (const key of Object.keys(node)) yield* within(node[key]);
}

/**
 * A module with an import before it and texts put in, those of one place in their order. No line gets another number.
 * @param {string} code
 * @param {{ pos: number, text: string }[]} inserts by offset in `code`
 * @param {string} names what is imported from `importFrom`
 */
export function withInserts(code, inserts, names, importFrom) {
  let out = `import { ${names} } from '${importFrom}'; `;
  let at = 0;
  for (const { pos, text } of inserts.toSorted((a, b) => a.pos - b.pos)) {
    out += code.slice(at, pos) + text;
    at = pos;
  }
  return out + code.slice(at);
}
