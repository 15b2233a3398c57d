/**
 * Huge pages of anonymous memory. Each test runs with huge pages of 512 and of 4 base pages, in a
 * straight line and suspended at every step.
 */
import { describe, expect, test } from 'vitest';
import {
  ArrayDeviceMemory,
  EAGAIN,
  EBUSY,
  EINVAL,
  ENOMEM,
  type Kernel$,
  PG_ANON_EXCLUSIVE,
  PG_MAPPED_SHARED,
  PG_PARTIALLY_MAPPED,
  PTE_PRESENT,
  PTE_SOFT_DIRTY,
  PTE_WRITE,
  ptePfn,
  runStepping,
  runToEnd,
} from '../../src/machine/index.ts';
import { cpuReadWord, cpuWriteWord } from '../../src/mm/access.ts';
import { exitMmap } from '../../src/mm/exit.ts';
import {
  folioGet,
  folioMapcount,
  folioPut,
  lruAddDrainAll,
  pageFolio,
} from '../../src/mm/folio.ts';
import { dupMmap } from '../../src/mm/fork.ts';
import { pinUserPage } from '../../src/mm/gup.ts';
import {
  folioSplitUnmapped,
  getHugeZeroFolio,
  setPmdMigrationEntry,
  splitFolio,
  splitHugePmdAddress,
} from '../../src/mm/huge-memory.ts';
import { Kernel } from '../../src/mm/kernel.ts';
import {
  isDevicePrivate,
  isDevicePrivateWrite,
  isMigrationRead,
  isMigrationReadExclusive,
  isMigrationWrite,
  SWP_SOFT_DIRTY,
} from '../../src/mm/leafops.ts';
import { Holder, Ledger } from '../../src/mm/look/ledger.ts';
import { type Advice, madvise } from '../../src/mm/madvise.ts';
import {
  DevPagemap,
  type DevPagemapOps,
  memremapPages,
  zoneDevicePageInit,
} from '../../src/mm/memremap.ts';
import { removeMigrationPtes } from '../../src/mm/migrate.ts';
import type { Mm } from '../../src/mm/mm.ts';
import { mmapRegion, munmap } from '../../src/mm/mmap.ts';
import { mprotect } from '../../src/mm/mprotect.ts';
import { mremap } from '../../src/mm/mremap.ts';
import { clearSoftDirty, pagemapScan, readPagemap } from '../../src/mm/pagemap.ts';
import { pmdIsTable, pmdpOf, pmdTransHuge, ptepOf, ptlOf } from '../../src/mm/pgtable.ts';
import { folioMaybeMappedShared, tryToMigrate } from '../../src/mm/rmap.ts';
import { VM_READ, VM_WRITE } from '../../src/mm/vma.ts';

const RW = VM_READ | VM_WRITE;

/** Bits of `scan`. */
const PRESENT = 1;
const SWAPPED = 2;
const ZERO = 4;
const HUGE = 8;
/** Bits of `pagemap`. */
const SOFT_DIRTY = 8;
const EXCLUSIVE = 16;

interface Mode {
  readonly pmdOrder: number;
  readonly stepping: boolean;
}

/** One process with `pages` huge pages of private memory at `base`, and what tests do to it. */
class Bench {
  readonly k: Kernel;
  readonly mm: Mm;
  readonly huge: number;
  readonly base: number;
  private readonly mms: Mm[];

  constructor(
    readonly mode: Mode,
    hugePages = 2,
    advice: Advice | null = 'hugepage',
  ) {
    this.k = new Kernel({ pmdOrder: mode.pmdOrder, pageBytes: 16, poison: true });
    this.k.ledger = new Ledger();
    this.mm = this.k.newMm();
    this.mms = [this.mm];
    this.huge = this.k.geometry.ptrsPerPte;
    this.base = this.k.geometry.vpnOf(0, 0);
    this.map(this.base, hugePages * this.huge);
    if (advice) this.advise(advice);
  }

