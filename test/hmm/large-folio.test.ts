/** Large folios that base entries map, in the way of a walk; and entries that change under `collect`. */
import { describe, expect, it } from 'vitest';
import {
  HMM_PFN_MIGRATE,
  HMM_PFN_REQ_FAULT,
  HMM_PFN_VALID,
  HMM_PFN_WRITE,
  type HmmRange,
  hmmPfnToPfn,
  MIGRATE_PFN_MIGRATE,
  MIGRATE_PFN_WRITE,
  MIGRATE_VMA_SELECT_COMPOUND,
  MIGRATE_VMA_SELECT_DEVICE_PRIVATE,
  MIGRATE_VMA_SELECT_SYSTEM,
  type MigrateVma,
  migratePfnToPfn,
  migrateVmaSetup,
} from '../../src/hmm/index.ts';
import { installMigrationEntry, SKIPPED } from '../../src/hmm/migration-entry.ts';
import { EFAULT, mkPte, PAGE_SHARED, runToEnd } from '../../src/machine/index.ts';
import { cpuReadWord } from '../../src/mm/access.ts';
import { folioGet, folioIsLarge, folioPut } from '../../src/mm/folio.ts';
import { pinFolio, unpinFolio } from '../../src/mm/gup.ts';
import { Holder, type Walk } from '../../src/mm/index.ts';
import { isDevicePrivate } from '../../src/mm/leafops.ts';
import { leafPfn } from '../../src/mm/look/leaves.ts';
import { pmdIsTable, pmdTransHuge, ptepOf, ptlOf } from '../../src/mm/pgtable.ts';
import { HUGE, hugeBench, hugeFolio, part, pmd, written } from '../support/huge.ts';
import {
  args,
  entry,
  giveUp,
  migratingRange,
  range,
  rangeFault,
  underMmapLock,
  unprepare,
} from '../support/migration.ts';
import { RUNS, type Run, when } from '../support/race.ts';
import type { Bench, LooseOp } from '../support/system.ts';

const SYSTEM = MIGRATE_VMA_SELECT_SYSTEM;
const DEVICE = MIGRATE_VMA_SELECT_DEVICE_PRIVATE;
const WHOLE = MIGRATE_VMA_SELECT_COMPOUND;
const FAULT = HMM_PFN_REQ_FAULT;
const VW = HMM_PFN_VALID | HMM_PFN_WRITE;
const FLAGS = 0xff;

const toDevice: LooseOp = { op: 'migrate_to_dev', dev: 0, ...part(0, HUGE) };
const dropped = (page: number, pages = 1): LooseOp => ({
  op: 'madvise',
  ...part(page, pages),
  advice: 'dontneed',
});
const ways = (walks: Walk[]) =>
  walks.flatMap((walk) => RUNS.map(([how, run]) => [walk, how, run] as [Walk, string, Run]));

/** A large folio in RAM or on the device, all of whose pages but one are mapped by base entries. */
function partly(walk: Walk, device: boolean, without = 3): { b: Bench; folio: number } {
  const b = hugeBench(walk, written(0, HUGE), ...(device ? [toDevice] : []));
  const folio = hugeFolio(b);
  b.all(dropped(without));
  expect(folioIsLarge(b.k, folio)).toBe(true);
  return { b, folio };
}

function setUp(b: Bench, run: Run, m: MigrateVma): number {
  return run(
    b.k,
    underMmapLock(b, () => migrateVmaSetup(b.k, m)),
  );
}
const moving = (m: MigrateVma) => [...m.src].map((src) => (src & MIGRATE_PFN_MIGRATE) !== 0);
const flagsOf = (r: HmmRange) => [...r.hmmPfns].map((pfn) => pfn & FLAGS);
const refs = (b: Bench, page: number) => b.k.pages.refcount[page];

