/** A walk meets another task: the test decides, step by step, who goes on. */
import { describe, expect, it } from 'vitest';
import {
  HMM_PFN_MIGRATE,
  HMM_PFN_REQ_FAULT,
  HMM_PFN_REQ_WRITE,
  HMM_PFN_VALID,
  HMM_PFN_WRITE,
  hmmPfnToPfn,
  hmmRangeFault,
  MIGRATE_PFN_MIGRATE,
  migrateVmaSetup,
} from '../../src/hmm/index.ts';
import {
  EBUSY,
  type Kernel$,
  type Lock,
  ObjectKind,
  runToEnd,
  StepKind,
} from '../../src/machine/index.ts';
import { cpuReadWord, cpuWriteWord, madvise, munmap } from '../../src/mm/index.ts';
import { leafPfn } from '../../src/mm/look/leaves.ts';
import { pmdpOf, ptlOf } from '../../src/mm/pgtable.ts';
import {
  args,
  entry,
  giveUp,
  migratingRange,
  range,
  rangeFault,
  underMmapLock,
  unprepare,
} from '../support/migration.ts';
import { Bench, type LooseOp } from '../support/system.ts';
import { Thread, takes } from '../support/thread.ts';

const PAGES = 512;
const FAULT = HMM_PFN_REQ_FAULT;
const WRITE = HMM_PFN_REQ_FAULT | HMM_PFN_REQ_WRITE;
const part = (page: number, pages: number) => ({ buf: 0, page, pages });

function bench(walk: 'collect' | 'unified' | 'as-posted', ...ops: LooseOp[]): Bench {
  const b = new Bench({ walk, cpus: 2, ledger: true });
  b.all({ op: 'mmap', ...part(0, PAGES), prot: 'rw', kind: 'anon' }, ...ops);
  return b;
}
const written = (page: number, pages: number): LooseOp => ({
  op: 'cpu_write',
  ...part(page, pages),
  tag: 1,
});

function thread<T>(b: Bench, name: string, body: () => Kernel$<T>, cpu = 0): Thread<T> {
  return new Thread(b.k, name, body, cpu);
}

const mmOf = (b: Bench) => b.system.process(0).mm;
/** The lock of the lowest table, and of the one above it. */
function locks(b: Bench): { pte: Lock; pmd: Lock } {
  const pmdp = pmdpOf(b.k, mmOf(b), b.vpn(0, 0));
  return {
    pmd: ptlOf(b.k, pmdp),
    pte: b.k.tables.locks[leafPfn(b.k.tables.entries[pmdp])],
  };
}

/** Frees the lowest table: everything in it is given up. */
function* dropTable(b: Bench): Kernel$<void> {
  yield* madvise(b.k, mmOf(b), b.vpn(0, 0), b.vpn(0, PAGES), 'dontneed');
}

