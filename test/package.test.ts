/** The package as it is packed: unpacked into a folder of its own, used as a user would. */
import { spawn, spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isLabCurrent } from '../scripts/lab-built.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
let dir: string;

function run(command: string, args: string[], cwd: string) {
  // as a user has it: the tests' own NODE_ENV would make another build of the lab
  const { NODE_ENV: _, ...env } = process.env;
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, env, encoding: 'utf8' });
  return { status, stdout, stderr };
}
const tsc = (...args: string[]) =>
  run(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), ...args], dir);

/** A copy with a lab of its own: what is in dist/lab is older than the source. */
function copyWithLab(): string {
  const source = join(dir, 'source');
  const configs = ['package.json', 'tsconfig.json', 'tsconfig.build.json'];
  const documents = ['LICENSE', 'README.md', 'ARCHITECTURE.md', 'CHANGELOG.md'];
  for (const name of [
    'agent',
    'src',
    'dist',
    'lab',
    'docs',
    'scripts',
    'corpus',
    'examples',
    'scenarios',
    'schema',
    'man',
    ...configs,
    ...documents,
  ])
    cpSync(join(root, name), join(source, name), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(source, 'node_modules'));
  const build = run('npm', ['run', '--silent', 'build:lab'], source);
  expect(build.status, build.stdout + build.stderr).toBe(0);
  return source;
}

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'softleaf-package-'));
  const source = isLabCurrent() ? root : copyWithLab();
  const pack = run(
    'npm',
    ['pack', '--silent', '--ignore-scripts', '--pack-destination', dir],
    source,
  );
  expect(pack.status, pack.stderr).toBe(0);
  const modules = join(dir, 'node_modules');
  mkdirSync(modules);
  run('tar', ['-xzf', join(dir, pack.stdout.trim()), '-C', modules], dir);
  run('mv', ['package', 'softleaf'], modules);
  const { dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const theirs = ['@types', 'undici-types'];
  for (const name of [...Object.keys(dependencies), ...theirs])
    symlinkSync(join(root, 'node_modules', name), join(modules, name));
  writeFileSync(join(dir, 'package.json'), '{"type": "module"}');
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const ENTRIES: [name: string, some: string[]][] = [
  ['softleaf', ['parseProgram', 'runProgram', 'compareResults', 'System']],
  ['softleaf/program', ['parseProgram', 'runProgram']],
  ['softleaf/machine', ['Machine', 'runToEnd', 'runStepping', 'snapshot']],
  ['softleaf/mm', ['Kernel', 'mmapRegion', 'handleMmFault', 'VM_READ']],
  ['softleaf/hmm', ['hmmRangeFault', 'migrateVmaSetup', 'migrateHmmRangeSetup']],
  ['softleaf/drivers', ['openDmirror', 'faultMigrateToDevice']],
  ['softleaf/selftest', ['TESTS', 'testCases', 'runTest', 'ktapResult']],
  ['softleaf/checker', ['check', 'replaySchedule', 'programScenario', 'asScenario']],
];

describe('the package', () => {
  let exported: Record<string, string[]>;
  beforeAll(() => {
    const code = `
      const exported = {};
      for (const name of ${JSON.stringify(ENTRIES.map(([name]) => name))})
        exported[name] = Object.keys(await import(name));
      console.log(JSON.stringify(exported));`;
    const { stdout, stderr } = run(process.execPath, ['--input-type=module', '-e', code], dir);
    expect(stderr).toBe('');
    exported = JSON.parse(stdout);
  });

  it.each(ENTRIES)('%s has its exports', (name, expected) => {
    expect(exported[name]).toEqual(expect.arrayContaining(expected));
  });

  it('runs a program that it ships, from any folder', () => {
    const main = join(dir, 'node_modules/softleaf/dist/cli/main.js');
    const example = join(dir, 'node_modules/softleaf/examples/migrate-on-fault.json');
    const { status, stdout, stderr } = run(process.execPath, [main, 'run', example], tmpdir());
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toContain('as recorded');
  });

  it('checks a scenario module that it ships, and one beside it, from any folder', () => {
    const softleaf = join(dir, 'node_modules/softleaf');
    const main = join(softleaf, 'dist/cli/main.js');
    const own = join(dir, 'own.mjs');
    const example = 'softleaf/examples/scenarios/check-under-lock.mjs';
    writeFileSync(own, `export { default } from './node_modules/${example}';\n`);
    for (const module of [join(dir, 'node_modules', example), own]) {
      const { status, stdout, stderr } = run(process.execPath, [main, 'check', module], tmpdir());
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      expect(stdout).toContain('proved: nothing breaks in any schedule of these tasks');
    }
  });

  it('serves the lab that it ships, with a program that it ships', async () => {
    const softleaf = join(dir, 'node_modules/softleaf');
    const example = join(softleaf, 'examples/migrate-on-fault.json');
    const child = spawn(
      process.execPath,
      [join(softleaf, 'dist/cli/main.js'), 'lab', example, '--port', '0'],
      { cwd: tmpdir() },
    );
    const ended = new Promise<number | null>((done) => child.on('close', done));
    const address = await new Promise<string>((done, failed) => {
      let out = '';
      child.stdout.on('data', (part) => {
        out += part;
        const found = /http:\S+#\S+\n/.exec(out);
        if (found) done(found[0]);
      });
      child.stderr.on('data', (part) => failed(new Error(String(part))));
    });
    const html = await (await fetch(address)).text();
    const script = /<script [^>]*src="\.\/(assets\/[^"]+)"/.exec(html)?.[1] ?? '';
    const answer = await fetch(new URL(script, address));
    expect(answer.headers.get('content-type')).toBe('text/javascript');
    expect(await answer.text()).toContain('hmmRangeFault');
    child.kill('SIGINT');
    expect(await ended).toBe(0);
  });

  it('ships the licenses of the packages that the lab was built from', () => {
    const modules = join(root, 'node_modules');
    const packageJson = (name: string) =>
      JSON.parse(readFileSync(join(modules, name, 'package.json'), 'utf8'));
    const imported = new Set<string>();
    const sources = readdirSync(join(root, 'lab/src'), { recursive: true, encoding: 'utf8' });
    for (const path of sources.filter((one) => /\.tsx?$/.test(one))) {
      const text = readFileSync(join(root, 'lab/src', path), 'utf8');
      for (const [, name] of text.matchAll(/\bfrom '((?:@[\w-]+\/)?[\w-]+)(?:\/[\w-]+)?'/g))
        imported.add(name);
    }
    // what those need, of which a part may be left out
    const needed = new Set<string>(['vite', 'rolldown']);
    const need = (name: string): void => {
      if (needed.has(name)) return;
      needed.add(name);
      Object.keys(packageJson(name).dependencies ?? {}).forEach(need);
    };
    for (const name of imported) need(name);
    const notices = readFileSync(join(dir, 'node_modules/softleaf/dist/lab/licenses.txt'), 'utf8');
    const named = [...notices.matchAll(/^-+\n\n(\S+) (\d\S*) \(/gm)].map(([, name, version]) => {
      expect(version).toBe(packageJson(name).version);
      return name;
    });
    expect(imported.size).toBeGreaterThan(5);
    const within = ['@lezer/common', '@preact/signals-core', 'crelt', 'style-mod'];
    expect(named).toEqual(expect.arrayContaining([...imported, ...within]));
    expect(named.filter((name) => !needed.has(name))).toEqual([]);
    for (const name of named.filter((one) => one !== 'vite')) {
      const license = readdirSync(join(modules, name)).find((file) => /^licen[cs]e\b/i.test(file));
      const text = readFileSync(join(modules, name, license ?? 'LICENSE'), 'utf8');
      expect(notices).toContain(text.trim());
    }
    expect(notices).toContain('GNU GENERAL PUBLIC LICENSE');
  });

  it('ships the corpus, the examples, the license and no tests', () => {
    const { stdout } = run('find', ['.', '-type', 'f'], join(dir, 'node_modules/softleaf'));
    const files = stdout.split('\n');
    const needed = [
      'agent/main.c',
      'corpus/base.jsonl',
      'examples/holes.json',
      'dist/lab/index.html',
    ];
    for (const name of [...needed, 'LICENSE', 'README.md']) expect(files).toContain(`./${name}`);
    expect(files.filter((name) => /^\.\/(test|bench|lab|node_modules)\//.test(name))).toEqual([]);
  });
});

describe('the documents in the package', () => {
  const softleaf = () => join(dir, 'node_modules/softleaf');

  it('are where --help says', () => {
    const main = join(softleaf(), 'dist/cli/main.js');
    const { stdout } = run(process.execPath, [main, '--help'], tmpdir());
    const index = /^Documents: (.+)$/m.exec(stdout)?.[1] ?? '';
    expect(index).toBe(join(realpathSync(softleaf()), 'docs/README.md'));
    expect(readFileSync(index, 'utf8')).toMatch(/^# Documents\n/);
  });

  it('link to each other, and to the sources that are shipped', () => {
    const docs = join(softleaf(), 'docs');
    const missing = readdirSync(docs)
      .filter((name) => name.endsWith('.md'))
      .flatMap((name) => {
        const text = readFileSync(join(docs, name), 'utf8');
        return [...text.matchAll(/\]\(([^)\s#]+)/g)].map(([, link]) => link);
      })
      .filter((link) => !/^[a-z]+:/.test(link) && !existsSync(join(docs, link)));
    // what only a clone has
    expect(missing.filter((link) => !/^\.\.\/(test|bugs|scripts|lab|bench)\//.test(link))).toEqual(
      [],
    );
  });
});

describe("README.md's library examples", () => {
  const readme = readFileSync(join(root, 'README.md'), 'utf8');
  const examples = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code]) => code);

  it('compile and say what they should', () => {
    expect(examples).toHaveLength(2);
    const names = examples.map((code, i) => {
      writeFileSync(join(dir, `example-${i}.ts`), code);
      return `example-${i}`;
    });
    const options = ['--target', 'es2023', '--module', 'nodenext', '--strict', '--types', 'node'];
    const compiled = tsc(...options, ...names.map((name) => `${name}.ts`));
    expect(compiled.stdout + compiled.stderr).toBe('');
    const printed = names.map((name) => run(process.execPath, [`${name}.js`], dir));
    expect(printed.map(({ stderr }) => stderr)).toEqual(['', '']);
    expect(printed[0].stdout).toMatch(
      /^collect: 512 pages, \d+ walks\nunified: 512 pages, 1 walks\n$/,
    );
    expect(printed[1].stdout).toMatch(/^one page to the device in \d+ steps; the CPU reads 42\n$/);
  });
});
