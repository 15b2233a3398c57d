/** What is no finding and no proof either: calls that do nothing, results that nobody looks at, tasks that never meet. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { root, softleaf } from '../support/cli.ts';

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'softleaf-warnings-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const check = (...args: string[]) => softleaf(['check', '--workers', '1', ...args], dir);

const GPU = join(root, 'examples/scenarios/lib/gpu.mjs');
/** The first eight lines of a module. */
const HEAD = `import { gpuRead, gpuReadAgainstUnmap } from '${GPU}';
import { ObjectKind, Role, StepKind } from 'softleaf/machine';
import { checkQuiescent, cpuWriteWord, madvise, munmap } from 'softleaf/mm';
import good from '${join(root, 'examples/scenarios/check-under-lock.mjs')}';
const step = (k, id = 1) => k.step(StepKind.Shared, ObjectKind.Program, id, Role.Write);
class Own { #secret = 0; bump() { return ++this.#secret; } }
const setup = (o) => Object.assign(good.setup(o), { count: 0, list: [], own: new Own() });
const of = (tasks) => ({ ...good, setup, check: ({ k }) => checkQuiescent(k), outcome: () => '', tasks });
`;
let modules = 0;
function moduleFile(text: string): string {
  const folder = join(dir, `m${++modules}`);
  mkdirSync(folder);
  writeFileSync(join(folder, 'mine.mjs'), HEAD + text);
  return join(folder, 'mine.mjs');
}

describe('a generator that was made and never run is bad input, with its place', () => {
  it.each([
    ['as a statement', 'yield step(k); munmap(k, mm, page, page + 1);', 'munmap', 10],
    ['as a condition', 'yield step(k);\nif (munmap(k, mm, page, page + 1)) return;', 'munmap', 11],
    ['as a number', 'yield step(k); return munmap(k, mm, page, page + 1) === 0;', 'munmap', 10],
    ['kept', 'yield step(k); const ret = munmap(k, mm, page, page + 1); return ret;', 'munmap', 10],
    ['of the module', 'yield step(k);\nown(k);', 'own', 11],
    ['a method of the module', 'yield step(k);\nthings.own(k);', 'own', 11],
    ['yielded', 'yield step(k); yield munmap(k, mm, page, page + 1);', 'munmap', 10],
    ['compared', 'yield step(k); if (munmap(k, mm, page, page + 1) < 0) return;', 'munmap', 10],
    ['told', 'yield step(k); return String(munmap(k, mm, page, page + 1));', 'munmap', 10],
    ['that a function gives', 'yield step(k); plain(k, mm, page);', 'plain', 10],
  ])('%s', (_, body, name, line) => {
    const file = moduleFile(`export default of({ *cpu({ k, mm, page }) {
${body} } });
function* own(k) { yield step(k); }
const things = { *own(k) { yield step(k); } };
function plain(k, mm, page) { return munmap(k, mm, page, page + 1); }
`);
    const { code, err } = check(file);
    expect(err).toMatch(/^softleaf: [^\n]+\n$/);
    expect(err).toContain(`\`${name}()\` was called without \`yield*\` (${file}:${line})`);
    expect(code).toBe(2);
  });

  it('where something breaks in every schedule before all have ended, too', () => {
    const file = moduleFile(`export default of({
  *cpu({ k, mm, page }) { yield step(k); const ret = munmap(k, mm, page, page + 1); return ret; },
  *other({ k }) { yield step(k); yield step(k); k.report('mine', 'it breaks'); yield step(k); },
});`);
    const { code, err } = check(file);
    expect(err).toContain(`\`munmap()\` was called without \`yield*\` (${file}:10)`);
    expect(code).toBe(2);
  });

  it('a step, too', () => {
    const file = moduleFile('export default of({ *cpu({ k }) { yield step(k);\nstep(k); } });');
    const { code, err } = check(file);
    expect(err).toContain(`the step of \`step()\` is not yielded (${file}:10)`);
    expect(code).toBe(2);
  });

  it('in setup()', () => {
    const file = moduleFile(
      'export default { ...good, setup(o) { const s = good.setup(o);\nmunmap(s.k, s.mm, s.page, s.page + 1); return s; } };',
    );
    const { code, err } = check(file);
    expect(err).toContain(`\`munmap()\` was called without \`yield*\` (${file}:10)`);
    expect(code).toBe(2);
  });
});

