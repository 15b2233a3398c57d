/**
 * The test driver's own mapping: mmap() of an open device file, full of pages that the driver allocates.
 *
 * Models: lib/test_hmm.c dmirror_fops_mmap()
 */
import { ENOMEM } from '../machine/errno.ts';
import type { Kernel$ } from '../machine/step.ts';
import { clearPage, folioAlloc, folioPut } from '../mm/folio.ts';
import { vmInsertPage } from '../mm/insert-page.ts';
import type { Kernel } from '../mm/kernel.ts';
import { Holder } from '../mm/look/ledger.ts';
import type { Mm } from '../mm/mm.ts';
import { mmapRegion } from '../mm/mmap.ts';
import { evictFile, newFile } from '../mm/shmem.ts';
import type { Vma } from '../mm/vma.ts';
import type { Dmirror } from './dmirror.ts';

/**
 * Fills a new area with pages of zeros. They live as long as somebody maps or pins them.
 *
 * Mirrors: lib/test_hmm.c dmirror_fops_mmap()
 * faithful
 * @returns 0 or -ENOMEM
 */
function* fopsMmap(k: Kernel, vma: Vma): Kernel$<number> {
  for (let vpn = vma.start; vpn < vma.end; vpn++) {
    if (k.stepping) yield k.allocateStep();
    const page = folioAlloc(k, 0);
    if (page < 0) return -ENOMEM;
    clearPage(k, page);
    const ret = yield* vmInsertPage(k, vma, vpn, page);
    yield* folioPut(k, page, Holder.Alloc);
    if (ret) return ret;
  }
  return 0;
}

/**
 * mmap(2) of an open device, private, with MAP_FIXED_NOREPLACE. The mapping keeps the device open.
 *
 * Mirrors: lib/test_hmm.c dmirror_fops_mmap(), mm/mmap.c do_mmap()
 * simplified: a file for each mapping instead of the device's one
 * @param flags VM_READ, VM_WRITE
 * @returns 0, -EEXIST or -ENOMEM
 */
export function* dmirrorMmap(
  k: Kernel,
  dmirror: Dmirror,
  mm: Mm,
  start: number,
  end: number,
  flags: number,
): Kernel$<number> {
  const file = newFile(k, end - start);
  const ret = yield* mmapRegion(k, mm, start, end, flags, file, fopsMmap);
  if (ret) yield* evictFile(k, file);
  else dmirror.mapped.add(file);
  return ret;
}

/** Whether a mapping keeps the device open. */
export function isMapped(dmirror: Dmirror): boolean {
  for (const file of dmirror.mapped) if (file.vmas.length > 0) return true;
  return false;
}
