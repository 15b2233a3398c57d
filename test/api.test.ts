/** The package's entry points: what they export, and the reference that is made of it. */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { apiPages } from '../scripts/api-docs.mjs';
import { readApi } from '../scripts/lib/api.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const api = readApi(root);

describe('the entry points', () => {
  it('are eight rooms, and the package itself, which is one of them', () => {
    const [whole, ...rooms] = api;
    expect(whole).toMatchObject({ passesOn: ['softleaf/program'], exports: [] });
    expect(rooms.map(({ name }) => name)).toHaveLength(8);
    for (const { name, passesOn, exports } of rooms) {
      expect(passesOn, name).toEqual([]);
      expect(exports.length, name).toBeGreaterThan(5);
    }
  });

  // a change of what others build on is seen in a commit
  it.each(api.slice(1))(
    '$name exports what test/api says (npm run api writes it)',
    async (entry) => {
      const text = [`// ${entry.name}`, ...entry.exports.map(({ signature }) => signature), ''];
      const room = entry.name.split('/')[1];
      await expect(text.join('\n\n')).toMatchFileSnapshot(`api/${room}.txt`);
    },
  );

  it('have docstrings for what one calls or makes', () => {
    // what looks at or packs the bits of a number is told by the kernel's name
    const BITS = ['src/machine/pte.ts', 'src/hmm/pfn.ts'];
    const bare = api.flatMap(({ name, exports }) =>
      exports
        .filter(({ file }) => !BITS.includes(file))
        .filter(({ doc, signature }) => !doc && /^(abstract )?(function|class)/.test(signature))
        .map((one) => `${name} ${one.name}`),
    );
    expect(bare).toEqual([]);
  });

  it('show neither comments nor what is private', () => {
    const all = api.flatMap(({ exports }) => exports);
    expect(all.some(({ doc }) => doc.includes('Mirrors:'))).toBe(true);
    const shown = all.filter(({ signature }) => /\/\*|^ *(private |#)/m.test(signature));
    expect(shown.map(({ name }) => name)).toEqual([]);
  });
});

describe('the reference (npm run docs:api)', () => {
  const folder = join(root, 'build/api');
  const pages = apiPages(folder);

  it('has a page for each entry point, and each export on it', () => {
    for (const { name, exports } of api) {
      const page = pages.get(`${name.replace('/', '-')}.md`) ?? '';
      for (const one of exports) {
        expect(page).toContain(`\n## ${one.name}\n\n\`\`\`ts\n${one.signature}\n`);
        expect(page).toContain(`[${one.name}](#${one.name.toLowerCase()})`);
      }
    }
  });

  it('links to pages and files that are there', () => {
    const links = [...pages.values()].flatMap((text) =>
      [...text.matchAll(/\]\(([^)#]+)\)/g)].map(([, link]) => link),
    );
    expect(links.length).toBeGreaterThan(100);
    expect(links.filter((link) => !pages.has(link) && !existsSync(resolve(folder, link)))).toEqual(
      [],
    );
  });
});
