/**
 * Splitting and merging of areas. Programs can see merges: a walk's callbacks never cross an area,
 * so what one fault request covers ends at its end.
 *
 * Models: mm/vma.c
 */
import type { Kernel$ } from '../machine/step.ts';
import type { Pgoff, Vpn } from '../machine/units.ts';
import {
  type AnonVma,
  anonVmaClone,
  unlinkAnonVmas,
  vmaComplete,
  vmaIsForkChild,
  vmaPrepare,
  vmaUpdate,
} from './anon-vma.ts';
import { hugetlbVmOpOpen } from './hugetlb.ts';
import type { Kernel } from './kernel.ts';
import type { Mm } from './mm.ts';
import type { AddressSpace } from './shmem.ts';
import type { UserfaultfdCtx } from './userfaultfd.ts';
import {
  isVmHugetlbPage,
  VM_ACCESS_FLAGS,
  VM_SHARED,
  VM_SPECIAL,
  VM_STICKY,
  VMA_KEEPS,
  type Vma,
  Vma as VmaClass,
  vmaLink,
  vmaUnlink,
} from './vma.ts';

/** A range that may merge with its neighbours (struct vma_merge_struct). */
interface Proposal {
  start: Vpn;
  end: Vpn;
  flags: number;
  pgoff: Pgoff;
  anonPgoff: Pgoff;
  file: AddressSpace | null;
  anonVma: AnonVma | null;
  uffd: UserfaultfdCtx | null;
  /** The existing area, of which the range is a part. */
  middle: Vma | null;
  /** The area that a move copies from. */
  copiedFrom: Vma | null;
}

/** Mirrors: mm/vma.c is_mergeable_vma(); simplified: the flags that are modelled */
function mergeableVma(range: Proposal, vma: Vma): boolean {
  const flags = (vma.flags ^ range.flags) & ~VM_STICKY;
  return flags === 0 && vma.file === range.file && vma.uffd === range.uffd;
}

/** Mirrors: mm/vma.c is_mergeable_anon_vma(); faithful */
function mergeableAnonVma(range: Proposal, target: Vma): boolean {
  if (!target.anonVma && range.anonVma) {
    return !vmaIsForkChild(range.middle) && !vmaIsForkChild(range.copiedFrom);
  }
  if (target.anonVma && !range.anonVma) return !vmaIsForkChild(target);
  return target.anonVma === range.anonVma;
}

function needsAdjacentAnonPgoff(range: Proposal): boolean {
  return range.file !== null && (range.flags & VM_SHARED) === 0;
}

/** Mirrors: mm/vma.c can_vma_merge_left(), can_vma_merge_after(); faithful */
function canMergeLeft(range: Proposal, prev: Vma | undefined): prev is Vma {
  if (!prev || prev.end !== range.start) return false;
  if (!mergeableVma(range, prev) || !mergeableAnonVma(range, prev)) return false;
  if (prev.pgoff + prev.pages !== range.pgoff) return false;
  return !needsAdjacentAnonPgoff(range) || prev.anonPgoff + prev.pages === range.anonPgoff;
}

/** Mirrors: mm/vma.c can_vma_merge_right(), can_vma_merge_before(); faithful */
function canMergeRight(range: Proposal, next: Vma | undefined, prev: Vma | null): next is Vma {
  if (!next || next.start !== range.end) return false;
  if (!mergeableVma(range, next) || !mergeableAnonVma(range, next)) return false;
  const pages = range.end - range.start;
  if (range.pgoff + pages !== next.pgoff) return false;
  if (needsAdjacentAnonPgoff(range) && range.anonPgoff + pages !== next.anonPgoff) return false;
  if (!prev) return true;
  return !prev.anonVma || !next.anonVma || prev.anonVma === next.anonVma;
}

/** The areas that a change of `start` to `end` may change: it and its neighbours. */
export function vmasAround(mm: Mm, start: Vpn, end: Vpn): Vma[] {
  return mm.vmas.filter((vma) => vma.end >= start && vma.start <= end);
}

