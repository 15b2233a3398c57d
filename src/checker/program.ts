/** A concurrent program as a scenario. */
import { FLAWS } from '../drivers/index.ts';
import { type Kernel$, KernelBug, OutOfRam, runToEnd } from '../machine/index.ts';
import type { Broken } from '../mm/index.ts';
import {
  type ConcurrentProgram,
  checkPlaces,
  checkShutDown,
  checkSystem,
  describeSystem,
  type Op,
  type OpName,
  type OpNamed,
  ProgramError,
  perform,
  RESULT_FIELDS,
  type Result,
  System,
  systemOptions,
  unmet,
} from '../program/index.ts';
import { callWords, opWords, valuesOf } from '../program/internal.ts';
import { ProgramConditions } from './conditions.ts';
import { cpuOf, stumbled } from './execution.ts';
import { type Came, type Explained, Orders, type Unexplained } from './orders.ts';
import { NO_MEMORY, NOT_KNOWN } from './reasons.ts';
import type { Scenario, SetupOptions } from './scenario.ts';
import type { DataOracle } from './watch/data.ts';
import type { Translation } from './watch/hardware.ts';
import type { MemoryChange, PendingChange } from './watch/memory-place.ts';
import { Watch } from './watch/watch.ts';

/** A program under way: its system, and what the operations of each task returned so far. */
export interface ProgramState {
  readonly system: System;
  readonly results: Record<string, Result[]>;
  /** Results of `setup` and of `after`. */
  readonly before: readonly Result[];
  after: Result[];
  /** Why the results are right though no order of the operations gives them. */
  reasons: readonly string[];
}

/**
 * An operation says what it must return: reports what is otherwise. Without memory it may
 * fail or do a part of its work, and so may what comes after it.
 * @param where in the program it is
 */
function compare(system: System, op: Op, result: Result, where: string): void {
  if (system.kernel.allocationFailed) return;
  const wrong = op.expect && unmet(op.expect, result);
  if (!wrong) return;
  system.kernel.reportResult('expectation', `${op.op}: ${wrong}`, `${where}: ${opWords(op)}`);
}

/** What an advice does to memory. */
const ADVICE_CHANGES: Record<OpNamed<'madvise'>['advice'], MemoryChange | null> = {
  dontneed: 'discard',
  free: 'give up',
  cold: 'age',
  pageout: 'age',
  hugepage: null,
  nohugepage: null,
  populate_read: null,
  populate_write: null,
  collapse: null,
  dontfork: null,
  willneed: null,
};

/**
 * What each operation does to memory, for those who look at the data; null where it changes nothing but by
 * accesses, faults and migrations, of which the machine's monitor hears.
 */
const CHANGES: {
  readonly [K in OpName]: MemoryChange | null | ((op: OpNamed<K>) => MemoryChange | null);
} = {
  mmap: 'map',
  munmap: 'unmap',
  mprotect: 'protect',
  madvise: ({ advice }) => ADVICE_CHANGES[advice],
  mremap: 'move',
  mremap_dontunmap: 'move out',
  cpu_write: null,
  cpu_read: null,
  file_read: null,
  file_write: null,
  dev_read: null,
  dev_read_unlocked: null,
  dev_write: null,
  migrate_to_dev: null,
  migrate_to_sys: null,
  fault_migrate_to_dev: null,
  exclusive: null,
  check_exclusive: null,
  fail_alloc: null,
  snapshot: null,
  evict: null,
  release: null,
  open: null,
  close: null,
  pagemap: null,
  scan: null,
  clear_soft_dirty: 'forget',
  pin: null,
  gup: ({ write, how }) => (write === 0 && how.startsWith('pin') ? 'unshare' : null),
  unpin: null,
  fork: 'fork',
  exit: 'unmap',
  oom_reap: 'give up',
  uffd_register: null,
  uffd_unregister: null,
  uffd_copy: null,
  uffd_serve: null,
  uffd_stop: null,
};

