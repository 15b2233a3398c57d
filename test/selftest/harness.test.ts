import { describe, expect, it } from 'vitest';
import { main } from '../../src/cli/cli.ts';
import { type SelftestOptions, selftestCommand } from '../../src/cli/selftest.ts';
import type { Terminal } from '../../src/cli/terminal.ts';
import { type Kernel$, ObjectKind, Role, type Step, StepKind } from '../../src/machine/index.ts';
import { folioGet } from '../../src/mm/folio.ts';
import { Holder, translate } from '../../src/mm/index.ts';
import { runTest, type SelfTest, test, testCases } from '../../src/selftest/harness.ts';
import { PROT_NONE, PROT_READ, PROT_READ_WRITE } from '../../src/selftest/process.ts';
import { Skipped, type Test } from '../../src/selftest/test.ts';
import { COUNT, ZERO } from '../../src/selftest/test-words.ts';

function terminal() {
  const text = { out: '', err: '' };
  const on: Terminal = {
    stdout: { write: (part) => (text.out += part) },
    stderr: { write: (part) => (text.err += part) },
    env: {},
  };
  return { on, text };
}

function selftest(
  tests: readonly SelfTest[],
  filters: string[] = [],
  options: SelftestOptions = {},
) {
  const { on, text } = terminal();
  const code = selftestCommand(filters, options, on, tests);
  return { code, ...text };
}

/** The body of a test, or a thread, that does nothing in the modelled kernel. */
const plain = (act: (t: Test) => void) =>
  function* (t: Test): Kernel$<void> {
    act(t);
    yield* [] as Step[];
  };

const onPrivate = (body: (t: Test) => ReturnType<SelfTest['body']>) =>
  runTest(testCases([test('hmm', 'own', body)])[0]);

const good = test('hmm', 'good', function* () {});
const two = test(
  'hmm2',
  'two',
  plain((t) => {
    const [fd0, fd1] = t.fds.map((fd) => fd.mirror.device.id);
    t.assertEq({ 'fd1 - fd0': fd1 - fd0 }, 1);
  }),
);
const bad = test('hmm', 'bad', function* (t) {
  const buffer = yield* t.buffer(2, 2, PROT_READ_WRITE);
  t.expectEq({ 'buffer->cpages': buffer.cpages }, 7);
  yield* t.assertMemory(t.process, buffer.ptr, 2, COUNT);
  t.print('not to be reached');
});

