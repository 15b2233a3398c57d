/** Huge pages of the pool: promises, faults, who loses a page when there are too few. */
import { describe, expect, it } from 'vitest';
import { PG_HUGETLB, ptePfn, pteWrite, runToEnd } from '../../src/machine/index.ts';
import { pageAnonExclusive } from '../../src/mm/folio.ts';
import { gupFast, unpinUserPages } from '../../src/mm/gup.ts';
import { checkEmpty, checkQuiescent, pinUserPage } from '../../src/mm/index.ts';
import { pmdpOf, ptepGet, setPte } from '../../src/mm/pgtable.ts';
import { isVmHugetlbPage, VM_HUGETLB, type Vma } from '../../src/mm/vma.ts';
import { HOWS, held, pinsOf, refsOf, taking } from '../support/gup.ts';
import { Bench, type LooseOp } from '../support/system.ts';

/** Pages of a huge page here. */
const H = 4;
const part = (page: number, pages: number, more: { buf?: number; proc?: number } = {}) => ({
  buf: 0,
  page,
  pages,
  ...more,
});
const map = (huge: number, more: object = {}): LooseOp =>
  ({ op: 'mmap', ...part(0, huge * H), prot: 'rw', kind: 'hugetlb', ...more }) as LooseOp;
const write = (page: number, pages: number, tag = 1, proc = 0): LooseOp => ({
  op: 'cpu_write',
  ...part(page, pages, { proc }),
  tag,
});
const read = (page: number, pages: number, proc = 0): LooseOp => ({
  op: 'cpu_read',
  ...part(page, pages, { proc }),
});

function bench(hugetlbPages: number, ...ops: LooseOp[]): Bench {
  const b = new Bench({ pmdOrder: 2, pageBytes: 16, hugetlbPages });
  b.all(...ops);
  return b;
}

/** Free huge pages of the pool, and promised ones. */
const pool = ({ k }: Bench): [free: number, reserved: number] => [
  k.hugetlb.free,
  k.hugetlb.reserved,
];
const vmas = (b: Bench, proc = 0): Vma[] => b.system.process(proc).mm.vmas;

describe('mapping', () => {
  it('promises whole huge pages, as many as the pool has', () => {
    const b = bench(4, map(1, { pages: 5 }));
    expect(pool(b)).toEqual([4, 2]);
    expect(vmas(b)[0].pages).toBe(2 * H);
    expect(b.do(map(3, { buf: 1 })).ret).toBe('ENOMEM');
    expect(b.do(map(2, { buf: 1 })).ret).toBe('ok');
    expect(b.do(map(1, { buf: 2 })).ret).toBe('ENOMEM');
    expect(vmas(b)).toHaveLength(2);
    b.all({ op: 'munmap', ...part(0, 8) });
    expect(pool(b)).toEqual([4, 2]);
    expect(b.end()).toEqual([]);
    expect(pool(b)).toEqual([4, 0]);
  });

  it('begins with a huge page, and where nothing is', () => {
    const b = bench(4, map(1));
    expect(b.do(map(1, { page: 1 })).ret).toBe('EINVAL');
    expect(b.do(map(1, { page: 0, pages: 2 })).ret).toBe('EEXIST');
    expect(pool(b)).toEqual([4, 1]);
    expect(b.end()).toEqual([]);
  });

  it('merges with nothing', () => {
    const b = bench(8, map(2), map(1, { page: 8 }));
    const halves = { op: 'mprotect', ...part(0, 4) } as const;
    b.all({ ...halves, prot: 'r' }, { ...halves, prot: 'rw' });
    expect(vmas(b).map(({ pages }) => pages)).toEqual([4, 4, 4]);
    expect(vmas(b).every(isVmHugetlbPage)).toBe(true);
    expect(b.end()).toEqual([]);
  });

  it('is not divided within a huge page', () => {
    const b = bench(4, map(2), write(0, 8));
    const refused: LooseOp[] = [
      { op: 'munmap', ...part(0, 3) },
      { op: 'munmap', ...part(5, 3) },
      { op: 'mprotect', ...part(2, 6), prot: 'r' },
      { op: 'mprotect', ...part(4, 2), prot: 'r' },
      { op: 'madvise', ...part(1, 4), advice: 'dontfork' },
      { op: 'madvise', ...part(1, 7), advice: 'dontneed' },
      { op: 'mremap', ...part(1, 4), toBuf: 1, toPage: 0 },
      { op: 'mremap', ...part(0, 4), toBuf: 1, toPage: 2 },
    ];
    for (const op of refused) expect(b.do(op).ret, JSON.stringify(op)).toBe('EINVAL');
    // the same protection changes nothing, wherever it begins
    expect(b.do({ op: 'mprotect', ...part(2, 3), prot: 'rw' }).ret).toBe('ok');
    expect(b.do(read(0, 8)).tags).toEqual([[65536, 8, 1]]);
    expect(b.end()).toEqual([]);
  });

  it('a range onto the middle of a huge page is not moved there', () => {
    const b = bench(4, map(1), { op: 'mmap', ...part(0, 2, { buf: 1 }), prot: 'rw', kind: 'anon' });
    b.all(write(0, 4));
    expect(b.do({ op: 'mremap', ...part(0, 2, { buf: 1 }), toBuf: 0, toPage: 1 }).ret).toBe(
      'EINVAL',
    );
    expect(b.do(read(0, 4)).tags).toEqual([[65536, 4, 1]]);
    expect(b.end()).toEqual([]);
  });
});

