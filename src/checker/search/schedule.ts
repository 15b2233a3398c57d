/**
 * Schedules as strings: `2.DIGEST.CHOICES.SEAL`. Version, digest of what was run, and the choices: a letter
 * for the task and how many steps it takes (no number: to its end, or until it has to wait). `!` after
 * a number: the allocation of the last of these steps fails. What stands in brackets at the end comes again
 * and again; else, after the last choice, tasks run one after the other. The seal is some of all that stands
 * before it: without it a part of a schedule is another one.
 */
import type { Execution } from '../execution.ts';
import { digestOf } from './digest.ts';
import { InARow } from './in-a-row.ts';
import type { Round } from './rounds.ts';
import { type Choice, FAIL, fails, type Strategy, taskOf } from './strategy.ts';

const VERSION = 2;

/** A schedule that cannot be replayed; the message says why. */
export class ScheduleError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ScheduleError';
  }
}

/** What a task does until another goes on. */
export interface Run {
  task: number;
  /** Steps; Infinity: until it ends or has to wait. */
  steps: number;
  /** The allocation of the last step fails. */
  fail: boolean;
  /** It is of the round at the end, which comes again and again. */
  round?: true;
}

const letter = (task: number): string => String.fromCharCode(97 + task);

/**
 * Choices, put together into runs.
 * @param round what of them comes again and again, to the end
 */
export function runsOf(choices: readonly Choice[], round: Round | null = null): Run[] {
  if (round !== null) {
    const { start, length } = round;
    const again = runsOf(choices.slice(start, start + length));
    return [
      ...runsOf(choices.slice(0, start)),
      ...again.map((run): Run => ({ ...run, round: true })),
    ];
  }
  const runs: Run[] = [];
  let open = false;
  for (const choice of choices) {
    const last = runs[runs.length - 1];
    if (open && last.task === taskOf(choice)) last.steps++;
    else runs.push({ task: taskOf(choice), steps: 1, fail: false });
    open = !fails(choice);
    if (!open) runs[runs.length - 1].fail = true;
  }
  return runs;
}

/** The choices of a schedule as text. */
export function encodeRuns(runs: readonly Run[]): string {
  const text = ({ task, steps, fail }: Run): string => {
    const count = steps === Number.POSITIVE_INFINITY ? '' : steps;
    return `${letter(task)}${count}${fail ? '!' : ''}`;
  };
  const once = runs.filter(({ round }) => !round).map(text);
  const again = runs.filter(({ round }) => round).map(text);
  const end = again.length > 0 ? `(${again.join('')})` : '';
  return `${once.join('')}${end}`;
}

/** With what a schedule ends. */
const sealOf = (digest: string, choices: string): string =>
  digestOf(`${digest}.${choices}`).slice(-5);

/** A schedule of choices as they are written. */
export function sealedSchedule(digest: string, choices: string): string {
  return `${VERSION}.${digest}.${choices}.${sealOf(digest, choices)}`;
}

/** A schedule as text, which `--replay` takes; `digest` says of which program and model it is. */
export function encodeSchedule(runs: readonly Run[], digest: string): string {
  return sealedSchedule(digest, encodeRuns(runs));
}

/**
 * Reads a schedule.
 * @param digest of what is to be run
 * @param tasks how many there are
 * @throws ScheduleError when it is not one, or one of something else
 */
export function decodeSchedule(text: string, digest: string, tasks: number): Run[] {
  const parts = /^(\d+)\.([0-9a-z]+)\.(([a-p0-9!]*)(?:\(([a-p0-9!]+)\))?)(?:\.([0-9a-z]*))?$/.exec(
    text.trim(),
  );
  if (!parts) throw new ScheduleError(`not a schedule (VERSION.DIGEST.CHOICES.SEAL): ${text}`);
  const [, version, of, all, choices, round, seal] = parts;
  if (Number(version) !== VERSION) {
    throw new ScheduleError(`a schedule of format ${version}; this Softleaf reads ${VERSION}`);
  }
  if (of !== digest) {
    throw new ScheduleError(
      `the schedule is of another program or model (${of}, here ${digest}): check again to get a new one`,
    );
  }
  const own = sealOf(of, all);
  if (seal !== own) {
    throw new ScheduleError(
      `the schedule was cut or changed: it ends with ${seal ? `.${seal}` : 'no seal'} (these choices would with .${own})`,
    );
  }
  const again = decodeRuns(round ?? '', tasks).map((run): Run => ({ ...run, round: true }));
  return [...decodeRuns(choices, tasks), ...again];
}

/**
 * Reads the choices of a schedule that comes to its end.
 * @throws ScheduleError when they are none
 */
export function decodeRuns(choices: string, tasks: number): Run[] {
  const runs: Run[] = [];
  let at = 0;
  for (const [all, who, count, fail] of choices.matchAll(/([a-p])(\d*)(!?)/g)) {
    const task = who.charCodeAt(0) - 97;
    if (task >= tasks) throw new ScheduleError(`no task ${who}: there are ${tasks}`);
    const steps = count === '' ? Number.POSITIVE_INFINITY : Number(count);
    if (steps === 0) throw new ScheduleError(`a run of no steps: ${all}`);
    if (fail && count === '') throw new ScheduleError(`which allocation fails? ${all}`);
    runs.push({ task, steps, fail: fail !== '' });
    at += all.length;
  }
  if (at !== choices.length) {
    throw new ScheduleError(`cannot read the choices from "${choices.slice(at, at + 10)}"`);
  }
  return runs;
}

/** Replays one schedule. A run whose task cannot go on is over; what is left goes in a row. */
export class Replay implements Strategy {
  private at = 0;
  private left = 0;
  private done = false;
  private readonly row = new InARow();
  /** Runs that did not take as many steps as they say. */
  short = 0;

  constructor(private readonly runs: readonly Run[]) {}

  begin(_x?: Execution): boolean {
    if (this.done) return false;
    this.done = true;
    this.at = 0;
    this.left = this.runs[0]?.steps ?? 0;
    this.row.begin();
    return true;
  }

  choose(_x: Execution, enabled: number): Choice {
    const { runs } = this;
    while (this.at < runs.length) {
      const { task, fail } = runs[this.at];
      const whole = this.left === Number.POSITIVE_INFINITY;
      // a run without a number is fair: others are not kept waiting for ever
      const enough = whole && this.row.tired && this.row.last === task && enabled !== 1 << task;
      if (this.left > 0 && enabled & (1 << task) && !enough) {
        this.left--;
        this.row.took(task);
        return this.left === 0 && fail ? task + FAIL : task;
      }
      const { round } = runs[this.at];
      if (this.left > 0 && this.left !== Number.POSITIVE_INFINITY && !round) this.short++;
      this.at++;
      if (this.at === runs.length && round) {
        // a round in which nobody could go on would not end
        const first = runs.findIndex((run) => run.round);
        if (runs.some((run) => run.round && enabled & (1 << run.task))) this.at = first;
      }
      this.left = runs[this.at]?.steps ?? 0;
    }
    const task = this.row.pick(enabled);
    this.row.took(task);
    return task;
  }

  end(): void {}

  bounds(): string[] {
    return ['one schedule'];
  }
}