it.each([
  ['of the state', '{ k, mm, page, own }', 'munmap(k, own.mm, page, page + 1)', 'mm'],
  ['taken apart', '{ k, mn, page }', 'munmap(k, mn, page, page + 1)', 'mn'],
])('a field that is not there, and is handed to the model: %s', (_, state, call, field) => {
  const file = moduleFile(
    `export default of({ *cpu(${state}) { yield step(k);\nreturn yield* ${call}; } });`,
  );
  const { code, err } = check(file);
  expect(err).toContain(`: task cpu: there is no field "${field}" (${file}:`);
  expect(err).toMatch(/mine\.mjs:(9|10)\), and a modelled function is called with it: /);
  expect(code).toBe(2);
});

it('what the model follows and a field that may be missing have nothing to do with each other', () => {
  const file = moduleFile(
    `export default of({ *cpu({ k, mm, page, own }) { yield step(k);
const first = own.first ?? page; yield* munmap(k, mm, first, first + 1);
return yield* cpuWriteWord(k, undefined, page, 0, 1n); } });`,
  );
  const { code, out } = check(file);
  expect(out).toContain('follows what is not there');
  expect(code).toBe(1);
});

it('an error of the module is at its line', () => {
  const file = moduleFile(
    'export default of({ *cpu({ k, mm, page, own }) { yield step(k);\nown.tabel.push(1); } });',
  );
  const { code, err } = check(file);
  expect(err).toMatch(
    /: task cpu: TypeError: Cannot read properties of undefined \(reading 'push'\) /,
  );
  expect(err).toContain(`(${file}:10)`);
  expect(code).toBe(2);
});

/** The warnings of a module, with its folder taken out. */
function warningsOf(file: string, ...args: string[]): string[] {
  const { code, out, err } = check(file, '--json', '--strategy', 'exhaustive', ...args);
  expect({ code, err }).toEqual({ code: 0, err: '' });
  const { warnings } = JSON.parse(out) as { warnings: { text: string }[] };
  return warnings.map(({ text }) => text.replaceAll(file, 'mine.mjs'));
}

describe('fields of the state that no step guards', () => {
  const two = (a: string, b: string) =>
    moduleFile(`export default of({
      *a(state) { const { k, gpu } = state;\n${a} },
      *b(state) { const { k, gpu } = state;\n${b} },
    });`);
  const race = (key: string, a: string, b: string) =>
    `field "${key}": a ${a} it (mine.mjs:11), b ${b} it (mine.mjs:13), and no step between names a common object: the other order is not tried`;

  it.each([
    [
      'read',
      'yield step(k, 1); state.count = 1;',
      'yield step(k, 2); state.seen = state.count;',
      'count',
      'writes',
      'reads',
    ],
    [
      'written',
      'yield step(k, 1); state.count++;',
      'yield step(k, 2); state.count = 2;',
      'count',
      'writes',
      'writes',
    ],
    [
      'read before any step',
      'yield step(k, 1); state.count = 1;',
      'const { count } = state; yield step(k, 1);',
      'count',
      'writes',
      'reads',
    ],
    [
      'a list',
      'yield step(k, 1); state.list.push(1);',
      'yield step(k, 2); state.list.pop();',
      '(items)',
      'writes',
      'writes',
    ],
    [
      'an item',
      'yield step(k, 1); state.list[0] = 1;',
      'yield step(k, 2); state.first = state.list[0];',
      '0',
      'writes',
      'reads',
    ],
  ])('%s', (_, a, b, key, does, did) => {
    const file = two(a, b);
    expect(warningsOf(file)).toEqual([race(key, does, did)]);
    expect(warningsOf(file, '--no-fields')).not.toContain(race(key, does, did));
  });

  it('private ones as well', () => {
    const file = two('yield step(k, 1); state.own.bump();', 'yield step(k, 2); state.own.bump();');
    expect(warningsOf(file)).toEqual([
      'field "#secret": a writes it (mine.mjs:6), b writes it (mine.mjs:6), and no step between names a common object: the other order is not tried',
    ]);
  });

  it.each([
    ['a step on one object', 'yield step(k); state.count++;', 'yield step(k); state.count++;'],
    [
      'a lock',
      'yield k.acquire(gpu.lock); k.lock(gpu.lock); yield step(k, 1); state.count++; yield k.release(gpu.lock); k.unlock(gpu.lock);',
      'yield k.acquire(gpu.lock); k.lock(gpu.lock); yield step(k, 2); state.count++; yield k.release(gpu.lock); k.unlock(gpu.lock);',
    ],
    [
      'items of their own',
      'yield step(k); state.list[0] = 1;',
      'yield step(k); state.list[1] = 1;',
    ],
  ])('are not warned of with %s', (_, a, b) => {
    expect(warningsOf(two(a, b))).toEqual([]);
  });
});

