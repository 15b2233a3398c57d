/**
 * What must hold of the memory of a machine on which no task runs: every count can be recounted from
 * the page tables, every lock is free, nothing is half done.
 *
 * Each check looks at the state alone, so that it can fail whatever way led there.
 */
import type { Lock } from '../../machine/lock.ts';
import {
  fileMapping,
  mappingNumber,
  PG_ANON_EXCLUSIVE,
  PG_HUGETLB,
  PG_LOCKED,
  PG_LRU,
  PG_RESERVED,
  PG_RESTORE_RESERVE,
  ZONE_DEVICE,
  ZONE_RAM,
} from '../../machine/page.ts';
import {
  mkPte,
  PTE_DIRTY,
  PTE_FLAGS_MASK,
  PTE_PRESENT,
  PTE_SPECIAL,
  PTE_WRITE,
  ptePfn,
  ptePresent,
} from '../../machine/pte.ts';
import type { Task } from '../../machine/task.ts';
import type { Folio, Pfn, Pte, SpaceId, TableId, Vpn } from '../../machine/units.ts';
import { AnonVma } from '../anon-vma.ts';
import {
  folioIsDevicePrivate,
  folioIsLarge,
  folioTestAnon,
  pageAnonExclusive,
  pageFolio,
} from '../folio.ts';
import { reservedIn } from '../hugetlb.ts';
import type { Kernel } from '../kernel.ts';
import {
  isDeviceExclusive,
  isDevicePrivate,
  isDevicePrivateWrite,
  isMigration,
} from '../leafops.ts';
import type { Mm } from '../mm.ts';
import { GUP_PIN_COUNTING_BIAS } from '../rmap.ts';
import { AddressSpace } from '../shmem.ts';
import {
  isVmHugetlbPage,
  VM_MIXEDMAP,
  VM_SHARED,
  VM_WRITE,
  type Vma,
  vmaIsAccessible,
} from '../vma.ts';
import { type Leaf, leafPfn, leavesAndTables, placeOf } from './leaves.ts';
import { Holder } from './ledger.ts';

/** An invariant that does not hold. */
export interface Broken {
  /** Which one: `lock`, `reference`, `map count`, … */
  invariant: string;
  /** What is wrong, with the numbers. */
  title: string;
  /** Which object: a page's place, a folio, a table. */
  where: string;
  /** What else is known, which differs from one way to get there to another. */
  detail?: string;
}

/** What the kernel's own state cannot tell. */
export interface QuiescentOptions {
  /** Pages on which somebody holds a reference of his own, once for each reference. */
  pins?: Iterable<number>;
  /** Pages that somebody has pinned (FOLL_PIN), once for each pin. */
  pinned?: Iterable<number>;
  /** Every task there is. Default: the current one. */
  tasks?: readonly Task[];
  /** Locks beyond those of memory management. */
  locks?: Iterable<Lock>;
}

/** An entry and the area that it lies in. */
interface Mapped {
  readonly mm: Mm;
  readonly vma: Vma;
  readonly leaf: Leaf;
  readonly where: Where;
}

/** How often each page was found. */
interface Counts {
  readonly pte: Map<number, number>;
  /** By folio: huge entries. */
  readonly entire: Map<number, number>;
  /** By folio: entries of either kind. */
  readonly mappings: Map<number, number>;
  /** By folio: references of pins. */
  readonly pins: Map<number, number>;
  /** By folio: pins (FOLL_PIN). */
  readonly pinned: Map<number, number>;
  readonly batches: Map<number, number>;
  readonly cached: Map<number, number>;
}

function bump(map: Map<number, number>, key: number, by = 1): void {
  map.set(key, (map.get(key) ?? 0) + by);
}

/** A writable entry of either kind. */
function isWritable(pte: Pte): boolean {
  return ptePresent(pte) ? (pte & PTE_WRITE) !== 0 : isDevicePrivateWrite(pte);
}

/** Where something is, in words; made when it is needed. */
type Where = string | (() => string);

