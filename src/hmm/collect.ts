/**
 * The walk of Linux 7.3.4: collects what is there. What is missing must be faulted in before.
 *
 * Models: mm/migrate_device.c migrate_vma_collect_*()
 */
import { EAGAIN, ENOENT } from '../machine/errno.ts';
import { ptePfn, ptePresent, pteWrite } from '../machine/pte.ts';
import type { Kernel$ } from '../machine/step.ts';
import type { Folio, Ptep, Vpn } from '../machine/units.ts';
import { vmNormalPage } from '../mm/fault.ts';
import {
  folioFree,
  folioGet,
  folioIsLarge,
  folioMappingWord,
  folioPut,
  folioPutTestzero,
  pageFolio,
} from '../mm/folio.ts';
import { setPmdMigrationEntry, splitFolio } from '../mm/huge-memory.ts';
import type { Kernel } from '../mm/kernel.ts';
import { isDevicePrivate, isDevicePrivateWrite, softleafToPfn } from '../mm/leafops.ts';
import { Holder } from '../mm/look/ledger.ts';
import { pagePgmap } from '../mm/memremap.ts';
import {
  MmuNotify,
  mmuNotifierInvalidateRangeEnd,
  mmuNotifierInvalidateRangeStart,
  notifierRange,
} from '../mm/mmu-notifier.ts';
import { type MmWalk, type MmWalkOps, walkPageRangeVma } from '../mm/pagewalk.ts';
import {
  pmdIsTable,
  pmdPresent,
  pmdTransHuge,
  pteOffsetMap,
  ptepGet,
  ptlOf,
} from '../mm/pgtable.ts';
import { vmaIsAnonymous } from '../mm/vma.ts';
import {
  MIGRATE_VMA_SELECT_COMPOUND,
  MIGRATE_VMA_SELECT_DEVICE_PRIVATE,
  MIGRATE_VMA_SELECT_SYSTEM,
  type MigrateVma,
  selectsHuge,
  selectsPage,
} from './migrate-args.ts';
import {
  INSTALLED_FLUSH,
  installMigrationEntry,
  migrateVmaSplitFolio,
  SKIPPED,
} from './migration-entry.ts';
import { MIGRATE_PFN_COMPOUND, MIGRATE_PFN_MIGRATE, MIGRATE_PFN_WRITE, migratePfn } from './pfn.ts';

/** Whether a range is one whole huge page, and the caller takes such. */
export function wholeHuge(k: Kernel, migrate: MigrateVma, start: Vpn, end: Vpn): boolean {
  const mask = k.geometry.ptrsPerPte - 1;
  return (
    (migrate.flags & MIGRATE_VMA_SELECT_COMPOUND) !== 0 &&
    (start & mask) === 0 &&
    (end & mask) === 0
  );
}

/** Mirrors: mm/migrate_device.c migrate_vma_collect_skip(); faithful */
function collectSkip(migrate: MigrateVma, start: Vpn, end: Vpn): number {
  const pages = end - start;
  migrate.src.fill(0, migrate.npages, migrate.npages + pages);
  migrate.dst.fill(0, migrate.npages, migrate.npages + pages);
  migrate.npages += pages;
  return 0;
}

/** Mirrors: mm/migrate_device.c migrate_vma_collect_hole(); faithful */
function collectHole(k: Kernel, start: Vpn, end: Vpn, walk: MmWalk<MigrateVma>): number {
  const migrate = walk.private;
  // only anonymous memory may be populated
  const vma = k.present(walk.vma, 'the area under a walk');
  if (!vmaIsAnonymous(vma)) return collectSkip(migrate, start, end);
  if (wholeHuge(k, migrate, start, end)) {
    migrate.src[migrate.npages] = MIGRATE_PFN_MIGRATE | MIGRATE_PFN_COMPOUND;
    migrate.dst[migrate.npages] = 0;
    migrate.npages++;
    migrate.cpages++;
    return collectSkip(migrate, start + 1, end);
  }
  const pages = end - start;
  migrate.src.fill(MIGRATE_PFN_MIGRATE, migrate.npages, migrate.npages + pages);
  migrate.dst.fill(0, migrate.npages, migrate.npages + pages);
  migrate.npages += pages;
  migrate.cpages += pages;
  return 0;
}

