import { describe, expect, it } from 'vitest';
import { EAGAIN, EBUSY, EINVAL, KernelBug, runToEnd } from '../../src/machine/index.ts';
import {
  cpuWriteWord,
  madvise,
  uffdCopy,
  uffdRead,
  uffdRegister,
  uffdUnregister,
  uffdWake,
  userfaultfd,
  userfaultfdRelease,
  userfaultStep,
} from '../../src/mm/index.ts';
import { pmdpOf, ptepGet, setPte } from '../../src/mm/pgtable.ts';
import { VM_UFFD_MISSING } from '../../src/mm/vma.ts';
import { Bench, type LooseOp } from '../support/system.ts';
import { Thread } from '../support/thread.ts';

const PAGES = 8;
const part = (page: number, pages: number) => ({ buf: 0, page, pages });
const ALL = part(0, PAGES);

/** A huge page is four pages. */
function bench(...ops: LooseOp[]): Bench {
  const made = new Bench({ pmdOrder: 2, pageBytes: 16, cpus: 3 });
  made.all({ op: 'mmap', ...ALL, prot: 'rw', kind: 'anon' }, ...ops);
  return made;
}
const registered = (...ops: LooseOp[]) => bench(...ops, { op: 'uffd_register', ...ALL });

const mmOf = (b: Bench, proc = 0) => b.system.process(proc).mm;
/** The areas as first page, pages and whether a monitor gives what is missing. */
const areas = (b: Bench, proc = 0) =>
  mmOf(b, proc).vmas.map(({ start, pages, flags, uffd }) => {
    expect((flags & VM_UFFD_MISSING) !== 0).toBe(uffd !== null);
    return [start - b.vpn(0), pages, uffd !== null];
  });

/** What an operation of a straight line waits for, for ever. */
function waitsFor(b: Bench, op: LooseOp): string {
  expect(() => b.do(op)).toThrow(KernelBug);
  const [{ title, invariant }] = b.k.findings.splice(0);
  expect(invariant).toBe('deadlock');
  expect(b.k.current.held).toEqual([]);
  return title;
}

function page(b: Bench, word: number): Uint8Array {
  const bytes = new Uint8Array(b.k.geometry.pageBytes);
  new DataView(bytes.buffer).setUint32(0, word, true);
  return bytes;
}