describe('a page that is on its way', () => {
  it.each(['collect', 'unified', 'as-posted'] as const)(
    '%s: a range fault waits until the migration is over, a snapshot does not',
    (walk) => {
      const b = bench(walk, written(0, 4));
      const migrate = args(b, 0, 4);
      const mover = thread(b, 'mover', () =>
        underMmapLock(b, function* () {
          yield* migrateVmaSetup(b.k, migrate);
          yield* giveUp(b, migrate);
        }),
      );
      // prepared, and about to be put back
      mover.until(() => migrate.cpages === 4 && mover.task.spinDepth === 0);
      const look = range(b, 0, 4);
      expect(thread(b, 'snapshot', () => rangeFault(b, look), 1).finish()).toBe(0);
      expect([...look.hmmPfns]).toEqual([0, 0, 0, 0]);
      const r = range(b, 0, 4, { defaultFlags: WRITE });
      const fault = thread(b, 'fault', () => rangeFault(b, r), 1).run();
      expect(fault.done).toBe(false);
      expect(fault.blocked).toBe(true);
      expect(fault.step?.kind).toBe(StepKind.Wait);
      mover.finish();
      fault.finish();
      // the migration invalidated nobody but itself: the walk went on where it was
      expect(fault.value).toBe(0);
      expect([...r.hmmPfns].every((pfn) => pfn & HMM_PFN_WRITE)).toBe(true);
      expect(b.end()).toEqual([]);
    },
  );

  it('a CPU waits for it as well, and then reads what was written', () => {
    const b = bench('unified', written(0, 2));
    const r = migratingRange(b, 0, 2);
    const mover = thread(b, 'mover', function* () {
      yield* rangeFault(b, r);
      yield* unprepare(b, r);
    });
    mover.until(() => (r.hmmPfns[1] & HMM_PFN_MIGRATE) !== 0);
    const reader = thread(b, 'reader', () => cpuReadWord(b.k, mmOf(b), b.vpn(0, 1)), 1).run();
    // the CPU's own TLB was flushed: it cannot read past the migration
    expect(reader.done).toBe(false);
    mover.finish();
    expect(reader.finish()).toBe(65536 + 1);
    expect(b.end()).toEqual([]);
  });

  it('of one’s own walk is not waited for when another round comes by', () => {
    const b = bench('unified', written(0, 3));
    b.all({ op: 'exclusive', dev: 0, ...part(3, 1) });
    const r = migratingRange(b, 0, 4, { defaultFlags: FAULT });
    const walker = thread(b, 'walker', () => rangeFault(b, r));
    expect(walker.finish()).toBe(0);
    expect([...r.hmmPfns].every((pfn) => pfn & HMM_PFN_MIGRATE)).toBe(true);
    walker.also(() => unprepare(b, r));
    expect(b.end()).toEqual([]);
  });
});

