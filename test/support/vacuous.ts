/** Runs what `mutants.ts` makes through the checker: what does it say of each? */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import {
  asScenario,
  type Plan,
  parseConcurrentProgram,
  programScenario,
  runPart,
  type Scenario,
  ScenarioError,
  Search,
  tryScenario,
} from '../../src/checker/index.ts';
import { warningsOfCase } from '../../src/cli/check/warnings.ts';
import { instrument } from '../../src/cli/instrument.ts';
import { ProgramError } from '../../src/program/index.ts';
import { root } from './cli.ts';
import { COMPILED } from './compiled.ts';
import { type Mutant, mutantsOf } from './mutants.ts';

/** What is checked, and the modules beside it that are changed as well. */
const MODULES: Readonly<Record<string, readonly string[]>> = {
  'examples/scenarios/check-under-lock.mjs': ['examples/scenarios/lib/gpu.mjs'],
  'examples/scenarios/gpu-with-memory.mjs': ['examples/scenarios/lib/gpu-with-memory.mjs'],
  'scenarios/driver-brings-back.mjs': ['scenarios/lib/driver.mjs'],
  'scenarios/driver-dma-mapped.mjs': ['scenarios/lib/driver.mjs'],
};
const TOLD = pathToFileURL(join(COMPILED, 'checker/own-code.js')).href;
const PLAN: Plan = {
  strategy: 'exhaustive',
  seed: 1,
  faults: 0,
  breaks: 0,
  findings: 1,
  preemptions: 2,
  schedules: 40,
};

/** A mutant, and what the checker says of it: one word, and what. */
export interface Judged {
  /** File, line, kind, and what was there. */
  name: string;
  /** `same`: it does what the original does, in every schedule. */
  verdict: 'bad input' | 'finding' | 'warning' | 'same' | 'blessed';
  said: string;
}

/** Everything that a search of a few schedules says of scenarios, and all that it saw. */
function look(scenarios: readonly Scenario[], file: string): { said: Judged; seen: string } {
  let seen = '';
  const say = (verdict: Judged['verdict'], said: string) => ({
    said: { name: '', verdict, said },
    seen,
  });
  for (const scenario of scenarios) {
    try {
      tryScenario(scenario, {}, 'scenario');
      const search = new Search(PLAN);
      for (let parts = search.next(); parts.length > 0; parts = search.next()) {
        search.ended(parts.map((part) => runPart({ scenario }, 'unified', PLAN, part)));
      }
      const [found] = search.found;
      if (found) return say('finding', found.title);
      const result = search.result(scenario.name, 'unified', []);
      // of a module: what a program's file says of lines is not asked for
      const job = {
        file: `${file}.mjs`,
        name: scenario.name,
        walk: 'unified',
        plan: PLAN,
      } as const;
      const [warning] = warningsOfCase([{ job, result }]);
      if (warning !== undefined) return say('warning', warning.text);
      const { schedules, steps, outcomes, coverage } = result;
      const { pairs, entries } = coverage;
      seen += JSON.stringify([schedules, steps, outcomes.sort(), pairs.sort(), entries.sort()]);
    } catch (error) {
      if (error instanceof ScenarioError) return say('bad input', error.message);
      throw error;
    }
  }
  return say('blessed', '');
}

let copies = 0;
/** The scenarios of a module, with one of its files changed. */
async function load(dir: string, subject: string, mutant: Mutant | null): Promise<Scenario[]> {
  // Node runs what lies in such a folder as it is
  const folder = join(dir, 'build/tested', String(++copies));
  for (const file of [subject, ...MODULES[subject]]) {
    const text = file === mutant?.file ? mutant.text : readFileSync(join(root, file), 'utf8');
    const code = instrument(text, file, TOLD);
    if (code === null) throw new Error(`${file}: cannot be read`);
    const at = join(folder, file);
    mkdirSync(dirname(at), { recursive: true });
    const room = (_: string, name: string) =>
      `'${pathToFileURL(join(COMPILED, name, 'index.js'))}'`;
    writeFileSync(at, code.replace(/'softleaf\/(\w+)'/g, room));
  }
  const { default: exported } = await import(/* @vite-ignore */ join(folder, subject));
  return [exported].flat().map((one) => asScenario(one, 'default export'));
}

/**
 * Judges the mutants of the modules that ship.
 * @param takes which of them, by number
 */
