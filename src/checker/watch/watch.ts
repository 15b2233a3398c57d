/**
 * What must hold while tasks run: looked at as it happens, on every schedule.
 *
 * - locks: their order, and that none is taken twice (lock-order.ts)
 * - data: a read returns what may be there (data.ts)
 * - translations: no TLB and no device keeps a page that is freed or moved, or that a fork shares
 * - devices: none maps what is being invalidated; what one has for itself no CPU reaches
 * - nothing that was freed is used (poison.ts)
 * - map counts are read by who may (reads.ts)
 */

import { DeviceTable, DPT_ATOMIC, pfnOf, tagOf } from '../../drivers/index.ts';
import {
  type Lock,
  MAPPING_ANON,
  type Monitor,
  ObjectKind,
  type PageField,
  PG_ANON_EXCLUSIVE,
  PTE_FLAGS_MASK,
  PTE_WRITE,
  ptePfn,
  ptePresent,
  Role,
  type Taking,
} from '../../machine/index.ts';
import { folioIsZoneDevice, type Kernel } from '../../mm/index.ts';
import {
  hugeStart,
  isDevicePrivate,
  isDevicePrivateWrite,
  isMigration,
  leafPfn,
  pmdIsHuge,
  pmdpOf,
  pmdTransHuge,
  pteOffsetMap,
  ptlOf,
} from '../../mm/internal.ts';

import { type Footprint, LookKind } from '../footprint.ts';
import type { Coverage } from './coverage.ts';
import { DataOracle } from './data.ts';
import { LockOrder, NOTIFYING } from './lock-order.ts';
import { Looks } from './looks.ts';
import { wordOf } from './memory-place.ts';
import { deviceWords, pageWords } from './names.ts';
import { Poison } from './poison.ts';
import { Reads } from './reads.ts';

/** An invalidation under way. */
interface Invalidation {
  readonly space: number;
  readonly start: number;
  readonly end: number;
  readonly range: object;
  readonly owner: object | null;
}

/** folio_test_anon(), for who only looks on. */
function isAnon(k: Kernel, folio: number): boolean {
  return (k.pages.mapping[folio] & MAPPING_ANON) !== 0;
}

/** What a scenario may ask to be looked at beside what holds for all. */
export const RULES = {
  /**
   * A device page is copied to another page once in its life. Once more is right only where the first migration was
   * taken back: entries lead to the page again.
   */
  'copied out once': true,
} as const;
export type Rule = keyof typeof RULES;

/** What the notifiers call an invalidation, among locks. */
const INVALIDATION = 'invalidation';

/**
 * Listens to a machine while its tasks run, and reports what must not be: data, translations,
 * locks.
 */
export class Watch implements Monitor {
  readonly locks: LockOrder;
  readonly data: DataOracle | null;
  private readonly poison: Poison;
  private readonly reads: Reads;
  /** What is looked at here, for whoever searches. */
  readonly looks = new Looks();
  /** Who notes which operation met what; null: nobody. */
  coverage: Coverage | null = null;
  private active: Invalidation[] = [];
  /** A table that nobody could find when a task had taken so many steps. */
  private privateTable = -1;
  private privateSince = -1;
  /** Device pages in use that were copied to another page; null: nobody asks. */
  private readonly copied: Set<number> | null;
  /** Entries that the step under way writes, each followed by what it was. */
  private readonly written: number[] = [];
  /** Devices' views that are listened to. */
  private views = -1;
  /** Whether a device's table does not tell of its changes. */
  private silent = false;

  /**
   * @param k a machine on which no task runs yet
   * @param data whether every operation that takes memory away or copies it is told to `data`
   * @param rules what is looked at beside what holds for all
   */
  constructor(
    private readonly k: Kernel,
    data: boolean,
    rules: readonly Rule[] = [],
  ) {
    this.copied = rules.includes('copied out once') ? new Set() : null;
    this.locks = new LockOrder(k);
    this.poison = new Poison(k);
    this.reads = new Reads(k, this.looks);
    this.data = data ? new DataOracle(k, this.looks) : null;
  }

