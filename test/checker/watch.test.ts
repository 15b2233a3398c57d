/** What must hold while tasks run: each is broken on purpose, and seen; and what is right is not. */
import { describe, expect, test } from 'vitest';
import {
  check,
  Execution,
  type ProgramState,
  programScenario,
  RandomWalk,
  type Scenario,
} from '../../src/checker/index.ts';
import { DPT_WRITE } from '../../src/drivers/device-table.ts';
import { deviceRange } from '../../src/drivers/driver.ts';
import {
  behind,
  checkNoEntryLeft,
  checkRangeFault,
  checkSelected,
  checkSetup,
} from '../../src/hmm/look/contracts.ts';
import {
  MIGRATE_VMA_FAULT,
  MIGRATE_VMA_SELECT_DEVICE_PRIVATE,
  MIGRATE_VMA_SELECT_SYSTEM,
  type MigrateVma,
  migrateVmaArgs,
} from '../../src/hmm/migrate-args.ts';
import {
  HMM_PFN_COMPOUND,
  HMM_PFN_DMA_MAPPED,
  HMM_PFN_ERROR,
  HMM_PFN_MIGRATE,
  HMM_PFN_REQ_FAULT,
  HMM_PFN_REQ_WRITE,
  HMM_PFN_VALID,
  HMM_PFN_WRITE,
  hmmPfn,
  MIGRATE_PFN_MIGRATE,
  migratePfn,
} from '../../src/hmm/pfn.ts';
import type { HmmRange } from '../../src/hmm/walk-state.ts';
import {
  type Kernel$,
  type Lock,
  type Machine,
  ObjectKind,
  PG_ANON_EXCLUSIVE,
  PTE_WRITE,
  Role,
  type Step,
  StepKind,
} from '../../src/machine/index.ts';
import { cpuReadWord, cpuWriteWord } from '../../src/mm/access.ts';
import { folioAlloc, folioGet, folioPut, freeRamFolio } from '../../src/mm/folio.ts';
import {
  Holder,
  handleMmFault,
  type IntervalNotifierOps,
  type Kernel,
  mprotect,
  munmap,
} from '../../src/mm/index.ts';
import { makeReadableMigrationEntry } from '../../src/mm/leafops.ts';
import { leafPfn } from '../../src/mm/look/leaves.ts';
import { ptepGet, ptepGetAndClear, ptepOf, setPte } from '../../src/mm/pgtable.ts';
import { parseConcurrentProgram } from '../../src/program/index.ts';

type Task = (s: ProgramState) => Kernel$<unknown>;

const SETUP = [
  { op: 'mmap', buf: 0, page: 0, pages: 2, prot: 'rw', kind: 'anon' },
  { op: 'cpu_write', buf: 0, page: 0, pages: 2, tag: 3 },
];

function base(
  tasks: object = { a: [{ op: 'cpu_read', buf: 0, page: 0, pages: 1 }] },
  setup = SETUP,
) {
  const machine = { pmdOrder: 2, pageBytes: 16 };
  const program = parseConcurrentProgram({ name: 'test', machine, setup, tasks, after: [] });
  return programScenario(program);
}

/**
 * A scenario whose tasks are functions, each behind a first step; what they leave behind is not looked at, nor the references
 * that they do not care for.
 */
function scenario(
  tasks: Record<string, Task>,
  setup = SETUP,
  ledger = false,
): Scenario<ProgramState> {
  const { check: _check, shutdown: _shutdown, ...rest } = base(undefined, setup);
  const later = Object.entries(tasks).map(([name, body]) => {
    const task: Task = function* task(s) {
      yield s.system.kernel.step(StepKind.Shared, ObjectKind.Program, 1, Role.Read);
      yield* body(s);
    };
    return [name, task] as const;
  });
  return {
    ...rest,
    tasks: Object.fromEntries(later),
    setup(options) {
      const s = rest.setup(options);
      if (!ledger) s.system.kernel.ledger = null;
      return s;
    },
  };
}

/** Titles of what random schedules find. */
function found(of: Scenario<never> | Scenario<ProgramState>, schedules = 40, walk = 'unified') {
  const strategy = () => new RandomWalk({ seed: 1 });
  const options = { strategy, schedules, findings: 20, walk: walk as 'unified' };
  return check(of as Scenario, options).found;
}

