/**
 * Moving mappings.
 *
 * Models: mm/mremap.c
 */
import { EFAULT, EINVAL } from '../machine/errno.ts';
import { PTE_SOFT_DIRTY, ptePresent } from '../machine/pte.ts';
import type { Kernel$ } from '../machine/step.ts';
import type { Pte, Ptep, Vpn } from '../machine/units.ts';
import { anonVmaClone, unlinkAnonVmas, vmaComplete, vmaPrepare } from './anon-vma.ts';
import { moveHugePmd, splitHugePmd } from './huge-memory.ts';
import {
  alignHuge,
  fixupHugetlbReservations,
  hugetlbVmOpOpen,
  isHugeAligned,
  moveHugetlbPageTables,
} from './hugetlb.ts';
import type { Kernel } from './kernel.ts';
import { SWP_SOFT_DIRTY } from './leafops.ts';
import type { Mm } from './mm.ts';
import { doMunmap, vmEnoughMemory } from './mmap.ts';
import {
  MmuNotify,
  mmuNotifierInvalidateRangeEnd,
  mmuNotifierInvalidateRangeStart,
  notifierRange,
} from './mmu-notifier.ts';
import {
  entryEnd,
  pmdAlloc,
  pmdIsHuge,
  pmdIsTable,
  pmdpOf,
  pteAlloc,
  pteOffsetMap,
  ptepGet,
  ptepGetAndClear,
  ptlOf,
  pudpOf,
  setPte,
} from './pgtable.ts';
import { mremapUserfaultfdPrep } from './userfaultfd.ts';
import {
  isVmHugetlbPage,
  linearAnonPageIndex,
  linearPageIndex,
  userfaultfdMissing,
  VM_ACCOUNT,
  VM_DONTEXPAND,
  Vma,
  vmaIsAnonymous,
  vmaLink,
} from './vma.ts';
import { vmaMergeNewRange, vmasAround } from './vma-merge.ts';

/** An entry that moves counts as written. */
export function moveSoftDirty(pte: Pte): Pte {
  return pte | (ptePresent(pte) ? PTE_SOFT_DIRTY : SWP_SOFT_DIRTY);
}

/**
 * Mirrors: mm/mremap.c move_ptes()
 * simplified: no batching, no userfaultfd-wp
 */
function* movePtes(
  k: Kernel,
  vma: Vma,
  from: Vpn,
  to: Vpn,
  pages: number,
  oldPmd: Ptep,
  newPmd: Ptep,
): Kernel$<void> {
  const oldFirst = pteOffsetMap(k, oldPmd, from);
  const newFirst = pteOffsetMap(k, newPmd, to);
  if (oldFirst < 0 || newFirst < 0) return;
  const oldPtl = ptlOf(k, oldFirst);
  const newPtl = ptlOf(k, newFirst);
  if (k.stepping) yield k.acquire(oldPtl);
  k.lock(oldPtl);
  if (newPtl !== oldPtl) {
    if (k.stepping) yield k.acquire(newPtl);
    k.lock(newPtl);
  }
  let flush = false;
  for (let i = 0; i < pages; i++) {
    if (ptepGet(k, oldFirst + i) === 0) continue;
    k.warn(ptepGet(k, newFirst + i) !== 0, 'an entry is moved onto another');
    if (k.stepping) yield k.writeEntry(oldFirst + i);
    const pte = ptepGetAndClear(k, oldFirst + i);
    if (ptePresent(pte)) flush = true;
    if (k.stepping) yield k.writeEntry(newFirst + i);
    setPte(k, newFirst + i, moveSoftDirty(pte));
  }
  if (flush) {
    if (k.stepping) yield k.flushStep(vma.mm.id);
    k.flushTlbRange(vma.mm.id, from, from + pages);
  }
  if (newPtl !== oldPtl) {
    if (k.stepping) yield k.release(newPtl);
    k.unlock(newPtl);
  }
  if (k.stepping) yield k.release(oldPtl);
  k.unlock(oldPtl);
}

/**
 * Moves a whole table; its entries do not change, so they do not become soft-dirty.
 *
 * Mirrors: mm/mremap.c move_normal_pmd()
 * faithful
 */
function* moveNormalPmd(
  k: Kernel,
  vma: Vma,
  from: Vpn,
  oldPmd: Ptep,
  newPmd: Ptep,
): Kernel$<boolean> {
  // entries that lose their userfaultfd are moved one by one
  if (vma.uffd) return false;
  if (k.warn(ptepGet(k, newPmd) !== 0, 'a table is moved onto another')) return false;
  const oldPtl = ptlOf(k, oldPmd);
  const newPtl = ptlOf(k, newPmd);
  if (k.stepping) yield k.acquire(oldPtl);
  k.lock(oldPtl);
  if (newPtl !== oldPtl) {
    if (k.stepping) yield k.acquire(newPtl);
    k.lock(newPtl);
  }
  const pmd = ptepGet(k, oldPmd);
  const moved = pmdIsTable(pmd);
  if (moved) {
    if (k.stepping) yield k.writeEntry(oldPmd);
    ptepGetAndClear(k, oldPmd);
    if (k.stepping) yield k.writeEntry(newPmd);
    setPte(k, newPmd, pmd);
    if (k.stepping) yield k.flushStep(vma.mm.id);
    k.flushTlbRange(vma.mm.id, from, from + k.geometry.ptrsPerPte);
  }
  if (newPtl !== oldPtl) {
    if (k.stepping) yield k.release(newPtl);
    k.unlock(newPtl);
  }
  if (k.stepping) yield k.release(oldPtl);
  k.unlock(oldPtl);
  return moved;
}