  /** Before each schedule. */
  reset(): void {
    this.locks.reset();
    this.data?.reset();
    this.copied?.clear();
    if (this.active.length > 0) this.active = [];
    this.privateTable = -1;
  }

  /** Begins to look. */
  attach(): void {
    this.k.monitor = this;
    // itself, not a function around it: stacks end at a hook
    this.k.tables.onRelease = this.onTableFree.bind(this);
    this.written.length = 0;
    if (this.looks.footprint !== null) this.listen();
  }

  // ---- what a search has to know ----

  /** Notes from here on what is looked at. */
  note(footprint: Footprint): void {
    this.looks.footprint = footprint;
    this.listen();
  }

  /** Listens to what does not call a monitor. */
  private listen(): void {
    const { k, looks } = this;
    for (const tlb of k.tlbs)
      tlb.onChange ??= (pte) => looks.change(LookKind.CpuFrames, 0, ptePfn(pte));
    this.views = k.deviceViews.length;
    this.silent = false;
    for (const { mm, table } of k.deviceViews) {
      if (!(table instanceof DeviceTable)) this.silent = true;
      else {
        table.onChange ??= (vpn, from, to) => {
          looks.change(LookKind.DeviceMaps, mm.id, vpn);
          if (tagOf(from) === DPT_ATOMIC || tagOf(to) === DPT_ATOMIC) {
            looks.change(LookKind.Exclusive, mm.id, vpn);
          }
          if (from !== 0) looks.change(LookKind.DeviceFrames, 0, pfnOf(from));
          if (to !== 0) looks.change(LookKind.DeviceFrames, 0, pfnOf(to));
        };
      }
    }
  }

  /** A step was taken, for a search that wants to know what it had to do with. */
  taken(): void {
    const { k, looks, written } = this;
    for (let i = 0; i < written.length; i += 2) {
      const [ptep, from] = [written[i], written[i + 1]];
      const to = k.tables.entries[ptep];
      if (leadsTo(from) !== leadsTo(to)) looks.at(LookKind.Leads, ptep, Role.Write);
      if (letsWrite(from) !== letsWrite(to)) looks.at(LookKind.LeadsToWrite, ptep, Role.Write);
      if (this.copied === null) continue;
      if (from !== 0) looks.change(LookKind.Copied, 0, leafPfn(from));
      if (to !== 0) looks.change(LookKind.Copied, 0, leafPfn(to));
    }
    written.length = 0;
    if (this.views !== k.deviceViews.length) this.listen();
    // a table of a driver's own: what its steps name is all that is known
    if (this.silent && looks.footprint?.entersDevice) {
      for (const { mm } of k.deviceViews) {
        looks.changeAll(LookKind.DeviceMaps, mm.id);
        looks.changeAll(LookKind.Exclusive, mm.id);
      }
      looks.changeAll(LookKind.DeviceFrames, 0);
    }
  }

  // ---- locks ----

  onLock(lock: Lock, taking: Taking): void {
    this.locks.lock(lock, taking);
  }

  onUnlock(lock: Lock): void {
    this.locks.unlock(lock);
  }

  onFolioLock(folio: number, taking: Taking): void {
    this.locks.lockFolio(folio, taking);
    this.looks.read(LookKind.Free, 0, folio);
    if (this.k.pages.isFree(folio)) this.k.report('use after free', 'a free folio is locked');
  }

  onFolioUnlock(folio: number): void {
    this.locks.unlockFolio(folio);
  }

  onWait(what: 'invalidation'): void {
    this.locks.wait(what);
  }

  onAlloc(): void {
    this.locks.alloc();
  }

  onNotify(): void {
    this.locks.beginAfterWait(NOTIFYING);
  }

