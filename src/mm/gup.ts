/**
 * Taking references on a process's pages from outside its page tables.
 *
 * Models: mm/gup.c
 */
import { EFAULT, EINVAL, ENOMEM } from '../machine/errno.ts';
import { PG_DIRTY, PG_REFERENCED } from '../machine/page.ts';
import {
  PTE_PRESENT,
  PTE_SPECIAL,
  pteDirty,
  ptePfn,
  ptePresent,
  pteProtnone,
  pteWrite,
} from '../machine/pte.ts';
import { type Kernel$, Role, Space, type Step } from '../machine/step.ts';
import { FAULT_FLAG_REMOTE, FAULT_FLAG_WRITE, handleMmFault, vmFaultToErrno } from './fault.ts';
import {
  folioFree,
  folioGet,
  folioIsLarge,
  folioMarkAccessed,
  folioPut,
  folioPutTestzero,
  folioSet,
  folioTest,
  folioTestAnon,
  lruAddDrain,
  pageAnonExclusive,
  pageFolio,
} from './folio.ts';
import { splitHugePmd, touchPmd } from './huge-memory.ts';
import type { Kernel } from './kernel.ts';
import { Holder } from './ledger.ts';
import type { Mm } from './mm.ts';
import {
  hugeStart,
  lackStep,
  lacksTable,
  pmdIsTable,
  pmdPresent,
  pmdpOf,
  pmdTransHuge,
  pteOffsetMap,
  ptepGet,
  ptlOf,
} from './pgtable.ts';
import { GUP_PIN_COUNTING_BIAS } from './rmap.ts';
import { VM_READ, VM_WRITE, type Vma } from './vma.ts';

/** FOLL_*: what the caller wants of a page. */
export interface GupFlags {
  write?: boolean;
  /** Take a reference (FOLL_GET). Default true. */
  get?: boolean;
  /** Split a huge mapping first (FOLL_SPLIT_PMD). */
  splitPmd?: boolean;
  /** Note the access (FOLL_TOUCH). */
  touch?: boolean;
}

/** Mirrors: mm/gup.c check_vma_flags(); simplified: without FOLL_FORCE */
function checkVmaFlags(vma: Vma, flags: GupFlags): number {
  return vma.flags & (flags.write ? VM_WRITE : VM_READ) ? 0 : -EFAULT;
}

function* take(k: Kernel, page: number, pte: number, flags: GupFlags): Kernel$<void> {
  const folio = pageFolio(k, page);
  if (flags.get !== false) folioGet(k, folio, Holder.Pin);
  if (flags.touch) {
    if (flags.write && !pteDirty(pte) && !folioTest(k, folio, PG_DIRTY)) {
      folioSet(k, folio, PG_DIRTY);
    }
    if (!k.isZero(page)) yield* folioMarkAccessed(k, folio);
  }
}

/** The entry is a table by now. */
const NOT_HUGE = -2;

/**
 * Mirrors: mm/gup.c follow_huge_pmd()
 * simplified: no FOLL_PIN
 * @returns the page, -1, or NOT_HUGE
 */
function* followHugePmd(k: Kernel, pmdp: number, vpn: number, flags: GupFlags): Kernel$<number> {
  const ptl = ptlOf(k, pmdp);
  if (k.stepping) yield k.acquire(ptl);
  k.lock(ptl);
  const pmd = ptepGet(k, pmdp);
  const huge = pmdTransHuge(pmd);
  let page = -1;
  if (huge && !pteProtnone(pmd) && (!flags.write || pteWrite(pmd))) {
    page = ptePfn(pmd) + (vpn - hugeStart(k, vpn));
    const folio = pageFolio(k, page);
    if (k.stepping) yield k.writeFolio(folio);
    if (flags.get !== false) folioGet(k, folio, Holder.Pin);
    if (flags.touch) yield* touchPmd(k, pmdp, flags.write === true);
  }
  if (k.stepping) yield k.release(ptl);
  k.unlock(ptl);
  return pmdIsTable(pmd) ? NOT_HUGE : page;
}

/**
 * The page that is mapped at an address in the wanted way, referenced; or -1.
 *
 * Mirrors: mm/gup.c follow_page_mask(), follow_pmd_mask(), follow_page_pte()
 * simplified: no FOLL_PIN, no special mappings but the zero page
 */
