/** What `softleaf check --resume` keeps, whatever ends it: signals, a full disk, another process. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { DEFAULT_PLAN, type JobResult } from '../../src/checker/index.ts';
import { lockFile } from '../../src/cli/check/lock.ts';
import type { CheckJob, Underway } from '../../src/cli/check/work.ts';
import { searchProgress } from '../../src/cli/progress.ts';
import { executable, root, softleaf } from '../support/cli.ts';

const scenario = (name: string) => join(root, 'scenarios', `${name}.json`);
/** A scenario whose search is over after some hundred schedules. */
const SOME_HUNDRED = scenario('eviction-against-device-fault');
const EXHAUSTIVE = ['--strategy', 'exhaustive'];

let dir: string;
let state: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'softleaf-resume-'));
  state = join(dir, 'run.json');
});
beforeEach(() => {
  for (const end of ['', '.lock', '.new']) rmSync(`${state}${end}`, { force: true });
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const check = (...args: string[]) => softleaf(['check', '--workers', '1', ...args], dir);
const checkJson = (...args: string[]) => {
  const { code, out } = check(...args, '--json');
  return { code, ...JSON.parse(out) };
};

/** A process of its own, and what it says. */
function start(...args: string[]) {
  const child = spawn(process.execPath, [executable, 'check', ...args], { cwd: dir });
  const said = { out: '', err: '' };
  child.stdout.on('data', (part) => {
    said.out += part;
  });
  child.stderr.on('data', (part) => {
    said.err += part;
  });
  const ended = new Promise<number | null>((done) => child.on('close', (code) => done(code)));
  return { child, said, ended };
}

/** Waits until something holds, as long as a process goes on. */
async function until(holds: () => boolean, child: ChildProcess): Promise<void> {
  while (!holds() && child.exitCode === null && child.signalCode === null) await setTimeout(20);
}

const kept = () => (existsSync(state) ? readFileSync(state, 'utf8') : '');
/** Schedules that the kept run has. */
const keptSchedules = (): number => {
  const [, body] = kept().split('\n');
  const { results } = JSON.parse(body) as { results: (JobResult | null)[] };
  return results.reduce((sum, result) => sum + (result?.schedules ?? 0), 0);
};

/**
 * A module whose scenario has a finding at once, and in which every check waits as long as the file `slow` is
 * there; `begun` appears with the first one.
 */
function slowModule() {
  const folder = mkdtempSync(join(dir, 'slow-'));
  const [slow, begun] = [join(folder, 'slow'), join(folder, 'begun')];
  writeFileSync(slow, '');
  const file = join(folder, 'slow.mjs');
  writeFileSync(
    file,
    `import { existsSync, writeFileSync } from 'node:fs';
     import { isMainThread } from 'node:worker_threads';
     import good from '${join(root, 'examples/scenarios/check-under-lock.mjs')}';
     const check = () => {
       if (!isMainThread && existsSync('${slow}')) {
         writeFileSync('${begun}', '');
         Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50);
       }
       return [{ invariant: 'x', title: 'it broke', where: 'here' }];
     };
     export default { ...good, check };`,
  );
  return { file, slow, begun };
}

describe('a run that is ended', () => {
  it('by SIGKILL, again and again, comes to the same as one that is not', async () => {
    const args = [SOME_HUNDRED, ...EXHAUSTIVE];
    const whole = checkJson(...args);
    const long = [...args, '--resume', state, '--keep-every', '0.1', '--json'];
    let least = 0;
    for (const workers of ['1', '2', '1']) {
      const { child, ended } = start(...long, '--workers', workers);
      const before = kept();
      await until(() => kept() !== before, child);
      child.kill('SIGKILL');
      await ended;
      if (!existsSync(state)) continue;
      expect(keptSchedules()).toBeGreaterThanOrEqual(least);
      least = keptSchedules();
    }
    expect(least).toBeGreaterThan(0);
    const rest = checkJson(...args, '--resume', state);
    expect(rest).toEqual(whole);
    expect(existsSync(state)).toBe(false);
  });

  it('by a signal says what happens, and what it found so far', async () => {
    const { file, begun, slow } = slowModule();
    const { child, said, ended } = start(file, '--workers', '1', ...EXHAUSTIVE, '--resume', state);
    await until(() => existsSync(begun), child);
    child.kill('SIGINT');
    // as `timeout` does, which signals the group as well
    child.kill('SIGINT');
    await until(() => said.err !== '', child);
    rmSync(slow);
    expect(await ended).toBe(1);
    expect(said.err).toBe(
      `softleaf: stopping: what is left to do is kept in ${state}, then what was found so far is told; once more gives that up\n`,
    );
    expect(said.out).toMatch(/^it broke in here\n/);
    expect(said.out).toContain(`kept in ${state}: the same command goes on from there\n`);
  });

  it('by two signals keeps what was found, and tells it when it goes on', async () => {
    const { file, begun, slow } = slowModule();
    const args = [file, ...EXHAUSTIVE, '--findings', '1'];
    const { child, said, ended } = start(...args, '--workers', '1', '--resume', state);
    await until(() => existsSync(begun), child);
    child.kill('SIGINT');
    await until(() => existsSync(state), child);
    await setTimeout(500);
    child.kill('SIGINT');
    expect(await ended).toBe(130);
    expect(said.out).toBe('');
    const [, last] = said.err.split('\n');
    expect(last).toBe(`softleaf: given up; what is left to do is kept in ${state}`);
    expect(existsSync(`${state}.lock`)).toBe(false);
    rmSync(slow);
    const { code, out } = check(...args, '--resume', state);
    expect(code).toBe(1);
    expect(out).toMatch(/^it broke in here\n/);
  });

  it('by a full disk keeps what was there before', () => {
    const args = [SOME_HUNDRED, ...EXHAUSTIVE, '--resume', state];
    check(...args, '--schedules', '50');
    const before = kept();
    // no file gets longer than a kilobyte
    const line = `ulimit -f 1; exec "$0" "$@"`;
    const more = [executable, 'check', '--workers', '1', ...args, '--schedules', '120'];
    const { status, stderr } = spawnSync('bash', ['-c', line, process.execPath, ...more], {
      encoding: 'utf8',
      cwd: dir,
    });
    expect(status).toBe(74);
    expect(stderr).toContain(`softleaf: ${state}: cannot be written: EFBIG`);
    expect(stderr).toContain('what it had before is still in it\n');
    expect(kept()).toBe(before);
    expect(existsSync(`${state}.new`)).toBe(false);
  });

  it.skipIf(!existsSync('/dev/full'))('by a report that cannot be written is kept', () => {
    const args = [SOME_HUNDRED, ...EXHAUSTIVE, '--resume', state, '--report', '/dev/full'];
    const { code, err } = check(...args);
    expect(code).toBe(74);
    expect(err).toMatch(/^softleaf: cannot write \/dev\/full: ENOSPC[^\n]*\n$/);
    expect(existsSync(state)).toBe(true);
    const again = checkJson(SOME_HUNDRED, ...EXHAUSTIVE, '--resume', state);
    expect(again).toMatchObject({ code: 0, verdict: 'proved' });
  });
});

describe('a file that was changed', () => {
  it('is refused, whatever was changed in it', () => {
    const args = [SOME_HUNDRED, ...EXHAUSTIVE, '--resume', state];
    check(...args, '--schedules', '50');
    const [head, body] = kept().split('\n');
    const saved = JSON.parse(body);
    const [{ at: _, ...rest }] = saved.results;
    const done = { ...saved, results: [{ ...rest, complete: true }] };
    const changed = [
      `${head}\n${JSON.stringify(done)}\n`,
      `${head}\n${body.slice(0, -100)}`,
      `${head}\n${body.replace('"schedules":50', '"schedules":51')}\n`,
      `${head}\n`,
      head,
      `${head}\n${body}\n\n`,
    ];
    for (const text of changed) {
      expect(text).not.toBe(kept());
      writeFileSync(state, text);
      const { code, out, err } = check(...args);
      expect({ code, out }).toEqual({ code: 2, out: '' });
      expect(err).toMatch(/^softleaf: .*run\.json: this file is damaged, .*\n$/);
      writeFileSync(state, `${head}\n${body}\n`);
    }
    expect(check(...args).code).toBe(0);
  });
});

describe('two processes on one file', () => {
  it('the second is refused, with the number of the first', async () => {
    const { file, begun, slow } = slowModule();
    const { child, ended } = start(file, '--workers', '1', ...EXHAUSTIVE, '--resume', state);
    await until(() => existsSync(begun), child);
    const { code, err } = check(file, ...EXHAUSTIVE, '--resume', state);
    expect(code).toBe(2);
    expect(err).toBe(
      `softleaf: ${state}: process ${child.pid} has it: wait for its end, or name another file\n`,
    );
    rmSync(slow);
    child.kill('SIGKILL');
    await ended;
    const next = check(file, ...EXHAUSTIVE, '--resume', state);
    expect(next.code).toBe(1);
    expect(next.err).toContain(`process ${child.pid} had it and is gone, this one goes on\n`);
    expect(existsSync(`${state}.lock`)).toBe(false);
  });

  it('a lock says which process, on which machine, since when', () => {
    const said: string[] = [];
    const lock = () => lockFile(state, (text) => said.push(text));
    const unlock = lock();
    expect(lock).toThrow(`process ${process.pid} has it`);
    unlock();
    const holder = { pid: process.pid, host: hostname(), start: 'another time' };
    writeFileSync(`${state}.lock`, JSON.stringify(holder));
    // its number is another's now
    if (existsSync('/proc/self/stat')) {
      lock()();
      expect(said).toEqual([expect.stringContaining('had it and is gone')]);
    }
    writeFileSync(`${state}.lock`, JSON.stringify({ ...holder, host: 'another' }));
    expect(lock).toThrow(`process ${process.pid} on another has it`);
    writeFileSync(`${state}.lock`, 'no lock of ours');
    lock()();
  });
});

describe('outputs', () => {
  it('do not go where an input is, or another output', () => {
    const own = join(dir, 'own.json');
    const text = readFileSync(SOME_HUNDRED, 'utf8');
    writeFileSync(own, text);
    mkdirSync(join(dir, 'in'), { recursive: true });
    for (const [flag, file] of [
      ['--report', own],
      ['--report', join(dir, 'in', '..', 'own.json')],
      ['--resume', own],
    ]) {
      const { code, err } = check(own, flag, file);
      expect(code).toBe(2);
      expect(err).toContain(`softleaf: ${flag} ${file}: would write over ${own}`);
      expect(readFileSync(own, 'utf8')).toBe(text);
    }
    expect(check(own, '--report', state, '--resume', state).code).toBe(2);
  });
});

describe('progress', () => {
  const job = (schedules: number): CheckJob => ({
    file: SOME_HUNDRED,
    name: JSON.parse(readFileSync(SOME_HUNDRED, 'utf8')).name,
    walk: 'unified',
    plan: { ...DEFAULT_PLAN, schedules, part: 20 },
  });

  it('is told of all that is tried, also of a run that pauses to be kept', async () => {
    const built = (name: string) => import(join(root, `dist/cli/check/${name}.js`));
    const { doJobs }: typeof import('../../src/cli/check/jobs.ts') = await built('jobs');
    const { Pool }: typeof import('../../src/cli/check/pool.ts') = await built('pool');
    const mistaken = (message: string) => expect.fail(message);
    const stop = new Int32Array(new SharedArrayBuffer(4));
    const said: Underway[] = [];
    const pool = new Pool(2, { stop, underway: (_, so) => said.push(so) });
    const whole = await doJobs([job(60)], pool, { stop, mistaken });
    said.length = 0;
    const kept: number[] = [];
    const paused = await doJobs([job(60)], pool, {
      stop,
      mistaken,
      keep: { every: 5, write: ([result]) => kept.push(result?.schedules ?? 0) },
    });
    await pool.end();
    /** In which order something was come across first says nothing. */
    const inOrder = ([one]: (JobResult | null)[]) => {
      const { ran = [], pairs = [], entries = [] } = one?.coverage ?? {};
      const [p, e] = [pairs, entries].map((list) => list.map((item) => item.join('\n')).sort());
      return { ...one, coverage: [[...ran].sort(), p, e] };
    };
    expect(inOrder(paused)).toEqual(inOrder(whole));
    expect(kept.length).toBeGreaterThan(1);
    expect(kept).toEqual([...kept].sort((a, b) => a - b));
    const [result] = paused;
    expect(said.reduce((sum, { schedules }) => sum + schedules, 0)).toBe(60);
    const outcomes = new Set(said.flatMap((so) => so.outcomes));
    expect(outcomes).toEqual(new Set(result?.outcomes));
    expect(Math.max(...said.map(({ longest }) => longest))).toBeGreaterThan(50);
  });

  it('of one scenario: schedules, how many a second, ends, steps and time', () => {
    let text = '';
    const stream = { isTTY: true, columns: 200, write: (part: string) => (text += part) };
    let time = 0;
    const progress = searchProgress({ stdout: stream, stderr: stream, env: {} }, () => time);
    progress.begin(1, 90_000);
    progress.tried({ schedules: 100, outcomes: ['a', 'b'], longest: 40 });
    expect(text).toBe('');
    time = 10_000;
    progress.tried({ schedules: 200, outcomes: ['b', 'c'], longest: 30 });
    expect(text).toBe('\r300 schedules  30/s  3 different ends  up to 40 steps  0:10 of 1:30');
    text = '';
    progress.clear();
    expect(text).toBe('\r\x1b[K');
  });
});
