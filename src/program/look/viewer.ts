/** Makes the items of a state from the system that is in it. */
import {
  type DeviceTable,
  DPT_ATOMIC,
  DPT_WRITE,
  pfnOf,
  tagOf,
} from '../../drivers/device-table.ts';
import type { Lock } from '../../machine/lock.ts';
import { OWN_LOCKS } from '../../machine/objects.ts';
import { MAPPING_ANON, PG_LOCKED, ZONE_DEVICE, ZONE_NONE } from '../../machine/page.ts';
import { PTE_WRITE, ptePfn } from '../../machine/pte.ts';
import type { Task } from '../../machine/task.ts';
import type { Kernel } from '../../mm/kernel.ts';
import { areaWords, leafBits, leafKind, PAGE_FLAGS } from '../../mm/look/flag-words.ts';
import { leafPfn, placeOf } from '../../mm/look/leaves.ts';
import { pagePgmap } from '../../mm/memremap.ts';
import type { Mm } from '../../mm/mm.ts';
import { pmdIsHuge, pmdIsTable, pmdpOf, pteOffsetMap } from '../../mm/pgtable.ts';
import { VM_HUGETLB, VM_MIXEDMAP, type Vma } from '../../mm/vma.ts';
import {
  type AreaItem,
  type DeviceEntryItem,
  type EntryItem,
  type FrameItem,
  type Item,
  LEVELS,
  type LockItem,
  type NotifierItem,
  type SpaceItem,
  type StateView,
  type TableItem,
  type TlbItem,
} from './items.ts';

/** The flags of an area in words; what is behind it is told apart. */
function areaFlags({ flags }: Vma): string {
  return areaWords(flags & ~(VM_HUGETLB | VM_MIXEDMAP), 'private').join(', ');
}

/** What is behind an area. */
function backingOf({ flags, file }: Vma): AreaItem['backing'] {
  if (flags & VM_HUGETLB) return 'hugetlb';
  if (flags & VM_MIXEDMAP) return 'driver';
  return file ? 'file' : 'anonymous';
}

/** A device as an address space has it open. */
export interface SeenDevice {
  readonly device: { readonly id: number; readonly used: number };
  readonly mm: Mm;
  readonly notifier: {
    readonly id: number;
    readonly invalidateSeq: number;
    readonly givenBack?: boolean;
  };
  readonly pt: DeviceTable;
  /** Guards the page table; its number names the table in steps. Undefined: nobody knows it. */
  readonly mutex: Lock | undefined;
  readonly failAlloc: boolean;
}

/** What of a system a view shows. */
export interface SeenSystem {
  readonly kernel: Kernel;
  readonly processes: readonly ({ readonly mm: Mm } | undefined)[];
  readonly mirrors: readonly SeenDevice[];
}

/** What a process is called after a place in it: process 0, as most are, needs no word. */
function ofProcess(system: SeenSystem, mm: Mm): string {
  const proc = system.processes.findIndex((process) => process?.mm === mm);
  return proc > 0 ? ` of process ${proc}` : '';
}

/** The first page that the first entry of a table can be about and that an area has. */
function firstPage(mm: Mm, start: number, cover: number): number {
  const area = mm.vmas.find((vma) => vma.start < start + cover && vma.end > start);
  return Math.max(start, area?.start ?? start);
}

/** What the lock of a page table is called; null: no address space leads to the table. */
function tableLockWords(wanted: number, system: SeenSystem): string | null {
  const { tables, geometry, mms } = system.kernel;
  const { pgdPages, pudPages, ptrsPerPte, ptrsPerTable } = geometry;
  const covers = [1, ptrsPerPte, pudPages, pgdPages];
  const search = (mm: Mm, table: number, level: number, start: number): string | null => {
    if (table === wanted) {
      const page = firstPage(mm, start, covers[level]);
      const above = level === 0 ? '' : `${LEVELS[level].toLowerCase()} `;
      const place = `${placeOf(system.kernel, page)}${ofProcess(system, mm)}`;
      return `the ${above}page table lock of ${place}`;
    }
    const first = table << tables.strideShift;
    for (let i = 0; level > 0 && i < ptrsPerTable; i++) {
      const value = tables.entries[first + i];
      if (value === 0 || (level === 1 && !pmdIsTable(value))) continue;
      const found = search(mm, ptePfn(value), level - 1, start + i * covers[level]);
      if (found !== null) return found;
    }
    return null;
  };
  for (const mm of mms) {
    const found = search(mm, mm.pgd, 3, 0);
    if (found !== null) return found;
  }
  return null;
}