describe.each(ways(['collect', 'unified', 'as-posted']))(
  'migrating pages of a large folio, walk %s, %s',
  (walk, _how, run) => {
    it.each([
      ['RAM', false],
      ['the device', true],
    ])('in %s splits it', (_where, device) => {
      const { b, folio } = partly(walk, device);
      const m = args(b, 0, HUGE, SYSTEM | DEVICE);
      expect(setUp(b, run, m)).toBe(0);
      expect(moving(m)).toEqual([true, true, true, true]);
      expect([...m.src].map(migratePfnToPfn)).toEqual([folio, folio + 1, folio + 2, -1]);
      expect([0, 1, 2].map((i) => folioIsLarge(b.k, folio + i))).toEqual([false, false, false]);
      expect(b.k.pages.isFree(folio + 3)).toBe(true);
      run(b.k, giveUp(b, m));
      expect([0, 1, 2].map((i) => leafPfn(entry(b, i).get()))).toEqual(
        [0, 1, 2].map((i) => folio + i),
      );
      expect(b.end()).toEqual([]);
    });

    it.each([
      ['RAM', false],
      ['the device', true],
    ])('in %s leaves it if somebody holds it', (_where, device) => {
      const { b, folio } = partly(walk, device, 0);
      folioGet(b.k, folio, Holder.Pin);
      const m = args(b, 0, HUGE, SYSTEM | DEVICE);
      // the posted patch fails the whole range
      expect(setUp(b, run, m)).toBe(walk === 'as-posted' ? -EFAULT : 0);
      expect(moving(m).slice(1)).toEqual([false, false, false]);
      run(b.k, giveUp(b, m));
      expect(folioIsLarge(b.k, folio)).toBe(true);
      expect(refs(b, folio)).toBe(4);
      expect([1, 2, 3].map((i) => leafPfn(entry(b, i).get()))).toEqual(
        [1, 2, 3].map((i) => folio + i),
      );
      runToEnd(b.k, folioPut(b.k, folio, Holder.Pin));
      expect(b.end()).toEqual([]);
    });

    it('brings the page back that a CPU touched', () => {
      for (const page of [0, 1]) {
        const { b, folio } = partly(walk, true);
        const { mm } = b.system.process(0);
        expect(run(b.k, cpuReadWord(b.k, mm, b.vpn(0, page)))).toBe(65536 + page);
        expect(folioIsLarge(b.k, folio)).toBe(false);
        const onDevice = [0, 1, 2].map((i) => leafPfn(entry(b, i).get()) === folio + i);
        expect(onDevice.filter((is) => !is)).toHaveLength(1);
        expect(onDevice[page]).toBe(false);
        expect(b.end()).toEqual([]);
      }
    });
  },
);

describe.each(RUNS)('a walk that meets a large folio, %s', (_how, run) => {
  it('first faults what is asked for behind it', () => {
    const { b, folio } = partly('unified', false);
    const { k } = b;
    const r = migratingRange(b, 0, HUGE, { defaultFlags: FAULT | HMM_PFN_WRITE });
    const { faults, splits } = k.counters;
    const race = when(k, k, 'mayFail', undefined, () => expect(k.counters.splits).toBe(splits));
    expect(run(k, rangeFault(b, r))).toBe(0);
    expect(race.happened).toBe(true);
    expect(k.counters.faults - faults).toBe(1);
    expect(k.counters.splits - splits).toBe(1);
    expect(flagsOf(r)).toEqual([0, 1, 2, 3].map(() => VW | HMM_PFN_MIGRATE));
    expect([0, 1, 2].map((i) => hmmPfnToPfn(r.hmmPfns[i]))).toEqual(
      [0, 1, 2].map((i) => folio + i),
    );
    run(k, unprepare(b, r));
    expect(b.end()).toEqual([]);
  });

  it('still says of the pages what they are when it cannot be split', () => {
    const { b, folio } = partly('unified', false, 0);
    folioGet(b.k, folio, Holder.Pin);
    const r = migratingRange(b, 1, 3);
    expect(run(b.k, rangeFault(b, r))).toBe(0);
    expect(flagsOf(r)).toEqual([VW, VW, VW]);
    expect([...r.hmmPfns].map(hmmPfnToPfn)).toEqual([1, 2, 3].map((i) => folio + i));
    runToEnd(b.k, folioPut(b.k, folio, Holder.Pin));
    expect(b.end()).toEqual([]);
  });
});