describe('calls', () => {
  it('whose failure is ignored, and that fail always', () => {
    const file = moduleFile(`const fails = function* (k) { yield step(k); return -14; };
      export default of({ *a({ k }) { yield step(k);\nyield* fails(k); },
      *b({ k }) { yield step(k); } });`);
    expect(warningsOf(file)).toEqual([
      'fails() (mine.mjs:11) fails in every schedule: -EFAULT',
      'the result of fails() is ignored (mine.mjs:11), and it is -EFAULT in some schedule',
    ]);
  });

  it('that fail in one order alone, and are looked at', () => {
    const file =
      moduleFile(`const fails = function* (state) { yield step(state.k); return state.count ? -14 : 0; };
      export default of({ *a(state) { const ret = yield* fails(state); if (ret) return; },
      *b(state) { yield step(state.k); state.count = 1; } });`);
    expect(warningsOf(file)).toEqual([]);
  });
});

describe('programs', () => {
  const file = (name: string, setup: object[], tasks: object) => {
    writeFileSync(join(dir, name), JSON.stringify({ name, setup, tasks }, null, 1));
    return join(dir, name);
  };
  const map = { op: 'mmap', buf: 0, page: 0, pages: 2, prot: 'rw', kind: 'anon' };
  const write = (buf: number) => ({ op: 'cpu_write', buf, page: 0, pages: 1, tag: 2 });

  it('whose operations fail in every schedule, with their lines', () => {
    const path = file('fails.json', [map], { a: [write(0)], b: [write(1)], c: [write(0)] });
    const line = readFileSync(path, 'utf8').split('\n').indexOf('  "b": [') + 2;
    const { code, out } = check(path, '--fail-on-warning', '--strategy', 'exhaustive');
    expect(out).toMatch(/^proved: /);
    expect(out).toContain(
      `  warning: ${path}:${line}: "fails.json": operation 0 of b, cpu_write, fails in every schedule: SEGV\n`,
    );
    expect(code).toBe(3);
    expect(check(path, '--strategy', 'exhaustive').code).toBe(0);
  });

  it('that ask for the failure', () => {
    const asked = { ...write(1), expect: { ret: 'SEGV' } };
    const path = file('asked.json', [map], { a: [write(0)], b: [asked], c: [write(0)] });
    const { out } = check(path, '--strategy', 'exhaustive');
    expect(out).not.toContain('fails in every schedule');
  });

  it('whose tasks never meet, or that have one', () => {
    const maps = [map, { ...map, buf: 1 }];
    const read = (buf: number) => ({ op: 'cpu_read', buf, page: 0, pages: 1 });
    const written = [...maps, write(0), write(1)];
    const apart = file('apart.json', written, { a: [read(0)], b: [read(1)] });
    expect(warningsOf(apart)).toEqual([
      'the tasks never touch one object, locks aside: no order of them makes a difference',
    ]);
    const one = file('one.json', maps, { a: [write(0)] });
    expect(warningsOf(one)).toEqual(['there is one task alone, so that there is one order']);
    const both = file('both.json', maps, { a: [write(0)], b: [write(0)] });
    expect(warningsOf(both)).toEqual([]);
    expect(check(both, '--fail-on-warning', '--strategy', 'exhaustive').code).toBe(0);
  });
});