describe('registering', () => {
  it('splits areas, and they merge when all is as before', () => {
    const b = bench();
    b.all({ op: 'uffd_register', ...part(2, 2) });
    expect(areas(b)).toEqual([
      [0, 2, false],
      [2, 2, true],
      [4, 4, false],
    ]);
    b.all({ op: 'uffd_register', ...part(1, 4) });
    expect(areas(b)).toEqual([
      [0, 1, false],
      [1, 4, true],
      [5, 3, false],
    ]);
    b.all({ op: 'uffd_unregister', ...part(1, 2) });
    expect(areas(b)).toEqual([
      [0, 3, false],
      [3, 2, true],
      [5, 3, false],
    ]);
    b.all({ op: 'uffd_unregister', ...ALL });
    expect(areas(b)).toEqual([[0, PAGES, false]]);
    expect(b.end()).toEqual([]);
  });

  it('keeps areas apart that are alike otherwise', () => {
    const b = registered();
    b.all({ op: 'mmap', ...part(8, 2), prot: 'rw', kind: 'anon' });
    expect(areas(b)).toEqual([
      [0, PAGES, true],
      [8, 2, false],
    ]);
    expect(b.end()).toEqual([]);
  });

  it('keeps it with what else changes of an area', () => {
    const b = registered();
    b.all(
      { op: 'mprotect', ...part(2, 2), prot: 'r' },
      { op: 'madvise', ...part(4, 1), advice: 'dontfork' },
    );
    expect(areas(b).map(([, , uffd]) => uffd)).toEqual([true, true, true, true]);
    b.all({ op: 'mprotect', ...part(2, 2), prot: 'rw' });
    expect(areas(b).length).toBe(3);
    expect(b.end()).toEqual([]);
  });

  it('is refused where nothing is, for a part of a huge page, a driver’s, and of somebody else’s', () => {
    const b = registered(
      { op: 'mmap', buf: 1, page: 0, pages: 4, prot: 'rw', kind: 'hugetlb' },
      { op: 'mmap', buf: 1, page: 4, pages: 2, prot: 'rw', kind: 'driver' },
      { op: 'mmap', buf: 1, page: 6, pages: 2, prot: 'rw', kind: 'anon' },
    );
    const pages = (first: number, count: number) => ({ buf: 1, page: first, pages: count });
    for (const op of ['uffd_register', 'uffd_unregister'] as const) {
      for (const place of [pages(8, 4), pages(2, 2), pages(4, 1), pages(5, 2)]) {
        expect(b.do({ op, ...place }).ret, `${op} ${place.page}`).toBe('EINVAL');
      }
    }
    expect(b.do({ op: 'uffd_register', ...pages(0, 2) }).ret).toBe('EINVAL');
    // a gap is no obstacle
    b.all({ op: 'munmap', ...part(3, 1) }, { op: 'uffd_register', ...ALL });
    const other = userfaultfd(b.k, mmOf(b));
    const first = b.vpn(0);
    expect(runToEnd(b.k, uffdRegister(b.k, other, first, first + 1))).toBe(-EBUSY);
    expect(runToEnd(b.k, uffdUnregister(b.k, other, first, first + 1))).toBe(-EINVAL);
    expect(areas(b)[0]).toEqual([0, 3, true]);
    // areas of two do not merge
    b.all({ op: 'uffd_unregister', ...ALL });
    expect(runToEnd(b.k, uffdRegister(b.k, other, first, first + 1))).toBe(0);
    b.all({ op: 'uffd_register', ...part(1, 2) });
    expect(areas(b).slice(0, 2)).toEqual([
      [0, 1, true],
      [1, 2, true],
    ]);
    expect(b.end()).toEqual([]);
  });
});

describe('a missing page', () => {
  it.each<LooseOp>([
    { op: 'cpu_read', ...part(1, 1) },
    { op: 'cpu_write', ...part(1, 1), tag: 1 },
    { op: 'dev_read_unlocked', dev: 0, ...part(1, 1) },
    { op: 'pin', id: 0, buf: 0, page: 1 },
    { op: 'madvise', ...part(1, 1), advice: 'populate_read' },
    { op: 'madvise', ...part(1, 1), advice: 'populate_write' },
  ])('is for the monitor to give, without mmap_lock: $op $advice', (op) => {
    const title = 'waits for ever for the monitor to give buffer 0 page 1';
    expect(waitsFor(registered(), op)).toBe(title);
    expect(waitsFor(registered({ op: 'madvise', ...ALL, advice: 'hugepage' }), op)).toBe(title);
  });

  it.each<LooseOp>([
    { op: 'dev_read', dev: 0, ...part(1, 1) },
    { op: 'dev_write', dev: 0, ...part(1, 1), tag: 1 },
    { op: 'fault_migrate_to_dev', dev: 0, ...part(0, 2), write: 0 },
    { op: 'fault_migrate_to_dev', dev: 0, ...part(0, 2), write: 1 },
    { op: 'exclusive', dev: 0, ...part(1, 1) },
  ])('cannot be had with mmap_lock held: $op', (op) => {
    for (const walk of ['collect', 'unified'] as const) {
      const b = new Bench({ pmdOrder: 2, pageBytes: 16, walk });
      b.all(
        { op: 'mmap', ...ALL, prot: 'rw', kind: 'anon' },
        { op: 'cpu_write', ...part(0, 1), tag: 1 },
        { op: 'uffd_register', ...ALL },
      );
      expect(b.do(op).ret).toBe('EFAULT');
      // what was there is where it was
      expect(b.do({ op: 'pagemap', ...part(0, 2) }).bits).toEqual([
        [25, 1],
        [8, 1],
      ]);
      expect(b.end()).toEqual([]);
    }
  });

  it.each(['collect', 'unified'] as const)('is not populated by a migration, walk %s', (walk) => {
    const b = new Bench({ pmdOrder: 2, pageBytes: 16, walk });
    b.all(
      { op: 'mmap', ...ALL, prot: 'rw', kind: 'anon' },
      { op: 'madvise', ...part(4, 4), advice: 'hugepage' },
      { op: 'cpu_write', ...part(0, 1), tag: 1 },
      { op: 'cpu_read', ...part(1, 1) },
      { op: 'uffd_register', ...ALL },
    );
    // one of zeros stays as well; the device reads what it has
    expect(b.do({ op: 'migrate_to_dev', dev: 0, ...ALL }).ret).toBe('ENOENT');
    expect(b.do({ op: 'pagemap', ...ALL }).bits).toEqual([
      [10, 1],
      [9, 1],
      [8, 6],
    ]);
    expect(b.end()).toEqual([]);
  });

  it('is not collapsed into a huge page; what is whole is', () => {
    const b = bench({ op: 'cpu_write', ...part(0, 7), tag: 1 }, { op: 'cpu_read', ...part(7, 1) });
    b.all({ op: 'uffd_register', ...ALL });
    expect(b.do({ op: 'madvise', ...part(0, 4), advice: 'collapse' }).ret).toBe('ok');
    // the zero page counts as missing, and no huge page is allocated for it
    const rest: LooseOp = { op: 'madvise', ...part(4, 4), advice: 'collapse' };
    const { result, counted } = b.counting(rest);
    expect([result.ret, counted.pagesAllocated]).toEqual(['EBUSY', 0]);
    b.all({ op: 'madvise', ...part(4, 1), advice: 'dontneed' });
    expect(b.do(rest).ret).toBe('EBUSY');
    expect(b.end()).toEqual([]);
  });

  it('that comes about while a table is being collapsed is not either', () => {
    const b = registered({ op: 'cpu_write', ...ALL, tag: 1 });
    const { k } = b;
    const mm = mmOf(b);
    const first = b.vpn(0);
    const collapse = new Thread(k, 'collapse', () => madvise(k, mm, first, first + 4, 'collapse'));
    // between its look at the table and the lock for writing
    collapse.until(() => mm.mmapLock.readers.length === 0 && k.pages.order.includes(2));
    b.all({ op: 'madvise', ...part(2, 1), advice: 'dontneed' });
    expect(collapse.finish()).toBe(-EBUSY);
    expect(b.end()).toEqual([]);
  });
});

