/**
 * What the bits of entries must say: a shadow of each page of private anonymous memory notes that a CPU wrote to it. Until
 * its process forgets what was written (clear_refs), its entry or its area is soft-dirty; until it gives the memory up, its
 * entry or its folio is dirty. More may be said, and Linux often says more; less loses a write for a checkpoint, or a page
 * for reclaim. A process is asked through `pagemap`, all of them when every task has ended.
 */
import { PG_DIRTY, PTE_DIRTY, PTE_SOFT_DIRTY, ptePresent } from '../../machine/index.ts';
import type { Kernel, Mm, Vma } from '../../mm/index.ts';
import {
  isDevicePrivate,
  isVmHugetlbPage,
  leafPfn,
  leavesOf,
  PM_SOFT_DIRTY,
  pmdTransHuge,
  SWP_SOFT_DIRTY,
  VM_MIXEDMAP,
  VM_SOFTDIRTY,
} from '../../mm/internal.ts';
import { LookKind } from '../footprint.ts';
import type { Looks } from './looks.ts';
import { keyOf, type MemoryChange, type PendingChange, SPACE_PAGES } from './memory-place.ts';
import { pageWords } from './names.ts';

/** Must be soft-dirty; must be dirty. */
const SOFT = 1;
const DIRTY = 2;

/** What an operation takes from the shadows of its range; while it is under way, what is written may be lost to it. */
const TAKES: Record<MemoryChange, number> = {
  map: SOFT | DIRTY,
  unmap: SOFT | DIRTY,
  move: SOFT | DIRTY,
  'move out': SOFT | DIRTY,
  discard: SOFT | DIRTY,
  'give up': SOFT | DIRTY,
  forget: SOFT,
  protect: 0,
  fork: 0,
};

/** What may forget single entries. */
const FORGETS: ReadonlySet<MemoryChange> = new Set(['forget', 'protect', 'fork']);

/** Whether an area's pages have shadows: files are written past their mappings, too, and hugetlb is never forgotten. */
function isShadowed(vma: Vma | undefined): vma is Vma {
  return vma?.file === null && !(vma.flags & VM_MIXEDMAP) && !isVmHugetlbPage(vma);
}

/** Whether an entry is present, or a huge page that is invalid for a moment. */
const isThere = (pte: number): boolean => ptePresent(pte) || pmdTransHuge(pte);

const keysOf = (mm: Mm, vpn: number, pages: number): number[] =>
  Array.from({ length: pages }, (_, i) => keyOf(mm.id, vpn + i));

/** Knows what each page's bits must say. */
export class Shadows {
  /** By page: what must be said of it. */
  private readonly must = new Map<number, number>();
  /**
   * Pages whose next writes nobody sees, or of which it is forgotten that they were written.
   *
   * - 7.3.4's clear_soft_dirty() write-protects present entries alone: one that is under migration or on a device keeps its
   *   right to write, and the CPU that writes through it later takes no fault that would say so (remove_migration_pte()).
   * - Of a page on a device change_pte_range() and copy_nonpresent_pte() do not keep it, and say so: checkpoints, the only
   *   ones who ask, do not work with a device.
   */
  private readonly unseen = new Set<number>();
  private readonly unseenAtFirst: readonly number[];
  /** Operations under way that do the one or the other. */
  private forgetting: PendingChange[] = [];

  /**
   * @param k a machine on which no task runs yet
   * @param looks who notes what is looked at here
   */
  constructor(
    private readonly k: Kernel,
    private readonly looks: Looks,
  ) {
    this.unseenAtFirst = k.mms.flatMap((mm) =>
      leavesOf(k, mm).flatMap(({ vpn, pages, pte }) =>
        isThere(pte) ? [] : keysOf(mm, vpn, pages),
      ),
    );
    this.reset();
  }

  reset(): void {
    if (this.must.size > 0) this.must.clear();
    if (this.forgetting.length > 0) this.forgetting = [];
    if (this.unseen.size === 0 && this.unseenAtFirst.length === 0) return;
    this.unseen.clear();
    for (const key of this.unseenAtFirst) this.unseen.add(key);
  }

  /** An entry is written; it still has its old value. */
  entry(ptep: number): void {
    if (this.forgetting.length === 0) return;
    const { k } = this;
    const old = k.tables.entries[ptep];
    if (old === 0 || isThere(old)) return;
    for (const { mm, change } of this.forgetting) {
      if (change !== 'forget' && !isDevicePrivate(old)) continue;
      const leaf = leavesOf(k, mm).find((one) => one.ptep === ptep);
      if (leaf) this.looks.change(LookKind.Data, mm.id, leaf.vpn, leaf.vpn + leaf.pages);
      for (const key of leaf ? keysOf(mm, leaf.vpn, leaf.pages) : []) {
        this.unseen.add(key);
        this.must.set(key, (this.must.get(key) ?? 0) & ~SOFT);
      }
    }
  }