function* followPage(k: Kernel, vma: Vma, vpn: number, flags: GupFlags): Kernel$<number> {
  if (k.stepping && lacksTable(k, vma.mm, vpn)) yield lackStep(k, vma.mm, vpn);
  const pmdp = pmdpOf(k, vma.mm, vpn);
  if (pmdp < 0) return -1;
  if (k.stepping) yield k.readEntry(pmdp);
  if (!pmdPresent(ptepGet(k, pmdp))) return -1;
  if (pmdTransHuge(ptepGet(k, pmdp))) {
    if (flags.splitPmd) yield* splitHugePmd(k, vma, pmdp, vpn);
    else {
      const page = yield* followHugePmd(k, pmdp, vpn, flags);
      if (page !== NOT_HUGE) return page;
    }
  }
  const ptep = pteOffsetMap(k, pmdp, vpn);
  if (ptep < 0) return -1;
  const ptl = ptlOf(k, ptep);
  if (k.stepping) yield k.acquire(ptl).and(Space.Entry, ptep, Role.Read);
  k.lock(ptl);
  const pte = ptepGet(k, ptep);
  let page = -1;
  if (ptePresent(pte) && !pteProtnone(pte) && (!flags.write || pteWrite(pte))) {
    page = ptePfn(pte);
    if (k.stepping) yield k.writeFolio(pageFolio(k, page));
    yield* take(k, page, pte, flags);
  }
  if (k.stepping) yield k.release(ptl);
  k.unlock(ptl);
  return page;
}

/** Mirrors: mm/gup.c faultin_page(); simplified: never drops mmap_lock */
function* faultinPage(k: Kernel, vma: Vma, vpn: number, flags: GupFlags): Kernel$<number> {
  const faultFlags = FAULT_FLAG_REMOTE | (flags.write ? FAULT_FLAG_WRITE : 0);
  return vmFaultToErrno(yield* handleMmFault(k, vma, vpn, faultFlags));
}

/**
 * Faults a page in as wanted and takes a reference on it (holder Pin).
 *
 * Mirrors: mm/gup.c __get_user_pages() for one page
 * faithful
 * @returns the page's frame number, or a negative errno
 */
export function* getUserPage(k: Kernel, mm: Mm, vpn: number, flags: GupFlags): Kernel$<number> {
  k.assertHeld(mm.mmapLock);
  const vma = mm.lookupVma(vpn);
  if (!vma) return -EFAULT;
  const err = checkVmaFlags(vma, flags);
  if (err) return err;
  for (;;) {
    const page = yield* followPage(k, vma, vpn, flags);
    if (page >= 0) return page;
    const ret = yield* faultinPage(k, vma, vpn, flags);
    if (ret) return ret;
  }
}

/** The step before a walk without locks looks whether all is still as it was. */
function recheckStep(k: Kernel, ptep: number, pmdp: number, folio: number): Step {
  const step = k.readEntry(ptep).and(Space.Folio, folio, Role.Write);
  return ptep === pmdp ? step : step.and(Space.Entry, pmdp, Role.Read);
}

/**
 * The page that the page table maps at an address, referenced, without any lock; or -1.
 *
 * Mirrors: mm/gup.c gup_fast_pmd_range(), gup_fast_pmd_leaf(), gup_fast_pte_range(),
 *   try_grab_folio_fast(), mm/internal.h gup_must_unshare()
 * faithful
 * @param pin pin it rather than reference it (FOLL_PIN)
 */
export function* gupFast(
  k: Kernel,
  mm: Mm,
  vpn: number,
  write: boolean,
  pin = false,
): Kernel$<number> {
  if (k.stepping && lacksTable(k, mm, vpn)) yield lackStep(k, mm, vpn);
  const pmdp = pmdpOf(k, mm, vpn);
  if (pmdp < 0) return -1;
  if (k.stepping) yield k.readEntry(pmdp);
  const pmd = ptepGet(k, pmdp);
  const huge = pmdTransHuge(pmd);
  const ptep = huge ? pmdp : pteOffsetMap(k, pmdp, vpn);
  if (ptep < 0) return -1;
  if (k.stepping && !huge) yield k.readEntry(ptep);
  const pte = huge ? pmd : ptepGet(k, ptep);
  if (!(pte & PTE_PRESENT) || pte & PTE_SPECIAL) return -1;
  if (write && !pteWrite(pte)) return -1;
  const page = ptePfn(pte) + (huge ? vpn - hugeStart(k, vpn) : 0);
  const folio = pageFolio(k, page);
  if (k.stepping) yield k.writeFolio(folio);
  if (k.pages.refcount[folio] <= 0) return -1;
  if (pin) pinFolio(k, folio);
  else folioGet(k, folio, Holder.Pin);
  if (k.stepping) yield recheckStep(k, ptep, pmdp, folio);
  // the entry, its table or the folio may have become something else meanwhile
  let same = ptepGet(k, ptep) === pte && (huge || ptepGet(k, pmdp) === pmd);
  // a page that others share must not be pinned for reading: a write would part it from its process
  if (pin && !pteWrite(pte) && folioTestAnon(k, folio) && !pageAnonExclusive(k, page)) same = false;
  if (!same || pageFolio(k, page) !== folio) {
    yield* pin ? unpinFolio(k, folio) : folioPut(k, folio, Holder.Pin);
    return -1;
  }
  k.warn(!k.hasFrame(page), 'a reference on a page that no CPU can reach');
  folioSet(k, folio, PG_REFERENCED);
  return page;
}

