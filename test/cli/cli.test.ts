import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { main } from '../../src/cli/cli.ts';
import { conformAll, conformCommand } from '../../src/cli/conform.ts';
import { readPrograms } from '../../src/cli/files.ts';
import { progressBar } from '../../src/cli/progress.ts';
import { runCommand } from '../../src/cli/run.ts';
import type { Terminal } from '../../src/cli/terminal.ts';
import { painter } from '../../src/cli/terminal.ts';
import { ProgramError } from '../../src/program/error.ts';
import type { RunOutcome } from '../../src/program/run-program.ts';
import * as runner from '../../src/program/run-program.ts';
import type { Program, Result } from '../../src/program/schema.ts';

const base = fileURLToPath(new URL('../../corpus/base.jsonl', import.meta.url));

function terminal(tty = false) {
  const text = { out: '', err: '' };
  const value: Terminal = {
    stdout: { isTTY: tty, write: (part) => (text.out += part) },
    stderr: { isTTY: tty, write: (part) => (text.err += part) },
    env: {},
  };
  return { ...value, text };
}

async function softleaf(...args: string[]) {
  const { text, ...on } = terminal();
  const code = await main(args, on);
  return { code, ...text };
}

const outcome = (results: Result[], findings: RunOutcome['findings'] = []): RunOutcome => ({
  results,
  counters: { walks: 2, flushes: 0 },
  findings,
  system: undefined as never,
});
/** A runner that gives what was recorded. */
const asRecorded = (program: Program) => outcome(program.results ?? []);
const finding = { title: 'WARN_ON(folio)', op: 1, stack: ['a', 'b'] };

let dir: string;
const file = (name: string, text: string) => {
  writeFileSync(join(dir, name), text);
  return join(dir, name);
};
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'softleaf-cli-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

describe('softleaf', () => {
  it.each([[['--help']], [['run', '--help']], [['conform', '--help']], [['demo', '--help']]])(
    '%j',
    async (args) => {
      const { code, out, err } = await softleaf(...args);
      expect(code).toBe(0);
      expect(out).toMatch(/Usage: softleaf[\s\S]*Exit codes:[\s\S]*Examples:/);
      expect(err).toBe('');
    },
  );

  it('--version', async () => {
    expect(await softleaf('--version')).toMatchObject({ code: 0, out: '0.1.0\n' });
  });

  it.each([
    ['no command', []],
    ['an unknown command', ['walk']],
    ['an unknown option', ['run', base, '--fast']],
    ['an unknown walk', ['conform', base, '--walk', 'fast']],
    ['a file that is not there', ['conform', 'nothing.jsonl']],
    ['a folder', ['run', '.']],
    ['a file of several programs', ['run', base]],
    ['a program that is not there', ['conform', base, '--only', 'nobody']],
  ])('exits 2 on %s, with a message on stderr', async (_, args) => {
    const { code, out, err } = await softleaf(...args);
    expect(code).toBe(2);
    expect(out).toBe('');
    expect(err).not.toBe('');
    expect(err).not.toMatch(/^ +at /m);
  });

  it('run names the place of a mistake', async () => {
    const path = file('bad.json', '{"name":"x","ops":[{"op":"fork","child":0}]}');
    expect(await softleaf('run', path)).toEqual({
      code: 2,
      out: '',
      err: `softleaf: ${path}:1:41: program "x", op 0 (fork), field "child": expected an integer from 1 to 15, got 0\n`,
    });
  });
});

describe('softleaf run', () => {
  const results = [{ ret: 'ok' }, { ret: 'ok' }];
  const op = { op: 'clear_soft_dirty' };
  const program = () => file('p.json', JSON.stringify({ name: 'p', ops: [op, op], results }));
  const run = (given: RunOutcome) => {
    const { text, ...on } = terminal();
    return runCommand(program(), { json: true }, on, () => given).then((code) => {
      return { code, ...text };
    });
  };

  it('--json prints name, results and counters', async () => {
    const { code, out } = await run(outcome(results));
    expect(code).toBe(0);
    expect(JSON.parse(out)).toEqual({ name: 'p', results, counters: { walks: 2, flushes: 0 } });
  });

  it.skipIf(Object.hasOwn(runner, 'isStub'))(
    'prints operations, picture and counters',
    async () => {
      const mmap = { op: 'mmap', buf: 2, page: 0, pages: 70, prot: 'rw', kind: 'anon' };
      const write = { op: 'cpu_write', buf: 2, page: 0, pages: 3, tag: 1 };
      const path = file(
        'text.json',
        JSON.stringify({ name: 't', comment: 'look', ops: [mmap, write] }),
      );
      const { code, out, err } = await softleaf('run', path);
      expect({ code, err }).toEqual({ code: 0, err: '' });
      expect(out).toMatch(
        /^t\nlook\n\n +0 {2}mmap buf 2 .* ok\n +1 {2}cpu_write .* ok {2}done 3\n/,
      );
      expect(out).toMatch(/proc 0 buf 2 +0 {2}\S{64}\n +64 {2}\S{6}\n/);
      expect(out).toMatch(/\ncounters\n( {2}\w+ +\d+\n)+/);
    },
  );

  it('exits 1 on a finding and on a difference', async () => {
    const found = await run(outcome(results, [finding]));
    expect(found.code).toBe(1);
    expect(JSON.parse(found.out).findings).toEqual([finding]);
    expect((await run(outcome([results[0], { ret: 'EINVAL' }]))).code).toBe(1);
  });
});

