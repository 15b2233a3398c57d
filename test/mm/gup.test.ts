/** Taking references on a process's pages, and pinning them. */
import { describe, expect, it } from 'vitest';
import { type GupHow, gupTest } from '../../src/drivers/index.ts';
import { EFAULT, ptePresent, pteWrite, runToEnd } from '../../src/machine/index.ts';
import { PG_ANON_EXCLUSIVE } from '../../src/machine/page.ts';
import { PTE_DIRTY, PTE_SOFT_DIRTY, PTE_WRITE } from '../../src/machine/pte.ts';
import { ObjectKind } from '../../src/machine/step.ts';
import { FAULT_FLAG_UNSHARE, handleMmFault } from '../../src/mm/fault.ts';
import {
  folioIsLarge,
  folioIsZoneDevice,
  pageAnonExclusive,
  pageFolio,
} from '../../src/mm/folio.ts';
import {
  getUserPages,
  getUserPagesFast,
  gupFast,
  putPages,
  unpinUserPages,
} from '../../src/mm/gup.ts';
import { dupMmap } from '../../src/mm/index.ts';
import { leafPfn } from '../../src/mm/look/leaves.ts';
import { pmdIsTable, pmdTransHuge } from '../../src/mm/pgtable.ts';
import { GUP_PIN_COUNTING_BIAS as BIAS } from '../../src/mm/rmap.ts';
import type { Vma } from '../../src/mm/vma.ts';
import { perform } from '../../src/program/operations.ts';
import { gupBench, HOWS, held, mapped, PINS, pinsOf, refsOf, taking } from '../support/gup.ts';
import { HUGE, hugeBench, hugeFolio, part, pmd, written } from '../support/huge.ts';
import { entry, underMmapLock } from '../support/migration.ts';
import { as, RUNS, somebody, when } from '../support/race.ts';
import type { Bench, LooseOp } from '../support/system.ts';
import { Thread, takes } from '../support/thread.ts';

const FAST = HOWS.filter((how) => how.includes('fast'));
const SLOW = HOWS.filter((how) => !how.includes('fast'));
const isPin = (how: GupHow) => how.startsWith('pin');
const isLong = (how: GupHow) => how.endsWith('longterm');
/** What taking a base page adds to its references. */
const each = (how: GupHow) => (isPin(how) ? BIAS : 1);

const child: LooseOp = { op: 'fork', child: 1 };
const childWrites: LooseOp = { op: 'cpu_write', proc: 1, ...part(0, 1), tag: 9 };
const drop: LooseOp = { op: 'unpin', id: 0 };
const tags = (b: Bench, page: number, pages: number, proc = 0) =>
  b.do({ op: 'cpu_read', proc, ...part(page, pages) }).tags;
const exclusive = (b: Bench, page: number) => pageAnonExclusive(b.k, page);
const frame = (b: Bench, page: number) => leafPfn(entry(b, page).get());

