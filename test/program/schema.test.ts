import { describe, expect, it } from 'vitest';
import { Kernel } from '../../src/mm/kernel.ts';
import { ProgramError } from '../../src/program/error.ts';
import { OPS, operationsTable } from '../../src/program/ops.ts';
import { runProgram } from '../../src/program/run-program.ts';
import {
  type Program,
  parseAnyProgram,
  parseConcurrentProgram,
  parseProgram,
  showOp,
  type Walk,
} from '../../src/program/schema.ts';

const MMAP = { op: 'mmap', buf: 0, page: 0, pages: 8, prot: 'rw', kind: 'anon' };
const FORK = { op: 'fork', child: 1 };
const withOps = (...ops: unknown[]) => ({ name: 'p', ops });

function mistake(value: unknown, parse: (value: unknown) => unknown = parseProgram): ProgramError {
  try {
    parse(value);
  } catch (error) {
    if (error instanceof ProgramError) return error;
    throw error;
  }
  throw new Error(`accepted ${JSON.stringify(value)}`);
}

describe('parseProgram', () => {
  it('fills in the process and keeps the rest', () => {
    const results = [{ ret: 'ok' }, { ret: 'SEGV', done: 0 }];
    const source = {
      name: 'p',
      comment: ['a', 'b'],
      machine: { walk: 'collect', pmdOrder: 2, pageBytes: 16, cpus: 8, mended: true },
      ops: [
        { ...MMAP, comment: 'c' },
        { op: 'cpu_read', proc: 0, buf: 0, page: 0, pages: 1 },
      ],
      results,
    };
    expect(parseProgram(source)).toEqual({
      ...source,
      ops: [{ ...MMAP, proc: 0, comment: 'c' }, source.ops[1]],
    });
  });

  it('says in one line where the mistake is', () => {
    const error = mistake({ name: 'base-3', ops: [MMAP, { ...MMAP, pages: -2 }] });
    expect(error.message).toBe(
      'program "base-3", op 1 (mmap), field "pages": expected an integer from 1 to 1048576, got -2',
    );
    expect(error).toMatchObject({ program: 'base-3', opIndex: 1, field: 'pages', actual: -2 });
  });

  it('names a program without a name by its position', () => {
    expect(() => parseProgram({ ops: [] }, 'a.jsonl:7')).toThrow(
      /^program "a.jsonl:7", field "name"/,
    );
  });

  it.each([
    ['an unknown operation', withOps({ op: 'mmapp' }), 'op'],
    ['an inherited name', withOps({ op: 'constructor' }), 'op'],
    ['an operation that is no object', withOps(null), undefined],
    ['an unknown field', withOps({ ...MMAP, length: 1 }), 'length'],
    ['a missing field', withOps({ op: 'munmap', buf: 0, page: 0 }), 'pages'],
    ['a string for a number', withOps({ ...MMAP, page: '0' }), 'page'],
    ['a fraction', withOps({ ...MMAP, page: 0.5 }), 'page'],
    ['a huge number', withOps({ ...MMAP, page: 1e300 }), 'page'],
    ['a page past the buffer', withOps({ ...MMAP, page: 2 ** 20 - 4 }), 'pages'],
    ['a buffer that is not there', withOps({ ...MMAP, buf: 60 }), 'buf'],
    ['a device that is not there', withOps({ op: 'fail_alloc', dev: 4 }), 'dev'],
    [
      'a process that has exited',
      withOps(FORK, { op: 'exit', proc: 1 }, { ...MMAP, proc: 1 }),
      'proc',
    ],
    ['a pin that is not there', withOps({ op: 'unpin', id: 8 }), 'id'],
    ['too many pages', withOps({ op: 'cpu_read', buf: 0, page: 0, pages: 4097 }), 'pages'],
    [
      'too big a tag',
      withOps({ op: 'cpu_write', buf: 0, page: 0, pages: 1, tag: 2 ** 31 + 1 }),
      'tag',
    ],
    ['an unknown protection', withOps({ ...MMAP, prot: 'rwx' }), 'prot'],
    ['an unknown process', withOps({ ...MMAP, proc: 1 }), 'proc'],
    ['a process before its fork', withOps({ ...MMAP, proc: 1 }, FORK), 'proc'],
    ['null for a process', withOps({ ...MMAP, proc: null }), 'proc'],
    ['a child that exists', withOps(FORK, FORK), 'child'],
    ['an unknown walk', { ...withOps(), machine: { walk: 'fast' } }, 'machine.walk'],
    ['an unknown machine option', { ...withOps(), machine: { pages: 3 } }, 'machine.pages'],
    ['pages of 48 bytes', { ...withOps(), machine: { pageBytes: 48 } }, 'machine.pageBytes'],
    ['a word for a yes', { ...withOps(), machine: { mended: 'yes' } }, 'machine.mended'],
    ['a number for a comment', { ...withOps(), comment: 4 }, 'comment'],
    ['an unknown field of the program', { ...withOps(), operations: [] }, 'operations'],
    ['no operations', { name: 'p' }, 'ops'],
    ['too few results', { ...withOps(MMAP), results: [] }, 'results'],
    ['a bad result', { ...withOps(MMAP), results: [{ ret: 0 }] }, 'results[0].ret'],
    [
      'bad runs',
      { ...withOps(MMAP), results: [{ ret: 'ok', tags: [[1, 1, 2]] }] },
      'results[0].tags',
    ],
  ])('refuses %s', (_, value, field) => {
    expect(mistake(value).field).toBe(field);
  });

  it.each([null, undefined, 3, 'x', [], [[]]])('refuses %j, which is no program', (value) => {
    expect(mistake(value)).toBeInstanceOf(ProgramError);
  });

  it('keeps a message in one line', () => {
    expect(mistake({ name: 'a\nb', ops: [{ op: 'x\ny' }] }).message).not.toContain('\n');
  });

  it('says which command takes a concurrent program', () => {
    expect(mistake({ name: 'p', tasks: { a: [] } }).message).toMatch(/softleaf check/);
  });

  it('accepts each operation with the smallest value of each field', () => {
    for (const [op, specs] of Object.entries(OPS)) {
      const fields = Object.entries(specs).map(([field, spec]) => [
        field,
        spec.kind === 'integer' ? spec.min : spec.values[0],
      ]);
      const value = { op, ...Object.fromEntries(fields) };
      expect(parseProgram(withOps(value)).ops).toEqual([{ ...value, proc: 0 }]);
    }
  });
});

