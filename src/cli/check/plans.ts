/** What `softleaf check` is asked for: options, and the searches that they mean. */
import { availableParallelism } from 'node:os';
import {
  BEYOND,
  type ConcurrentProgram,
  DEFAULT_PLAN,
  type Plan,
  type Subject,
  type Walk,
} from '../../checker/index.ts';
import {
  allPairs,
  type Pair,
  pairName,
  pairOpNamed,
  pairWalks,
  quickPairs,
  stateNamed,
  stockPairs,
} from '../../checker/light.ts';
import { didYouMean, slowGeometry } from '../../program/format.ts';
import { UsageError } from '../terminal.ts';
import { withUnmended } from '../unmended.ts';
import { filesOfArguments, isModule, loadProgram, RECORDED, shippedScenarios } from './files.ts';
import type { CheckCommandOptions } from './options.ts';
import { type Pool, unlessMistaken } from './pool.ts';
import type { CheckJob } from './work.ts';

/** A search of a suite. */
interface SuiteSearch {
  /** What differs from the plan that the options ask for. */
  plan: (base: Plan) => Partial<Plan>;
  /** Schedules at most where no time is given. */
  schedules: number;
  /** Schedules at most where a time is given; none: until its share of the time is over. */
  timed?: number;
  /** Its share of a scenario's time, among the others' shares. */
  share: number;
}

/** What turns show takes few schedules, and what never ends takes long. */
const TURNS: SuiteSearch = {
  plan: () => ({ strategy: 'turns' }),
  schedules: 50,
  timed: 2500,
  share: 1,
};

/**
 * The searches of a scenario where the options do not say how to search, in their order: first here and there
 * at random, then what few preemptions can do, then one corner after the other.
 */
const SUITE: readonly SuiteSearch[] = [
  { plan: () => ({ strategy: 'pct' }), schedules: 200, timed: 10_000, share: 2 },
  { ...TURNS, schedules: 200 },
  { plan: () => ({ preemptions: 2 }), schedules: 1000, share: 2 },
  { plan: () => ({}), schedules: DEFAULT_PLAN.schedules, share: 5 },
];

/** The quick suite, of what ships: many scenarios, and a little of everything. */
const QUICK_SUITE: readonly SuiteSearch[] = [
  {
    plan: ({ faults }) => ({ strategy: 'pct', faults: Math.max(1, faults) }),
    schedules: 150,
    timed: 10_000,
    share: 2,
  },
  {
    plan: () => ({ strategy: 'pct', hardware: true }),
    schedules: 50,
    timed: 5000,
    share: 1,
  },
  TURNS,
  { plan: () => ({ preemptions: 2 }), schedules: 150, share: 2 },
  { plan: () => ({}), schedules: 400, share: 4 },
];

/** Of programs whose results are recorded: there is one order. */
const ONCE: readonly SuiteSearch[] = [{ plan: () => ({}), schedules: 1, share: 1 }];

/** The searches of a generated pair: two short operations, and many of them. */
const PAIRS: readonly SuiteSearch[] = [
  { plan: () => ({ strategy: 'pct' }), schedules: 100, timed: 10_000, share: 2 },
  {
    plan: ({ faults }) => ({ strategy: 'pct', faults: Math.max(1, faults) }),
    schedules: 50,
    timed: 5000,
    share: 1,
  },
  { plan: () => ({ preemptions: 2 }), schedules: 300, share: 4 },
];

/** Those of them that the quick suite has. */
const QUICK_PAIRS: readonly SuiteSearch[] = [
  { plan: () => ({ strategy: 'pct' }), schedules: 30, timed: 10_000, share: 1 },
  {
    plan: ({ faults }) => ({ strategy: 'pct', faults: Math.max(1, faults) }),
    schedules: 10,
    timed: 5000,
    share: 1,
  },
  { plan: () => ({ preemptions: 1 }), schedules: 120, share: 2 },
];

/** What the quick suite has of them with the guards of stock alone: few, as the mended driver has had the rest. */
const STOCK_PAIRS: readonly SuiteSearch[] = [
  { plan: () => ({ strategy: 'pct' }), schedules: 20, timed: 10_000, share: 1 },
];

/**
 * The searches for outcomes: those with few preemptions first, whose schedules are the shortest. Whoever asks for
 * outcomes says what may fail in them, and what the hardware does.
 */
const FEW: readonly SuiteSearch[] = [1, 2].map((preemptions) => ({
  plan: () => ({ preemptions }),
  schedules: 2000,
  timed: 10_000,
  share: 1,
}));
const isAsAsked = ({ plan }: SuiteSearch): boolean => {
  const { faults, hardware } = plan(DEFAULT_PLAN);
  return faults === undefined && hardware === undefined;
};