describe('faults', () => {
  it('map a whole page of the pool, of zeros, that is counted apart', () => {
    const b = bench(4, map(2), read(1, 1));
    const { mm } = b.system.process(0);
    expect(pool(b)).toEqual([3, 1]);
    expect([mm.anonPages, mm.filePages, mm.hugetlbPages]).toEqual([0, 0, H]);
    expect(mm.pteTables).toBe(0);
    expect(b.do(read(0, 4)).tags).toEqual([[0, 4, 0]]);
    expect(b.k.counters.cpuFaults).toBe(1);
    b.all(write(0, 8));
    expect(mm.hugetlbPages).toBe(2 * H);
    expect(b.do({ op: 'scan', ...part(0, 8) }).bits).toEqual([[9, 8]]);
    expect(b.do({ op: 'pagemap', ...part(0, 8) }).bits).toEqual([[25, 8]]);
    expect(b.broken()).toEqual([]);
    b.all({ op: 'munmap', ...part(0, 8) });
    expect(pool(b)).toEqual([4, 0]);
    expect(mm.hugetlbPages).toBe(0);
    expect(b.end()).toEqual([]);
  });

  it('a page that was freed is zeros again', () => {
    const b = bench(1, map(1), write(0, 4), { op: 'madvise', ...part(0, 4), advice: 'dontneed' });
    expect(pool(b)).toEqual([1, 1]);
    expect(b.do(read(0, 4)).tags).toEqual([[0, 4, 0]]);
    expect(b.end()).toEqual([]);
  });

  it('a protection that is given back is taken up by the next write', () => {
    const b = bench(1, map(1), write(0, 4));
    b.all({ op: 'mprotect', ...part(0, 4), prot: 'r' });
    expect(b.do(write(0, 1)).ret).toBe('SEGV');
    b.all({ op: 'mprotect', ...part(0, 4), prot: 'none' });
    expect(b.do(read(0, 1)).ret).toBe('SEGV');
    expect(b.do({ op: 'snapshot', dev: 0, ...part(0, 4) }).prot).toEqual([[255, 4]]);
    b.all({ op: 'mprotect', ...part(0, 4), prot: 'rw' });
    expect(b.do({ op: 'snapshot', dev: 0, ...part(0, 4) }).prot).toEqual([[5, 4]]);
    b.all(write(0, 1, 2));
    expect(b.do({ op: 'snapshot', dev: 0, ...part(0, 4) }).prot).toEqual([[6, 4]]);
    // no copy was made
    expect(b.k.counters.bytesCopied).toBe(0);
    expect(b.end()).toEqual([]);
  });

  it.each(['collect', 'unified'] as const)('a device reads and writes it in place (%s)', (walk) => {
    const b = new Bench({ pmdOrder: 2, pageBytes: 16, walk, hugetlbPages: 2 });
    b.all(map(2), { op: 'dev_write', dev: 0, ...part(3, 2), tag: 2 });
    expect(b.do(read(2, 4)).tags).toEqual([
      [0, 1, 0],
      [131072, 2, 1],
      [0, 1, 0],
    ]);
    b.all(write(3, 1, 7));
    expect(b.do({ op: 'dev_read', dev: 1, ...part(3, 2) }).tags).toEqual([
      [458752, 1, 0],
      [131073, 1, 0],
    ]);
    const refused: [LooseOp, string][] = [
      [{ op: 'migrate_to_dev', dev: 0, ...part(0, 4) }, 'EINVAL'],
      [{ op: 'migrate_to_sys', dev: 0, ...part(0, 4) }, 'EINVAL'],
      [{ op: 'fault_migrate_to_dev', dev: 0, ...part(0, 4), write: 1 }, 'EINVAL'],
      [{ op: 'exclusive', dev: 0, ...part(0, 1) }, 'EOPNOTSUPP'],
    ];
    for (const [op, ret] of refused) expect(b.do(op).ret, op.op).toBe(ret);
    expect(b.end()).toEqual([]);
  });

  it('advice is for other memory', () => {
    const b = bench(4, map(2), write(0, 8));
    for (const advice of ['free', 'cold', 'pageout', 'collapse'] as const) {
      expect(b.do({ op: 'madvise', ...part(0, 8), advice }).ret, advice).toBe('EINVAL');
    }
    for (const advice of ['hugepage', 'nohugepage', 'willneed', 'populate_read'] as const) {
      expect(b.do({ op: 'madvise', ...part(0, 8), advice }).ret, advice).toBe('ok');
    }
    // the reaper passes over it, and nothing is written over
    b.all({ op: 'oom_reap' }, { op: 'clear_soft_dirty' });
    expect(b.do(read(0, 8)).tags).toEqual([[65536, 8, 1]]);
    expect(b.do(write(0, 8)).ret).toBe('ok');
    expect(b.end()).toEqual([]);
  });

  it('what is dropped is whole huge pages', () => {
    const b = bench(2, map(2), write(0, 8), { op: 'madvise', ...part(0, 7), advice: 'dontneed' });
    expect(b.do(read(0, 8)).tags).toEqual([
      [0, 4, 0],
      [65540, 4, 1],
    ]);
    expect(b.do({ op: 'madvise', ...part(4, 3), advice: 'dontneed' }).ret).toBe('ok');
    expect(b.do(read(4, 4)).tags).toEqual([[65540, 4, 1]]);
    expect(b.end()).toEqual([]);
  });

  it('a page of it can be held; the pool has it back when nobody does', () => {
    const b = bench(1, map(1), write(0, 4), { op: 'pin', id: 0, buf: 0, page: 2 });
    b.all({ op: 'munmap', ...part(0, 4) });
    // the promise is back before the page is: for a moment there is one less than none
    expect(pool(b)).toEqual([0, -1]);
    expect(b.broken()).toEqual([]);
    expect(b.do(map(1)).ret).toBe('ENOMEM');
    b.all({ op: 'unpin', id: 0 });
    expect(pool(b)).toEqual([1, 0]);
    expect(b.do(map(1)).ret).toBe('ok');
    expect(b.end()).toEqual([]);
  });
});

