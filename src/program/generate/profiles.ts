/** What random programs are made of. */
import type { OpName, OpNamed } from '../ops.ts';

type Kind = OpNamed<'mmap'>['kind'];
type Prot = OpNamed<'mmap'>['prot'];
type Weights = Partial<Record<OpName, number>>;

/** What programs are made of. */
export interface Profile {
  readonly kinds: readonly Kind[];
  readonly prots: readonly Prot[];
  readonly advice: readonly string[];
  /** How often each operation is drawn. */
  readonly weights: Weights;
  /** Processes at most. */
  readonly processes: number;
  /** Pages a buffer may have. */
  readonly sizes: readonly number[];
  /** Operations at most, without the mappings at the start. */
  readonly length: number;
  /** Huge pages: asked for at the start, and ranges that follow their edges. */
  readonly huge?: HugePages;
  /** Devices, as often as they are drawn. Default: device 0 has most of the work. */
  readonly devices?: readonly number[];
  /** Mend the mistakes of 7.3.4. */
  readonly mended?: boolean;
  /** Huge pages in the pool of hugetlb. */
  readonly hugetlbPages?: number;
}

interface HugePages {
  /** Base pages of a huge page, as a power of two. */
  readonly order: number;
  /** Bytes of a page. */
  readonly pageBytes: number;
  /** First pages that a buffer may have. */
  readonly starts: readonly number[];
}

const BASE: Weights = {
  migrate_to_dev: 16,
  cpu_write: 12,
  cpu_read: 9,
  dev_read: 8,
  migrate_to_sys: 7,
  dev_write: 8,
  snapshot: 5,
  madvise: 7,
  mprotect: 5,
  exclusive: 4,
  check_exclusive: 2,
  pin: 2,
  unpin: 2,
  fail_alloc: 2,
  munmap: 2,
  mmap: 2,
  clear_soft_dirty: 2,
  mremap: 2,
  pagemap: 2,
  scan: 1,
};

const ADVICE = [
  'dontneed',
  'dontneed',
  'free',
  'cold',
  'pageout',
  'populate_read',
  'populate_write',
  'willneed',
  'nohugepage',
];

const base: Profile = {
  kinds: ['anon'],
  prots: ['rw', 'rw', 'rw', 'rw', 'r', 'none'],
  advice: ADVICE,
  weights: BASE,
  processes: 1,
  sizes: [4, 8, 16, 40],
  length: 24,
};
const fork: Profile = {
  ...base,
  advice: [...ADVICE, 'dontfork'],
  weights: { ...BASE, fork: 6 },
  processes: 4,
};

/** Device-coherent devices beside a device-private one, and everything that makes memory leave them. */
const COHERENT: Weights = { release: 1, open: 2, close: 1, evict: 1, mremap_dontunmap: 1, fork: 4 };
const coherent: Profile = {
  ...fork,
  weights: { ...BASE, ...COHERENT, exit: 1 },
  processes: 3,
  devices: [2, 2, 2, 3, 0],
};

/** What goes past mappings, a device's reads that give mmap_lock up, and a process that is to die. */
const PAST: Weights = { file_read: 4, file_write: 4, dev_read_unlocked: 6, oom_reap: 1 };

/** Pages that somebody references or pins. */
const PINNED: Weights = { gup: 12, unpin: 6, fork: 5, fault_migrate_to_dev: 8 };

const HUGE_ADVICE = [...ADVICE, 'collapse', 'collapse', 'hugepage'];

const thp = { ...base, advice: HUGE_ADVICE };
const thpFork = {
  ...fork,
  advice: [...HUGE_ADVICE, 'dontfork'],
  weights: { ...BASE, fork: 5 },
  processes: 3,
};
/** The profiles of the recorded corpus for huge pages, and more, whatever the geometry. */
const HUGE = {
  thp,
  'thp-fork': thpFork,
  'mof-thp': { ...thp, weights: { ...BASE, fault_migrate_to_dev: 24 } },
  'mof-thp-fork': { ...thpFork, weights: { ...BASE, fork: 5, fault_migrate_to_dev: 20 } },
  'everything-thp': {
    ...thpFork,
    kinds: ['anon', 'anon', 'anon', 'anon-shared', 'file-private', 'file-shared'],
    weights: { ...BASE, fork: 5, fault_migrate_to_dev: 12 },
    processes: 4,
    length: 32,
  },
  'pinned-thp': { ...thpFork, weights: { ...BASE, ...PINNED }, devices: [0, 0, 2] },
  'coherent-thp': { ...thpFork, weights: { ...BASE, ...COHERENT }, devices: [2, 2, 2, 3, 0] },
  'coherent-mof-thp': {
    ...thp,
    weights: { ...BASE, fault_migrate_to_dev: 24 },
    devices: [2, 2, 2, 3, 0],
    mended: true,
  },
} as const satisfies Record<string, Profile>;

