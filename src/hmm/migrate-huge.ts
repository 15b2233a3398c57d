/**
 * Huge pages on their way to a device and back.
 *
 * Models: mm/migrate_device.c
 */
import { flagsOf } from '../machine/objects.ts';
import { PG_UPTODATE } from '../machine/page.ts';
import { PTE_WRITE, pteMkdirty, ptePfn } from '../machine/pte.ts';
import { type Kernel$, ObjectKind, Role } from '../machine/step.ts';
import type { Folio, Ptep, Vpn } from '../machine/units.ts';
import { anonVmaPrepare } from '../mm/anon-vma.ts';
import {
  folioAddLru,
  folioGet,
  folioIsDevicePrivate,
  folioIsZoneDevice,
  folioPages,
  folioSet,
} from '../mm/folio.ts';
import { mkHugePmd, thpVmaSuitableOrder } from '../mm/huge-memory.ts';
import { folioSplitUnmapped, splitHugePmdAddress, splitHugePmdLocked } from '../mm/huge-split.ts';
import type { Kernel } from '../mm/kernel.ts';
import { makeReadableDevicePrivateEntry, makeWritableDevicePrivateEntry } from '../mm/leafops.ts';
import { Holder } from '../mm/look/ledger.ts';
import {
  MmuNotify,
  mmuNotifierInvalidateRangeEnd,
  mmuNotifierInvalidateRangeStart,
  notifierRange,
} from '../mm/mmu-notifier.ts';
import { checkStableAddressSpace } from '../mm/oom.ts';
import { MappedWalk, PVMW_MIGRATION, PVMW_SYNC, pageVmaMappedWalk } from '../mm/page-vma-mapped.ts';
import {
  hugeStart,
  pgtableDeposit,
  pmdMkinvalid,
  pmdTransHuge,
  ptepGet,
  ptlOf,
  setPte,
} from '../mm/pgtable.ts';
import { folioAddNewAnonRmap, rmapWalk } from '../mm/rmap.ts';
import { userfaultfdMissing, VM_WRITE, type Vma } from '../mm/vma.ts';
import type { MigrateVma } from './migrate-args.ts';
import {
  MIGRATE_PFN_COMPOUND,
  MIGRATE_PFN_FLAGS,
  MIGRATE_PFN_MIGRATE,
  migratePfn,
  migratePfnToPfn,
} from './pfn.ts';

/**
 * Populates a hole of a huge page's size with a huge device page. The entry at `at` does not migrate
 * when the caller comes here.
 *
 * Mirrors: mm/migrate_device.c migrate_vma_insert_huge_pmd_page()
 * simplified: tables can always be allocated
 */
export function* insertHugePmdPage(
  k: Kernel,
  migrate: MigrateVma,
  at: number,
  vpn: Vpn,
  folio: Folio,
  pmdp: Ptep,
): Kernel$<void> {
  const vma = k.present(migrate.vma, 'the area of a migration');
  const { mm } = vma;
  const { src } = migrate;
  const pages = k.geometry.ptrsPerPte;
  if (!thpVmaSuitableOrder(k, vma, vpn)) return;
  yield* anonVmaPrepare(k, vma);
  folioSet(k, folio, PG_UPTODATE);
  const table = k.tables.alloc(k.current.cpu);
  let entry: number;
  if (folioIsDevicePrivate(k, folio)) {
    entry =
      vma.flags & VM_WRITE
        ? makeWritableDevicePrivateEntry(folio)
        : makeReadableDevicePrivateEntry(folio);
  } else {
    entry = mkHugePmd(folio, vma.pageProt);
    if (vma.flags & VM_WRITE) entry = pteMkdirty(entry) | PTE_WRITE;
  }
  const ptl = ptlOf(k, pmdp);
  if (k.stepping) yield k.acquire(ptl).and(ObjectKind.Mm, flagsOf(mm), Role.Read);
  k.lock(ptl);
  const pmd = ptepGet(k, pmdp);
  const zero = pmdTransHuge(pmd) && k.isHugeZero(ptePfn(pmd));
  // a page that a monitor is to give is not populated
  const may = !checkStableAddressSpace(mm) && !userfaultfdMissing(vma);
  if (may && (pmd === 0 || zero)) {
    mm.anonPages += pages;
    folioAddNewAnonRmap(k, folio, vma, vpn);
    if (!folioIsZoneDevice(k, folio)) yield* folioAddLru(k, folio);
    folioGet(k, folio, Holder.Mapping);
    if (zero) {
      // the huge zero page has a table deposited already
      k.tables.release(table, k.current.cpu);
      if (k.stepping) yield k.writeEntry(pmdp);
      setPte(k, pmdp, pmdMkinvalid(pmd));
      if (k.stepping) yield k.flushStep(mm.id);
      k.flushTlbRange(mm.id, vpn, vpn + pages);
    } else {
      pgtableDeposit(k, pmdp, table);
      mm.pteTables++;
    }
    if (k.stepping) yield k.writeEntry(pmdp);
    setPte(k, pmdp, entry);
    src[at] |= MIGRATE_PFN_MIGRATE;
  } else {
    k.tables.release(table, k.current.cpu);
    for (let i = 0; i < pages; i++) src[at + i] &= ~MIGRATE_PFN_MIGRATE;
  }
  if (k.stepping) yield k.release(ptl);
  k.unlock(ptl);
}