describe.each(HOWS)('%s', (how) => {
  it.each([
    ['is in RAM', [written(0, 3)]],
    ['is missing', []],
    ['is in RAM in part', [written(1, 1)]],
    ['is on a device', [written(0, 3), { op: 'migrate_to_dev', dev: 0, ...part(0, 3) }]],
    ['is a device’s alone', [written(0, 3), { op: 'exclusive', dev: 0, ...part(0, 3) }]],
  ] as [string, LooseOp[]][])('takes for writing what %s', (_where, ops) => {
    const b = gupBench(mapped(), ...ops);
    expect(b.do(taking(how, 0, 3, 1))).toEqual({ ret: 'ok', done: 3 });
    const { pages, pinned } = held(b);
    expect(pinned).toBe(isPin(how));
    expect(pages).toEqual([0, 1, 2].map((page) => frame(b, page)));
    for (const page of [0, 1, 2]) {
      expect(ptePresent(entry(b, page).get()) && pteWrite(entry(b, page).get())).toBe(true);
      // the mapping and a batch hold it as well
      expect(refsOf(b, pages[page]) - each(how)).toBeGreaterThan(0);
      expect(refsOf(b, pages[page]) - each(how)).toBeLessThan(4);
    }
    expect(b.broken()).toEqual([]);
    b.all(drop);
    for (const page of pages) expect(refsOf(b, page)).toBeLessThan(4);
    expect(b.end()).toEqual([]);
  });

  it('keeps what it has when memory is unmapped, and until the very end', () => {
    const b = gupBench(mapped(), written(0, 2), taking(how, 0, 2, 1));
    const { pages } = held(b);
    b.all({ op: 'munmap', ...part(0, 2) });
    expect(pages.map((page) => b.k.frames.readWord(page))).toEqual([65536, 65537]);
    expect(pages.map((page) => refsOf(b, page) >= each(how))).toEqual([true, true]);
    expect(b.broken()).toEqual([]);
    b.all(drop, { op: 'mmap', ...part(0, 2), prot: 'rw', kind: 'anon' }, taking(how, 0, 2, 1));
    expect(b.end()).toEqual([]);
  });

  it('stops at the first page that it cannot have, and says how many it has', () => {
    const b = gupBench(mapped(), written(0, 8), { op: 'munmap', ...part(2, 1) });
    expect(b.do(taking(how, 0, 4))).toEqual({ ret: 'ok', done: 2 });
    expect(held(b).pages.length).toBe(2);
    expect(b.do(taking(how, 2, 2, 0, 1))).toEqual({ ret: 'EFAULT' });
    expect(b.system.process(0).pins.get(1)).toBe(null);
    expect(b.end()).toEqual([]);
  });

  it.each([
    ['r', 1, 'EFAULT'],
    ['none', 1, 'EFAULT'],
    ['none', 0, 'EFAULT'],
    ['r', 0, 'ok'],
  ] as const)('asks what the area allows: of %s, write %d is %s', (prot, write, ret) => {
    const b = gupBench(mapped(), written(0, 1), { op: 'mprotect', ...part(0, 8), prot });
    expect(b.do(taking(how, 0, 1, write)).ret).toBe(ret);
    expect(b.end()).toEqual([]);
  });

  it('takes a range of huge pages and others', () => {
    const b = hugeBench('unified', written(0, HUGE), {
      op: 'madvise',
      ...part(HUGE, HUGE),
      advice: 'nohugepage',
    });
    const folio = hugeFolio(b);
    const before = refsOf(b, folio);
    expect(b.do(taking(how, 1, 5, 1))).toEqual({ ret: 'ok', done: 5 });
    const { pages } = held(b);
    expect(pages.slice(0, 3)).toEqual([1, 2, 3].map((i) => folio + i));
    expect(pages.slice(3)).toEqual([frame(b, 4), frame(b, 5)]);
    expect(pmdTransHuge(pmd(b).get())).toBe(true);
    expect(refsOf(b, folio) - before).toBe(3);
    expect(pinsOf(b, folio)).toBe(isPin(how) ? 3 : 0);
    expect(b.broken()).toEqual([]);
    b.all(drop);
    expect(refsOf(b, folio)).toBe(before);
    expect(pinsOf(b, folio)).toBe(0);
    expect(b.end()).toEqual([]);
  });

  it('takes pages of a large folio that base entries map', () => {
    const b = hugeBench('unified', written(0, HUGE));
    const folio = hugeFolio(b);
    b.all({ op: 'madvise', ...part(3, 1), advice: 'dontneed' });
    expect(pmdIsTable(pmd(b).get()) && folioIsLarge(b.k, folio)).toBe(true);
    b.all(taking(how, 0, 3, 1));
    expect(held(b).pages).toEqual([folio, folio + 1, folio + 2]);
    expect(pinsOf(b, folio)).toBe(isPin(how) ? 3 : 0);
    expect(b.broken()).toEqual([]);
    b.all({ op: 'unpin', id: 0 });
    expect(pinsOf(b, folio)).toBe(0);
    expect(b.end()).toEqual([]);
  });

  it('does not pin the zero page, and takes its own for long', () => {
    const b = gupBench(mapped(), { op: 'cpu_read', ...part(0, 1) });
    const { zeroPfn } = b.k;
    const before = refsOf(b, zeroPfn);
    b.all(taking(how));
    expect(held(b).pages[0] === zeroPfn).toBe(!isLong(how));
    expect(refsOf(b, zeroPfn) - before).toBe(isPin(how) ? 0 : 1);
    if (isLong(how)) expect(pteWrite(entry(b, 0).get())).toBe(false);
    expect(b.broken()).toEqual([]);
    b.all(drop);
    expect(refsOf(b, zeroPfn)).toBe(before);
    expect(b.end()).toEqual([]);
  });

  it('pins the huge zero page as any other, but for long takes its own', () => {
    const b = hugeBench('unified', { op: 'cpu_read', ...part(0, 1) });
    const zero = b.k.hugeZeroPfn;
    b.all(taking(how, 1, 2));
    expect(held(b).pages[0] === zero + 1).toBe(!isLong(how));
    expect(pinsOf(b, zero)).toBe(isPin(how) && !isLong(how) ? 2 : 0);
    expect(b.broken()).toEqual([]);
    expect(b.end()).toEqual([]);
  });

  it.each([
    ['private', 'file-private'],
    ['shared', 'file-shared'],
  ] as const)(
    'takes a %s file’s page for reading; for long only what is written there',
    (_, kind) => {
      const b = gupBench(mapped(kind), { op: 'cpu_read', ...part(0, 2) });
      const before = [frame(b, 0), frame(b, 1)];
      b.all(taking(how, 0, 2));
      const { pages } = held(b);
      const same = !isLong(how) || kind === 'file-shared';
      expect(pages[0] === before[0]).toBe(same);
      expect(pages).toEqual([frame(b, 0), frame(b, 1)]);
      b.all({ op: 'cpu_write', ...part(0, 2), tag: 5 });
      // a page for a moment may show what was there
      const sees = isLong(how) || kind === 'file-shared';
      expect(b.k.frames.readWord(pages[0]) === 5 * 65536).toBe(sees);
      expect(b.end()).toEqual([]);
    },
  );

  it('takes a shared file’s page for writing', () => {
    const b = gupBench(mapped('file-shared'));
    b.all(taking(how, 0, 2, 1));
    b.k.frames.writeWord(held(b).pages[1], 77);
    expect(tags(b, 1, 1)).toEqual([[77, 1, 0]]);
    expect(b.end()).toEqual([]);
  });

  it('holds what a child does not', () => {
    const b = gupBench(mapped(), written(0, 1), taking(how, 0, 1, 1), child);
    expect(b.system.process(1).pins.size).toBe(0);
    b.all({ op: 'unpin', proc: 1, id: 0 });
    expect(refsOf(b, held(b).pages[0])).toBeGreaterThan(isPin(how) ? BIAS : 2);
    expect(b.end()).toEqual([]);
  });

  it('holds on when its id is used again, or its process has ended', () => {
    const b = gupBench(mapped(), written(0, 2), taking(how, 0), taking(how, 1));
    expect([...b.system.holds].map(({ pages }) => pages)).toEqual([[frame(b, 0)], [frame(b, 1)]]);
    b.all(child, { op: 'gup', proc: 1, id: 3, ...part(0, 1), how, write: 1 });
    b.all({ op: 'exit', proc: 1 });
    expect(b.system.holds.size).toBe(3);
    expect(b.broken()).toEqual([]);
    expect(b.end()).toEqual([]);
    expect(b.system.holds.size).toBe(0);
  });

  it('is tried out and given back', () => {
    const b = gupBench(mapped(), written(0, 3));
    const before = [0, 1, 2].map((page) => refsOf(b, frame(b, page)));
    const { mm } = b.system.process(0);
    expect(runToEnd(b.k, gupTest(b.k, mm, how, b.vpn(0), 3, true))).toBe(3);
    const after = [0, 1, 2].map((page) => refsOf(b, frame(b, page)));
    // a batch may have been drained or filled
    after.forEach((refs, i) => {
      expect(Math.abs(refs - before[i])).toBeLessThan(3);
    });
    expect(runToEnd(b.k, gupTest(b.k, mm, how, b.vpn(1), 1, true))).toBe(-EFAULT);
    expect(b.end()).toEqual([]);
  });

  it('does not look pinned where it is the zero page', () => {
    const b = gupBench(mapped(), { op: 'cpu_read', ...part(0, 1) });
    const { mm } = b.system.process(0);
    expect(runToEnd(b.k, gupTest(b.k, mm, how, b.vpn(0), 1, false))).toBe(1);
    const found = b.k.findings.splice(0).map(({ title }) => title);
    const warned = isPin(how) && !isLong(how);
    expect(found).toEqual(warned ? ['a page that was pinned does not look so'] : []);
    expect(b.end()).toEqual([]);
  });
});

