/** Results that some order of the operations gives, that a reason explains, and that nothing does. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { check, explainResults, Pct, parseConcurrentProgram } from '../../src/checker/index.ts';
import { programScenario } from '../../src/checker/program.ts';
import { REASONS } from '../../src/checker/reasons.ts';
import type { ConcurrentProgram, Result } from '../../src/program/index.ts';

/** What a real kernel gave: of a program's rounds, how many came to each outcome. */
interface Observed {
  program: unknown;
  observed: [rounds: number, outcome: { tasks: Result[][]; after: Result[] }][];
}
const observed = readFileSync(new URL('observed/outcomes.jsonl', import.meta.url), 'utf8')
  .trim()
  .split('\n')
  .map((line): Observed => JSON.parse(line));

describe('what a real kernel gave', () => {
  it.each(observed.map((one) => [parseConcurrentProgram(one.program), one.observed] as const))(
    '$name: is explained',
    (program, outcomes) => {
      const names = Object.keys(program.tasks);
      for (const [, { tasks, after }] of outcomes) {
        const results = Object.fromEntries(names.map((name, i) => [name, tasks[i]]));
        const explained = explainResults(program, program.machine?.walk, { results, after });
        expect(explained, JSON.stringify({ results, after })).toHaveProperty('reasons');
      }
    },
  );
});

const page = (op: object, first = 0, pages = 1) => ({ buf: 0, page: first, pages, ...op });
const map = page({ op: 'mmap', prot: 'rw', kind: 'anon' }, 0, 2);
const written = [map, page({ op: 'cpu_write', tag: 1 }, 0, 2)];

function program(tasks: Record<string, object[]>, more: object = {}): ConcurrentProgram {
  const machine = { pmdOrder: 2, pageBytes: 16 };
  return parseConcurrentProgram({ name: 'p', machine, setup: written, tasks, after: [], ...more });
}
const ok = (more: Partial<Result> = {}): Result => ({ ret: 'ok', ...more });

/** What explains these results: names of reasons, or the operation that does not fit. */
function explained(of: ConcurrentProgram, results: Record<string, Result[]>, after: Result[] = []) {
  const how = explainResults(of, 'unified', { results, after });
  return how === null ? null : 'reasons' in how ? how.reasons : how.op.op;
}

describe('a read of two pages against a write of them', () => {
  const torn = program({
    gpu: [page({ op: 'dev_read', dev: 0 }, 0, 2)],
    cpu: [page({ op: 'cpu_write', tag: 2 }, 0, 2)],
  });
  const reads = (tags: Result['tags']) =>
    explained(torn, {
      gpu: [ok({ cpages: 2, faults: 1, tags: tags ?? [] })],
      cpu: [ok({ done: 2 })],
    });

  it('may see each page before or after it is written: a range is no one thing', () => {
    // page by page it faults for each
    const faults = ['a device faults more often, or less'];
    expect(reads([[65536, 2, 1]])).toEqual([]);
    expect(reads([[131072, 2, 1]])).toEqual([]);
    expect(
      reads([
        [131072, 1, 0],
        [65537, 1, 0],
      ]),
    ).toEqual(faults);
    expect(
      reads([
        [65536, 1, 0],
        [131073, 1, 0],
      ]),
    ).toEqual(faults);
  });

  it('may not see what nobody has written', () => {
    expect(reads([[0, 2, 0]])).toBe('dev_read');
    expect(
      reads([
        [65537, 1, 0],
        [65537, 1, 0],
      ]),
    ).toBe('dev_read');
  });
});

it('what is read in the end decides, too', () => {
  const lost = program(
    { cpu: [page({ op: 'cpu_write', tag: 2 })], gpu: [page({ op: 'migrate_to_dev', dev: 0 })] },
    { after: [page({ op: 'cpu_read' })] },
  );
  const results = (tag: number) => ({
    cpu: [ok({ done: 1 })],
    gpu: [ok({ cpages: 1, faults: 0, tags: [[tag * 65536, 1, 0]] })],
  });
  const reads = (tag: number): Result[] => [ok({ done: 1, tags: [[tag * 65536, 1, 0]] })];
  expect(explained(lost, results(1) as never, reads(2))).toEqual([]);
  expect(explained(lost, results(1) as never, reads(1))).toBe('cpu_read');
});

