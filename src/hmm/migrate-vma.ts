/**
 * Device page migration by address.
 *
 * Models: mm/migrate_device.c
 */
import { EINVAL } from '../machine/errno.ts';
import { flagsOf } from '../machine/objects.ts';
import { PG_UPTODATE } from '../machine/page.ts';
import { mkPte, PTE_SPECIAL, PTE_WRITE, pteMkdirty, ptePfn, ptePresent } from '../machine/pte.ts';
import { type Kernel$, ObjectKind, Role, type Step } from '../machine/step.ts';
import type { Pfn, Vpn } from '../machine/units.ts';
import { anonVmaPrepare } from '../mm/anon-vma.ts';
import {
  folioAddLru,
  folioFree,
  folioGet,
  folioIsDevicePrivate,
  folioIsLarge,
  folioIsZoneDevice,
  folioPages,
  folioPutTestzero,
  folioSet,
  folioUnlockPut,
  pageFolio,
} from '../mm/folio.ts';
import { splitHugePmd } from '../mm/huge-memory.ts';
import type { Kernel } from '../mm/kernel.ts';
import { makeReadableDevicePrivateEntry, makeWritableDevicePrivateEntry } from '../mm/leafops.ts';
import { Holder } from '../mm/look/ledger.ts';
import {
  folioMapping,
  folioMigrateFlags,
  folioMigrateMapping,
  removeMigrationPtes,
} from '../mm/migrate.ts';
import {
  MmuNotify,
  mmuNotifierInvalidateRangeEnd,
  mmuNotifierInvalidateRangeStart,
  type NotifierRange,
  notifierRange,
} from '../mm/mmu-notifier.ts';
import { checkStableAddressSpace } from '../mm/oom.ts';
import {
  allocatedStep,
  pmdAlloc,
  pmdTransHuge,
  pteAlloc,
  pteOffsetMap,
  ptepGet,
  ptepGetAndClear,
  ptlOf,
  setPte,
} from '../mm/pgtable.ts';
import { folioAddNewAnonRmap } from '../mm/rmap.ts';
import { cacheStep } from '../mm/shmem.ts';
import { userfaultfdMissing, VM_WRITE, vmaIsAnonymous } from '../mm/vma.ts';
import { migrateVmaCollect } from './collect.ts';
import { behind, checkNoEntryLeft, checkSelected, checkSetup } from './look/contracts.ts';
import { MIGRATE_VMA_FAULT, type MigrateVma, mayMigrate } from './migrate-args.ts';
import { insertHugePmdPage, splitUnmappedFolio } from './migrate-huge.ts';
import {
  HMM_PFN_COMPOUND,
  HMM_PFN_INOUT_FLAGS,
  HMM_PFN_MIGRATE,
  HMM_PFN_REQ_FAULT,
  HMM_PFN_WRITE,
  hmmPfnToPfn,
  MIGRATE_PFN_COMPOUND,
  MIGRATE_PFN_MIGRATE,
  MIGRATE_PFN_WRITE,
  migratePfn,
  migratePfnToPfn,
  type Pfns,
} from './pfn.ts';
import { hmmRangeFault } from './range.ts';
import { migrateDeviceUnmap } from './unmap.ts';
import type { HmmRange } from './walk-state.ts';

/** Mirrors: mm/migrate_device.c migrate_vma_unmap(); faithful */
function* migrateVmaUnmap(k: Kernel, migrate: MigrateVma): Kernel$<void> {
  migrate.cpages = yield* migrateDeviceUnmap(k, migrate.src, migrate.npages, migrate.faultPage);
}

/**
 * Makes a migration of what a range walk prepared, and unmaps it from every other process.
 *
 * Mirrors: the series' migrate_hmm_range_setup()
 * faithful
 */
