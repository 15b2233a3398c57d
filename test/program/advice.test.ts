import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { slowGeometry } from '../../src/program/advice.ts';
import { parseConcurrentProgram } from '../../src/program/schema.ts';

const write = { op: 'cpu_write', buf: 0, page: 0, pages: 512, tag: 1 };
const advice = (machine: object, op: object = write) =>
  slowGeometry(parseConcurrentProgram({ name: 'p', machine, tasks: { a: [op], b: [] } }));

it('says of whole huge pages of a large machine that they are slow', () => {
  expect(advice({})).toMatch(/is 512 pages here: with "machine": \{"pmdOrder":2,"pageBytes":16\}/);
  const hugetlb = { op: 'mmap', buf: 0, page: 0, pages: 1, prot: 'rw', kind: 'hugetlb' };
  expect(advice({ pmdOrder: 8 }, hugetlb)).toContain('256 pages');
  expect(advice({ pmdOrder: 2 })).toBeNull();
  expect(advice({}, { ...write, pages: 511 })).toBeNull();
});

it('says nothing of a shipped scenario', () => {
  const folder = new URL('../../scenarios/', import.meta.url);
  const names = readdirSync(folder).filter((name) => name.endsWith('.json'));
  const slow = names.filter((name) => {
    const value = JSON.parse(readFileSync(new URL(name, folder), 'utf8'));
    return slowGeometry(parseConcurrentProgram(value)) !== null;
  });
  expect(slow).toEqual([]);
});
