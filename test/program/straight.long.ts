/** straight.test.ts for the whole corpus: npm run test:long. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CORPUS_FILES, corpusFile } from '../support/corpus.ts';
import { differences, StraightBuild } from '../support/straight.ts';

let build: StraightBuild;
beforeAll(() => {
  build = new StraightBuild();
});
afterAll(() => build.remove());

describe('straight-line and generators: same results, counters and findings', () => {
  for (const walk of ['collect', 'unified'] as const) {
    it.each(CORPUS_FILES)(`%s, walk ${walk}`, (file) => {
      expect(differences(build, corpusFile(file), walk)).toEqual([]);
    });
  }
});
