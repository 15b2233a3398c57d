/** The prepare step and the split for a PMD entry by themselves, as the mended walk and as posted. */
import { describe, expect, it } from 'vitest';
import { AS_POSTED } from '../../src/hmm/as-posted/prepare.ts';
import {
  HMM_PFN_COMPOUND,
  HMM_PFN_ERROR,
  HMM_PFN_MIGRATE,
  HMM_PFN_VALID,
  type HmmRange,
  hmmPfn,
  MIGRATE_VMA_SELECT_COMPOUND,
  MIGRATE_VMA_SELECT_DEVICE_PRIVATE,
  MIGRATE_VMA_SELECT_SYSTEM,
  type MigrateVma,
} from '../../src/hmm/index.ts';
import { type PrepareOps, UNIFIED } from '../../src/hmm/migrate-prepare.ts';
import { HmmVmaWalk } from '../../src/hmm/walk-state.ts';
import { EAGAIN, EBUSY, ENOENT, runToEnd } from '../../src/machine/index.ts';
import { folioGet, folioIsLarge, folioPut } from '../../src/mm/folio.ts';
import { pinFolio, unpinFolio } from '../../src/mm/gup.ts';
import { Holder } from '../../src/mm/index.ts';
import { isDevicePrivate, isMigration } from '../../src/mm/leafops.ts';
import { leafPfn } from '../../src/mm/look/leaves.ts';
import { pmdIsTable, pmdTransHuge, ptlOf } from '../../src/mm/pgtable.ts';
import { HUGE, hugeBench, hugeFolio, part, pmd, written } from '../support/huge.ts';
import { args, entry, giveUp, migratingRange, setup, unprepare } from '../support/migration.ts';
import { lockedElsewhere, RUNS, type Run } from '../support/race.ts';
import type { Bench, LooseOp } from '../support/system.ts';

const SYSTEM = MIGRATE_VMA_SELECT_SYSTEM;
const DEVICE = MIGRATE_VMA_SELECT_DEVICE_PRIVATE;
const WHOLE = MIGRATE_VMA_SELECT_COMPOUND;
const READY = HMM_PFN_MIGRATE | HMM_PFN_COMPOUND;

const WAYS = (
  [
    ['the walk', UNIFIED],
    ['the posted patch', AS_POSTED],
  ] as [string, PrepareOps][]
).flatMap(([name, ops]) =>
  RUNS.map(([how, run]) => [name, how, ops, run] as [string, string, PrepareOps, Run]),
);

const toDevice = (dev = 0): LooseOp => ({ op: 'migrate_to_dev', dev, ...part(0, HUGE) });

/** A range over huge page 0 whose pages the walk has found, all of them or the first ones. */
function ranged(b: Bench, flags: number, pages = HUGE, found = HMM_PFN_VALID): HmmRange {
  const r = migratingRange(b, 0, pages);
  r.defaultFlags = 0;
  (r.migrate as MigrateVma).flags = flags;
  const first = hugeFolio(b);
  for (let i = 0; i < pages; i++) r.hmmPfns[i] = found && hmmPfn(first + i, found);
  return r;
}

interface Call {
  run: Run;
  locked?: boolean;
  /** The folio that a fault holds locked. */
  faultFolio?: number;
}

function walkOf(b: Bench, r: HmmRange, { faultFolio }: Call): HmmVmaWalk {
  const { mm } = b.system.process(0);
  const walk = new HmmVmaWalk(r, mm);
  walk.vma = mm.lookupVma(r.start) ?? null;
  if (faultFolio !== undefined) {
    walk.faultFolio = faultFolio;
    (r.migrate as MigrateVma).faultPage = faultFolio;
  }
  return walk;
}

/** Calls the prepare step for huge page 0, its PMD locked. */
function prepare(
  b: Bench,
  ops: PrepareOps,
  r: HmmRange,
  call: Call,
): { ret: number; last: number } {
  const { k } = b;
  const walk = walkOf(b, r, call);
  const { at } = pmd(b);
  const ptl = ptlOf(k, at);
  k.lock(ptl);
  walk.ptl = ptl;
  walk.pmdLocked = call.locked ?? true;
  const ret = call.run(k, ops.preparePmd(k, walk, at, r.start, r.end));
  k.unlock(ptl);
  return { ret, last: walk.last };
}

function split(b: Bench, ops: PrepareOps, call: Call): number {
  const r = ranged(b, SYSTEM | DEVICE);
  const walk = walkOf(b, r, call);
  return call.run(b.k, ops.split(b.k, walk, pmd(b).at, r.start));
}

/** As a fault does: its folio is locked and referenced. */
function faultOn(b: Bench, folio: number): () => void {
  folioGet(b.k, folio, Holder.Fault);
  b.k.folioLock(folio);
  return () => {
    b.k.folioUnlock(folio);
    runToEnd(b.k, folioPut(b.k, folio, Holder.Fault));
  };
}

