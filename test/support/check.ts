/** What must hold of a run, whatever the program: used by the corpus and the random programs. */
import { runToEnd } from '../../src/machine/index.ts';
import { compareDescriptions } from '../../src/mm/index.ts';
import {
  checkShutDown,
  checkSystem,
  describeSystem,
  type Program,
  type RunOptions,
  type RunOutcome,
  runProgram,
  showBroken,
  showOp,
  showResult,
} from '../../src/program/index.ts';

/** Findings and broken invariants after the last operation. */
export function brokenAfter({ findings, system }: RunOutcome): string[] {
  return [
    ...findings.map(({ title, op, stack }) => `operation ${op}: ${title} (${stack[0]})`),
    ...checkSystem(system).map(showBroken),
  ];
}

/** Shuts the system down; findings and broken invariants afterwards. */
export function brokenAfterShutdown({ system }: RunOutcome): string[] {
  const { kernel } = system;
  runToEnd(kernel, system.shutdown());
  return [
    ...kernel.findings.map(({ title, stack }) => `shutdown: ${title} (${stack[0]})`),
    ...checkShutDown(system).map((broken) => `after shutdown: ${showBroken(broken)}`),
  ];
}

/** Operations whose results differ, each in a line. */
export function differentResults(
  { ops }: Program,
  a: RunOutcome['results'],
  b: RunOutcome['results'],
): string[] {
  return ops.slice(0, a.length).flatMap((op, i) => {
    const [x, y] = [showResult(a[i]), showResult(b[i])];
    return x === y ? [] : [`operation ${i}, ${showOp(op)}: ${x} against ${y}`];
  });
}

/** Runs a program and checks everything that one run can show. */
export function checkRun(program: Program, options: RunOptions): string[] {
  const outcome = runProgram(program, options);
  return [...brokenAfter(outcome), ...brokenAfterShutdown(outcome)].map(
    (line) => `walk ${options.walk}: ${line}`,
  );
}

/** The first `fault_migrate_to_dev` that fails, or -1. */
function firstFailure({ ops }: Program, { results }: RunOutcome): number {
  return ops.findIndex((op, i) => op.op === 'fault_migrate_to_dev' && results[i]?.ret !== 'ok');
}

/**
 * Runs a program with the walks `collect` and `unified`: both must end in the same observable state,
 * with the same results, and every invariant must hold, also after a shutdown.
 *
 * Where a `fault_migrate_to_dev` fails half way, both must fail, but two passes and one walk have done
 * different things by then (one has faulted a range for reading, the other has told every device that
 * the range is about to change): the states are compared before it, the invariants at the end too.
 * One failure is of two passes only, ENOENT: migrating one area, the driver's update goes a page too
 * far and takes the first page of the next area out of the device's table; if that is the device's own
 * it does not migrate, and is missing when the range is read at the end. One walk an area is done with
 * the first area before it looks at the next.
 */
export function checkWalks(program: Program, options: RunOptions = {}): string[] {
  const collect = runProgram(program, { ...options, walk: 'collect' });
  const unified = runProgram(program, { ...options, walk: 'unified' });
  const failure = firstFailure(program, collect);
  const problems: string[] = [];
  if (failure >= 0) {
    const end = collect.results[failure].ret === 'ENOENT' ? failure : failure + 1;
    const [x, y] = [collect, unified].map(({ results }) => results.slice(0, end));
    problems.push(...differentResults(program, x, y));
    if (problems.length > 0) return problems;
    problems.push(...checkWalks({ ...program, ops: program.ops.slice(0, failure) }, options));
  } else {
    const [x, y] = [collect, unified].map(({ system }) => describeSystem(system));
    problems.push(
      ...differentResults(program, collect.results, unified.results),
      ...compareDescriptions(x, y).map((line) => `state: ${line}`),
    );
  }
  for (const [walk, outcome] of Object.entries({ collect, unified })) {
    for (const line of [...brokenAfter(outcome), ...brokenAfterShutdown(outcome)]) {
      problems.push(`walk ${walk}: ${line}`);
    }
  }
  return problems;
}
