import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { fingerprint } from '../../src/checker/fingerprint.ts';
import {
  check,
  Execution,
  Exhaustive,
  encodeSchedule,
  runsOf,
  sealedSchedule,
} from '../../src/checker/index.ts';
import { FAIL } from '../../src/checker/search/strategy.ts';
import {
  type ConcurrentProgram,
  isConcurrent,
  type Program,
  parseAnyProgram,
  runProgram,
  type Walk,
} from '../../src/program/index.ts';
import {
  functionSpans,
  type Item,
  itemOf,
  itemsOf,
  mappersOf,
  type Recording,
  record,
  recordable,
  type StateView,
  scenarioOfProgram,
  stepWords,
  systemOf,
  viewOf,
  whatChanged,
} from '../../src/recording/index.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (path: string) =>
  parseAnyProgram(JSON.parse(readFileSync(`${root}/${path}.json`, 'utf8')));
const WALKS: Walk[] = ['collect', 'unified'];
const EXAMPLES = readdirSync(`${root}/examples`).filter((name) => name.endsWith('.json'));

/** A schedule that a check finds, in which something breaks. */
function broken(program: Program | ConcurrentProgram, walk: Walk) {
  const scenario = scenarioOfProgram(program);
  const strategy = (tasks: number) => new Exhaustive(tasks);
  const { found } = check(scenario, { walk, strategy, findings: 1 });
  const [{ finding, choices }] = found;
  return { finding, schedule: encodeSchedule(runsOf(choices), fingerprint(scenario, { walk })) };
}

/** The library's own state: another execution, run that far. */
function stateAt({ program, walk, steps }: Recording, step: number): StateView {
  const x = new Execution(recordable(program), { walk });
  x.reset();
  for (const choice of steps.choices.subarray(0, step)) {
    x.take(choice & (FAIL - 1), (choice & FAIL) !== 0);
  }
  return viewOf({ system: systemOf(x), tasks: x.running.map(({ task }) => task) });
}

const race = read('scenarios/device-fault-dontneed');

describe('the state at a moment', () => {
  it.each([
    ['examples/migrate-on-fault', 'unified'],
    ['scenarios/device-fault-fork-write', 'collect'],
    ['scenarios/huge-device-fork', 'unified'],
    ['scenarios/pin-against-migration', 'unified'],
  ] as [string, Walk][])('is that of the library, run so far: %s, %s', (path, walk) => {
    const recording = record(read(path), { walk });
    const { length } = recording;
    expect(length).toBeGreaterThan(50);
    // on, back, and to where one was before
    const places = [0, 1, length, length - 1, length >> 1, (length >> 1) - 1, 7, length, 1];
    for (const step of places) {
      expect(recording.moment(step).state, `moment ${step}`).toEqual(stateAt(recording, step));
    }
  });

  it.each(WALKS)('at the end is that of a run, in every example, %s', (walk) => {
    for (const name of EXAMPLES) {
      const program = read(`examples/${name.replace('.json', '')}`);
      if (isConcurrent(program)) throw new Error('not a sequential example');
      const recording = record(program, { walk });
      const { system, counters } = runProgram(program, { walk, ledger: 'counts' });
      const { state, counters: counted } = recording.moment(recording.length);
      expect(state, name).toEqual(viewOf({ system, tasks: [] }));
      expect(counted, name).toEqual(counters);
      expect(recording.finding, name).toBeNull();
    }
  });

  it('refuses a moment and a step that are not there', () => {
    const recording = record(race);
    expect(() => recording.moment(recording.length + 1)).toThrow(RangeError);
    expect(() => recording.moment(-1)).toThrow(RangeError);
    expect(() => recording.step(recording.length)).toThrow(RangeError);
  });

  it('is plain data', () => {
    const { state } = record(race).moment(20);
    expect(JSON.parse(JSON.stringify(state))).toEqual(state);
  });

  it('gives one item alone as it gives all', () => {
    const program = read('scenarios/huge-device-fault-write');
    const x = new Execution(scenarioOfProgram(program), { walk: 'unified' });
    x.reset();
    const keys = new Set<string>();
    for (let step = 0; !x.ended; step++) {
      if (step % 2 === 0) {
        const seen = { system: x.state.system, tasks: x.running.map(({ task }) => task) };
        const items = itemsOf(viewOf(seen));
        for (const key of items.keys()) keys.add(key);
        for (const key of step % 5 === 0 ? keys : items.keys()) {
          expect(itemOf(seen, key), key).toEqual(items.get(key));
        }
      }
      x.take(31 - Math.clz32(x.enabled()), false);
    }
    const kinds = new Set([...keys].map((key) => key.split(' ')[0]));
    const all = ['area', 'device', 'entry', 'frame', 'lock', 'notifier', 'space', 'table', 'tlb'];
    expect([...kinds].sort()).toEqual(all);
  });
});

