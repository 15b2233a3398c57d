/**
 * What the bits of entries must say: a shadow of each page notes what was done to it. It must say so until it is taken back.
 *
 * - soft-dirty, of private memory: somebody wrote, until its process forgets that (clear_refs)
 * - dirty: a CPU wrote, until the process gives the memory up; of shared memory for ever, by its entries or its folio
 * - young: a CPU reached the page, until its process lets it age
 * - exclusive, of private memory: somebody wrote, until its process forks
 *
 * More may be said, and Linux often says more; less loses a write for a checkpoint or for the disk, a page for reclaim, or
 * what a device has pinned. Only a page that a process has forgotten and that nobody was at since may not say
 * that it was written. (That no page is exclusive that is mapped twice holds of every state: `checkExclusive()`.)
 * A process is asked through `pagemap`, all of them when every task has ended.
 */
import {
  MAPPING_ANON,
  PG_ANON_EXCLUSIVE,
  PG_DIRTY,
  PG_HUGETLB,
  PG_SWAPBACKED,
  PTE_DIRTY,
  PTE_SOFT_DIRTY,
  ptePresent,
  pteYoung,
} from '../../machine/index.ts';
import { type Kernel, type Mm, VM_SHARED, type Vma } from '../../mm/index.ts';
import {
  isDeviceExclusive,
  isDevicePrivate,
  isVmHugetlbPage,
  leafPfn,
  leavesOf,
  PM_SOFT_DIRTY,
  pmdTransHuge,
  SWP_SOFT_DIRTY,
  VM_MIXEDMAP,
  VM_SOFTDIRTY,
} from '../../mm/internal.ts';
import { LookKind } from '../footprint.ts';
import type { Looks } from './looks.ts';
import { keyOf, type MemoryChange, type PendingChange, SPACE_PAGES } from './memory-place.ts';
import { pageWords } from './names.ts';

/** What must be said of a page. */
const SOFT = 1;
const DIRTY = 2;
const YOUNG = 4;
const EXCLUSIVE = 8;
const ALL = SOFT | DIRTY | YOUNG | EXCLUSIVE;

/** What an operation takes from the shadows of its range; while it is under way, what is done may be lost to it. */
const TAKES: Record<MemoryChange, number> = {
  map: ALL,
  unmap: ALL,
  move: ALL,
  'move out': ALL,
  discard: ALL,
  'give up': ALL,
  forget: SOFT,
  protect: 0,
  age: YOUNG,
  unshare: DIRTY,
  fork: EXCLUSIVE,
};

/** What comes along to a page's new place, or to that of a child. */
const CARRIED: Partial<Record<MemoryChange, number>> = {
  move: SOFT | DIRTY | EXCLUSIVE,
  'move out': SOFT | DIRTY | EXCLUSIVE,
  fork: SOFT | DIRTY,
};

/** What may forget single entries. */
const FORGETS: ReadonlySet<MemoryChange> = new Set(['forget', 'protect', 'fork']);

/** What clears the accessed bit and leaves translations: a CPU that has one does not set it again. */
const AGES: ReadonlySet<MemoryChange> = new Set(['age', 'give up']);

/** What makes areas that are soft-dirty as a whole. */
const MAPS: ReadonlySet<MemoryChange> = new Set(['map', 'move', 'move out']);

/** Whether an area's pages have shadows: a driver's own pages have no bits to rely on. */
function isShadowed(vma: Vma | undefined): vma is Vma {
  return vma !== undefined && !(vma.flags & VM_MIXEDMAP);
}

/** What entries of an area say; files are written past their mappings, too, and hugetlb is never forgotten. */
function saidBy(vma: Vma): number {
  if (vma.flags & VM_SHARED) return YOUNG;
  return isVmHugetlbPage(vma) ? ALL & ~SOFT : ALL;
}

/** Whether an entry is present, or a huge page that is invalid for a moment. */
const isThere = (pte: number): boolean => ptePresent(pte) || pmdTransHuge(pte);

