/** A null where the modelled kernel follows a pointer is a finding there, which names the function. */
import { describe, expect, it } from 'vitest';
import { migrateVmaCollect } from '../../src/hmm/collect.ts';
import { hmmRangeFault } from '../../src/hmm/index.ts';
import { migrateVmaArgs } from '../../src/hmm/migrate-args.ts';
import { type Kernel$, KernelBug, runToEnd } from '../../src/machine/index.ts';
import { IntervalNotifier, Kernel, mmuIntervalReadBegin } from '../../src/mm/index.ts';
import { pagePgmap } from '../../src/mm/memremap.ts';
import { type MmWalkOps, walkPageRange } from '../../src/mm/pagewalk.ts';
import { ptlOf } from '../../src/mm/pgtable.ts';
import { Bench } from '../support/system.ts';

/** What an attempt finds. */
function findingOf(k: Kernel, attempt: () => unknown) {
  expect(attempt).toThrow(KernelBug);
  expect(k.findings).toHaveLength(1);
  return k.findings[0];
}

function* returning(value: number): Kernel$<number> {
  yield* [];
  return value;
}

const kernel = () => new Kernel({ pmdOrder: 2, pageBytes: 16 });
const run = (k: Kernel, body: Kernel$<unknown>) => runToEnd(k, body);

describe('a null that the modelled kernel follows', () => {
  it.each<[string, string, (k: Kernel) => unknown]>([
    [
      'mmuIntervalReadBegin',
      'the address space of a notifier',
      (k) => run(k, mmuIntervalReadBegin(k, new IntervalNotifier({} as never))),
    ],
    [
      'migrateVmaCollect',
      'the area of a migration',
      (k) => run(k, migrateVmaCollect(k, migrateVmaArgs(1, null))),
    ],
    ['pagePgmap', 'the device memory of a page', (k) => pagePgmap(k, k.zeroPfn)],
    ['ptlOf', 'the page table of an entry', (k) => ptlOf(k, -1)],
    [
      'hmmRangeFault',
      'the address space of a range',
      (k) => {
        const range = {
          notifier: null,
          notifierSeq: 0,
          start: 0,
          end: 1,
          hmmPfns: new Int32Array(1),
          defaultFlags: 0,
          pfnFlagsMask: 0,
          devPrivateOwner: null,
          migrate: null,
        };
        return run(k, hmmRangeFault(k, range));
      },
    ],
  ])('%s: %s', (name, what, attempt) => {
    const k = kernel();
    expect(findingOf(k, () => attempt(k))).toMatchObject({
      invariant: 'null pointer',
      title: `${what} is not there`,
      function: name,
    });
  });

  it('is blamed on who follows it, not on who put it there', () => {
    const bench = new Bench({ pmdOrder: 2, pageBytes: 16 });
    bench.do({ op: 'mmap', buf: 0, page: 0, pages: 1, prot: 'rw', kind: 'anon' });
    const { k } = bench;
    const { mm } = bench.system.process(0);
    const ops: MmWalkOps<null> = {
      pmdEntry: () => returning(0),
      testWalk: (_k, _start, _end, walk) => {
        walk.vma = null;
        return returning(0);
      },
    };
    k.lockShared(mm.mmapLock);
    const vpn = bench.vpn(0);
    const finding = findingOf(k, () => run(k, walkPageRange(k, mm, vpn, vpn + 1, ops, null)));
    expect(finding.title).toBe('the area under a walk is not there');
    expect(finding.stack).toEqual(['walkArea', 'walkPageRange']);
  });
});
