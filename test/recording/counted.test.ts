import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parseAnyProgram, type Walk } from '../../src/program/index.ts';
import {
  MIGRATION_ENTRIES,
  type Recording,
  record,
  traceOf,
  walksOf,
} from '../../src/recording/index.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const recorded = (path: string, walk: Walk): Recording =>
  record(parseAnyProgram(JSON.parse(readFileSync(`${root}/${path}.json`, 'utf8'))), { walk });
/** A device faults on eight pages, of which four are missing. */
const mixed = (walk: Walk, write: number): Recording => {
  const ops = [
    { op: 'mmap', buf: 0, page: 0, pages: 8, prot: 'rw', kind: 'anon' },
    { op: 'cpu_write', buf: 0, page: 0, pages: 4, tag: 1 },
    { op: 'fault_migrate_to_dev', dev: 0, buf: 0, page: 0, pages: 8, write },
  ];
  return record(parseAnyProgram({ name: 'mixed', ops }), { walk });
};
const CASES: [string, Walk][] = [
  ['examples/holes', 'collect'],
  ['examples/holes', 'unified'],
  ['scenarios/device-fault-fork-write', 'unified'],
  ['scenarios/device-fault-fork-write', 'as-posted'],
  ['scenarios/huge-device-fault-split', 'unified'],
];

describe('what a recording counts', () => {
  it.each(CASES)('is what the machine counted up to each moment: %s, %s', (path, walk) => {
    const recording = recorded(path, walk);
    for (let step = 0; step <= recording.length; step += 3) {
      const { counters } = recording.moment(step);
      for (const [name, value] of Object.entries(counters)) {
        expect(recording.count(name, step), `${name} at ${step}`).toBe(value);
      }
    }
    expect(() => recording.count('nothing', 0)).toThrow('nobody counts nothing');
  });

  it.each(CASES.slice(0, 4))(
    'are the migration entries of the state, too: %s, %s',
    (path, walk) => {
      const recording = recorded(path, walk);
      const migrating = (step: number): Set<string> =>
        new Set(
          recording
            .moment(step)
            .state.entries.filter(({ kind }) => kind === 'migration')
            .map(({ key }) => key),
        );
      let total = 0;
      let before = migrating(0);
      for (let step = 1; step <= recording.length; step++) {
        const after = migrating(step);
        total += [...after].filter((key) => !before.has(key)).length;
        expect(recording.count(MIGRATION_ENTRIES, step), `step ${step}`).toBe(total);
        before = after;
      }
      expect(total).toBeGreaterThan(0);
    },
  );
});

describe('the walks of a recording', () => {
  it.each([...CASES, ['examples/migrate-on-fault', 'collect'] as [string, Walk]])(
    'are as many as the machine counted, and share what was counted: %s, %s',
    (path, walk) => {
      const recording = recorded(path, walk);
      const walks = walksOf(recording);
      const { length } = recording;
      expect(walks).toHaveLength(recording.count('walks', length) - recording.count('walks', 0));
      for (const [i, { task, from, to, name, depth }] of walks.entries()) {
        expect(to).toBeGreaterThan(from);
        expect(name).toMatch(/^(hmmRangeFault|migrateVmaCollect)$/);
        expect(recording.taskAt(from)).toBe(task);
        const around = walks.filter(
          (other, n) => n < i && other.task === task && other.from <= from && other.to >= to,
        );
        expect(around, `walk at ${from}`).toHaveLength(depth);
      }
      const sum = walks.reduce((n, { entries }) => n + entries, 0);
      expect(sum).toBe(
        recording.count('entriesVisited', length) - recording.count('entriesVisited', 0),
      );
    },
  );

  it('are one where unified faults and prepares, and more with collect', () => {
    const walks = (walk: Walk, write: number) =>
      walksOf(mixed(walk, write)).map(({ name, op, entries, faults, migrationEntries }) => [
        `${name} of op ${op}`,
        { entries, faults, migrationEntries },
      ]);
    const fault = 'hmmRangeFault of op 2';
    const collect = 'migrateVmaCollect of op 2';
    expect(walks('unified', 0)).toEqual([[fault, { entries: 9, faults: 4, migrationEntries: 4 }]]);
    expect(walks('collect', 0)).toEqual([
      [fault, { entries: 9, faults: 4, migrationEntries: 0 }],
      [collect, { entries: 8, faults: 0, migrationEntries: 4 }],
    ]);
    // a device that writes needs pages of its own, where it read the zero page
    expect(walks('unified', 1)).toEqual([[fault, { entries: 9, faults: 4, migrationEntries: 8 }]]);
    expect(walks('collect', 1)).toEqual([
      [fault, { entries: 9, faults: 4, migrationEntries: 0 }],
      [fault, { entries: 1, faults: 4, migrationEntries: 0 }],
      [fault, { entries: 4, faults: 0, migrationEntries: 0 }],
      [collect, { entries: 8, faults: 0, migrationEntries: 8 }],
    ]);
  });
});