describe('parseConcurrentProgram', () => {
  const base = { name: 'c', setup: [MMAP], tasks: { cpu0: [FORK], gpu0: [] }, after: [] };

  it('reads setup, tasks and after', () => {
    const after = [{ op: 'munmap', proc: 1, buf: 0, page: 0, pages: 8 }];
    const program = parseAnyProgram({ ...base, after });
    expect(program).toMatchObject({ tasks: { cpu0: [{ ...FORK, proc: 0 }], gpu0: [] }, after });
  });

  it('lets setup and after be absent', () => {
    const { name, tasks } = base;
    expect(parseConcurrentProgram({ name, tasks })).toMatchObject({ setup: [], after: [] });
  });

  it('names the list of a mistake', () => {
    const tasks = { cpu0: [FORK], gpu0: [{ ...MMAP, proc: 1 }] };
    expect(mistake({ ...base, tasks }, parseConcurrentProgram).message).toBe(
      'program "c", list "gpu0", op 0 (mmap), field "proc": expected a process that exists here (0), got 1',
    );
  });

  it.each([
    ['two forks of one child', { ...base, tasks: { a: [FORK], b: [FORK] } }, 'child'],
    ['no tasks', { ...base, tasks: {} }, 'tasks'],
    ['ops beside tasks', { ...base, ops: [] }, 'ops'],
  ])('refuses %s', (_, value, field) => {
    expect(mistake(value, parseConcurrentProgram).field).toBe(field);
  });
});

