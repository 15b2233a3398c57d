/** No empty blessing: every mistake of mutants.ts in the modules that ship, and every fifth in the programs. */
import { expect, it } from 'vitest';
import { blessedOf, HARMLESS, judgeModules, judgePrograms } from '../support/vacuous.ts';

it('none is blessed but what is harmless', async () => {
  const judged = [...(await judgeModules(() => true)), ...judgePrograms((i) => i % 5 === 0)];
  expect(judged.length).toBeGreaterThan(300);
  expect(blessedOf(judged)).toEqual([]);
  // and what is harmless is said to be nothing else
  const blessed = judged.filter(({ verdict }) => verdict === 'blessed').map(({ name }) => name);
  expect([...new Set(blessed)].sort()).toEqual(Object.keys(HARMLESS).sort());
});
