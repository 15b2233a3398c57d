import { describe, expect, it } from 'vitest';
import { Bench, type LooseOp } from '../support/system.ts';

const PAGES = 1300;
/** 512, 512 and 276 pages. */
const CHUNKS = 3;
/** Range faults of 32 pages each that a pass over all chunks makes. */
const RANGES = 16 + 16 + 9;

const range = { buf: 0, page: 0, pages: PAGES };
const map: LooseOp = { op: 'mmap', ...range, prot: 'rw', kind: 'anon' };
const part = (page: number, pages: number) => ({ buf: 0, page, pages });

const RANGES_OF: Record<string, LooseOp[]> = {
  missing: [map],
  present: [map, { op: 'cpu_write', ...range, tag: 1 }],
  'present, read-only and of another process too': [
    map,
    { op: 'cpu_write', ...range, tag: 1 },
    { op: 'fork', child: 1 },
  ],
  mixed: [
    map,
    { op: 'cpu_write', ...part(10, 300), tag: 1 },
    { op: 'fork', child: 1 },
    { op: 'cpu_write', ...part(40, 100), tag: 2 },
    { op: 'cpu_read', ...part(400, 200) },
    { op: 'exclusive', dev: 0, ...part(700, 20) },
    { op: 'cpu_write', ...part(1290, 10), tag: 3 },
  ],
  huge: [
    map,
    { op: 'madvise', ...range, advice: 'hugepage' },
    { op: 'cpu_write', ...range, tag: 1 },
  ],
};

function run(walk: 'collect' | 'unified', before: LooseOp[], write: 0 | 1) {
  const bench = new Bench({ walk, ledger: false });
  bench.all(...before);
  const { result, counted } = bench.counting({
    op: 'fault_migrate_to_dev',
    dev: 0,
    ...range,
    write,
  });
  expect(result.ret).toBe('ok');
  expect(result.cpages).toBe(PAGES);
  expect(bench.end()).toEqual([]);
  return counted;
}

describe('fault_migrate_to_dev, several chunks', () => {
  for (const [name, before] of Object.entries(RANGES_OF)) {
    it.each([0, 1] as const)(`${name}: one walk a chunk when unified, write %i`, (write) => {
      expect(run('unified', before, write).walks).toBe(CHUNKS);
    });
    it(`${name}: a walk for each 32 pages and one to collect them, else`, () => {
      // a range whose fault brings a page back is invalidated by it, and walked again: two of them
      // hold the exclusive pages
      const again = name === 'mixed' ? 2 : 0;
      expect(run('collect', before, 0).walks).toBe(RANGES + again + CHUNKS);
    });
  }

  it('missing: for writing, each range is faulted for reading, then for writing, and once more', () => {
    // replacing the zero page invalidates the range
    expect(run('collect', RANGES_OF.missing, 1).walks).toBe(RANGES + 2 * RANGES + CHUNKS);
  });

  it('visits each entry about once, where two passes do it several times', () => {
    const unified = run('unified', RANGES_OF.present, 0);
    const collect = run('collect', RANGES_OF.present, 0);
    expect(unified.entriesVisited).toBe(PAGES);
    expect(collect.entriesVisited).toBe(2 * PAGES);
    expect(unified.pagesMigrated).toBe(collect.pagesMigrated);
  });

  it('does not fault what is there, and copies each page once', () => {
    for (const walk of ['collect', 'unified'] as const) {
      const counted = run(walk, RANGES_OF.present, 0);
      expect(counted.faults).toBe(0);
      expect(counted.bytesCopied).toBe(PAGES * 4096);
    }
  });
});

it('a page of a file for which there is no memory: the fault fails, and nothing is left behind', () => {
  const bench = new Bench({ walk: 'unified' });
  const range = { buf: 0, page: 0, pages: 1 };
  bench.all({ op: 'mmap', ...range, prot: 'rw', kind: 'file-private' });
  bench.k.failAllocations = 1;
  const { ret } = bench.do({ op: 'fault_migrate_to_dev', dev: 0, ...range, write: 1 });
  expect(ret).toBe('ENOMEM');
  expect(bench.k.failAllocations).toBe(0);
  expect(bench.end()).toEqual([]);
});
