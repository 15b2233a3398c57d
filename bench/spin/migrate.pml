/*
 * A device faults one page and migrates it while a CPU writes to it twice: the protocol of the walk
 * `unified` (src/drivers/device-fault.ts, src/hmm/, src/mm/mmu-notifier.ts), by hand. A statement, or
 * a d_step, is what a step of Softleaf does up to the next one.
 *
 * What is here: the entry, the CPU's TLB with a hardware walker, the locks (mmap_lock, page table, folios,
 * notifier subscriptions, the mirror's mutex), references, the notifier's sequence, the device's page table,
 * the copy; the CPU's fault that waits for a migration, and the one that brings the page back.
 * What is not: page tables above the entry, areas, allocation that fails, LRU lists, the reverse map, dirty
 * and accessed bits, any second page or process.
 *
 * -DNO_FLUSH: the TLB is not flushed when the migration entry is installed.
 */

#define POISON 9
#define NOBODY 9

mtype = { ram, migration, private };

/* frames: 0 RAM at first, 1 the device's, 2 RAM when the page comes back */
byte mem[3] = { 1, POISON, POISON };
byte refs[3] = { 1, 0, 0 };
bool locked[3];

mtype pte = ram;
byte pfn = 0;
bool ptl;
/* the CPU has written to the page before */
bool tlb = true;
byte tlbPfn = 0;

byte mmapReaders;
bool subs;            /* the subscriptions' lock */
byte invalidations;
byte sequence = 2;
byte notifierSeq = 1;
bool mutex;           /* the mirror's */
byte table = NOBODY;  /* the device's entry of the page */

bool gpuDone, cpuDone;

inline lock(l)   { atomic { !l -> l = true } }
inline unlock(l) { l = false }

inline putPage(f) {
  d_step {
    assert(refs[f] > 0);
    refs[f]--;
    if
    :: refs[f] == 0 ->
      assert(!(tlb && tlbPfn == f));
      assert(table != f);
      mem[f] = POISON
    :: else
    fi
  }
}

/* MMU_NOTIFY_MIGRATE with the device as owner: its own callback passes it over */
inline invalidateStart() {
  lock(subs);
  d_step { invalidations++; sequence = sequence | 1 };
  unlock(subs)
}
inline invalidateEnd() {
  lock(subs);
  d_step {
    invalidations--;
    if
    :: invalidations == 0 && (sequence & 1) -> sequence++
    :: else
    fi
  };
  unlock(subs)
}

proctype gpu() {
  byte seq, word;
  bool prepared, invalidating;

  mmapReaders++;
  /* what the device cannot access: the page */
  lock(mutex); assert(table == NOBODY); unlock(mutex);
  /* mmu_interval_read_begin() */
  lock(subs);
  d_step { seq = notifierSeq; invalidating = (notifierSeq == sequence) };
  unlock(subs);
  if :: invalidating -> sequence != seq :: else fi;

  /* hmm_range_fault() with range->migrate */
  assert(notifierSeq == seq);
  invalidateStart();
  lock(ptl);
  if
  :: pte == ram ->
    /* hmm_vma_handle_migrate_prepare(): a reference, the folio's lock, the entry; the mapping's reference */
    refs[0]++;
    assert(!locked[0]);
    locked[0] = true;
    pte = migration;
    prepared = true;
    putPage(0)
  :: else
  fi;
#ifndef NO_FLUSH
  tlb = false;
#endif
  unlock(ptl);
  invalidateEnd();

  /* the driver maps what was found, if nothing was invalidated meanwhile */
  lock(mutex);
  if :: notifierSeq == seq && prepared -> table = 0 :: else fi;
  unlock(mutex);

  if
  :: prepared ->
    /* migrate_device_unmap(): nobody else holds it */
    assert(refs[0] == 1);
    d_step { refs[1] = 1; locked[1] = true };
    /* migrate_alloc_and_copy */
    lock(mutex); if :: table == 0 -> table = NOBODY :: else fi; unlock(mutex);
    mem[1] = mem[0];
    /* migrate_vma_pages(), migrate_finalize_and_map */
    lock(mutex); table = 1; unlock(mutex);
    /* migrate_vma_finalize(): remove_migration_ptes() */
    lock(ptl);
    d_step { assert(pte == migration); pte = private; pfn = 1; refs[1]++ };
    unlock(ptl);
    locked[0] = false;
    putPage(0);
    locked[1] = false;
    putPage(1)
  :: else
  fi;

  /* read back through the device's own page table */
  lock(mutex);
  if
  :: table != NOBODY -> word = mem[table]; assert(word != POISON)
  :: else
  fi;
  unlock(mutex);
  mmapReaders--;
  gpuDone = true
}

/* do_swap_page() on a device-private entry: the page comes back to RAM */
inline bringBack() {
  lock(ptl);
  if
  :: pte == private && !locked[1] ->
    d_step { refs[1]++; locked[1] = true };
    unlock(ptl);
    invalidateStart();
    lock(ptl);
    d_step { pte = migration; refs[1]++ };
    putPage(1);
    unlock(ptl);
    invalidateEnd();
    d_step { refs[2] = 1; locked[2] = true };
    lock(mutex); table = NOBODY; unlock(mutex);
    mem[2] = mem[1];
    lock(ptl);
    d_step { pte = ram; pfn = 2; refs[2]++ };
    unlock(ptl);
    locked[1] = false;
    putPage(1);
    locked[2] = false;
    putPage(2);
    putPage(1)
  :: pte == private && locked[1] ->
    unlock(ptl);
    !locked[1]
  :: else ->
    unlock(ptl)
  fi
}

inline store(value) {
  done = false;
  do
  :: done -> break
  :: !done && tlb ->
    d_step { if :: tlb -> mem[tlbPfn] = value; done = true :: else fi }
  :: !done && !tlb ->
    /* the hardware walks: one look at the entry fills the TLB */
    d_step { seen = pte; if :: pte == ram -> tlb = true; tlbPfn = pfn :: else fi };
    if
    :: seen == ram
    :: else ->
      mmapReaders++;
      seen = pte;
      if
      :: seen == ram
      :: seen == migration ->           /* migration_entry_wait() */
        lock(ptl);
        d_step { waits = (pte == migration); frame = pfn };
        unlock(ptl);
        if :: waits -> !locked[frame] || pte != migration :: else fi
      :: seen == private -> bringBack()
      fi;
      mmapReaders--
    fi
  od
}

proctype cpu() {
  bool done, waits;
  mtype seen;
  byte frame;
  store(2);
  store(3);
  cpuDone = true
}

init {
  atomic { run gpu(); run cpu() };
  gpuDone && cpuDone;
  /* every write is there, nothing is half done */
  assert(pte != migration);
  assert(!locked[0] && !locked[1] && !locked[2]);
  assert(refs[pfn] == 1);
  assert(mem[pfn] == 3);
  assert(mmapReaders == 0 && invalidations == 0 && (sequence & 1) == 0)
}
