/**
 * The page tables as an observer sees them, without locks or steps: for describing the state and
 * for checking it while no task runs.
 */
import { ptePfn, ptePresent, pteTable } from '../../machine/pte.ts';
import type { Pfn, Pte, Ptep, TableId, Vpn } from '../../machine/units.ts';
import type { Kernel } from '../kernel.ts';
import { softleafToPfn } from '../leafops.ts';
import type { Mm } from '../mm.ts';
import { pmdIsTable } from '../pgtable.ts';

/** An entry that is not none and points to no table. */
export interface Leaf {
  /** First page that it maps. */
  readonly vpn: Vpn;
  /** Pages that it maps: 1, or those of a huge page. */
  readonly pages: number;
  /** Its index in the table pool, and its value. */
  readonly ptep: Ptep;
  readonly pte: Pte;
  readonly huge: boolean;
}

/** The tables of an address space. */
export interface Tables {
  /** Every table that can be reached, the highest among them, in the order of addresses. */
  readonly all: TableId[];
  /** The lowest-level ones among them. */
  readonly pteTables: TableId[];
  /** Those above the lowest level, which may have tables deposited. */
  readonly pmdTables: TableId[];
}

/** Visits every table and every leaf of an address space in the order of addresses. */
function visit(k: Kernel, mm: Mm, tables: Tables, leaf: (leaf: Leaf) => void): void {
  const { pgdPages, pudPages, ptrsPerPte, ptrsPerTable } = k.geometry;
  const shift = k.tables.strideShift;
  const level = (table: TableId, base: Vpn, cover: number): void => {
    tables.all.push(table);
    const lowest = cover === 1;
    if (lowest) tables.pteTables.push(table);
    if (cover === ptrsPerPte) tables.pmdTables.push(table);
    const count = lowest ? ptrsPerPte : ptrsPerTable;
    for (let i = 0; i < count; i++) {
      const ptep = (table << shift) + i;
      const pte = k.tables.entries[ptep];
      if (pte === 0) continue;
      const vpn = base + i * cover;
      if (lowest) leaf({ vpn, pages: 1, ptep, pte, huge: false });
      else if (cover === ptrsPerPte && !pmdIsTable(pte)) {
        leaf({ vpn, pages: ptrsPerPte, ptep, pte, huge: true });
      } else {
        const below = cover === pgdPages ? pudPages : cover === pudPages ? ptrsPerPte : 1;
        level(pteTable(pte), vpn, below);
      }
    }
  };
  level(mm.pgd, 0, pgdPages);
}

/** Every leaf and every table of an address space, both in the order of addresses. */
export function leavesAndTables(k: Kernel, mm: Mm): { leaves: Leaf[]; tables: Tables } {
  const leaves: Leaf[] = [];
  const tables: Tables = { all: [], pteTables: [], pmdTables: [] };
  visit(k, mm, tables, (leaf) => leaves.push(leaf));
  return { leaves, tables };
}

/** Every leaf of an address space, in the order of addresses. */
export function leavesOf(k: Kernel, mm: Mm): Leaf[] {
  return leavesAndTables(k, mm).leaves;
}

/** Every table of an address space. */
export function tablesOf(k: Kernel, mm: Mm): Tables {
  return leavesAndTables(k, mm).tables;
}

/** The page that an entry names, present or not. */
export function leafPfn(pte: Pte): Pfn {
  return ptePresent(pte) ? ptePfn(pte) : softleafToPfn(pte);
}

/** A page's place in words: its buffer, and its number there. */
export function placeOf(k: Kernel, vpn: Vpn): string {
  const { bufferBase, bufferSpacing } = k.geometry;
  const at = vpn - bufferBase;
  if (at < 0) return `page ${vpn}`;
  return `buffer ${Math.floor(at / bufferSpacing)} page ${at % bufferSpacing}`;
}
