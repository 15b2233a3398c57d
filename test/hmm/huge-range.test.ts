/** The range walk where huge pages are mapped, or large folios by base entries. */
import { describe, expect, it } from 'vitest';
import {
  HMM_PFN_COMPOUND,
  HMM_PFN_ERROR,
  HMM_PFN_MIGRATE,
  HMM_PFN_REQ_FAULT,
  HMM_PFN_REQ_WRITE,
  HMM_PFN_VALID,
  HMM_PFN_WRITE,
  type HmmRange,
  hmmPfnToMapOrder,
  hmmPfnToPfn,
  MIGRATE_VMA_SELECT_COMPOUND,
  MIGRATE_VMA_SELECT_SYSTEM,
  type MigrateVma,
  migrateHmmRangeSetup,
  migrateVmaSetup,
} from '../../src/hmm/index.ts';
import { checkRangeFault } from '../../src/hmm/look/contracts.ts';
import { hmmPfn } from '../../src/hmm/pfn.ts';
import { EBUSY, EFAULT, ENOMEM, KernelBug, runToEnd, StepKind } from '../../src/machine/index.ts';
import type { Walk } from '../../src/mm/index.ts';
import { isDevicePrivate, isMigration } from '../../src/mm/leafops.ts';
import { leafPfn } from '../../src/mm/look/leaves.ts';
import { pmdIsTable, pmdTransHuge, ptlOf } from '../../src/mm/pgtable.ts';
import { parseProgram, runProgram } from '../../src/program/index.ts';
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
import { as, lockedElsewhere, RUNS, type Run, somebody, when } from '../support/race.ts';
import type { Bench, LooseOp } from '../support/system.ts';
import { Thread } from '../support/thread.ts';

const FAULT = HMM_PFN_REQ_FAULT;
const WRITE = HMM_PFN_REQ_FAULT | HMM_PFN_REQ_WRITE;
const V = HMM_PFN_VALID;
const VW = HMM_PFN_VALID | HMM_PFN_WRITE;
const FLAGS = 0xff;
const PREPARED = HMM_PFN_MIGRATE | HMM_PFN_COMPOUND;

const toDevice = (dev: number, page = 0, pages = HUGE): LooseOp => ({
  op: 'migrate_to_dev',
  dev,
  ...part(page, pages),
});
const dropped = (page: number, pages = 1): LooseOp => ({
  op: 'madvise',
  ...part(page, pages),
  advice: 'dontneed',
});

/** A range that is prepared for migration, huge pages whole. */
function whole(b: Bench, page: number, pages: number, more: Partial<HmmRange> = {}): HmmRange {
  const r = migratingRange(b, page, pages, more);
  (r.migrate as MigrateVma).flags = MIGRATE_VMA_SELECT_SYSTEM | MIGRATE_VMA_SELECT_COMPOUND;
  return r;
}

const flagsOf = (r: HmmRange) => [...r.hmmPfns].map((pfn) => pfn & FLAGS);
const pagesOf = (r: HmmRange) => [...r.hmmPfns].map(hmmPfnToPfn);
const prepared = (r: HmmRange) => [...r.hmmPfns].map((pfn) => (pfn & HMM_PFN_MIGRATE) !== 0);
const from = (first: number, count = HUGE) => Array.from({ length: count }, (_, i) => first + i);