export function* migrateHmmRangeSetup(k: Kernel, range: HmmRange): Kernel$<void> {
  const migrate = range.migrate;
  if (!migrate) return;
  const pfns = range.hmmPfns;
  migrate.npages = migrate.end - migrate.start;
  migrate.cpages = 0;
  const { src: to, npages } = migrate;
  migrate.dst.fill(0, 0, npages);
  for (let i = 0; i < npages; i++) {
    const entry = pfns[i] & ~HMM_PFN_INOUT_FLAGS;
    if (!(entry & HMM_PFN_MIGRATE)) {
      to[i] = 0;
      continue;
    }
    const page = hmmPfnToPfn(entry);
    let src = MIGRATE_PFN_MIGRATE;
    // frame 0 is never handed out: without a page it is a hole to be populated
    if (page !== 0) src |= migratePfn(page);
    if (page !== 0 && entry & HMM_PFN_WRITE) src |= MIGRATE_PFN_WRITE;
    if (entry & HMM_PFN_COMPOUND) src |= MIGRATE_PFN_COMPOUND;
    to[i] = src;
    migrate.cpages++;
  }
  if (k.monitor !== null) checkSelected(k, migrate);
  if (migrate.cpages) yield* migrateVmaUnmap(k, migrate);
}

/**
 * Prepares a range of one area for migration: `src[]` says afterwards what migrates. The driver then
 * allocates and copies, calls `migrateVmaPages` and `migrateVmaFinalize`.
 *
 * Mirrors: mm/migrate_device.c migrate_vma_setup(); with the walks `unified` and `as-posted` as the
 * series changes it
 * faithful
 * @returns 0; -EINVAL for a bad range; with MIGRATE_VMA_FAULT what the fault returned
 */
export function* migrateVmaSetup(k: Kernel, args: MigrateVma): Kernel$<number> {
  const { vma } = args;
  if (!vma || !mayMigrate(vma)) return -EINVAL;
  if (args.end <= args.start) return -EINVAL;
  if (args.start < vma.start || args.start >= vma.end) return -EINVAL;
  if (args.end <= vma.start || args.end > vma.end) return -EINVAL;
  if (args.faultPage >= 0) {
    if (!folioIsDevicePrivate(k, args.faultPage)) return -EINVAL;
    if (!k.folioLocked(pageFolio(k, args.faultPage))) return -EINVAL;
  }
  args.src.fill(0, 0, args.end - args.start);
  args.cpages = 0;
  args.npages = 0;
  const before = behind(k, args);
  if (k.walk === 'collect') {
    yield* migrateVmaCollect(k, args);
    if (args.cpages) yield* migrateVmaUnmap(k, args);
    if (before) checkSetup(k, args, before, 0);
    return 0;
  }
  const range: HmmRange = {
    notifier: null,
    notifierSeq: 0,
    start: args.start,
    end: args.end,
    hmmPfns: args.src,
    defaultFlags: args.flags & MIGRATE_VMA_FAULT ? HMM_PFN_REQ_FAULT : 0,
    pfnFlagsMask: 0,
    devPrivateOwner: args.pgmapOwner,
    migrate: args,
  };
  const ret = yield* hmmRangeFault(k, range);
  yield* migrateHmmRangeSetup(k, range);
  if (before) checkSetup(k, args, before, ret);
  if (ret) {
    // take back out what was installed
    yield* migrateVmaPages(k, args);
    yield* migrateVmaFinalize(k, args);
  }
  return ret;
}

/**
 * Populates a hole with a device page.
 *
 * Mirrors: mm/migrate_device.c migrate_vma_insert_page()
 * faithful
 * @param at index of the page
 */
