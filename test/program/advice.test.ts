import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { slowGeometry } from '../../src/program/advice.ts';
import { parseConcurrentProgram } from '../../src/program/schema.ts';

const write = { op: 'cpu_write', buf: 0, page: 0, pages: 4, tag: 1 };
const advice = (machine: object, op: object = write) =>
  slowGeometry(parseConcurrentProgram({ name: 'p', machine, tasks: { a: [op], b: [op] } }));

it('says of a large geometry that it is slow, where a small one would do', () => {
  expect(advice({})).toMatch(/512 pages here: with "machine": \{"pmdOrder":2,"pageBytes":16\}/);
  expect(advice({ pmdOrder: 9 })).not.toBeNull();
  expect(advice({ pmdOrder: 2 })).toBeNull();
  expect(advice({}, { ...write, page: 2040, pages: 100 })).toBeNull();
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
