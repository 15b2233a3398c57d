import { describe, expect, it } from 'vitest';
import {
  HMM_PFN_DMA_MAPPED,
  HMM_PFN_ERROR,
  HMM_PFN_INOUT_FLAGS,
  HMM_PFN_MIGRATE,
  HMM_PFN_P2PDMA,
  HMM_PFN_P2PDMA_BUS,
  HMM_PFN_REQ_FAULT,
  HMM_PFN_REQ_MIGRATE,
  HMM_PFN_REQ_WRITE,
  HMM_PFN_VALID,
  HMM_PFN_WRITE,
  type HmmRange,
  hmmPfnToPfn,
  migrateVmaArgs,
} from '../../src/hmm/index.ts';
import {
  EBUSY,
  EFAULT,
  ENOMEM,
  EPERM,
  ERANGE,
  PTE_PRESENT,
  PTE_PROTNONE,
} from '../../src/machine/index.ts';
import { compareDescriptions } from '../../src/mm/index.ts';
import { leafPfn } from '../../src/mm/look/leaves.ts';
import { describeSystem } from '../../src/program/index.ts';
import { entry, fault, migratingRange, range } from '../support/migration.ts';
import { Bench, type LooseOp } from '../support/system.ts';

const PAGES = 8;
const all = { buf: 0, page: 0, pages: PAGES };
const FAULT = HMM_PFN_REQ_FAULT;
const WRITE = HMM_PFN_REQ_FAULT | HMM_PFN_REQ_WRITE;
const FLAGS = 0x3ff;

function bench(...ops: LooseOp[]): Bench {
  const made = new Bench();
  made.all({ op: 'mmap', ...all, prot: 'rw', kind: 'anon' }, ...ops);
  return made;
}
const written = (page: number, pages: number): LooseOp => ({
  op: 'cpu_write',
  buf: 0,
  page,
  pages,
  tag: 1,
});

/** Which pages have an entry. */
const faulted = (b: Bench) =>
  Array.from({ length: PAGES }, (_, i) => (entry(b, i).get() ?? 0) !== 0);

/** Faults a range; its own faults may invalidate it once. */
function settle(b: Bench, r: HmmRange): number {
  const given = r.hmmPfns.slice();
  const ret = fault(b, r);
  if (ret !== -EBUSY) return ret;
  r.hmmPfns.set(given);
  return fault(b, r);
}

