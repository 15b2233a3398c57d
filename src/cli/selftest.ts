/** `softleaf selftest`: the kernel's own tests, made on the model. */

import type { Walk } from '../program/index.ts';
import {
  type DeviceKind,
  ktapDiagnostic,
  ktapHeader,
  ktapResult,
  ktapRun,
  ktapTotals,
  runTest,
  type SelfTest,
  TESTS,
  type TestCase,
  type TestResult,
  testCases,
} from '../selftest/index.ts';
import { ExitCode, printable, type Terminal, UsageError } from './terminal.ts';

export interface SelftestOptions {
  walk?: Walk;
  device?: DeviceKind;
  mended?: boolean;
  seed?: number;
  json?: boolean;
}

/** The tests that are asked for: by a part of the name, or by all of it where a test is called so. */
function chosen(cases: readonly TestCase[], filters: readonly string[]): readonly TestCase[] {
  if (filters.length === 0) return cases;
  const matches = (name: string, filter: string) =>
    cases.some((one) => one.name === filter) ? name === filter : name.includes(filter);
  return cases.filter(({ name }) => filters.some((filter) => matches(name, filter)));
}

/** The command. */
export function selftestCommand(
  filters: readonly string[],
  options: SelftestOptions,
  terminal: Terminal,
  tests: readonly SelfTest[] = TESTS,
): ExitCode {
  const { walk = 'unified', device, mended, seed, json } = options;
  const ofDevice = testCases(tests).filter((one) => device === undefined || one.device === device);
  const cases = chosen(ofDevice, filters);
  if (cases.length === 0) throw new UsageError(`no test matches ${filters.join(', ')}`);
  const write = (...lines: string[]) => {
    if (!json) for (const line of lines) terminal.stdout.write(`${printable(line)}\n`);
  };

  write(...ktapHeader(cases));
  const results: TestResult[] = [];
  for (const [i, one] of cases.entries()) {
    write(ktapRun(one.name));
    const result = runTest(one, { walk, mended, seed }, (line) => write(ktapDiagnostic(line)));
    write(...ktapResult(result, i + 1));
    results.push(result);
  }
  write(...ktapTotals(results));

  const passed = results.filter(({ ok }) => ok).length;
  const failed = results.length - passed;
  if (json) terminal.stdout.write(`${JSON.stringify({ walk, tests: results, passed, failed })}\n`);
  return failed > 0 ? ExitCode.finding : ExitCode.clean;
}