/** Whether an entry leads to a page that a device has: it does not know whether a CPU was there. */
const isOfDevice = (pte: number): boolean => isDevicePrivate(pte) || isDeviceExclusive(pte);

const keysOf = (mm: Mm, vpn: number, pages: number): number[] =>
  Array.from({ length: pages }, (_, i) => keyOf(mm.id, vpn + i));

type Leaf = ReturnType<typeof leavesOf>[number];

/** Who writes. */
export type Writer = 'a CPU' | 'a device to RAM';

/** Knows what each page's bits must say. */
export class Shadows {
  /** By page: what must be said of it. */
  private readonly must = new Map<number, number>();
  /** Pages of files that were written, by file and place: [number, index]. */
  private readonly files = new Map<string, readonly [number, number]>();
  /**
   * Pages whose next writes nobody sees, or of which it is forgotten that they were written.
   *
   * - 7.3.4's clear_soft_dirty() write-protects present entries alone: one that is under migration or on a device keeps its
   *   right to write, and whoever writes through it later takes no fault that would say so (remove_migration_pte()).
   * - Of a page on a device change_pte_range() and copy_nonpresent_pte() do not keep it, and say so: checkpoints, the only
   *   ones who ask, do not work with a device.
   */
  private readonly unseen = new Set<number>();
  private readonly unseenAtFirst: readonly number[];
  /** Pages that were forgotten; none as soon as another task changes any entry. */
  private readonly quiet = new Set<number>();
  /** What entries say before the tasks begin. */
  private readonly mustAtFirst = new Map<number, number>();
  private readonly filesAtFirst: { number: number; index: number }[] = [];
  private readonly stepsAtFirst: number;
  /** By process: what a task that begins with it forgets, without a look at what is there then. */
  private readonly forgettableAtFirst: ReadonlyMap<number, readonly number[]>;
  /** Pages that were old when the tasks began, and what was let age since. */
  private readonly oldAtFirst: ReadonlySet<number>;
  private aged: PendingChange[] = [];
  /** Operations under way that do the one or the other. */
  private forgetting: PendingChange[] = [];
  /** By operation under way: what it carries to another place. */
  private readonly carried = new Map<PendingChange, Map<number, number>>();

  /**
   * @param k a machine on which no task runs yet
   * @param looks who notes what is looked at here
   */
  constructor(
    private readonly k: Kernel,
    private readonly looks: Looks,
  ) {
    const leaves = k.mms.flatMap((mm) => leavesOf(k, mm).map((leaf) => ({ mm, leaf })));
    const keys = (is: (pte: number) => boolean): number[] =>
      leaves.flatMap(({ mm, leaf }) => (is(leaf.pte) ? keysOf(mm, leaf.vpn, leaf.pages) : []));
    this.unseenAtFirst = keys((pte) => !isThere(pte));
    this.oldAtFirst = new Set(keys((pte) => isThere(pte) && !pteYoung(pte)));
    for (const mm of k.mms) for (const leaf of leavesOf(k, mm)) this.noteFirst(mm, leaf);
    for (const [number, file] of k.mappings.entries()) {
      if (!file || !('folios' in file)) continue;
      for (const [index, folio] of file.folios) {
        if (this.isDirty(folio)) this.filesAtFirst.push({ number, index });
      }
    }
    this.stepsAtFirst = k.steps;
    this.forgettableAtFirst = new Map(k.mms.map((mm) => [mm.id, this.forgettable(mm)]));
    this.reset();
  }