function* insertPage(k: Kernel, migrate: MigrateVma, at: number, vpn: Vpn): Kernel$<void> {
  const vma = k.present(migrate.vma, 'the area of a migration');
  const { mm } = vma;
  const { src, dst } = migrate;
  const page = migratePfnToPfn(dst[at]);
  const folio = pageFolio(k, page);
  src[at] &= ~MIGRATE_PFN_MIGRATE;
  // only anonymous memory may be populated
  if (!vmaIsAnonymous(vma)) return;
  const pmdp = yield* pmdAlloc(k, mm, vpn);
  if (dst[at] & MIGRATE_PFN_COMPOUND) {
    if (k.stepping) yield allocatedStep(k, mm, vpn, pmdp);
    yield* insertHugePmdPage(k, migrate, at, vpn, folio, pmdp);
    return;
  }
  if (k.stepping) yield allocatedStep(k, mm, vpn, pmdp);
  const pmd = ptepGet(k, pmdp);
  if (pmdTransHuge(pmd)) {
    if (!k.isHugeZero(ptePfn(pmd))) return;
    yield* splitHugePmd(k, vma, pmdp, vpn);
  }
  yield* pteAlloc(k, mm, pmdp);
  yield* anonVmaPrepare(k, vma);
  folioSet(k, folio, PG_UPTODATE);
  const entry = folioIsDevicePrivate(k, folio)
    ? vma.flags & VM_WRITE
      ? makeWritableDevicePrivateEntry(page)
      : makeReadableDevicePrivateEntry(page)
    : vma.flags & VM_WRITE
      ? pteMkdirty(mkPte(page, vma.pageProt)) | PTE_WRITE
      : mkPte(page, vma.pageProt);
  const ptep = pteOffsetMap(k, pmdp, vpn);
  if (ptep < 0) return;
  const ptl = ptlOf(k, ptep);
  const look = Role.Read;
  const flags = flagsOf(mm);
  // the folio, for the mapping's reference: who evicts finds a device's page by its number
  const seen = (): Step =>
    k.acquire(ptl).and(ObjectKind.Entry, ptep, look).and(ObjectKind.Mm, flags, look);
  if (k.stepping) yield seen().and(ObjectKind.Folio, folio, Role.Write);
  k.lock(ptl);
  const orig = ptepGet(k, ptep);
  const zero = ptePresent(orig) && (orig & PTE_SPECIAL) !== 0;
  // a page that a monitor is to give is not populated
  const may = !checkStableAddressSpace(mm) && !userfaultfdMissing(vma);
  if (pteOffsetMap(k, pmdp, vpn) === ptep && may && (orig === 0 || zero)) {
    mm.anonPages++;
    folioAddNewAnonRmap(k, folio, vma, vpn);
    if (!folioIsZoneDevice(k, folio)) yield* folioAddLru(k, folio);
    folioGet(k, folio, Holder.Mapping);
    if (zero) {
      if (k.stepping) yield k.writeEntry(ptep);
      ptepGetAndClear(k, ptep);
      if (k.stepping) yield k.flushStep(mm.id);
      k.flushTlbPage(mm.id, vpn);
    }
    if (k.stepping) yield k.writeEntry(ptep);
    setPte(k, ptep, entry);
    src[at] = MIGRATE_PFN_MIGRATE;
  }
  if (k.stepping) yield k.release(ptl);
  k.unlock(ptl);
}

/**
 * Mirrors: mm/migrate_device.c __migrate_device_pages()
 * simplified: no swap cache
 * @param migrate null when pages are migrated by frame number
 */
export function* migrateDevicePagesInner(
  k: Kernel,
  src: Pfns,
  dst: Pfns,
  npages: number,
  migrate: MigrateVma | null,
): Kernel$<void> {
  let notify: NotifierRange | null = null;
  const huge = k.geometry.ptrsPerPte;
  for (let i = 0; i < npages; ) {
    if ((src[i] | dst[i]) === 0) {
      i++;
      continue;
    }
    const newpage = migratePfnToPfn(dst[i]);
    const page = migratePfnToPfn(src[i]);
    if (newpage < 0) {
      src[i] &= ~MIGRATE_PFN_MIGRATE;
      i++;
      continue;
    }
    if (page < 0) {
      if (!(src[i] & MIGRATE_PFN_MIGRATE)) {
        i++;
        continue;
      }
      k.bug(!migrate, 'a hole is populated without an address');
      const args = k.present(migrate, 'the arguments of a migration');
      const vpn = args.start + i;
      if (!notify) {
        const mm = k.present(args.vma, 'the area of a migration').mm;
        notify = notifierRange(MmuNotify.Migrate, mm, vpn, args.end, args.pgmapOwner);
        yield* mmuNotifierInvalidateRangeStart(k, notify);
      }
      let pages = 1;
      if (src[i] & MIGRATE_PFN_COMPOUND && !(dst[i] & MIGRATE_PFN_COMPOUND)) {
        pages = Math.min(huge, npages - i);
        src[i] &= ~MIGRATE_PFN_COMPOUND;
      }
      for (let j = i; j < i + pages; j++) {
        src[j] |= MIGRATE_PFN_MIGRATE;
        if (migratePfnToPfn(dst[j]) < 0) src[j] &= ~MIGRATE_PFN_MIGRATE;
        else yield* insertPage(k, args, j, args.start + j);
      }
      i += pages;
      continue;
    }
    const folio = pageFolio(k, page);
    const newfolio = pageFolio(k, newpage);
    let pages = 1;
    const migrating = (src[i] & MIGRATE_PFN_MIGRATE) !== 0;
    if (migrating && src[i] & MIGRATE_PFN_COMPOUND && !(dst[i] & MIGRATE_PFN_COMPOUND)) {
      pages = folioPages(k, folio);
      if (!migrate || (yield* splitUnmappedFolio(k, migrate, i, folio))) {
        src[i] &= ~(MIGRATE_PFN_MIGRATE | MIGRATE_PFN_COMPOUND);
        i += migrate ? pages : 1;
        continue;
      }
      // the rest of it comes by in its own turns
      pages = 1;
      k.warn(folioIsLarge(k, folio), 'a folio is large after its split');
    } else if (migrating && dst[i] & MIGRATE_PFN_COMPOUND && !(src[i] & MIGRATE_PFN_COMPOUND)) {
      src[i] &= ~MIGRATE_PFN_MIGRATE;
    }
    if (folioIsZoneDevice(k, newfolio) && folioMapping(k, folio)) {
      // only anonymous memory goes to a device (which has a mapping only in the swap cache)
      src[i] &= ~MIGRATE_PFN_MIGRATE;
      i += pages;
      continue;
    }
    const extra = migrate && migrate.faultPage === page ? 1 : 0;
    if (k.stepping) yield cacheStep(k, folioMapping(k, folio), folio);
    if (folioMigrateMapping(k, newfolio, folio, extra)) src[i] &= ~MIGRATE_PFN_MIGRATE;
    else folioMigrateFlags(k, newfolio, folio);
    i += pages;
  }
  if (notify) yield* mmuNotifierInvalidateRangeEnd(k, notify);
}