describe.each(PINS)('%s for reading, after a fork', (how) => {
  const shared: LooseOp[] = [mapped(), written(0, 2), child];

  it('takes a copy of its own of what the child shares', () => {
    const b = gupBench(...shared);
    const before = frame(b, 0);
    b.all(taking(how));
    const [page] = held(b).pages;
    expect(page).not.toBe(before);
    expect(frame(b, 0)).toBe(page);
    expect(exclusive(b, page)).toBe(true);
    expect(pteWrite(entry(b, 0).get())).toBe(false);
    b.all({ op: 'cpu_write', ...part(0, 1), tag: 7 });
    // what the process writes is what the pin shows
    expect(b.k.frames.readWord(page)).toBe(7 * 65536);
    expect(tags(b, 0, 2, 1)).toEqual([[65536, 2, 1]]);
    expect(b.end()).toEqual([]);
  });

  it('keeps the page if nobody shares it any more', () => {
    const b = gupBench(...shared, { op: 'munmap', proc: 1, ...part(0, 8) });
    const before = frame(b, 0);
    b.all(taking(how));
    expect(held(b).pages).toEqual([before]);
    expect(exclusive(b, before)).toBe(true);
    expect(pteWrite(entry(b, 0).get())).toBe(false);
    expect(b.end()).toEqual([]);
  });

  it('does not forget whether it was written', () => {
    for (const soft of [true, false]) {
      const b = gupBench(...shared, ...(soft ? [] : [{ op: 'clear_soft_dirty' } as LooseOp]));
      expect((entry(b, 0).get() & PTE_SOFT_DIRTY) !== 0).toBe(soft);
      b.all(taking(how));
      expect((entry(b, 0).get() & PTE_SOFT_DIRTY) !== 0).toBe(soft);
      expect(b.end()).toEqual([]);
    }
  });

  it('splits a huge page that the child shares, and copies of it what it needs', () => {
    const b = hugeBench('unified', written(0, HUGE), child);
    const folio = hugeFolio(b);
    b.all(taking(how, 1, 2));
    const { pages } = held(b);
    expect(pmdIsTable(pmd(b).get())).toBe(true);
    expect(pages.map((page) => page >= folio && page < folio + HUGE)).toEqual([false, false]);
    expect(pages.map((page) => exclusive(b, page))).toEqual([true, true]);
    expect(frame(b, 0)).toBe(folio);
    expect(b.broken()).toEqual([]);
    expect(b.end()).toEqual([]);
  });

  it('keeps a huge page if nobody shares it any more', () => {
    const b = hugeBench('unified', written(0, HUGE), child);
    const folio = hugeFolio(b);
    b.all({ op: 'munmap', proc: 1, ...part(0, HUGE) }, taking(how, 1, 2));
    expect(held(b).pages).toEqual([folio + 1, folio + 2]);
    expect(exclusive(b, folio)).toBe(true);
    expect(pteWrite(pmd(b).get())).toBe(false);
    expect(b.end()).toEqual([]);
  });
});

