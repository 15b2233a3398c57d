/** Bits of entries claim no less than what happened: each is lost on purpose, and found; and what Linux loses is not. */
import { describe, expect, test } from 'vitest';
import {
  check,
  type ProgramState,
  programScenario,
  RandomWalk,
  type Scenario,
} from '../../src/checker/index.ts';
import type { Watch } from '../../src/checker/watch/watch.ts';
import {
  type Kernel$,
  PG_ANON_EXCLUSIVE,
  PG_DIRTY,
  PTE_ACCESSED,
  PTE_DIRTY,
  PTE_SOFT_DIRTY,
  PTE_WRITE,
} from '../../src/machine/index.ts';
import { ptepGet, ptepOf, setPte } from '../../src/mm/pgtable.ts';
import { parseConcurrentProgram } from '../../src/program/index.ts';

const PAGE = { buf: 0, page: 0, pages: 1 };
const WRITE = { op: 'cpu_write', ...PAGE, tag: 5 };
const PAGEMAP = { op: 'pagemap', ...PAGE };
const SETUP = [
  { op: 'mmap', ...PAGE, pages: 2, prot: 'rw', kind: 'anon' },
  { op: 'cpu_write', ...PAGE, pages: 2, tag: 3 },
];
const FORGOTTEN = [...SETUP, { op: 'clear_soft_dirty' }];

type Spoil = (s: ProgramState, ptep: number) => void;

/**
 * What is found when one task does some operations, and then takes something of the page's entry.
 * @param spoil null: nothing
 */
function found(ops: object[], spoil: Spoil | null, setup: object[] = SETUP, after: object[] = []) {
  const machine = { pmdOrder: 2, pageBytes: 16 };
  const program = { name: 'test', machine, setup, tasks: { task: ops }, after };
  const scenario = programScenario(parseConcurrentProgram(program));
  const { task } = scenario.tasks;
  const spoiled: Scenario<ProgramState> = {
    ...scenario,
    tasks: {
      *task(s): Kernel$<void> {
        yield* task(s);
        const k = s.system.kernel;
        const ptep = ptepOf(k, s.system.process(0).mm, k.geometry.vpnOf(0, 0));
        if (spoil === null) return;
        yield k.writeEntry(ptep);
        spoil(s, ptep);
      },
    },
  };
  const strategy = () => new RandomWalk({ seed: 1 });
  const { found: all } = check(spoiled as Scenario, { strategy, schedules: 3 });
  return all.map(({ title }) => title);
}

const without =
  (bits: number): Spoil =>
  ({ system: { kernel } }, ptep) => {
    const pte = ptepGet(kernel, ptep);
    setPte(kernel, ptep, pte & ~bits);
    kernel.flushTlbSpace(kernel.mms[0].id);
    if (bits & PTE_DIRTY) kernel.pages.flags[pte >>> 11] &= ~PG_DIRTY;
  };

describe('an entry claims no less than what happened', () => {
  test('a page that was written is soft-dirty until its process forgets it', () => {
    const lost = ['a page that was written ends without being soft-dirty'];
    expect(found([WRITE], without(PTE_SOFT_DIRTY), FORGOTTEN)).toEqual(lost);
    expect(found([WRITE], null, FORGOTTEN)).toEqual([]);
    expect(found([WRITE, { op: 'clear_soft_dirty' }], null)).toEqual([]);
    // an area that is new is soft-dirty as a whole
    expect(found([WRITE], without(PTE_SOFT_DIRTY))).toEqual([]);
  });

  test('and is dirty until its process gives it up', () => {
    const lost = ['a page that was written ends without being dirty'];
    expect(found([WRITE], without(PTE_DIRTY))).toEqual(lost);
    const free = { op: 'madvise', ...PAGE, advice: 'free' };
    expect(found([WRITE, free], without(PTE_DIRTY))).toEqual([]);
    expect(found([free, WRITE], without(PTE_DIRTY))).toEqual(lost);
  });

  test('an observer is told', () => {
    const told =
      (said: number): Spoil =>
      ({ system }) => {
        const { kernel } = system;
        const { mm } = system.process(0);
        const vpn = kernel.geometry.vpnOf(0, 0);
        const { data } = kernel.monitor as Watch;
        const before = data?.shadows.softDirty(mm, vpn, 1) ?? [];
        data?.shadows.observed(mm, vpn, [said], before);
      };
    const [present, written] = [1, 9];
    const lost = [expect.stringMatching(/^pagemap does not say that a page was written/)];
    expect(found([WRITE], told(present), FORGOTTEN)).toEqual(lost);
    expect(found([WRITE], told(written), FORGOTTEN)).toEqual([]);
    const forget = { op: 'clear_soft_dirty' };
    const claimed = [
      expect.stringMatching(/^pagemap says that a page was written that was forgot/),
    ];
    expect(found([forget], told(written))).toEqual(claimed);
    expect(found([forget], told(present))).toEqual([]);
    expect(found([WRITE], null, FORGOTTEN, [PAGEMAP])).toEqual([]);
  });
});