/** Huge pages of `2 ** order` pages; buffers of one to three of them, some with odd ends. */
function withHuge(profile: Profile, order: number, pageBytes: number): Profile {
  const pages = 1 << order;
  return {
    ...profile,
    huge: { order, pageBytes, starts: [0, 0, 0, pages / 2, pages - 1] },
    sizes: [pages, 2 * pages, 2 * pages, 2 * pages + pages / 2 + 1, 3 * pages],
  };
}

/** The profiles of the recorded corpus for base pages, and one with everything. */
export const PROFILES = {
  base,
  fork,
  mixed: { ...base, kinds: ['anon', 'anon-shared', 'file-private', 'file-shared'] },
  mof: { ...base, weights: { ...BASE, fault_migrate_to_dev: 24 } },
  'mof-fork': { ...fork, weights: { ...BASE, fork: 5, fault_migrate_to_dev: 20 } },
  everything: {
    ...fork,
    kinds: ['anon', 'anon', 'anon-shared', 'file-private', 'file-shared'],
    weights: { ...BASE, ...PAST, fork: 5, fault_migrate_to_dev: 12 },
    length: 32,
  },
  pinned: {
    ...fork,
    kinds: ['anon', 'anon', 'anon-shared', 'file-private', 'file-shared'],
    weights: { ...BASE, ...PINNED },
    devices: [0, 0, 2],
  },
  coherent,
  'coherent-mof': {
    ...coherent,
    kinds: ['anon', 'anon', 'anon-shared', 'file-private', 'file-shared'],
    weights: { ...coherent.weights, fault_migrate_to_dev: 20 },
  },
} as const satisfies Record<string, Profile>;
export type ProfileName = keyof typeof PROFILES;

/** Pages of a huge page: the default, one of two of a device's faults (32 pages each), a small one. */
export const HUGE_PAGES = [512, 64, 4] as const;
export type HugeProfileName = `${keyof typeof HUGE}-${(typeof HUGE_PAGES)[number]}`;

/** The profiles of huge pages; a name ends in the pages that a huge page has. */
export const HUGE_PROFILES = Object.fromEntries(
  Object.entries(HUGE).flatMap(([name, profile]) =>
    HUGE_PAGES.map((pages) => {
      const huge = withHuge(profile, Math.log2(pages), pages === 512 ? 4096 : 16);
      return [`${name}-${pages}`, huge];
    }),
  ),
) as Record<HugeProfileName, Profile>;

/** What waits for a monitor that never comes is left out of a program; what is here never waits in a straight line. */
const MONITOR: Weights = { uffd_register: 8, uffd_unregister: 3, uffd_copy: 10 };

const real = <K extends HugeProfileName>(name: K): Profile => HUGE_PROFILES[name];

/**
 * The profiles of programs for a real kernel, which has pages of 4 KiB and huge pages of 512. Not among them is what only
 * a mended 7.3.4 does.
 */
export const KERNEL_PROFILES: Readonly<Record<string, Profile>> = {
  ...PROFILES,
  thp: real('thp-512'),
  'thp-fork': real('thp-fork-512'),
  'mof-thp': real('mof-thp-512'),
  'mof-thp-fork': real('mof-thp-fork-512'),
  // the model has no huge pages of files and shared memory
  'everything-thp': { ...real('everything-thp-512'), advice: [...ADVICE, 'dontfork', 'hugepage'] },
  'pinned-thp': real('pinned-thp-512'),
  'coherent-thp': real('coherent-thp-512'),
  hugetlb: {
    ...real('thp-fork-512'),
    kinds: ['hugetlb', 'hugetlb', 'anon'],
    weights: { ...BASE, fork: 5, gup: 2, unpin: 2, fault_migrate_to_dev: 4 },
    hugetlbPages: 8,
  },
  uffd: {
    ...PROFILES.everything,
    kinds: ['anon', 'anon', 'anon-shared'],
    weights: { ...BASE, ...MONITOR, fork: 3, fault_migrate_to_dev: 6 },
  },
  'uffd-thp': {
    ...real('thp-fork-512'),
    weights: { ...BASE, ...MONITOR, fork: 3, fault_migrate_to_dev: 6 },
  },
  mapped: {
    ...fork,
    kinds: ['anon', 'driver', 'file-shared'],
    weights: { ...BASE, fork: 4, gup: 3, unpin: 3, fault_migrate_to_dev: 6 },
  },
};
