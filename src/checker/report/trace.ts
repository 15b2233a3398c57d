/** A schedule, step by step: what each task did, and where it was. */
import { HUGE_POOL, ObjectKind, type Role, Step, StepKind } from '../../machine/index.ts';
import { runSchedule } from '../check.ts';
import type { Execution } from '../execution.ts';
import { type Choice, fails, STOP, type Strategy, taskOf } from '../search/strategy.ts';
import { KINDS, OBJECT_WORDS } from '../step-words.ts';

/** One step of a schedule. */
export interface TracedStep {
  task: number;
  kind: StepKind;
  /** What it touches, with the role: `[space, id, role]`; the first is what it is about. */
  objects: [object: ObjectKind, id: number, role: Role][];
  /** The modelled functions, innermost first. */
  stack: readonly string[];
  /** The allocation failed. */
  failed: boolean;
  /** Locks that the task holds before the step, each with the step at which it was first seen to. */
  held: { name: string; since: number }[];
}

/** A schedule step by step. */
export interface ScheduleTrace {
  steps: TracedStep[];
  /** By number: what a lock is called. */
  lockNames: ReadonlyMap<number, string>;
  /** At the end: what each task that has not ended is about to do, with the locks that it holds. */
  left: TracedStep[];
}

/** Does what another strategy does, and notes it. */
class Noting implements Strategy {
  readonly steps: TracedStep[] = [];
  readonly lockNames = new Map<number, string>();
  /** By task and lock: since when it is held. */
  private readonly since = new Map<string, number>();

  constructor(private readonly inner: Strategy) {}

  /** What a task is about to do. */
  next(x: Execution, task: number, failed: boolean): TracedStep {
    const step = x.pending(task);
    const objects: TracedStep['objects'] = [];
    for (let i = 0; i < step.count; i++)
      objects.push([step.objects[i], step.ids[i], step.roles[i]]);
    const held = x.running[task].task.held.map((lock) => {
      this.lockNames.set(lock.id, lock.name);
      return { name: lock.name, since: this.since.get(`${task} ${lock.id}`) ?? this.steps.length };
    });
    return { task, kind: step.kind, objects, stack: step.stack, failed, held };
  }

  /** Notes since when locks are held. */
  private locks(x: Execution): void {
    const now = new Set<string>();
    x.running.forEach(({ task }, i) => {
      for (const lock of task.held) {
        const key = `${i} ${lock.id}`;
        now.add(key);
        if (!this.since.has(key)) this.since.set(key, this.steps.length - 1);
      }
    });
    for (const key of this.since.keys()) if (!now.has(key)) this.since.delete(key);
  }

  begin(x: Execution): boolean {
    return this.inner.begin(x);
  }

  choose(x: Execution, enabled: number): Choice {
    const choice = this.inner.choose(x, enabled);
    if (choice === STOP) return choice;
    this.locks(x);
    this.steps.push(this.next(x, taskOf(choice), fails(choice)));
    return choice;
  }

  end(x: Execution, complete: boolean): void {
    this.inner.end(x, complete);
  }

  bounds(): string[] {
    return this.inner.bounds();
  }
}

/** Runs one schedule and notes every step. What broke is in `x.finding` afterwards. */
export function trace(x: Execution, strategy: Strategy): ScheduleTrace {
  const noting = new Noting(strategy);
  Step.traced = true;
  try {
    noting.begin(x);
    const { complete } = runSchedule(x, noting);
    const left = x.running.flatMap(({ done }, i) => (done ? [] : [noting.next(x, i, false)]));
    if (complete && x.finding === null) x.finish();
    if (complete && x.finding === null) x.shutdown();
    return { steps: noting.steps, lockNames: noting.lockNames, left };
  } finally {
    Step.traced = false;
  }
}

/** A step in words. */
export function describeStep(
  { kind, objects, failed }: TracedStep,
  lockNames: ReadonlyMap<number, string>,
): string {
  const [[space, id, role]] = objects;
  const verb = kind === StepKind.Folio && role !== 0 ? 'change' : KINDS[kind];
  if (space === ObjectKind.Lock) return `${verb} ${lockNames.get(id) ?? `lock ${id}`}`;
  if (space === ObjectKind.Allocator && id === HUGE_POOL) return `${verb} the pool of huge pages`;
  if (space === ObjectKind.Allocator) return failed ? 'fail to allocate a page' : 'allocate a page';
  return `${verb} ${OBJECT_WORDS[space]} ${id}`.trim();
}
