/** What hardware does on its own, as choices. */
import { describe, expect, it } from 'vitest';
import {
  check,
  Exhaustive,
  Pct,
  type ProgramState,
  programScenario,
  type Scenario,
} from '../../src/checker/index.ts';
import type { Kernel$ } from '../../src/machine/index.ts';
import { pmdpOf, pteOffsetMap, ptepGetAndClear, setPte } from '../../src/mm/pgtable.ts';
import { onePageProgram, PAGE } from '../support/one-page.ts';

const program = onePageProgram('one page', {
  cpu: [{ op: 'madvise', ...PAGE, advice: 'dontneed' }],
});

/** Takes an entry away for a while; no CPU may reach the page when the flush has ended. */
function* takeAway({ system }: ProgramState, flushFirst: boolean): Kernel$<void> {
  const k = system.kernel;
  const { mm } = system.process(0);
  const vpn = k.geometry.vpnOf(0, 0);
  const flush = (): void => k.flushTlbRange(mm.id, vpn, vpn + 1);
  yield k.flushStep(mm.id);
  const ptep = pteOffsetMap(k, pmdpOf(k, mm, vpn), vpn);
  if (flushFirst) flush();
  yield k.writeEntry(ptep);
  const pte = ptepGetAndClear(k, ptep);
  yield k.flushStep(mm.id);
  if (!flushFirst) flush();
  for (const tlb of k.tlbs) {
    if (tlb.lookup(mm.id, vpn) !== 0) k.report('TLB', 'a CPU still reaches what was taken away');
  }
  yield k.writeEntry(ptep);
  setPte(k, ptep, pte);
}

function taking(flushFirst: boolean): Scenario {
  const scenario: Scenario<ProgramState> = {
    ...programScenario(program),
    tasks: { cpu: (state) => takeAway(state, flushFirst) },
  };
  return scenario as unknown as Scenario;
}

function titles(scenario: Scenario, hardware: boolean): string[] {
  const result = check(scenario, { strategy: (tasks) => new Exhaustive(tasks), hardware });
  expect(result.complete || result.found.length > 0).toBe(true);
  return result.found.map(({ title }) => title);
}

describe('a TLB that fills on its own', () => {
  it('shows a flush that comes before the entry is cleared', () => {
    expect(titles(taking(true), false)).toEqual([]);
    expect(titles(taking(true), true)).toEqual([
      'a CPU still reaches what was taken away in takeAway',
    ]);
  });

  it('finds nothing where the flush comes after', () => {
    expect(titles(taking(false), true)).toEqual([]);
  });

  it('is one that drops entries too: nothing depends on what it holds', () => {
    const result = check(programScenario(program), {
      strategy: () => new Pct({ seed: 1 }),
      schedules: 200,
      hardware: true,
      coverage: true,
    });
    expect(result.found).toEqual([]);
    expect(result.coverage?.entries).toContainEqual(['hardware', 'present, writable']);
  });
});