/**
 * What a lock is called in a sentence: that of an address space by the process that has it, that of a page table by
 * the first page that it is about, so that it has another name where the table is used for something else.
 */
export function lockWords({ id, name }: Pick<Lock, 'id' | 'name'>, system: SeenSystem): string {
  if (id < OWN_LOCKS) {
    return tableLockWords(id, system) ?? 'the lock of a page table that no other leads to';
  }
  const named = name.replace(/\baddress space (\d+)/, (text, id) => {
    const proc = system.processes.findIndex((process) => process?.mm.id === Number(id));
    return proc < 0 ? text : `process ${proc}`;
  });
  return /_lock|rwsem/.test(name) ? `the ${named}` : `the lock of ${named}`;
}

/** The system and the tasks on it, which a view is made of. */
export interface Seen {
  readonly system: SeenSystem;
  readonly tasks: readonly Task[];
}

/** Makes the lists of a view. */
class Viewer {
  private readonly k: Kernel;
  private readonly page: Uint8Array;
  private readonly names: ReadonlyMap<number, string>;
  private readonly tables: TableItem[] = [];
  private readonly entries: EntryItem[] = [];

  constructor(private readonly seen: Seen) {
    this.k = seen.system.kernel;
    this.page = new Uint8Array(this.k.geometry.pageBytes);
    this.names = new Map(seen.tasks.map((task) => [task.id, task.name]));
  }

  private procOf(mm: Mm): number {
    return this.seen.system.processes.findIndex((process) => process?.mm === mm);
  }

  /** A page of an address space in words; of process 0, as most are, without saying so. */
  private at(mm: Mm | undefined, vpn: number): string {
    return `${placeOf(this.k, vpn)}${mm ? ofProcess(this.seen.system, mm) : ''}`;
  }

  private spaces(): SpaceItem[] {
    return this.k.mms.map((mm) => {
      const proc = this.procOf(mm);
      return {
        key: `space ${mm.id}`,
        name: proc < 0 ? `the address space ${mm.id} of a process that is gone` : `process ${proc}`,
        space: mm.id,
        proc,
        anonPages: mm.anonPages,
        filePages: mm.filePages,
        hugetlbPages: mm.hugetlbPages,
        sequence: mm.subscriptions?.invalidateSeq ?? 0,
        invalidations: mm.subscriptions?.activeInvalidateRanges ?? 0,
        sequenceId: mm.subscriptions?.lock.id ?? -1,
      };
    });
  }

  private areas(): AreaItem[] {
    return this.k.mms.flatMap((mm) =>
      mm.vmas.map((vma) => ({
        key: `area ${mm.id} ${vma.start}`,
        name: `the area at ${this.at(mm, vma.start)}`,
        space: mm.id,
        start: vma.start,
        end: vma.end,
        place: placeOf(this.k, vma.start),
        flags: areaFlags(vma),
        backing: backingOf(vma),
      })),
    );
  }

  private leaf(mm: Mm, ptep: number, vpn: number, pages: number): EntryItem {
    const { k } = this;
    const value = k.tables.entries[ptep];
    return {
      key: `entry ${mm.id} ${vpn}${pages > 1 ? ' huge' : ''}`,
      name: `the ${pages > 1 ? 'huge ' : ''}entry of ${this.at(mm, vpn)}`,
      space: mm.id,
      vpn,
      pages,
      place: placeOf(k, vpn),
      table: k.tables.tableOf(ptep),
      ptep,
      kind: leafKind(k, value),
      bits: leafBits(value, pages > 1),
      pfn: leafPfn(value),
      value,
    };
  }

  /** The leaf of a page, or of a huge page, if there is one. */
  private leafAt(space: number, vpn: number, huge: boolean): EntryItem | undefined {
    const { k } = this;
    const mm = k.mms.find(({ id }) => id === space);
    const pmdp = mm ? pmdpOf(k, mm, vpn) : -1;
    if (!mm || pmdp < 0) return undefined;
    const pmd = k.tables.entries[pmdp];
    if (huge) return pmdIsHuge(pmd) ? this.leaf(mm, pmdp, vpn, k.geometry.ptrsPerPte) : undefined;
    const ptep = pteOffsetMap(k, pmdp, vpn);
    return ptep >= 0 && k.tables.entries[ptep] !== 0 ? this.leaf(mm, ptep, vpn, 1) : undefined;
  }

