import type { Lock } from '../machine/lock.ts';
import { Machine, type MachineOptions } from '../machine/machine.ts';
import { PG_RESERVED, PG_UPTODATE, ZONE_COHERENT, ZONE_RAM } from '../machine/page.ts';
import type { Folio, Pfn, Vpn } from '../machine/units.ts';
import type { AnonVma } from './anon-vma.ts';
import { HugetlbPool } from './hugetlb-pool.ts';
import type { ReferenceLedger } from './look/ledger.ts';
import type { DevPagemap } from './memremap.ts';
import { type Unmended, type UnmendedSet, unmendedSet } from './mends.ts';
import { Mm } from './mm.ts';
import { NotifierSubscriptions } from './mmu-notifier.ts';
import type { AddressSpace } from './shmem.ts';
import { WALKS, type Walk } from './walks.ts';

export type { Walk };

export interface KernelOptions extends MachineOptions {
  /** Default `unified`. */
  walk?: Walk;
  /** Mend those mistakes of 7.3.4 that recorded programs show. Default: keep them. */
  mended?: boolean;
  /** Mends that are off: there the kernel does what 7.3.4 does. Default: none. */
  unmended?: readonly Unmended[];
  /** Huge pages of the pool (nr_hugepages). Default 16. */
  hugetlbPages?: number;
}

/** Huge pages of the pool when nobody says how many. */
const HUGETLB_PAGES = 16;

/** A CPU's batches of folios on their way to or between the LRU lists; each holds a reference. */
export interface LruBatches {
  add: Folio[];
  activate: Folio[];
  deactivate: Folio[];
  lazyfree: Folio[];
}

/** A device's view of an address space: its own page table, for those who look whether it is right. */
export interface DeviceView {
  readonly mm: Mm;
  /** The device: the owner of its own migrations. */
  readonly device: object;
  readonly table: {
    /** First page of `first` to `last` (inclusive) that the device can reach; -1: none. */
    firstIn(first: Vpn, last: Vpn): Vpn;
    /** A page through which the device reaches one of `pages` frames; -1: none. */
    pageOf(pfn: Pfn, pages: number, writable: boolean): Vpn;
    /** Whether the device has a page for itself. */
    hasExclusive(vpn: Vpn): boolean;
  };
  /** Whether the device goes on with a page of which its own migration makes a copy. Default: it has none of those. */
  keepsCopied?(vpn: Vpn): boolean;
}

/**
 * The state of the modelled kernel: a machine with address spaces, reverse maps, files and device
 * memory.
 */
export class Kernel extends Machine {
  readonly walk: Walk;
  readonly mended: boolean;
  /** By mend: whether it is off. */
  readonly unmended: UnmendedSet;
  readonly mms: Mm[] = [];
  /** Address spaces and anon_vmas by number; index 0 is nobody. */
  readonly mappings: (AddressSpace | AnonVma | undefined)[] = [undefined];
  /** Device memory by zone number. */
  readonly pagemaps: (DevPagemap | undefined)[] = [];
  readonly lru: LruBatches[] = [];
  /** Devices that mirror an address space. */
  readonly deviceViews: DeviceView[] = [];
  /** Who holds which reference; null when nobody asks. */
  ledger: ReferenceLedger | null = null;
  /** The page that every untouched page reads as. */
  readonly zeroPfn: Pfn;
  /** The huge page that every untouched huge page reads as; -1 until it is needed. */
  hugeZeroPfn: Pfn = -1;
  /** Huge pages that are kept for hugetlb mappings. */
  readonly hugetlb: HugetlbPool;
  private mmCount = 0;

  constructor(options: KernelOptions = {}) {
    super(options);
    this.walk = options.walk ?? 'unified';
    if (!WALKS.includes(this.walk))
      throw new RangeError(`walk: expected one of ${WALKS.join(', ')}, got ${String(this.walk)}`);
    this.mended = options.mended ?? false;
    this.unmended = unmendedSet(options.unmended);
    this.hugetlb = new HugetlbPool(options.hugetlbPages ?? HUGETLB_PAGES);
    for (let cpu = 0; cpu < this.tlbs.length; cpu++) {
      this.lru.push({ add: [], activate: [], deactivate: [], lazyfree: [] });
    }
    const zero = this.pages.takeRam(0, this.ramLimit);
    this.pages.initFolio(zero, 0);
    this.pages.flags[zero] = PG_RESERVED | PG_UPTODATE;
    this.frames.ensure(zero + 1);
    this.zeroPfn = zero;
  }

  /** A new, empty address space (mm_alloc()). */
  newMm(): Mm {
    const id = ++this.mmCount;
    const mm = new Mm(
      id,
      this.newLock(`mmap_lock of address space ${id}`, 'rwsem'),
      this.newLock(`page_table_lock of address space ${id}`, 'spin'),
      new NotifierSubscriptions(
        this.newLock(`notifier subscriptions of address space ${id}`, 'spin'),
      ),
    );
    mm.pgd = this.tables.alloc(this.current.cpu, false);
    this.mms.push(mm);
    return mm;
  }

  /** Whether CPUs reach a page's bytes: of RAM, or of device-coherent memory. */
  hasFrame(pfn: Pfn): boolean {
    const zone = this.pages.zone[pfn];
    return zone === ZONE_RAM || zone >= ZONE_COHERENT;
  }

  isZero(pfn: Pfn): boolean {
    return pfn === this.zeroPfn;
  }

  isHugeZero(pfn: Pfn): boolean {
    return pfn === this.hugeZeroPfn;
  }

  /** Registers a mapping and gives its number. */
  addMapping(mapping: AddressSpace | AnonVma): number {
    this.mappings.push(mapping);
    return this.mappings.length - 1;
  }

  /** Takes the lock in a straight line; a step must have preceded it. */
  lockAll(locks: readonly Lock[]): void {
    for (const lock of locks) this.lock(lock);
  }
}
