import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  Frames,
  Geometry,
  KernelBug,
  Machine,
  modelledStack,
  PageMap,
  POISON,
  runStepping,
  runToEnd,
  TablePool,
  Task,
  Tlb,
  ZONE_DEVICE,
  ZONE_NONE,
  ZONE_RAM,
} from '../../src/machine/index.ts';

describe('geometry', () => {
  it('is that of x86-64 unless it is told otherwise', () => {
    const g = new Geometry();
    expect(g).toMatchObject({ pageBytes: 4096, pageShift: 12, ptrsPerPte: 512, ptrsPerTable: 512 });
    expect(g.pudPages).toBe(2 ** 18);
    expect(g.addressPages).toBe(2 ** 36);
    // 4 GiB a buffer, as much to the next; page 0 of each aligned to a huge page
    expect([g.bufferPages, g.bufferSpacing]).toEqual([2 ** 20, 2 ** 21]);
    expect(g.vpnOf(1, 3) * 4096).toBe(0x1000_0000_0000 + 0x2_0000_0000 + 3 * 4096);
  });

  it('can be small: huge pages of 4', () => {
    const g = new Geometry({ pmdOrder: 2, pageBytes: 16 });
    expect(g).toMatchObject({ ptrsPerPte: 4, ptrsPerTable: 128, pageBytes: 16 });
    expect(g.bufferBase % g.ptrsPerPte).toBe(0);
    expect(g.vpnOf(g.buffers - 1, g.bufferSpacing - 1)).toBeLessThan(g.addressPages);
  });

  it.each([
    [{ pageBytes: 3 }, /pageBytes/],
    [{ pageBytes: 8192 }, /pageBytes/],
    [{ pmdOrder: 1 }, /pmdOrder/],
    [{ pmdOrder: 2.5 }, /pmdOrder/],
    [{ tableBits: 10 }, /tableBits/],
  ])('refuses %o', (options, message) => {
    expect(() => new Geometry(options)).toThrow(message);
  });
});

describe('frames', () => {
  it('show a page as it is now, as a copy', () => {
    const frames = new Frames(16);
    frames.writeWord(1, 0x0201);
    const bytes = frames.view(1);
    expect([...bytes]).toEqual([1, 2, ...new Array(14).fill(0)]);
    bytes[0] = 9;
    expect(frames.readWord(1)).toBe(0x0201);
  });

  it('keep their bytes when there are more of them', () => {
    const frames = new Frames(64);
    frames.writeWord(3, 2 ** 40 + 7);
    frames.ensure(1000);
    expect(frames.readWord(3)).toBe(2 ** 40 + 7);
    expect(frames.isZero(999)).toBe(true);
    frames.copy(999, 3);
    expect(frames.equal(3, 999)).toBe(true);
    frames.fill(999, POISON);
    expect(frames.equal(3, 999)).toBe(false);
    const bytes = new Uint8Array(64);
    frames.read(999, bytes);
    expect(bytes.every((byte) => byte === POISON)).toBe(true);
    frames.clear(3);
    expect(frames.isZero(3)).toBe(true);
  });

  it('hold any bytes', () => {
    const pages = 4;
    const page = fc.oneof(
      fc.uint8Array({ minLength: 32, maxLength: 32 }),
      fc.nat(255).map((byte) => new Uint8Array(32).fill(byte)),
      fc.nat(255).map((byte) => new Uint8Array(32).fill(byte, 0, 8)),
    );
    const number = fc.nat(pages - 1);
    const change = fc.oneof(
      fc.tuple(fc.constant('write' as const), number, page),
      fc.tuple(fc.constant('copy' as const), number, number),
      fc.tuple(fc.constant('fill' as const), number, fc.nat(255)),
      fc.tuple(fc.constant('word' as const), number, fc.maxSafeNat()),
    );
    fc.assert(
      fc.property(fc.array(change, { maxLength: 30 }), (changes) => {
        const frames = new Frames(32);
        const plain = Array.from({ length: pages }, () => new Uint8Array(32));
        for (const [what, at, value] of changes) {
          if (what === 'write') {
            frames.write(at, value);
            plain[at].set(value);
          } else if (what === 'copy') {
            frames.copy(at, value);
            plain[at].set(plain[value]);
          } else if (what === 'fill') {
            frames.fill(at, value);
            plain[at].fill(value);
          } else {
            frames.writeWord(at, value);
            new DataView(plain[at].buffer).setBigUint64(0, BigInt(value), true);
          }
        }
        const read = plain.map((_, at) => {
          const into = new Uint8Array(32);
          frames.read(at, into);
          return into;
        });
        expect(read).toEqual(plain);
        const same = (a: number, b: number) => plain[a].every((byte, i) => byte === plain[b][i]);
        for (let a = 0; a < pages; a++) {
          expect(frames.isZero(a)).toBe(plain[a].every((byte) => byte === 0));
          for (let b = 0; b < pages; b++) expect(frames.equal(a, b)).toBe(same(a, b));
        }
      }),
    );
  });

  it('hold words of up to 53 bits', () => {
    const frames = new Frames(16);
    fc.assert(
      fc.property(fc.maxSafeNat(), (word) => {
        frames.writeWord(1, word);
        expect(frames.readWord(1)).toBe(word);
        expect(frames.isZero(0)).toBe(true);
      }),
    );
  });
});