describe('reasons', () => {
  it('have names of their own, and say where in Linux they lie', () => {
    const names = REASONS.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    for (const { why } of REASONS) expect(why).toMatch(/\w+\(\)/);
  });

  it('count only where no order is like that', () => {
    const failed = program({
      gpu: [page({ op: 'migrate_to_dev', dev: 0 })],
      cpu: [page({ op: 'madvise', advice: 'dontneed' })],
    });
    const gone = { gpu: [{ ret: 'ENOENT' }], cpu: [ok()] };
    expect(explained(failed, gone)).toEqual(['migrated pages are gone before they are read back']);
    const busy = { gpu: [{ ret: 'EBUSY' }], cpu: [ok()] };
    expect(explained(failed, busy)).toBe('migrate_to_dev');
  });

  it('a page that was faulted to be written may go before it is written', () => {
    const tasks = {
      look: [page({ op: 'scan' })],
      gone: [page({ op: 'munmap' })],
      cpu: [page({ op: 'cpu_write', tag: 7 })],
    };
    const setup = [map, page({ op: 'cpu_read' }, 0, 2)];
    // written or not, it was no zero page once
    const results = {
      look: [ok({ bits: [[1, 1]] })],
      gone: [ok()],
      cpu: [{ ret: 'SEGV', done: 0 }],
    };
    expect(explained(program(tasks, { setup }), results)).toEqual([
      'a fault and what it is for are two',
    ]);
  });

  it('a page that is shared may be seen mapped once while it migrates, and not otherwise', () => {
    const setup = [...written, page({ op: 'migrate_to_dev', dev: 0 }), { op: 'fork', child: 1 }];
    const tasks = {
      look: [page({ op: 'pagemap' })],
      back: [page({ op: 'migrate_to_sys', dev: 0 })],
    };
    const seen = (bits: number) => ({
      look: [ok({ bits: [[bits, 1]] })],
      back: [ok({ cpages: 1 })],
    });
    const of = (bits: number) => explained(program(tasks, { setup }), seen(bits));
    expect(of(9)).toEqual([]);
    expect(of(25)).toEqual(['an observer counts mappings while some are under way']);
    expect(of(13)).toBe('pagemap');
  });

  it('pages of a folio that is split for a part may be seen put back where that part was faulted in', () => {
    const wide = { buf: 0, page: 0, pages: 4 };
    const setup = [
      { ...map, pages: 8 },
      { op: 'madvise', ...wide, pages: 8, advice: 'hugepage' },
      { op: 'cpu_write', ...wide, tag: 1 },
      { op: 'exclusive', ...wide, dev: 0 },
    ];
    const explains = (seen: number, migrate: object, results: Result) => {
      const tasks = { look: [{ op: 'scan', ...wide }], gpu: [page(migrate, 3)] };
      const look = [ok({ bits: [[seen, 4]] })];
      return explained(program(tasks, { setup }), { look, gpu: [results] });
    };
    const faults = { op: 'fault_migrate_to_dev', dev: 1, write: 0 };
    const moved = ok({ cpages: 1, faults: 1, tags: [[65539, 1, 0]] });
    const reason = 'an observer meets pages that a split put back';
    expect(explains(2, faults, moved)).not.toContain(reason);
    expect(explains(1, faults, moved)).toContain(reason);
    const migrates = { op: 'migrate_to_dev', dev: 1 };
    const gone = { ret: 'ENOENT' };
    expect(explains(2, migrates, gone)).toEqual(expect.any(Array));
    expect(explains(1, migrates, gone)).toBe('scan');
  });

  it('a mistake of the stock driver is one where the driver is mended', () => {
    const tasks = {
      gpu: [page({ op: 'dev_write', dev: 0, tag: 7 })],
      other: [page({ op: 'migrate_to_dev', dev: 0 })],
    };
    const lost = {
      gpu: [ok({ cpages: 1, faults: 1 })],
      other: [ok({ cpages: 1, faults: 0, tags: [[65536, 1, 0]] as never })],
    };
    const after = { after: [page({ op: 'cpu_read' })] };
    const reads: Result[] = [ok({ done: 1, tags: [[65536, 1, 0]] })];
    const stock = { ...after, machine: { pmdOrder: 2, pageBytes: 16, mended: false } };
    expect(explained(program(tasks, stock), lost, reads)).toEqual([
      'a device writes to a page of which a copy is under way',
    ]);
    expect(explained(program(tasks, after), lost, reads)).toBe('cpu_read');
  });

  it('of a program whose operations wait for one another nothing is said', () => {
    const waits = program(
      {
        cpu: [page({ op: 'cpu_write', tag: 2 }), { op: 'uffd_stop' }],
        monitor: [{ op: 'uffd_serve', faults: 4, tag: 5 }],
      },
      { setup: [map, page({ op: 'uffd_register' }, 0, 2)] },
    );
    const results = { cpu: [ok({ done: 1 }), ok()], monitor: [ok({ done: 1 })] };
    expect(explained(waits, results)).toBe(null);
  });
});

it('a schedule whose results no order gives is a finding, which names the operation', () => {
  const fine = programScenario(
    program({
      one: [page({ op: 'cpu_write', tag: 2 })],
      two: [page({ op: 'cpu_read' })],
    }),
  );
  const options = { schedules: 20, strategy: () => new Pct({ seed: 1 }) };
  expect(check(fine, options).found).toEqual([]);
  const wrong: typeof fine = {
    ...fine,
    check(state) {
      state.results.two[0] = ok({ done: 1, tags: [[3 * 65536, 1, 0]] });
      return fine.check?.(state) ?? [];
    },
  };
  const [found] = check(wrong, options).found;
  expect(found.title).toBe('results of no order of the operations in cpu_read');
  expect(found.finding.detail).toContain('two[0] (cpu_read buf0:0) returned ok, done 1, holds 3:0');
});
