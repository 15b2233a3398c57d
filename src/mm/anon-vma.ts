/**
 * anon_vmas: which areas may map the anonymous pages that were first touched in one of them.
 *
 * Models: mm/rmap.c (the anon_vma half)
 */
import type { Lock } from '../machine/lock.ts';
import { MAPPING_ANON, mappingNumber } from '../machine/page.ts';
import { type Kernel$, ObjectKind, Role, type Step, StepKind } from '../machine/step.ts';
import type { Folio } from '../machine/units.ts';
import { folioMapcount, folioMappingWord } from './folio.ts';
import type { Kernel } from './kernel.ts';
import type { Mm } from './mm.ts';
import { insertByOffset, linkFile, unlinkFile, type Vma } from './vma.ts';
import { findMergeableAnonVma } from './vma-merge.ts';

/** One area in one anon_vma's tree (struct anon_vma_chain). */
export class AnonVmaChain {
  constructor(
    readonly vma: Vma,
    readonly anonVma: AnonVma,
  ) {}
}

/** struct anon_vma */
export class AnonVma {
  /** In `Kernel.mappings`. */
  number = 0;
  root: AnonVma;
  parent: AnonVma;
  refcount = 1;
  numChildren = 0;
  numActiveVmas = 0;
  /** Its tree of areas, in the order of a walk. */
  readonly chains: AnonVmaChain[] = [];

  constructor(
    /** Used for a root: every anon_vma of a tree shares its root's rwsem. */
    readonly ownLock: Lock,
  ) {
    this.root = this;
    this.parent = this;
  }

  get lock(): Lock {
    return this.root.ownLock;
  }
}

function anonVmaAlloc(k: Kernel): AnonVma {
  const anonVma = new AnonVma(k.newLock('anon_vma', 'rwsem'));
  anonVma.number = k.addMapping(anonVma);
  return anonVma;
}

/**
 * The anon_vma of a mapped anonymous folio, kept alive until `putAnonVma`; null when the folio is
 * not mapped.
 *
 * Mirrors: mm/rmap.c folio_get_anon_vma()
 * faithful
 */
export function folioGetAnonVma(k: Kernel, folio: Folio): AnonVma | null {
  const mapping = folioMappingWord(k, folio);
  if ((mapping & MAPPING_ANON) === 0 || folioMapcount(k, folio) === 0) return null;
  const anonVma = k.mappings[mappingNumber(mapping)] as AnonVma | undefined;
  if (!anonVma) return null;
  anonVma.refcount++;
  return anonVma;
}

/** Drops a reference of an anon_vma, and frees it with the last (put_anon_vma()). */
export function putAnonVma(k: Kernel, anonVma: AnonVma): void {
  if (--anonVma.refcount > 0) return;
  k.bug(anonVma.refcount < 0, 'an anon_vma is freed twice');
  k.mappings[anonVma.number] = undefined;
  const { root } = anonVma;
  if (k.monitor !== null) k.monitor.onGone(anonVma, 'an anon_vma', ['refcount']);
  if (root !== anonVma) putAnonVma(k, root);
}

const anonOffset = ({ vma }: AnonVmaChain): number => vma.anonPgoff;

/** Mirrors: mm/interval_tree.c anon_rmap_tree_insert(); faithful */
function insertChain(chain: AnonVmaChain): void {
  insertByOffset(chain.anonVma.chains, chain, anonOffset);
}

/** Mirrors: mm/interval_tree.c anon_rmap_tree_remove(); faithful */
function removeChain(chain: AnonVmaChain): void {
  const { chains } = chain.anonVma;
  chains.splice(chains.indexOf(chain), 1);
}

/**
 * Changes the range of an area, which leaves the trees of the reverse maps for it: it comes back as the last
 * of those that begin with it.
 *
 * Mirrors: mm/vma.c vma_prepare(), vma_complete(), anon_rmap_tree_pre_update_vma(), anon_rmap_tree_post_update_vma()
 * simplified: one area; the caller holds the locks, see vmaPrepare()
 */
export function vmaUpdate(vma: Vma, change: () => void): void {
  for (const chain of vma.anonVmaChain) removeChain(chain);
  unlinkFile(vma);
  change();
  linkFile(vma);
  for (const chain of vma.anonVmaChain) insertChain(chain);
}

function assign(vma: Vma, anonVma: AnonVma): AnonVmaChain {
  const chain = new AnonVmaChain(vma, anonVma);
  vma.anonVmaChain.unshift(chain);
  return chain;
}

/** The step before it is asked whether an area has an anon_vma, with mmap_lock held for reading. */
export function anonVmaStep(k: Kernel, mm: Mm): Step {
  return k.step(StepKind.Shared, ObjectKind.Mm, mm.id, Role.Read);
}

/**
 * Gives an area an anon_vma before its first anonymous page: a neighbour's where they could merge.
 *
 * Mirrors: mm/rmap.c __anon_vma_prepare()
 * simplified: allocations do not fail
 * @returns 0
 */