describe('the page map', () => {
  const make = () => new PageMap(new Geometry({ pmdOrder: 2 }));

  it('hands out no page twice, and huge pages aligned', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(5), { maxLength: 200 }), (choices) => {
        const pages = make();
        const held: [pfn: number, order: number][] = [];
        const used = new Set<number>();
        for (const choice of choices) {
          if (choice === 0 && held.length > 0) {
            const [pfn, order] = held.shift() as [number, number];
            for (let i = 0; i < 1 << order; i++) used.delete(pfn + i);
            pages.markFree(pfn, order);
            pages.giveRam(pfn, order);
            continue;
          }
          const order = choice === 1 ? 2 : 0;
          const pfn = pages.takeRam(order, 2 ** 21);
          expect(pfn % (1 << order)).toBe(0);
          for (let i = 0; i < 1 << order; i++) {
            expect(used.has(pfn + i)).toBe(false);
            expect(pages.zone[pfn + i]).toBe(ZONE_RAM);
            used.add(pfn + i);
          }
          pages.initFolio(pfn, order);
          held.push([pfn, order]);
        }
        let inUse = 0;
        for (let pfn = 0; pfn < pages.size; pfn++) if (!pages.isFree(pfn)) inUse++;
        expect(inUse).toBe(used.size);
      }),
    );
  });

  it.each([1, 4, 300, 512, 5000])('ends where RAM ends, after %i pages', (limit) => {
    const pages = make();
    const taken = new Set<number>();
    for (;;) {
      const pfn = pages.takeRam(0, limit);
      if (pfn < 0) break;
      expect(taken.has(pfn)).toBe(false);
      taken.add(pfn);
      pages.initFolio(pfn, 0);
    }
    expect(taken.size).toBe(limit);
    const [one] = taken;
    pages.markFree(one, 0);
    pages.giveRam(one, 0);
    expect(pages.takeRam(0, limit)).toBe(one);
  });

  it('keeps device pages apart from RAM', () => {
    const pages = make();
    const ram = pages.takeRam(0, 2 ** 21);
    const start = pages.addZone(ZONE_DEVICE, 8);
    expect(pages.zone[start]).toBe(ZONE_DEVICE);
    expect(pages.zone[ram]).toBe(ZONE_RAM);
    expect(pages.isFree(start)).toBe(true);
    expect(() => pages.addZone(ZONE_NONE, 2 ** 22)).toThrow(/out of frame numbers/);
  });
});

describe('page tables', () => {
  it('are empty when they are handed out, also the second time', () => {
    const pool = new TablePool(new Geometry({ pmdOrder: 2 }));
    const table = pool.alloc();
    pool.entries[(table << pool.strideShift) + 3] = 7;
    expect(pool.isEmpty(table)).toBe(false);
    expect(pool.tableOf((table << pool.strideShift) + 3)).toBe(table);
    pool.release(table);
    expect(pool.used).toBe(0);
    const tables = Array.from({ length: 100 }, () => pool.alloc());
    expect(new Set(tables).size).toBe(100);
    expect(tables).toContain(table);
    expect(tables.every((one) => pool.isEmpty(one))).toBe(true);
    expect(pool.used).toBe(100);
    expect(new Set(tables.map((one) => pool.lockOf(one << pool.strideShift))).size).toBe(100);
  });
});

