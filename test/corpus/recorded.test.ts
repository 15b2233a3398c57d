import { describe, expect, it } from 'vitest';
import { WRONG_PAGE_OF_HUGE_PAGE } from '../../src/drivers/look/check-mirrors.ts';
import { compareResults, type Program, type RunOptions } from '../../src/program/index.ts';
import {
  brokenAfter,
  brokenAfterShutdown,
  checkWalks,
  differentResults,
  runProgram,
} from '../support/check.ts';
import {
  BASE_PAGE_PROFILES,
  HUGE_PAGE_PROFILES,
  KIND_PROFILES,
  recorded,
  sample,
} from '../support/corpus.ts';

/** Runs a program as recorded: what differs from Linux, and what is broken. */
function problems(program: Program, options: RunOptions): string[] {
  const outcome = runProgram(program, options);
  const difference = compareResults(program.results ?? [], outcome.results);
  return [
    ...(difference ? [`differs from the recording: ${JSON.stringify(difference)}`] : []),
    ...brokenAfter(outcome),
    ...brokenAfterShutdown(outcome),
  ].map((line) => `${program.name}, walk ${options.walk}: ${line}`);
}

describe('recorded programs of base pages: as recorded, and nothing broken', () => {
  for (const profile of BASE_PAGE_PROFILES) {
    const programs = recorded(profile);
    it.each(['collect', 'unified'] as const)(`${profile}, walk %s`, (walk) => {
      expect(programs.flatMap((program) => problems(program, { walk }))).toEqual([]);
    });
    it(`${profile}: one after the other, the posted patch does the same`, () => {
      const some = sample(programs, 4);
      expect(some.flatMap((program) => problems(program, { walk: 'as-posted' }))).toEqual([]);
    });
    it(`${profile}: a sample with the reference ledger`, () => {
      const some = sample(programs, 12);
      expect(some.flatMap((p) => problems(p, { walk: 'unified', ledger: true }))).toEqual([]);
      expect(some.flatMap((p) => problems(p, { walk: 'collect', ledger: true }))).toEqual([]);
    });
    it(`${profile}: both walks end in the same state`, () => {
      const some = sample(programs, profile.startsWith('mof') ? 1 : 6);
      expect(some.flatMap((p) => checkWalks(p).map((line) => `${p.name}: ${line}`))).toEqual([]);
    });
  }
});

describe('recorded programs of other kinds of memory: as recorded, and nothing broken', () => {
  for (const profile of KIND_PROFILES) {
    it.each(['collect', 'unified'] as const)(`${profile}, walk %s`, (walk) => {
      const some = sample(recorded(profile), 6);
      expect(some.flatMap((program) => problems(program, { walk }))).toEqual([]);
    });
    it(`${profile}: a sample with the reference ledger`, () => {
      const some = sample(recorded(profile), 20);
      expect(some.flatMap((p) => problems(p, { walk: 'unified', ledger: true }))).toEqual([]);
    });
  }
});

describe('recorded programs of huge pages: nothing broken, in a sample', () => {
  for (const profile of HUGE_PAGE_PROFILES) {
    it.each(['collect', 'unified'] as const)(`${profile}, walk %s`, (walk) => {
      const some = sample(recorded(profile), 10);
      expect(some.flatMap((program) => problems(program, { walk }))).toEqual([]);
    });
  }

  it('finds the one way in which 7.3.4 itself lets a device map a wrong page', () => {
    const program = recorded('thp').find(({ name }) => name === 'thp-10694') as Program;
    for (const walk of ['collect', 'unified'] as const) {
      const broken = problems(program, { walk });
      expect(broken).toHaveLength(1);
      expect(broken[0]).toContain(
        `${WRONG_PAGE_OF_HUGE_PAGE}: page table of device 0, buffer 0 page 947`,
      );
    }
  });
});

describe('suspended before every step, a program does the same', () => {
  for (const profile of [...BASE_PAGE_PROFILES, ...HUGE_PAGE_PROFILES]) {
    const step = profile.includes('thp') ? 60 : 15;
    it.each(['collect', 'unified'] as const)(`${profile}, walk %s`, (walk) => {
      for (const program of sample(recorded(profile), step)) {
        const straight = runProgram(program, { walk });
        const stepping = runProgram(program, { walk, stepping: true });
        expect(differentResults(program, straight.results, stepping.results)).toEqual([]);
        expect(stepping.results).toHaveLength(program.ops.length);
        expect(stepping.counters).toEqual(straight.counters);
        expect(brokenAfter(stepping)).toEqual([]);
      }
    });
  }
});