describe('fork', () => {
  const shared = (hugetlbPages: number): Bench =>
    bench(hugetlbPages, map(1), write(0, 4), { op: 'fork', child: 1 });

  it('shares the page until one writes', () => {
    const b = shared(2);
    expect(b.do({ op: 'pagemap', ...part(0, 4) }).bits).toEqual([[9, 4]]);
    expect(b.do(write(1, 1, 2)).ret).toBe('ok');
    expect(b.do(read(0, 4, 1)).tags).toEqual([[65536, 4, 1]]);
    expect(b.do(read(0, 4)).tags).toEqual([
      [65536, 1, 0],
      [131072, 1, 0],
      [65538, 2, 1],
    ]);
    expect(pool(b)).toEqual([0, 0]);
    // the child’s is his alone now
    const copied = b.k.counters.bytesCopied;
    expect(b.do(write(0, 1, 3, 1)).ret).toBe('ok');
    expect(b.k.counters.bytesCopied).toBe(copied);
    expect(b.end()).toEqual([]);
  });

  it('the maker takes the page back from a child where the pool is empty', () => {
    const b = shared(1);
    expect(b.do(write(1, 1, 2)).ret).toBe('ok');
    expect(b.do(read(0, 4)).tags).toEqual([
      [65536, 1, 0],
      [131072, 1, 0],
      [65538, 2, 1],
    ]);
    expect(b.do(read(0, 1, 1)).ret).toBe('BUS');
    expect(b.do(write(0, 1, 1, 1)).ret).toBe('BUS');
    expect(b.system.process(1).mm.hugetlbPages).toBe(0);
    expect(b.end()).toEqual([]);
  });

  it('a child that lost a page gets no other for it, even if there is one by then', () => {
    const b = bench(2, map(1), map(1, { buf: 1 }), write(0, 4));
    b.all({ op: 'cpu_write', ...part(0, 1, { buf: 1 }), tag: 1 }, { op: 'fork', child: 1 });
    b.all(write(1, 1, 2), { op: 'munmap', ...part(0, 4, { buf: 1 }) });
    b.all({ op: 'munmap', ...part(0, 4, { buf: 1, proc: 1 }) });
    expect(pool(b)).toEqual([1, 0]);
    // zeros there would look like data that was lost
    expect(b.do(read(0, 1, 1)).ret).toBe('BUS');
    expect(pool(b)).toEqual([1, 0]);
    expect(b.end()).toEqual([]);
  });

  it('the child, who is promised nothing, takes nothing back', () => {
    const b = shared(1);
    expect(b.do(write(1, 1, 2, 1)).ret).toBe('BUS');
    expect(b.do(read(0, 4, 1)).tags).toEqual([[65536, 4, 1]]);
    expect(b.do(read(0, 4)).tags).toEqual([[65536, 4, 1]]);
    expect(b.end()).toEqual([]);
  });

  it('a child gets no page that is promised to another', () => {
    const b = bench(2, map(2), { op: 'fork', child: 1 });
    expect(b.do(read(0, 1, 1)).ret).toBe('BUS');
    expect(b.do({ op: 'madvise', ...part(0, 4, { proc: 1 }), advice: 'populate_read' }).ret).toBe(
      'EFAULT',
    );
    expect(b.do({ op: 'pin', id: 0, buf: 0, page: 0, proc: 1 }).ret).toBe('EFAULT');
    expect(b.do(write(0, 8)).ret).toBe('ok');
    expect(b.end()).toEqual([]);
  });

  it('what the maker has used is promised again only when nobody has it', () => {
    const b = shared(3);
    b.all({ op: 'madvise', ...part(0, 4), advice: 'dontneed' });
    expect(pool(b)).toEqual([2, 0]);
    b.all({ op: 'munmap', ...part(0, 4, { proc: 1 }) });
    expect(pool(b)).toEqual([3, 0]);
    // he can have one all the same, if there is one
    expect(b.do(read(0, 1)).ret).toBe('ok');
    expect(b.end()).toEqual([]);
    expect(pool(b)).toEqual([3, 0]);
  });

  it('a page that is pinned is copied for the child, if the pool has one', () => {
    for (const [pages, ret] of [
      [2, 'ok'],
      [1, 'ENOMEM'],
    ] as const) {
      const b = bench(pages, map(1), write(0, 4));
      const { mm } = b.system.process(0);
      const taken: number[] = [];
      const take = { write: true, pin: true };
      expect(runToEnd(b.k, gupFast(b.k, mm, b.vpn(0, 1), 1, take, taken))).toBe(1);
      const [pinned] = taken;
      expect(b.do({ op: 'fork', child: 1 }).ret).toBe(ret);
      // the parent may go on writing
      expect(b.do(write(1, 1, 2)).ret).toBe('ok');
      expect(b.k.pages.refcount[b.k.pages.head[pinned]]).toBe(2);
      if (ret === 'ok') expect(b.do(read(1, 1, 1)).tags).toEqual([[65537, 1, 0]]);
      runToEnd(b.k, unpinUserPages(b.k, taken));
      expect(b.end()).toEqual([]);
      expect(pool(b)).toEqual([pages, 0]);
    }
  });

  it('nothing is copied where nothing was touched, or not to be', () => {
    const b = bench(4, map(1), write(0, 4), { op: 'madvise', ...part(0, 4), advice: 'dontfork' });
    b.all(map(1, { buf: 1 }), { op: 'fork', child: 1 });
    expect(vmas(b, 1).map(({ resv }) => resv)).toEqual([null]);
    expect(b.system.process(1).mm.hugetlbPages).toBe(0);
    expect(b.end()).toEqual([]);
  });
});

