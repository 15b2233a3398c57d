/**
 * What the kernel's harness prints: the Kernel Test Anything Protocol, version 1.
 *
 * Models: tools/testing/selftests/kselftest_harness.h, tools/testing/selftests/kselftest.h
 */
import type { TestCase, TestResult } from './harness.ts';

/** The lines before the first test. */
export function ktapHeader(cases: readonly TestCase[]): string[] {
  const groups = new Set(cases.map(({ name }) => name.slice(0, name.lastIndexOf('.'))));
  return [
    'TAP version 13',
    `1..${cases.length}`,
    `# Starting ${cases.length} tests from ${groups.size} test cases.`,
  ];
}

/** The line before a test. */
export function ktapRun(name: string): string {
  return `#  RUN           ${name} ...`;
}

/** A line for readers, as KTAP has it. */
export function ktapDiagnostic(line: string): string {
  return `# ${line}`;
}

/**
 * The lines after a test.
 * @param number of the test, from 1
 */
export function ktapResult({ name, ok, skipped }: TestResult, number: number): string[] {
  const isSkipped = ok && skipped !== undefined;
  const skip = isSkipped ? ` # SKIP ${skipped}` : '';
  return [
    ...(isSkipped ? [`#      SKIP      ${skipped}`] : []),
    `#          ${(ok ? 'OK' : 'FAIL').padStart(4)}  ${name}`,
    `${ok ? 'ok' : 'not ok'} ${number} ${name}${skip}`,
  ];
}

/** The lines after the last test. */
export function ktapTotals(results: readonly TestResult[]): string[] {
  const passed = results.filter(({ ok }) => ok).length;
  const skipped = results.filter(({ ok, skipped }) => ok && skipped !== undefined).length;
  const failed = results.length - passed;
  const why = 'Consider enabling relevant config options to improve coverage.';
  return [
    `# ${failed > 0 ? 'FAILED' : 'PASSED'}: ${passed} / ${results.length} tests passed.`,
    ...(skipped > 0 ? [`# ${skipped} skipped test(s) detected. ${why}`] : []),
    `# Totals: pass:${passed - skipped} fail:${failed} xfail:0 xpass:0 skip:${skipped} error:0`,
  ];
}