describe('a copy', () => {
  it('is the page from then on', () => {
    const b = registered({ op: 'mprotect', ...part(4, 4), prot: 'r' });
    expect(b.do({ op: 'uffd_copy', ...part(3, 2), tag: 5 })).toEqual({ ret: 'ok', done: 2 });
    expect(b.do({ op: 'cpu_read', ...part(3, 2) }).tags).toEqual([[5 * 65536, 2, 1]]);
    expect(b.do({ op: 'cpu_write', ...part(4, 1), tag: 6 }).ret).toBe('SEGV');
    b.all({ op: 'cpu_write', ...part(3, 1), tag: 6 });
    expect(b.do({ op: 'pagemap', ...ALL }).bits).toEqual([
      [8, 3],
      [25, 2],
      [8, 3],
    ]);
    expect(b.end()).toEqual([]);
  });

  it('is refused where something is, huge or not, and where nothing is registered', () => {
    const b = bench(
      { op: 'madvise', ...part(4, 4), advice: 'hugepage' },
      { op: 'cpu_read', ...part(4, 1) },
      { op: 'uffd_register', ...part(1, 7) },
    );
    const copy = (first: number, pages: number) =>
      b.do({ op: 'uffd_copy', ...part(first, pages), tag: 1 });
    expect(copy(0, 1)).toEqual({ ret: 'ENOENT', done: 0 });
    expect(copy(9, 1)).toEqual({ ret: 'ENOENT', done: 0 });
    expect(copy(2, 4)).toEqual({ ret: 'EEXIST', done: 2 });
    expect(copy(3, 1)).toEqual({ ret: 'EEXIST', done: 0 });
    b.all({ op: 'uffd_unregister', ...part(1, 1) });
    expect(copy(1, 1)).toEqual({ ret: 'ENOENT', done: 0 });
    expect(b.end()).toEqual([]);
  });

  it('that is refused prepares the area for a fork to copy', () => {
    const b = bench({ op: 'cpu_read', ...part(0, 1) }, { op: 'fork', child: 1 });
    const zero = (proc: number) => b.do({ op: 'pagemap', ...part(0, 1), proc }).bits;
    expect(zero(1)).toEqual([[8, 1]]);
    expect(b.do({ op: 'uffd_copy', ...part(5, 1), tag: 1 }).ret).toBe('ENOENT');
    b.all({ op: 'fork', child: 2 });
    expect(zero(2)).toEqual([[9, 1]]);
    expect(b.end()).toEqual([]);
  });
});