describe.each(PINS)('a page under %s', (how) => {
  it('is copied for a child at once', () => {
    const b = gupBench(mapped(), written(0, 2), taking(how, 0, 1, 1), child);
    const [page] = held(b).pages;
    expect(frame(b, 0)).toBe(page);
    // the other is shared
    expect(pteWrite(entry(b, 0).get())).toBe(true);
    expect(pteWrite(entry(b, 1).get())).toBe(false);
    b.all({ op: 'cpu_write', ...part(0, 1), tag: 7 });
    expect(frame(b, 0)).toBe(page);
    expect(tags(b, 0, 2, 1)).toEqual([[65536, 2, 1]]);
    expect(b.end()).toEqual([]);
  });

  it.each(['mapped huge', 'mapped by base entries'])(
    'of a folio %s is copied for a child',
    (as) => {
      const b = hugeBench('unified', written(0, HUGE));
      const folio = hugeFolio(b);
      if (as !== 'mapped huge') b.all({ op: 'madvise', ...part(3, 1), advice: 'dontneed' });
      b.all(taking(how, 1, 1, 1), child, { op: 'cpu_write', ...part(0, 3), tag: 7 });
      expect(frame(b, 1)).toBe(folio + 1);
      expect(tags(b, 0, 3, 1)).toEqual([[65536, 3, 1]]);
      expect(b.k.frames.readWord(folio + 1)).toBe(7 * 65536 + 1);
      expect(b.broken()).toEqual([]);
      expect(b.end()).toEqual([]);
    },
  );

  it.each([0, 2])('does not go to device %d', (dev) => {
    const b = gupBench(mapped(), written(0, 2), taking(how, 0, 1, 1));
    const [page] = held(b).pages;
    // the driver does not find all pages in its own memory
    expect(b.do({ op: 'migrate_to_dev', dev, ...part(0, 2) })).toEqual({ ret: 'ENOENT' });
    expect([0, 1].map((i) => folioIsZoneDevice(b.k, frame(b, i)))).toEqual([false, true]);
    expect(frame(b, 0)).toBe(page);
    expect(exclusive(b, page)).toBe(true);
    expect(b.end()).toEqual([]);
  });
});

