import type { Geometry } from './geometry.ts';
import { grow } from './grow.ts';
import { Lock } from './lock.ts';
import { PTE_HUGE, PTE_PRESENT, pteTable } from './pte.ts';
import type { Ptep, TableId } from './units.ts';

/**
 * The pool of page tables: one flat array, a table after the other, so that an entry's address
 * (`ptep`, `pmdp`) is a plain index into it. Each table has its own lock (split page-table locks).
 */
export class TablePool {
  entries: Int32Array;
  /** log2 of the entries from one table to the next. */
  readonly strideShift: number;
  /** The table-page lock of each table. */
  readonly locks: Lock[] = [];
  /** Of a PMD table: the tables deposited for its huge entries, guarded by the PMD table's lock. */
  readonly deposits = new Map<TableId, TableId[]>();
  /** Is told of every table that is released. */
  onRelease: ((table: TableId) => void) | null = null;
  /** By CPU: what was freed there and is taken there again first. */
  private readonly free: TableId[][] = [];
  /** By table: 0 when it is free, 1 for one of the lowest level, 2 for any other. */
  private inUse = new Uint8Array(64);
  private next = 1;

  constructor(
    private readonly geometry: Geometry,
    cpus = 1,
  ) {
    for (let cpu = 0; cpu < cpus; cpu++) this.free.push([]);
    this.strideShift = Math.max(geometry.tableBits, geometry.pmdOrder);
    this.entries = new Int32Array(16 << this.strideShift);
  }

  /** Tables in use, whatever their level. */
  get used(): number {
    return this.free.reduce((used, list) => used - list.length, this.next - 1);
  }

  /**
   * @param lowest whether its entries map single pages
   * @returns the number of an empty table, from 1
   */
  alloc(cpu = 0, lowest = true): TableId {
    const reused = this.free[cpu].pop();
    const table = reused ?? this.next++;
    const end = (table + 1) << this.strideShift;
    if (end > this.entries.length) this.entries = grow(this.entries, this.entries.length * 2);
    if (reused !== undefined) this.entries.fill(0, table << this.strideShift, end);
    if (table >= this.inUse.length) this.inUse = grow(this.inUse, this.inUse.length * 2);
    this.inUse[table] = lowest ? 1 : 2;
    if (!this.locks[table]) this.locks[table] = new Lock(table, `page table ${table}`, 'spin');
    return table;
  }

  release(table: TableId, cpu = 0): void {
    this.free[cpu].push(table);
    this.inUse[table] = 0;
    if (this.onRelease !== null) this.onRelease(table);
  }

  isFree(table: TableId): boolean {
    return this.inUse[table] === 0;
  }

  /** Whether a table's entries map single pages (a PTE table). */
  isLowest(table: TableId): boolean {
    return this.inUse[table] === 1;
  }

  /** Whether an entry of another table points to this one. Slow: looks at them all. */
  isPointedTo(table: TableId): boolean {
    for (let upper = 1; upper < this.next; upper++) {
      if (this.inUse[upper] !== 2) continue;
      const end = (upper + 1) << this.strideShift;
      for (let ptep = upper << this.strideShift; ptep < end; ptep++) {
        const entry = this.entries[ptep];
        const isTable = (entry & (PTE_PRESENT | PTE_HUGE)) === PTE_PRESENT;
        if (isTable && pteTable(entry) === table) return true;
      }
    }
    return false;
  }

  /** Keeps a table for the huge entry `pmdp`, for the day that it is split. */
  deposit(pmdp: Ptep, table: TableId): void {
    const kept = this.deposits.get(this.tableOf(pmdp));
    if (kept) kept.push(table);
    else this.deposits.set(this.tableOf(pmdp), [table]);
  }

  /** @returns a table that was kept for an entry of the same PMD table, or 0 */
  withdraw(pmdp: Ptep): TableId {
    const of = this.tableOf(pmdp);
    const kept = this.deposits.get(of);
    const table = kept?.pop() ?? 0;
    if (kept?.length === 0) this.deposits.delete(of);
    return table;
  }

  /** The lock of the table that holds the entry `ptep`. */
  lockOf(ptep: Ptep): Lock {
    return this.locks[ptep >>> this.strideShift];
  }

  tableOf(ptep: Ptep): TableId {
    return ptep >>> this.strideShift;
  }

  /** Whether the lowest table has no entry. */
  isEmpty(table: TableId): boolean {
    const start = table << this.strideShift;
    const end = start + this.geometry.ptrsPerPte;
    for (let i = start; i < end; i++) if (this.entries[i] !== 0) return false;
    return true;
  }
}
