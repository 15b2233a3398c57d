/** The test driver as it was: it tried for ever, and the turns of the quick suite find that. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import {
  check,
  type ProgramState,
  parseConcurrentProgram,
  programScenario,
  Turns,
} from '../../src/checker/index.ts';
import { PATIENCE } from '../../src/drivers/dmirror-mends.ts';
import type { Kernel$ } from '../../src/machine/index.ts';
import { cpuWriteWord, madvise } from '../../src/mm/index.ts';
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

it('an eviction that begins anew at once, against a write that copies', () => {
  const name = 'coherent-memory-taken-away-from-two-processes';
  expect(turns(name)).toEqual(['without end: cpu_write, release']);
  PATIENCE.longestWait = patience.longestWait;
  expect(turns(name)).toEqual([]);
});