class Inspection {
  readonly broken: Broken[] = [];
  /** References that the ledger knows of folios in use. */
  private inLedger = 0;
  /** By address space: its page tables. */
  private readonly trees = new Map<Mm, ReturnType<typeof leavesAndTables>>();
  readonly mapped: Mapped[] = [];
  readonly counts: Counts = {
    pte: new Map(),
    entire: new Map(),
    mappings: new Map(),
    pins: new Map(),
    pinned: new Map(),
    batches: new Map(),
    cached: new Map(),
  };

  constructor(
    readonly k: Kernel,
    readonly options: QuiescentOptions,
  ) {}

  say(invariant: string, where: Where, title: string, detail = ''): void {
    const place = typeof where === 'string' ? where : where();
    this.broken.push({ invariant, title, where: place, ...(detail === '' ? {} : { detail }) });
  }

  tree(mm: Mm): ReturnType<typeof leavesAndTables> {
    let tree = this.trees.get(mm);
    if (!tree) {
      tree = leavesAndTables(this.k, mm);
      this.trees.set(mm, tree);
    }
    return tree;
  }

  /** Who holds a folio, as the ledger knows. */
  holders(folio: Folio): string {
    const who = this.k.ledger?.describe(folio) ?? '';
    return who === '' ? '' : `held by ${who}`;
  }

  /** Reports unless both numbers are equal. */
  equal(invariant: string, where: Where, what: string, is: number, counted: number): void {
    if (is !== counted) this.say(invariant, where, `${what} is ${is}, counted ${counted}`);
  }

  name(mm: Mm): string {
    return `address space ${mm.id}`;
  }

  // ---- locks ----

  locks(): void {
    const { k } = this;
    const check = (lock: Lock | undefined): void => {
      if (lock?.held) this.say('lock', lock.name, 'a lock is held');
    };
    k.tables.locks.forEach(check);
    for (const mm of k.mms) {
      check(mm.mmapLock);
      check(mm.pageTableLock);
      check(mm.subscriptions.lock);
    }
    for (const mapping of k.mappings) {
      check(mapping?.lock);
      if (mapping instanceof AddressSpace) mapping.faultMutexes.forEach(check);
    }
    for (const mm of k.mms) for (const vma of mm.vmas) check(vma.resv?.lock);
    for (const lock of this.options.locks ?? []) check(lock);
    for (const task of this.options.tasks ?? [k.current]) {
      const where = `task ${task.name}`;
      if (task.held.length > 0) this.say('lock', where, `holds ${task.held[0].name}`);
      this.equal('lock', where, 'its count of spinlocks', task.spinDepth, 0);
      this.equal('lock', where, 'its count of folio locks', task.folioLocks, 0);
    }
  }

  // ---- areas and notifiers ----

  areas(mm: Mm): void {
    let end = 0;
    for (const vma of mm.vmas) {
      const where = `${this.name(mm)}, ${placeOf(this.k, vma.start)}`;
      if (vma.mm !== mm) this.say('area', where, 'an area of another address space');
      if (vma.start < end || vma.end <= vma.start) {
        this.say('area', where, `areas overlap or are empty: ${vma.start} to ${vma.end}`);
      }
      end = vma.end;
      if (vma.file && !vma.file.vmas.includes(vma)) {
        this.say('area', where, 'an area is not in its file’s list');
      }
      const chains = vma.anonVmaChain;
      if ((vma.anonVma === null) !== (chains.length === 0)) {
        this.say(
          'anon_vma',
          where,
          `${chains.length} chains of an area with anon_vma ${vma.anonVma?.number}`,
        );
      }
      if (vma.anonVma && !chains.some((chain) => chain.anonVma === vma.anonVma)) {
        this.say('anon_vma', where, 'the area’s anon_vma is not among its chains');
      }
      for (const chain of chains) {
        if (!chain.anonVma.chains.includes(chain) || chain.vma !== vma) {
          this.say(
            'anon_vma',
            where,
            `a chain that anon_vma ${chain.anonVma.number} does not know`,
          );
        }
      }
    }
  }

