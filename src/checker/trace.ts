/** A schedule, step by step: what each task did, and where it was. */
import { Space, Step, StepKind } from '../machine/index.ts';
import { runSchedule } from './check.ts';
import type { Execution } from './execution.ts';
import { type Choice, fails, STOP, type Strategy, taskOf } from './strategy.ts';

/** One step of a schedule. */
export interface TracedStep {
  task: number;
  kind: StepKind;
  /** What it touches, with the role: `[space, id, role]`; the first is what it is about. */
  objects: [space: Space, id: number, role: number][];
  /** The modelled functions, innermost first. */
  stack: readonly string[];
  /** The allocation failed. */
  failed: boolean;
}

/** Does what another strategy does, and notes it. */
class Noting implements Strategy {
  readonly steps: TracedStep[] = [];

  constructor(private readonly inner: Strategy) {}

  begin(x: Execution): boolean {
    return this.inner.begin(x);
  }

  choose(x: Execution, enabled: number): Choice {
    const choice = this.inner.choose(x, enabled);
    if (choice === STOP) return choice;
    const task = taskOf(choice);
    const step = x.pending(task);
    const objects: TracedStep['objects'] = [];
    for (let i = 0; i < step.count; i++) objects.push([step.spaces[i], step.ids[i], step.roles[i]]);
    const { kind, stack } = step;
    this.steps.push({ task, kind, objects, stack, failed: fails(choice) });
    return choice;
  }

  end(x: Execution, complete: boolean): void {
    this.inner.end(x, complete);
  }

  bounds(): string[] {
    return this.inner.bounds();
  }
}

/**
 * Runs one schedule and notes every step. What broke is in `x.finding` afterwards.
 * @param whole also the scenario's checks at the end
 */
export function trace(x: Execution, strategy: Strategy): TracedStep[] {
  const noting = new Noting(strategy);
  Step.traced = true;
  try {
    noting.begin(x);
    const { complete } = runSchedule(x, noting);
    if (complete && x.finding === null) x.finish();
    if (complete && x.finding === null) x.shutdown();
  } finally {
    Step.traced = false;
  }
  return noting.steps;
}

const SPACES: Record<Space, string> = {
  [Space.None]: '',
  [Space.Lock]: 'lock',
  [Space.Entry]: 'entry',
  [Space.Folio]: 'folio',
  [Space.Tlb]: 'TLBs of address space',
  [Space.Frame]: 'page',
  [Space.DeviceFrame]: 'device page',
  [Space.Allocator]: 'a page',
  [Space.Sequence]: 'notifier sequence',
  [Space.DeviceEntry]: 'device entry of page',
  [Space.FolioLock]: 'folio',
  [Space.File]: 'device file',
  [Space.Flags]: 'flags of address space',
};

const KINDS: Record<StepKind, string> = {
  [StepKind.Acquire]: 'lock',
  [StepKind.TryAcquire]: 'try to lock',
  [StepKind.Release]: 'unlock',
  [StepKind.ReadEntry]: 'read',
  [StepKind.WriteEntry]: 'write',
  [StepKind.Folio]: 'look at',
  [StepKind.TlbFill]: 'walk to',
  [StepKind.TlbFlush]: 'flush',
  [StepKind.CpuAccess]: 'access through',
  [StepKind.DeviceAccess]: 'access through',
  [StepKind.Copy]: 'copy to',
  [StepKind.Allocate]: 'allocate',
  [StepKind.Wait]: 'wait for',
  [StepKind.Shared]: 'use',
};

/** A step in words. */
export function describeStep(
  { kind, objects, failed }: TracedStep,
  lockName: (id: number) => string = (id) => `lock ${id}`,
): string {
  const [[space, id, role]] = objects;
  const verb = kind === StepKind.Folio && role !== 0 ? 'change' : KINDS[kind];
  if (space === Space.Lock) return `${verb} ${lockName(id)}`;
  if (space === Space.Allocator) return failed ? 'fail to allocate a page' : 'allocate a page';
  return `${verb} ${SPACES[space]} ${id}`.trim();
}