/** Whether nothing is mapped from `vpn` down to its table's start (can_align_down()). */
function canAlignDown(k: Kernel, vma: Vma, vpn: Vpn): boolean {
  if (vma.start !== vpn) return false;
  const down = vpn - (vpn & (k.geometry.ptrsPerPte - 1));
  const below = vma.mm.findVma(down);
  return !below || below.start >= vma.start;
}

/** Mirrors: mm/mremap.c take_rmap_locks(), drop_rmap_locks(); faithful */
function* withRmapLocks<T>(k: Kernel, vma: Vma, take: boolean, move: () => Kernel$<T>): Kernel$<T> {
  if (!take) return yield* move();
  const locks = yield* vmaPrepare(k, [vma]);
  const moved = yield* move();
  yield* vmaComplete(k, locks);
  return moved;
}

/**
 * Moves the entries of `from` to `from + pages` to `to`.
 *
 * Mirrors: mm/mremap.c move_page_tables()
 * simplified: no tables of the third level are moved whole
 * @param needRmapLocks a walk of the reverse map may come to the new place before the old one, and
 *   must not miss an entry that moves between
 */
function* movePageTables(
  k: Kernel,
  old: Vma,
  fresh: Vma,
  from: Vpn,
  to: Vpn,
  pages: number,
  needRmapLocks: boolean,
): Kernel$<void> {
  const { mm } = old;
  const { pgdPages, pudPages, ptrsPerPte } = k.geometry;
  const end = from + pages;
  let vpn = from;
  let target = to;
  const offset = vpn & (ptrsPerPte - 1);
  if (
    offset !== 0 &&
    offset === (target & (ptrsPerPte - 1)) &&
    pages >= ptrsPerPte - offset &&
    canAlignDown(k, old, vpn) &&
    canAlignDown(k, fresh, target)
  ) {
    vpn -= offset;
    target -= offset;
  }
  const range = notifierRange(MmuNotify.Unmap, mm, vpn, end);
  yield* mmuNotifierInvalidateRangeStart(k, range);
  while (vpn < end) {
    const pudp = pudpOf(k, mm, vpn);
    let extent: number;
    if (pudp < 0 || ptepGet(k, pudp) === 0) {
      extent = entryEnd(vpn, pudp < 0 ? pgdPages : pudPages, end) - vpn;
    } else {
      extent = Math.min(
        entryEnd(vpn, ptrsPerPte, end) - vpn,
        entryEnd(target, ptrsPerPte, Infinity) - target,
      );
      const oldPmd = pmdpOf(k, mm, vpn);
      if (ptepGet(k, oldPmd) !== 0) {
        const newPmd = yield* pmdAlloc(k, mm, target);
        let moved = false;
        if (pmdIsHuge(ptepGet(k, oldPmd))) {
          if (extent === ptrsPerPte) {
            const move = () => moveHugePmd(k, old, vpn, target, oldPmd, newPmd);
            moved = yield* withRmapLocks(k, old, needRmapLocks, move);
          }
          if (!moved) yield* splitHugePmd(k, old, oldPmd, vpn);
        } else if (extent === ptrsPerPte) {
          // a whole table moves without the lock of its entries
          const move = () => moveNormalPmd(k, old, vpn, oldPmd, newPmd);
          moved = yield* withRmapLocks(k, old, true, move);
        }
        if (!moved && ptepGet(k, oldPmd) !== 0) {
          yield* pteAlloc(k, mm, newPmd);
          const move = () => movePtes(k, old, vpn, target, extent, oldPmd, newPmd);
          yield* withRmapLocks(k, old, needRmapLocks, move);
        }
      }
    }
    vpn += extent;
    target += extent;
  }
  yield* mmuNotifierInvalidateRangeEnd(k, range);
}

/**
 * The area at the new place: merged with a neighbour or a copy.
 *
 * Mirrors: mm/vma.c copy_vma()
 * faithful
 * @param keepSource the area stays where it is, too (MREMAP_DONTUNMAP)
 */