/** Mirrors: mm/vma.c dup_anon_vma(); faithful */
function dupAnonVma(k: Kernel, dst: Vma, src: Vma): void {
  if (!src.anonVma || dst.anonVma) return;
  dst.anonVma = src.anonVma;
  anonVmaClone(k, dst, src, 'merge-unfaulted');
}

function remove(k: Kernel, vma: Vma): void {
  vmaUnlink(vma);
  unlinkAnonVmas(k, vma);
  if (k.monitor !== null) k.monitor.onGone(vma, 'an area', VMA_KEEPS);
}

/** Moves the start of an area, its offsets with it. */
function setStart(vma: Vma, start: Vpn): void {
  vmaUpdate(vma, () => {
    const by = start - vma.start;
    vma.start = start;
    vma.pgoff += by;
    vma.anonPgoff += by;
  });
}

function setEnd(vma: Vma, end: Vpn): void {
  vmaUpdate(vma, () => {
    vma.end = end;
  });
}

/**
 * Merges part of an area, whose flags are about to change, with its neighbours.
 *
 * Mirrors: mm/vma.c vma_merge_existing_range()
 * faithful
 * @returns the area that holds the range afterwards, or null when nothing merged
 */
function mergeExisting(k: Kernel, range: Proposal): Vma | null {
  const middle = k.present(range.middle, 'the area that is merged');
  if (range.flags & VM_SPECIAL) return null;
  const leftSide = range.start === middle.start;
  const rightSide = range.end === middle.end;
  if (!leftSide && !rightSide) return null;
  const { vmas } = middle.mm;
  const at = vmas.indexOf(middle);
  const prev = leftSide ? vmas[at - 1] : undefined;
  const next = rightSide ? vmas[at + 1] : undefined;
  const left = canMergeLeft(range, prev) ? prev : null;
  const right = canMergeRight(range, next, left) ? next : null;
  if (!left && !right) return null;
  const sticky = (range.flags | (left?.flags ?? 0) | (right?.flags ?? 0)) & VM_STICKY;
  let target: Vma;
  if (left && right) {
    dupAnonVma(k, left, right.anonVma ? right : middle);
    const end = right.end;
    remove(k, middle);
    remove(k, right);
    setEnd(left, end);
    target = left;
  } else if (left) {
    dupAnonVma(k, left, middle);
    if (rightSide) remove(k, middle);
    else setStart(middle, range.end);
    setEnd(left, range.end);
    target = left;
  } else {
    const only = k.present(right, 'the area that is merged');
    dupAnonVma(k, only, middle);
    if (leftSide) remove(k, middle);
    else setEnd(middle, range.start);
    setStart(only, range.start);
    target = only;
  }
  target.flags |= sticky;
  return target;
}

/**
 * Splits an area at a page.
 *
 * Mirrors: mm/vma.c __split_vma()
 * simplified: no limit on the number of areas; huge pages across `at` are split by the caller
 * @returns the upper part
 */
export function splitVma(k: Kernel, vma: Vma, at: Vpn): Vma {
  const upper = new VmaClass(
    vma.mm,
    at,
    vma.end,
    vma.flags,
    vma.pgoff + (at - vma.start),
    vma.anonPgoff + (at - vma.start),
    vma.file,
  );
  upper.pageProt = vma.pageProt;
  upper.uffd = vma.uffd;
  upper.anonVma = vma.anonVma;
  anonVmaClone(k, upper, vma, 'split');
  if (isVmHugetlbPage(vma)) hugetlbVmOpOpen(upper, vma);
  setEnd(vma, at);
  vmaLink(upper);
  return upper;
}

/**
 * Makes `start` to `end` of an area one with the given flags, merging or splitting. The flags are
 * set by the caller.
 *
 * Mirrors: mm/vma.c vma_modify_flags(), vma_modify_flags_uffd()
 * faithful
 * @param uffd who is to learn of missing faults there, set by the caller as well
 */