it('showOp gives the operation and its fields', () => {
  const [op] = parseProgram(withOps(MMAP)).ops;
  expect(showOp(op)).toBe('mmap buf 0 page 0 pages 8 prot rw kind anon proc 0');
});

it('docs/operations.md is the table of operations', async () => {
  const text = [
    '# Operations and their fields',
    '',
    'Written by `npm test -- -u` from `src/program/ops.ts`. Every field is required; `proc` (0 to 15,',
    'default 0) and `comment` go with any operation. [programs.md](programs.md) says what they do.',
    '',
    operationsTable(),
    '',
  ].join('\n');
  await expect(text).toMatchFileSnapshot('../../docs/operations.md');
});

describe('mistakes', () => {
  it('are all told, the first twenty of them', () => {
    const bad = { op: 'munmap', buf: 99, page: 0, pages: 0 };
    const error = mistake(withOps(bad, MMAP, bad));
    expect(error.mistakes.map(({ opIndex, field }) => [opIndex, field])).toEqual([
      [0, 'buf'],
      [0, 'pages'],
      [2, 'buf'],
      [2, 'pages'],
    ]);
    const many = mistake(withOps(...Array.from({ length: 30 }, () => bad)));
    expect([many.mistakes.length, many.more]).toEqual([20, 40]);
  });

  it('do not make others: what could not be read may have made a process', () => {
    const error = mistake(withOps({ op: 'frok', child: 1 }, { ...MMAP, proc: 1 }));
    expect(error.mistakes).toHaveLength(1);
  });

  it.each([
    [withOps({ op: 'mmapp' }), '"mmap"'],
    [withOps({ ...MMAP, pagse: 1 }), '"pages"'],
    [withOps({ ...MMAP, prot: 'RW' }), '"rw"'],
    [{ ...withOps(), machine: { pmdorder: 2 } }, '"pmdOrder"'],
    [{ ...withOps(), machine: { walk: 'colect' } }, '"collect"'],
    [{ name: 'p', tasks: { a: [{ ...MMAP, expect: { ret: 'EFAULTT' } }] } }, '"EFAULT"'],
    [{ name: 'p', tasks: { a: [{ ...MMAP, expect: { rets: 'ok' } }] } }, '"ret"'],
  ])('%j: says what was meant', (value, meant) => {
    expect(mistake(value, parseAnyProgram).message).toContain(`did you mean ${meant}?`);
  });

  it('are holes, and what is wrong with an array that JSON cannot have', () => {
    expect(mistake({ name: 'n', ops: new Array(5) }).mistakes).toHaveLength(5);
    const odd = Object.assign([MMAP], { constructor: {} });
    expect(parseProgram({ name: 'n', ops: odd }).ops).toHaveLength(1);
  });

  it('are ranges that do not fit into the buffers of a small machine', () => {
    const machine = { pmdOrder: 2 };
    const error = mistake({ ...withOps({ ...MMAP, page: 2048 }), machine });
    expect(error.message).toContain('within the 2048 pages of its buffer');
  });
});

it('$schema is for editors', () => {
  expect(parseProgram({ $schema: './program.json', ...withOps() })).toEqual(withOps());
  expect(mistake({ $schema: 1, ...withOps() }).field).toBe('$schema');
});

describe('a program that nobody has read', () => {
  it('is read before it is run', () => {
    expect(runProgram(withOps(MMAP) as unknown as Program).results).toEqual([{ ret: 'ok' }]);
    expect(() => runProgram({ name: 'n', ops: [{}] } as unknown as Program)).toThrow(ProgramError);
  });

  it('is not run with what there is not', () => {
    const program = parseProgram(withOps(MMAP));
    const walk = 'colect' as Walk;
    expect(() => runProgram(program, { walk })).toThrow('walk: expected one of collect');
    expect(() => new Kernel({ cpus: 1e9 })).toThrow('cpus: expected an integer from 1 to 8');
  });
});
