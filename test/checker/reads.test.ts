/** Map counts are looked at by who may. */
import { describe, expect, test } from 'vitest';
import {
  check,
  Exhaustive,
  type ProgramState,
  programScenario,
  type Scenario,
} from '../../src/checker/index.ts';
import { READERS } from '../../src/checker/watch/reads.ts';
import { type Kernel$, ObjectKind, Role, StepKind } from '../../src/machine/index.ts';
import { folioGet, folioMapcount, folioPut, pageMapcount } from '../../src/mm/folio.ts';
import { Holder, type Kernel } from '../../src/mm/index.ts';
import { ptlOf } from '../../src/mm/pgtable.ts';
import { parseConcurrentProgram } from '../../src/program/index.ts';

const program = parseConcurrentProgram({
  name: 'test',
  machine: { pmdOrder: 2, pageBytes: 16 },
  setup: [
    { op: 'mmap', buf: 0, page: 0, pages: 1, prot: 'rw', kind: 'anon' },
    { op: 'cpu_write', buf: 0, page: 0, pages: 1, tag: 3 },
  ],
  tasks: { a: [] },
  after: [],
});

type Body = (k: Kernel, folio: number) => Kernel$<void>;

const titles = (body: Body): string[] => {
  const { check: _check, shutdown: _shutdown, ...rest } = programScenario(program);
  const scenario: Scenario<ProgramState> = {
    ...rest,
    tasks: {
      *task({ system: { kernel: k } }) {
        yield k.step(StepKind.Shared, ObjectKind.Program, 0, Role.Write);
        // the batch of a CPU holds a reference, too: nobody does in the end
        k.lru[0].add.length = 0;
        const folio = k.pages.mapcount.indexOf(1);
        k.pages.refcount[folio] = 1;
        yield* body(k, folio);
      },
    },
  };
  const { found } = check(scenario, { strategy: (tasks) => new Exhaustive(tasks) });
  return found.map(({ title }) => title);
};

describe('how often a folio is mapped is looked at', () => {
  test.each([
    ['the folio', folioMapcount],
    ['a page of it', pageMapcount],
  ])('with no reason: %s', (_, look) => {
    expect(
      titles(function* looksOnly(k, folio) {
        yield k.readFolio(folio);
        look(k, folio);
      }),
    ).toEqual([
      'how often a folio is mapped is looked at without its lock, a page-table lock or a reference in looksOnly',
    ]);
  });

  test('under its lock: nothing', () => {
    expect(
      titles(function* locked(k, folio) {
        yield k.acquireFolio(folio);
        k.folioLock(folio);
        folioMapcount(k, folio);
        yield k.releaseFolio(folio);
        k.folioUnlock(folio);
      }),
    ).toEqual([]);
  });

  test('under a page-table lock: nothing', () => {
    expect(
      titles(function* underPtl(k, folio) {
        const ptl = ptlOf(
          k,
          k.tables.entries.findIndex((pte) => pte !== 0),
        );
        yield k.acquire(ptl);
        k.lock(ptl);
        folioMapcount(k, folio);
        yield k.release(ptl);
        k.unlock(ptl);
      }),
    ).toEqual([]);
  });

  test('with a reference: nothing', () => {
    expect(
      titles(function* referenced(k, folio) {
        yield k.writeFolio(folio);
        folioGet(k, folio, Holder.Fault);
        yield k.readFolio(folio);
        folioMapcount(k, folio);
        yield* folioPut(k, folio, Holder.Fault);
      }),
    ).toEqual([]);
  });

  test('by who is listed: nothing', () => {
    const [{ name }] = READERS;
    const listed = {
      *[name](k: Kernel, folio: number) {
        yield k.readFolio(folio);
        folioMapcount(k, folio);
      },
    };
    expect(titles(listed[name] as Body)).toEqual([]);
  });
});
