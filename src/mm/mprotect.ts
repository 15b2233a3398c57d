/**
 * Changing protections.
 *
 * Models: mm/mprotect.c
 */
import { ENOMEM } from '../machine/errno.ts';
import {
  PTE_ACCESSED,
  PTE_DIRTY,
  PTE_PFN_SHIFT,
  PTE_PRESENT,
  PTE_WRITE,
  pteDirty,
  pteMkdirty,
  pteModify,
  ptePresent,
  pteWrite,
} from '../machine/pte.ts';
import type { Kernel$ } from '../machine/step.ts';
import type { Pte, Ptep, Vpn } from '../machine/units.ts';
import { canChangePteWritable, vmNormalPage } from './fault.ts';
import { folioIsLarge, folioTestAnon, pageFolio } from './folio.ts';
import { changeHugePmd, splitHugePmd, vmaAdjustTransHuge } from './huge-memory.ts';
import { hugetlbChangeProtection, maySplit } from './hugetlb.ts';
import type { Kernel } from './kernel.ts';
import {
  isDevicePrivateWrite,
  isMigrationWrite,
  makeReadableDevicePrivateEntry,
  makeReadableExclusiveMigrationEntry,
  makeReadableMigrationEntry,
  migrationAge,
  SWP_SOFT_DIRTY,
  SWP_UFFD,
  softleafToPfn,
} from './leafops.ts';
import type { Mm } from './mm.ts';
import { accountable, vmEnoughMemory } from './mmap.ts';
import {
  MmuNotify,
  mmuNotifierInvalidateRangeEnd,
  mmuNotifierInvalidateRangeStart,
  notifierRange,
} from './mmu-notifier.ts';
import {
  entryEnd,
  pmdIsHuge,
  pmdIsTable,
  pmdpOf,
  pteOffsetMap,
  ptepGet,
  ptepGetAndClear,
  ptlOf,
  pudpOf,
  setPte,
} from './pgtable.ts';
import { folioPteBatch } from './rmap.ts';
import {
  isVmHugetlbPage,
  VM_ACCESS_FLAGS,
  VM_ACCOUNT,
  VM_HUGETLB,
  VM_SHARED,
  VM_STICKY,
  VM_WRITE,
  type Vma,
  vmaIsAnonymous,
  vmaSetPageProt,
} from './vma.ts';
import { vmaModifyFlags } from './vma-merge.ts';
import { MmuGather, tlbFinishMmu } from './zap.ts';

/**
 * The entry that a non-present one becomes when its area's protection changes.
 *
 * Mirrors: mm/mprotect.c change_softleaf_pte()
 * simplified: no userfaultfd-wp, no markers
 */
export function changedSoftleaf(k: Kernel, pte: Pte): Pte {
  if (isMigrationWrite(pte)) {
    const page = softleafToPfn(pte);
    const entry = folioTestAnon(k, pageFolio(k, page))
      ? makeReadableExclusiveMigrationEntry(page)
      : makeReadableMigrationEntry(page);
    return entry | migrationAge(pte) | (pte & (SWP_SOFT_DIRTY | SWP_UFFD));
  }
  if (isDevicePrivateWrite(pte)) {
    return makeReadableDevicePrivateEntry(softleafToPfn(pte)) | (pte & SWP_UFFD);
  }
  return pte;
}

/**
 * How many entries from `ptep` on change together: consecutive pages of one large folio whose entries
 * differ in nothing but the accessed and dirty bits (FPB_RESPECT_SOFT_DIRTY, FPB_RESPECT_WRITE).
 *
 * Mirrors: mm/mprotect.c mprotect_folio_pte_batch()
 * faithful
 * @param most entries at most
 */
function mprotectFolioPteBatch(k: Kernel, ptep: Ptep, pte: Pte, most: number): number {
  const page = vmNormalPage(pte);
  if (page < 0) return 1;
  const folio = pageFolio(k, page);
  if (!folioIsLarge(k, folio)) return 1;
  return folioPteBatch(k, folio, ptep, pte, most, PTE_ACCESSED | PTE_DIRTY);
}

/**
 * Clears the entries of a batch while they change, so that no bit that the hardware sets is lost.
 *
 * Mirrors: include/linux/pgtable.h modify_prot_start_ptes()
 * faithful
 * @returns the first one, accessed and dirty if any of them was
 */
