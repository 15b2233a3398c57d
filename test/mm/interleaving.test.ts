/**
 * Three tasks do random things to the same memory, with huge pages of 4, and are interleaved at
 * random: whatever they do, no finding, no deadlock, no stale translation, nothing left behind.
 */
import { describe, expect, test } from 'vitest';
import { type Kernel$, runToEnd, type Step, Task } from '../../src/machine/index.ts';
import { cpuReadWord, cpuWriteWord } from '../../src/mm/access.ts';
import { exitMmap } from '../../src/mm/exit.ts';
import { folioPut, lruAddDrainAll, pageFolio } from '../../src/mm/folio.ts';
import { dupMmap } from '../../src/mm/fork.ts';
import { pinUserPage } from '../../src/mm/gup.ts';
import { Kernel } from '../../src/mm/kernel.ts';
import { Holder, Ledger } from '../../src/mm/look/ledger.ts';
import { type Advice, madvise } from '../../src/mm/madvise.ts';
import type { Mm } from '../../src/mm/mm.ts';
import { mmapRegion, munmap } from '../../src/mm/mmap.ts';
import { mprotect } from '../../src/mm/mprotect.ts';
import { mremap } from '../../src/mm/mremap.ts';
import { clearSoftDirty, readPagemap } from '../../src/mm/pagemap.ts';
import { pmdIsTable, pmdpOf, pmdTransHuge, ptepOf } from '../../src/mm/pgtable.ts';
import { VM_READ, VM_WRITE } from '../../src/mm/vma.ts';

const PAGES = 8;
const OPERATIONS = 4;
const RW = VM_READ | VM_WRITE;

const ADVICE: Advice[] = [
  'cold',
  'free',
  'pageout',
  'dontneed',
  'collapse',
  'hugepage',
  'nohugepage',
];

type Random = (below: number) => number;

function random(seed: number): Random {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) >>> 0;
    const mixed = Math.imul(state ^ (state >>> 13), 0x297a2d39);
    return ((mixed ^ (mixed >>> 16)) >>> 0) % below;
  };
}

class Memory {
  readonly k = new Kernel({ pmdOrder: 2, pageBytes: 16, poison: true, cpus: 3 });
  readonly mms: Mm[] = [];
  readonly base: number;
  readonly log: string[] = [];

  constructor(readonly r: Random) {
    const { k } = this;
    k.ledger = new Ledger();
    this.base = k.geometry.vpnOf(0, 0);
    const mm = k.newMm();
    this.mms.push(mm);
    const end = this.base + PAGES;
    runToEnd(k, mmapRegion(k, mm, this.base, end, RW, null));
    runToEnd(k, madvise(k, mm, this.base, end, 'hugepage'));
    if (r(2)) for (let p = this.base; p < end; p++) runToEnd(k, cpuWriteWord(k, mm, p, 1));
    if (r(2)) {
      const child = k.newMm();
      runToEnd(k, dupMmap(k, child, mm));
      this.mms.push(child);
    }
  }

  *work(name: string): Kernel$<void> {
    for (let i = 0; i < OPERATIONS; i++) yield* this.operation(name);
  }

  private *operation(name: string): Kernel$<void> {
    const { k, r, base } = this;
    const mm = this.mms[r(this.mms.length)];
    const whole = r(2) === 1;
    const start = base + (whole ? r(2) * 4 : r(PAGES));
    const end = Math.min(base + PAGES, start + (whole ? 4 : 1 + r(PAGES)));
    const choice = r(18);
    this.log.push(`${name}: ${choice} of ${mm.id}, ${start - base} to ${end - base}`);
    if (choice < ADVICE.length) yield* madvise(k, mm, start, end, ADVICE[choice]);
    else if (choice < 10) yield* cpuWriteWord(k, mm, start, choice);
    else if (choice === 10) {
      const word = yield* cpuReadWord(k, mm, start);
      if (word > 100) k.report('data', 'a freed page was read');
    } else if (choice === 11) yield* mprotect(k, mm, start, end, r(2) ? VM_READ : 0);
    else if (choice === 12) yield* mprotect(k, mm, start, end, RW);
    else if (choice === 13) {
      const to = k.geometry.vpnOf(1, r(2) * 4);
      yield* mremap(k, mm, start, end - start, to);
      yield* mremap(k, mm, to, end - start, start);
    } else if (choice === 14) {
      if (r(2)) yield* clearSoftDirty(k, mm);
      else yield* readPagemap(k, mm, base, base + PAGES);
    } else if (choice === 15) {
      const page = yield* pinUserPage(k, mm, start);
      if (page >= 0) yield* folioPut(k, pageFolio(k, page), Holder.Pin);
    } else if (choice === 16) {
      yield* munmap(k, mm, start, end);
      yield* mmapRegion(k, mm, start, end, RW, null);
    } else {
      const child = k.newMm();
      yield* dupMmap(k, child, mm);
      yield* exitMmap(k, child);
    }
  }

