/**
 * Copying an address space.
 *
 * Models: mm/mmap.c dup_mmap(), mm/memory.c (the fork half)
 */
import { EAGAIN, EBUSY, ENOMEM } from '../machine/errno.ts';
import type { Lock } from '../machine/lock.ts';
import { writeProtectOf } from '../machine/objects.ts';
import { PG_UPTODATE } from '../machine/page.ts';
import {
  mkPte,
  PTE_ACCESSED,
  PTE_DIRTY,
  PTE_WRITE,
  pteMkdirty,
  ptePresent,
  pteWrite,
} from '../machine/pte.ts';
import { type Kernel$, ObjectKind, Role, StepKind } from '../machine/step.ts';
import type { Folio, Ptep, Vpn } from '../machine/units.ts';
import { anonVmaFork, vmaComplete, vmaPrepare } from './anon-vma.ts';
import { maybeMkwrite, restoreExclusivePte, vmNormalPage } from './fault.ts';
import {
  copyPage,
  folioAddLru,
  folioAlloc,
  folioGet,
  folioHandOver,
  folioPutFresh,
  folioPutTestzero,
  folioSet,
  folioTestAnon,
  pageFolio,
} from './folio.ts';
import { copyHugePmd } from './huge-memory.ts';
import { copyHugetlbPageRange } from './hugetlb.ts';
import type { Kernel } from './kernel.ts';
import {
  isDeviceExclusive,
  isDevicePrivate,
  isDevicePrivateWrite,
  isMigration,
  isMigrationRead,
  makeReadableDevicePrivateEntry,
  makeReadableMigrationEntry,
  migrationAge,
  SWP_SOFT_DIRTY,
  SWP_UFFD,
  softleafToPfn,
} from './leafops.ts';
import { Holder } from './look/ledger.ts';
import type { Mm } from './mm.ts';
import { vmEnoughMemory } from './mmap.ts';
import {
  MmuNotify,
  mmuNotifierInvalidateRangeEnd,
  mmuNotifierInvalidateRangeStart,
  notifierRange,
} from './mmu-notifier.ts';
import {
  breakAfter,
  entryEnd,
  pmdAlloc,
  pmdIsHuge,
  pmdIsTable,
  pmdpOf,
  pteAlloc,
  pteOffsetMap,
  ptepGet,
  ptlOf,
  pudpOf,
  setPte,
} from './pgtable.ts';
import { folioAddFileRmapPte, folioAddNewAnonRmap, folioTryDupAnonRmapPte } from './rmap.ts';
import { dupUserfaultfd } from './userfaultfd.ts';
import {
  isVmHugetlbPage,
  VM_ACCOUNT,
  VM_DONTCOPY,
  VM_MIXEDMAP,
  VM_SHARED,
  Vma,
  vmaIsCowMapping,
  vmaLink,
} from './vma.ts';

/** What copying one entry came to. */
const COPIED = 0;
/** The entry became a present one: copy that. */
const RESTORED = 1;

/**
 * Locks a table of the parent's, of which entries are going to be write-protected: nobody pins a page
 * without locks meanwhile.
 *
 * Mirrors: mm/memory.c copy_page_range(), raw_write_seqcount_begin()
 * differs: by table, under its lock (7.3.4: by area; who comes between two tables finds entries that are
 * as they were or as they will be)
 * @param again it was locked before, and the table is not done
 */
export function* lockSource(k: Kernel, src: Vma, ptl: Lock, again = false): Kernel$<void> {
  const isCow = vmaIsCowMapping(src) && !again;
  const seq = writeProtectOf(src.mm);
  if (k.stepping && !isCow) yield k.acquire(ptl);
  if (k.stepping && isCow) yield k.acquire(ptl).and(ObjectKind.Mm, seq, Role.Write);
  k.lock(ptl);
  if (isCow) src.mm.writeProtectSeq++;
}

/**
 * Unlocks it.
 *
 * Mirrors: mm/memory.c copy_page_range(), raw_write_seqcount_end()
 * differs: as `lockSource`
 * @param again it is going to be locked again, as the table is not done
 */
