/** Migration by frame number, and the unmapping that every migration does: who holds a page keeps it. */
import { describe, expect, it } from 'vitest';
import {
  MIGRATE_PFN_COMPOUND,
  MIGRATE_PFN_MIGRATE,
  MIGRATE_VMA_SELECT_DEVICE_PRIVATE,
  MIGRATE_VMA_SELECT_SYSTEM,
  migrateDeviceFinalize,
  migrateDevicePages,
  migrateDevicePfns,
  migrateDeviceRange,
  migratePfn,
  migratePfnToPfn,
  migrateVmaSetup,
  type Pfns,
} from '../../src/hmm/index.ts';
import { runToEnd } from '../../src/machine/index.ts';
import {
  folioAlloc,
  folioGet,
  folioIsolateLru,
  folioIsZoneDevice,
  folioPut,
  folioPutbackLru,
  lruAddDrainAll,
} from '../../src/mm/folio.ts';
import { Holder, madvise, type Walk } from '../../src/mm/index.ts';
import { isDevicePrivate, isMigration } from '../../src/mm/leafops.ts';
import { leafPfn } from '../../src/mm/look/leaves.ts';
import { pmdTransHuge } from '../../src/mm/pgtable.ts';
import { HUGE, hugeBench, hugeFolio, part, pmd, written } from '../support/huge.ts';
import { args, entry, giveUp, underMmapLock } from '../support/migration.ts';
import { as, lockedElsewhere, RUNS, somebody, when } from '../support/race.ts';
import { Bench, type LooseOp } from '../support/system.ts';

const SYSTEM = MIGRATE_VMA_SELECT_SYSTEM;
const DEVICE = MIGRATE_VMA_SELECT_DEVICE_PRIVATE;
const toDevice = (page: number, pages: number): LooseOp => ({
  op: 'migrate_to_dev',
  dev: 0,
  ...part(page, pages),
});

/** Four base pages on the device. */
function onDevice(...ops: LooseOp[]): { b: Bench; pages: number[] } {
  const b = new Bench({ cpus: 2, pmdOrder: 2, pageBytes: 16 });
  b.all({ op: 'mmap', ...part(0, 4), prot: 'rw', kind: 'anon' }, written(0, 4), ...ops);
  b.all(toDevice(0, 4));
  return { b, pages: [0, 1, 2, 3].map((page) => leafPfn(entry(b, page).get())) };
}

/** A huge page on the device, and its first frame. */
function hugeOnDevice(): { b: Bench; folio: number } {
  const b = hugeBench('unified', written(0, HUGE), toDevice(0, HUGE));
  return { b, folio: hugeFolio(b) };
}

function drop(b: Bench, page: number, pages: number): void {
  const { mm } = b.system.process(0);
  runToEnd(b.k, madvise(b.k, mm, b.vpn(0, page), b.vpn(0, page + pages), 'dontneed'));
}

/** RAM to migrate to: locked, as a driver allocates it. */
function ram(b: Bench, order: number): number {
  const page = folioAlloc(b.k, order);
  b.k.folioSetLocked(page);
  return migratePfn(page) | (order > 0 ? MIGRATE_PFN_COMPOUND : 0);
}

const moving = (src: Pfns) => [...src].map((entry) => (entry & MIGRATE_PFN_MIGRATE) !== 0);

