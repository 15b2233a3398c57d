/** An exhaustive search goes on behind a finding, but not for ever where nothing new comes. */
import { describe, expect, it } from 'vitest';
import {
  DEFAULT_PLAN,
  type Found,
  type JobResult,
  type Plan,
  runJob,
  runPart,
  type Scenario,
  Search,
} from '../../src/checker/index.ts';
import { type MicroState, microScenario } from '../support/micro.ts';

/** Each order of the eight writes is a schedule of its own: 70 of them. */
const writes = (from: number) =>
  [0, 1, 2, 3].map((i) => ({ do: 'write', x: 0, value: from + i }) as const);
const tasks = [writes(10), writes(20)];
const broken = (title: string) => [{ invariant: 'i', title, where: 'w' }];
const scenario: Scenario = { ...microScenario(tasks), check: () => broken('always') };

const search = (plan: Partial<Plan>, known: string[] = []) =>
  runJob({ scenario }, 'unified', { ...DEFAULT_PLAN, ...plan }, { known });
const cameTo = ({ schedules, complete, since }: JobResult) => ({ schedules, complete, since });

describe('an exhaustive search that has found something', () => {
  it('ends so many schedules after the last that was new', () => {
    expect(cameTo(search({ beyond: 1000 }))).toEqual({ schedules: 70, complete: true, since: 69 });
    expect(cameTo(search({ beyond: 20 }))).toEqual({ schedules: 21, complete: false, since: 20 });
    // what another search has found counts, too
    const { title } = search({ beyond: 20 }).findings[0];
    const known = search({ beyond: 20 }, [title]);
    expect(cameTo(known)).toEqual({ schedules: 20, complete: false, since: 20 });
    const few = search({ beyond: 20, preemptions: 100 });
    expect(cameTo(few)).toEqual({ schedules: 21, complete: false, since: 20 });
  });

  it('begins to count anew where something new breaks', () => {
    let ends = 0;
    const twice: Scenario = {
      ...microScenario(tasks),
      // in the order of the search: the first end, and one in its middle
      check: (state) => {
        ends++;
        return broken((state as MicroState).values[0] === 13 ? 'one' : 'other');
      },
    };
    const { found, since, schedules } = runPart(
      { scenario: twice },
      'unified',
      { ...DEFAULT_PLAN, beyond: 50 },
      { schedules: 1000, known: [], since: 0 },
    );
    expect(found.map(({ title }) => title)).toHaveLength(2);
    expect(ends).toBe(schedules);
    expect(since).toBeLessThan(schedules - 1);
  });

  it.each([
    ['at random', { strategy: 'pct', schedules: 60 } as const, { schedules: 60 }],
    ['for outcomes', { outcomes: true } as const, { schedules: 70, complete: true }],
    ['with no bound', { beyond: Number.POSITIVE_INFINITY }, { schedules: 70, complete: true }],
  ])('goes on %s', (_, plan, came) => {
    expect(search({ beyond: 20, ...plan })).toMatchObject(came);
  });

  it('says the same when it was kept after each schedule', () => {
    const plan: Plan = { ...DEFAULT_PLAN, beyond: 20, part: 7 };
    let schedules = 0;
    let found: Found[] = [];
    let so: JobResult | undefined;
    for (;;) {
      const known = found.map(({ title }) => title);
      const going = new Search(plan, so?.at, known, [], so?.since);
      const parts = going.next();
      if (parts.length === 0) break;
      going.ended(
        parts.map((part) =>
          runPart({ scenario }, 'unified', plan, part, (soFar) => soFar.schedules < 1),
        ),
      );
      found = [...found, ...going.found];
      so = JSON.parse(JSON.stringify(going.result('', 'unified', []))) as JobResult;
      schedules += so.schedules;
    }
    expect(found).toHaveLength(1);
    expect(so).toMatchObject({ since: 20, complete: false });
    expect(schedules).toBe(21);
  });
});
