/**
 * One schedule at a time: tasks that are suspended before each of their steps, put back to the
 * beginning as often as it takes.
 */
import {
  type Finding,
  type Kernel$,
  KernelBug,
  modelledStack,
  ObjectKind,
  restore,
  type Snapshot,
  type Step,
  StepKind,
  snapshot,
  stateKey,
  Task,
} from '../machine/index.ts';
import { boundLoops, type StateShape, stateShape } from '../machine/internal.ts';
import { type Broken, CountingLedger, type Kernel } from '../mm/index.ts';
import { withoutPerformers } from '../program/internal.ts';
import { brokenCondition } from './conditions.ts';
import { Footprint } from './footprint.ts';
import { listen } from './own-code.ts';
import { asBroken, asTask, lineOutside, ownMistake, show } from './own-scenario.ts';
import { OwnWatch } from './own-watch.ts';
import type { Scenario, SetupOptions } from './scenario.ts';
import { ScenarioError } from './scenario-error.ts';
import { digestOf } from './search/digest.ts';
import { Spinning } from './spinning.ts';
import { KINDS, OBJECT_WORDS } from './step-words.ts';
import type { TaskLoop } from './task-loop.ts';
import { MAX_TASKS } from './task-set.ts';
import { plain, titleOf } from './title.ts';
import { tellLooks } from './watch/before-first-step.ts';
import { Coverage } from './watch/coverage.ts';
import {
  goAndCome,
  MOST_TRANSLATIONS,
  type Translation,
  translationName,
} from './watch/hardware.ts';
import { Watch } from './watch/watch.ts';

/** That the model itself cannot go on, as it follows something that is no longer there. */
export function stumbled(thrown: unknown): Finding {
  const error = thrown as Error;
  const stack = modelledStack(error);
  return {
    invariant: 'use after free',
    title: `follows what is not there (${error.message})`,
    function: stack[0] ?? '',
    stack,
  };
}

/** A task under way. */
export interface Running {
  readonly task: Task;
  readonly body: Kernel$<unknown>;
  /** Whether it came to its end. */
  done: boolean;
}

/** Runs the tasks of a scenario as a strategy says, one schedule after the other. */
export class Execution<S extends object = object> {
  /** Is told of each schedule that begins, in any search. */
  static begins: (() => void) | null = null;

  readonly state: S;
  /** The scenario's tasks, and after them what the hardware does on its own. */
  readonly names: readonly string[];
  private readonly translations: readonly Translation[];
  running: Running[] = [];
  /** Steps taken since `reset`. */
  steps = 0;
  /** Steps when an operation or a task ended last. */
  progressed = 0;
  private broke: Finding | null = null;
  /** Known flaws of Linux that the tasks had come to when something broke, by name. */
  flaws: readonly string[] = [];
  /** At the end of a schedule in which nothing else broke: what its operations came to. */
  came: string | null = null;
  /** Which of the scenario's conditions hold there; null: they are not asked. */
  held: readonly boolean[] | null = null;
  /** Whether a step so far, in any schedule, touched more pages of a folio than it could name. */
  leavesOut = false;
  /** Who looks at what the tasks do; null: nobody. */
  readonly watch: Watch | null;
  /** Who notes what is come across; null: nobody. */
  readonly coverage: Coverage | null = null;
  /** Who looks whether a task waits busily; null: nobody. */
  private readonly busy: Spinning | null;
  private tasks: readonly Task[] = [];
  /** Who looks at what the scenario's own code does. */
  readonly own: OwnWatch;
  private readonly saved: Snapshot<S>;
  /** What a task looked at before its first step; undefined: nobody has asked yet. */
  private early: Finding | null | undefined;
  /** What the step that was taken last had to do with; null: nobody wants to know. */
  private footprint: Footprint | null = null;