describe.each(RUNS)('what a plain walk says of a huge page, %s', (_how, run) => {
  const look = (b: Bench, r: HmmRange) => run(b.k, rangeFault(b, r));

  it('its pages, from wherever the range begins, and how it is mapped', () => {
    const b = hugeBench('unified', written(0, HUGE));
    for (const first of [0, 1]) {
      const r = range(b, first, HUGE - first);
      expect(look(b, r)).toBe(0);
      expect(flagsOf(r)).toEqual(from(0, HUGE - first).map(() => VW));
      expect(pagesOf(r)).toEqual(from(hugeFolio(b) + first, HUGE - first));
      expect([...r.hmmPfns].map((pfn) => hmmPfnToMapOrder(pfn, 2))).toEqual(
        pagesOf(r).map(() => 2),
      );
    }
    b.all(dropped(3));
    const small = range(b, 0, 1);
    expect(look(b, small)).toBe(0);
    expect(hmmPfnToMapOrder(small.hmmPfns[0], 2)).toBe(0);
    expect(b.end()).toEqual([]);
  });

  it('that it is read-only; asked for writing, it is faulted', () => {
    const b = hugeBench('unified', written(0, HUGE), { op: 'fork', child: 1 });
    const r = range(b, 0, HUGE);
    expect(look(b, r)).toBe(0);
    expect(flagsOf(r)).toEqual([V, V, V, V]);
    const w = range(b, 0, HUGE, { defaultFlags: WRITE });
    // the copies invalidate the range
    expect(look(b, w)).toBe(-EBUSY);
    w.hmmPfns.fill(0);
    expect(look(b, w)).toBe(0);
    expect(flagsOf(w)).toEqual([VW, VW, VW, VW]);
    expect(b.end()).toEqual([]);
  });

  it('the device’s own, writable or not', () => {
    for (const shared of [false, true]) {
      const b = hugeBench('unified', written(0, HUGE));
      if (shared) b.all({ op: 'fork', child: 1 });
      b.all(toDevice(0));
      const r = range(b, 0, HUGE, { defaultFlags: FAULT });
      expect(look(b, r)).toBe(0);
      expect(flagsOf(r)).toEqual([VW, VW, VW, VW].map((f) => (shared ? V : f)));
      expect(pagesOf(r)).toEqual(from(hugeFolio(b)));
      expect(b.end()).toEqual([]);
    }
  });

  it('another device’s: it cannot be had, or comes back', () => {
    const b = hugeBench('unified', written(0, HUGE), toDevice(1));
    const r = range(b, 0, HUGE);
    expect(look(b, r)).toBe(0);
    expect([...r.hmmPfns]).toEqual(from(0).map(() => HMM_PFN_ERROR));
    const f = range(b, 0, HUGE, { defaultFlags: FAULT });
    expect(look(b, f)).toBe(-EBUSY);
    f.hmmPfns.fill(0);
    expect(look(b, f)).toBe(0);
    expect(flagsOf(f)).toEqual([VW, VW, VW, VW]);
    expect(b.system.mirrors[1].device.used).toBe(0);
    expect(b.end()).toEqual([]);
  });

  it('an entry of a kind that nobody knows', () => {
    const b = hugeBench('unified', written(0, HUGE));
    const was = pmd(b).get();
    pmd(b).set(0x50);
    const r = range(b, 0, HUGE);
    expect(look(b, r)).toBe(0);
    expect([...r.hmmPfns]).toEqual(from(0).map(() => HMM_PFN_ERROR));
    expect(look(b, range(b, 0, HUGE, { defaultFlags: FAULT }))).toBe(-EFAULT);
    pmd(b).set(was);
    expect(b.end()).toEqual([]);
  });

  it('one that is on its way: nothing', () => {
    const b = hugeBench('unified', written(0, HUGE));
    const m = args(b, 0, HUGE, MIGRATE_VMA_SELECT_SYSTEM | MIGRATE_VMA_SELECT_COMPOUND);
    expect(
      run(
        b.k,
        underMmapLock(b, () => migrateVmaSetup(b.k, m)),
      ),
    ).toBe(0);
    expect(isMigration(pmd(b).get())).toBe(true);
    const r = range(b, 0, HUGE);
    expect(look(b, r)).toBe(0);
    expect([...r.hmmPfns]).toEqual([0, 0, 0, 0]);
    // nor is it prepared a second time
    const again = whole(b, 0, HUGE);
    expect(look(b, again)).toBe(0);
    expect([...again.hmmPfns]).toEqual([0, 0, 0, 0]);
    run(b.k, giveUp(b, m));
    expect(b.end()).toEqual([]);
  });
});

