/** Pins for as long as somebody likes, of what a device keeps coherent. */
import { describe, expect, it } from 'vitest';
import {
  migrateDeviceCoherentFolio,
  pinUserPages,
  pinUserPagesFast,
} from '../../src/hmm/longterm.ts';
import { EBUSY, EFAULT, ENOMEM, ptePresent } from '../../src/machine/index.ts';
import { folioGet, folioIsDeviceCoherent, folioPut } from '../../src/mm/folio.ts';
import { gupFast, unpinUserPages } from '../../src/mm/gup.ts';
import { Holder } from '../../src/mm/index.ts';
import { leafPfn } from '../../src/mm/look/leaves.ts';
import { perform } from '../../src/program/operations.ts';
import { gupBench, held, mapped, refsOf, taking } from '../support/gup.ts';
import { HUGE, hugeFolio, part, written } from '../support/huge.ts';
import { entry, underMmapLock } from '../support/migration.ts';
import { RUNS, type Run } from '../support/race.ts';
import { Bench, type LooseOp } from '../support/system.ts';
import { Thread, takes } from '../support/thread.ts';

const toDevice = (page: number, pages: number, dev = 2): LooseOp => ({
  op: 'migrate_to_dev',
  dev,
  ...part(page, pages),
});
const frame = (b: Bench, page: number) => leafPfn(entry(b, page).get());
const coherent = (b: Bench, page: number) => folioIsDeviceCoherent(b.k, frame(b, page));
const tags = (b: Bench, page: number, pages: number) =>
  b.do({ op: 'cpu_read', ...part(page, pages) }).tags;

/** Four pages, of which the second and the third are on a coherent device. */
const twoOfFour = (...ops: LooseOp[]) => gupBench(mapped(), written(0, 4), toDevice(1, 2), ...ops);

/** How pages are pinned for long: their frame numbers, and what it returned. */
type Pin = (
  b: Bench,
  run: Run,
  page: number,
  pages: number,
  longterm?: boolean,
) => { ret: number; pages: number[] };

const WAYS: [string, Pin][] = [
  [
    'with mmap_lock',
    (b, run, page, nr, longterm = true) => {
      const pages: number[] = [];
      const { mm } = b.system.process(0);
      const pin = () => pinUserPages(b.k, mm, b.vpn(0, page), nr, { write: true, longterm }, pages);
      return { ret: run(b.k, underMmapLock(b, pin)), pages };
    },
  ],
  [
    'without locks where it can',
    (b, run, page, nr, longterm = true) => {
      const pages: number[] = [];
      const { mm } = b.system.process(0);
      const vpn = b.vpn(0, page);
      const pin = pinUserPagesFast(b.k, mm, vpn, nr, { write: true, longterm }, pages);
      return { ret: run(b.k, pin), pages };
    },
  ],
];
const all = WAYS.flatMap(([way, pin]) =>
  RUNS.map(([how, run]) => [way, how, pin, run] as [string, string, Pin, Run]),
);

describe.each(all)('pinning for long %s, %s', (way, _how, pin, run) => {
  it('brings back what a device keeps coherent, and pins it in RAM', () => {
    const b = twoOfFour();
    expect([0, 1, 2, 3].map((page) => coherent(b, page))).toEqual([false, true, true, false]);
    const { ret, pages } = pin(b, run, 0, 4);
    expect(ret).toBe(4);
    expect(pages).toEqual([0, 1, 2, 3].map((page) => frame(b, page)));
    expect([0, 1, 2, 3].some((page) => coherent(b, page))).toBe(false);
    expect(tags(b, 0, 4)).toEqual([[65536, 4, 1]]);
    run(b.k, unpinUserPages(b.k, pages));
    expect(b.end()).toEqual([]);
  });

  it('leaves it where it is for a short while', () => {
    const b = twoOfFour();
    const { ret, pages } = pin(b, run, 0, 4, false);
    expect(ret).toBe(4);
    expect([0, 1, 2, 3].map((page) => coherent(b, page))).toEqual([false, true, true, false]);
    run(b.k, unpinUserPages(b.k, pages));
    expect(b.end()).toEqual([]);
  });

  it('pins what is in RAM where it is', () => {
    const b = gupBench(mapped(), written(0, 4));
    const before = [0, 1, 2, 3].map((page) => frame(b, page));
    const { ret, pages } = pin(b, run, 0, 4);
    expect(ret).toBe(4);
    expect(pages).toEqual(before);
    run(b.k, unpinUserPages(b.k, pages));
    expect(b.end()).toEqual([]);
  });

  it('pins nothing of the rest if one page stays on the device', () => {
    const b = twoOfFour();
    const stuck = frame(b, 2);
    folioGet(b.k, stuck, Holder.Pin);
    const before = [0, 1, 2, 3].map((page) => refsOf(b, frame(b, page)));
    const { ret, pages } = pin(b, run, 0, 4);
    // what was pinned without locks counts
    const alone = way !== 'with mmap_lock';
    expect(ret).toBe(alone ? 1 : -EBUSY);
    expect(pages).toEqual(alone ? [frame(b, 0)] : []);
    // the first of the two had come back
    expect([1, 2].map((page) => coherent(b, page))).toEqual([false, true]);
    expect(frame(b, 2)).toBe(stuck);
    run(b.k, unpinUserPages(b.k, pages));
    expect([2, 3].map((page) => refsOf(b, frame(b, page)))).toEqual(before.slice(2));
    run(b.k, folioPut(b.k, stuck, Holder.Pin));
    expect(tags(b, 0, 4)).toEqual([[65536, 4, 1]]);
    expect(b.end()).toEqual([]);
  });

  it('needs RAM to bring it back to', () => {
    const b = twoOfFour();
    const before = frame(b, 1);
    b.k.failAllocations = 1;
    expect(pin(b, run, 1, 2).ret).toBe(-EBUSY);
    expect(frame(b, 1)).toBe(before);
    expect(tags(b, 0, 4)).toEqual([[65536, 4, 1]]);
    expect(b.end()).toEqual([]);
  });

  it('stops where nothing is mapped', () => {
    const b = twoOfFour({ op: 'munmap', ...part(2, 1) });
    const { ret, pages } = pin(b, run, 0, 4);
    expect(ret).toBe(2);
    expect(coherent(b, 1)).toBe(false);
    expect(pin(b, run, 2, 1)).toEqual({ ret: -EFAULT, pages: [] });
    run(b.k, unpinUserPages(b.k, pages));
    b.k.failAllocations = 1;
    expect(pin(b, run, 5, 1)).toEqual({ ret: -ENOMEM, pages: [] });
    expect(b.end()).toEqual([]);
  });

  it('brings back for a child, too, what it shares', () => {
    const b = gupBench(mapped(), written(0, 1), toDevice(0, 1), { op: 'fork', child: 1 });
    const { ret, pages } = pin(b, run, 0, 1);
    expect(ret).toBe(1);
    expect(frame(b, 0)).toBe(pages[0]);
    b.all({ op: 'cpu_write', ...part(0, 1), tag: 3 });
    expect(b.do({ op: 'cpu_read', proc: 1, ...part(0, 1) }).tags).toEqual([[65536, 1, 0]]);
    run(b.k, unpinUserPages(b.k, pages));
    expect(b.end()).toEqual([]);
  });
});

