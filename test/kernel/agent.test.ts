/**
 * The agent on the kernel that runs this test: operations that need no test driver give what the model gives.
 * Without a C compiler that links statically it is left out, and shown as such.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { check, Exhaustive, programScenario } from '../../src/checker/index.ts';
import { agentFile } from '../../src/kernel/agent.ts';
import { parseConcurrentProgram, parseProgram, runProgram } from '../../src/program/index.ts';

const sources = fileURLToPath(new URL('../../agent', import.meta.url));

/** Whether there is what the agent is compiled with. */
function canCompile(): boolean {
  const input = 'int main(void) { return 0; }';
  const args = ['-static', '-x', 'c', '-o', '/dev/null', '-'];
  const compilers = ['musl-gcc', 'gcc', 'cc', 'clang'];
  return (
    process.platform === 'linux' &&
    process.arch === 'x64' &&
    compilers.some((compiler) => spawnSync(compiler, args, { input }).status === 0)
  );
}

const map = (kind: string, more: object = {}) => {
  return { op: 'mmap', buf: 0, page: 0, pages: 8, prot: 'rw', kind, ...more };
};
const range = { buf: 0, page: 0, pages: 8 };
const first = { buf: 0, page: 0, pages: 4 };

/** Programs whose results no version of Linux should change. */
const PROGRAMS = [
  {
    name: 'private memory, a child and its copy',
    ops: [
      map('anon'),
      { op: 'cpu_write', ...first, tag: 1 },
      { op: 'fork', child: 1 },
      { op: 'cpu_write', ...first, proc: 1, tag: 2 },
      { op: 'cpu_read', ...range },
      { op: 'cpu_read', ...range, proc: 1 },
      { op: 'mprotect', ...first, prot: 'r' },
      { op: 'cpu_write', ...range, tag: 3 },
      { op: 'munmap', buf: 0, page: 2, pages: 2 },
      { op: 'cpu_read', ...range },
      map('anon'),
      { op: 'mprotect', ...range, prot: 'rw' },
      { op: 'madvise', ...range, advice: 'populate_write' },
      { op: 'exit', proc: 0 },
      { op: 'cpu_read', ...range, proc: 1 },
    ],
  },
  {
    name: 'files, moved',
    ops: [
      map('file-shared'),
      { op: 'file_write', buf: 0, page: 2, pages: 2, tag: 7 },
      { op: 'cpu_read', ...range },
      { op: 'mremap', ...first, toBuf: 1, toPage: 16 },
      { op: 'file_read', buf: 1, page: 16, pages: 4 },
      { op: 'file_read', ...range },
      { op: 'fork', child: 3 },
      { op: 'cpu_write', proc: 3, buf: 1, page: 16, pages: 1, tag: 9 },
      { op: 'file_read', buf: 1, page: 16, pages: 2 },
      { op: 'munmap', ...range },
      { op: 'file_read', proc: 3, buf: 0, page: 4, pages: 1 },
      { op: 'file_read', buf: 0, page: 4, pages: 1 },
    ],
  },
  {
    name: 'memory that is dropped, held and shared',
    ops: [
      map('anon'),
      map('anon-shared', { buf: 1 }),
      map('file-private', { buf: 2 }),
      { op: 'cpu_write', ...range, tag: 1 },
      { op: 'cpu_write', ...range, buf: 1, tag: 2 },
      { op: 'cpu_write', ...range, buf: 2, tag: 3 },
      { op: 'pin', id: 0, buf: 0, page: 1 },
      ...[0, 1, 2].map((buf) => ({ op: 'madvise', ...first, buf, advice: 'dontneed' })),
      ...[0, 1, 2].map((buf) => ({ op: 'cpu_read', ...range, buf })),
      { op: 'unpin', id: 0 },
      { op: 'unpin', id: 1 },
      map('anon', { buf: 3, prot: 'none' }),
      { op: 'cpu_read', ...range, buf: 3 },
      { op: 'mremap', ...range, buf: 3, toBuf: 3, toPage: 4 },
    ],
  },
].map((value) => parseProgram(value));

