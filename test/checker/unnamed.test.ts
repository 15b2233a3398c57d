/** A step names what it touches: what a task does without is a finding, whatever else comes of it. */
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { check, Exhaustive, type ProgramState, programScenario } from '../../src/checker/index.ts';
import {
  type Kernel$,
  type Lock,
  Machine,
  ObjectKind,
  ptePfn,
  Role,
  runStepping,
  runToEnd,
  Step,
  StepKind,
} from '../../src/machine/index.ts';
import { folioAlloc, Kernel } from '../../src/mm/index.ts';
import { ptepGet, ptepOf, setPte } from '../../src/mm/pgtable.ts';
import { parseConcurrentProgram } from '../../src/program/index.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

describe('locks', () => {
  /** Takes and gives back with the steps of `steps`, which are what the task says that it does. */
  function unnamed(
    does: (k: Machine, lock: Lock) => void,
    step: (k: Machine, lock: Lock) => Step,
    before: (k: Machine, lock: Lock) => void = () => {},
  ): string[] {
    const k = new Kernel();
    const lock = k.newLock('its lock', 'rwsem');
    before(k, lock);
    runStepping(
      k,
      (function* (): Kernel$<void> {
        yield step(k, lock);
        does(k, lock);
      })(),
    );
    return k.findings.map(({ invariant, title }) => `${invariant}: ${title}`);
  }
  const other = (k: Machine): Step => k.step(StepKind.Shared, ObjectKind.Program, 1, Role.Write);
  const said = (what: string): string[] => [`unnamed step: ${what} without a step that names it`];

  test('each way to take and to give back wants its step', () => {
    const take = (k: Machine, lock: Lock): void => k.lock(lock);
    const share = (k: Machine, lock: Lock): void => k.lockShared(lock);
    expect(unnamed(take, (k, lock) => k.acquire(lock))).toEqual([]);
    expect(unnamed(take, other)).toEqual(said('takes its lock'));
    expect(unnamed(share, (k, lock) => k.acquire(lock, true))).toEqual([]);
    expect(unnamed(share, other)).toEqual(said('takes for reading its lock'));
    const tries = (k: Machine, lock: Lock): void => void k.tryLock(lock);
    expect(unnamed(tries, (k, lock) => k.tryAcquire(lock))).toEqual([]);
    expect(unnamed(tries, other)).toEqual(said('tries its lock'));
    const gives = (k: Machine, lock: Lock): void => k.unlock(lock);
    expect(unnamed(gives, (k, lock) => k.release(lock), take)).toEqual([]);
    expect(unnamed(gives, other, take)).toEqual(said('releases its lock'));
    const stops = (k: Machine, lock: Lock): void => k.unlockShared(lock);
    expect(unnamed(stops, (k, lock) => k.release(lock), share)).toEqual([]);
    expect(unnamed(stops, other, share)).toEqual(said('releases its lock'));
  });

  test('a step that names the lock in another role does not do', () => {
    const take = (k: Machine, lock: Lock): void => k.lock(lock);
    expect(unnamed(take, (k, lock) => k.acquire(lock, true))).toEqual(said('takes its lock'));
    expect(unnamed(take, (k, lock) => k.tryAcquire(lock))).toEqual(said('takes its lock'));
  });

  test("a folio's lock, too", () => {
    const folio = new Kernel().zeroPfn;
    const what = `the lock of folio ${folio}`;
    const take = (k: Machine): void => k.folioLock(folio);
    expect(unnamed(take, (k) => k.acquireFolio(folio))).toEqual([]);
    expect(unnamed(take, other)).toEqual(said(`takes ${what}`));
    const tries = (k: Machine): void => void k.folioTryLock(folio);
    expect(unnamed(tries, (k) => k.tryAcquireFolio(folio))).toEqual([]);
    expect(unnamed(tries, other)).toEqual(said(`tries ${what}`));
    const gives = (k: Machine): void => k.folioUnlock(folio);
    expect(unnamed(gives, (k) => k.releaseFolio(folio), take)).toEqual([]);
    expect(unnamed(gives, other, take)).toEqual(said(`releases ${what}`));
  });

  test('a folio that was allocated in the same step nobody else knows', () => {
    const lockAfter = (steps: number) => (k: Machine) => {
      const folio = folioAlloc(k as Kernel, 0);
      k.steps += steps;
      k.folioTryLock(folio);
    };
    expect(unnamed(lockAfter(0), (k) => k.allocateStep())).toEqual([]);
    expect(unnamed(lockAfter(1), (k) => k.allocateStep())[0]).toMatch(
      /^unnamed step: tries the lock of folio \d+ without a step that names it$/,
    );
  });

  test('in a straight line nobody names anything', () => {
    const k = new Machine();
    const lock = k.newLock('its lock', 'mutex');
    runToEnd(
      k,
      // biome-ignore lint/correctness/useYield: as straight as it gets
      (function* (): Kernel$<void> {
        k.lock(lock);
        k.unlock(lock);
      })(),
    );
    expect(k.findings).toEqual([]);
  });
});

test('a step that would name more than it can throws', () => {
  const step = new Step().set(StepKind.Shared, ObjectKind.Program, 0, Role.Write);
  for (let i = 1; i < 8; i++) step.and(ObjectKind.Program, i, Role.Write);
  expect(() => step.and(ObjectKind.Program, 8, Role.Write)).toThrow(
    'a step names 8 objects at most',
  );
});

const SMALL = { op: 'mmap', buf: 0, page: 0, pages: 5, prot: 'rw', kind: 'anon' };
const WRITE = { op: 'cpu_write', buf: 0, page: 0, pages: 1, tag: 1 };