export function* unlockSource(k: Kernel, src: Vma, ptl: Lock, again = false): Kernel$<void> {
  const isCow = vmaIsCowMapping(src) && !again;
  const seq = writeProtectOf(src.mm);
  if (k.stepping && !isCow) yield k.release(ptl);
  if (k.stepping && isCow) yield k.release(ptl).and(ObjectKind.Mm, seq, Role.Write);
  if (isCow) src.mm.writeProtectSeq++;
  k.unlock(ptl);
}

/**
 * What was unlocked to be locked again is not.
 *
 * Mirrors: mm/memory.c copy_page_range(), raw_write_seqcount_end()
 * differs: as `lockSource`
 */
function* leaveSource(k: Kernel, src: Vma): Kernel$<void> {
  if (!vmaIsCowMapping(src)) return;
  if (k.stepping) yield k.step(StepKind.Shared, ObjectKind.Mm, writeProtectOf(src.mm), Role.Write);
  src.mm.writeProtectSeq++;
}

/**
 * Mirrors: mm/memory.c copy_nonpresent_pte()
 * simplified: no swap, no markers
 * @returns COPIED, RESTORED, or -EBUSY when an exclusive entry's folio is locked
 */
function* copyNonpresentPte(
  k: Kernel,
  dstPte: Ptep,
  srcPte: Ptep,
  dst: Vma,
  src: Vma,
): Kernel$<number> {
  const orig = ptepGet(k, srcPte);
  let pte = orig;
  if (isMigration(orig)) {
    const folio = pageFolio(k, softleafToPfn(orig));
    if (folioTestAnon(k, folio)) dst.mm.anonPages++;
    else dst.mm.filePages++;
    if (!isMigrationRead(orig) && vmaIsCowMapping(dst)) {
      pte = makeReadableMigrationEntry(softleafToPfn(orig)) | migrationAge(orig);
      pte |= orig & (SWP_SOFT_DIRTY | SWP_UFFD);
      if (k.stepping) yield k.writeEntry(srcPte);
      setPte(k, srcPte, pte);
    }
  } else if (isDevicePrivate(orig)) {
    const page = softleafToPfn(orig);
    const folio = pageFolio(k, page);
    if (k.stepping) yield k.writeFolio(folio);
    folioGet(k, folio, Holder.Mapping);
    dst.mm.anonPages++;
    folioTryDupAnonRmapPte(k, folio, page, dst);
    if (isDevicePrivateWrite(orig) && vmaIsCowMapping(dst)) {
      // soft-dirtiness is not kept: a device driver's state cannot be checkpointed anyway
      pte = makeReadableDevicePrivateEntry(page) | (orig & SWP_UFFD);
      if (k.stepping) yield k.writeEntry(srcPte);
      setPte(k, srcPte, pte);
    }
  } else if (isDeviceExclusive(orig)) {
    const page = softleafToPfn(orig);
    const folio = pageFolio(k, page);
    k.bug(!vmaIsCowMapping(src), 'an exclusive entry in a shared area');
    if (k.stepping) yield k.tryAcquireFolio(folio);
    if (!k.folioTryLock(folio)) return -EBUSY;
    if (k.stepping) yield k.writeEntry(srcPte);
    setPte(k, srcPte, restoreExclusivePte(k, src, folio, page, orig));
    if (k.stepping) yield k.releaseFolio(folio);
    k.folioUnlock(folio);
    return RESTORED;
  }
  if (k.stepping) yield k.writeEntry(dstPte);
  setPte(k, dstPte, pte & ~SWP_UFFD);
  return COPIED;
}

/**
 * Mirrors: mm/memory.c copy_present_ptes(), copy_present_page()
 * simplified: no batching
 * @param prealloc a page for the child, -1 for none
 * @returns 0; 1 when `prealloc` was used; -EAGAIN when one is needed
 */
