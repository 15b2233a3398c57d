/**
 * Random memory programs. A program is drawn as a list of loose choices (which process, which range,
 * all as plain numbers) and made from them step by step, so that whatever is left of the list after
 * shrinking makes a valid program too: a process that was never forked becomes one that lives.
 */
import fc from 'fast-check';
import { OPS, type Op, type OpName, type Program } from '../../src/program/index.ts';

type Kind = 'anon' | 'anon-shared' | 'file-private' | 'file-shared';
type Prot = 'none' | 'r' | 'rw';
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
const GUP_HOW = OPS.gup.how.values;

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

/** One drawn operation: every choice that any operation needs, as a number without bounds. */
interface Draw {
  op: OpName;
  proc: number;
  buf: number;
  /** How the range is found: a whole buffer, a page, any range, or near the last one. */
  extent: 'whole' | 'page' | 'any' | 'again' | 'near' | 'huge' | 'edge';
  from: number;
  count: number;
  dev: number;
  pick: number;
  id: number;
}

interface Mapping {
  kind: number;
  prot: number;
  size: number;
  start: number;
}

const number = fc.nat(9999);

function drawOf(profile: Profile): fc.Arbitrary<Draw> {
  const ops = Object.entries(profile.weights).map(([op, weight]) => ({
    arbitrary: fc.constant(op as OpName),
    weight,
  }));
  const extents = [
    { arbitrary: fc.constant('whole' as const), weight: 25 },
    { arbitrary: fc.constant('page' as const), weight: 15 },
    { arbitrary: fc.constant('any' as const), weight: 30 },
    { arbitrary: fc.constant('again' as const), weight: 15 },
    { arbitrary: fc.constant('near' as const), weight: 15 },
    { arbitrary: fc.constant('huge' as const), weight: profile.huge ? 45 : 0 },
    { arbitrary: fc.constant('edge' as const), weight: profile.huge ? 20 : 0 },
  ];
  return fc.record({
    op: fc.oneof(...ops),
    proc: number,
    buf: number,
    extent: fc.oneof(...extents),
    from: number,
    count: number,
    dev: fc.constantFrom(...(profile.devices ?? [0, 0, 0, 1])),
    pick: number,
    id: fc.nat(3),
  });
}

/** Makes a program of drawn operations. */
class Builder {
  readonly ops: Op[] = [];
  private readonly live = [0];
  private processes = 1;
  /** Of each buffer, what is mapped at first. */
  private readonly buffers: { page: number; pages: number }[] = [];
  private last = { buf: 0, page: 0, pages: 1 };
  private tag = 1;
  /** By id: what may still be pinned. */
  private readonly held = new Set<number>();

  constructor(private readonly profile: Profile) {}

  private add(op: object): void {
    this.ops.push(op as Op);
  }

  map({ kind, prot, size, start }: Mapping): void {
    const { kinds, prots, sizes, huge } = this.profile;
    const buf = this.buffers.length;
    const page = huge ? huge.starts[start % huge.starts.length] : 0;
    const pages = sizes[size % sizes.length];
    this.buffers.push({ page, pages });
    this.add({
      op: 'mmap',
      proc: 0,
      buf,
      page,
      pages,
      // the first buffer can be written
      prot: buf === 0 ? 'rw' : prots[prot % prots.length],
      kind: kinds[kind % kinds.length],
    });
    if (huge) this.add({ op: 'madvise', proc: 0, buf, page, pages, advice: 'hugepage' });
  }

  /** The part of a buffer from `start`, `length` pages long, or what there is of it. */
  private clip(buf: number, start: number, length: number): typeof this.last {
    const { page, pages } = this.buffers[buf];
    const first = Math.min(Math.max(start, page), page + pages - 1);
    const end = Math.min(Math.max(start + length, first + 1), page + pages);
    this.last = { buf, page: first, pages: end - first };
    return this.last;
  }

  private range(draw: Draw): typeof this.last {
    const { last, buffers } = this;
    const { from, count } = draw;
    if (draw.extent === 'again') return last;
    const buf = draw.extent === 'near' ? last.buf : draw.buf % buffers.length;
    const { page, pages } = buffers[buf];
    const huge = 1 << (this.profile.huge?.order ?? 0);
    switch (draw.extent) {
      case 'whole':
        return this.clip(buf, page, pages);
      case 'page':
        return this.clip(buf, page + (from % pages), 1);
      case 'any':
        return this.clip(buf, page + (from % pages), 1 + (count % (pages - (from % pages))));
      case 'near': {
        const first = last.page - (from % 5);
        return this.clip(buf, first, last.page + last.pages + (count % 5) - first);
      }
      case 'huge': {
        const first = Math.floor((page + (from % pages)) / huge) * huge;
        return this.clip(buf, first, huge * (1 + (count % 8 === 0 ? 1 : 0)));
      }
      case 'edge': {
        const first = Math.floor((page + (from % pages)) / huge) * huge;
        const offset = [0, 1, -1, huge / 2][from % 4];
        return this.clip(buf, first + offset, [1, 2, huge / 2, huge - 1, huge, 8][count % 6]);
      }
    }
  }

