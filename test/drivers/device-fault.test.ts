import { describe, expect, it } from 'vitest';
import { check, Exhaustive, type Scenario } from '../../src/checker/index.ts';
import { DeviceTable, isDevice, type Mirror, newDmirrorDevice } from '../../src/drivers/index.ts';
import { type Kernel$, runToEnd } from '../../src/machine/index.ts';
import {
  cpuReadWord,
  cpuWriteWord,
  DevPagemap,
  Kernel,
  type Mm,
  mmapRegion,
  VM_READ,
  VM_WRITE,
  type Walk,
} from '../../src/mm/index.ts';
import { describeSystem } from '../../src/program/describe-system.ts';
import { glyphAt, picture } from '../../src/program/picture.ts';
import { Bench } from '../support/system.ts';

const examples = new URL('../../examples/scenarios/', import.meta.url).href;

/** The driver of the examples, which is JavaScript. */
interface Driver {
  Gpu: new (k: Kernel, id: number, pages: number) => { memory: object; freePages: number[] };
  openGpu(k: Kernel, gpu: object, mm: Mm): Kernel$<Mirror>;
  closeGpu(k: Kernel, mirror: Mirror): Kernel$<void>;
  evict(k: Kernel, gpu: object): Kernel$<void>;
  gpuAccess(
    k: Kernel,
    mirror: Mirror,
    vpn: number,
    value: number | null,
    passes: 1 | 2,
  ): Kernel$<number>;
}
const driver: Driver = await import(/* @vite-ignore */ `${examples}lib/gpu-with-memory.mjs`);
const { default: scenarios }: { default: Scenario[] } = await import(
  /* @vite-ignore */ `${examples}gpu-with-memory.mjs`
);

const WALKS: Walk[] = ['collect', 'unified', 'as-posted'];

/** A process that has written `pages` pages, and a GPU with as many as it says. */
function machine(walk: Walk, pages: number, memory: number) {
  const k = new Kernel({ walk, pmdOrder: 2, tableBits: 4, pageBytes: 16 });
  const mm = k.newMm();
  const start = k.geometry.vpnOf(0, 0);
  runToEnd(k, mmapRegion(k, mm, start, start + pages, VM_READ | VM_WRITE, null));
  for (let i = 0; i < pages; i++) runToEnd(k, cpuWriteWord(k, mm, start + i, 10 + i));
  const gpu = new driver.Gpu(k, 0, memory);
  const mirror = runToEnd(k, driver.openGpu(k, gpu, mm));
  const access = (i: number, value: number | null, passes: 1 | 2) =>
    runToEnd(k, driver.gpuAccess(k, mirror, start + i, value, passes));
  const read = (i: number) => runToEnd(k, cpuReadWord(k, mm, start + i));
  return { k, gpu, access, read };
}

describe.each(WALKS)('a driver other than the test driver, walk %s', (walk) => {
  it.each([1, 2] as const)('gets pages in %s passes, and gives them back', (passes) => {
    const { k, gpu, access, read } = machine(walk, 3, 4);
    expect(access(0, null, passes)).toBe(10);
    access(1, 77, passes);
    expect(gpu.freePages).toHaveLength(2);
    expect(read(1)).toBe(77);
    expect(gpu.freePages).toHaveLength(3);
    runToEnd(k, driver.evict(k, gpu));
    expect(gpu.freePages).toHaveLength(4);
    expect([read(0), read(1), read(2)]).toEqual([10, 77, 12]);
    expect(k.findings).toEqual([]);
  });

  it('accesses in RAM what finds no room', () => {
    const { k, gpu, access, read } = machine(walk, 2, 1);
    expect([access(0, null, 1), access(1, 78, 1)]).toEqual([10, 78]);
    expect(gpu.freePages).toHaveLength(0);
    expect(read(1)).toBe(78);
    expect(k.findings).toEqual([]);
  });
});

it('walks once or twice, as it is asked to', () => {
  const walked = ([1, 2] as const).map((passes) => {
    const { k, access } = machine('unified', 1, 1);
    const before = k.counters.snapshot();
    access(0, 5, passes);
    return k.counters.snapshot().walks - before.walks;
  });
  // and once more to map what is there then
  expect(walked).toEqual([2, 3]);
});

/** What a search of each scenario finds, with something about the driver changed. */
function found(change: (state: { gpu: Record<string, object>; mirror: Mirror }) => void) {
  return scenarios.flatMap((scenario) => {
    const changed: Scenario = {
      ...scenario,
      setup(options) {
        const state = scenario.setup(options);
        change(state as Parameters<typeof change>[0]);
        return state;
      },
    };
    const strategy = (tasks: number) => new Exhaustive(tasks, { preemptions: 1 });
    const result = check(changed, { walk: 'unified', strategy });
    if (result.found.length === 0) expect(result.schedules).toBeGreaterThan(4);
    return result.found.map(({ finding }) => finding.title);
  });
}

describe('the scenarios of a GPU with memory', () => {
  it('are clean', () => expect(found(() => {})).toEqual([]));
  it('break where the notifier erases nothing', () =>
    expect(
      found(({ mirror }) => Object.assign(mirror.table, { eraseRange: () => {} })),
    ).not.toEqual([]));
  it('break where nothing is copied back', () =>
    expect(found(({ gpu }) => Object.assign(gpu.memory, { copyToRam: () => {} }))).not.toEqual([]));
});

describe('the owner of a page', () => {
  it('is a device if it says which', () => {
    expect(isDevice(newDmirrorDevice(new Kernel(), 1))).toBe(true);
    expect([{}, { id: 1 }, new DeviceTable()].some(isDevice)).toBe(false);
  });

  it('has a name in pictures and descriptions, whatever it is', () => {
    const page = { buf: 0, page: 0, pages: 1 };
    const b = new Bench({ walk: 'unified' });
    b.all({ op: 'mmap', ...page, prot: 'rw', kind: 'anon' }, { op: 'cpu_write', ...page, tag: 1 });
    b.all({ op: 'migrate_to_dev', dev: 1, ...page });
    const glyph = () => glyphAt(b.system, b.system.process(0).mm, b.vpn(0));
    expect(glyph()).toBe('1');
    // the same pages, of somebody else
    const { pagemaps } = b.k;
    pagemaps.forEach((pagemap, zone) => {
      if (!pagemap) return;
      const other = new DevPagemap({ name: 'other' }, pagemap.ops, pagemap.memory, 0);
      pagemaps[zone] = Object.assign(other, { start: pagemap.start, count: pagemap.count });
    });
    expect(glyph()).toBe('d');
    expect(picture({ system: b.system }).legend).toContainEqual(['d', 'on another device']);
    expect(JSON.stringify(describeSystem(b.system))).not.toContain('undefined');
  });
});
