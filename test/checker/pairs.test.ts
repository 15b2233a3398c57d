/** The generated suite: which programs there are, and that each is one. */
import { describe, expect, it } from 'vitest';
import {
  check,
  Exhaustive,
  parseConcurrentProgram,
  programScenario,
} from '../../src/checker/index.ts';
import {
  allPairs,
  PAIR_OPS,
  type Pair,
  pairName,
  pairProgram,
  pairsFor,
  quickPairs,
  STATE_NAMES,
} from '../../src/checker/pairs.ts';
import { OPS, type OpName } from '../../src/program/index.ts';

const all = allPairs();
const quick = quickPairs();
const names = all.map(pairName);

/** Operations that are written by hand: after them somebody may wait for ever. */
const BY_HAND: readonly OpName[] = ['uffd_register', 'uffd_serve', 'uffd_stop'];

const opsIn = (pairs: readonly Pair[]): Set<string> =>
  new Set(
    pairs.flatMap((pair) =>
      Object.values(pairProgram(pairName(pair)).tasks)
        .flat()
        .map(({ op }) => op),
    ),
  );

describe('every pair', () => {
  it('has a name of its own, and is made of it', () => {
    expect(new Set(names).size).toBe(names.length);
    for (const name of names.filter((_, i) => i % 97 === 0)) {
      const program = pairProgram(name);
      expect(program.name).toBe(name);
      // what a reader of the JSON gets is the same program
      expect(parseConcurrentProgram(JSON.parse(JSON.stringify(program)))).toEqual(program);
    }
  });

  it('of one state is another program', () => {
    const states = ['device-shared', 'hugetlb'] as const;
    for (const state of states) {
      const own = allPairs({ states: [state] }).map((pair) => {
        const { name: _, ...program } = pairProgram(pairName(pair));
        return JSON.stringify(program);
      });
      expect(new Set(own).size).toBe(own.length);
    }
  });

  it('has each operation of the table with which a task can meet another', () => {
    const missing = Object.keys(OPS).filter((op) => !opsIn(quick).has(op));
    expect(missing.sort()).toEqual([...BY_HAND].sort());
  });
});

describe('the part that the quick suite has', () => {
  it('lets every operation meet every state that it is for', () => {
    for (const state of STATE_NAMES) {
      const met = quick.filter((pair) => pair.state === state).flatMap(({ sides }) => sides);
      const ops = new Set(met.map(({ op }) => op));
      expect([...pairsFor(state)].filter((op) => !ops.has(op))).toEqual([]);
    }
  });

  it('is a part of all', () => {
    const known = new Set(names);
    const others = quick.map(pairName).filter((name) => !known.has(name));
    // those of which the whole suite has the other order
    for (const name of others) {
      const [state, one, two] = name.split('/');
      expect(known).toContain([state, two, one].join('/'));
    }
  });
});

it('operations and states can be chosen', () => {
  const chosen = allPairs({ ops: ['munmap'], states: ['huge'] });
  expect(chosen.length).toBeGreaterThan(50);
  for (const { state, sides } of chosen) {
    expect(state).toBe('huge');
    expect(sides.map(({ op }) => op)).toContain('munmap');
  }
  expect(PAIR_OPS).toContain('munmap');
});

it.each([
  ['pair:nowhere/munmap.whole/fork', 'no state is called "nowhere"'],
  ['pair:hug/munmap.whole/fork', 'no state is called "hug"; did you mean "huge"?'],
  ['pair:huge/munmap.half/fork', 'no range is called "half"'],
  ['pair:huge/munnmap.whole/fork', 'no operation of pairs is called "munnmap"'],
  ['pair:huge/munmap.whole', 'expected pair:STATE/OP.RANGE/OP.RANGE'],
  ['pair:huge/munmap.whole/cpu_read.part.child', 'in huge there is no child'],
])('%s is refused', (name, message) => {
  expect(() => pairProgram(name)).toThrow(message);
});

describe('what was found among them stays mended', () => {
  it.each([
    // a walk without locks reads a page table that was taken out
    'pair:exclusive-large/munmap.whole/gup_pin_fast_read.part',
    // who unmaps a page that was moved away takes nothing of what is at its new place
    'pair:driver/munmap.whole/cpu_write.part/mremap.border',
  ])('%s', (name) => {
    const scenario = programScenario(pairProgram(name));
    const strategy = (tasks: number) => new Exhaustive(tasks);
    const { found, complete } = check(scenario, { walk: 'unified', strategy, schedules: 1000 });
    expect({ found, complete }).toEqual({ found: [], complete: true });
  });
});
