/**
 * Taking mappings away.
 *
 * Models: mm/memory.c (the zap half), mm/mmu_gather.c
 */
import { PG_DIRTY } from '../machine/page.ts';
import { pteDirty, ptePresent, pteYoung } from '../machine/pte.ts';
import type { Kernel$ } from '../machine/step.ts';
import type { Folio, Ptep, Vpn } from '../machine/units.ts';
import { vmNormalPage } from './fault.ts';
import {
  folioFree,
  folioMarkAccessed,
  folioPutTestzero,
  folioSet,
  folioTestAnon,
  pageFolio,
} from './folio.ts';
import { splitHugePmd, zapHugePmd } from './huge-memory.ts';
import { hugetlbZapBegin, hugetlbZapEnd, unmapHugepages } from './hugetlb.ts';
import type { Kernel } from './kernel.ts';
import { isDeviceExclusive, isDevicePrivate, isMigration, softleafToPfn } from './leafops.ts';
import { Holder } from './look/ledger.ts';
import type { Mm } from './mm.ts';
import {
  MmuNotify,
  mmuNotifierInvalidateRangeEnd,
  mmuNotifierInvalidateRangeStart,
  notifierRange,
} from './mmu-notifier.ts';
import {
  entryEnd,
  lackStep,
  lacksTable,
  pmdIsHuge,
  pmdIsTable,
  pmdpOf,
  pteOffsetMap,
  ptepGet,
  ptepGetAndClear,
  ptlOf,
  pudpOf,
} from './pgtable.ts';
import { folioRemoveRmapPte } from './rmap.ts';
import { isVmHugetlbPage, VM_HUGETLB, type Vma } from './vma.ts';

/** Pages taken out of an address space, to be freed after the TLBs are flushed (mmu_gather). */
export class MmuGather {
  /** Range of pages to flush. */
  start = Infinity;
  end = 0;
  /** References to drop: folio, count. */
  readonly folios: Folio[] = [];
  readonly counts: number[] = [];

  constructor(readonly mm: Mm) {}

  /** A translation of `vpn` may be cached. */
  track(vpn: Vpn, pages: number): void {
    if (vpn < this.start) this.start = vpn;
    if (vpn + pages > this.end) this.end = vpn + pages;
  }

  page(folio: Folio, count: number): void {
    this.folios.push(folio);
    this.counts.push(count);
  }
}

/**
 * Flushes what was tracked, without freeing.
 *
 * Mirrors: include/asm-generic/tlb.h tlb_flush_mmu_tlbonly()
 * faithful
 */
export function* tlbFlushOnly(k: Kernel, tlb: MmuGather): Kernel$<void> {
  if (tlb.end === 0) return;
  if (k.stepping) yield k.flushStep(tlb.mm.id);
  k.flushTlbRange(tlb.mm.id, tlb.start, tlb.end);
  tlb.start = Infinity;
  tlb.end = 0;
}

/**
 * Flushes the TLBs, then frees.
 *
 * Mirrors: mm/mmu_gather.c tlb_finish_mmu()
 * faithful
 */
export function* tlbFinishMmu(k: Kernel, tlb: MmuGather): Kernel$<void> {
  yield* tlbFlushOnly(k, tlb);
  for (let i = 0; i < tlb.folios.length; i++) {
    const folio = tlb.folios[i];
    if (k.stepping) yield k.writeFolio(folio);
    if (folioPutTestzero(k, folio, Holder.Mapping, tlb.counts[i])) {
      yield* folioFree(k, folio);
    }
  }
  tlb.folios.length = 0;
  tlb.counts.length = 0;
}

/**
 * Clears one entry that is not none; its table is locked.
 *
 * Mirrors: mm/memory.c zap_present_ptes(), zap_nonpresent_ptes()
 * simplified: no batching, the reverse map is updated before the flush for dirty file pages too
 * @param mayLetGo the table's lock may be let go instead
 * @returns whether it is: the entry is as it was
 */
function* zapPte(
  k: Kernel,
  tlb: MmuGather,
  vma: Vma,
  ptep: Ptep,
  vpn: Vpn,
  mayLetGo: boolean,
): Kernel$<boolean> {
  if (k.stepping) yield mayLetGo ? k.orLetGo(k.writeEntry(ptep)) : k.writeEntry(ptep);
  if (k.letsGo()) return true;
  const pte = ptepGetAndClear(k, ptep);
  if (ptePresent(pte)) {
    tlb.track(vpn, 1);
    const page = vmNormalPage(pte);
    if (page < 0) return false;
    const folio = pageFolio(k, page);
    if (k.stepping) yield k.writeFolio(folio);
    if (!folioTestAnon(k, folio)) {
      if (pteDirty(pte)) folioSet(k, folio, PG_DIRTY);
      if (pteYoung(pte)) yield* folioMarkAccessed(k, folio);
      tlb.mm.filePages--;
      if (k.stepping) yield k.writeFolio(folio);
    } else tlb.mm.anonPages--;
    folioRemoveRmapPte(k, folio, page, vma);
    tlb.page(folio, 1);
    return false;
  }
  if (isDevicePrivate(pte) || isDeviceExclusive(pte)) {
    const page = softleafToPfn(pte);
    const folio = pageFolio(k, page);
    k.warn(!folioTestAnon(k, folio), 'a device entry of a page that is not anonymous');
    tlb.mm.anonPages--;
    if (k.stepping) yield k.writeFolio(folio);
    folioRemoveRmapPte(k, folio, page, vma);
    if (folioPutTestzero(k, folio, Holder.Mapping)) yield* folioFree(k, folio);
  } else if (isMigration(pte)) {
    if (folioTestAnon(k, pageFolio(k, softleafToPfn(pte)))) tlb.mm.anonPages--;
    else tlb.mm.filePages--;
  } else k.report('bad entry', 'an entry of an unknown kind is unmapped');
  return false;
}

