/** What can be recorded: a program of either form, or a scenario. */
import {
  type ProgramState,
  programScenario,
  resultsText,
  type Scenario,
} from '../checker/index.ts';
import type { Kernel$ } from '../machine/index.ts';
import {
  type ConcurrentProgram,
  checkPlaces,
  checkSystem,
  compareResults,
  isConcurrent,
  type Op,
  type Program,
  perform,
  System,
  systemOptions,
} from '../program/index.ts';

/** The name of a sequential program's only task. */
export const ONLY_TASK = 'cpu';

function* inTurn({ system, results }: ProgramState, ops: readonly Op[]): Kernel$<void> {
  for (const op of ops) {
    system.kernel.current.doing = op.op;
    results[ONLY_TASK].push(yield* perform(system, op));
  }
}

/**
 * A sequential program as one task, on the machine that running it would give it.
 * @throws ProgramError, in `setup`, for a mistake in the program
 */
function sequentialScenario(program: Program): Scenario<ProgramState> {
  return {
    name: program.name,
    ...(program.comment === undefined ? {} : { comment: program.comment }),
    source: JSON.stringify([program.machine, program.ops]),
    tasks: { [ONLY_TASK]: (state: ProgramState) => inTurn(state, program.ops) },
    kernel: ({ system }) => system.kernel,
    setup({ walk }): ProgramState {
      const options = systemOptions(program, { ...(walk ? { walk } : {}), ledger: 'counts' });
      const system = new System(options);
      checkPlaces(program, system);
      return { system, results: { [ONLY_TASK]: [] }, before: [], after: [], reasons: [] };
    },
    results: (state) => resultsText([ONLY_TASK], state),
    check({ system, results }) {
      const recorded = program.results;
      const different = recorded && compareResults(recorded, results[ONLY_TASK]);
      if (different) {
        const { op, field } = different;
        const title = `op ${op} (${program.ops[op]?.op}): ${field} is not what was recorded`;
        system.kernel.reportResult('expectation', title, `operation ${op}`);
      }
      return checkSystem(system);
    },
  };
}

export type Recordable = Program | ConcurrentProgram | Scenario;

/** Whether it is a scenario, which is code and no program. */
export function isScenario(program: Recordable): program is Scenario {
  return 'kernel' in program;
}

/** The scenario of a program. */
export function scenarioOfProgram(program: Program | ConcurrentProgram): Scenario<ProgramState> {
  return isConcurrent(program) ? programScenario(program) : sequentialScenario(program);
}

/**
 * The scenario of whatever can be recorded.
 * @param schedule that it is to run
 */
export function recordable(program: Recordable, schedule = ''): Scenario {
  if (isScenario(program)) return program;
  if (isConcurrent(program) || !schedule.includes('!')) return scenarioOfProgram(program);
  // what was recorded is no measure where an allocation fails
  const { results: _, ...alone } = program;
  return scenarioOfProgram(alone);
}

/** By task: the operations that it performs. */
export function operationsOf(program: Recordable): Readonly<Record<string, readonly Op[]>> {
  if (isScenario(program)) return {};
  return isConcurrent(program) ? program.tasks : { [ONLY_TASK]: program.ops };
}