describe('the harness', () => {
  it('prints what the kernel prints', () => {
    const { code, out } = selftest([good, bad, two]);
    expect(code).toBe(1);
    const failed = (n: number, kind: string) => [
      `#  RUN           hmm.hmm_device_${kind}.bad ...`,
      '# bad:Expected buffer->cpages (0) == 7 (7)',
      '# bad:Expected ptr[i] (0) == i (1)',
      '# bad: Test terminated by assertion',
      `#          FAIL  hmm.hmm_device_${kind}.bad`,
      `not ok ${n} hmm.hmm_device_${kind}.bad`,
    ];
    const passed = (n: number, name: string) => [
      `#  RUN           ${name} ...`,
      `#            OK  ${name}`,
      `ok ${n} ${name}`,
    ];
    expect(out.trimEnd().split('\n')).toEqual([
      'TAP version 13',
      '1..6',
      '# Starting 6 tests from 4 test cases.',
      ...passed(1, 'hmm.hmm_device_private.good'),
      ...failed(2, 'private'),
      ...passed(3, 'hmm.hmm_device_coherent.good'),
      ...failed(4, 'coherent'),
      ...passed(5, 'hmm2.hmm2_device_private.two'),
      ...passed(6, 'hmm2.hmm2_device_coherent.two'),
      '# FAILED: 4 / 6 tests passed.',
      '# Totals: pass:4 fail:2 xfail:0 xpass:0 skip:0 error:0',
    ]);
  });

  it('says what was skipped, and why', () => {
    const skips = test(
      'hmm',
      'skips',
      plain(() => {
        throw new Skipped('no driver');
      }),
    );
    const { code, out } = selftest([skips], [], { device: 'private' });
    expect(code).toBe(0);
    expect(out.trimEnd().split('\n').slice(3)).toEqual([
      '#  RUN           hmm.hmm_device_private.skips ...',
      '#      SKIP      no driver',
      '#            OK  hmm.hmm_device_private.skips',
      'ok 1 hmm.hmm_device_private.skips # SKIP no driver',
      '# PASSED: 1 / 1 tests passed.',
      '# 1 skipped test(s) detected. Consider enabling relevant config options to improve coverage.',
      '# Totals: pass:0 fail:0 xfail:0 xpass:0 skip:1 error:0',
    ]);
  });

  it.each([
    [['bad'], ['hmm.hmm_device_private.bad', 'hmm.hmm_device_coherent.bad']],
    [
      ['private.good', 'two'],
      [
        'hmm.hmm_device_private.good',
        'hmm2.hmm2_device_private.two',
        'hmm2.hmm2_device_coherent.two',
      ],
    ],
    // a whole name is that test, and no other that begins with it
    [['hmm.hmm_device_private.good'], ['hmm.hmm_device_private.good']],
  ])('chooses by %j', (filters, names) => {
    const again = test('hmm', 'good_again', function* () {});
    const { out } = selftest(
      [good, bad, two, ...(filters[0].startsWith('hmm.') ? [again] : [])],
      filters,
      { json: true },
    );
    expect(JSON.parse(out).tests.map(({ name }: { name: string }) => name)).toEqual(names);
  });

  it('prints one object', () => {
    const { code, out } = selftest([bad, good], [], {
      json: true,
      device: 'coherent',
      walk: 'collect',
    });
    expect(code).toBe(1);
    const { tests, ...rest } = JSON.parse(out);
    expect(rest).toEqual({ walk: 'collect', passed: 1, failed: 1 });
    expect(tests).toEqual([
      {
        name: 'hmm.hmm_device_coherent.bad',
        ok: false,
        ms: expect.any(Number),
        diagnostics: [
          'bad:Expected buffer->cpages (0) == 7 (7)',
          'bad:Expected ptr[i] (0) == i (1)',
          'bad: Test terminated by assertion',
        ],
      },
      { name: 'hmm.hmm_device_coherent.good', ok: true, ms: expect.any(Number), diagnostics: [] },
    ]);
  });

  it.each([
    [['no such test'], 'no test matches no such test'],
    [['open_close', '--walk', 'none'], 'Allowed choices are collect, unified, as-posted'],
    [['open_close', '--device', 'none'], 'Allowed choices are private, coherent'],
    [['open_close', '--seed', '-1'], 'Expected a whole number'],
  ])('refuses %j', async (args, message) => {
    const { on, text } = terminal();
    expect(await main(['selftest', ...args], on)).toBe(2);
    expect(text.err).toContain(message);
    expect(text.out).toBe('');
  });

  it('runs a test by the command line', async () => {
    const { on, text } = terminal();
    const args = ['selftest', 'open_close', '--device', 'private', '--seed', '3', '--no-mended'];
    expect(await main(args, on)).toBe(0);
    expect(text.out).toContain('\nok 1 hmm.hmm_device_private.open_close\n# PASSED: 1 / 1');
  });
});

