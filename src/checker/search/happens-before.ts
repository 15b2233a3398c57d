/** What happened before what in a schedule, and which steps race: what partial-order reduction goes by. */
import { ObjectKind, Role, StepKind } from '../../machine/index.ts';
import { CONFLICTS, TAKES, type Uses } from '../conflict.ts';
import { FOOTPRINT_KINDS, type Footprint } from '../footprint.ts';

/** An object, as one number. */
const keyOf = (step: Uses, at: number): number => step.ids[at] * 64 + step.objects[at];

/** Whether a task may wait for objects of a kind, which others change more than once. */
const isCondition = (kind: number): boolean =>
  kind === ObjectKind.Sequence || kind === ObjectKind.Userfault;

const ROLES = 8;

/**
 * The events of a schedule, each with a vector clock: for each task, how many events of the schedule
 * up to that task's last one that happened before. `1 + index` counts, 0 is none.
 */
export class HappensBefore {
  length = 0;
  /** By event: its task. */
  readonly taskOf: number[] = [];
  private clocks: Int32Array;
  /**
   * By kind of object and number: the last event of each task in each role, as `1 + index`; then the
   * schedule's number.
   */
  private readonly objects: Map<number, Int32Array>[] = Array.from(
    { length: FOOTPRINT_KINDS },
    () => new Map(),
  );
  private schedule = 0;
  private readonly lastOf: Int32Array;
  /** Scratch: the events that the newest one depends on. */
  private readonly found: Int32Array;
  /** By object: every event that changed it; only of what tasks wait for. */
  private readonly waited = new Map<number, { schedule: number; events: number[] }>();

  constructor(readonly tasks: number) {
    this.clocks = new Int32Array(tasks * 1024);
    this.lastOf = new Int32Array(tasks);
    this.found = new Int32Array(tasks);
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

  /** An object's last events, by task and role; null when it had none in this schedule. */
  private lasts(object: number, id: number): Int32Array | null {
    const lasts = this.objects[object].get(id);
    return lasts && lasts[this.tasks * ROLES] === this.schedule ? lasts : null;
  }

  /** Finds each task's last event that `step`, taken next by `task`, depends on. */
  private look(task: number, step: Uses): void {
    const { tasks, found } = this;
    found.fill(0);
    for (let i = 0; i < step.count; i++) {
      const lasts = this.lasts(step.objects[i], step.ids[i]);
      if (!lasts) continue;
      const mask = CONFLICTS[step.roles[i]];
      for (let q = 0; q < tasks; q++) {
        if (q === task) continue;
        for (let other = 0; other < ROLES; other++) {
          const e = lasts[q * ROLES + other];
          if (e > found[q] && (mask & (1 << other)) !== 0) found[q] = e;
        }
      }
    }
  }

  /** Whether event `e` (as `1 + index`) of task `q` happened before what `found` says, anyway. */
  private ordered(e: number, q: number, task: number): boolean {
    const { tasks, clocks, found } = this;
    const own = this.lastOf[task];
    if (own !== 0 && clocks[(own - 1) * tasks + q] >= e) return true;
    for (let r = 0; r < tasks; r++) {
      if (r !== q && found[r] !== 0 && clocks[(found[r] - 1) * tasks + q] >= e) return true;
    }
    return false;
  }

  /**
   * The races of a step that `task` has taken, or cannot take: for each, the tasks that could have
   * begun instead at the other event, so that the two come the other way round.
   */
  races(task: number, step: Footprint, report: (event: number, initials: number) => void): void {
    if (step.kind === StepKind.Wait && isCondition(step.objects[0])) {
      this.racesOfWait(task, step, report);
      return;
    }
    const { tasks } = this;
    this.look(task, step);
    const racing = (e: number, q: number): void => {
      if (e !== 0 && !this.ordered(e, q, task)) report(e - 1, this.initials(e - 1, task));
    };
    // a step that may have to wait could not always come before the last event of another task, but
    // perhaps before an earlier one: then the race is with that
    const { mayWait } = step;
    for (let q = 0; q < tasks; q++) {
      if (q === task) continue;
      let last = 0;
      for (let i = 0; i < step.count; i++) {
        const lasts = this.lasts(step.objects[i], step.ids[i]);
        if (!lasts) continue;
        const role = step.roles[i];
        // a lock cannot be taken before it was released, but before it was taken
        const takes = role === Role.Acquire || role === Role.AcquireShared;
        const mask = CONFLICTS[role] & (takes ? TAKES : ~0);
        let e = 0;
        for (let other = 0; other < ROLES; other++) {
          const at = lasts[q * ROLES + other];
          if (at > e && (mask & (1 << other)) !== 0) e = at;
        }
        if (mayWait) racing(e, q);
        else if (e > last) last = e;
      }
      if (last !== 0) racing(last, q);
    }
  }

  /**
   * The races of a wait for a condition. It may have held before each of the events that changed it,
   * also where it did not between them: so they are all reported, and any task may be what is needed.
   */
  private racesOfWait(
    task: number,
    step: Footprint,
    report: (event: number, initials: number) => void,
  ): void {
    const own = this.lastOf[task];
    for (let i = 0; i < step.count; i++) {
      const changed = this.waited.get(keyOf(step, i));
      if (changed?.schedule !== this.schedule) continue;
      for (const e of changed.events) {
        const q = this.taskOf[e - 1];
        if (q === task || (own !== 0 && this.clock(own - 1, q) >= e)) continue;
        report(e - 1, 0);
      }
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
  add(task: number, step: Uses): void {
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
      const objects = this.objects[step.objects[i]];
      let lasts = objects.get(step.ids[i]);
      if (!lasts) {
        lasts = new Int32Array(tasks * ROLES + 1);
        objects.set(step.ids[i], lasts);
      }
      if (lasts[tasks * ROLES] !== this.schedule) {
        lasts.fill(0);
        lasts[tasks * ROLES] = this.schedule;
      }
      lasts[task * ROLES + step.roles[i]] = e + 1;
      if (isCondition(step.objects[i]) && step.roles[i] === Role.Write)
        this.changed(keyOf(step, i), e + 1);
    }
  }

  /** Notes an event that changed what tasks wait for. */
  private changed(key: number, e: number): void {
    let changed = this.waited.get(key);
    if (!changed) {
      changed = { schedule: this.schedule, events: [] };
      this.waited.set(key, changed);
    }
    if (changed.schedule !== this.schedule) {
      changed.schedule = this.schedule;
      changed.events.length = 0;
    }
    changed.events.push(e);
  }
}