describe('a file', () => {
  const FILE = { buf: 1, page: 0, pages: 4 };
  const at = (page: number, pages = 1) => ({ buf: 1, page, pages });

  it.each(['anon-shared', 'file-shared', 'file-private'] as const)(
    '%s: what it has is no fault',
    (kind) => {
      const b = bench({ op: 'mmap', ...FILE, prot: 'rw', kind }, { op: 'fork', child: 1 });
      b.all({ op: 'uffd_register', ...FILE });
      if (kind === 'anon-shared') {
        for (const op of [{ op: 'cpu_read' }, { op: 'cpu_write', tag: 1 }] as const) {
          const title = 'waits for ever for the monitor to give buffer 1 page 2';
          expect(waitsFor(b, { ...op, ...at(2) })).toBe(title);
        }
        expect(b.do({ op: 'dev_read', dev: 0, ...at(2) }).ret).toBe('EFAULT');
        // the child, which has no monitor, makes a page of the file
        b.all({ op: 'cpu_write', ...at(1), tag: 9, proc: 1 });
      }
      const there = kind === 'anon-shared' ? 9 * 65536 : 0xf001;
      expect(b.do({ op: 'cpu_read', ...at(1) }).tags).toEqual([[there, 1, 0]]);
      expect(b.end()).toEqual([]);
    },
  );

  it('a private one: a page that the file has not got is a fault for writing, too', () => {
    const b = bench({ op: 'mmap', ...FILE, prot: 'rw', kind: 'file-private' });
    const file = mmOf(b).lookupVma(b.vpn(1))?.file;
    // files in memory have all of their pages: as one with a hole would be
    const folio = file?.folios.get(0) as number;
    file?.folios.delete(0);
    b.all({ op: 'uffd_register', ...FILE });
    const write = () => cpuWriteWord(b.k, mmOf(b), b.vpn(1), 7);
    const cpu = new Thread(b.k, 'cpu', write, 1).run();
    expect(b.system.userfaultfd(0).pending).toEqual([{ vpn: b.vpn(1), woken: false }]);
    file?.folios.set(0, folio);
    b.all({ op: 'uffd_unregister', ...FILE });
    expect(cpu.finish()).toBe(0);
    // the copy that the first fault had allocated is free again
    expect(b.end()).toEqual([]);
  });

  it('shared: a copy is the file’s page, for everybody', () => {
    const b = bench(
      { op: 'mmap', ...FILE, prot: 'rw', kind: 'anon-shared' },
      { op: 'fork', child: 1 },
    );
    b.all({ op: 'uffd_register', ...FILE }, { op: 'uffd_copy', ...at(0, 2), tag: 5 });
    expect(b.do({ op: 'cpu_read', ...at(0, 2), proc: 1 }).tags).toEqual([[5 * 65536, 2, 1]]);
    b.all({ op: 'cpu_write', ...at(1), tag: 6, proc: 1 });
    expect(b.do({ op: 'cpu_read', ...at(1) }).tags).toEqual([[6 * 65536, 1, 0]]);
    // what only the child has made is there, though nothing is mapped
    b.all({ op: 'cpu_write', ...at(2), tag: 7, proc: 1 });
    const copy = (page: number) => b.do({ op: 'uffd_copy', ...at(page), tag: 8 }).ret;
    expect([copy(0), copy(2), copy(3)]).toEqual(['EEXIST', 'EEXIST', 'ok']);
    expect(mmOf(b).filePages).toBe(3);
    expect(b.end()).toEqual([]);
  });

  it('private: a copy is one’s own, whatever the file has', () => {
    const b = bench({ op: 'mmap', ...FILE, prot: 'rw', kind: 'file-private' });
    b.all({ op: 'uffd_register', ...FILE }, { op: 'uffd_copy', ...at(1), tag: 5 });
    expect(b.do({ op: 'cpu_read', ...at(0, 2) }).tags).toEqual([
      [0xf000, 1, 0],
      [5 * 65536, 1, 0],
    ]);
    expect([mmOf(b).anonPages, b.do({ op: 'uffd_copy', ...at(0), tag: 5 }).ret]).toEqual([
      1,
      'EEXIST',
    ]);
    expect(b.end()).toEqual([]);
  });

  it('whose table is taken away meanwhile keeps nothing of a copy', () => {
    const b = bench({ op: 'mmap', ...FILE, prot: 'rw', kind: 'anon-shared' });
    b.all({ op: 'uffd_register', ...FILE });
    const { k } = b;
    const mm = mmOf(b);
    const ctx = b.system.userfaultfd(0);
    const file = mm.lookupVma(b.vpn(1))?.file;
    const copy = new Thread(k, 'copy', () => uffdCopy(k, ctx, b.vpn(1), page(b, 3)));
    copy.until(() => file?.folios.size === 1);
    const pmdp = pmdpOf(k, mm, b.vpn(1));
    const table = ptepGet(k, pmdp);
    // no collapse of files is modelled: as one would leave it
    setPte(k, pmdp, 0);
    expect(copy.finish()).toBe(-EAGAIN);
    expect(file?.folios.size).toBe(0);
    setPte(k, pmdp, table);
    expect(b.end()).toEqual([]);
  });
});

