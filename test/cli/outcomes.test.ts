/** `softleaf check --outcomes`: the table, its JSON, conditions and their exit codes. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { root, softleaf } from '../support/cli.ts';

const TORN = join(root, 'examples/scenarios/torn-read.json');
const torn = JSON.parse(readFileSync(TORN, 'utf8'));

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'softleaf-outcomes-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const check = (...args: string[]) =>
  softleaf(['check', ...(args.includes('--workers') ? [] : ['--workers', '1']), ...args], dir);
const json = (...args: string[]) => {
  const { code, out, err } = check(...args, '--json');
  expect(err).toBe('');
  return { code, ...JSON.parse(out) };
};
/** The program with other fields, in a file. */
function file(name: string, more: object): string {
  writeFileSync(join(dir, name), JSON.stringify({ ...torn, ...more }));
  return join(dir, name);
}
const NONE = { exists: undefined, forall: undefined, never: undefined };
const EXHAUSTIVE = ['--strategy', 'exhaustive'];

/** What a schedule's text has before its choices: a digest of the model. */
const withoutDigest = (text: string): string =>
  text.replace(/\b2\.[0-9a-z]{9}\.(\S*?)\.[0-9a-z]{5}\b/g, '2.DIGEST.$1.SEAL');

describe('the table', () => {
  it('has a row for each outcome, and says that they are all', () => {
    const { code, out } = check(TORN, '--outcomes');
    expect(code).toBe(0);
    const [table] = withoutDigest(out).split('\nproved:');
    expect(table).toMatchInlineSnapshot(`
      "4 outcomes of a device reads two pages while a CPU writes them, walk unified
        complete: every schedule was tried (8 schedules)
        always  cpu[0] cpu_write   ok, done 2
        always  after[0] cpu_read  ok, done 2, holds 2:0..1
        schedules  gpu[0] dev_read                        shortest
                4  ok, cpages 2, faults 1, holds 2:0..1   2.DIGEST.b.SEAL
                2  ok, cpages 2, faults 1, holds 2:0 1:1  2.DIGEST.a13b3a.SEAL
                1  ok, cpages 2, faults 1, holds 1:0 2:1  2.DIGEST.a21b.SEAL
                1  ok, cpages 2, faults 1, holds 1:0..1   2.DIGEST..SEAL
        holds 2:0..3: what a write with tag 2 put into its pages 0 to 3; 0: nobody wrote it
      exists gpu[0] tags 2:0 1:1
        Ok. Observation Sometimes 2 6
      exists gpu[0] tags 1:0 2:1
        Ok. Observation Sometimes 1 7
      forall gpu[0] ret ok and tag 1 or 2, after[0] tag 2
        Ok. Observation Always 8 0
      never gpu[0] tag zero
        Ok. Observation Never 0 8"
    `);
  });

  it('has rows one below the other where they are wide, and is folded where there are many', () => {
    const both = { buf: 0, page: 0, pages: 2 };
    const gpu = [1, 2, 3].map(() => torn.tasks.gpu[0]);
    const cpu = [2, 3].map((tag) => ({ op: 'cpu_write', ...both, tag }));
    const many = file('many.json', { ...NONE, tasks: { gpu, cpu } });
    const rows = (...args: string[]) => {
      const { out } = check(many, '--outcomes', ...EXHAUSTIVE, ...args);
      const row =
        /\n {2}\d+ schedules?, the shortest: 2\.\w+\.\w*\.\w+\n {4}gpu\[0] dev_read {2}ok, .*\n {4}gpu\[1] /g;
      const [all, more] = [/^(\d+) outcomes of/m, /and (\d+) outcomes more/].map((number) =>
        Number(number.exec(out)?.[1]),
      );
      return { shown: out.match(row)?.length, all, more };
    };
    const { all, ...folded } = rows();
    expect(all).toBeGreaterThan(20);
    expect(folded).toEqual({ shown: 20, more: all - 20 });
    expect(rows('--verbose')).toEqual({ shown: all, all, more: Number.NaN });
  });

  it('says what bounded it where there may be more', () => {
    const { out } = check(TORN, '--outcomes', '--preemptions', '1');
    expect(out).toMatch(/\n {2}not complete: bounded by at most 1 preemption \(\d+ schedules\)\n/);
  });

  it('has no row for a schedule that breaks something, and goes on behind it', () => {
    const gpu = [{ ...torn.tasks.gpu[0], expect: { tag: 1 } }];
    const breaking = file('breaking.json', { ...NONE, tasks: { ...torn.tasks, gpu } });
    const { code, out } = check(breaking, '--outcomes', '--findings', '1', ...EXHAUSTIVE);
    expect(code).toBe(1);
    expect(out).toMatch(/1 outcome of .*\n {2}complete: .*, [1-9]\d* of them broke something and/);
    expect(out).toContain('dev_read: tag must be 1, is ');
  });
});

