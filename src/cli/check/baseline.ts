/** What is new since an earlier check, and what is gone. */
import { readText } from '../files.ts';
import { UsageError } from '../terminal.ts';
import type { CheckSummary } from './summary.ts';

/** A finding as `--json` has it: the same title in the same scenario is the same finding. */
interface Known {
  scenario: string;
  title: string;
}

export interface Compared {
  new: Known[];
  known: Known[];
  /** Of scenarios that are checked now, too. */
  gone: Known[];
}

const keyOf = ({ scenario, title }: Known): string => JSON.stringify([scenario, title]);
const isKnown = (value: unknown): value is Known => {
  const { scenario, title } = (value ?? {}) as Partial<Known>;
  return typeof scenario === 'string' && typeof title === 'string';
};

/** @throws UsageError where the file is not what `softleaf check --json` printed */
export function readBaseline(file: string): Known[] {
  let findings: unknown;
  try {
    findings = (JSON.parse(readText(file)) as { findings?: unknown } | null)?.findings;
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`--baseline ${file}: no JSON: ${(error as Error).message}`);
  }
  if (Array.isArray(findings) && findings.every(isKnown)) return findings;
  throw new UsageError(`--baseline ${file}: expected what softleaf check --json has printed`);
}

/** @param before the findings of the earlier check */
export function compared({ findings, cases }: CheckSummary, before: readonly Known[]): Compared {
  const now = findings.map(({ finding: { scenario, title } }) => ({ scenario, title }));
  const [old, here] = [before, now].map((list) => new Set(list.map(keyOf)));
  const checked = new Set(cases.map(({ name }) => name));
  return {
    new: now.filter((one) => !old.has(keyOf(one))),
    known: now.filter((one) => old.has(keyOf(one))),
    gone: before
      .filter((one) => checked.has(one.scenario) && !here.has(keyOf(one)))
      .map(({ scenario, title }) => ({ scenario, title })),
  };
}
