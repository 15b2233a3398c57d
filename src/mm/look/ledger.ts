/**
 * The reference ledger: who holds each reference of a folio. The kernel only counts; the model can
 * also name the holders, so that a leak names the function that took the reference.
 */
import { innermostStack, modelledStack, notModelled } from '../../machine/finding.ts';
import { grow } from '../../machine/grow.ts';
import type { Machine } from '../../machine/machine.ts';
import type { Folio } from '../../machine/units.ts';

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

/** Who holds which reference. Whoever reads `errors` learns what does not fit together. */
export interface ReferenceLedger {
  readonly errors: string[];
  get(folio: Folio, holder: Holder, count?: number): void;
  put(folio: Folio, holder: Holder, count?: number): void;
  /** One holder hands `count` references to another. */
  move(folio: Folio, from: Holder, to: Holder, count?: number): void;
  /** The folio is free: nobody may hold it. */
  freed(folio: Folio): void;
  /** By holder: how many references. */
  holders(folio: Folio): Record<string, number>;
  total(folio: Folio): number;
  /** References of all folios together. */
  readonly outstanding: number;
  /** Folios that somebody may hold. */
  folios(): Iterable<number>;
  describe(folio: Folio): string;
}

/** What takes references for others: the function that matters called them. */
const HELPERS = new Set(['folioGet', 'folioTryGet', 'folioHandOver']);

const HOLDERS: readonly Holder[] = Object.values(Holder);
const INDEX: Readonly<Record<string, number>> = Object.fromEntries(
  HOLDERS.map((holder, i) => [holder, i]),
);
/** Numbers kept of a folio: a count a holder. */
const SLOTS = HOLDERS.length;

/**
 * Counts references by holder, and notes which task took the last of each and when: cheap enough to be
 * kept on every schedule. What does not fit together is a finding of the machine's at once.
 */
export class CountingLedger implements ReferenceLedger {
  readonly errors: string[] = [];
  outstanding = 0;
  private counts: Int32Array;
  /** By folio and holder: the task that took the last reference, and at which step. For reports. */
  takers: Uint8Array;
  steps: Int32Array;

  constructor(private readonly machine: Machine) {
    this.counts = new Int32Array(256 * SLOTS);
    this.takers = new Uint8Array(256 * SLOTS);
    this.steps = new Int32Array(256 * SLOTS);
  }

  private grow(slot: number): void {
    let length = this.counts.length;
    while (length <= slot) length *= 2;
    this.counts = grow(this.counts, length);
    this.takers = grow(this.takers, length);
    this.steps = grow(this.steps, length);
  }

  get(folio: Folio, holder: Holder, count = 1): void {
    const slot = folio * SLOTS + INDEX[holder];
    if (slot >= this.counts.length) this.grow(slot);
    this.counts[slot] += count;
    this.outstanding += count;
    this.takers[slot] = this.machine.current.id;
    this.steps[slot] = this.machine.steps;
  }

  put(folio: Folio, holder: Holder, count = 1): void {
    const slot = folio * SLOTS + INDEX[holder];
    if (slot >= this.counts.length || this.counts[slot] < count) {
      const held = HOLDERS.filter((h) => this.count(folio, h) > 0);
      this.wrong(
        `a reference is dropped as ${holder}'s, who holds none`,
        `folio ${folio}, held by ${held.length === 0 ? 'nobody' : this.describe(folio)}`,
      );
      return;
    }
    this.counts[slot] -= count;
    this.outstanding -= count;
  }

  move(folio: Folio, from: Holder, to: Holder, count = 1): void {
    this.put(folio, from, count);
    this.get(folio, to, count);
  }

  freed(folio: Folio): void {
    const from = folio * SLOTS;
    if (from >= this.counts.length) return;
    for (let i = 0; i < SLOTS; i++) {
      if (this.counts[from + i] === 0) continue;
      this.wrong(
        `a folio is freed that ${HOLDERS[i]} holds`,
        `folio ${folio}: ${this.describe(folio)}`,
      );
      break;
    }
    this.outstanding -= this.total(folio);
    this.counts.fill(0, from, from + SLOTS);
  }

  private count(folio: Folio, holder: Holder): number {
    const slot = folio * SLOTS + INDEX[holder];
    return slot < this.counts.length ? this.counts[slot] : 0;
  }