describe('moving', () => {
  it('takes pages and promises along', () => {
    const b = bench(2, map(2), write(0, 2));
    b.all({ op: 'mremap', ...part(0, 7), toBuf: 1, toPage: 4 });
    expect(b.do({ op: 'cpu_read', ...part(4, 8, { buf: 1 }) }).tags).toEqual([
      [65536, 2, 1],
      [0, 6, 0],
    ]);
    expect(pool(b)).toEqual([0, 0]);
    expect(vmas(b)).toHaveLength(1);
    expect(b.k.hugetlb.lost).toBe(0);
    expect(b.end()).toEqual([]);
  });

  it('what stays where it was forgets its promises, for ever, as in 7.3.4', () => {
    const b = bench(4, map(3), { op: 'mremap', ...part(0, 4), toBuf: 1, toPage: 0 });
    expect(pool(b)).toEqual([4, 3]);
    expect(b.k.hugetlb.lost).toBe(2);
    expect(b.do({ op: 'cpu_write', ...part(0, 1, { buf: 1 }), tag: 1 }).ret).toBe('ok');
    // one page is promised to nobody
    expect(b.do(write(4, 1)).ret).toBe('ok');
    expect(b.do(write(8, 1)).ret).toBe('BUS');
    expect(b.broken()).toEqual([]);
    b.all({ op: 'munmap', ...part(4, 8) }, { op: 'munmap', ...part(0, 4, { buf: 1 }) });
    expect(pool(b)).toEqual([4, 2]);
    expect(b.do(map(3)).ret).toBe('ENOMEM');
    expect(b.end()).toEqual([]);
  });
});

