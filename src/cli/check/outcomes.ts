/** The outcomes that `softleaf check --outcomes` tells: of each scenario on each walk, as JSON and as a table. */
import {
  type ConcurrentProgram,
  HOLDS_MEANING,
  joinOutcomes,
  MOST_OUTCOMES,
  type OutcomeOf,
  type OutcomeSeen,
  type OutcomeTable,
  outcomeTable,
  type ToldOutcome,
} from '../../checker/index.ts';

import { counted } from '../words.ts';
import {
  boundsOf,
  countedSearches,
  type FinishedSearch,
  isWhole,
  mostOf,
  type SummaryOptions,
} from './summary.ts';
import type { CheckJob } from './work.ts';

/** What a scenario came to on a walk. */
export interface CaseOutcomes {
  job: CheckJob;
  /** Whether these are all: every schedule was tried. */
  complete: boolean;
  /** What bounded it, where they may not be all. */
  bounds: string[];
  /** Schedules that were tried; and those of them that broke something before they came to an end. */
  schedules: number;
  broken: number;
  outcomes: (OutcomeOf & Omit<ToldOutcome, 'outcome'>)[];
}

/**
 * The outcomes of each scenario on each walk.
 * @param shorten makes schedules short; null: it was given up
 */
export async function outcomesOf(
  done: readonly FinishedSearch[],
  shorten: (job: CheckJob, seen: readonly OutcomeSeen[]) => Promise<ToldOutcome[] | null>,
  options: SummaryOptions = {},
): Promise<CaseOutcomes[]> {
  const tableOf = async (searches: FinishedSearch[]): Promise<CaseOutcomes> => {
    const [{ job }] = searches;
    const { table, overflow } = joinOutcomes(searches.map(({ result }) => result));
    const tried = isWhole(searches[0]);
    const told = await shorten(job, table);
    const sum = (of: 'schedules' | 'broken'): number =>
      searches.reduce((total, { result }) => total + result[of], 0);
    return {
      job,
      complete: tried && !overflow,
      bounds: [
        ...(tried ? [] : boundsOf(mostOf(searches), options)),
        ...(overflow ? [`the first ${MOST_OUTCOMES} outcomes`] : []),
      ],
      schedules: sum('schedules'),
      broken: sum('broken'),
      outcomes: (told ?? []).map(({ outcome, ...how }) => ({
        ...(JSON.parse(outcome) as OutcomeOf),
        ...how,
      })),
    };
  };
  return Promise.all(countedSearches(done).map(tableOf));
}

/** What `--json` prints. */
export function outcomesJson({ job, ...table }: CaseOutcomes): object {
  const { name: scenario, walk } = job;
  return { scenario, walk, ...table };
}

// ---- the table ----

/** Outcomes that are shown unless all are asked for. */
const SHOWN = 20;

function headOf({ job, complete, bounds, schedules, broken, outcomes }: CaseOutcomes): string[] {
  const whether = complete
    ? 'complete: every schedule was tried'
    : `not complete: bounded by ${bounds.join(', ')}`;
  const rest = broken === 0 ? '' : `, ${broken} of them broke something and came to none`;
  return [
    `${counted(outcomes.length, 'outcome')} of ${job.name}, walk ${job.walk}`,
    `  ${whether} (${counted(schedules, 'schedule')}${rest})`,
  ];
}

type Row = OutcomeTable<CaseOutcomes['outcomes'][number]>['rows'][number];

/** Rows beside each other; null where they are wider than a line. */
function beside(heads: readonly string[], rows: readonly Row[], width: number): string[] | null {
  const all = [
    ['schedules', ...heads, 'shortest'],
    ...rows.map(({ cells, of }) => [String(of.schedules), ...cells, of.schedule]),
  ];
  const widths = all[0].map((_, i) => Math.max(...all.map((row) => row[i].length)));
  if (widths.reduce((sum, one) => sum + one + 2, 0) > width) return null;
  return all.map(([schedules, ...cells]) => {
    const padded = cells.map((cell, i) => cell.padEnd(widths[i + 1]));
    return `  ${[schedules.padStart(widths[0]), ...padded].join('  ').trimEnd()}`;
  });
}

/** Rows one under the other, a line for each operation. */
function below(heads: readonly string[], rows: readonly Row[]): string[] {
  const widest = Math.max(0, ...heads.map(({ length }) => length));
  return rows.flatMap(({ cells, of }) => [
    `  ${counted(of.schedules, 'schedule')}, the shortest: ${of.schedule}`,
    ...cells.map((cell, i) => `    ${heads[i].padEnd(widest)}  ${cell}`),
  ]);
}

/**
 * The outcomes as text: what is always the same once, then a row for each.
 * @param width characters of a line
 * @param one it is the outcome of one schedule
 */
export function outcomesText(
  told: CaseOutcomes,
  program: ConcurrentProgram | null,
  { width, all, one }: { width: number; all: boolean; one: boolean },
): string {
  const { same, heads, rows, holds } = outcomeTable(told.outcomes, program);
  const widest = Math.max(0, ...same.map(([title]) => title.length));
  const word = one ? '' : 'always  ';
  const lines = [
    ...(one ? ['it comes to'] : headOf(told)),
    ...same.map(([title, words]) => `  ${word}${title.padEnd(widest)}  ${words}`),
  ];
  if (!one) {
    const shown = all ? rows : rows.slice(0, SHOWN);
    lines.push(...(beside(heads, shown, width) ?? below(heads, shown)));
    if (shown.length < rows.length) {
      lines.push(`  and ${counted(rows.length - shown.length, 'outcome')} more (--verbose: all)`);
    }
  }
  if (holds) lines.push(`  ${HOLDS_MEANING}`);
  return `${lines.join('\n')}\n`;
}
