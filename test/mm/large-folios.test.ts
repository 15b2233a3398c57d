/** What is done to the entries of one large folio together, and what stays of a device page's last life. */
import { describe, expect, it } from 'vitest';
import { ptePresent } from '../../src/machine/pte.ts';
import { madvise } from '../../src/mm/index.ts';
import { pmdpOf, pteOffsetMap, ptepGet, ptlOf } from '../../src/mm/pgtable.ts';
import { Bench, type LooseOp } from '../support/system.ts';
import { Thread } from '../support/thread.ts';

const part = (page: number, pages: number) => ({ buf: 0, page, pages });

/** A huge page is four pages; there are two of them. */
function bench(...ops: LooseOp[]): Bench {
  const made = new Bench({ pmdOrder: 2, pageBytes: 16, cpus: 2 });
  made.all({ op: 'mmap', ...part(0, 8), prot: 'rw', kind: 'anon' }, ...ops);
  return made;
}

describe('a collapse', () => {
  it('clears the entries of what it has copied with the lock of their table held', () => {
    const b = bench({ op: 'cpu_write', ...part(0, 3), tag: 1 }, { op: 'cpu_read', ...part(3, 1) });
    const { k } = b;
    const { mm } = b.system.process(0);
    const start = b.vpn(0);
    const first = pteOffsetMap(k, pmdpOf(k, mm, start), start);
    const lock = ptlOf(k, first);
    const entries = () => [0, 1, 2, 3].map((i) => ptepGet(k, first + i));
    expect(entries().every(ptePresent)).toBe(true);
    const collapse = new Thread(k, 'collapse', () => madvise(k, mm, start, start + 4, 'collapse'));
    let last = entries();
    let cleared = 0;
    while (!collapse.done) {
      const held = lock.owner === collapse.task;
      collapse.take();
      const now = entries();
      for (let i = 0; i < 4; i++) {
        if (now[i] === last[i]) continue;
        expect(held, `entry ${i}`).toBe(true);
        cleared++;
      }
      last = now;
    }
    expect([collapse.value, cleared]).toEqual([0, 4]);
    expect(b.end()).toEqual([]);
  });
});

describe('a page that was given up', () => {
  const trip = (page: number, pages: number): LooseOp[] => [
    { op: 'migrate_to_dev', dev: 0, ...part(page, pages) },
    { op: 'migrate_to_sys', dev: 0, ...part(page, pages) },
  ];
  const given = (page: number, pages: number): LooseOp[] => [
    { op: 'madvise', ...part(page, pages), advice: 'free' },
    ...trip(page, pages),
    { op: 'madvise', ...part(page, pages), advice: 'pageout' },
  ];

  // a real kernel answers so when nobody has used its devices since it was started
  it('goes after it was on a device page that was never used', () => {
    const b = bench({ op: 'cpu_write', ...part(0, 1), tag: 1 }, ...given(0, 1));
    expect(b.do({ op: 'scan', ...part(0, 1) }).bits).toEqual([[0, 1]]);
    expect(b.end()).toEqual([]);
  });

  it('stays after it was on one that was used, each page for itself', () => {
    const b = bench({ op: 'cpu_write', ...part(0, 4), tag: 2 }, ...trip(0, 2), ...given(0, 4));
    expect(b.do({ op: 'scan', ...part(0, 4) }).bits).toEqual([
      [1, 2],
      [0, 2],
    ]);
    expect(b.end()).toEqual([]);
  });

  it('stays after a page of what was a huge one', () => {
    const b = bench(
      { op: 'madvise', ...part(0, 8), advice: 'hugepage' },
      { op: 'cpu_write', ...part(0, 4), tag: 1 },
      ...trip(0, 4),
      ...given(0, 4),
    );
    expect(b.do({ op: 'scan', ...part(0, 4) }).bits).toEqual([[1, 4]]);
    expect(b.end()).toEqual([]);
  });
});
