/**
 * Which steps depend on each other, and what happened before what: the part of partial-order reduction
 * that knows what steps are.
 */
import { Role, type Step } from '../machine/index.ts';

/** Whether two roles on one object do not commute. By the first role, a bit for each second. */
const CONFLICTS: number[] = [];
/** Of those, the ones whose order can be turned round: a release is never before the acquire. */
const TAKES = (1 << Role.Acquire) | (1 << Role.AcquireShared) | (1 << Role.TryAcquire);
const LOCKS = TAKES | (1 << Role.Release) | (1 << Role.ReleaseShared);
const SHARED = (1 << Role.AcquireShared) | (1 << Role.ReleaseShared);
for (let role = 0; role < 8; role++) {
  let mask: number;
  if (role === Role.Read) mask = (1 << Role.Write) | (1 << Role.Commute);
  else if (role === Role.Commute) mask = (1 << Role.Write) | (1 << Role.Read);
  else if (role === Role.Write) mask = (1 << Role.Write) | (1 << Role.Read) | (1 << Role.Commute);
  else if ((1 << role) & SHARED) mask = LOCKS & ~SHARED;
  else mask = LOCKS;
  CONFLICTS[role] = mask;
}

/** What two steps do with an object, as one number. */
const keyOf = (step: Step, at: number): number => step.ids[at] * 16 + step.spaces[at];

/** Whether what two steps do with one object does not commute. */
export function conflict(a: Role, b: Role): boolean {
  return (CONFLICTS[a] & (1 << b)) !== 0;
}

/** Whether two steps depend on each other. */
export function dependent(a: Step, b: Step): boolean {
  for (let i = 0; i < a.count; i++) {
    const key = keyOf(a, i);
    const mask = CONFLICTS[a.roles[i]];
    for (let j = 0; j < b.count; j++) {
      if (keyOf(b, j) === key && mask & (1 << b.roles[j])) return true;
    }
  }
  return false;
}

const ROLES = 8;

/**
 * The events of a schedule, each with a vector clock: for each task, how many events of the schedule
 * up to that task's last one that happened before. `1 + index` counts, 0 is none.
 */
export class History {
  length = 0;
  /** By event: its task. */
  readonly taskOf: number[] = [];
  private clocks: Int32Array;
  /** By object: the last event of each task in each role, as `1 + index`; then the schedule's number. */
  private readonly objects = new Map<number, Int32Array>();
  private schedule = 0;
  private readonly lastOf: Int32Array;
  /** Scratch: the events that the newest one depends on. */
  private readonly found: Int32Array;
  private readonly racing: Int32Array;

  constructor(readonly tasks: number) {
    this.clocks = new Int32Array(tasks * 1024);
    this.lastOf = new Int32Array(tasks);
    this.found = new Int32Array(tasks);
    this.racing = new Int32Array(tasks);
  }

  clear(): void {
    this.length = 0;
    this.schedule++;
    this.lastOf.fill(0);
  }

  /** How far task `t` had come, as known to event `e`: `1 + index`, or 0. */
  clock(e: number, t: number): number {
    return this.clocks[e * this.tasks + t];
  }

  /**
   * Looks for what `step`, taken next by `task`, would depend on. `found[q]` is task q's last event
   * that it depends on, `racing[q]` its last one whose order with it could be turned round, if that
   * order is not given by other events (both as `1 + index`, 0 for none).
   */
  private look(task: number, step: Step): void {
    const { tasks, found, racing, clocks } = this;
    found.fill(0);
    racing.fill(0);
    for (let i = 0; i < step.count; i++) {
      const lasts = this.objects.get(keyOf(step, i));
      if (!lasts || lasts[tasks * ROLES] !== this.schedule) continue;
      const role = step.roles[i];
      const mask = CONFLICTS[role];
      const takes = role === Role.Acquire || role === Role.AcquireShared;
      for (let q = 0; q < tasks; q++) {
        if (q === task) continue;
        for (let other = 0; other < ROLES; other++) {
          const e = lasts[q * ROLES + other];
          if (e === 0 || (mask & (1 << other)) === 0) continue;
          if (e > found[q]) found[q] = e;
          // a lock cannot be taken before it was released, but before it was taken
          if (takes && (TAKES & (1 << other)) === 0) continue;
          if (e > racing[q]) racing[q] = e;
        }
      }
    }
    const own = this.lastOf[task];
    for (let q = 0; q < tasks; q++) {
      const e = racing[q];
      if (e === 0) continue;
      let ordered = own !== 0 && clocks[(own - 1) * tasks + q] >= e;
      for (let r = 0; r < tasks && !ordered; r++) {
        if (r !== q && found[r] !== 0) ordered = clocks[(found[r] - 1) * tasks + q] >= e;
      }
      if (ordered) racing[q] = 0;
    }
  }