/**
 * A huge entry, or one that is not there by now.
 *
 * Mirrors: mm/migrate_device.c migrate_vma_collect_huge_pmd()
 * faithful
 * @returns 0 when it was collected; -ENOENT when base entries must be walked; -EAGAIN to look again
 */
function* collectHugePmd(
  k: Kernel,
  pmdp: Ptep,
  start: Vpn,
  end: Vpn,
  walk: MmWalk<MigrateVma>,
  faultFolio: Folio,
): Kernel$<number> {
  const migrate = walk.private;
  const ptl = ptlOf(k, pmdp);
  if (k.stepping) yield k.acquire(ptl);
  k.lock(ptl);
  const pmd = ptepGet(k, pmdp);
  let result: 'hole' | 'skip' | 'again' | 'take' = 'take';
  let folio = -1;
  let write = 0;
  if (pmd === 0) result = 'hole';
  else if (pmdTransHuge(pmd)) {
    folio = ptePfn(pmd);
    if (k.isHugeZero(folio)) {
      result = migrate.flags & MIGRATE_VMA_SELECT_SYSTEM ? 'hole' : 'skip';
    } else if (!selectsHuge(k, migrate, folio)) result = 'skip';
    else if (pteWrite(pmd)) write = MIGRATE_PFN_WRITE;
  } else if (!pmdPresent(pmd)) {
    if (!isDevicePrivate(pmd) || !(migrate.flags & MIGRATE_VMA_SELECT_DEVICE_PRIVATE)) {
      result = 'skip';
    } else {
      folio = pageFolio(k, softleafToPfn(pmd));
      if (pagePgmap(k, folio).owner !== migrate.pgmapOwner) result = 'skip';
      else if (isDevicePrivateWrite(pmd)) write = MIGRATE_PFN_WRITE;
    }
  } else result = 'again';
  if (result === 'take') {
    if (k.stepping) yield k.tryAcquireFolio(folio);
    folioGet(k, folio, Holder.Migrate);
    if (folio !== faultFolio && !k.folioTryLock(folio)) {
      if (k.stepping) yield k.release(ptl);
      k.unlock(ptl);
      yield* folioPut(k, folio, Holder.Migrate);
      return collectSkip(migrate, start, end);
    }
    if (wholeHuge(k, migrate, start, end)) {
      const vma = k.present(walk.vma, 'the area under a walk');
      const failed = yield* setPmdMigrationEntry(k, vma, start, pmdp, folio);
      if (!failed) {
        const at = migrate.npages;
        collectSkip(migrate, start, end);
        migrate.src[at] = migratePfn(folio) | write | MIGRATE_PFN_MIGRATE | MIGRATE_PFN_COMPOUND;
        migrate.cpages++;
        if (k.stepping) yield k.release(ptl);
        k.unlock(ptl);
        return 0;
      }
    }
  }
  if (k.stepping) yield k.release(ptl);
  k.unlock(ptl);
  if (result === 'hole') return collectHole(k, start, end, walk);
  if (result === 'skip') return collectSkip(migrate, start, end);
  if (result === 'again') return -EAGAIN;
  // not whole, or not possible: base entries
  const ret = yield* splitFolio(k, folio);
  if (k.stepping) yield k.releaseFolio(folio);
  if (faultFolio !== folio) k.folioUnlock(folio);
  if (folioPutTestzero(k, folio, Holder.Migrate)) yield* folioFree(k, folio);
  if (ret) return collectSkip(migrate, start, end);
  if (k.stepping) yield k.readEntry(pmdp);
  if (ptepGet(k, pmdp) === 0) return collectHole(k, start, end, walk);
  return -ENOENT;
}

/**
 * Mirrors: mm/migrate_device.c migrate_vma_collect_pmd()
 * differs: the TLBs are flushed before the table is unlocked for a split as well
 */
