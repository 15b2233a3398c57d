/**
 * The checker measured: its speed, and against Spin with the same protocols modelled by hand. It runs what
 * is built for it (dist/), with the steps that are taken out of the modules beside this one.
 */
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { CheckResult, Scenario } from '../src/checker/index.ts';
import type { CheckJob } from '../src/cli/check/work.ts';
import { type Sample, summarize } from './measure.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const built = (path: string) => import(new URL(`../../dist/${path}`, import.meta.url).href);
const checker = (): Promise<typeof import('../src/checker/index.ts')> => built('checker/index.js');
const jobs = (): Promise<typeof import('../src/cli/check/jobs.ts')> => built('cli/check/jobs.js');
const pool = (): Promise<typeof import('../src/cli/check/pool.ts')> => built('cli/check/pool.js');

/** Nanoseconds that something takes. */
async function timed<T>(body: () => T | Promise<T>): Promise<{ time: number; value: T }> {
  const start = process.hrtime.bigint();
  const value = await body();
  return { time: Number(process.hrtime.bigint() - start), value };
}

// ---- speed ----

export interface CheckingEffort {
  /** Schedules of each search. */
  schedules: number;
  rounds: number;
  /** Rounds before that, not counted: the engine compiles what it runs for some seconds. */
  warmUp: number;
}

/**
 * The scenarios that ship, with both walks, by one worker thread and by two, in turns. The threads stay
 * from round to round.
 */
export async function checkingSpeed({ schedules, rounds, warmUp }: CheckingEffort) {
  const { DEFAULT_PLAN, parseConcurrentProgram } = await checker();
  const { doJobs } = await jobs();
  const { Pool } = await pool();
  const folder = join(root, 'scenarios');
  const files = readdirSync(folder).filter((name) => name.endsWith('.json'));
  const searches = files.sort().flatMap((name): CheckJob[] => {
    const file = join(folder, name);
    const program = parseConcurrentProgram(JSON.parse(readFileSync(file, 'utf8')));
    const plan = { ...DEFAULT_PLAN, schedules };
    const job = { file, name: program.name, plan };
    return [
      { ...job, walk: 'unified' },
      { ...job, walk: 'collect' },
    ];
  });
  const stop = new Int32Array(new SharedArrayBuffer(4));
  const pools = [new Pool(1, { stop }), new Pool(2, { stop })];
  const mistaken = (message: string): never => {
    throw new Error(message);
  };
  const times: [one: number[], two: number[]] = [[], []];
  const cpu: [one: number[], two: number[]] = [[], []];
  const faster: number[] = [];
  let steps = 0;
  try {
    for (let round = -warmUp; round < rounds; round++) {
      const took = [0, 0];
      for (const at of round & 1 ? [1, 0] : [0, 1]) {
        const threads = pools[at];
        const before = process.cpuUsage();
        const { time, value } = await timed(() => doJobs(searches, threads, { stop, mistaken }));
        const results = value.filter((result) => result !== null);
        if (results.some(({ findings }) => findings.length > 0)) throw new Error('a finding');
        steps = results.reduce((sum, result) => sum + result.steps, 0);
        const { user, system } = process.cpuUsage(before);
        took[at] = time;
        if (round < 0) continue;
        times[at].push(time);
        cpu[at].push((user + system) * 1000);
      }
      if (round >= 0) faster.push(took[0] / took[1]);
    }
  } finally {
    for (const threads of pools) await threads.end();
  }
  return {
    scenarios: files.length,
    searches: searches.length,
    schedules,
    steps,
    rounds,
    processors: availableParallelism(),
    'one worker': summarize(times[0]),
    'two workers': summarize(times[1]),
    // what the machine does beside does not count in it
    'one worker, processor time': summarize(cpu[0]),
    'two workers, processor time': summarize(cpu[1]),
    // of the two times of each round: what slows the machine down for a while slows both
    'two workers against one': summarize(faster),
  };
}

// ---- against Spin ----

/** What a search came to. */
export interface Searched {
  /** Spin: states, transitions. Softleaf: schedules, steps. */
  tried: number;
  steps: number;
  /** Softleaf: different ends. */
  ends?: number;
  /** Spin: generating and compiling the verifier, nanoseconds. */
  build?: number;
  time: Sample;
  complete: boolean;
  found: string | null;
}

/** A protocol in both, as it must be or with a mistake. */
interface Pair {
  protocol: string;
  variant: string;
  model: string;
  define: string | null;
  scenario: () => Promise<Scenario>;
}

async function migration(flush: boolean): Promise<Scenario> {
  const { parseConcurrentProgram, programScenario } = await checker();
  const text = readFileSync(join(root, 'bench/spin/migrate.json'), 'utf8');
  const scenario = programScenario(parseConcurrentProgram(JSON.parse(text)));
  if (flush) return scenario as unknown as Scenario;
  const broken = {
    ...scenario,
    setup(options: Parameters<typeof scenario.setup>[0]) {
      const state = scenario.setup(options);
      const { kernel } = state.system;
      const page = kernel.flushTlbPage.bind(kernel);
      const range = kernel.flushTlbRange.bind(kernel);
      // no flush while the tasks run; what comes after them is as it is
      kernel.flushTlbPage = (...args) => void (kernel.stepping || page(...args));
      kernel.flushTlbRange = (...args) => void (kernel.stepping || range(...args));
      return state;
    },
  };
  return broken as unknown as Scenario;
}

