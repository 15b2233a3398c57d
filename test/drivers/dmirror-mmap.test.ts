/** The driver's own pages, mapped by mmap() of its open file. */
import { describe, expect, it } from 'vitest';
import { dmirrorMmap, isMapped } from '../../src/drivers/index.ts';
import { EBUSY, ENOMEM, runToEnd } from '../../src/machine/index.ts';
import { checkQuiescent, mprotect, VM_READ, VM_WRITE } from '../../src/mm/index.ts';
import { vmInsertPage } from '../../src/mm/insert-page.ts';
import { leafPfn, leavesOf } from '../../src/mm/look/leaves.ts';
import { VM_MIXEDMAP } from '../../src/mm/vma.ts';
import { Bench, type LooseOp } from '../support/system.ts';

const ALL = { buf: 0, page: 0, pages: 4 } as const;
const MAP: LooseOp = { op: 'mmap', ...ALL, prot: 'rw', kind: 'driver' };
const read = (proc = 0): LooseOp => ({ op: 'cpu_read', ...ALL, proc });
const write = (page: number, pages: number, tag = 1, proc = 0): LooseOp => ({
  op: 'cpu_write',
  buf: 0,
  page,
  pages,
  tag,
  proc,
});

function bench(...ops: LooseOp[]): Bench {
  const b = new Bench({ pmdOrder: 2, pageBytes: 16 });
  b.all(MAP, ...ops);
  return b;
}
const frames = (b: Bench): number[] =>
  leavesOf(b.k, b.system.process(0).mm).map(({ pte }) => leafPfn(pte));