function* copyVma(
  k: Kernel,
  vma: Vma,
  from: Vpn,
  to: Vpn,
  pages: number,
  keepSource: boolean,
): Kernel$<Vma> {
  let pgoff = linearPageIndex(vma, from);
  let anonPgoff = linearAnonPageIndex(vma, from);
  if (!vma.anonVma) {
    anonPgoff = to;
    if (vmaIsAnonymous(vma)) pgoff = to;
  }
  const around = vmasAround(vma.mm, to, to + pages);
  const locks = yield* vmaPrepare(k, [vma, ...around]);
  // an area that stays does not become one with its copy
  const distinct = keepSource && !vma.anonVma && vmaIsAnonymous(vma);
  const { vmas } = vma.mm;
  const merged = vmaMergeNewRange(k, distinct ? vmas.filter((v) => v !== vma) : vmas, {
    start: to,
    end: to + pages,
    flags: vma.flags,
    pgoff,
    anonPgoff,
    file: vma.file,
    anonVma: vma.anonVma,
    uffd: vma.uffd,
    copiedFrom: vma,
  });
  if (merged) {
    yield* vmaComplete(k, locks);
    return merged;
  }
  const fresh = new Vma(vma.mm, to, to + pages, vma.flags, pgoff, anonPgoff, vma.file);
  fresh.pageProt = vma.pageProt;
  fresh.uffd = vma.uffd;
  fresh.anonVma = vma.anonVma;
  if (isVmHugetlbPage(vma)) hugetlbVmOpOpen(fresh, vma);
  anonVmaClone(k, fresh, vma, 'remap');
  vmaLink(fresh);
  yield* vmaComplete(k, locks);
  return fresh;
}

/**
 * The area that stays behind is as if nobody had touched it.
 *
 * Mirrors: mm/mremap.c dontunmap_complete()
 * faithful
 */
function* dontunmapComplete(k: Kernel, old: Vma, start: Vpn, end: Vpn): Kernel$<void> {
  if (start !== old.start || end !== old.end) return;
  const locks = yield* vmaPrepare(k, [old]);
  unlinkAnonVmas(k, old);
  yield* vmaComplete(k, locks);
  old.anonPgoff = old.start;
  if (vmaIsAnonymous(old)) old.pgoff = old.start;
}

/**
 * mremap(2) with MREMAP_MAYMOVE and MREMAP_FIXED, of unchanged length: moves every area of the
 * range, and unmaps what was at the new place.
 *
 * Mirrors: mm/mremap.c do_mremap(), remap_move(), mremap_to(), move_vma()
 * simplified: of limits only that of memory, lengths do not change
 * @param keepSource the old place stays mapped, and is empty (MREMAP_DONTUNMAP)
 * @returns 0; -EINVAL when the places overlap, where one is in the middle of a huge page of the pool, or where
 *   huge pages of the pool are to leave their place mapped;
 *   -EFAULT when nothing is mapped at the start; -ENOMEM when more than there is RAM is to leave its place
 *   mapped: what was at the new place is gone
 */
export function* mremap(
  k: Kernel,
  mm: Mm,
  from: Vpn,
  pages: number,
  to: Vpn,
  keepSource = false,
): Kernel$<number> {
  if (from + pages > to && to + pages > from) return -EINVAL;
  if (k.stepping) yield k.acquire(mm.mmapLock);
  k.lock(mm.mmapLock);
  const end = from + pages;
  let err = -EFAULT;
  let vpn = from;
  let first = true;
  while (vpn < end) {
    const vma = mm.findVma(vpn);
    if (!vma || vma.start >= end || (first && vma.start > from)) break;
    // of several areas none may have a userfaultfd
    if (userfaultfdMissing(vma) && (!first || vma.end < end)) {
      err = -EFAULT;
      break;
    }
    const start = Math.max(vma.start, from);
    let length = Math.min(vma.end, end) - start;
    const vmaEnd = vma.end;
    const target = to + (start - from);
    if (isVmHugetlbPage(vma)) {
      length = alignHuge(k, length);
      err = isHugeAligned(k, start) && isHugeAligned(k, target) ? 0 : -EINVAL;
    } else err = 0;
    // the old place would stay empty, and could not get its pages back
    if (keepSource && vma.flags & VM_DONTEXPAND) err = -EINVAL;
    if (!err) err = yield* doMunmap(k, mm, target, target + length);
    if (err) break;
    const source = k.present(mm.lookupVma(start), 'the area of an address');
    if (keepSource && source.flags & VM_ACCOUNT) err = vmEnoughMemory(k, length);
    if (err) break;
    const fresh = yield* copyVma(k, source, start, target, length, keepSource);
    // a merge may have replaced the area that holds the old place
    const old = k.present(mm.lookupVma(start), 'the area of an address');
    // an area that was there before may come before the old one in a walk
    const merged = fresh.pages !== length;
    if (isVmHugetlbPage(old)) {
      yield* moveHugetlbPageTables(k, old, start, target, length);
      yield* fixupHugetlbReservations(k, old, fresh);
    } else yield* movePageTables(k, old, fresh, start, target, length, merged);
    mremapUserfaultfdPrep(fresh);
    if (keepSource) yield* dontunmapComplete(k, old, start, start + length);
    else yield* doMunmap(k, mm, start, start + length);
    first = false;
    vpn = vmaEnd;
  }
  if (k.stepping) yield k.release(mm.mmapLock);
  k.unlock(mm.mmapLock);
  return err;
}