  notifiers(mm: Mm): void {
    const subs = mm.subscriptions;
    if (!subs) return;
    const where = this.name(mm);
    this.equal(
      'notifier',
      where,
      'the count of invalidations under way',
      subs.activeInvalidateRanges,
      0,
    );
    if (subs.isInvalidating)
      this.say('notifier', where, `the sequence is odd: ${subs.invalidateSeq}`);
    this.equal('notifier', where, 'the deferred list’s length', subs.deferred.length, 0);
    for (const notifier of subs.tree) {
      if (!notifier.inTree || notifier.deferred || notifier.mm !== mm) {
        this.say('notifier', where, 'a subscription that is not as the tree has it');
      }
      if (notifier.invalidateSeq === subs.invalidateSeq) {
        this.say('notifier', where, 'a subscription waits for the end of an invalidation');
      }
    }
  }

  /** Files and anon_vmas: who is in their lists, and their counts. */
  mappings(): void {
    const { k } = this;
    const alive = k.mappings.filter((mapping) => mapping !== undefined);
    const areas = k.mms.flatMap((mm) => mm.vmas);
    const known = new Set(areas);
    for (const mapping of alive) {
      if (mapping instanceof AddressSpace) {
        const where = `file ${mapping.number}`;
        if (mapping.vmas.length === 0 && mapping.opened === 0) {
          this.say('file', where, 'a file that nobody maps');
        }
        for (const vma of mapping.vmas) {
          if (!known.has(vma)) this.say('file', where, 'a file lists an area that is gone');
        }
        for (const [index, folio] of mapping.folios) {
          bump(this.counts.cached, folio, 1 << k.pages.order[folio]);
          const is = k.pages.mapping[folio];
          if (
            is !== fileMapping(mapping.number) ||
            k.pages.index[folio] !== index ||
            k.pages.isFree(folio)
          ) {
            this.say('file', `${where}, page ${index}`, `folio ${folio} says that it is elsewhere`);
          }
        }
        continue;
      }
      const where = `anon_vma ${mapping.number}`;
      for (const { vma } of mapping.chains) {
        if (!known.has(vma)) this.say('anon_vma', where, 'a chain leads to an area that is gone');
      }
      const others = alive.filter((other): other is AnonVma => other instanceof AnonVma);
      const children = others.filter((o) => o.parent === mapping && o.chains.length > 0).length;
      const below = others.filter((o) => o.root === mapping && o !== mapping).length;
      const own = mapping.chains.length > 0 ? 1 : 0;
      this.equal('anon_vma', where, 'the count of children', mapping.numChildren, children);
      this.equal('anon_vma', where, 'the reference count', mapping.refcount, own + below);
      const active = areas.filter((vma) => vma.anonVma === mapping).length;
      this.equal('anon_vma', where, 'the count of areas', mapping.numActiveVmas, active);
    }
  }

  // ---- page tables ----

  tables(): void {
    const { k } = this;
    const seen = new Set<number>();
    const take = (table: TableId, where: string): void => {
      if (seen.has(table)) this.say('table', where, `table ${table} is used twice`);
      seen.add(table);
    };
    for (const mm of k.mms) {
      const where = this.name(mm);
      const { leaves, tables } = this.tree(mm);
      const { all, pteTables, pmdTables } = tables;
      for (const table of all) take(table, where);
      let deposited = 0;
      for (const table of pmdTables) {
        for (const kept of k.tables.deposits.get(table) ?? []) {
          take(kept, where);
          deposited++;
          if (!k.tables.isEmpty(kept))
            this.say('table', where, `deposited table ${kept} has entries`);
        }
        const huge = leaves.filter(
          (l) => l.huge && k.tables.tableOf(l.ptep) === table && !this.isHugetlb(l),
        );
        const kept = k.tables.deposits.get(table)?.length ?? 0;
        if (kept < huge.length) {
          this.say('table', where, `${kept} tables are deposited for ${huge.length} huge entries`);
        }
      }
      const counted = pteTables.length + deposited;
      this.equal('table', where, 'the count of lowest-level tables', mm.pteTables, counted);
    }
    this.equal(
      'table',
      'all address spaces',
      'the count of tables in use',
      k.tables.used,
      seen.size,
    );
  }

