/*
 * A GPU reads a page through its own page table, and faults where that has nothing, while the process
 * unmaps the page: the protocol of examples/scenarios/, by hand. A statement, or a d_step, is what a step
 * of Softleaf does up to the next one.
 *
 * What is here: the entry, the CPU's TLB, the locks (mmap_lock, page table, notifier subscriptions, the
 * GPU's), the notifier's sequence, the GPU's page table, the page and what becomes of it.
 * What is not: page tables above the entry, areas but for whether there is one, references.
 *
 * -DWITHOUT_LOCK: the fault handler looks at the sequence before it takes its lock.
 */

#define POISON 9

byte mem = 42;
bool present = true;  /* the entry */
bool area = true;
bool ptl;
bool tlb = true;

bool mmapWriter;
byte mmapReaders;
bool subs;            /* the subscriptions' lock */
byte invalidations;
byte sequence = 2;
byte notifierSeq = 1;
bool gpuLock;
bool table;           /* the GPU's entry of the page */

bool gpuDone, cpuDone;

inline lock(l)   { atomic { !l -> l = true } }
inline unlock(l) { l = false }

inline mapPage() {
  d_step { table = true; assert(present) }
}

proctype gpu() {
  byte seq;
  bool invalidating, found, gone, read;

  do
  :: read || gone -> break
  :: else ->
    lock(gpuLock);
    if
    :: table -> assert(mem == 42); read = true
    :: else
    fi;
    unlock(gpuLock);
    if
    :: read -> skip
    :: else ->
      /* mmu_interval_read_begin() */
      lock(subs);
      d_step { seq = notifierSeq; invalidating = (notifierSeq == sequence) };
      unlock(subs);
      if :: invalidating -> sequence != seq :: else fi;
      /* hmm_range_fault() */
      atomic { !mmapWriter -> mmapReaders++ };
      if
      :: notifierSeq != seq -> found = false
      :: else -> d_step { found = present; gone = !area }
      fi;
      mmapReaders--;
      if
      :: !found -> skip
      :: else ->
#ifdef WITHOUT_LOCK
        if
        :: notifierSeq != seq -> skip
        :: else -> lock(gpuLock); mapPage(); unlock(gpuLock)
        fi
#else
        lock(gpuLock);
        if
        :: notifierSeq != seq -> skip
        :: else -> mapPage()
        fi;
        unlock(gpuLock)
#endif
      fi
    fi
  od;
  gpuDone = true
}

/* munmap() */
proctype cpu() {
  byte inv;

  atomic { !mmapWriter && mmapReaders == 0 -> mmapWriter = true };
  area = false;
  lock(subs);
  d_step { invalidations++; sequence = sequence | 1; inv = sequence };
  unlock(subs);
  /* the driver's callback */
  lock(gpuLock);
  d_step { notifierSeq = inv; table = false };
  unlock(gpuLock);
  lock(ptl);
  present = false;
  tlb = false;
  unlock(ptl);
  d_step { assert(!table); mem = POISON };
  lock(subs);
  d_step { invalidations--; sequence++ };
  unlock(subs);
  mmapWriter = false;
  cpuDone = true
}

init {
  atomic { run gpu(); run cpu() };
  gpuDone && cpuDone;
  assert(!table && !present)
}