  private wrong(title: string, detail: string): void {
    const { machine } = this;
    this.errors.push(`${title}: ${detail}`);
    machine.report('reference', title);
    machine.findings[machine.findings.length - 1].detail = detail;
  }

  holders(folio: Folio): Record<string, number> {
    const holders: Record<string, number> = {};
    for (const holder of HOLDERS) {
      const count = this.count(folio, holder);
      if (count > 0) holders[holder] = count;
    }
    return holders;
  }

  total(folio: Folio): number {
    const { counts } = this;
    const from = folio * SLOTS;
    let total = 0;
    for (let slot = from; slot < from + SLOTS && slot < counts.length; slot++) {
      total += counts[slot];
    }
    return total;
  }

  folios(): number[] {
    const { counts } = this;
    const held: number[] = [];
    for (let slot = 0; slot < counts.length; slot++) {
      if (counts[slot] === 0) continue;
      const folio = (slot / SLOTS) | 0;
      held.push(folio);
      slot = (folio + 1) * SLOTS - 1;
    }
    return held;
  }

  describe(folio: Folio): string {
    const parts = Object.entries(this.holders(folio)).map(([holder, count]) => {
      const slot = folio * SLOTS + INDEX[holder];
      const last = `last by task ${this.takers[slot]} at step ${this.steps[slot]}`;
      return `${holder}${count > 1 ? ` ${count} times` : ''} (${last})`;
    });
    return parts.join(', ');
  }
}

interface Entry {
  holder: Holder;
  taken: string;
}

/** Names the function that took each reference. Slow. */
export class Ledger implements ReferenceLedger {
  private readonly entries = new Map<number, Entry[]>();
  readonly errors: string[] = [];

  /** @param machine whose findings get what does not fit together; null: it is in `errors` alone */
  constructor(private readonly machine: Machine | null = null) {}

  private wrong(title: string, detail: string): void {
    this.errors.push(`${title}: ${detail}`);
    const { machine } = this;
    if (machine === null) return;
    machine.report('reference', title);
    machine.findings[machine.findings.length - 1].detail = detail;
  }

  private list(folio: Folio): Entry[] {
    let list = this.entries.get(folio);
    if (!list) {
      list = [];
      this.entries.set(folio, list);
    }
    return list;
  }

  /** The function that takes a reference. */
  private taker(): string {
    const isTaker = (name: string) => !HELPERS.has(name);
    return innermostStack(1).find(isTaker) ?? modelledStack().find(isTaker) ?? '';
  }

  get(folio: Folio, holder: Holder, count = 1): void {
    const taken = this.taker();
    const list = this.list(folio);
    for (let i = 0; i < count; i++) list.push({ holder, taken });
  }

  put(folio: Folio, holder: Holder, count = 1): void {
    const list = this.list(folio);
    for (let i = 0; i < count; i++) {
      const at = list.findIndex((entry) => entry.holder === holder);
      if (at < 0) {
        const detail = `folio ${folio}, held by ${this.describe(folio) || 'nobody'}`;
        this.wrong(`a reference is dropped as ${holder}'s, who holds none`, detail);
        return;
      }
      list.splice(at, 1);
    }
  }

  /** One holder hands `count` references to another. */
  move(folio: Folio, from: Holder, to: Holder, count = 1): void {
    this.put(folio, from, count);
    this.get(folio, to, count);
  }

  /** The folio is free: nobody may hold it. */
  freed(folio: Folio): void {
    const list = this.entries.get(folio);
    if (list && list.length > 0) {
      const holder = HOLDERS.find((h) => list.some((entry) => entry.holder === h));
      this.wrong(
        `a folio is freed that ${holder} holds`,
        `folio ${folio}: ${this.describe(folio)}`,
      );
    }
    this.entries.delete(folio);
  }

  holders(folio: Folio): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const entry of this.entries.get(folio) ?? []) {
      counts[entry.holder] = (counts[entry.holder] ?? 0) + 1;
    }
    return counts;
  }

  total(folio: Folio): number {
    return this.entries.get(folio)?.length ?? 0;
  }

  get outstanding(): number {
    let total = 0;
    for (const list of this.entries.values()) total += list.length;
    return total;
  }

  folios(): IterableIterator<number> {
    return this.entries.keys();
  }

  describe(folio: Folio): string {
    const list = this.entries.get(folio) ?? [];
    return list.map((entry) => `${entry.holder} (taken in ${entry.taken})`).join(', ');
  }
}

notModelled(CountingLedger);
notModelled(Ledger);
