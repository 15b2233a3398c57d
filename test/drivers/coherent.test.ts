import { describe, expect, it } from 'vitest';
import type { Walk } from '../../src/program/index.ts';
import { Bench } from '../support/system.ts';

const WALKS: Walk[] = ['collect', 'unified', 'as-posted'];
const PAGES = 4;
const all = { buf: 0, page: 0, pages: PAGES };

/** Pages of anonymous memory, written, on a machine with device-coherent devices. */
function bench(walk: Walk, options = {}): Bench {
  const made = new Bench({ walk, devices: 4, ...options });
  made.all({ op: 'mmap', ...all, prot: 'rw', kind: 'anon' }, { op: 'cpu_write', ...all, tag: 1 });
  return made;
}
const snapshot = (b: Bench, dev: number, range = all) =>
  b.do({ op: 'snapshot', dev, ...range }).prot;

describe.each(WALKS)('device-coherent memory, walk %s', (walk) => {
  it('is read and written by CPUs and by other devices where it is', () => {
    const b = bench(walk);
    const there = b.do({ op: 'migrate_to_dev', dev: 2, ...all });
    expect(there).toEqual({ ret: 'ok', cpages: 4, faults: 0, tags: [[65536, 4, 1]] });
    expect(snapshot(b, 2)).toEqual([[0x42, 4]]);
    expect(snapshot(b, 3)).toEqual([[0x52, 4]]);
    const { counted } = b.counting({ op: 'cpu_write', buf: 0, page: 1, pages: 2, tag: 5 });
    expect(counted.pagesMigrated).toBe(0);
    const tags = [
      [65536, 1, 0],
      [327680, 2, 1],
      [65539, 1, 0],
    ];
    expect(b.do({ op: 'dev_read', dev: 0, ...all })).toMatchObject({ ret: 'ok', tags });
    expect(b.do({ op: 'dev_write', dev: 3, ...all, tag: 7 }).ret).toBe('ok');
    expect(b.do({ op: 'cpu_read', ...all }).tags).toEqual([[7 * 65536, 4, 1]]);
    expect(snapshot(b, 2)).toEqual([[0x42, 4]]);
    expect(b.end()).toEqual([]);
  });

  it('comes back for its own device only', () => {
    const b = bench(walk);
    b.all({ op: 'migrate_to_dev', dev: 2, ...all });
    expect(b.do({ op: 'migrate_to_sys', dev: 3, ...all })).toEqual({ ret: 'ok', cpages: 0 });
    expect(b.do({ op: 'migrate_to_sys', dev: 0, ...all })).toEqual({ ret: 'ok', cpages: 0 });
    expect(snapshot(b, 2)).toEqual([[0x42, 4]]);
    expect(b.do({ op: 'migrate_to_sys', dev: 2, ...all })).toEqual({ ret: 'ok', cpages: 4 });
    expect(snapshot(b, 2)).toEqual([[0x02, 4]]);
    expect(b.do({ op: 'cpu_read', ...all }).tags).toEqual([[65536, 4, 1]]);
    expect(b.system.devices[2].used).toBe(0);
    expect(b.end()).toEqual([]);
  });

  it('does not go to another device', () => {
    const b = bench(walk);
    b.all({ op: 'migrate_to_dev', dev: 2, ...all });
    for (const dev of [0, 3]) {
      expect(b.do({ op: 'migrate_to_dev', dev, ...all }).ret).toBe('ENOENT');
    }
    expect(snapshot(b, 2)).toEqual([[0x42, 4]]);
    expect(b.end()).toEqual([]);
  });

  it('is copied to RAM for whoever writes first after a fork', () => {
    const b = bench(walk);
    b.all({ op: 'migrate_to_dev', dev: 2, ...all }, { op: 'fork', child: 1 });
    b.all({ op: 'cpu_write', buf: 0, page: 0, pages: 2, tag: 3 });
    expect(snapshot(b, 2)).toEqual([
      [0x02, 2],
      [0x41, 2],
    ]);
    expect(b.do({ op: 'cpu_read', proc: 1, ...all }).tags).toEqual([[65536, 4, 1]]);
    expect(b.end()).toEqual([]);
  });

  it('is made for what was never touched, and reads as zeros', () => {
    const b = bench(walk);
    b.all({ op: 'mmap', buf: 1, page: 0, pages: 3, prot: 'rw', kind: 'anon' });
    b.all({ op: 'cpu_read', buf: 1, page: 0, pages: 1 });
    const range = { buf: 1, page: 0, pages: 3 };
    expect(b.do({ op: 'migrate_to_dev', dev: 3, ...range }).tags).toEqual([[0, 3, 0]]);
    expect(snapshot(b, 3, range)).toEqual([[0x42, 3]]);
    expect(b.do({ op: 'cpu_read', ...range }).tags).toEqual([[0, 3, 0]]);
    expect(b.end()).toEqual([]);
  });
});

const HUGE = 4;
const huge = { buf: 0, page: 0, pages: HUGE };

