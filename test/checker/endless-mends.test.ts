/** The test driver as it was: it tried for ever, and the turns of the quick suite find that. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import {
  check,
  type ProgramState,
  parseConcurrentProgram,
  programScenario,
  type Scenario,
  Turns,
} from '../../src/checker/index.ts';
import { backOff, PATIENCE } from '../../src/drivers/patience.ts';
import { type Kernel$, ObjectKind, Role, StepKind } from '../../src/machine/index.ts';
import { cpuWriteWord, Kernel, madvise } from '../../src/mm/index.ts';
import { scenarioProgram } from '../support/scenarios.ts';

const patience = { ...PATIENCE };
beforeEach(() => {
  Object.assign(PATIENCE, { tries: Number.POSITIVE_INFINITY, longestWait: 0 });
});
afterEach(() => {
  Object.assign(PATIENCE, patience);
});

const turns = (name: string) =>
  check(programScenario(scenarioProgram(name)), {
    walk: 'unified',
    strategy: () => new Turns({ seed: 1 }),
    schedules: 50,
  }).found.map(({ title }) => title);

it('exclusive access that looks again, against a migration that does', () => {
  const name = 'exclusive-against-migration';
  expect(turns(name)).toEqual(['without end: exclusive, fault_migrate_to_dev']);
  PATIENCE.tries = patience.tries;
  expect(turns(name)).toEqual([]);
});

it('exclusive access that looks again, against a CPU that writes anew until the device gets on', () => {
  const page = { buf: 0, page: 0, pages: 1 } as const;
  const program = parseConcurrentProgram({
    name: 'exclusive access against a CPU',
    machine: { pmdOrder: 2, pageBytes: 16, cpus: 2 },
    setup: [{ op: 'mmap', ...page, prot: 'rw', kind: 'anon' }],
    tasks: { gpu: [{ op: 'exclusive', dev: 0, ...page }] },
    after: [],
  });
  const scenario = programScenario(program);
  const writes = {
    ...scenario,
    // what the CPU gives up nobody is told
    tellsData: false,
    tasks: {
      ...scenario.tasks,
      *cpu({ system, results }: ProgramState): Kernel$<void> {
        const { kernel: k } = system;
        const { mm } = system.process(0);
        const vpn = k.geometry.vpnOf(0, 0);
        while (results.gpu.length === 0) {
          yield* madvise(k, mm, vpn, vpn + 1, 'dontneed');
          yield* cpuWriteWord(k, mm, vpn, 1);
        }
      },
    },
  };
  // one of the first 50 schedules: in others make_device_exclusive() itself does not get on
  const strategy = () => new Turns({ seed: 1, first: 3 });
  const old = check(writes, { walk: 'unified', strategy, schedules: 1 });
  expect(old.found.map(({ title }) => title)).toEqual(['without end: cpu, exclusive']);
  expect(old.found[0].finding.detail).toMatch(/gpu: goes round in deviceExclusive: /);
  PATIENCE.tries = patience.tries;
  const now = check(writes, { walk: 'unified', strategy, schedules: 1 });
  expect([now.found, now.long]).toEqual([[], 0]);
});

it('who is in the way of another and begins anew at once, and who waits longer each time', () => {
  interface State {
    readonly k: Kernel;
    readonly wants: boolean[];
  }
  /** Each says that it wants the page, and lets it go where the other one wants it too. */
  const wanting = (me: number, again: (k: Kernel, failed: number) => Kernel$<void>) =>
    function* body({ k, wants }: State): Kernel$<void> {
      for (let failed = 1; ; failed++) {
        yield k.step(StepKind.Shared, ObjectKind.Program, 1 + me, Role.Write);
        wants[me] = true;
        yield k.step(StepKind.Shared, ObjectKind.Program, 2 - me, Role.Read);
        const free = !wants[1 - me];
        yield k.step(StepKind.Shared, ObjectKind.Program, 1 + me, Role.Write);
        wants[me] = false;
        if (free) return;
        yield* again(k, failed);
      }
    };
  const scenario: Scenario<State> = {
    name: 'two in each other’s way',
    setup: () => ({ k: new Kernel(), wants: [false, false] }),
    kernel: ({ k }) => k,
    tasks: { evicts: wanting(0, backOff), writes: wanting(1, function* atOnce() {}) },
  };
  const search = () =>
    check(scenario as unknown as Scenario, {
      strategy: () => new Turns({ seed: 1 }),
      schedules: 50,
    }).found.map(({ title }) => title);
  expect(search()).toEqual(['without end: evicts, writes']);
  PATIENCE.longestWait = patience.longestWait;
  expect(search()).toEqual([]);
});
