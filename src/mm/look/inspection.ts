/** What every check of a machine at rest stands on: who says what is wrong, where, and what was counted. */
import type { Lock } from '../../machine/lock.ts';
import { PTE_WRITE, ptePresent } from '../../machine/pte.ts';
import type { Task } from '../../machine/task.ts';
import type { Folio, Pte } from '../../machine/units.ts';
import type { Kernel } from '../kernel.ts';
import { isDevicePrivateWrite } from '../leafops.ts';
import type { Mm } from '../mm.ts';
import type { Vma } from '../vma.ts';
import { type Leaf, leavesAndTables } from './leaves.ts';

/** An invariant that does not hold. */
export interface Broken {
  /** Which one: `lock`, `reference`, `map count`, … */
  invariant: string;
  /** What is wrong, with the numbers. */
  title: string;
  /** Which object: a page's place, a folio, a table. */
  where: string;
  /** What else is known, which differs from one way to get there to another. */
  detail?: string;
}

/** What the kernel's own state cannot tell. */
export interface QuiescentOptions {
  /** Pages on which somebody holds a reference of his own, once for each reference. */
  pins?: Iterable<number>;
  /** Pages that somebody has pinned (FOLL_PIN), once for each pin. */
  pinned?: Iterable<number>;
  /** Every task there is. Default: the current one. */
  tasks?: readonly Task[];
  /** Locks beyond those of memory management. */
  locks?: Iterable<Lock>;
}

/** An entry and the area that it lies in. */
export interface Mapped {
  readonly mm: Mm;
  readonly vma: Vma;
  readonly leaf: Leaf;
  readonly where: Where;
}

/** How often each page was found. */
export interface Counts {
  readonly pte: Map<number, number>;
  /** By folio: huge entries. */
  readonly entire: Map<number, number>;
  /** By folio: entries of either kind. */
  readonly mappings: Map<number, number>;
  /** By folio: references of pins. */
  readonly pins: Map<number, number>;
  /** By folio: pins (FOLL_PIN). */
  readonly pinned: Map<number, number>;
  readonly batches: Map<number, number>;
  readonly cached: Map<number, number>;
}

export function bump(map: Map<number, number>, key: number, by = 1): void {
  map.set(key, (map.get(key) ?? 0) + by);
}

/** A writable entry of either kind. */
export function isWritable(pte: Pte): boolean {
  return ptePresent(pte) ? (pte & PTE_WRITE) !== 0 : isDevicePrivateWrite(pte);
}

/** Where something is, in words; made when it is needed. */
export type Where = string | (() => string);

/** One look at a machine: what was found so far, and what several checks count together. */
export class Inspection {
  readonly broken: Broken[] = [];
  /** References that the ledger knows of folios in use. */
  inLedger = 0;
  /** By address space: its page tables. */
  private readonly trees = new Map<Mm, ReturnType<typeof leavesAndTables>>();
  readonly mapped: Mapped[] = [];
  readonly counts: Counts = {
    pte: new Map(),
    entire: new Map(),
    mappings: new Map(),
    pins: new Map(),
    pinned: new Map(),
    batches: new Map(),
    cached: new Map(),
  };

  constructor(
    readonly k: Kernel,
    readonly options: QuiescentOptions,
  ) {}

  say(invariant: string, where: Where, title: string, detail = ''): void {
    const place = typeof where === 'string' ? where : where();
    this.broken.push({ invariant, title, where: place, ...(detail === '' ? {} : { detail }) });
  }

  tree(mm: Mm): ReturnType<typeof leavesAndTables> {
    let tree = this.trees.get(mm);
    if (!tree) {
      tree = leavesAndTables(this.k, mm);
      this.trees.set(mm, tree);
    }
    return tree;
  }

  /** Who holds a folio, as the ledger knows. */
  holders(folio: Folio): string {
    const who = this.k.ledger?.describe(folio) ?? '';
    return who === '' ? '' : `held by ${who}`;
  }

  /** Reports unless both numbers are equal. */
  equal(invariant: string, where: Where, what: string, is: number, counted: number): void {
    if (is !== counted) this.say(invariant, where, `${what} is ${is}, counted ${counted}`);
  }

  name(mm: Mm): string {
    return `address space ${mm.id}`;
  }
}
