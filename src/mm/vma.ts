/**
 * Memory areas.
 *
 * Models: include/linux/mm_types.h struct vm_area_struct, mm/vma.c
 */
import { PAGE_NONE, PAGE_READONLY, PAGE_SHARED } from '../machine/pte.ts';
import type { Pgoff, Vpn } from '../machine/units.ts';
import type { AnonVma, AnonVmaChain } from './anon-vma.ts';
import type { ReserveMap } from './hugetlb-pool.ts';
import type { Mm } from './mm.ts';
import type { AddressSpace } from './shmem.ts';
import type { UserfaultfdCtx } from './userfaultfd.ts';

export const VM_READ = 1 << 0;
export const VM_WRITE = 1 << 1;
export const VM_SHARED = 1 << 3;
/** Not copied to a child. */
export const VM_DONTCOPY = 1 << 4;
/** Counted against the commit limit. */
export const VM_ACCOUNT = 1 << 5;
export const VM_HUGEPAGE = 1 << 6;
export const VM_NOHUGEPAGE = 1 << 7;
/** A missing page is for a monitor to give (userfaultfd). */
export const VM_UFFD_MISSING = 1 << 9;
/** Soft-dirty as a whole: no page of it was ever cleaned. */
export const VM_SOFTDIRTY = 1 << 8;

/** Huge pages of the pool (hugetlb). */
export const VM_HUGETLB = 1 << 20;
/** May not grow. */
export const VM_DONTEXPAND = 1 << 21;
/** Pages that a driver put there itself. */
export const VM_MIXEDMAP = 1 << 22;

/** Areas that are not as others: they do not merge, and nothing of them migrates. */
export const VM_SPECIAL = VM_DONTEXPAND | VM_MIXEDMAP;
export const VM_ACCESS_FLAGS = VM_READ | VM_WRITE;
/** Flags that neither forbid a merge nor get lost in one (VMA_STICKY_FLAGS). */
export const VM_STICKY = VM_SOFTDIRTY;

/** struct vm_area_struct; addresses and offsets in pages, `end` exclusive. */
export class Vma {
  flags: number;
  pageProt = 0;
  anonVma: AnonVma | null = null;
  /** Newest first. */
  readonly anonVmaChain: AnonVmaChain[] = [];
  /** Who learns of missing faults (vm_userfaultfd_ctx). */
  uffd: UserfaultfdCtx | null = null;
  /** Taken out of its address space (vma_mark_detached()). */
  detached = false;
  /** Of an area of huge pages whose process made the mapping: which it has reserved. */
  resv: ReserveMap | null = null;
  /** The maker of the mapping took a page away from here (HPAGE_RESV_UNMAPPED). */
  resvUnmapped = false;

  constructor(
    readonly mm: Mm,
    public start: Vpn,
    public end: Vpn,
    flags: number,
    /** Offset of `start` in the file; for anonymous memory the address at first touch. */
    public pgoff: Pgoff,
    /** Offset of `start` for anonymous pages; differs from `pgoff` in private files. */
    public anonPgoff: Pgoff,
    readonly file: AddressSpace | null,
  ) {
    this.flags = flags;
    vmaSetPageProt(this);
  }

  get pages(): number {
    return this.end - this.start;
  }
}

/** What of an area may still be asked when it is gone: whether it is. */
export const VMA_KEEPS = ['detached'];

/** Private anonymous memory (vma_is_anonymous()). */
export function vmaIsAnonymous(vma: Vma): boolean {
  return vma.file === null;
}
/** Whether it has huge pages of the pool (is_vm_hugetlb_page()). */
export function isVmHugetlbPage(vma: Vma): boolean {
  return (vma.flags & VM_HUGETLB) !== 0;
}
export function vmaIsCowMapping(vma: Vma): boolean {
  return (vma.flags & VM_SHARED) === 0;
}
/** Whether a monitor gives what is missing (userfaultfd_missing(), userfaultfd_armed()). */
export function userfaultfdMissing(vma: Vma): boolean {
  return (vma.flags & VM_UFFD_MISSING) !== 0;
}
export function vmaIsAccessible(vma: Vma): boolean {
  return (vma.flags & VM_ACCESS_FLAGS) !== 0;
}
/** Whether writes must fault to be seen (vma_soft_dirty_enabled()). */
export function vmaSoftDirtyEnabled(vma: Vma): boolean {
  return (vma.flags & VM_SOFTDIRTY) === 0;
}

/** Mirrors: mm/vma.c vma_wants_writenotify(); simplified: files are in memory */
function wantsWritenotify(flags: number): boolean {
  if ((flags & (VM_WRITE | VM_SHARED)) !== (VM_WRITE | VM_SHARED)) return false;
  return (flags & VM_SOFTDIRTY) === 0;
}

/** vm_get_page_prot() and vma_set_page_prot(): what new entries of the area start from. */
export function vmaSetPageProt(vma: Vma): void {
  const flags = vma.flags;
  if ((flags & VM_ACCESS_FLAGS) === 0) vma.pageProt = PAGE_NONE;
  else if (flags & VM_WRITE && flags & VM_SHARED && !wantsWritenotify(flags)) {
    vma.pageProt = PAGE_SHARED;
  } else vma.pageProt = PAGE_READONLY;
}

/** Offset in the file of a page of the area (linear_page_index()). */
export function linearPageIndex(vma: Vma, vpn: Vpn): Pgoff {
  return vma.pgoff + (vpn - vma.start);
}
/** Offset of an anonymous page of the area (linear_anon_page_index()). */
export function linearAnonPageIndex(vma: Vma, vpn: Vpn): Pgoff {
  return vma.anonPgoff + (vpn - vma.start);
}

/**
 * Puts an item where an interval tree has it: by offset, of equal ones the last. A walk of the reverse map
 * may end early, so that the order shows.
 *
 * Mirrors: include/linux/interval_tree_generic.h INTERVAL_TREE_DEFINE()
 * simplified: a list that is searched from its end
 */
export function insertByOffset<T>(list: T[], item: T, offsetOf: (item: T) => number): void {
  const offset = offsetOf(item);
  let at = list.length;
  while (at > 0 && offsetOf(list[at - 1]) > offset) at--;
  list.splice(at, 0, item);
}

const fileOffset = (vma: Vma): number => vma.pgoff;

/** Mirrors: mm/interval_tree.c mapping_rmap_tree_insert(); faithful */
export function linkFile(vma: Vma): void {
  if (vma.file) insertByOffset(vma.file.vmas, vma, fileOffset);
}

/** Mirrors: mm/interval_tree.c mapping_rmap_tree_remove(); faithful */
export function unlinkFile(vma: Vma): void {
  const list = vma.file?.vmas;
  if (list) list.splice(list.indexOf(vma), 1);
}

/**
 * Inserts an area into its address space and its file's tree.
 * @param after the parent's area: the child's comes right after it (mapping_rmap_tree_insert_after())
 */
export function vmaLink(vma: Vma, after?: Vma): void {
  const { mm } = vma;
  mm.vmas.splice(mm.indexAfter(vma.start), 0, vma);
  vma.detached = false;
  const list = vma.file?.vmas;
  if (list && after) list.splice(list.indexOf(after) + 1, 0, vma);
  else linkFile(vma);
}

/** Takes an area out of its address space and its file's tree. */
export function vmaUnlink(vma: Vma): void {
  const { vmas } = vma.mm;
  const at = vmas.indexOf(vma);
  if (at >= 0) vmas.splice(at, 1);
  vma.detached = true;
  unlinkFile(vma);
}
