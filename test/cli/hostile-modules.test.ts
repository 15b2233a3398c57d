/** Modules that exit, hang, run out of memory, reject or throw: each ends its own scenario, with a message. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { executable, root, softleaf } from '../support/cli.ts';

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'softleaf-hostile-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const GOOD = join(root, 'examples/scenarios/check-under-lock.mjs');
const NAME = 'a GPU that checks under its lock';
/** What the module says after it has imported a scenario that works. */
const HEAD = `import good from '${GOOD}';
import { ObjectKind, Role, StepKind } from 'softleaf/machine';
const step = (k) => k.step(StepKind.Shared, ObjectKind.Program, 1, Role.Write);
const withTask = (cpu) => ({ ...good, tasks: { ...good.tasks, cpu } });
const withoutEnd = () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
`;
let modules = 0;
function moduleFile(text: string): string {
  const folder = join(dir, `m${++modules}`);
  mkdirSync(folder);
  writeFileSync(join(folder, 'mine.mjs'), `${HEAD}${text}\n`);
  return join(folder, 'mine.mjs');
}
const check = (...args: string[]) =>
  softleaf(['check', '--workers', '1', '--strategy', 'exhaustive', ...args], dir);

/** Whether a message is one line that names the file, and the scenario where there is one. */
function expectLine(err: string, file: string, name: string | null): void {
  expect(err).toMatch(/^softleaf: [^\n]+\n$/);
  expect(err).toContain(name === null ? `${file}: ` : `${file}: "${name}": `);
}

describe('before anything was searched', () => {
  it.each([
    ['exits when it is imported', 'process.exit(0); export default good;', 'process.exit, 0'],
    [
      'is rejected by nobody',
      "Promise.reject(new Error('lost')); export default good;",
      'Error: lost',
    ],
    [
      'has a getter that throws',
      "export default { ...good, get tasks() { throw new Error('gone'); } };",
      'Error: gone',
    ],
    ['throws no error', "throw 'text'; export default good;", 'text'],
    [
      'fails in a timer',
      "setTimeout(() => { throw new Error('late'); }, 0); export default good;",
      'Error: late',
    ],
  ])('a module that %s', (_, text, why) => {
    const file = moduleFile(text);
    const { code, out, err } = check(file);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expectLine(err.replace('cannot load ', ''), file, null);
    expect(err).toContain(why);
  });

  it.each([
    [
      'exits in its setup',
      'export default { ...good, setup() { process.exit(0); } };',
      'process.exit, 0',
    ],
    [
      'has a kernel() that throws',
      "export default { ...good, kernel() { throw new Error('none'); } };",
      'Error: none',
    ],
    [
      'has a task that throws null',
      'export default withTask(() => { throw null; });',
      '.tasks.cpu throws',
    ],
    [
      'has an async generator for a task',
      'export default withTask(async function* ({ k }) { yield step(k); });',
      'an async generator',
    ],
  ])('a scenario that %s', (_, text, why) => {
    const file = moduleFile(text);
    const { code, out, err } = check(file);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expectLine(err, file, NAME);
    expect(err).toContain(why);
  });

  it('a module whose import has no end', () => {
    const file = moduleFile('await new Promise(() => {}); export default good;');
    const { code, out, err } = check(file, '--hang', '3');
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expectLine(err, file, null);
    expect(err).toContain('no sign of life for 3 s (--hang)');
  });
});

