import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ENTRIES, roomsThat, ROOMS as table, withRooms } from '../scripts/rooms.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const ROOMS = table.map(({ name }) => name);
/** Rooms that run in a browser: no dependency, nothing of Node's. */
const MODEL = roomsThat('model');

/** Lints `files` under the project's rules in a folder of their own; returns the paths refused. */
function refused(dir: string, files: Record<string, string>): string[] {
  copyFileSync(join(root, 'biome.json'), join(dir, 'biome.json'));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, path)), { recursive: true });
    writeFileSync(join(dir, path), text);
  }
  const biome = join(root, 'node_modules/.bin/biome');
  const args = ['lint', '--colors=off', '--max-diagnostics=none', ...Object.keys(files)];
  const run = spawnSync(biome, args, { cwd: dir, encoding: 'utf8' });
  if (run.error) throw run.error;
  const output = run.stdout + run.stderr;
  expect(output).toContain(`Checked ${Object.keys(files).length} files`);
  const places = output.matchAll(/^(\S+):\d+:\d+ lint\/\w+\/(noRestricted|noNodejs)/gm);
  const paths = new Set([...places].map(([, path]) => path));
  expect(run.status === 0).toBe(paths.size === 0);
  return Object.keys(files).filter((path) => paths.has(path));
}

it('what is built of the rooms of the model needs nothing of Node’s, nor a package', () => {
  const left = MODEL.map((room) => join(root, 'dist', room, 'index.js'));
  const seen = new Set<string>();
  for (const path of left) {
    if (seen.has(path)) continue;
    seen.add(path);
    for (const [, name] of readFileSync(path, 'utf8').matchAll(
      /^(?:import|export)\b[^'"]*["']([^'"]+)["'];$/gm,
    )) {
      expect(name, relative(root, path)).toMatch(/^\./);
      left.push(resolve(dirname(path), name));
    }
  }
  expect(seen.size).toBeGreaterThan(MODEL.length + 5);
});

describe('the layering lint rule', () => {
  let dir: string;
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'softleaf-lint-'));
  });
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  it('is what the table of rooms says (npm run rooms writes it)', () => {
    const config = JSON.parse(readFileSync(join(root, 'biome.json'), 'utf8'));
    expect(config).toEqual(withRooms(config));
  });

  it('lets a room import from itself and the rooms before it', () => {
    const imports = (...paths: string[]) =>
      `${paths.map((path, i) => `import { a${i} } from '${path}';`).join('\n')}\n` +
      `export const all = [${paths.map((_, i) => `a${i}`).join(', ')}];\n`;
    const allowed = {
      'src/machine/fine.ts': imports('./page.ts', './deep/x.ts', '../machine/page.ts'),
      'src/mm/fine.ts': imports('../machine/page.ts', './hmm.ts'),
      'src/hmm/as-posted/fine.ts': imports('../../mm/look/leaves.ts', '../walk.ts'),
      'src/program/fine.ts': imports('../drivers/dmirror.ts', '../hmm/range.ts'),
      'src/selftest/fine.ts': imports('./tests/index.ts', '../program/system.ts'),
      'src/checker/watch/fine.ts': imports('../../mm/internal.ts', '../check.ts'),
      'src/cli/fine.ts': imports('commander', 'node:fs', '../program/light.ts'),
    };
    expect(refused(dir, allowed)).toEqual([]);
  });

  it('fails on every import of a later room', () => {
    const wrong: Record<string, string> = {};
    for (const [i, room] of ROOMS.entries())
      for (const later of [...ROOMS.slice(i + 1), '../lab'])
        wrong[`src/${room}/${later.replaceAll('/', '')}.ts`] =
          `export * from '../${later}/x.ts';\n`;
    expect(refused(dir, wrong)).toEqual(Object.keys(wrong));
  });

  it('lets the model import files alone, and the rooms above it entries alone', () => {
    const wrong: Record<string, string> = {};
    for (const [i, { name, files }] of table.entries())
      for (const earlier of ROOMS.slice(0, i))
        for (const file of files ? ENTRIES : ['x.ts', 'deep/x.ts'])
          wrong[`src/${name}/${earlier}-${file.replaceAll('/', '-')}`] =
            `export * from '../${earlier}/${file}';\n`;
    wrong['lab/src/file.ts'] = "export * from '../../src/recording/link.ts';\n";
    expect(refused(dir, wrong)).toEqual(Object.keys(wrong));
  });

  it('lets the lab import from every room but the command line', () => {
    const files = {
      'lab/src/fine.ts': "export * from '../../src/recording/index.ts';\nexport * from 'preact';\n",
      'lab/src/cli.ts': "export * from '../../src/cli/cli.ts';\n",
      'lab/src/node.ts': "export * from 'node:fs';\n",
    };
    expect(refused(dir, files)).toEqual(['lab/src/cli.ts', 'lab/src/node.ts']);
  });

  it("fails on a dependency, a module or a global of Node's in the model", () => {
    const wrong: Record<string, string> = {};
    for (const room of MODEL) {
      wrong[`src/${room}/node.ts`] = "export * from 'node:fs';\n";
      wrong[`src/${room}/bare.ts`] = "export * from 'commander';\n";
      wrong[`src/${room}/scoped.ts`] = "export * from '@scope/name';\n";
      wrong[`src/${room}/global.ts`] = 'export const argv = process.argv;\n';
    }
    expect(refused(dir, wrong)).toEqual(Object.keys(wrong));
  });
});

