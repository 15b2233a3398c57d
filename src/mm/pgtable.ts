/**
 * Walking, making and freeing page tables.
 *
 * Models: include/linux/pgtable.h, mm/pgtable-generic.c, mm/memory.c
 */
import { looksUpOnly } from '../machine/finding.ts';
import type { Lock } from '../machine/lock.ts';
import { mkTable, PTE_HUGE, PTE_PRESENT, PTE_PROTNONE, pteTable } from '../machine/pte.ts';
import { type Kernel$, ObjectKind, Role, type Step } from '../machine/step.ts';
import type { Pfn, Pte, Ptep, TableId, Vpn } from '../machine/units.ts';
import type { Kernel } from './kernel.ts';
import type { Mm } from './mm.ts';

/** An entry's present value, at any level. */
export function ptepGet(k: Kernel, ptep: Ptep): Pte {
  if (k.monitor !== null) k.monitor.onRead(ptep);
  return k.tables.entries[ptep];
}

/** An entry on the way down, or one that is looked at only for whether it is empty. */
export function entryAt(k: Kernel, ptep: Ptep): Pte {
  if (k.monitor !== null) k.monitor.onFollow(ptep);
  return k.tables.entries[ptep];
}

/** Writes an entry. The step before it is the caller's. */
export function setPte(k: Kernel, ptep: Ptep, pte: Pte): void {
  if (k.monitor !== null) k.monitor.onEntry(ptep);
  k.tables.entries[ptep] = pte;
}

/** Clears an entry and returns what it was, with the hardware's bits (ptep_get_and_clear()). */
export function ptepGetAndClear(k: Kernel, ptep: Ptep): Pte {
  if (k.monitor !== null) k.monitor.onEntry(ptep);
  const pte = k.tables.entries[ptep];
  k.tables.entries[ptep] = 0;
  return pte;
}

/** The lock of the table that an entry is in (pte_lockptr(), pmd_lockptr()). */
export function ptlOf(k: Kernel, ptep: Ptep): Lock {
  return k.present(k.tables.lockOf(ptep), 'the page table of an entry');
}

/** A PMD entry that points to a table. */
export function pmdIsTable(pmd: Pte): boolean {
  return (pmd & (PTE_PRESENT | PTE_HUGE)) === PTE_PRESENT;
}
/** A present huge page (pmd_trans_huge()); also one made PROT_NONE, or invalid for a moment. */
export function pmdTransHuge(pmd: Pte): boolean {
  return (pmd & PTE_HUGE) !== 0;
}
/** Present for the kernel: a table, or a huge page (pmd_present()). */
export function pmdPresent(pmd: Pte): boolean {
  return (pmd & (PTE_PRESENT | PTE_PROTNONE | PTE_HUGE)) !== 0;
}
/** A present huge page that the hardware may not use while it changes (pmd_mkinvalid()). */
export function pmdMkinvalid(pmd: Pte): Pte {
  return pmd & ~(PTE_PRESENT | PTE_PROTNONE);
}
/** A leaf at the PMD level: a huge page, or an entry that is not present. */
export function pmdIsHuge(pmd: Pte): boolean {
  return pmd !== 0 && !pmdIsTable(pmd);
}

/** The entry of a table that covers `vpn`; `cover` is the pages of one entry. */
function slot(k: Kernel, table: TableId, vpn: Vpn, cover: number): Ptep {
  const index = (vpn / cover) & (k.geometry.ptrsPerTable - 1);
  return (table << k.tables.strideShift) + index;
}

/** The PUD entry of a page, or -1 when the table above has none. */
export function pudpOf(k: Kernel, mm: Mm, vpn: Vpn): Ptep {
  const pgd = entryAt(k, slot(k, mm.pgd, vpn, k.geometry.pgdPages));
  return pgd === 0 ? -1 : slot(k, pteTable(pgd), vpn, k.geometry.pudPages);
}

/** The PMD entry of a page, or -1 when no table holds one (mm_find_pmd(), without its checks). */
export function pmdpOf(k: Kernel, mm: Mm, vpn: Vpn): Ptep {
  const pudp = pudpOf(k, mm, vpn);
  if (pudp < 0) return -1;
  const pud = entryAt(k, pudp);
  return pud === 0 ? -1 : slot(k, pteTable(pud), vpn, k.geometry.ptrsPerPte);
}

function ensure(k: Kernel, entry: Ptep): TableId {
  const value = entryAt(k, entry);
  if (value !== 0) return pteTable(value);
  const table = k.tables.alloc(k.current.cpu, false);
  k.tables.entries[entry] = mkTable(table);
  return table;
}

