/** Nothing that was freed is usable: each kind of object is freed, used once more, and found. */
import { describe, expect, test } from 'vitest';
import {
  check,
  type ProgramState,
  programScenario,
  RandomWalk,
  type Scenario,
} from '../../src/checker/index.ts';
import { closeDmirror } from '../../src/drivers/dmirror-file.ts';
import { deviceRange } from '../../src/drivers/driver.ts';
import { behind, checkRangeFault, checkSetup, requestsOf } from '../../src/hmm/look/contracts.ts';
import { migrateVmaArgs } from '../../src/hmm/migrate-args.ts';
import { hmmPfn } from '../../src/hmm/pfn.ts';
import type { Kernel$ } from '../../src/machine/index.ts';
import { exitMmap } from '../../src/mm/exit.ts';
import {
  folioAlloc,
  folioIsLarge,
  folioPages,
  folioTestAnon,
  freeRamFolio,
  pageFolio,
} from '../../src/mm/folio.ts';
import { mmuIntervalReadRetry, munmap } from '../../src/mm/index.ts';
import { pteOffsetMap, ptepGet, ptepOf } from '../../src/mm/pgtable.ts';
import { closeFile, newFile } from '../../src/mm/shmem.ts';
import { parseConcurrentProgram } from '../../src/program/index.ts';

type Task = (s: ProgramState) => Kernel$<unknown>;

/** What is found when one task does something on a machine with a page of memory. */
function found(task: Task): string[] {
  const program = parseConcurrentProgram({
    name: 'test',
    machine: { pmdOrder: 2, pageBytes: 16 },
    setup: [
      { op: 'mmap', buf: 0, page: 0, pages: 2, prot: 'rw', kind: 'anon' },
      { op: 'cpu_write', buf: 0, page: 0, pages: 2, tag: 3 },
    ],
    tasks: { a: [{ op: 'cpu_read', buf: 0, page: 0, pages: 1 }] },
    after: [],
  });
  const { check: _check, shutdown: _shutdown, ...rest } = programScenario(program);
  const scenario: Scenario<ProgramState> = {
    ...rest,
    tasks: { task },
    setup(options) {
      const s = rest.setup(options);
      s.system.kernel.ledger = null;
      return s;
    },
  };
  const strategy = () => new RandomWalk({ seed: 1 });
  return check(scenario as Scenario, { strategy, schedules: 2 }).found.map(({ title }) => title);
}

/** The machine, its process's address space and the page that was written. */
function place({ system }: ProgramState) {
  const k = system.kernel;
  return { k, mm: system.process(0).mm, vpn: k.geometry.vpnOf(0, 0), mirror: system.mirrors[0] };
}