  /** Whether an entry maps a huge page of the pool: for those no table stands by. */
  isHugetlb({ pte }: Leaf): boolean {
    const { pages } = this.k;
    const page = leafPfn(pte);
    if (!ptePresent(pte) || pages.isFree(page)) return false;
    return (pages.flags[pageFolio(this.k, page)] & PG_HUGETLB) !== 0;
  }

  entries(mm: Mm): void {
    const { k } = this;
    const { pages } = k;
    let anon = 0;
    let hugetlb = 0;
    let file = 0;
    for (const leaf of this.tree(mm).leaves) {
      const { vpn, pte, huge } = leaf;
      const where = (): string => `${this.name(mm)}, ${placeOf(k, vpn)}`;
      const vma = mm.lookupVma(vpn);
      if (!vma || vpn + leaf.pages > vma.end) {
        this.say('entry', where, 'an entry outside of any area');
        continue;
      }
      const present = ptePresent(pte);
      if (!present && isMigration(pte)) {
        this.say('migration entry', where, `a migration entry of page ${leafPfn(pte)}`);
        continue;
      }
      if (!present && !isDevicePrivate(pte) && !isDeviceExclusive(pte)) {
        this.say('entry', where, `an entry of an unknown kind: ${pte.toString(16)}`);
        continue;
      }
      this.permission(vma, pte, where);
      const page = leafPfn(pte);
      if (pte & PTE_SPECIAL && present) {
        if (!(huge ? k.isHugeZero(page) : k.isZero(page))) {
          this.say('entry', where, `page ${page} is mapped as the zero page`);
        }
        if (isWritable(pte)) this.say('permission', where, 'the zero page is writable');
        continue;
      }
      if (pages.isFree(page)) {
        this.say('use after free', where, `page ${page} is mapped and free`);
        continue;
      }
      const folio = pageFolio(k, page);
      if (!present && isDevicePrivate(pte) !== folioIsDevicePrivate(k, page)) {
        this.say('entry', where, `page ${page} is not where its entry says (device or RAM)`);
      }
      if (present && !k.hasFrame(page)) {
        this.say('entry', where, `a present entry of device page ${page}`);
      }
      bump(this.counts.mappings, folio);
      const pooled = this.isHugetlb(leaf);
      if (pooled !== isVmHugetlbPage(vma)) {
        this.say(
          'entry',
          where,
          `page ${page} is ${pooled ? '' : 'not '}of the pool of huge pages`,
        );
      }
      if (huge) {
        bump(this.counts.entire, folio);
        if (page !== folio) this.say('entry', where, 'a huge entry of a page within a folio');
      } else bump(this.counts.pte, page);
      if (pooled) hugetlb += leaf.pages;
      else if (folioTestAnon(k, folio)) anon += leaf.pages;
      else file += leaf.pages;
      this.mapped.push({ mm, vma, leaf, where });
    }
    this.equal('rss', this.name(mm), 'the count of anonymous pages', mm.anonPages, anon);
    this.equal('rss', this.name(mm), 'the count of file pages', mm.filePages, file);
    this.equal('rss', this.name(mm), 'the count of hugetlb pages', mm.hugetlbPages, hugetlb);
  }

  permission(vma: Vma, pte: Pte, where: Where): void {
    if (isWritable(pte) && !(vma.flags & VM_WRITE)) {
      this.say('permission', where, 'a writable entry in an area that is not writable');
    }
    if (pte & PTE_PRESENT && !vmaIsAccessible(vma)) {
      this.say('permission', where, 'the hardware may read in an area without permissions');
    }
    if (!ptePresent(pte) && vma.flags & VM_SHARED) {
      this.say('entry', where, 'a device entry in a shared area');
    }
  }

