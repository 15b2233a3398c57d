/**
 * Recorded programs as a scenario. A search compares what a model does with what the same model does in another order, so
 * that what is wrong in every order is right to it; here the model has to return what a real kernel returned.
 */
import { type Kernel$, type Lock, lock, unlock } from '../machine/index.ts';
import { Kernel } from '../mm/index.ts';
import {
  compareResults,
  type Program,
  type Result,
  runProgram,
  showOp,
  showResult,
  type Walk,
} from '../program/index.ts';
import { Execution } from './execution.ts';
import type { Scenario } from './scenario.ts';

/** A machine that has nothing to do: each program has one of its own. */
interface RecordedState {
  readonly k: Kernel;
  readonly turn: Lock;
  readonly walk: Walk;
}

/** Other results than those of a recording, in words. */
interface Otherwise {
  readonly op: string;
  readonly detail: string;
}

const shown = (result: Result | undefined): string =>
  result === undefined ? 'nothing' : showResult(result);

/** How a program's results are others than those of its recording; null: they are the same. */
function otherwise(program: Program, walk: Walk): Otherwise | null {
  const { name, ops, results = [] } = program;
  const place = (at: number): string => `${name}, operation ${at}, ${showOp(ops[at])}`;
  try {
    const ran = runProgram(program, { walk });
    const [finding] = ran.findings;
    const other = compareResults(results, ran.results);
    if (finding !== undefined && (!other || finding.op <= other.op))
      return { op: ops[finding.op].op, detail: `${place(finding.op)}: ${finding.title}` };
    if (!other) return null;
    const [is, was] = [shown(ran.results[other.op]), shown(results[other.op])];
    return { op: ops[other.op].op, detail: `${place(other.op)}: ${is}; a real kernel: ${was}` };
  } catch (error) {
    return { op: 'a program', detail: `${name}: ${String(error)}` };
  }
}

/**
 * A scenario that runs recorded programs, one after the other, each on a machine of its own and in a straight line.
 * Every second one belongs to either walk, as what they are prepared by makes no difference to what they return.
 * @param programs recorded ones, with `results`
 */
export function recordedScenario(
  name: string,
  programs: readonly Program[],
): Scenario<RecordedState> {
  return {
    name,
    source: JSON.stringify(programs),
    setup({ walk = 'unified' }) {
      const k = new Kernel();
      return { k, turn: k.newLock('turn of a program', 'mutex'), walk };
    },
    kernel: ({ k }) => k,
    tasks: {
      *programs({ k, turn, walk }): Kernel$<void> {
        const rest = walk === 'collect' ? 1 : 0;
        for (const program of programs.filter((_, i) => i % 2 === rest)) {
          yield* lock(k, turn);
          // a sign of life
          Execution.begins?.();
          const other = otherwise(program, walk);
          if (other) {
            const title = `returns what a real kernel does not return: ${other.op}`;
            k.reportResult('recorded results', title, other.detail);
          }
          yield* unlock(k, turn);
        }
      },
    },
  };
}
