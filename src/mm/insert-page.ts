/**
 * Pages that a driver puts into an area itself.
 *
 * Models: mm/memory.c vm_insert_page()
 */
import { EBUSY } from '../machine/errno.ts';
import { mkPte } from '../machine/pte.ts';
import type { Kernel$ } from '../machine/step.ts';
import type { Pfn, Vpn } from '../machine/units.ts';
import { folioGet } from './folio.ts';
import type { Kernel } from './kernel.ts';
import { Holder } from './look/ledger.ts';
import { pmdAlloc, pteAlloc, pteOffsetMap, ptepGet, ptlOf, setPte } from './pgtable.ts';
import { folioAddFileRmapPte } from './rmap.ts';
import { VM_MIXEDMAP, type Vma } from './vma.ts';

/**
 * Maps a page of a driver's own, as a page of a file that has none.
 *
 * Mirrors: mm/memory.c vm_insert_page(), insert_page(), insert_page_into_pte_locked()
 * simplified: tables can always be allocated
 * @returns 0, or -EBUSY when something is mapped there
 */
export function* vmInsertPage(k: Kernel, vma: Vma, vpn: Vpn, page: Pfn): Kernel$<number> {
  const { mm } = vma;
  k.assertHeld(mm.mmapLock);
  vma.flags |= VM_MIXEDMAP;
  const pmdp = yield* pmdAlloc(k, mm, vpn);
  yield* pteAlloc(k, mm, pmdp);
  const ptep = pteOffsetMap(k, pmdp, vpn);
  const ptl = ptlOf(k, ptep);
  if (k.stepping) yield k.acquire(ptl);
  k.lock(ptl);
  const free = ptepGet(k, ptep) === 0;
  if (free) {
    if (k.stepping) yield k.writeFolio(page);
    folioGet(k, page, Holder.Mapping);
    mm.filePages++;
    folioAddFileRmapPte(k, page);
    if (k.stepping) yield k.writeEntry(ptep);
    setPte(k, ptep, mkPte(page, vma.pageProt));
  }
  if (k.stepping) yield k.release(ptl);
  k.unlock(ptl);
  return free ? 0 : -EBUSY;
}
