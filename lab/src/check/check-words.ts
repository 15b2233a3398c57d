/** What a check came to, in words that promise no more than it did. */
import {
  type JobResult,
  observationOf,
  type Plan,
  type ReportedFinding,
  type StrategyName,
  standingOf,
  summarizeCoverage,
  triedEverything,
} from '../../../src/checker/index.ts';

export const STRATEGY_WORDS: readonly [name: StrategyName, words: string, meaning: string][] = [
  [
    'exhaustive',
    'every order',
    'every order of steps that can make a difference is tried (partial-order reduction). When it gets to the end, nothing was left out.',
  ],
  [
    'pct',
    'few switches, at random',
    'tasks have random priorities, which change at a few random steps (PCT): finds most mistakes fast.',
  ],
  ['uniform', 'any order, at random', 'every order is about as likely as any other.'],
  ['random', 'any task, at random', 'at each step any task goes on that can (a random walk).'],
  [
    'turns',
    'turns that repeat, at random',
    'tasks take turns of so many steps in a pattern that repeats: shows what never ends.',
  ],
];

export function counted(n: number, thing: string, things = `${thing}s`): string {
  return `${n.toLocaleString('en')} ${n === 1 ? thing : things}`;
}

/** What was not tried, for a search of every order that came to its end. */
function within({ preemptions, faults, breaks, hardware }: Plan): string {
  const bounds = [];
  if (preemptions !== undefined) {
    bounds.push(`with at most ${counted(preemptions, 'preemption')} (more were not tried)`);
  }
  if (faults > 0) bounds.push(`with at most ${counted(faults, 'failing allocation')}`);
  if (breaks !== 1) bounds.push(`with at most ${counted(breaks, 'lock')} let go in the middle`);
  if (hardware) bounds.push('with up to four translations that come and go by themselves');
  return bounds.length === 0 ? '' : `, ${bounds.join(', ')}`;
}

/** A condition that the program asks of all its schedules, and what came of it. */
export interface Asked {
  readonly condition: string;
  readonly words: string;
  readonly standing: 'ok' | 'no' | 'open';
}

export function askedOf(result: JobResult, plan: Plan): Asked[] {
  const all = triedEverything(result, plan);
  return result.asked.map((one, i) => {
    const count = result.conditions[i] ?? [0, 0];
    const [held, not] = count;
    const standing = standingOf(one, count, all);
    const observed = { Always: 'in all', Sometimes: 'in some', Never: 'in none' }[
      observationOf(count)
    ];
    const open = standing === 'open' ? '; not every schedule was tried' : '';
    return {
      condition: `${one.quantifier} ${one.words}`,
      words: `it held ${observed}: in ${held.toLocaleString('en')} of ${counted(held + not, 'schedule')}${open}`,
      standing,
    };
  });
}

/** What no schedule comes to, though one should. */
const missing = (result: JobResult, plan: Plan): number =>
  askedOf(result, plan).filter(
    ({ standing }, i) => standing === 'no' && result.asked[i].quantifier === 'exists',
  ).length;

/** Whether nothing was found in every schedule that there is. */
export function isProof(result: JobResult, plan: Plan): boolean {
  return (
    triedEverything(result, plan) && result.findings.length === 0 && missing(result, plan) === 0
  );
}

/** The verdict: what was found, or how much it means that nothing was. */
export function verdictOf(result: JobResult, plan: Plan, stopped: boolean): string {
  const tried = counted(result.schedules, 'schedule');
  const { length } = result.findings;
  if (length > 0) {
    const things = length === 1 ? 'Something breaks' : `${length} things break`;
    const all = result.complete && plan.strategy === 'exhaustive';
    const more = all ? `There are no other orders${within(plan)}` : 'There may be more';
    return `${things}: found in ${tried}. ${more}.`;
  }
  const lacking = missing(result, plan);
  if (lacking > 0) {
    const what = lacking === 1 ? 'A condition is' : `${lacking} conditions are`;
    return `${what} not met: no schedule comes to what is to exist, and every schedule was tried: ${tried}.`;
  }
  if (isProof(result, plan)) {
    return `Proved: nothing breaks in any order of steps that can make a difference${within(plan)}: ${tried}.`;
  }
  const end = stopped ? `Stopped. Nothing found in ${tried}.` : `Nothing found in ${tried}.`;
  if (plan.strategy !== 'exhaustive') return `${end} They were taken at random: that is no proof.`;
  const others = result.complete ? `They are all${within(plan)}` : 'There are more orders';
  return `${end} ${others}: that is no proof.`;
}

/** What was come across. */
export function coverageOf(result: JobResult): string {
  const { pairs } = summarizeCoverage([result.coverage], []);
  const ends = counted(result.outcomes.length, 'different end');
  const both = `${pairs.bothOrders.toLocaleString('en')} of them in both orders`;
  return (
    `${counted(result.steps, 'step')}, ${ends}; ${counted(pairs.seen, 'pair')} of steps ` +
    `of two tasks on one object, ${both}.`
  );
}

/** How simple a finding is. */
export function findingWords({ preemptions, steps, length, report }: ReportedFinding): string {
  const several = report.several ? '; it takes several schedules to show it, this is the last' : '';
  const matter = counted(steps, 'step that matters', 'steps that matter');
  return `${counted(preemptions, 'preemption')}, ${matter} of ${length}${several}`;
}
