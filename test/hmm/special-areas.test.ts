/** The range walk and migration where huge pages of the pool or a driver's own pages are mapped. */
import { describe, expect, it } from 'vitest';
import {
  HMM_PFN_DMA_MAPPED,
  HMM_PFN_MIGRATE,
  HMM_PFN_REQ_FAULT,
  HMM_PFN_REQ_WRITE,
  HMM_PFN_VALID,
  HMM_PFN_WRITE,
  type HmmRange,
  hmmPfnToMapOrder,
  hmmPfnToPfn,
} from '../../src/hmm/index.ts';
import { EINVAL, runStepping, runToEnd } from '../../src/machine/index.ts';
import type { Walk } from '../../src/mm/index.ts';
import { args, fault, migratingRange, range, rangeFault, setup } from '../support/migration.ts';
import { Bench, type LooseOp } from '../support/system.ts';

const H = 4;
const FAULT = HMM_PFN_REQ_FAULT;
const WRITE = HMM_PFN_REQ_FAULT | HMM_PFN_REQ_WRITE;
const VW = HMM_PFN_VALID | HMM_PFN_WRITE;
const ALL = { buf: 0, page: 0, pages: 2 * H } as const;

function bench(kind: 'hugetlb' | 'driver', walk: Walk = 'unified'): Bench {
  const b = new Bench({ pmdOrder: 2, pageBytes: 16, walk, hugetlbPages: 2 });
  b.all({ op: 'mmap', ...ALL, prot: 'rw', kind });
  return b;
}
const touch = (page: number, op: 'cpu_read' | 'cpu_write'): LooseOp =>
  op === 'cpu_read' ? { op, buf: 0, page, pages: 1 } : { op, buf: 0, page, pages: 1, tag: 1 };

/** What a walk says of each page: what it may do, log2 of the mapping, and the page. */
const found = (r: HmmRange): [flags: number, order: number, pfn: number][] =>
  [...r.hmmPfns].map((e) => [e & VW, hmmPfnToMapOrder(e, 2), hmmPfnToPfn(e)]);

/** Faults a range as often as its own faults invalidate it. */
function settle(b: Bench, r: HmmRange, run = runToEnd<number>): number {
  const given = r.hmmPfns.slice();
  for (;;) {
    r.hmmPfns.set(given);
    const ret = run(b.k, rangeFault(b, r));
    if (ret !== -16) return ret;
  }
}

describe('a walk over huge pages of the pool', () => {
  it('reports each as one mapping, from its middle as well', () => {
    const b = bench('hugetlb');
    b.all(touch(0, 'cpu_read'), touch(4, 'cpu_write'));
    const r = range(b, 2, 4);
    r.hmmPfns.fill(HMM_PFN_DMA_MAPPED);
    expect(fault(b, r)).toBe(0);
    const first = hmmPfnToPfn(r.hmmPfns[0]);
    const second = hmmPfnToPfn(r.hmmPfns[2]);
    expect(found(r)).toEqual([
      [HMM_PFN_VALID, 2, first],
      [HMM_PFN_VALID, 2, first + 1],
      [VW, 2, second],
      [VW, 2, second + 1],
    ]);
    expect([b.k.pages.head[first], b.k.pages.head[second]]).toEqual([first - 2, second]);
    expect([...r.hmmPfns].every((e) => e & HMM_PFN_DMA_MAPPED)).toBe(true);
    expect(b.k.counters.entriesVisited).toBe(2);
    expect(b.end()).toEqual([]);
  });

  it('of an empty entry says the size; without a table it is a hole', () => {
    const b = bench('hugetlb');
    const r = range(b, 0, 8);
    expect(fault(b, r)).toBe(0);
    expect([...r.hmmPfns]).toEqual(new Array(8).fill(0));
    b.all(touch(4, 'cpu_read'));
    expect(fault(b, r)).toBe(0);
    expect(found(r).slice(0, 4)).toEqual([
      [0, 2, 0],
      [0, 2, 1],
      [0, 2, 2],
      [0, 2, 3],
    ]);
    expect(b.end()).toEqual([]);
  });

  it.each([
    ['in a straight line', runToEnd<number>],
    ['step by step', runStepping<number>],
  ])('faults what is asked for, page by page (%s)', (_, run) => {
    const b = bench('hugetlb');
    b.all(touch(4, 'cpu_read'));
    const r = range(b, 2, 5, { defaultFlags: WRITE });
    const { faults } = b.k.counters;
    expect(settle(b, r, run)).toBe(0);
    expect(found(r).map(([flags, order]) => [flags, order])).toEqual(new Array(5).fill([VW, 2]));
    // of the first entry two pages, of the second three
    expect(b.k.counters.faults - faults).toBe(5);
    expect(b.end()).toEqual([]);
  });

  it('asks the first page of each for all', () => {
    const b = bench('hugetlb');
    b.all(touch(4, 'cpu_read'));
    const r = range(b, 0, 8, { pfnFlagsMask: WRITE });
    r.hmmPfns[1] = FAULT;
    r.hmmPfns[5] = WRITE;
    expect(settle(b, r)).toBe(0);
    // the second request is not seen, nor is the first
    expect(found(r).map(([flags]) => flags)).toEqual([0, 0, 0, 0, 1, 1, 1, 1]);
    r.hmmPfns.fill(0);
    r.hmmPfns[4] = WRITE;
    expect(settle(b, r)).toBe(0);
    expect(found(r).map(([flags]) => flags)).toEqual([0, 0, 0, 0, VW, VW, VW, VW]);
    expect(b.end()).toEqual([]);
  });

  it('sees no permission in an entry without access', () => {
    const b = bench('hugetlb');
    b.all(touch(0, 'cpu_write'));
    const [vma] = b.system.process(0).mm.vmas;
    b.all({ op: 'mprotect', ...ALL, prot: 'none' });
    // the area says yes before its entries do
    vma.flags |= 3;
    const r = range(b, 0, 1);
    expect(fault(b, r)).toBe(0);
    expect(found(r)[0].slice(0, 2)).toEqual([0, 2]);
    vma.flags &= ~3;
    expect(b.end()).toEqual([]);
  });
});

describe('nothing migrates', () => {
  for (const kind of ['hugetlb', 'driver'] as const) {
    it.each(['collect', 'unified', 'as-posted'] as const)(`${kind}: a migration (%s)`, (walk) => {
      const b = bench(kind, walk);
      b.all(touch(0, 'cpu_write'));
      expect(setup(b, args(b, 0, 2))).toBe(-EINVAL);
      expect(b.end()).toEqual([]);
    });

    it(`${kind}: a walk that is to prepare one`, () => {
      const b = bench(kind);
      b.all(touch(0, 'cpu_write'));
      const r = migratingRange(b, 0, 4, { defaultFlags: FAULT });
      expect(fault(b, r)).toBe(-EINVAL);
      expect([...r.hmmPfns].some((e) => e & HMM_PFN_MIGRATE)).toBe(false);
      expect(b.end()).toEqual([]);
    });
  }

  it('the posted patch takes what was copied of a driver’s page all the same', () => {
    const b = bench('driver', 'as-posted');
    b.all(touch(1, 'cpu_write'));
    const r = migratingRange(b, 0, 4);
    expect(fault(b, r)).toBe(0);
    expect([...r.hmmPfns].map((e) => e & HMM_PFN_MIGRATE)).toEqual([0, HMM_PFN_MIGRATE, 0, 0]);
  });
});
