import { describe, expect, it } from 'vitest';
import {
  MIGRATE_PFN_MIGRATE,
  MIGRATE_PFN_VALID,
  MIGRATE_VMA_FAULT,
  MIGRATE_VMA_SELECT_DEVICE_PRIVATE,
  MIGRATE_VMA_SELECT_SYSTEM,
  type MigrateVma,
  migrateHmmRangeSetup,
  migratePfnToPfn,
} from '../../src/hmm/index.ts';
import { EINVAL, ENOMEM, runStepping, runToEnd, Task } from '../../src/machine/index.ts';
import { folioGet, folioPutTestzero } from '../../src/mm/folio.ts';
import { compareDescriptions, Holder } from '../../src/mm/index.ts';
import { leafPfn } from '../../src/mm/look/leaves.ts';
import { describeSystem } from '../../src/program/index.ts';
import { args, entry, giveUp, migratingRange, setup } from '../support/migration.ts';
import { Bench } from '../support/system.ts';

const PAGES = 8;
const WALKS = ['collect', 'unified', 'as-posted'] as const;
type Walk = (typeof WALKS)[number];
const all = { buf: 0, page: 0, pages: PAGES };
const SYSTEM = MIGRATE_VMA_SELECT_SYSTEM;
const DEVICE = MIGRATE_VMA_SELECT_DEVICE_PRIVATE;

/** 8 pages of anonymous memory. */
function bench(walk: Walk, write = true): Bench {
  const made = new Bench({ walk });
  made.all({ op: 'mmap', ...all, prot: 'rw', kind: 'anon' });
  if (write) made.all({ op: 'cpu_write', ...all, tag: 1 });
  return made;
}

/** Sets a migration up, notes which pages it would migrate, and gives it up. */
function prepared(
  b: Bench,
  migrate: MigrateVma,
  run = runToEnd<number>,
): { pages: number[]; holes: number[] } {
  expect(setup(b, migrate, run)).toBe(0);
  const entries = [...migrate.src].map((src, page) => ({ src, page }));
  const moving = entries.filter(({ src }) => src & MIGRATE_PFN_MIGRATE);
  expect(migrate.cpages).toBe(moving.length);
  runToEnd(b.k, giveUp(b, migrate));
  return {
    pages: moving.filter(({ src }) => src & MIGRATE_PFN_VALID).map(({ page }) => page),
    holes: moving.filter(({ src }) => !(src & MIGRATE_PFN_VALID)).map(({ page }) => page),
  };
}

