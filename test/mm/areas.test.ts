/** How areas split, merge and move: which ones there are afterwards. */
import { describe, expect, it } from 'vitest';
import type { Vma } from '../../src/mm/index.ts';
import { VM_SHARED, VM_WRITE } from '../../src/mm/vma.ts';
import { Bench, type LooseOp } from '../support/system.ts';

const part = (page: number, pages: number, buf = 0) => ({ buf, page, pages });
const map = (page: number, pages: number, more: object = {}): LooseOp =>
  ({ op: 'mmap', ...part(page, pages), prot: 'rw', kind: 'anon', ...more }) as LooseOp;
const write = (page: number, pages: number, proc = 0): LooseOp => ({
  op: 'cpu_write',
  ...part(page, pages),
  tag: 1,
  proc,
});

function bench(...ops: LooseOp[]): Bench {
  const b = new Bench();
  b.all(...ops);
  return b;
}

/** Areas of a process as page ranges of buffer 0 (or another): `0-8 rw`. */
function areas(b: Bench, buf = 0, proc = 0): string[] {
  const base = b.vpn(buf, 0);
  const of = (vma: Vma) =>
    `${vma.start - base}-${vma.end - base} ${vma.flags & VM_WRITE ? 'rw' : 'r'}`;
  return b.system
    .process(proc)
    .mm.vmas.filter((vma) => vma.start >= base && vma.start < base + 2 ** 20)
    .map(of);
}

describe('mapping', () => {
  it('merges with what is before, behind and between', () => {
    const b = bench(map(0, 4), map(8, 4));
    expect(areas(b)).toEqual(['0-4 rw', '8-12 rw']);
    b.all(map(4, 4));
    expect(areas(b)).toEqual(['0-12 rw']);
    expect(b.end()).toEqual([]);
  });

  it('does not merge other permissions or kinds, nor files, each of which is another', () => {
    const b = bench(map(0, 4), map(4, 4, { prot: 'r' }), map(8, 4, { kind: 'file-private' }));
    b.all(map(12, 4, { kind: 'file-private' }), map(16, 4, { kind: 'anon-shared' }));
    expect(areas(b)).toHaveLength(5);
    expect(b.system.process(0).mm.vmas.filter(({ flags }) => flags & VM_SHARED)).toHaveLength(1);
    expect(b.end()).toEqual([]);
  });

  it('does not merge two neighbours that have pages of their own', () => {
    const b = bench(map(0, 4), map(8, 4), write(0, 4), write(8, 4));
    b.all(map(4, 4));
    // with the one before it, but that cannot take the one behind: each has its anon_vma
    expect(areas(b)).toEqual(['0-8 rw', '8-12 rw']);
    expect(b.end()).toEqual([]);
  });

  it('says EEXIST where something is, and changes nothing', () => {
    const b = bench(map(0, 4));
    expect(b.do(map(2, 4)).ret).toBe('EEXIST');
    expect(areas(b)).toEqual(['0-4 rw']);
    expect(b.end()).toEqual([]);
  });
});

describe('unmapping', () => {
  it('splits, and frees tables when nothing needs them', () => {
    const b = bench(map(0, 8), write(0, 8));
    const { mm } = b.system.process(0);
    expect(mm.pteTables).toBe(1);
    b.all({ op: 'munmap', ...part(2, 2) });
    expect(areas(b)).toEqual(['0-2 rw', '4-8 rw']);
    expect(mm.pteTables).toBe(1);
    b.all({ op: 'munmap', ...part(0, 8) }, { op: 'munmap', ...part(0, 8) });
    expect(areas(b)).toEqual([]);
    expect(mm.pteTables).toBe(0);
    expect(b.end()).toEqual([]);
  });

  it('of several areas that share upper tables at once frees all of them', () => {
    const b = bench(map(0, 4), map(0, 4, { buf: 1 }), { op: 'cpu_read', ...part(0, 4, 1) });
    expect(b.k.tables.used).toBeGreaterThan(1);
    expect(b.end()).toEqual([]);
    expect(b.k.tables.used).toBe(0);
  });
});

describe('protecting', () => {
  it('splits where it has to, and merges again when permissions are the same', () => {
    const b = bench(map(0, 12), write(0, 12));
    b.all({ op: 'mprotect', ...part(4, 4), prot: 'r' });
    expect(areas(b)).toEqual(['0-4 rw', '4-8 r', '8-12 rw']);
    b.all({ op: 'mprotect', ...part(8, 2), prot: 'r' });
    expect(areas(b)).toEqual(['0-4 rw', '4-10 r', '10-12 rw']);
    b.all({ op: 'mprotect', ...part(4, 6), prot: 'rw' });
    expect(areas(b)).toEqual(['0-12 rw']);
    expect(b.end()).toEqual([]);
  });

  it('says ENOMEM at a hole, after what comes before it', () => {
    const b = bench(map(0, 4), map(6, 4));
    expect(b.do({ op: 'mprotect', ...part(0, 10), prot: 'r' }).ret).toBe('ENOMEM');
    expect(areas(b)).toEqual(['0-4 r', '6-10 rw']);
    expect(b.end()).toEqual([]);
  });
});