  onNotified(): void {
    this.locks.end(NOTIFYING);
  }

  onFolioWait(folio: number): void {
    this.locks.waitFolio(folio);
  }

  // ---- tables ----

  onTableFree(table: number): void {
    this.locks.tableGone(table);
    this.looks.at(LookKind.TableFree, table, Role.Write);
  }

  onFollow(ptep: number): void {
    this.looks.at(LookKind.TableFree, this.k.tables.tableOf(ptep), Role.Read);
    this.poison.entry(ptep);
  }

  onPage(pfn: number, field: PageField): void {
    this.looks.read(LookKind.Free, 0, pfn);
    this.poison.page(pfn, field);
    this.reads.mapcountRead(pfn, field);
  }

  onGone(object: object, what: string, keeps: readonly string[] = []): void {
    this.poison.object(object, what, keeps);
  }

  onRead(ptep: number): void {
    this.looks.at(LookKind.TableFree, this.k.tables.tableOf(ptep), Role.Read);
    this.poison.entry(ptep);
    if (this.coverage !== null) this.coverage.entry(ptep);
  }

  onEntry(ptep: number): void {
    if (this.coverage !== null) this.coverage.entry(ptep);
    this.data?.shadows.entry(ptep);
    const { tables } = this.k;
    if (this.looks.footprint !== null) {
      this.written.push(ptep, tables.entries[ptep]);
      this.looks.at(LookKind.TableFree, tables.tableOf(ptep), Role.Read);
    }
    if (tables.isFree(tables.tableOf(ptep))) {
      this.k.report('use after free', 'an entry of a free page table is written');
    }
    this.checkNamed(ptep);
  }

  /**
   * The step that the task has just taken must name an entry that it writes. A table that no other table
   * points to nobody can find, and so nobody races for.
   */
  private checkNamed(ptep: number): void {
    const { k } = this;
    if (!k.stepping) return;
    const { pending } = k.current;
    if (pending.names(ObjectKind.Entry, ptep, Role.Write)) return;
    if (pending.names(ObjectKind.Entry, ptep, Role.Commute)) return;
    const table = k.tables.tableOf(ptep);
    if (this.privateTable === table && this.privateSince === k.steps) return;
    if (k.tables.isPointedTo(table)) {
      k.report('unnamed step', 'writes a page-table entry without a step that names it');
      return;
    }
    this.privateTable = table;
    this.privateSince = k.steps;
  }

  /** The same for an entry of a device's page table, of which whoever enters it tells. */
  private checkEntered(): void {
    const { k } = this;
    if (!k.stepping || k.current.pending.touches(ObjectKind.DeviceEntry, Role.Write)) return;
    k.report('unnamed step', "enters a page into a device's table without a step that names it");
  }

  /** And for the bytes that a CPU or a device loads or stores. */
  private checkReached(who: string, pfn: number, write: boolean): void {
    const { k } = this;
    if (!k.stepping) return;
    const role = write ? Role.Write : Role.Read;
    const { pending } = k.current;
    if (pending.names(ObjectKind.Frame, pfn, role) || pending.touches(ObjectKind.DeviceFrame, role))
      return;
    const does = write ? 'stores to' : 'loads from';
    k.report('unnamed step', `${who} ${does} a page without a step that names it`);
  }

  // ---- accesses ----

  /**
   * Whether one process alone maps an anonymous page; of a huge mapping the first page says so, also
   * when it was just taken away and TLBs still have it.
   */
  private isOwn(pfn: number): boolean {
    const { pages } = this.k;
    const folio = pages.head[pfn];
    this.looks.at(LookKind.Own, pfn, Role.Read);
    if (folio !== pfn) this.looks.at(LookKind.Own, folio, Role.Read);
    const huge =
      pages.order[folio] > 0 && (pages.entireMapcount[folio] > 0 || pages.mapcount[pfn] === 0);
    return (pages.flags[huge ? folio : pfn] & PG_ANON_EXCLUSIVE) !== 0;
  }

