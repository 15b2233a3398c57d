import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const IMPORT = /\bfrom\s+'(\.[^']+)'|\bimport\(\s*'(\.[^']+)'|^import\s+'(\.[^']+)'/gm;

/** A folder's modules, and which of each other they import. */
function importsIn(folder: string): Map<string, string[]> {
  const paths = readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((path) => /\.tsx?$/.test(path))
    .map((path) => join(folder, path));
  const known = new Set(paths);
  return new Map(
    paths.map((path) => {
      const text = readFileSync(join(root, path), 'utf8');
      const to = [...text.matchAll(IMPORT)].map((m) => m[1] ?? m[2] ?? m[3]);
      const files = to.map((one) => relative(root, resolve(root, dirname(path), one)));
      return [path, files.filter((file) => known.has(file))];
    }),
  );
}

/** The modules that can be reached from themselves. */
function circles(imports: ReadonlyMap<string, readonly string[]>): string[] {
  return [...imports.keys()].filter((path) => {
    const seen = new Set<string>();
    const todo = [...(imports.get(path) ?? [])];
    for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
      if (seen.has(next)) continue;
      seen.add(next);
      todo.push(...(imports.get(next) ?? []));
    }
    return seen.has(path);
  });
}

describe('the modules of', () => {
  it.each([
    ['lab/src', 50],
    ['src/recording', 10],
  ])('%s go round in no circle, of types neither', (folder, least) => {
    const imports = importsIn(folder);
    expect(imports.size).toBeGreaterThan(least);
    expect(circles(imports)).toEqual([]);
  });

  it('a circle is seen', () => {
    const ring = new Map([
      ['a', ['b']],
      ['b', ['c']],
      ['c', ['b']],
    ]);
    expect(circles(ring)).toEqual(['b', 'c']);
  });

  it('the lab let others only read their signals', () => {
    const writable = [...importsIn('lab/src').keys()].filter((path) => {
      const text = readFileSync(join(root, path), 'utf8');
      const own = [...text.matchAll(/\bconst (\w+) = signal\b/g)].map(([, name]) => name);
      const given = [...text.matchAll(/^export \{([^}]*)\}/gm)].map(([, names]) => names).join();
      return (
        /^export const \w+ = signal\b/m.test(text) ||
        own.some((name) => new RegExp(`\\b${name}\\b`).test(given))
      );
    });
    expect(writable).toEqual([]);
  });
});