describe('what becomes of it', () => {
  it('a child has none', () => {
    const b = registered({ op: 'cpu_write', ...part(0, 1), tag: 1 });
    b.all({ op: 'fork', child: 1 });
    expect(areas(b, 1)).toEqual([[0, PAGES, false]]);
    expect(b.do({ op: 'cpu_read', ...part(0, 2), proc: 1 }).tags).toEqual([
      [65536, 1, 0],
      [0, 1, 0],
    ]);
    expect(b.do({ op: 'uffd_copy', ...part(4, 1), tag: 1, proc: 1 }).ret).toBe('ENOENT');
    expect(b.end()).toEqual([]);
  });

  it('what moves has none, and does not merge with what is there', () => {
    const b = registered();
    b.all({ op: 'munmap', ...part(6, 2) });
    b.all({ op: 'mremap', ...part(2, 2), toBuf: 0, toPage: 6 });
    expect(areas(b)).toEqual([
      [0, 2, true],
      [4, 2, true],
      [6, 2, false],
    ]);
    expect(b.do({ op: 'cpu_read', ...part(6, 2) }).tags).toEqual([[0, 2, 0]]);
    expect(b.end()).toEqual([]);
  });

  it('entries move one by one, so that they are soft-dirty afterwards', () => {
    for (const uffd of [false, true]) {
      const b = bench({ op: 'cpu_write', ...part(0, 4), tag: 1 }, { op: 'clear_soft_dirty' });
      if (uffd) b.all({ op: 'uffd_register', ...part(0, 4) });
      b.all({ op: 'mremap', ...part(0, 4), toBuf: 1, toPage: 0 });
      const { bits } = b.do({ op: 'pagemap', buf: 1, page: 0, pages: 4 });
      expect(bits).toEqual([[uffd ? 25 : 17, 4]]);
      expect(b.end()).toEqual([]);
    }
  });

  it('several areas cannot be moved at once if one has it', () => {
    const b = bench({ op: 'mprotect', ...part(2, 2), prot: 'r' });
    b.all({ op: 'uffd_register', ...part(2, 2) });
    const move = (page: number, pages: number) =>
      b.do({ op: 'mremap', ...part(page, pages), toBuf: 1, toPage: page }).ret;
    expect(move(2, 4)).toBe('EFAULT');
    expect(b.do({ op: 'pagemap', buf: 1, page: 0, pages: 8 }).bits).toEqual([[0, 8]]);
    // what comes before has moved by then
    expect(move(1, 3)).toBe('EFAULT');
    expect(areas(b)).toEqual([
      [0, 1, false],
      [2, 2, true],
      [4, 4, false],
      [b.vpn(1) + 1 - b.vpn(0), 1, false],
    ]);
    expect(move(2, 2)).toBe('ok');
    expect(b.end()).toEqual([]);
  });

  it('closed, its areas are as all others', () => {
    const b = registered();
    const { k } = b;
    const [ctx] = mmOf(b).userfaultfds;
    runToEnd(k, userfaultfdRelease(k, ctx));
    expect(areas(b)).toEqual([[0, PAGES, false]]);
    b.all({ op: 'cpu_read', ...part(0, 1) });
    runToEnd(k, userfaultfdRelease(k, ctx));
    const next = userfaultfd(k, mmOf(b));
    expect(next.id).not.toBe(ctx.id);
    expect(b.end()).toEqual([]);
  });
});

