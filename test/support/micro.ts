/** Tiny tasks of locks, variables and waits, to try the checker's search itself. */
import type { Scenario } from '../../src/checker/index.ts';
import { type Kernel$, type Lock, ObjectKind, Role, StepKind } from '../../src/machine/index.ts';
import { Kernel } from '../../src/mm/index.ts';

/** Numbers that look random and are the same each time: below `n`. */
export function numbers(seed: number): (n: number) => number {
  let state = seed;
  return (n) => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return (state >> 8) % n;
  };
}

export type Micro =
  | { do: 'read'; x: number }
  | { do: 'write'; x: number; value: number }
  /** Reads one and writes the other, in one step. */
  | { do: 'move'; x: number; y: number }
  /** Commutes with itself. */
  | { do: 'add'; x: number }
  /** Until the variable is even. */
  | { do: 'wait'; x: number }
  | { do: 'lock' | 'shared' | 'try'; lock: number; body: Micro[] }
  | { do: 'allocate' };

export interface MicroState {
  k: Kernel;
  values: number[];
  locks: Lock[];
  /** By task: what it saw. */
  seen: number[][];
}

const ID = 5000;

function* run(s: MicroState, task: number, ops: readonly Micro[]): Kernel$<void> {
  const { k, values, locks } = s;
  const seen = s.seen[task];
  const step = (x: number, role: Role) =>
    k.step(StepKind.Shared, ObjectKind.Sequence, ID + x, role);
  for (const op of ops) {
    switch (op.do) {
      case 'read':
        if (k.stepping) yield step(op.x, Role.Read);
        seen.push(values[op.x]);
        break;
      case 'write':
        if (k.stepping) yield step(op.x, Role.Write);
        values[op.x] = op.value;
        break;
      case 'move':
        if (k.stepping) yield step(op.x, Role.Read).and(ObjectKind.Sequence, ID + op.y, Role.Write);
        values[op.y] = values[op.x] + 10;
        break;
      case 'add':
        if (k.stepping) yield k.step(StepKind.Shared, ObjectKind.Entry, op.x, Role.Commute);
        values[4 + op.x]++;
        break;
      case 'wait': {
        const ready = () => values[op.x] % 2 === 0;
        if (k.stepping) yield k.waitFor(ObjectKind.Sequence, ID + op.x, ready);
        seen.push(100 + values[op.x]);
        break;
      }
      case 'allocate':
        if (k.stepping) yield k.allocateStep();
        seen.push(k.mayFail() ? 201 : 200);
        break;
      case 'try': {
        const lock = locks[op.lock];
        if (k.stepping) yield k.tryAcquire(lock);
        const got = k.tryLock(lock);
        seen.push(got ? 301 : 300);
        if (!got) break;
        yield* run(s, task, op.body);
        if (k.stepping) yield k.release(lock);
        k.unlock(lock);
        break;
      }
      case 'shared': {
        const lock = locks[op.lock];
        if (k.stepping) yield k.acquire(lock, true);
        k.lockShared(lock);
        yield* run(s, task, op.body);
        if (k.stepping) yield k.release(lock);
        k.unlockShared(lock);
        break;
      }
      case 'lock': {
        const lock = locks[op.lock];
        // with another object: whoever waits for the lock may race with an earlier event of its owner
        if (k.stepping) yield k.acquire(lock).and(ObjectKind.Entry, 9, Role.Read);
        k.lock(lock);
        yield* run(s, task, op.body);
        if (k.stepping) yield k.release(lock);
        k.unlock(lock);
        break;
      }
    }
  }
}

/** A scenario of tasks, each a list of what it does. */
export function microScenario(tasks: readonly (readonly Micro[])[]): Scenario<MicroState> {
  return {
    name: 'micro',
    setup() {
      const k = new Kernel({ pmdOrder: 2, pageBytes: 16, tableBits: 4, cpus: tasks.length });
      const locks = [0, 1].map((i) => k.newLock(`lock ${i}`, 'rwsem'));
      return { k, locks, values: [0, 0, 0, 0, 0, 0, 0, 0], seen: tasks.map(() => []) };
    },
    kernel: (s) => s.k,
    tasks: Object.fromEntries(tasks.map((ops, i) => [`t${i}`, (s: MicroState) => run(s, i, ops)])),
    outcome: (s) => JSON.stringify([s.values, s.seen]),
  };
}

/** Random tasks: `steps` is about how many each takes. */
export function microTasks(random: (n: number) => number, tasks: number, steps: number): Micro[][] {
  const one = (left: number, depth: number): { op: Micro; steps: number } => {
    const kind = random(depth < 2 && left > 2 ? 12 : 8);
    const x = random(2);
    if (kind === 0) return { op: { do: 'read', x }, steps: 1 };
    if (kind <= 2) return { op: { do: 'write', x, value: 1 + random(4) }, steps: 1 };
    if (kind === 3) return { op: { do: 'move', x, y: random(2) }, steps: 1 };
    if (kind === 4) return { op: { do: 'add', x }, steps: 1 };
    if (kind <= 6) return { op: { do: 'wait', x }, steps: 1 };
    if (kind === 7) return { op: { do: 'allocate' }, steps: 1 };
    const body = several(left - 2, depth + 1);
    const how = (['lock', 'lock', 'shared', 'try'] as const)[kind - 8];
    return { op: { do: how, lock: random(2), body: body.ops }, steps: 2 + body.steps };
  };
  const several = (most: number, depth: number): { ops: Micro[]; steps: number } => {
    const ops: Micro[] = [];
    let taken = 0;
    while (taken < most && (depth === 0 || ops.length === 0 || random(2) === 0)) {
      const { op, steps: n } = one(most - taken, depth);
      ops.push(op);
      taken += n;
    }
    return { ops, steps: taken };
  };
  return Array.from({ length: tasks }, () => several(steps, 0).ops);
}
