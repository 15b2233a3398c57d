/**
 * Tries mistakes of a build with `scripts/mutants.mjs`'s mistakes in it, in a process of its own. It prints a line of JSON for
 * whatever it comes to.
 *
 * Usage: node mutants-worker.mjs PACKAGE notes: what each search, recorded program and selftest comes to, without a mistake
 *        node mutants-worker.mjs PACKAGE try NOTES SECONDS ID…
 */
import { readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { isMainThread, Worker, workerData } from 'node:worker_threads';
import { numbers } from './mutate.mjs';

/** Seconds of the processor for one schedule, program or test, after which it has no end. */
const HANGS_AFTER = 20;

const say = (line) => writeSync(1, `${JSON.stringify(line)}\n`);
const cpu = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};

/** Looks whether the other thread gets on: one that loops cannot be asked. */
function watch(beat) {
  let seen = -1;
  let since = 0;
  setInterval(() => {
    const [now, id] = beat;
    if (now !== seen) {
      seen = now;
      since = cpu();
    } else if (cpu() - since > HANGS_AFTER) {
      if (id !== 0) say({ id, hangs: true });
      process.kill(process.pid, 'SIGKILL');
    }
  }, 500);
}

const [at, what, ...rest] = process.argv.slice(2);
if (!isMainThread) watch(workerData);
else await work();

