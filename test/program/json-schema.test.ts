/** schema/program.json: what an editor accepts is what is read, as far as a schema can say it. */
import { readdirSync, readFileSync } from 'node:fs';
import { Validator } from '@cfworker/json-schema';
import { visit } from 'jsonc-parser';
import { describe, expect, it } from 'vitest';
import { ProgramError } from '../../src/program/error.ts';
import { jsonReader, type VisitJson } from '../../src/program/json.ts';
import { programSchema } from '../../src/program/json-schema.ts';
import { OPS } from '../../src/program/ops.ts';
import { parseAnyProgram } from '../../src/program/schema.ts';

const root = new URL('../../', import.meta.url);
const validator = new Validator(programSchema(), '2020-12', true);
const accepts = (value: unknown) => validator.validate(value).valid;
const readJson = jsonReader(visit as VisitJson);

/** Whether `value` is read; what only the whole of a program shows is not looked at. */
function shape(value: unknown): boolean {
  try {
    parseAnyProgram(value);
    return true;
  } catch (error) {
    if (!(error instanceof ProgramError)) throw error;
    return false;
  }
}

it('is the file that ships (npm run docs writes it)', async () => {
  const text = `${JSON.stringify(programSchema(), null, 2)}\n`;
  await expect(text).toMatchFileSnapshot('../../schema/program.json');
});

describe('accepts', () => {
  it.each(['examples/', 'scenarios/'])('every program of %s', (folder) => {
    const names = readdirSync(new URL(folder, root)).filter((name) => name.endsWith('.json'));
    expect(names.length).toBeGreaterThan(10);
    for (const name of names) {
      const { value } = readJson(readFileSync(new URL(folder + name, root), 'utf8'));
      expect(validator.validate(value).errors, name).toEqual([]);
    }
  });

  it('recorded programs', () => {
    const names = readdirSync(new URL('corpus/', root)).filter((name) => name.endsWith('.jsonl'));
    let programs = 0;
    for (const name of names) {
      const lines = readFileSync(new URL(`corpus/${name}`, root), 'utf8')
        .trim()
        .split('\n');
      // every twentieth: a validator in JavaScript takes its time
      for (const line of lines.filter((_, i) => i % 20 === 0)) {
        expect(validator.validate(JSON.parse(line)).errors, line.slice(0, 80)).toEqual([]);
        programs++;
      }
    }
    expect(programs).toBeGreaterThan(100);
  });
});

const mmap = { op: 'mmap', buf: 0, page: 0, pages: 8, prot: 'rw', kind: 'anon' };
const base = {
  name: 'p',
  ops: [mmap],
  results: [{ ret: 'ok', tags: [[0, 1, 1]], bits: [[1, 2]] }],
};
const tasks = { name: 'p', setup: [mmap], tasks: { a: [{ ...mmap, expect: { ret: 'ok' } }] } };

/** Everything that differs from a program at one place: a value is another, is missing, or is there too much. */
function mutations(value: unknown): unknown[] {
  const others = [-1, 0, 0.5, 2 ** 40, 'x', '', null, true, [], {}, [0]];
  if (Array.isArray(value)) {
    const inner = value.flatMap((item, i) => mutations(item).map((one) => value.with(i, one)));
    return [...inner, [...value, 7], ...others];
  }
  if (typeof value === 'object' && value !== null) {
    const fields = Object.entries(value);
    const inner = fields.flatMap(([key, item]) => [
      ...mutations(item).map((one) => ({ ...value, [key]: one })),
      Object.fromEntries(fields.filter(([other]) => other !== key)),
    ]);
    return [...inner, { ...value, bogus: 1 }, ...others];
  }
  return others;
}

/** What a schema cannot say: how many results there are, which processes exist, where a range ends. */
const BEYOND =
  /as many results as operations|a process that|the range to end|no such task|has (no )?operations/;

function onlyBeyond(value: unknown): boolean {
  try {
    parseAnyProgram(value);
  } catch (error) {
    if (error instanceof ProgramError)
      return error.mistakes.every(({ message }) => BEYOND.test(message));
  }
  return false;
}

it.each([
  ['a sequential program', base],
  ['a concurrent one', tasks],
  [
    'one of every operation',
    // each alone: a validator goes through all that there are for each of them
    ...Object.entries(OPS).map(([op, specs]) => {
      const fields = Object.entries(specs).map(([field, spec]) => [
        field,
        spec.kind === 'integer' ? spec.min : spec.values[0],
      ]);
      return { name: 'p', ops: [{ op, ...Object.fromEntries(fields) }] };
    }),
  ],
  [
    'one that asks for something in all ways',
    {
      ...tasks,
      tasks: {
        a: [
          {
            ...mmap,
            expect: { ret: ['ok', 'EINVAL'], tag: { not: [1, 'zero'] }, tags: [[0, 1, 1]] },
          },
          { ...mmap, expect: [{ done: 1, cpages: { not: 2 } }, { bits: { not: [[1, 2]] } }] },
        ],
      },
      exists: { 'a[0]': { ret: 'ok' } },
      never: [{ 'a[0]': { tag: 'file' }, 'a[1]': [{ ret: { not: 'ok' } }, {}] }],
    },
  ],
  [
    'one with a machine',
    { ...base, machine: { walk: 'collect', pmdOrder: 2, pageBytes: 16, mended: true } },
  ],
] as [string, ...object[]][])(
  'says of every mutation of %s what reading says',
  (_, ...programs) => {
    for (const program of programs) expect(accepts(program)).toBe(true);
    let refused = 0;
    for (const value of programs.flatMap(mutations)) {
      const isRead = shape(value);
      if (!isRead) refused++;
      if (!isRead && onlyBeyond(value)) continue;
      expect([accepts(value), JSON.stringify(value)]).toEqual([isRead, JSON.stringify(value)]);
    }
    expect(refused).toBeGreaterThan(50);
  },
);
