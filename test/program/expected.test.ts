/** What an operation may return, and conditions: what holds, what is said of it, and reading them. */
import { visit } from 'jsonc-parser';
import { describe, expect, it } from 'vitest';
import { readProgram } from '../../src/program/corpus.ts';
import { ProgramError } from '../../src/program/error.ts';
import {
  expectedWords,
  meets,
  pagesWords,
  resultWords,
  unmet,
} from '../../src/program/expected.ts';
import { jsonReader, type VisitJson } from '../../src/program/json.ts';
import { type AnyExpected, parseConcurrentProgram, type Result } from '../../src/program/schema.ts';

const ok = (tags: Result['tags']): Result => ({ ret: 'ok', done: 2, ...(tags ? { tags } : {}) });

describe('what an operation may return', () => {
  const both = ok([[65536, 2, 1]]);
  const mixed = ok([
    [65536, 1, 0],
    [131073, 1, 0],
  ]);
  it.each<[AnyExpected, Result, boolean]>([
    [{}, both, true],
    [{ ret: 'ok' }, both, true],
    [{ ret: ['EFAULT', 'ok'] }, both, true],
    [{ ret: ['EFAULT', 'EINVAL'] }, both, false],
    [{ ret: { not: 'ok' } }, both, false],
    [{ ret: { not: ['EFAULT', 'EINVAL'] } }, both, true],
    [{ done: [1, 2] }, both, true],
    [{ done: { not: 2 } }, both, false],
    // a field that is not there is none of its values
    [{ cpages: 0 }, both, false],
    [{ cpages: { not: 0 } }, both, true],
    [{ tag: 1 }, both, true],
    [{ tag: 2 }, both, false],
    [{ tag: 1 }, mixed, false],
    [{ tag: [1, 2] }, mixed, true],
    [{ tag: { not: 3 } }, mixed, true],
    [{ tag: { not: 2 } }, mixed, false],
    // no page was read: none holds this or something else
    [{ tag: { not: 2 } }, { ret: 'EFAULT' }, false],
    [{ tag: 'zero' }, ok([[0, 2, 0]]), true],
    [{ tag: 'zero' }, ok([[0, 2, 1]]), false],
    [{ tag: 0 }, ok([[0, 2, 1]]), true],
    [{ tag: 'file' }, ok([[0xf000, 2, 1]]), true],
    [{ tag: 0 }, ok([[0xf000, 2, 1]]), false],
    [{ tags: [[65536, 2, 1]] }, both, true],
    [{ tags: { not: [[65536, 2, 1]] } }, both, false],
    [{ prot: [[34, 2]] }, { ret: 'ok', prot: [[34, 2]] }, true],
    [{ prot: [[34, 2]] }, { ret: 'ok', prot: [[34, 1]] }, false],
    [[{ ret: 'EFAULT' }, { ret: 'ok', tag: 2 }], both, false],
    [[{ ret: 'EFAULT' }, { ret: 'ok', tag: 1 }], both, true],
  ])('%j of %j: %j', (expected, result, holds) => {
    expect(meets(expected, result)).toBe(holds);
    expect(unmet(expected, result) === null).toBe(holds);
  });

  it('is told with what it is instead', () => {
    expect(unmet({ ret: ['ok', 'EFAULT'] }, { ret: 'EINVAL' })).toBe(
      'ret must be "ok" or "EFAULT", is "EINVAL"',
    );
    expect(unmet({ ret: { not: 'ok' } }, { ret: 'ok' })).toBe('ret must not be "ok", is "ok"');
    expect(unmet({ tag: 2 }, mixed)).toBe('tag must be 2, is 1:0 2:1');
    expect(unmet({ tag: 2 }, { ret: 'ok' })).toBe('tag must be 2, is nothing');
    expect(unmet([{ ret: 'EFAULT' }, { ret: 'ok', tag: 2 }], both)).toBe(
      'must return ret EFAULT, or ret ok and tag 2, returns ok, done 2, holds 1:0..1',
    );
    expect(expectedWords({})).toBe('anything');
    expect(expectedWords({ ret: { not: ['ok', 'BUS'] }, tags: [[0, 1, 0]] })).toBe(
      'ret not ok or BUS and tags 0',
    );
  });

  it('tells pages apart by who wrote them', () => {
    expect(pagesWords([[0, 3, 0]])).toBe('0 x3');
    expect(pagesWords([[0, 2, 1]])).toBe('0:0..1');
    expect(pagesWords([[65537, 4, 0]])).toBe('1:1 x4');
    expect(pagesWords([[0xf002, 2, 1]])).toBe('file:2..3');
    expect(
      resultWords({
        ret: 'ok',
        cpages: 2,
        faults: 0,
        prot: [
          [0x22, 2],
          [0xff, 1],
        ],
      }),
    ).toBe('ok, cpages 2, faults 0, prot 0x22 x2 0xff');
    expect(
      resultWords({
        ret: 'ok',
        bits: [
          [10, 1],
          [0, 3],
        ],
      }),
    ).toBe('ok, bits 10 0 x3');
  });
});

const PAGE = { buf: 0, page: 0, pages: 1 };
const MMAP = { op: 'mmap', ...PAGE, prot: 'rw', kind: 'anon' };
const READ = { op: 'cpu_read', ...PAGE };

const program = (more: object, expected: unknown = {}): object => ({
  name: 'p',
  setup: [MMAP],
  tasks: { gpu: [{ ...READ, expect: expected }], cpu: [READ, READ] },
  after: [READ],
  ...more,
});