/** The step before a walk without locks reads the uppermost entry on the way to a page. */
export function topStep(k: Kernel, mm: Mm, vpn: Vpn): Step {
  return k.readEntry(slot(k, mm.pgd, vpn, k.geometry.pgdPages));
}

/** The entry of an upper table that is missing on the way to a page's PMD entry; -1 for none. */
export function missingTable(k: Kernel, mm: Mm, vpn: Vpn): Ptep {
  const pgdp = slot(k, mm.pgd, vpn, k.geometry.pgdPages);
  const pgd = entryAt(k, pgdp);
  if (pgd === 0) return pgdp;
  const pudp = slot(k, pteTable(pgd), vpn, k.geometry.pudPages);
  return entryAt(k, pudp) === 0 ? pudp : -1;
}

/** Whether whoever looks for a page's PMD entry has to take a step to see that there is none. */
export function lacksTable(k: Kernel, mm: Mm, vpn: Vpn): boolean {
  return missingTable(k, mm, vpn) >= 0;
}

/** That step. */
export function lackStep(k: Kernel, mm: Mm, vpn: Vpn): Step {
  return k.readEntry(missingTable(k, mm, vpn));
}

/**
 * The step before a PMD entry is read that `pmdAlloc` returned. Whether that had to make the tables
 * above it depends on who came first.
 */
export function allocatedStep(k: Kernel, mm: Mm, vpn: Vpn, pmdp: Ptep): Step {
  const pgdp = slot(k, mm.pgd, vpn, k.geometry.pgdPages);
  const step = k.readEntry(pmdp).and(ObjectKind.Entry, pgdp, Role.Read);
  const pudp = pudpOf(k, mm, vpn);
  return pudp < 0 ? step : step.and(ObjectKind.Entry, pudp, Role.Read);
}

/**
 * The PMD entry of a page, making the tables above it.
 *
 * Mirrors: mm/memory.c __pud_alloc(), __pmd_alloc()
 * simplified: installed in one step, allocations do not fail
 */
export function* pmdAlloc(k: Kernel, mm: Mm, vpn: Vpn): Kernel$<number> {
  if (k.stepping && lacksTable(k, mm, vpn)) yield k.writeEntry(missingTable(k, mm, vpn));
  const pudTable = ensure(k, slot(k, mm.pgd, vpn, k.geometry.pgdPages));
  const pmdTable = ensure(k, slot(k, pudTable, vpn, k.geometry.pudPages));
  return slot(k, pmdTable, vpn, k.geometry.ptrsPerPte);
}

/**
 * Makes sure that a PMD entry is not empty: a table, if nobody was faster.
 *
 * Mirrors: mm/memory.c __pte_alloc(), pmd_install()
 * simplified: allocations do not fail
 */
export function* pteAlloc(k: Kernel, mm: Mm, pmdp: Ptep): Kernel$<void> {
  if (k.stepping) yield k.readEntry(pmdp);
  if (entryAt(k, pmdp) !== 0) return;
  k.mightAlloc();
  const ptl = ptlOf(k, pmdp);
  if (k.stepping) yield k.acquire(ptl).and(ObjectKind.Entry, pmdp, Role.Write);
  k.lock(ptl);
  // who migrates the huge page has cleared the entry for a moment, and holds the lock
  if (entryAt(k, pmdp) === 0) {
    const table = k.tables.alloc(k.current.cpu);
    k.tables.entries[pmdp] = mkTable(table);
    mm.pteTables++;
  }
  if (k.stepping) yield k.release(ptl);
  k.unlock(ptl);
}

/** Makes a PMD entry point to a table (pmd_populate()). The step before it is the caller's. */
export function pmdPopulate(k: Kernel, pmdp: Ptep, table: TableId): void {
  k.tables.entries[pmdp] = mkTable(table);
}

looksUpOnly(ptepGet, entryAt, pudpOf, pmdpOf, pteOffsetMap, ptepOf);

/** Keeps a table for a huge entry; the PMD is locked (pgtable_trans_huge_deposit()). */
export function pgtableDeposit(k: Kernel, pmdp: Ptep, table: TableId): void {
  k.assertHeld(ptlOf(k, pmdp));
  k.tables.deposit(pmdp, table);
}

/** Takes a kept table back; the PMD is locked (pgtable_trans_huge_withdraw()). */
export function pgtableWithdraw(k: Kernel, pmdp: Ptep): TableId {
  k.assertHeld(ptlOf(k, pmdp));
  const table = k.tables.withdraw(pmdp);
  k.bug(table === 0, 'no table was deposited for a huge entry');
  return table;
}