/**
 * Moves what each page is to its new page, and populates holes. Afterwards `src[]` says which pages
 * have migrated.
 *
 * Mirrors: mm/migrate_device.c migrate_vma_pages()
 * faithful
 */
export function migrateVmaPages(k: Kernel, migrate: MigrateVma): Kernel$<void> {
  return migrateDevicePagesInner(k, migrate.src, migrate.dst, migrate.npages, migrate);
}

/**
 * Mirrors: mm/migrate_device.c __migrate_device_finalize()
 * faithful
 */
export function* migrateDeviceFinalizeInner(
  k: Kernel,
  src: Pfns,
  dst: Pfns,
  npages: number,
  faultPage: Pfn,
): Kernel$<void> {
  const faultFolio = faultPage < 0 ? -1 : pageFolio(k, faultPage);
  for (let i = 0; i < npages; i++) {
    if ((src[i] | dst[i]) === 0) continue;
    const newpage = migratePfnToPfn(dst[i]);
    const page = migratePfnToPfn(src[i]);
    let to = newpage < 0 ? -1 : pageFolio(k, newpage);
    if (page < 0) {
      if (to >= 0) {
        k.warn(faultFolio === to, 'a fault migrates a page to itself');
        yield* folioUnlockPut(k, to, Holder.Alloc);
      }
      continue;
    }
    const from = pageFolio(k, page);
    if (!(src[i] & MIGRATE_PFN_MIGRATE) || to < 0) {
      if (to >= 0) {
        k.warn(faultFolio === to, 'a fault migrates a page to itself');
        yield* folioUnlockPut(k, to, Holder.Alloc);
      }
      to = from;
    } else k.counters.pagesMigrated += folioPages(k, from);
    if (!folioIsZoneDevice(k, to)) yield* folioAddLru(k, to);
    yield* removeMigrationPtes(k, from, to);
    if (k.monitor !== null) checkNoEntryLeft(k, from, folioPages(k, from));
    if (k.stepping) yield k.releaseFolio(from);
    if (faultFolio !== from) k.folioUnlock(from);
    const holder = folioIsZoneDevice(k, from) ? Holder.Migrate : Holder.Isolated;
    if (folioPutTestzero(k, from, holder)) yield* folioFree(k, from);
    if (to !== from) {
      k.warn(faultFolio === to, 'a fault migrates a page to itself');
      yield* folioUnlockPut(k, to, Holder.Alloc);
    }
  }
}

/**
 * Maps the pages that have migrated at their new place, the others at their old one.
 *
 * Mirrors: mm/migrate_device.c migrate_vma_finalize()
 * faithful
 */
export function migrateVmaFinalize(k: Kernel, migrate: MigrateVma): Kernel$<void> {
  const { src, dst, npages, faultPage } = migrate;
  return migrateDeviceFinalizeInner(k, src, dst, npages, faultPage);
}
