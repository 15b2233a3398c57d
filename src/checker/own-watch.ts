/**
 * Looks at what the code of a scenario does that others have written (`own-code.ts`), in each schedule:
 *
 * - A generator that was made and never run does nothing, and nobody says so: a `yield*` is missing.
 * - A result that is left alone and says that something failed.
 * - Fields of the state that one task writes and another one reads or writes, where no step orders the two: the
 *   search does not try the other order. What happened before what is what the search knows, `happens-before.ts`.
 */
import { errnoName, type Step } from '../machine/index.ts';
import { GENERATOR, ITEMS, type OwnCodeListener } from './own-code.ts';
import { ScenarioError } from './scenario-error.ts';
import { HappensBefore } from './search/happens-before.ts';

/** A call that gave a generator. */
interface Made {
  readonly name: string;
  readonly place: string;
  /** The task that made it; -1: none. */
  readonly task: number;
}

/** A task has read or written a field. */
interface Access {
  readonly task: number;
  /** The last step that it had taken, as the number of the event; -1: none. */
  readonly event: number;
  readonly place: string;
}

/** A field that was read and is not there. */
interface Absent {
  readonly key: PropertyKey;
  readonly place: string;
  /** Whether it was taken out of an object into a variable. */
  readonly taken: boolean;
}

interface Field {
  written: Access | null;
  /** By task: its last one. */
  readonly read: (Access | undefined)[];
}

const NEXT: unknown = GENERATOR.next;

const withoutYield = ({ name, place }: Pick<Made, 'name' | 'place'>): ScenarioError =>
  new ScenarioError(`\`${name}()\` was called without \`yield*\` (${place})`);

/** Reads, writes and calls of a task between two of its steps, or of a check(): more are a loop without end. */
const WITHOUT_STEP = 10_000_000;

/** A negative result as code has it. Of -1 nobody knows whether it is an error number. */
function nameOf(result: number): string {
  const name = errnoName(result);
  return result !== -1 && /^E/.test(name) ? `-${name}` : String(result);
}

export class OwnWatch implements OwnCodeListener {
  /** What should be looked at, each once. */
  readonly warnings = new Set<string>();
  /** By place: calls that failed whenever they were made, and with what in one schedule; null: not in some. */
  readonly calls = new Map<string, { readonly name: string; readonly ret: string } | null>();
  /** As bits: the tasks that touched a field that another one touched, where one of the two wrote. */
  meets = 0;
  /** Generators that nobody has run. */
  private readonly idle = new Map<object, Made>();
  /** What was told since a step. */
  private told = 0;
  /** The task that goes on now; -1: none. */
  private task = -1;
  /** By task: the last field that was not there, and the last one of a variable. */
  private readonly absent: Absent[][];
  private readonly fields = new Map<object, Map<PropertyKey, Field>>();
  /** Whether fields were told of: after a schedule without nobody pays for clocks. */
  private looks = false;
  private begun = false;
  /** Whether there are clocks in this schedule. */
  private judges = false;
  private readonly before: HappensBefore;
  /** By task: the event of its last step. */
  private readonly events: number[];

  constructor(
    private readonly names: readonly string[],
    /** Whether fields are looked at. */
    private readonly watchesFields = true,
  ) {
    this.before = new HappensBefore(Math.max(1, names.length));
    this.events = names.map(() => -1);
    this.absent = names.map(() => []);
  }

  /** Before each schedule. */
  reset(): void {
    this.idle.clear();
    this.task = -1;
    for (const one of this.absent) one.length = 0;
    this.judges = this.looks || !this.begun;
    this.begun = true;
    if (!this.judges) return;
    this.fields.clear();
    this.before.clear();
    this.events.fill(-1);
  }

  /** A task takes a step. */
  step(task: number, step: Step): void {
    if (!this.judges) return;
    this.events[task] = this.before.length;
    this.before.add(task, step);
  }

  /** From here on what is told of is a task's; -1: nobody's. */
  turn(task: number): void {
    this.task = task;
    this.told = 0;
  }

  /** @throws ScenarioError where code tells of so much without a step that it has no end */
  private count(place: string): void {
    if (++this.told <= WITHOUT_STEP) return;
    throw new ScenarioError(`a loop that takes no step has no end (${place})`);
  }

  made(generator: Generator, name: string, place: string, dropped: boolean): void {
    this.count(place);
    if (dropped) throw withoutYield({ name, place });
    const { idle } = this;
    // who is about to run it asks for this
    if (!idle.has(generator)) {
      Object.defineProperty(generator, 'next', {
        configurable: true,
        get() {
          delete this.next;
          idle.delete(this);
          return NEXT;
        },
      });
      // a number or a text is made of it: its result was meant
      Object.defineProperty(generator, Symbol.toPrimitive, {
        value: () => {
          throw withoutYield({ name, place });
        },
      });
    }
    idle.set(generator, { name, place, task: this.task });
  }

