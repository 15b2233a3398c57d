/** `softleaf check --pairs`: which programs it takes, and that each is one by its name. */
import { describe, expect, it } from 'vitest';
import { root, softleaf } from '../support/cli.ts';

const check = (...args: string[]) => softleaf(['check', '--workers', '1', ...args], root);
const NAME = 'pair:hugetlb/munmap.whole/clear_soft_dirty';

describe('--pairs', () => {
  it('lists the pairs of an operation and a state, and takes those for the programs', () => {
    const { code, out } = check('--pairs', 'munmap', '--states', 'hugetlb', '--list');
    const names = out.trim().split('\n');
    expect(code).toBe(0);
    expect(names).toContain(NAME);
    for (const name of names) expect(name).toMatch(/^pair:hugetlb\/.*munmap/);
  });

  it('prints a program that is checked as any other', () => {
    const { out } = check(NAME, '--list', '--json');
    const [program] = JSON.parse(out);
    expect(program.name).toBe(NAME);
    expect(Object.keys(program.tasks)).toEqual(['one', 'two']);
    const one = JSON.parse(check(NAME, '--json', '--preemptions', '1').out);
    expect(one.verdict).toBe('nothing-found');
    expect(one.coverage.scenarios).toBe(1);
  });

  it('searches all that was asked for, and says so', () => {
    const args = ['--pairs', 'unpin', '--states', 'pinned', '--schedules', '2', '--json'];
    const { coverage, verdict } = JSON.parse(check(...args).out);
    expect(verdict).toBe('nothing-found');
    expect(coverage.scenarios).toBeGreaterThan(40);
    const munmap = coverage.entered.find((one: { function: string }) =>
      one.function.endsWith(' munmap'),
    );
    expect(munmap.searches).toBeGreaterThan(0);
  });

  it.each([
    [['--pairs', 'munnmap'], 'no operation of pairs is called "munnmap"; did you mean "munmap"?'],
    [['--pairs', '--states', 'hug'], 'no state is called "hug"; did you mean "huge"?'],
    [['--states', 'huge'], '--states: expected --pairs as well'],
    [['pair:huge/munmap.half/fork'], 'no range is called "half"'],
  ])('%j is refused', (args, message) => {
    const { code, err } = check(...args);
    expect(code).toBe(2);
    expect(err).toContain(message);
  });
});
