/** The straight-line build does what the generators do; straight.long.ts has the whole corpus. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CORPUS_FILES, corpusFile, sample } from '../support/corpus.ts';
import { differences, StraightBuild } from '../support/straight.ts';

let build: StraightBuild;
beforeAll(() => {
  build = new StraightBuild();
});
afterAll(() => build.remove());

/** Programs of huge pages take longer. */
const stepOf = (file: string) => (/thp|wild|asked/.test(file) ? 45 : 15);
const some = CORPUS_FILES.flatMap((file) => sample(corpusFile(file), stepOf(file)));

describe('straight-line and generators: same results, counters and findings', () => {
  it.each(['collect', 'unified', 'as-posted'] as const)(
    'a sample of the corpus, walk %s',
    (walk) => {
      // the posted patch may split a huge page without end, up to a limit: that takes long
      const programs =
        walk === 'as-posted' ? some.filter(({ name }) => !name.includes('thp')) : some;
      expect(differences(build, programs, walk)).toEqual([]);
    },
  );
});

it('stops at a null in a straight line, too, where the modelled function is', () => {
  const printed = build.print(`
    import { IntervalNotifier, Kernel, mmuIntervalReadBegin } from './straight/mm/index.js';
    const k = new Kernel();
    try {
      mmuIntervalReadBegin(k, new IntervalNotifier({}));
    } catch ({ finding }) {
      console.log(finding.function + ': ' + finding.title);
    }
  `);
  expect(printed).toBe('mmuIntervalReadBegin: the address space of a notifier is not there\n');
});