describe('what must hold', () => {
  /** What is said of a bench after something was done to it behind its back. */
  const said = (spoil: (b: Bench) => void): string[] => {
    const b = bench(2, map(2), write(0, 4));
    expect(checkQuiescent(b.k)).toEqual([]);
    spoil(b);
    return checkQuiescent(b.k).map(({ invariant }) => invariant);
  };

  it('finds counts of the pool that are wrong', () => {
    expect(said(({ k }) => k.hugetlb.reserved++)).toEqual(['pool']);
    expect(said(({ k }) => k.hugetlb.give(k.hugetlb.take(k)))).not.toEqual([]);
    expect(said((b) => vmas(b)[0].resv?.used.clear())).toEqual(['pool']);
  });

  it('finds pages of the pool elsewhere, and others in its areas', () => {
    expect(said((b) => (vmas(b)[0].flags &= ~VM_HUGETLB))).toContain('entry');
    const lost = said((b) => {
      const pfn = runToEnd(b.k, pinUserPage(b.k, b.system.process(0).mm, b.vpn(0, 0)));
      b.k.pages.flags[pfn] &= ~PG_HUGETLB;
    });
    expect(lost).toContain('entry');
    expect(lost).toContain('pool');
  });

  it('finds wrong counts of pages, and what an unmapping forgot', () => {
    expect(said((b) => b.system.process(0).mm.hugetlbPages++)).toEqual(['rss']);
    const forgot = said((b) => {
      const { mm } = b.system.process(0);
      setPte(b.k, pmdpOf(b.k, mm, b.vpn(0, 0)), 0);
    });
    expect(forgot).toContain('rss');
    expect(forgot).toContain('map count');
  });

  it('nothing of it is left in the end', () => {
    const b = bench(2, map(2), write(0, 4));
    const pmd = ptepGet(b.k, pmdpOf(b.k, b.system.process(0).mm, b.vpn(0, 0)));
    expect(pmd).not.toBe(0);
    expect(checkEmpty(b.k).some(({ title }) => title.includes('in use'))).toBe(true);
    expect(b.end()).toEqual([]);
    expect(checkEmpty(b.k)).toEqual([]);
  });
});

