/** A device's reads of what a monitor gives, and the operations of a program that do it. */
import { describe, expect, it } from 'vitest';
import { check, Exhaustive, programScenario, type Scenario } from '../../src/checker/index.ts';
import { KernelBug } from '../../src/machine/index.ts';
import { parseConcurrentProgram, type Result } from '../../src/program/index.ts';
import { perform } from '../../src/program/operations.ts';
import { Bench, type LooseOp } from '../support/system.ts';
import { Thread } from '../support/thread.ts';

const PAGES = 4;
const ALL = { buf: 0, page: 0, pages: PAGES };
const SETUP: LooseOp[] = [
  { op: 'mmap', ...ALL, prot: 'rw', kind: 'anon' },
  { op: 'uffd_register', ...ALL },
];

function program(setup: LooseOp[], tasks: Record<string, LooseOp[]>, after: LooseOp[] = []) {
  const machine = { pmdOrder: 2, pageBytes: 16 };
  return parseConcurrentProgram({ name: 'userfault', machine, setup, tasks, after });
}

/** Every schedule: what was found, and the different results of each task. */
function every(tasks: Record<string, LooseOp[]>, setup = SETUP) {
  const plain = programScenario(program(setup, tasks));
  const results = new Set<string>();
  const scenario: typeof plain = {
    ...plain,
    check(state) {
      results.add(JSON.stringify(state.results));
      return plain.check?.(state) ?? [];
    },
  };
  const strategy = (n: number) => new Exhaustive(n);
  const { found, complete } = check(scenario as Scenario<object>, { strategy });
  const ends = [...results].map((text): Record<string, Result[]> => JSON.parse(text));
  return { found: found.map(({ title }) => title), complete, ends };
}

describe('a device read without mmap_lock', () => {
  it('is as one with it where nobody gives what is missing', () => {
    const b = new Bench();
    b.all(
      { op: 'mmap', ...ALL, prot: 'rw', kind: 'anon' },
      { op: 'cpu_write', ...ALL, pages: 2, tag: 1 },
    );
    const read = b.do({ op: 'dev_read_unlocked', dev: 0, ...ALL });
    expect(read).toEqual({
      ret: 'ok',
      cpages: 4,
      faults: 1,
      tags: [
        [65536, 2, 1],
        [0, 2, 0],
      ],
    });
    expect(b.do({ op: 'dev_read_unlocked', dev: 0, ...ALL }).faults).toBe(0);
    expect(b.do({ op: 'dev_read_unlocked', dev: 0, ...ALL, pages: 5 }).ret).toBe('EFAULT');
    expect(b.do({ op: 'close', dev: 0 }).ret).toBe('ok');
    expect(b.do({ op: 'dev_read_unlocked', dev: 0, ...ALL }).ret).toBe('EBADF');
    expect(b.end()).toEqual([]);
  });

  it('gets every page from the monitor, in every schedule', () => {
    const { found, complete, ends } = every({
      gpu: [{ op: 'dev_read_unlocked', dev: 0, ...ALL }],
      monitor: [{ op: 'uffd_serve', faults: PAGES, tag: 3 }],
    });
    expect([found, complete]).toEqual([[], true]);
    const read = { ret: 'ok', cpages: PAGES, faults: 1, tags: [[3 * 65536, PAGES, 1]] };
    expect(ends).toEqual([{ gpu: [read], monitor: [{ ret: 'ok', done: PAGES }] }]);
  });

  it('waits for ever for one that stops too early', () => {
    const { found } = every({
      gpu: [{ op: 'dev_read_unlocked', dev: 0, ...ALL }],
      monitor: [{ op: 'uffd_serve', faults: PAGES - 1, tag: 3 }],
    });
    expect(found).toEqual([expect.stringContaining('handleUserfault waits for the monitor')]);
  });
});