describe('hmmRangeFault: what it says of each page', () => {
  it('says V for readable, VW for writable, nothing for missing, and which page', () => {
    const b = bench(written(0, 4), { op: 'mprotect', buf: 0, page: 2, pages: 2, prot: 'r' });
    b.all({ op: 'cpu_read', buf: 0, page: 5, pages: 1 });
    const r = range(b, 0, PAGES);
    expect(fault(b, r)).toBe(0);
    const flags = [...r.hmmPfns].map((pfn) => pfn & FLAGS);
    const V = HMM_PFN_VALID;
    const VW = HMM_PFN_VALID | HMM_PFN_WRITE;
    expect(flags).toEqual([VW, VW, V, V, 0, V, 0, 0]);
    expect(hmmPfnToPfn(r.hmmPfns[1])).toBe(leafPfn(entry(b, 1).get()));
    expect(hmmPfnToPfn(r.hmmPfns[5])).toBe(b.k.zeroPfn);
    expect(b.end()).toEqual([]);
  });

  it('reports its own device pages, and nothing of another device or of exclusive pages', () => {
    const b = bench(written(0, PAGES));
    b.all(
      { op: 'migrate_to_dev', dev: 0, buf: 0, page: 0, pages: 2 },
      { op: 'migrate_to_dev', dev: 1, buf: 0, page: 2, pages: 2 },
      { op: 'exclusive', dev: 0, buf: 0, page: 4, pages: 1 },
    );
    const r = range(b, 0, 5);
    expect(fault(b, r)).toBe(0);
    const VW = HMM_PFN_VALID | HMM_PFN_WRITE;
    expect([...r.hmmPfns].map((pfn) => pfn & FLAGS)).toEqual([VW, VW, 0, 0, 0]);
    expect(hmmPfnToPfn(r.hmmPfns[0])).toBe(leafPfn(entry(b, 0).get()));
    // asked for, they come back, and that invalidates the range
    expect(fault(b, { ...r, defaultFlags: FAULT })).toBe(-EBUSY);
    expect(settle(b, { ...r, defaultFlags: FAULT })).toBe(0);
    expect([...r.hmmPfns].every((pfn) => pfn & HMM_PFN_VALID)).toBe(true);
    expect(b.end()).toEqual([]);
  });

  it('reports a read-only page of its own device as it is, even where writing was asked for', () => {
    const b = bench(written(0, 2));
    b.all({ op: 'migrate_to_dev', dev: 0, buf: 0, page: 0, pages: 2 }, { op: 'fork', child: 1 });
    const r = range(b, 0, 2, { defaultFlags: WRITE });
    expect(fault(b, r)).toBe(0);
    expect([...r.hmmPfns].map((pfn) => pfn & FLAGS)).toEqual([HMM_PFN_VALID, HMM_PFN_VALID]);
    // a walk that is to migrate as well says no
    expect(fault(b, migratingRange(b, 0, 2, { defaultFlags: WRITE }))).toBe(-EFAULT);
    expect(fault(b, migratingRange(b, 0, 2, { defaultFlags: FAULT }))).toBe(0);
    expect(b.end()).toEqual([]);
  });

  it('an entry that the hardware may not use has nothing to be read', () => {
    const b = bench(written(0, 1));
    const e = entry(b, 0);
    const pte = e.get();
    b.k.flushTlbSpace(b.system.process(0).mm.id);
    e.set((pte & ~PTE_PRESENT) | PTE_PROTNONE);
    const r = range(b, 0, 1);
    expect(fault(b, r)).toBe(0);
    expect(r.hmmPfns[0] & FLAGS).toBe(0);
    e.set(pte);
    expect(b.end()).toEqual([]);
  });

  it.each([
    ['a plain walk', range],
    ['a migrating walk', migratingRange],
  ])('%s keeps the flags that are the caller’s, and no others', (_, make) => {
    const b = bench(written(0, 2), { op: 'cpu_read', buf: 0, page: 2, pages: 1 });
    b.all({ op: 'munmap', buf: 0, page: 6, pages: 2 });
    const pages = make === range ? PAGES : 6;
    const r = make(b, 0, pages);
    const sticky = [HMM_PFN_DMA_MAPPED, HMM_PFN_P2PDMA, HMM_PFN_P2PDMA_BUS];
    const given = Array.from({ length: pages }, (_unused, i) => sticky[i % 3] | HMM_PFN_ERROR);
    r.hmmPfns.set(given);
    expect(fault(b, r)).toBe(0);
    for (let i = 0; i < pages; i++) {
      expect(r.hmmPfns[i] & HMM_PFN_INOUT_FLAGS, `page ${i}`).toBe(sticky[i % 3]);
      expect((r.hmmPfns[i] & HMM_PFN_ERROR) !== 0, `page ${i}`).toBe(i >= 6);
    }
    expect(b.end()).toEqual([]);
  });
});

describe('hmmRangeFault: requests', () => {
  it('of each page count as far as the mask lets them', () => {
    const b = bench(written(7, 1));
    const r = range(b, 0, PAGES, { pfnFlagsMask: FAULT });
    r.hmmPfns[2] = FAULT;
    r.hmmPfns[7] = WRITE;
    expect(fault(b, r)).toBe(0);
    // one fault goes on to the end of what the callback was given
    expect(faulted(b)).toEqual([false, false, true, true, true, true, true, true]);
    expect(r.hmmPfns[2] & FLAGS).toBe(HMM_PFN_VALID);
    expect(b.end()).toEqual([]);
  });

  it('for writing are not heard when the mask has only faulting', () => {
    const b = bench();
    const r = range(b, 0, 1, { pfnFlagsMask: FAULT });
    r.hmmPfns[0] = WRITE;
    expect(fault(b, r)).toBe(0);
    expect(r.hmmPfns[0]).toBe(b.k.zeroPfn * 1024 + HMM_PFN_VALID);
    const w = range(b, 0, 1, { pfnFlagsMask: WRITE });
    w.hmmPfns[0] = WRITE;
    expect(settle(b, w)).toBe(0);
    expect(w.hmmPfns[0] & FLAGS).toBe(HMM_PFN_VALID | HMM_PFN_WRITE);
    expect(b.end()).toEqual([]);
  });

  it('are not heard at all without mask and default flags', () => {
    const b = bench();
    const r = range(b, 0, PAGES);
    r.hmmPfns.fill(WRITE);
    expect(fault(b, r)).toBe(0);
    expect(b.k.counters.faults).toBe(0);
    expect([...r.hmmPfns].every((pfn) => pfn === 0)).toBe(true);
  });

  it('by default hold for every page, whatever the pages ask', () => {
    const b = bench();
    const r = range(b, 0, PAGES, { defaultFlags: WRITE });
    expect(fault(b, r)).toBe(0);
    expect([...r.hmmPfns].every((pfn) => pfn & HMM_PFN_WRITE)).toBe(true);
    expect(b.end()).toEqual([]);
  });

  it('of a migrating walk are heard again when the range has to be looked at again', () => {
    const b = bench(written(0, 2));
    b.all({ op: 'exclusive', dev: 0, buf: 0, page: 5, pages: 1 });
    const r = migratingRange(b, 0, PAGES, { pfnFlagsMask: WRITE });
    r.hmmPfns.fill(FAULT);
    r.hmmPfns.fill(WRITE, 4);
    expect(fault(b, r)).toBe(0);
    for (let i = 0; i < PAGES; i++) {
      const want = HMM_PFN_VALID | HMM_PFN_MIGRATE | (i < 2 || i >= 4 ? HMM_PFN_WRITE : 0);
      // a page of zeros is a hole to be populated
      expect(r.hmmPfns[i] & FLAGS, `page ${i}`).toBe(i === 2 || i === 3 ? HMM_PFN_MIGRATE : want);
    }
    expect(b.end()).toEqual([]);
  });
});