  /** Whether an anonymous page may be written to by the process that maps it. */
  private checkOwn(who: string, space: number, vpn: number, pfn: number): void {
    const { k } = this;
    if (!isAnon(k, k.pages.head[pfn]) || this.isOwn(pfn)) return;
    // a fork shares pages before the TLBs are flushed
    const lock = k.mms.find(({ id }) => id === space)?.mmapLock;
    if (lock) this.looks.at(ObjectKind.Lock, lock.id, Role.TryAcquire);
    if (lock?.owner) return;
    const detail = `${pageWords(k, space, vpn)}, PFN ${pfn}`;
    k.report('exclusive', `${who} writes to a page that the process may share`, detail);
  }

  onCpuAccess(space: number, vpn: number, pfn: number, word: number, write: boolean): void {
    const { k } = this;
    this.looks.read(LookKind.Free, 0, pfn);
    if (k.deviceViews.length > 0) this.looks.read(LookKind.Exclusive, space, vpn);
    if (k.pages.isFree(pfn)) {
      const detail = `${pageWords(k, space, vpn)}, PFN ${pfn}`;
      k.report('use after free', `a CPU ${write ? 'writes to' : 'reads'} a free page`, detail);
      return;
    }
    this.checkReached('a CPU', pfn, write);
    for (const view of k.deviceViews) {
      if (view.mm.id === space && view.table.hasExclusive(vpn)) {
        const detail = `${deviceWords(k, view.device)} has ${pageWords(k, space, vpn)}, PFN ${pfn}`;
        k.report('exclusive', 'a CPU reaches a page that a device has for itself', detail);
      }
    }
    if (write) this.checkOwn('a CPU', space, vpn, pfn);
    this.data?.access('a CPU', space, vpn, word, write);
  }

  onFill(space: number, vpn: number, word: number): void {
    this.data?.fill(space, vpn, word);
  }

  onFileAccess(file: number, index: number, word: number, write: boolean): void {
    this.data?.fileAccess(file, index, word, write);
  }

  onDeviceAccess(
    space: number,
    vpn: number,
    pfn: number,
    bytes: Uint8Array,
    write: boolean,
    device: object,
  ): void {
    const { k } = this;
    this.looks.read(LookKind.Free, 0, pfn);
    if (k.pages.isFree(pfn)) {
      const detail = `${deviceWords(k, device)}: ${pageWords(k, space, vpn)}, PFN ${pfn}`;
      k.report('use after free', `a device ${write ? 'writes to' : 'reads'} a free page`, detail);
      return;
    }
    this.checkReached('a device', pfn, write);
    if (write) {
      // what its own migration has just unmapped the device may write to until it is copied
      const folio = k.pages.head[pfn];
      this.looks.at(ObjectKind.FolioLock, folio, Role.TryAcquire);
      if (!k.folioLocked(folio)) this.checkOwn('a device', space, vpn, pfn);
    }
    this.data?.access('a device', space, vpn, wordOf(bytes), write, k.hasFrame(pfn));
  }

  // ---- pages ----

  onExclusive(pfn: number): void {
    this.looks.at(LookKind.Own, pfn, Role.Write);
  }

  onMove(pfn: number): void {
    this.untranslated(pfn, 1, true, 'moved', 'can write to');
    if (this.copied !== null) {
      this.looks.read(LookKind.Copied, 0, pfn);
      this.looks.change(LookKind.Copied, 0, pfn);
    }
    if (this.copied === null || !folioIsZoneDevice(this.k, this.k.pages.head[pfn])) return;
    if (this.copied.has(pfn) && !this.leadsTo(pfn)) {
      this.k.report('copied out once', 'a device page is copied once more that has been moved');
    }
    this.copied.add(pfn);
  }