describe('moving', () => {
  const move = (page: number, pages: number, toBuf: number, toPage: number): LooseOp => ({
    op: 'mremap',
    ...part(page, pages),
    toBuf,
    toPage,
  });

  it('takes pages along, and back they merge where they were', () => {
    const b = bench(map(0, 8), write(0, 8));
    b.all(move(2, 4, 4, 0));
    expect(areas(b)).toEqual(['0-2 rw', '6-8 rw']);
    expect(areas(b, 4)).toEqual(['0-4 rw']);
    const tag = 65536;
    expect(b.do({ op: 'cpu_read', ...part(0, 4, 4) }).tags).toEqual([[tag + 2, 4, 1]]);
    b.all({ op: 'mremap', ...part(0, 4, 4), toBuf: 0, toPage: 2 });
    expect(areas(b)).toEqual(['0-8 rw']);
    expect(b.do({ op: 'cpu_read', ...part(0, 8) }).tags).toEqual([[tag, 8, 1]]);
    expect(b.end()).toEqual([]);
  });

  it('of untouched memory merges with any neighbour, of touched only where offsets go on', () => {
    const untouched = bench(map(0, 4), map(0, 4, { buf: 1 }));
    untouched.all(move(0, 4, 1, 4));
    expect(areas(untouched, 1)).toEqual(['0-8 rw']);
    const touched = bench(map(0, 4), map(0, 4, { buf: 1 }), write(0, 4));
    touched.all(move(0, 4, 1, 4));
    expect(areas(touched, 1)).toEqual(['0-4 rw', '4-8 rw']);
    expect(touched.end()).toEqual([]);
  });

  it('replaces what is there', () => {
    const b = bench(map(0, 4), write(0, 4), map(0, 8, { buf: 1, prot: 'r' }));
    b.all(move(1, 2, 1, 3));
    expect(areas(b, 1)).toEqual(['0-3 r', '3-5 rw', '5-8 r']);
    expect(b.end()).toEqual([]);
  });

  it('moves several areas, and leaves holes as they are', () => {
    const b = bench(map(0, 2), map(4, 2, { prot: 'r' }), write(0, 2));
    b.all(move(0, 6, 4, 10));
    expect(areas(b)).toEqual([]);
    expect(areas(b, 4)).toEqual(['10-12 rw', '14-16 r']);
    expect(b.end()).toEqual([]);
  });

  it('refuses overlapping places, and a start where nothing is', () => {
    const b = bench(map(0, 8));
    expect(b.do(move(0, 4, 0, 2)).ret).toBe('EINVAL');
    expect(b.do(move(20, 4, 4, 0)).ret).toBe('EFAULT');
    expect(areas(b)).toEqual(['0-8 rw']);
    expect(b.end()).toEqual([]);
  });

  it('keeps shared pages findable from every process', () => {
    const b = bench(map(0, 4), write(0, 4), { op: 'fork', child: 1 });
    b.all(move(1, 2, 4, 0), { op: 'mremap', proc: 1, ...part(0, 2), toBuf: 5, toPage: 7 });
    expect(b.broken()).toEqual([]);
    // a migration takes them from both, wherever they are
    b.all({ op: 'migrate_to_dev', dev: 0, ...part(0, 2, 4) });
    expect(b.do({ op: 'scan', proc: 1, ...part(7, 2, 5) }).bits).toEqual([
      [1, 1],
      [2, 1],
    ]);
    expect(b.end()).toEqual([]);
  });
});

describe('a child', () => {
  it('has the same areas but those that are not to be copied', () => {
    const b = bench(map(0, 4), map(4, 4, { prot: 'r' }), write(0, 4));
    b.all({ op: 'madvise', ...part(2, 2), advice: 'dontfork' }, { op: 'fork', child: 1 });
    expect(areas(b)).toEqual(['0-2 rw', '2-4 rw', '4-8 r']);
    expect(areas(b, 0, 1)).toEqual(['0-2 rw', '4-8 r']);
    expect(b.end()).toEqual([]);
  });

  it('of a child: its pages merge with nobody else’s', () => {
    const b = bench(map(0, 4), write(0, 4), { op: 'fork', child: 1 });
    b.all(write(0, 4, 1), map(4, 4, { proc: 1 }));
    // the area has pages of its parent's anon_vma as well: the new one stays apart
    expect(areas(b, 0, 1)).toEqual(['0-4 rw', '4-8 rw']);
    b.all(map(4, 4));
    expect(areas(b)).toEqual(['0-8 rw']);
    expect(b.end()).toEqual([]);
  });
});
