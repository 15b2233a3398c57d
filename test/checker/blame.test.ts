/** A finding names the modelled function in which it showed, whoever noticed it. */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { roomsThat } from '../../scripts/rooms.mjs';
import { Execution } from '../../src/checker/execution.ts';
import type { Watch } from '../../src/checker/watch/watch.ts';
import { isInternal } from '../../src/machine/finding.ts';
import type { Monitor } from '../../src/machine/index.ts';
import { HOOKS } from '../../src/machine/monitor.ts';
import { generator } from '../../src/machine/random.ts';
import type { Kernel } from '../../src/mm/kernel.ts';
import { shippedScenario } from '../support/scenarios.ts';

/** Functions and methods of the modelled rooms, without those that only look on. */
const modelled = new Set(
  roomsThat('mirrors').flatMap((room) => {
    const folder = new URL(`../../src/${room}/`, import.meta.url);
    return readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.ts') && !path.startsWith('look/'))
      .flatMap((path) => {
        const text = readFileSync(new URL(path, folder), 'utf8');
        return [
          ...text.matchAll(/^ *(?:export )?function\*? (\w+)|^ {2}(?!get )(?:\w+ )*\*?(\w+)\(/gm),
        ];
      })
      .map(([, name, method]) => name ?? method);
  }),
);

/** Scenarios that come by every hook between them. */
const SCENARIOS = [
  'userfault-dontneed',
  'device-fault-fork-write',
  'a-file-written-under-a-private-mapping',
  'fault-around-against-pageout',
  'shared-file-unmapped-twice',
];

/** A monitor whose every hook reports its name. */
function complainer(k: Kernel): Monitor {
  const hooks = Object.keys(HOOKS).map((hook) => {
    const { [hook]: report } = { [hook]: () => k.report('hook', hook) };
    return [hook, report];
  });
  return Object.fromEntries(hooks);
}

/** By hook: the functions that are named when it reports. */
function blamed(): Map<string, Set<string>> {
  const blamed = new Map<string, Set<string>>();
  for (const name of SCENARIOS) {
    const x = new Execution(shippedScenario(name));
    const k = x.kernel;
    Object.assign(x.watch as Watch, complainer(k));
    const next = generator(1);
    for (let schedule = 0; schedule < 5; schedule++) {
      x.reset();
      for (let enabled = x.enabled(); enabled !== 0; enabled = x.enabled()) {
        const tasks = [...Array(32).keys()].filter((task) => enabled & (1 << task));
        x.take(tasks[Math.floor(next() * tasks.length)], false);
        for (const { title, function: at } of k.findings.splice(0)) {
          blamed.set(title, (blamed.get(title) ?? new Set()).add(at));
        }
      }
    }
  }
  return blamed;
}

describe('a finding', () => {
  it('that a hook of a monitor reports names the modelled function that came by', () => {
    const by = blamed();
    expect([...by.keys()].sort()).toEqual(Object.keys(HOOKS).sort());
    for (const [hook, functions] of by) {
      const wrong = [...functions].filter((name) => !modelled.has(name));
      expect(wrong, `${hook} blames`).toEqual([]);
    }
  });
});

describe('a modelled function', () => {
  it('has no name that stacks are without', () => {
    expect(modelled.size).toBeGreaterThan(500);
    expect([...modelled].filter((name) => isInternal(name) || Object.hasOwn(HOOKS, name))).toEqual(
      [],
    );
  });
});