  /** A table and everything below it. */
  private table(mm: Mm, table: number, above: number, level: number, start: number): void {
    const { k } = this;
    const { pgdPages, pudPages, ptrsPerPte, ptrsPerTable } = k.geometry;
    const cover = [1, ptrsPerPte, pudPages, pgdPages][level];
    const at = this.tables.length;
    const first = table << k.tables.strideShift;
    const slots = level === 0 ? ptrsPerPte : ptrsPerTable;
    let used = 0;
    for (let i = 0; i < slots; i++) {
      const value = k.tables.entries[first + i];
      if (value === 0) continue;
      used++;
      const vpn = start + i * cover;
      if (level === 0) this.entries.push(this.leaf(mm, first + i, vpn, 1));
      else if (level === 1 && !pmdIsTable(value)) {
        this.entries.push(this.leaf(mm, first + i, vpn, cover));
      } else this.table(mm, ptePfn(value), table, level - 1, vpn);
    }
    const name = `the ${LEVELS[level]} table ${table} for ${this.at(mm, start)} and what follows`;
    this.tables.splice(at, 0, {
      key: `table ${table}`,
      name,
      space: mm.id,
      table,
      level: LEVELS[level],
      start,
      place: placeOf(k, start),
      cover,
      first,
      slots,
      above,
      used,
    });
  }

  private tlb(cpu: number, space: number, vpn: number, pte: number): TlbItem {
    const mm = this.k.mms.find(({ id }) => id === space);
    return {
      key: `tlb ${cpu} ${space} ${vpn}`,
      name: `the translation of ${this.at(mm, vpn)} in CPU ${cpu}'s TLB`,
      cpu,
      space,
      vpn,
      place: placeOf(this.k, vpn),
      writable: (pte & PTE_WRITE) !== 0,
      pfn: ptePfn(pte),
    };
  }

  private tlbs(): TlbItem[] {
    return this.k.tlbs.flatMap((tlb, cpu) => {
      const cached = tlb.cached().sort((a, b) => a.space - b.space || a.vpn - b.vpn);
      return cached.map(({ space, vpn, pte }) => this.tlb(cpu, space, vpn, pte));
    });
  }

  private deviceEntry(mirror: SeenDevice, vpn: number): DeviceEntryItem {
    const { id: device } = mirror.device;
    const number = this.seen.system.mirrors.indexOf(mirror);
    const entry = mirror.pt.load(vpn);
    const tag = tagOf(entry);
    return {
      key: `device ${number} ${vpn}`,
      name: `device ${device}'s entry of ${this.at(mirror.mm, vpn)}`,
      device,
      mirror: number,
      vpn,
      place: placeOf(this.k, vpn),
      right: tag === DPT_WRITE ? 'write' : tag === DPT_ATOMIC ? 'exclusive' : 'read',
      pfn: pfnOf(entry),
    };
  }

  private deviceEntries(): DeviceEntryItem[] {
    return this.seen.system.mirrors.flatMap((mirror) => {
      if (mirror.notifier.givenBack) return [];
      const pages = mirror.pt.entries().map(([vpn]) => vpn);
      return pages.sort((a, b) => a - b).map((vpn) => this.deviceEntry(mirror, vpn));
    });
  }

  private word(pfn: number): number | null {
    const { k, page } = this;
    if (k.hasFrame(pfn)) return k.frames.readWord(pfn);
    const pagemap = pagePgmap(k, pfn);
    if (pagemap.memory?.read(pagemap.devicePage(pfn), page)) return null;
    const words = new DataView(page.buffer);
    return words.getUint32(0, true) + words.getInt32(4, true) * 2 ** 32;
  }

