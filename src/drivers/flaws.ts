/**
 * What lib/test_hmm.c of 7.3.4 has wrong with tasks that run at the same time. The stock driver has all of it and notes
 * when it comes to it, so that what breaks then is told by its name.
 */

/** A flaw of Linux's own test driver. */
export interface Flaw {
  /** What goes wrong. */
  readonly name: string;
  /** The kernel's function, and what it does there. */
  readonly why: string;
}

export const FLAWS = {
  late: {
    name: 'a device maps what was taken away as it migrated',
    why: 'dmirror_migrate_finalize_and_map() does not ask what was invalidated since migrate_vma_setup()',
  },
  moved: {
    name: 'a device maps what its own migration has moved',
    why: 'dmirror_interval_invalidate() passes over MMU_NOTIFY_MIGRATE of its own device: mmu_interval_read_retry() does not tell dmirror_range_fault() of it',
  },
  copied: {
    name: 'a device writes to a page of which a copy is under way',
    why: 'dmirror_migrate_alloc_and_copy() leaves the entries of what it copies, and dmirror_do_write() goes on with them',
  },
  other: {
    name: 'another open file of a device keeps what has moved',
    why: 'dmirror_interval_invalidate() compares the device with the owner of a migration, not the open file: nobody erases the entries of the others',
  },
  claimed: {
    name: 'a device claims a page that was dropped',
    why: 'dmirror_atomic_map() enters what make_device_exclusive() gave, whatever was invalidated since',
  },
  closed: {
    name: 'a page is left of a device that was closed',
    why: 'dmirror_fops_release() evicts once and leaves what somebody has locked: dmirror_devmem_fault() then uses a struct dmirror that was freed',
  },
  unlocked: {
    name: 'memory of a device is evicted that is gone',
    why: 'dmirror_fops_release() goes through devmem_chunks without devmem_lock, while dmirror_device_remove_chunks() frees them',
  },
  waits: {
    name: 'memory of a device is waited for with its lock held',
    why: 'dmirror_device_remove_chunks() calls memunmap_pages() under devmem_lock, which dmirror_allocate_chunk() wants with pages locked',
  },
} as const satisfies Record<string, Flaw>;
