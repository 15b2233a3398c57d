/** What a verdict says of what was come across. */
import { describe, expect, it } from 'vitest';
import { check, Exhaustive, programScenario, summarizeCoverage } from '../../src/checker/index.ts';
import { onePageProgram, PAGE } from '../support/one-page.ts';

interface Counting {
  countsOf(code: string): { places: { start: number; what: string }[] };
  counted(code: string, base: number, found: object, importFrom: string): string;
}
const script: string = '../../scripts/count.mjs';
const { counted, countsOf } = (await import(script)) as Counting;

/** Runs a module that exports `f`, with its counting, and says which places ran. */
function run(code: string, ...args: unknown[]): { result: unknown; ran: string[]; all: string[] } {
  const found = countsOf(code);
  const text = counted(code, 0, found, 'ran.js').replace("import { ran } from 'ran.js';", '');
  const ran = new Uint8Array(found.places.length);
  const f = new Function('ran', `${text.replace('export ', '')}; return f;`)(ran);
  const names = found.places.map(({ start, what }) => `${what} ${code.slice(start, start + 8)}`);
  return { result: f(...args), ran: names.filter((_, i) => ran[i] === 1), all: names };
}

describe('counting', () => {
  it('notes both ways of a condition, and changes no result', () => {
    const code = 'export function f(a) { if (a > 1) return "many"; return a ? "one" : "none"; }';
    const many = run(code, 2);
    expect(many.result).toBe('many');
    expect(many.ran).toEqual(['function function', 'branch return "']);
    const none = run(code, 0);
    expect(none.result).toBe('none');
    expect(none.ran).toEqual(['function function', 'branch if (a > ', 'branch "none"; ']);
    expect(none.all).toHaveLength(5);
  });

  it('follows loops, cases, and chains of conditions', () => {
    const code = [
      'export function f(list) {',
      '  let sum = 0;',
      '  for (const x of list) {',
      '    if (x < 0) continue;',
      '    else if (x === 0) sum += 10;',
      '    else sum += x;',
      '    switch (x) { case 1: sum += 100; break; case 2: sum += 200; break; default: }',
      '  }',
      '  while (sum > 1000) sum -= 1000;',
      '  return sum;',
      '}',
    ].join('\n');
    const some = run(code, [-1, 0, 2]);
    expect(some.result).toBe(212);
    expect(some.ran).toContain('branch case 2: ');
    expect(some.ran).not.toContain('branch case 1: ');
    expect(run(code, [1, 2000]).result).toBe(101);
  });

  it('leaves out guards of steps, and what only complains', () => {
    const code = [
      'export function f(k, bad) {',
      '  if (k.stepping) k.yielded = true;',
      '  if (bad) throw new Error("bad");',
      '  return 1;',
      '}',
    ].join('\n');
    expect(run(code, {}, false).all).toEqual(['function function']);
  });
});

const program = onePageProgram('coverage', {
  gpu: [{ op: 'fault_migrate_to_dev', dev: 0, ...PAGE, write: 0 }],
  cpu: [{ op: 'madvise', ...PAGE, advice: 'dontneed' }],
});

describe('a search', () => {
  const all = check(programScenario(program), {
    strategy: (tasks) => new Exhaustive(tasks),
    coverage: true,
  });
  const one = check(programScenario(program), {
    strategy: (tasks) => new Exhaustive(tasks),
    schedules: 1,
    coverage: true,
  });

  it('says which pairs of steps it saw in both orders', () => {
    expect(all.complete).toBe(true);
    const { pairs } = summarizeCoverage([all.coverage ?? never()], []);
    expect(pairs.bothOrders).toBeGreaterThan(3);
    expect(pairs.bothOrders + pairs.oneOrder.length).toBe(pairs.seen);
    const alone = summarizeCoverage([one.coverage ?? never()], []).pairs;
    expect(alone.seen).toBeGreaterThan(0);
    expect(alone.bothOrders).toBe(0);
    expect(alone.oneOrder.every((line) => line.startsWith('fault_migrate_to_dev'))).toBe(true);
  });

  it('says which kinds of entries each operation met', () => {
    const { entries } = summarizeCoverage([all.coverage ?? never()], []);
    expect(entries.madvise).toEqual(
      expect.arrayContaining(['present, writable', 'device-private, writable']),
    );
    expect(summarizeCoverage([one.coverage ?? never()], []).entries.madvise).not.toContain(
      'present, writable',
    );
  });

  it('puts searches together', () => {
    const place = { file: 'src/mm/x.ts', line: 1, function: 'f', what: 'function' } as const;
    const places = [
      place,
      { ...place, line: 2, function: 'g' },
      { ...place, what: 'branch' as const },
    ];
    const empty = { pairs: [], entries: [], meets: 0, reasons: [] };
    const summary = summarizeCoverage(
      [
        { ...empty, ran: [0], pairs: [['a', 'b']] },
        { ...empty, ran: [2], pairs: [['b', 'a']] },
      ],
      places,
    );
    expect(summary.functions).toEqual({ ran: 1, of: 2, missed: ['src/mm/x.ts:2 g'] });
    expect(summary.branches).toEqual({ ran: 1, of: 1, missed: [] });
    expect(summary.pairs).toEqual({ seen: 1, bothOrders: 1, oneOrder: [] });
  });
});

function never(): never {
  throw new Error('no coverage');
}