describe('a huge page that is on its way', () => {
  it.each(['collect', 'unified', 'as-posted'] as Walk[])('is waited for, walk %s', (walk) => {
    const b = hugeBench(walk, written(0, HUGE));
    const m = args(b, 0, HUGE, MIGRATE_VMA_SELECT_SYSTEM | MIGRATE_VMA_SELECT_COMPOUND);
    const other = somebody(b.k);
    const setup = () => underMmapLock(b, () => migrateVmaSetup(b.k, m));
    expect(as(b.k, other, () => runToEnd(b.k, setup()))).toBe(0);
    const r = range(b, 0, HUGE, { defaultFlags: FAULT });
    const walker = new Thread(b.k, 'walker', () => rangeFault(b, r)).run();
    expect(walker.done).toBe(false);
    expect(walker.step?.kind).toBe(StepKind.Wait);
    as(b.k, other, () => runToEnd(b.k, giveUp(b, m)));
    expect(walker.finish()).toBe(0);
    expect(flagsOf(r)).toEqual([VW, VW, VW, VW]);
    expect(b.end()).toEqual([]);
  });
});

const WAYS = (['unified', 'as-posted'] as Walk[]).flatMap((walk) =>
  RUNS.map(([how, run]) => [walk, how, run] as [Walk, string, Run]),
);

describe.each(WAYS)('a migrating walk over huge pages, walk %s, %s', (walk, _how, run) => {
  const fault = (b: Bench, r: HmmRange) => run(b.k, rangeFault(b, r));
  const putBack = (b: Bench, r: HmmRange) => run(b.k, unprepare(b, r));

  it('takes several whole', () => {
    const b = hugeBench(walk, written(0, 2 * HUGE));
    const r = whole(b, 0, 2 * HUGE, { defaultFlags: FAULT });
    expect(fault(b, r)).toBe(0);
    expect(flagsOf(r)).toEqual([VW | PREPARED, 0, 0, 0, VW | PREPARED, 0, 0, 0]);
    putBack(b, r);
    expect([pmdTransHuge(pmd(b).get()), pmdTransHuge(pmd(b, HUGE).get())]).toEqual([true, true]);
    expect(b.end()).toEqual([]);
  });

  it('faults what must be written before it takes it', () => {
    const b = hugeBench(walk, written(0, HUGE), { op: 'fork', child: 1 });
    b.all({ op: 'munmap', proc: 1, ...part(0, 2 * HUGE) });
    expect(pmdTransHuge(pmd(b).get())).toBe(true);
    const r = whole(b, 0, HUGE, { defaultFlags: WRITE });
    expect(fault(b, r)).toBe(0);
    expect(flagsOf(r)).toEqual([VW | PREPARED, 0, 0, 0]);
    putBack(b, r);
    expect(b.end()).toEqual([]);
  });

  it('finds nothing in one that nobody may access, and leaves it', () => {
    const b = hugeBench(walk, written(0, HUGE), { op: 'mprotect', ...part(0, HUGE), prot: 'none' });
    const was = pmd(b).get();
    const r = whole(b, 0, HUGE);
    expect(fault(b, r)).toBe(0);
    expect(flagsOf(r)).toEqual([0, 0, 0, 0]);
    expect(pmd(b).get()).toBe(was);
    putBack(b, r);
    expect(b.end()).toEqual([]);
  });

  it('splits one of which it takes a part', () => {
    const b = hugeBench(walk, written(0, HUGE));
    const folio = hugeFolio(b);
    const r = whole(b, 1, 2);
    expect(fault(b, r)).toBe(0);
    expect(flagsOf(r)).toEqual([VW | HMM_PFN_MIGRATE, VW | HMM_PFN_MIGRATE]);
    expect(pagesOf(r)).toEqual([folio + 1, folio + 2]);
    putBack(b, r);
    expect(b.end()).toEqual([]);
  });

  it('leaves one of which it would take a part while somebody has it locked', () => {
    const b = hugeBench(walk, written(0, HUGE));
    const folio = hugeFolio(b);
    const unlock = lockedElsewhere(b.k, folio);
    const r = whole(b, 1, 2);
    expect(fault(b, r)).toBe(0);
    // the posted patch makes errors of them
    const error = [HMM_PFN_ERROR, HMM_PFN_ERROR];
    expect(flagsOf(r)).toEqual(walk === 'unified' ? [VW, VW] : error);
    expect(pmdTransHuge(pmd(b).get())).toBe(true);
    unlock();
    putBack(b, r);
    expect(b.end()).toEqual([]);
  });

  it('splits a part of the huge zero page into holes', () => {
    const b = hugeBench(walk, { op: 'cpu_read', ...part(0, 1) });
    const r = whole(b, 1, 2);
    expect(fault(b, r)).toBe(0);
    expect(flagsOf(r)).toEqual([HMM_PFN_MIGRATE, HMM_PFN_MIGRATE]);
    expect(b.k.isHugeZero(hugeFolio(b))).toBe(true);
    putBack(b, r);
    expect(b.end()).toEqual([]);
  });

  it('looks again when the entry has become a table, or has gone, when it maps the table', () => {
    const b = hugeBench(walk, written(0, HUGE), dropped(3));
    const { k } = b;
    expect(pmdIsTable(pmd(b).get())).toBe(true);
    // everything goes when the PMD lock is given up: there is no table to be locked
    const ptl = ptlOf(k, pmd(b).at);
    const walker = new Thread(k, 'walker', () => rangeFault(b, whole(b, 0, HUGE)));
    walker.until(({ kind, id }) => kind === StepKind.Release && id === ptl.id).take();
    expect(walker.step?.kind).toBe(StepKind.ReadEntry);
    as(k, somebody(k), () => b.all(dropped(0, HUGE)));
    expect(pmd(b).get()).toBe(0);
    expect(walker.finish()).toBe(0);
    expect(b.end()).toEqual([]);
  });
});