describe('JSON', () => {
  it('is the same whatever the number of threads', () => {
    const [one, ...others] = [1, 2, 4].map(
      (workers) => check(TORN, '--outcomes', '--json', '--workers', String(workers)).out,
    );
    for (const other of others) expect(other).toBe(one);
  });

  it('has the results as recordings have them, in a stable order', () => {
    const { verdict, outcomes, conditions } = json(TORN, '--outcomes');
    expect(verdict).toBe('proved');
    expect(JSON.parse(withoutDigest(JSON.stringify({ outcomes, conditions })))).toMatchSnapshot();
  });

  it('has conditions without --outcomes, too, and no outcomes', () => {
    const told = json(TORN, ...EXHAUSTIVE);
    expect(told.outcomes).toBe(undefined);
    expect(told.conditions).toHaveLength(4);
    expect(json(file('none.json', NONE), ...EXHAUSTIVE).conditions).toBe(undefined);
  });

  it('has a schedule for each that comes to it again', () => {
    const { outcomes } = json(TORN, '--outcomes', ...EXHAUSTIVE);
    const [{ outcomes: list }] = outcomes;
    expect(list).toHaveLength(4);
    for (const { schedule, results, after } of list) {
      const again = json(TORN, '--replay', schedule, '--outcomes');
      const [one, ...more] = again.outcomes;
      expect(more).toEqual([]);
      expect(one).toMatchObject({ complete: false, outcomes: [{ results, after, schedule }] });
    }
    const { out } = check(TORN, '--replay', list[0].schedule);
    expect(out).toMatch(/^it comes to\n {2}gpu\[0] dev_read {4}ok, cpages 2, faults 1, holds /);
  });

  it('goes on where it was interrupted, and comes to the same', () => {
    const args = ['--outcomes', ...EXHAUSTIVE];
    const whole = json(TORN, ...args);
    const kept = join(dir, 'kept.json');
    const part = json(TORN, ...args, '--schedules', '3', '--resume', kept);
    expect(part.outcomes[0]).toMatchObject({ complete: false, bounds: ['3 schedules a search'] });
    const rest = json(TORN, ...args, '--schedules', '1000', '--resume', kept);
    expect(rest.outcomes).toEqual(whole.outcomes);
    expect(rest.conditions).toEqual(whole.conditions);
  });
});

describe('conditions', () => {
  const never = { never: { 'gpu[0]': { tag: 'zero' } } };
  const missing = { exists: { 'gpu[0]': { tag: 'zero' } } };

  it('that no schedule comes to are a finding where all were tried', () => {
    const of = file('missing.json', { ...NONE, ...missing });
    const { code, out } = check(of, ...EXHAUSTIVE);
    expect(code).toBe(1);
    expect(out).toContain(
      'exists gpu[0] tag zero\n  No: no schedule comes to it. Observation Never 0 8\n',
    );
    expect(out).toContain('\nfound: 1 condition that no schedule comes to\n');
    expect(json(of, ...EXHAUSTIVE)).toMatchObject({ code: 1, verdict: 'found', findings: [] });
  });

  it('that were not seen are open where not all were tried', () => {
    const of = file('open.json', { ...NONE, ...missing });
    const some = ['--strategy', 'pct', '--schedules', '20'];
    const { code, out } = check(of, ...some);
    expect(code).toBe(0);
    expect(out).toContain('  not seen, but not every schedule was tried. Observation Never 0 20\n');
    expect(check(of, ...some, '--require-complete').code).toBe(3);
  });

  it('that every schedule keeps are proved', () => {
    const { code, out } = check(file('kept-never.json', { ...NONE, ...never }), ...EXHAUSTIVE);
    expect(code).toBe(0);
    expect(out).toMatch(/^never gpu\[0] tag zero\n {2}Ok\. Observation Never 0 8\nproved: /);
  });

  it('that a schedule breaks are a finding with that schedule', () => {
    const of = file('broken.json', { ...NONE, never: { 'gpu[0]': { tag: 2 } } });
    const { code, findings, conditions } = json(of, ...EXHAUSTIVE);
    expect(code).toBe(1);
    expect(findings).toHaveLength(1);
    const [{ title, schedule }] = findings;
    expect(title).toBe('what must never be: gpu[0] tag 2');
    expect(conditions[0]).toMatchObject({ standing: 'no', observation: 'Sometimes' });
    expect(check(of, '--replay', schedule).code).toBe(1);
  });

  it('are refused with their place', () => {
    const of = file('wrong.json', { exists: { 'gpo[0]': {} } });
    const { code, err } = check(of);
    expect(code).toBe(2);
    expect(err).toContain('no such task (there are gpu cpu after); did you mean "gpu"?');
  });
});
