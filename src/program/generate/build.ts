/** A program of drawn choices. */
import { OPS, type Op, type OpName } from '../ops.ts';
import type { Program } from '../schema.ts';
import type { Draw, Drawn, Mapping } from './draws.ts';
import type { Profile } from './profiles.ts';

const GUP_HOW = OPS.gup.how.values;

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
      case 'uffd_register':
      case 'uffd_unregister':
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
      case 'uffd_copy':
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

/** Makes the program of what was drawn. */
export function buildProgram(profile: Profile, { mappings, draws }: Drawn, name: string): Program {
  const builder = new Builder(profile);
  for (const mapping of mappings) builder.map(mapping);
  for (const draw of draws) builder.one(draw);
  const { huge, mended, hugetlbPages } = profile;
  const machine = {
    ...(huge ? { pmdOrder: huge.order, pageBytes: huge.pageBytes } : {}),
    ...(mended ? { mended } : {}),
    ...(hugetlbPages === undefined ? {} : { hugetlbPages }),
  };
  return { name, ...(Object.keys(machine).length > 0 ? { machine } : {}), ops: builder.ops };
}
/** Operations that no profile draws, and why. */
export const NEVER_DRAWN: Partial<Record<OpName, string>> = {
  uffd_serve: 'without a task that waits it would wait itself, for ever',
  uffd_stop: 'see uffd_serve',
};