/** What is searched, and how where the options do not say. */
interface Asked {
  readonly file: string;
  readonly walks?: readonly Walk[];
  readonly suite: readonly SuiteSearch[];
}

const isOption = (given: CheckCommandOptions['pairs']): given is string[] => Array.isArray(given);

/**
 * The generated programs that are asked for.
 * @throws UsageError for an operation or a state that there is not
 */
function askedPairs({ pairs, states = [] }: CheckCommandOptions): Asked[] {
  if (pairs === undefined) {
    if (states.length > 0) throw new UsageError('--states: expected --pairs as well');
    return [];
  }
  const choice = named(() => ({
    ops: isOption(pairs) ? pairs.map(pairOpNamed) : [],
    states: states.map(stateNamed),
  }));
  return allPairs(choice).map((pair) => ({
    file: pairName(pair),
    walks: pairWalks(pair),
    suite: PAIRS,
  }));
}

function named<T>(of: () => T): T {
  try {
    return of();
  } catch (error) {
    if (error instanceof RangeError) throw new UsageError(`--pairs: ${error.message}`);
    throw error;
  }
}

/** The pairs of the quick suite, each on one walk, those that hang on it on either in turn. */
function shippedPairs(): Asked[] {
  const asked = (pairs: readonly Pair[], suite: readonly SuiteSearch[]): Asked[] =>
    pairs.map((pair, i) => {
      const walks = pairWalks(pair);
      return { file: pairName(pair), walks: [walks[i % walks.length]], suite };
    });
  return [...asked(quickPairs(), QUICK_PAIRS), ...asked(stockPairs(), STOCK_PAIRS)];
}

/** Everything that is asked for, in its order. */
export function askedOf(files: readonly string[], options: CheckCommandOptions): Asked[] {
  const pairs = askedPairs(options);
  const quick = files.length === 0 && options.pairs === undefined;
  const suite = suiteOf(quick, options);
  const given = quick ? shippedScenarios() : filesOfArguments(files);
  return [
    ...(quick && !options.outcomes ? [{ file: RECORDED, walks: QUICK_WALKS, suite: ONCE }] : []),
    ...given.map((file) => ({ file, suite, ...(quick ? { walks: QUICK_WALKS } : {}) })),
    ...pairs,
    ...(quick && !options.outcomes ? shippedPairs() : []),
  ];
}

function suiteOf(quick: boolean, { outcomes }: CheckCommandOptions): readonly SuiteSearch[] {
  if (!outcomes) return quick ? QUICK_SUITE : SUITE;
  return quick ? QUICK_SUITE.filter(isAsAsked) : [...FEW, ...SUITE];
}
const QUICK_WALKS: readonly Walk[] = ['unified', 'collect'];

/** How to search where the options leave nothing to a suite. */
export function planOf(options: CheckCommandOptions): Plan {
  return {
    ...DEFAULT_PLAN,
    ...(options.strategy === undefined ? {} : { strategy: options.strategy }),
    ...(options.seed === undefined ? {} : { seed: options.seed }),
    ...(options.schedules === undefined ? {} : { schedules: options.schedules }),
    ...(options.preemptions === undefined ? {} : { preemptions: options.preemptions }),
    ...(options.faults === undefined ? {} : { faults: options.faults }),
    ...(options.breaks === undefined ? {} : { breaks: options.breaks }),
    // those that do not count come on top
    findings: (options.findings ?? DEFAULT_PLAN.findings) + (options.ignore?.length ?? 0),
    // whoever says how many schedules there may be wants them
    ...(options.schedules === undefined ? { beyond: BEYOND } : {}),
    ...(options.beyond === undefined ? {} : { beyond: options.beyond }),
    ...(options.hardware ? { hardware: true } : {}),
    ...(options.outcomes ? { outcomes: true } : {}),
    ...(options.fields === false ? { fields: false } : {}),
  };
}

/** The plans of a scenario's searches, in their order. */
function plansOf(suite: readonly SuiteSearch[], options: CheckCommandOptions): SharedPlan[] {
  const base = planOf(options);
  const { strategy, schedules, preemptions, time } = options;
  // whoever says how to search asks for one search
  const own = [strategy, schedules, preemptions].some((option) => option !== undefined);
  if (own) return [{ plan: base, share: 1 }];
  return suite.map(({ plan, schedules: untimed, timed = Number.MAX_SAFE_INTEGER, share }) => ({
    plan: { ...base, ...plan(base), schedules: time === undefined ? untimed : timed },
    share,
  }));
}

/** How a plain check searches a scenario, in this order. */
export function plainPlans(): Plan[] {
  return plansOf(SUITE, {}).map(({ plan }) => plan);
}

