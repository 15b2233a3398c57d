/** What a run counts. All are plain numbers, from 0. */
export class Counters {
  /** Page-table walks started by `hmm_range_fault()` and `migrate_vma_setup()`, each round one. */
  walks = 0;
  /** Page-table entries that these walks looked at (a huge mapping is one entry). */
  entriesVisited = 0;
  /** Page faults handled (`handle_mm_fault()`), whoever asked. */
  faults = 0;
  /** Page faults taken by a CPU. */
  cpuFaults = 0;
  /** TLB flushes: pages or ranges, each one. */
  tlbFlushes = 0;
  /** TLB entries filled by the hardware walker. */
  tlbFills = 0;
  /** Folio locks taken. */
  folioLocks = 0;
  /** Bytes copied from page to page, in RAM, to the device and from it. */
  bytesCopied = 0;
  /** Bytes of pages cleared. */
  bytesCleared = 0;
  /** MMU notifier invalidations started. */
  invalidations = 0;
  /** Folios split. */
  splits = 0;
  /** Pages allocated, in RAM and on devices. */
  pagesAllocated = 0;
  /** Pages whose migration was finished. */
  pagesMigrated = 0;

  /** A plain copy, in a fixed order. */
  snapshot(): Record<string, number> {
    return Object.fromEntries(Object.entries(this));
  }

  reset(): void {
    Object.assign(this, new Counters());
  }
}