describe('the monitor', () => {
  it('waits for ever where nobody faults, and says so', () => {
    const b = new Bench();
    b.all(...SETUP);
    expect(() => b.do({ op: 'uffd_serve', faults: 1, tag: 1 })).toThrow(KernelBug);
    expect(b.k.findings.splice(0)[0].title).toBe('waits for ever for a missing fault');
    expect(b.do({ op: 'uffd_stop' })).toEqual({ ret: 'ok' });
    expect(b.do({ op: 'uffd_serve', faults: 1, tag: 1 })).toEqual({ ret: 'ok', done: 0 });
    expect(b.end()).toEqual([]);
  });

  it('lets a fault go on where its page is refused', () => {
    const b = new Bench({ cpus: 2 });
    b.all(...SETUP);
    const { k } = b;
    const run = (name: string, op: LooseOp, cpu = 0) =>
      new Thread(k, name, () => perform(b.system, { proc: 0, ...op } as never), cpu);
    for (const [page, ret] of [
      [0, 'SEGV'],
      [1, 'ok'],
    ] as const) {
      const cpu = run('cpu', { op: 'cpu_write', ...ALL, page, pages: 1, tag: 1 }, 1).run();
      expect(cpu.blocked).toBe(true);
      const monitor = run('monitor', { op: 'uffd_serve', faults: 1, tag: 2 });
      // it has read the fault, and somebody else is faster
      monitor.take();
      if (page === 0) b.all({ op: 'munmap', ...ALL, pages: 1 });
      else {
        b.all({ op: 'uffd_unregister', ...ALL }, { op: 'cpu_read', ...ALL, page: 1, pages: 1 });
        b.all({ op: 'uffd_register', ...ALL });
      }
      expect(monitor.finish()).toEqual({ ret: 'ok', done: 1 });
      expect(cpu.finish().ret).toBe(ret);
    }
    expect(b.end()).toEqual([]);
  });

  it('tries again when there is no memory for its page', () => {
    const b = new Bench({ cpus: 2 });
    b.all(...SETUP);
    const { k } = b;
    const read = { op: 'cpu_read', proc: 0, ...ALL, pages: 1 } as const;
    const cpu = new Thread(k, 'cpu', () => perform(b.system, read), 1);
    cpu.run();
    const op = { op: 'uffd_serve', proc: 0, faults: 1, tag: 2 } as const;
    const monitor = new Thread(k, 'monitor', () => perform(b.system, op));
    k.failAllocations = 1;
    expect(monitor.finish()).toEqual({ ret: 'ok', done: 1 });
    expect(k.failAllocations).toBe(0);
    expect(cpu.finish().tags).toEqual([[2 * 65536, 1, 0]]);
    k.failAllocations = 1;
    expect(b.do({ op: 'uffd_copy', ...ALL, page: 1, pages: 2, tag: 1 })).toEqual({
      ret: 'ENOMEM',
      done: 0,
    });
  });

  it('is met by who takes pages away: they are missing again', () => {
    const { found, complete, ends } = every({
      cpu: [{ op: 'cpu_read', ...ALL, pages: 1 }, { op: 'uffd_stop' }],
      other: [{ op: 'madvise', ...ALL, pages: 1, advice: 'dontneed' }],
      monitor: [{ op: 'uffd_serve', faults: 5, tag: 3 }],
    });
    expect([found, complete]).toEqual([[], true]);
    // never a page of zeros
    const read = ends.map(({ cpu }) => JSON.stringify(cpu[0].tags));
    expect([...new Set(read)]).toEqual([JSON.stringify([[3 * 65536, 1, 0]])]);
    expect(new Set(ends.map(({ monitor }) => monitor[0].done))).toEqual(new Set([1, 2]));
  });
});

describe('migrate on fault where a monitor gives pages', () => {
  it.each(['collect', 'unified'] as const)(
    'is as ever where nothing is missing, walk %s',
    (walk) => {
      const b = new Bench({ walk, pmdOrder: 2, pageBytes: 16 });
      b.all(...SETUP, { op: 'uffd_copy', ...ALL, tag: 1 });
      const { result, counted } = b.counting({
        op: 'fault_migrate_to_dev',
        dev: 0,
        ...ALL,
        write: 1,
      });
      expect(result).toEqual({ ret: 'ok', cpages: PAGES, tags: [[65536, PAGES, 1]] });
      expect(counted.walks).toBe(walk === 'unified' ? 1 : 2);
      expect(b.end()).toEqual([]);
    },
  );

  it('changes nothing of other areas of the chunk before it is refused', () => {
    const states = (['collect', 'unified'] as const).map((walk) => {
      const b = new Bench({ walk });
      b.all(
        { op: 'mmap', ...ALL, prot: 'rw', kind: 'anon' },
        { op: 'cpu_write', ...ALL, pages: 3, tag: 1 },
        { op: 'uffd_register', ...ALL, page: 2, pages: 2 },
      );
      const { ret } = b.do({ op: 'fault_migrate_to_dev', dev: 0, ...ALL, write: 0 });
      const { bits } = b.do({ op: 'pagemap', ...ALL });
      expect(b.end()).toEqual([]);
      return [ret, bits];
    });
    expect(states[0]).toEqual([
      'EFAULT',
      [
        [25, 3],
        [8, 1],
      ],
    ]);
    expect(states[1]).toEqual(states[0]);
  });

  it.each([
    ['the zero page', [{ op: 'cpu_read', ...ALL, page: 1, pages: 1 }]],
    [
      'a large folio with a page of zeros, of which another area maps a part',
      [
        { op: 'madvise', ...ALL, advice: 'hugepage' },
        { op: 'cpu_write', ...ALL, page: 0, pages: 1, tag: 2 },
      ],
    ],
  ] as [string, LooseOp[]][])('leaves the device what it would read otherwise: %s', (_, touch) => {
    const results = (['collect', 'unified'] as const).map((walk) => {
      const b = new Bench({ walk, pmdOrder: 2, pageBytes: 16 });
      b.all({ op: 'mmap', ...ALL, prot: 'rw', kind: 'anon' }, ...touch);
      b.all({ op: 'cpu_read', ...ALL }, { op: 'uffd_register', ...ALL, page: 1, pages: 2 });
      const result = b.do({ op: 'fault_migrate_to_dev', dev: 0, ...ALL, write: 0 });
      const { bits } = b.do({ op: 'pagemap', ...ALL });
      expect(b.end()).toEqual([]);
      return [result, bits];
    });
    expect(results[1]).toEqual(results[0]);
  });
});
