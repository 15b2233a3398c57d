/**
 * Mapping and unmapping.
 *
 * Models: mm/mmap.c, mm/vma.c
 */
import { EEXIST, ENOMEM } from '../machine/errno.ts';
import type { Kernel$ } from '../machine/step.ts';
import type { Vpn } from '../machine/units.ts';
import { unlinkAnonVmas, vmaComplete, vmaPrepare } from './anon-vma.ts';
import { vmaAdjustTransHuge } from './huge-memory.ts';
import {
  hugetlbVmOpClose,
  hugetlbZapBegin,
  hugetlbZapEnd,
  isFileHugepages,
  maySplit,
} from './hugetlb.ts';
import type { Kernel } from './kernel.ts';
import type { Mm } from './mm.ts';
import {
  MmuNotify,
  mmuNotifierInvalidateRangeEnd,
  mmuNotifierInvalidateRangeStart,
  notifierRange,
} from './mmu-notifier.ts';
import { freePgtables } from './pgtable.ts';
import { type AddressSpace, evictFile } from './shmem.ts';
import {
  isVmHugetlbPage,
  VM_ACCOUNT,
  VM_HUGETLB,
  VM_SHARED,
  VM_SOFTDIRTY,
  VM_WRITE,
  VMA_KEEPS,
  Vma,
  vmaLink,
  vmaSetPageProt,
  vmaUnlink,
} from './vma.ts';
import { splitVma, vmaMergeNewRange, vmasAround } from './vma-merge.ts';
import { MmuGather, tlbFinishMmu, tlbFlushOnly, zapVmaRange } from './zap.ts';

/** Whether an area counts against the commit limit (accountable_mapping()). */
export function accountable(flags: number): boolean {
  if (flags & VM_HUGETLB) return false;
  return (flags & (VM_SHARED | VM_WRITE)) === VM_WRITE;
}

/**
 * Whether memory can be promised.
 *
 * Mirrors: mm/util.c __vm_enough_memory()
 * simplified: as overcommit guesses it, which looks at this promise alone; no swap
 * @returns 0 or -ENOMEM
 */
export function vmEnoughMemory(k: Kernel, pages: number): number {
  return pages > k.totalRam ? -ENOMEM : 0;
}

/**
 * The pages that a new area is promised.
 *
 * Mirrors: mm/vma.c accountable_mapping(), mm/shmem.c shmem_acct_size()
 * faithful
 */
function chargeOf(flags: number, pages: number, file: AddressSpace | null): number {
  if (file?.promised) return pages;
  return accountable(flags) && !(file && isFileHugepages(file)) ? pages : 0;
}

/**
 * Has a file make what it wants of a new area.
 *
 * Mirrors: mm/vma.c __mmap_new_file_vma(), unmap_region()
 * simplified: a new file for each area, so that nothing merges
 * @returns 0, or what the file returned: nothing is left then
 */
function* mmapFile(
  k: Kernel,
  vma: Vma,
  fileMmap: (k: Kernel, vma: Vma) => Kernel$<number>,
): Kernel$<number> {
  const { mm } = vma;
  const ret = yield* fileMmap(k, vma);
  if (!ret) {
    if (accountable(vma.flags)) vma.flags |= VM_ACCOUNT;
    const locks = yield* vmaPrepare(k, [vma]);
    vmaLink(vma);
    yield* vmaComplete(k, locks);
    vma.flags |= VM_SOFTDIRTY;
    vmaSetPageProt(vma);
  } else if (!isVmHugetlbPage(vma)) {
    const at = mm.indexAfter(vma.start);
    const floor = at > 0 ? mm.vmas[at - 1].end : 0;
    const ceiling = mm.vmas[at]?.start ?? Infinity;
    const tlb = new MmuGather(mm);
    const range = notifierRange(MmuNotify.Unmap, mm, vma.start, vma.end);
    yield* mmuNotifierInvalidateRangeStart(k, range);
    yield* zapVmaRange(k, tlb, vma, vma.start, vma.end, false);
    yield* mmuNotifierInvalidateRangeEnd(k, range);
    yield* tlbFlushOnly(k, tlb);
    yield* freePgtables(k, mm, vma.start, vma.end, floor, ceiling);
    yield* tlbFinishMmu(k, tlb);
  }
  return ret;
}

/**
 * Maps `start` to `end` (pages) unless something is there (MAP_FIXED_NOREPLACE).
 *
 * Mirrors: mm/mmap.c do_mmap(), mm/vma.c __mmap_region()
 * simplified: of limits only that of memory, files from their start
 * @param flags VM_READ, VM_WRITE, VM_SHARED
 * @param fileMmap what the file does with the new area, before anybody can see it (f_op->mmap)
 * @returns 0; -EEXIST; -ENOMEM for more than there is RAM; what the file returned
 */