  /** Every translation that a TLB holds must still be right. */
  staleTranslations(): string[] {
    const { k } = this;
    const stale: string[] = [];
    for (const tlb of k.tlbs) {
      for (const { space, vpn, pte } of tlb.cached()) {
        const mm = this.mms.find((one) => one.id === space);
        if (!mm) continue;
        const pmdp = pmdpOf(k, mm, vpn);
        const pmd = pmdp < 0 ? 0 : k.tables.entries[pmdp];
        let now = 0;
        if (pmdIsTable(pmd)) now = k.tables.entries[ptepOf(k, mm, vpn)];
        else if (pmdTransHuge(pmd)) now = pmd + ((vpn & 3) << 11);
        const lost = (now & 1) === 0 || now >>> 11 !== pte >>> 11 || (pte & 2 & ~now) !== 0;
        if (lost) stale.push(`page ${vpn - this.base} of ${space}`);
      }
    }
    return stale;
  }

  finish(): void {
    const { k } = this;
    expect(this.staleTranslations()).toEqual([]);
    runToEnd(k, lruAddDrainAll(k));
    for (const mm of this.mms) {
      runToEnd(k, exitMmap(k, mm));
      expect([mm.anonPages, mm.pteTables]).toEqual([0, 0]);
    }
    runToEnd(k, lruAddDrainAll(k));
    expect(k.tables.deposits.size).toBe(0);
    const ledger = k.ledger as Ledger;
    expect(ledger.errors).toEqual([]);
    for (const folio of ledger.folios()) expect(ledger.describe(folio)).toBe('');
    expect(k.findings).toEqual([]);
  }
}

/** Interleaves tasks at random until all have ended. */
function interleave(memory: Memory): void {
  const { k, r } = memory;
  const tasks = [0, 1, 2].map((cpu) => ({
    task: new Task(10 + cpu, `task ${cpu}`, cpu),
    work: memory.work(`task ${cpu}`),
    step: null as Step | null,
  }));
  const advance = (one: (typeof tasks)[number]): boolean => {
    k.current = one.task;
    const result = one.work.next();
    one.step = result.done ? null : result.value;
    return !result.done;
  };
  k.stepping = true;
  let live = tasks.filter(advance);
  while (live.length > 0) {
    const ready = live.filter(({ step }) => !step?.enabled || step.enabled());
    expect(ready.length, 'a deadlock').toBeGreaterThan(0);
    advance(ready[r(ready.length)]);
    live = live.filter(({ step }) => step !== null);
  }
  k.stepping = false;
  for (const { task } of tasks) expect([task.held.length, task.folioLocks]).toEqual([0, 0]);
  k.current = new Task(99, 'the end', 0);
}

describe('random interleavings', () => {
  test.each(Array.from({ length: 20 }, (_, i) => [i]))('batch %i', (batch) => {
    for (let i = 0; i < 40; i++) {
      const memory = new Memory(random(batch * 1000 + i));
      try {
        interleave(memory);
        memory.finish();
      } catch (error) {
        const about = `batch ${batch}, number ${i}: ${memory.log.join('; ')}`;
        throw new Error(about, { cause: error });
      }
    }
  });
});
