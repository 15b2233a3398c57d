/** What 7.3.4 itself has wrong: each flaw is found where its mend is off, by the scenario that the table names. */
import { describe, expect, it } from 'vitest';
import { check, Exhaustive, programScenario } from '../../src/checker/index.ts';
import { Kernel, MEND_NAMES, MENDS, type MendName, type Unmended } from '../../src/mm/index.ts';
import { parseProgram, runProgram, type Walk } from '../../src/program/index.ts';
import { scenarioProgram } from '../support/scenarios.ts';

/** What schedules with one preemption find in the scenario that shows a mend. */
function found(name: MendName, unmended: Unmended[], walk: Walk) {
  const program = scenarioProgram(MENDS[name].shown);
  const scenario = programScenario({ ...program, machine: { ...program.machine, unmended } });
  const strategy = (tasks: number) => new Exhaustive(tasks, { preemptions: 1 });
  return check(scenario, { walk, strategy }).found.map(({ title }) => title);
}

/** By mend: what comes of it where it is off. */
const TITLES: Record<MendName, string> = {
  'split-one-process': 'a huge entry gets a small folio in removeMigrationPmd',
  'device-pmd-cleared': 'a CPU reads a value that was overwritten in cpuReadWord',
};

describe.each(MEND_NAMES)('%s', (name) => {
  it.each<Walk>(['collect', 'unified'])('is found with walk %s where it is off', (walk) => {
    expect(found(name, [name], walk)).toContain(TITLES[name]);
  });

  it('is not there where it alone is on', () => {
    const others = MEND_NAMES.filter((other) => other !== name);
    expect(found(name, others, 'collect')).toEqual([]);
  });
});

it('a huge page that is split for one process alone breaks one task at a time, too', () => {
  const { machine, setup, tasks } = scenarioProgram('huge-shared-no-room');
  const ops = [...setup, ...Object.values(tasks).flat()];
  const titles = (unmended: Unmended[]) =>
    runProgram({ name: 'p', machine: { ...machine, unmended }, ops }).findings.map(
      ({ title }) => title,
    );
  expect(titles(['split-one-process'])).toContain('a huge entry gets a small folio');
  expect(titles([])).toEqual([]);
});

describe('machine.unmended', () => {
  const program = (unmended: unknown) => ({ name: 'p', machine: { unmended }, ops: [] });

  it('is a list of mends, each once', () => {
    for (const list of [[], ['all'], [...MEND_NAMES]])
      expect(parseProgram(program(list)).machine?.unmended).toEqual(list);
    for (const wrong of ['all', ['all', 'all'], [1], {}])
      expect(() => parseProgram(program(wrong))).toThrow(/machine\.unmended/);
  });

  it('says what was meant', () => {
    const wrong = () => parseProgram(program(['split-one-proces']));
    expect(wrong).toThrow(/did you mean "split-one-process"/);
  });

  it('is refused by a kernel that does not know it', () => {
    expect(() => new Kernel({ unmended: ['none' as never] })).toThrow(RangeError);
    const { unmended } = new Kernel({ unmended: ['all'] });
    expect(Object.values(unmended)).toEqual(MEND_NAMES.map(() => true));
    expect(Object.values(new Kernel().unmended)).toEqual(MEND_NAMES.map(() => false));
  });
});