it('a fault that wants a page of its own is an ordinary read where memory is shared', () => {
  const b = gupBench(mapped('file-shared'), { op: 'cpu_read', ...part(0, 1) });
  const { mm } = b.system.process(0);
  const vma = mm.lookupVma(b.vpn(0)) as Vma;
  // as after write-back: the next write is to be noticed
  const before = entry(b, 0).get() & ~(PTE_WRITE | PTE_DIRTY);
  entry(b, 0).set(before);
  b.k.flushTlbSpace(mm.id);
  const fault = () => handleMmFault(b.k, vma, b.vpn(0), FAULT_FLAG_UNSHARE);
  expect(runToEnd(b.k, underMmapLock(b, fault))).toBe(0);
  expect(entry(b, 0).get()).toBe(before);
  expect(b.end()).toEqual([]);
});

describe('what a child shares', () => {
  it('is referenced without a copy', () => {
    for (const how of ['get', 'get_fast'] as const) {
      const b = gupBench(mapped(), written(0, 2), child);
      const before = frame(b, 0);
      b.all(taking(how));
      expect(held(b).pages).toEqual([before]);
      expect(exclusive(b, before)).toBe(false);
      expect(b.end()).toEqual([]);
    }
  });

  it('parts from who references it for reading, when it is written', () => {
    const b = gupBench(mapped(), written(0, 1), taking('get'), child);
    b.all({ op: 'cpu_write', ...part(0, 1), tag: 7 });
    expect(b.k.frames.readWord(held(b).pages[0])).toBe(65536);
    expect(b.end()).toEqual([]);
  });
});

