/**
 * Memory accesses by a CPU: the hardware walker, and the fault handler's entry.
 *
 * Models: arch/x86/mm/fault.c
 */
import { Machine } from '../machine/machine.ts';
import {
  mkPte,
  PTE_ACCESSED,
  PTE_DIRTY,
  PTE_FLAGS_MASK,
  PTE_HUGE,
  ptePfn,
  ptePresent,
} from '../machine/pte.ts';
import { type Kernel$, ObjectKind, Role, type Step, StepKind } from '../machine/step.ts';
import type { Tlb } from '../machine/tlb.ts';
import type { Pfn, Ptep, Vpn } from '../machine/units.ts';
import {
  FAULT_FLAG_ALLOW_RETRY,
  FAULT_FLAG_TRIED,
  FAULT_FLAG_WRITE,
  handleMmFault,
  VM_FAULT_ERROR,
  VM_FAULT_OOM,
  VM_FAULT_RETRY,
  VM_FAULT_SIGBUS,
} from './fault.ts';
import type { Kernel } from './kernel.ts';
import type { Mm } from './mm.ts';
import {
  hugeStart,
  missingTable,
  pmdIsTable,
  pmdpOf,
  pteOffsetMap,
  ptepGet,
  setPte,
} from './pgtable.ts';
import { VM_WRITE, vmaIsAccessible } from './vma.ts';

/** An access was refused. */
export const SIGSEGV = -1;
export const SIGBUS = -2;

/** The entry where a walk ends: a leaf, or the entry of an upper table that holds nothing. */
function walkEnd(k: Kernel, mm: Mm, vpn: Vpn): Ptep {
  const pmdp = pmdpOf(k, mm, vpn);
  if (pmdp < 0) return missingTable(k, mm, vpn);
  return pmdIsTable(ptepGet(k, pmdp)) ? pteOffsetMap(k, pmdp, vpn) : pmdp;
}

/** The page to which a walk leads that ends at an entry; -1: none. */
function walkFrame(k: Kernel, mm: Mm, vpn: Vpn, ptep: Ptep): Pfn {
  const pte = ptepGet(k, ptep);
  if (!ptePresent(pte) || pmdIsTable(pte) !== (ptep !== pmdpOf(k, mm, vpn))) return -1;
  return ptePfn(pte) + (pte & PTE_HUGE ? vpn - hugeStart(k, vpn) : 0);
}

/** The page that the TLB names for an address; -1: none. */
function cachedFrame(tlb: Tlb, mm: Mm, vpn: Vpn): Pfn {
  const pte = tlb.lookup(mm.id, vpn);
  return pte === 0 ? -1 : ptePfn(pte);
}

function accessOf(step: Step, frame: Pfn, write: boolean): Step {
  return frame < 0 ? step : step.and(ObjectKind.Frame, frame, write ? Role.Write : Role.Read);
}

/** The step of an access through the TLB. */
function accessStep(k: Kernel, mm: Mm, frame: Pfn, write: boolean): Step {
  return accessOf(k.step(StepKind.CpuAccess, ObjectKind.Tlb, mm.id, Role.Read), frame, write);
}

/**
 * The step of a hardware walk, and of the access that it is for. Walks commute with each other: each
 * sets bits of the entry, and fills the TLB of its own CPU.
 */
function fillStep(k: Kernel, mm: Mm, vpn: Vpn, ptep: Ptep, frame: Pfn, write: boolean): Step {
  const step = k.step(StepKind.TlbFill, ObjectKind.Entry, ptep, Role.Commute);
  step.and(ObjectKind.Tlb, mm.id, Role.Read);
  const pmdp = pmdpOf(k, mm, vpn);
  if (pmdp >= 0 && pmdp !== ptep) step.and(ObjectKind.Entry, pmdp, Role.Read);
  return accessOf(step, frame, write);
}

/**
 * Sets accessed and dirty bits and fills the TLB.
 *
 * Mirrors: the hardware's page walk
 * simplified: one step, as if nothing could come between the levels
 * @returns the translation as the TLB keeps it, or 0 for a fault
 */
export function* hardwareWalk(
  k: Kernel,
  tlb: Tlb,
  mm: Mm,
  vpn: Vpn,
  write: boolean,
): Kernel$<number> {
  let ptep = walkEnd(k, mm, vpn);
  // the whole walk is one step: a table that it reads is freed after a flush that waits for it; what the
  // step names it must find
  let entry = -1;
  let frame = -1;
  while (k.stepping && (entry !== ptep || frame !== walkFrame(k, mm, vpn, ptep))) {
    entry = ptep;
    frame = walkFrame(k, mm, vpn, ptep);
    if (k.stepping) yield fillStep(k, mm, vpn, entry, frame, write);
    ptep = walkEnd(k, mm, vpn);
  }
  const pmdp = pmdpOf(k, mm, vpn);
  if (pmdp < 0 || (ptep === pmdp && !(ptepGet(k, pmdp) & PTE_HUGE))) return 0;
  let pte = ptepGet(k, ptep);
  if (!Machine.permits(pte, write)) return 0;
  pte |= PTE_ACCESSED | (write ? PTE_DIRTY : 0);
  setPte(k, ptep, pte);
  k.counters.tlbFills++;
  let cached = pte;
  if (ptep === pmdp) {
    const offset = vpn - hugeStart(k, vpn);
    cached = mkPte(ptePfn(pte) + offset, pte & PTE_FLAGS_MASK);
  }
  tlb.fill(mm.id, vpn, cached);
  return cached;
}

