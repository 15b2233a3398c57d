/** A schedule, step by step: what each task did, and where it was. */
import {
  type Lock,
  ObjectKind,
  OWN_LOCKS,
  type Role,
  Step,
  type StepKind,
} from '../../machine/index.ts';
import { notingOwn } from '../../machine/internal.ts';
import {
  lockWords,
  nameOf,
  type StateView,
  shortStepWords,
  stepWords,
  systemOf,
  viewOf,
} from '../../program/internal.ts';
import { runSchedule } from '../check.ts';
import type { Execution } from '../execution.ts';
import type { Operation } from '../scenario.ts';
import { type Choice, fails, STOP, type Strategy, taskOf } from '../search/strategy.ts';

/** A lock that a task holds. */
export interface Held {
  /** In a sentence, such as `the mmap_lock of process 0`. */
  name: string;
  /** The step since which it is held. */
  since: number;
}

/** One step of a schedule. */
export interface TracedStep {
  task: number;
  /** null: the task has none but itself. */
  operation: Operation | null;
  kind: StepKind;
  /** What it touches, with the role: `[space, id, role]`; the first is what it is about. */
  objects: [object: ObjectKind, id: number, role: Role][];
  /** The modelled functions, innermost first. */
  stack: readonly string[];
  /** The allocation failed, or a lock was let go first. */
  failed: boolean;
  /** Locks that the task holds before the step, folios' among them. */
  held: Held[];
}

/** A schedule step by step. */
export interface ScheduleTrace {
  steps: TracedStep[];
  choices: Choice[];
  /** By number: what a lock is called. */
  lockNames: ReadonlyMap<number, string>;
  locks: ReadonlyMap<number, Lock>;
  /** Functions in the stacks that are not the model's. */
  own: ReadonlySet<string>;
  /** Whether it ended with a step that broke something. */
  broke: boolean;
  /** At the end: what each task that has not ended is about to do, with the locks that it holds. */
  left: TracedStep[];
}

/** The state as it is now. */
function viewNow(x: Execution): StateView {
  return viewOf({ system: systemOf(x), tasks: x.running.map(({ task }) => task) });
}

/** Does what another strategy does, and notes it. */
class Noting implements Strategy {
  readonly steps: TracedStep[] = [];
  readonly choices: Choice[] = [];
  readonly lockNames = new Map<number, string>();
  readonly taken = new Map<number, Lock>();
  /** By task and lock: since when it is held, and what it was called then. */
  private readonly since = new Map<string, Held>();

  constructor(private readonly inner: Strategy) {}

  /** What a task is about to do. */
  next(x: Execution, task: number, failed: boolean): TracedStep {
    const step = x.pending(task);
    const objects: TracedStep['objects'] = [];
    for (let i = 0; i < step.count; i++)
      objects.push([step.objects[i], step.ids[i], step.roles[i]]);
    const operation = x.scenario.operation?.(x.state, x.names[task]) ?? null;
    const held = this.held(x, task);
    return { task, operation, kind: step.kind, objects, stack: step.stack, failed, held };
  }

  /** The locks that a task holds, and the key of each among all. */
  private locksOf(x: Execution, index: number): Map<string, Lock | number> {
    const { task } = x.running[index];
    const locks = new Map<string, Lock | number>();
    for (const lock of task.held) {
      this.taken.set(lock.id, lock);
      if (lock.id >= OWN_LOCKS && !this.lockNames.has(lock.id)) {
        this.lockNames.set(lock.id, lockWords(lock, systemOf(x)));
      }
      locks.set(`${index} lock ${lock.id}`, lock);
    }
    const { lockOwner } = x.kernel.pages;
    for (let left = task.folioLocks, pfn = -1; left > 0; left--) {
      pfn = lockOwner.indexOf(task.id, pfn + 1);
      if (pfn < 0) break;
      locks.set(`${index} folio ${pfn}`, pfn);
    }
    return locks;
  }

  /** A lock as it is called now: a page table, or a folio, is another one's tomorrow. */
  private heldNow(x: Execution, lock: Lock | number, since: number): Held {
    const known = typeof lock === 'number' ? undefined : this.lockNames.get(lock.id);
    if (known !== undefined) return { name: known, since };
    const touched =
      typeof lock === 'number'
        ? { object: ObjectKind.FolioLock, id: lock }
        : { object: ObjectKind.Lock, id: lock.id };
    return { name: nameOf(touched, viewNow(x)).name, since };
  }

  private held(x: Execution, task: number): Held[] {
    return [...this.locksOf(x, task)].map(
      ([key, lock]) => this.since.get(key) ?? this.heldNow(x, lock, this.steps.length),
    );
  }

  /** Notes since when locks are held. */
  private locks(x: Execution): void {
    const now = new Set<string>();
    for (let i = 0; i < x.running.length; i++) {
      for (const [key, lock] of this.locksOf(x, i)) {
        now.add(key);
        if (!this.since.has(key)) {
          this.since.set(key, this.heldNow(x, lock, this.steps.length - 1));
        }
      }
    }
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
    this.choices.push(choice);
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
  const { result, own } = notingOwn(() => traced(x, strategy));
  return { ...result, own };
}

function traced(x: Execution, strategy: Strategy): Omit<ScheduleTrace, 'own'> {
  const noting = new Noting(strategy);
  Step.traced = true;
  try {
    noting.begin(x);
    const { complete } = runSchedule(x, noting);
    const broke = x.finding !== null && x.finding.invariant !== 'livelock';
    const left = x.running.flatMap(({ done }, i) => (done ? [] : [noting.next(x, i, false)]));
    if (complete && x.finding === null) x.finish();
    if (complete && x.finding === null) x.shutdown();
    const { steps, choices, lockNames, taken: locks } = noting;
    return { steps, choices, lockNames, locks, broke, left };
  } finally {
    Step.traced = false;
  }
}

/** A step in words. */
export interface StepText {
  /** For a column. */
  short: string;
  /** In a sentence. */
  sentence: string;
}

function wordsOf(step: TracedStep, view: StateView, { lockNames }: ScheduleTrace): StepText {
  const objects = step.objects.map(([object, id, role]) => ({ object, id, role }));
  const done = { kind: step.kind, failed: step.failed, objects };
  return {
    short: shortStepWords(done, view, lockNames),
    sentence: stepWords(done, view, lockNames),
  };
}

/**
 * Steps in words: what they touch is named as it is found before each of them, for which the schedule runs again.
 * @param at the numbers of the steps, in their order
 * @returns by number; those of `left` come after the others
 */
export function stepTexts(x: Execution, traced: ScheduleTrace, at: readonly number[]): StepText[] {
  const texts: StepText[] = [];
  const { steps, choices, left } = traced;
  x.reset();
  let taken = 0;
  const goTo = (step: number): void => {
    for (; taken < step; taken++) x.take(taskOf(choices[taken]), fails(choices[taken]));
  };
  for (const step of at) {
    goTo(step);
    texts[step] = wordsOf(steps[step], viewNow(x), traced);
  }
  if (left.length > 0) {
    goTo(choices.length);
    const view = viewNow(x);
    left.forEach((step, i) => {
      texts[steps.length + i] = wordsOf(step, view, traced);
    });
  }
  return texts;
}
