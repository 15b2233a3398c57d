/**
 * The observable state of a machine's memory as plain data: two machines that behave the same from
 * now on have equal descriptions, however they came to be. Frame numbers, table numbers, TLBs, accessed
 * and dirty bits and what waits in LRU batches are left out.
 */
import {
  PG_ANON_EXCLUSIVE,
  PG_DIRTY,
  PG_HUGETLB,
  PG_SWAPBACKED,
  ZONE_DEVICE,
} from '../../machine/page.ts';
import { PTE_DIRTY, PTE_SOFT_DIRTY, ptePresent } from '../../machine/pte.ts';
import type { Folio, Pfn, Pte } from '../../machine/units.ts';
import { folioTestAnon, pageFolio } from '../folio.ts';
import { reservedIn } from '../hugetlb.ts';
import type { Kernel } from '../kernel.ts';
import { SWP_SOFT_DIRTY } from '../leafops.ts';
import { pagePgmap } from '../memremap.ts';
import type { Mm } from '../mm.ts';
import { VM_SOFTDIRTY, type Vma } from '../vma.ts';
import { areaWords, leafBits, leafKind } from './flag-words.ts';
import { type Leaf, leafPfn, leavesOf, placeOf } from './leaves.ts';

/** A part of a description: JSON. */
export type Described = string | number | boolean | { [name: string]: Described };

/** Something that can be described and compared. */
export type Description = { [name: string]: Described };

/** What a description calls things that the kernel has no name for. */
export interface DescribeOptions {
  /** The owner of device memory. Default: by order of registration. */
  ownerName?: (owner: object) => string;
  /** Also what no program can find out: accessed and dirty bits, references of LRU batches. */
  exact?: boolean;
}

/** Numbers frames in the order in which they are come across, and reads their bytes. */
export class Describer {
  private readonly numbers = new Map<number, number>();
  private readonly owners: object[] = [];
  private readonly bytes: Uint8Array;

  constructor(
    readonly k: Kernel,
    readonly options: DescribeOptions = {},
  ) {
    this.bytes = new Uint8Array(k.geometry.pageBytes);
    for (const pagemap of k.pagemaps) {
      if (pagemap && !this.owners.includes(pagemap.owner)) this.owners.push(pagemap.owner);
    }
  }

  /** The number of a page: the same for every mapping of it. */
  number(pfn: Pfn): number {
    let number = this.numbers.get(pfn);
    if (number === undefined) {
      number = this.numbers.size;
      this.numbers.set(pfn, number);
    }
    return number;
  }

  ownerName(owner: object): string {
    return this.options.ownerName?.(owner) ?? `device memory ${this.owners.indexOf(owner)}`;
  }

  /** A digest of a page's bytes, in RAM or on a device. */
  content(pfn: Pfn): string {
    const { k, bytes } = this;
    if (!k.hasFrame(pfn)) {
      const pagemap = pagePgmap(k, pfn);
      if (pagemap.memory?.read(pagemap.devicePage(pfn), bytes)) return 'not at hand';
      return digest(bytes);
    }
    k.frames.read(pfn, bytes);
    return digest(bytes);
  }
}

/** 64 bits of a page's bytes, as hexadecimal digits; pages of zeros are `0`. */
export function digest(bytes: Uint8Array): string {
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2);
  let a = 0x811c9dc5;
  let b = 0x9dc5811c;
  let any = 0;
  for (const word of words) {
    any |= word;
    a = Math.imul(a ^ word, 0x01000193);
    b = Math.imul(b ^ (word >>> 13) ^ (word << 7), 0x85ebca6b) ^ (b >>> 15);
  }
  if (any === 0) return '0';
  return (a >>> 0).toString(16).padStart(8, '0') + (b >>> 0).toString(16).padStart(8, '0');
}

function describeArea(k: Kernel, vma: Vma): Description {
  const area: Description = { pages: vma.pages, flags: areaWords(vma.flags).join(', ') };
  if (vma.file) area.file = vma.pgoff;
  if (vma.resv) area.reserved = reservedIn(k, vma);
  if (vma.resvUnmapped) area.taken = true;
  return area;
}

/** What a program can find out of an entry's bits, and what only an exact description says. */
const SEEN = new Set(['writable', 'exclusive', 'soft-dirty', 'uffd']);
const EXACT = new Set([...SEEN, 'young', 'dirty']);

