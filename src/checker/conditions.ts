/** Conditions over all schedules of a program: `exists`, `forall`, `never`, and what came of them. */
import {
  CONDITION_FIELDS,
  type ConcurrentProgram,
  type Condition,
  expectedWords,
  meets,
  operationNamed,
  type Result,
} from '../program/index.ts';

/** Over which schedules a condition is to hold. */
export type Quantifier = (typeof CONDITION_FIELDS)[number];

/** A condition as it is told: what holds, in words, in some, every or no schedule. */
export interface ConditionWords {
  readonly quantifier: Quantifier;
  readonly words: string;
}

/** At the end of how many schedules a condition held, and did not. */
export type ConditionCount = [held: number, not: number];

/** As litmus says it: did it hold in all, some or none of the schedules that were tried? */
export type Observation = 'Always' | 'Sometimes' | 'Never';

/** What litmus would say of these counts. */
export function observationOf([held, not]: ConditionCount): Observation {
  if (held === 0) return 'Never';
  return not === 0 ? 'Always' : 'Sometimes';
}

/** Counts of the same conditions, added up. */
export function addConditions(
  a: readonly ConditionCount[],
  b: readonly ConditionCount[],
): ConditionCount[] {
  const most = Math.max(a.length, b.length);
  return Array.from({ length: most }, (_, i) => {
    const [held, not] = a[i] ?? [0, 0];
    const [more, others] = b[i] ?? [0, 0];
    return [held + more, not + others];
  });
}

/**
 * What a condition has come to: `ok`, `no`, or `open`: an `exists` that was not seen may be in what was not tried,
 * and so may what breaks the others.
 * @param complete whether every schedule was tried
 */
export function standingOf(
  { quantifier }: ConditionWords,
  count: ConditionCount,
  complete: boolean,
): 'ok' | 'no' | 'open' {
  const [held, not] = count;
  if (quantifier === 'exists') return held > 0 ? 'ok' : complete ? 'no' : 'open';
  const broken = quantifier === 'forall' ? not : held;
  return broken > 0 ? 'no' : complete ? 'ok' : 'open';
}

/** The conditions of a program, in the order of the format. */
export class ProgramConditions {
  readonly words: readonly ConditionWords[];
  private readonly conditions: readonly (readonly [Quantifier, Condition])[];

  constructor(program: ConcurrentProgram) {
    this.conditions = CONDITION_FIELDS.flatMap((quantifier) => {
      const given = program[quantifier] ?? [];
      return (Array.isArray(given) ? given : [given]).map((one) => [quantifier, one] as const);
    });
    this.words = this.conditions.map(([quantifier, condition]) => ({
      quantifier,
      words: Object.entries(condition)
        .map(([name, expected]) => `${name} ${expectedWords(expected)}`)
        .join(', '),
    }));
  }

  /** Which of them hold. */
  hold(results: Readonly<Record<string, readonly Result[]>>, after: readonly Result[]): boolean[] {
    return this.conditions.map(([, condition]) =>
      Object.entries(condition).every(([name, expected]) => {
        const { list, index } = operationNamed(name) ?? { list: '', index: 0 };
        const result = list === 'after' ? after[index] : results[list]?.[index];
        return result !== undefined && meets(expected, result);
      }),
    );
  }
}

/** What is wrong with a schedule at whose end these hold; null: nothing. */
export function brokenCondition(
  conditions: readonly ConditionWords[],
  held: readonly boolean[],
): string | null {
  const at = conditions.findIndex(
    ({ quantifier }, i) =>
      (quantifier === 'never' && held[i]) || (quantifier === 'forall' && !held[i]),
  );
  if (at < 0) return null;
  const { quantifier, words } = conditions[at];
  return quantifier === 'never'
    ? `what must never be: ${words}`
    : `not what must always be: ${words}`;
}