const titles = (...args: Parameters<typeof found>) => found(...args).map(({ title }) => title);

/** The step before a device enters a page into its table. */
const enters = ({ system }: ProgramState): Step =>
  system.kernel.step(
    StepKind.Shared,
    ObjectKind.DeviceEntry,
    system.mirrors[0].mutex.id,
    Role.Write,
  );

const place = ({ system }: ProgramState, page = 0) => ({
  k: system.kernel,
  mm: system.process(0).mm,
  vpn: system.kernel.geometry.vpnOf(0, page),
});

/** Somebody else's turns. */
function* pause(k: Kernel, turns = 1): Kernel$<void> {
  for (let i = 0; i < turns; i++) if (k.stepping) yield k.allocateStep();
}

function* read(s: ProgramState): Kernel$<void> {
  const { k, mm, vpn } = place(s);
  yield* cpuReadWord(k, mm, vpn);
}

function* write(s: ProgramState): Kernel$<void> {
  const { k, mm, vpn } = place(s);
  yield* cpuWriteWord(k, mm, vpn, 77);
}

function* readTwice(s: ProgramState): Kernel$<void> {
  yield* read(s);
  yield* read(s);
}

describe('data', () => {
  test('a page that is replaced by an older copy of it', () => {
    const lose: Task = function* lose(s) {
      const { k, mm, vpn } = place(s);
      const ptep = ptepOf(k, mm, vpn);
      const pte = ptepGet(k, ptep);
      const copy = folioAlloc(k, 0);
      k.frames.copy(copy, pte >>> 11);
      yield* pause(k);
      k.frames.copy(pte >>> 11, copy);
    };
    expect(titles(scenario({ lose, write, readTwice }))).toContain(
      'a CPU reads a value that was overwritten in cpuReadWord',
    );
    // nobody reads it again: what memory holds at the end is looked at too
    expect(titles(scenario({ lose, write }))[0]).toMatch(
      /^a page ends with a value that was overwritten/,
    );
  });

  test('a page that is lost, and another page’s data', () => {
    const zap: Task = function* zap(s) {
      const { k, mm, vpn } = place(s);
      yield* pause(k);
      yield k.writeEntry(ptepOf(k, mm, vpn));
      ptepGetAndClear(k, ptepOf(k, mm, vpn));
      k.flushTlbSpace(mm.id);
    };
    expect(titles(scenario({ zap, read }))).toContain(
      'a CPU reads what was there before the first write in cpuReadWord',
    );
    const mix: Task = function* mix(s) {
      const { k } = place(s);
      const [a, b] = [0, 1].map((page) => ptepOf(k, place(s).mm, place(s, page).vpn));
      yield* pause(k);
      yield k.writeEntry(a);
      setPte(k, a, ptepGet(k, b));
      k.flushTlbSpace(place(s).mm.id);
    };
    expect(titles(scenario({ mix, read }))).toContain(
      'a CPU reads data of another page in cpuReadWord',
    );
  });

  test('a page that was freed', () => {
    const free: Task = function* free(s) {
      const { k, mm, vpn } = place(s);
      yield* pause(k);
      k.frames.fill(ptepGet(k, ptepOf(k, mm, vpn)) >>> 11, 0xdb);
    };
    expect(titles(scenario({ free, read }))).toContain(
      'a CPU reads a page that was freed in cpuReadWord',
    );
  });

  test('a device that reads what it wrote over', () => {
    const scene = scenario({
      *device(s) {
        const { k, vpn } = place(s);
        const [mirror] = s.system.mirrors;
        yield k.step(StepKind.DeviceAccess, ObjectKind.Frame, 1, Role.Read);
        k.monitor?.onDeviceAccess(
          mirror.mm.id,
          vpn,
          1,
          new Uint8Array(16).fill(7),
          false,
          mirror.device,
        );
        yield* pause(k);
      },
    });
    expect(titles(scene)[0]).toMatch(/^a device reads a value that nobody wrote/);
  });

  test('rights that were taken away', () => {
    const late: Task = function* late(s) {
      const { k, mm, vpn } = place(s);
      yield* pause(k);
      const pte = ptepGet(k, ptepOf(k, mm, vpn));
      yield* pause(k, 30);
      yield k.step(StepKind.CpuAccess, ObjectKind.Frame, pte >>> 11, Role.Write);
      // a translation that nobody flushed
      k.tlbs[k.current.cpu].fill(mm.id, vpn, pte);
      k.monitor?.onCpuAccess(mm.id, vpn, pte >>> 11, 5, true);
    };
    const gone = base({ late: [], unmap: [{ op: 'munmap', buf: 0, page: 0, pages: 1 }] });
    const { check: _c, shutdown: _s, ...rest } = gone;
    const unmapped = titles({ ...rest, tasks: { late, unmap: gone.tasks.unmap } }, 200);
    expect(unmapped.some((t) => /writes (to a free page|where nothing is mapped)/.test(t))).toBe(
      true,
    );
    const less = base({
      late: [],
      protect: [{ op: 'mprotect', buf: 0, page: 0, pages: 1, prot: 'r' }],
    });
    const { check: _d, shutdown: _t, ...other } = less;
    expect(titles({ ...other, tasks: { late, protect: less.tasks.protect } }, 200)).toContain(
      'a CPU writes where the process may not any more in late',
    );
  });

  const right: [string, object][] = [
    ['dontneed', { a: [{ op: 'madvise', buf: 0, page: 0, pages: 2, advice: 'dontneed' }] }],
    [
      'free',
      {
        a: [
          { op: 'madvise', buf: 0, page: 0, pages: 2, advice: 'free' },
          { op: 'madvise', buf: 0, page: 0, pages: 2, advice: 'pageout' },
        ],
      },
    ],
    [
      'fork',
      {
        a: [
          { op: 'fork', child: 1 },
          { op: 'cpu_read', proc: 1, buf: 0, page: 0, pages: 2 },
        ],
      },
    ],
    [
      'mremap',
      {
        a: [
          { op: 'mremap', buf: 0, page: 0, pages: 1, toBuf: 1, toPage: 0 },
          { op: 'cpu_read', buf: 1, page: 0, pages: 1 },
        ],
      },
    ],
    [
      'munmap',
      {
        a: [
          { op: 'munmap', buf: 0, page: 0, pages: 1 },
          { op: 'mmap', buf: 0, page: 0, pages: 1, prot: 'rw', kind: 'anon' },
        ],
      },
    ],
    [
      'mprotect',
      {
        a: [
          { op: 'mprotect', buf: 0, page: 0, pages: 2, prot: 'r' },
          { op: 'mprotect', buf: 0, page: 0, pages: 2, prot: 'rw' },
        ],
      },
    ],
    [
      'device',
      {
        a: [
          { op: 'fault_migrate_to_dev', dev: 0, buf: 0, page: 0, pages: 2, write: 1 },
          { op: 'dev_write', dev: 0, buf: 0, page: 0, pages: 2, tag: 9 },
        ],
      },
    ],
    ['exclusive', { a: [{ op: 'exclusive', dev: 0, buf: 0, page: 0, pages: 2 }] }],
  ];
  test.each(right)('%s against a CPU and a device: nothing', (_name, tasks) => {
    const all = {
      ...tasks,
      b: [
        { op: 'cpu_write', buf: 0, page: 0, pages: 2, tag: 5 },
        { op: 'cpu_read', buf: 0, page: 0, pages: 2 },
      ],
      c: [{ op: 'dev_read', dev: 0, buf: 0, page: 0, pages: 1 }],
    };
    for (const walk of ['collect', 'unified']) expect(titles(base(all), 60, walk)).toEqual([]);
  });
});