function changeOf<K extends OpName>(op: OpNamed<K>): MemoryChange | null {
  const change = CHANGES[op.op as K];
  return typeof change === 'function' ? change(op) : change;
}

function begin(system: System, op: Op, data: DataOracle | null): PendingChange | null {
  const change = data && changeOf(op);
  if (!data || !change) return null;
  const { mm } = system.process(op.proc);
  if (op.op === 'oom_reap' || op.op === 'exit') {
    return data.begin(change, mm, mm.vmas[0]?.start ?? 0, mm.vmas.at(-1)?.end ?? 0);
  }
  if (!('buf' in op) || !('pages' in op)) return data.begin(change, mm);
  const { geometry } = system.kernel;
  const start = geometry.vpnOf(op.buf, op.page);
  // whole huge pages
  const huge = op.op === 'mmap' && op.kind === 'hugetlb' ? geometry.ptrsPerPte : 1;
  const pages = Math.ceil(op.pages / huge) * huge;
  const to = 'toBuf' in op ? geometry.vpnOf(op.toBuf, op.toPage) : 0;
  return data.begin(change, mm, start, start + pages, to);
}

/** The pages that `pagemap` is asked for. */
function asked(system: System, { proc, buf, page }: OpNamed<'pagemap'>) {
  return { mm: system.process(proc).mm, start: system.kernel.geometry.vpnOf(buf, page) };
}

/** What must be said of them. */
function softDirty(system: System, op: OpNamed<'pagemap'>, { shadows }: DataOracle): number[] {
  const { mm, start } = asked(system, op);
  return shadows.softDirty(mm, start, op.pages);
}

function observed(
  system: System,
  op: OpNamed<'pagemap'>,
  result: Result,
  { shadows }: DataOracle,
  before: readonly number[],
): void {
  const { mm, start } = asked(system, op);
  shadows.observed(mm, start, valuesOf(result.bits ?? []), before);
}

/** Performs an operation, and tells whoever looks at the data when it begins and when it ends. */
function* performWatched(system: System, op: Op): Kernel$<Result> {
  const { monitor, current } = system.kernel;
  current.doing = op.op;
  const data = monitor instanceof Watch ? monitor.data : null;
  const pending = begin(system, op, data);
  if (op.op === 'gup' || op.op === 'pin') data?.shadows.pins();
  const before = data && op.op === 'pagemap' ? softDirty(system, op, data) : null;
  const result = yield* perform(system, op);
  if (data && before && op.op === 'pagemap') observed(system, op, result, data, before);
  if (data && pending) {
    const forked = op.op === 'fork' && result.ret === 'ok';
    data.end(pending, forked ? system.process(op.child).mm : null, result.ret !== 'EINVAL');
  }
  current.ended++;
  return result;
}

function* taskBody({ system, results }: ProgramState, name: string, ops: Op[]): Kernel$<void> {
  for (const op of ops) {
    const result = yield* performWatched(system, op);
    results[name].push(result);
    compare(system, op, result, `${name}, operation ${results[name].length - 1}`);
  }
}

/** A result with its fields in the order of the format, whoever made it. */
function inOrder(result: Result): Partial<Result> {
  const fields = (Object.keys(RESULT_FIELDS) as (keyof Result)[]).filter(
    (field) => result[field] !== undefined,
  );
  return Object.fromEntries(fields.map((field) => [field, result[field]]));
}

/** What the operations of a schedule returned, as the table of outcomes has it. */
export function resultsText(tasks: readonly string[], { results, after }: ProgramState): string {
  const all = tasks.map((name) => [name, results[name].map(inOrder)]);
  return JSON.stringify({ results: Object.fromEntries(all), after: after.map(inOrder) });
}

/** The most CPUs that a machine has. */
const MAX_CPUS = 8;

