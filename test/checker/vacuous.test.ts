/** No empty blessing: what ships, with a mistake that is easily made, is not proved without a word. Here a part. */
import { expect, it } from 'vitest';
import { blessedOf, judgeModules, judgePrograms } from '../support/vacuous.ts';

it('none of every fourth module with a mistake is blessed', async () => {
  const judged = await judgeModules((i) => i % 4 === 0);
  expect(judged.length).toBeGreaterThan(50);
  expect(blessedOf(judged)).toEqual([]);
});

it('none of every fortieth program with another buffer is blessed', () => {
  const judged = judgePrograms((i) => i % 40 === 0);
  expect(judged.length).toBeGreaterThan(10);
  expect(blessedOf(judged)).toEqual([]);
});
