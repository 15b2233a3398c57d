/** Recorded programs as a scenario: what a real kernel returned is right, whatever the model returns in every order. */
import { expect, test } from 'vitest';
import { check, Exhaustive, recordedScenario } from '../../src/checker/index.ts';
import { parseProgram, type Result } from '../../src/program/index.ts';

const program = (name: string, results: Result[]) =>
  parseProgram({
    name,
    ops: [
      { op: 'mmap', buf: 0, page: 0, pages: 2, prot: 'rw', kind: 'anon', proc: 0 },
      { op: 'cpu_write', buf: 0, page: 0, pages: 1, tag: 1, proc: 0 },
    ],
    results,
  });
const right = (name: string) => program(name, [{ ret: 'ok' }, { ret: 'ok', done: 1 }]);
const wrong = (name: string) => program(name, [{ ret: 'ok' }, { ret: 'SIGSEGV', done: 0 }]);
const checked = (programs: ReturnType<typeof program>[], walk: 'unified' | 'collect') =>
  check(recordedScenario('recorded', programs), {
    walk,
    strategy: (tasks) => new Exhaustive(tasks),
  });

test('what was recorded is what the model has to return', () => {
  const { found, schedules, complete } = checked([right('a'), right('b')], 'unified');
  expect(found).toEqual([]);
  expect({ schedules, complete }).toEqual({ schedules: 1, complete: true });
});

test('another result is a finding that names the program and both results', () => {
  const { found } = checked([wrong('the first'), right('b')], 'unified');
  expect(found.map(({ title }) => title)).toEqual([
    'returns what a real kernel does not return: cpu_write',
  ]);
  const { detail } = found[0].finding;
  expect(detail).toContain('the first, operation 1, cpu_write');
  expect(detail).toContain('SIGSEGV');
});

test('each walk has every second program', () => {
  const programs = [right('a'), wrong('b')];
  expect(checked(programs, 'unified').found).toHaveLength(0);
  expect(checked(programs, 'collect').found).toHaveLength(1);
});