describe('translations', () => {
  test('a page that is freed without a flush', () => {
    const zap: Task = function* zap(s) {
      const { k, mm, vpn } = place(s);
      yield* pause(k);
      yield k.writeEntry(ptepOf(k, mm, vpn));
      const pte = ptepGetAndClear(k, ptepOf(k, mm, vpn));
      k.pages.mapcount[pte >>> 11] = 0;
      freeRamFolio(k, pte >>> 11);
    };
    expect(titles(scenario({ zap, read }))).toContain(
      'a page is freed that a CPU still reaches in freeRamFolio',
    );
  });

  test('a page that is moved while a CPU or a device may write to it', () => {
    const move: Task = function* move(s) {
      const { k, mm, vpn } = place(s);
      yield* pause(k);
      if (s.results.flush) k.flushTlbSpace(mm.id);
      yield* s.system.mirrors[0].device.copyIn(1, ptepGet(k, ptepOf(k, mm, vpn)) >>> 11, 1);
    };
    const inDevice = { ...scenario({ move, write }) };
    const setup = inDevice.setup;
    inDevice.setup = (options) => {
      const s = setup(options);
      const { k, mm, vpn } = place(s);
      s.system.mirrors[0].device.devicePage = () => 0;
      s.system.mirrors[0].device.memory?.ensure(1);
      s.system.mirrors[0].pt.store(vpn, ptepGet(k, ptepOf(k, mm, vpn)) >>> 11, DPT_WRITE);
      return s;
    };
    expect(titles(inDevice)).toContain('a page is moved that a CPU still can write to in copy');
    const flushed = {
      ...inDevice,
      setup: (o: object) => {
        const s = inDevice.setup(o);
        s.results.flush = [];
        return s;
      },
    };
    expect(titles(flushed)).toContain('a page is moved that a device still can write to in copy');
  });

  test('a device that does not hear', () => {
    const deaf: IntervalNotifierOps = {
      *invalidate(k) {
        yield* pause(k);
        return true;
      },
    };
    const scene = scenario(
      {
        *unmap(s) {
          const { k, mm, vpn } = place(s);
          yield* munmap(k, mm, vpn, vpn + 1);
        },
      },
      [...SETUP, { op: 'dev_read', dev: 0, buf: 0, page: 0, pages: 1 } as never],
    );
    const { setup } = scene;
    const broken = {
      ...scene,
      setup: (o: object) => {
        const s = setup(o);
        Object.assign(s.system.mirrors[0].notifier, { ops: deaf });
        return s;
      },
    };
    expect(titles(broken)).toContain(
      'a device keeps a page that was invalidated in mmuNotifierInvalidateRangeStart',
    );
  });

  test('a device that maps what is being invalidated', () => {
    const map: Task = function* map(s) {
      const { k, mm, vpn } = place(s);
      const pfn = ptepGet(k, ptepOf(k, mm, vpn)) >>> 11;
      yield* pause(k, 12);
      yield enters(s);
      s.system.mirrors[0].map(vpn, pfn, DPT_WRITE);
    };
    const protect: Task = function* protect(s) {
      const { k, mm, vpn } = place(s);
      yield* mprotect(k, mm, vpn, vpn + 1, 1);
    };
    expect(titles(scenario({ map, protect }), 300)).toContain(
      'a device maps a page that is being invalidated in map',
    );
  });

  test('a page that the process may share', () => {
    const share: Task = function* share(s) {
      const { k, mm, vpn } = place(s);
      yield* pause(k);
      const pfn = ptepGet(k, ptepOf(k, mm, vpn)) >>> 11;
      k.pages.flags[pfn] &= ~PG_ANON_EXCLUSIVE;
    };
    expect(titles(scenario({ share, write }))).toContain(
      'a CPU writes to a page that the process may share in cpuWriteWord',
    );
  });

  test('a page that a device has for itself', () => {
    const take: Task = function* take(s) {
      const { k, mm, vpn } = place(s);
      const pfn = ptepGet(k, ptepOf(k, mm, vpn)) >>> 11;
      yield* pause(k);
      yield enters(s);
      s.system.mirrors[0].map(vpn, pfn, 1);
    };
    expect(titles(scenario({ take, readTwice }))).toContain(
      'a CPU reaches a page that a device has for itself in cpuReadWord',
    );
  });
});