/**
 * Translates an address for the current CPU, faulting as often as it takes.
 *
 * Mirrors: arch/x86/mm/fault.c do_user_addr_fault()
 * simplified: user accesses; mmap_lock instead of per-area locks
 * @returns the frame number, or SIGSEGV or SIGBUS
 */
export function* translate(k: Kernel, mm: Mm, vpn: Vpn, write: boolean): Kernel$<number> {
  const tlb = k.tlbs[k.current.cpu];
  let tried = 0;
  let lacked = false;
  for (;;) {
    let frame = -2;
    while (k.stepping && frame !== cachedFrame(tlb, mm, vpn)) {
      frame = cachedFrame(tlb, mm, vpn);
      if (k.stepping) yield accessStep(k, mm, frame, write);
    }
    let pte = tlb.lookup(mm.id, vpn);
    if (pte !== 0 && Machine.permits(pte, write) && (!write || pte & PTE_DIRTY)) {
      return ptePfn(pte);
    }
    pte = yield* hardwareWalk(k, tlb, mm, vpn, write);
    if (pte !== 0) return ptePfn(pte);
    // a fault drops what the TLB holds of the address
    tlb.flushPage(mm.id, vpn);
    k.counters.cpuFaults++;
    if (k.stepping) yield k.acquire(mm.mmapLock, true);
    k.lockShared(mm.mmapLock);
    const vma = mm.lookupVma(vpn);
    let ret = 0;
    let refused = 0;
    if (!vma || (write ? !(vma.flags & VM_WRITE) : !vmaIsAccessible(vma))) refused = SIGSEGV;
    else {
      const flags = FAULT_FLAG_ALLOW_RETRY | tried | (write ? FAULT_FLAG_WRITE : 0);
      ret = yield* handleMmFault(k, vma, vpn, flags);
    }
    if (ret & VM_FAULT_RETRY) {
      // mmap_lock is not held any more
      tried = FAULT_FLAG_TRIED;
      continue;
    }
    tried = 0;
    if (k.stepping) yield k.release(mm.mmapLock);
    k.unlockShared(mm.mmapLock);
    if (refused) return refused;
    // out of memory: the kernel tries the access again; where nobody else runs, there will be none for ever
    if (ret & VM_FAULT_OOM) {
      if (lacked && !k.stepping && k.failAllocations === 0) k.outOfRam();
      lacked = true;
    }
    if (ret & VM_FAULT_ERROR & ~VM_FAULT_OOM) return ret & VM_FAULT_SIGBUS ? SIGBUS : SIGSEGV;
  }
}

/**
 * Stores the first word of a page.
 *
 * Mirrors: the hardware's store
 * simplified: a word at the start of a page
 * @param word exact up to 2^53
 * @returns 0, SIGSEGV or SIGBUS
 */
export function* cpuWriteWord(k: Kernel, mm: Mm, vpn: Vpn, word: number): Kernel$<number> {
  const pfn = yield* translate(k, mm, vpn, true);
  if (pfn < 0) return pfn;
  k.frames.writeWord(pfn, word);
  if (k.monitor !== null) k.monitor.onCpuAccess(mm.id, vpn, pfn, word, true);
  return 0;
}

/**
 * Loads the first word of a page; -1 and -2 are SIGSEGV and SIGBUS.
 *
 * Mirrors: the hardware's load
 * simplified: a word at the start of a page
 */
export function* cpuReadWord(k: Kernel, mm: Mm, vpn: Vpn): Kernel$<number> {
  const pfn = yield* translate(k, mm, vpn, false);
  if (pfn < 0) return pfn;
  const word = k.frames.readWord(pfn);
  if (k.monitor !== null) k.monitor.onCpuAccess(mm.id, vpn, pfn, word, false);
  return word;
}

/**
 * Loads a whole page.
 *
 * Mirrors: the hardware's loads
 * simplified: one translation for all of them, at once
 * @param into its bytes
 * @returns 0, SIGSEGV or SIGBUS
 */
export function* cpuReadPage(k: Kernel, mm: Mm, vpn: Vpn, into: Uint8Array): Kernel$<number> {
  const pfn = yield* translate(k, mm, vpn, false);
  if (pfn < 0) return pfn;
  k.frames.read(pfn, into);
  if (k.monitor !== null) k.monitor.onCpuAccess(mm.id, vpn, pfn, k.frames.readWord(pfn), false);
  return 0;
}

/**
 * Stores a whole page.
 *
 * Mirrors: the hardware's stores
 * simplified: one translation for all of them, at once
 * @param from its bytes
 * @returns 0, SIGSEGV or SIGBUS
 */
export function* cpuWritePage(k: Kernel, mm: Mm, vpn: Vpn, from: Uint8Array): Kernel$<number> {
  const pfn = yield* translate(k, mm, vpn, true);
  if (pfn < 0) return pfn;
  k.frames.write(pfn, from);
  if (k.monitor !== null) k.monitor.onCpuAccess(mm.id, vpn, pfn, k.frames.readWord(pfn), true);
  return 0;
}