describe.each(HOWS)('taken by %s', (how) => {
  const pin = how.startsWith('pin');
  const entryOf = (b: Bench, page = 0) => {
    const at = pmdpOf(b.k, b.system.process(0).mm, b.vpn(0, page));
    return b.k.tables.entries[at];
  };

  it.each([
    ['there', [write(0, 8)]],
    ['missing', []],
  ] as [string, LooseOp[]][])('what is %s', (_what, ops) => {
    const b = bench(2, map(2), ...ops);
    expect(b.do(taking(how, 1, 5, 1))).toEqual({ ret: 'ok', done: 5 });
    const [first, second] = [0, 4].map((page) => ptePfn(entryOf(b, page)));
    expect(held(b).pages).toEqual([first + 1, first + 2, first + 3, second, second + 1]);
    expect([first, second].map((folio) => refsOf(b, folio))).toEqual([4, 3]);
    expect([first, second].map((folio) => pinsOf(b, folio))).toEqual(pin ? [3, 2] : [0, 0]);
    expect(b.broken()).toEqual([]);
    b.all({ op: 'munmap', ...part(0, 8) });
    // what the area was promised is taken back; what its pages give back comes when they are free
    expect(pool(b)).toEqual([0, -2]);
    b.all({ op: 'unpin', id: 0 });
    expect(pool(b)).toEqual([2, 0]);
    expect(b.end()).toEqual([]);
  });

  it('for reading, what a child shares: a page of its own to pin', () => {
    const b = bench(2, map(1), write(0, 4), { op: 'fork', child: 1 });
    const before = ptePfn(entryOf(b));
    expect(b.do(taking(how, 1, 2)).ret).toBe('ok');
    expect(held(b).pages[0] === before + 1).toBe(!pin);
    expect(pteWrite(entryOf(b))).toBe(false);
    b.all(write(1, 1, 2));
    expect(b.k.frames.readWord(held(b).pages[0])).toBe(pin ? 2 * 65536 : 65537);
    expect(b.do(read(0, 4, 1)).tags).toEqual([[65536, 4, 1]]);
    expect(b.end()).toEqual([]);
  });

  it('for reading, what nobody shares any more', () => {
    const b = bench(2, map(1), write(0, 4), { op: 'fork', child: 1 });
    b.all({ op: 'munmap', ...part(0, 4, { proc: 1 }) });
    const before = ptePfn(entryOf(b));
    b.all(taking(how, 1, 2));
    expect(held(b).pages).toEqual([before + 1, before + 2]);
    expect(pteWrite(entryOf(b))).toBe(false);
    expect(pageAnonExclusive(b.k, before)).toBe(pin);
    expect(b.end()).toEqual([]);
  });

  it('for reading, where the pool has none to copy it to: the child loses its', () => {
    const b = bench(1, map(1), write(0, 4), { op: 'fork', child: 1 });
    expect(b.do(taking(how)).ret).toBe('ok');
    expect(b.do(read(0, 1, 1)).ret).toBe(pin ? 'BUS' : 'ok');
    expect(b.end()).toEqual([]);
  });
});