function* collectPmd(
  k: Kernel,
  pmdp: Ptep,
  start: Vpn,
  end: Vpn,
  walk: MmWalk<MigrateVma>,
): Kernel$<number> {
  const migrate = walk.private;
  const vma = k.present(walk.vma, 'the area under a walk');
  const faultFolio = migrate.faultPage < 0 ? -1 : pageFolio(k, migrate.faultPage);
  const select = migrate.flags;
  let vpn = start;
  let unmapped = false;
  for (;;) {
    if (!pmdIsTable(ptepGet(k, pmdp))) {
      k.counters.entriesVisited++;
      const ret = yield* collectHugePmd(k, pmdp, start, end, walk, faultFolio);
      if (ret === -EAGAIN) continue;
      if (ret === 0) return 0;
    }
    const first = pteOffsetMap(k, pmdp, start);
    if (first < 0) continue;
    const ptl = ptlOf(k, first);
    if (k.stepping) yield k.acquire(ptl);
    k.lock(ptl);
    if (pteOffsetMap(k, pmdp, start) !== first) {
      if (k.stepping) yield k.release(ptl);
      k.unlock(ptl);
      continue;
    }
    let split = -1;
    for (; vpn < end; vpn++) {
      const ptep = first + (vpn - start);
      const pte = ptepGet(k, ptep);
      k.counters.entriesVisited++;
      let mpfn = 0;
      let page = -1;
      if (pte === 0) {
        if (vmaIsAnonymous(vma)) {
          mpfn = MIGRATE_PFN_MIGRATE;
          migrate.cpages++;
        }
      } else if (!ptePresent(pte)) {
        // only device-private entries; others cannot migrate
        if (isDevicePrivate(pte)) {
          const device = softleafToPfn(pte);
          if (
            select & MIGRATE_VMA_SELECT_DEVICE_PRIVATE &&
            pagePgmap(k, device).owner === migrate.pgmapOwner
          ) {
            page = device;
            mpfn = migratePfn(page) | MIGRATE_PFN_MIGRATE;
            if (isDevicePrivateWrite(pte)) mpfn |= MIGRATE_PFN_WRITE;
          }
        }
      } else {
        page = vmNormalPage(pte);
        if (page < 0) {
          if (select & MIGRATE_VMA_SELECT_SYSTEM) {
            mpfn = MIGRATE_PFN_MIGRATE;
            migrate.cpages++;
          }
        } else if (!selectsPage(k, migrate, page)) page = -1;
        else
          mpfn = migratePfn(page) | MIGRATE_PFN_MIGRATE | (pteWrite(pte) ? MIGRATE_PFN_WRITE : 0);
      }
      if (page >= 0) {
        const folio = pageFolio(k, page);
        if (folioIsLarge(k, folio)) {
          split = folio;
          break;
        }
        if (folioMappingWord(k, folio) === 0) mpfn = 0;
        else {
          const writable = (mpfn & MIGRATE_PFN_WRITE) !== 0;
          const done = yield* installMigrationEntry(k, vma, vpn, ptep, page, writable, faultFolio);
          if (done === SKIPPED) mpfn = 0;
          else {
            migrate.cpages++;
            if (done === INSTALLED_FLUSH) unmapped = true;
          }
        }
      }
      migrate.dst[migrate.npages] = 0;
      migrate.src[migrate.npages++] = mpfn;
    }
    if (split >= 0 && split !== faultFolio) {
      // taken before the table is unlocked: the folio cannot go away
      if (k.stepping) yield k.writeFolio(split);
      folioGet(k, split, Holder.Split);
    }
    if (unmapped) {
      if (k.stepping) yield k.flushStep(vma.mm.id);
      k.flushTlbRange(vma.mm.id, start, end);
      unmapped = false;
    }
    if (k.stepping) yield k.release(ptl);
    k.unlock(ptl);
    if (split < 0) return 0;
    const ret = yield* migrateVmaSplitFolio(k, split, migrate.faultPage);
    if (ret) return collectSkip(migrate, vpn, end);
  }
}

const COLLECT_OPS: MmWalkOps<MigrateVma> = { pmdEntry: collectPmd, pteHole: collectHole };

/**
 * Collects the pages of a range and installs migration entries.
 *
 * Mirrors: mm/migrate_device.c migrate_vma_collect()
 * faithful
 */
export function* migrateVmaCollect(k: Kernel, migrate: MigrateVma): Kernel$<void> {
  const vma = k.present(migrate.vma, 'the area of a migration');
  const { start, end, pgmapOwner } = migrate;
  const range = notifierRange(MmuNotify.Migrate, vma.mm, start, end, pgmapOwner);
  yield* mmuNotifierInvalidateRangeStart(k, range);
  k.counters.walks++;
  yield* walkPageRangeVma(k, vma, start, end, COLLECT_OPS, migrate);
  yield* mmuNotifierInvalidateRangeEnd(k, range);
  migrate.end = migrate.start + migrate.npages;
}