describe.each(RUNS)('migration by frame number, %s', (_how, run) => {
  /** Moves what was prepared to RAM. */
  function finish(b: Bench, src: Pfns, order: number): void {
    const dst = new Int32Array(src.length);
    for (const [i, entry] of src.entries()) {
      const page = migratePfnToPfn(entry);
      if (page < 0 || !(entry & MIGRATE_PFN_MIGRATE)) continue;
      dst[i] = ram(b, order);
      const { device } = b.system.mirrors[0];
      runToEnd(b.k, device.copyOut(migratePfnToPfn(dst[i]), page, 1 << order));
      runToEnd(b.k, device.finishCopies());
    }
    run(b.k, migrateDevicePages(b.k, src, dst, src.length));
    run(b.k, migrateDeviceFinalize(b.k, src, dst, src.length));
  }

  it('takes the pages of a range, or those that are named', () => {
    for (const named of [false, true]) {
      const { b, pages } = onDevice({ op: 'fork', child: 1 });
      const src = Int32Array.from(named ? [pages[2], pages[0]] : pages);
      if (named) run(b.k, migrateDevicePfns(b.k, src, 2));
      else run(b.k, migrateDeviceRange(b.k, src, Math.min(...pages), 4));
      expect(moving(src).every(Boolean)).toBe(true);
      expect(isMigration(entry(b, 0).get())).toBe(true);
      finish(b, src, 0);
      expect(folioIsZoneDevice(b.k, leafPfn(entry(b, 0).get()))).toBe(false);
      expect(folioIsZoneDevice(b.k, leafPfn(entry(b, 1).get()))).toBe(named);
      expect(b.system.mirrors[0].device.used).toBe(named ? 2 : 0);
      // the device still has its own entries of them
      b.system.mirrors[0].pt.eraseRange(b.vpn(0, 0), b.vpn(0, 3));
      expect(b.do({ op: 'cpu_read', ...part(0, 4) })).toMatchObject({ ret: 'ok', done: 4 });
      expect(b.end()).toEqual([]);
    }
  });

  it('takes what is there of a range whose pages it waits for', () => {
    const { b, pages } = onDevice();
    drop(b, 1, 1);
    const src = Int32Array.from(pages);
    run(b.k, migrateDeviceRange(b.k, src, Math.min(...pages), 4, true));
    expect(moving(src).filter(Boolean)).toHaveLength(3);
    finish(b, src, 0);
    expect(b.system.mirrors[0].device.used).toBe(0);
    b.system.mirrors[0].pt.eraseRange(b.vpn(0, 0), b.vpn(0, 3));
    expect(b.do({ op: 'cpu_read', ...part(0, 4) })).toMatchObject({ ret: 'ok', done: 4 });
    expect(b.end()).toEqual([]);
  });

  it('takes a huge page whole, if all of it is in the range', () => {
    const { b, folio } = hugeOnDevice();
    const src = new Int32Array(HUGE);
    run(b.k, migrateDeviceRange(b.k, src, folio, HUGE));
    const whole = migratePfn(folio) | MIGRATE_PFN_MIGRATE | MIGRATE_PFN_COMPOUND;
    expect([...src]).toEqual([whole, 0, 0, 0]);
    finish(b, src, 2);
    expect(pmdTransHuge(pmd(b).get())).toBe(true);
    b.system.mirrors[0].pt.eraseRange(b.vpn(0, 0), b.vpn(0, 3));
    expect(b.end()).toEqual([]);
  });

  it('leaves a huge page for which there are only base pages', () => {
    const { b, folio } = hugeOnDevice();
    const was = pmd(b).get();
    const src = new Int32Array(HUGE);
    run(b.k, migrateDeviceRange(b.k, src, folio, HUGE));
    finish(b, src, 0);
    expect(moving(src)).toEqual([false, false, false, false]);
    expect(pmd(b).get()).toBe(was);
    expect(b.end()).toEqual([]);
  });

  it.each([
    ['', false],
    [' that somebody else has locked', true],
  ])('leaves a huge page%s of which only a part is in the range', (_what, locked) => {
    const { b, folio } = hugeOnDevice();
    const was = pmd(b).get();
    const unlock = locked ? lockedElsewhere(b.k, folio) : () => {};
    const src = new Int32Array(2).fill(-1);
    run(b.k, migrateDeviceRange(b.k, src, folio, 2));
    expect([...src]).toEqual([0, 0]);
    expect(pmd(b).get()).toBe(was);
    expect(b.k.folioLocked(folio)).toBe(locked);
    expect(b.k.pages.refcount[folio]).toBe(1);
    unlock();
    expect(b.end()).toEqual([]);
  });

  it('frees such a page when it was unmapped meanwhile', () => {
    const { b, folio } = hugeOnDevice();
    const race = when(b.k, b.k, 'folioUnlock', folio, () => drop(b, 0, HUGE));
    run(b.k, migrateDeviceRange(b.k, new Int32Array(2), folio, 2));
    expect(race.happened).toBe(true);
    expect(b.k.pages.isFree(folio)).toBe(true);
    expect(b.system.mirrors[0].device.used).toBe(0);
    expect(b.end()).toEqual([]);
  });

  it('passes over pages that are free, and later pages of a folio', () => {
    const { b, folio } = hugeOnDevice();
    const src = Int32Array.from([folio + 1]);
    run(b.k, migrateDevicePfns(b.k, src, 1));
    expect([...src]).toEqual([0]);
    const { chunks } = b.system.mirrors[0].device;
    const free = chunks[0].start + chunks[0].count - 1;
    src[0] = free;
    run(b.k, migrateDevicePfns(b.k, src, 1));
    expect([...src]).toEqual([0]);
    expect(b.end()).toEqual([]);
  });

  it('passes over a page that is freed when it is about to be taken', () => {
    const { b, pages } = onDevice();
    const race = when(b.k, b.k.pages, 'isFree', pages[1], () => drop(b, 1, 1));
    const src = Int32Array.from(pages);
    run(b.k, migrateDevicePfns(b.k, src, 4));
    expect(race.happened).toBe(true);
    expect(moving(src)).toEqual([true, false, true, true]);
    expect(b.k.pages.isFree(pages[1])).toBe(true);
    finish(b, src, 0);
    b.system.mirrors[0].pt.eraseRange(b.vpn(0, 0), b.vpn(0, 3));
    expect(b.end()).toEqual([]);
  });

  it('passes over a page that somebody else has locked', () => {
    const { b, pages } = onDevice();
    const unlock = lockedElsewhere(b.k, pages[1]);
    const src = Int32Array.from([pages[1]]);
    run(b.k, migrateDevicePfns(b.k, src, 1));
    expect([...src]).toEqual([0]);
    expect(b.k.pages.refcount[pages[1]]).toBe(1);
    unlock();
    expect(b.end()).toEqual([]);
  });
});

