/**
 * Threads that run at the same time: each is suspended before each of its steps, and chance says who goes
 * on. Only they are: what a test does by itself runs in a straight line.
 */
import { type Kernel$, ObjectKind, Role, StepKind } from '../machine/step.ts';
import { Task } from '../machine/task.ts';
import type { Kernel } from '../mm/kernel.ts';

/** Steps after which threads count as ones that have no end. */
const MOST_STEPS = 50_000_000;
/** Steps that a thread takes in a row, at most. */
const TURN = 64;

/** Nanoseconds that a step is counted as. */
const NS_A_STEP = 16;

/** What threads have in common: the time, in steps. */
export class Clock {
  now = 0;
  /** When those who sleep wake up. */
  readonly sleepers = new Set<number>();
}

interface Thread {
  readonly task: Task;
  readonly body: Kernel$<void>;
  done: boolean;
}

/** Nobody can go on, or nobody comes to an end. */
export class Stuck extends Error {
  override readonly name = 'Stuck';
}

/**
 * Runs threads by turns until all have ended. What one of them throws is thrown when the others have
 * ended, or can go on no more.
 * @param bodies by the thread's name; thread `i` runs on CPU `i`
 * @throws Stuck when somebody waits for ever
 */
export function runTogether(
  k: Kernel,
  clock: Clock,
  random: () => number,
  bodies: Readonly<Record<string, Kernel$<void>>>,
): void {
  const main = k.current;
  const threads = Object.entries(bodies).map(([name, body], i): Thread => {
    const cpu = Math.min(i, k.tlbs.length - 1);
    return { task: new Task(2 + i, name, cpu), body, done: false };
  });
  let thrown: unknown;
  const go = (thread: Thread): void => {
    k.current = thread.task;
    try {
      thread.done = thread.body.next().done === true;
    } catch (error) {
      thread.done = true;
      thrown ??= error;
    }
  };
  const canGo = ({ task, done }: Thread): boolean =>
    !done && (task.pending.enabled === null || task.pending.enabled());

  k.stepping = true;
  try {
    for (const thread of threads) go(thread);
    while (!threads.every(({ done }) => done)) {
      const ready = threads.filter(canGo);
      if (ready.length === 0) {
        if (wakeNext(clock)) continue;
        if (thrown !== undefined) break;
        throw new Stuck(`waits for ever: ${namesOf(threads)}`);
      }
      const thread = ready[Math.floor(random() * ready.length)];
      const turn = 1 + Math.floor(random() * TURN);
      for (let i = 0; i < turn && canGo(thread); i++) {
        go(thread);
        clock.now++;
      }
      if (clock.now > MOST_STEPS) throw new Stuck(`without end: ${namesOf(threads)}`);
    }
  } finally {
    k.stepping = false;
    k.current = main;
    clock.sleepers.clear();
    clock.now = 0;
  }
  if (thrown !== undefined) throw thrown;
}

function namesOf(threads: readonly Thread[]): string {
  const left = threads.filter(({ done }) => !done);
  return left.map(({ task }) => task.name).join(', ');
}

/** Where all others wait, time goes on to when the first who sleeps wakes up. */
function wakeNext(clock: Clock): boolean {
  const next = Math.min(...clock.sleepers);
  if (next === Number.POSITIVE_INFINITY) return false;
  clock.now = Math.max(clock.now, next);
  clock.sleepers.delete(next);
  return true;
}

/**
 * A thread sleeps for some nanoseconds. Of those a step takes so many that what a test lets sleep wakes up
 * while others are still at work, as in the kernel.
 */
export function* sleep(k: Kernel, clock: Clock, ns: number): Kernel$<void> {
  if (!k.stepping) return;
  const until = clock.now + Math.floor(ns / NS_A_STEP);
  clock.sleepers.add(until);
  yield* waitUntil(k, () => clock.now >= until);
}

/** A thread waits for something that another one does, outside of the kernel. */
export function* waitUntil(k: Kernel, ready: () => boolean): Kernel$<void> {
  if (k.stepping) {
    const step = k.step(StepKind.Wait, ObjectKind.None, 0, Role.Read);
    step.enabled = ready;
    yield step;
  }
  k.waited(ready(), 'another thread');
}
