/**
 * Where a folio is mapped in one area.
 *
 * Models: mm/page_vma_mapped.c
 */
import { looksUpOnly } from '../machine/finding.ts';
import type { Lock } from '../machine/lock.ts';
import { ptePfn, ptePresent } from '../machine/pte.ts';
import type { Kernel$ } from '../machine/step.ts';
import type { Folio, Pfn, Pte, Ptep, Vpn } from '../machine/units.ts';
import { folioIndex, folioPages, folioTestAnon } from './folio.ts';
import { thpVmaSuitableOrder } from './huge-memory.ts';
import type { Kernel } from './kernel.ts';
import { isDeviceExclusive, isDevicePrivate, isMigration, softleafToPfn } from './leafops.ts';
import {
  entryEnd,
  lackStep,
  lacksTable,
  pmdPresent,
  pmdpOf,
  pmdTransHuge,
  pteOffsetMap,
  ptepGet,
  ptlOf,
} from './pgtable.ts';
import type { Vma } from './vma.ts';

/** Take the lock even where a glance says that nothing is mapped. */
export const PVMW_SYNC = 1;
/** Look for migration entries. */
export const PVMW_MIGRATION = 2;

/** First page of the area that may map page `index` to `index + pages` of a mapping, or -1. */
export function vmaAddress(k: Kernel, folio: Folio, vma: Vma): Vpn {
  const index = folioIndex(k, folio);
  const offset = folioTestAnon(k, folio) ? vma.anonPgoff : vma.pgoff;
  if (index >= offset) {
    const vpn = vma.start + (index - offset);
    return vpn < vma.end ? vpn : -1;
  }
  return index + folioPages(k, folio) > offset ? vma.start : -1;
}

/** struct page_vma_mapped_walk */
export class MappedWalk {
  readonly pfn: Pfn;
  readonly pages: number;
  readonly end: Vpn;
  /** Index of the entry found; -1: none yet. A huge mapping has `pmd` but no `pte`. */
  pmd: Ptep = -1;
  pte: Ptep = -1;
  ptl: Lock | null = null;

  constructor(
    k: Kernel,
    folio: Folio,
    readonly vma: Vma,
    public vpn: Vpn,
    readonly flags: number,
  ) {
    this.pfn = folio;
    this.pages = folioPages(k, folio);
    const index = folioIndex(k, folio);
    const offset = folioTestAnon(k, folio) ? vma.anonPgoff : vma.pgoff;
    this.end = Math.min(vma.end, vma.start + (index + this.pages - offset));
  }

  /** Whether the entry just handled was the last possible one. */
  get atEnd(): boolean {
    return this.pte >= 0 && this.vpn + 1 >= this.end;
  }

  /** Gives up the lock before the walk is over (page_vma_mapped_walk_done()). */
  done(k: Kernel): void {
    if (this.ptl) k.unlock(this.ptl);
    this.ptl = null;
    this.pte = -1;
  }
}

looksUpOnly(MappedWalk);

function overlaps(pvmw: MappedWalk, pfn: Pfn, pages: number): boolean {
  return pfn + pages - 1 >= pvmw.pfn && pfn <= pvmw.pfn + pvmw.pages - 1;
}

/** Mirrors: mm/page_vma_mapped.c check_pte(); faithful */
function checkPte(k: Kernel, pvmw: MappedWalk): boolean {
  const pte = ptepGet(k, pvmw.pte);
  if (pvmw.flags & PVMW_MIGRATION) {
    if (pte === 0 || ptePresent(pte) || !isMigration(pte)) return false;
    return overlaps(pvmw, softleafToPfn(pte), 1);
  }
  if (ptePresent(pte)) return overlaps(pvmw, ptePfn(pte), 1);
  if (!isDevicePrivate(pte) && !isDeviceExclusive(pte)) return false;
  return overlaps(pvmw, softleafToPfn(pte), 1);
}

/** Whether an entry that was read without the lock is worth taking it (in map_pte()). */
function worthLocking(pvmw: MappedWalk, pte: Pte): boolean {
  if (pvmw.flags & PVMW_SYNC) return true;
  if (pte === 0) return false;
  const migration = (pvmw.flags & PVMW_MIGRATION) !== 0;
  if (ptePresent(pte)) return !migration;
  if (migration) return true;
  return isDevicePrivate(pte) || isDeviceExclusive(pte);
}

/** Whether a huge mapping of the folio could be at the walk's place. */
function mayBeHuge(k: Kernel, pvmw: MappedWalk): boolean {
  return pvmw.pages >= k.geometry.ptrsPerPte && thpVmaSuitableOrder(k, pvmw.vma, pvmw.vpn);
}

/**
 * Finds the next entry that maps the folio in the area, and returns with its table locked.
 *
 * Mirrors: mm/page_vma_mapped.c page_vma_mapped_walk(), map_pte(),
 *   mm/internal.h sync_with_folio_pmd_zap()
 * faithful
 */