/** Tasks, in a geometry in which all of their schedules are soon tried: nothing is missing that a fault would bring. */
const machine = { pageBytes: 16, pmdOrder: 2, mended: false };
const two = { buf: 0, page: 0, pages: 2 };
const write = (tag: number) => ({ op: 'cpu_write', ...two, tag });
const read = { op: 'cpu_read', ...two };
const second = { buf: 0, page: 1, pages: 1 };
const own = [map('anon', { pages: 2 }), write(9)];
const CONCURRENT = [
  { name: 'two write', setup: own, tasks: { a: [write(1)], b: [write(2)] } },
  {
    name: 'a page is written as it becomes read-only',
    setup: own,
    tasks: { a: [write(1)], b: [{ op: 'mprotect', ...second, prot: 'r' }] },
  },
  {
    name: 'a page is written as it goes',
    setup: own,
    tasks: { a: [write(1)], b: [{ op: 'munmap', ...second }] },
  },
  {
    name: 'a child reads what its parent writes',
    setup: [
      map('anon-shared', { pages: 2 }),
      write(9),
      { op: 'fork', child: 1 },
      { ...read, proc: 1 },
    ],
    tasks: { a: [write(1)], b: [{ ...read, proc: 1 }] },
  },
].map((program) => ({ ...program, machine, after: [read] }));