describe('the TLB', () => {
  it('keeps a translation until it is flushed, and never gives one that was not put in', () => {
    const space = fc.integer({ min: 1, max: 3 });
    const vpn = fc.oneof(
      fc.nat(40),
      fc.nat(2 ** 20).map((n) => n + 2 ** 35),
    );
    const action = fc.oneof(
      fc.record({ kind: fc.constant('fill' as const), space, vpn, pte: fc.integer({ min: 1 }) }),
      fc.record({ kind: fc.constant('page' as const), space, vpn }),
      fc.record({ kind: fc.constant('range' as const), space, vpn, pages: fc.nat(100) }),
      fc.record({ kind: fc.constant('space' as const), space, vpn }),
    );
    fc.assert(
      fc.property(fc.array(action, { maxLength: 100 }), (actions) => {
        const tlb = new Tlb(16);
        const may = new Map<string, number>();
        for (const a of actions) {
          const drop = (from: number, to: number) => {
            for (const key of may.keys()) {
              const [s, v] = key.split(' ').map(Number);
              if (s === a.space && v >= from && v < to) may.delete(key);
            }
          };
          if (a.kind === 'fill') {
            tlb.fill(a.space, a.vpn, a.pte);
            may.set(`${a.space} ${a.vpn}`, a.pte);
            // nothing else can have taken its place yet
            expect(tlb.lookup(a.space, a.vpn)).toBe(a.pte);
          } else if (a.kind === 'page') {
            tlb.flushPage(a.space, a.vpn);
            drop(a.vpn, a.vpn + 1);
          } else if (a.kind === 'range') {
            tlb.flushRange(a.space, a.vpn, a.vpn + a.pages);
            drop(a.vpn, a.vpn + a.pages);
          } else {
            tlb.flushSpace(a.space);
            drop(0, Infinity);
          }
          for (const { space: s, vpn: v, pte } of tlb.cached()) {
            expect(may.get(`${s} ${v}`)).toBe(pte);
            expect(tlb.lookup(s, v)).toBe(pte);
          }
        }
      }),
    );
  });
});

describe('locks', () => {
  const machine = () => new Machine({ pmdOrder: 2 });
  const titles = (m: Machine) => m.findings.map(({ title }) => title);

  it('are held by who took them', () => {
    const m = machine();
    const lock = m.newLock('a', 'spin');
    m.lock(lock);
    expect(lock.heldBy(m.current)).toBe(true);
    expect(m.current.spinDepth).toBe(1);
    const main = m.current;
    m.current = new Task(2, 'other', 0);
    expect(m.tryLock(lock)).toBe(false);
    m.unlock(lock);
    expect(titles(m)).toEqual(['unlock of a, which the task does not hold']);
    m.assertHeld(lock);
    expect(titles(m)).toContain('a is not held');
    m.current = main;
    m.unlock(lock);
    expect(lock.held).toBe(false);
    expect(main.held).toEqual([]);
    expect(main.spinDepth).toBe(0);
  });

  it('a rwsem has many readers or one writer', () => {
    const m = machine();
    const sem = m.newLock('s', 'rwsem');
    const main = m.current;
    const other = new Task(2, 'other', 0);
    m.lockShared(sem);
    m.current = other;
    m.lockShared(sem);
    expect(sem.available(true)).toBe(true);
    expect(sem.available(false)).toBe(false);
    expect(m.tryLock(sem)).toBe(false);
    m.unlockShared(sem);
    m.unlockShared(sem);
    expect(titles(m)).toEqual(['read unlock of s, which the task does not hold']);
    m.current = main;
    m.unlockShared(sem);
    m.lock(sem);
    expect(sem.available(true)).toBe(false);
    m.unlock(sem);
  });

  it('that cannot be had in a straight line are a deadlock', () => {
    const m = machine();
    const lock = m.newLock('a', 'mutex');
    m.lock(lock);
    expect(() => m.lock(lock)).toThrow(KernelBug);
    expect(m.findings[0]).toMatchObject({ invariant: 'deadlock', title: 'waits for ever for a' });
    expect(() => m.waited(false, 'x')).toThrow(KernelBug);
  });

  it('that may sleep are not taken under a spinlock', () => {
    const m = machine();
    m.lock(m.newLock('spin', 'spin'));
    m.lock(m.newLock('mutex', 'mutex'));
    m.lockShared(m.newLock('sem', 'rwsem'));
    m.mightSleep('a rest');
    m.pages.takeRam(0, 1000);
    m.pages.initFolio(0, 0);
    m.folioLock(0);
    expect(titles(m)).toEqual([
      'sleeps for mutex under a spinlock',
      'sleeps for sem under a spinlock',
      'sleeps for a rest under a spinlock',
      'sleeps for the lock of folio 0 under a spinlock',
    ]);
  });

  it('of a folio are given back by who took them', () => {
    const m = machine();
    m.pages.takeRam(0, 1000);
    m.pages.initFolio(0, 0);
    m.folioLock(0);
    expect(m.folioTryLock(0)).toBe(false);
    expect(m.acquireFolio(0).enabled?.()).toBe(false);
    const main = m.current;
    m.current = new Task(2, 'other', 0);
    m.folioUnlock(0);
    expect(titles(m)).toEqual(['unlock of folio 0, which another task locked']);
    m.folioUnlock(0);
    expect(titles(m)[1]).toBe('unlock of folio 0, which is not locked');
    expect(main.folioLocks).toBe(1);
    expect(() => {
      m.current = main;
      m.folioLock(0);
      m.folioLock(0);
    }).toThrow(KernelBug);
  });
});