export function* pageVmaMappedWalk(k: Kernel, pvmw: MappedWalk): Kernel$<boolean> {
  const { mm } = pvmw.vma;
  const { ptrsPerPte } = k.geometry;
  // the only huge mapping was handled by the last call
  if (pvmw.pmd >= 0 && pvmw.pte < 0) {
    if (pvmw.ptl) {
      if (k.stepping) yield k.release(pvmw.ptl);
      pvmw.done(k);
    }
    return false;
  }
  let resume = pvmw.pte >= 0;
  while (pvmw.vpn < pvmw.end) {
    if (!resume) {
      if (k.stepping && lacksTable(k, mm, pvmw.vpn)) yield lackStep(k, mm, pvmw.vpn);
      pvmw.pmd = pmdpOf(k, mm, pvmw.vpn);
      if (pvmw.pmd < 0) {
        pvmw.vpn = entryEnd(pvmw.vpn, ptrsPerPte, Infinity);
        continue;
      }
      if (k.stepping) yield k.readEntry(pvmw.pmd);
      let pmd = ptepGet(k, pvmw.pmd);
      if (pmdTransHuge(pmd) || (pmd !== 0 && !pmdPresent(pmd))) {
        pvmw.ptl = ptlOf(k, pvmw.pmd);
        if (k.stepping) yield k.acquire(pvmw.ptl);
        k.lock(pvmw.ptl);
        pmd = ptepGet(k, pvmw.pmd);
        if (pmdTransHuge(pmd) || (pmd !== 0 && !pmdPresent(pmd))) {
          const migration = !pmdPresent(pmd) && isMigration(pmd);
          const pfn = pmdPresent(pmd) ? ptePfn(pmd) : softleafToPfn(pmd);
          const wanted = migration === ((pvmw.flags & PVMW_MIGRATION) !== 0);
          if (wanted && overlaps(pvmw, pfn, ptrsPerPte)) return true;
          if (k.stepping) yield k.release(pvmw.ptl);
          k.unlock(pvmw.ptl);
          pvmw.ptl = null;
          pvmw.pmd = -1;
          pvmw.vpn = entryEnd(pvmw.vpn, ptrsPerPte, Infinity);
          continue;
        }
        // split while we waited: look at its entries
        if (k.stepping) yield k.release(pvmw.ptl);
        k.unlock(pvmw.ptl);
        pvmw.ptl = null;
      } else if (!pmdPresent(pmd) && pvmw.flags & PVMW_SYNC && mayBeHuge(k, pvmw)) {
        // somebody may be taking a huge mapping away, and not be done with its folio
        const ptl = ptlOf(k, pvmw.pmd);
        if (k.stepping) yield k.acquire(ptl);
        k.lock(ptl);
        if (k.stepping) yield k.release(ptl);
        k.unlock(ptl);
      }
      if (!pmdPresent(pmd)) {
        pvmw.pmd = -1;
        pvmw.vpn = entryEnd(pvmw.vpn, ptrsPerPte, Infinity);
        continue;
      }
      pvmw.pte = pteOffsetMap(k, pvmw.pmd, pvmw.vpn);
      if (pvmw.pte < 0) continue;
      if (k.stepping && !(pvmw.flags & PVMW_SYNC)) yield k.readEntry(pvmw.pte);
      if (worthLocking(pvmw, ptepGet(k, pvmw.pte))) {
        pvmw.ptl = ptlOf(k, pvmw.pte);
        if (k.stepping) yield k.acquire(pvmw.ptl);
        k.lock(pvmw.ptl);
        if (pteOffsetMap(k, pvmw.pmd, pvmw.vpn) !== pvmw.pte) {
          if (k.stepping) yield k.release(pvmw.ptl);
          pvmw.done(k);
          continue;
        }
        if (checkPte(k, pvmw)) return true;
      }
    }
    resume = false;
    // on to the next entry that is not none
    let crossed = false;
    do {
      pvmw.vpn++;
      if (pvmw.vpn >= pvmw.end) break;
      if ((pvmw.vpn & (ptrsPerPte - 1)) === 0) {
        crossed = true;
        break;
      }
      pvmw.pte++;
      if (k.stepping && !pvmw.ptl) yield k.readEntry(pvmw.pte);
    } while (ptepGet(k, pvmw.pte) === 0);
    if (pvmw.vpn >= pvmw.end) break;
    if (crossed) {
      if (pvmw.ptl) {
        if (k.stepping) yield k.release(pvmw.ptl);
        k.unlock(pvmw.ptl);
        pvmw.ptl = null;
      }
      pvmw.pte = -1;
      continue;
    }
    if (!pvmw.ptl) {
      const ptl = ptlOf(k, pvmw.pte);
      if (k.stepping) yield k.acquire(ptl);
      k.lock(ptl);
      pvmw.ptl = ptl;
      if (pteOffsetMap(k, pvmw.pmd, pvmw.vpn) !== pvmw.pte) {
        if (k.stepping) yield k.release(ptl);
        pvmw.done(k);
        continue;
      }
    }
    if (checkPte(k, pvmw)) return true;
    resume = true;
  }
  if (pvmw.ptl) {
    if (k.stepping) yield k.release(pvmw.ptl);
    k.unlock(pvmw.ptl);
    pvmw.ptl = null;
  }
  pvmw.pte = -1;
  pvmw.pmd = -1;
  return false;
}