describe('locks', () => {
  const taking = (first: 'a' | 'b', second: 'a' | 'b'): Task =>
    function* inOrder(s) {
      const { k } = place(s);
      const of = { a: s.system.mirrors[0].device.devmemLock, b: s.system.mirrors[0].mutex };
      for (const name of [first, second]) {
        if (k.stepping) yield k.acquire(of[name]);
        k.lock(of[name]);
      }
      for (const name of [second, first]) {
        if (k.stepping) yield k.release(of[name]);
        k.unlock(of[name]);
      }
    };

  test('a circle that did not close yet', () => {
    const x = new Execution(scenario({ one: taking('a', 'b'), other: taking('b', 'a') }));
    x.reset();
    while (!x.running[0].done) x.take(0, false);
    expect(x.finding).toBeNull();
    while (!x.running[1].done) x.take(1, false);
    expect(x.finding).toMatchObject({
      invariant: 'lock order',
      title: 'locks are taken in a circle: memory of device, mirror of device, memory of device',
      function: 'inOrder',
    });
    expect(x.finding?.detail).toContain(
      'mirror of device while holding memory of device in inOrder',
    );
    expect(x.finding?.detail).toContain(
      'memory of device while holding mirror of device in inOrder',
    );
  });

  test('one order: nothing', () => {
    expect(titles(scenario({ one: taking('a', 'b'), other: taking('a', 'b') }))).toEqual([]);
  });

  /** Takes two locks of one kind, one after the other; under a third, if any. */
  function* pair(k: Machine, first: Lock, second: Lock, gate: Lock | null): Kernel$<void> {
    for (const lock of [gate, first, second]) {
      if (!lock) continue;
      if (k.stepping) yield k.acquire(lock);
      k.lock(lock);
    }
    for (const lock of [second, first, gate]) {
      if (!lock) continue;
      if (k.stepping) yield k.release(lock);
      k.unlock(lock);
    }
  }

  test.each([
    [
      'two of a kind in both orders',
      false,
      ['two locks of one kind are taken in both orders: page table in pair'],
    ],
    ['the same under a third lock: nothing', true, []],
  ])('%s', (_name, gated, expected) => {
    const task = (turned: boolean): Task =>
      function* tables(s) {
        const { k, mm } = place(s);
        const [a, b] = [k.tables.locks[1], k.tables.locks[2]];
        yield* pair(k, turned ? b : a, turned ? a : b, gated ? mm.mmapLock : null);
      };
    const seen = titles(scenario({ one: task(false), other: task(true) }), 100);
    expect(seen.filter((title) => !title.includes('wait'))).toEqual(expected);
  });

  /** Allocates while it holds a device's mutex, or its memory's lock. */
  const allocating = (name: 'mutex' | 'memory'): Task =>
    function* allocates(s) {
      const { k } = place(s);
      const { device, mutex } = s.system.mirrors[0];
      const lock = name === 'mutex' ? mutex : device.devmemLock;
      if (k.stepping) yield k.acquire(lock);
      k.lock(lock);
      k.mightAlloc();
      if (k.stepping) yield k.release(lock);
      k.unlock(lock);
    };

  const unmapping: Task = function* unmapping(s) {
    const { k, mm, vpn } = place(s);
    yield* munmap(k, mm, vpn, vpn + 1);
  };

  test('an allocation under a lock that a notifier takes', () => {
    const circle = ['fs_reclaim', 'mmu_notifier_invalidate_range_start', 'mirror of device'];
    const seen = titles(scenario({ one: allocating('mutex'), other: unmapping }));
    const title = `locks are taken in a circle: ${[...circle, circle[0]].join(', ')}`;
    expect(seen.map((one) => one.replace(/ in \w+$/, ''))).toContain(title);
  });

  test('an allocation under a lock that no notifier takes: nothing', () => {
    expect(titles(scenario({ one: allocating('memory'), other: unmapping }))).toEqual([]);
  });

  test('an allocation under a spinlock', () => {
    const spins: Task = function* spins(s) {
      const { k } = place(s);
      const lock = k.tables.locks[1];
      if (k.stepping) yield k.acquire(lock);
      k.lock(lock);
      k.mightAlloc();
      if (k.stepping) yield k.release(lock);
      k.unlock(lock);
    };
    expect(titles(scenario({ spins }))).toEqual(['sleeps for memory under a spinlock in spins']);
  });

  test('a lock for reading twice', () => {
    const twice: Task = function* twice(s) {
      const { k, mm } = place(s);
      for (let i = 0; i < 2; i++) {
        if (k.stepping) yield k.acquire(mm.mmapLock, true);
        k.lockShared(mm.mmapLock);
      }
      for (let i = 0; i < 2; i++) k.unlockShared(mm.mmapLock);
    };
    expect(titles(scenario({ twice }))).toContain(
      'mmap_lock of address space is taken for reading by a task that has it already in twice',
    );
  });
});