  one(draw: Draw): void {
    const { profile, live } = this;
    const { op, dev, id, pick } = draw;
    const proc = live[draw.proc % live.length];
    switch (op) {
      case 'fork': {
        const child = this.processes;
        if (child >= profile.processes) return;
        this.processes++;
        live.push(child);
        this.add({ op, proc, child });
        return;
      }
      case 'clear_soft_dirty':
      case 'oom_reap':
        this.add({ op, proc });
        return;
      case 'fail_alloc':
        this.add({ op, proc, dev });
        return;
      case 'unpin':
        // a child holds it as well
        if (this.processes === 1) this.held.delete(id);
        this.add({ op, proc, id });
        return;
      case 'exit':
        if (proc === 0) return;
        live.splice(live.indexOf(proc), 1);
        this.add({ op, proc });
        return;
      case 'release':
      case 'close':
      case 'evict':
        // a page that somebody holds keeps the driver at it for ever
        if (this.held.size > 0) return;
        this.add({ op, proc, dev });
        return;
      case 'open':
        this.add({ op, proc, dev });
        return;
    }
    const range = this.range(draw);
    switch (op) {
      case 'pin':
        this.held.add(id);
        this.add({ op, proc, id, buf: range.buf, page: range.page });
        return;
      case 'gup': {
        const how = GUP_HOW[pick % GUP_HOW.length];
        const write = (pick >> 4) % 2;
        const pages = Math.min(range.pages, OPS.gup.pages.max);
        this.held.add(id);
        this.add({ op, proc, id, ...range, pages, how, write });
        return;
      }
      case 'mmap': {
        const prot = profile.prots[pick % profile.prots.length];
        const kind = profile.kinds[draw.count % profile.kinds.length];
        this.add({ op, proc, ...range, prot, kind });
        return;
      }
      case 'munmap':
      case 'cpu_read':
      case 'file_read':
      case 'pagemap':
      case 'scan':
        this.add({ op, proc, ...range });
        return;
      case 'mprotect':
        this.add({ op, proc, ...range, prot: profile.prots[pick % profile.prots.length] });
        return;
      case 'madvise':
        this.add({ op, proc, ...range, advice: profile.advice[pick % profile.advice.length] });
        return;
      case 'mremap':
      case 'mremap_dontunmap': {
        // into one of the buffers, or into one of two that start empty
        const { buffers } = this;
        const toBuf = pick % (buffers.length + 2);
        while (buffers.length <= toBuf) buffers.push({ page: 0, pages: profile.sizes[0] });
        const huge = 1 << (profile.huge?.order ?? 3);
        // the same place in a huge page, or another
        const toPage = profile.huge
          ? [range.page, range.page % huge, 0, 1][draw.count % 4]
          : draw.count % 8;
        const target = buffers[toBuf];
        const end = Math.max(target.page + target.pages, toPage + range.pages);
        target.page = Math.min(target.page, toPage);
        target.pages = end - target.page;
        this.add({ op, proc, ...range, toBuf, toPage });
        return;
      }
      case 'cpu_write':
      case 'file_write':
        this.add({ op, proc, ...range, tag: ++this.tag });
        return;
      case 'dev_write':
        this.add({ op, proc, dev, ...range, tag: ++this.tag });
        return;
      case 'fault_migrate_to_dev':
        this.add({ op, proc, dev, ...range, write: pick % 2 });
        return;
      default:
        this.add({ op, proc, dev, ...range });
    }
  }
}

/** Programs of a profile. */
export function programs(profile: Profile, name = 'random'): fc.Arbitrary<Program> {
  const mapping = fc.record({ kind: number, prot: number, size: number, start: number });
  const mappings = fc.array(mapping, { minLength: 1, maxLength: 3, size: 'max' });
  const draws = fc.array(drawOf(profile), { maxLength: profile.length, size: 'max' });
  return fc.tuple(mappings, draws).map(([first, rest]) => {
    const builder = new Builder(profile);
    for (const one of first) builder.map(one);
    for (const one of rest) builder.one(one);
    const { huge, mended } = profile;
    if (!huge && !mended) return { name, ops: builder.ops };
    const machine = {
      ...(huge ? { pmdOrder: huge.order, pageBytes: huge.pageBytes } : {}),
      ...(mended ? { mended } : {}),
    };
    return { name, machine, ops: builder.ops };
  });
}

/** Operations that no profile draws, and why. */
export const NEVER_DRAWN: Partial<Record<OpName, string>> = {
  uffd_register: 'a fault would wait for ever in a straight line',
  uffd_unregister: 'see uffd_register',
  uffd_copy: 'see uffd_register',
  uffd_serve: 'see uffd_register',
  uffd_stop: 'see uffd_register',
};