const refs = (b: Bench, folio: number) => b.k.pages.refcount[folio];

describe.each(WAYS)('preparing a huge entry, %s, %s', (_name, _how, ops, run) => {
  const mended = ops === UNIFIED;

  it('prepares it, writable or not', () => {
    for (const fork of [false, true]) {
      const b = hugeBench('unified', written(0, HUGE));
      if (fork) b.all({ op: 'fork', child: 1 });
      const folio = hugeFolio(b);
      const r = ranged(b, SYSTEM | WHOLE);
      expect(prepare(b, ops, r, { run }).ret).toBe(0);
      expect(isMigration(pmd(b).get())).toBe(true);
      expect(r.hmmPfns[0]).toBe(hmmPfn(folio, HMM_PFN_VALID | READY));
      expect([...r.hmmPfns.subarray(1)]).toEqual([0, 0, 0]);
      expect(b.k.folioLocked(folio)).toBe(true);
      expect(refs(b, folio)).toBe(fork ? 2 : 1);
      run(b.k, unprepare(b, r));
      expect(pmdTransHuge(pmd(b).get())).toBe(true);
      expect(b.end()).toEqual([]);
    }
  });

  it('does nothing where nothing is selected', () => {
    const b = hugeBench('unified', written(0, HUGE));
    const r = ranged(b, 0);
    expect(prepare(b, ops, r, { run }).ret).toBe(0);
    expect(pmdTransHuge(pmd(b).get())).toBe(true);
    expect(r.hmmPfns[0] & HMM_PFN_MIGRATE).toBe(0);
    expect(b.end()).toEqual([]);
  });

  it('has the PMD locked', () => {
    const b = hugeBench('unified', written(0, HUGE));
    prepare(b, ops, ranged(b, SYSTEM, HUGE, 0), { run, locked: false });
    expect(b.k.findings.splice(0).map(({ title }) => title)).toEqual(['the PMD lock is not held']);
    expect(b.end()).toEqual([]);
  });

  it.each([
    ['whole', WHOLE, [READY, 0, 0, 0]],
    ['page by page', 0, [HMM_PFN_MIGRATE, HMM_PFN_MIGRATE, HMM_PFN_MIGRATE, HMM_PFN_MIGRATE]],
  ])('makes holes where nothing is, or zeros: %s', (_what, flags, holes) => {
    const b = hugeBench('unified', written(HUGE, 1));
    const none = ranged(b, SYSTEM | flags, HUGE, 0);
    expect(prepare(b, ops, none, { run }).ret).toBe(0);
    expect([...none.hmmPfns]).toEqual(holes);
    b.all({ op: 'cpu_read', ...part(0, 1) });
    expect(b.k.isHugeZero(hugeFolio(b))).toBe(true);
    const zero = ranged(b, SYSTEM | flags);
    expect(prepare(b, ops, zero, { run }).ret).toBe(0);
    expect([...zero.hmmPfns]).toEqual(holes);
    expect(b.k.isHugeZero(hugeFolio(b))).toBe(true);
    expect(b.end()).toEqual([]);
  });

  it('leaves alone what the walk did not find valid', () => {
    const b = hugeBench('unified', written(0, HUGE));
    const r = ranged(b, SYSTEM | WHOLE, HUGE, 0);
    expect(prepare(b, ops, r, { run }).ret).toBe(0);
    expect([...r.hmmPfns]).toEqual([0, 0, 0, 0]);
    expect(pmdTransHuge(pmd(b).get())).toBe(true);
    expect(b.end()).toEqual([]);
  });

  it.each([
    ['RAM that is not selected', [], DEVICE],
    ['device pages that are not selected', [toDevice()], SYSTEM],
    ['pages of another device', [toDevice(1)], SYSTEM | DEVICE],
  ] as [string, LooseOp[], number][])('leaves alone %s', (_what, before, select) => {
    const b = hugeBench('unified', written(0, HUGE), ...before);
    const was = pmd(b).get();
    const r = ranged(b, select | WHOLE);
    expect(prepare(b, ops, r, { run }).ret).toBe(0);
    expect(pmd(b).get()).toBe(was);
    expect(r.hmmPfns[0] & HMM_PFN_MIGRATE).toBe(0);
    expect(b.end()).toEqual([]);
  });

  it('leaves alone an entry of another migration', () => {
    const b = hugeBench('unified', written(0, HUGE));
    const other = args(b, 0, HUGE, SYSTEM | WHOLE);
    expect(setup(b, other)).toBe(0);
    const was = pmd(b).get();
    expect(isMigration(was)).toBe(true);
    const r = ranged(b, SYSTEM | DEVICE | WHOLE);
    expect(prepare(b, ops, r, { run }).ret).toBe(0);
    expect(pmd(b).get()).toBe(was);
    runToEnd(b.k, giveUp(b, other));
    expect(b.end()).toEqual([]);
  });

  it('prepares device pages that are selected', () => {
    const b = hugeBench('unified', written(0, HUGE), toDevice());
    const folio = hugeFolio(b);
    const r = ranged(b, DEVICE | WHOLE);
    expect(prepare(b, ops, r, { run }).ret).toBe(0);
    expect(isMigration(pmd(b).get())).toBe(true);
    expect(r.hmmPfns[0]).toBe(hmmPfn(folio, HMM_PFN_VALID | READY));
    run(b.k, unprepare(b, r));
    expect(isDevicePrivate(pmd(b).get())).toBe(true);
    expect(b.end()).toEqual([]);
  });

  it('says so when the entry is a table by now', () => {
    const b = hugeBench('unified', written(0, HUGE));
    const r = ranged(b, SYSTEM | WHOLE);
    b.all({ op: 'madvise', ...part(3, 1), advice: 'dontneed' });
    expect(pmdIsTable(pmd(b).get())).toBe(true);
    expect(prepare(b, ops, r, { run })).toEqual({ ret: -EBUSY, last: r.start });
    expect(b.end()).toEqual([]);
  });

  it.each([
    ['part of it is wanted', 2, WHOLE],
    ['it is wanted page by page', HUGE, 0],
  ])('has it split where %s', (_what, pages, flags) => {
    const b = hugeBench('unified', written(0, HUGE));
    const was = pmd(b).get();
    const folio = hugeFolio(b);
    const r = ranged(b, SYSTEM | flags, pages);
    expect(prepare(b, ops, r, { run }).ret).toBe(-ENOENT);
    expect(pmd(b).get()).toBe(was);
    expect(refs(b, folio)).toBe(1);
    expect(b.k.folioLocked(folio)).toBe(false);
    expect(b.end()).toEqual([]);
  });

  it('leaves a folio that somebody else has locked', () => {
    const b = hugeBench('unified', written(0, HUGE));
    const folio = hugeFolio(b);
    const unlock = lockedElsewhere(b.k, folio);
    const r = ranged(b, SYSTEM | WHOLE);
    const found = [...r.hmmPfns];
    expect(prepare(b, ops, r, { run }).ret).toBe(0);
    // the posted patch makes errors of what it had found
    expect([...r.hmmPfns]).toEqual(mended ? found : found.map(() => HMM_PFN_ERROR));
    expect(refs(b, folio)).toBe(1);
    unlock();
    expect(b.end()).toEqual([]);
  });

  it.each([
    ['', false],
    [', though a fault holds it', true],
  ])('has it split when it may be pinned%s', (_what, fault) => {
    const b = hugeBench('unified', written(0, HUGE));
    const was = pmd(b).get();
    const folio = hugeFolio(b);
    pinFolio(b.k, folio);
    const letGo = fault ? faultOn(b, folio) : () => {};
    const r = ranged(b, SYSTEM | WHOLE);
    const faultFolio = fault ? folio : undefined;
    expect(prepare(b, ops, r, { run, faultFolio }).ret).toBe(-ENOENT);
    expect(pmd(b).get()).toBe(was);
    expect(r.hmmPfns[0] & READY).toBe(0);
    expect(b.k.folioLocked(folio)).toBe(fault);
    expect(refs(b, folio)).toBe(fault ? 3 : 2);
    letGo();
    runToEnd(b.k, unpinFolio(b.k, folio));
    expect(b.end()).toEqual([]);
  });

  it('keeps the lock that a fault holds', () => {
    const b = hugeBench('unified', written(0, HUGE), toDevice());
    const faultFolio = hugeFolio(b);
    const letGo = faultOn(b, faultFolio);
    const part = ranged(b, DEVICE | WHOLE, 2);
    expect(prepare(b, ops, part, { run, faultFolio }).ret).toBe(-ENOENT);
    expect(b.k.folioLocked(faultFolio)).toBe(true);
    expect(refs(b, faultFolio)).toBe(2);
    const whole = ranged(b, DEVICE | WHOLE);
    expect(prepare(b, ops, whole, { run, faultFolio }).ret).toBe(0);
    expect(isMigration(pmd(b).get())).toBe(true);
    run(b.k, unprepare(b, whole));
    expect(b.k.folioLocked(faultFolio)).toBe(true);
    expect(refs(b, faultFolio)).toBe(2);
    letGo();
    expect(b.end()).toEqual([]);
  });
});