/**
 * Splits the migration entry of a huge folio in one area, if the area still has it.
 *
 * Mirrors: mm/migrate_device.c migrate_vma_split_unmapped_folio(), its split_huge_pmd_address()
 * differs: see below (mend split-one-process)
 */
function* splitMigrationPmd(k: Kernel, folio: Folio, vma: Vma, vpn: Vpn): Kernel$<boolean> {
  const haddr = hugeStart(k, vpn);
  const range = notifierRange(MmuNotify.Clear, vma.mm, haddr, haddr + k.geometry.ptrsPerPte);
  yield* mmuNotifierInvalidateRangeStart(k, range);
  const pvmw = new MappedWalk(k, folio, vma, vpn, PVMW_SYNC | PVMW_MIGRATION);
  while (yield* pageVmaMappedWalk(k, pvmw)) {
    if (pvmw.pte >= 0) continue;
    // the split of a migration entry drops this reference
    if (k.stepping) yield k.writeFolio(folio);
    folioGet(k, folio, Holder.Split);
    yield* splitHugePmdLocked(k, vma, haddr, pvmw.pmd, true);
    if (k.stepping && pvmw.ptl) yield k.release(pvmw.ptl);
    pvmw.done(k);
    break;
  }
  yield* mmuNotifierInvalidateRangeEnd(k, range);
  return true;
}

/**
 * Splits a huge folio that is unmapped for migration, when the driver had no huge page for it.
 *
 * Mirrors: mm/migrate_device.c migrate_vma_split_unmapped_folio()
 * differs: splits the folio's own migration entries, in every process. 7.3.4 splits whatever the one
 * process has there by now: another process's migration entry stays huge, and gets a small folio; a new
 * huge page becomes migration entries that nobody removes; where nothing is left its reference leaks
 * (mend split-one-process)
 * @returns 0, or a negative errno when somebody else holds the folio
 */
export function* splitUnmappedFolio(
  k: Kernel,
  migrate: MigrateVma,
  at: number,
  folio: Folio,
): Kernel$<number> {
  const { src } = migrate;
  const pages = folioPages(k, folio);
  if (k.unmended['split-one-process']) {
    if (k.stepping) yield k.writeFolio(folio);
    folioGet(k, folio, Holder.Split);
    const vma = k.present(migrate.vma, 'the area of a migration');
    yield* splitHugePmdAddress(k, vma, migrate.start + at, true);
  } else yield* rmapWalk(k, folio, splitMigrationPmd, undefined, null);
  const holder = folioIsZoneDevice(k, folio) ? Holder.Migrate : Holder.Isolated;
  const ret = yield* folioSplitUnmapped(k, folio, holder);
  if (ret) return ret;
  src[at] &= ~MIGRATE_PFN_COMPOUND;
  const flags = src[at] & MIGRATE_PFN_FLAGS;
  const first = migratePfnToPfn(src[at]);
  for (let i = 1; i < pages; i++) src[at + i] = migratePfn(first + i) | flags;
  return 0;
}