/** A plan, and what share of a scenario's time it gets. */
interface SharedPlan {
  plan: Plan;
  share: number;
}

/** The walk that a subject is checked with where none is asked for. */
export function ownWalk(subject: Subject): Walk {
  return ('program' in subject ? subject.program.machine?.walk : undefined) ?? 'unified';
}

/** What a file has to check: the names, and where it is a program that. */
interface ToCheck {
  file: string;
  name: string;
  program?: ConcurrentProgram;
}

/**
 * The scenarios of a module that can be checked. It is loaded by a thread of the pool, and each of its scenarios is
 * set up once.
 */
async function ofModule(
  file: string,
  pool: Pool,
  mistaken: (message: string) => void,
  isAsked: (name: string) => boolean,
): Promise<ToCheck[]> {
  const attempt = <T>(work: Promise<T | null>) => unlessMistaken(work, mistaken);
  const listed = (await attempt(pool.do('list', { file }))) ?? [];
  const tried = listed.map(async (one) => {
    if ('name' in one && !isAsked(one.name)) return [];
    if ('name' in one)
      return (await attempt(pool.do('try', { file, ...one }))) ? [{ file, ...one }] : [];
    mistaken(one.mistake);
    return [];
  });
  return (await Promise.all(tried)).flat();
}

/** @throws UsageError where mends are to be off in a module, which makes its own machine */
export function refuseModules(
  files: readonly string[],
  { unmended }: Pick<CheckCommandOptions, 'unmended'>,
): void {
  const module = unmended && files.find(isModule);
  if (!module) return;
  throw new UsageError(
    `--unmended: ${module} makes its own machine: it says so itself, new Kernel({ unmended: [...] })`,
  );
}

/** What a job of a program has beside where it is, where mends are off in it. */
export function unmendedJob(
  program: ConcurrentProgram,
  { unmended }: Pick<CheckCommandOptions, 'unmended'>,
): Pick<CheckJob, 'program' | 'unmended'> {
  return unmended ? { unmended, program: withUnmended(program, unmended) } : {};
}

/**
 * The searches that are asked for.
 * @param advise is told what makes them slow
 * @param mistaken is told what is wrong with a module: it is left out
 */
export async function jobsOf(
  files: readonly string[],
  options: CheckCommandOptions,
  pool: Pool,
  { advise, mistaken }: { advise: (advice: string) => void; mistaken: (message: string) => void },
): Promise<CheckJob[]> {
  const jobs: CheckJob[] = [];
  const slow: string[] = [];
  const shares: number[] = [];
  const { only } = options;
  const names: string[] = [];
  const isAsked = (name: string): boolean => {
    names.push(name);
    return only === undefined || name === only;
  };
  let wrong = false;
  const isWrong = (message: string): void => {
    wrong = true;
    mistaken(message);
  };
  refuseModules(files, options);
  const lists = askedOf(files, options).map(async ({ file, walks, suite }) => {
    const of = (all: readonly ToCheck[]) => all.map((one) => ({ ...one, walks, suite }));
    if (isModule(file)) return of(await ofModule(file, pool, isWrong, isAsked));
    const program = loadProgram(file);
    return of(isAsked(program.name) ? [{ file, name: program.name, program }] : []);
  });
  for (const { file, name, program, walks, suite } of (await Promise.all(lists)).flat()) {
    const advice = program ? slowGeometry(program) : null;
    if (advice !== null) slow.push(`${file}: ${advice}`);
    // nobody can read standard input a second time
    const read = file === '-' && program ? { program } : {};
    const given = program ? { ...read, ...unmendedJob(program, options) } : {};
    const own = walks ?? [program?.machine?.walk ?? 'unified'];
    for (const walk of options.walk ? [options.walk] : own) {
      for (const { plan, share } of plansOf(suite, options)) {
        jobs.push({ file, name, walk, plan, ...given });
        shares.push(share);
      }
    }
  }
  if (only !== undefined && jobs.length === 0 && !wrong) {
    throw new UsageError(`--only: no scenario is called "${only}"${didYouMean(only, names)}`);
  }
  if (slow.length > 0) advise(slow.length === 1 ? slow[0] : `${slow[0]} (${slow.length} programs)`);
  if (options.time === undefined) return jobs;
  // what a search may take is a part of what the whole run may
  const all = options.time * 1000 * workersOf(options);
  const sum = shares.reduce((total, share) => total + share, 0);
  return jobs.map((job, i) => ({ ...job, plan: { ...job.plan, time: (all * shares[i]) / sum } }));
}

/** Threads. */
export function workersOf({ workers }: CheckCommandOptions): number {
  return workers ?? Math.min(availableParallelism(), 8);
}
