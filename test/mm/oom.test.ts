import { describe, expect, it } from 'vitest';
import { Bench } from '../support/system.ts';

const ALL = { buf: 0, page: 0, pages: 4 } as const;

describe('the OOM reaper', () => {
  it('takes private memory, and keeps new from being mapped', () => {
    const b = new Bench({ pmdOrder: 2, pageBytes: 16 });
    b.all(
      { op: 'mmap', ...ALL, prot: 'rw', kind: 'anon' },
      { op: 'mmap', ...ALL, buf: 1, prot: 'rw', kind: 'file-private' },
      { op: 'mmap', ...ALL, buf: 2, prot: 'rw', kind: 'anon-shared' },
      { op: 'cpu_write', ...ALL, tag: 1 },
      { op: 'cpu_write', ...ALL, buf: 1, tag: 1 },
      { op: 'cpu_write', ...ALL, buf: 2, tag: 1 },
      { op: 'migrate_to_dev', dev: 0, buf: 0, page: 1, pages: 2 },
      { op: 'oom_reap' },
    );
    const { mm } = b.system.process(0);
    expect(mm.unstable).toBe(true);
    expect(mm.anonPages).toBe(0);
    // shared memory stays
    expect(mm.filePages).toBe(4);
    expect(b.do({ op: 'cpu_read', ...ALL, buf: 2 })).toMatchObject({ ret: 'ok' });
    expect(b.do({ op: 'cpu_write', ...ALL, tag: 2 }).ret).toBe('BUS');
    expect(b.do({ op: 'cpu_read', ...ALL }).ret).toBe('BUS');
    expect(b.do({ op: 'dev_read', dev: 1, ...ALL }).ret).toBe('EFAULT');
    // what was written to a private file is gone: no other copy takes its place
    expect(b.do({ op: 'cpu_write', ...ALL, buf: 1, tag: 2 }).ret).toBe('BUS');
    expect(b.end()).toEqual([]);
  });

  it.each(['collect', 'unified'] as const)('a migration populates nothing then (%s)', (walk) => {
    const b = new Bench({ pmdOrder: 2, pageBytes: 16, walk });
    b.all(
      { op: 'mmap', buf: 0, page: 0, pages: 8, prot: 'rw', kind: 'anon' },
      { op: 'madvise', ...ALL, advice: 'hugepage' },
      { op: 'oom_reap' },
    );
    // a huge hole, and single ones
    b.do({ op: 'migrate_to_dev', dev: 0, buf: 0, page: 0, pages: 6 });
    expect(b.system.process(0).mm.anonPages).toBe(0);
    expect(b.do({ op: 'cpu_write', ...ALL, tag: 1 }).ret).toBe('BUS');
    expect(b.do({ op: 'cpu_read', ...ALL }).ret).toBe('BUS');
    expect(b.end()).toEqual([]);
  });
});
