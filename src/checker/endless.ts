/**
 * Whether a schedule has an end. One in which operations end gets on, however long it is. One in which none
 * has ended for long is without end when it goes in a circle: the same steps of the same tasks on the same
 * objects come again and again, every task that can go on has its turn, and the state comes back with them,
 * but for numbers that go on by as much each time (a notifier's sequence, a count of what was done).
 */
import { ObjectKind, Step } from '../machine/index.ts';
import type { StateShape } from '../machine/internal.ts';
import type { Execution } from './execution.ts';
import { type Round, roundOf } from './search/rounds.ts';
import { type Choice, fails, taskOf } from './search/strategy.ts';
import { signOf } from './step-sign.ts';
import { KINDS, OBJECT_WORDS } from './step-words.ts';
import type { TaskLoop } from './task-loop.ts';

/** Steps in which no operation ends, after which a schedule is looked at. */
export const ENDLESS_AFTER = 15_000;
/** So many times as many are searched for rounds. */
const WINDOW = 5;
/** So many times as many, and it is given up. */
const GIVE_UP = 20;

/**
 * `goes on`: nothing is known yet. `endless`: it goes in a circle. `unfair`: it does so only as a task that
 * could go on is never let. `given up`: it does not seem to get on, and it does not go in a circle.
 */
export type Ending = 'goes on' | 'endless' | 'unfair' | 'given up';

/** What is noted of a task while rounds are told. */
interface Noted {
  stacks: (readonly string[])[];
  waits: Set<string>;
  holds: Set<number> | null;
  stuck: number;
  /** Rounds of waiting: whether it could go on at any step. */
  could: boolean;
}

/** Looks at one schedule while it runs. */
export class Endless {
  /** By step since it is looked at: who took it and what it was; and who could go on. */
  private signs: number[] = [];
  private tasks: number[] = [];
  private enabled: number[] = [];
  /** When to look for rounds next, in steps since something ended. */
  private look: number;
  /** Steps of a round that is believed; 0: none. */
  private length = 0;
  /** Steps that the round was kept to. */
  private kept = 0;
  private shapes: StateShape[] = [];
  private noted: Noted[] = [];
  private telling = false;
  /** Whether steps say in which functions they are for its sake alone. */
  private traces = false;
  private progressed = 0;
  /** What came again and again. */
  loops: TaskLoop[] = [];
  /** The round that the choices repeat to their end. */
  round: Round | null = null;
  /** Steps without progress after which it begins to look. */
  private readonly from: number;

  constructor(
    private readonly x: Execution,
    private readonly after = ENDLESS_AFTER,
  ) {
    this.from = after / 3;
    this.look = after;
  }

  /** Whether the next step is to be noted. */
  get watches(): boolean {
    return this.x.steps - this.x.progressed >= this.from;
  }

  /** Before a step is taken. */
  note(choice: Choice, enabled: number): void {
    if (this.progressed !== this.x.progressed) this.begin();
    const task = taskOf(choice);
    this.signs.push(signOf(task, fails(choice), this.x.pending(task)));
    this.tasks.push(task);
    this.enabled.push(enabled);
    if (this.telling) this.tell(task, enabled);
  }

  private begin(): void {
    this.signs = [];
    this.tasks = [];
    this.enabled = [];
    this.doubt(this.after);
    this.progressed = this.x.progressed;
  }

  /**
   * It was no round, or it is not known to be one.
   * @param look when to look for one next
   */
  private doubt(look: number): void {
    this.look = look;
    this.length = 0;
    this.kept = 0;
    this.shapes = [];
    this.stop();
  }

  /** The schedule is over. */
  stop(): void {
    if (this.traces) Step.traced = false;
    this.traces = false;
    this.telling = false;
  }

  /** After a step that was noted. */
  end(choices: readonly Choice[]): Ending {
    const { x, signs, length } = this;
    const since = x.steps - x.progressed;
    if (length > 0) return this.follow(choices);
    if (since < this.look) return 'goes on';
    // pages that wait in the batches of CPUs come back late: a round may be long
    const seen = signs.slice(-this.after * WINDOW);
    const round = roundOf(seen, Math.min(seen.length, this.after) / 2);
    if (round === null) {
      if (since >= this.after * GIVE_UP) return 'given up';
      this.look = since + this.after / 3;
      return 'goes on';
    }
    if (this.unfair(round.length)) return 'unfair';
    this.length = round.length;
    this.shapes.push(x.shape());
    return 'goes on';
  }