describe('softleaf conform', () => {
  const lines = () => readPrograms(base).programs;
  const known = new Map([['base-10000', { name: 'base-10000', mechanism: 'batches' }]]);
  const run = (options: object, runner = asRecorded, files = [base], tty = false) => {
    const { text, ...on } = terminal(tty);
    return { code: conformCommand(files, options, on, runner), ...text };
  };

  it('passes what is as recorded', () => {
    expect(run({})).toEqual({
      code: 0,
      out: '300 programs, 300 passed, 0 failed, 0 known differences\n',
      err: '',
    });
  });

  it('hands the walk to the runner', () => {
    const walks = new Set<unknown>();
    conformAll(lines(), known, {
      walk: 'collect',
      run: (program, options) => {
        walks.add(options?.walk);
        return asRecorded(program);
      },
    });
    expect([...walks]).toEqual(['collect']);
  });

  it('prints the program, the operation and both values of a failure', () => {
    const wrong = (program: Program) => {
      const results = structuredClone(program.results ?? []);
      if (program.name === 'base-10000') results[1] = { ret: 'EFAULT' };
      return outcome(results);
    };
    const { code, out } = run({}, wrong);
    expect(code).toBe(1);
    expect(out).toBe(
      'failed base-10000\n' +
        '  op 1: migrate_to_sys dev 1 buf 0 page 20 pages 2 proc 0\n' +
        '  recorded  ok  cpages 0\n' +
        '  run       EFAULT\n' +
        '300 programs, 299 passed, 1 failed, 0 known differences\n',
    );
    const json = JSON.parse(run({ json: true }, wrong).out);
    expect(json).toEqual({
      programs: 300,
      passed: 299,
      failed: [
        {
          name: 'base-10000',
          op: 1,
          field: 'ret',
          expected: { ret: 'ok', cpages: 0 },
          actual: { ret: 'EFAULT' },
        },
      ],
      knownDifferences: [],
      badLines: [],
    });
  });

  it('counts a finding as a failure', () => {
    const report = conformAll(lines().slice(0, 1), new Map(), {
      run: (program) => outcome(program.results ?? [], [finding]),
    });
    expect(report.failed).toMatchObject([{ op: 1, actual: { finding: finding.title } }]);
  });

  it("goes on after the model's own mistake", () => {
    const report = conformAll(lines(), new Map(), {
      run: (program) => {
        if (program.name === 'base-10000') throw new TypeError('broken');
        return asRecorded(program);
      },
    });
    expect(report).toMatchObject({ passed: 299, failed: [{ name: 'base-10000' }] });
    expect(JSON.stringify(report.failed)).toContain('TypeError: broken');
  });

  it('a known difference is neither passed nor failed', () => {
    const verdicts: unknown[] = [];
    const report = conformAll(lines().slice(0, 3), known, {
      run: () => outcome([]),
      each: (program, verdict) => verdicts.push([program.name, verdict]),
    });
    expect(report).toMatchObject({ programs: 3, passed: 0, knownDifferences: ['base-10000'] });
    expect(report.failed).toHaveLength(2);
    expect(verdicts[0]).toEqual(['base-10000', 'known difference']);
    expect(conformAll(lines(), known, { run: asRecorded })).toMatchObject({
      passed: 300,
      knownDifferences: [],
    });
  });

  it('names bad lines and runs the others', () => {
    const good = '{"name":"good","ops":[],"results":[]}';
    const unrecorded = '{"name":"unrecorded","ops":[]}';
    const path = file('mixed.jsonl', `${good}\n{"name":"cut","op\n${unrecorded}\n${good}\n`);
    const { code, out, err } = run({ json: true }, asRecorded, [path]);
    expect(code).toBe(2);
    expect(err).toContain(`${path}:2:15: no JSON`);
    expect(err).toContain(`${path}:3: program "unrecorded", field "results"`);
    const report = JSON.parse(out);
    expect(report).toMatchObject({ programs: 3, passed: 2, failed: [] });
    expect(report.badLines).toMatchObject([{ line: 2 }, { line: 3 }]);
  });

  it('a mistake found at run time is a bad line too', () => {
    const report = conformAll(lines().slice(0, 1), known, {
      run: () => {
        throw new ProgramError({ program: 'p', opIndex: 3 }, 'room', 'none');
      },
    });
    expect(report).toMatchObject({ passed: 0, failed: [], badLines: [{ file: base, line: 1 }] });
  });

  it('--only and --verbose', () => {
    const { out } = run({ only: 'base-10000', verbose: true });
    expect(out).toBe('passed base-10000\n1 program, 1 passed, 0 failed, 0 known differences\n');
  });
});

describe('the terminal', () => {
  it('has colour only on a terminal without NO_COLOR', () => {
    const { stdout } = terminal(true);
    expect(painter(stdout, {})('red', 'x')).toBe('\x1b[31mx\x1b[0m');
    expect(painter(stdout, { NO_COLOR: '1' })('red', 'x')).toBe('x');
    expect(painter(terminal(false).stdout, {})('red', 'x')).toBe('x');
  });

  it('has a progress bar only on a terminal and after two seconds', () => {
    const show = (tty: boolean, times: number[]) => {
      const on = terminal(tty);
      const clock = [0, ...times];
      const progress = progressBar(on, 4, () => clock.shift() ?? 0);
      for (const [i] of times.entries()) progress.at(i + 1);
      progress.clear();
      return on.text.err;
    };
    expect(show(true, [1000, 1999])).toBe('');
    expect(show(false, [3000])).toBe('');
    const bar = show(true, [1000, 2001]);
    expect(bar).toContain(`[${'#'.repeat(15)}${'.'.repeat(15)}] 2/4`);
    expect(bar.endsWith('\r\x1b[K')).toBe(true);
  });
});