/** The system on which a program's tasks begin, before its setup. */
function systemFor(program: ConcurrentProgram, { walk, ledger }: SetupOptions): System {
  const tasks = Object.keys(program.tasks).length;
  return new System({
    // a mistake that is known would hide what comes after it
    mended: true,
    ...systemOptions(program, { ...(walk ? { walk } : {}), ledger: ledger ? true : 'counts' }),
    cpus: program.machine?.cpus ?? Math.min(tasks, MAX_CPUS),
    tlbEntries: 32,
    // few entries a table: every look at the whole state walks them
    ...((program.machine?.pmdOrder ?? 9) <= 5 ? { tableBits: 4 } : {}),
  });
}

/** What is known of the results that a program's operations may have, by walk. */
const ordersOf = new WeakMap<ConcurrentProgram, Map<string, Orders>>();
/** The one whose machine is kept. */
let lastOrders: Orders | null = null;

function ordersFor(program: ConcurrentProgram, walk: SetupOptions['walk']): Orders {
  const byWalk = ordersOf.get(program) ?? new Map<string, Orders>();
  ordersOf.set(program, byWalk);
  let orders = byWalk.get(walk ?? '');
  if (!orders) {
    const setup = (): System => {
      const system = systemFor(program, walk ? { walk } : {});
      for (const op of program.setup) runToEnd(system.kernel, perform(system, op));
      return system;
    };
    orders = new Orders(program, setup, (system, task) => cpuOf(system.kernel, task));
    byWalk.set(walk ?? '', orders);
  }
  if (lastOrders !== orders) lastOrders?.rest();
  lastOrders = orders;
  return orders;
}

/** What explains the results of a program's operations; null: that is not known. */
export function explainResults(
  program: ConcurrentProgram,
  walk: SetupOptions['walk'],
  came: Came,
): Explained | Unexplained | null {
  return ordersFor(program, walk).explain(came);
}

/** The flaws of Linux that a system's devices have come to, by name. */
function flawsOf({ devices }: System): string[] {
  return devices.flatMap(({ flaws }) => [...flaws].map((flaw) => FLAWS[flaw].name));
}

/** Whether the results of all operations are those of no order of them. */
function inNoOrder(
  { tasks }: ConcurrentProgram,
  orders: Orders | null,
  state: ProgramState,
): Broken[] {
  // a scenario may have been given other tasks
  const ran = Object.entries(tasks).every(
    ([name, ops]) => state.results[name].length === ops.length,
  );
  const explained = (ran && orders?.explain(state)) || null;
  if (explained === null) state.reasons = [NOT_KNOWN];
  else if ('reasons' in explained) state.reasons = explained.reasons;
  else {
    const { op, detail } = explained;
    const title = 'results of no order of the operations';
    return [{ invariant: 'results', title, where: op.op, detail }];
  }
  return [];
}

/**
 * Performs an operation of a setup.
 * @returns null where the model cannot go on: that is a finding of every schedule, before its first step
 * @throws OutOfRam where the program asks for more memory than there is
 */
function performAlone(system: System, op: Op): Result | null {
  const { kernel } = system;
  try {
    return runToEnd(kernel, perform(system, op));
  } catch (error) {
    if (error instanceof OutOfRam || error instanceof ProgramError) throw error;
    if (!(error instanceof KernelBug)) kernel.findings.push(stumbled(error));
    return null;
  }
}

/**
 * Makes a scenario of a concurrent program: every task has a CPU of its own.
 * @throws ProgramError for a mistake in the program
 */