describe('hmmRangeFault: errors', () => {
  it('-EFAULT between areas; without a request, error entries', () => {
    const b = bench({ op: 'munmap', buf: 0, page: 3, pages: 2 });
    const r = range(b, 0, PAGES);
    expect(fault(b, r)).toBe(0);
    expect([...r.hmmPfns]).toEqual([0, 0, 0, HMM_PFN_ERROR, HMM_PFN_ERROR, 0, 0, 0]);
    expect(fault(b, range(b, 0, PAGES, { defaultFlags: FAULT }))).toBe(-EFAULT);
    // what comes before the hole was faulted
    expect(faulted(b)).toEqual([true, true, true, false, false, false, false, false]);
    expect(b.end()).toEqual([]);
  });

  it('-EFAULT in an area without permissions; without a request, error entries', () => {
    const b = bench(written(0, PAGES), { op: 'mprotect', buf: 0, page: 3, pages: 1, prot: 'none' });
    expect(fault(b, range(b, 0, PAGES, { defaultFlags: FAULT }))).toBe(-EFAULT);
    const r = range(b, 0, PAGES);
    expect(fault(b, r)).toBe(0);
    expect(r.hmmPfns[3]).toBe(HMM_PFN_ERROR);
    expect(r.hmmPfns[4] & HMM_PFN_VALID).toBe(HMM_PFN_VALID);
    // a migration without faults takes what is there
    const m = migratingRange(b, 3, 1);
    expect(fault(b, m)).toBe(0);
    expect(m.hmmPfns[0] & HMM_PFN_MIGRATE).toBe(0);
    expect(b.end()).toEqual([]);
  });

  it.each([
    ['missing', []],
    ['present', [written(0, PAGES)]],
  ] as [string, LooseOp[]][])('-EPERM for writing where the area is read-only, %s', (_, ops) => {
    const b = bench(...ops, { op: 'mprotect', ...all, prot: 'r' });
    expect(fault(b, range(b, 0, PAGES, { defaultFlags: WRITE }))).toBe(-EPERM);
    expect(fault(b, range(b, 0, PAGES, { defaultFlags: FAULT }))).toBe(0);
    expect(b.end()).toEqual([]);
  });

  it('-EFAULT for an entry of a kind that nobody knows', () => {
    const b = bench(written(0, 2));
    const e = entry(b, 1);
    const pte = e.get();
    e.set(0xf0);
    expect(fault(b, range(b, 0, 2, { defaultFlags: FAULT }))).toBe(-EFAULT);
    const r = range(b, 0, 2);
    expect(fault(b, r)).toBe(0);
    expect(r.hmmPfns[1]).toBe(0);
    e.set(pte);
    expect(b.end()).toEqual([]);
  });

  it('-ENOMEM when a fault finds no memory', () => {
    const b = bench();
    b.k.failAllocations = 1;
    expect(fault(b, range(b, 0, 2, { defaultFlags: WRITE }))).toBe(-ENOMEM);
    expect(fault(b, range(b, 0, 2, { defaultFlags: WRITE }))).toBe(0);
    expect(b.end()).toEqual([]);
  });

  it('-ERANGE when a migrating range crosses areas: what the first one gave is put back', () => {
    const b = bench(written(0, PAGES), { op: 'mprotect', buf: 0, page: 4, pages: 4, prot: 'r' });
    const before = describeSystem(b.system);
    expect(fault(b, migratingRange(b, 0, PAGES))).toBe(-ERANGE);
    expect(compareDescriptions(before, describeSystem(b.system))).toEqual([]);
    expect(b.end()).toEqual([]);
  });

  it('-ERANGE when a migrating range has too few entries for its pages', () => {
    const b = bench(written(0, PAGES));
    const r = migratingRange(b, 0, PAGES, { hmmPfns: new Int32Array(4) });
    expect(fault(b, r)).toBe(-ERANGE);
    expect(b.end()).toEqual([]);
  });

  it('a failure half way leaves prepared pages prepared: the caller puts them back', () => {
    const b = bench(written(0, 4));
    b.all({ op: 'munmap', buf: 0, page: 6, pages: 2 });
    const before = describeSystem(b.system);
    const r = migratingRange(b, 0, PAGES, { defaultFlags: FAULT });
    r.migrate = { ...migrateVmaArgs(PAGES, null), start: r.start, end: r.end, flags: 1 };
    expect(fault(b, r)).toBe(-EFAULT);
    expect([...r.hmmPfns].slice(0, 4).every((pfn) => pfn & HMM_PFN_MIGRATE)).toBe(true);
    const differences = compareDescriptions(before, describeSystem(b.system));
    // pages 4 and 5 were faulted; the devices were told
    expect(differences.filter((line) => !/page 4|page 5|^device/.test(line))).toEqual([]);
    expect(b.end()).toEqual([]);
  });
});

