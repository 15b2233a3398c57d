/**
 * The pool of huge pages that hugetlb mappings are made of, and who has reserved how many.
 *
 * Models: mm/hugetlb.c (the pool, reservations)
 */
import type { Lock } from '../machine/lock.ts';
import { PG_HUGETLB, PG_RESTORE_RESERVE } from '../machine/page.ts';
import type { Folio } from '../machine/units.ts';
import type { Kernel } from './kernel.ts';

/** struct hstate; counts are of huge pages. `hugetlb_lock` is one step, see Machine.poolStep(). */
export class HugetlbPool {
  /** Free ones that were in use; the last to be freed is taken first. */
  private readonly freed: Folio[] = [];
  /** Free ones that RAM has not been taken for. */
  private untouched: number;
  /** Free ones that are promised (resv_huge_pages). For a moment it can be below zero. */
  reserved = 0;
  /**
   * Promises that nobody can keep or give back: when a part of an area moves, the rest of it forgets
   * what it has reserved, and the count stays.
   */
  lost = 0;

  /** @param total huge pages in the pool (nr_hugepages) */
  constructor(readonly total: number) {
    this.untouched = total;
  }

  /** free_huge_pages */
  get free(): number {
    return this.untouched + this.freed.length;
  }

  /** Free huge pages whose frames are known. */
  get frames(): readonly number[] {
    return this.freed;
  }

  /** The huge page that would be taken next; -1: one that nobody has used yet, or none. */
  get next(): number {
    return this.freed.length === 0 ? -1 : this.freed[this.freed.length - 1];
  }

  /**
   * Takes a huge page.
   *
   * Mirrors: mm/hugetlb.c dequeue_hugetlb_folio()
   * simplified: one node; RAM is taken for a huge page when it is used for the first time
   * @returns its first frame number with one reference, or -1
   */
  take(k: Kernel): Folio {
    const { pages } = k;
    const order = k.geometry.pmdOrder;
    let folio = this.freed.pop();
    if (folio === undefined) {
      if (this.untouched === 0) return -1;
      folio = pages.takeRam(order, k.ramLimit, k.current.cpu);
      if (folio < 0) return -1;
      this.untouched--;
    }
    if (k.monitor !== null) k.monitor.onUse(folio, 1 << order);
    pages.initFolio(folio, order);
    pages.flags[folio] |= PG_HUGETLB;
    k.frames.ensure(folio + (1 << order));
    k.counters.pagesAllocated += 1 << order;
    return folio;
  }

  /** Puts a free huge page back (enqueue_hugetlb_folio()). */
  give(folio: Folio): void {
    this.freed.push(folio);
  }

  /**
   * Promises huge pages, or takes promises back.
   *
   * Mirrors: mm/hugetlb.c hugetlb_acct_memory(), gather_surplus_pages()
   * simplified: the pool does not grow (nr_overcommit_hugepages is 0)
   * @returns whether there are enough
   */
  account(delta: number): boolean {
    // what is promised may be less than nothing for a moment: then a promise needs a free page, too
    if (delta > 0 && (this.reserved + delta > this.free || delta > this.free)) return false;
    this.reserved += delta;
    return true;
  }
}

/**
 * The last reference of a huge page is gone: it goes back to the pool.
 *
 * Mirrors: mm/hugetlb.c free_huge_folio()
 * simplified: no surplus pages, no control groups
 */
export function freeHugeFolio(k: Kernel, folio: Folio, flags: number): void {
  if (flags & PG_RESTORE_RESERVE) k.hugetlb.reserved++;
  k.hugetlb.give(folio);
}

/**
 * What the process that made a private mapping has used of its reservation, by the huge page's number
 * in the file. Areas that were one share it.
 *
 * Models: mm/hugetlb.c struct resv_map
 */
export class ReserveMap {
  /** Areas that have it. */
  refs = 1;
  readonly used = new Set<number>();

  constructor(
    /** Held where entries are looked at (shared) or taken away (rw_sema, hugetlb_vma_lock_*()). */
    readonly lock: Lock,
  ) {}
}