describe('so do those of a page that was', () => {
  const clears = (ptep: number, { system: { kernel: k } }: ProgramState, bits: number) => {
    k.tables.entries[ptep] &= ~bits;
    k.flushTlbSpace(k.mms[0].id);
  };

  test('reached by a CPU: it is young until it is let age', () => {
    const old: Spoil = (s, ptep) => clears(ptep, s, PTE_ACCESSED);
    const lost = ['a page that a CPU has reached ends without being young'];
    expect(found([{ op: 'cpu_read', ...PAGE }], old)).toEqual(lost);
    const cold = { op: 'madvise', ...PAGE, advice: 'cold' };
    expect(found([WRITE, cold], old)).toEqual([]);
  });

  test('written before the tasks began', () => {
    const lost = ['a page that was written ends without being soft-dirty'];
    expect(found([PAGEMAP], without(PTE_SOFT_DIRTY), [...FORGOTTEN, WRITE])).toEqual(lost);
  });

  test('written, and was its process’s alone', () => {
    const shared: Spoil = ({ system: { kernel: k } }, ptep) => {
      k.pages.flags[ptepGet(k, ptep) >>> 11] &= ~PG_ANON_EXCLUSIVE;
      setPte(k, ptep, ptepGet(k, ptep) & ~PTE_WRITE);
    };
    const lost = ['a page that was written ends without being exclusive'];
    expect(found([WRITE], shared)).toEqual(lost);
  });

  test('forgotten: it is not soft-dirty if nobody was at it', () => {
    const claims: Spoil = ({ system: { kernel: k } }, ptep) => {
      k.tables.entries[ptep] |= PTE_SOFT_DIRTY;
    };
    const forget = { op: 'clear_soft_dirty' };
    const wrong = ['a page that was forgotten ends soft-dirty'];
    expect(found([forget], claims)).toEqual(wrong);
    expect(found([forget, WRITE], claims)).toEqual([]);
  });
});

describe('what Linux does not keep is no finding', () => {
  const toDevice = { op: 'migrate_to_dev', dev: 0, ...PAGE };

  test('a page on a device whose process forgets what was written, and a CPU that takes it back', () => {
    const after = [PAGEMAP];
    expect(found([toDevice, { op: 'clear_soft_dirty' }, WRITE], null, SETUP, after)).toEqual([]);
    const onDevice = [...SETUP, toDevice, { op: 'clear_soft_dirty' }];
    expect(found([WRITE], null, onDevice, after)).toEqual([]);
  });

  test('a page on a device that is write-protected', () => {
    const protect = { op: 'mprotect', ...PAGE, prot: 'r' };
    expect(found([WRITE, toDevice, protect], null, FORGOTTEN, [PAGEMAP])).toEqual([]);
    // the same in RAM is kept
    expect(found([WRITE, protect], without(PTE_SOFT_DIRTY), FORGOTTEN)).toHaveLength(1);
  });
});

test('clear_refs leaves a page that is pinned for writing as it is', () => {
  const softDirty = (how: string): boolean => {
    const gup = { op: 'gup', id: 0, ...PAGE, write: 1, how };
    let pte = 0;
    const look: Spoil = ({ system: { kernel } }, ptep) => {
      pte = ptepGet(kernel, ptep);
    };
    expect(found([gup, WRITE, { op: 'clear_soft_dirty' }], look)).toEqual([]);
    return (pte & PTE_SOFT_DIRTY) !== 0;
  };
  expect(softDirty('pin')).toBe(true);
  expect(softDirty('get')).toBe(false);
});