/** The PTE of a page below a PMD entry, or -1 when that is no table (pte_offset_map()). */
export function pteOffsetMap(k: Kernel, pmdp: Ptep, vpn: Vpn): Ptep {
  const pmd = entryAt(k, pmdp);
  if (!pmdIsTable(pmd)) return -1;
  return (pteTable(pmd) << k.tables.strideShift) + (vpn & (k.geometry.ptrsPerPte - 1));
}

/** The PTE of a page, or -1. */
export function ptepOf(k: Kernel, mm: Mm, vpn: Vpn): Ptep {
  const pmdp = pmdpOf(k, mm, vpn);
  return pmdp < 0 ? -1 : pteOffsetMap(k, pmdp, vpn);
}

/** First page of the huge page that holds `vpn`. */
export function hugeStart(k: Kernel, vpn: Vpn): Vpn {
  return vpn - (vpn & (k.geometry.ptrsPerPte - 1));
}

/** End of the PMD entry's range, or `end` if that is lower (pmd_addr_end()). */
export function pmdAddrEnd(k: Kernel, vpn: Vpn, end: Vpn): Vpn {
  const next = hugeStart(k, vpn) + k.geometry.ptrsPerPte;
  return next < end ? next : end;
}

/** End of the range of the entry that covers `cover` pages, or `end` if that is lower. */
export function entryEnd(vpn: Vpn, cover: number, end: Vpn): Vpn {
  const next = (Math.floor(vpn / cover) + 1) * cover;
  return next < end ? next : end;
}

/**
 * Frees the tables that only served `start` to `end`: those that lie between the area before
 * (`floor`) and the area after (`ceiling`).
 *
 * Mirrors: mm/memory.c free_pgd_range(), free_pgtables()
 * simplified: tables are freed at once, after the TLB flush
 */
export function* freePgtables(
  k: Kernel,
  mm: Mm,
  start: Vpn,
  end: Vpn,
  floor: Vpn,
  ceiling: Vpn,
): Kernel$<void> {
  const { pgdPages, pudPages, ptrsPerPte } = k.geometry;
  const inside = (vpn: Vpn, cover: number): boolean => {
    const from = Math.floor(vpn / cover) * cover;
    return from >= floor && from + cover <= ceiling;
  };
  function* drop(entry: Ptep): Kernel$<void> {
    if (k.stepping) yield k.writeEntry(entry);
    const table = pteTable(entryAt(k, entry));
    k.warn(k.tables.deposits.has(table), 'a table is freed that others were deposited in');
    k.tables.release(table, k.current.cpu);
    k.tables.entries[entry] = 0;
  }
  for (let g = start; g < end; g = entryEnd(g, pgdPages, end)) {
    const pgdp = slot(k, mm.pgd, g, pgdPages);
    if (entryAt(k, pgdp) === 0) continue;
    const gEnd = entryEnd(g, pgdPages, end);
    for (let u = g; u < gEnd; u = entryEnd(u, pudPages, gEnd)) {
      const pudp = pudpOf(k, mm, u);
      if (entryAt(k, pudp) === 0) continue;
      const uEnd = entryEnd(u, pudPages, gEnd);
      for (let m = u; m < uEnd; m = entryEnd(m, ptrsPerPte, uEnd)) {
        const pmdp = pmdpOf(k, mm, m);
        if (!pmdIsTable(entryAt(k, pmdp)) || !inside(m, ptrsPerPte)) continue;
        yield* drop(pmdp);
        mm.pteTables--;
      }
      if (inside(u, pudPages)) yield* drop(pudp);
    }
    if (inside(g, pgdPages)) yield* drop(pgdp);
  }
}

/**
 * Writes a page's data caches back before its mapping goes. x86 has nothing to do here; elsewhere the
 * page is reached through the kernel's own mapping, which a device's memory does not have.
 *
 * Mirrors: include/asm-generic/cacheflush.h flush_cache_page()
 * simplified: only looks whether it could be done
 */
export function flushCachePage(k: Kernel, pfn: Pfn): void {
  k.warn(!k.hasFrame(pfn), 'the caches of a page are flushed that no CPU can reach');
}

/**
 * After how many entries a table's lock may be let go that Linux lets go after `entries` of 512: a small table stands for
 * a large one.
 */
export const breakAfter = (k: Kernel, entries: number): number =>
  Math.max(1, Math.trunc((entries * k.geometry.ptrsPerPte) / 512));