  run<T>(task: Kernel$<T>): T {
    return this.mode.stepping ? runStepping(this.k, task) : runToEnd(this.k, task);
  }
  map(start: number, pages: number, flags = RW): number {
    return this.run(mmapRegion(this.k, this.mm, start, start + pages, flags, null));
  }
  /** Addresses from here on are offsets from `base`. */
  advise(advice: Advice, from = 0, pages = 2 * this.huge, mm = this.mm): number {
    return this.run(madvise(this.k, mm, this.base + from, this.base + from + pages, advice));
  }
  write(page: number, word: number, mm = this.mm): number {
    return this.run(cpuWriteWord(this.k, mm, this.base + page, word));
  }
  read(page: number, mm = this.mm): number {
    return this.run(cpuReadWord(this.k, mm, this.base + page));
  }
  unmap(from: number, pages: number, mm = this.mm): void {
    this.run(munmap(this.k, mm, this.base + from, this.base + from + pages));
  }
  protect(from: number, pages: number, flags: number): void {
    this.run(mprotect(this.k, this.mm, this.base + from, this.base + from + pages, flags));
  }
  fork(of = this.mm): Mm {
    const child = this.k.newMm();
    this.mms.push(child);
    expect(this.run(dupMmap(this.k, child, of))).toBe(0);
    return child;
  }
  exit(mm: Mm): void {
    this.run(exitMmap(this.k, mm));
    this.mms.splice(this.mms.indexOf(mm), 1);
  }
  scan(page: number, mm = this.mm): number {
    const at = this.base + page;
    return this.run(pagemapScan(this.k, mm, at, at + 1))[0];
  }
  pagemap(page: number, mm = this.mm): number {
    const at = this.base + page;
    return this.run(readPagemap(this.k, mm, at, at + 1))[0];
  }
  pmd(page = 0, mm = this.mm): number {
    return this.k.tables.entries[pmdpOf(this.k, mm, this.base + page)];
  }
  pte(page: number, mm = this.mm): number {
    return this.k.tables.entries[ptepOf(this.k, mm, this.base + page)];
  }
  /** The folio that a present huge entry maps. */
  folio(page = 0, mm = this.mm): number {
    const pmd = this.pmd(page, mm);
    expect(pmdTransHuge(pmd)).toBe(true);
    return ptePfn(pmd);
  }
  pin(page: number): number {
    const pfn = this.run(pinUserPage(this.k, this.mm, this.base + page));
    return pageFolio(this.k, pfn);
  }
  unpin(folio: number): void {
    this.run(folioPut(this.k, folio, Holder.Pin));
  }
  lock(folio: number): void {
    expect(this.k.folioTryLock(folio)).toBe(true);
  }
  split(folio: number): number {
    this.lock(folio);
    folioGet(this.k, folio, Holder.Split);
    const ret = this.run(splitFolio(this.k, folio));
    this.k.folioUnlock(folio);
    this.run(folioPut(this.k, folio, Holder.Split));
    return ret;
  }

  /** What always holds, and that nothing is left when every process is gone. */
  check(): void {
    const { k } = this;
    const ledger = k.ledger as Ledger;
    for (const folio of ledger.folios()) {
      if (k.pages.isFree(folio)) continue;
      expect(ledger.total(folio), `holders of folio ${folio}`).toBe(k.pages.refcount[folio]);
    }
    for (const mm of this.mms) {
      const tables = new Set<number>();
      let anon = 0;
      for (const vma of mm.vmas) {
        for (let vpn = vma.start; vpn < vma.end; vpn++) {
          const pmdp = pmdpOf(k, mm, vpn);
          const pmd = pmdp < 0 ? 0 : k.tables.entries[pmdp];
          if (pmd !== 0) tables.add(pmdp);
          const ptep = pmdIsTable(pmd) ? ptepOf(k, mm, vpn) : pmdp;
          const pte = pmd === 0 ? 0 : k.tables.entries[ptep];
          const pfn = ptePfn(pte);
          if (pte !== 0 && !k.isZero(pfn) && !k.isHugeZero(pfn)) anon++;
        }
      }
      expect(mm.anonPages).toBe(anon);
      expect(mm.pteTables).toBe(tables.size);
    }
    for (const mm of [...this.mms]) this.exit(mm);
    runToEnd(k, lruAddDrainAll(k));
    expect([...k.tables.deposits.keys()]).toEqual([]);
    expect(ledger.errors).toEqual([]);
    for (const folio of ledger.folios()) expect(ledger.describe(folio)).toBe('');
    expect(k.findings).toEqual([]);
    expect(k.current.held).toEqual([]);
    expect(k.current.folioLocks).toBe(0);
  }
}