  private noteFirst(mm: Mm, { vpn, pages, pte, huge }: Leaf): void {
    const { k } = this;
    for (let i = 0; i < pages; i++) {
      const vma = mm.lookupVma(vpn + i);
      if (!isShadowed(vma)) continue;
      const page = leafPfn(pte) + (huge ? 0 : i);
      const folio = k.pages.head[page];
      const isDirty = (isThere(pte) && (pte & PTE_DIRTY) !== 0) || this.isDirty(folio);
      if (isDirty && vma.file && vma.flags & VM_SHARED) {
        this.filesAtFirst.push({ number: vma.file.number, index: vma.pgoff + vpn + i - vma.start });
      }
      let bits = isThere(pte) && pteYoung(pte) ? YOUNG : 0;
      // what is given up may go, and what comes then is new
      if (k.pages.mapping[folio] & MAPPING_ANON && k.pages.flags[folio] & LASTING) {
        bits |= isDirty ? DIRTY : 0;
        if (pte & (isThere(pte) ? PTE_SOFT_DIRTY : SWP_SOFT_DIRTY)) bits |= SOFT;
        if (k.pages.flags[page] & PG_ANON_EXCLUSIVE) bits |= EXCLUSIVE;
      }
      if (bits !== 0) this.mustAtFirst.set(keyOf(mm.id, vpn + i), bits);
    }
  }

  reset(): void {
    this.must.clear();
    for (const [key, bits] of this.mustAtFirst) this.must.set(key, bits);
    this.files.clear();
    for (const { number, index } of this.filesAtFirst) this.fileWrite(number, index);
    if (this.quiet.size > 0) this.quiet.clear();
    if (this.carried.size > 0) this.carried.clear();
    if (this.forgetting.length > 0) this.forgetting = [];
    if (this.aged.length > 0) this.aged = [];
    if (this.unseen.size === 0 && this.unseenAtFirst.length === 0) return;
    this.unseen.clear();
    for (const key of this.unseenAtFirst) this.unseen.add(key);
  }

  // ---- what happens ----

  /** An entry is written; it still has its old value. */
  entry(ptep: number): void {
    const { k } = this;
    if (this.quiet.size > 0 && k.current.doing !== 'clear_soft_dirty') this.quiet.clear();
    const old = k.tables.entries[ptep];
    if (old === 0) return;
    // a page of zeros may be replaced by the zero page, and migrate_vma_insert_page() keeps nothing of its entry
    if (isThere(old)) {
      if (this.isZero(leafPfn(old))) this.each(ptep, (key) => this.drop(key, ALL & ~YOUNG));
      return;
    }
    const isTaken = isOfDevice(old);
    const loses = isDevicePrivate(old) && !(old & SWP_SOFT_DIRTY);
    if (isTaken && (loses || this.must.size + this.carried.size > 0)) {
      this.each(ptep, (key) => {
        for (const carried of this.carried.values()) carried.delete(key);
        this.drop(key, YOUNG);
        // it keeps its right to write, and takes no fault
        if (loses && !((this.must.get(key) ?? 0) & SOFT)) this.unseen.add(key);
      });
    }
    for (const { mm, change } of this.forgetting) {
      if (change !== 'forget' && !isDevicePrivate(old)) continue;
      const leaf = leavesOf(k, mm).find((one) => one.ptep === ptep);
      if (leaf) this.looks.change(LookKind.Data, mm.id, leaf.vpn, leaf.vpn + leaf.pages);
      for (const key of leaf ? keysOf(mm, leaf.vpn, leaf.pages) : []) {
        this.unseen.add(key);
        this.must.set(key, (this.must.get(key) ?? 0) & ~SOFT);
      }
    }
  }

  private isZero(pfn: number): boolean {
    return this.k.isZero(pfn) || this.k.isHugeZero(pfn);
  }

  private drop(key: number, bits: number): void {
    const said = this.must.get(key) ?? 0;
    if (said & bits) this.must.set(key, said & ~bits);
  }

  /** The pages that an entry maps. */
  private each(ptep: number, page: (key: number) => void): void {
    for (const mm of this.k.mms) {
      const leaf = leavesOf(this.k, mm).find((one) => one.ptep === ptep);
      if (!leaf) continue;
      this.looks.change(LookKind.Data, mm.id, leaf.vpn, leaf.vpn + leaf.pages);
      for (const key of keysOf(mm, leaf.vpn, leaf.pages)) page(key);
    }
  }

