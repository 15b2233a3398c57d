/** Steps that do not depend on each other commute; `npm run test:long` asks it of every scenario. */
import { expect, it } from 'vitest';
import type { Scenario } from '../../src/checker/index.ts';
import { ObjectKind, Role, StepKind } from '../../src/machine/index.ts';
import { commuting } from '../support/commute.ts';
import { type MicroState, microScenario } from '../support/micro.ts';
import { shippedScenario } from '../support/scenarios.ts';

it('a step that does not name all that it looks at is found', () => {
  const scenario = (looksAt: number): Scenario => {
    const tasks: Scenario<MicroState>['tasks'] = {
      *writes({ k, values }) {
        yield k.step(StepKind.Shared, ObjectKind.Entry, 1, Role.Write);
        values[0] = 1;
      },
      *looks({ k, values, seen }) {
        yield k.step(StepKind.Shared, ObjectKind.Entry, looksAt, Role.Read);
        seen[1].push(values[0]);
      },
    };
    return { ...microScenario([[], []]), tasks } as unknown as Scenario;
  };
  expect(commuting(scenario(1), 'unified', 100)).toEqual({ pairs: 0, broken: [] });
  expect(commuting(scenario(2), 'unified', 100).broken).toEqual([
    expect.stringContaining('after 0 and 0 steps'),
    expect.stringContaining('after 0 and 0 steps'),
  ]);
});

it('walks of the hardware name what they find', () => {
  const scenario = shippedScenario('two-cpus-bring-back');
  const { pairs, broken } = commuting(scenario, 'unified', 2500);
  expect(broken).toEqual([]);
  expect(pairs).toBeGreaterThan(100);
});