describe.each(WALKS.slice(0, 2))('huge pages of device-coherent memory, walk %s', (walk) => {
  function hugeBench(options: object): Bench {
    const b = new Bench({ walk, devices: 4, pmdOrder: 2, pageBytes: 16, ...options });
    b.all(
      { op: 'mmap', ...huge, prot: 'rw', kind: 'anon' },
      { op: 'madvise', ...huge, advice: 'hugepage' },
      { op: 'cpu_write', ...huge, tag: 1 },
    );
    return b;
  }

  it('go whole and come back whole where that is mended', () => {
    const b = hugeBench({ mended: true });
    b.all({ op: 'migrate_to_dev', dev: 2, ...huge });
    expect(snapshot(b, 2, huge)).toEqual([[0x46, 4]]);
    expect(b.do({ op: 'migrate_to_dev', dev: 3, ...huge }).ret).toBe('ENOENT');
    b.all({ op: 'migrate_to_sys', dev: 2, ...huge });
    expect(snapshot(b, 2, huge)).toEqual([[0x06, 4]]);
    expect(b.do({ op: 'cpu_read', ...huge }).tags).toEqual([[65536, 4, 1]]);
    expect(b.end()).toEqual([]);
  });

  it('go as base pages on 7.3.4, which has one range of base pages', () => {
    const b = hugeBench({});
    b.all({ op: 'migrate_to_dev', dev: 2, ...huge });
    expect(snapshot(b, 2, huge)).toEqual([[0x42, 4]]);
    expect(b.do({ op: 'migrate_to_sys', dev: 2, ...huge }).cpages).toBe(4);
    expect(b.end()).toEqual([]);
  });

  it('stay on the device on 7.3.4 if one gets there whole', () => {
    const b = hugeBench({});
    b.all({ op: 'migrate_to_dev', dev: 2, ...huge }, { op: 'release', dev: 2 });
    b.all({ op: 'madvise', ...huge, advice: 'collapse' });
    // the memory is made anew, for whom asks first
    b.all({ op: 'migrate_to_dev', dev: 2, ...huge });
    expect(snapshot(b, 2, huge)).toEqual([[0x46, 4]]);
    expect(b.do({ op: 'migrate_to_sys', dev: 2, ...huge })).toEqual({ ret: 'ok', cpages: 0 });
    expect(snapshot(b, 2, huge)).toEqual([[0x46, 4]]);
    // and there is no base page to be had
    b.all({ op: 'mmap', buf: 1, page: 0, pages: 1, prot: 'rw', kind: 'anon' });
    expect(b.do({ op: 'migrate_to_dev', dev: 2, buf: 1, page: 0, pages: 1 }).ret).toBe('ENOENT');
    expect(b.end()).toEqual([]);
  });
});

describe.each(WALKS.slice(0, 2))('what a device gives up, walk %s', (walk) => {
  it.each([0, 2])('all of the memory of device %i, and it makes new memory', (dev) => {
    const b = bench(walk);
    b.all({ op: 'migrate_to_dev', dev, ...all });
    const before = b.system.devices[dev].chunks[0];
    expect(b.do({ op: 'release', dev }).ret).toBe('ok');
    expect(b.system.devices[dev].chunks).toEqual([]);
    expect(b.k.pagemaps[before.zone]).toBeUndefined();
    expect(snapshot(b, dev)).toEqual([[0x02, 4]]);
    b.all({ op: 'migrate_to_dev', dev, ...all });
    expect(b.system.devices[dev].used).toBe(4);
    expect(b.do({ op: 'cpu_read', ...all }).tags).toEqual([[65536, 4, 1]]);
    expect(b.end()).toEqual([]);
  });

  it('what a child has there, when the child that opened it exits', () => {
    const b = bench(walk);
    b.all({ op: 'fork', child: 1 }, { op: 'open', proc: 1, dev: 0 });
    b.all({ op: 'dev_write', proc: 1, dev: 0, ...all, tag: 4 });
    // the parent's memory is as it was: the child's device wrote to its copy
    expect(b.do({ op: 'cpu_read', ...all }).tags).toEqual([[65536, 4, 1]]);
    expect(b.do({ op: 'cpu_read', proc: 1, ...all }).tags).toEqual([[4 * 65536, 4, 1]]);
    b.all({ op: 'migrate_to_dev', proc: 1, dev: 0, ...all }, { op: 'exit', proc: 1 });
    expect(b.system.devices[0].used).toBe(0);
    expect(b.do({ op: 'dev_read', dev: 0, ...all }).tags).toEqual([[65536, 4, 1]]);
    expect(b.end()).toEqual([]);
  });

  it('nothing, while a process that has ended left it to its child', () => {
    const b = bench(walk);
    b.all({ op: 'fork', child: 1 }, { op: 'exit', proc: 0 });
    const results = (['dev_read', 'snapshot', 'migrate_to_dev', 'migrate_to_sys'] as const).map(
      (op) => b.do({ op, proc: 1, dev: 0, ...all }).ret,
    );
    expect(results).toEqual(['EFAULT', 'EINVAL', 'EINVAL', 'EINVAL']);
    expect(b.do({ op: 'check_exclusive', proc: 1, dev: 0, ...all }).ret).toBe('ok');
    expect(b.do({ op: 'cpu_read', proc: 1, ...all }).tags).toEqual([[65536, 4, 1]]);
    expect(b.end()).toEqual([]);
  });

  it('entries of all of its open files, when pages migrate through one', () => {
    const b = bench(walk);
    b.all({ op: 'dev_read', dev: 0, ...all }, { op: 'open', dev: 0 });
    b.all({ op: 'migrate_to_dev', dev: 0, ...all });
    expect(b.broken()).toEqual([]);
    b.all({ op: 'open', dev: 0 }, { op: 'migrate_to_sys', dev: 0, ...all });
    expect(b.end()).toEqual([]);
  });
});
