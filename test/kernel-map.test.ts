import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import {
  complaints,
  kernelMap,
  kernelNames,
  modelledFunctions,
  readModel,
} from '../scripts/kernel-map.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

describe('the kernel map', () => {
  const model = readModel(root);

  it('has every exported modelled function, each with a kernel function and how close it is', () => {
    expect(complaints(model)).toEqual([]);
    expect(model.length).toBeGreaterThan(100);
  });

  it('is docs/kernel-map.md (npm run kernel-map writes it)', async () => {
    await expect(kernelMap(model)).toMatchFileSnapshot('../docs/kernel-map.md');
  });

  it('is what reports name functions by (npm run kernel-map writes it)', async () => {
    const names = '../src/program/look/kernel-names.ts';
    await expect(kernelNames(root, model)).toMatchFileSnapshot(names);
  });
});

describe('reading docstrings', () => {
  const read = (...lines: string[]) => modelledFunctions('src/mm/x.ts', lines.join('\n'));

  it('finds files, functions and how close they are', () => {
    const [entry] = read(
      '/**',
      ' * Does it.',
      ' *',
      ' * Mirrors: mm/a.c one(), two(), mm/b.h three()',
      ' * simplified: no',
      ' * swap',
      ' * @returns 0',
      ' */',
      'export function* doIt(k: Kernel): Kernel$<number> {',
    );
    expect(entry).toMatchObject({
      name: 'doIt',
      isEntry: true,
      mirrors: [
        { kernelFile: 'mm/a.c', functions: 'one(), two()' },
        { kernelFile: 'mm/b.h', functions: 'three()' },
      ],
      status: 'simplified',
      note: 'no swap',
    });
    expect(complaints([entry])).toEqual([]);
  });

  it('takes a docstring of one line, and what is not exported', () => {
    const [entry] = read('/** Mirrors: mm/a.c one(); faithful */', 'function one(k: Kernel) {');
    expect(entry).toMatchObject({ name: 'one', isEntry: false, status: 'faithful', note: '' });
  });

  it.each([
    ['no docstring', [], /no `Mirrors:` line/],
    ['no file', ['/** Mirrors: one(); faithful */'], /names no kernel file/],
    ['no status', ['/** Mirrors: mm/a.c one() */'], /none of faithful/],
    ['no reason', ['/** Mirrors: mm/a.c one(); differs */'], /does not say how/],
  ])('complains about %s', (_, doc, words) => {
    const [complaint] = complaints(
      read(...doc, 'export function* one(k: Kernel): Kernel$<void> {'),
    );
    expect(complaint).toMatch(words);
    expect(complaint).toMatch(/^src\/mm\/x\.ts:\d+ one: /);
  });

  it('asks nothing of a function without steps', () => {
    expect(read('export function one(k: Kernel): number {', '  return 1;', '}')).toEqual([]);
  });
});