/** @param vma an area that is soft-dirty as a whole hides the entry's own bit */
function entryBits(pte: Pte, vma: Vma | undefined, exact: boolean): string {
  const present = ptePresent(pte);
  const whole = !exact && vma !== undefined && (vma.flags & VM_SOFTDIRTY) !== 0;
  const softDirty = present ? PTE_SOFT_DIRTY : SWP_SOFT_DIRTY;
  const said = exact && present ? EXACT : SEEN;
  return leafBits(whole ? pte | softDirty : pte)
    .filter((word) => said.has(word))
    .join(' ');
}

function waiting(k: Kernel, folio: Folio): number {
  let count = 0;
  for (const own of k.lru) {
    for (const list of Object.values(own) as number[][]) {
      for (const other of list) if (other === folio) count++;
    }
  }
  return count;
}

/** Whether a folio's contents may be discarded, or will be when its batch is drained. */
function isLazyfree(k: Kernel, folio: Folio): boolean {
  if (!folioTestAnon(k, folio)) return false;
  if (!(k.pages.flags[folio] & (PG_SWAPBACKED | PG_HUGETLB))) return true;
  return k.lru.some((own) => own.lazyfree.includes(folio));
}

/** One page of a mapping. */
function describePage(d: Describer, mm: Mm, leaf: Leaf, offset: number): Description {
  const { k } = d;
  const exact = d.options.exact ?? false;
  const { pages } = k;
  const kind = `${leaf.huge ? 'huge ' : ''}${leafKind(k, leaf.pte)}`;
  const bits = entryBits(leaf.pte, mm.lookupVma(leaf.vpn), exact);
  const page: Description = { entry: kind, bits };
  const pfn = leafPfn(leaf.pte) + offset;
  if (kind.endsWith('zero')) return page;
  const folio = pageFolio(k, pfn);
  page.page = d.number(pfn);
  page.content = d.content(pfn);
  page.anonymous = folioTestAnon(k, folio);
  page.exclusive = (pages.flags[leaf.huge ? folio : pfn] & PG_ANON_EXCLUSIVE) !== 0;
  page.mapped = pages.mapcount[pfn] + (pages.order[folio] > 0 ? pages.entireMapcount[folio] : 0);
  page.references = pages.refcount[folio] - (exact ? 0 : waiting(k, folio));
  if (pages.order[folio] > 0) page.order = pages.order[folio];
  const device = pages.zone[pfn] >= ZONE_DEVICE;
  page.memory = device ? d.ownerName(pagePgmap(k, pfn).owner) : 'RAM';
  if (device) return page;
  const dirty = pages.flags[folio] & PG_DIRTY || (ptePresent(leaf.pte) && leaf.pte & PTE_DIRTY);
  page.discardable = isLazyfree(k, folio) && !dirty;
  if (exact) page.flags = pages.flags[pfn];
  return page;
}

function describeSpace(d: Describer, mm: Mm): Description {
  const { k } = d;
  const areas: Description = {};
  for (const vma of mm.vmas) areas[placeOf(k, vma.start)] = describeArea(k, vma);
  const pages: Description = {};
  for (const leaf of leavesOf(k, mm)) {
    for (let i = 0; i < leaf.pages; i++) {
      pages[placeOf(k, leaf.vpn + i)] = describePage(d, mm, leaf, i);
    }
  }
  return {
    'anonymous pages': mm.anonPages,
    'file pages': mm.filePages,
    ...(mm.hugetlbPages > 0 ? { 'hugetlb pages': mm.hugetlbPages } : {}),
    areas,
    pages,
  };
}

/**
 * Describes the memory of every process.
 * @param describer gives the same numbers to what else is described with it
 */
export function describeKernel(k: Kernel, describer = new Describer(k)): Description {
  const spaces: Description = {};
  for (const mm of k.mms) spaces[`address space ${mm.id}`] = describeSpace(describer, mm);
  const { free, total, reserved } = k.hugetlb;
  if (free < total || reserved !== 0) spaces['huge pages of the pool'] = { free, reserved };
  return spaces;
}

function show(value: Described | undefined): string {
  return value === undefined ? 'nothing' : JSON.stringify(value);
}

/**
 * Compares two descriptions.
 * @returns each difference with its place; empty when they are equal
 */
export function compareDescriptions(a: Description, b: Description): string[] {
  const differences: string[] = [];
  const compare = (x: Described | undefined, y: Described | undefined, path: string[]): void => {
    if (typeof x === 'object' && typeof y === 'object') {
      for (const name of new Set([...Object.keys(x), ...Object.keys(y)])) {
        compare(x[name], y[name], [...path, name]);
      }
    } else if (x !== y) differences.push(`${path.join(', ')}: ${show(x)} against ${show(y)}`);
  };
  compare(a, b, []);
  return differences;
}