  /** Each mapped page against the reverse map, and who may write. */
  reverse(): void {
    const { k } = this;
    const { pages } = k;
    for (const { mm, vma, leaf, where } of this.mapped) {
      const page = leafPfn(leaf.pte);
      const folio = pageFolio(k, page);
      const index = pages.index[folio] + (page - folio);
      const object = k.mappings[mappingNumber(pages.mapping[folio])];
      if (vma.flags & VM_MIXEDMAP && !folioTestAnon(k, folio)) {
        if (object) this.say('reverse map', where, `a driver’s page ${page} has a reverse map`);
        continue;
      }
      if (!folioTestAnon(k, folio)) {
        const at = vma.pgoff + (leaf.vpn - vma.start);
        if (object !== vma.file || index !== at || vma.file?.folios.get(at) !== page) {
          this.say('reverse map', where, `page ${page} is not the page of the file there`);
        }
        continue;
      }
      const found =
        object instanceof AnonVma &&
        object.chains.some(
          ({ vma: area }) =>
            area.mm === mm &&
            area.start <= leaf.vpn &&
            leaf.vpn < area.end &&
            area.anonPgoff + (leaf.vpn - area.start) === index,
        );
      if (!found)
        this.say('reverse map', where, `the reverse map of page ${page} does not lead here`);
      this.exclusive(leaf, page, folio, where);
    }
  }

  exclusive(leaf: Leaf, page: Pfn, folio: Folio, where: Where): void {
    const { k, counts } = this;
    const exclusive = (k.pages.flags[page] & PG_ANON_EXCLUSIVE) !== 0;
    if (!exclusive) {
      if (isWritable(leaf.pte)) {
        this.say('exclusive', where, `anonymous page ${page} is writable and not exclusive`);
      }
      if (!ptePresent(leaf.pte) && isDeviceExclusive(leaf.pte)) {
        this.say('exclusive', where, `page ${page} is a device’s alone and not exclusive`);
      }
      return;
    }
    let times = counts.entire.get(folio) ?? 0;
    if (leaf.huge) {
      for (let i = 0; i < leaf.pages; i++) times += counts.pte.get(page + i) ?? 0;
    } else times += counts.pte.get(page) ?? 0;
    if (times > 1)
      this.say('exclusive', where, `page ${page} is exclusive and mapped ${times} times`);
  }

  // ---- pages ----

  /** A pinned page: the zero page's are not counted, a large folio's by themselves. */
  pinned(page: Pfn): void {
    const { k, counts } = this;
    const { pages } = k;
    const where = `page ${page}`;
    if (pages.isFree(page)) {
      this.say('use after free', where, 'a pinned page is free');
      return;
    }
    const folio = pageFolio(k, page);
    if (k.isZero(folio)) return;
    bump(counts.pins, folio, folioIsLarge(k, folio) ? 1 : GUP_PIN_COUNTING_BIAS);
    if (folioIsLarge(k, folio)) bump(counts.pinned, folio);
    const exclusive = pageAnonExclusive(k, page) || pageAnonExclusive(k, folio);
    if (folioTestAnon(k, folio) && !exclusive) {
      this.say('exclusive', where, 'a pinned anonymous page is not exclusive');
    }
  }

  pages(): void {
    const { k, counts } = this;
    const { pages } = k;
    for (const page of this.options.pins ?? []) {
      if (pages.isFree(page)) this.say('use after free', `page ${page}`, 'a pinned page is free');
      else bump(counts.pins, pageFolio(k, page));
    }
    for (const page of this.options.pinned ?? []) this.pinned(page);
    for (const own of k.lru) {
      for (const folio of (Object.values(own) as number[][]).flat()) {
        if (pages.isFree(folio))
          this.say('use after free', `folio ${folio}`, 'in an LRU batch and free');
        bump(counts.batches, folio);
      }
    }
    for (let pfn = 0; pfn < pages.size; pfn++) {
      if (pages.isFree(pfn)) continue;
      const where = (): string => `${pages.zone[pfn] === ZONE_RAM ? 'page' : 'device page'} ${pfn}`;
      const folio = pageFolio(k, pfn);
      if (pages.flags[pfn] & PG_LOCKED) this.say('lock', where, 'a folio is locked');
      if (pages.lockOwner[pfn] !== 0) this.say('lock', where, 'a folio’s lock has an owner');
      if (pfn >= folio + (1 << pages.order[folio]) || pages.isFree(folio)) {
        this.say('folio', where, `not within its folio ${folio}`);
        continue;
      }
      this.equal(
        'map count',
        where,
        'its map count',
        pages.mapcount[pfn],
        counts.pte.get(pfn) ?? 0,
      );
      if (folio !== pfn) {
        this.equal('reference', where, 'a tail page’s reference count', pages.refcount[pfn], 0);
        continue;
      }
      this.folio(folio, where);
    }
  }

