import { describe, expect, it } from 'vitest';
import { type RunOptions, runTest, type TestCase, testCases } from '../../src/selftest/harness.ts';
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

  it.each(QUICK.map((one) => [one.name, one] as const))('%s', (_, one) => {
    expect(runTest(one)).toMatchObject({ ok: true, diagnostics: [] });
  });

  it('fail where they fail on 7.3.4, if its mistakes are kept', () => {
    for (const [name, said] of FAILS) {
      const one = CASES.find((testCase) => testCase.name === name) as TestCase;
      const diagnostics = said.map((line) => `${one.test.name}:${line}`);
      expect(runTest(one, { mended: false })).toMatchObject({ ok: false, diagnostics });
    }
  });
});

describe('where memory is, and how it is walked,', () => {
  const failed = (options: RunOptions) =>
    QUICK.filter((one) => !runTest(one, options).ok).map(({ name }) => name);

  it.each([
    ['as mmap() has it, with another order of threads', { alignsHuge: true, seed: 7 }],
    ['with the mistakes of 7.3.4, but for what fails there', { mended: false }],
  ] as const)('changes nothing: %s', (_, options: RunOptions) => {
    expect(failed(options)).toEqual(options.mended === false ? [...FAILS.keys()] : []);
  });
});