export function* mmapRegion(
  k: Kernel,
  mm: Mm,
  start: Vpn,
  end: Vpn,
  flags: number,
  file: AddressSpace | null,
  fileMmap: ((k: Kernel, vma: Vma) => Kernel$<number>) | null = null,
): Kernel$<number> {
  if (k.stepping) yield k.acquire(mm.mmapLock);
  k.lock(mm.mmapLock);
  const there = mm.findVma(start);
  let ret = 0;
  if (there && there.start < end) ret = -EEXIST;
  else ret = vmEnoughMemory(k, chargeOf(flags, end - start, file));
  if (!ret && fileMmap)
    ret = yield* mmapFile(k, new Vma(mm, start, end, flags, 0, start, file), fileMmap);
  else if (!ret) {
    const vmFlags = flags | (accountable(flags) ? VM_ACCOUNT : 0);
    const pgoff = file ? 0 : start;
    const locks = yield* vmaPrepare(k, vmasAround(mm, start, end));
    const merged = vmaMergeNewRange(k, mm.vmas, {
      start,
      end,
      flags: vmFlags,
      pgoff,
      anonPgoff: start,
      file,
      anonVma: null,
      uffd: null,
      copiedFrom: null,
    });
    const vma = merged ?? new Vma(mm, start, end, vmFlags, pgoff, start, file);
    if (!merged) vmaLink(vma);
    yield* vmaComplete(k, locks);
    vma.flags |= VM_SOFTDIRTY;
    vmaSetPageProt(vma);
  }
  if (k.stepping) yield k.release(mm.mmapLock);
  k.unlock(mm.mmapLock);
  return ret;
}

/**
 * Splits an area, and a huge mapping across the split before it.
 *
 * Mirrors: mm/vma.c __split_vma()
 * simplified: the huge mapping is split before the areas' locks would be taken
 */
export function* splitVmaAt(k: Kernel, vma: Vma, at: Vpn): Kernel$<Vma> {
  yield* vmaAdjustTransHuge(k, vma, at);
  const locks = yield* vmaPrepare(k, [vma]);
  const upper = splitVma(k, vma, at);
  yield* vmaComplete(k, locks);
  return upper;
}

/**
 * Unmaps `start` to `end`; mmap_lock is held for writing.
 *
 * Mirrors: mm/vma.c do_vmi_align_munmap(), vms_gather_munmap_vmas(), vms_complete_munmap_vmas()
 * simplified: mmap_lock is not downgraded
 * @returns 0, or -EINVAL when an area cannot be split there: nothing is unmapped then
 */
export function* doMunmap(k: Kernel, mm: Mm, start: Vpn, end: Vpn): Kernel$<number> {
  k.assertHeld(mm.mmapLock);
  let at = mm.indexAfter(start);
  const first = mm.vmas[at];
  if (!first || first.start >= end) return 0;
  if (first.start < start) {
    const err = maySplit(k, first, start);
    if (err) return err;
    yield* splitVmaAt(k, first, start);
    at++;
  }
  const gone: Vma[] = [];
  for (let i = at; i < mm.vmas.length; i++) {
    const vma = mm.vmas[i];
    if (vma.start >= end) break;
    const err = maySplit(k, vma, end);
    if (err) return err;
    if (vma.end > end) yield* splitVmaAt(k, vma, end);
    gone.push(vma);
  }
  const floor = at > 0 ? mm.vmas[at - 1].end : 0;
  const after = mm.vmas[at + gone.length];
  const ceiling = after ? after.start : Infinity;
  mm.vmas.splice(at, gone.length);
  const tlb = new MmuGather(mm);
  const range = notifierRange(MmuNotify.Unmap, mm, start, end);
  yield* mmuNotifierInvalidateRangeStart(k, range);
  for (const vma of gone) {
    const huge = isVmHugetlbPage(vma);
    if (huge) yield* hugetlbZapBegin(k, vma);
    yield* zapVmaRange(k, tlb, vma, vma.start, vma.end, false);
    if (huge) yield* hugetlbZapEnd(k, vma);
  }
  yield* mmuNotifierInvalidateRangeEnd(k, range);
  yield* tlbFlushOnly(k, tlb);
  /** Files that no area maps any more: whoever takes the last area away lets them go. */
  const files: AddressSpace[] = [];
  for (let i = 0; i < gone.length; i++) {
    const vma = gone[i];
    // no walk of a reverse map gets at the tables from here on
    const locks = yield* vmaPrepare(k, [vma]);
    vmaUnlink(vma);
    if (vma.file?.vmas.length === 0 && vma.file.opened === 0) files.push(vma.file);
    unlinkAnonVmas(k, vma);
    yield* vmaComplete(k, locks);
    yield* freePgtables(k, mm, vma.start, vma.end, floor, gone[i + 1]?.start ?? ceiling);
  }
  yield* tlbFinishMmu(k, tlb);
  for (const vma of gone) if (isVmHugetlbPage(vma)) yield* hugetlbVmOpClose(k, vma);
  if (k.monitor !== null) for (const vma of gone) k.monitor.onGone(vma, 'an area', VMA_KEEPS);
  for (const file of files) yield* evictFile(k, file);
  return 0;
}

/**
 * munmap(2)
 *
 * Mirrors: mm/mmap.c __vm_munmap()
 * faithful
 * @returns 0: unmapping what is not mapped is no error; -EINVAL for a part of a huge page of the pool
 */
export function* munmap(k: Kernel, mm: Mm, start: Vpn, end: Vpn): Kernel$<number> {
  if (k.stepping) yield k.acquire(mm.mmapLock);
  k.lock(mm.mmapLock);
  const ret = yield* doMunmap(k, mm, start, end);
  if (k.stepping) yield k.release(mm.mmapLock);
  k.unlock(mm.mmapLock);
  return ret;
}