describe('a huge page of the device of which a part is wanted', () => {
  it('is split again and again by the posted patch, in vain', () => {
    const b = hugeBench('as-posted', written(0, HUGE), toDevice(0));
    const r = whole(b, 1, 2);
    (r.migrate as MigrateVma).flags |= 2;
    expect(() => runToEnd(b.k, rangeFault(b, r))).toThrow(KernelBug);
    const titles = b.k.findings.map(({ title }) => title);
    expect(titles).toEqual(['a huge entry is split without end']);
    expect(isDevicePrivate(pmd(b).get())).toBe(true);
  });

  it.each(RUNS)('is split and taken by the walk, %s', (_how, run) => {
    const b = hugeBench('unified', written(0, HUGE), toDevice(0));
    const folio = hugeFolio(b);
    const r = whole(b, 1, 2);
    (r.migrate as MigrateVma).flags |= 2;
    expect(run(b.k, rangeFault(b, r))).toBe(0);
    expect(flagsOf(r)).toEqual([VW | HMM_PFN_MIGRATE, VW | HMM_PFN_MIGRATE]);
    expect(pagesOf(r)).toEqual([folio + 1, folio + 2]);
    run(b.k, unprepare(b, r));
    expect(b.end()).toEqual([]);
  });
});

describe.each(RUNS)('a walk that comes by what it prepared itself, %s', (_how, run) => {
  const fault = (b: Bench, r: HmmRange) => run(b.k, rangeFault(b, r));

  it.each([
    ['the same of all pages', { defaultFlags: FAULT }],
    ['of each page', { pfnFlagsMask: FAULT }],
  ] as [string, Partial<HmmRange>][])('passes over huge pages, asking %s', (_what, asked) => {
    const b = hugeBench('unified', written(0, 2 * HUGE), toDevice(1, HUGE));
    const first = hugeFolio(b);
    const r = whole(b, 0, 2 * HUGE, asked);
    if (asked.pfnFlagsMask) r.hmmPfns.fill(FAULT);
    // the second huge page comes back from the other device, which invalidates the range
    expect(fault(b, r)).toBe(0);
    expect(flagsOf(r)).toEqual([VW | PREPARED, 0, 0, 0, VW | PREPARED, 0, 0, 0]);
    expect(hmmPfnToPfn(r.hmmPfns[0])).toBe(first);
    run(b.k, unprepare(b, r));
    expect(pmdTransHuge(pmd(b).get())).toBe(true);
    expect(b.end()).toEqual([]);
  });

  /**
   * The first pages are somebody's when the walk first comes by, so that it must come by again; while
   * it faults the second half in, `meanwhile` happens.
   */
  function again(b: Bench, meanwhile: () => void, held = 1): HmmRange {
    const unlocks = from(0, held).map((page) =>
      lockedElsewhere(b.k, leafPfn(entry(b, page).get())),
    );
    const r = whole(b, 0, 2 * HUGE, { pfnFlagsMask: WRITE });
    r.hmmPfns.fill(WRITE, HUGE);
    const race = when(b.k, b.k, 'mayFail', undefined, () => {
      expect(prepared(r).slice(0, HUGE)).toEqual(from(0).map((page) => page >= held));
      for (const unlock of unlocks) unlock();
      meanwhile();
    });
    expect(fault(b, r)).toBe(0);
    expect(race.happened).toBe(true);
    return r;
  }
  /** Base pages in the first half, nothing in the second. */
  const halfFull = () => {
    const all = part(0, 2 * HUGE);
    const b = hugeBench('unified', { op: 'madvise', ...all, advice: 'nohugepage' });
    b.all(written(0, HUGE), { op: 'madvise', ...all, advice: 'hugepage' });
    return b;
  };

  it('takes what it had to leave the first time', () => {
    const b = halfFull();
    const pages = from(0).map((page) => leafPfn(entry(b, page).get()));
    const r = again(b, () => b.all(dropped(2)), 2);
    expect(prepared(r)).toEqual([true, true, true, true, true, false, false, false]);
    expect(pagesOf(r).slice(0, HUGE)).toEqual(pages);
    run(b.k, unprepare(b, r));
    expect(from(0).map((page) => leafPfn(entry(b, page).get()))).toEqual(
      pages.map((page, i) => (i === 2 ? 0 : page)),
    );
    expect(b.end()).toEqual([]);
  });

  it('keeps what it prepared where the table has gone', () => {
    const b = halfFull();
    const pages = from(0).map((page) => leafPfn(entry(b, page).get()));
    const r = again(b, () => b.all(dropped(0, HUGE)));
    expect(prepared(r)).toEqual([true, true, true, true, true, false, false, false]);
    // page 0 is a hole now, the others are where they were found
    expect(pagesOf(r).slice(0, HUGE)).toEqual([0, ...pages.slice(1)]);
    run(b.k, unprepare(b, r));
    for (const page of pages) expect(b.k.pages.isFree(page)).toBe(true);
    expect(b.end()).toEqual([]);
  });

  it('keeps what it prepared where a huge page is mapped now', () => {
    const b = halfFull();
    const pages = from(0).map((page) => leafPfn(entry(b, page).get()));
    const r = again(b, () => {
      b.all(dropped(0, HUGE), written(0, HUGE));
      expect(pmdTransHuge(pmd(b).get())).toBe(true);
    });
    expect(prepared(r)).toEqual([true, true, true, true, true, false, false, false]);
    expect(pagesOf(r).slice(1, HUGE)).toEqual(pages.slice(1));
    expect(pagesOf(r)[0]).toBe(leafPfn(entry(b, 0).get()));
    run(b.k, unprepare(b, r));
    for (const page of pages) expect(b.k.pages.isFree(page)).toBe(true);
    expect(b.end()).toEqual([]);
  });
});