export function programScenario(program: ConcurrentProgram): Scenario<ProgramState> {
  const names = Object.keys(program.tasks);
  const tasks = Object.fromEntries(
    names.map((name) => [name, (s: ProgramState) => taskBody(s, name, program.tasks[name])]),
  );
  const conditions = new ProgramConditions(program);
  let orders: Orders | null = null;
  return {
    name: program.name,
    ...(program.comment === undefined ? {} : { comment: program.comment }),
    source: JSON.stringify([program.machine, program.setup, program.tasks, program.after]),
    tasks,
    tellsData: true,
    kernel: ({ system }) => system.kernel,
    doing: ({ results }, name) => program.tasks[name]?.[results[name].length]?.op ?? name,
    operation({ results }, name) {
      const number = results[name]?.length ?? 0;
      const op = program.tasks[name]?.[number];
      return op ? { number, text: opWords(op), call: callWords(op) } : null;
    },
    setup(options: SetupOptions): ProgramState {
      const system = systemFor(program, options);
      orders = ordersFor(program, options.walk);
      const lists = [program.setup, ...names.map((name) => program.tasks[name]), program.after];
      for (const ops of lists) checkPlaces({ name: program.name, ops }, system);
      const before: Result[] = [];
      for (const op of program.setup) {
        const result = performAlone(system, op);
        if (result === null) break;
        compare(system, op, result, `setup, operation ${before.length}`);
        before.push(result);
      }
      const results = Object.fromEntries(names.map((name) => [name, []]));
      return { system, results, before, after: [], reasons: [] };
    },
    check(state): Broken[] {
      const { system } = state;
      const broken = checkSystem(system);
      const { kernel } = system;
      // before anybody reaches the pages again
      if (kernel.monitor instanceof Watch) kernel.monitor.data?.shadows.checkAll();
      if (broken.length > 0 || kernel.findings.length > 0) return broken;
      for (const [i, op] of program.after.entries()) {
        const result = runToEnd(system.kernel, performWatched(system, op));
        state.after.push(result);
        compare(system, op, result, `after, operation ${i}`);
      }
      if (program.after.length > 0) broken.push(...checkSystem(system));
      if (broken.length > 0 || system.kernel.findings.length > 0) return broken;
      // without memory an operation may fail, or do a part of its work
      if (system.kernel.allocationFailed) state.reasons = [NO_MEMORY];
      else broken.push(...inNoOrder(program, orders, state));
      return broken;
    },
    translations({ system }): Translation[] {
      const found: Translation[] = [];
      const add = (cpu: number, op: Op): void => {
        const mm = system.processes[op.proc]?.mm;
        if (!mm || !('buf' in op) || !('pages' in op)) return;
        const { buf, page: first, pages, proc } = op;
        for (let page = first; page < first + pages; page++) {
          const vpn = system.kernel.geometry.vpnOf(buf, page);
          if (found.some((t) => t.cpu === cpu && t.mm === mm && t.vpn === vpn)) continue;
          const of = proc === 0 ? '' : ` of process ${proc}`;
          found.push({ cpu, mm, vpn, page: `buffer ${buf}, page ${page}${of}` });
        }
      };
      // pages that a CPU reaches anyway come first
      names.forEach((name, i) => {
        for (const op of program.tasks[name]) {
          if (op.op === 'cpu_read' || op.op === 'cpu_write') add(cpuOf(system.kernel, i), op);
        }
      });
      for (const op of Object.values(program.tasks).flat()) add(0, op);
      return found;
    },
    returned({ results, before, after }) {
      // what is asked for surprises nobody
      const of = (list: readonly Result[], ops: readonly Op[], where: readonly string[]) =>
        list.flatMap(({ ret }, at) =>
          [ops[at].expect ?? []].flat().some((one) => one.ret !== undefined)
            ? []
            : [{ where: [...where, at], op: ops[at].op, ret }],
        );
      return [
        ...of(before, program.setup, ['setup']),
        ...names.flatMap((name) => of(results[name], program.tasks[name], ['tasks', name])),
        ...of(after, program.after, ['after']),
      ];
    },
    outcome({ system, results, after }): string {
      return JSON.stringify([results, after, describeSystem(system)]);
    },
    results: (state) => resultsText(names, state),
    reasons: ({ reasons }) => reasons,
    flaws: ({ system }) => flawsOf(system),
    conditions: conditions.words,
    hold({ system, results, after }) {
      // as with what an operation must return
      return system.kernel.allocationFailed ? null : conditions.hold(results, after);
    },
    shutdown({ system }): Broken[] {
      runToEnd(system.kernel, system.shutdown());
      return checkShutDown(system);
    },
  };
}