export function* anonVmaPrepare(k: Kernel, vma: Vma): Kernel$<number> {
  if (k.stepping) yield anonVmaStep(k, vma.mm);
  if (vma.anonVma) return 0;
  let anonVma = findMergeableAnonVma(vma);
  let allocated: AnonVma | null = null;
  if (!anonVma) {
    anonVma = anonVmaAlloc(k);
    anonVma.numChildren++;
    allocated = anonVma;
  }
  if (k.stepping) yield k.acquire(anonVma.lock);
  k.lock(anonVma.lock);
  const { mm } = vma;
  if (k.stepping) yield k.acquire(mm.pageTableLock).and(ObjectKind.Mm, mm.id, Role.Write);
  k.lock(mm.pageTableLock);
  if (!vma.anonVma) {
    vma.anonVma = anonVma;
    insertChain(assign(vma, anonVma));
    anonVma.numActiveVmas++;
    allocated = null;
  }
  if (k.stepping) yield k.release(mm.pageTableLock);
  k.unlock(mm.pageTableLock);
  if (k.stepping) yield k.release(anonVma.lock);
  k.unlock(anonVma.lock);
  if (allocated) putAnonVma(k, allocated);
  return 0;
}

/**
 * Takes the locks of the reverse maps that areas are in, before the areas change: a walk of a
 * reverse map must not see them half changed. Files come first.
 *
 * Mirrors: mm/vma.c vma_prepare(); mm/rmap.c unlink_anon_vmas()
 * simplified: all locks at once, in a fixed order
 * @returns the locks, for `vmaComplete`
 */
export function* vmaPrepare(k: Kernel, vmas: readonly Vma[]): Kernel$<Lock[]> {
  const files = new Set<Lock>();
  const anonVmas = new Set<Lock>();
  for (const vma of vmas) {
    if (vma.file) files.add(vma.file.lock);
    for (const chain of vma.anonVmaChain) anonVmas.add(chain.anonVma.lock);
  }
  const byAge = (a: Lock, b: Lock): number => a.id - b.id;
  const locks = [...[...files].sort(byAge), ...[...anonVmas].sort(byAge)];
  for (const lock of locks) {
    if (k.stepping) yield k.acquire(lock);
    k.lock(lock);
  }
  return locks;
}

/** Mirrors: mm/vma.c vma_complete(); simplified: the locks are given back */
export function* vmaComplete(k: Kernel, locks: readonly Lock[]): Kernel$<void> {
  for (let i = locks.length - 1; i >= 0; i--) {
    if (k.stepping) yield k.release(locks[i]);
    k.unlock(locks[i]);
  }
}

/** What an anon_vma is cloned for (enum vma_operation). */
export type CloneFor = 'split' | 'merge-unfaulted' | 'remap' | 'fork';

/**
 * Puts `dst` into every anon_vma that `src` is in.
 *
 * Mirrors: mm/rmap.c anon_vma_clone(), maybe_reuse_anon_vma()
 * simplified: allocations do not fail; the caller holds the locks, see vmaPrepare()
 */
export function anonVmaClone(k: Kernel, dst: Vma, src: Vma, operation: CloneFor): void {
  if (!src.anonVma) return;
  for (const chain of src.anonVmaChain) assign(dst, chain.anonVma);
  for (const chain of [...dst.anonVmaChain].reverse()) {
    const anonVma = chain.anonVma;
    insertChain(chain);
    const reusable = anonVma.numActiveVmas === 0 && anonVma.numChildren <= 1;
    if (operation === 'fork' && !dst.anonVma && reusable) {
      dst.anonVma = anonVma;
      anonVma.numActiveVmas++;
    }
  }
  if (operation !== 'fork') k.present(dst.anonVma, 'the anon_vma of an area').numActiveVmas++;
}

/**
 * Gives the child's area its own anon_vma, below the parent's.
 *
 * Mirrors: mm/rmap.c anon_vma_fork()
 * simplified: allocations do not fail
 */
export function* anonVmaFork(k: Kernel, vma: Vma, parent: Vma): Kernel$<void> {
  if (!parent.anonVma) return;
  vma.anonVma = null;
  const lock = parent.anonVma.lock;
  if (k.stepping) yield k.acquire(lock);
  k.lock(lock);
  anonVmaClone(k, vma, parent, 'fork');
  if (!vma.anonVma) {
    const anonVma = anonVmaAlloc(k);
    anonVma.numActiveVmas = 1;
    anonVma.root = parent.anonVma.root;
    anonVma.parent = parent.anonVma;
    anonVma.root.refcount++;
    vma.anonVma = anonVma;
    insertChain(assign(vma, anonVma));
    anonVma.parent.numChildren++;
  }
  if (k.stepping) yield k.release(lock);
  k.unlock(lock);
}

/**
 * Takes an area out of all of its anon_vmas.
 *
 * Mirrors: mm/rmap.c unlink_anon_vmas()
 * simplified: the caller holds the locks, see vmaPrepare()
 */
export function unlinkAnonVmas(k: Kernel, vma: Vma): void {
  if (!vma.anonVma) return;
  const emptied: AnonVma[] = [];
  for (const chain of vma.anonVmaChain) {
    const anonVma = chain.anonVma;
    removeChain(chain);
    if (anonVma.chains.length === 0) {
      anonVma.parent.numChildren--;
      emptied.push(anonVma);
    }
  }
  vma.anonVma.numActiveVmas--;
  vma.anonVma = null;
  vma.anonVmaChain.length = 0;
  for (const anonVma of emptied) putAnonVma(k, anonVma);
}

/** Whether an area belongs to a forked process: its pages may be in several anon_vmas. */
export function vmaIsForkChild(vma: Vma | null): boolean {
  return vma?.anonVma !== undefined && vma?.anonVma !== null && vma.anonVmaChain.length > 1;
}
