/** Reading JSON with comments, and the places of what is in it. */
import fc from 'fast-check';
import { visit } from 'jsonc-parser';
import { describe, expect, it } from 'vitest';
import { jsonReader, positionOf, type VisitJson } from '../../src/program/json.ts';
import { similar } from '../../src/program/similar.ts';

const read = jsonReader(visit as VisitJson);
const value = (text: string) => {
  const { value: got, mistakes } = read(text);
  expect(mistakes).toEqual([]);
  return got;
};

describe('a JSON reader', () => {
  it('reads JSON as JSON.parse does', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), fc.constantFrom(0, 2), (json, indent) => {
        const text = JSON.stringify(json, null, indent);
        expect(value(text)).toEqual(JSON.parse(text));
      }),
      { numRuns: 300 },
    );
  });

  it('accepts no text that JSON.parse refuses, without comments and trailing commas', () => {
    const pieces = fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '"a"',
      '"',
      '1',
      '-',
      '.5',
      '01',
      'null',
      'tru',
      ' ',
      '\n',
      '\u00a0',
      '\t',
      '\\',
      "'",
      '1e',
      '\u0001',
    );
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 8 }), (parts) => {
        const text = parts.join('');
        const { mistakes } = read(text);
        let isJson = true;
        try {
          JSON.parse(text.replace(/,(\s*[}\]])/g, '$1'));
        } catch {
          isJson = false;
        }
        if (isJson && mistakes.length > 0) expect(mistakes[0].message).toMatch(/twice|expected a/);
        if (!isJson) expect([text, mistakes.length]).not.toEqual([text, 0]);
      }),
      { numRuns: 3000 },
    );
  });

  it('lets comments and trailing commas be', () => {
    expect(value('// a\n{ /* b */ "x": [1, 2,], }\n')).toEqual({ x: [1, 2] });
  });

  it('takes __proto__ for a name like any other', () => {
    const got = value('{"__proto__": {"a": 1}}') as object;
    expect(Object.keys(got)).toEqual(['__proto__']);
    expect(Object.getPrototypeOf(got)).toBe(Object.prototype);
  });

  it.each([
    [
      '{"a": 1, "b": 2, "a": 3}',
      [{ line: 1, column: 18, message: 'the name "a" is there twice in one object' }],
    ],
    ['[1,\n2 3]\n', [{ line: 2, column: 3, message: 'expected "," or the end' }]],
    ['{"a": 1', [{ line: 1, column: 8, message: 'expected "}"' }]],
    ['{} {}', [{ line: 1, column: 4, message: 'expected the end, as the value ends before it' }]],
    [
      '["a\u0001"]',
      [
        {
          line: 1,
          column: 2,
          message: 'a control character in a string must be written as \\u and its number',
        },
      ],
    ],
  ])('%j: says what is wrong, and where', (text, mistakes) => {
    expect(read(text)).toMatchObject({ value: undefined, mistakes });
  });

  it('knows where every value and every name is', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 3 }), (json) => {
        const text = JSON.stringify(json, null, 1);
        const { at } = read(text);
        const go = (part: unknown, path: (string | number)[]): void => {
          const { line, column } = at(path);
          const rest = text
            .split('\n')
            .slice(line - 1)
            .join('\n')
            .slice(column - 1);
          const first = JSON.stringify(part)[0];
          expect(rest[0]).toBe(first);
          if (Array.isArray(part)) for (const [i, item] of part.entries()) go(item, [...path, i]);
          else if (typeof part === 'object' && part !== null)
            for (const [key, item] of Object.entries(part)) {
              const name = at([...path, key], true);
              const from = text.split('\n')[name.line - 1].slice(name.column - 1);
              expect(from.startsWith(JSON.stringify(key))).toBe(true);
              go(item, [...path, key]);
            }
        };
        go(json, []);
      }),
      { numRuns: 200 },
    );
  });

  it('says where what is missing would be', () => {
    const { at } = read('{\n "a": [\n  {"b": 1}\n ]\n}');
    expect(at(['a', 0, 'c'])).toEqual({ line: 3, column: 3 });
    expect(at(['x', 'y'])).toEqual({ line: 1, column: 1 });
  });
});

it('positions are those that an editor shows', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom('a', '\n', '\u00e9'), maxLength: 30 }),
      fc.nat(30),
      (text, at) => {
        const offset = Math.min(at, text.length);
        const before = text.slice(0, offset).split('\n');
        const column = (before.at(-1) as string).length + 1;
        expect(positionOf(text, offset)).toEqual({ line: before.length, column });
      },
    ),
  );
});

it.each([
  ['mmapp', 'mmap'],
  ['cpu_wirte', 'cpu_write'],
  ['migrateToDev', 'migrate_to_dev'],
  ['xyzzy', undefined],
  ['', undefined],
  ['m'.repeat(1000), undefined],
])('%s is like %s', (name, known) => {
  expect(similar(name, ['mmap', 'munmap', 'cpu_write', 'cpu_read', 'migrate_to_dev'])).toBe(known);
});
