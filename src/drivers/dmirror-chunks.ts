/**
 * The ranges of a device's memory, as the mended driver evicts them and takes them away: whoever is at a page gets on,
 * and then it goes.
 *
 * Models: lib/test_hmm.c
 */

import { type Kernel$, ObjectKind, Role, type Step, StepKind } from '../machine/step.ts';
import { folioMapcount, folioPages, folioRefCount, pageFolio, pageIsFree } from '../mm/folio.ts';
import type { Kernel } from '../mm/kernel.ts';
import type { DevPagemap } from '../mm/memremap.ts';
import type { Dmirror } from './dmirror.ts';
import type { DmirrorDevice } from './dmirror-device.ts';
import { evictChunk, evictPages } from './dmirror-evict.ts';
import { backOff } from './patience.ts';

/** The step that waits until nobody is about to bring a folio back. */
function idleStep(k: Kernel, folio: number): Step {
  const idle = () => folioRefCount(k, folio) <= folioMapcount(k, folio);
  const ready = () => pageIsFree(k, folio) || (!k.folioLocked(folio) && idle());
  const step = k.waitFor(ObjectKind.FolioLock, folio, ready, Role.AcquireShared);
  return step.and(ObjectKind.Folio, folio, Role.Read);
}

/** Evictions after which a page counts as one that will never leave. */
const MAX_ROUNDS = 1000;

/** Whether a device has so many ranges of memory and one more. Those who add or take away one hold the lock. */
function* hasChunk(k: Kernel, { devmemLock, chunks }: DmirrorDevice, i: number): Kernel$<boolean> {
  if (k.stepping) yield k.step(StepKind.Shared, ObjectKind.Lock, devmemLock.id, Role.TryAcquire);
  return i < chunks.length;
}

/** The step before the pages of a range of device memory are looked at, which of them are in use. */
function pagesStep(k: Kernel, { zone }: DevPagemap): Step {
  return k.step(StepKind.Shared, ObjectKind.Pagemap, zone, Role.Read);
}

/** A page of the device that still belongs to an open file; -1: none. */
function* pageLeft(k: Kernel, { device, number }: Dmirror): Kernel$<number> {
  for (let i = 0; yield* hasChunk(k, device, i); i++) {
    const { start, count } = device.chunks[i];
    if (k.stepping) yield pagesStep(k, device.chunks[i]);
    for (let pfn = start; pfn < start + count; pfn++) {
      if (!pageIsFree(k, pfn) && k.pages.private[pageFolio(k, pfn)] === number) return pfn;
    }
  }
  return -1;
}

/**
 * Evicts all of a device's memory, whoever it belongs to: what nobody is at.
 *
 * Mirrors: lib/test_hmm.c dmirror_fops_release(), its loop
 * differs: under the lock of the ranges; stock goes through them without, while HMM_DMIRROR_RELEASE may free them
 */
export function* evictChunks(k: Kernel, device: DmirrorDevice): Kernel$<void> {
  if (k.stepping) yield k.acquire(device.devmemLock);
  k.lock(device.devmemLock);
  for (const chunk of device.chunks) yield* evictChunk(k, device, chunk);
  if (k.stepping) yield k.release(device.devmemLock);
  k.unlock(device.devmemLock);
}

/**
 * Evicts pages that somebody was about to bring back, until none is left. Who writes to a page and copies it, and
 * who evicts it, each make the other one fail: the eviction lets others get on before it tries again.
 */
function* evictLeft(k: Kernel, device: DmirrorDevice, next: () => Kernel$<number>): Kernel$<void> {
  let rounds = 0;
  for (let left = yield* next(); left >= 0; left = yield* next()) {
    if (++rounds > MAX_ROUNDS) k.throwBug('livelock', 'a device page cannot be evicted');
    if (k.stepping) yield idleStep(k, pageFolio(k, left));
    if (pageIsFree(k, left)) continue;
    const folio = pageFolio(k, left);
    yield* evictPages(k, device, folio, folioPages(k, folio), true);
    if (!pageIsFree(k, left)) yield* backOff(k, rounds);
  }
}

/**
 * Evicts what was left of a closed device's pages as somebody was at them.
 *
 * Mirrors: lib/test_hmm.c dmirror_fops_release()
 * differs: stock leaves it
 */
export function evictFile(k: Kernel, dmirror: Dmirror): Kernel$<void> {
  return evictLeft(k, dmirror.device, () => pageLeft(k, dmirror));
}

/**
 * Takes all of a device's memory away, evicting what is in it (HMM_DMIRROR_RELEASE). The device makes new
 * memory when it needs some.
 *
 * Mirrors: lib/test_hmm.c dmirror_device_remove_chunks()
 * differs: see closeDmirror() and retireChunk(); waits for pages without the lock
 */
export function* removeChunks(k: Kernel, device: DmirrorDevice): Kernel$<void> {
  if (k.stepping) yield k.acquire(device.devmemLock);
  k.lock(device.devmemLock);
  for (const chunk of [...device.chunks]) {
    // somebody else may have been faster each time that the lock was let go
    if (!device.chunks.includes(chunk)) continue;
    yield* device.retireChunk(chunk);
    yield* evictChunk(k, device, chunk);
    // whoever has a page locked may be about to add memory, which takes the lock
    if (k.stepping) yield k.release(device.devmemLock);
    k.unlock(device.devmemLock);
    yield* evictLeft(k, device, () => inUse(k, chunk));
    if (k.stepping) yield k.acquire(device.devmemLock);
    k.lock(device.devmemLock);
    if (device.chunks.includes(chunk)) yield* device.removeChunk(chunk);
  }
  if (k.stepping) yield k.release(device.devmemLock);
  k.unlock(device.devmemLock);
}

/** A page of a range of device memory that is in use; -1: none. */
function* inUse(k: Kernel, chunk: DevPagemap): Kernel$<number> {
  if (k.stepping) yield pagesStep(k, chunk);
  const { start, count, refs } = chunk;
  for (let pfn = start; refs > 0 && pfn < start + count; pfn++) if (!pageIsFree(k, pfn)) return pfn;
  return -1;
}
