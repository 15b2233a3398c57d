/** Threads that `softleaf check` keeps for the next run in one process. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { root, softleaf } from '../support/cli.ts';

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'softleaf-kept-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const write = (name: string, text: string) => writeFileSync(join(dir, name), text);

/** A module that says in which thread it is loaded, and what its helper says. */
function moduleFile(name: string, more = ''): string {
  write(
    name,
    `import good from '${join(root, 'examples/scenarios/check-under-lock.mjs')}';
import { threadId } from 'node:worker_threads';
import word from './helper.mjs';
console.log(\`thread \${threadId} \${word}\`);
${more}
export default good;
`,
  );
  return name;
}

/** In which thread a module was loaded, and what its helper said; null where it was loaded already. */
function said(file: string): { thread: string; word: string } | null {
  const { err } = softleaf(['check', '--workers', '1', '--schedules', '2', file], dir);
  const [, thread, word] = /^thread (\d+) (\w+)$/m.exec(err) ?? [];
  return thread === undefined ? null : { thread, word };
}

it('are used again, but not where what they have loaded is another now, or where something strays', () => {
  write('helper.mjs', "export default 'old';\n");
  const first = said(moduleFile('a.mjs'));
  expect(first).toEqual({ thread: expect.any(String), word: 'old' });
  const { thread } = first as { thread: string };
  expect(said('a.mjs')).toBeNull();
  expect(said(moduleFile('b.mjs'))).toEqual({ thread, word: 'old' });

  write('helper.mjs', "export default 'other';\n");
  const second = said('a.mjs');
  expect(second).toEqual({ thread: expect.any(String), word: 'other' });
  expect(second?.thread).not.toBe(thread);

  // code that is no module of its own cannot be followed
  write('plain.cjs', 'module.exports = 1;\n');
  expect(said(moduleFile('c.mjs', "import './plain.cjs';"))?.thread).toBe(second?.thread);
  const third = said('a.mjs');
  expect(third?.thread).not.toBe(second?.thread);

  expect(said(moduleFile('d.mjs', "Promise.reject(new Error('lost'));"))?.thread).toBe(
    third?.thread,
  );
  expect(said('a.mjs')?.thread).not.toBe(third?.thread);
});

it('read a program again that is another now', () => {
  const op = { op: 'cpu_write', buf: 0, page: 0, pages: 1, tag: 1 };
  const map = { op: 'mmap', buf: 0, page: 0, pages: 1, prot: 'rw', kind: 'anon' };
  const run = (ret: string) => {
    const tasks = { a: [{ ...op, expect: { ret } }], b: [op] };
    write('p.json', JSON.stringify({ name: 'p', setup: [map], tasks }));
    return softleaf(['check', '--workers', '1', '--schedules', '2', 'p.json'], dir).code;
  };
  expect([run('ok'), run('EFAULT'), run('ok')]).toEqual([0, 1, 0]);
});