describe.each(RUNS)('without locks, %s', (_how, run) => {
  it('takes what is there, up to the first page that is not', () => {
    const b = gupBench(mapped(), written(0, 8), { op: 'munmap', ...part(6, 1) });
    const { mm } = b.system.process(0);
    const pages = [99];
    expect(run(b.k, gupFast(b.k, mm, b.vpn(0), 8, {}, pages))).toBe(6);
    expect(pages).toEqual([99, ...[0, 1, 2, 3, 4, 5].map((page) => frame(b, page))]);
    run(b.k, putPages(b.k, pages.slice(1)));
    expect(b.end()).toEqual([]);
  });

  it('takes as much of a huge page as it is asked for', () => {
    for (const flags of [{}, { pin: true, longterm: true }]) {
      const b = hugeBench('unified', written(0, 2 * HUGE));
      const { mm } = b.system.process(0);
      const folio = hugeFolio(b);
      const before = refsOf(b, folio);
      const pages: number[] = [];
      expect(run(b.k, gupFast(b.k, mm, b.vpn(0, 1), 4, flags, pages))).toBe(4);
      expect(pages).toEqual([folio + 1, folio + 2, folio + 3, hugeFolio(b, HUGE)]);
      expect(refsOf(b, folio)).toBe(before + 3);
      run(b.k, flags.pin ? unpinUserPages(b.k, pages) : putPages(b.k, pages));
      expect(refsOf(b, folio)).toBe(before);
      expect(b.end()).toEqual([]);
    }
  });

  it.each([
    ['the zero page', { op: 'cpu_read', ...part(0, 1) }],
    ['a device-private page', { op: 'migrate_to_dev', dev: 0, ...part(0, 1) }],
  ] as [string, LooseOp][])('does not take %s', (what, op) => {
    const b = gupBench(mapped(), ...(what === 'the zero page' ? [] : [written(0, 1)]), op);
    const { mm } = b.system.process(0);
    const pages: number[] = [];
    expect(run(b.k, gupFast(b.k, mm, b.vpn(0), 1, {}, pages))).toBe(0);
    expect(b.end()).toEqual([]);
  });

  it('asks the entry for the right to write', () => {
    const b = gupBench(mapped(), written(0, 1), child);
    const { mm } = b.system.process(0);
    const pages: number[] = [];
    expect(run(b.k, gupFast(b.k, mm, b.vpn(0), 1, { write: true }, pages))).toBe(0);
    expect(run(b.k, gupFast(b.k, mm, b.vpn(0), 1, { pin: true }, pages))).toBe(0);
    expect(run(b.k, gupFast(b.k, mm, b.vpn(0), 1, {}, pages))).toBe(1);
    run(b.k, putPages(b.k, pages));
    expect(b.end()).toEqual([]);
  });

  it('does not take for long, to write, what it does not know the owner of', () => {
    const b = gupBench(mapped(), written(0, 1));
    const { mm } = b.system.process(0);
    const page = frame(b, 0);
    const mapping = b.k.pages.mapping[page];
    const before = refsOf(b, page);
    b.k.pages.mapping[page] = 0;
    const take = (flags: object) => run(b.k, gupFast(b.k, mm, b.vpn(0), 1, flags, []));
    expect(take({ pin: true, longterm: true, write: true })).toBe(0);
    expect(refsOf(b, page)).toBe(before);
    expect(take({ pin: true, write: true })).toBe(1);
    b.k.pages.mapping[page] = mapping;
    run(b.k, unpinUserPages(b.k, [page]));
    expect(b.end()).toEqual([]);
  });

  it('gives back what is not there any more when it looks again', () => {
    for (const flags of [{}, { pin: true }]) {
      const b = gupBench(mapped(), written(0, 1));
      const { mm } = b.system.process(0);
      const { vpn } = { vpn: b.vpn(0) };
      const race = when(b.k, b.k.ledger as NonNullable<typeof b.k.ledger>, 'get', frame(b, 0), () =>
        b.all({ op: 'munmap', ...part(0, 1) }),
      );
      expect(run(b.k, gupFast(b.k, mm, vpn, 1, flags, []))).toBe(0);
      expect(race.happened).toBe(true);
      expect(b.end()).toEqual([]);
    }
  });
});