  /** Somebody writes to a page. */
  write(who: Writer, space: number, vpn: number, pending: readonly PendingChange[]): void {
    this.quiet.delete(keyOf(space, vpn));
    // what a device writes to is writable: whoever made it so has said all the same, but that it is dirty and young
    this.reach(space, vpn, who === 'a CPU' ? ALL : SOFT | EXCLUSIVE, pending);
    if (who !== 'a CPU') return;
    const vma = this.k.mms.find(({ id }) => id === space)?.lookupVma(vpn);
    const { file } = vma ?? {};
    if (vma && file && vma.flags & VM_SHARED && isShadowed(vma))
      this.fileWrite(file.number, vma.pgoff + (vpn - vma.start));
  }

  /** A page of a file is written. */
  fileWrite(number: number, index: number): void {
    this.files.set(`${number} ${index}`, [number, index]);
  }

  /** A CPU reads a page. */
  read(space: number, vpn: number, pending: readonly PendingChange[]): void {
    this.reach(space, vpn, YOUNG, pending);
  }

  private reach(space: number, vpn: number, says: number, pending: readonly PendingChange[]): void {
    let bits = says;
    for (const { change, mm, start, end, to } of pending) {
      if (mm.id !== space) continue;
      const moved = vpn >= to && vpn < to + (end - start) && change.startsWith('move');
      if (moved || (vpn >= start && vpn < end)) bits &= ~TAKES[change];
    }
    const key = keyOf(space, vpn);
    if (this.unseen.has(key)) bits &= ~SOFT;
    if (this.isOld(space, vpn)) bits &= ~YOUNG;
    if (bits !== 0) this.must.set(key, (this.must.get(key) ?? 0) | bits);
  }

  private isOld(space: number, vpn: number): boolean {
    if (this.oldAtFirst.has(keyOf(space, vpn))) return true;
    return this.aged.some(({ mm, start, end }) => mm.id === space && vpn >= start && vpn < end);
  }

  /** Somebody takes pages from outside: such a page clear_refs leaves as it is. */
  pins(): void {
    this.quiet.clear();
  }

  // ---- operations ----

  begin(pending: PendingChange): void {
    const { change, mm } = pending;
    const own = this.carriedBy(pending);
    this.take(pending);
    if (own) this.carried.set(pending, own);
    if (FORGETS.has(change)) this.forgetting.push(pending);
    if (AGES.has(change)) this.aged.push(pending);
    if (MAPS.has(change)) this.quiet.clear();
    if (change !== 'forget' || this.carried.size > 0) return;
    const isFirst = this.k.steps === this.stepsAtFirst;
    const pages = isFirst ? this.forgettableAtFirst.get(mm.id) : this.forgettable(mm);
    for (const key of pages ?? []) this.quiet.add(key);
  }

  /** Pages of which it can be forgotten that they were written. */
  private forgettable(mm: Mm): number[] {
    return leavesOf(this.k, mm).flatMap(({ vpn, pages, pte, huge }) => {
      const vma = mm.lookupVma(vpn);
      // clear_soft_dirty_pmd() knows present entries and those of a migration
      const isLeft = this.mayBePinned(pte) || (huge && isDevicePrivate(pte));
      const isKept = !isShadowed(vma) || isVmHugetlbPage(vma) || isLeft;
      return isKept ? [] : keysOf(mm, vpn, pages);
    });
  }

  /** Whether a page that an entry maps may be held by somebody from outside. */
  private mayBePinned(pte: number): boolean {
    const { pages } = this.k;
    if (!ptePresent(pte)) return false;
    const folio = pages.head[leafPfn(pte)];
    return pages.pinCount.has(folio) || pages.refcount[folio] >= PINNED;
  }