/**
 * Lets the table's lock go between two entries where the CPU is wanted, and goes on behind them.
 *
 * Mirrors: mm/memory.c zap_pte_range()
 * simplified: no batch of pages becomes full, and dirty pages of files need no flush before the lock is let go
 * @param reclaim free a table that is empty afterwards (MADV_DONTNEED)
 * @returns how far it came: before `end` where there is no table any more
 */
function* zapPteRange(
  k: Kernel,
  tlb: MmuGather,
  vma: Vma,
  pmdp: Ptep,
  start: Vpn,
  end: Vpn,
  reclaim: boolean,
): Kernel$<Vpn> {
  for (let vpn = start; vpn < end; ) {
    const from = vpn;
    const first = pteOffsetMap(k, pmdp, from);
    if (first < 0) return from;
    const ptl = ptlOf(k, first);
    if (k.stepping) yield k.acquire(ptl);
    k.lock(ptl);
    const same = pteOffsetMap(k, pmdp, from) === first;
    for (; same && vpn < end; vpn++) {
      const ptep = first + (vpn - from);
      if (ptepGet(k, ptep) === 0) continue;
      if (yield* zapPte(k, tlb, vma, ptep, vpn, vpn > from)) break;
    }
    if (k.stepping) yield k.release(ptl);
    k.unlock(ptl);
    if (!same) return from;
  }
  if (reclaim && end - start >= k.geometry.ptrsPerPte) {
    yield* zapPteTableIfEmpty(k, tlb.mm, pmdp, start);
  }
  return end;
}

/** Mirrors: mm/memory.c zap_pte_table_if_empty(); simplified: freed at once */
function* zapPteTableIfEmpty(k: Kernel, mm: Mm, pmdp: Ptep, start: Vpn): Kernel$<void> {
  const pmdLock = ptlOf(k, pmdp);
  if (k.stepping) yield k.acquire(pmdLock);
  k.lock(pmdLock);
  const first = pteOffsetMap(k, pmdp, start);
  if (first >= 0) {
    const ptl = ptlOf(k, first);
    const table = k.tables.tableOf(first);
    if (k.stepping) yield k.acquire(ptl);
    k.lock(ptl);
    const empty = k.tables.isEmpty(table);
    if (empty) {
      if (k.stepping) yield k.writeEntry(pmdp);
      ptepGetAndClear(k, pmdp);
    }
    if (k.stepping) yield k.release(ptl);
    k.unlock(ptl);
    if (empty) {
      k.tables.release(table, k.current.cpu);
      mm.pteTables--;
    }
  }
  if (k.stepping) yield k.release(pmdLock);
  k.unlock(pmdLock);
}

/**
 * Takes away the mappings of a range of one area. Of huge pages of the pool the locks of hugetlbZapBegin()
 * are held.
 *
 * Mirrors: mm/memory.c __zap_vma_range(), zap_pmd_range()
 * faithful
 */
export function* zapVmaRange(
  k: Kernel,
  tlb: MmuGather,
  vma: Vma,
  start: Vpn,
  end: Vpn,
  reclaim: boolean,
): Kernel$<void> {
  const { pgdPages, pudPages, ptrsPerPte } = k.geometry;
  if (vma.flags & VM_HUGETLB) {
    yield* unmapHugepages(k, tlb, vma, start, end);
    return;
  }
  for (let vpn = start; vpn < end; ) {
    if (k.stepping && lacksTable(k, vma.mm, vpn)) yield lackStep(k, vma.mm, vpn);
    const pudp = pudpOf(k, vma.mm, vpn);
    if (pudp < 0 || ptepGet(k, pudp) === 0) {
      vpn = entryEnd(vpn, pudp < 0 ? pgdPages : pudPages, end);
      continue;
    }
    const next = entryEnd(vpn, ptrsPerPte, end);
    const pmdp = pmdpOf(k, vma.mm, vpn);
    if (k.stepping) yield k.readEntry(pmdp);
    const pmd = ptepGet(k, pmdp);
    if (pmdIsHuge(pmd)) {
      if (next - vpn !== ptrsPerPte) yield* splitHugePmd(k, vma, pmdp, vpn);
      else if (yield* zapHugePmd(k, tlb, vma, pmdp, vpn)) {
        vpn = next;
        continue;
      }
    }
    // what has become something else is looked at again
    if (!pmdIsTable(ptepGet(k, pmdp))) vpn = next;
    else vpn = yield* zapPteRange(k, tlb, vma, pmdp, vpn, next, reclaim);
  }
}

/**
 * Takes away the mappings of a range of one area, and tells the notifiers.
 *
 * Mirrors: mm/memory.c zap_vma_range_batched()
 * faithful
 */
export function* zapVmaRangeBatched(
  k: Kernel,
  tlb: MmuGather,
  vma: Vma,
  start: Vpn,
  end: Vpn,
  reclaim: boolean,
): Kernel$<void> {
  const huge = isVmHugetlbPage(vma);
  const range = notifierRange(MmuNotify.Clear, vma.mm, start, end);
  if (huge) yield* hugetlbZapBegin(k, vma);
  yield* mmuNotifierInvalidateRangeStart(k, range);
  yield* zapVmaRange(k, tlb, vma, start, end, reclaim);
  yield* mmuNotifierInvalidateRangeEnd(k, range);
  if (!huge) return;
  // freed before anybody can fault here: he might find the pool empty
  yield* tlbFinishMmu(k, tlb);
  yield* hugetlbZapEnd(k, vma);
}
