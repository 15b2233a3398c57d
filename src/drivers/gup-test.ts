/**
 * The kernel's test driver for get_user_pages(): takes pages of a process in each way that there is.
 *
 * Models: mm/gup_test.c
 */

import { pinUserPages, pinUserPagesFast } from '../hmm/longterm.ts';
import type { Kernel$ } from '../machine/step.ts';
import { pageFolio } from '../mm/folio.ts';
import {
  folioIsLongtermPinnable,
  getUserPages,
  getUserPagesFast,
  putPages,
  unpinUserPages,
} from '../mm/gup.ts';

import type { Kernel } from '../mm/kernel.ts';
import type { Mm } from '../mm/mm.ts';
import { folioMaybeDmaPinned } from '../mm/rmap.ts';

/**
 * How pages are taken: referenced (`get`) or pinned, with mmap_lock or without where it can (`_fast`), for
 * as long as somebody likes (`_longterm`).
 */
export type GupHow = 'get' | 'get_fast' | 'pin' | 'pin_fast' | 'pin_longterm' | 'pin_fast_longterm';

const isPin = (how: GupHow): boolean => how.startsWith('pin');
const isFast = (how: GupHow): boolean => how.includes('fast');
const isLongterm = (how: GupHow): boolean => how.endsWith('longterm');

/** Pages that are held. */
export interface GupHold {
  readonly pages: number[];
  /** Pinned (FOLL_PIN), not only referenced. */
  readonly pinned: boolean;
}

/** Takes pages; mmap_lock is held unless `how` is fast. */
function take(
  k: Kernel,
  mm: Mm,
  how: GupHow,
  start: number,
  nr: number,
  write: boolean,
  pages: number[],
): Kernel$<number> {
  if (!isPin(how)) {
    const get = isFast(how) ? getUserPagesFast : getUserPages;
    return get(k, mm, start, nr, { write }, pages);
  }
  const pin = isFast(how) ? pinUserPagesFast : pinUserPages;
  return pin(k, mm, start, nr, { write, longterm: isLongterm(how) }, pages);
}

/** What is pinned must look so, and what is for long must be allowed to be (verify_dma_pinned()). */
function* verifyDmaPinned(k: Kernel, how: GupHow, pages: readonly number[]): Kernel$<void> {
  if (!isPin(how)) return;
  for (const page of pages) {
    const folio = pageFolio(k, page);
    if (k.stepping) yield k.readFolio(folio);
    k.warn(!folioMaybeDmaPinned(k, folio), 'a page that was pinned does not look so');
    const forLong = how === 'pin_longterm' && !folioIsLongtermPinnable(k, folio);
    k.warn(forLong, 'a page is pinned for long that may not be');
  }
}

/**
 * Drops what was taken.
 *
 * Mirrors: mm/gup_test.c put_back_pages()
 * faithful
 */
export function gupGiveBack(k: Kernel, { pages, pinned }: GupHold): Kernel$<void> {
  return pinned ? unpinUserPages(k, pages) : putPages(k, pages);
}

/**
 * Takes pages and keeps them.
 *
 * Mirrors: mm/gup_test.c pin_longterm_test_start()
 * differs: in any way, and with one call for all pages
 * @param nr pages, at least one
 * @returns what is held, which may be fewer pages than wanted, or a negative errno
 */
export function* gupHold(
  k: Kernel,
  mm: Mm,
  how: GupHow,
  start: number,
  nr: number,
  write: boolean,
): Kernel$<GupHold | number> {
  const pages: number[] = [];
  const locks = !isFast(how);
  if (k.stepping && locks) yield k.acquire(mm.mmapLock, true);
  if (locks) k.lockShared(mm.mmapLock);
  const ret = yield* take(k, mm, how, start, nr, write, pages);
  if (k.stepping && locks) yield k.release(mm.mmapLock);
  if (locks) k.unlockShared(mm.mmapLock);
  return ret < 0 ? ret : { pages, pinned: isPin(how) };
}

/**
 * Takes pages, looks at them and gives them back.
 *
 * Mirrors: mm/gup_test.c __gup_test_ioctl()
 * simplified: with one call for all pages
 * @param nr pages, at least one
 * @returns how many it had, or a negative errno (which the ioctl does not tell)
 */
export function* gupTest(
  k: Kernel,
  mm: Mm,
  how: GupHow,
  start: number,
  nr: number,
  write: boolean,
): Kernel$<number> {
  const pages: number[] = [];
  const locks = !isFast(how);
  if (k.stepping && locks) yield k.acquire(mm.mmapLock, true);
  if (locks) k.lockShared(mm.mmapLock);
  const ret = yield* take(k, mm, how, start, nr, write, pages);
  yield* verifyDmaPinned(k, how, pages);
  yield* gupGiveBack(k, { pages, pinned: isPin(how) });
  if (k.stepping && locks) yield k.release(mm.mmapLock);
  if (locks) k.unlockShared(mm.mmapLock);
  return ret;
}