/** A huge page of 2^pmdOrder pages that is discarded. */
const program = (pmdOrder: number) =>
  parseConcurrentProgram({
    name: 'p',
    machine: { pmdOrder, pageBytes: 16 },
    setup: [
      { op: 'mmap', buf: 0, page: 0, pages: 1 << pmdOrder, prot: 'rw', kind: 'anon' },
      { op: 'madvise', buf: 0, page: 0, pages: 1 << pmdOrder, advice: 'hugepage' },
      WRITE,
    ],
    tasks: {
      discards: [{ op: 'madvise', buf: 0, page: 0, pages: 1 << pmdOrder, advice: 'dontneed' }],
    },
  });

describe('page tables', () => {
  /** What is wrong where a task does `body` and nothing else. */
  function found(body: (k: Kernel, ptep: number) => Kernel$<void>): string[] {
    const scenario = programScenario(
      parseConcurrentProgram({ ...program(2), setup: [SMALL, { ...WRITE, pages: 4 }] }),
    );
    const does = function* (state: ProgramState): Kernel$<void> {
      const k = scenario.kernel(state);
      yield k.step(StepKind.Shared, ObjectKind.Program, 1, Role.Read);
      yield* body(k, ptepOf(k, k.mms[0], k.geometry.vpnOf(0, 1)));
    };
    const strategy = (tasks: number) => new Exhaustive(tasks, { faults: 0 });
    return check({ ...scenario, tasks: { does } }, { strategy }).found.map(({ title }) => title);
  }

  test('an entry is written after a step that names it, for writing', () => {
    const named = 'writes a page-table entry without a step that names it';
    const write = (step: (k: Kernel, ptep: number) => Step) =>
      found(function* (k, ptep) {
        yield step(k, ptep);
        setPte(k, ptep, ptepGet(k, ptep));
      });
    expect(write((k, ptep) => k.writeEntry(ptep))).toEqual([]);
    expect(write((k, ptep) => k.readEntry(ptep))).toEqual([`${named} in setPte`]);
    expect(write((k, ptep) => k.writeEntry(ptep + 1))).toEqual([`${named} in setPte`]);
  });

  test('a CPU reaches a page after a step that names it, in its role', () => {
    const reach = (write: boolean, step: (k: Kernel, pfn: number) => Step) =>
      found(function* (k, ptep) {
        const pfn = ptePfn(ptepGet(k, ptep));
        yield step(k, pfn);
        k.monitor?.onCpuAccess(k.mms[0].id, k.geometry.vpnOf(0, 1), pfn, 0, write);
      }).filter((title) => title.includes('a CPU'));
    const access = (role: Role) => (k: Kernel, pfn: number) =>
      k.step(StepKind.CpuAccess, ObjectKind.Frame, pfn, role);
    const loads = 'a CPU loads from a page without a step that names it in does';
    expect(reach(false, access(Role.Read)).filter((title) => title === loads)).toEqual([]);
    expect(reach(false, (k) => k.step(StepKind.CpuAccess, ObjectKind.Tlb, 1, Role.Read))).toContain(
      loads,
    );
    expect(reach(true, access(Role.Read))).toContain(
      'a CPU stores to a page without a step that names it in does',
    );
  });

  test('one of a table that nobody can find needs none', () => {
    expect(
      found(function* (k) {
        yield k.readEntry(0);
        const table = k.tables.alloc(0);
        setPte(k, table << k.tables.strideShift, 0);
        k.tables.release(table, 0);
      }),
    ).toEqual([]);
  });
});

test('pages of a folio that steps leave out bound the search', () => {
  const search = (pmdOrder: number) =>
    check(programScenario(program(pmdOrder)), {
      strategy: (tasks) => new Exhaustive(tasks, { faults: 0 }),
    });
  expect(search(2)).toMatchObject({ complete: true, bounds: [] });
  expect(search(3).bounds).toEqual(['steps that name 4 pages of a folio at most (see pmdOrder)']);
});

describe('a driver with one of its steps taken out', () => {
  const folder = mkdtempSync(join(tmpdir(), 'softleaf-unnamed-'));
  const files = ['check-without-lock.mjs', 'lib/gpu.mjs'];
  const steps = files.flatMap((file) => {
    const lines = readFileSync(join(ROOT, 'examples/scenarios', file), 'utf8').split('\n');
    return lines.flatMap((line, at) =>
      /^\s*if \(k\.stepping\) yield [^*]/.test(line)
        ? [{ file, line: line.trim(), text: lines.toSpliced(at, 1).join('\n') }]
        : [],
    );
  });

  beforeAll(() => {
    mkdirSync(join(folder, 'node_modules'));
    symlinkSync(ROOT, join(folder, 'node_modules/softleaf'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test('there are some', () => expect(steps.length).toBeGreaterThan(10));

  test.each(steps.map((step, i) => ({ ...step, i })))('$file: $line', async ({ file, text, i }) => {
    const copy = join(folder, String(i));
    cpSync(join(ROOT, 'examples/scenarios'), copy, { recursive: true });
    writeFileSync(join(copy, file), text);
    const url = (path: string): string => pathToFileURL(path).href;
    // the module has the built package: so has what checks it
    const built = await import(/* @vite-ignore */ url(join(ROOT, 'dist/checker/index.js')));
    const module = await import(/* @vite-ignore */ url(join(copy, 'check-without-lock.mjs')));
    const strategy = (tasks: number) => new built.Exhaustive(tasks, { faults: 0 });
    const { found } = built.check(module.default, { strategy, schedules: 2000 });
    expect(found).not.toEqual([]);
  });
});