describe('references', () => {
  const wrong: Record<string, Task> = {
    *drops(s) {
      const { k, mm, vpn } = place(s);
      yield* pause(k);
      yield* folioPut(k, ptepGet(k, ptepOf(k, mm, vpn)) >>> 11, Holder.Pin);
    },
    *frees(s) {
      const { k } = place(s);
      const folio = folioAlloc(k, 0);
      folioGet(k, folio, Holder.Fault);
      yield* pause(k);
      k.pages.refcount[folio] = 0;
      freeRamFolio(k, folio);
    },
  };

  test('of a holder that has none', () => {
    const [first] = found(scenario({ drops: wrong.drops }, SETUP, true));
    expect(first.title).toBe("a reference is dropped as pin's, who holds none in folioPutTestzero");
    expect(first.finding.detail).toMatch(/held by mapping \(last by task \d+ at step \d+\)/);
  });

  test('that are left when a folio is freed; a replay names who took them', () => {
    expect(titles(scenario({ frees: wrong.frees }, SETUP, true))).toEqual([
      'a folio is freed that allocation holds in freeRamFolio',
    ]);
    const strategy = () => new RandomWalk({ seed: 1 });
    const scene = scenario({ frees: wrong.frees }, SETUP, true) as Scenario;
    const [replayed] = check(scene, { strategy, schedules: 1, ledger: true }).found;
    expect(replayed.title).toBe('a folio is freed that allocation holds in freeRamFolio');
    expect(replayed.finding.detail).toContain('fault (taken in frees)');
  });

  test('a leak is found at the end, with its holder', () => {
    const leak: Task = function* leak(s) {
      const { k, mm, vpn } = place(s);
      yield* pause(k);
      folioGet(k, ptepGet(k, ptepOf(k, mm, vpn)) >>> 11, Holder.Migrate);
    };
    const [first] = found({ ...base(), tasks: { leak } });
    expect(first.title).toBe('migration holds N references by the ledger, counted N in page N');
    expect(first.finding.detail).toContain('migration (last by task');
  });
});

