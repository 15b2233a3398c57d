import { spawn, spawnSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const pack = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const binary = join(root, pack.bin.softleaf);
const softleaf = (...args: string[]) =>
  spawnSync(process.execPath, [binary, ...args], { cwd: root, encoding: 'utf8' });

describe('the built executable', () => {
  it('prints its version and its help', () => {
    expect(softleaf('--version').stdout).toBe(`${pack.version}\n`);
    expect(softleaf('conform', '--help')).toMatchObject({ status: 0, stderr: '' });
  });

  it.each(['', 'run', 'conform', 'check'])('%s --help comes without the model', (command) => {
    const to = mkdtempSync(join(tmpdir(), 'softleaf-loaded-'));
    const { status } = spawnSync(process.execPath, [binary, command, '--help'].filter(Boolean), {
      cwd: root,
      env: { ...process.env, NODE_V8_COVERAGE: to },
    });
    expect(status).toBe(0);
    const loaded = readdirSync(to).flatMap((name) => {
      const { result } = JSON.parse(readFileSync(join(to, name), 'utf8')) as {
        result: { url: string }[];
      };
      return result.flatMap(({ url }) => /^file:.*\/(dist\/.*)$/.exec(url)?.[1] ?? []);
    });
    rmSync(to, { recursive: true });
    expect(loaded).toContain(pack.bin.softleaf);
    const textOf = (path: string) => readFileSync(join(root, path), 'utf8');
    // what was put together: the map says of what
    const mapped = loaded.filter((path) => existsSync(join(root, `${path}.map`)));
    const maps = mapped.map((path) => JSON.parse(textOf(`${path}.map`)) as { sources: string[] });
    const modules = maps.flatMap(({ sources }) =>
      sources.map((path) => path.replace(/^(\.\.\/)*/, '')),
    );
    expect(modules).toContain('src/cli/cli.ts');
    // but what an option's help lists, and the flaws that have names
    const names = [
      ...['light', 'walks', 'mends'].map((name) => `src/mm/${name}.ts`),
      ...['light', 'driver-names', 'flaws'].map((name) => `src/drivers/${name}.ts`),
    ];
    const model = modules.filter((path) => /\/(machine|mm|hmm|drivers)\//.test(path));
    expect(model.filter((path) => !names.includes(path))).toEqual([]);
    // reading and compiling is what takes the time
    const sizeOf = (paths: string[]) => paths.reduce((sum, path) => sum + textOf(path).length, 0);
    const built = readdirSync(join(root, 'dist'), { recursive: true, encoding: 'utf8' });
    const all = built.filter((name) => /^(?!lab).*\.js$/.test(name)).map((name) => `dist/${name}`);
    expect(sizeOf(loaded) * 10).toBeLessThan(sizeOf(all));
  });

  it('hands its exit code to the shell', () => {
    const { status, stdout, stderr } = softleaf('conform', 'no-such-file.jsonl');
    expect(status).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^softleaf: cannot read no-such-file.jsonl: .*\n$/);
  });

  it('ends quietly when its reader goes away', async () => {
    const args = [binary, 'conform', 'corpus/open.jsonl', '--verbose'];
    const child = spawn(process.execPath, args, { cwd: root });
    child.stdout.destroy();
    let stderr = '';
    child.stderr.on('data', (part) => {
      stderr += part;
    });
    await new Promise((done) => child.on('close', done));
    expect(stderr).toBe('');
  });
});

describe('the built executable: output', () => {
  const wrong = ['check', 'scenarios/device-fault-hole.json', '--walk', 'as-posted'];
  const one = ['--workers', '1', '--strategy', 'pct', '--schedules', '200'];

  it.skipIf(!existsSync('/dev/full'))('a full disk: one line, and a code of its own', () => {
    const full = openSync('/dev/full', 'w');
    const args = [binary, 'run', 'examples/migrate-on-fault.json', '--json'];
    const { status, stderr } = spawnSync(process.execPath, args, {
      cwd: root,
      encoding: 'utf8',
      stdio: ['ignore', full, 'pipe'],
    });
    closeSync(full);
    expect(status).toBe(74);
    expect(stderr).toMatch(/^softleaf: cannot write the output: ENOSPC.*\n$/);
  });

  it('a reader that goes away does not change the verdict', async () => {
    const child = spawn(process.execPath, [binary, ...wrong, ...one], { cwd: root });
    child.stdout.destroy();
    const status = await new Promise((done) => child.on('close', done));
    expect(status).toBe(1);
  });

  it('a finding has no function of the executable in its stack', () => {
    const ops = [
      { op: 'mmap', buf: 1, page: 0, pages: 64, prot: 'rw', kind: 'anon' },
      { op: 'cpu_write', buf: 1, page: 0, pages: 64, tag: 1 },
      { op: 'migrate_to_dev', dev: 2, buf: 1, page: 15, pages: 4 },
      { op: 'pin', id: 0, buf: 1, page: 17 },
      { op: 'release', dev: 2 },
    ];
    const { status, stdout } = spawnSync(process.execPath, [binary, 'run', '-', '--json'], {
      encoding: 'utf8',
      input: JSON.stringify({ name: 'p', ops }),
    });
    expect(status).toBe(1);
    const [{ stack }] = JSON.parse(stdout).findings;
    expect(stack[0]).toBe('evictLeft');
    expect(stack.join(' ')).not.toMatch(/run|main|parse/i);
  });

  it('what init writes is checked, and clean', () => {
    const dir = mkdtempSync(join(tmpdir(), 'softleaf-init-'));
    const on = (...args: string[]) =>
      spawnSync(process.execPath, [binary, ...args], { cwd: dir, encoding: 'utf8' });
    expect(on('init', 'program')).toMatchObject({ status: 0, stderr: '' });
    const { status, stderr, stdout } = on('check', 'program.jsonc', ...one);
    expect({ status, stderr }, stdout).toEqual({ status: 0, stderr: '' });
    rmSync(dir, { recursive: true });
  });
});

describe('the package', () => {
  it('has what its exports name', async () => {
    const program = await import(join(root, pack.exports['./program'].default));
    expect(program.parseProgram({ name: 'p', ops: [] })).toEqual({ name: 'p', ops: [] });
    expect(Object.keys(await import(join(root, pack.exports['.'].default)))).toContain(
      'runProgram',
    );
  });
});