describe('the modelled functions on a stack', () => {
  const stack = (place: string) =>
    Object.assign(new Error('x'), {
      stack: [
        'Error: x',
        `    at Machine.report (${place}/machine.js:1:1)`,
        `    at zapPte (${place}/zap.js:9:7)`,
        `    at ${place}/zap.js:3:1`,
        `    at GpuDriver.fault [as handler] (${place}/gpu.js:3:1)`,
        '    at next (<anonymous>)',
        `    at async unmapRegion (${place}/zap.js:3:1)`,
        `    at runToEnd (${place}/execute.js:3:1)`,
        `    at main (${place}/main.js:3:1)`,
      ].join('\n'),
    });

  it('are the same wherever the modules come from', () => {
    const names = ['zapPte', 'fault', 'unmapRegion'];
    expect(modelledStack(stack('file:///home/dist'))).toEqual(names);
    expect(modelledStack(stack('http://127.0.0.1:80/dist'))).toEqual(names);
  });

  // recorded: a step made by a method, a function without a name and one that a native function calls, in
  // generators that call each other with `yield*`, below an executor
  const place = 'http://user@127.0.0.1:80/assets/index-WPDXFF_0.js';
  it.each([
    [
      'V8',
      [
        'Error: warn@zap.js:1:2',
        `    at Step.set (${place}:4:22)`,
        `    at Kernel.step (${place}:3:24)`,
        `    at ${place}:9:149`,
        `    at walkPmd (${place}:9:72)`,
        '    at walkPmd.next (<anonymous>)',
        `    at Object.perform (${place}:7:103)`,
        '    at perform.next (<anonymous>)',
        `    at resume (${place}:11:42)`,
        `    at ${place}:13:76`,
      ],
      ['walkPmd', 'perform'],
    ],
    [
      'SpiderMonkey',
      [
        `set@${place}:4:22`,
        `step@${place}:3:24`,
        `walkPmd/<@${place}:9:149`,
        `walkPmd@${place}:9:72`,
        `outer/zapPte$1@${place}:8:33`,
        `async*perform@${place}:7:103`,
        `resume@${place}:11:42`,
        `@${place}:13:76`,
        '',
      ],
      ['walkPmd', 'zapPte', 'perform'],
    ],
    [
      'JavaScriptCore',
      [
        `set@${place}:4:31`,
        `@${place}:9:158`,
        'map@[native code]',
        `walkPmd@${place}:9:130`,
        `zapPte$1@${place}:8:42`,
        `perform@${place}:7:103`,
        `resume@${place}:11:46`,
        `module code@${place}:13:82`,
      ],
      ['walkPmd', 'zapPte', 'perform'],
    ],
  ])('are read in the format of %s', (_, lines, names) => {
    const error = Object.assign(new Error('x'), { stack: lines.join('\n') });
    expect(modelledStack(error)).toEqual(names);
  });

  it('are found where a stack is only a text', () => {
    function* outer(): Generator<string[]> {
      yield* inner();
    }
    function* inner(): Generator<string[]> {
      yield modelledStack();
    }
    const resume = (): string[] | undefined => outer().next().value;
    // as an engine does that knows no structured stacks
    const text = `modelledStack@a.js:1:1\ninner@a.js:2:2\nouter@a.js:3:3\nresume@a.js:4:4\n`;
    class Plain {
      readonly stack = text;
    }
    const real = globalThis.Error;
    const structured = resume();
    globalThis.Error = Plain as unknown as ErrorConstructor;
    try {
      expect(resume()).toEqual(structured);
    } finally {
      globalThis.Error = real;
    }
    expect(structured).toEqual(['inner', 'outer']);
  });
});

describe('executors', () => {
  it('run in a straight line, and say so when that cannot be', () => {
    const m = new Machine();
    const careful = function* () {
      if (m.stepping) yield m.allocateStep();
      return 7;
    };
    expect(runToEnd(m, careful())).toBe(7);
    const careless = function* () {
      yield m.allocateStep();
      return 7;
    };
    expect(() => runToEnd(m, careless())).toThrow(/suspended/);
  });

  it('show each step before it is taken, and a wait that never ends', () => {
    const m = new Machine();
    const lock = m.newLock('a', 'mutex');
    const seen: number[] = [];
    const body = function* () {
      yield m.acquire(lock);
      expect(seen).toHaveLength(1);
      m.lock(lock);
      yield m.release(lock);
      m.unlock(lock);
      return 'done';
    };
    expect(runStepping(m, body(), (step) => seen.push(step.kind))).toBe('done');
    expect(seen).toHaveLength(2);
    expect(m.stepping).toBe(false);
    m.lock(lock);
    expect(() => runStepping(m, body())).toThrow(KernelBug);
    expect(m.findings[0].invariant).toBe('deadlock');
    expect(m.stepping).toBe(false);
  });
});