async function work() {
  const beat = new Int32Array(new SharedArrayBuffer(8));
  new Worker(fileURLToPath(import.meta.url), {
    workerData: beat,
    argv: process.argv.slice(2),
  }).unref();
  const load = (path) => import(pathToFileURL(join(at, 'dist', path)).href);
  const runtime = await load('machine/mutants.js');
  const checker = await load('checker/index.js');
  const { jobsOf } = await load('cli/check/plans.js');
  const { listModule, loadSubject } = await load('cli/check/files.js');
  const { conformProgram } = await load('cli/conform.js');
  const { shippedCorpus, knownDifferences, readPrograms } = await load('cli/files.js');
  const { runTest, TESTS, testCases } = await load('selftest/index.js');

  const WALKS = ['unified', 'collect'];
  /** The searches of `softleaf check` without arguments. */
  function quickSuite() {
    const pool = {
      do: async (work, { file }) =>
        work === 'list'
          ? (await listModule(file)).map((one) => ('mistake' in one ? one : { name: one.name }))
          : true,
    };
    const mistaken = (message) => {
      throw new Error(message);
    };
    return jobsOf([], {}, pool, { advise() {}, mistaken });
  }

  const begins = () => {
    beat[0]++;
    runtime.begin();
  };
  checker.Execution.begins = begins;

  /** Does a search up to its first finding. @returns its title, or null */
  async function search({ file, name, walk, plan }, subject, goOn = () => true) {
    let schedules = 0;
    const one = subject ?? (await loadSubject(file, name));
    begins();
    const all = new checker.Search({ ...plan, findings: 1 });
    let stopped = false;
    try {
      for (let parts = all.next(); parts.length > 0 && !stopped; parts = all.next()) {
        all.ended(
          parts.map((part) => {
            if (stopped) return null;
            let before = 0;
            const result = checker.runPart(one, walk, plan, part, (soFar) => {
              schedules += soFar.schedules - before;
              before = soFar.schedules;
              if (!goOn()) stopped = true;
              return !stopped;
            });
            schedules += result.schedules - before;
            return result;
          }),
        );
      }
    } catch (error) {
      return { title: `stumbles: ${error.message}`, schedules: schedules + 1, thrown: true };
    }
    const [found] = all.found;
    return { title: found ? found.title : null, schedules };
  }

  /** Each with both walks, and whether the quick suite has it with that one: see corpus/recorded.mjs. */
  function recorded() {
    return shippedCorpus().flatMap((file) =>
      readPrograms(file)
        .programs.filter(({ program }) => !known.has(program.name))
        .flatMap(({ program }, at) =>
          WALKS.map((walk, i) => ({ program, walk, isQuick: at % 2 === i })),
        ),
    );
  }
  function conforms({ program, walk }) {
    begins();
    const failure = conformProgram(program, walk);
    return failure ? `${program.name} (${walk}), operation ${failure.op}` : null;
  }
  /** Not those that only measure: a minute each. */
  const selftests = () =>
    testCases(TESTS)
      .filter(({ name }) => !/benchmark/.test(name))
      .flatMap((test) => WALKS.map((walk) => ({ test, walk })));
  function passes({ test, walk }) {
    begins();
    const { ok, diagnostics } = runTest(test, { walk });
    return ok ? null : `${test.name} (${walk}): ${diagnostics[0] ?? ''}`;
  }

  const suite = await quickSuite();
  /** They take long to read, and most mistakes are found before. */
  let read = null;
  const programs = () => {
    read ??= recorded();
    return read;
  };
  const known = knownDifferences();
  const tests = selftests();

  /** What is come to, as numbers of mistakes. */
  function noted() {
    const ids = [];
    for (let id = 1; id < runtime.hits.length; id++) if (runtime.hits[id]) ids.push(id);
    runtime.hits.fill(0);
    return ids;
  }

  async function notes() {
    const broken = [];
    const looks = async (of, list, attempt) => {
      if (process.env.ONLY && process.env.ONLY !== of) return;
      for (const [i, one] of list.entries()) {
        runtime.hits.fill(0);
        const begin = cpu();
        const wrong = await attempt(one);
        if (wrong !== null) broken.push(`${of} ${i}: ${wrong}`);
        say({
          of,
          i,
          seconds: Number((cpu() - begin).toFixed(3)),
          hits: noted(),
          most: runtime.most,
        });
      }
    };
    await looks('check', suite, async (job) => (await search(job)).title);
    await looks('conform', programs(), conforms);
    await looks('selftest', tests, passes);
    say({ broken });
  }

  const nameOf = ({ name, walk, plan }) => `${name} (${walk}, ${plan.strategy})`;
  const spread = (list, random) =>
    list
      .map((i) => ({ i, luck: random() }))
      .sort((a, b) => a.luck - b.luck)
      .map(({ i }) => i);

  /** The mistakes one after the other. */
  async function tries([notesFile, limit, ...ids]) {
    const { check, conform, selftest, functions, costs, killers, hints } = JSON.parse(
      readFileSync(notesFile, 'utf8'),
    );
    const bound = Number(limit);
    /** By search: mistakes that it found, those in the same function counting more. */
    const kills = new Map(killers);
    for (const id of ids.map(Number)) {
      const random = numbers(id);
      const order = (check[id] ?? [])
        .map((i) => ({ i, luck: random() }))
        .map(({ i, luck }) => {
          const own = kills.get(i) ?? [];
          const near = own.filter((other) => functions[other].file === functions[id].file);
          const same = near.filter((other) => functions[other].function === functions[id].function);
          // what costs little comes first
          const worth = 0.5 + 0.1 * own.length + near.length + 5 * same.length + luck;
          return { i, rank: worth / (costs[i] + 0.02) };
        })
        .sort((a, b) => b.rank - a.rank);
      const result = { id, searches: order.length, tried: 0, schedules: 0, killer: null };
      say({ begins: id });
      runtime.turn(id);
      beat[1] = id;
      let begin = cpu();
      const left = () => cpu() - begin < bound;
      let last = null;
      // of what is recorded only what comes to the place is run: it costs little, and finds what is wrong in every order
      const isRecorded = ({ name }) => name.startsWith('recorded: ');
      const alone = spread(conform[id] ?? [], random).filter((i) => programs()[i].isQuick);
      const jobs = order.filter(({ i }) => !isRecorded(suite[i]));
      const first = jobs.filter(({ i }) => hints[id] === nameOf(suite[i]));
      const rest = jobs.filter((one) => !first.includes(one));
      for (const { i, program } of [...first, ...alone.map((at) => ({ program: at })), ...rest]) {
        if (!left()) break;
        if (program !== undefined) {
          // a third of the time
          if (cpu() - begin > bound / 3) continue;
          const wrong = conforms(programs()[program]);
          if (wrong === null) continue;
          const title = 'returns what a real kernel does not return';
          Object.assign(result, { killer: 'check', by: `recorded: ${wrong}`.slice(0, 160), title });
          break;
        }
        const job = suite[i];
        const of = `${job.file} ${job.name}`;
        // what is known of a program's orders holds for one mistake
        if (last?.of !== of) last = { of, subject: await loadSubject(job.file, job.name) };
        const { title, schedules, thrown } = await search(job, last.subject, left);
        result.tried++;
        result.schedules += schedules;
        if (title === null) continue;
        result.killer = 'check';
        result.by = nameOf(job);
        result.title = title;
        if (thrown) result.thrown = true;
        kills.set(i, [...(kills.get(i) ?? []), id]);
        result.search = i;
        break;
      }
      result.seconds = Number((cpu() - begin).toFixed(2));
      if (result.killer === null) {
        const others = [
          ['conform', conform[id] ?? [], (i) => conforms(programs()[i]), bound / 3],
          ['selftest', selftest[id] ?? [], (i) => passes(tests[i]), bound / 3],
        ];
        for (const [killer, list, attempt, most] of others) {
          if (result.killer !== null) break;
          begin = cpu();
          for (const i of spread(list, random)) {
            if (cpu() - begin > most) break;
            const wrong = attempt(i);
            if (wrong === null) continue;
            Object.assign(result, { killer, by: wrong.slice(0, 160) });
            break;
          }
          result[killer] = Number((cpu() - begin).toFixed(2));
        }
      }
      if (runtime.endless) result.endless = true;
      runtime.turn(0);
      beat[1] = 0;
      say(result);
    }
  }

  await (what === 'notes' ? notes() : tries(rest));
}