describe('a monitor', () => {
  /** A CPU that writes a page which is missing, up to where it waits. */
  function waiting(b: Bench, at = 0, cpu = 1): Thread<number> {
    const thread = new Thread(
      b.k,
      `cpu${cpu}`,
      () => cpuWriteWord(b.k, mmOf(b), b.vpn(0, at), 7),
      cpu,
    );
    thread.run();
    expect(thread.blocked).toBe(true);
    expect(thread.task.held).toEqual([]);
    return thread;
  }
  const never = () => false;

  it('reads faults in turn, and wakes all that wait for a page', () => {
    const b = registered();
    const { k } = b;
    const ctx = b.system.userfaultfd(0);
    const two = waiting(b, 2);
    const one = waiting(b, 1, 2);
    const also = waiting(b, 2, 0);
    expect(runToEnd(k, uffdRead(k, ctx, never))).toBe(b.vpn(0, 2));
    expect(runToEnd(k, uffdRead(k, ctx, never))).toBe(b.vpn(0, 1));
    expect(runToEnd(k, uffdCopy(k, ctx, b.vpn(0, 2), page(b, 3)))).toBe(0);
    // one of them had not been read yet
    expect([one.blocked, two.blocked, also.blocked]).toEqual([true, false, false]);
    expect([ctx.pending, ctx.delivered.length]).toEqual([[], 1]);
    expect([two.finish(), also.finish()]).toEqual([0, 0]);
    runToEnd(k, uffdWake(k, ctx, b.vpn(0, 0), b.vpn(0, 1)));
    expect(one.blocked).toBe(true);
    // woken without a page it faults again
    runToEnd(k, uffdWake(k, ctx, b.vpn(0, 1), b.vpn(0, 2)));
    expect(one.run().blocked).toBe(true);
    expect(runToEnd(k, uffdRead(k, ctx, never))).toBe(b.vpn(0, 1));
    expect(runToEnd(k, uffdCopy(k, ctx, b.vpn(0, 1), page(b, 3)))).toBe(0);
    expect(one.finish()).toBe(0);
    expect(b.do({ op: 'cpu_read', ...part(1, 2) }).tags).toEqual([[7, 2, 0]]);
    expect(b.end()).toEqual([]);
  });

  it('waits for faults until it is told to stop', () => {
    const b = registered();
    const { k } = b;
    const ctx = b.system.userfaultfd(0);
    let stopped = false;
    const read = () => new Thread(k, 'monitor', () => uffdRead(k, ctx, () => stopped));
    const first = read();
    expect(first.blocked).toBe(true);
    const cpu = waiting(b, 3);
    expect(first.finish()).toBe(b.vpn(0, 3));
    const second = read();
    expect(second.blocked).toBe(true);
    stopped = true;
    expect(second.finish()).toBe(-1);
    runToEnd(k, userfaultfdRelease(k, ctx));
    expect(cpu.finish()).toBe(0);
    expect(b.end()).toEqual([]);
  });

  it('is not asked for a page that came before the fault was told', () => {
    const b = registered();
    const { k } = b;
    const ctx = b.system.userfaultfd(0);
    const cpu = new Thread(k, 'cpu', () => cpuWriteWord(k, mmOf(b), b.vpn(0, 0), 7), 1);
    const told = userfaultStep(k, ctx);
    const { object, id } = told;
    cpu.until((step) => step.object === object && step.id === id);
    expect(runToEnd(k, uffdCopy(k, ctx, b.vpn(0, 0), page(b, 3)))).toBe(0);
    expect(cpu.finish()).toBe(0);
    expect([ctx.pending, ctx.delivered]).toEqual([[], []]);
    expect(b.end()).toEqual([]);
  });

  it.each(['unregistered', 'closed'])('lets whoever waits go on when it is %s', (how) => {
    const b = registered();
    const { k } = b;
    const ctx = b.system.userfaultfd(0);
    const cpu = waiting(b);
    if (how === 'closed') runToEnd(k, userfaultfdRelease(k, ctx));
    else b.all({ op: 'uffd_unregister', ...ALL });
    expect([ctx.pending, ctx.delivered]).toEqual([[], []]);
    expect(cpu.finish()).toBe(0);
    expect(b.do({ op: 'cpu_read', ...part(0, 2) }).tags).toEqual([
      [7, 1, 0],
      [0, 1, 0],
    ]);
    expect(b.end()).toEqual([]);
  });

  it('that is being closed keeps no fault', () => {
    const b = registered();
    const { k } = b;
    const ctx = b.system.userfaultfd(0);
    const cpu = new Thread(k, 'cpu', () => cpuWriteWord(k, mmOf(b), b.vpn(0, 0), 7), 1);
    const { object, id } = userfaultStep(k, ctx);
    cpu.until((step) => step.object === object && step.id === id);
    const close = new Thread(k, 'close', () => userfaultfdRelease(k, ctx), 2);
    close.take();
    expect([ctx.released, close.blocked]).toEqual([true, true]);
    cpu.take();
    cpu.take();
    // it lets mmap_lock go, and tries again once the areas are as all others
    expect([ctx.pending.length, close.blocked]).toEqual([0, false]);
    close.finish();
    expect(cpu.finish()).toBe(0);
    expect(b.end()).toEqual([]);
  });
});