describe('a test fails', () => {
  it('after its first ASSERT: it is torn down, and nothing is left', () => {
    const result = onPrivate(function* (t) {
      const buffer = yield* t.buffer(4, 4, PROT_READ_WRITE);
      yield* t.process.write(buffer.ptr, 4, COUNT);
      t.assertDone(yield* t.fd.migrateToDevice(buffer, 4), buffer, 3);
    });
    expect(result).toMatchObject({
      ok: false,
      diagnostics: [
        'own:Expected buffer->cpages (4) == npages (3)',
        'own: Test terminated by assertion',
      ],
    });
  });

  it('when a CPU may not access memory', () => {
    for (const [prot, write, signal] of [
      [PROT_NONE, false, 11],
      [PROT_READ, true, 11],
    ] as const) {
      const result = onPrivate(function* (t) {
        const { ptr } = yield* t.buffer(1, 1, prot);
        if (write) yield* t.process.write(ptr, 1, COUNT);
        else yield* t.process.readPage(ptr);
      });
      const line = `own: Test terminated unexpectedly by signal ${signal}`;
      expect(result).toMatchObject({ ok: false, diagnostics: [line] });
    }
  });

  it('when memory is accessed behind the end of a file', () => {
    const result = onPrivate(function* (t) {
      const file = t.process.createFile(1);
      const ptr = yield* t.process.mmap(2, PROT_READ, { shared: true, file });
      yield* t.process.readPage(ptr + 1);
    });
    expect(result.diagnostics).toEqual(['own: Test terminated unexpectedly by signal 7']);
  });

  it('when a reference is left', () => {
    const { ok, diagnostics } = onPrivate(function* (t) {
      const { ptr } = yield* t.buffer(1, 1, PROT_READ_WRITE);
      yield* t.process.write(ptr, 1, ZERO);
      const { kernel: k } = t.computer;
      folioGet(k, yield* translate(k, t.process.mm, ptr, false), Holder.Pin);
    });
    expect(ok).toBe(false);
    expect(diagnostics.join('\n')).toMatch(/own:reference: .*refcount|references/);
  });

  it('when a process is left', () => {
    const { diagnostics } = onPrivate(function* (t) {
      yield* t.process.fork();
    });
    expect(diagnostics.join('\n')).toMatch(/^own:leak: /);
  });

  it('when the kernel warns, or stops', () => {
    const warns = onPrivate(plain((t) => t.computer.kernel.warn(true, 'something is odd')));
    expect(warns).toMatchObject({ ok: false });
    expect(warns.diagnostics).toEqual([expect.stringMatching(/^own:warn: something is odd/)]);
    const stops = onPrivate(
      plain((t) => {
        t.computer.kernel.bug(true, 'something is wrong');
        t.print('not to be reached');
      }),
    );
    expect(stops).toMatchObject({ ok: false });
    expect(stops.diagnostics).toEqual([expect.stringMatching(/^own:bug: something is wrong/)]);
  });

  it('when the model itself cannot go on', () => {
    const { ok, diagnostics } = onPrivate(
      plain(() => {
        throw new TypeError('not a function');
      }),
    );
    expect(ok).toBe(false);
    expect(diagnostics[0]).toContain('own: the model stumbles: TypeError: not a function');
  });

  it('when its child does', () => {
    const { diagnostics } = onPrivate(function* (t) {
      const { ptr } = yield* t.buffer(1, 1, PROT_READ);
      const child = yield* t.process.fork();
      const body = function* () {
        t.assertEq({ val: yield* child.readInt(ptr, 0) }, 5);
      };
      const { signal } = yield* t.child(child, body());
      t.assertEq({ 'WIFEXITED(ret)': signal === 0 ? 1 : 0 }, 1);
    });
    expect(diagnostics).toEqual([
      'own:Expected val (0) == 5 (5)',
      'own:Expected WIFEXITED(ret) (0) == 1 (1)',
      'own: Test terminated by assertion',
    ]);
  });
});