describe('an invalidation between two rounds', () => {
  /** Runs `other` when the walk has made its fault and is about to look again. */
  function between(b: Bench, r: ReturnType<typeof range>, other: () => Kernel$<unknown>) {
    const walker = thread(b, 'walker', () => rangeFault(b, r));
    const { faults } = b.k.counters;
    // the hint whether the range is still good, without the driver's lock
    walker.until(({ kind, object, write }) => {
      if (b.k.counters.faults === faults) return false;
      return kind === StepKind.Shared && object === ObjectKind.Sequence && !write;
    });
    thread(b, 'other', other, 1).finish();
    return walker;
  }
  const unmapped = (b: Bench) => () => madvise(b.k, mmOf(b), b.vpn(0, 0), b.vpn(0, 1), 'dontneed');

  it('ends a plain walk', () => {
    const b = bench('unified', written(0, 2));
    const r = range(b, 0, 4, { defaultFlags: FAULT });
    const walker = between(b, r, unmapped(b));
    expect(walker.finish()).toBe(-EBUSY);
    expect(b.end()).toEqual([]);
  });

  it('does not end a migrating walk: prepared pages stay, the others are looked at again', () => {
    const b = bench('unified', written(0, 2));
    const r = migratingRange(b, 0, 4, { pfnFlagsMask: FAULT });
    r.hmmPfns.fill(FAULT);
    const sequence = r.notifierSeq;
    const walker = between(b, r, unmapped(b));
    expect(walker.finish()).toBe(0);
    expect(r.notifierSeq).not.toBe(sequence);
    // page 0 was prepared when its entry went: it migrates, and is gone when it is put back
    expect([...r.hmmPfns].every((pfn) => pfn & HMM_PFN_MIGRATE)).toBe(true);
    walker.also(() => unprepare(b, r));
    expect(entry(b, 0).get()).toBe(0);
    expect(b.end()).toEqual([]);
  });

  it('of a walk that asks the same of every page: the same', () => {
    const b = bench('unified', written(0, 2));
    b.all({ op: 'exclusive', dev: 0, ...part(2, 1) });
    const r = migratingRange(b, 0, 4, { defaultFlags: FAULT });
    const walker = between(b, r, unmapped(b));
    expect(walker.finish()).toBe(0);
    expect([...r.hmmPfns].every((pfn) => pfn & HMM_PFN_MIGRATE)).toBe(true);
    walker.also(() => unprepare(b, r));
    expect(b.end()).toEqual([]);
  });

  it('faults what went meanwhile, up to the first page that is prepared', () => {
    const b = bench('unified', written(0, 3));
    const folio = leafPfn(entry(b, 0).get());
    const holder = thread(b, 'holder', function* () {
      if (b.k.stepping) yield b.k.acquireFolio(folio);
      b.k.folioLock(folio);
      if (b.k.stepping) yield b.k.releaseFolio(folio);
      b.k.folioUnlock(folio);
    });
    holder.take();
    // page 0 is locked, and looked at only; 1 and 2 are prepared; 3 is faulted
    const r = migratingRange(b, 0, 4, { defaultFlags: FAULT });
    const walker = between(b, r, function* () {
      yield* madvise(b.k, mmOf(b), b.vpn(0, 0), b.vpn(0, 1), 'dontneed');
    });
    holder.finish();
    expect(r.hmmPfns[0] & HMM_PFN_MIGRATE).toBe(0);
    const { faults } = b.k.counters;
    expect(walker.finish()).toBe(0);
    // one fault more, for page 0: those behind it would wait for this walk itself
    expect(b.k.counters.faults - faults).toBe(1);
    expect([...r.hmmPfns].every((pfn) => pfn & HMM_PFN_MIGRATE)).toBe(true);
    walker.also(() => unprepare(b, r));
    expect(b.end()).toEqual([]);
  });

  it('before the first round ends a plain walk at once', () => {
    const b = bench('unified', written(0, 2));
    const r = range(b, 0, 4);
    const { walks } = b.k.counters;
    // invalidated since
    const ret = runToEnd(
      b.k,
      underMmapLock(b, () => hmmRangeFault(b.k, { ...r, notifierSeq: -7 })),
    );
    expect(ret).toBe(-EBUSY);
    expect(b.k.counters.walks - walks).toBe(1);
    expect([...r.hmmPfns]).toEqual([0, 0, 0, 0]);
  });
});

describe('a table that goes away under the walk', () => {
  it.each(['unified', 'as-posted'] as const)('%s: before its PMD entry is locked', (walk) => {
    const b = bench(walk, written(0, 4));
    const { pmd } = locks(b);
    const r = migratingRange(b, 0, PAGES);
    const walker = thread(b, 'walker', () => rangeFault(b, r)).until(takes(pmd));
    thread(b, 'other', () => dropTable(b), 1).finish();
    expect(walker.finish()).toBe(0);
    expect([...r.hmmPfns].every((pfn) => pfn === HMM_PFN_MIGRATE)).toBe(true);
    walker.also(() => unprepare(b, r));
    expect(b.end()).toEqual([]);
  });

  it.each(['unified', 'as-posted'] as const)('%s: before it is locked itself', (walk) => {
    const b = bench(walk, written(0, 4));
    const { pte } = locks(b);
    const r = migratingRange(b, 0, PAGES);
    const walker = thread(b, 'walker', () => rangeFault(b, r)).until(takes(pte));
    thread(b, 'other', () => dropTable(b), 1).finish();
    expect(walker.finish()).toBe(0);
    expect([...r.hmmPfns].every((pfn) => pfn === HMM_PFN_MIGRATE)).toBe(true);
    walker.also(() => unprepare(b, r));
    expect(b.end()).toEqual([]);
  });

  it('collect: before it is locked itself', () => {
    const b = bench('collect', written(0, 4));
    const { pte } = locks(b);
    const migrate = args(b, 0, PAGES);
    const walker = thread(b, 'walker', () =>
      underMmapLock(b, () => migrateVmaSetup(b.k, migrate)),
    ).until(takes(pte));
    thread(b, 'other', () => dropTable(b), 1).finish();
    walker.finish();
    expect(migrate.cpages).toBe(PAGES);
    walker.also(() => giveUp(b, migrate));
    expect(b.end()).toEqual([]);
  });
});