const WAYS = (['collect', 'unified', 'as-posted'] as Walk[]).flatMap((walk) =>
  RUNS.map(([how, run]) => [walk, how, run] as const),
);

describe.each(WAYS)('a page that somebody holds, walk %s, %s', (walk, _how, run) => {
  function bench(...ops: LooseOp[]): Bench {
    const b = new Bench({ walk, cpus: 2, pmdOrder: 2, pageBytes: 16 });
    b.all({ op: 'mmap', ...part(0, 4), prot: 'rw', kind: 'anon' }, written(0, 4), ...ops);
    return b;
  }
  function prepared(b: Bench, flags: number, faultPage = -1) {
    const m = { ...args(b, 0, 4, flags), faultPage };
    const setup = () => migrateVmaSetup(b.k, m);
    expect(run(b.k, underMmapLock(b, setup))).toBe(0);
    return m;
  }

  it.each([
    ['RAM', SYSTEM],
    ['the device', DEVICE],
  ])('in %s is mapped again', (_where, flags) => {
    const b = bench(...(flags === DEVICE ? [toDevice(0, 4)] : []));
    const was = [0, 1, 2, 3].map((page) => entry(b, page).get());
    const page = leafPfn(was[1]);
    // one reference more of a device page is let pass, until it is moved
    const pins = flags === DEVICE ? 2 : 1;
    folioGet(b.k, page, Holder.Pin, pins);
    const m = prepared(b, flags);
    expect(moving(m.src)).toEqual([true, false, true, true]);
    expect(m.cpages).toBe(3);
    expect(entry(b, 1).get()).toBe(was[1]);
    expect(b.k.folioLocked(page)).toBe(false);
    run(b.k, giveUp(b, m));
    for (let i = 0; i < pins; i++) runToEnd(b.k, folioPut(b.k, page, Holder.Pin));
    expect(b.end()).toEqual([]);
  });

  it('off the LRU lists is mapped again', () => {
    const b = bench();
    runToEnd(b.k, lruAddDrainAll(b.k));
    const was = entry(b, 1).get();
    const page = leafPfn(was);
    expect(folioIsolateLru(b.k, page)).toBe(true);
    const m = prepared(b, SYSTEM);
    expect(moving(m.src)).toEqual([true, false, true, true]);
    expect(entry(b, 1).get()).toBe(was);
    expect(b.k.pages.refcount[page]).toBe(2);
    run(b.k, giveUp(b, m));
    runToEnd(b.k, folioPutbackLru(b.k, page));
    expect(b.end()).toEqual([]);
  });

  it('and that a CPU touched is mapped again, and stays locked', () => {
    const b = bench(toDevice(0, 4));
    const was = entry(b, 1).get();
    const page = leafPfn(was);
    // the fault's reference and lock, and references of somebody else
    folioGet(b.k, page, Holder.Fault);
    b.k.folioLock(page);
    folioGet(b.k, page, Holder.Pin, 2);
    const m = prepared(b, DEVICE, page);
    expect(moving(m.src)).toEqual([true, false, true, true]);
    expect(entry(b, 1).get()).toBe(was);
    expect(b.k.folioLocked(page)).toBe(true);
    expect(b.k.pages.refcount[page]).toBe(4);
    run(b.k, giveUp(b, m));
    b.k.folioUnlock(page);
    runToEnd(b.k, folioPut(b.k, page, Holder.Fault));
    for (let i = 0; i < 2; i++) runToEnd(b.k, folioPut(b.k, page, Holder.Pin));
    expect(b.end()).toEqual([]);
  });

  it('is freed with the last reference when it was unmapped meanwhile', () => {
    const b = bench(toDevice(0, 4));
    const page = leafPfn(entry(b, 1).get());
    const holder = somebody(b.k);
    as(b.k, holder, () => folioGet(b.k, page, Holder.Pin, 2));
    const m = { ...args(b, 0, 4, DEVICE) };
    // about to be unlocked, it has been mapped again
    const race = when(b.k, b.k, 'folioUnlock', page, () => {
      expect(isDevicePrivate(entry(b, 1).get())).toBe(true);
      drop(b, 1, 1);
      for (let i = 0; i < 2; i++) runToEnd(b.k, folioPut(b.k, page, Holder.Pin));
    });
    const setup = () => migrateVmaSetup(b.k, m);
    expect(run(b.k, underMmapLock(b, setup))).toBe(0);
    expect(race.happened).toBe(true);
    expect(moving(m.src)).toEqual([true, false, true, true]);
    expect(b.k.pages.isFree(page)).toBe(true);
    run(b.k, giveUp(b, m));
    expect(b.end()).toEqual([]);
  });
});
