/** The check that is under way, or was last: what it was asked to do, and what came of it. */
import {
  DEFAULT_PLAN,
  type Found,
  isConcurrent,
  type JobResult,
  type OutcomeOf,
  type OutcomeTable,
  outcomeTable,
  type PartResult,
  type Plan,
  type ReportedFinding,
  Search,
  type ToldOutcome,
  triedEverything,
  type Walk,
} from '../../../src/checker/index.ts';
import { isScenario, operationsOf, type Recordable } from '../../../src/recording/index.ts';
import { say } from '../copy.ts';
import type { Entry } from '../gallery.ts';
import { owned } from '../owned.ts';
import { show } from '../store/showing.ts';
import { checking, name, recording, setBusy, setChecking, text, walk } from '../store/state.ts';
import type { Source } from './check.worker.ts';
import { Pool } from './check-pool.ts';
import { type Asked, askedOf, coverageOf, isProof, verdictOf } from './check-words.ts';

/** What one chooses. */
export interface Choices extends Omit<Plan, 'time' | 'part'> {
  readonly walk: Walk;
}

const FIRST: Choices = { ...DEFAULT_PLAN, walk: 'unified', schedules: 5000 };
/** As chosen last; null: nothing was, and what is shown says what fits. */
const [chosen, setChosen] = owned<Choices | null>(null);

export function choices(): Choices {
  return { ...(chosen.value ?? FIRST), walk: walk.value };
}

export function choose(some: Partial<Choices>): void {
  setChosen({ ...choices(), ...some });
}

/** Something that breaks: at first only its name is known, until it was made short. */
export interface Listed {
  readonly title: string;
  readonly invariant: string;
  readonly finding: ReportedFinding | null;
}

/** An outcome, and its shortest schedule. */
export type ListedOutcome = OutcomeOf & Omit<ToldOutcome, 'outcome'>;

/** What schedules came to. */
export interface Outcomes {
  readonly table: OutcomeTable<ListedOutcome>;
  /** Whether there are no others. */
  readonly complete: boolean;
  /** Schedules that broke something before they came to their end. */
  readonly broken: number;
}

/** What is checked. */
interface Checked {
  readonly program: Recordable;
  readonly source: string;
  /** In the gallery; empty: one's own. */
  readonly name: string;
}

/** A check. */
export interface Check {
  readonly of: Checked;
  readonly walk: Walk;
  readonly plan: Plan;
  readonly state: 'searching' | 'shortening' | 'ended';
  readonly schedules: number;
  readonly steps: number;
  readonly listed: readonly Listed[];
  readonly verdict: string;
  /** Whether the verdict is that nothing breaks, and not that nothing was found. */
  readonly proved: boolean;
  readonly coverage: string;
  /** What the program asks of all schedules, and what came of it. */
  readonly asked: readonly Asked[];
  /** What schedules came to, where that was asked for. */
  readonly outcomes: Outcomes | null;
  /** Why there is no result; empty: there is one, or there will be. */
  readonly error: string;
}

const [check, setCheck] = owned<Check | null>(null);

export { check };

/** Milliseconds that a thread does one thing at most: so soon it is seen and can be stopped. */
const SLICE = 250;
const threads = (): number => Math.max(1, Math.min(4, navigator.hardwareConcurrency || 1));

/** What stops the check that is under way. */
let stopIt: (() => void) | null = null;
/** Counts checks: what comes of one that is given up is of no interest. */
let current = 0;

export function stop(): void {
  stopIt?.();
}

let endIt: (() => void) | null = null;

/** Gives up what is under way. */
function abandon(): void {
  current++;
  endIt?.();
  endIt = null;
  stopIt = null;
  setBusy(false);
}

/** Where a thread finds what is to be checked. */
function sourceOf({ program, source }: Checked, entry: Entry | null): Source {
  return isScenario(program) ? { module: entry?.module ?? '' } : { text: source };
}

/**
 * Checks something, and tells of it in `check` while it does.
 * @param known titles of findings that are of no interest
 */