  /** Whether an entry of a page table leads to a device page, if only to where it migrates from. */
  private leadsTo(pfn: number): boolean {
    return this.k.tables.entries.some(
      (entry) =>
        (isMigration(entry) || isDevicePrivate(entry) || ptePresent(entry)) &&
        leafPfn(entry) === pfn,
    );
  }

  onFreeAsked(pfn: number): void {
    this.looks.read(LookKind.Free, 0, pfn);
  }

  onUse(pfn: number, pages: number): void {
    this.looks.change(LookKind.Free, 0, pfn, pfn + pages);
  }

  onFree(pfn: number, pages: number): void {
    for (let i = 0; this.copied !== null && i < pages; i++) this.copied.delete(pfn + i);
    if (this.copied !== null) this.looks.change(LookKind.Copied, 0, pfn, pfn + pages);
    this.looks.change(LookKind.Free, 0, pfn, pfn + pages);
    this.locks.foliosGone(pfn, pages);
    this.untranslated(pfn, pages, false, 'freed', 'reaches');
  }

  private untranslated(
    pfn: number,
    pages: number,
    writable: boolean,
    fate: string,
    can: string,
  ): void {
    const { k } = this;
    this.looks.read(LookKind.CpuFrames, 0, pfn, pfn + pages);
    if (k.deviceViews.length > 0) this.looks.read(LookKind.DeviceFrames, 0, pfn, pfn + pages);
    k.tlbs.forEach((tlb, cpu) => {
      if (tlb.translationTo(pfn, pages, writable) < 0) return;
      const detail = `CPU ${cpu} has a translation to PFN ${pfn}`;
      k.report('TLB', `a page is ${fate} that a CPU still ${can}`, detail);
    });
    for (const view of k.deviceViews) {
      const vpn = view.table.pageOf(pfn, pages, writable);
      if (vpn < 0 || (writable && view.keepsCopied?.(vpn))) continue;
      const detail = `${deviceWords(k, view.device)} maps ${pageWords(k, view.mm.id, vpn)} to PFN ${pfn}`;
      k.report('device page table', `a page is ${fate} that a device still ${can}`, detail);
    }
  }

  onFork(parent: number): void {
    const { k } = this;
    for (const [cpu, tlb] of k.tlbs.entries()) {
      for (const { space, vpn, pte } of tlb.cached()) {
        if (space !== parent || !(pte & PTE_WRITE)) continue;
        const pfn = ptePfn(pte);
        this.looks.read(LookKind.CpuFrames, 0, pfn);
        if (k.pages.isFree(pfn) || !isAnon(k, k.pages.head[pfn])) continue;
        if (!this.isOwn(pfn)) {
          const detail = `CPU ${cpu} has a translation of ${pageWords(k, space, vpn)} to PFN ${pfn}`;
          k.report('TLB', 'a CPU can write to a page that a fork shares', detail);
        }
      }
    }
  }

  // ---- invalidations ----

  onInvalidate(
    space: number,
    start: number,
    end: number,
    range: object,
    owner: object | null,
  ): void {
    const { k } = this;
    this.locks.begin(INVALIDATION);
    this.active.push({ space, start, end, range, owner });
    this.looks.change(LookKind.Invalidated, space, start, end);
    for (const view of k.deviceViews) {
      if (view.mm.id !== space || view.device === owner) continue;
      this.looks.read(LookKind.DeviceMaps, space, start, end);
      const kept = view.table.firstIn(start, end - 1);
      if (kept < 0) continue;
      const { device, table } = view;
      const pfn = table instanceof DeviceTable ? `, PFN ${pfnOf(table.load(kept))}` : '';
      const detail = `${deviceWords(k, device)} maps ${pageWords(k, space, kept)}${pfn}`;
      k.report('device page table', 'a device keeps a page that was invalidated', detail);
    }
  }