export async function judgeModules(takes: (i: number) => boolean): Promise<Judged[]> {
  const dir = mkdtempSync(join(tmpdir(), 'softleaf-vacuous-'));
  const judged: Judged[] = [];
  let i = 0;
  try {
    for (const [subject, beside] of Object.entries(MODULES)) {
      const own = look(await load(dir, subject, null), subject);
      if (own.said.verdict !== 'blessed') throw new Error(`${subject}: ${own.said.said}`);
      for (const mutant of [subject, ...beside].flatMap((file) => mutantsOf(root, file))) {
        if (!takes(i++)) continue;
        const name = `${mutant.file} ${mutant.kind}: ${mutant.was}`;
        let scenarios: Scenario[];
        try {
          scenarios = await load(dir, subject, mutant);
        } catch (error) {
          judged.push({ name, verdict: 'bad input', said: String(error) });
          continue;
        }
        const { said, seen } = look(scenarios, subject);
        const isSame = said.verdict === 'blessed' && seen === own.seen;
        judged.push({ ...said, name, ...(isSame ? { verdict: 'same' } : {}) });
      }
    }
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
  return judged;
}

/** Judges the programs that ship, each with one operation on a buffer that nothing else has. */
export function judgePrograms(takes: (i: number) => boolean): Judged[] {
  const judged: Judged[] = [];
  let i = 0;
  for (const file of readdirSync(join(root, 'scenarios')).sort()) {
    if (!file.endsWith('.json')) continue;
    const text = readFileSync(join(root, 'scenarios', file), 'utf8');
    let own: string | null = null;
    const { setup = [], tasks, after = [] } = JSON.parse(text);
    const places = [
      ...setup.map((_: unknown, at: number) => ['setup', at]),
      ...Object.keys(tasks).flatMap((name) =>
        tasks[name].map((_: unknown, at: number) => ['tasks', name, at]),
      ),
      ...after.map((_: unknown, at: number) => ['after', at]),
    ];
    for (const place of places) {
      const program = JSON.parse(text);
      const op = place.reduce((value: never, key: never) => value[key], program);
      if (op.buf === undefined || !takes(i++)) continue;
      op.buf += 5;
      const name = `${file} another page: ${place.join(' ')}, ${op.op}`;
      try {
        const { said, seen } = look([programScenario(parseConcurrentProgram(program))], file);
        if (said.verdict === 'blessed')
          own ??= look([programScenario(parseConcurrentProgram(JSON.parse(text)))], file).seen;
        const isSame = said.verdict === 'blessed' && seen === own;
        judged.push({ ...said, name, ...(isSame ? { verdict: 'same' } : {}) });
      } catch (error) {
        if (!(error instanceof ProgramError)) throw error;
        judged.push({ name, verdict: 'bad input', said: error.message });
      }
    }
  }
  return judged;
}

const SEQUENCE =
  'a sequence read without the lock is a hint: the driver looks again under the lock';
const ALLOCATION = 'no allocation fails in these searches, and a verdict says so';
const COPY = 'a page under migration is mapped nowhere: nobody reaches its bytes meanwhile';
const MEMORY = 'examples/scenarios/lib/gpu-with-memory.mjs';

/** Mutants that are proved without a word, and why nothing is wrong with that. */
export const HARMLESS: Readonly<Record<string, string>> = {
  'examples/scenarios/lib/gpu.mjs no step: if (k.stepping) yield setSeqStep(k, gpu.notifier).and(ObjectKind.DeviceEntry, gpu.lock.id, Role.Write);':
    SEQUENCE,
  [`${MEMORY} no step: if (k.stepping) { yield setSeqStep(k, mirror.notifier).and(ObjectKind.DeviceEntry, mirror.mutex.id, Role.Write); }`]:
    SEQUENCE,
  [`${MEMORY} no step: if (k.stepping) yield k.allocateStep();`]: ALLOCATION,
  [`${MEMORY} no step: if (k.stepping) yield k.copyStep(page, from);`]: COPY,
  [`${MEMORY} no step: if (k.stepping) yield k.copyStep(to, page);`]: COPY,
  [`${MEMORY} does nothing: { if (k.stepping) yield k.acquire(this.lock); k.lock(this.lock); this.freePages.push(page); if (k.stepping) yield k.release(this.lock); k.unlock(this.lock); }`]:
    "a driver's own list of free pages, of which nobody knows how long it must be",
  [`${MEMORY} result ignored: yield* gpu.pagesInUse(k)`]:
    'an eviction may leave pages where they are',
  [`${MEMORY} result ignored: if (page < 0 || !(src[i] & MIGRATE_PFN_MIGRATE)) continue;`]:
    'what does not migrate is copied for nothing, and given back by migrateDeviceFinalize()',
  'closing-a-device-huge.json another page: setup 4, munmap': 'munmap of nothing is no error',
  'device-fault-mprotect.json another page: after 1, snapshot': 'a snapshot of nothing says so',
};

/** What is blessed and should not be. */
export function blessedOf(judged: readonly Judged[]): string[] {
  const blessed = judged.filter(({ verdict }) => verdict === 'blessed').map(({ name }) => name);
  return blessed.filter((name) => !Object.hasOwn(HARMLESS, name));
}
