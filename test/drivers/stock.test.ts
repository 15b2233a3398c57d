/** The driver with the guards of lib/test_hmm.c alone: what Linux gets wrong it gets wrong, and says so by name. */
import { describe, expect, it } from 'vitest';
import { check, Pct, programScenario, REASONS } from '../../src/checker/index.ts';
import { pairProgram } from '../../src/checker/light.ts';
import { FLAWS } from '../../src/drivers/index.ts';
import { parseConcurrentProgram, type Walk } from '../../src/program/index.ts';

const range = { buf: 0, page: 0, pages: 2 };
const setup = [
  { op: 'mmap', ...range, prot: 'rw', kind: 'anon' },
  { op: 'cpu_write', ...range, tag: 1 },
];
const migrates = { op: 'migrate_to_dev', dev: 0, ...range };
const child = [
  { op: 'fork', child: 1 },
  { op: 'open', dev: 0, proc: 1 },
];

/** What some schedules of two tasks come to: titles of findings, and flaws by name. */
function outcome(
  driver: 'mended' | 'stock',
  one: object[],
  two: object[],
  before: object[] = [],
  walk: Walk = 'collect',
) {
  const program = parseConcurrentProgram({
    name: 'p',
    machine: { pmdOrder: 2, pageBytes: 16, driver },
    setup: [...setup, ...before],
    tasks: { one, two },
  });
  const strategy = () => new Pct({ seed: 1 });
  const { found, bounds } = check(programScenario(program), {
    walk,
    strategy,
    schedules: 400,
    findings: 5,
  });
  return {
    found: found.map(({ title }) => title),
    flaws: bounds.filter((bound) => bound.includes('flaw')).map((bound) => bound.split(': ')[1]),
  };
}

const FOUND: readonly [keyof typeof FLAWS, object[], object[], object[]?][] = [
  ['late', [migrates], [{ op: 'madvise', ...range, advice: 'dontneed' }]],
  ['moved', [{ op: 'dev_read', dev: 0, ...range }], [migrates]],
  [
    'copied',
    [{ op: 'dev_write', dev: 0, ...range, tag: 7 }],
    [migrates],
    [{ op: 'dev_write', dev: 0, ...range, tag: 2 }],
  ],
  [
    'other',
    [{ op: 'cpu_read', ...range, proc: 1 }],
    [{ op: 'dev_read', dev: 1, ...range }],
    [migrates, ...child, { op: 'dev_read', dev: 0, ...range, proc: 1 }],
  ],
  [
    'claimed',
    [{ op: 'exclusive', dev: 0, ...range }],
    [{ op: 'madvise', ...range, advice: 'dontneed' }],
  ],
  ['closed', [{ op: 'close', dev: 0 }], [{ op: 'cpu_write', ...range, tag: 3 }], [migrates]],
  ['waits', [{ op: 'release', dev: 0 }], [migrates]],
  ['unlocked', [{ op: 'release', dev: 0 }], [{ op: 'evict', dev: 0 }], [migrates]],
];

describe.each(FOUND)('%s', (flaw, one, two, before = []) => {
  it('is told by its name, and is no finding', () => {
    const { found, flaws } = outcome('stock', one, two, before);
    expect(flaws).toContain(FLAWS[flaw].name);
    expect(found).toEqual([]);
  });

  it('is not there where the driver is mended', () => {
    expect(outcome('mended', one, two, before)).toEqual({ found: [], flaws: [] });
  });
});

it('every flaw is among the reasons, with a function of the kernel', () => {
  for (const flaw of Object.values(FLAWS)) {
    expect(REASONS).toContain(flaw);
    expect(flaw.why).toMatch(/\bdmirror_\w+\(\)/);
  }
});

it('a pair is one of the stock driver by its name', () => {
  const { machine } = pairProgram('pair:present/dev_read.whole/munmap.part/stock');
  expect(machine?.driver).toBe('stock');
  expect(pairProgram('pair:present/dev_read.whole/munmap.part').machine?.driver).toBeUndefined();
});

it('the driver is one that there is', () => {
  const read = () =>
    parseConcurrentProgram({ name: 'p', machine: { driver: 'stok' }, tasks: { one: [] } });
  expect(read).toThrow(/machine\.driver.*stock/s);
});
