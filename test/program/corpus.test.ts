import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseProgramFile } from '../../src/program/corpus.ts';
import { tagRuns } from '../../src/program/runs.ts';

const corpus = new URL('../../corpus/', import.meta.url);
const program = (name: string) => JSON.stringify({ name, ops: [{ op: 'clear_soft_dirty' }] });
const names = (file: ReturnType<typeof parseProgramFile>) =>
  file.programs.map((located) => located.program.name);

describe('parseProgramFile', () => {
  it('names a bad line by its number and reads the others', () => {
    const text = [program('a'), program('b').slice(0, 20), '', '{"name":"c"}', program('d')].join(
      '\n',
    );
    const file = parseProgramFile(text, 'x.jsonl');
    expect(names(file)).toEqual(['a', 'd']);
    expect(file.programs[1].line).toBe(5);
    expect(file.badLines.map(({ file, line }) => [file, line])).toEqual([
      ['x.jsonl', 2],
      ['x.jsonl', 4],
    ]);
    expect(file.badLines[0].message).toMatch(/^no JSON/);
    expect(file.badLines[1].message).toBe(
      'program "c", field "ops": expected an array of operations, got nothing',
    );
  });

  it('reads CRLF lines and a byte order mark', () => {
    const file = parseProgramFile(`\uFEFF${program('a')}\r\n${program('b')}\r\n`, 'x.jsonl');
    expect(names(file)).toEqual(['a', 'b']);
    expect(file.badLines).toEqual([]);
  });

  it('reads one program or an array of JSON', () => {
    expect(names(parseProgramFile(program('a'), 'x.json'))).toEqual(['a']);
    const many = parseProgramFile(`[${program('a')},\n7,${program('b')}]`, 'x.json');
    expect(names(many)).toEqual(['a', 'b']);
    expect(many.badLines).toMatchObject([{ line: 2 }]);
    expect(parseProgramFile('{', 'x.json').badLines).toMatchObject([{ line: 1 }]);
  });

  it('reads the whole shipped corpus', () => {
    const files = readdirSync(corpus).filter((name) => name.endsWith('.jsonl'));
    const read = files.map((name) =>
      parseProgramFile(readFileSync(new URL(name, corpus), 'utf8'), name),
    );
    expect(read.flatMap((file) => file.badLines)).toEqual([]);
    const programs = read.flatMap((file) => file.programs);
    expect(programs.length).toBe(2261);
    // The recording's runs are the ones that tagRuns makes of their words.
    for (const { results } of programs.map((located) => located.program))
      for (const { tags } of results ?? []) {
        const words = (tags ?? []).flatMap(([first, count, step]) =>
          Array.from({ length: count }, (_, i) => first + i * step),
        );
        expect(tagRuns(words)).toEqual(tags ?? []);
      }
  });
});
