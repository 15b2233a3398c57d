/** Places in a program's text, and changing what it says of the machine. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { scan } from '../../lab/src/json.ts';
import {
  changeMachine,
  choicesOf,
  type MachineField,
  machineIn,
} from '../../lab/src/machine-text.ts';
import { mistakeOf } from '../../lab/src/mistake.ts';
import { readText } from '../../lab/src/reading.ts';
import { MACHINE, parseAnyProgram } from '../../src/program/index.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const shipped = ['examples', 'scenarios'].flatMap((folder) =>
  readdirSync(`${root}/${folder}`)
    .filter((file) => file.endsWith('.json'))
    .map((file) => readFileSync(`${root}/${folder}/${file}`, 'utf8')),
);

/** What is marked for a text. */
function marked(text: string): string {
  try {
    parseAnyProgram(readText(text));
  } catch (error) {
    const { from, to } = mistakeOf(text, error);
    return from < 0 ? 'nothing' : text.slice(from, to);
  }
  return 'no mistake';
}

const op = (more = '') =>
  `{"op": "mmap", "buf": 0, "page": 0, "pages": 1, "prot": "rw", "kind": "anon"${more}}`;

describe('a mistake is marked where it is', () => {
  it.each([
    [
      'a field of the second of two alike',
      `{"name": "n", "ops": [${op()}, ${op().replace('"page": 0', '"page": -1')}]}`,
      '"page": -1',
    ],
    [
      'a field that is missing',
      `{"name": "n", "ops": [${op()}, {"op": "fork"}]}`,
      '{"op": "fork"}',
    ],
    [
      'a word of a comment is no field',
      `{"name": "n", "comment": "\\"ops\\": [{", "ops": [${op(', "tag": 1')}]}`,
      '"tag": 1',
    ],
    [
      'a result',
      `{"name": "n", "ops": [${op()}, ${op()}], "results": [{"ret": "ok"}, {"ret": 2}]}`,
      '"ret": 2',
    ],
    ['the machine', `{"name": "n", "machine": {"cpus": 99}, "ops": []}`, '"cpus": 99'],
    [
      'a task’s operation',
      `{"name": "n", "setup": [${op()}], "tasks": {"a": [${op()}], "b": [${op().replace('"buf": 0', '"buf": 77')}]}}`,
      '"buf": 77',
    ],
    ['a task that is no list', `{"name": "n", "tasks": {"a": [], "b": 5}}`, '"b": 5'],
    ['a word that is none of JSON’s', `{"name": "n", "ops": [x]}`, 'x'],
    ['a comma too many is none', `{"name": "n", "ops": [],}`, 'no mistake'],
    ['a comma too few', `{"name": "n"\n "ops": []}`, '"'],
    [
      'a field behind comments, which are none',
      `// "ops": [{"page": -2}]\n{"name": "n", /* "ops" */ "ops": [${op().replace('"page": 0', '"page": -1')}, // 7\n]}`,
      '"page": -1',
    ],
    ['a comment that does not end', `{"name": "n", "ops": []} /* 7`, '/'],
    ['a text that ends too soon', `{"name": "n", "ops": [`, ''],
    ['something behind the end', `{"name": "n", "ops": []} 7`, '7'],
    ['a field twice', `{"name": "n", "name": 7, "ops": []}`, '"'],
    ['no program at all', '[]', 'nothing'],
  ])('%s', (_, text, place) => {
    expect(marked(text)).toBe(place);
  });
});

it('takes and refuses the same texts as they are read', () => {
  for (const text of shipped) {
    expect(scan(text).error).toBe(-1);
    for (let at = 3; at < text.length; at += 97) {
      for (const spoiled of [text.slice(0, at), text.slice(0, at) + text.slice(at + 1)]) {
        let fine = true;
        try {
          readText(spoiled);
        } catch (error) {
          // the places of names do not depend on others
          fine = String(error).includes('is there twice');
        }
        expect(scan(spoiled).error < 0, spoiled).toBe(fine);
      }
    }
  }
});

describe('the machine in a text', () => {
  const apply = (text: string, field: MachineField, value: string): string => {
    const edit = changeMachine(text, field, value);
    return edit ? text.slice(0, edit.from) + edit.insert + text.slice(edit.to) : text;
  };

  it('says what was chosen, in every program that ships, and nothing else changes', () => {
    for (const text of shipped) {
      const before = JSON.parse(text);
      for (const field of Object.keys(MACHINE) as MachineField[]) {
        for (const value of choicesOf(field)) {
          const json = MACHINE[field].kind === 'choice' ? JSON.stringify(value) : value;
          const changed = apply(text, field, json);
          const machine = { ...before.machine, [field]: JSON.parse(json) };
          expect(JSON.parse(changed)).toEqual({ ...before, machine });
          expect(machineIn(changed, field)).toBe(json);
          parseAnyProgram(JSON.parse(changed));
        }
        const { [field]: _, ...rest } = before.machine ?? {};
        const { machine: __, ...others } = before;
        expect(JSON.parse(apply(text, field, ''))).toEqual(
          Object.keys(rest).length > 0 ? { ...others, machine: rest } : others,
        );
      }
    }
  });

  it('leaves the text as it was when a choice is taken back', () => {
    for (const text of shipped) {
      if (machineIn(text, 'cpus') !== '' || !/"machine"/.test(text)) continue;
      expect(apply(apply(text, 'cpus', '3'), 'cpus', '')).toBe(text);
    }
    const [text] = shipped.filter((one) => !/"machine"/.test(one));
    expect(apply(apply(text, 'cpus', '3'), 'cpus', '')).toBe(text);
  });

  it('is not touched where the text is no JSON', () => {
    expect(changeMachine('{"name": ', 'cpus', '3')).toBeNull();
    expect(changeMachine('{"machine": 3}', 'cpus', '3')).toBeNull();
    expect(apply('{}', 'cpus', '3')).toBe('{"machine": {"cpus": 3}}');
  });
});