describe('the table of rooms', () => {
  it('has every room of src', () => {
    const folders = readdirSync(join(root, 'src'), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name);
    expect(ROOMS.toSorted()).toEqual(folders.toSorted());
  });

  it('is the order in ARCHITECTURE.md', () => {
    const text = readFileSync(join(root, 'ARCHITECTURE.md'), 'utf8');
    const rows = [...text.matchAll(/^\| `(?:src\/)?(\w+)\/` \|/gm)].map(([, room]) => room);
    expect(rows).toEqual([...ROOMS, 'lab']);
  });
});

describe('the sources', () => {
  const IMPORT = /\bfrom\s+'([^']+)'|\bimport\(\s*'([^']+)'|^import\s+'([^']+)'/gm;
  const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts'))
    .map((path) => `src/${path}`);
  const importsOf = (path: string) =>
    [...readFileSync(join(root, path), 'utf8').matchAll(IMPORT)].map((m) => m[1] ?? m[2] ?? m[3]);
  const roomOf = (path: string) => ROOMS.indexOf(path.split('/')[1]);

  it('import only from the rooms before them', () => {
    const wrong = sources.flatMap((path) =>
      importsOf(path)
        .filter((to) => to.startsWith('.') && roomOf(path) >= 0)
        .filter((to) => {
          const room = roomOf(relative(root, resolve(root, dirname(path), to)));
          return room < 0 || room > roomOf(path);
        })
        .map((to) => `${path} imports ${to}`),
    );
    expect(sources.length).toBeGreaterThan(5);
    expect(wrong).toEqual([]);
  });

  it('of the model import nothing but each other', () => {
    const model = sources.filter((path) => MODEL.includes(path.split('/')[1]));
    const wrong = model.flatMap((path) =>
      importsOf(path)
        .filter((to) => !to.startsWith('.'))
        .map((to) => `${path} imports ${to}`),
    );
    expect(model.length).toBeGreaterThan(0);
    expect(wrong).toEqual([]);
  });
});

describe('the command line', () => {
  it('loads none of the model at its start', () => {
    const LOADED = /^(?:import|export) (?!type\b)[^;]*?\bfrom '(\.[^']+)'|^import '(\.[^']+)'/gm;
    const seen = new Set(['src/cli/main.ts']);
    for (const path of seen) {
      for (const [, from, bare] of readFileSync(join(root, path), 'utf8').matchAll(LOADED)) {
        seen.add(relative(root, resolve(root, dirname(path), from ?? bare)));
      }
    }
    expect([...seen]).toContain('src/mm/light.ts');
    const model =
      /^src\/(hmm|drivers|selftest|recording)\/(?!(light|driver-names|flaws)\.ts)|\/(index|kernel|machine|system|execution)\.ts$/;
    expect([...seen].filter((path) => model.test(path))).toEqual([]);
  });
});

describe('ARCHITECTURE.md', () => {
  it('has every file of src/mm in its reading order', () => {
    const text = readFileSync(join(root, 'ARCHITECTURE.md'), 'utf8');
    const groups = [...text.matchAll(/^\d\. [^:\n]+: ((?:`[\w-]+`(?:, )?)+)$/gm)];
    const listed = groups.flatMap(([, files]) => files.replaceAll('`', '').split(', '));
    const files = readdirSync(join(root, 'src/mm'))
      .filter((name) => name.endsWith('.ts') && !ENTRIES.includes(name))
      .map((name) => name.slice(0, -'.ts'.length));
    expect(listed.sort()).toEqual(files.sort());
  });
});

describe('the package', () => {
  it('is locked without download addresses', () => {
    expect(readFileSync(join(root, 'package-lock.json'), 'utf8')).not.toContain('"resolved"');
  });

  it('pins its dependencies', () => {
    const { dependencies, devDependencies } = JSON.parse(
      readFileSync(join(root, 'package.json'), 'utf8'),
    );
    for (const version of Object.values({ ...dependencies, ...devDependencies }))
      expect(version).toMatch(/^\d+\.\d+\.\d+$/);
  });
});