  unyielded(name: string, place: string): void {
    throw new ScenarioError(`the step of \`${name}()\` is not yielded (${place})`);
  }

  /** What a task yielded in place of a step: where it was made, if it is a generator. */
  yielded(value: unknown): ScenarioError | null {
    const made = typeof value === 'object' && value !== null ? this.idle.get(value) : undefined;
    return made ? withoutYield(made) : null;
  }

  /**
   * When all have ended: every generator was run.
   * @throws ScenarioError
   */
  checkRun(): void {
    for (const made of this.idle.values()) throw withoutYield(made);
  }

  /**
   * Where something broke before all have ended: tasks that have ended ran every generator that they made.
   * @throws ScenarioError
   */
  checkRunOf(ended: (task: number) => boolean): void {
    for (const made of this.idle.values()) {
      if (made.task >= 0 && ended(made.task)) throw withoutYield(made);
    }
  }

  /**
   * The model threw as it followed `undefined`. A kernel has none: it came from a field that is not there, which the code
   * read in the line in which it called the model, or took into a variable.
   * @param line in which it called the model, `file:line`
   * @returns null where there is no such field
   */
  absentIn(line: string, task: number): string | null {
    const all = this.absent[task] ?? [];
    const one = all.findLast(({ place, taken }) => taken || place === line);
    return one ? `there is no field "${String(one.key)}" (${one.place})` : null;
  }

  result(result: unknown, name: string, place: string, ignored: boolean): void {
    if (this.task < 0) return;
    const ret = typeof result === 'number' && result < 0 ? nameOf(result) : null;
    if (ret === null) this.calls.set(place, null);
    else if (!this.calls.has(place)) this.calls.set(place, { name, ret });
    if (ret === null || !ignored) return;
    this.warnings.add(
      `the result of ${name}() is ignored (${place}), and it is ${ret} in some schedule`,
    );
  }

  read(object: object, key: PropertyKey, place: string, taken = false): void {
    this.count(place);
    if (this.task >= 0 && key !== ITEMS && !(key in object)) this.lacks({ key, place, taken });
    const field = this.fieldOf(object, key);
    if (field === null) return;
    const { task } = this;
    const { written } = field;
    if (written && written.task !== task) this.meet(key, written, 'writes', place, 'reads');
    field.read[task] = { task, event: this.events[task] ?? -1, place };
  }

  private lacks(one: Absent): void {
    const all = this.absent[this.task];
    const others = all.filter(({ taken }) => taken !== one.taken);
    all.splice(0, all.length, ...others, one);
  }

  write(object: object, key: PropertyKey, place: string): void {
    this.count(place);
    const field = this.fieldOf(object, key);
    if (field === null) return;
    const { task } = this;
    const { written, read } = field;
    if (written && written.task !== task) this.meet(key, written, 'writes', place, 'writes');
    for (const one of read) {
      if (one && one.task !== task) this.meet(key, one, 'reads', place, 'writes');
    }
    field.written = { task, event: this.events[task] ?? -1, place };
  }

  private fieldOf(object: object, key: PropertyKey): Field | null {
    if (this.task < 0 || !this.watchesFields) return null;
    this.looks = true;
    if (!this.judges) return null;
    let fields = this.fields.get(object);
    if (fields === undefined) {
      fields = new Map();
      this.fields.set(object, fields);
    }
    let field = fields.get(key);
    if (field === undefined) {
      field = { written: null, read: [] };
      fields.set(key, field);
    }
    return field;
  }

  /** Whether the steps order what another task did and what this one does: the other order is tried, too. */
  private ordered({ task, event }: Access): boolean {
    const last = this.events[this.task] ?? -1;
    // what comes before a task's first step is never tried anywhere else
    if (event < 0 || last < 0) return false;
    return this.before.clock(last, task) > event;
  }

  /** Another task did something with a field with which this one does something. */
  private meet(key: PropertyKey, one: Access, does: string, place: string, did: string): void {
    this.meets |= (1 << one.task) | (1 << this.task);
    if (this.ordered(one)) return;
    const [a, b] = [
      `${this.names[one.task]} ${does} it (${one.place})`,
      `${this.names[this.task]} ${did} it (${place})`,
    ].sort();
    this.warnings.add(
      `field "${String(key)}": ${a}, ${b}, and no step between names a common object: the other order is not tried`,
    );
  }
}
