/**
 * The prepare step by itself: what the walk around it never shows it, but the kernel's function checks
 * all the same.
 */
import { describe, expect, it } from 'vitest';
import { AS_POSTED } from '../../src/hmm/as-posted/prepare.ts';
import {
  HMM_PFN_DMA_MAPPED,
  HMM_PFN_MIGRATE,
  HMM_PFN_VALID,
  type HmmRange,
  hmmPfn,
  MIGRATE_VMA_SELECT_DEVICE_PRIVATE,
  MIGRATE_VMA_SELECT_SYSTEM,
} from '../../src/hmm/index.ts';
import { type PrepareOps, UNIFIED } from '../../src/hmm/migrate-prepare.ts';
import { assertUnlocked, HmmVmaWalk } from '../../src/hmm/walk-state.ts';
import { KernelBug, mkPte, PAGE_SHARED, runToEnd } from '../../src/machine/index.ts';
import { leafPfn } from '../../src/mm/look/leaves.ts';
import { ptepOf, ptlOf } from '../../src/mm/pgtable.ts';
import { entry, migratingRange, unprepare } from '../support/migration.ts';
import { Bench } from '../support/system.ts';

const all = { buf: 0, page: 0, pages: 4 };

function bench(): Bench {
  const b = new Bench();
  b.all({ op: 'mmap', ...all, prot: 'rw', kind: 'anon' }, { op: 'cpu_write', ...all, tag: 1 });
  return b;
}

/** Calls the prepare step for page 0, its table locked. */
function prepare(b: Bench, ops: PrepareOps, r: HmmRange, locked = true): number {
  const { k } = b;
  const { mm } = b.system.process(0);
  const vpn = b.vpn(0, 0);
  const ptep = ptepOf(k, mm, vpn);
  const ptl = ptlOf(k, ptep);
  const walk = new HmmVmaWalk(r, mm);
  walk.vma = mm.lookupVma(vpn) ?? null;
  k.lock(ptl);
  walk.ptl = ptl;
  walk.pteLocked = locked;
  const ret = runToEnd(k, ops.prepare(k, walk, ptep, vpn));
  if (walk.unmapped) k.flushTlbPage(mm.id, vpn);
  if (walk.ptl) k.unlock(ptl);
  return ret;
}

describe.each([
  ['the walk', UNIFIED],
  ['the posted patch', AS_POSTED],
] as [string, PrepareOps][])('preparing one entry, %s', (_, ops) => {
  const SYSTEM = MIGRATE_VMA_SELECT_SYSTEM;
  const DEVICE = MIGRATE_VMA_SELECT_DEVICE_PRIVATE;

  function ranged(b: Bench, flags: number, pfn = HMM_PFN_VALID): HmmRange {
    const r = migratingRange(b, 0, 1);
    r.defaultFlags = 0;
    (r.migrate as NonNullable<HmmRange['migrate']>).flags = flags;
    r.hmmPfns[0] = pfn;
    return r;
  }
  const migrates = (r: HmmRange) => (r.hmmPfns[0] & HMM_PFN_MIGRATE) !== 0;

  it('leaves alone what the walk did not find valid', () => {
    const b = bench();
    const r = ranged(b, SYSTEM, 0);
    expect(prepare(b, ops, r)).toBe(0);
    expect(r.hmmPfns[0]).toBe(0);
    expect(b.end()).toEqual([]);
  });

  it('leaves alone an entry that is not present and not device-private', () => {
    const b = bench();
    b.all({ op: 'exclusive', dev: 0, ...all });
    const r = ranged(b, SYSTEM | DEVICE);
    expect(prepare(b, ops, r)).toBe(0);
    expect(migrates(r)).toBe(false);
    expect(b.end()).toEqual([]);
  });

  it.each([
    ['that are not selected', SYSTEM, 0],
    ['of another device', DEVICE, 1],
  ])('leaves alone device pages %s', (_what, flags, dev) => {
    const b = bench();
    b.all({ op: 'migrate_to_dev', dev, ...all });
    const r = ranged(b, flags);
    expect(prepare(b, ops, r)).toBe(0);
    expect(migrates(r)).toBe(false);
    expect(b.end()).toEqual([]);
  });

  it('leaves alone pages of RAM that are not selected', () => {
    const b = bench();
    const r = ranged(b, DEVICE);
    expect(prepare(b, ops, r)).toBe(0);
    expect(migrates(r)).toBe(false);
    expect(b.end()).toEqual([]);
  });

  it('leaves alone a present entry of a page on a device', () => {
    const b = bench();
    b.all({ op: 'migrate_to_dev', dev: 0, ...all });
    const e = entry(b, 0);
    const was = e.get();
    e.set(mkPte(leafPfn(was), PAGE_SHARED));
    const r = ranged(b, ops === UNIFIED ? SYSTEM : DEVICE);
    // the posted patch looks at the selection only, and takes it for a page of RAM otherwise
    if (ops === UNIFIED) {
      expect(prepare(b, ops, r)).toBe(0);
      expect(migrates(r)).toBe(false);
    }
    e.set(was);
    expect(b.end()).toEqual([]);
  });

  it('leaves alone a page that belongs to nothing any more', () => {
    const b = bench();
    const { mapping } = b.k.pages;
    const folio = leafPfn(entry(b, 0).get());
    const was = mapping[folio];
    mapping[folio] = 0;
    const r = ranged(b, SYSTEM);
    expect(prepare(b, ops, r)).toBe(0);
    expect(migrates(r)).toBe(false);
    mapping[folio] = was;
    expect(b.end()).toEqual([]);
  });

  it('makes a hole of the zero page', () => {
    const b = bench();
    b.all({ op: 'madvise', ...all, advice: 'dontneed' }, { op: 'cpu_read', ...all });
    const r = ranged(b, SYSTEM, HMM_PFN_VALID | HMM_PFN_DMA_MAPPED);
    expect(prepare(b, ops, r)).toBe(0);
    // the posted patch loses the caller's flag, and says that the hole is valid
    const hole = ops === UNIFIED ? HMM_PFN_DMA_MAPPED : HMM_PFN_VALID;
    expect(r.hmmPfns[0]).toBe(HMM_PFN_MIGRATE | hole);
    expect(b.end()).toEqual([]);
  });

  it('prepares pages of the device when they are selected', () => {
    const b = bench();
    b.all({ op: 'migrate_to_dev', dev: 0, ...all }, { op: 'fork', child: 1 });
    for (const write of [false, true]) {
      if (write) b.all({ op: 'munmap', proc: 1, ...all }, { op: 'cpu_write', ...all, tag: 2 });
      if (write) b.all({ op: 'migrate_to_dev', dev: 0, ...all });
      const r = ranged(b, DEVICE);
      const { hmmPfns } = r;
      hmmPfns[0] = HMM_PFN_VALID | (leafPfn(entry(b, 0).get()) << 10);
      expect(prepare(b, ops, r)).toBe(0);
      expect(migrates(r)).toBe(true);
      runToEnd(b.k, unprepare(b, r));
    }
    expect(b.end()).toEqual([]);
  });

  it('has the table locked', () => {
    const b = bench();
    const r = ranged(b, SYSTEM, 0);
    prepare(b, ops, r, false);
    expect(b.k.findings.splice(0).map(({ title }) => title)).toEqual(['the PTE lock is not held']);
    expect(b.end()).toEqual([]);
  });
});