  onInvalidateEnd(range: object): void {
    this.locks.end(INVALIDATION);
    const over = this.active.find((a) => a.range === range);
    if (!over) return;
    this.looks.change(LookKind.Invalidated, over.space, over.start, over.end);
    this.active = this.active.filter((a) => a !== over);
  }

  onDeviceMap(space: number, vpn: number, pfn: number, write: boolean, device: object): void {
    this.checkEntered();
    const maps = (): string =>
      `${deviceWords(this.k, device)} maps ${pageWords(this.k, space, vpn)} to PFN ${pfn}`;
    this.checkMapped(space, vpn, pfn, write, maps);
    this.looks.read(LookKind.Invalidated, space, vpn);
    for (const a of this.active) {
      if (a.space !== space || vpn < a.start || vpn >= a.end || a.owner === device) continue;
      this.k.report('device page table', 'a device maps a page that is being invalidated', maps());
    }
  }
  /** What a device maps is what the process maps there, and no more than the process may do. */
  private checkMapped(
    space: number,
    vpn: number,
    pfn: number,
    write: boolean,
    maps: () => string,
  ): void {
    const { k, looks } = this;
    const mm = k.mms.find(({ id }) => id === space);
    const pmdp = mm ? pmdpOf(k, mm, vpn) : -1;
    const pmd = pmdp < 0 ? 0 : k.tables.entries[pmdp];
    const huge = pmdIsHuge(pmd);
    const ptep = huge ? pmdp : pmd === 0 ? -1 : pteOffsetMap(k, pmdp, vpn);
    const pte = ptep < 0 ? 0 : k.tables.entries[ptep];
    if (pmdp >= 0) looks.at(LookKind.Leads, pmdp, Role.Read);
    if (ptep >= 0) looks.at(LookKind.Leads, ptep, Role.Read);
    if (ptep >= 0 && write) looks.at(LookKind.LeadsToWrite, ptep, Role.Read);
    const present = ptePresent(pte) || (huge && pmdTransHuge(pte));
    // on its way: its migration says what becomes of it
    if (pte !== 0 && !present && isMigration(pte)) return;
    const at = (pte === 0 ? -1 : leafPfn(pte)) + (huge ? vpn - hugeStart(k, vpn) : 0);
    let wrong = '';
    if (pte === 0) wrong = 'a device maps a page where the process has none';
    else if (at !== pfn) {
      // 7.3.4 reports other pages of a device's huge page than were asked for
      const same =
        huge && !present && !k.pages.isFree(pfn) && k.pages.head[pfn] === k.pages.head[at];
      if (!same) wrong = 'a device maps another page than the process';
    } else if (
      write &&
      (present ? !(pte & PTE_WRITE) : isDevicePrivate(pte) && !isDevicePrivateWrite(pte))
    ) {
      wrong = 'a device maps a page for writing that the process may only read';
    }
    if (wrong === '') return;
    // somebody is changing it: an own migration, of which the notifier does not tell
    if (ptep >= 0) {
      const { id, owner } = ptlOf(k, ptep);
      looks.at(ObjectKind.Lock, id, Role.TryAcquire);
      if (owner !== null && owner !== k.current) return;
    }
    // a hole that is being populated: its migration maps the page before it unlocks it
    if (at >= 0) {
      const folio = k.pages.head[at];
      looks.at(ObjectKind.FolioLock, folio, Role.TryAcquire);
      if (k.folioLocked(folio)) return;
    }
    k.report('device page table', wrong, maps());
  }
}

/** What a device that maps an entry's page goes by: the entry without the bits that come and go. */
function leadsTo(pte: number): number {
  return ptePresent(pte) ? pte & ~PTE_FLAGS_MASK : pte;
}

/** Whether a device may map an entry's page for writing. */
function letsWrite(pte: number): boolean {
  return ptePresent(pte) ? (pte & PTE_WRITE) !== 0 : isDevicePrivateWrite(pte);
}