describe('what changed', () => {
  it('is empty exactly where two moments are equal', () => {
    const recording = record(read('scenarios/device-fault-fork-write'), { walk: 'unified' });
    let quiet = 0;
    for (let at = 0; at < recording.length; at++) {
      const [before, after] = [recording.moment(at).state, recording.moment(at + 1).state];
      const same = JSON.stringify(before) === JSON.stringify(after);
      if (same) quiet++;
      expect(whatChanged(before, after).length === 0, `step ${at}`).toBe(same);
    }
    expect(quiet).toBeGreaterThan(10);
    expect(quiet).toBeLessThan(recording.length - 10);
  });

  it('tells of any field of any item, and of what comes and goes', () => {
    const { state } = record(race).moment(40);
    let fields = 0;
    for (const [list, items] of Object.entries(state) as [string, Item[]][]) {
      for (const [i, item] of items.entries()) {
        for (const [field, value] of Object.entries(item)) {
          if (field === 'key') continue;
          const other = typeof value === 'number' ? value + 1 : value === '?' ? '!' : '?';
          const changed = items.with(i, { ...item, [field]: other } as Item);
          const after = { ...state, [list]: changed };
          expect(whatChanged(state, after), `${item.key}, ${field}`).toHaveLength(1);
          fields++;
        }
        const without = { ...state, [list]: items.toSpliced(i, 1) };
        expect(whatChanged(state, without)).toMatchObject([{ key: item.key, field: '', to: '' }]);
        expect(whatChanged(without, state)).toMatchObject([{ key: item.key, from: '' }]);
      }
    }
    expect(fields).toBeGreaterThan(100);
  });

  it('says it in words', () => {
    const recording = record(race, { walk: 'unified' });
    const texts: string[] = [];
    for (let at = 0; at < recording.length; at++) {
      texts.push(...recording.changes(at).map(({ text }) => text));
    }
    const all = texts.join('\n');
    expect(all).toMatch(/^The entry of buffer 0 page 0 is filled: migration, writable/m);
    expect(all).toMatch(/^Device 0's entry of buffer 0 page 0 is filled: \w+, page \d+$/m);
    expect(all).toMatch(/^Page \d+, on device 0 is allocated/m);
    expect(all).toMatch(/^Page \d+ of RAM: references 2 → 1$/m);
  });
});

describe('who wrote it', () => {
  const recording = record(race, { walk: 'unified' });

  it('is every step that changed the item', () => {
    const { entries, frames } = recording.moment(30).state;
    for (const { key } of [entries[0], frames[0], frames[1], { key: 'notifier 0' }]) {
      const steps: number[] = [];
      for (let at = 0; at < recording.length; at++) {
        if (recording.changes(at).some((change) => change.key === key)) steps.push(at);
      }
      expect(
        recording.history(key).map(({ at }) => at),
        key,
      ).toEqual(steps);
    }
  });

  it('is the last one before a moment, with its function', () => {
    const { key } = recording.moment(0).state.entries[0];
    const history = recording.history(key);
    const first = history[0];
    expect(recording.writerOf(key, first.at)).toBeNull();
    expect(recording.writerOf(key, first.at + 1)).toEqual(first);
    expect(recording.writerOf(key, history[1].at)).toEqual(first);
    expect(first.stack[0]).toBe('installMigrationEntry');
    expect(first.changes).toMatchObject([{ field: '', to: '' }]);
    expect(first.changes[0].text).toBe('The entry of buffer 0 page 0 is cleared');
  });
});

describe('a recording', () => {
  it.each(WALKS)('of a schedule that its string gives is the same again, %s', (walk) => {
    const once = record(race, { walk });
    const twice = record(race, { walk, schedule: once.schedule });
    expect(twice.steps).toEqual(once.steps);
    expect(twice.events).toEqual(once.events);
    expect(twice.schedule).toBe(once.schedule);
  });

  it('refuses a schedule of another program or walk', () => {
    const { schedule } = record(race, { walk: 'unified' });
    expect(() => record(race, { walk: 'collect', schedule })).toThrow('of another program');
    expect(() => record(read('scenarios/two-devices'), { walk: 'unified', schedule })).toThrow(
      'of another program',
    );
  });

  it('of what breaks ends with its finding', () => {
    const { finding, schedule } = broken(race, 'as-posted');
    const recording = record(race, { walk: 'as-posted', schedule });
    expect(recording.finding).toMatchObject({
      title: finding.title,
      invariant: finding.invariant,
    });
    expect(recording.events.filter(({ kind }) => kind === 'finding')).toEqual([
      expect.objectContaining({ at: recording.length - 1 }),
    ]);
    // and its state can be looked at
    expect(recording.moment(recording.length).state.frames.length).toBeGreaterThan(0);
  });

  it('stops where it is too long, and says so', () => {
    const recording = record(race, { maxSteps: 25 });
    expect(recording).toMatchObject({ length: 25, truncated: true, finding: null });
    expect(record(race).truncated).toBe(false);
  });

  it('names every step', () => {
    const recording = record(race, { walk: 'unified' });
    for (let at = 0; at < recording.length; at++) {
      const { state } = recording.moment(at);
      expect(stepWords(recording.step(at), state, recording.lockNames)).toMatch(/^[a-z]+ \S/);
    }
  });

  it('knows who holds what, and who waits for whom', () => {
    const { schedule: inTurn } = record(race, { walk: 'unified' });
    // the device is left while it has something locked
    const digest = inTurn.split('.')[1];
    const recording = record(race, { walk: 'unified', schedule: sealedSchedule(digest, 'a30b') });
    let waits = 0;
    for (let step = 0; step <= recording.length; step++) {
      recording.moment(step).tasks.forEach((task, i) => {
        const covers = ({ task: of, from, to }: { task: number; from: number; to: number }) =>
          of === i && from < step && step < to + (step === recording.length ? 1 : 0);
        const held = recording.held.filter(covers).map(({ name }) => name);
        if (step > 0)
          expect([...new Set(held)].sort(), `${i} at ${step}`).toEqual([...task.holds].sort());
        if (!task.waits) return;
        waits++;
        expect(task.waits.holders.length, task.waits.what).toBeGreaterThan(0);
        const waited = recording.waited.filter(
          ({ task: of, from, to }) => of === i && from <= step && step < to,
        );
        expect(waited).toHaveLength(1);
      });
    }
    expect(waits).toBeGreaterThan(0);
  });

  it('draws functions as spans that nest', () => {
    const recording = record(read('examples/migrate-on-fault'), { walk: 'unified' });
    const spans = functionSpans(recording, 0);
    const names = new Set(spans.map(({ name }) => name));
    for (const name of ['faultMigrateToDevice', 'hmmRangeFault', 'walkPmd', 'handleMmFault']) {
      expect(names).toContain(name);
    }
    for (const span of spans) {
      expect(span.to).toBeGreaterThan(span.from);
      if (span.depth === 0) continue;
      const outer = spans.filter(
        ({ depth, from, to }) => depth === span.depth - 1 && from <= span.from && to >= span.to,
      );
      expect(outer).toHaveLength(1);
    }
  });

  it('knows what maps a page', () => {
    const recording = record(race, { walk: 'unified' });
    const { state } = recording.moment(0);
    const [entry] = state.entries;
    const keys = mappersOf(state, entry.pfn).map(({ key }) => key);
    expect(keys).toContain(entry.key);
    expect(keys.some((key) => key.startsWith('tlb'))).toBe(true);
  });
});
