import { describe, expect, it } from 'vitest';
import { runTest, testCases } from '../../src/selftest/harness.ts';
import { TESTS } from '../../src/selftest/tests/index.ts';

const CASES = testCases(TESTS);
/** What 7.3.4 itself fails: its driver cannot have huge pages on a device-coherent device. */
const FAILS = new Map([
  [
    'hmm.hmm_device_coherent.migrate_anon_huge_err',
    ['Expected ret (-12) == 0 (0)', ' Test terminated by assertion'],
  ],
]);
const QUICK = CASES.filter(({ test }) => test.name !== 'benchmark_thp_migration');

describe("the kernel's tests", () => {
  it.each(QUICK.map((one) => [one.name, one] as const))('%s', (name, one) => {
    const said = FAILS.get(name)?.map((line) => `${one.test.name}:${line}`) ?? [];
    const { ok, diagnostics } = runTest(one);
    expect(diagnostics).toEqual(said);
    expect(ok).toBe(said.length === 0);
  });

  it('pass where the mistake for which one fails is mended', () => {
    for (const name of FAILS.keys()) {
      const [one] = CASES.filter((testCase) => testCase.name === name);
      expect(runTest(one, { mended: true })).toMatchObject({ ok: true, diagnostics: [] });
    }
  });
});
