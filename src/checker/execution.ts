/**
 * One schedule at a time: tasks that are suspended before each of their steps, put back to the
 * beginning as often as it takes.
 */
import {
  type Finding,
  type Kernel$,
  KernelBug,
  modelledStack,
  restore,
  type Snapshot,
  type Step,
  snapshot,
  Task,
} from '../machine/index.ts';
import type { Broken, Kernel } from '../mm/index.ts';
import type { Scenario, SetupOptions } from './scenario.ts';
import { Watch } from './watch.ts';

/** At most so many tasks: a set of tasks is the bits of a number. */
export const MAX_TASKS = 16;

/** A task under way. */
export interface Running {
  readonly task: Task;
  readonly body: Kernel$<unknown>;
  /** Whether it came to its end. */
  done: boolean;
}

export class Execution<S extends object = object> {
  readonly state: S;
  readonly names: readonly string[];
  running: Running[] = [];
  /** Steps taken since `reset`. */
  steps = 0;
  /** What broke in this schedule; the schedule ends there. */
  finding: Finding | null = null;
  /** Who looks at what the tasks do; null: nobody. */
  readonly watch: Watch | null;
  private readonly saved: Snapshot<S>;

  /** @throws Error when the scenario has no task, or too many */
  constructor(
    readonly scenario: Scenario<S>,
    options: SetupOptions = {},
  ) {
    this.names = Object.keys(scenario.tasks);
    if (this.names.length < 1 || this.names.length > MAX_TASKS) {
      throw new Error(`${scenario.name}: 1 to ${MAX_TASKS} tasks, not ${this.names.length}`);
    }
    this.state = scenario.setup(options);
    this.saved = snapshot(this.state);
    const watched = options.watch ?? true;
    this.watch = watched ? new Watch(this.kernel, scenario.tellsData ?? false) : null;
  }

  get kernel(): Kernel {
    return this.scenario.kernel(this.state);
  }

  /** Puts the state back, and starts every task: each is suspended before its first step. */
  reset(): void {
    restore(this.saved);
    this.steps = 0;
    this.finding = null;
    const k = this.kernel;
    if (this.watch) {
      this.watch.reset();
      this.watch.attach();
    }
    this.running = this.names.map((name, i) => {
      const task = new Task(2 + i, name, Math.min(i, k.tlbs.length - 1));
      return { task, body: this.scenario.tasks[name](this.state), done: false };
    });
    k.stepping = true;
    for (let i = 0; i < this.running.length; i++) this.resume(i);
  }

  /** The step that a task is about to take. */
  pending(task: number): Step {
    return this.running[task].task.pending;
  }

  /** The tasks that can take their step now, as bits. */
  enabled(): number {
    let mask = 0;
    for (let i = 0; i < this.running.length; i++) {
      const { done, task } = this.running[i];
      if (!done && (task.pending.enabled === null || task.pending.enabled())) mask |= 1 << i;
    }
    return mask;
  }

  /** Whether every task has ended. */
  get ended(): boolean {
    for (const { done } of this.running) if (!done) return false;
    return true;
  }

  /**
   * Lets a task take its step, up to the next one.
   * @param fail the allocation that it is about to make fails
   */
  take(task: number, fail: boolean): void {
    this.steps++;
    const k = this.kernel;
    k.steps = this.steps;
    if (fail) k.failAllocations = 1;
    this.resume(task);
    if (fail) k.failAllocations = 0;
  }

  private resume(index: number): void {
    const running = this.running[index];
    const k = this.kernel;
    k.current = running.task;
    try {
      const result = running.body.next();
      running.done = result.done === true;
    } catch (error) {
      running.done = true;
      if (!(error instanceof KernelBug)) this.stumble(error);
    }
    if (k.findings.length > 0) this.finding ??= k.findings[0];
    else if (running.done) this.atEnd(running.task);
  }

  private say(invariant: string, title: string, at = ''): void {
    this.finding ??= { invariant, title, function: at, stack: at === '' ? [] : [at] };
  }

  /** The model itself cannot go on: it follows something that is no longer there. */
  private stumble(error: unknown): void {
    if (!(error instanceof Error)) throw error;
    const stack = modelledStack(error);
    this.finding ??= {
      invariant: 'use after free',
      title: `follows what is not there (${error.message})`,
      function: stack[0] ?? '',
      stack,
    };
  }

  private atEnd(task: Task): void {
    if (task.held.length > 0) {
      this.say('lock', `a task ends with ${plain(task.held[0].name)} held`, task.name);
    } else if (task.folioLocks > 0) {
      this.say('lock', 'a task ends with a folio locked', task.name);
    }
  }

  /** What is wrong when nobody can go on, and some have not ended. */
  deadlock(): void {
    const waits = this.running.filter(({ done }) => !done).map(({ task }) => task.name);
    this.say('deadlock', `${waits.join(', ')} wait for each other`);
  }

  /** What is wrong when a schedule that lets every task go on has no end. */
  endless(): void {
    const busy = this.running.filter(({ done }) => !done).map(({ task }) => task.name);
    this.say('livelock', `${busy.join(', ')} go on without end`);
  }

  /** When every task has ended: the scenario's own checks. */
  finish(): void {
    this.alone((state) => this.scenario.check?.(state) ?? []);
    if (this.finding === null && this.watch?.data) {
      this.watch.data.checkAll();
      if (this.kernel.findings.length > 0) this.finding = this.kernel.findings[0];
    }
  }

  /** After `finish`: everything is given back, and nothing may be left. */
  shutdown(): void {
    this.alone((state) => this.scenario.shutdown?.(state) ?? []);
  }

  private alone(body: (state: S) => Broken[]): void {
    const k = this.kernel;
    k.stepping = false;
    k.current = new Task(1, 'main', 0);
    let broken: Broken[] = [];
    try {
      broken = body(this.state);
    } catch (error) {
      if (!(error instanceof KernelBug)) this.stumble(error);
    }
    if (k.findings.length > 0) this.finding ??= k.findings[0];
    if (broken.length > 0) {
      const [{ invariant, title, where, detail }] = broken;
      this.say(invariant, plain(title), plain(where));
      if (this.finding) this.finding.detail = `${where}: ${title}${detail ? `; ${detail}` : ''}`;
    }
  }
}

/** A title without the numbers that change from one schedule to the next. */
export function plain(text: string): string {
  return text.replace(/\b\d+\b/g, 'N');
}