function* copyPresentPte(
  k: Kernel,
  dstPte: Ptep,
  srcPte: Ptep,
  vpn: Vpn,
  dst: Vma,
  src: Vma,
  prealloc: Folio,
): Kernel$<number> {
  let pte = ptepGet(k, srcPte);
  const page = vmNormalPage(pte);
  if (page >= 0) {
    const folio = pageFolio(k, page);
    if (k.stepping) yield k.writeFolio(folio);
    folioGet(k, folio, Holder.Mapping);
    if (folioTestAnon(k, folio)) {
      if (folioTryDupAnonRmapPte(k, folio, page, dst)) {
        folioPutTestzero(k, folio, Holder.Mapping);
        if (prealloc < 0) return -EAGAIN;
        if (k.stepping) yield k.copyStep(prealloc, page);
        copyPage(k, prealloc, page);
        folioSet(k, prealloc, PG_UPTODATE);
        folioHandOver(k, prealloc, Holder.Alloc, Holder.Mapping);
        folioAddNewAnonRmap(k, prealloc, dst, vpn);
        yield* folioAddLru(k, prealloc);
        dst.mm.anonPages++;
        if (k.stepping) yield k.writeEntry(dstPte);
        setPte(k, dstPte, maybeMkwrite(pteMkdirty(mkPte(prealloc, dst.pageProt)), dst));
        return 1;
      }
      dst.mm.anonPages++;
    } else {
      folioAddFileRmapPte(k, page);
      dst.mm.filePages++;
    }
  }
  if (vmaIsCowMapping(src) && pteWrite(pte)) {
    if (k.stepping) yield k.writeEntry(srcPte);
    // the hardware may have set the dirty bit since it was read
    pte = ptepGet(k, srcPte) & ~PTE_WRITE;
    setPte(k, srcPte, pte);
  }
  if (src.flags & VM_SHARED) pte &= ~PTE_DIRTY;
  pte &= ~PTE_ACCESSED;
  if (k.stepping) yield k.writeEntry(dstPte);
  setPte(k, dstPte, pte);
  return 0;
}

/** What an entry counts until the locks may be let go, and where that is. */
const NOTHING = 1;
const SOMETHING = 8;
const PROGRESS = 32;

/**
 * Lets the locks go to allocate, and every so many entries where others want them.
 *
 * Mirrors: mm/memory.c copy_pte_range()
 * faithful
 */
function* copyPteRange(
  k: Kernel,
  dst: Vma,
  src: Vma,
  dstPmd: Ptep,
  srcPmd: Ptep,
  start: Vpn,
  end: Vpn,
): Kernel$<number> {
  let vpn = start;
  let prealloc = -1;
  let ret = 0;
  let again = false;
  while (vpn < end) {
    yield* pteAlloc(k, dst.mm, dstPmd);
    const dstFirst = pteOffsetMap(k, dstPmd, vpn);
    const srcFirst = pteOffsetMap(k, srcPmd, vpn);
    if (srcFirst < 0) break;
    const dstPtl = ptlOf(k, dstFirst);
    const srcPtl = ptlOf(k, srcFirst);
    if (k.stepping) yield k.acquire(dstPtl);
    k.lock(dstPtl);
    yield* lockSource(k, src, srcPtl, again);
    const from = vpn;
    let progress = 0;
    ret = 0;
    for (; vpn < end; vpn++) {
      const srcPte = srcFirst + (vpn - from);
      const dstPte = dstFirst + (vpn - from);
      if (progress >= breakAfter(k, PROGRESS)) {
        progress = 0;
        if (k.stepping) yield k.orLetGo(k.readEntry(srcPte));
        if (k.letsGo()) break;
      }
      const pte = ptepGet(k, srcPte);
      progress += pte === 0 ? NOTHING : SOMETHING;
      if (pte === 0) continue;
      if (!ptePresent(pte)) {
        ret = yield* copyNonpresentPte(k, dstPte, srcPte, dst, src);
        if (ret < 0) break;
        if (ret === COPIED) continue;
      }
      ret = yield* copyPresentPte(k, dstPte, srcPte, vpn, dst, src, prealloc);
      if (ret < 0) break;
      if (ret === 1) prealloc = -1;
      ret = 0;
    }
    again = vpn < end && ret !== -EBUSY;
    yield* unlockSource(k, src, srcPtl, again);
    if (k.stepping) yield k.release(dstPtl);
    k.unlock(dstPtl);
    if (ret === -EAGAIN) {
      if (k.stepping) yield k.allocateStep();
      prealloc = folioAlloc(k, 0);
      if (prealloc < 0) {
        yield* leaveSource(k, src);
        return -ENOMEM;
      }
    } else if (ret === -EBUSY) break;
  }
  if (prealloc >= 0) yield* folioPutFresh(k, prealloc);
  return ret < 0 ? ret : 0;
}