function* modifyProtStartPtes(k: Kernel, ptep: Ptep, nr: number): Kernel$<Pte> {
  if (k.stepping) yield k.writeEntry(ptep);
  let pte = ptepGetAndClear(k, ptep);
  for (let i = 1; i < nr; i++) {
    if (k.stepping) yield k.writeEntry(ptep + i);
    const other = ptepGetAndClear(k, ptep + i);
    if (pteDirty(other)) pte = pteMkdirty(pte);
    pte |= other & PTE_ACCESSED;
  }
  return pte;
}

/**
 * Changes a batch of present entries.
 *
 * Mirrors: mm/mprotect.c change_present_ptes(), set_write_prot_commit_flush_ptes(),
 *   commit_anon_folio_batch(), prot_commit_flush_ptes()
 * simplified: no userfaultfd-wp
 */
function* changePresentPtes(
  k: Kernel,
  tlb: MmuGather,
  vma: Vma,
  vpn: Vpn,
  ptep: Ptep,
  nr: number,
  tryWritable: boolean,
): Kernel$<void> {
  const old = yield* modifyProtStartPtes(k, ptep, nr);
  const pte = pteModify(old, vma.pageProt);
  for (let i = 0; i < nr; i++) {
    // whether a page is exclusive is its own, all else is the batch's
    let entry = pte + (i << PTE_PFN_SHIFT);
    if (tryWritable && !pteWrite(entry) && canChangePteWritable(k, vma, entry)) entry |= PTE_WRITE;
    if (k.stepping) yield k.writeEntry(ptep + i);
    setPte(k, ptep + i, entry);
    if (old & ~entry & (PTE_PRESENT | PTE_WRITE)) tlb.track(vpn + i, 1);
  }
}

/**
 * Mirrors: mm/mprotect.c change_pte_range()
 * simplified: no NUMA hints, no userfaultfd-wp
 */
function* changePteRange(
  k: Kernel,
  tlb: MmuGather,
  vma: Vma,
  pmdp: Ptep,
  start: Vpn,
  end: Vpn,
  tryWritable: boolean,
): Kernel$<void> {
  const first = pteOffsetMap(k, pmdp, start);
  if (first < 0) return;
  const ptl = ptlOf(k, first);
  if (k.stepping) yield k.acquire(ptl);
  k.lock(ptl);
  let nr = 1;
  for (let vpn = start, ptep = first; vpn < end; vpn += nr, ptep += nr) {
    const pte = ptepGet(k, ptep);
    nr = 1;
    if (pte === 0) continue;
    if (ptePresent(pte)) {
      nr = mprotectFolioPteBatch(k, ptep, pte, end - vpn);
      yield* changePresentPtes(k, tlb, vma, vpn, ptep, nr, tryWritable);
    } else {
      const changed = changedSoftleaf(k, pte);
      if (changed === pte) continue;
      if (k.stepping) yield k.writeEntry(ptep);
      setPte(k, ptep, changed);
    }
  }
  if (k.stepping) yield k.release(ptl);
  k.unlock(ptl);
}

/**
 * Brings the entries of a range in line with their area's protection.
 *
 * Mirrors: mm/mprotect.c change_protection(), change_pud_range(), change_pmd_range()
 * simplified: one notifier range for the whole range
 * @param tryWritable MM_CP_TRY_CHANGE_WRITABLE
 */
