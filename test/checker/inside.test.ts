import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const room = fileURLToPath(new URL('../../src/checker', import.meta.url));
const files = readdirSync(room, { recursive: true, encoding: 'utf8' }).filter((path) =>
  path.endsWith('.ts'),
);
/** By file: what it imports of the room, types too. */
const imports = new Map(
  files.map((file) => {
    const text = readFileSync(join(room, file), 'utf8');
    const all = [...text.matchAll(/\bfrom\s+'(\.[^']+)'/g)];
    const own = all.map(([, to]) => relative(room, join(room, dirname(file), to)));
    return [file, own.filter((to) => !to.startsWith('..'))];
  }),
);
const folderOf = (file: string) => (file.includes('/') ? dirname(file) : '');

/** What a folder may import of the room. */
const MAY: Record<string, readonly string[]> = {
  watch: ['watch', ''],
  search: ['search', ''],
  report: ['report', 'search', ''],
};

describe("the checker's folders", () => {
  it('import only what docs/inside.md says that they do', () => {
    const folders = new Set(files.map(folderOf));
    expect([...folders].sort()).toEqual(['', ...Object.keys(MAY)].sort());
    const wrong = [...imports].flatMap(([file, own]) =>
      own
        .filter((to) => folderOf(file) !== '' && !MAY[folderOf(file)].includes(folderOf(to)))
        .map((to) => `${file} imports ${to}`),
    );
    expect(wrong).toEqual([]);
  });

  it('have no circle of files', () => {
    const left = new Map(imports);
    // whoever imports nothing that is left can be in no circle
    for (let size = -1; size !== left.size; ) {
      size = left.size;
      for (const [file, own] of left) if (!own.some((to) => left.has(to))) left.delete(file);
    }
    expect([...left.keys()]).toEqual([]);
  });
});