  /** @param child of a fork that succeeded */
  end(pending: PendingChange, child: Mm | null, done: boolean): void {
    const { change, mm, start, to } = pending;
    if (FORGETS.has(change)) this.forgetting = this.forgetting.filter((p) => p !== pending);
    const carried = this.carried.get(pending);
    this.carried.delete(pending);
    this.take(pending);
    const target = change === 'fork' ? child : mm;
    if (!carried || !done || !target) return;
    // a child's entry does not know that its page was written before it went to a device
    const onDevice = new Set(
      leavesOf(this.k, target).flatMap(({ vpn, pages, pte }) =>
        change === 'fork' && !isThere(pte) ? keysOf(target, vpn, pages) : [],
      ),
    );
    for (const [key, bits] of carried) {
      const vpn = key - mm.id * SPACE_PAGES;
      const at = change === 'fork' ? vpn : vpn - start + to;
      const isLeft = change === 'move' && mm.lookupVma(vpn) !== undefined;
      if (isLeft || onDevice.has(keyOf(target.id, at)) || !isShadowed(target.lookupVma(at)))
        continue;
      const said = this.unseen.has(key) ? bits & ~SOFT : bits;
      if (said !== 0) this.must.set(keyOf(target.id, at), said);
    }
  }

  /** What a page says comes along with it, if nobody else is at it meanwhile. */
  private carriedBy(pending: PendingChange): Map<number, number> | null {
    const { change, mm, start, end } = pending;
    const bits = CARRIED[change] ?? 0;
    if (bits === 0 || this.must.size === 0 || this.carried.size > 0) return null;
    const own = new Map<number, number>();
    for (const [key, said] of this.must) {
      const vpn = key - mm.id * SPACE_PAGES;
      const vma = vpn >= start && vpn < end ? mm.lookupVma(vpn) : undefined;
      if (vma && (said & bits) !== 0) own.set(key, said & bits & saidBy(vma));
    }
    return own;
  }

  /** What an operation takes away nobody needs to say any more. */
  private take(pending: PendingChange): void {
    const { change } = pending;
    const taken = TAKES[change];
    // two at the same time: nothing is known of what the one leaves to the other
    if (taken !== 0) for (const other of this.carried.values()) other.clear();
    if (taken === 0 || this.must.size === 0) return;
    for (const [key, bits] of this.must) {
      if (!isIn(pending, key)) continue;
      if ((bits & ~taken) === 0) this.must.delete(key);
      else this.must.set(key, bits & ~taken);
    }
  }

  /** What tells two ends apart. */
  get state(): Iterable<[number | string, number]> {
    const unseen = [...this.unseen].map((key): [number, number] => [key, -1]);
    const files = [...this.files.keys()].map((key): [string, number] => [key, 0]);
    return [...this.must, ...unseen, ...files];
  }

  // ---- what is said ----

  /** What must be said of some pages, before an observer looks: soft-dirty (1), or not (-1). */
  softDirty(mm: Mm, start: number, pages: number): number[] {
    this.looks.read(LookKind.Data, mm.id, start, start + pages);
    return Array.from({ length: pages }, (_, i) => this.asked(mm, start + i));
  }

  private asked(mm: Mm, vpn: number): number {
    const key = keyOf(mm.id, vpn);
    if (this.quiet.has(key)) return this.forgetting.length > 0 ? 0 : -1;
    const vma = mm.lookupVma(vpn);
    const says = isShadowed(vma) ? saidBy(vma) : 0;
    return (this.must.get(key) ?? 0) & says & SOFT;
  }

  /**
   * `pagemap` has answered.
   * @param before what had to be said when it was asked: it had to be said if it must be still
   */
  observed(mm: Mm, start: number, bits: readonly number[], before: readonly number[]): void {
    this.looks.read(LookKind.Data, mm.id, start, start + bits.length);
    bits.forEach((said, i) => {
      const must = this.asked(mm, start + i);
      const isSaid = (said & PM_SOFT_DIRTY) !== 0;
      if (must === 0 || must !== before[i] || isSaid === must > 0) return;
      const where = pageWords(this.k, mm.id, start + i);
      const what = isSaid
        ? 'pagemap says that a page was written that was forgotten'
        : 'pagemap does not say that a page was written';
      this.k.reportResult('bits', what, where);
    });
  }

