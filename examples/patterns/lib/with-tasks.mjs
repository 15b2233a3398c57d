/** Scenarios of a memory program and of tasks that are a driver's own. */
import { parseConcurrentProgram, programScenario } from 'softleaf/checker';

/**
 * A scenario of a program, with tasks beside its own.
 * @param program a concurrent program; `tasks` and `after` may be left out
 * @param bodies by name: generator functions of the machine and of what `prepare` made, { k, system, own }
 * @param prepare makes in `own` what the tasks share, in a straight line
 * @param cleanup gives it back
 * @param rules what the driver asks to be looked at
 */
export function withTasks(program, bodies, { prepare, cleanup, outcome, rules } = {}) {
  const cpus = Object.keys(program.tasks ?? {}).length + Object.keys(bodies).length;
  const machine = { pmdOrder: 2, pageBytes: 16, cpus };
  const full = { machine, setup: [], after: [], ...program, tasks: program.tasks ?? { none: [] } };
  const scenario = programScenario(parseConcurrentProgram(full));
  const partsOf = (state) => ({ k: state.system.kernel, system: state.system, own: state.own });
  const own = Object.entries(bodies).map(([name, body]) => [name, (s) => body(partsOf(s))]);
  return {
    ...scenario,
    tasks: { ...(program.tasks ? scenario.tasks : {}), ...Object.fromEntries(own) },
    ...(rules ? { rules } : {}),
    setup(options) {
      const state = Object.assign(scenario.setup(options), { own: {} });
      prepare?.(partsOf(state));
      return state;
    },
    outcome: (state) => scenario.outcome(state) + (outcome?.(partsOf(state)) ?? ''),
    shutdown(state) {
      cleanup?.(partsOf(state));
      return scenario.shutdown(state);
    },
  };
}

/** Runs `body` with a lock held, for reading if `shared`. */
export function* under(k, lock, body, shared = false) {
  if (k.stepping) yield k.acquire(lock, shared);
  if (shared) k.lockShared(lock);
  else k.lock(lock);
  const ret = yield* body();
  if (k.stepping) yield k.release(lock);
  if (shared) k.unlockShared(lock);
  else k.unlock(lock);
  return ret;
}