describe('a process', () => {
  it('keeps a device open by a mapping of it', () => {
    const open: number[] = [];
    const result = onPrivate(function* (t) {
      const { process, fd, computer } = t;
      const look = () => open.push(computer.mirrors.size);
      const other = yield* process.open(1);
      const start = yield* process.mmap(2, PROT_READ_WRITE, { device: other });
      look();
      t.assertEq({ ret: yield* process.close(other) }, 0);
      look();
      yield* process.munmap(start, 1);
      look();
      yield* process.munmap(start + 1, 1);
      look();
      // it was closed already, and the fixture closes the other one
      t.expectEq({ ret: yield* process.close(other) }, -22);
      yield* process.mmap(1, PROT_READ_WRITE, { device: fd });
    });
    expect(result.diagnostics).toEqual([]);
    expect(open).toEqual([2, 2, 2, 1]);
  });

  it('shares what it has open with a child: the last to close it lets it go', () => {
    const open: number[] = [];
    const result = onPrivate(function* (t) {
      const other = yield* t.process.open(1);
      const child = yield* t.process.fork();
      yield* t.process.close(other);
      open.push(t.computer.mirrors.size);
      yield* t.kill(child);
      open.push(t.computer.mirrors.size);
    });
    expect(result.diagnostics).toEqual([]);
    expect(open).toEqual([2, 1]);
  });

  it('maps memory anywhere, at huge pages when it is told to', () => {
    const [own] = testCases([
      test('hmm', 'own', function* (t) {
        const huge = t.hugePages;
        const at = function* (pages: number, mapping = {}) {
          return (yield* t.process.mmap(pages, PROT_READ, mapping)) % huge === 0 ? 1 : 0;
        };
        t.expectEq({ aligned: yield* at(2 * huge, { aligned: true }) }, 1);
        t.expectEq({ aligned: yield* at(2 * huge, { aligned: false }) }, 0);
        t.expectEq({ hugetlb: yield* at(huge, { hugetlb: true }) }, 1);
        const file = t.process.createFile(huge);
        t.expectEq({ file: yield* at(huge, { file, aligned: true }) }, 0);
        t.expectEq({ byDefault: yield* at(huge) }, 1);
      }),
    ]);
    expect(runTest(own, { alignsHuge: true }).diagnostics).toEqual([]);
    expect(runTest(own).diagnostics).toEqual(['own:Expected byDefault (0) == 1 (1)']);
  });
});

describe('threads', () => {
  it('that wait for ever fail the test', () => {
    const { diagnostics } = onPrivate(
      plain((t) => {
        const waits = () => t.waitUntil(() => false);
        t.together({ first: waits(), second: waits() });
      }),
    );
    expect(diagnostics).toEqual(['own: waits for ever: first, second']);
  });

  it('sleep, and time goes on without them', () => {
    const order: string[] = [];
    const { ok } = onPrivate(
      plain((t) => {
        const sleeps = function* (name: string, nanoseconds: number) {
          yield* t.sleep(nanoseconds);
          order.push(name);
        };
        t.together({ late: sleeps('late', 30_000), early: sleeps('early', 10_000) });
      }),
    );
    expect(ok).toBe(true);
    expect(order).toEqual(['early', 'late']);
  });

  it('run on, when another one fails', () => {
    let ended = false;
    const { diagnostics } = onPrivate(
      plain((t) => {
        const goes = function* () {
          yield* t.sleep(100);
          ended = true;
        };
        t.together({ fails: plain(() => t.assertEq({ ret: 1 }, 0))(t), goes: goes() });
      }),
    );
    expect(ended).toBe(true);
    expect(diagnostics[1]).toBe('own: Test terminated by assertion');
  });

  it('meet as the seed says, and addresses are where it says', () => {
    const run = (seed: number) => {
      const seen: unknown[] = [];
      const [own] = testCases([
        test('hmm', 'own', function* (t) {
          const k = t.computer.kernel;
          const steps = function* (name: string) {
            for (let i = 0; i < 200; i++) {
              seen.push(name);
              if (k.stepping) yield k.step(StepKind.Shared, ObjectKind.None, 0, Role.Read);
            }
          };
          seen.push(yield* t.process.mmap(1, PROT_READ));
          t.together({ a: steps('a'), b: steps('b') });
        }),
      ]);
      expect(runTest(own, { seed }).ok).toBe(true);
      return seen;
    };
    expect(run(1)).toEqual(run(1));
    expect(run(1)[0]).not.toBe(run(2)[0]);
    expect(run(1).slice(1)).not.toEqual(run(2).slice(1));
    // both by turns
    expect(run(1).slice(1, 300)).toContain('a');
    expect(run(1).slice(1, 300)).toContain('b');
  });
});