  /** A page of memory, unless it is free. */
  private frame(pfn: number): FrameItem | undefined {
    const { k } = this;
    const { pages } = k;
    const zone = pages.zone[pfn];
    if (pfn >= pages.size || zone === ZONE_NONE || pages.isFree(pfn)) return undefined;
    const folio = pages.head[pfn];
    const order = pages.order[folio];
    const owner = zone >= ZONE_DEVICE ? pagePgmap(k, pfn).owner : null;
    const memory = owner
      ? this.seen.system.mirrors.findIndex(({ device }) => device === owner)
      : 'RAM';
    const mapping = pages.mapping[folio];
    const flags = pages.flags[pfn] | (pages.flags[folio] & PG_LOCKED);
    const lock = pages.lockOwner[folio];
    const zero = k.isZero(pfn) || k.isHugeZero(folio);
    const entire = order > 0 ? pages.entireMapcount[folio] : 0;
    return {
      key: `frame ${pfn}`,
      name: memory === 'RAM' ? `page ${pfn} of RAM` : `page ${pfn}, on device ${memory}`,
      pfn,
      memory,
      folio,
      order,
      refcount: pages.refcount[folio],
      holders: k.ledger?.holders(folio) ?? {},
      mapcount: pages.mapcount[pfn] + entire,
      flags: PAGE_FLAGS.filter(([bit]) => flags & bit).map(([, word]) => word),
      lockedBy: lock === 0 ? '' : (this.names.get(lock) ?? 'setup'),
      kind: zero
        ? 'zero page'
        : mapping === 0
          ? 'other'
          : mapping & MAPPING_ANON
            ? 'anonymous'
            : 'file',
      word: this.word(pfn),
    };
  }

  private frames(): FrameItem[] {
    const items: FrameItem[] = [];
    for (let pfn = 0; pfn < this.k.pages.size; pfn++) {
      const item = this.frame(pfn);
      if (item) items.push(item);
    }
    return items;
  }

  private notifiers(): NotifierItem[] {
    return this.seen.system.mirrors.flatMap((seen, mirror): NotifierItem[] => {
      if (seen.notifier.givenBack) return [];
      const { device, mm, notifier, mutex, failAlloc } = seen;
      return [
        {
          key: `notifier ${mirror}`,
          name: `device ${device.id}'s notifier`,
          device: device.id,
          mirror,
          space: mm.id,
          sequence: notifier.invalidateSeq,
          devicePages: device.used,
          failNext: failAlloc,
          sequenceId: notifier.id,
          tableId: mutex?.id ?? -1,
        },
      ];
    });
  }

  private locks(): LockItem[] {
    const held = new Set<Lock>(this.seen.tasks.flatMap((task) => task.held));
    return [...held]
      .sort((a, b) => a.id - b.id)
      .map((lock) => ({
        key: `lock ${lock.id}`,
        name: lockWords(lock, this.seen.system),
        id: lock.id,
        owner: lock.owner?.name ?? '',
        readers: lock.readers.map((task) => task.name),
      }));
  }

  /** One item, without making the others as far as that can be. */
  item(key: string): Item | undefined {
    const [kind, ...rest] = key.split(' ');
    const [a, b, c] = rest.map(Number);
    const { system } = this.seen;
    const named = ({ key: other }: Item): boolean => other === key;
    switch (kind) {
      case 'entry':
        return this.leafAt(a, b, rest.length > 2);
      case 'frame':
        return this.frame(a);
      case 'tlb': {
        const pte = this.k.tlbs[a]?.lookup(b, c) ?? 0;
        return pte === 0 ? undefined : this.tlb(a, b, c, pte);
      }
      case 'device': {
        const mirror = system.mirrors[a];
        return mirror && mirror.pt.load(b) !== 0 ? this.deviceEntry(mirror, b) : undefined;
      }
      case 'space':
        return this.spaces().find(named);
      case 'area':
        return this.areas().find(named);
      case 'notifier':
        return this.notifiers().find(named);
      case 'lock':
        return this.locks().find(named);
      default:
        return this.view().tables.find(named);
    }
  }

  view(): StateView {
    for (const mm of this.k.mms) this.table(mm, mm.pgd, 0, 3, 0);
    return {
      spaces: this.spaces(),
      areas: this.areas(),
      tables: this.tables,
      entries: this.entries,
      tlbs: this.tlbs(),
      deviceEntries: this.deviceEntries(),
      frames: this.frames(),
      notifiers: this.notifiers(),
      locks: this.locks(),
    };
  }
}

/** The state of a system as it is now. */
export function viewOf(seen: Seen): StateView {
  return new Viewer(seen).view();
}

/** One item of the state as it is now, by its key; undefined: it is not there. */
export function itemOf(seen: Seen, key: string): Item | undefined {
  return new Viewer(seen).item(key);
}
