/** What operations put into memory, and how they say what they came to. */
import { errnoName } from '../machine/errno.ts';

/** `[first, count, step]`, step 0 or 1: `count` words from `first`. */
export type TagRun = [first: number, count: number, step: number];
/** `[value, count]`. */
export type ValueRun = [value: number, count: number];

/** What an operation returned. A field other than `ret` is there only on success, except `done`. */
export interface Result {
  /** `ok`, the name of an errno, `SEGV` or `BUS`. */
  ret: string;
  /** Pages accessed before a signal. */
  done?: number;
  cpages?: number;
  faults?: number;
  tags?: TagRun[];
  /** Bytes of HMM_DMIRROR_SNAPSHOT. */
  prot?: ValueRun[];
  bits?: ValueRun[];
}

/** One value, one of several, or anything but those. */
export type Wanted<T> = T | T[] | { not: T | T[] };
/** Runs are lists themselves: these, or anything but these. */
export type WantedRuns<T> = T[] | { not: T[] };
/** What a page holds: what a write with this tag put there, nothing, or what its file began with. */
export type Tag = number | 'zero' | 'file';

/** What an operation may return. A field that is left out may be anything. */
export interface Expected {
  ret?: Wanted<string>;
  done?: Wanted<number>;
  cpages?: Wanted<number>;
  faults?: Wanted<number>;
  /** Of every page that was read. */
  tag?: Wanted<Tag>;
  tags?: WantedRuns<TagRun>;
  prot?: WantedRuns<ValueRun>;
  bits?: WantedRuns<ValueRun>;
}
/** One of them, where there are several. */
export type AnyExpected = Expected | Expected[];

/** The largest tag. */
export const MAX_TAG = 2 ** 31;
/** Page `i` of a file begins with this and `i`. */
export const FILE_WORD = 0xf000;

/** Page `i` of a write with `tag`. */
export function wordOf(tag: number, i: number): number {
  return tag * 65536 + i;
}

/** Whole pages from page `first` of a write with `tag`: a word, then zeros. */
export function wordPages(
  tag: number,
  first: number,
  pages: number,
  pageBytes: number,
): Uint8Array {
  const data = new Uint8Array(pages * pageBytes);
  const view = new DataView(data.buffer);
  for (let i = 0; i < pages; i++) {
    const word = wordOf(tag, first + i);
    view.setUint32(i * pageBytes, word % 2 ** 32, true);
    view.setUint32(i * pageBytes + 4, Math.floor(word / 2 ** 32), true);
  }
  return data;
}

/** A result that is an error number, or `ok`. */
export function outcome(ret: number): Result {
  return { ret: errnoName(ret) };
}