describe('pinning without locks, and a fork', () => {
  function pinning(b: Bench) {
    const { mm } = b.system.process(0);
    const pages: number[] = [];
    const thread = new Thread(b.k, 'pin', () =>
      gupFast(b.k, mm, b.vpn(0), 2, { pin: true, write: true }, pages),
    );
    return { thread, pages, mm };
  }
  const forking = (b: Bench) =>
    new Thread(b.k, 'fork', () => perform(b.system, { op: 'fork', proc: 0, child: 1 }), 1);

  it('takes nothing while the fork write-protects', () => {
    const b = gupBench(mapped(), written(0, 2));
    const { thread, pages, mm } = pinning(b);
    const fork = forking(b).until(() => (mm.writeProtectSeq & 1) === 1);
    expect(thread.finish()).toBe(0);
    expect(pages).toEqual([]);
    fork.finish();
    expect(mm.writeProtectSeq & 1).toBe(0);
    expect(b.end()).toEqual([]);
  });

  it('gives back what it took when the fork came between', () => {
    const b = gupBench(mapped(), written(0, 2));
    const { thread, pages, mm } = pinning(b);
    // it has read the sequence, and the first entry
    thread.until(({ object }) => object === ObjectKind.Folio);
    const fork = forking(b).until(
      ({ object, id }) => object === ObjectKind.Entry && id !== 0 && (mm.writeProtectSeq & 1) === 1,
    );
    // the fork has looked for pins already
    expect(thread.finish()).toBe(0);
    expect(pages).toEqual([]);
    fork.finish();
    expect(tags(b, 0, 2, 1)).toEqual([[65536, 2, 1]]);
    expect(b.end()).toEqual([]);
  });

  it('is seen by the fork when it came first', () => {
    const b = gupBench(mapped(), written(0, 2));
    const { thread, pages } = pinning(b);
    expect(thread.finish()).toBe(2);
    forking(b).finish();
    b.all({ op: 'cpu_write', ...part(0, 2), tag: 7 });
    expect(pages.map((page) => b.k.frames.readWord(page))).toEqual([7 * 65536, 7 * 65536 + 1]);
    runToEnd(b.k, unpinUserPages(b.k, pages));
    expect(b.end()).toEqual([]);
  });

  it('does not care about a fork of shared memory', () => {
    const b = gupBench(mapped('file-shared'), written(0, 2));
    const { mm } = b.system.process(0);
    const before = mm.writeProtectSeq;
    runToEnd(b.k, dupMmap(b.k, b.k.newMm(), mm));
    expect(mm.writeProtectSeq).toBe(before);
  });
});