describe.each(WAYS)('splitting behind a huge entry, %s, %s', (_name, _how, ops, run) => {
  const mended = ops === UNIFIED;

  it('splits a huge page: its pages stay mapped', () => {
    const b = hugeBench('unified', written(0, HUGE));
    const folio = hugeFolio(b);
    expect(split(b, ops, { run })).toBe(0);
    expect(pmdIsTable(pmd(b).get())).toBe(true);
    for (let i = 0; i < HUGE; i++) {
      expect(leafPfn(entry(b, i).get())).toBe(folio + i);
      expect(folioIsLarge(b.k, folio + i)).toBe(false);
      expect(refs(b, folio + i)).toBe(1);
    }
    expect(b.end()).toEqual([]);
  });

  it('frees a page of zeros', () => {
    const b = hugeBench('unified', written(2, 1));
    const folio = hugeFolio(b);
    expect(split(b, ops, { run })).toBe(0);
    const mapped = Array.from({ length: HUGE }, (_, i) => leafPfn(entry(b, i).get()));
    const { zeroPfn } = b.k;
    expect(mapped).toEqual([zeroPfn, zeroPfn, folio + 2, zeroPfn]);
    expect([0, 1, 2, 3].map((i) => b.k.pages.isFree(folio + i))).toEqual([true, true, false, true]);
    expect(b.end()).toEqual([]);
  });

  it('makes zero pages of the huge zero page', () => {
    const b = hugeBench('unified', { op: 'cpu_read', ...part(0, 1) });
    expect(b.k.isHugeZero(hugeFolio(b))).toBe(true);
    expect(split(b, ops, { run })).toBe(0);
    for (let i = 0; i < HUGE; i++) expect(leafPfn(entry(b, i).get())).toBe(b.k.zeroPfn);
    expect(b.end()).toEqual([]);
  });

  it('splits a huge page of a device', () => {
    const b = hugeBench('unified', written(0, HUGE), toDevice());
    const folio = hugeFolio(b);
    expect(split(b, ops, { run })).toBe(0);
    // the posted patch leaves it whole, and says that it is worth another look
    expect(isDevicePrivate(pmd(b).get())).toBe(!mended);
    if (mended) {
      for (let i = 0; i < HUGE; i++) {
        expect(isDevicePrivate(entry(b, i).get())).toBe(true);
        expect(leafPfn(entry(b, i).get())).toBe(folio + i);
      }
    }
    expect(b.end()).toEqual([]);
  });

  it.each([
    ['nothing', [], 0],
    ['a table', [written(0, HUGE), { op: 'madvise', ...part(3, 1), advice: 'dontneed' }], 0],
  ] as [string, LooseOp[], number][])('has nothing to do for %s', (_what, before, ret) => {
    const b = hugeBench('unified', written(HUGE, 1), ...before);
    const was = pmd(b).get();
    expect(split(b, ops, { run })).toBe(ret);
    expect(pmd(b).get()).toBe(was);
    expect(b.end()).toEqual([]);
  });

  it('has nothing to do for an entry of another migration', () => {
    const b = hugeBench('unified', written(0, HUGE));
    const other = args(b, 0, HUGE, SYSTEM | WHOLE);
    expect(setup(b, other)).toBe(0);
    const was = pmd(b).get();
    expect(split(b, ops, { run })).toBe(0);
    expect(pmd(b).get()).toBe(was);
    runToEnd(b.k, giveUp(b, other));
    expect(b.end()).toEqual([]);
  });

  it('leaves a folio that somebody else has locked', () => {
    const b = hugeBench('unified', written(0, HUGE));
    const folio = hugeFolio(b);
    const unlock = lockedElsewhere(b.k, folio);
    expect(split(b, ops, { run })).toBe(-EBUSY);
    expect(pmdTransHuge(pmd(b).get())).toBe(true);
    expect(refs(b, folio)).toBe(1);
    unlock();
    expect(b.end()).toEqual([]);
  });

  it('leaves a folio that somebody holds', () => {
    const b = hugeBench('unified', written(0, HUGE));
    const folio = hugeFolio(b);
    pinFolio(b.k, folio);
    expect(split(b, ops, { run })).toBe(-EAGAIN);
    expect(folioIsLarge(b.k, folio)).toBe(true);
    expect(pmdTransHuge(pmd(b).get())).toBe(true);
    expect(refs(b, folio)).toBe(2);
    expect(b.k.folioLocked(folio)).toBe(false);
    runToEnd(b.k, unpinFolio(b.k, folio));
    expect(b.end()).toEqual([]);
  });

  it('splits the folio of a fault under the fault’s lock', () => {
    const b = hugeBench('unified', written(0, HUGE));
    const folio = hugeFolio(b);
    const letGo = faultOn(b, folio);
    expect(split(b, ops, { run, faultFolio: folio })).toBe(0);
    expect(folioIsLarge(b.k, folio)).toBe(false);
    expect(b.k.folioLocked(folio)).toBe(true);
    expect(refs(b, folio)).toBe(2);
    expect(refs(b, folio + 1)).toBe(1);
    letGo();
    expect(b.end()).toEqual([]);
  });
});