  /** @throws Error when the scenario has no task, or too many */
  constructor(
    readonly scenario: Scenario<S>,
    options: SetupOptions = {},
  ) {
    const tasks = Object.keys(scenario.tasks);
    if (tasks.length < 1 || tasks.length > MAX_TASKS) {
      throw new Error(`${scenario.name}: 1 to ${MAX_TASKS} tasks, not ${tasks.length}`);
    }
    const inSetup = new OwnWatch(tasks);
    listen(inSetup);
    this.state = scenario.setup(options);
    inSetup.checkRun();
    const most = Math.min(MOST_TRANSLATIONS, MAX_TASKS - tasks.length);
    const translations = options.hardware ? (scenario.translations?.(this.state) ?? []) : [];
    this.translations = translations.slice(0, most);
    this.names = [...tasks, ...this.translations.map(translationName)];
    this.own = new OwnWatch(this.names, options.fields ?? true);
    this.saved = snapshot(this.state);
    const watched = options.watch ?? true;
    this.watch = watched
      ? new Watch(this.kernel, scenario.tellsData ?? false, scenario.rules)
      : null;
    this.busy = watched ? new Spinning(this.kernel) : null;
    const { sought } = options;
    if (this.watch && sought !== undefined)
      this.watch.locks.seek((finding) => titleOf(finding) === sought);
    if (this.watch && options.coverage) {
      this.coverage = new Coverage(this.kernel, this.names.length, tasks.length);
      this.watch.coverage = this.coverage;
      this.coverage.begin();
    }
  }

  /** What broke in this schedule; the schedule ends there. Behind a known flaw it is another finding. */
  get finding(): Finding | null {
    return this.broke;
  }

  set finding(finding: Finding | null) {
    this.flaws = finding === null ? [] : (this.scenario.flaws?.(this.state) ?? []);
    this.broke = finding;
    if (finding === null || this.flaws.length === 0) return;
    const title = `${finding.title}, behind a flaw of Linux: ${this.flaws.join('; ')}`;
    this.broke = { ...finding, title };
  }

  get kernel(): Kernel {
    return this.scenario.kernel(this.state);
  }

  /** Puts the state back, and starts every task: each is suspended before its first step. */
  reset(): void {
    Execution.begins?.();
    if (this.watch && this.early === undefined) {
      this.rewind();
      const undo = tellLooks(this.kernel);
      this.start();
      undo();
      this.early = this.finding;
    }
    this.rewind();
    this.start();
    this.finding ??= this.early ?? null;
  }

  private rewind(): void {
    listen(this.own);
    this.own.reset();
    restore(this.saved);
  }

  private start(): void {
    this.steps = 0;
    this.progressed = 0;
    this.finding = null;
    this.came = null;
    this.held = null;
    const k = this.kernel;
    if (this.watch) {
      this.watch.reset();
      this.watch.attach();
      this.coverage?.reset();
    }
    this.running = this.names.map((name, i) => {
      const own = this.translations[i - (this.names.length - this.translations.length)];
      const task = new Task(2 + i, name, own?.cpu ?? cpuOf(k, i));
      const body = own ? goAndCome(k, own) : this.started(name);
      return { task, body, done: false };
    });
    this.tasks = this.running.map(({ task }) => task);
    this.busy?.reset(this.tasks.length);
    k.stepping = true;
    for (let i = 0; i < this.running.length; i++) this.resume(i);
  }

  private started(name: string): Kernel$<unknown> {
    try {
      return asTask(this.scenario.tasks[name](this.state), `task ${name}`);
    } catch (error) {
      throw ownMistake(error, `task ${name}`) ?? error;
    }
  }

  /** The step that a task is about to take. */
  pending(task: number): Step {
    return this.running[task].task.pending;
  }