/**
 * References one page for reading, as vmsplice() does.
 *
 * Mirrors: mm/gup.c gup_fast_fallback() for one page
 * faithful
 * @returns the page's frame number (holder Pin), or a negative errno
 */
export function* pinUserPage(k: Kernel, mm: Mm, vpn: number): Kernel$<number> {
  const fast = yield* gupFast(k, mm, vpn, false);
  if (fast >= 0) return fast;
  if (k.stepping) yield k.acquire(mm.mmapLock, true);
  k.lockShared(mm.mmapLock);
  const page = yield* getUserPage(k, mm, vpn, { touch: true });
  if (k.stepping) yield k.release(mm.mmapLock);
  k.unlockShared(mm.mmapLock);
  return page;
}

/**
 * Pins a folio that the caller keeps from being freed: its bytes are read and written from outside,
 * so it must stay where it is. The step before it is the caller's.
 *
 * Mirrors: mm/gup.c try_grab_folio(), with FOLL_PIN
 * simplified: one pin at a time, no statistics
 */
export function pinFolio(k: Kernel, folio: number): void {
  const { pinCount } = k.pages;
  if (folioIsLarge(k, folio)) {
    folioGet(k, folio, Holder.Pin);
    pinCount.set(folio, (pinCount.get(folio) ?? 0) + 1);
  } else folioGet(k, folio, Holder.Pin, GUP_PIN_COUNTING_BIAS);
}

/**
 * Drops a pin.
 *
 * Mirrors: mm/gup.c gup_put_folio(), with FOLL_PIN
 * simplified: one pin at a time, no statistics
 */
export function* unpinFolio(k: Kernel, folio: number): Kernel$<void> {
  if (k.stepping) yield k.writeFolio(folio);
  const { pinCount } = k.pages;
  const pins = pinCount.get(folio);
  if (pins === 1) pinCount.delete(folio);
  else if (pins) pinCount.set(folio, pins - 1);
  const count = folioIsLarge(k, folio) ? 1 : GUP_PIN_COUNTING_BIAS;
  if (folioPutTestzero(k, folio, Holder.Pin, count)) yield* folioFree(k, folio);
}

/**
 * Drops a pin that `gupFast` took. A pinned anonymous page stays exclusive.
 *
 * Mirrors: mm/gup.c unpin_user_page(), sanity_check_pinned_pages()
 * faithful
 */
export function* unpinUserPage(k: Kernel, page: number): Kernel$<void> {
  const folio = pageFolio(k, page);
  if (k.stepping) yield k.readFolio(folio);
  const exclusive = pageAnonExclusive(k, page) || pageAnonExclusive(k, folio);
  k.warn(folioTestAnon(k, folio) && !exclusive, 'a pinned anonymous page is not exclusive');
  yield* unpinFolio(k, folio);
}

/**
 * Faults a range in, for reading or writing.
 *
 * Mirrors: mm/madvise.c madvise_populate(), mm/gup.c faultin_page_range()
 * faithful
 * @returns 0 or a negative errno
 */
export function* populateRange(
  k: Kernel,
  mm: Mm,
  start: number,
  end: number,
  write: boolean,
): Kernel$<number> {
  let vma: Vma | undefined;
  let err = 0;
  for (let vpn = start; vpn < end && !err; vpn++) {
    if (!vma || vpn >= vma.end) {
      vma = mm.lookupVma(vpn);
      if (!vma) {
        err = -ENOMEM;
        break;
      }
      if (checkVmaFlags(vma, { write })) {
        err = -EINVAL;
        break;
      }
    }
    const flags: GupFlags = { write, get: false, touch: true };
    while ((yield* followPage(k, vma, vpn, flags)) < 0) {
      err = yield* faultinPage(k, vma, vpn, flags);
      if (err) break;
    }
  }
  yield* lruAddDrain(k);
  return err;
}