  /**
   * The races of a step that `task` takes next, or cannot take: for each, the tasks that could have
   * begun instead at the other event, so that the two come the other way round.
   */
  races(task: number, step: Step, report: (event: number, initials: number) => void): void {
    this.look(task, step);
    for (let q = 0; q < this.tasks; q++) {
      const e = this.racing[q];
      if (e !== 0) report(e - 1, this.initials(e - 1, task));
    }
  }

  /**
   * Of the events after `event` that did not happen after it, and then `task`'s next step: the tasks
   * that could be first.
   */
  private initials(event: number, task: number): number {
    const { tasks, clocks, taskOf, found } = this;
    const q = taskOf[event];
    let seen = 0;
    let initials = 0;
    const firsts: number[] = [];
    for (let i = event + 1; i < this.length; i++) {
      const base = i * tasks;
      if (clocks[base + q] > event) continue;
      const t = taskOf[i];
      if (seen & (1 << t)) continue;
      let first = true;
      for (const f of firsts) {
        if (clocks[base + taskOf[f]] > f) {
          first = false;
          break;
        }
      }
      seen |= 1 << t;
      firsts.push(i);
      if (first) initials |= 1 << t;
    }
    if ((seen & (1 << task)) === 0) {
      const own = this.lastOf[task];
      let first = true;
      for (const f of firsts) {
        const t = taskOf[f];
        if (own !== 0 && clocks[(own - 1) * tasks + t] > f) first = false;
        for (let r = 0; r < tasks && first; r++) {
          // what it has from the racing task's events is what is turned round
          if (r === q || found[r] === 0) continue;
          if (clocks[(found[r] - 1) * tasks + t] > f) first = false;
        }
        if (!first) break;
      }
      if (first) initials |= 1 << task;
    }
    return initials;
  }

  /** Adds `task`'s step as the newest event. */
  add(task: number, step: Step): void {
    this.look(task, step);
    const { tasks, found } = this;
    const e = this.length++;
    if ((e + 1) * tasks > this.clocks.length) {
      const bigger = new Int32Array(this.clocks.length * 2);
      bigger.set(this.clocks);
      this.clocks = bigger;
    }
    const { clocks } = this;
    const base = e * tasks;
    const own = this.lastOf[task];
    if (own === 0) clocks.fill(0, base, base + tasks);
    else clocks.copyWithin(base, (own - 1) * tasks, own * tasks);
    for (let q = 0; q < tasks; q++) {
      if (found[q] === 0) continue;
      const from = (found[q] - 1) * tasks;
      for (let t = 0; t < tasks; t++) {
        if (clocks[from + t] > clocks[base + t]) clocks[base + t] = clocks[from + t];
      }
    }
    clocks[base + task] = e + 1;
    this.taskOf[e] = task;
    this.lastOf[task] = e + 1;
    for (let i = 0; i < step.count; i++) {
      const key = keyOf(step, i);
      let lasts = this.objects.get(key);
      if (!lasts) {
        lasts = new Int32Array(tasks * ROLES + 1);
        this.objects.set(key, lasts);
      }
      if (lasts[tasks * ROLES] !== this.schedule) {
        lasts.fill(0);
        lasts[tasks * ROLES] = this.schedule;
      }
      lasts[task * ROLES + step.roles[i]] = e + 1;
    }
  }
}
