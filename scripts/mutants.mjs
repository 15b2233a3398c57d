/**
 * Mistakes put into the model by machine, of the kinds that kernel code has: what finds them? docs/mutants.md has what came
 * of it, and says how to read it.
 *
 * All of them are put into one compiled copy, in `build/mutants`, and made one at a time: first the searches of
 * `softleaf check` that come to the place; where none finds it, the recorded programs and the selftests that do.
 * What came of each is kept there, and the same command goes on.
 *
 * Usage: node scripts/mutants.mjs [--count N] [--seed N] [--time SECONDS] [--for SECONDS] [--again] [ID…]
 *        --built: with the copies that are there, whatever has changed since
 *        node scripts/mutants.mjs --table: writes docs/mutants.tsv, and the tables of docs/mutants.md
 */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { SourceMap } from 'node:module';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { root } from './lib/model-copy.mjs';
import { keyOf, readTable, writeTable } from './lib/mutants-table.mjs';
import { mutantsOf, OTHER, sampled, withMutants } from './lib/mutate.mjs';

/** The rooms in which mistakes are made; not in their folders: what only looks on, and what is wrong on purpose. */
const ROOMS = ['hmm', 'mm', 'drivers'];
/** Turns of loops of one schedule, program or test, after which it has no end. */
const MOST_ROUNDS = 6_000_000;
/** Mistakes that one process tries. */
const BATCH = 100;

const work = join(root, 'build', 'mutants');
const inWork = (name) => join(work, name);
const readLines = (path) =>
  existsSync(path)
    ? readFileSync(path, 'utf8')
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line))
    : [];

function modulesOf(dist) {
  return ROOMS.flatMap((room) =>
    readdirSync(join(dist, room))
      .filter((name) => name.endsWith('.js'))
      .sort()
      .map((name) => `${room}/${name}`),
  );
}

/** The line of the source for an offset of the compiled code. */
function linesOf(dist, file, code) {
  const map = new SourceMap(JSON.parse(readFileSync(join(dist, `${file}.map`), 'utf8')));
  return (offset) => {
    const before = code.slice(0, offset).split('\n');
    return map.findEntry(before.length - 1, before.at(-1).length).originalLine + 1;
  };
}

/** What mistakes need of the other modules. */
const RUNTIME = (count) => `export let $on = 0;
export let endless = false;
export let most = 0;
export const $hits = new Uint8Array(${count + 1});
export { $hits as hits };
let rounds = 0;
export function turn(id) { $on = id; endless = false; rounds = 0; }
export function begin() { if (rounds > most) most = rounds; rounds = 0; }
export function $round() {
  if (++rounds <= ${MOST_ROUNDS} || $on === 0) return;
  endless = true;
  throw new Error('a loop without end');
}
`;

/** Where the accessors are that stand for others. */
const ACCESSORS = ['machine/pte', 'mm/leafops', 'mm/pgtable', 'mm/folio', 'mm/vma', 'hmm/pfn'];

function compile() {
  const at = inWork('clean');
  rmSync(at, { recursive: true, force: true });
  mkdirSync(at, { recursive: true });
  for (const name of ['package.json', 'scenarios', 'corpus', 'examples']) {
    cpSync(join(root, name), join(at, name), { recursive: true });
  }
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const args = [tsc, '-p', join(root, 'tsconfig.build.json'), '--outDir', join(at, 'dist')];
  const { status, stdout } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`does not compile:\n${stdout}`);
  return join(at, 'dist');
}

/** Every mistake that can be made, with the source that it is in. */
function allMutants(dist) {
  return modulesOf(dist).flatMap((file) => {
    const code = readFileSync(join(dist, file), 'utf8');
    const lineOf = linesOf(dist, file, code);
    return mutantsOf(code).map((one) => ({
      ...one,
      module: file,
      file: `src/${file.replace(/\.js$/, '.ts')}`,
      line: lineOf(one.start),
    }));
  });
}

/**
 * What is drawn, but for what only names steps, each with its number. Where the table has been written with the same
 * seed, what it has is drawn once more as far as it is there: what was judged stays, whatever else has changed.
 */
function drawnOf(all, count, seed) {
  const known = readTable(root, seed);
  const left = new Map(known.map(({ key }) => [key, 0]));
  for (const { key } of known) left.set(key, left.get(key) + 1);
  const isKnown = (one) => {
    const times = left.get(keyOf(one)) ?? 0;
    left.set(keyOf(one), times - 1);
    return times > 0;
  };
  const kept = all.filter(isKnown);
  const isKept = new Set(kept);
  const fresh = sampled(all, 3 * count, seed).filter(
    (one) => !isKept.has(one) && !/Step$/.test(one.function),
  );
  return [...kept, ...fresh].slice(0, count).map((one, i) => ({ ...one, id: i + 1 }));
}