describe.each(RUNS)('bringing a coherent page back, %s', (_how, run) => {
  it('takes the contents along, and the caller’s reference', () => {
    const b = twoOfFour();
    const before = frame(b, 1);
    folioGet(b.k, before, Holder.Migrate);
    expect(run(b.k, migrateDeviceCoherentFolio(b.k, before))).toBe(0);
    expect(ptePresent(entry(b, 1).get())).toBe(true);
    expect(coherent(b, 1)).toBe(false);
    expect(b.k.pages.isFree(before)).toBe(true);
    expect(tags(b, 0, 4)).toEqual([[65536, 4, 1]]);
    expect(b.end()).toEqual([]);
  });

  it('leaves a page that is pinned, and drops the caller’s reference', () => {
    const b = twoOfFour(taking('pin', 1));
    const before = frame(b, 1);
    const refs = refsOf(b, before);
    folioGet(b.k, before, Holder.Migrate);
    expect(run(b.k, migrateDeviceCoherentFolio(b.k, before))).toBe(-EBUSY);
    expect(frame(b, 1)).toBe(before);
    expect(refsOf(b, before)).toBe(refs);
    expect(b.end()).toEqual([]);
  });

  it('cannot bring a large one back, and is not meant to', () => {
    const b = new Bench({ cpus: 2, pmdOrder: 2, pageBytes: 16, devices: 4, mended: true });
    b.all(mapped(), { op: 'madvise', ...part(0, 8), advice: 'hugepage' });
    b.all(written(0, HUGE), toDevice(0, HUGE));
    const folio = hugeFolio(b);
    expect(folioIsDeviceCoherent(b.k, folio)).toBe(true);
    const refs = refsOf(b, folio);
    for (const pages of [1, 3]) {
      expect(b.do(taking('pin_longterm', 1, pages)).ret).toBe('EBUSY');
      const found = b.k.findings.splice(0).map(({ title }) => title);
      expect(found).toEqual(['a large coherent folio is to be brought back']);
      expect(refsOf(b, folio)).toBe(refs);
      expect(hugeFolio(b)).toBe(folio);
    }
    expect(b.end()).toEqual([]);
  });

  it('pins no coherent page for long without locks', () => {
    const b = twoOfFour();
    const { mm } = b.system.process(0);
    const before = refsOf(b, frame(b, 1));
    const flags = { pin: true, longterm: true };
    expect(run(b.k, gupFast(b.k, mm, b.vpn(0, 1), 1, flags, []))).toBe(0);
    expect(refsOf(b, frame(b, 1))).toBe(before);
    expect(b.end()).toEqual([]);
  });
});

it('a page that goes back to the device before it is pinned anew comes back again', () => {
  const b = twoOfFour();
  const { mm } = b.system.process(0);
  const thread = new Thread(b.k, 'pin', () =>
    perform(b.system, { ...taking('pin_fast_longterm', 1), proc: 0 } as Parameters<
      typeof perform
    >[1]),
  );
  const onDevice = frame(b, 1);
  const again = takes(mm.mmapLock);
  thread.until((step) => b.k.pages.isFree(onDevice) && again(step));
  expect(coherent(b, 1)).toBe(false);
  const migrate = () =>
    perform(b.system, { ...toDevice(1, 1), proc: 0 } as Parameters<typeof perform>[1]);
  expect(new Thread(b.k, 'gpu', migrate, 1).finish().ret).toBe('ok');
  expect(coherent(b, 1)).toBe(true);
  expect(thread.finish()).toEqual({ ret: 'ok', done: 1 });
  expect(coherent(b, 1)).toBe(false);
  expect(held(b).pages).toEqual([frame(b, 1)]);
  expect(b.end()).toEqual([]);
});
