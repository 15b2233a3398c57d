/** The small commands: init, list, ops; and what run has besides. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { main } from '../../src/cli/cli.ts';
import { readAnyProgram } from '../../src/cli/files.ts';
import { listed } from '../../src/cli/list.ts';
import { exampleOf } from '../../src/cli/ops.ts';
import { runCommand } from '../../src/cli/run.ts';
import { shellWord } from '../../src/cli/shell.ts';
import { jsonLine, type Terminal } from '../../src/cli/terminal.ts';
import { OPS, type OpName } from '../../src/program/ops.ts';
import { isConcurrent, parseProgram } from '../../src/program/schema.ts';

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'softleaf-commands-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));
const file = (name: string, text: string | Uint8Array) => {
  writeFileSync(join(dir, name), text);
  return join(dir, name);
};

async function softleaf(...args: string[]) {
  const text = { out: '', err: '' };
  const on: Terminal = {
    stdout: { write: (part) => (text.out += part) },
    stderr: { write: (part) => (text.err += part) },
    env: {},
  };
  return { code: await main(args, on), ...text };
}

describe('softleaf init', () => {
  it('program: writes one that is read, with a schema that is there, and no second time', async () => {
    const path = join(dir, 'mine.jsonc');
    const { code, out } = await softleaf('init', 'program', path);
    expect(code).toBe(0);
    expect(out).toContain(`softleaf check ${path}`);
    const program = readAnyProgram(path);
    expect(isConcurrent(program)).toBe(true);
    const [, schema = ''] = /"\$schema": "(.*)"/.exec(readFileSync(path, 'utf8')) ?? [];
    expect(JSON.parse(readFileSync(new URL(schema), 'utf8')).title).toMatch(/memory program/);
    const before = readFileSync(path, 'utf8');
    expect(await softleaf('init', 'program', path)).toMatchObject({ code: 2, out: '' });
    expect(readFileSync(path, 'utf8')).toBe(before);
  });

  it('driver: writes the scenario and the driver, or neither', async () => {
    const path = join(dir, 'driver.mjs');
    expect((await softleaf('init', 'driver', path)).code).toBe(0);
    expect(readFileSync(path, 'utf8')).toContain("from './gpu.mjs'");
    expect(readFileSync(join(dir, 'gpu.mjs'), 'utf8')).toContain('export class Gpu');
    rmSync(path);
    expect(await softleaf('init', 'driver', path)).toMatchObject({ code: 2 });
    expect(readdirSync(dir)).not.toContain('driver.mjs');
  });

  it('knows what there is to write', async () => {
    expect((await softleaf('init', 'module')).code).toBe(2);
  });
});

describe('softleaf list', () => {
  it('has a line about everything that ships', async () => {
    const all = listed();
    expect(all.length).toBeGreaterThan(80);
    for (const { file, about } of all) expect(about, file).toMatch(/^\S.{10,}$/);
    const { code, out } = await softleaf('list', '--json');
    expect(code).toBe(0);
    expect(JSON.parse(out)).toEqual(all);
    expect((await softleaf('list')).out).toContain('huge-pages.json');
  });
});

describe('softleaf ops', () => {
  it('has a line for every operation', async () => {
    const { code, out } = await softleaf('ops');
    expect(code).toBe(0);
    for (const name of Object.keys(OPS)) expect(out).toMatch(new RegExp(`^${name} +\\S`, 'm'));
  });

  it.each(Object.keys(OPS) as OpName[])('%s: its fields, and one that is read', async (name) => {
    const { code, out } = await softleaf('ops', name);
    expect(code).toBe(0);
    for (const [field, spec] of Object.entries(OPS[name])) {
      expect(out).toMatch(new RegExp(`^ +${field} +\\S`, 'm'));
      if (spec.kind === 'choice')
        for (const value of spec.values) expect(out).toMatch(new RegExp(`^ +${value} +\\S`, 'm'));
    }
    const last = out.trimEnd().split('\n').at(-1) as string;
    expect(JSON.parse(last)).toEqual(exampleOf(name));
    expect(parseProgram({ name: 'p', ops: [JSON.parse(last)] }).ops).toHaveLength(1);
  });

  it('says what was meant', async () => {
    expect((await softleaf('ops', 'cpu_raed')).err).toContain('did you mean "cpu_read"?');
  });
});

const PROGRAM = {
  name: 'p',
  ops: [
    { op: 'mmap', buf: 0, page: 0, pages: 2, prot: 'rw', kind: 'anon' },
    { op: 'fault_migrate_to_dev', dev: 0, buf: 0, page: 0, pages: 2, write: 1 },
  ],
};

describe('softleaf run', () => {
  it('--compare shows counters that differ, and says that results do not', async () => {
    const path = file('compare.json', JSON.stringify(PROGRAM));
    const { code, out } = await softleaf('run', path, '--compare', 'collect,unified');
    expect(code).toBe(0);
    expect(out).toMatch(/^ {2}counters +collect +unified$/m);
    expect(out).toMatch(/^ {2}walks +\d+ +\d+$/m);
    expect(out).toMatch(/the same results\n$/);
    const json = await softleaf('run', path, '--compare', 'collect,unified', '--json');
    expect(JSON.parse(json.out)).toMatchObject({
      same: true,
      runs: [{ walk: 'collect' }, { walk: 'unified' }],
    });
    for (const walks of ['collect', 'collect,collect', 'collect,x', 'a,b,c'])
      expect((await softleaf('run', path, '--compare', walks)).code).toBe(2);
  });

  it('--trace has every step, with what it changed, under its operation', async () => {
    const path = file('trace.json', JSON.stringify(PROGRAM));
    const { code, out } = await softleaf('run', path, '--trace');
    expect(code).toBe(0);
    const heads = out.match(/^cpu: op \d .*$/gm);
    expect(heads?.map((head) => head.slice(0, 20))).toEqual([
      'cpu: op 0  mmap buf ',
      'cpu: op 1  fault_mig',
    ]);
    const steps = [...out.matchAll(/^ *(\d+) {2}\S.*$/gm)].map(([, at]) => Number(at));
    expect(steps.length).toBeGreaterThan(50);
    expect(steps).toEqual(steps.map((_, i) => i));
    expect(out).toMatch(/^ +\d+ {2}takes the mmap_lock of process 0 {2}\w+$/m);
    expect(out).toMatch(/^ {10}\S/m);
  });

  it('--watch runs again when the file has changed, whatever was in it', async () => {
    const path = file('watch.json', JSON.stringify(PROGRAM));
    const text = { out: '', err: '' };
    const said = (what: RegExp, where: 'out' | 'err') =>
      expect.poll(() => text[where], { timeout: 30_000 }).toMatch(what);
    let stop = () => {};
    const on: Terminal = {
      stdout: { write: (part) => (text.out += part) },
      stderr: { write: (part) => (text.err += part) },
      env: {},
    };
    const end = () =>
      new Promise<void>((done) => {
        stop = done;
      });
    const running = runCommand(path, { watch: true, json: true }, on, undefined, end);
    await said(/watching/, 'err');
    file('watch.json', '{"name": "p", "ops": [}');
    await said(/watch\.json:1:23: no JSON/, 'err');
    file('watch.json', JSON.stringify({ ...PROGRAM, name: 'another' }));
    await said(/"name":"another"/, 'out');
    stop();
    expect(await running).toBe(0);
  });
});

describe('a file with mistakes', () => {
  const wrong = `{
  // two tasks
  "name": "p",
  "ops": [
    { "op": "mmapp", "buf": 0 },
    { "op": "cpu_read", "buf": 0, "page": 0, "pages": 0, "pag": 1 },
  ],
}`;

  it('has all of them told, with line and column, and what was meant', async () => {
    const path = file('wrong.jsonc', wrong);
    const { code, err } = await softleaf('run', path);
    expect(code).toBe(2);
    const lines = err.trimEnd().split('\n');
    expect(lines.map((line) => line.replace(`softleaf: ${path}:`, '').slice(0, 5))).toEqual(
      ['5:13:', '6:58:', '6:55:'].map((start) => start.slice(0, 5)),
    );
    expect(lines[0]).toContain('did you mean "mmap"?');
    expect(lines[1]).toContain('did you mean "page"?');
    expect((await softleaf('check', path)).err).toBe(err);
    expect((await softleaf('conform', path)).err).toBe(err);
  });

  it('one a line: the line of the file', async () => {
    const good = '{"name":"a","ops":[],"results":[]}';
    const path = file('wrong.jsonl', `${good}\n\n{"name":"b","ops":[{"op":"fork","child":0}]}\n`);
    expect((await softleaf('conform', path)).err).toMatch(/wrong\.jsonl:3:41: program "b", op 0/);
  });

  it.each([
    [
      'two equal names',
      '{"name":"p","ops":[],"name":"q"}',
      /:1:22: no JSON: the name "name" is there twice/,
    ],
    ['a comma too few', '{\n"name":"p"\n"ops":[]}', /:3:1: no JSON: expected ","/],
    ['nothing', '', /:1:1: no JSON: expected a value/],
    ['depth', '['.repeat(100_000), /:1:101: no JSON: at most 100/],
    [
      'bytes that are no UTF-8',
      new Uint8Array([0x7b, 0x0a, 0x22, 0xff, 0x22]),
      /:2: this line is not UTF-8/,
    ],
    ['tasks', '{"name":"p","tasks":{}}', /softleaf check/],
    ['no program', '[]', /there is no program in it/],
  ])('%s: says where', async (_, text, message) => {
    const { code, err } = await softleaf('run', file('one.json', text));
    expect(code).toBe(2);
    expect(err).toMatch(message);
    expect(err).not.toContain('internal error');
  });

  it('is told of in messages of a bounded length', async () => {
    const long = 'x'.repeat(100_000);
    const inputs = [
      { name: 'p', ops: [], [long]: 1 },
      { name: 'p', ops: [{ op: long }] },
      { name: 'p', ops: [{ op: 'fork', child: long }] },
      { name: long, ops: [] },
      { name: 'p', tasks: { [long]: [] } },
    ];
    for (const input of inputs)
      expect(
        (await softleaf('check', file('long.json', JSON.stringify(input)))).err.length,
      ).toBeLessThan(2000);
    expect((await softleaf('run', long)).err.length).toBeLessThan(2000);
    expect((await softleaf('run', 'x.json', `--${long}`)).err.length).toBeLessThan(2000);
  });

  it('of many lines: conform tells of the first hundred, and counts the others', async () => {
    const path = file('many.jsonl', '{"name":1}\n'.repeat(130_000));
    const { code, out, err } = await softleaf('conform', path);
    expect(code).toBe(2);
    expect(err.split('\n').length).toBeLessThan(110);
    expect(err).not.toContain('internal error');
    expect(out).toMatch(/^0 programs, .* 260000 mistakes\n$/);
  });
});

describe('options', () => {
  it.each([
    ['run', 'x.json', '--walk', 'colect'],
    ['check', '--workers', '4294967296'],
    ['check', '--workers', '0'],
    ['check', '--time', '0'],
    ['check', '--preemptions', '-1'],
    ['check', '--faults', '1e9'],
    ['check', '--strategy', 'pctt'],
    ['lab', '--host', ''],
    ['lab', '--port', '65536'],
    ['conform', 'x', '--format', 'xml'],
  ])('%s %s %s %s is refused', async (...args) => {
    const { code, err } = await softleaf(...args.filter((arg) => arg !== undefined));
    expect(code).toBe(2);
    expect(err).toMatch(/^error: /);
  });
});

describe('text for others', () => {
  it.each([
    ['a/b-c.json', 'a/b-c.json'],
    ['my dir/a b.json', "'my dir/a b.json'"],
    ['$(touch x).json', "'$(touch x).json'"],
    ["it's", "'it'\\''s'"],
    ['-x', './-x'],
    ['', "''"],
    ['a\u001b[31m\n', "$'a\\x1b[31m\\x0a'"],
  ])('a shell reads %j as one word', (name, word) => {
    expect(shellWord(name)).toBe(word);
  });

  it('JSON has nothing that a terminal obeys', () => {
    const text = 'a\u001b\u009b31m\u202e';
    expect(jsonLine({ text })).toMatch(/^[\x20-\x7e]+\n$/);
    expect(JSON.parse(jsonLine({ text }))).toEqual({ text });
  });
});