/** Makes a copy of the package with the mistakes in it; or one that notes which places are come to. */
function putIn(chosen, name, notes) {
  const at = inWork(name);
  rmSync(at, { recursive: true, force: true });
  cpSync(inWork('clean'), at, { recursive: true });
  const dist = join(at, 'dist');
  writeFileSync(join(dist, 'machine', 'mutants.js'), RUNTIME(chosen.length));
  const others = ACCESSORS.map((path) => `export * from '../${path}.js';\n`).join('');
  writeFileSync(join(dist, 'mm', 'mutants-other.js'), others);
  for (const file of modulesOf(dist)) {
    if (file === 'mm/mutants-other.js') continue;
    const code = readFileSync(join(dist, file), 'utf8');
    const own = chosen.filter(({ module }) => module === file);
    const runtime = [
      "import { $on, $hits, $round } from '../machine/mutants.js';",
      ...(own.some(({ kind }) => kind === 'other accessor')
        ? ["import * as $other from '../mm/mutants-other.js';"]
        : []),
    ].join(' ');
    writeFileSync(join(dist, file), withMutants(code, own, runtime, notes));
  }
}

const digestOf = (dist) => {
  const hash = createHash('sha256');
  for (const file of modulesOf(dist)) hash.update(readFileSync(join(dist, file)));
  return hash.digest('hex').slice(0, 16);
};

/** Starts the worker, and is told each line. @returns how it ended */
function runWorker(args, each) {
  return new Promise((resolve, reject) => {
    const script = join(root, 'scripts', 'lib', 'mutants-worker.mjs');
    const child = spawn(process.execPath, ['--max-old-space-size=3000', script, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stderr = '';
    child.stderr.on('data', (data) => {
      stderr = `${stderr}${data}`.slice(-4000);
    });
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (line.startsWith('{')) each(JSON.parse(line));
    });
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, stderr }));
  });
}

/** What each search, recorded program and selftest comes to: by mistake. */
async function makeNotes(chosen) {
  const by = { check: {}, conform: {}, selftest: {} };
  const seconds = { check: 0, conform: 0, selftest: 0 };
  /** Seconds of each search. */
  const costs = [];
  let broken = null;
  let most = 0;
  const end = await runWorker([inWork('notes'), 'notes'], (line) => {
    if (line.broken) broken = line.broken;
    if (!line.hits) return;
    seconds[line.of] += line.seconds;
    if (line.of === 'check') costs[line.i] = line.seconds;
    most = Math.max(most, line.most);
    for (const id of line.hits) {
      by[line.of][id] ??= [];
      by[line.of][id].push(line.i);
    }
  });
  if (broken === null)
    throw new Error(`without a mistake it does not come to its end: ${end.stderr}`);
  if (broken.length > 0)
    throw new Error(`without a mistake something is wrong:\n${broken.join('\n')}`);
  const functions = Object.fromEntries(
    chosen.map(({ id, file, function: name }) => [id, { file, function: name }]),
  );
  console.log(
    `without a mistake: ${Object.entries(seconds)
      .map(([name, s]) => `${name} ${Math.round(s)} s`)
      .join(', ')}; turns of loops at most ${most}`,
  );
  writeFileSync(inWork('notes.json'), JSON.stringify({ ...by, functions, seconds, costs }));
}

/** Whatever the copies are made of, and what makes them. */
function sourcesDigest(count, seed) {
  const hash = createHash('sha256').update(`${count} ${seed}`);
  for (const folder of ['src', 'scenarios', 'corpus', 'scripts']) {
    const names = readdirSync(join(root, folder), { recursive: true }).sort();
    for (const name of names.filter((one) => /\.(ts|m?js|jsonl?)$/.test(one))) {
      if (!/^lib\/mutants-(worker|table|judged)/.test(name) && name !== 'mutants.mjs')
        hash.update(name).update(readFileSync(join(root, folder, name)));
    }
  }
  return hash.digest('hex').slice(0, 16);
}

async function prepare(count, seed) {
  const sources = sourcesDigest(count, seed);
  if (existsSync(inWork('mutants.json')) && existsSync(inWork('notes.json'))) {
    const built = JSON.parse(readFileSync(inWork('mutants.json'), 'utf8'));
    if (built.sources === sources) return built.mutants;
  }
  const dist = compile();
  const digest = digestOf(dist);
  const before = existsSync(inWork('mutants.json'))
    ? JSON.parse(readFileSync(inWork('mutants.json'), 'utf8'))
    : null;
  const isSame = before?.digest === digest && before.count === count && before.seed === seed;
  if (!isSame && before) console.log('the model, or what is asked for, is another: it begins anew');
  const all = allMutants(dist);
  const drawn = drawnOf(all, count, seed);
  // what comes to which place hangs on the suite, too
  rmSync(inWork('notes.json'), { force: true });
  if (!isSame) rmSync(inWork('results.jsonl'), { force: true });
  putIn(drawn, 'notes', true);
  putIn(drawn, 'on', false);
  const mutants = drawn.map(({ id, file, line, function: name, kind, was, now }) => ({
    id,
    file,
    line,
    function: name,
    kind,
    was,
    now,
  }));
  writeFileSync(
    inWork('mutants.json'),
    JSON.stringify({ sources, digest, count, seed, possible: all.length, mutants }),
  );
  await makeNotes(mutants);
  return mutants;
}

