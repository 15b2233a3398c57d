/**
 * Busy waiting: a task comes round to the same failed attempt to lock something, by the same steps, without having
 * slept, while who holds the lock takes no step. Where the owner waits for something to run on that CPU (the work by
 * which lru_add_drain_all() empties a CPU's batches), it waits for ever. It is looked for in the schedules that are tried.
 */
import { modelledStack, ObjectKind, StepKind, type Task } from '../machine/index.ts';
import type { Kernel } from '../mm/index.ts';
import { signOf } from './step-sign.ts';

/** Who may try again and again, and why Linux lets it. */
export interface Spinner {
  /** The modelled function. */
  readonly name: string;
  /** The kernel's function, and what it does there. */
  readonly why: string;
}

/** Functions that try again in a circle as Linux has them. */
export const SPINNERS: readonly Spinner[] = [
  {
    name: 'doHugePmdDevicePrivate',
    why: 'do_huge_pmd_device_private() faults again at once while the folio is locked; do_swap_page() waits',
  },
];

/** What a task has tried in vain. */
interface Tried {
  object: ObjectKind;
  id: number;
  owner: Task;
  /** Steps of the owner then. */
  ownerSteps: number;
  /** Operations that the task had ended. */
  ended: number;
  /** Of the steps since the last attempt, that one included; and of as many before it. */
  sign: number;
  lastSign: number;
  /** How often it came round by these steps. */
  rounds: number;
  /** Steps of the task at the last attempt. */
  steps: number;
}

/** Rounds beyond the pages of the folio, which a walk may try one by one. */
const ROUNDS = 3;
/** Steps of a round: whoever does so much in between does not wait busily. */
const LONGEST = 200;

/** Looks at each step of one schedule. */
export class Spinning {
  /** By task. */
  private tried: (Tried | null)[] = [];
  private steps: number[] = [];
  /** Where the attempt is with which a task came round often enough. */
  private stacks: (readonly string[])[] = [];

  constructor(private readonly k: Kernel) {}

  /** Before each schedule. */
  reset(tasks: number): void {
    this.tried = new Array<Tried | null>(tasks).fill(null);
    this.steps = new Array<number>(tasks).fill(0);
    this.stacks = [];
  }

  /** Before a task takes its step. */
  before(index: number, { pending }: Task): void {
    this.steps[index]++;
    const tried = this.tried[index];
    if (tried === null) return;
    if (this.steps[index] - tried.steps > LONGEST) this.tried[index] = null;
    else tried.sign = Math.imul(tried.sign, 31) ^ signOf(index, false, pending);
  }

  /**
   * After a task took a step.
   * @param object what that was about, where it tried something; with its number
   * @param tasks all of them, in order
   * @returns whether it waits busily by now, and for whom
   */
  after(
    index: number,
    object: ObjectKind,
    id: number,
    task: Task,
    tasks: readonly Task[],
  ): { owner: Task; what: string; stack: readonly string[] } | null {
    let found = null;
    if (object !== ObjectKind.None) {
      const owner = this.ownerOf(object, id, tasks);
      const at = owner === null ? -1 : tasks.indexOf(owner);
      if (owner === null || at < 0 || owner === task) this.tried[index] = null;
      else found = this.failed(index, task, object, id, owner, this.steps[at]);
    }
    const { pending } = task;
    // whoever has to wait sleeps
    if (this.tried[index] !== null && pending.enabled !== null && !pending.enabled())
      this.tried[index] = null;
    return found;
  }

  /** Who holds what was tried; null: nobody. */
  private ownerOf(object: ObjectKind, id: number, tasks: readonly Task[]): Task | null {
    if (object === ObjectKind.FolioLock) {
      const owner = this.k.pages.lockOwner[id];
      return tasks.find((task) => task.id === owner) ?? null;
    }
    return tasks.find(({ held }) => held.some((lock) => lock.id === id)) ?? null;
  }

  private failed(
    index: number,
    task: Task,
    object: ObjectKind,
    id: number,
    owner: Task,
    ownerSteps: number,
  ): ReturnType<Spinning['after']> {
    const before = this.tried[index];
    const again =
      before !== null &&
      before.object === object &&
      before.id === id &&
      before.owner === owner &&
      before.ownerSteps === ownerSteps &&
      before.ended === task.ended;
    if (!again) {
      const { ended } = task;
      const sign = 0;
      this.tried[index] = {
        object,
        id,
        owner,
        ownerSteps,
        ended,
        sign,
        lastSign: -1,
        rounds: 0,
        steps: this.steps[index],
      };
      return null;
    }
    before.rounds = before.sign === before.lastSign ? before.rounds + 1 : 1;
    before.lastSign = before.sign;
    before.sign = 0;
    before.steps = this.steps[index];
    const isFolio = object === ObjectKind.FolioLock;
    const pages = isFolio ? 1 << this.k.pages.order[id] : 1;
    // the attempt with which it would have come round often enough
    if (before.rounds === pages + ROUNDS - 1) this.noteStack(index, task);
    if (before.rounds < pages + ROUNDS) return null;
    const stack = this.stacks[index] ?? [];
    if (SPINNERS.some(({ name }) => stack[0] === name)) return null;
    const lock = owner.held.find((one) => one.id === id);
    const what = isFolio ? 'the lock of a folio' : (lock?.name ?? 'a lock').replace(/ \d+\b/g, '');
    return { owner, what, stack };
  }

  /** Which functions the next attempt of a task is in. */
  private noteStack(index: number, { pending }: Task): void {
    if (Object.hasOwn(pending, 'set')) return;
    const { set } = pending;
    pending.set = (...args) => {
      if (args[0] === StepKind.TryAcquire) {
        this.stacks[index] = modelledStack();
        delete (pending as Partial<typeof pending>).set;
      }
      return set.apply(pending, args);
    };
  }
}
