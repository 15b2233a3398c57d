/** What must hold of a run, whatever the program: used by the corpus and the random programs. */
import { checkMirror, WRONG_PAGE_OF_HUGE_PAGE } from '../../src/drivers/look/check-mirrors.ts';
import { runToEnd } from '../../src/machine/index.ts';
import { compareDescriptions } from '../../src/mm/index.ts';
import * as generators from '../../src/program/index.ts';
import {
  type Op,
  type Program,
  type Result,
  type RunOptions,
  type RunOutcome,
  type System,
  showBroken,
  showOp,
  showResult,
} from '../../src/program/index.ts';
import { straight } from './straight.ts';

/** Runs a program as the command line does, in a straight line, unless it is to be suspended. */
export function runProgram(program: Program, options: RunOptions): RunOutcome {
  return (options.stepping ? generators : straight).runProgram(program, options);
}

/** The build that a system is of. */
const buildOf = (system: System) => (system instanceof straight.System ? straight : generators);

/** Findings and broken invariants after the last operation. */
export function brokenAfter({ findings, system }: RunOutcome): string[] {
  return [
    ...findings.map(({ title, op, stack }) => `operation ${op}: ${title} (${stack[0]})`),
    ...buildOf(system).checkSystem(system).map(showBroken),
  ];
}

/** Shuts the system down; findings and broken invariants afterwards. */
export function brokenAfterShutdown({ system }: RunOutcome): string[] {
  const { kernel } = system;
  // plain functions of the straight-line build have ended when they return
  const ending = system.shutdown();
  if (buildOf(system) === generators) runToEnd(kernel, ending);
  return [
    ...kernel.findings.map(({ title, stack }) => `shutdown: ${title} (${stack[0]})`),
    ...buildOf(system)
      .checkShutDown(system)
      .map((broken) => `after shutdown: ${showBroken(broken)}`),
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
 * Follows the wrong pages that 7.3.4 lets a device map (WRONG_PAGE_OF_HUGE_PAGE). As long as they are
 * of the huge page that the process maps there, the device only confuses its pages. Once the huge page
 * is split and its pages go their ways, the device's table names a page of somebody else, or of nobody.
 */
class WrongPages {
  private wrong = new Set<string>();
  /** The first operation after which a device could touch what is not the process's, or -1. */
  lost = -1;

  look(system: System, op: number): void {
    if (this.lost >= 0) return;
    const wrong = new Set<string>();
    for (const mirror of system.mirrors) {
      for (const { invariant, where } of checkMirror(system.kernel, mirror)) {
        if (invariant === WRONG_PAGE_OF_HUGE_PAGE) wrong.add(where);
        else if (this.wrong.has(where)) this.lost = op;
      }
    }
    this.wrong = wrong;
  }
}

/** Whether a range crosses from one area of process 0 into another. */
function crossesAreas({ kernel, processes }: System, op: Op): boolean {
  if (!('buf' in op) || !('pages' in op)) return false;
  const start = kernel.geometry.vpnOf(op.buf, op.page);
  return !processes[0]?.mm.vmas.some((vma) => vma.start <= start && start + op.pages <= vma.end);
}

interface Watched {
  outcome: RunOutcome;
  /** As in {@link WrongPages}. */
  lost: number;
  /** Operations whose range crossed from one area into another. */
  crossing: Set<number>;
  /** The first `fault_migrate_to_dev` across areas whose device had an allocation to fail, or -1. */
  failing: number;
}

function runWatched(program: Program, options: RunOptions): Watched {
  const watch = new WrongPages();
  const crossing = new Set<number>();
  let failing = -1;
  const onResult = (_: Result, op: Op, index: number, system: System) => {
    watch.look(system, index);
    if (crossesAreas(system, op)) crossing.add(index);
    const next = program.ops[index + 1];
    if (failing >= 0 || next?.op !== 'fault_migrate_to_dev') return;
    if (system.mirrors[next.dev].failAlloc && crossesAreas(system, next)) failing = index + 1;
  };
  const outcome = runProgram(program, { ...options, onResult });
  return { outcome, lost: watch.lost, crossing, failing };
}

/**
 * Runs a program with the walks `collect` and `unified`: both must end in the same observable state,
 * with the same results, and every invariant must hold, also after a shutdown.
 *
 * Where a `fault_migrate_to_dev` fails half way, both must fail, but two passes and one walk have done
 * different things by then (one has faulted a range for reading, the other has told every device that
 * the range is about to change): the states are compared before it, the invariants at the end too.
 * One failure is of two passes only, ENOENT in a range that crosses areas: migrating one area, the
 * driver's update goes a page too far and takes the first page of the next area out of the device's
 * table; if that is the device's own it does not migrate, and is missing when the range is read at the
 * end. One walk an area is done with the first area before it looks at the next. For the same reason
 * an allocation that is to fail (`fail_alloc`) may be another one when a range crosses areas: two passes
 * fault all areas before they migrate the first. The program is compared up to such an operation.
 *
 * A device may map a wrong page of a huge page, as on 7.3.4, with both walks alike. The program is run
 * up to where such a page leaves the huge page: what the device reads or writes then is anybody's.
 */
export function checkWalks(program: Program, options: RunOptions = {}): string[] {
  const upTo = (op: number) => {
    const { results: _, ...rest } = program;
    return checkWalks({ ...rest, ops: program.ops.slice(0, op) }, options);
  };
  const watched = runWatched(program, { ...options, walk: 'collect' });
  const { outcome: collect, lost, crossing, failing } = watched;
  if (failing >= 0) return upTo(failing);
  if (lost >= 0) return upTo(lost);
  const unified = runProgram(program, { ...options, walk: 'unified' });
  const stop = collect.results.length;
  if (stop < program.ops.length) {
    const [x, y] = [collect, unified].map(({ findings, results }) =>
      [...findings.map(({ title, op }) => `operation ${op}: ${title}`), results.length].join(', '),
    );
    return [x === y ? `both stop: ${x}` : `stops: ${x} against ${y}`];
  }
  const failure = firstFailure(program, collect);
  const problems: string[] = [];
  if (failure >= 0) {
    const lostEntry = collect.results[failure].ret === 'ENOENT' && crossing.has(failure);
    const end = lostEntry ? failure : failure + 1;
    const [x, y] = [collect, unified].map(({ results }) => results.slice(0, end));
    problems.push(...differentResults(program, x, y));
    if (problems.length > 0) return problems;
    problems.push(...upTo(failure));
  } else {
    const [x, y] = [collect, unified].map(({ system }) => buildOf(system).describeSystem(system));
    problems.push(
      ...differentResults(program, collect.results, unified.results),
      ...compareDescriptions(x, y).map((line) => `state: ${line}`),
    );
  }
  for (const [walk, outcome] of Object.entries({ collect, unified })) {
    for (const line of [...brokenAfter(outcome), ...brokenAfterShutdown(outcome)]) {
      if (!line.startsWith(WRONG_PAGE_OF_HUGE_PAGE)) problems.push(`walk ${walk}: ${line}`);
    }
  }
  return problems;
}