export function* changeProtection(
  k: Kernel,
  tlb: MmuGather,
  vma: Vma,
  start: Vpn,
  end: Vpn,
  tryWritable: boolean,
): Kernel$<void> {
  const { pgdPages, pudPages, ptrsPerPte } = k.geometry;
  if (isVmHugetlbPage(vma)) {
    yield* hugetlbChangeProtection(k, vma, start, end);
    return;
  }
  for (let pudStart = start; pudStart < end; ) {
    const pudp = pudpOf(k, vma.mm, pudStart);
    if (pudp < 0) {
      pudStart = entryEnd(pudStart, pgdPages, end);
      continue;
    }
    // every PUD entry that is not none starts its own invalidation, to the end of the PGD entry
    const pgdEnd = entryEnd(pudStart, pgdPages, end);
    const range = notifierRange(MmuNotify.ProtectionVma, vma.mm, pudStart, pgdEnd);
    let started = false;
    for (let vpn = pudStart; vpn < pgdEnd; ) {
      const pud = ptepGet(k, pudpOf(k, vma.mm, vpn));
      const pudEnd = entryEnd(vpn, pudPages, pgdEnd);
      if (pud === 0) {
        vpn = pudEnd;
        continue;
      }
      if (!started) {
        started = true;
        range.start = vpn;
        yield* mmuNotifierInvalidateRangeStart(k, range);
      }
      while (vpn < pudEnd) {
        const next = entryEnd(vpn, ptrsPerPte, pudEnd);
        const pmdp = pmdpOf(k, vma.mm, vpn);
        if (k.stepping) yield k.readEntry(pmdp);
        let done = ptepGet(k, pmdp) === 0;
        if (pmdIsHuge(ptepGet(k, pmdp))) {
          if (next - vpn !== ptrsPerPte) yield* splitHugePmd(k, vma, pmdp, vpn);
          else done = yield* changeHugePmd(k, tlb, vma, pmdp, vpn, tryWritable);
        }
        if (!done && pmdIsTable(ptepGet(k, pmdp))) {
          yield* changePteRange(k, tlb, vma, pmdp, vpn, next, tryWritable);
        }
        vpn = next;
      }
    }
    if (started) yield* mmuNotifierInvalidateRangeEnd(k, range);
    pudStart = pgdEnd;
  }
}

/** Mirrors: include/linux/mm.h vma_wants_manual_pte_write_upgrade(); faithful */
function wantsManualWriteUpgrade(vma: Vma): boolean {
  // a shared area that needs no write faults maps writable right away
  if (vma.flags & VM_SHARED) return (vma.flags & VM_WRITE) !== 0 && !pteWrite(vma.pageProt);
  return (vma.flags & VM_WRITE) !== 0;
}

/**
 * Mirrors: mm/mprotect.c mprotect_fixup()
 * simplified: of limits only that of memory
 * @returns 0; -EINVAL when the area cannot be split there; -ENOMEM for more than there is RAM
 */
function* mprotectFixup(
  k: Kernel,
  tlb: MmuGather,
  vma: Vma,
  start: Vpn,
  end: Vpn,
  newFlags: number,
): Kernel$<number> {
  if (vma.flags === newFlags) return 0;
  const err = maySplit(k, vma, start) || maySplit(k, vma, end);
  if (err) return err;
  let flags = newFlags;
  if (flags & VM_WRITE) {
    if (!(vma.flags & (VM_ACCOUNT | VM_WRITE | VM_HUGETLB | VM_SHARED)) && accountable(flags)) {
      if (vmEnoughMemory(k, end - start)) return -ENOMEM;
      flags |= VM_ACCOUNT;
    }
  } else if (vma.flags & VM_ACCOUNT && vmaIsAnonymous(vma) && !vma.anonVma) flags &= ~VM_ACCOUNT;
  yield* vmaAdjustTransHuge(k, vma, start);
  yield* vmaAdjustTransHuge(k, vma, end);
  const part = yield* vmaModifyFlags(k, vma, start, end, flags);
  part.flags = flags | (part.flags & VM_STICKY);
  vmaSetPageProt(part);
  yield* changeProtection(k, tlb, part, start, end, wantsManualWriteUpgrade(part));
  return 0;
}

/**
 * mprotect(2)
 *
 * Mirrors: mm/mprotect.c do_mprotect_pkey()
 * simplified: no execute permission, no keys
 * @param prot VM_READ, VM_WRITE
 * @returns 0; -ENOMEM where a part is not mapped, or is more than there is RAM, -EINVAL in the middle of a huge page of the pool (what
 *   comes before it is changed)
 */
export function* mprotect(k: Kernel, mm: Mm, start: Vpn, end: Vpn, prot: number): Kernel$<number> {
  if (k.stepping) yield k.acquire(mm.mmapLock);
  k.lock(mm.mmapLock);
  const tlb = new MmuGather(mm);
  let vpn = start;
  let err = 0;
  while (vpn < end) {
    const vma = mm.lookupVma(vpn);
    if (!vma) {
      err = -ENOMEM;
      break;
    }
    const next = Math.min(vma.end, end);
    err = yield* mprotectFixup(k, tlb, vma, vpn, next, prot | (vma.flags & ~VM_ACCESS_FLAGS));
    if (err) break;
    vpn = next;
  }
  yield* tlbFinishMmu(k, tlb);
  if (k.stepping) yield k.release(mm.mmapLock);
  k.unlock(mm.mmapLock);
  return err;
}