describe('hmmRangeFault: a range to be migrated', () => {
  it('is only looked at without arguments: nothing is selected', () => {
    const b = bench(written(0, 2));
    const r = range(b, 0, PAGES, { defaultFlags: HMM_PFN_REQ_MIGRATE });
    expect(fault(b, r)).toBe(0);
    expect([...r.hmmPfns].map((pfn) => pfn & (HMM_PFN_MIGRATE | HMM_PFN_VALID))).toEqual(
      [...r.hmmPfns].map((_, i) => (i < 2 ? HMM_PFN_VALID : 0)),
    );
    expect(b.end()).toEqual([]);
  });

  it('is prepared once: the entries that it installed are not waited for', () => {
    const b = bench(written(0, 2), written(5, 1));
    // two faults, each of which makes another round
    b.all({ op: 'exclusive', dev: 0, buf: 0, page: 5, pages: 1 });
    const r = migratingRange(b, 0, PAGES, { defaultFlags: FAULT });
    expect(fault(b, r)).toBe(0);
    expect([...r.hmmPfns].every((pfn) => pfn & HMM_PFN_MIGRATE)).toBe(true);
    expect(b.end()).toEqual([]);
  });

  it('may be a file’s: what must be written is read first, then copied', () => {
    const b = new Bench();
    b.all({ op: 'mmap', ...all, prot: 'rw', kind: 'file-private' });
    const r = migratingRange(b, 0, 2, { defaultFlags: WRITE });
    expect(fault(b, r)).toBe(0);
    const want = HMM_PFN_VALID | HMM_PFN_WRITE | HMM_PFN_MIGRATE;
    expect([...r.hmmPfns].map((pfn) => pfn & FLAGS)).toEqual([want, want]);
    expect(b.end()).toEqual([]);
  });

  it('may hold pages of the device behind missing ones: the fault for these brings them back', () => {
    const b = bench(written(1, 1), { op: 'migrate_to_dev', dev: 0, buf: 0, page: 1, pages: 1 });
    const r = migratingRange(b, 0, 2, { defaultFlags: WRITE });
    expect(fault(b, r)).toBe(0);
    const want = HMM_PFN_VALID | HMM_PFN_WRITE | HMM_PFN_MIGRATE;
    expect([...r.hmmPfns].map((pfn) => pfn & FLAGS)).toEqual([want, want]);
    expect(b.system.mirrors[0].device.used).toBe(0);
    expect(b.end()).toEqual([]);
  });
});