describe.each(RUNS)('faults in units of so many pages, %s', (_how, run) => {
  it.each([
    ['reading', 0],
    ['writing', HMM_PFN_WRITE],
  ])('begin at the first page that is missing, for %s', (what, write) => {
    const b = hugeBench('unified', { op: 'madvise', ...part(0, 2 * HUGE), advice: 'nohugepage' });
    b.all(written(0, 1));
    const units = { pages: 2, readFrom: -1, writeFrom: -1 };
    const r = range(b, 0, HUGE, { defaultFlags: FAULT | write, faultUnits: units });
    const { faults } = b.k.counters;
    expect(run(b.k, rangeFault(b, r))).toBe(0);
    expect(b.k.counters.faults - faults).toBe(3);
    const first = b.vpn(0, 1);
    expect(units).toMatchObject(
      what === 'reading' ? { readFrom: first, writeFrom: -1 } : { readFrom: -1, writeFrom: first },
    );
    expect([...r.hmmPfns].every((pfn) => pfn & HMM_PFN_VALID)).toBe(true);
    expect(b.end()).toEqual([]);
  });

  it('are made for writing alone where a walk that migrates finds nothing', () => {
    const b = hugeBench('unified', { op: 'madvise', ...part(0, 2 * HUGE), advice: 'nohugepage' });
    b.all(written(HUGE, 1));
    const first = b.vpn(0, 0);
    const units = { pages: 2, readFrom: first, writeFrom: -1 };
    const asked = { defaultFlags: FAULT | HMM_PFN_WRITE, faultUnits: units };
    const r = migratingRange(b, 0, HUGE, asked);
    const { faults } = b.k.counters;
    expect(run(b.k, rangeFault(b, r))).toBe(0);
    expect(b.k.counters.faults - faults).toBe(HUGE);
    expect(units.writeFrom).toBe(first);
    expect(flagsOf(r)).toEqual([0, 1, 2, 3].map(() => VW | HMM_PFN_MIGRATE));
    run(b.k, unprepare(b, r));
    expect(b.end()).toEqual([]);
  });
});

