/**
 * Random memory programs. A program is drawn as a list of loose choices (which process, which range,
 * all as plain numbers) and made from them step by step, so that whatever is left of the list after
 * shrinking makes a valid program too: a process that was never forked becomes one that lives.
 */
import fc from 'fast-check';
import type { Op, OpName, Program } from '../../src/program/index.ts';

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
  /** Ask for huge pages at the start. */
  readonly huge?: boolean;
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
    weights: { ...BASE, fork: 5, fault_migrate_to_dev: 12 },
    length: 32,
  },
} as const satisfies Record<string, Profile>;
export type ProfileName = keyof typeof PROFILES;

/** One drawn operation: every choice that any operation needs, as a number without bounds. */
interface Draw {
  op: OpName;
  proc: number;
  buf: number;
  /** How the range is found: a whole buffer, a page, any range, or near the last one. */
  extent: 'whole' | 'page' | 'any' | 'again' | 'near';
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
  ];
  return fc.record({
    op: fc.oneof(...ops),
    proc: number,
    buf: number,
    extent: fc.oneof(...extents),
    from: number,
    count: number,
    // device 0 has most of the work
    dev: fc.constantFrom(0, 0, 0, 1),
    pick: number,
    id: fc.nat(3),
  });
}

/** Makes a program of drawn operations. */
class Builder {
  readonly ops: Op[] = [];
  private readonly live = [0];
  private readonly sizes: number[] = [];
  private last = { buf: 0, page: 0, pages: 1 };
  private tag = 1;

  constructor(private readonly profile: Profile) {}

  private add(op: object): void {
    this.ops.push(op as Op);
  }

  map({ kind, prot, size }: Mapping): void {
    const { kinds, prots, sizes } = this.profile;
    const buf = this.sizes.length;
    const pages = sizes[size % sizes.length];
    this.sizes.push(pages);
    this.add({
      op: 'mmap',
      proc: 0,
      buf,
      page: 0,
      pages,
      // the first buffer can be written
      prot: buf === 0 ? 'rw' : prots[prot % prots.length],
      kind: kinds[kind % kinds.length],
    });
    if (this.profile.huge) {
      this.add({ op: 'madvise', proc: 0, buf, page: 0, pages, advice: 'hugepage' });
    }
  }

  private range(draw: Draw): { buf: number; page: number; pages: number } {
    if (draw.extent === 'again') return this.last;
    const buf = draw.extent === 'near' ? this.last.buf : draw.buf % this.sizes.length;
    const size = this.sizes[buf];
    let page = draw.from % size;
    let pages = 1 + (draw.count % (size - page));
    if (draw.extent === 'whole') {
      page = 0;
      pages = size;
    } else if (draw.extent === 'page') pages = 1;
    else if (draw.extent === 'near') {
      const end = Math.min(size, this.last.page + this.last.pages + (draw.count % 5));
      page = Math.max(0, this.last.page - (draw.from % 5));
      pages = Math.max(1, end - page);
    }
    this.last = { buf, page, pages };
    return this.last;
  }

  one(draw: Draw): void {
    const { profile, live } = this;
    const { op, dev, id, pick } = draw;
    const proc = live[draw.proc % live.length];
    switch (op) {
      case 'fork': {
        const child = live.length;
        if (child >= profile.processes) return;
        live.push(child);
        this.add({ op, proc, child });
        return;
      }
      case 'clear_soft_dirty':
        this.add({ op, proc });
        return;
      case 'fail_alloc':
        this.add({ op, proc, dev });
        return;
      case 'unpin':
        this.add({ op, proc, id });
        return;
    }
    const range = this.range(draw);
    switch (op) {
      case 'pin':
        this.add({ op, proc, id, buf: range.buf, page: range.page });
        return;
      case 'mmap': {
        const prot = profile.prots[pick % profile.prots.length];
        const kind = profile.kinds[draw.count % profile.kinds.length];
        this.add({ op, proc, ...range, prot, kind });
        return;
      }
      case 'munmap':
      case 'cpu_read':
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
      case 'mremap': {
        // into one of the buffers, or into one of two that start empty
        const toBuf = pick % (this.sizes.length + 2);
        if (toBuf >= this.sizes.length) {
          while (this.sizes.length <= toBuf) this.sizes.push(profile.sizes[0]);
        }
        const toPage = draw.count % 8;
        this.sizes[toBuf] = Math.max(this.sizes[toBuf], toPage + range.pages);
        this.add({ op, proc, ...range, toBuf, toPage });
        return;
      }
      case 'cpu_write':
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
  const mapping = fc.record({ kind: number, prot: number, size: number });
  const mappings = fc.array(mapping, { minLength: 1, maxLength: 3, size: 'max' });
  const draws = fc.array(drawOf(profile), { maxLength: profile.length, size: 'max' });
  return fc.tuple(mappings, draws).map(([first, rest]) => {
    const builder = new Builder(profile);
    for (const one of first) builder.map(one);
    for (const one of rest) builder.one(one);
    return { name, ops: builder.ops };
  });
}