  /** Whether a task that can go on at some step of the last round takes none in it. */
  private unfair(length: number): boolean {
    let could = 0;
    let did = 0;
    for (let i = this.tasks.length - length; i < this.tasks.length; i++) {
      could |= this.enabled[i];
      did |= 1 << this.tasks[i];
    }
    return (could & ~did) !== 0;
  }

  /** Whether the round that is believed goes on as it must. */
  private follow(choices: readonly Choice[]): Ending {
    const { x, signs, length, shapes } = this;
    const at = signs.length - 1;
    const since = x.steps - x.progressed;
    if (signs[at] !== signs[at - length]) {
      this.doubt(since + this.after / 3);
      return 'goes on';
    }
    this.kept++;
    if (this.kept % length !== 0) return 'goes on';
    const rounds = this.kept / length;
    if (rounds <= 2) {
      shapes.push(x.shape());
      if (rounds < 2) return 'goes on';
      if (!alike(shapes)) {
        this.doubt(since + this.after / 3);
        return since >= this.after * GIVE_UP ? 'given up' : 'goes on';
      }
      // from now on steps say in which functions they are: a round later all of them do
      this.traces = !Step.traced;
      Step.traced = true;
      this.telling = true;
      return 'goes on';
    }
    if (rounds < 4) {
      this.noted = [];
      return 'goes on';
    }
    this.stop();
    this.loops = this.loopsOf();
    let start = choices.length - length;
    while (start > 0 && choices[start - 1] === choices[start - 1 + length]) start--;
    this.round = { start, length };
    return 'endless';
  }

  /** Notes where the task is that takes a step, what it holds, and what others wait for. */
  private tell(taker: number, enabled: number): void {
    const { x, noted } = this;
    for (let i = 0; i < x.running.length; i++) {
      const { done, task } = x.running[i];
      noted[i] ??= { stacks: [], waits: new Set(), holds: null, stuck: -1, could: false };
      if (done) continue;
      const of = noted[i];
      const held = new Set(task.held.map(({ id }) => id));
      of.holds = of.holds === null ? held : new Set([...of.holds].filter((id) => held.has(id)));
      if (i === taker) of.stacks.push(task.pending.stack);
      if (enabled & (1 << i)) {
        of.could = true;
        continue;
      }
      of.waits.add(this.waitOf(i));
      const { pending } = task;
      of.stuck = pending.object === ObjectKind.Lock ? pending.id : -1;
    }
  }

  /** What a task waits for, in words without numbers. */
  private waitOf(index: number): string {
    const { pending } = this.x.running[index].task;
    for (const { task } of this.x.running) {
      const lock =
        pending.object === ObjectKind.Lock && task.held.find(({ id }) => id === pending.id);
      if (lock) return `${lock.name.replace(/ \d+\b/g, '')} (held by ${task.name})`;
    }
    if (pending.object === ObjectKind.Folio || pending.object === ObjectKind.FolioLock) {
      return 'a folio';
    }
    return `${KINDS[pending.kind]} ${OBJECT_WORDS[pending.object]}`;
  }

  private loopsOf(): TaskLoop[] {
    return this.noted.flatMap(({ stacks, waits, holds, stuck, could }, task) => {
      if (this.x.running[task].done) return [];
      const within = commonEnd(stacks);
      const calls = stacks.map((stack) => stack[stack.length - within.length - 1] ?? '');
      return [
        {
          task,
          steps: stacks.length,
          within,
          calls: [...new Set(calls)].filter((name) => name !== ''),
          waits: [...waits],
          holds: holds ?? new Set<number>(),
          stuck: could ? -1 : stuck,
        },
      ];
    });
  }
}

/** Whether a state comes back, but for numbers that go on by as much from each time to the next. */
function alike([a, b, c]: readonly StateShape[]): boolean {
  if (a.key !== b.key || b.key !== c.key) return false;
  if (a.numbers.length !== b.numbers.length || b.numbers.length !== c.numbers.length) return false;
  return a.numbers.every((first, i) => {
    const second = b.numbers[i];
    const third = c.numbers[i];
    return (first === second && second === third) || second - first === third - second;
  });
}

/** The outer functions that all stacks have in common, innermost first. */
function commonEnd(stacks: readonly (readonly string[])[]): readonly string[] {
  if (stacks.length === 0) return [];
  let same = Math.min(...stacks.map(({ length }) => length));
  const [first] = stacks;
  const at = (stack: readonly string[], n: number): string => stack[stack.length - 1 - n];
  for (let n = 0; n < same; n++) {
    if (stacks.some((stack) => at(stack, n) !== at(first, n))) same = n;
  }
  return first.slice(first.length - same);
}
