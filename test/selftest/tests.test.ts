import { describe, expect, it } from 'vitest';
import { type RunOptions, runTest, testCases } from '../../src/selftest/harness.ts';
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

/** In the order of hmm-tests.c, by fixture; then the series'. */
const NAMES = {
  hmm: [
    'open_close anon_read anon_read_prot anon_write anon_write_prot anon_write_child',
    'anon_write_child_shared anon_write_huge anon_write_hugetlbfs file_read file_write migrate',
    'migrate_file_private migrate_fault migrate_release migrate_shared migrate_multiple',
    'anon_read_multiple anon_teardown mixedmap compound exclusive exclusive_mprotect exclusive_cow',
    'hmm_gup_test hmm_cow_in_device migrate_anon_huge_empty migrate_anon_huge_zero',
    'migrate_anon_huge_free migrate_anon_huge_fault migrate_partial_unmap_fault migrate_remap_fault',
    'migrate_anon_huge_err migrate_anon_huge_zero_err benchmark_thp_migration userfaultfd_read',
    'migrate_on_fault migrate_on_fault_missing',
  ],
  hmm2: ['migrate_mixed snapshot double_map'],
};

describe("the kernel's tests", () => {
  it('are all there, in the order in which the kernel runs them', () => {
    const names = Object.entries(NAMES).flatMap(([fixture, lines]) =>
      ['private', 'coherent'].flatMap((kind) =>
        lines
          .join(' ')
          .split(' ')
          .map((name) => `${fixture}.${fixture}_device_${kind}.${name}`),
      ),
    );
    expect(CASES.map(({ name }) => name)).toEqual(names);
    expect(names).toHaveLength(78 + 4);
  });

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

describe('where memory is, and how it is walked,', () => {
  const failed = (options: RunOptions) =>
    QUICK.filter((one) => !runTest(one, options).ok).map(({ name }) => name);

  it.each([
    ['as mmap() has it', { alignsHuge: true }],
    ['elsewhere, with another order of threads', { seed: 7 }],
    ['with the walk collect', { walk: 'collect' }],
  ] as const)(
    'changes nothing: %s',
    (_, options) => {
      expect(failed(options)).toEqual([...FAILS.keys()]);
    },
    300_000,
  );
});