const example = async (name: string): Promise<Scenario> => {
  const module = new URL(`../../examples/scenarios/${name}.mjs`, import.meta.url);
  return ((await import(module.href)) as { default: Scenario }).default;
};

const MIGRATION = 'device fault that migrates, against two CPU writes';
const MIRROR = "a GPU's fault and notifier, against munmap";
const PAIRS: readonly Pair[] = [
  {
    protocol: MIGRATION,
    variant: 'as it is',
    model: 'migrate.pml',
    define: null,
    scenario: () => migration(true),
  },
  {
    protocol: MIGRATION,
    variant: 'no TLB flush',
    model: 'migrate.pml',
    define: 'NO_FLUSH',
    scenario: () => migration(false),
  },
  {
    protocol: MIRROR,
    variant: 'as it must be',
    model: 'mirror.pml',
    define: null,
    scenario: () => example('check-under-lock'),
  },
  {
    protocol: MIRROR,
    variant: 'retry without lock',
    model: 'mirror.pml',
    define: 'WITHOUT_LOCK',
    scenario: () => example('check-without-lock'),
  },
];

async function bySoftleaf(pair: Pair, rounds: number): Promise<Searched> {
  const { check, Exhaustive } = await checker();
  const scenario = await pair.scenario();
  const times: number[] = [];
  let result: CheckResult | undefined;
  for (let round = 0; round < rounds; round++) {
    const { time, value } = await timed(() =>
      check(scenario, {
        walk: 'unified',
        strategy: (tasks) => new Exhaustive(tasks),
        outcomes: true,
        findings: 1,
      }),
    );
    times.push(time);
    result = value;
  }
  if (!result) throw new RangeError('no rounds');
  return {
    tried: result.schedules,
    steps: result.steps,
    ends: result.outcomes.size,
    time: summarize(times),
    complete: result.complete,
    found: result.found[0]?.title ?? null,
  };
}

function run(command: string, args: readonly string[], cwd: string): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, encoding: 'utf8' });
  if (error) throw error;
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${stdout}${stderr}`);
  return stdout;
}

async function bySpin({ model, define }: Pair, rounds: number): Promise<Searched> {
  const folder = mkdtempSync(join(tmpdir(), 'softleaf-spin-'));
  try {
    copyFileSync(join(root, 'bench/spin', model), join(folder, model));
    const { time: build } = await timed(() => {
      run('spin', ['-a', ...(define ? [`-D${define}`] : []), model], folder);
      run('gcc', ['-O2', '-DSAFETY', '-w', '-o', 'pan', 'pan.c'], folder);
    });
    const times: number[] = [];
    let said = '';
    for (let round = 0; round < rounds; round++) {
      const { time, value } = await timed(() => run('./pan', [], folder));
      times.push(time);
      said = value;
    }
    const number = (pattern: RegExp): number => {
      const found = pattern.exec(said)?.[1];
      if (found === undefined) throw new Error(`pan does not say ${pattern}: ${said}`);
      return Number(found);
    };
    const errors = number(/errors: (\d+)/);
    const first = /^pan:1: (.*) \(at depth \d+\)/m.exec(said)?.[1];
    return {
      tried: number(/(\d+) states, stored/),
      steps: number(/(\d+) transitions/),
      build,
      time: summarize(times),
      complete: !/Search not completed|max search depth too small/.test(said),
      found: errors === 0 ? null : (first ?? 'an error').replace(/\s+/g, ' '),
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Commands that a comparison with Spin needs and that are not there. */
function missing(): string[] {
  return ['spin', 'gcc'].filter((command) => {
    const flag = command === 'spin' ? '-V' : '--version';
    return spawnSync(command, [flag], { stdio: 'ignore' }).status !== 0;
  });
}

/** The lines of a model that say something. */
function linesOf(model: string): number {
  const text = readFileSync(join(root, 'bench/spin', model), 'utf8');
  const code = text.replace(/\/\*[\s\S]*?\*\//g, '');
  return code.split('\n').filter((line) => line.trim() !== '').length;
}

/** The same protocols in Softleaf and, where it is installed, in Spin. */
export async function againstSpin(rounds: number) {
  const lacks = missing();
  const rows = [];
  for (const pair of PAIRS) {
    const { protocol, variant, model, define } = pair;
    const softleaf = await bySoftleaf(pair, rounds);
    const spin = lacks.length > 0 ? null : await bySpin(pair, rounds);
    for (const searched of spin ? [softleaf, spin] : [softleaf]) {
      const asExpected = define ? searched.found !== null : searched.complete && !searched.found;
      if (!asExpected) throw new Error(`${protocol}, ${variant}: found ${searched.found}`);
    }
    rows.push({ protocol, variant, model, lines: linesOf(model), softleaf, spin });
  }
  return { missing: lacks, rounds, rows };
}