describe.each(RUNS)('collect meets what changes under it, %s', (_how, run) => {
  const bench = (...ops: LooseOp[]) => hugeBench('collect', written(0, HUGE), ...ops);

  it('a huge page that is split before its entry is locked', () => {
    const b = bench();
    const folio = hugeFolio(b);
    const race = when(b.k, b.k, 'lock', ptlOf(b.k, pmd(b).at), () => b.all(dropped(3)));
    const m = args(b, 0, HUGE, SYSTEM | WHOLE);
    expect(setUp(b, run, m)).toBe(0);
    expect(race.happened).toBe(true);
    expect([...m.src].map(migratePfnToPfn)).toEqual([folio, folio + 1, folio + 2, -1]);
    expect(moving(m)).toEqual([true, true, true, true]);
    run(b.k, giveUp(b, m));
    expect(b.end()).toEqual([]);
  });

  it('a huge page that goes before its entry is locked', () => {
    const b = bench();
    const race = when(b.k, b.k, 'lock', ptlOf(b.k, pmd(b).at), () => b.all(dropped(0, HUGE)));
    const m = args(b, 0, HUGE, SYSTEM | WHOLE);
    expect(setUp(b, run, m)).toBe(0);
    expect(race.happened).toBe(true);
    expect(moving(m)).toEqual([true, false, false, false]);
    expect(migratePfnToPfn(m.src[0])).toBe(-1);
    run(b.k, giveUp(b, m));
    expect(b.end()).toEqual([]);
  });

  it('a huge page that is split, and then goes: holes', () => {
    const b = bench();
    const folio = hugeFolio(b);
    const race = when(b.k, b.k, 'folioUnlock', folio, () => b.all(dropped(0, HUGE)));
    const m = args(b, 0, 2, SYSTEM | WHOLE);
    expect(setUp(b, run, m)).toBe(0);
    expect(race.happened).toBe(true);
    expect(pmd(b).get()).toBe(0);
    expect(moving(m)).toEqual([true, true]);
    expect([...m.src].map(migratePfnToPfn)).toEqual([-1, -1]);
    run(b.k, giveUp(b, m));
    expect(b.end()).toEqual([]);
  });

  it('a huge page that is split, and in whose place another comes', () => {
    const b = bench();
    const folio = hugeFolio(b);
    const replace = () => {
      b.all(dropped(0, HUGE), written(0, HUGE));
      expect(pmdTransHuge(pmd(b).get())).toBe(true);
    };
    const race = when(b.k, b.k, 'folioUnlock', folio, replace);
    const m = args(b, 0, 2, SYSTEM | WHOLE);
    expect(setUp(b, run, m)).toBe(0);
    expect(race.happened).toBe(true);
    expect(pmdIsTable(pmd(b).get())).toBe(true);
    expect(moving(m)).toEqual([true, true]);
    const pages = [...m.src].map(migratePfnToPfn);
    run(b.k, giveUp(b, m));
    expect([0, 1].map((i) => leafPfn(entry(b, i).get()))).toEqual(pages);
    expect(b.end()).toEqual([]);
  });

  it('a table that goes before it is locked', () => {
    const b = bench(dropped(3));
    const ptl = ptlOf(b.k, ptepOf(b.k, b.system.process(0).mm, b.vpn(0, 0)));
    const race = when(b.k, b.k, 'lock', ptl, () => b.all(dropped(0, HUGE)));
    const m = args(b, 0, HUGE, SYSTEM | WHOLE);
    expect(setUp(b, run, m)).toBe(0);
    expect(race.happened).toBe(true);
    expect(moving(m)).toEqual([true, false, false, false]);
    run(b.k, giveUp(b, m));
    expect(b.end()).toEqual([]);
  });

  it('a huge page that may be pinned stays whole', () => {
    const b = bench();
    const folio = hugeFolio(b);
    const was = pmd(b).get();
    pinFolio(b.k, folio);
    const m = args(b, 0, HUGE, SYSTEM | WHOLE);
    expect(setUp(b, run, m)).toBe(0);
    expect(m.cpages).toBe(0);
    expect(pmd(b).get()).toBe(was);
    expect(b.k.folioLocked(folio)).toBe(false);
    run(b.k, giveUp(b, m));
    runToEnd(b.k, unpinFolio(b.k, folio));
    expect(b.end()).toEqual([]);
  });

  it('the huge page that a CPU touched, of which a part is wanted: it stays, and stays locked', () => {
    const b = bench(toDevice);
    const folio = hugeFolio(b);
    const was = pmd(b).get();
    folioGet(b.k, folio, Holder.Fault);
    b.k.folioLock(folio);
    const m = { ...args(b, 0, 2, DEVICE | WHOLE), faultPage: folio };
    expect(setUp(b, run, m)).toBe(0);
    expect(m.cpages).toBe(0);
    expect(pmd(b).get()).toBe(was);
    expect(b.k.folioLocked(folio)).toBe(true);
    expect(refs(b, folio)).toBe(2);
    run(b.k, giveUp(b, m));
    b.k.folioUnlock(folio);
    runToEnd(b.k, folioPut(b.k, folio, Holder.Fault));
    expect(b.end()).toEqual([]);
  });

  it('device pages that may not be written', () => {
    const b = bench({ op: 'fork', child: 1 }, dropped(3), {
      op: 'migrate_to_dev',
      dev: 0,
      ...part(0, 2),
    });
    expect(isDevicePrivate(entry(b, 0).get())).toBe(true);
    const m = args(b, 0, 2, DEVICE);
    expect(setUp(b, run, m)).toBe(0);
    expect(moving(m)).toEqual([true, true]);
    expect([...m.src].map((src) => src & MIGRATE_PFN_WRITE)).toEqual([0, 0]);
    run(b.k, giveUp(b, m));
    expect(b.end()).toEqual([]);
  });

  it('a present entry of a page on a device, and a page that belongs to nothing', () => {
    const b = bench(dropped(3), { op: 'migrate_to_dev', dev: 0, ...part(0, 1) });
    const e = entry(b, 0);
    const was = e.get();
    const { mapping } = b.k.pages;
    const lost = leafPfn(entry(b, 1).get());
    const belongs = mapping[lost];
    e.set(mkPte(leafPfn(was), PAGE_SHARED));
    mapping[lost] = 0;
    const m = args(b, 0, 3, SYSTEM);
    expect(setUp(b, run, m)).toBe(0);
    expect(moving(m)).toEqual([false, false, true]);
    e.set(was);
    mapping[lost] = belongs;
    run(b.k, giveUp(b, m));
    expect(b.end()).toEqual([]);
  });

  it('the page of a fault keeps its lock though it may be pinned', () => {
    const b = bench(dropped(3), { op: 'migrate_to_dev', dev: 1, ...part(0, 3) });
    b.all({ op: 'cpu_read', ...part(0, 1) });
    const { k } = b;
    const { mm } = b.system.process(0);
    const vpn = b.vpn(0, 0);
    const was = entry(b, 0).get();
    const page = leafPfn(was);
    const vma = mm.lookupVma(vpn);
    if (!vma) throw new Error('no area');
    pinFolio(k, page);
    k.folioLock(page);
    const ptep = ptepOf(k, mm, vpn);
    const ptl = ptlOf(k, ptep);
    k.lock(ptl);
    const done = run(k, installMigrationEntry(k, vma, vpn, ptep, page, true, page));
    k.unlock(ptl);
    expect(done).toBe(SKIPPED);
    expect(entry(b, 0).get()).toBe(was);
    expect(k.folioLocked(page)).toBe(true);
    k.folioUnlock(page);
    runToEnd(k, unpinFolio(k, page));
    expect(b.end()).toEqual([]);
  });
});
