import { describe, expect, it } from 'vitest';
import { Bench, type LooseOp } from '../support/system.ts';

const GEOMETRIES = [
  { pages: 512, options: {} },
  { pages: 4, options: { pmdOrder: 2, pageBytes: 16 } },
];

/** Huge pages of the range. */
const HUGE = 2;

for (const { pages, options } of GEOMETRIES) {
  describe(`a huge page of ${pages} pages is one entry to a migration`, () => {
    for (const walk of ['collect', 'unified'] as const) {
      const whole = { buf: 0, page: 0, pages: HUGE * pages };
      const start = (...more: LooseOp[]): Bench => {
        const bench = new Bench({ walk, ...options });
        bench.all(
          { op: 'mmap', ...whole, prot: 'rw', kind: 'anon' },
          { op: 'madvise', ...whole, advice: 'hugepage' },
          ...more,
        );
        return bench;
      };
      /** @param prot of each page afterwards: 0x06 is writable and huge, 0x20 on the device */
      const expectEntries = (bench: Bench, op: LooseOp, entries: number, prot: number): void => {
        const { result, counted } = bench.counting(op);
        expect(result.ret).toBe('ok');
        expect(counted.entriesVisited).toBe(entries);
        expect(counted.pagesMigrated).toBe(HUGE * pages);
        expect(counted.splits).toBe(0);
        const seen = bench.do({ op: 'snapshot', dev: 0, ...whole });
        expect(seen.prot).toEqual([[prot, HUGE * pages]]);
      };
      const write: LooseOp = { op: 'cpu_write', ...whole, tag: 1 };
      const toDevice: LooseOp = { op: 'migrate_to_dev', dev: 0, ...whole };

      it(`walk ${walk}: to the device and back`, () => {
        const bench = start(write);
        expectEntries(bench, toDevice, HUGE, 0x26);
        expectEntries(bench, { op: 'migrate_to_sys', dev: 0, ...whole }, HUGE, 0x06);
        expect(bench.end()).toEqual([]);
      });

      it(`walk ${walk}: a CPU's fault brings each back`, () => {
        const bench = start(write, toDevice);
        expectEntries(bench, { op: 'cpu_read', ...whole }, HUGE, 0x06);
        expect(bench.end()).toEqual([]);
      });

      it(`walk ${walk}: on fault`, () => {
        const bench = start(write);
        // two passes look at each once for every 32 pages that a range fault covers, and once more
        const faults = HUGE * Math.ceil(pages / 32);
        const entries = walk === 'unified' ? HUGE : faults + HUGE;
        const onFault: LooseOp = { op: 'fault_migrate_to_dev', dev: 0, ...whole, write: 1 };
        expectEntries(bench, onFault, entries, 0x26);
        expect(bench.end()).toEqual([]);
      });
    }
  });
}
