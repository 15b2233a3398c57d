/**
 * The end of a process.
 *
 * Models: mm/mmap.c exit_mmap()
 */
import type { Kernel$ } from '../machine/step.ts';
import type { Kernel } from './kernel.ts';
import { MM_KEEPS, type Mm } from './mm.ts';
import { doMunmap } from './mmap.ts';
import { userfaultfdRelease } from './userfaultfd.ts';

/**
 * Unmaps everything and frees the tables.
 *
 * Mirrors: mm/mmap.c exit_mmap()
 * simplified: as an unmapping of the whole address space; userfaultfds are closed first
 */
export function* exitMmap(k: Kernel, mm: Mm): Kernel$<void> {
  mm.ended = true;
  for (const ctx of mm.userfaultfds) yield* userfaultfdRelease(k, ctx);
  if (k.stepping) yield k.acquire(mm.mmapLock);
  k.lock(mm.mmapLock);
  yield* doMunmap(k, mm, 0, k.geometry.addressPages);
  if (k.stepping) yield k.release(mm.mmapLock);
  k.unlock(mm.mmapLock);
  k.tables.release(mm.pgd, k.current.cpu);
  k.mms.splice(k.mms.indexOf(mm), 1);
  if (k.monitor !== null) k.monitor.onGone(mm, 'an address space', MM_KEEPS);
}
