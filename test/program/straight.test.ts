/** The straight-line build does what the generators do; straight.long.ts has the whole corpus. */
import { describe, expect, it } from 'vitest';
import { CORPUS_FILES, corpusFile, sample } from '../support/corpus.ts';
import { differences, straightRoom } from '../support/straight.ts';

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
      expect(differences(programs, walk)).toEqual([]);
    },
  );
});

it('stops at a null in a straight line, too, where the modelled function is', async () => {
  type Mm = typeof import('../../src/mm/index.ts');
  const { IntervalNotifier, Kernel, mmuIntervalReadBegin } = await straightRoom<Mm>('mm');
  const notifier = new IntervalNotifier({} as never);
  expect(() => mmuIntervalReadBegin(new Kernel(), notifier)).toThrow(
    expect.objectContaining({
      finding: expect.objectContaining({
        function: 'mmuIntervalReadBegin',
        title: 'the address space of a notifier is not there',
      }),
    }),
  );
});
