/** Tasks for scenarios that a program cannot say. */
import { type ProgramState, programScenario, type Scenario } from '../../src/checker/index.ts';
import {
  MIGRATE_VMA_SELECT_COMPOUND,
  MIGRATE_VMA_SELECT_SYSTEM,
  type MigrateVma,
  migrateVmaArgs,
} from '../../src/hmm/migrate-args.ts';
import { migrateVmaFinalize, migrateVmaPages, migrateVmaSetup } from '../../src/hmm/migrate-vma.ts';
import type { Kernel$ } from '../../src/machine/index.ts';
import type { Broken } from '../../src/mm/index.ts';
import { parseConcurrentProgram } from '../../src/program/index.ts';
import type { System } from '../../src/program/system.ts';

/** A task of a program, or one that is written here. */
export type Body = (system: System) => Kernel$<unknown>;

/** The small machine that every scenario runs on. */
export const SMALL = { pmdOrder: 2, pageBytes: 16 };

/** What else a scenario may need. */
export interface Extras {
  /** After the program's own setup, in a straight line. */
  prepare?: (system: System) => void;
  /** The tasks, in the order in which an exhaustive search begins them. */
  order?: string[];
  /** When every task has ended; after the usual checks. */
  check?: (system: System) => Broken[];
}

/**
 * A scenario of a program and of tasks beside its own.
 * @param program as in a file; its `machine` must have a CPU for every task
 */
export function withTasks(
  program: object,
  bodies: Record<string, Body>,
  { prepare, order, check }: Extras = {},
): Scenario<ProgramState> {
  const scenario = programScenario(parseConcurrentProgram(program));
  const own = Object.entries(bodies).map(([name, body]) => [
    name,
    ({ system }: ProgramState) => body(system),
  ]);
  const tasks = { ...scenario.tasks, ...Object.fromEntries(own) };
  const names = order ?? Object.keys(tasks);
  return {
    ...scenario,
    tasks: Object.fromEntries(names.map((name) => [name, tasks[name]])),
    setup(options): ProgramState {
      const state = scenario.setup(options);
      prepare?.(state.system);
      return state;
    },
    check(state): Broken[] {
      const broken = scenario.check?.(state) ?? [];
      return broken.length > 0 || !check ? broken : check(state.system);
    },
  };
}

/** Runs `body` with mmap_lock held for reading. */
export function* underMmapLock(system: System, body: () => Kernel$<void>): Kernel$<void> {
  const k = system.kernel;
  const { mmapLock } = system.process(0).mm;
  if (k.stepping) yield k.acquire(mmapLock, true);
  k.lockShared(mmapLock);
  yield* body();
  if (k.stepping) yield k.release(mmapLock);
  k.unlockShared(mmapLock);
}

/** Arguments for a migration of RAM in process 0, of whole huge pages too. */
export function migrationOf(
  system: System,
  page: number,
  pages: number,
  flags = MIGRATE_VMA_SELECT_SYSTEM | MIGRATE_VMA_SELECT_COMPOUND,
): MigrateVma {
  const start = system.kernel.geometry.vpnOf(0, page);
  const args = migrateVmaArgs(pages, system.mirrors[0].device);
  args.vma = system.process(0).mm.lookupVma(start) ?? null;
  args.start = start;
  args.end = start + pages;
  args.flags = flags;
  return args;
}

/**
 * A driver that prepares a migration and has no memory for it: everything stays where it is.
 * @param prepared looks at what was prepared
 */
export function prepareAndGiveUp(
  page: number,
  pages: number,
  prepared?: (system: System, args: MigrateVma) => void,
  flags?: number,
): Body {
  return (system) =>
    underMmapLock(system, function* () {
      const k = system.kernel;
      const args = migrationOf(system, page, pages, flags);
      if (yield* migrateVmaSetup(k, args)) return;
      prepared?.(system, args);
      yield* migrateVmaPages(k, args);
      yield* migrateVmaFinalize(k, args);
    });
}
