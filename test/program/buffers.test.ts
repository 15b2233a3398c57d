/** Buffers are apart: what an operation does to one is not seen in another. */
import { expect, it } from 'vitest';
import { picture } from '../../src/program/picture.ts';
import { runProgram } from '../../src/program/run.ts';
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
    { proc: 0, buf: 0, page: 2 ** 20 - 2, glyphs: '..' },
    { proc: 0, buf: 1, page: 0, glyphs: 'www' },
  ]);
});
