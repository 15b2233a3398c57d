/** All of a device's memory is taken away while others migrate to it, or take it away themselves. */
import { expect, it } from 'vitest';
import { check, Exhaustive, Pct, programScenario, Turns } from '../../src/checker/index.ts';
import { parseConcurrentProgram, type Walk } from '../../src/program/index.ts';

const both = { buf: 0, page: 0, pages: 2 };
const migrates = { op: 'fault_migrate_to_dev', dev: 0, ...both, write: 0 };

it.each<[string, Walk, object[]]>([
  ['a migration', 'unified', [migrates]],
  ['a migration', 'collect', [migrates]],
  ['another one', 'unified', [{ op: 'release', dev: 0 }]],
  ['an eviction', 'unified', [{ op: 'evict', dev: 0 }]],
])('against %s, walk %s: nobody waits for the other for ever', (_what, walk, ops) => {
  const scenario = programScenario(
    parseConcurrentProgram({
      name: 'p',
      machine: { pmdOrder: 2, pageBytes: 16 },
      setup: [
        { op: 'mmap', ...both, prot: 'rw', kind: 'anon' },
        { op: 'cpu_write', ...both, tag: 1 },
        ...(ops[0] === migrates ? [] : [{ op: 'migrate_to_dev', dev: 0, ...both }]),
      ],
      tasks: { releases: [{ op: 'release', dev: 0 }], other: ops },
    }),
  );
  for (const strategy of [
    () => new Pct({ seed: 1 }),
    () => new Turns({ seed: 1 }),
    (tasks: number) => new Exhaustive(tasks),
  ]) {
    const { found, schedules } = check(scenario, { walk, strategy, schedules: 150, findings: 3 });
    expect(found.map(({ title }) => title)).toEqual([]);
    // in whichever order they take the device's memory, it makes a difference
    expect(schedules).toBeGreaterThan(1);
  }
});
