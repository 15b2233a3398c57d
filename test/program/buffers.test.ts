/** Buffers are apart: what an operation does to one is not seen in another. */
import { expect, it } from 'vitest';
import { picture } from '../../src/program/picture.ts';
import { runProgram } from '../../src/program/run-program.ts';
import { parseProgram } from '../../src/program/schema.ts';

it('the end of a buffer does not touch the beginning of the next', () => {
  const area = (buf: number, page: number, pages: number) => ({
    ...{ op: 'mmap', buf, page, pages },
    ...{ prot: 'rw', kind: 'anon' },
  });
  const ops = [
    area(0, 2 ** 20 - 2, 2),
    area(1, 0, 3),
    { op: 'cpu_write', buf: 1, page: 0, pages: 3, tag: 1 },
  ];
  const outcome = runProgram(parseProgram({ name: 'p', ops }));
  expect(outcome.system.process(0).mm.vmas).toHaveLength(2);
  expect(picture(outcome).rows).toEqual([
    { proc: 0, buf: 0, page: 2 ** 20 - 2, glyphs: '..', times: 1 },
    { proc: 0, buf: 1, page: 0, glyphs: 'www', times: 1 },
  ]);
});

it('the picture of a large buffer has a row for what is alike, and none for what is not mapped', () => {
  const area = (page: number, pages: number) => ({
    ...{ op: 'mmap', buf: 0, page, pages },
    ...{ prot: 'rw', kind: 'anon' },
  });
  const write = { op: 'cpu_write', buf: 0, page: 2 ** 18, pages: 2, tag: 1 };
  const ops = [area(0, 2), area(2 ** 18, 2 ** 18), area(2 ** 20 - 1, 1), write];
  const { rows } = picture(runProgram(parseProgram({ name: 'p', ops })));
  const at = { proc: 0, buf: 0 };
  expect(rows).toEqual([
    { ...at, page: 0, glyphs: `..${' '.repeat(62)}`, times: 1 },
    { ...at, page: 2 ** 18, glyphs: `ww${'.'.repeat(62)}`, times: 1 },
    { ...at, page: 2 ** 18 + 64, glyphs: '.'.repeat(64), times: 2 ** 18 / 64 - 1 },
    { ...at, page: 2 ** 20 - 64, glyphs: `${' '.repeat(63)}.`, times: 1 },
  ]);
});