describe.skipIf(!canCompile())('the agent on this kernel', () => {
  let cache: string;
  let agent: string;
  beforeAll(() => {
    cache = mkdtempSync(join(tmpdir(), 'softleaf-agent-'));
    agent = agentFile(sources, { ...process.env, XDG_CACHE_HOME: cache });
  });
  afterAll(() => rmSync(cache, { recursive: true, force: true }));

  /** What the agent says: of what there is, then of each line. */
  function ask(lines: readonly string[], wanted = (_: { round?: number }) => true) {
    const input = lines.join('\n');
    const { stdout, status } = spawnSync(agent, { input, encoding: 'utf8' });
    expect(status).toBe(0);
    const said = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    const [hello, ...answers] = said.filter(wanted);
    expect(hello).toMatchObject({ hello: 'softleaf-agent', protocol: 1 });
    expect(answers).toHaveLength(lines.length);
    return { hello, answers };
  }

  it('gives what the model gives', () => {
    const { answers } = ask(PROGRAMS.map((program) => JSON.stringify(program)));
    const model = PROGRAMS.map((program) => {
      return { name: program.name, results: runProgram(program).results };
    });
    expect(answers).toEqual(model);
  });

  it('answers in order: names as they came, programs it cannot run, mistakes', () => {
    const lines = [
      '{"name": "a \\"name\\" \\u00e9", "ops": []}',
      '{"name": "reaper", "ops": [{"op": "oom_reap"}]}',
      '{"name": "b", "ops": [{"op": "mapp"}]}',
      '{"name": "b", "ops": [{"op": "cpu_read", "buf": 0, "page": 0}]}',
      '{"name": "b", "ops": [{"op": "cpu_read", "buf": 60, "page": 0, "pages": 1}]}',
      '{"name": "b", "ops": [{"op": "exit", "proc": 1}]}',
      '{"name": "b", "ops": [',
      '[]',
      '{"name": "last", "ops": [{"op": "exit"}], "comment": ["[{", {"a": [1, null]}]}',
    ];
    const { answers } = ask(lines);
    expect(answers).toEqual([
      { name: 'a "name" é', results: [] },
      { name: 'reaper', skipped: 'no system call is an OOM reaper' },
      { bad: 'op 0: no operation is called mapp' },
      { bad: 'op 0 (cpu_read): no pages' },
      { bad: 'op 0: buf is no number from 0 to 59' },
      { bad: 'op 0 (exit): there is no process 1' },
      { bad: 'op 0: no object' },
      { bad: 'no program (a JSON object)' },
      { name: 'last', results: [{ ret: 'ok' }] },
    ]);
  });

  it('goes on behind a program that takes too long, and leaves nothing of it', () => {
    const { hello, answers } = ask([
      '{"name": "waits", "seconds": 1, "ops": [{"op": "fork", "child": 1}, {"op": "uffd_serve", "faults": 1, "tag": 1, "proc": 1}]}',
      '{"name": "next", "ops": [{"op": "fork", "child": 1}]}',
    ]);
    const waited = hello.has.includes('userfaultfd')
      ? { name: 'waits', results: [{ ret: 'ok' }], hung: 1 }
      : { name: 'waits', skipped: 'this kernel has no userfaultfd, or does not allow it' };
    expect(answers).toEqual([waited, { name: 'next', results: [{ ret: 'ok' }] }]);
  });

  it('runs tasks at the same time: what comes of it is what some schedule of the model comes to', () => {
    const programs = CONCURRENT.map((value) => parseConcurrentProgram(value));
    const { answers } = ask(
      programs.map((program) => JSON.stringify({ ...program, rounds: 100 })),
      ({ round }) => round === undefined,
    );
    for (const [i, program] of programs.entries()) {
      const { outcomes, ...rest } = answers[i];
      const { setup, ...counts } = rest;
      expect(counts).toEqual({ name: program.name, rounds: 100, lost: 0 });
      expect(setup).toHaveLength(program.setup.length);
      for (const { ret } of setup) expect(ret).toBe('ok');
      const { table, complete } = check(programScenario(program), {
        strategy: (tasks) => new Exhaustive(tasks, {}),
        table: true,
      });
      expect(complete).toBe(true);
      const allowed = table.map(({ outcome }) => JSON.parse(outcome));
      let rounds = 0;
      for (const [count, outcome] of outcomes) {
        rounds += count;
        expect(allowed).toContainEqual(outcome);
      }
      expect(rounds).toBe(100);
    }
  });

  it('does not run tasks that are of several processes, or that end one', () => {
    const setup = [map('anon'), { op: 'fork', child: 1 }];
    const both = { name: 'both', setup, tasks: { a: [read, { ...read, proc: 1 }], b: [read] } };
    const exits = { name: 'exits', setup, tasks: { a: [read], b: [{ op: 'exit', proc: 1 }] } };
    const gone = { name: 'gone', setup, tasks: { a: [{ ...read, proc: 2 }] } };
    expect(ask([both, exits, gone].map((value) => JSON.stringify(value))).answers).toEqual([
      { name: 'both', skipped: 'one of its tasks is of several processes' },
      { name: 'exits', skipped: 'a process exits while others run' },
      { bad: 'op 0 (cpu_read): there is no process 2' },
    ]);
  });

  it('is compiled once', () => {
    const env = { ...process.env, XDG_CACHE_HOME: cache, CC: 'no-such-compiler' };
    expect(agentFile(sources, env)).toBe(agent);
  });
});

it('without a compiler the message says what is needed', () => {
  const cache = mkdtempSync(join(tmpdir(), 'softleaf-agent-'));
  const env = { ...process.env, XDG_CACHE_HOME: cache, CC: 'no-such-compiler' };
  expect(() => agentFile(sources, env)).toThrow(
    /a C compiler and a static C library; or --agent FILE\):\n {2}no-such-compiler: not there$/,
  );
  const failing = join(cache, 'failing');
  writeFileSync(failing, '#!/bin/sh\necho "main.c:1: error: no" >&2; exit 1\n', { mode: 0o755 });
  expect(() => agentFile(sources, { ...env, CC: failing })).toThrow(
    /failing: main.c:1: error: no$/,
  );
  expect(existsSync(join(cache, 'softleaf'))).toBe(true);
  rmSync(cache, { recursive: true, force: true });
});