  /** What the step that was taken last had to do with, from now on. */
  noteFootprint(): Footprint {
    if (this.footprint === null) {
      this.footprint = new Footprint();
      this.watch?.note(this.footprint);
    }
    return this.footprint;
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
   * @param fail the allocation that it is about to make fails, or the lock is let go that it may let go
   */
  take(task: number, fail: boolean): void {
    this.steps++;
    const k = this.kernel;
    k.steps = this.steps;
    const { task: taker } = this.running[task];
    if (fail && taker.pending.mayLetGo) k.letGo = true;
    else if (fail) k.failAllocations = 1;
    this.coverage?.step(task, taker.doing, taker.pending);
    const { ended } = taker;
    this.own.step(task, taker.pending);
    this.footprint?.of(taker.pending);
    const { pending } = taker;
    const tries = pending.kind === StepKind.TryAcquire;
    const object = tries ? pending.object : ObjectKind.None;
    const id = tries ? pending.id : -1;
    this.busy?.before(task, taker);
    this.resume(task);
    if (this.finding === null && !this.running[task].done) {
      const spins = this.busy?.after(task, object, id, taker, this.tasks);
      if (spins) this.waitsBusily(taker, spins);
    }
    if (this.footprint !== null) this.watch?.taken();
    if (taker.ended !== ended || this.running[task].done) this.progressed = this.steps;
    if (fail) {
      k.failAllocations = 0;
      k.letGo = false;
    }
  }

  private resume(index: number): void {
    const running = this.running[index];
    const k = this.kernel;
    k.current = running.task;
    this.own.turn(index);
    boundLoops(k);
    try {
      const result = running.body.next();
      if (typeof result !== 'object' || result === null) {
        throw new ScenarioError(
          `task ${running.task.name}: expected a generator, its next() returned ${show(result)}`,
        );
      }
      running.done = result.done === true;
      if (!running.done && result.value !== running.task.pending) {
        const made = this.own.yielded(result.value);
        const got = made ? `a generator: ${made.message}` : show(result.value);
        throw new ScenarioError(
          `task ${running.task.name}: expected a step, got a yield of ${got}`,
        );
      }
      if (running.task.pending.leavesOut) this.leavesOut = true;
    } catch (error) {
      running.done = true;
      if (!(error instanceof KernelBug)) this.stumble(error, `task ${running.task.name}`, index);
    }
    this.own.turn(-1);
    if (k.findings.length > 0) this.finding ??= k.findings[0];
    else if (running.done) this.atEnd(running.task);
  }

  private say(invariant: string, title: string, at = ''): void {
    this.finding ??= { invariant, title, function: at, stack: at === '' ? [] : [at] };
  }

  /**
   * The model itself cannot go on: it follows something that is no longer there. What the scenario's own
   * code throws is its mistake, and so is what it handed to the model and is not there.
   * @throws ScenarioError
   */
  private stumble(thrown: unknown, where: string, task = -1): void {
    const own = ownMistake(thrown, where) ?? this.handedUndefined(thrown, where, task);
    if (own) throw own;
    this.finding ??= stumbled(thrown);
  }

  /** What the model threw because the scenario's own code handed it a field that is not there. */
  private handedUndefined(thrown: unknown, where: string, task: number): ScenarioError | null {
    if (!(thrown instanceof TypeError) || !/\bundefined\b/.test(thrown.message)) return null;
    const line = lineOutside(thrown);
    const lacks = line === null ? null : this.own.absentIn(line, task);
    if (lacks === null) return null;
    return new ScenarioError(
      `${where}: ${lacks}, and a modelled function is called with it: ${thrown.message}`,
    );
  }

  private atEnd(task: Task): void {
    if (task.held.length > 0) {
      this.say('lock', `a task ends with ${plain(task.held[0].name)} held`, task.name);
    } else if (task.folioLocks > 0) {
      this.say('lock', 'a task ends with a folio locked', task.name);
    }
  }

  /**
   * What is wrong when nobody can go on, and some have not ended: which modelled function of each waits
   * for what, and who holds what. The tasks cannot be used any more.
   */
  deadlock(): void {
    const k = this.kernel;
    const waits: string[] = [];
    const who: string[] = [];
    const stacks: string[][] = [];
    for (const { task, body, done } of this.running) {
      if (done) continue;
      const holds = this.watch?.locks.holds(task.id) ?? task.held.map(({ name }) => name);
      k.current = task;
      // made to go on, the function says itself what it would wait for
      const { title, stack } = stuck(body);
      const what = title.replace('waits for ever for ', '').replace(/ \d+\b/g, '');
      const self = holds.includes(what) && task.held.some((l) => title.endsWith(l.name));
      waits.push(`${stack[0] ?? task.name} waits for ${what}${self ? ', which it holds' : ''}`);
      who.push(
        `${task.name}: ${stack.slice(0, 5).join(' < ')}, holds ${holds.join(', ') || 'nothing'}`,
      );
      stacks.push(stack);
    }
    this.finding = null;
    this.say('deadlock', [...new Set(waits.sort())].join('; '));
    if (this.finding !== null) {
      Object.assign(this.finding as Finding, { detail: who.join('; '), stack: stacks[0] ?? [] });
    }
  }

  /**
   * What is wrong when a schedule that lets every task go on has no end: which tasks do not come to
   * theirs, in which function each of them goes round, and what it waits for. The tasks cannot be used any
   * more.
   * @param loops what each of them does again and again
   */
  endless(loops: readonly TaskLoop[]): void {
    const k = this.kernel;
    const what = loops.map(({ task }) => {
      const { name } = this.running[task].task;
      return this.scenario.doing?.(this.state, name) ?? name;
    });
    const spinning = this.spinning(loops);
    const who = loops.map((loop) => this.loopText(loop));
    k.findings.length = 0;
    this.finding = null;
    const title = spinning?.title ?? `without end: ${[...new Set(what.sort())].join(', ')}`;
    const stack = spinning?.stack ?? [];
    const detail = who.join('; ');
    this.finding = { invariant: 'livelock', title, function: stack[0] ?? '', stack, detail };
  }

  private waitsBusily(
    { name }: Task,
    { owner, what, stack }: NonNullable<ReturnType<Spinning['after']>>,
  ): void {
    const doing = owner.pending;
    this.finding = {
      invariant: 'busy waiting',
      title: `tries ${what} again and again without sleeping, while its owner does not run`,
      function: stack[0] ?? '',
      stack: [...stack],
      detail: `${name} tries; ${owner.name} holds it, and does not come to ${KINDS[doing.kind]} ${OBJECT_WORDS[doing.object]}`,
    };
  }

  /** Who goes round without waiting while it holds a lock that another one waits for; null: nobody. */
  private spinning(loops: readonly TaskLoop[]): { title: string; stack: string[] } | null {
    for (const { task, steps, waits, holds, within } of loops) {
      if (steps === 0 || waits.length > 0) continue;
      const held = loops.find(({ stuck }) => holds.has(stuck));
      if (!held) continue;
      const lock = this.running[task].task.held.find(({ id }) => id === held.stuck);
      const name = plain(lock?.name ?? 'a lock').replace(/ N\b/g, '');
      const waiter = this.whereIs(held.task)[0] ?? this.running[held.task].task.name;
      const title = `goes round without waiting and holds ${name}, for which ${waiter} waits`;
      return { title, stack: [...within] };
    }
    return null;
  }

  private loopText({ task, steps, within, calls, waits }: TaskLoop): string {
    const { name } = this.running[task].task;
    const waiting = waits.length > 0 ? `waits for ${waits.join(', ')}` : '';
    if (steps === 0) return `${name}: ${waiting}`;
    const through = calls.length > 0 ? `: ${calls.slice(0, 6).join(', ')}` : '';
    const where = withoutPerformers(within).slice(0, 5).join(' < ');
    return `${name}: goes round in ${where}${through}${waiting === '' ? '' : ` and ${waiting}`}`;
  }

  /**
   * The modelled functions that a task is in at its next step, innermost first. The task cannot be used
   * any more.
   */
  private whereIs(index: number): string[] {
    const { task, body } = this.running[index];
    const { pending } = task;
    this.kernel.current = task;
    if (pending.enabled !== null && !pending.enabled()) return stuck(body).stack;
    let stack: string[] = [];
    const { set } = pending;
    pending.set = (...args) => {
      stack = modelledStack();
      return set.apply(pending, args);
    };
    this.resume(index);
    delete (pending as { set?: unknown }).set;
    return stack;
  }

  /**
   * What tells one end from another: everything that `finish` and `shutdown` can come across. Not what
   * only reports show: counters, and who took a reference when.
   */
  endKey(): string {
    const k = this.kernel;
    k.steps = 0;
    const { ledger } = k;
    const without: object[] = [k.counters, k.current];
    if (k.monitor) without.push(k.monitor);
    if (ledger instanceof CountingLedger) without.push(ledger.takers, ledger.steps);
    return stateKey([this.state, this.watch?.data?.allowed], without);
  }

  /** What is left of the state when numbers are told apart. */
  shape(): StateShape {
    const k = this.kernel;
    const without: object[] = [k.counters, k.current];
    if (k.ledger) without.push(k.ledger);
    if (k.monitor) without.push(k.monitor);
    return stateShape([this.state], without);
  }

  /** When nobody can go on: all have ended, and the scenario checks; or it is a deadlock. */
  finish(): void {
    if (!this.ended) {
      this.deadlock();
      return;
    }
    this.alone('check()', this.scenario.check?.bind(this.scenario));
    if (this.finding === null && this.watch?.data) {
      this.watch.data.checkAll();
      if (this.kernel.findings.length > 0) this.finding = this.kernel.findings[0];
    }
    if (this.finding !== null) return;
    const { scenario, state } = this;
    this.came = scenario.results?.(state) ?? null;
    this.held = scenario.hold?.(state) ?? null;
    const broken = this.held && brokenCondition(scenario.conditions ?? [], this.held);
    if (broken) this.say('expectation', broken);
  }

  /**
   * After `finish`: what tells this end from another.
   * @throws ScenarioError where that is no text
   */
  outcome(): string {
    let outcome: unknown = '';
    try {
      outcome = this.scenario.outcome?.(this.state) ?? '';
    } catch (error) {
      throw ownMistake(error, 'outcome()') ?? error;
    }
    if (typeof outcome === 'string') return outcome;
    throw new ScenarioError(`outcome(): expected a text, got ${show(outcome)}`);
  }

  /**
   * After `finish`: what the table of outcomes has of this end.
   * @param end its key
   * @throws ScenarioError
   */
  outcomeText(end: string): string {
    if (this.came !== null) return this.came;
    const own = this.outcome();
    return JSON.stringify(own === '' ? { state: digestOf(end) } : { outcome: own });
  }

  /** After `finish`: everything is given back, and nothing may be left. */
  shutdown(): void {
    this.alone('shutdown()', this.scenario.shutdown?.bind(this.scenario));
  }

  private alone(what: string, body: ((state: S) => Broken[]) | undefined): void {
    if (body === undefined) return;
    const k = this.kernel;
    k.stepping = false;
    k.current = new Task(1, 'main', 0);
    boundLoops(k);
    let broken: Broken[] = [];
    try {
      broken = asBroken(body(this.state), what);
    } catch (error) {
      if (!(error instanceof KernelBug)) this.stumble(error, what);
    }
    if (k.findings.length > 0) this.finding ??= k.findings[0];
    if (broken.length > 0) {
      const [{ invariant, title, where, detail }] = broken;
      this.say(invariant, plain(title), plain(where));
      if (this.finding) this.finding.detail = `${where}: ${title}${detail ? `; ${detail}` : ''}`;
    }
  }
}

/** The CPU of a scenario's task. */
export function cpuOf(k: Kernel, task: number): number {
  return Math.min(task, k.tlbs.length - 1);
}

/** What a task that cannot go on waits for. */
function stuck(body: Kernel$<unknown>): { title: string; stack: string[] } {
  try {
    body.next();
  } catch (error) {
    if (error instanceof KernelBug) return error.finding;
  }
  return { title: 'something', stack: [] };
}