describe.each(RUNS)('a migrating walk of a file, %s', (_how, run) => {
  /** Page 0 is there, but must be made writable again; page 1 is missing. */
  const fileRange = (b: Bench): HmmRange => {
    const file = { buf: 1, page: 0, pages: 1 };
    b.all(
      { op: 'mmap', ...file, pages: HUGE, prot: 'rw', kind: 'file-private' },
      { op: 'cpu_write', ...file, tag: 7 },
      { op: 'fork', child: 1 },
      { op: 'munmap', proc: 1, ...file, pages: HUGE },
    );
    const r = migratingRange(b, 0, 2, { defaultFlags: WRITE });
    r.start = b.vpn(1, 0);
    r.end = r.start + 2;
    return r;
  };

  const setUpAndGiveUp = (b: Bench, r: HmmRange): void => {
    run(
      b.k,
      underMmapLock(b, function* () {
        yield* migrateHmmRangeSetup(b.k, r);
        yield* giveUp(b, r.migrate as MigrateVma);
      }),
    );
    expect(b.end()).toEqual([]);
  };

  it('reads a missing page before it writes it', () => {
    const b = hugeBench('unified');
    const r = fileRange(b);
    expect(run(b.k, rangeFault(b, r))).toBe(0);
    expect(flagsOf(r).map((flags) => flags & VW)).toEqual([VW, VW]);
    setUpAndGiveUp(b, r);
  });

  it('fails where there is no memory for the page', () => {
    const b = hugeBench('unified');
    const r = fileRange(b);
    b.k.failAllocations = 1;
    expect(run(b.k, rangeFault(b, r))).toBe(-ENOMEM);
    expect(b.k.failAllocations).toBe(0);
    setUpAndGiveUp(b, r);
  });
});