describe.each(WALKS)('migrateVmaSetup, walk %s', (walk) => {
  const every = Array.from({ length: PAGES }, (_, i) => i);

  it('refuses a bad range or fault page', () => {
    const b = bench(walk);
    const bad: [string, Partial<MigrateVma>][] = [
      ['no area', { vma: null }],
      ['empty', { end: b.vpn(0, 0) }],
      ['before the area', { start: b.vpn(0, 0) - 1 }],
      ['behind the area', { start: b.vpn(0, PAGES), end: b.vpn(0, PAGES + 1) }],
      ['past its end', { end: b.vpn(0, PAGES + 1) }],
      ['a fault page that is not on a device', { faultPage: leafPfn(entry(b, 0).get()) }],
    ];
    for (const [what, change] of bad) {
      const ret = setup(b, { ...args(b, 0, PAGES), ...change });
      expect(ret, what).toBe(-EINVAL);
    }
    b.all({ op: 'migrate_to_dev', dev: 0, ...all });
    const faultPage = leafPfn(entry(b, 0).get());
    expect(setup(b, { ...args(b, 0, 1, DEVICE), faultPage }), 'an unlocked one').toBe(-EINVAL);
    expect(b.end()).toEqual([]);
  });

  it('refuses a range that ends before the area', () => {
    const b = bench(walk);
    const vma = b.system.process(0).mm.lookupVma(b.vpn(0, 0));
    const start = b.vpn(0, 0) - 8;
    expect(setup(b, { ...args(b, 0, PAGES), vma: vma ?? null, start, end: start + 4 })).toBe(
      -EINVAL,
    );
  });

  it('takes every present page, and puts all back', () => {
    const b = bench(walk);
    const before = describeSystem(b.system);
    expect(prepared(b, args(b, 0, PAGES))).toEqual({ pages: every, holes: [] });
    expect(compareDescriptions(before, describeSystem(b.system))).toEqual([]);
    expect(b.end()).toEqual([]);
  });

  it('notes holes in anonymous memory, untouched or read as zeros', () => {
    const b = bench(walk, false);
    expect(prepared(b, args(b, 0, PAGES)).holes).toEqual(every);
    b.all({ op: 'cpu_read', buf: 0, page: 2, pages: 2 });
    expect(prepared(b, args(b, 0, PAGES)).holes).toEqual(every);
    expect(b.end()).toEqual([]);
  });

  it('notes no holes in files', () => {
    const b = new Bench({ walk });
    b.all({ op: 'mmap', ...all, prot: 'rw', kind: 'file-private' });
    expect(prepared(b, args(b, 0, PAGES))).toEqual({ pages: [], holes: [] });
    // a copy is anonymous; what is around it was never mapped
    b.all({ op: 'cpu_write', buf: 0, page: 3, pages: 1, tag: 1 });
    expect(prepared(b, args(b, 0, PAGES))).toEqual({ pages: [3], holes: [] });
    expect(b.end()).toEqual([]);
  });

  it('takes pages of the kind that is selected', () => {
    const b = bench(walk);
    b.all(
      { op: 'migrate_to_dev', dev: 0, buf: 0, page: 0, pages: 2 },
      { op: 'migrate_to_dev', dev: 1, buf: 0, page: 2, pages: 2 },
      { op: 'exclusive', dev: 0, buf: 0, page: 4, pages: 1 },
      { op: 'madvise', buf: 0, page: 5, pages: 1, advice: 'dontneed' },
      { op: 'cpu_read', buf: 0, page: 5, pages: 1 },
    );
    expect(prepared(b, args(b, 0, PAGES, SYSTEM))).toEqual({ pages: [6, 7], holes: [5] });
    expect(prepared(b, args(b, 0, PAGES, DEVICE)).pages).toEqual([0, 1]);
    expect(prepared(b, args(b, 0, PAGES, DEVICE, 1)).pages).toEqual([2, 3]);
    expect(prepared(b, args(b, 0, PAGES, SYSTEM | DEVICE)).pages).toEqual([0, 1, 6, 7]);
    expect(b.end()).toEqual([]);
  });

  it.each([runToEnd<number>, runStepping<number>])(
    'skips a page that somebody else has locked, %o',
    (run) => {
      const b = bench(walk);
      const folio = leafPfn(entry(b, 3).get());
      const other = new Task(2, 'other', 0);
      const main = b.k.current;
      b.k.current = other;
      b.k.folioLock(folio);
      b.k.current = main;
      expect(prepared(b, args(b, 0, PAGES), run).pages).toEqual([0, 1, 2, 4, 5, 6, 7]);
      b.k.current = other;
      b.k.folioUnlock(folio);
      b.k.current = main;
      expect(prepared(b, args(b, 0, PAGES)).pages).toEqual(every);
      expect(b.end()).toEqual([]);
    },
  );

  it.each([runToEnd<number>, runStepping<number>])(
    'skips an exclusive page that may be pinned, and leaves its entry as it was, %o',
    (run) => {
      const b = bench(walk);
      const folio = leafPfn(entry(b, 3).get());
      folioGet(b.k, folio, Holder.Pin, 1024);
      const before = entry(b, 3).get();
      const { pages } = prepared(b, args(b, 0, PAGES), run);
      expect(pages).toEqual([0, 1, 2, 4, 5, 6, 7]);
      expect(entry(b, 3).get()).toBe(before);
      folioPutTestzero(b.k, folio, Holder.Pin, 1024);
      expect(b.end()).toEqual([]);
    },
  );

  it('gives up a page that somebody holds, though its entry could be replaced', () => {
    const b = bench(walk);
    b.all({ op: 'pin', id: 0, buf: 0, page: 2 });
    const before = describeSystem(b.system);
    expect(prepared(b, args(b, 0, PAGES)).pages).toEqual([0, 1, 3, 4, 5, 6, 7]);
    expect(compareDescriptions(before, describeSystem(b.system))).toEqual([]);
    b.all({ op: 'unpin', id: 0 });
    expect(prepared(b, args(b, 0, PAGES)).pages).toEqual(every);
    expect(b.end()).toEqual([]);
  });

  it('takes a page from every process that maps it, and gives it back to each', () => {
    const b = bench(walk);
    b.all({ op: 'fork', child: 1 }, { op: 'fork', child: 2 });
    const before = describeSystem(b.system);
    const migrate = args(b, 0, PAGES);
    expect(setup(b, migrate)).toBe(0);
    for (const src of migrate.src) expect(b.k.pages.mapcount[migratePfnToPfn(src)]).toBe(0);
    expect(b.broken().filter((line) => line.startsWith('migration entry'))).toHaveLength(3 * PAGES);
    runToEnd(b.k, giveUp(b, migrate));
    expect(compareDescriptions(before, describeSystem(b.system))).toEqual([]);
    expect(b.end()).toEqual([]);
  });

  it('keeps what each entry knows: young, dirty, soft-dirty, writable, exclusive', () => {
    const b = bench(walk);
    b.all(
      { op: 'clear_soft_dirty' },
      { op: 'cpu_write', buf: 0, page: 0, pages: 2, tag: 2 },
      { op: 'madvise', buf: 0, page: 1, pages: 1, advice: 'cold' },
      { op: 'cpu_read', buf: 0, page: 2, pages: 1 },
      { op: 'mprotect', buf: 0, page: 4, pages: 2, prot: 'r' },
      { op: 'madvise', buf: 0, page: 6, pages: 1, advice: 'free' },
    );
    // areas of their own: 0 to 4, 4 to 6, 6 to 8
    for (const [page, pages] of [
      [0, 4],
      [4, 2],
      [6, 2],
    ]) {
      const before = describeSystem(b.system, { exact: true });
      const found = prepared(b, args(b, page, pages));
      expect(found.pages).toHaveLength(pages);
      const after = describeSystem(b.system, { exact: true });
      const differences = compareDescriptions(before, after);
      // the flags of a page hold whether it is on the LRU lists, and what the entry's dirty bit said
      expect(differences.filter((line) => !/(flags|references): /.test(line))).toEqual([]);
    }
    expect(b.end()).toEqual([]);
  });
});

