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
