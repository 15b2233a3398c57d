import { describe, expect, it } from 'vitest';
import { restore, runToEnd, snapshot } from '../../src/machine/index.ts';
import { compareDescriptions } from '../../src/mm/index.ts';
import {
  checkShutDown,
  checkSystem,
  describeSystem,
  type Program,
  runProgram,
  System,
} from '../../src/program/index.ts';
import { perform } from '../../src/program/operations.ts';
import { BASE_PAGE_PROFILES, HUGE_PAGE_PROFILES, recorded, sample } from '../support/corpus.ts';

describe('snapshot and restore of a system', () => {
  function go(system: System, ops: Program['ops']) {
    return ops.map((op) => runToEnd(system.kernel, perform(system, op)));
  }

  it.each([...BASE_PAGE_PROFILES, ...HUGE_PAGE_PROFILES])(
    '%s: the second half twice',
    (profile) => {
      for (const { name, ops } of sample(recorded(profile), profile.includes('thp') ? 60 : 20)) {
        const system = new System({ walk: 'unified' });
        const half = ops.length >>> 1;
        go(system, ops.slice(0, half));
        const saved = snapshot(system);
        const atHalf = describeSystem(system, { exact: true });
        const results = go(system, ops.slice(half));
        const atEnd = describeSystem(system, { exact: true });
        const counters = system.kernel.counters.snapshot();
        // twice: restoring leaves the snapshot as it was
        for (let round = 0; round < 2; round++) {
          restore(saved);
          expect(
            compareDescriptions(describeSystem(system, { exact: true }), atHalf),
            name,
          ).toEqual([]);
          expect(checkSystem(system)).toEqual([]);
          expect(go(system, ops.slice(half)), name).toEqual(results);
          expect(compareDescriptions(describeSystem(system, { exact: true }), atEnd), name).toEqual(
            [],
          );
          expect(system.kernel.counters.snapshot()).toEqual(counters);
        }
        runToEnd(system.kernel, system.shutdown());
        expect(checkShutDown(system)).toEqual([]);
      }
    },
  );

  it('shares nothing with what it was taken of', () => {
    const [program] = recorded('base');
    const { system } = runProgram(program);
    const saved = snapshot(system);
    const before = describeSystem(system, { exact: true });
    runToEnd(system.kernel, system.shutdown());
    expect(system.kernel.mms).toHaveLength(0);
    restore(saved);
    expect(compareDescriptions(describeSystem(system, { exact: true }), before)).toEqual([]);
  });

  it('keeps identity, cycles, prototypes and views of one buffer', () => {
    class Node {
      next: Node | null = null;
      twice() {
        return 2;
      }
    }
    const node = new Node();
    node.next = node;
    const bytes = new Uint8Array(8);
    const state = {
      node,
      again: node,
      bytes,
      words: new Int32Array(bytes.buffer),
      map: new Map([[node, 1]]),
    };
    const saved = snapshot(state);
    state.words[0] = 7;
    state.node = new Node();
    node.next = null;
    state.map.clear();
    restore(saved);
    expect(state.node).toBe(state.again);
    expect(state.node).toBe(node);
    expect(state.node.next).toBe(state.node);
    expect(state.node.twice()).toBe(2);
    expect(state.map.get(state.node)).toBe(1);
    expect(state.bytes[0]).toBe(0);
    state.words[0] = 9;
    expect(state.bytes[0]).toBe(9);
  });
});