describe('the posted patch', () => {
  it.each([
    ['takes pages of RAM that are not selected', AS_POSTED, HMM_PFN_MIGRATE],
    ['mended leaves them', UNIFIED, 0],
  ])('%s when a range fault is to migrate', (_what, ops, taken) => {
    const b = bench();
    const r = migratingRange(b, 0, 1);
    (r.migrate as NonNullable<HmmRange['migrate']>).flags = MIGRATE_VMA_SELECT_DEVICE_PRIVATE;
    r.hmmPfns[0] = hmmPfn(leafPfn(entry(b, 0).get()), HMM_PFN_VALID);
    expect(prepare(b, ops, r)).toBe(0);
    expect(r.hmmPfns[0] & HMM_PFN_MIGRATE).toBe(taken);
    runToEnd(b.k, unprepare(b, r));
    expect(b.end()).toEqual([]);
  });

  it('warns where a range fault is to migrate without arguments, and where they are followed', () => {
    const b = bench();
    const { k } = b;
    const r = migratingRange(b, 0, 1);
    r.migrate = null;
    const walk = new HmmVmaWalk(r, b.system.process(0).mm);
    const prepared = AS_POSTED.prepare(k, walk, 0, 0);
    expect(() => runToEnd(k, prepared)).toThrow(KernelBug);
    expect(k.findings.map(({ title }) => title)).toContain('a migration without arguments');
  });

  it('does nothing where nothing is selected', () => {
    const b = bench();
    const r = migratingRange(b, 0, 1);
    r.defaultFlags = 0;
    (r.migrate as NonNullable<HmmRange['migrate']>).flags = 0;
    r.hmmPfns[0] = HMM_PFN_VALID;
    expect(prepare(b, AS_POSTED, r)).toBe(0);
    expect(r.hmmPfns[0]).toBe(HMM_PFN_VALID);
    expect(b.end()).toEqual([]);
  });
});

describe('lock assertions of the walk', () => {
  it('say which lock is held, or is not', () => {
    const b = bench();
    const walk = new HmmVmaWalk(migratingRange(b, 0, 1), b.system.process(0).mm);
    assertUnlocked(b.k, walk);
    expect(b.k.findings).toEqual([]);
    walk.pteLocked = true;
    walk.pmdLocked = true;
    assertUnlocked(b.k, walk);
    const titles = b.k.findings.splice(0).map(({ title }) => title);
    expect(titles).toEqual(['the PTE lock is held', 'the PMD lock is held']);
  });
});
