import { afterEach, describe, expect, it, vi } from 'vitest';
import { check } from '../../src/checker/check.ts';
import { programScenario } from '../../src/checker/program.ts';
import { strategyOf } from '../../src/checker/search/strategies.ts';
import { Machine } from '../../src/machine/machine.ts';
import type { ConcurrentProgram, Op } from '../../src/program/index.ts';

const write: Op = { op: 'cpu_write', buf: 0, page: 0, pages: 1, proc: 0, tag: 1 };
const PROGRAM: ConcurrentProgram = {
  name: 'a page is written twice',
  machine: { pmdOrder: 2, pageBytes: 16 },
  setup: [{ op: 'mmap', buf: 0, page: 0, pages: 1, proc: 0, prot: 'rw', kind: 'anon' }, write],
  tasks: { one: [write], two: [write] },
  after: [],
};

function found(): string[] {
  const { found } = check(programScenario(PROGRAM), {
    strategy: (tasks) => strategyOf('exhaustive', tasks, { seed: 1, faults: 0, breaks: 0 }),
    schedules: 10,
  });
  return found.map(({ finding }) => `${finding.invariant}: ${finding.title}`);
}

describe('a model that cannot go on while memory is prepared', () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });

  it('goes on where nothing is wrong', () => {
    expect(found()).toEqual([]);
  });

  it('is a finding, as it is while tasks run', () => {
    vi.spyOn(Machine.prototype, 'lockShared').mockImplementation(() => {
      throw new TypeError('nothing is there');
    });
    expect(found()).toEqual(['use after free: follows what is not there (nothing is there)']);
  });

  it('is the finding that the model itself made', () => {
    vi.spyOn(Machine.prototype, 'lockShared').mockImplementation(function (this: Machine) {
      this.throwBug('bug', 'a lock that cannot be');
    });
    expect(found()).toEqual(['bug: a lock that cannot be']);
  });
});