describe('while it is searched', () => {
  it.each([
    ['exits in check()', 'check() { process.exit(1); }', 'process.exit, 1'],
    [
      'leaves a promise that is rejected',
      "check() { Promise.reject(new Error('lost')); return []; }",
      'Error: lost',
    ],
    ['has an outcome() that throws', "outcome() { throw 'text'; }", 'outcome() throws "text"'],
    [
      'has an iterator of its own that returns nothing',
      'tasks: { cpu: () => ({ next() {}, [Symbol.iterator]() { return this; } }) }',
      'next() returned nothing',
    ],
  ])('a scenario that %s; the other one is proved', (_, field, why) => {
    const file = moduleFile(
      `export default [{ ...good, ${field} }, { ...good, name: 'the other' }];`,
    );
    const { code, out, err } = check(file, '--json');
    expect(code).toBe(2);
    expectLine(err, file, NAME);
    expect(err).toContain(why);
    const { verdict, mistakes, coverage } = JSON.parse(out);
    expect({ verdict, mistakes }).toEqual({
      verdict: 'nothing-found',
      mistakes: [err.trim().replace('softleaf: ', '')],
    });
    expect(coverage).toMatchObject({ cases: 2, proved: 1, bounds: ['bad input'] });
  });

  it.each([
    ['waits for ever', 'withoutEnd();'],
    ['has a loop without end', 'for (;;);'],
  ])('a task that %s; what was searched is kept', (_, statement) => {
    // it goes wrong in the second search: the first one's 200 schedules are told
    const file = moduleFile(`let schedules = 0;
      export default [
        withTask(function* ({ k }) { yield step(k); if (schedules++ > 220) { ${statement} } }),
        { ...good, name: 'the other' },
      ];`);
    const { code, out, err } = softleaf(['check', file, '--workers', '1', '--hang', '4'], dir);
    expect(code).toBe(2);
    expectLine(err, file, NAME);
    expect(err).toContain('no sign of life for 4 s (--hang)');
    expect(out).toMatch(/^nothing found, which is no proof: .*; 1 of 2 are proved\n/);
    expect(Number(/tried: +(\d+) schedules of 2 scenarios/.exec(out)?.[1])).toBeGreaterThan(199);
  });

  it('a task that runs out of memory', async () => {
    const file = moduleFile(`export default { ...good, check() {
      const all = []; for (;;) all.push(new Array(10_000).fill(0.5));
    } };`);
    const args = ['--max-old-space-size=128', executable, 'check', file, '--workers', '1'];
    const child = spawn(process.execPath, args, { cwd: dir });
    let err = '';
    child.stderr.setEncoding('utf8').on('data', (text) => {
      err += text;
    });
    const [code] = await once(child, 'close');
    expect(code).toBe(2);
    const line = err.split('\n').find((one) => one.startsWith('softleaf: '));
    expectLine(`${line}\n`, file, NAME);
    expect(line).toContain('memory');
  });

  it('a module that prints: beside what is printed', () => {
    const file = moduleFile(`export default { ...good, check(state) {
      console.log('hello'); return good.check(state);
    } };`);
    const { code, out, err } = check(file, '--json');
    expect(code).toBe(0);
    expect(err).toContain('hello\n');
    expect(JSON.parse(out).verdict).toBe('proved');
  });

  it('one that does not come to its end is given up some seconds after Ctrl-C', async () => {
    const file = moduleFile(`export default { ...good, check() {
      console.log('for ever'); withoutEnd();
    } };`);
    const child = spawn(process.execPath, [executable, 'check', file, '--workers', '1'], {
      cwd: dir,
    });
    child.stderr.setEncoding('utf8').once('data', () => child.kill('SIGINT'));
    let out = '';
    child.stdout.setEncoding('utf8').on('data', (text) => {
      out += text;
    });
    const [code] = await once(child, 'close');
    expect(code).toBe(130);
    expect(out).toMatch(/^nothing found, which is no proof/);
    expect(out).toContain('interrupted');
  });
});

it('a module of many scenarios: each is set up as often as one of few', () => {
  const setups = (many: number): number => {
    const file = moduleFile(`const one = (_, i) => ({ ...good, name: String(i),
        setup(o) { console.log('set up'); return good.setup(o); } });
      export default Array.from({ length: ${many} }, one);`);
    const { code, err } = check(file, '--schedules', '2');
    expect(code).toBe(0);
    return err.split('set up\n').length - 1;
  };
  const few = setups(2);
  expect(few).toBeGreaterThan(0);
  expect(setups(12)).toBe(6 * few);
});

it('a task called __proto__ is a task like others', () => {
  const file = moduleFile(
    "export default { ...good, tasks: { ...good.tasks, ['__proto__']: good.tasks.cpu } };",
  );
  const { code, err } = check(file, '--schedules', '20');
  expect({ code, err }).toEqual({ code: 0, err: '' });
});