async function search(
  of: Checked,
  source: Source,
  by: Walk,
  plan: Plan,
  known: readonly string[] = [],
): Promise<void> {
  abandon();
  const mine = current;
  const tell = (some: Partial<Check>): void => {
    if (mine === current && check.value) setCheck({ ...check.value, ...some });
  };
  setCheck({
    of,
    walk: by,
    plan,
    state: 'searching',
    schedules: 0,
    steps: 0,
    listed: [],
    verdict: '',
    proved: false,
    coverage: '',
    asked: [],
    outcomes: null,
    error: '',
  });
  setBusy(true);
  const pool = new Pool(threads(), { source, walk: by, plan });
  let stopped = false;
  stopIt = () => {
    stopped = true;
    pool.drop();
  };
  endIt = () => pool.end();
  let [schedules, steps] = [0, 0];
  const count = (result: PartResult | null): PartResult | null => {
    schedules += result?.schedules ?? 0;
    steps += result?.steps ?? 0;
    tell({ schedules, steps });
    return result;
  };
  const findings: ReportedFinding[] = [];
  const listed: Listed[] = [];
  const list = async (found: Found): Promise<void> => {
    const { title, finding } = found;
    const at = listed.push({ title, invariant: finding.invariant, finding: null }) - 1;
    tell({ listed: [...listed] });
    const reported = await pool.report(found);
    if (!reported) return;
    findings.push(reported);
    listed[at] = { ...listed[at], finding: reported };
    tell({ listed: [...listed] });
  };
  try {
    const all = new Search(plan, undefined, known);
    const reports: Promise<void>[] = [];
    for (let parts = all.next(); parts.length > 0 && !stopped; parts = all.next()) {
      const results = await Promise.all(
        parts.map(async (part) => {
          const time = Math.min(part.time ?? SLICE, SLICE);
          return count(await pool.part({ ...part, time }));
        }),
      );
      all.ended(results);
      for (const found of all.found.slice(reports.length)) reports.push(list(found));
    }
    tell({ state: 'shortening' });
    await Promise.all(reports);
    const result = all.result(of.program.name, by, findings);
    const outcomes = plan.outcomes ? await outcomesOf(of, plan, result, pool) : null;
    const verdict = verdictOf(result, plan, stopped);
    tell({
      state: 'ended',
      verdict,
      proved: isProof(result, plan),
      coverage: coverageOf(result),
      asked: askedOf(result, plan),
      outcomes,
    });
    if (mine === current && !checking.value) say(`The check has ended. ${verdict}`);
  } catch (error) {
    tell({ state: 'ended', error: error instanceof Error ? error.message : String(error) });
  } finally {
    if (mine === current) abandon();
    else pool.end();
  }
}

/** What schedules came to, with short schedules. */
async function outcomesOf(
  { program }: Checked,
  plan: Plan,
  result: JobResult,
  pool: Pool,
): Promise<Outcomes> {
  const told = (await pool.shorten(result.table)) ?? [];
  const outcomes = told.map(
    ({ outcome, ...how }): ListedOutcome => ({
      ...(JSON.parse(outcome) as OutcomeOf),
      ...how,
    }),
  );
  const operations = { ...operationsOf(program) };
  const concurrent = isScenario(program) || !isConcurrent(program) ? null : program;
  return {
    table: outcomeTable(outcomes, { after: concurrent?.after ?? [], tasks: operations }),
    complete: triedEverything(result, plan) && !result.overflow,
    broken: result.broken,
  };
}

/** Checks what is shown, as chosen. */
export async function start(entry: Entry | null): Promise<void> {
  const shown = recording.value;
  if (!shown) return;
  const { walk: by, ...plan } = choices();
  const of = { program: shown.program, source: text.value, name: name.value };
  await search(of, sourceOf(of, entry), by, plan);
}

/** Checks a mistake of the posted patch, and shows the first schedule in which it breaks something. */
export async function checkMistake(entry: Entry): Promise<void> {
  const shown = recording.value;
  const { plan, known, walk: by = walk.value } = entry;
  if (!shown || !plan) return;
  choose({ ...plan, findings: DEFAULT_PLAN.findings });
  setChecking(true);
  const of = { program: shown.program, source: text.value, name: entry.name };
  await search(of, sourceOf(of, entry), by, plan, known);
  const first = check.value?.listed[0]?.finding;
  // somebody may have gone on to something else meanwhile
  if (first && checking.value && name.value === entry.name && check.value?.of === of) {
    await open(first);
  }
}

/** Shows the shortest schedule of an outcome, at its end. */
export async function openOutcome({ schedule }: ListedOutcome): Promise<void> {
  const now = check.value;
  if (now) await open({ walk: now.walk, hardware: now.plan.hardware === true, schedule });
}

/** Shows a finding: its schedule, at the step where it breaks. */
export async function open(
  finding: Pick<ReportedFinding, 'walk' | 'hardware' | 'schedule'>,
): Promise<void> {
  const of = check.value?.of;
  if (!of) return;
  const { walk: by, hardware = false, schedule } = finding;
  setChecking(false);
  await show(of.program, of.source, {
    name: of.name,
    walk: by,
    hardware,
    schedule,
    step: 'end',
  });
}