  /** A CPU writes to a page. */
  write(space: number, vpn: number, pending: readonly PendingChange[]): void {
    let bits = SOFT | DIRTY;
    for (const { change, mm, start, end, to } of pending) {
      if (mm.id !== space) continue;
      const moved = vpn >= to && vpn < to + (end - start) && change.startsWith('move');
      if (moved || (vpn >= start && vpn < end)) bits &= ~TAKES[change];
    }
    const key = keyOf(space, vpn);
    if (this.unseen.has(key)) bits &= ~SOFT;
    this.must.set(key, (this.must.get(key) ?? 0) | bits);
  }

  begin(pending: PendingChange): void {
    if (FORGETS.has(pending.change)) this.forgetting.push(pending);
    this.take(pending);
  }

  end(pending: PendingChange): void {
    if (FORGETS.has(pending.change)) this.forgetting = this.forgetting.filter((p) => p !== pending);
    this.take(pending);
  }

  /** What an operation takes away nobody needs to say any more. */
  private take({ change, mm, start, end, to }: PendingChange): void {
    const taken = TAKES[change];
    if (taken === 0 || this.must.size === 0) return;
    const pages = end - start;
    for (const [key, bits] of this.must) {
      const vpn = key - mm.id * SPACE_PAGES;
      const moved = change.startsWith('move') && vpn >= to && vpn < to + pages;
      if (!moved && (vpn < start || vpn >= end)) continue;
      if ((bits & ~taken) === 0) this.must.delete(key);
      else this.must.set(key, bits & ~taken);
    }
  }

  /** What tells two ends apart. */
  get state(): Iterable<[number, number]> {
    return [...this.must, ...[...this.unseen].map((key): [number, number] => [key, 0])];
  }

  /** Which of some pages must be soft-dirty: before an observer looks. */
  softDirty(mm: Mm, start: number, pages: number): boolean[] {
    this.looks.read(LookKind.Data, mm.id, start, start + pages);
    return Array.from({ length: pages }, (_, i) => this.isSoftDirty(mm, start + i));
  }

  private isSoftDirty(mm: Mm, vpn: number): boolean {
    return ((this.must.get(keyOf(mm.id, vpn)) ?? 0) & SOFT) !== 0 && isShadowed(mm.lookupVma(vpn));
  }

  /**
   * `pagemap` has answered.
   * @param before what had to be soft-dirty when it was asked: it had to be said if it must be still
   */
  observed(mm: Mm, start: number, bits: readonly number[], before: readonly boolean[]): void {
    this.looks.read(LookKind.Data, mm.id, start, start + bits.length);
    bits.forEach((said, i) => {
      if (!before[i] || !this.isSoftDirty(mm, start + i) || said & PM_SOFT_DIRTY) return;
      const where = pageWords(this.k, mm.id, start + i);
      this.k.reportResult('bits', 'pagemap does not say that a page was written', where);
    });
  }

  /** When every task has ended: what entries say. */
  checkAll(): void {
    const { k } = this;
    if (this.must.size === 0) return;
    for (const mm of k.mms) {
      for (const leaf of leavesOf(k, mm)) {
        for (let i = 0; i < leaf.pages; i++) {
          const vma = mm.lookupVma(leaf.vpn + i);
          const must = this.must.get(keyOf(mm.id, leaf.vpn + i)) ?? 0;
          if (must !== 0 && isShadowed(vma)) this.check(mm, leaf.vpn + i, vma, leaf.pte, must);
        }
      }
    }
  }

  private check(mm: Mm, vpn: number, vma: Vma, pte: number, must: number): void {
    const { k } = this;
    const present = isThere(pte);
    const soft = pte & (present ? PTE_SOFT_DIRTY : SWP_SOFT_DIRTY) || vma.flags & VM_SOFTDIRTY;
    const folio = k.pages.head[leafPfn(pte)];
    const dirty = (present && pte & PTE_DIRTY) || k.pages.flags[folio] & PG_DIRTY;
    const lost = must & SOFT && !soft ? 'soft-dirty' : must & DIRTY && !dirty ? 'dirty' : '';
    if (lost === '') return;
    const where = pageWords(k, mm.id, vpn);
    k.reportResult('bits', `a page that was written ends without being ${lost}`, where);
  }
}