describe('locks that somebody else holds', () => {
  it.each(['collect', 'unified', 'as-posted'] as const)(
    '%s: a page whose folio a fault holds stays where it is',
    (walk) => {
      const b = bench(walk, written(0, 4));
      const folio = leafPfn(entry(b, 2).get());
      const holder = thread(b, 'holder', function* () {
        if (b.k.stepping) yield b.k.acquireFolio(folio);
        b.k.folioLock(folio);
        if (b.k.stepping) yield b.k.releaseFolio(folio);
        b.k.folioUnlock(folio);
      });
      holder.take();
      const migrate = args(b, 0, 4);
      const setup = () => underMmapLock(b, () => migrateVmaSetup(b.k, migrate));
      const mover = thread(b, 'mover', setup, 1);
      mover.finish();
      expect([...migrate.src].map((src) => (src & MIGRATE_PFN_MIGRATE) !== 0)).toEqual([
        true,
        true,
        false,
        true,
      ]);
      holder.finish();
      mover.also(() => giveUp(b, migrate));
      expect(b.end()).toEqual([]);
    },
  );

  it('munmap waits for a walk that holds mmap_lock', () => {
    const b = bench('unified', written(0, 4));
    const r = migratingRange(b, 0, 4);
    const walker = thread(b, 'walker', () => rangeFault(b, r));
    walker.until(() => walker.task.held.includes(mmOf(b).mmapLock));
    const other = thread(
      b,
      'munmap',
      () => munmap(b.k, mmOf(b), b.vpn(0, 0), b.vpn(0, 4)),
      1,
    ).run();
    expect(other.blocked).toBe(true);
    walker.finish();
    walker.also(() => unprepare(b, r));
    expect(other.finish()).toBe(0);
    expect(b.end()).toEqual([]);
  });
});

describe('two CPUs and a device', () => {
  it('a write by a CPU between fault and migration is not lost', () => {
    const b = bench('unified', written(0, 1));
    const r = migratingRange(b, 0, 2, { defaultFlags: FAULT });
    const walker = thread(b, 'walker', function* () {
      const ret = yield* rangeFault(b, r);
      yield* unprepare(b, r);
      return ret;
    });
    // page 1 is mapped to the zero page by the walk's fault: a CPU writes to it before it is prepared
    const { faults } = b.k.counters;
    walker.until(() => b.k.counters.faults > faults && (entry(b, 1).get() ?? 0) !== 0);
    walker.until(({ kind }) => kind === StepKind.Shared || kind === StepKind.Acquire);
    const writer = thread(b, 'writer', () => cpuWriteWord(b.k, mmOf(b), b.vpn(0, 1), 99), 1).run();
    for (let i = 0; i < 1000 && !(walker.done && writer.done); i++) {
      if (!walker.done && !walker.blocked) walker.take();
      else writer.take();
    }
    expect(writer.done && walker.done).toBe(true);
    expect(runToEnd(b.k, cpuReadWord(b.k, mmOf(b), b.vpn(0, 1)))).toBe(99);
    expect(b.end()).toEqual([]);
  });

  it('the entry that a walk gives is what is mapped: its page is the process’s', () => {
    const b = bench('unified', written(0, 2));
    const r = range(b, 0, 2, { defaultFlags: FAULT });
    expect(thread(b, 'walker', () => rangeFault(b, r), 1).finish()).toBe(0);
    for (let i = 0; i < 2; i++) {
      expect(r.hmmPfns[i] & HMM_PFN_VALID).toBeTruthy();
      expect(hmmPfnToPfn(r.hmmPfns[i])).toBe(leafPfn(entry(b, i).get()));
    }
    expect(b.end()).toEqual([]);
  });
});
