/** Running a program on a machine. */

import { runStepping, runToEnd } from '../machine/execute.ts';
import { KernelBug } from '../machine/finding.ts';
import { boundLoops } from '../machine/loops.ts';
import { OutOfRam } from '../machine/machine.ts';
import { ProgramError } from './error.ts';
import { perform } from './operations.ts';
import type { Op } from './ops.ts';
import { type ConcurrentProgram, type Program, parsed, type Result, type Walk } from './schema.ts';
import { System, type SystemOptions } from './system.ts';

export interface RunOptions {
  /** How a migration is prepared; else what the program's `machine` says, else `unified`. */
  walk?: Walk;
  /** Suspend every task before each step. The outcome is the same; it takes longer. */
  stepping?: boolean;
  /** Keep a ledger of who holds each reference. */
  ledger?: boolean | 'counts';
  /** Is shown each operation's result as it comes. */
  onResult?: (result: Result, op: Op, index: number, system: System) => void;
}

/** A modelled WARN or BUG, or an invariant that broke. */
export interface RunFinding {
  title: string;
  /** Index of the operation. */
  op: number;
  /** The modelled functions, innermost first. */
  stack: string[];
}

export interface RunOutcome {
  /** One an operation; fewer when the modelled kernel stopped. */
  results: Result[];
  counters: Record<string, number>;
  findings: RunFinding[];
  /** The system as the program left it. */
  system: System;
}

/** Every operation of a program of either form. */
function allOps(program: Program | ConcurrentProgram): Op[] {
  if (!('tasks' in program)) return program.ops;
  return [...program.setup, ...Object.values(program.tasks).flat(), ...program.after];
}

/** The machine that a program asks for: with device-coherent devices if it names one. */
export function systemOptions(
  program: Program | ConcurrentProgram,
  options: RunOptions,
): SystemOptions {
  const machine = program.machine ?? {};
  return {
    walk: options.walk ?? machine.walk ?? 'unified',
    ...(machine.pmdOrder === undefined ? {} : { pmdOrder: machine.pmdOrder }),
    ...(machine.pageBytes === undefined ? {} : { pageBytes: machine.pageBytes }),
    ...(machine.cpus === undefined ? {} : { cpus: machine.cpus }),
    ...(machine.ramPages === undefined ? {} : { ramPages: machine.ramPages }),
    ...(machine.hugetlbPages === undefined ? {} : { hugetlbPages: machine.hugetlbPages }),
    ...(machine.mended === undefined ? {} : { mended: machine.mended }),
    ...(machine.driver === undefined ? {} : { driver: machine.driver }),
    ...(machine.unmended === undefined ? {} : { unmended: machine.unmended }),
    ledger: options.ledger ?? false,
    devices: allOps(program).some((op) => 'dev' in op && op.dev >= 2) ? 4 : 2,
    keepsFiles: allOps(program).some(({ op }) => op === 'file_read' || op === 'file_write'),
  };
}

/** Buffers and pages must lie in the machine's address space. */
export function checkPlaces(program: Pick<Program, 'name' | 'ops'>, system: System): void {
  const { geometry } = system.kernel;
  program.ops.forEach((op, opIndex) => {
    const place = { program: program.name, opIndex, op: op.op };
    const check = (buf: number, page: number, pages: number, names: [string, string]): void => {
      if (buf >= geometry.buffers) {
        const expected = `below ${geometry.buffers} on this machine`;
        throw new ProgramError({ ...place, field: names[0] }, expected, buf);
      }
      if (page + pages > geometry.bufferPages) {
        const expected = `a range within the buffer's ${geometry.bufferPages} pages on this machine`;
        throw new ProgramError({ ...place, field: names[1] }, expected, page + pages);
      }
    };
    if ('buf' in op) check(op.buf, op.page, 'pages' in op ? op.pages : 1, ['buf', 'page']);
    if ('toBuf' in op) check(op.toBuf, op.toPage, op.pages, ['toBuf', 'toPage']);
  });
}

/**
 * Runs a program, one operation after the other. One that `parseProgram` did not make is read first.
 * @throws ProgramError for a mistake in the program
 * @throws RangeError for an option that there is not
 */
export function runProgram(program: Program, options: RunOptions = {}): RunOutcome {
  program = parsed(program);
  const system = new System(systemOptions(program, options));
  const { kernel } = system;
  const results: Result[] = [];
  const findings: RunFinding[] = [];
  const run = options.stepping ? runStepping : runToEnd;
  for (const [index, op] of program.ops.entries()) {
    let stopped = false;
    boundLoops(kernel);
    try {
      const result = run(kernel, perform(system, op));
      results.push(result);
      options.onResult?.(result, op, index, system);
    } catch (error) {
      if (error instanceof OutOfRam) {
        const place = { program: program.name, opIndex: index, op: op.op };
        throw new ProgramError(place, 'memory', 'none', { problem: error.message });
      }
      if (!(error instanceof KernelBug)) throw error;
      stopped = true;
    }
    for (const { title, stack } of kernel.findings.splice(0)) {
      findings.push({ title, op: index, stack });
    }
    if (stopped) break;
  }
  return { results, counters: kernel.counters.snapshot(), findings, system };
}