const MODES: [string, Mode][] = [
  ['512 pages', { pmdOrder: 9, stepping: false }],
  ['512 pages, stepping', { pmdOrder: 9, stepping: true }],
  ['4 pages', { pmdOrder: 2, stepping: false }],
  ['4 pages, stepping', { pmdOrder: 2, stepping: true }],
];

describe.each(MODES)('huge pages of %s', (_name, mode) => {
  test('a write maps a huge page where it was asked for', () => {
    const b = new Bench(mode);
    b.write(1, 7);
    expect(b.scan(0)).toBe(PRESENT | HUGE);
    expect(b.scan(b.huge - 1)).toBe(PRESENT | HUGE);
    expect(b.scan(b.huge)).toBe(0);
    expect(b.pagemap(2)).toBe(1 | SOFT_DIRTY | EXCLUSIVE);
    expect([b.read(0), b.read(1), b.read(2)]).toEqual([0, 7, 0]);
    expect(b.k.counters.cpuFaults).toBe(1);
    const folio = b.folio();
    expect(b.k.pages.entireMapcount[folio]).toBe(1);
    expect(b.k.pages.flags[folio] & PG_ANON_EXCLUSIVE).not.toBe(0);
    b.check();
  });

  test.each([null, 'nohugepage'] as const)('not with advice %s', (advice) => {
    const b = new Bench(mode, 2, advice);
    b.write(1, 7);
    b.read(2);
    expect([b.scan(0), b.scan(1), b.scan(2)]).toEqual([0, PRESENT, PRESENT | ZERO]);
    b.check();
  });

  test('not where the area ends within', () => {
    const b = new Bench(mode);
    b.unmap(b.huge + 1, 1);
    b.write(b.huge, 7);
    expect(b.scan(b.huge)).toBe(PRESENT);
    b.check();
  });

  test('not when no huge page is to be had', () => {
    const b = new Bench(mode);
    b.k.failAllocations = 1;
    b.write(0, 7);
    expect([b.scan(0), b.scan(1)]).toEqual([PRESENT, 0]);
    expect(b.read(0)).toBe(7);
    b.check();
  });

  test('a read maps the huge zero page, a write replaces it', () => {
    const b = new Bench(mode);
    expect(b.read(1)).toBe(0);
    expect(b.scan(2)).toBe(PRESENT | ZERO | HUGE);
    expect(b.mm.anonPages).toBe(0);
    b.write(1, 7);
    expect(b.scan(2)).toBe(PRESENT | HUGE);
    expect([b.read(1), b.read(2)]).toEqual([7, 0]);
    b.check();
  });

  test('the huge zero page is split when there is no huge page to replace it', () => {
    const b = new Bench(mode);
    b.read(1);
    b.k.failAllocations = 1;
    b.write(1, 7);
    expect([b.scan(0), b.scan(1)]).toEqual([PRESENT | ZERO, PRESENT]);
    expect(b.k.isHugeZero(getHugeZeroFolio(b.k))).toBe(true);
    b.check();
  });

  test('fork shares a huge page; the writer splits its mapping and copies one page', () => {
    const b = new Bench(mode);
    b.write(0, 7);
    const folio = b.folio();
    const child = b.fork();
    expect(b.folio(0, child)).toBe(folio);
    expect((b.pmd() | b.pmd(0, child)) & PTE_WRITE).toBe(0);
    expect(folioMaybeMappedShared(b.k, folio)).toBe(true);
    b.write(1, 8, child);
    expect(b.scan(0, child)).toBe(PRESENT);
    expect(b.scan(0)).toBe(PRESENT | HUGE);
    expect([b.read(0, child), b.read(1, child), b.read(1)]).toEqual([7, 8, 0]);
    // the parent's pages count as shared: what is asked is the first one
    expect(b.pagemap(1) & EXCLUSIVE).toBe(0);
    b.exit(child);
    expect(b.k.pages.flags[folio] & PG_MAPPED_SHARED).toBe(0);
    b.write(0, 9);
    expect(b.folio()).toBe(folio);
    b.check();
  });

  test('a huge page that one process maps by small entries is written in place', () => {
    const b = new Bench(mode);
    b.write(0, 7);
    const folio = b.folio();
    const child = b.fork();
    b.run(splitHugePmdAddress(b.k, b.mm.vmas[0], b.base, false));
    b.exit(child);
    b.write(1, 8);
    expect(ptePfn(b.pte(1))).toBe(folio + 1);
    expect(b.k.pages.flags[folio + 1] & PG_ANON_EXCLUSIVE).not.toBe(0);
    expect(b.k.pages.flags[folio] & PG_ANON_EXCLUSIVE).toBe(0);
    b.check();
  });

  test('a pinned huge page that was shared is copied', () => {
    const b = new Bench(mode);
    b.write(0, 7);
    const child = b.fork();
    b.exit(child);
    const folio = b.pin(0);
    b.write(0, 8);
    expect(b.scan(0)).toBe(PRESENT);
    expect(ptePfn(b.pte(0))).not.toBe(folio);
    b.unpin(folio);
    b.check();
  });

  test('three processes: shared until one is left', () => {
    const b = new Bench(mode);
    b.write(0, 7);
    const folio = b.folio();
    const second = b.fork();
    const third = b.fork();
    b.exit(b.mm);
    expect(folioMaybeMappedShared(b.k, folio)).toBe(true);
    b.exit(second);
    expect(folioMaybeMappedShared(b.k, folio)).toBe(false);
    b.write(0, 8, third);
    expect(b.folio(0, third)).toBe(folio);
    b.exit(third);
    expect(b.k.pages.isFree(folio)).toBe(true);
    expect(b.k.findings).toEqual([]);
  });

  test('unmapping a part splits the mapping and marks the folio', () => {
    const b = new Bench(mode);
    b.write(0, 7);
    b.write(3, 8);
    const folio = b.folio();
    b.unmap(1, 1);
    expect([b.scan(0), b.scan(2)]).toEqual([PRESENT, PRESENT]);
    expect(b.k.pages.flags[folio] & PG_PARTIALLY_MAPPED).not.toBe(0);
    expect(folioMapcount(b.k, folio)).toBe(b.huge - 1);
    expect([b.read(0), b.read(3)]).toEqual([7, 8]);
    b.unmap(0, 2 * b.huge);
    expect(b.k.pages.isFree(folio)).toBe(true);
    b.check();
  });

  test('giving up the whole frees it at once', () => {
    const b = new Bench(mode);
    b.write(0, 7);
    const folio = b.folio();
    b.advise('dontneed', 0, b.huge);
    expect(b.k.pages.isFree(folio)).toBe(true);
    expect(b.pmd()).toBe(0);
    expect(b.read(0)).toBe(0);
    b.check();
  });

  test('protection: of the whole in place, of a part by a split', () => {
    const b = new Bench(mode);
    b.write(0, 7);
    b.protect(0, 2 * b.huge, VM_READ);
    expect(b.scan(0)).toBe(PRESENT | HUGE);
    expect(b.write(0, 8)).toBe(-1);
    b.protect(0, 2 * b.huge, RW);
    // exclusive: writable again without a fault
    expect(b.pmd() & PTE_WRITE).not.toBe(0);
    b.protect(0, 1, 0);
    expect(b.scan(0)).toBe(PRESENT);
    expect(b.read(0)).toBe(-1);
    expect(b.read(1)).toBe(0);
    b.check();
  });

  test('a move of a huge mapping keeps it huge where both ends are aligned', () => {
    const b = new Bench(mode);
    b.write(1, 7);
    b.run(clearSoftDirty(b.k, b.mm));
    expect(b.pmd() & PTE_SOFT_DIRTY).toBe(0);
    const to = b.k.geometry.vpnOf(1, 0);
    b.run(mremap(b.k, b.mm, b.base, b.huge, to));
    expect(b.k.tables.entries[pmdpOf(b.k, b.mm, to)] & PTE_SOFT_DIRTY).not.toBe(0);
    expect(b.scan(to - b.base)).toBe(PRESENT | HUGE);
    expect(b.read(to - b.base + 1)).toBe(7);
    b.run(mremap(b.k, b.mm, to, b.huge, b.base + 4 * b.huge + 1));
    expect(b.scan(4 * b.huge + 2)).toBe(PRESENT);
    expect(b.read(4 * b.huge + 2)).toBe(7);
    b.check();
  });

  test('soft-dirty comes back with a write', () => {
    const b = new Bench(mode);
    b.write(0, 7);
    b.run(clearSoftDirty(b.k, b.mm));
    expect(b.pagemap(0) & SOFT_DIRTY).toBe(0);
    b.write(1, 8);
    expect(b.pagemap(0) & SOFT_DIRTY).toBe(SOFT_DIRTY);
    expect(b.scan(0)).toBe(PRESENT | HUGE);
    b.check();
  });

  test('splitting a folio: pages of zeros become the zero page, unmapped ones are freed', () => {
    const b = new Bench(mode);
    b.write(0, 7);
    b.write(3, 8);
    const folio = b.folio();
    b.advise('dontneed', 1, 1);
    expect(b.split(folio)).toBe(0);
    expect([0, 1, 2, 3].map((page) => b.scan(page))).toEqual([PRESENT, 0, PRESENT | ZERO, PRESENT]);
    expect(b.k.pages.isFree(folio + 1)).toBe(true);
    expect(pageFolio(b.k, folio + 3)).toBe(folio + 3);
    expect([b.read(0), b.read(3)]).toEqual([7, 8]);
    // exclusive before, exclusive now: no copy
    b.write(3, 9);
    expect(ptePfn(b.pte(3))).toBe(folio + 3);
    b.check();
  });

  test('a folio that two processes map is split for both', () => {
    const b = new Bench(mode);
    for (let page = 0; page < b.huge; page++) b.write(page, page + 1);
    const folio = b.folio();
    const child = b.fork();
    expect(b.split(folio)).toBe(0);
    for (const mm of [b.mm, child]) {
      expect(ptePfn(b.pte(2, mm))).toBe(folio + 2);
      expect(b.read(2, mm)).toBe(3);
    }
    expect(b.k.pages.refcount[folio + 2]).toBe(2);
    b.check();
  });

  test('a split fails on a folio that is held or not mapped, and changes nothing', () => {
    const b = new Bench(mode);
    b.write(0, 7);
    const folio = b.pin(1);
    expect(b.split(folio)).toBe(-EAGAIN);
    expect(b.scan(0)).toBe(PRESENT | HUGE);
    b.advise('dontneed');
    b.lock(folio);
    expect(b.run(splitFolio(b.k, folio))).toBe(-EBUSY);
    b.k.folioUnlock(folio);
    b.unpin(folio);
    b.check();
  });

  test('the lock and the reference move to the page that is asked for', () => {
    const b = new Bench(mode);
    for (let page = 0; page < b.huge; page++) b.write(page, page + 1);
    const folio = b.folio();
    b.lock(folio);
    folioGet(b.k, folio, Holder.Migrate);
    expect(b.run(splitFolio(b.k, folio, folio + 2))).toBe(0);
    expect(b.k.folioLocked(folio)).toBe(false);
    expect(b.k.folioLocked(folio + 2)).toBe(true);
    expect(b.k.ledger?.holders(folio + 2)).toMatchObject({ [Holder.Migrate]: 1 });
    b.k.folioUnlock(folio + 2);
    b.run(folioPut(b.k, folio + 2, Holder.Migrate));
    b.check();
  });

  test('cold and free of a part split the folio', () => {
    for (const advice of ['cold', 'free'] as const) {
      const b = new Bench(mode);
      for (let page = 0; page < b.huge; page++) b.write(page, page + 1);
      const folio = b.folio();
      b.advise(advice, 1, 2);
      expect(b.scan(0)).toBe(PRESENT);
      expect(pageFolio(b.k, folio + 1)).toBe(folio + 1);
      expect(b.read(1)).toBe(2);
      b.check();
    }
  });

  test('paging out splits for want of swap space, and discards what was given up', () => {
    const b = new Bench(mode);
    b.write(0, 7);
    b.advise('pageout', 0, b.huge);
    expect([b.scan(0), b.scan(1)]).toEqual([PRESENT, PRESENT | ZERO]);
    b.write(b.huge, 8);
    b.advise('free', b.huge, b.huge);
    b.advise('pageout', b.huge, b.huge);
    expect(b.scan(b.huge)).toBe(0);
    // written again after it was given up: the whole huge page stays
    b.advise('dontneed', b.huge, b.huge);
    b.write(b.huge, 8);
    b.advise('free', b.huge, b.huge);
    b.write(b.huge + 1, 9);
    expect(b.scan(b.huge)).toBe(PRESENT | HUGE);
    b.advise('pageout', b.huge, b.huge);
    expect([b.read(b.huge), b.read(b.huge + 1)]).toEqual([8, 9]);
    b.check();
  });

  test('collapse makes one huge page of small ones, zero pages and holes', () => {
    const b = new Bench(mode, 2, null);
    b.write(0, 7);
    b.read(1);
    b.write(3, 8);
    b.write(b.huge + 1, 9);
    expect(b.advise('collapse')).toBe(0);
    expect([b.scan(0), b.scan(b.huge)]).toEqual([PRESENT | HUGE, PRESENT | HUGE]);
    expect([0, 1, 2, 3, b.huge + 1].map((page) => b.read(page))).toEqual([7, 0, 0, 8, 9]);
    expect(b.advise('collapse')).toBe(0);
    b.check();
  });

  test('collapse fails', () => {
    const b = new Bench(mode, 2, null);
    // no anonymous page yet
    expect(b.advise('collapse')).toBe(-EINVAL);
    b.write(0, 7);
    // the second huge page has no table
    expect(b.advise('collapse')).toBe(-EINVAL);
    expect(b.scan(0)).toBe(PRESENT | HUGE);
    b.write(b.huge, 8);
    const pinned = b.pin(b.huge);
    expect(b.advise('collapse')).toBe(-EAGAIN);
    b.unpin(pinned);
    b.k.failAllocations = 1;
    expect(b.advise('collapse')).toBe(-ENOMEM);
    expect(b.read(b.huge)).toBe(8);
    // less than a huge page
    expect(b.advise('collapse', 1, b.huge)).toBe(0);
    b.advise('nohugepage');
    expect(b.advise('collapse')).toBe(-EINVAL);
    b.check();
  });

  test('collapse takes pages of a large folio and of another process', () => {
    const b = new Bench(mode);
    b.write(0, 7);
    const folio = b.folio();
    const child = b.fork();
    b.write(1, 8, child);
    expect(b.advise('collapse', 0, b.huge, child)).toBe(0);
    expect(b.folio(0, child)).not.toBe(folio);
    expect([b.read(0, child), b.read(1, child), b.read(0), b.read(1)]).toEqual([7, 8, 7, 0]);
    expect(b.k.pages.refcount[folio]).toBe(1);
    b.check();
  });

  test('a migration entry of a huge page knows what the mapping knew', () => {
    const b = new Bench(mode);
    b.write(0, 7);
    const folio = b.folio();
    b.lock(folio);
    folioGet(b.k, folio, Holder.Migrate);
    b.run(tryToMigrate(b.k, folio, 0));
    expect(isMigrationWrite(b.pmd())).toBe(true);
    expect(b.pmd() & SWP_SOFT_DIRTY).not.toBe(0);
    expect(b.scan(1)).toBe(SWAPPED | HUGE);
    expect(b.k.pages.refcount[folio]).toBe(1);
    const child = b.fork();
    expect(isMigrationRead(b.pmd()) && isMigrationRead(b.pmd(0, child))).toBe(true);
    b.run(removeMigrationPtes(b.k, folio, folio));
    expect(b.folio(0, child)).toBe(folio);
    expect((b.pmd() | b.pmd(0, child)) & PTE_WRITE).toBe(0);
    b.k.folioUnlock(folio);
    b.run(folioPut(b.k, folio, Holder.Migrate));
    expect(b.read(0, child)).toBe(7);
    b.check();
  });

  test('protecting a migrating huge page keeps it exclusive', () => {
    const b = new Bench(mode);
    b.write(0, 7);
    const folio = b.folio();
    b.lock(folio);
    folioGet(b.k, folio, Holder.Migrate);
    b.run(tryToMigrate(b.k, folio, 0));
    b.protect(0, 2 * b.huge, VM_READ);
    expect(isMigrationReadExclusive(b.pmd())).toBe(true);
    b.run(removeMigrationPtes(b.k, folio, folio));
    expect(b.k.pages.flags[folio] & PG_ANON_EXCLUSIVE).not.toBe(0);
    expect(b.pmd() & PTE_PRESENT).not.toBe(0);
    b.k.folioUnlock(folio);
    b.run(folioPut(b.k, folio, Holder.Migrate));
    b.check();
  });

  test('a folio is split in the middle of its migration', () => {
    const b = new Bench(mode);
    for (let page = 0; page < b.huge; page++) b.write(page, page + 1);
    const folio = b.folio();
    const { k } = b;
    b.lock(folio);
    folioGet(k, folio, Holder.Migrate);
    k.pages.flags[folio] &= ~(1 << 1);
    const pmdp = pmdpOf(k, b.mm, b.base);
    const ptl = ptlOf(k, pmdp);
    k.lock(ptl);
    expect(b.run(setPmdMigrationEntry(k, b.mm.vmas[0], b.base, pmdp, folio))).toBe(0);
    k.unlock(ptl);
    // the split of the entry drops a reference of its caller's
    folioGet(k, folio, Holder.Split);
    b.run(splitHugePmdAddress(k, b.mm.vmas[0], b.base, true));
    expect(isMigrationWrite(b.pte(3))).toBe(true);
    expect(b.run(folioSplitUnmapped(k, folio))).toBe(0);
    for (let page = 0; page < b.huge; page++) {
      expect(k.ledger?.holders(folio + page)).toEqual({ [Holder.Migrate]: 1 });
      b.run(removeMigrationPtes(k, folio + page, folio + page));
      k.folioUnlock(folio + page);
      b.run(folioPut(k, folio + page, Holder.Migrate));
    }
    expect(b.read(3)).toBe(4);
    b.check();
  });
});