it('a walk is not said to do what a fault in it does', () => {
  const range = { buf: 0, page: 0, pages: 2 };
  const ops = [
    { op: 'mmap', ...range, prot: 'rw', kind: 'anon' },
    { op: 'cpu_write', ...range, tag: 1 },
    { op: 'migrate_to_dev', dev: 1, ...range },
    { op: 'fork', child: 1 },
    { op: 'fault_migrate_to_dev', dev: 0, ...range, write: 0 },
  ];
  const recording = record(parseAnyProgram({ name: 'shared', ops }), { walk: 'collect' });
  const [first] = walksOf(recording).filter(({ op, depth }) => op === 4 && depth === 0);
  // the other device's pages come back: the child's entries, too, are on their way then
  expect(first).toMatchObject({ name: 'hmmRangeFault', faults: 2, migrationEntries: 0 });
  const within = recording.count(MIGRATION_ENTRIES, first.to);
  expect(within - recording.count(MIGRATION_ENTRIES, first.from)).toBe(4);
});

describe('a trace', () => {
  it.each(CASES)('begins and ends its slices in pairs that nest: %s, %s', (path, walk) => {
    const recording = recorded(path, walk);
    const { traceEvents, otherData } = traceOf(recording);
    const open = new Map<string, { name: string; ts: number }[]>();
    const last = new Map<string, number>();
    let slices = 0;
    for (const { ph, pid, tid, name, ts } of traceEvents) {
      if (ph !== 'B' && ph !== 'E') continue;
      const track = `${pid} ${tid}`;
      expect(ts, track).toBeGreaterThanOrEqual(last.get(track) ?? 0);
      last.set(track, ts);
      const stack = open.get(track) ?? [];
      open.set(track, stack);
      if (ph === 'B') {
        stack.push({ name, ts });
        slices++;
      } else {
        const begun = stack.pop();
        expect(begun?.name).toBe(name);
        expect(ts).toBeGreaterThan(begun?.ts ?? ts);
      }
    }
    expect(slices).toBeGreaterThan(40);
    for (const [track, stack] of open) expect(stack, track).toEqual([]);
    expect(otherData).toMatchObject({ walk, schedule: recording.schedule });
  });

  it('has every task, operation, function, lock, wait and event', () => {
    const inTurn = recorded('scenarios/device-fault-fork-write', 'unified');
    const { traceEvents } = traceOf(inTurn);
    const named = (ph: string, pid: number): string[] =>
      traceEvents.filter((one) => one.ph === ph && one.pid === pid).map(({ name }) => name);
    const threads = traceEvents.filter(({ name, pid }) => name === 'thread_name' && pid === 1);
    expect(threads.map(({ args }) => args?.name)).toEqual(inTurn.tasks);
    const begun = named('B', 1);
    for (const { op } of inTurn.operations.flat()) expect(begun).toContain(op);
    expect(begun).toContain('hmmRangeFault');
    expect(named('B', 2).sort()).toEqual(inTurn.held.map(({ name }) => name).sort());
    expect(named('B', 3)).toEqual(inTurn.waited.map(({ name }) => name));
    const events = inTurn.events.filter(({ kind }) => kind !== 'operation');
    expect(named('i', 1)).toEqual(events.map(({ kind }) => kind));
    const walks = traceEvents.filter(({ ph, name }) => ph === 'C' && name === 'walks');
    expect(walks.map(({ args }) => args?.value)).toEqual([0, 1, 2]);
    expect(JSON.parse(JSON.stringify(traceOf(inTurn)))).toEqual(traceOf(inTurn));
  });
});
