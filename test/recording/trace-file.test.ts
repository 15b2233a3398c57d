/** A recording as a file: the same states come out of it, and nothing that is wrong in it is shown. */
import { describe, expect, it } from 'vitest';
import withoutLock from '../../examples/scenarios/check-without-lock.mjs';
import { generator } from '../../src/machine/random.ts';
import { type Recordable, type Recording, record } from '../../src/recording/index.ts';
import { isKept, readTrace, TraceError, traceText } from '../../src/recording/internal.ts';
import { scenarioProgram } from '../support/scenarios.ts';

const recorded = new Map<string, Recording>();
function of(name: string, recordable: () => Recordable): Recording {
  const known = recorded.get(name) ?? record(recordable());
  recorded.set(name, known);
  return known;
}
const driver = () => of('driver', () => withoutLock as unknown as Recordable);
const SUBJECTS: [string, () => Recording][] = [
  ['a driver of one’s own', driver],
  ['a program', () => of('fork', () => scenarioProgram('device-fault-fork-write'))],
  ['huge pages', () => of('huge', () => scenarioProgram('huge-rest-against-dontneed'))],
];

describe('a trace', () => {
  it.each(SUBJECTS)('has every state, every step and all that was noted: %s', (_, make) => {
    const made = make();
    const read = readTrace(traceText(made));
    expect(read.length).toBe(made.length);
    expect(read.length).toBeGreaterThan(20);
    for (let at = 0; at <= made.length; at++) expect(read.moment(at)).toEqual(made.moment(at));
    // backwards as well
    for (let at = made.length; at >= 0; at -= 7) expect(read.moment(at)).toEqual(made.moment(at));
    for (let at = 0; at < made.length; at++) {
      expect(read.step(at)).toEqual(made.step(at));
      expect(read.changes(at)).toEqual(made.changes(at));
    }
    const keys = [...made.moment(made.length).state.entries, ...made.moment(0).state.frames];
    expect(keys.length).toBeGreaterThan(0);
    for (const { key } of keys.slice(0, 4)) expect(read.history(key)).toEqual(made.history(key));
    for (const field of ['events', 'held', 'waited', 'lockNames', 'counted'] as const)
      expect(read[field]).toEqual(made[field]);
    for (const field of ['walk', 'tasks', 'operations', 'schedule', 'finding'] as const)
      expect(read[field]).toEqual(made[field]);
    expect([isKept(read), isKept(made)]).toEqual([true, false]);
  });

  it.each([
    ['no JSON', (text: string) => text.slice(0, -5), /^no JSON: /],
    ['another file', () => '{"name":"x"}', /^no trace: softleaf check --trace writes one$/],
    [
      'another version',
      (text: string) => text.replace('"format":1', '"format":2'),
      /^a trace of format 2; this Softleaf reads 1$/,
    ],
    [
      'a walk that is none',
      (text: string) => text.replace('"walk":"unified"', '"walk":"fast"'),
      /^the trace, "walk": expected one of collect, unified, as-posted$/,
    ],
    [
      'an item that is none',
      (text: string) => text.replace('"kind":"present"', '"kind":"gone"'),
      /an item of "entries", "kind": expected one of present, /,
    ],
    [
      'a task that is not there',
      (text: string) => text.replace('"choices":[0', '"choices":[7'),
      /one is of a task that is not there$/,
    ],
    [
      'steps that are missing',
      (text: string) => text.replace('"kinds":[0,', '"kinds":['),
      /^the steps: not as many of everything$/,
    ],
  ])('is refused with its place: %s', (_, spoil, why) => {
    const text = traceText(driver());
    const spoilt = spoil(text);
    expect(spoilt).not.toBe(text);
    const refused = () => readTrace(spoilt);
    expect(refused).toThrow(TraceError);
    expect(refused).toThrow(why);
  });

  it('with anything changed in it is refused with a reason, or can be gone through', () => {
    const text = traceText(driver());
    const next = generator(1);
    const pick = (n: number): number => Math.floor(next() * n);
    const VALUES = ['null', '-1', '1e9', '"x"', '[]', '{}', 'true', '0.5'];
    const values = [...text.matchAll(/(?<=[:,[])(-?\d+|"[^"]*"|true|false|null)(?=[,\]}])/g)];
    let refused = 0;
    for (let i = 0; i < 300; i++) {
      const { index, 0: value } = values[pick(values.length)];
      const other = VALUES[pick(VALUES.length)];
      const spoilt = text.slice(0, index) + other + text.slice(index + value.length);
      try {
        const read = readTrace(spoilt);
        for (let at = 0; at < read.length; at++) {
          read.step(at);
          read.changes(at);
        }
      } catch (error) {
        expect(error, spoilt.slice(index - 60, index + 60)).toBeInstanceOf(TraceError);
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(100);
  });
});