describe.each(MODES)('huge device pages of %s', (_name, mode) => {
  /** A driver that keeps the pages where they are, and remembers what it was told. */
  class Driver implements DevPagemapOps {
    readonly freed: number[] = [];
    readonly splits: (number | null)[] = [];
    faults = 0;
    // biome-ignore lint/correctness/useYield: the interface is a generator
    *folioFree(_k: Kernel, folio: number): Kernel$<void> {
      this.freed.push(folio);
    }
    // biome-ignore lint/correctness/useYield: the interface is a generator
    *migrateToRam(): Kernel$<number> {
      this.faults++;
      return 1 << 1;
    }
    folioSplit(_k: Kernel, _head: number, tail: number | null): void {
      this.splits.push(tail);
    }
  }

  /** A huge page that was moved to a device, in the way of a migration. */
  function onDevice(b: Bench): { folio: number; driver: Driver } {
    const { k } = b;
    const driver = new Driver();
    const memory = new ArrayDeviceMemory(k.geometry.pageBytes);
    const pgmap = new DevPagemap({}, driver, memory, 0);
    memremapPages(k, pgmap, 2 * b.huge);
    const folio = pgmap.start;
    b.write(0, 7);
    const old = b.folio();
    zoneDevicePageInit(k, folio, mode.pmdOrder);
    b.lock(old);
    folioGet(k, old, Holder.Migrate);
    b.run(tryToMigrate(k, old, 0));
    k.pages.mapping[folio] = k.pages.mapping[old];
    k.pages.index[folio] = k.pages.index[old];
    b.run(removeMigrationPtes(k, old, folio));
    k.folioUnlock(folio);
    b.run(folioPut(k, folio, Holder.Alloc));
    k.folioUnlock(old);
    b.run(folioPut(k, old, Holder.Migrate));
    expect(k.pages.isFree(old)).toBe(true);
    return { folio, driver };
  }

  test('mapped by a writable entry, zapped, freed', () => {
    const b = new Bench(mode);
    const { folio, driver } = onDevice(b);
    expect(isDevicePrivateWrite(b.pmd())).toBe(true);
    expect(b.scan(1)).toBe(SWAPPED | HUGE);
    expect(b.pagemap(1)).toBe(2 | SOFT_DIRTY);
    b.advise('dontneed');
    expect(driver.freed).toEqual([folio]);
    b.check();
  });

  test('a CPU fault asks the driver', () => {
    const b = new Bench(mode);
    const { driver } = onDevice(b);
    expect(b.read(1)).toBe(-2);
    expect(driver.faults).toBe(1);
    b.check();
  });

  test('fork shares it read-only and keeps it soft-dirty', () => {
    const b = new Bench(mode);
    const { folio } = onDevice(b);
    const child = b.fork();
    for (const mm of [b.mm, child]) {
      expect(isDevicePrivate(b.pmd(0, mm)) && !isDevicePrivateWrite(b.pmd(0, mm))).toBe(true);
      expect(b.pmd(0, mm) & SWP_SOFT_DIRTY).not.toBe(0);
    }
    expect(b.k.pages.refcount[folio]).toBe(2);
    expect(b.k.pages.flags[folio] & PG_ANON_EXCLUSIVE).toBe(0);
    b.check();
  });

  test('protection makes it read-only for good, moving leaves soft-dirty alone', () => {
    const b = new Bench(mode);
    onDevice(b);
    b.protect(0, 2 * b.huge, VM_READ);
    expect(isDevicePrivate(b.pmd()) && !isDevicePrivateWrite(b.pmd())).toBe(true);
    expect(b.pmd() & SWP_SOFT_DIRTY).toBe(0);
    b.run(clearSoftDirty(b.k, b.mm));
    const to = b.k.geometry.vpnOf(1, 0);
    b.run(mremap(b.k, b.mm, b.base, b.huge, to));
    const pmd = b.k.tables.entries[pmdpOf(b.k, b.mm, to)];
    expect(isDevicePrivate(pmd) && !(pmd & SWP_SOFT_DIRTY)).toBe(true);
    b.check();
  });

  test('unmapping a part splits the entry', () => {
    const b = new Bench(mode);
    const { folio, driver } = onDevice(b);
    b.unmap(0, 1);
    expect(isDevicePrivateWrite(b.pte(1))).toBe(true);
    expect(b.k.pages.flags[folio] & PG_PARTIALLY_MAPPED).toBe(0);
    expect(driver.freed).toEqual([]);
    b.unmap(1, b.huge - 1);
    expect(driver.freed).toEqual([folio]);
    b.check();
  });

  test('a split tells the driver of every page', () => {
    const b = new Bench(mode);
    const { folio, driver } = onDevice(b);
    expect(b.split(folio)).toBe(0);
    const tails = Array.from({ length: b.huge - 1 }, (_, i) => folio + 1 + i);
    expect(driver.splits).toEqual([...tails, null]);
    // pages of zeros stay on the device
    expect(isDevicePrivateWrite(b.pte(2))).toBe(true);
    expect(ptePfn(b.pte(2))).toBe(folio + 2);
    expect(driver.freed).toEqual([]);
    b.check();
    expect(driver.freed.length).toBe(b.huge);
  });
});