describe.each(['unified', 'as-posted'] as const)('MIGRATE_VMA_FAULT, walk %s', (walk) => {
  const FAULT = SYSTEM | MIGRATE_VMA_FAULT;

  it('faults what is missing: then it is a hole to be populated', () => {
    const b = bench(walk, false);
    b.all({ op: 'cpu_write', buf: 0, page: 0, pages: 3, tag: 1 });
    const { faults } = b.k.counters;
    expect(prepared(b, args(b, 0, PAGES, FAULT))).toEqual({
      pages: [0, 1, 2],
      holes: [3, 4, 5, 6, 7],
    });
    expect(b.k.counters.faults - faults).toBe(5);
    expect(b.end()).toEqual([]);
  });

  it('brings back what is on another device, and migrates it', () => {
    const b = bench(walk);
    b.all({ op: 'migrate_to_dev', dev: 1, buf: 0, page: 2, pages: 3 });
    expect(prepared(b, args(b, 0, PAGES, FAULT)).pages).toHaveLength(PAGES);
    expect(b.system.mirrors[1].device.used).toBe(0);
    expect(b.end()).toEqual([]);
  });

  it('takes everything back out when a fault fails', () => {
    const b = bench(walk);
    b.all(
      { op: 'migrate_to_dev', dev: 1, buf: 0, page: 5, pages: 1 },
      { op: 'fork', child: 1 },
      { op: 'fail_alloc', dev: 1 },
    );
    const before = describeSystem(b.system);
    const migrate = args(b, 0, PAGES, FAULT);
    expect(setup(b, migrate)).toBe(-ENOMEM);
    expect([...migrate.src].some((src) => src & MIGRATE_PFN_MIGRATE)).toBe(false);
    const differences = compareDescriptions(before, describeSystem(b.system));
    // the failed allocation is spent, and the other device was told of the range
    expect(differences.filter((line) => !line.startsWith('device 1, '))).toEqual([]);
    expect(b.end()).toEqual([]);
  });
});

describe('migrateHmmRangeSetup', () => {
  it('has nothing to do for a range that is not migrated', () => {
    const b = bench('unified');
    const range = { ...migratingRange(b, 0, PAGES), migrate: null };
    runToEnd(b.k, migrateHmmRangeSetup(b.k, range));
    expect(b.end()).toEqual([]);
  });

  it('leaves an area that selects nothing as it is', () => {
    const b = bench('unified');
    expect(prepared(b, args(b, 0, PAGES, 0))).toEqual({ pages: [], holes: [] });
    expect(b.end()).toEqual([]);
  });
});