  folio(folio: Folio, where: Where): void {
    const { k, counts } = this;
    const { pages } = k;
    const mappings = counts.mappings.get(folio) ?? 0;
    if (pages.order[folio] > 0) {
      const entire = counts.entire.get(folio) ?? 0;
      this.equal(
        'map count',
        where,
        'its count of huge mappings',
        pages.entireMapcount[folio],
        entire,
      );
      this.equal(
        'map count',
        where,
        'its count of all mappings',
        pages.largeMapcount[folio],
        mappings,
      );
    }
    const pinCount = pages.pinCount.get(folio) ?? 0;
    this.equal('pin', where, 'its count of pins', pinCount, counts.pinned.get(folio) ?? 0);
    const pins = counts.pins.get(folio) ?? 0;
    const batches = counts.batches.get(folio) ?? 0;
    const cached = counts.cached.get(folio) ?? 0;
    const reserved = pages.flags[folio] & PG_RESERVED ? 1 : 0;
    const held = mappings + pins + batches + cached;
    const refs = pages.refcount[folio];
    if (k.ledger) this.ledger(folio, where, { mappings, pins, batches, cached });
    if (refs !== held + reserved) {
      const parts = `${mappings} mappings, ${cached} of the page cache, ${batches} of LRU batches, ${pins} pins`;
      this.say('reference', where, `${refs} references for ${parts}`, this.holders(folio));
    } else if (refs === 0) this.say('reference', where, 'in use, and nobody holds it');
    // huge pages of the pool are on lists of its own, a driver's own pages (without mapping) on none
    const unlisted = pages.flags[folio] & PG_HUGETLB || pages.mapping[folio] === 0;
    if (reserved || pages.flags[folio] & PG_HUGETLB || pages.zone[folio] >= ZONE_DEVICE) {
      if (batches > 0) this.say('LRU', where, 'in an LRU batch, and not for the LRU lists');
    } else if (!unlisted && !(pages.flags[folio] & PG_LRU) && !this.inAddBatch(folio)) {
      this.say('LRU', where, 'neither on the LRU lists nor on its way there');
    }
  }

  /** The pool of huge pages: where they are, and to whom they are promised. */
  pool(): void {
    const { k } = this;
    const { hugetlb, pages } = k;
    const where = 'the pool of huge pages';
    let used = 0;
    let promised = hugetlb.lost;
    for (let pfn = 0; pfn < pages.size; pfn++) {
      if (pages.isFree(pfn) || !(pages.flags[pfn] & PG_HUGETLB)) continue;
      used++;
      // its promise comes back when the last reference is gone
      if (pages.flags[pfn] & PG_RESTORE_RESERVE) promised--;
    }
    for (const mm of k.mms) for (const vma of mm.vmas) promised += reservedIn(k, vma);
    this.equal('pool', where, 'the count of free huge pages', hugetlb.free, hugetlb.total - used);
    this.equal('pool', where, 'the count of promised huge pages', hugetlb.reserved, promised);
    for (const folio of hugetlb.frames) {
      if (!pages.isFree(folio)) this.say('pool', where, `huge page ${folio} is free and in use`);
    }
  }

  inAddBatch(folio: Folio): boolean {
    return this.k.lru.some((own) => own.add.includes(folio));
  }

  ledger(
    folio: Folio,
    where: Where,
    counted: { mappings: number; pins: number; batches: number; cached: number },
  ): void {
    const expected: Record<string, number> = {
      [Holder.Mapping]: counted.mappings,
      [Holder.Pin]: counted.pins,
      [Holder.LruBatch]: counted.batches,
      [Holder.PageCache]: counted.cached,
    };
    const holders = this.k.ledger?.holders(folio) ?? {};
    for (const count of Object.values(holders)) this.inLedger += count;
    for (const name of new Set([...Object.keys(expected), ...Object.keys(holders)])) {
      const is = holders[name] ?? 0;
      const counted = expected[name] ?? 0;
      if (is === counted) continue;
      const title = `${name} holds ${is} references by the ledger, counted ${counted}`;
      this.say('reference', where, title, this.holders(folio));
    }
  }