describe('mmap_lock', () => {
  /** Three pages, the second a device's alone and its folio locked by somebody. */
  function locked() {
    const b = gupBench(mapped(), written(0, 3), { op: 'exclusive', dev: 0, ...part(1, 1) });
    const folio = frame(b, 1);
    const task = somebody(b.k);
    as(b.k, task, () => b.k.folioLock(folio));
    const unlock = () => as(b.k, task, () => b.k.folioUnlock(folio));
    const { mm } = b.system.process(0);
    return { b, unlock, mm };
  }
  const lockWaiter = (b: Bench) =>
    new Thread(b.k, 'writer', () => perform(b.system, { op: 'munmap', proc: 0, ...part(5, 1) }), 1);

  it.each(FAST)(
    'is given up by %s while a folio is locked; then it goes on where it was',
    (how) => {
      const { b, unlock, mm } = locked();
      const op = { ...taking(how, 0, 3, 1), proc: 0 } as Parameters<typeof perform>[1];
      const thread = new Thread(b.k, 'gup', () => perform(b.system, op)).run();
      expect(thread.done).toBe(false);
      expect(mm.mmapLock.held).toBe(false);
      const writer = lockWaiter(b);
      expect(writer.finish()).toEqual({ ret: 'ok' });
      unlock();
      expect(thread.finish()).toEqual({ ret: 'ok', done: 3 });
      expect(mm.mmapLock.held).toBe(false);
      expect(held(b).pages).toEqual([0, 1, 2].map((page) => frame(b, page)));
      expect(b.end()).toEqual([]);
    },
  );

  it.each(SLOW)('is kept by %s', (how) => {
    const { b, unlock, mm } = locked();
    const op = { ...taking(how, 0, 3, 1), proc: 0 } as Parameters<typeof perform>[1];
    const thread = new Thread(b.k, 'gup', () => perform(b.system, op)).run();
    expect(thread.done).toBe(false);
    expect(mm.mmapLock.held).toBe(true);
    const writer = lockWaiter(b).until(takes(mm.mmapLock));
    expect(writer.blocked).toBe(true);
    unlock();
    expect(thread.finish()).toEqual({ ret: 'ok', done: 3 });
    writer.finish();
    expect(b.end()).toEqual([]);
  });

  it('given up for a page that is not there afterwards: what was taken before it counts', () => {
    const { b, unlock } = locked();
    const op = { ...taking('get_fast', 0, 3, 1), proc: 0 } as Parameters<typeof perform>[1];
    const thread = new Thread(b.k, 'gup', () => perform(b.system, op)).run();
    const unmapping = new Thread(
      b.k,
      'unmap',
      () => perform(b.system, { op: 'munmap', proc: 0, ...part(1, 1) }),
      1,
    );
    unmapping.finish();
    unlock();
    expect(thread.finish()).toEqual({ ret: 'ok', done: 1 });
    expect(b.end()).toEqual([]);
  });

  it('given up for the first page, which is not there afterwards: an error', () => {
    const { b, unlock } = locked();
    const op = { ...taking('get_fast', 1, 2, 1), proc: 0 } as Parameters<typeof perform>[1];
    const thread = new Thread(b.k, 'gup', () => perform(b.system, op)).run();
    const unmapping = new Thread(
      b.k,
      'unmap',
      () => perform(b.system, { op: 'munmap', proc: 0, ...part(1, 1) }),
      1,
    );
    unmapping.finish();
    unlock();
    expect(thread.finish()).toEqual({ ret: 'EFAULT' });
    expect(b.system.process(0).pins.get(0)).toBe(null);
    expect(b.end()).toEqual([]);
  });

  it('is the caller’s with get_user_pages(), and nobody’s with get_user_pages_fast()', () => {
    const b = gupBench(mapped(), written(0, 2));
    const { mm } = b.system.process(0);
    const pages: number[] = [];
    const slow = () => getUserPages(b.k, mm, b.vpn(0), 1, {}, pages);
    expect(runToEnd(b.k, underMmapLock(b, slow))).toBe(1);
    expect(runToEnd(b.k, getUserPagesFast(b.k, mm, b.vpn(0, 1), 1, {}, pages))).toBe(1);
    expect(pages).toEqual([frame(b, 0), frame(b, 1)]);
    runToEnd(b.k, putPages(b.k, pages));
    runToEnd(b.k, slow());
    expect(b.k.findings.length).toBe(1);
  });
});

describe('what must hold of pins', () => {
  const pinned = () => gupBench(mapped(), written(0, 2), taking('pin', 0, 1, 1));

  it('is that somebody has each', () => {
    const b = pinned();
    const [page] = held(b).pages;
    b.k.pages.refcount[page] -= 1;
    expect(b.broken()).toContainEqual(expect.stringContaining('references for 1 mappings'));
  });

  it('is that a large folio’s count is theirs', () => {
    const b = hugeBench('unified', written(0, HUGE), taking('pin', 0, 2, 1));
    const folio = pageFolio(b.k, held(b).pages[0]);
    b.k.pages.pinCount.set(folio, 1);
    expect(b.broken()).toContainEqual(expect.stringContaining('its count of pins is 1, counted 2'));
  });

  it('is that an anonymous page stays exclusive', () => {
    const b = pinned();
    const [page] = held(b).pages;
    b.k.pages.flags[page] &= ~PG_ANON_EXCLUSIVE;
    expect(b.broken()).toContainEqual(
      expect.stringContaining('a pinned anonymous page is not exclusive'),
    );
    b.do(drop);
    expect(b.k.findings.map(({ title }) => title)).toContain(
      'a pinned anonymous page is not exclusive',
    );
  });

  it('is that no free page is pinned', () => {
    const b = pinned();
    held(b).pages.push(b.k.pages.size - 1);
    expect(b.broken()).toContainEqual(expect.stringContaining('a pinned page is free'));
  });
});

it('a child that writes does not change what its parent has pinned', () => {
  const b = gupBench(mapped(), written(0, 1), taking('pin_fast', 0, 1, 1), child, childWrites);
  expect(b.k.frames.readWord(held(b).pages[0])).toBe(65536);
  expect(tags(b, 0, 1)).toEqual([[65536, 1, 0]]);
  expect(b.end()).toEqual([]);
});
