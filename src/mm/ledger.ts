/**
 * The reference ledger: who holds each reference of a folio. The kernel only counts; the model can
 * also name the holders, so that a leak names the function that took the reference.
 */
import { modelledStack } from '../machine/finding.ts';

export const Holder = {
  /** The allocator handed it out: whoever builds the folio. */
  Alloc: 'allocation',
  /** A page-table entry, present or device-private or device-exclusive. */
  Mapping: 'mapping',
  PageCache: 'page cache',
  /** A CPU's batch on the way to the LRU lists. */
  LruBatch: 'LRU batch',
  /** Isolated from the LRU lists. */
  Isolated: 'isolation',
  /** A walk that means to migrate it. */
  Migrate: 'migration',
  /** A fault that looks at it. */
  Fault: 'fault',
  /** get_user_pages() */
  Pin: 'pin',
  /** A split. */
  Split: 'split',
} as const;
export type Holder = (typeof Holder)[keyof typeof Holder];

interface Entry {
  holder: Holder;
  taken: string;
}

export class Ledger {
  private readonly entries = new Map<number, Entry[]>();
  readonly errors: string[] = [];

  private list(folio: number): Entry[] {
    let list = this.entries.get(folio);
    if (!list) {
      list = [];
      this.entries.set(folio, list);
    }
    return list;
  }

  get(folio: number, holder: Holder, count = 1): void {
    const taken = modelledStack()[1] ?? '';
    const list = this.list(folio);
    for (let i = 0; i < count; i++) list.push({ holder, taken });
  }

  put(folio: number, holder: Holder, count = 1): void {
    const list = this.list(folio);
    for (let i = 0; i < count; i++) {
      const at = list.findIndex((entry) => entry.holder === holder);
      if (at < 0) {
        const who = modelledStack()[1] ?? '';
        this.errors.push(`${who} drops a reference of folio ${folio} as ${holder}: none is held`);
        return;
      }
      list.splice(at, 1);
    }
  }

  /** One holder hands `count` references to another. */
  move(folio: number, from: Holder, to: Holder, count = 1): void {
    this.put(folio, from, count);
    this.get(folio, to, count);
  }

  /** The folio is free: nobody may hold it. */
  freed(folio: number): void {
    const list = this.entries.get(folio);
    if (list && list.length > 0) {
      this.errors.push(`folio ${folio} is freed while held: ${this.describe(folio)}`);
    }
    this.entries.delete(folio);
  }

  holders(folio: number): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const entry of this.entries.get(folio) ?? []) {
      counts[entry.holder] = (counts[entry.holder] ?? 0) + 1;
    }
    return counts;
  }

  total(folio: number): number {
    return this.entries.get(folio)?.length ?? 0;
  }

  folios(): IterableIterator<number> {
    return this.entries.keys();
  }

  describe(folio: number): string {
    const list = this.entries.get(folio) ?? [];
    return list.map((entry) => `${entry.holder} (taken in ${entry.taken})`).join(', ');
  }
}