  /** When every task has ended: what entries say. */
  checkAll(): void {
    const { k } = this;
    if (this.must.size === 0 && this.quiet.size === 0 && this.files.size === 0) return;
    for (const mm of k.mms) {
      for (const leaf of leavesOf(k, mm)) {
        for (let vpn = leaf.vpn; vpn < leaf.vpn + leaf.pages; vpn++) {
          const vma = mm.lookupVma(vpn);
          if (!isShadowed(vma)) continue;
          const must = (this.must.get(keyOf(mm.id, vpn)) ?? 0) & saidBy(vma);
          const page = leafPfn(leaf.pte) + (leaf.huge ? 0 : vpn - leaf.vpn);
          const isSaid = this.isZero(page) ? must & ~(DIRTY | EXCLUSIVE) : must;
          if (isSaid !== 0) this.check(mm, vpn, vma, leaf.pte, page, isSaid);
          if (this.quiet.has(keyOf(mm.id, vpn)) && isSoftDirty(vma, leaf.pte))
            this.say(mm, vpn, 'a page that was forgotten ends soft-dirty');
        }
      }
    }
    this.checkFiles();
  }

  private check(mm: Mm, vpn: number, vma: Vma, pte: number, page: number, must: number): void {
    const { pages } = this.k;
    const present = isThere(pte);
    const folio = pages.head[page];
    const isLost = (bit: number, isSaid: boolean): boolean => (must & bit) !== 0 && !isSaid;
    const written = 'a page that was written ends without being';
    if (isLost(SOFT, isSoftDirty(vma, pte))) this.say(mm, vpn, `${written} soft-dirty`);
    else if (isLost(DIRTY, (present && (pte & PTE_DIRTY) !== 0) || this.isDirty(folio)))
      this.say(mm, vpn, `${written} dirty`);
    else if (isLost(EXCLUSIVE, (pages.flags[page] & PG_ANON_EXCLUSIVE) !== 0))
      this.say(mm, vpn, `${written} exclusive`);
    else if (isLost(YOUNG, !present || pteYoung(pte)))
      this.say(mm, vpn, 'a page that a CPU has reached ends without being young');
  }

  private isDirty(folio: number): boolean {
    return (this.k.pages.flags[folio] & PG_DIRTY) !== 0;
  }

  /** A page of a file that was written is dirty, or an entry says so that leads to it. */
  private checkFiles(): void {
    const { k } = this;
    if (this.files.size === 0) return;
    const dirty = new Set<number>();
    for (const mm of k.mms) {
      for (const { pte } of leavesOf(k, mm)) {
        if (isThere(pte) && pte & PTE_DIRTY) dirty.add(k.pages.head[leafPfn(pte)]);
      }
    }
    for (const [number, index] of this.files.values()) {
      const file = k.mappings[number];
      const folio = file && 'folios' in file ? file.folios.get(index) : undefined;
      if (folio === undefined || dirty.has(folio) || this.isDirty(folio)) continue;
      const where = `page ${index} of file ${number}`;
      k.reportResult('bits', 'a page of a file that was written ends without being dirty', where);
    }
  }

  private say(mm: Mm, vpn: number, what: string): void {
    this.k.reportResult('bits', what, pageWords(this.k, mm.id, vpn));
  }
}

/** Anonymous pages that are not given up. */
const LASTING = PG_SWAPBACKED | PG_HUGETLB;

/** From so many references on a page may be pinned (GUP_PIN_COUNTING_BIAS). */
const PINNED = 1024;

function isIn({ change, mm, start, end, to }: PendingChange, key: number): boolean {
  const vpn = key - mm.id * SPACE_PAGES;
  if (vpn >= start && vpn < end) return true;
  return change.startsWith('move') && vpn >= to && vpn < to + (end - start);
}

function isSoftDirty(vma: Vma, pte: number): boolean {
  const bit = isThere(pte) ? PTE_SOFT_DIRTY : SWP_SOFT_DIRTY;
  return (pte & bit) !== 0 || (vma.flags & VM_SOFTDIRTY) !== 0;
}