/** What counts more. */
const RANKS = ['selftest', 'conform', 'check'];

/** The result of each mistake: what found it at some time stays. */
function resultsOf() {
  const results = new Map();
  const rank = (result) => RANKS.indexOf(result?.killer ?? '');
  for (const result of readLines(inWork('results.jsonl'))) {
    if (rank(result) >= rank(results.get(result.id))) results.set(result.id, result);
  }
  return results;
}

/** Tries mistakes of these numbers, in one process after the other. */
async function tryAll(ids, limit, until) {
  const left = [...ids];
  const began = Date.now();
  let done = 0;
  while (left.length > 0 && Date.now() < until) {
    const batch = left.splice(0, BATCH);
    const killers = new Map();
    for (const { id, search } of resultsOf().values()) {
      if (search === undefined) continue;
      killers.set(search, [...(killers.get(search) ?? []), id]);
    }
    const noted = JSON.parse(readFileSync(inWork('notes.json'), 'utf8'));
    const hints = Object.fromEntries(
      [...resultsOf().values()]
        .filter(({ killer }) => killer === 'check')
        .map(({ id, by }) => [id, by]),
    );
    writeFileSync(inWork('known.json'), JSON.stringify({ ...noted, killers: [...killers], hints }));
    const open = new Set(batch);
    let under = null;
    const keep = (result) => {
      open.delete(result.id);
      done++;
      appendFileSync(inWork('results.jsonl'), `${JSON.stringify(result)}\n`);
    };
    const args = [inWork('on'), 'try', inWork('known.json'), String(limit), ...batch.map(String)];
    const { signal, code, stderr } = await runWorker(args, (line) => {
      if (line.begins !== undefined) under = line.begins;
      else if (line.hangs)
        keep({ id: line.id, killer: 'check', by: '', title: 'does not end', endless: true });
      else keep(line);
    });
    // an error that nobody caught is the worker's own
    if (code === 1) throw new Error(stderr);
    if (open.size > 0 && open.has(under) && (signal || code)) {
      keep({
        id: under,
        killer: 'check',
        by: '',
        title: 'the process ends',
        crash: stderr.slice(-300),
      });
    } else if (code && open.size === batch.length) throw new Error(stderr);
    left.unshift(...open);
    const minutes = ((Date.now() - began) / 60_000).toFixed(1);
    const killed = [...resultsOf().values()];
    const of = (name) => killed.filter(({ killer }) => killer === name).length;
    console.log(
      `${done} of ${ids.length} tried, ${minutes} minutes; of all ${killed.length}: check ${of('check')}, ` +
        `conform ${of('conform')}, selftest ${of('selftest')}, nothing ${of(null)}`,
    );
  }
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    count: { type: 'string', default: '600' },
    seed: { type: 'string', default: '1' },
    time: { type: 'string', default: '10' },
    for: { type: 'string', default: '1000000' },
    again: { type: 'boolean', default: false },
    built: { type: 'boolean', default: false },
    table: { type: 'boolean', default: false },
  },
});
if (values.table) {
  const { possible, count, seed, mutants } = JSON.parse(
    readFileSync(inWork('mutants.json'), 'utf8'),
  );
  process.exit(writeTable(root, { possible, count, seed, mutants, results: resultsOf() }));
}
mkdirSync(work, { recursive: true });
const unknown = Object.values(OTHER).filter((name) => !/^\w+$/.test(name));
if (unknown.length > 0) throw new Error(`no accessor: ${unknown}`);
const until = Date.now() + Number(values.for) * 1000;
const mutants = values.built
  ? JSON.parse(readFileSync(inWork('mutants.json'), 'utf8')).mutants
  : await prepare(Number(values.count), Number(values.seed));
const results = resultsOf();
const asked = positionals.map(Number);
const ids = mutants
  .map(({ id }) => id)
  .filter((id) => {
    if (asked.length > 0) return asked.includes(id);
    const result = results.get(id);
    return result === undefined || (values.again && result.killer !== 'check');
  });
await tryAll(ids, Number(values.time), until);
