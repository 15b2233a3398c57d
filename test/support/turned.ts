/** That it makes no difference which task comes first in a scenario. */
import { check, Exhaustive, type Scenario } from '../../src/checker/index.ts';
import type { Kernel$ } from '../../src/machine/index.ts';
import type { Walk } from '../../src/program/index.ts';
import { EVERY, missed } from './ends.ts';

/** The same tasks in the other order, each on the CPU that it had. */
export function turned(scenario: Scenario): Scenario {
  const tasks = Object.entries(scenario.tasks).map(([name, body], i) => {
    function* onItsCpu(state: object): Kernel$<void> {
      const k = scenario.kernel(state);
      Object.assign(k.current, { cpu: Math.min(i, k.tlbs.length - 1) });
      yield* body(state);
    }
    return [name, onItsCpu] as const;
  });
  return { ...scenario, tasks: Object.fromEntries(tasks.reverse()) };
}

/**
 * What a search of everything comes to with the tasks in one order, and not in the other: ends, findings, and whether
 * it is over.
 * @param most schedules; an order that needs an eighth of them must not need more in the other one
 * @returns null where both need more
 */
export function difference(scenario: Scenario, walk: Walk, most: number): string[] | null {
  const search = (one: Scenario) =>
    check(one, { ...EVERY, walk, strategy: (n) => new Exhaustive(n), schedules: most });
  const [a, b] = [search(scenario), search(turned(scenario))];
  if (a.complete && b.complete) return [...missed(a, b), ...missed(b, a)];
  const over = [a, b].find(({ complete, schedules }) => complete && schedules * 8 <= most);
  return over ? [`${over.schedules} schedules in one order, more than ${most} in the other`] : null;
}