/** The mistakes of a program, without where they are. */
function mistakes(value: object): string[] {
  try {
    parseConcurrentProgram(value);
    return [];
  } catch (error) {
    if (!(error instanceof ProgramError)) throw error;
    return error.mistakes.map(({ field, problem }) => `${field}: ${problem}`);
  }
}

describe('reading what an operation may return', () => {
  it.each([
    { ret: ['ok', 'EFAULT'], done: { not: [1, 2] } },
    { tag: ['zero', 2], tags: { not: [] } },
    [{ ret: 'ok' }, { ret: 'EFAULT' }],
  ])('takes %j', (expected) => {
    const read = parseConcurrentProgram(program({}, expected));
    expect(read.tasks.gpu[0].expect).toEqual(expected);
  });

  const RET = '"ok" or an errno name';
  const TAG = 'a tag from 0 to 2147483648, "zero" or "file"';
  it.each<[unknown, string]>([
    [7, 'expect: expected what it may return (an object, or a list of them), got 7'],
    [[], 'expect: expected at least one result, got []'],
    [[{}, 7], 'expect[1]: expected what it may return (an object, or a list of them), got 7'],
    [
      { rett: 'ok' },
      'expect.rett: no such field (there are ret done cpages faults tag tags prot bits); did you mean "ret"?',
    ],
    [{ ret: 'EFUALT' }, `expect.ret: expected ${RET}, got "EFUALT"; did you mean "EFAULT"?`],
    [
      { ret: ['ok', 'EFUALT'] },
      `expect.ret[1]: expected ${RET}, got "EFUALT"; did you mean "EFAULT"?`,
    ],
    [{ ret: [] }, `expect.ret: expected at least one value (${RET}), got []`],
    [{ ret: { nto: 'ok' } }, 'expect.ret.nto: no such field (there is not); did you mean "not"?'],
    [{ ret: {} }, `expect.ret.not: expected ${RET}, got nothing`],
    [{ tag: 'zeros' }, `expect.tag: expected ${TAG}, got "zeros"; did you mean "zero"?`],
    [{ tag: -1 }, `expect.tag: expected ${TAG}, got -1`],
    [{ done: { not: 'x' } }, 'expect.done.not: expected a count, got "x"'],
    [{ tags: [1, 2] }, 'expect.tags: expected runs [first, count, step], got [1,2]'],
  ])('refuses %j', (expected, message) => {
    expect(mistakes(program({}, expected))).toContain(message);
  });
});

describe('reading conditions', () => {
  it('takes one or several, of tasks and of after', () => {
    const exists = { 'gpu[0]': { ret: 'ok' }, 'after[0]': { tag: 1 } };
    const never = [{ 'cpu[1]': { ret: ['BUS', 'SEGV'] } }];
    const read = parseConcurrentProgram(program({ exists, never }));
    expect(read.exists).toEqual(exists);
    expect(read.never).toEqual(never);
  });

  it.each<[object, string]>([
    [
      { exists: 'ok' },
      'exists: expected a condition (an object: by operation, as in "gpu[0]", what it returns), got "ok"',
    ],
    [
      { exists: {} },
      'exists: expected a condition (an object: by operation, as in "gpu[0]", what it returns), got {}',
    ],
    [{ never: [] }, 'never: expected at least one condition, got []'],
    [
      { forall: { gpu: {} } },
      'forall.gpu: expected the operation of a task, or of after, with its number (as in "gpu[0]"), got "gpu"',
    ],
    [
      { forall: { 'gpo[0]': {} } },
      'forall.gpo[0]: no such task (there are gpu cpu after); did you mean "gpu"?',
    ],
    [{ forall: [{ 'cpu[2]': {} }] }, 'forall[0].cpu[2]: "cpu" has operations 0 to 1'],
    [{ forall: { 'after[0]': {} }, after: [] }, 'forall.after[0]: "after" has no operations'],
    [
      { exists: { 'gpu[0]': { rett: 1 } } },
      'exists.gpu[0].rett: no such field (there are ret done cpages faults tag tags prot bits); did you mean "ret"?',
    ],
    [
      { exsits: {} },
      'exsits: no such field (there are name comment machine setup tasks after exists forall never $schema); did you mean "exists"?',
    ],
    [
      { tasks: { after: [READ] }, exists: { 'after[0]': {} } },
      'exists.after[0]: a task is called "after", too: give it another name',
    ],
  ])('refuses %j', (more, message) => {
    expect(mistakes(program(more))).toContain(message);
  });

  it('says where a mistake is', () => {
    const text = [
      '{ "name": "p", "tasks": { "gpu [x]": [] },',
      '  "exists": [',
      '    { "gpu [x][0]": { "ret": "ok" } },',
      '    { "after[0]": {',
      '        "ret": ["ok",',
      '          "EFUALT"] } } ] }',
    ].join('\n');
    const read = readProgram(text, jsonReader(visit as VisitJson), parseConcurrentProgram);
    const found = read.mistakes.map(({ line, column, message }) => [line, column, message]);
    expect(found).toEqual([
      [3, 7, expect.stringContaining('"gpu [x]" has no operations')],
      [4, 7, expect.stringContaining('"after" has no operations')],
      [6, 11, expect.stringContaining('did you mean "EFAULT"')],
    ]);
  });
});
