/** A model that loops: the run stops, with what loops and where. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { executable, root } from '../support/cli.ts';

const MISTAKE = pathToFileURL(join(root, 'test/support/no-end.mjs')).href;
const softleaf = (...args: string[]) =>
  spawnSync(process.execPath, ['--import', MISTAKE, executable, ...args], { encoding: 'utf8' });

let dir: string;
let file: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'softleaf-no-end-'));
  file = join(dir, 'two.jsonl');
  const mmap = { op: 'mmap', buf: 0, page: 0, pages: 1, prot: 'rw', kind: 'anon' };
  const read = { op: 'cpu_read', buf: 0, page: 0, pages: 1 };
  const programs = [
    { name: 'loops', ops: [mmap, read], results: [{ ret: 'ok' }, { ret: 'ok', done: 1 }] },
    { name: 'ends', ops: [mmap], results: [{ ret: 'ok' }] },
  ];
  writeFileSync(file, programs.map((one) => `${JSON.stringify(one)}\n`).join(''));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

describe('a model that loops', () => {
  it('fails a program in conform, which goes on with the next', () => {
    const { status, stdout } = softleaf('conform', file, '--verbose');
    expect(stdout).toContain('failed loops\n  op 1: cpu_read buf 0 page 0 pages 1 proc 0\n');
    expect(stdout).toMatch(/run +\{"finding":"does not end","stack":\[[^\n]*"translate","cpuRead/);
    expect(stdout).toContain('passed ends\n');
    expect(status).toBe(1);
  });

  it('fails a test in selftest, which goes on with the next', () => {
    const { status, stdout } = softleaf('selftest', 'private.anon_read', 'private.open_close');
    expect(stdout).toMatch(/^# anon_read:livelock: does not end \(.*translate/m);
    expect(stdout).toMatch(/^not ok \d+ hmm.hmm_device_private.anon_read$/m);
    expect(stdout).toMatch(/^ok \d+ hmm.hmm_device_private.open_close$/m);
    expect(status).toBe(1);
  });

  it('ends a program in run', () => {
    const { status, stdout } = softleaf('run', file, '--only', 'loops');
    expect(stdout).toContain('does not end');
    expect(status).toBe(1);
  });
});
