/**
 * Known kernel bugs, put back into a copy of the model one at a time: the checker must find each, and
 * must find nothing in the same scenario without it.
 *
 * Usage: node scripts/bugs.mjs [--time SECONDS] [--keep] [ID...]
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const bugs = join(root, 'bugs');
/** Within the repository, so that the compiler finds its types. */
const work = join(root, 'build', `bugs-${process.pid}`);

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { time: { type: 'string', default: '50' }, keep: { type: 'boolean', default: false } },
});

/** A copy of the model with what searches it. */
function copy(name) {
  const to = join(work, name);
  rmSync(to, { recursive: true, force: true });
  mkdirSync(to, { recursive: true });
  cpSync(join(root, 'src'), join(to, 'src'), { recursive: true });
  rmSync(join(to, 'src', 'cli'), { recursive: true });
  mkdirSync(join(to, 'bugs'));
  const wanted = (path) => path === bugs || !/\.(json|patch|md)$/.test(path);
  cpSync(bugs, join(to, 'bugs'), { recursive: true, filter: wanted });
  const config = {
    extends: '../../../tsconfig.json',
    compilerOptions: {
      noEmit: false,
      rootDir: '.',
      outDir: 'out',
      noUnusedLocals: false,
      noUnusedParameters: false,
    },
    include: ['src', 'bugs'],
  };
  writeFileSync(join(to, 'tsconfig.json'), JSON.stringify(config));
  return to;
}

function compile(at) {
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const { status, stdout } = spawnSync(process.execPath, [tsc, '-p', join(at, 'tsconfig.json')], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`does not compile:\n${stdout}`);
}

/** Searches in a process of its own: a model that is broken may never come back. */
function hunt(at, id, walk, seconds) {
  const script = join(at, 'out', 'bugs', 'lib', 'hunt.js');
  const args = ['--stack-trace-limit=60', script, join(bugs, `${id}.json`), walk, String(seconds)];
  const timeout = (seconds + 20) * 1000;
  const { status, stdout, stderr, error } = spawnSync(process.execPath, args, {
    encoding: 'utf8',
    timeout,
  });
  if (error?.code === 'ETIMEDOUT') return { hangs: true };
  if (status !== 0) throw new Error(stderr || `ends with ${status}`);
  return JSON.parse(stdout);
}

const all = readdirSync(bugs)
  .filter((name) => name.endsWith('.json'))
  .map((name) => name.slice(0, -'.json'.length));
for (const id of positionals) {
  if (!all.includes(id)) {
    console.error(`no such bug: ${id} (there are ${all.join(' ')})`);
    process.exit(2);
  }
}
const chosen = positionals.length > 0 ? positionals : all;
const time = Number(values.time);

const base = copy('unpatched');
compile(base);
const lib = (name) => import(pathToFileURL(join(base, 'out', 'bugs', 'lib', name)).href);
const { applyPatch } = await lib('patch.js');
const { parseEntry } = await lib('entry.js');

const columns = [7, 6, 9, 6, 5];
const line = (id, walk, cells, title) =>
  `${id.padEnd(40)} ${walk.padEnd(9)} ${cells.map((c, i) => String(c).padStart(columns[i])).join(' ')}  ${title}`;

/** Searches for one bug on one walk. @returns the row, and whether all is as it must be */
function row(entry, walk, at) {
  const { id } = entry;
  const clean = hunt(base, id, walk, Math.min(time, 20));
  if (clean.hangs || clean.found) {
    const what = clean.hangs ? 'does not come back' : clean.found.title;
    return { ok: false, text: line(id, walk, ['NOT CLEAN', '', '', '', ''], what) };
  }
  const { found, hangs, seconds, schedules, strategy } = hunt(at, id, walk, time);
  if (hangs) {
    const cells = ['hangs', time, '', '', ''];
    return { ok: false, text: line(id, walk, cells, 'the model does not come back') };
  }
  const how = `${clean.complete ? 'all' : 'part'} of ${clean.schedules} clean`;
  if (!found) {
    const cells = ['MISSED', seconds.toFixed(1), schedules, '', ''];
    return { ok: false, text: line(id, walk, cells, `nothing; ${how}`) };
  }
  const expected = found.title.includes(entry.finding) && found.invariant === entry.invariant;
  const cells = [
    expected ? 'found' : 'other',
    seconds.toFixed(1),
    schedules,
    found.steps,
    found.preemptions,
  ];
  const title = `${found.invariant}: ${found.title} (${strategy}; ${how})`;
  // without the bug nothing is found there: whatever is found shows the bug
  return { ok: true, text: line(id, walk, cells, title) };
}

console.log(line('bug', 'walk', ['', 'sec', 'schedules', 'steps', 'pree'], 'finding'));
let found = 0;
let failed = 0;
const impossible = [];
for (const id of chosen) {
  const entry = parseEntry(JSON.parse(readFileSync(join(bugs, `${id}.json`), 'utf8')), id);
  if (entry.impossible) {
    impossible.push(entry);
    continue;
  }
  let ok = true;
  try {
    const at = copy(id);
    const patch = readFileSync(join(bugs, `${id}.patch`), 'utf8');
    const read = (path) => readFileSync(join(at, path), 'utf8');
    for (const [path, text] of applyPatch(patch, read)) writeFileSync(join(at, path), text);
    compile(at);
    for (const walk of entry.walks) {
      const { ok: good, text } = row(entry, walk, at);
      console.log(text);
      if (!good) ok = false;
    }
    if (!values.keep) rmSync(at, { recursive: true, force: true });
  } catch (error) {
    ok = false;
    console.log(line(id, '', ['ERROR', '', '', '', ''], error.message));
  }
  if (ok) found++;
  else failed++;
}
for (const { id, impossible: why } of impossible)
  console.log(`${id.padEnd(40)} not expressed: ${why}`);
if (!values.keep) rmSync(work, { recursive: true, force: true });
console.log(`${found} found, ${failed} failed, ${impossible.length} not expressed`);
process.exit(failed > 0 ? 1 : 0);
