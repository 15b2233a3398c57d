/** Places of memory as the data oracle knows them: what each may hold, and what changes them. */
import { POISON } from '../../machine/index.ts';
import type { Mm } from '../../mm/index.ts';

/** A page's memory, whoever maps it. */
export class Store {
  /** What a read may return. */
  values: number[];
  /** When it was last written. */
  written = 0;
  /** Every value that it had. */
  readonly past: number[];

  constructor(
    values: number[],
    /** What it holds when nobody has written to it: zeros, or what its file has. */
    public base: number,
    /** Given up (MADV_FREE): what it held may be gone any time. */
    public givenUp: boolean,
  ) {
    this.values = values;
    this.past = [...values];
  }
}

/** A page of an address space, as a place of memory. */
export interface MemoryPlace {
  store: Store;
  shared: boolean;
  /** VM_READ, VM_WRITE: what the process may do. */
  rights: number;
}

export type MemoryChange =
  | 'map'
  | 'unmap'
  | 'move'
  | 'move out'
  | 'protect'
  | 'discard'
  | 'give up'
  /** What was written so far is forgotten (clear_refs). */
  | 'forget'
  /** It ages: nobody says any more that a CPU was there. */
  | 'age'
  /** A page that is shared is copied for one that is pinned to be read: nobody has written to the copy. */
  | 'unshare'
  | 'fork';

/** An operation under way. */
export interface PendingChange {
  readonly change: MemoryChange;
  readonly mm: Mm;
  readonly start: number;
  readonly end: number;
  /** For a move: the new place. */
  readonly to: number;
  readonly began: number;
  /** For a fork: what the child's pages may hold. */
  readonly copies: Map<number, { values: number[]; givenUp: boolean }>;
}

/** How the places were when the tasks begin. */
export interface Initial {
  readonly key: number;
  /** For a shared page: its place in the file; else -1. */
  readonly fileKey: number;
  readonly value: number;
  readonly base: number;
  readonly givenUp: boolean;
  readonly rights: number;
}

/** More pages than an address space has. */
export const SPACE_PAGES = 2 ** 37;
export const keyOf = (space: number, vpn: number): number => space * SPACE_PAGES + vpn;

/** The first word of a page that was freed. */
export const POISONED = ((POISON * 0x01010101) >>> 0) + ((POISON * 0x01010101) | 0) * 2 ** 32;

export function add(values: number[], value: number): void {
  if (!values.includes(value)) values.push(value);
}

/** The first word of a page. */
export function wordOf(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return view.getUint32(0, true) + view.getInt32(4, true) * 2 ** 32;
}