describe('use after free', () => {
  test('an entry of a free table, an area that is gone, a lock of a free folio', () => {
    const table: Task = function* table(s) {
      const { k, mm, vpn } = place(s);
      const ptep = ptepOf(k, mm, vpn);
      k.tables.release(k.tables.tableOf(ptep));
      yield* pause(k);
      setPte(k, ptep, PTE_WRITE);
    };
    expect(titles(scenario({ table }))).toContain(
      'an entry of a free page table is written in setPte',
    );
    const area: Task = function* area(s) {
      const { k, mm, vpn } = place(s);
      const vma = mm.lookupVma(vpn);
      yield* munmap(k, mm, vpn, vpn + 2);
      if (vma) yield* handleMmFault(k, vma, vpn, 0);
    };
    expect(titles(scenario({ area }))[0]).toMatch(/^an area that was freed is used in /);
    const folio: Task = function* folio(s) {
      const { k } = place(s);
      const page = folioAlloc(k, 0);
      yield* folioPut(k, page, Holder.Alloc);
      yield k.tryAcquireFolio(page);
      k.folioTryLock(page);
    };
    expect(titles(scenario({ folio }))).toContain('a free folio is locked in folio');
  });
});

describe('contracts', () => {
  const range = (s: ProgramState, write: boolean): HmmRange => {
    const { vpn } = place(s);
    const request = HMM_PFN_REQ_FAULT | (write ? HMM_PFN_REQ_WRITE : 0);
    const made = deviceRange(s.system.mirrors[0], 1, request);
    made.start = vpn;
    made.end = vpn + 1;
    return made;
  };

  test('a range fault that does not give what was asked for', () => {
    const short: Task = function* short(s) {
      const { k } = place(s);
      yield* pause(k);
      const asked = range(s, true);
      checkRangeFault(k, asked, new Int32Array(1));
    };
    expect(titles(scenario({ short }))).toEqual([
      'a range fault succeeds without a page that was asked for in short',
    ]);
    const weak: Task = function* weak(s) {
      const { k } = place(s);
      yield* pause(k);
      const asked = range(s, true);
      asked.hmmPfns[0] = HMM_PFN_VALID;
      checkRangeFault(k, asked, new Int32Array(1));
    };
    expect(titles(scenario({ weak }))).toEqual([
      'a range fault succeeds without the write access that was asked for in weak',
    ]);
  });

  test('a range fault that loses a flag of the caller, or takes a hole for a page', () => {
    const loses: Task = function* loses(s) {
      const { k } = place(s);
      yield* pause(k);
      const asked = range(s, false);
      asked.hmmPfns[0] = HMM_PFN_VALID;
      checkRangeFault(k, asked, new Int32Array([HMM_PFN_DMA_MAPPED]));
    };
    expect(titles(scenario({ loses }))).toEqual([
      'a range fault loses a flag that the caller keeps with a page in loses',
    ]);
    const hole: Task = function* hole(s) {
      const { k } = place(s);
      yield* pause(k);
      const asked = range(s, false);
      asked.hmmPfns[0] = hmmPfn(k.zeroPfn, HMM_PFN_VALID | HMM_PFN_MIGRATE);
      checkRangeFault(k, asked, new Int32Array(1));
    };
    expect(titles(scenario({ hole }))).toEqual([
      'a range fault gives a hole that is to be populated as a page in hole',
    ]);
  });

  test('a range fault that gives what was asked for', () => {
    const gives: Task = function* gives(s) {
      const { k } = place(s);
      yield* pause(k);
      const asked = range(s, true);
      const free = new Int32Array(1);
      for (const entry of [HMM_PFN_MIGRATE, HMM_PFN_VALID | HMM_PFN_WRITE]) {
        asked.hmmPfns[0] = entry;
        checkRangeFault(k, asked, free);
      }
      // nothing is asked for
      asked.defaultFlags = 0;
      asked.hmmPfns[0] = 0;
      checkRangeFault(k, asked, free);
      // a huge page that is to be migrated: its first entry speaks for all
      asked.defaultFlags = HMM_PFN_REQ_FAULT;
      const pages = k.geometry.ptrsPerPte;
      const whole = { ...asked, hmmPfns: new Int32Array(pages) };
      whole.hmmPfns[0] = HMM_PFN_MIGRATE | HMM_PFN_COMPOUND;
      checkRangeFault(k, whole, new Int32Array(pages));
    };
    expect(titles(scenario({ gives }))).toEqual([]);
    const error: Task = function* error(s) {
      const { k } = place(s);
      yield* pause(k);
      const asked = range(s, false);
      asked.hmmPfns[0] = HMM_PFN_ERROR;
      checkRangeFault(k, asked, new Int32Array(1));
    };
    expect(titles(scenario({ error }))).toEqual([
      'a range fault succeeds with an error at a page in error',
    ]);
  });

  test('a migration that miscounts, or writes behind its arrays', () => {
    const wrong = (spoil: (args: MigrateVma) => void): Task =>
      function* setup(s) {
        const { k, mm, vpn } = place(s);
        const args = migrateVmaArgs(2, s.system.mirrors[0].device);
        args.vma = mm.lookupVma(vpn) ?? null;
        args.start = vpn;
        args.end = vpn + 1;
        args.npages = 1;
        const before = behind(k, args);
        args.dst.fill(0, 0, 1);
        yield* pause(k);
        spoil(args);
        if (before) checkSetup(k, args, before, 0);
      };
    const miscounts = wrong((args) => {
      args.cpages = 1;
    });
    expect(titles(scenario({ miscounts }))[0]).toMatch(
      /^a migration counts other pages than those/,
    );
    const beyond = wrong((args) => {
      args.dst[1] = 0;
    });
    expect(titles(scenario({ beyond }))[0]).toMatch(/^a migration writes behind the end/);
  });

  test('a migration that fails for a page that stays, or takes one that was not selected', () => {
    const wrong = (
      flags: number,
      spoil: (k: Kernel, args: MigrateVma, page: number) => void,
    ): Task =>
      function* setup(s) {
        const { k, mm, vpn } = place(s);
        const args = migrateVmaArgs(2, s.system.mirrors[0].device);
        args.flags = flags;
        args.npages = 2;
        yield* pause(k);
        spoil(k, args, leafPfn(ptepGet(k, ptepOf(k, mm, vpn))));
      };
    const setupReturns = (flags: number, ret: number) =>
      wrong(flags, (k, args) => checkSetup(k, args, [new Int32Array(2), new Int32Array(2)], ret));
    const fails = 'a migration that need not fault fails for a page that stays in setup';
    expect(titles(scenario({ fails: setupReturns(0, -14) }))).toContain(fails);
    expect(titles(scenario({ mayFail: setupReturns(MIGRATE_VMA_FAULT, -14) }))).not.toContain(
      fails,
    );
    const takes = (flags: number) =>
      wrong(flags, (k, args, page) => {
        // a hole is nobody's
        args.src.set([MIGRATE_PFN_MIGRATE, migratePfn(page) | MIGRATE_PFN_MIGRATE]);
        checkSelected(k, args);
      });
    const other = 'a migration takes a page of RAM that was not selected in setup';
    const [SYSTEM, DEVICE] = [MIGRATE_VMA_SELECT_SYSTEM, MIGRATE_VMA_SELECT_DEVICE_PRIVATE];
    expect(titles(scenario({ other: takes(DEVICE) }))).toEqual([other]);
    expect(titles(scenario({ right: takes(SYSTEM) }))).toEqual([]);
    const there = [...SETUP, { op: 'migrate_to_dev', dev: 0, buf: 0, page: 0, pages: 1 }] as never;
    expect(titles(scenario({ right: takes(DEVICE) }, there))).toEqual([]);
    expect(titles(scenario({ other: takes(SYSTEM) }, there))).toEqual([
      other.replace('RAM', 'the device'),
    ]);
  });

  test('a migration entry that is left', () => {
    const left: Task = function* left(s) {
      const { k, mm, vpn } = place(s);
      const ptep = ptepOf(k, mm, vpn);
      const page = ptepGet(k, ptep) >>> 11;
      yield* pause(k);
      yield k.writeEntry(ptep);
      setPte(k, ptep, makeReadableMigrationEntry(page));
      checkNoEntryLeft(k, page, 1);
    };
    expect(titles(scenario({ left }))[0]).toMatch(/^a migration entry is left of a folio/);
  });
});