describe('what was freed is poisoned', () => {
  test.each([
    ['which folio it is a part of', pageFolio],
    ['its pages', folioPages],
    ['its mapping', folioTestAnon],
  ])('a page: %s', (_, look) => {
    const use: Task = function* use(s) {
      const { k } = place(s);
      yield k.allocateStep();
      const page = folioAlloc(k, 0);
      yield k.freeStep(page);
      freeRamFolio(k, page);
      look(k, page);
    };
    expect(found(use)).toEqual(['a free page is looked at in use']);
  });

  test('a page inside a folio that somebody still takes for one of its own', () => {
    const use: Task = function* use(s) {
      const { k } = place(s);
      yield k.allocateStep(2);
      const folio = folioAlloc(k, 2);
      pageFolio(k, folio + 1);
      folioIsLarge(k, folio);
      folioIsLarge(k, folio + 1);
    };
    expect(found(use)).toEqual(['a page inside a folio is taken for a folio in use']);
  });

  test('a page number that there is not', () => {
    const use: Task = function* use(s) {
      yield place(s).k.allocateStep();
      folioIsLarge(place(s).k, -1);
    };
    expect(found(use)).toEqual(['a page is looked at that there is not in use']);
  });

  test('a page table', () => {
    const use: Task = function* use(s) {
      const { k, mm, vpn } = place(s);
      yield k.readEntry(0);
      const ptep = ptepOf(k, mm, vpn);
      yield* munmap(k, mm, vpn, vpn + 2);
      ptepGet(k, ptep);
    };
    expect(found(use)).toEqual(['an entry of a free page table is read in use']);
  });

  test('an upper one, and an entry that no table has', () => {
    const use: Task = function* use(s) {
      const { k } = place(s);
      yield k.allocateStep();
      pteOffsetMap(k, -1, 0);
    };
    expect(found(use)).toEqual(['an entry is read that no page table has in use']);
  });

  test('an area', () => {
    const use: Task = function* use(s) {
      const { k, mm, vpn } = place(s);
      const vma = k.present(mm.lookupVma(vpn), 'the area');
      yield* munmap(k, mm, vpn, vpn + 2);
      if (vma.flags & 1) yield k.allocateStep();
    };
    expect(found(use)).toEqual(['an area that was freed is used in use']);
  });

  test('an address space', () => {
    const use: Task = function* use(s) {
      const { k, mm, vpn } = place(s);
      yield* exitMmap(k, mm);
      ptepOf(k, mm, vpn);
    };
    expect(found(use)[0]).toMatch(/^an address space that was freed is used/);
  });

  test('a notifier, and the device that somebody had open', () => {
    const ask: Task = function* ask(s) {
      const { k, mirror } = place(s);
      yield* closeDmirror(k, mirror);
      mmuIntervalReadRetry(mirror.notifier, 1);
    };
    expect(found(ask)[0]).toMatch(/^a notifier that was freed is used/);
    const use: Task = function* use(s) {
      const { k, mirror } = place(s);
      yield* closeDmirror(k, mirror);
      mirror.pt.load(0);
    };
    expect(found(use)[0]).toMatch(/^an open device that was freed is used/);
  });

  test('a file', () => {
    const use: Task = function* use(s) {
      const { k } = place(s);
      yield k.allocateStep();
      const file = newFile(k, 1);
      file.opened = 1;
      yield* closeFile(k, file);
      file.folios.get(0);
    };
    expect(found(use)[0]).toMatch(/^a file that was freed is used/);
  });

  test('and what a snapshot puts back is as good as new', () => {
    // two schedules: the second one begins with the area that the first one freed
    const use: Task = function* use(s) {
      const { k, mm, vpn } = place(s);
      const vma = k.present(mm.lookupVma(vpn), 'the area');
      if (vma.end - vma.start !== 2) k.report('test', 'the area is not as it was');
      yield* munmap(k, mm, vpn, vpn + 2);
    };
    expect(found(use)).toEqual([]);
  });
});

describe('what must be written is', () => {
  test('by a range fault: each entry', () => {
    const fault = (written: number): Task =>
      function* walk(s) {
        const { k, mirror, vpn } = place(s);
        yield k.allocateStep();
        const range = deviceRange(mirror, 2, 0);
        Object.assign(range, { start: vpn, end: vpn + 2 });
        const requests = k.present(requestsOf(k, range), 'who looks');
        range.hmmPfns.fill(hmmPfn(0, 0), 0, written);
        checkRangeFault(k, range, requests);
      };
    expect(found(fault(1))).toEqual([
      'a range fault succeeds and leaves an entry unwritten in walk',
    ]);
    expect(found(fault(2))).toEqual([]);
  });

  test('by the setup of a migration: each entry of dst[]', () => {
    const setup = (written: number): Task =>
      function* migrate(s) {
        const { k, mirror, vpn } = place(s);
        yield k.allocateStep();
        const args = migrateVmaArgs(2, mirror.device);
        Object.assign(args, { start: vpn, end: vpn + 2 });
        const before = k.present(behind(k, args), 'who looks');
        args.dst.fill(0, 0, written);
        checkSetup(k, args, before, 0);
      };
    expect(found(setup(1))).toEqual([
      'a migration leaves an entry of its arrays unwritten in migrate',
    ]);
    expect(found(setup(2))).toEqual([]);
  });
});