  ledgerAsWhole(): void {
    const { ledger, pages } = this.k;
    if (!ledger) return;
    for (const error of ledger.errors) this.say('ledger', 'the reference ledger', error);
    if (ledger.outstanding === this.inLedger) return;
    for (const folio of ledger.folios()) {
      if (ledger.total(folio) > 0 && (pages.isFree(folio) || pageFolio(this.k, folio) !== folio)) {
        this.say('ledger', `folio ${folio}`, 'the ledger has holders of what is no folio');
      }
    }
  }

  // ---- TLBs ----

  /** The entry that maps a page, as a TLB would have it; 0 for none. */
  mappedAt(space: SpaceId, vpn: Vpn): Pte {
    const mm = this.k.mms.find(({ id }) => id === space);
    if (!mm) return 0;
    for (const leaf of this.tree(mm).leaves) {
      const offset = vpn - leaf.vpn;
      if (offset < 0 || offset >= leaf.pages) continue;
      return mkPte(ptePfn(leaf.pte) + offset, leaf.pte & PTE_FLAGS_MASK);
    }
    return 0;
  }

  translations(): void {
    const { k } = this;
    k.tlbs.forEach((tlb, cpu) => {
      for (const { space, vpn, pte } of tlb.cached()) {
        const where = (): string => `TLB of CPU ${cpu}, address space ${space}, ${placeOf(k, vpn)}`;
        const entry = this.mappedAt(space, vpn);
        if (!(entry & PTE_PRESENT)) {
          this.say('TLB', where, `page ${ptePfn(pte)} is cached, and not mapped any more`);
        } else if (ptePfn(entry) !== ptePfn(pte)) {
          this.say('TLB', where, `page ${ptePfn(pte)} is cached, page ${ptePfn(entry)} is mapped`);
        } else if (pte & ~entry & (PTE_WRITE | PTE_DIRTY)) {
          const what = pte & ~entry & PTE_WRITE ? 'writable' : 'dirty';
          this.say('TLB', where, `the cached entry is ${what}, the page table’s is not`);
        }
      }
    });
  }
}

/**
 * Checks a machine on which no task runs.
 * @returns what does not hold; empty when all is well
 */
export function checkQuiescent(k: Kernel, options: QuiescentOptions = {}): Broken[] {
  const inspection = new Inspection(k, options);
  inspection.locks();
  for (const mm of k.mms) {
    inspection.areas(mm);
    inspection.notifiers(mm);
    inspection.entries(mm);
  }
  inspection.mappings();
  inspection.tables();
  inspection.reverse();
  inspection.pages();
  inspection.pool();
  inspection.ledgerAsWhole();
  inspection.translations();
  return inspection.broken;
}

/**
 * What must be gone when every process has ended: address spaces, files, tables, and every folio but
 * the zero pages and what waits in an LRU batch or is pinned.
 */
export function checkEmpty(k: Kernel, options: QuiescentOptions = {}): Broken[] {
  const broken: Broken[] = [];
  const say = (where: string, title: string): void => {
    broken.push({ invariant: 'leak', title, where });
  };
  if (k.mms.length > 0) say('the machine', `${k.mms.length} address spaces are left`);
  if (k.tables.used > 0) say('the machine', `${k.tables.used} tables are left`);
  k.mappings.forEach((mapping, number) => {
    if (mapping) say(`mapping ${number}`, 'a file or an anon_vma is left');
  });
  const waiting = new Set<number>(
    k.lru.flatMap((own) => (Object.values(own) as number[][]).flat()),
  );
  for (const page of options.pins ?? []) waiting.add(pageFolio(k, page));
  for (let pfn = 0; pfn < k.pages.size; pfn++) {
    if (k.pages.isFree(pfn) || k.pages.flags[pageFolio(k, pfn)] & PG_RESERVED) continue;
    if (!waiting.has(pageFolio(k, pfn))) say(`page ${pfn}`, 'a page is still in use');
  }
  return broken;
}
