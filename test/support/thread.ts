/** Tasks that a test interleaves by hand, one step at a time. */
import {
  type Kernel$,
  type Lock,
  type Machine,
  ObjectKind,
  runToEnd,
  type Step,
  StepKind,
  Task,
} from '../../src/machine/index.ts';

export class Thread<T> {
  private static next = 100;
  readonly task: Task;
  private readonly body: Kernel$<T>;
  /** The step that it is about to take; null before the first and after the last. */
  step: Step | null = null;
  done = false;
  value: T | undefined;

  constructor(
    private readonly machine: Machine,
    name: string,
    body: () => Kernel$<T>,
    cpu = 0,
  ) {
    this.task = new Task(Thread.next++, name, cpu);
    this.body = body();
    this.advance();
  }

  private advance(): void {
    const { machine } = this;
    const before = machine.current;
    machine.current = this.task;
    machine.stepping = true;
    try {
      const result = this.body.next();
      this.done = result.done === true;
      if (result.done) this.value = result.value;
      this.step = result.done ? null : (result.value as Step);
    } finally {
      machine.stepping = false;
      machine.current = before;
    }
  }

  /** Whether its next step has to wait. */
  get blocked(): boolean {
    return this.step?.enabled != null && !this.step.enabled();
  }

  /** Takes the step at hand. */
  take(): void {
    if (this.done) throw new Error(`${this.task.name} is over`);
    if (this.blocked) throw new Error(`${this.task.name} waits`);
    this.advance();
  }

  /** Goes on until the step at hand is the wanted one, which it does not take. */
  until(wanted: (step: Step) => boolean): this {
    while (!this.done && !(this.step && wanted(this.step))) this.take();
    if (this.done) throw new Error(`${this.task.name} ended before it came there`);
    return this;
  }

  /** Goes on until it has to wait, or to its end. */
  run(): this {
    while (!this.done && !this.blocked) this.take();
    return this;
  }

  /** After its end: the same task does something else, in a straight line. */
  also<U>(body: () => Kernel$<U>): U {
    const { machine } = this;
    const before = machine.current;
    machine.current = this.task;
    try {
      return runToEnd(machine, body());
    } finally {
      machine.current = before;
    }
  }

  /** Goes on to its end. */
  finish(): T {
    this.run();
    if (!this.done) throw new Error(`${this.task.name} waits for ever`);
    return this.value as T;
  }
}

/** The step before a lock is taken. */
export function takes(lock: Lock): (step: Step) => boolean {
  return ({ kind, object, id }) =>
    kind === StepKind.Acquire && object === ObjectKind.Lock && id === lock.id;
}
