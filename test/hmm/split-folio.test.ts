/**
 * Splitting a large folio that is mapped by base entries, on the way of a migration. A fault may hold
 * the lock of that folio, or of another: afterwards it is held on the folio of the fault's page.
 */
import { describe, expect, it } from 'vitest';
import { migrateVmaSplitFolio as asPosted } from '../../src/hmm/as-posted/prepare.ts';
import { migrateVmaSplitFolio as mended } from '../../src/hmm/migration-entry.ts';
import { EAGAIN, runToEnd } from '../../src/machine/index.ts';
import { folioGet, folioIsLarge, folioPut, pageFolio } from '../../src/mm/folio.ts';
import { Holder } from '../../src/mm/index.ts';
import { leafPfn } from '../../src/mm/look/leaves.ts';
import { HUGE, hugeBench, hugeFolio, part, pmd, written } from '../support/huge.ts';
import { entry } from '../support/migration.ts';
import { RUNS, type Run } from '../support/race.ts';
import type { Bench, LooseOp } from '../support/system.ts';

const toDevice: LooseOp = { op: 'migrate_to_dev', dev: 0, ...part(0, HUGE) };

/** A huge page in RAM or on a device, all of whose pages but one are mapped by base entries. */
function partly(device: boolean, without = 3): { b: Bench; folio: number } {
  const b = hugeBench('unified', written(0, HUGE), ...(device ? [toDevice] : []));
  const folio = hugeFolio(b);
  b.all({ op: 'madvise', ...part(without, 1), advice: 'dontneed' });
  return { b, folio };
}

const WAYS = (
  [
    ['the walk', mended],
    ['the posted patch', asPosted],
  ] as [string, typeof mended][]
).flatMap(([name, split]) =>
  RUNS.map(([how, run]) => [name, how, split, run] as [string, string, typeof mended, Run]),
);

describe.each(WAYS)(
  'splitting a folio that base entries map, %s, %s',
  (_name, _how, split, run) => {
    const refs = (b: Bench, page: number) => b.k.pages.refcount[page];

    /** The caller of the mended function has referenced a folio that is not the fault's. */
    function call(b: Bench, folio: number, faultPage = -1): number {
      const faults = faultPage >= 0 && pageFolio(b.k, faultPage) === folio;
      if (split === mended && !faults) folioGet(b.k, folio, Holder.Split);
      return run(b.k, split(b.k, folio, faultPage));
    }

    /** As a fault does: the folio of the page that a CPU touched is locked and referenced. */
    function touched(b: Bench, page: number): void {
      const folio = pageFolio(b.k, page);
      folioGet(b.k, folio, Holder.Fault);
      b.k.folioLock(folio);
    }

    /** The fault ends: it has the lock and a reference of the folio that holds its page. */
    function faultEnds(b: Bench, page: number): void {
      const folio = pageFolio(b.k, page);
      b.k.folioUnlock(folio);
      runToEnd(b.k, folioPut(b.k, folio, Holder.Fault));
    }

    it.each([
      ['in RAM', false],
      ['on a device', true],
    ])('%s', (_where, device) => {
      const { b, folio } = partly(device);
      expect(folioIsLarge(b.k, folio)).toBe(true);
      expect(call(b, folio)).toBe(0);
      for (let i = 0; i < 3; i++) {
        expect(leafPfn(entry(b, i).get())).toBe(folio + i);
        expect(folioIsLarge(b.k, folio + i)).toBe(false);
        expect(refs(b, folio + i)).toBe(1);
        expect(b.k.folioLocked(folio + i)).toBe(false);
      }
      expect(b.k.pages.isFree(folio + 3)).toBe(true);
      expect(b.end()).toEqual([]);
    });

    it('frees the first page with the last reference, where it is not mapped', () => {
      const { b, folio } = partly(true, 0);
      expect(call(b, folio)).toBe(0);
      expect(b.k.pages.isFree(folio)).toBe(true);
      expect(leafPfn(entry(b, 1).get())).toBe(folio + 1);
      expect(b.end()).toEqual([]);
    });

    it('whose first page a CPU touched: it stays locked', () => {
      const { b, folio } = partly(true);
      touched(b, folio);
      expect(call(b, folio, folio)).toBe(0);
      expect(folioIsLarge(b.k, folio)).toBe(false);
      expect([0, 1, 2].map((i) => b.k.folioLocked(folio + i))).toEqual([true, false, false]);
      expect([0, 1, 2].map((i) => refs(b, folio + i))).toEqual([2, 1, 1]);
      faultEnds(b, folio);
      expect(b.end()).toEqual([]);
    });

    it('another page of which a CPU touched: lock and reference go to that page', () => {
      const { b, folio } = partly(true);
      touched(b, folio + 1);
      expect(b.k.folioLocked(folio)).toBe(true);
      expect(call(b, folio, folio + 1)).toBe(0);
      expect([0, 1, 2].map((i) => b.k.folioLocked(folio + i))).toEqual([false, true, false]);
      expect([0, 1, 2].map((i) => refs(b, folio + i))).toEqual([1, 2, 1]);
      faultEnds(b, folio + 1);
      expect(b.end()).toEqual([]);
    });

    it('while a CPU touched a page elsewhere: that one stays locked', () => {
      const { b, folio } = partly(true);
      b.all(written(HUGE, 1), { op: 'migrate_to_dev', dev: 0, ...part(HUGE, 1) });
      const other = leafPfn(entry(b, HUGE).get());
      touched(b, other);
      expect(call(b, folio, other)).toBe(0);
      expect(folioIsLarge(b.k, folio)).toBe(false);
      expect([0, 1, 2].map((i) => b.k.folioLocked(folio + i))).toEqual([false, false, false]);
      expect([0, 1, 2].map((i) => refs(b, folio + i))).toEqual([1, 1, 1]);
      expect(b.k.folioLocked(other)).toBe(true);
      expect(refs(b, other)).toBe(2);
      faultEnds(b, other);
      expect(b.end()).toEqual([]);
    });

    it.each([
      ['', false],
      [', and the fault keeps its lock', true],
    ])('fails when somebody holds it%s', (_what, fault) => {
      const { b, folio } = partly(true);
      folioGet(b.k, folio, Holder.Pin);
      if (fault) touched(b, folio + 1);
      expect(call(b, folio, fault ? folio + 1 : -1)).toBe(-EAGAIN);
      expect(folioIsLarge(b.k, folio)).toBe(true);
      expect(b.k.folioLocked(folio)).toBe(fault);
      expect(refs(b, folio)).toBe(fault ? 5 : 4);
      if (fault) faultEnds(b, folio + 1);
      runToEnd(b.k, folioPut(b.k, folio, Holder.Pin));
      expect(pmd(b).get()).not.toBe(0);
      expect(b.end()).toEqual([]);
    });
  },
);