/**
 * Copies the mappings of one area to the child's.
 *
 * Mirrors: mm/memory.c copy_page_range(), copy_pmd_range(), vma_needs_copy()
 * faithful
 * @returns 0 or -ENOMEM
 */
function* copyPageRange(k: Kernel, dst: Vma, src: Vma): Kernel$<number> {
  if (!src.anonVma && !(dst.flags & VM_MIXEDMAP)) return 0;
  if (isVmHugetlbPage(src)) return yield* copyHugetlbPageRange(k, dst, src);
  const { pgdPages, pudPages, ptrsPerPte } = k.geometry;
  const isCow = vmaIsCowMapping(src);
  const range = notifierRange(MmuNotify.ProtectionPage, src.mm, src.start, src.end);
  if (isCow) yield* mmuNotifierInvalidateRangeStart(k, range);
  let ret = 0;
  for (let vpn = src.start; vpn < src.end && !ret; ) {
    const pudp = pudpOf(k, src.mm, vpn);
    if (pudp < 0 || ptepGet(k, pudp) === 0) {
      vpn = entryEnd(vpn, pudp < 0 ? pgdPages : pudPages, src.end);
      continue;
    }
    const next = entryEnd(vpn, ptrsPerPte, src.end);
    const srcPmd = pmdpOf(k, src.mm, vpn);
    const pmd = ptepGet(k, srcPmd);
    if (pmd !== 0) {
      const dstPmd = yield* pmdAlloc(k, dst.mm, vpn);
      let copied = false;
      if (pmdIsHuge(pmd)) copied = yield* copyHugePmd(k, dst, src, dstPmd, srcPmd, vpn);
      if (!copied && pmdIsTable(ptepGet(k, srcPmd))) {
        if (yield* copyPteRange(k, dst, src, dstPmd, srcPmd, vpn, next)) ret = -ENOMEM;
      }
    }
    vpn = next;
  }
  if (isCow) yield* mmuNotifierInvalidateRangeEnd(k, range);
  return ret;
}

/**
 * Copies an address space for a child.
 *
 * Mirrors: mm/mmap.c dup_mmap()
 * simplified: allocations of areas do not fail
 * @returns 0 or -ENOMEM
 */
export function* dupMmap(k: Kernel, mm: Mm, oldmm: Mm): Kernel$<number> {
  if (k.stepping) yield k.acquire(oldmm.mmapLock);
  k.lock(oldmm.mmapLock);
  if (k.stepping) yield k.acquire(mm.mmapLock);
  k.lock(mm.mmapLock);
  let ret = 0;
  for (const src of [...oldmm.vmas]) {
    if (src.flags & VM_DONTCOPY) continue;
    if (src.flags & VM_ACCOUNT) ret = vmEnoughMemory(k, src.pages);
    if (ret) break;
    const dst = new Vma(mm, src.start, src.end, src.flags, src.pgoff, src.anonPgoff, src.file);
    dst.pageProt = src.pageProt;
    dst.uffd = src.uffd;
    dupUserfaultfd(dst);
    yield* anonVmaFork(k, dst, src);
    const locks = yield* vmaPrepare(k, dst.file ? [dst] : []);
    vmaLink(dst, src);
    yield* vmaComplete(k, locks);
    ret = yield* copyPageRange(k, dst, src);
    if (ret) break;
  }
  if (k.stepping) yield k.release(mm.mmapLock);
  k.unlock(mm.mmapLock);
  if (k.stepping) yield k.flushStep(oldmm.id);
  k.flushTlbSpace(oldmm.id);
  if (k.monitor !== null) k.monitor.onFork(oldmm.id);
  if (k.stepping) yield k.release(oldmm.mmapLock);
  k.unlock(oldmm.mmapLock);
  return ret;
}
