/**
 * Runs tests: each on a machine of its own, with its fixture's devices open.
 *
 * Models: tools/testing/selftests/kselftest_harness.h
 */
import type { DeviceKind } from '../drivers/driver.ts';
import { runToEnd } from '../machine/execute.ts';
import { KernelBug } from '../machine/finding.ts';
import { boundLoops } from '../machine/loops.ts';
import { generator } from '../machine/random.ts';
import type { Kernel$ } from '../machine/step.ts';
import type { Walk } from '../mm/walks.ts';
import { showBroken } from '../program/check-system.ts';
import {
  COHERENT_DEVICE_ONE,
  COHERENT_DEVICE_TWO,
  Computer,
  PRIVATE_DEVICE_ONE,
  PRIVATE_DEVICE_TWO,
} from './computer.ts';
import { Killed, TestProcess } from './process.ts';
import { Stuck } from './scheduler.ts';
import { AssertionFailed, Skipped, Test } from './test.ts';

export type { DeviceKind };
export type Fixture = 'hmm' | 'hmm2';

export const FIXTURES: readonly Fixture[] = ['hmm', 'hmm2'];
export const DEVICE_KINDS: readonly DeviceKind[] = ['private', 'coherent'];

/** TEST_F() */
export interface SelfTest {
  readonly fixture: Fixture;
  readonly name: string;
  body(t: Test): Kernel$<void>;
}

/** A test of a fixture: the steps and assertions of its namesake in the kernel. */
export function test(fixture: Fixture, name: string, body: (t: Test) => Kernel$<void>): SelfTest {
  return { fixture, name, body };
}

/** A test with one variant of its fixture. */
export interface TestCase {
  readonly name: string;
  readonly test: SelfTest;
  readonly device: DeviceKind;
}

/** Every test with every variant, in the order in which the kernel's harness runs them. */
export function testCases(tests: readonly SelfTest[]): TestCase[] {
  return FIXTURES.flatMap((fixture) =>
    DEVICE_KINDS.flatMap((device) =>
      tests
        .filter((one) => one.fixture === fixture)
        .map((one) => {
          const name = `${fixture}.${fixture}_device_${device}.${one.name}`;
          return { name, test: one, device };
        }),
    ),
  );
}

/** The devices that a fixture opens. */
const DEVICES: Record<Fixture, Record<DeviceKind, readonly number[]>> = {
  hmm: { private: [PRIVATE_DEVICE_ONE], coherent: [COHERENT_DEVICE_ONE] },
  hmm2: {
    private: [PRIVATE_DEVICE_ONE, PRIVATE_DEVICE_TWO],
    coherent: [COHERENT_DEVICE_ONE, COHERENT_DEVICE_TWO],
  },
};

export interface RunOptions {
  /** How a migration is prepared. Default `unified`. */
  walk?: Walk;
  /** Mend those mistakes of 7.3.4 for one of which a test of its own fails. Default: true. */
  mended?: boolean;
  /**
   * Memory that is as long as some huge pages begins at one, as 7.3.4's mmap() has it. Default: anywhere
   * else, so that a test has to look for a huge page in its buffer.
   */
  alignsHuge?: boolean;
  /** Of what is left to chance: addresses, and the order of threads. Default 1. */
  seed?: number;
}

export interface TestResult {
  readonly name: string;
  readonly ok: boolean;
  /** Why it could not be made; such a test is ok. */
  readonly skipped?: string;
  readonly ms: number;
  /** What the test printed, and what does not hold. */
  readonly diagnostics: readonly string[];
}

/**
 * Runs one test on a new machine. What the model finds wrong with itself meanwhile or afterwards fails
 * the test.
 * @param onLine is told each diagnostic as it comes
 */
export function runTest(
  testCase: TestCase,
  options: RunOptions = {},
  onLine: (line: string) => void = () => {},
): TestResult {
  const { name, device } = testCase;
  const { fixture, name: shortName, body } = testCase.test;
  const { walk = 'unified', mended = true, alignsHuge, seed = 1 } = options;
  const random = generator(seed);
  const computer = new Computer(walk, mended);
  const k = computer.kernel;
  boundLoops(k);
  const main = TestProcess.start(computer, random, alignsHuge);
  const t = new Test(shortName, computer, main, device === 'coherent', random, onLine);
  let skipped: string | undefined;
  const begin = performance.now();

  /** Whether it comes to its end, or to one that leaves the machine in order. */
  const attempt = (act: () => void): boolean => {
    try {
      act();
      return true;
    } catch (error) {
      t.failed = true;
      if (error instanceof AssertionFailed) t.print(`${shortName}: Test terminated by assertion`);
      else if (error instanceof Killed) {
        t.print(`${shortName}: Test terminated unexpectedly by signal ${error.signal}`);
      } else {
        if (error instanceof Stuck) t.print(`${shortName}: ${error.message}`);
        else if (!(error instanceof KernelBug)) t.print(`${shortName}: ${stumble(error)}`);
        return false;
      }
      return true;
    }
  };
  const setUp = () => {
    t.fds = [];
    for (const id of DEVICES[fixture][device]) t.fds.push(runToEnd(k, main.open(id)));
  };
  const run = () => {
    try {
      runToEnd(k, body(t));
    } catch (error) {
      if (!(error instanceof Skipped)) throw error;
      skipped = error.message;
    }
  };
  const look = (check: () => ReturnType<Computer['check']>) => {
    for (const broken of check()) t.fail(showBroken(broken));
  };
  const tearDown = () => {
    look(() => computer.check());
    for (const fd of t.fds) t.assertEq({ ret: runToEnd(k, main.close(fd)) }, 0);
  };
  const exit = () => {
    runToEnd(k, main.exit());
    look(() => computer.checkEmpty());
  };
  if (attempt(setUp) && attempt(run) && attempt(tearDown)) attempt(exit);
  for (const { invariant, title, function: at, stack } of k.findings) {
    // of what does not end the innermost function is any of those that are called
    const where = invariant === 'livelock' ? stack.slice(0, 5).join(' < ') : at;
    t.fail(`${invariant}: ${title} (${where})`);
  }
  return {
    name,
    ok: !t.failed,
    ...(skipped === undefined ? {} : { skipped }),
    ms: performance.now() - begin,
    diagnostics: t.diagnostics,
  };
}

/** The model itself cannot go on. */
function stumble(error: unknown): string {
  return `the model stumbles: ${error instanceof Error ? error.stack : String(error)}`;
}