describe('progress', () => {
  test('a deadlock says which functions wait for what, and who holds what', () => {
    const take = (turned: boolean): Task =>
      function* take(s) {
        const { k } = place(s);
        const both = [s.system.mirrors[0].mutex, s.system.mirrors[0].device.devmemLock];
        if (turned) both.reverse();
        for (const lock of both) {
          if (k.stepping) yield k.acquire(lock);
          k.lock(lock);
        }
        for (const lock of both.reverse()) {
          if (k.stepping) yield k.release(lock);
          k.unlock(lock);
        }
      };
    const scene = scenario({ one: take(false), other: take(true) });
    const x = new Execution(scene as Scenario);
    x.reset();
    for (const task of [0, 0, 1, 1]) x.take(task, false);
    expect(x.enabled()).toBe(0);
    x.deadlock();
    expect(x.finding).toMatchObject({
      invariant: 'deadlock',
      title: 'take waits for memory of device; take waits for mirror of device',
    });
    expect(x.finding?.detail).toMatch(
      /one: take < task, holds mirror of device; other: take < task, holds memory/,
    );
  });

  test('a lock that the task holds', () => {
    const again: Task = function* again(s) {
      const { k, mm } = place(s);
      for (let i = 0; i < 2; i++) {
        if (k.stepping) yield k.acquire(mm.mmapLock);
        k.lock(mm.mmapLock);
      }
    };
    expect(titles(scenario({ again }))).toEqual([
      'again waits for mmap_lock of address space, which it holds',
    ]);
  });
});