describe('a huge page of the pool', () => {
  const hugetlb = (...ops: LooseOp[]) => {
    const b = new Bench({ pmdOrder: 2, pageBytes: 16, cpus: 3 });
    b.all({ op: 'mmap', ...ALL, prot: 'rw', kind: 'hugetlb' }, ...ops);
    return b;
  };

  it('is registered whole, and is given by nobody a page at a time', () => {
    const b = hugetlb({ op: 'uffd_register', ...part(0, 4) });
    expect(areas(b)).toEqual([
      [0, 4, true],
      [4, 4, false],
    ]);
    expect(b.do({ op: 'uffd_copy', ...part(0, 4), tag: 1 })).toEqual({ ret: 'EINVAL', done: 0 });
    for (const place of [part(1, 3), part(0, 2)]) {
      expect(b.do({ op: 'uffd_unregister', ...place }).ret).toBe('EINVAL');
    }
    expect(waitsFor(b, { op: 'cpu_read', ...part(3, 1) })).toMatch(
      /the monitor to give buffer 0 page 0/,
    );
    b.all({ op: 'uffd_unregister', ...part(0, 4) }, { op: 'cpu_write', ...part(0, 4), tag: 1 });
  });

  it('is waited for without locks until the monitor lets the fault go on', () => {
    const b = hugetlb({ op: 'uffd_register', ...ALL });
    const { k } = b;
    const [ctx] = mmOf(b).userfaultfds;
    const first = b.vpn(0);
    const cpu = new Thread(k, 'cpu', () => cpuWriteWord(k, mmOf(b), first + 2, 5));
    cpu.until(() => cpu.blocked);
    expect([cpu.task.held, ctx.pending.map(({ vpn }) => vpn - first)]).toEqual([[], [0]]);
    b.all({ op: 'uffd_unregister', ...ALL });
    cpu.finish();
    expect(b.do({ op: 'cpu_read', ...part(2, 1) }).tags).toEqual([[5, 1, 0]]);
    expect(b.end()).toEqual([]);
  });
});
