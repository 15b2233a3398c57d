/** Running single operations on a system, for tests of one thing. */
import { type Counters, runToEnd } from '../../src/machine/index.ts';
import type { Op, Result } from '../../src/program/index.ts';
import { System, type SystemOptions } from '../../src/program/index.ts';
import { perform } from '../../src/program/operations.ts';
import { brokenAfter, brokenAfterShutdown } from './check.ts';

type Loose<T> = T extends { proc: number } ? Omit<T, 'proc'> & { proc?: number } : never;
/** An operation; of process 0 unless it says. */
export type LooseOp = Loose<Op>;

export class Bench {
  readonly system: System;

  constructor(options: SystemOptions = {}) {
    this.system = new System({ ledger: true, ...options });
  }

  get k() {
    return this.system.kernel;
  }

  /** The page number of page `page` of buffer `buf`. */
  vpn(buf: number, page = 0): number {
    return this.k.geometry.vpnOf(buf, page);
  }

  do(op: LooseOp): Result {
    return runToEnd(this.k, perform(this.system, { proc: 0, ...op } as Op));
  }

  /** Does each; every one must succeed. */
  all(...ops: LooseOp[]): void {
    for (const op of ops) {
      const result = this.do(op);
      if (result.ret !== 'ok') throw new Error(`${JSON.stringify(op)}: ${result.ret}`);
    }
  }

  /** What an operation adds to the counters. */
  counting(op: LooseOp): { result: Result; counted: Record<keyof Counters, number> } {
    const before = this.k.counters.snapshot();
    const result = this.do(op);
    const after = this.k.counters.snapshot();
    const counted = Object.fromEntries(
      Object.entries(after).map(([name, value]) => [name, value - before[name]]),
    ) as Record<keyof Counters, number>;
    return { result, counted };
  }

  /** Findings and broken invariants now. */
  broken(): string[] {
    const findings = this.k.findings.splice(0).map((finding) => ({ ...finding, op: -1 }));
    return brokenAfter({ results: [], counters: {}, findings, system: this.system });
  }

  /** Findings and broken invariants now and after a shutdown. */
  end(): string[] {
    const now = this.broken();
    const outcome = { results: [], counters: {}, findings: [], system: this.system };
    return [...now, ...brokenAfterShutdown(outcome)];
  }
}