it('the contract of a range walk lets the device’s own pages be read-only, as 7.3.4 does', () => {
  const b = hugeBench('unified', written(0, HUGE), toDevice(0));
  const r = range(b, 0, 1, { defaultFlags: WRITE });
  r.hmmPfns[0] = hmmPfn(hugeFolio(b), V);
  checkRangeFault(b.k, r, new Int32Array(1));
  expect(b.k.findings).toEqual([]);
  r.hmmPfns[0] = hmmPfn(b.k.zeroPfn, V);
  checkRangeFault(b.k, r, new Int32Array(1));
  expect(b.k.findings.splice(0)).toHaveLength(1);
  expect(b.end()).toEqual([]);
});

describe.each(['collect', 'unified'] as const)(
  'a huge page of its own, walked from its middle, walk %s',
  (walk) => {
    const read = (mended: boolean) => {
      const program = parseProgram({
        name: 'p',
        machine: { walk, mended, pmdOrder: 2, pageBytes: 16 },
        ops: [
          { op: 'mmap', ...part(0, HUGE), prot: 'rw', kind: 'anon' },
          { op: 'madvise', ...part(0, HUGE), advice: 'hugepage' },
          { op: 'cpu_write', ...part(0, HUGE), tag: 1 },
          { op: 'migrate_to_dev', dev: 0, ...part(0, HUGE) },
          // takes it out of the device's page table
          { op: 'mprotect', ...part(0, HUGE), prot: 'r' },
          { op: 'dev_read', dev: 0, ...part(2, 2) },
        ],
      });
      return runProgram(program).results.at(-1)?.tags;
    };

    it('gives its first pages, as 7.3.4 does', () => {
      expect(read(false)).toEqual([[65536, 2, 1]]);
    });

    it('gives the pages that are there, mended', () => {
      expect(read(true)).toEqual([[65538, 2, 1]]);
    });
  },
);
