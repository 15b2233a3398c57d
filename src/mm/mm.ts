import type { Lock } from '../machine/lock.ts';
import type { SpaceId, TableId, Vpn } from '../machine/units.ts';
import type { NotifierSubscriptions } from './mmu-notifier.ts';
import type { UserfaultfdCtx } from './userfaultfd.ts';
import type { Vma } from './vma.ts';

/** What is left of an address space without users, for those who have it noted (mm_count). */
export const MM_KEEPS = ['id', 'ended', 'mmapLock', 'subscriptions', 'userfaultfds'];

/**
 * A process's address space.
 *
 * Models: include/linux/mm_types.h struct mm_struct
 */
export class Mm {
  /** Memory areas in the order of their addresses; they never overlap. */
  readonly vmas: Vma[] = [];
  /** Number of the highest page table (PGD): every walk starts here and goes down from table to table. */
  pgd: TableId = 0;
  /** Pages mapped, by kind (MM_ANONPAGES; MM_FILEPAGES and MM_SHMEMPAGES together). */
  anonPages = 0;
  filePages = 0;
  /** Pages of huge pages of the pool, which are neither. */
  hugetlbPages = 0;
  /** The OOM reaper takes memory away: nothing new may be mapped (MMF_UNSTABLE). */
  unstable = false;
  /** The userfaultfds that the process has made, also those that are closed. */
  readonly userfaultfds: UserfaultfdCtx[] = [];
  /** Lowest-level tables (mm_nr_ptes). */
  pteTables = 0;
  /** Its last user is gone: nobody may begin to use it any more (mm_users is 0). */
  ended = false;
  /** Odd while a fork write-protects entries (write_protect_seq). */
  writeProtectSeq = 0;

  constructor(
    /** From 1; the TLBs' tag. */
    readonly id: SpaceId,
    /** mmap_lock. */
    readonly mmapLock: Lock,
    /** page_table_lock: upper tables, and publishing an anon_vma. */
    readonly pageTableLock: Lock,
    readonly subscriptions: NotifierSubscriptions,
  ) {}

  /** The first area that ends above `vpn` (find_vma()). */
  findVma(vpn: Vpn): Vma | undefined {
    const at = this.indexAfter(vpn);
    return this.vmas[at];
  }

  /** The area that holds `vpn` (vma_lookup()). */
  lookupVma(vpn: Vpn): Vma | undefined {
    const vma = this.findVma(vpn);
    return vma && vma.start <= vpn ? vma : undefined;
  }

  /** Index of the first area that ends above `vpn`. */
  indexAfter(vpn: Vpn): number {
    let low = 0;
    let high = this.vmas.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.vmas[middle].end <= vpn) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