export function* vmaModifyFlags(
  k: Kernel,
  vma: Vma,
  start: Vpn,
  end: Vpn,
  flags: number,
  uffd: UserfaultfdCtx | null = vma.uffd,
): Kernel$<Vma> {
  const locks = yield* vmaPrepare(k, vmasAround(vma.mm, start, end));
  const merged = mergeExisting(k, {
    start,
    end,
    flags,
    pgoff: vma.pgoff + (start - vma.start),
    anonPgoff: vma.anonPgoff + (start - vma.start),
    file: vma.file,
    anonVma: vma.anonVma,
    uffd,
    middle: vma,
    copiedFrom: null,
  });
  let part = merged ?? vma;
  if (!merged) {
    if (part.start < start) part = splitVma(k, part, start);
    if (part.end > end) splitVma(k, part, end);
  }
  yield* vmaComplete(k, locks);
  return part;
}

/**
 * Merges a new range with its neighbours.
 *
 * Mirrors: mm/vma.c vma_merge_new_range(), vma_merge_copied_range()
 * faithful
 * @returns the area that holds the range afterwards, or null when nothing merged
 */
export function vmaMergeNewRange(
  k: Kernel,
  vmas: readonly Vma[],
  range: Omit<Proposal, 'middle'>,
): Vma | null {
  // a copy loses its userfaultfd, of which nobody wants to hear
  if (range.copiedFrom?.uffd) return null;
  if (range.flags & VM_SPECIAL) return null;
  const proposal: Proposal = { ...range, middle: null };
  const prev = vmas.find((vma) => vma.end === range.start);
  const next = vmas.find((vma) => vma.start === range.end);
  const left = canMergeLeft(proposal, prev) ? prev : null;
  const right = canMergeRight(proposal, next, left) ? next : null;
  if (!left && !right) return null;
  const sticky = (range.flags | (left?.flags ?? 0) | (right?.flags ?? 0)) & VM_STICKY;
  if (left) {
    const end = right ? right.end : range.end;
    if (right) {
      dupAnonVma(k, left, right);
      remove(k, right);
    }
    if (range.copiedFrom) dupAnonVma(k, left, range.copiedFrom);
    setEnd(left, end);
    left.flags |= sticky;
    return left;
  }
  const only = k.present(right, 'the area that is merged');
  if (range.copiedFrom) dupAnonVma(k, only, range.copiedFrom);
  setStart(only, range.start);
  only.flags |= sticky;
  return only;
}

/** Mirrors: mm/vma.c anon_vma_compatible(); faithful */
function anonVmaCompatible(a: Vma, b: Vma): boolean {
  return (
    a.end === b.start &&
    a.file === b.file &&
    ((a.flags ^ b.flags) & ~(VM_ACCESS_FLAGS | VM_STICKY)) === 0 &&
    a.pgoff + a.pages === b.pgoff &&
    a.anonPgoff + a.pages === b.anonPgoff
  );
}

function reusableAnonVma(old: Vma, a: Vma, b: Vma): AnonVma | null {
  if (!anonVmaCompatible(a, b)) return null;
  return old.anonVma && old.anonVmaChain.length === 1 ? old.anonVma : null;
}

/**
 * A neighbour's anon_vma that a new one need not be made for.
 *
 * Mirrors: mm/vma.c find_mergeable_anon_vma(), reusable_anon_vma()
 * faithful
 */
export function findMergeableAnonVma(vma: Vma): AnonVma | null {
  const { vmas } = vma.mm;
  const at = vmas.indexOf(vma);
  const next = vmas[at + 1];
  const prev = vmas[at - 1];
  return (
    (next && reusableAnonVma(next, vma, next)) ?? (prev && reusableAnonVma(prev, prev, vma)) ?? null
  );
}
