/**
 * It makes no difference which task of a scenario comes first. It does where a task looks at something before its first
 * step, or where a step does not name what it looks at. `npm run test:long -- turned` asks it of every scenario.
 */
import { expect, it, test } from 'vitest';
import {
  check,
  Exhaustive,
  type ProgramState,
  programScenario,
  type Scenario,
} from '../../src/checker/index.ts';
import { type Kernel$, ObjectKind, Role, StepKind } from '../../src/machine/index.ts';
import { ptepGet, ptepOf } from '../../src/mm/pgtable.ts';
import { parseConcurrentProgram } from '../../src/program/index.ts';
import { shippedScenario } from '../support/scenarios.ts';
import { difference } from '../support/turned.ts';

it.each([
  ['device-fault-munmap', 'unified'],
  ['two-device-writes', 'collect'],
  ['a-device-open-twice', 'unified'],
  ['huge-bring-back', 'collect'],
  ['device-read-against-munmap', 'unified'],
] as const)('%s, walk %s', (name, walk) => {
  expect(difference(shippedScenario(name), walk, 400)).toEqual([]);
});

const one = { buf: 0, page: 0, pages: 1 };
const program = parseConcurrentProgram({
  name: 'p',
  machine: { pmdOrder: 2, pageBytes: 16 },
  setup: [
    { op: 'mmap', ...one, prot: 'rw', kind: 'anon' },
    { op: 'cpu_write', ...one, tag: 1 },
    { op: 'dev_read', dev: 0, ...one },
    { op: 'migrate_to_dev', dev: 1, ...one },
    { op: 'migrate_to_sys', dev: 1, ...one },
  ],
  tasks: { a: [{ op: 'munmap', ...one }], b: [{ op: 'cpu_read', ...one }] },
});

test('who evicts a page that is about to be handed out comes before or after, whoever is first', () => {
  const tasks = {
    evicts: [{ op: 'evict', dev: 1 }],
    migrates: [{ op: 'migrate_to_dev', dev: 1, ...one }],
  };
  const scenario = programScenario(parseConcurrentProgram({ ...program, tasks }));
  expect(difference(scenario as unknown as Scenario, 'unified', 4000)).toEqual([]);
});

test.each<[string, (k: ReturnType<Scenario['kernel']>, vpn: number) => void]>([
  ['looks at a page', (k) => void k.pages.isFree(k.zeroPfn)],
  ['looks at a page-table entry', (k, vpn) => void ptepGet(k, ptepOf(k, k.mms[0], vpn))],
  [
    "looks at a device's page table",
    (k, vpn) => void (k.deviceViews[0].table as unknown as { load(vpn: number): void }).load(vpn),
  ],
])('a task that %s before its first step is told so', (does, look) => {
  const scenario = programScenario(program);
  const early = function* (state: ProgramState): Kernel$<void> {
    const k = scenario.kernel(state);
    look(k, k.geometry.vpnOf(0, 0));
    yield k.step(StepKind.Shared, ObjectKind.Program, 1, Role.Write);
  };
  const strategy = (n: number) => new Exhaustive(n);
  const { found } = check({ ...scenario, tasks: { ...scenario.tasks, early } }, { strategy });
  expect(found.map(({ title }) => title)).toEqual([`${does} before its first step in early`]);
});
