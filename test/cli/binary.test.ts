import { spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
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

  it('starts in under 300 ms', () => {
    // The best of seven: the others pay for what else the machine is doing.
    const best = (...args: string[]) => {
      const times = Array.from({ length: 7 }, () => {
        const start = performance.now();
        spawnSync(process.execPath, args, { cwd: root });
        return performance.now() - start;
      });
      return Math.min(...times);
    };
    // Where Node alone takes 150 ms and more, the machine is too busy to say more than this.
    expect(best(binary, '--help')).toBeLessThan(Math.max(300, best('-e', '0') + 150));
  });

  it('hands its exit code to the shell', () => {
    const { status, stdout, stderr } = softleaf('conform', 'no-such-file.jsonl');
    expect(status).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^softleaf: cannot read no-such-file.jsonl: .*\n$/);
  });

  it('ends quietly when its reader goes away', async () => {
    const args = [binary, 'conform', 'corpus/base.jsonl', '--verbose'];
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

describe('the package', () => {
  it('has what its exports name', async () => {
    const program = await import(join(root, pack.exports['./program'].default));
    expect(program.parseProgram({ name: 'p', ops: [] })).toEqual({ name: 'p', ops: [] });
    expect(Object.keys(await import(join(root, pack.exports['.'].default)))).toContain(
      'runProgram',
    );
  });
});
