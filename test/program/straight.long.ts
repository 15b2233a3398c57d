/** straight.test.ts for the whole corpus: npm run test:long. */
import { describe, expect, it } from 'vitest';
import { CORPUS_FILES, corpusFile } from '../support/corpus.ts';
import { differences } from '../support/straight.ts';

describe('straight-line and generators: same results, counters and findings', () => {
  for (const walk of ['collect', 'unified'] as const) {
    it.each(CORPUS_FILES)(`%s, walk ${walk}`, (file) => {
      expect(differences(corpusFile(file), walk)).toEqual([]);
    });
  }
});