describe('the driver’s mapping', () => {
  it('is full of pages of zeros, read-only, which count as a file’s', () => {
    const b = bench();
    const { mm } = b.system.process(0);
    expect([mm.anonPages, mm.filePages]).toEqual([0, 4]);
    expect(b.do({ op: 'snapshot', dev: 0, ...ALL }).prot).toEqual([[1, 4]]);
    expect(b.do({ op: 'pagemap', ...ALL }).bits).toEqual([[29, 4]]);
    expect(b.do(read()).tags).toEqual([[0, 4, 0]]);
    expect(b.do({ op: 'dev_read', dev: 0, ...ALL }).tags).toEqual([[0, 4, 0]]);
    expect(b.k.counters.cpuFaults).toBe(0);
    expect(b.end()).toEqual([]);
  });

  it('a write makes a copy; the driver’s page is freed when nobody maps it', () => {
    const b = bench();
    const { mm } = b.system.process(0);
    const [page] = frames(b);
    b.all(write(0, 1));
    expect([mm.anonPages, mm.filePages]).toEqual([1, 3]);
    expect(b.k.pages.isFree(page)).toBe(true);
    expect(b.do({ op: 'snapshot', dev: 0, ...ALL }).prot).toEqual([
      [2, 1],
      [1, 3],
    ]);
    expect(b.do({ op: 'dev_write', dev: 0, buf: 0, page: 1, pages: 1, tag: 2 }).ret).toBe('ok');
    expect(b.do(read()).tags).toEqual([
      [65536, 1, 0],
      [131072, 1, 0],
      [0, 2, 0],
    ]);
    expect(b.end()).toEqual([]);
  });

  it('what was dropped does not come back', () => {
    const b = bench({ op: 'madvise', buf: 0, page: 1, pages: 2, advice: 'dontneed' });
    expect(b.do(read())).toMatchObject({ ret: 'BUS', done: 1 });
    expect(b.do(write(2, 1)).ret).toBe('BUS');
    expect(b.do({ op: 'dev_read', dev: 0, ...ALL }).ret).toBe('EFAULT');
    expect(b.do({ op: 'madvise', ...ALL, advice: 'populate_read' }).ret).toBe('EFAULT');
    // and no table is made for it
    b.all({ op: 'madvise', ...ALL, advice: 'dontneed' });
    expect(b.do(write(2, 1)).ret).toBe('BUS');
    expect(b.end()).toEqual([]);
  });

  it.each(['collect', 'unified'] as const)('nothing of it migrates (%s)', (walk) => {
    const b = new Bench({ pmdOrder: 2, pageBytes: 16, walk });
    b.all(MAP, write(0, 1));
    const refused: LooseOp[] = [
      { op: 'migrate_to_dev', dev: 0, ...ALL },
      { op: 'migrate_to_sys', dev: 0, ...ALL },
      { op: 'fault_migrate_to_dev', dev: 0, ...ALL, write: 0 },
    ];
    for (const op of refused) expect(b.do(op).ret, op.op).toBe('EINVAL');
    // the device has what it faulted, in place
    expect(b.do({ op: 'dev_read', dev: 0, ...ALL })).toMatchObject({ faults: 0 });
    expect(b.end()).toEqual([]);
  });

  it('advice: some is for other memory', () => {
    const b = bench();
    for (const advice of ['free', 'collapse'] as const) {
      expect(b.do({ op: 'madvise', ...ALL, advice }).ret, advice).toBe('EINVAL');
    }
    for (const advice of ['cold', 'pageout', 'willneed', 'hugepage', 'populate_write'] as const) {
      expect(b.do({ op: 'madvise', ...ALL, advice }).ret, advice).toBe('ok');
    }
    // it is the copies now that a device may have alone
    expect(b.do({ op: 'exclusive', dev: 0, buf: 0, page: 0, pages: 2 }).ret).toBe('ok');
    expect(b.end()).toEqual([]);
  });

  it('is copied to a child at the fork, though nobody has written there', () => {
    const b = bench({ op: 'fork', child: 1 });
    expect(b.system.process(1).mm.filePages).toBe(4);
    expect(b.do({ op: 'pagemap', ...ALL }).bits).toEqual([[13, 4]]);
    b.all(write(0, 4, 2), { op: 'munmap', ...ALL });
    expect(b.do(read(1)).tags).toEqual([[0, 4, 0]]);
    expect(b.do(write(0, 1, 3, 1)).ret).toBe('ok');
    expect(b.end()).toEqual([]);
  });

  it('moves, and merges with nothing', () => {
    const b = bench({ op: 'mmap', buf: 0, page: 4, pages: 4, prot: 'rw', kind: 'driver' });
    const { mm } = b.system.process(0);
    const half = [b.vpn(0, 0), b.vpn(0, 2)] as const;
    runToEnd(b.k, mprotect(b.k, mm, ...half, VM_READ));
    runToEnd(b.k, mprotect(b.k, mm, ...half, VM_READ | VM_WRITE));
    expect(mm.vmas.map(({ pages }) => pages)).toEqual([2, 2, 4]);
    expect(mm.vmas.every(({ flags }) => flags & VM_MIXEDMAP)).toBe(true);
    b.all(write(1, 1), { op: 'mremap', buf: 0, page: 0, pages: 8, toBuf: 1, toPage: 3 });
    expect(b.do({ op: 'cpu_read', buf: 1, page: 3, pages: 8 }).tags).toEqual([
      [0, 1, 0],
      [65536, 1, 0],
      [0, 6, 0],
    ]);
    expect(b.end()).toEqual([]);
  });

  it('a page that is held outlives its mapping', () => {
    const b = bench({ op: 'pin', id: 0, buf: 0, page: 1 });
    const page = frames(b)[1];
    b.all({ op: 'munmap', ...ALL });
    expect(b.k.pages.isFree(page)).toBe(false);
    expect(b.broken()).toEqual([]);
    b.all({ op: 'unpin', id: 0 });
    expect(b.k.pages.isFree(page)).toBe(true);
    expect(b.end()).toEqual([]);
  });

  it('is not made where something is, or half', () => {
    const b = bench();
    expect(b.do(MAP).ret).toBe('EEXIST');
    const { mm } = b.system.process(0);
    const start = b.vpn(1, 0);
    const make = dmirrorMmap(b.k, b.system.mirrors[0], mm, start, start + 8, VM_READ);
    // the third allocation fails
    b.k.failAllocations = 0;
    const { mayFail } = b.k;
    let left = 2;
    b.k.mayFail = () => left-- === 0;
    expect(runToEnd(b.k, make)).toBe(-ENOMEM);
    b.k.mayFail = mayFail;
    expect([mm.vmas.length, mm.filePages, frames(b).length]).toEqual([1, 4, 4]);
    expect(b.end()).toEqual([]);
  });

  it('a page is not put where one is', () => {
    const b = bench();
    const { mm } = b.system.process(0);
    const [vma] = mm.vmas;
    b.k.lock(mm.mmapLock);
    expect(runToEnd(b.k, vmInsertPage(b.k, vma, vma.start, frames(b)[0]))).toBe(-EBUSY);
    b.k.unlock(mm.mmapLock);
    expect(b.end()).toEqual([]);
  });

  it('keeps the device open', () => {
    const b = bench({ op: 'mmap', buf: 1, page: 0, pages: 2, prot: 'rw', kind: 'anon' });
    b.all({ op: 'cpu_write', buf: 1, page: 0, pages: 2, tag: 1 });
    b.all({ op: 'migrate_to_dev', dev: 0, buf: 1, page: 0, pages: 2 }, { op: 'fork', child: 1 });
    const [file] = b.system.files;
    b.all({ op: 'close', dev: 0 });
    expect(file.closed).toBe(false);
    b.all({ op: 'close', dev: 0, proc: 1 });
    expect(b.do(MAP).ret).toBe('EBADF');
    expect(b.do({ op: 'dev_read', dev: 0, ...ALL }).ret).toBe('EBADF');
    b.all({ op: 'munmap', ...ALL });
    expect([file.closed, file.released, isMapped(file.mirror)]).toEqual([true, false, true]);
    // its memory stays with it, too
    expect(file.mirror.device.used).toBe(2);
    b.all({ op: 'munmap', ...ALL, proc: 1 });
    expect([file.released, file.mirror.device.used]).toEqual([true, 0]);
    expect(b.end()).toEqual([]);
  });

  it('a process that ends with it lets the device go', () => {
    const b = bench({ op: 'close', dev: 0 });
    expect(b.end()).toEqual([]);
    expect(b.system.files[0].released).toBe(true);
  });

  it('has no reverse map', () => {
    const b = bench();
    b.k.pages.mapping[frames(b)[2]] = (b.system.process(0).mm.vmas[0].file?.number ?? 0) * 2;
    expect(checkQuiescent(b.k).map(({ invariant }) => invariant)).toContain('reverse map');
  });
});
