/**
 * Taking references on a process's pages from outside its page tables.
 *
 * Models: mm/gup.c
 */
import { EBUSY, EFAULT, EINVAL, ENOMEM, EOPNOTSUPP } from '../machine/errno.ts';
import { writeProtectOf } from '../machine/objects.ts';
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
import { type Kernel$, ObjectKind, Role, type Step, StepKind } from '../machine/step.ts';
import type { Folio, Pfn, Pte, Ptep, Vpn } from '../machine/units.ts';
import {
  FAULT_FLAG_ALLOW_RETRY,
  FAULT_FLAG_REMOTE,
  FAULT_FLAG_TRIED,
  FAULT_FLAG_UNSHARE,
  FAULT_FLAG_WRITE,
  handleMmFault,
  VM_FAULT_RETRY,
  vmFaultToErrno,
} from './fault.ts';
import {
  folioFree,
  folioGet,
  folioIsDeviceCoherent,
  folioIsLarge,
  folioMappingWord,
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
import { Holder } from './look/ledger.ts';
import type { Mm } from './mm.ts';
import {
  hugeStart,
  lackStep,
  lacksTable,
  pmdAddrEnd,
  pmdIsTable,
  pmdPresent,
  pmdpOf,
  pmdTransHuge,
  pteOffsetMap,
  ptepGet,
  ptlOf,
  topStep,
} from './pgtable.ts';
import { GUP_PIN_COUNTING_BIAS } from './rmap.ts';
import { isVmHugetlbPage, VM_READ, VM_WRITE, type Vma, vmaIsCowMapping } from './vma.ts';

/** FOLL_*: what the caller wants of a page. */
export interface GupFlags {
  write?: boolean;
  /** Take a reference (FOLL_GET). Default: true, unless it is pinned. */
  get?: boolean;
  /** Pin it: its bytes are read and written from outside (FOLL_PIN). */
  pin?: boolean;
  /** For as long as somebody likes (FOLL_LONGTERM); only with `pin`. */
  longterm?: boolean;
  /** Split a huge mapping first (FOLL_SPLIT_PMD). */
  splitPmd?: boolean;
  /** Note the access (FOLL_TOUCH). */
  touch?: boolean;
  /** For somebody who is not the process (FOLL_REMOTE). */
  remote?: boolean;
  /** A fault may give mmap_lock up (FOLL_UNLOCKABLE). */
  unlockable?: boolean;
  /** A fault has given mmap_lock up (FOLL_TRIED). */
  tried?: boolean;
  /** On the process's own advice: errors are those of madvise() (FOLL_MADV_POPULATE). */
  populate?: boolean;
}

/** Whether mmap_lock is held: a fault may have given it up. */
export interface Locked {
  held: boolean;
}

// ---- references and pins ----

/**
 * Whether a folio may be pinned for as long as somebody likes. What a device keeps coherent must always
 * be able to leave.
 *
 * Mirrors: include/linux/mm.h folio_is_longterm_pinnable()
 * simplified: there are no movable zones
 */
export function folioIsLongtermPinnable(k: Kernel, folio: Folio): boolean {
  return k.isZero(folio) || !folioIsDeviceCoherent(k, folio);
}

/**
 * Pins a folio that the caller keeps from being freed: its bytes are read and written from outside,
 * so it must stay where it is. The zero page stays anyway. The step before it is the caller's.
 *
 * Mirrors: mm/gup.c try_grab_folio(), with FOLL_PIN
 * simplified: no statistics
 */
export function pinFolio(k: Kernel, folio: Folio, pins = 1): void {
  if (k.isZero(folio)) return;
  const { pinCount } = k.pages;
  if (folioIsLarge(k, folio)) {
    folioGet(k, folio, Holder.Pin, pins);
    pinCount.set(folio, (pinCount.get(folio) ?? 0) + pins);
  } else folioGet(k, folio, Holder.Pin, pins * GUP_PIN_COUNTING_BIAS);
}

/**
 * Drops pins.
 *
 * Mirrors: mm/gup.c gup_put_folio(), with FOLL_PIN
 * simplified: no statistics
 */
export function* unpinFolio(k: Kernel, folio: Folio, pins = 1): Kernel$<void> {
  if (k.isZero(folio)) return;
  if (k.stepping) yield k.writeFolio(folio);
  const { pinCount } = k.pages;
  let count = pins;
  if (folioIsLarge(k, folio)) {
    const left = (pinCount.get(folio) ?? 0) - pins;
    if (left > 0) pinCount.set(folio, left);
    else pinCount.delete(folio);
  } else count *= GUP_PIN_COUNTING_BIAS;
  if (folioPutTestzero(k, folio, Holder.Pin, count)) yield* folioFree(k, folio);
}

/** Takes what the caller wants of a folio that he keeps from being freed (try_grab_folio()). */
function grabFolio(k: Kernel, folio: Folio, refs: number, flags: GupFlags): void {
  if (flags.pin) pinFolio(k, folio, refs);
  else if (flags.get !== false) folioGet(k, folio, Holder.Pin, refs);
}

/** Drops references or pins (gup_put_folio()). */
function* putFolio(k: Kernel, folio: Folio, refs: number, flags: GupFlags): Kernel$<void> {
  if (flags.pin) yield* unpinFolio(k, folio, refs);
  else {
    if (k.stepping) yield k.writeFolio(folio);
    if (folioPutTestzero(k, folio, Holder.Pin, refs)) yield* folioFree(k, folio);
  }
}

/**
 * Whether a page that is mapped read-only has to be made the process's own before it is pinned: a later
 * write would part it from the process.
 *
 * Mirrors: mm/internal.h gup_must_unshare()
 * faithful
 * @param vma null where it is not known
 */
function gupMustUnshare(k: Kernel, vma: Vma | null, flags: GupFlags, page: Pfn): boolean {
  if (flags.write || !flags.pin) return false;
  if (folioTestAnon(k, pageFolio(k, page))) return !pageAnonExclusive(k, page);
  // of what is not anonymous, who pins it for long wants to see what the process writes
  return flags.longterm === true && (vma === null || vmaIsCowMapping(vma));
}

// ---- the slow way: with mmap_lock, faulting in what is missing ----

/**
 * Mirrors: mm/gup.c check_vma_flags(), writable_file_mapping_allowed()
 * simplified: without FOLL_FORCE; every file is in memory, so it has no writeback
 */
function checkVmaFlags(vma: Vma, flags: GupFlags): number {
  if (flags.splitPmd && isVmHugetlbPage(vma)) return -EOPNOTSUPP;
  return vma.flags & (flags.write ? VM_WRITE : VM_READ) ? 0 : -EFAULT;
}

function* take(k: Kernel, page: Pfn, pte: Pte, flags: GupFlags): Kernel$<void> {
  const folio = pageFolio(k, page);
  grabFolio(k, folio, 1, flags);
  if (flags.touch) {
    if (flags.write && !pteDirty(pte) && !folioTest(k, folio, PG_DIRTY)) {
      folioSet(k, folio, PG_DIRTY);
    }
    if (!k.isZero(page)) yield* folioMarkAccessed(k, folio);
  }
}

/** Nothing is mapped in the wanted way. */
const NO_PAGE = -1;
/** The entry is a table by now. */
const NOT_HUGE = -2;
/** The page has to become the process's own first (-EMLINK). */
const MUST_UNSHARE = -3;

/** Mirrors: mm/gup.c follow_huge_pmd(); faithful */
function* followHugePmd(
  k: Kernel,
  vma: Vma,
  pmdp: Ptep,
  vpn: Vpn,
  flags: GupFlags,
): Kernel$<number> {
  const ptl = ptlOf(k, pmdp);
  if (k.stepping) yield k.acquire(ptl);
  k.lock(ptl);
  const pmd = ptepGet(k, pmdp);
  const huge = pmdTransHuge(pmd);
  let page = NO_PAGE;
  if (huge && !pteProtnone(pmd) && (!flags.write || pteWrite(pmd))) {
    page = ptePfn(pmd) + (vpn - hugeStart(k, vpn));
    const folio = pageFolio(k, page);
    if (k.stepping) yield k.writeFolio(folio);
    // of a huge mapping, the first page says whose it is
    if (!pteWrite(pmd) && gupMustUnshare(k, vma, flags, folio)) page = MUST_UNSHARE;
    else {
      grabFolio(k, folio, 1, flags);
      if (flags.touch) yield* touchPmd(k, pmdp, flags.write === true);
    }
  }
  if (k.stepping) yield k.release(ptl);
  k.unlock(ptl);
  return pmdIsTable(pmd) ? NOT_HUGE : page;
}

/**
 * The page that is mapped at an address in the wanted way, referenced.
 *
 * Mirrors: mm/gup.c follow_page_mask(), follow_pmd_mask(), follow_page_pte()
 * simplified: no special mappings but the zero page
 * @param run is told how many pages the entry maps from there on
 * @returns the page, NO_PAGE or MUST_UNSHARE
 */
function* followPage(
  k: Kernel,
  vma: Vma,
  vpn: Vpn,
  flags: GupFlags,
  run: { pages: number } = { pages: 1 },
): Kernel$<number> {
  run.pages = 1;
  if (k.stepping && lacksTable(k, vma.mm, vpn)) yield lackStep(k, vma.mm, vpn);
  const pmdp = pmdpOf(k, vma.mm, vpn);
  if (pmdp < 0) return NO_PAGE;
  if (k.stepping) yield k.readEntry(pmdp);
  if (!pmdPresent(ptepGet(k, pmdp))) return NO_PAGE;
  if (pmdTransHuge(ptepGet(k, pmdp))) {
    if (flags.splitPmd) yield* splitHugePmd(k, vma, pmdp, vpn);
    else {
      const page = yield* followHugePmd(k, vma, pmdp, vpn, flags);
      if (page !== NOT_HUGE) {
        run.pages = hugeStart(k, vpn) + k.geometry.ptrsPerPte - vpn;
        return page;
      }
    }
  }
  const ptep = pteOffsetMap(k, pmdp, vpn);
  if (ptep < 0) return NO_PAGE;
  const ptl = ptlOf(k, ptep);
  const look = Role.Read;
  if (k.stepping)
    yield k.acquire(ptl).and(ObjectKind.Entry, ptep, look).and(ObjectKind.Entry, pmdp, look);
  k.lock(ptl);
  if (pteOffsetMap(k, pmdp, vpn) !== ptep) {
    // the table was taken out meanwhile (pte_offset_map_lock())
    if (k.stepping) yield k.release(ptl);
    k.unlock(ptl);
    return NO_PAGE;
  }
  const pte = ptepGet(k, ptep);
  let page = NO_PAGE;
  if (ptePresent(pte) && !pteProtnone(pte) && (!flags.write || pteWrite(pte))) {
    page = ptePfn(pte);
    if (k.stepping) yield k.writeFolio(pageFolio(k, page));
    if (!pteWrite(pte) && gupMustUnshare(k, vma, flags, page)) page = MUST_UNSHARE;
    else yield* take(k, page, pte, flags);
  }
  if (k.stepping) yield k.release(ptl);
  k.unlock(ptl);
  return page;
}

/**
 * Mirrors: mm/gup.c faultin_page()
 * faithful
 * @param locked is told when the fault gives mmap_lock up
 * @returns 0; -EBUSY when mmap_lock was given up; else what the fault came to
 */
function* faultinPage(
  k: Kernel,
  vma: Vma,
  vpn: Vpn,
  flags: GupFlags,
  unshare = false,
  locked: Locked | null = null,
): Kernel$<number> {
  let faultFlags = 0;
  if (flags.write) faultFlags |= FAULT_FLAG_WRITE;
  if (flags.remote) faultFlags |= FAULT_FLAG_REMOTE;
  if (flags.unlockable) faultFlags |= FAULT_FLAG_ALLOW_RETRY;
  if (flags.tried) faultFlags |= FAULT_FLAG_TRIED;
  if (unshare) faultFlags |= FAULT_FLAG_UNSHARE;
  const ret = yield* handleMmFault(k, vma, vpn, faultFlags);
  if (!(ret & VM_FAULT_RETRY)) return vmFaultToErrno(ret);
  if (locked) locked.held = false;
  return -EBUSY;
}

/**
 * Takes the pages of a range, faulting them in as wanted, until one cannot be had.
 *
 * Mirrors: mm/gup.c __get_user_pages()
 * faithful
 * @param pages gets their frame numbers; null: nobody wants them
 * @returns how many, or a negative errno; 0 when mmap_lock was given up before the first
 */
function* getUserPagesInner(
  k: Kernel,
  mm: Mm,
  start: Vpn,
  nr: number,
  flags: GupFlags,
  pages: Pfn[] | null,
  locked: Locked,
): Kernel$<number> {
  let vma: Vma | undefined;
  let done = 0;
  const run = { pages: 1 };
  while (done < nr) {
    const vpn = start + done;
    if (!vma || vpn >= vma.end) {
      vma = mm.lookupVma(vpn);
      const err = vma ? checkVmaFlags(vma, flags) : -EFAULT;
      if (!vma || err) return done || (flags.populate ? (vma ? -EINVAL : -ENOMEM) : err);
    }
    const page = yield* followPage(k, vma, vpn, flags, run);
    if (page < 0) {
      const ret = yield* faultinPage(k, vma, vpn, flags, page === MUST_UNSHARE, locked);
      if (ret === -EBUSY) return done;
      if (ret) return done || ret;
      continue;
    }
    const count = Math.min(run.pages, nr - done);
    if (pages && count > 1) {
      const folio = pageFolio(k, page);
      if (k.stepping) yield k.writeFolio(folio);
      grabFolio(k, folio, count - 1, flags);
    }
    for (let i = 0; pages && i < count; i++) pages.push(page + i);
    done += count;
  }
  return done;
}

/**
 * Takes the pages of a range. A fault that gave mmap_lock up is made again, for its page alone and
 * without giving it up; then it goes on with the rest.
 *
 * Mirrors: mm/gup.c __get_user_pages_locked()
 * simplified: nobody is killed; without MMF_HAS_PINNED
 * @param pages gets their frame numbers; null: nobody wants them
 * @param locked whether the caller holds mmap_lock; if not it is taken and released
 * @returns how many, or a negative errno
 */
export function* getUserPagesLocked(
  k: Kernel,
  mm: Mm,
  start: Vpn,
  nr: number,
  flags: GupFlags,
  pages: Pfn[] | null,
  locked: Locked,
): Kernel$<number> {
  const { mmapLock } = mm;
  let mustUnlock = false;
  let tried = false;
  let done = 0;
  for (;;) {
    if (!locked.held) {
      if (k.stepping) yield k.acquire(mmapLock, true);
      k.lockShared(mmapLock);
      locked.held = true;
      mustUnlock = true;
    }
    k.assertHeld(mmapLock);
    const ret: number = tried
      ? yield* getUserPagesInner(k, mm, start + done, 1, { ...flags, tried }, pages, locked)
      : yield* getUserPagesInner(k, mm, start + done, nr - done, flags, pages, locked);
    if (ret > 0) done += ret;
    if (done === nr) break;
    if (!locked.held) tried = true;
    else if (tried && ret > 0) tried = false;
    else {
      if (done === 0) done = ret;
      break;
    }
  }
  if (mustUnlock) {
    if (k.stepping) yield k.release(mmapLock);
    k.unlockShared(mmapLock);
    locked.held = false;
  }
  return done;
}

/**
 * Faults a page in as wanted and takes a reference on it (holder Pin). mmap_lock is held.
 *
 * Mirrors: mm/gup.c get_user_page_vma_remote()
 * faithful
 * @param flags of one who keeps mmap_lock
 * @returns the page's frame number, or a negative errno
 */
export function* getUserPage(
  k: Kernel,
  mm: Mm,
  vpn: Vpn,
  flags: Omit<GupFlags, 'unlockable'>,
): Kernel$<number> {
  k.assertHeld(mm.mmapLock);
  const pages: Pfn[] = [];
  const remote = { ...flags, touch: true, remote: true };
  const ret = yield* getUserPagesInner(k, mm, vpn, 1, remote, pages, { held: true });
  return ret < 0 ? ret : pages[0];
}

/**
 * Takes a reference on each page of a range, faulting them in (holder Pin); `putPages` drops them.
 * mmap_lock is held.
 *
 * Mirrors: mm/gup.c get_user_pages()
 * faithful
 * @param nr pages, at least one
 * @param pages gets their frame numbers
 * @returns how many, which may be fewer than wanted, or a negative errno
 */
export function getUserPages(
  k: Kernel,
  mm: Mm,
  start: Vpn,
  nr: number,
  { write = false }: { write?: boolean },
  pages: Pfn[],
): Kernel$<number> {
  return getUserPagesLocked(k, mm, start, nr, { write, touch: true }, pages, { held: true });
}

// ---- the fast way: without locks, what is there ----

/** The step before a walk without locks looks whether all is still as it was. */
function recheckStep(k: Kernel, ptep: Ptep, pmdp: Ptep, folio: Folio): Step {
  const step = k.readEntry(ptep).and(ObjectKind.Folio, folio, Role.Write);
  return ptep === pmdp ? step : step.and(ObjectKind.Entry, pmdp, Role.Read);
}

/**
 * Takes what the caller wants of a folio that may be freed meanwhile.
 *
 * Mirrors: mm/gup.c try_grab_folio_fast(), try_get_folio()
 * simplified: gives up on a folio that was split meanwhile, which its caller sees
 */
function* tryGrabFolioFast(
  k: Kernel,
  folio: Folio,
  refs: number,
  flags: GupFlags,
): Kernel$<boolean> {
  if (k.stepping) yield k.writeFolio(folio);
  if (k.pages.refcount[folio] <= 0) return false;
  if (flags.longterm && !folioIsLongtermPinnable(k, folio)) {
    // asked with a reference, which somebody who counts them may see
    folioGet(k, folio, Holder.Pin, refs);
    yield* putFolio(k, folio, refs, {});
    return false;
  }
  grabFolio(k, folio, refs, flags);
  return true;
}

/**
 * Whether the fast way may have a folio: what is pinned for writing, for long, must be known not to be a
 * file's that wants to know of writes.
 *
 * Mirrors: mm/gup.c gup_fast_folio_allowed()
 * simplified: every file is in memory
 */
function gupFastFolioAllowed(k: Kernel, folio: Folio, flags: GupFlags): boolean {
  return !flags.longterm || !flags.write || folioMappingWord(k, folio) !== 0;
}

/**
 * Takes pages that one entry maps; false: not to be had.
 *
 * Mirrors: mm/gup.c gup_fast_pmd_leaf(), gup_fast_pte_range() for one entry
 * simplified: a table is freed at once; the kernel frees it when no walk without locks is under way
 * @param ptep the entry; the PMD entry itself where that is a leaf
 * @param pmd the PMD entry as it was read
 */
function* gupFastLeaf(
  k: Kernel,
  ptep: Ptep,
  pmdp: Ptep,
  pmd: Pte,
  vpn: Vpn,
  count: number,
  flags: GupFlags,
  pages: Pfn[],
): Kernel$<boolean> {
  const huge = ptep === pmdp;
  if (k.stepping && !huge) yield k.readEntry(ptep).and(ObjectKind.Entry, pmdp, Role.Read);
  // a table that was taken out is freed after a grace period, which waits for this walk: its entries are empty
  if (!huge && ptepGet(k, pmdp) !== pmd) return false;
  const pte = huge ? pmd : ptepGet(k, ptep);
  if (!(pte & PTE_PRESENT) || pte & PTE_SPECIAL) return false;
  if (flags.write && !pteWrite(pte)) return false;
  const page = ptePfn(pte) + (huge ? vpn - hugeStart(k, vpn) : 0);
  const folio = pageFolio(k, page);
  if (!(yield* tryGrabFolioFast(k, folio, count, flags))) return false;
  if (k.stepping) yield recheckStep(k, ptep, pmdp, folio);
  // the entry, its table or the folio may have become something else meanwhile
  const same = (huge || ptepGet(k, pmdp) === pmd) && ptepGet(k, ptep) === pte;
  const unshare = !pteWrite(pte) && gupMustUnshare(k, null, flags, huge ? folio : page);
  const allowed = gupFastFolioAllowed(k, folio, flags);
  if (!same || pageFolio(k, page) !== folio || !allowed || unshare) {
    yield* putFolio(k, folio, count, flags);
    return false;
  }
  k.warn(!k.hasFrame(page), 'a reference on a page that no CPU can reach');
  folioSet(k, folio, PG_REFERENCED);
  for (let i = 0; pages && i < count; i++) pages.push(page + i);
  return true;
}

/** Mirrors: mm/gup.c gup_fast_pgd_range() to gup_fast_pte_range(); faithful */
function* gupFastRange(
  k: Kernel,
  mm: Mm,
  start: Vpn,
  end: Vpn,
  flags: GupFlags,
  pages: Pfn[],
): Kernel$<void> {
  for (let vpn = start; vpn < end; ) {
    if (k.stepping && lacksTable(k, mm, vpn)) yield lackStep(k, mm, vpn);
    let pmdp = pmdpOf(k, mm, vpn);
    // no lock keeps the tables: the step must find what it names
    let named = -1;
    while (k.stepping && pmdp >= 0 && named !== pmdp) {
      named = pmdp;
      if (k.stepping) yield k.readEntry(pmdp);
      pmdp = pmdpOf(k, mm, vpn);
    }
    if (pmdp < 0) return;
    const pmd = ptepGet(k, pmdp);
    const next = pmdAddrEnd(k, vpn, end);
    if (pmdTransHuge(pmd)) {
      if (!(yield* gupFastLeaf(k, pmdp, pmdp, pmd, vpn, next - vpn, flags, pages))) return;
      vpn = next;
      continue;
    }
    let ptep = pteOffsetMap(k, pmdp, vpn);
    if (ptep < 0) return;
    for (; vpn < next; vpn++, ptep++) {
      if (!(yield* gupFastLeaf(k, ptep, pmdp, pmd, vpn, 1, flags, pages))) return;
    }
  }
}

/** The step before a walk without locks looks whether a fork is write-protecting. */
function writeProtectStep(k: Kernel, mm: Mm): Step {
  return k.step(StepKind.Shared, ObjectKind.Mm, writeProtectOf(mm), Role.Read);
}

/**
 * Takes the pages that the page table maps from an address on, without any lock, until one is not there
 * in the wanted way. No pin is taken while a fork write-protects: the fork may have looked for pins
 * already.
 *
 * Mirrors: mm/gup.c gup_fast()
 * faithful
 * @param pages gets their frame numbers
 * @returns how many
 */
export function* gupFast(
  k: Kernel,
  mm: Mm,
  start: Vpn,
  nr: number,
  flags: GupFlags,
  pages: Pfn[],
): Kernel$<number> {
  const first = pages.length;
  if (!flags.pin) {
    if (k.stepping) yield topStep(k, mm, start);
    yield* gupFastRange(k, mm, start, start + nr, flags, pages);
  } else {
    if (k.stepping) yield writeProtectStep(k, mm);
    const seq = mm.writeProtectSeq;
    if (seq & 1) return 0;
    yield* gupFastRange(k, mm, start, start + nr, flags, pages);
    if (k.stepping) yield writeProtectStep(k, mm);
    const taken = mm.writeProtectSeq === seq ? [] : pages.splice(first);
    for (const page of taken) yield* unpinFolio(k, pageFolio(k, page));
    yield* sanityCheckPinnedPages(k, pages, first);
  }
  return pages.length - first;
}

/** As {@link getUserPagesLocked}, for somebody who wants the pages. */
type TakesPages = (
  ...args: [Kernel, Mm, Vpn, number, GupFlags, pages: Pfn[], Locked]
) => Kernel$<number>;

/**
 * Takes the pages of a range: without locks as far as it goes, the rest with mmap_lock.
 *
 * Mirrors: mm/gup.c gup_fast_fallback()
 * faithful
 * @param slow how the rest is taken
 * @param pages gets their frame numbers
 * @returns how many, or a negative errno
 */
export function* gupFastFallback(
  k: Kernel,
  mm: Mm,
  start: Vpn,
  nr: number,
  flags: GupFlags,
  pages: Pfn[],
  slow: TakesPages,
): Kernel$<number> {
  const fast = yield* gupFast(k, mm, start, nr, flags, pages);
  if (fast === nr) return fast;
  const rest = { ...flags, touch: true, unlockable: true };
  const ret = yield* slow(k, mm, start + fast, nr - fast, rest, pages, { held: false });
  // the caller has to give back what was taken before an error
  return ret < 0 ? fast || ret : fast + ret;
}

/**
 * As `getUserPages`, but without mmap_lock where it can, as vmsplice() does; the caller does not hold it.
 *
 * Mirrors: mm/gup.c get_user_pages_fast()
 * faithful
 * @param nr pages, at least one
 * @param pages gets their frame numbers
 * @returns how many, which may be fewer than wanted, or a negative errno
 */
export function getUserPagesFast(
  k: Kernel,
  mm: Mm,
  start: Vpn,
  nr: number,
  { write = false }: { write?: boolean },
  pages: Pfn[],
): Kernel$<number> {
  return gupFastFallback(k, mm, start, nr, { write }, pages, getUserPagesLocked);
}

/**
 * References one page for reading, as vmsplice() does.
 *
 * Mirrors: mm/gup.c get_user_pages_fast() for one page
 * faithful
 * @returns the page's frame number (holder Pin), or a negative errno
 */
export function* pinUserPage(k: Kernel, mm: Mm, vpn: Vpn): Kernel$<number> {
  const pages: Pfn[] = [];
  const ret = yield* getUserPagesFast(k, mm, vpn, 1, {}, pages);
  return ret < 0 ? ret : pages[0];
}

// ---- giving back ----

/**
 * Drops the references that `getUserPages` or `getUserPagesFast` took.
 *
 * Mirrors: include/linux/mm.h put_page() for each
 * faithful
 */
export function* putPages(k: Kernel, pages: readonly number[]): Kernel$<void> {
  for (const page of pages) yield* folioPut(k, pageFolio(k, page), Holder.Pin);
}

/**
 * A pinned anonymous page stays exclusive: of a huge mapping, the first page says so.
 *
 * Mirrors: mm/gup.c sanity_check_pinned_pages()
 * faithful
 * @param first where to begin in `pages`
 */
function* sanityCheckPinnedPages(k: Kernel, pages: readonly number[], first = 0): Kernel$<void> {
  for (let i = first; i < pages.length; i++) {
    const page = pages[i];
    const folio = pageFolio(k, page);
    if (k.stepping) yield k.readFolio(folio);
    const exclusive = pageAnonExclusive(k, page) || pageAnonExclusive(k, folio);
    k.warn(folioTestAnon(k, folio) && !exclusive, 'a pinned anonymous page is not exclusive');
  }
}

/**
 * Drops the pins of pages, folio by folio.
 *
 * Mirrors: mm/gup.c unpin_user_pages()
 * faithful
 */
export function* unpinUserPages(k: Kernel, pages: readonly number[]): Kernel$<void> {
  yield* sanityCheckPinnedPages(k, pages);
  for (let i = 0; i < pages.length; ) {
    const folio = pageFolio(k, pages[i]);
    let next = i + 1;
    while (next < pages.length && pageFolio(k, pages[next]) === folio) next++;
    yield* unpinFolio(k, folio, next - i);
    i = next;
  }
}

/**
 * Faults the pages of a range in, until one cannot be had. mmap_lock is held.
 *
 * Mirrors: mm/gup.c faultin_page_range()
 * faithful
 * @param locked mmap_lock is not held any more where a fault has given it up
 * @returns how many, or a negative errno
 */
function* faultinPageRange(
  k: Kernel,
  mm: Mm,
  start: Vpn,
  nr: number,
  write: boolean,
  locked: Locked,
): Kernel$<number> {
  const flags: GupFlags = { write, get: false, touch: true, unlockable: true, populate: true };
  const ret = yield* getUserPagesLocked(k, mm, start, nr, flags, null, locked);
  yield* lruAddDrain(k);
  return ret;
}

/**
 * Faults a range in, for reading or writing. mmap_lock is held for reading, and may be given up and
 * taken again meanwhile. Where a page cannot be had after others, it is tried once more.
 *
 * Mirrors: mm/madvise.c madvise_populate()
 * faithful
 * @returns 0 or a negative errno
 */
export function* populateRange(
  k: Kernel,
  mm: Mm,
  start: Vpn,
  end: Vpn,
  write: boolean,
): Kernel$<number> {
  const locked: Locked = { held: true };
  for (let vpn = start; vpn < end; ) {
    const pages = yield* faultinPageRange(k, mm, vpn, end - vpn, write, locked);
    if (!locked.held) {
      if (k.stepping) yield k.acquire(mm.mmapLock, true);
      k.lockShared(mm.mmapLock);
      locked.held = true;
    }
    if (pages < 0) return pages;
    vpn += pages;
  }
  return 0;
}
